//! A write transaction: what it has added so far to each part of RAM, and how it ends.
//!
//! It takes messages, decisions and definitions; it leaves rows in the file and changes for RAM to fold in after COMMIT. What
//! an end derives is wired from outside by [`Flow`], so that it knows no verb.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::audiences::bounds::Bounds;
use crate::audiences::memberships::MembershipsView;
use crate::audiences::triggers::Trigger;
use crate::engine::parts::{Models, PartsChanges};
use crate::engine::snapshot::Snapshot;
use crate::engine::state::{State, StateChanges};
use crate::error::Result;
use crate::identity::{Link, Partition, PartitionChanges, TypeRules};
use crate::records::{Decision, Receipt, Timestamp, Value};
use crate::stop::Stop;
use crate::store::{Facts, LogWriter, MemoryView, Meta, Store, StoredDecision};

/// A transaction that holds the write lock.
pub(crate) struct Transaction<'w> {
    pub(in crate::engine) context: Context<'w>,
    pub(crate) facts: Facts<'w>,
    pub(crate) state: &'w State,
    /// Asked whether the call goes on, wherever work grows with the store or the input.
    pub(crate) stop: &'w dyn Stop,
    /// What is added to each part of RAM; `state` has the last commit.
    pub(crate) changes: PartsChanges,
    pub(crate) meta: Meta,
    pub(crate) now: Timestamp,
    pub(crate) new_profiles: u64,
    pub(crate) links: Vec<Link>,
    /// The nodes that operators have decided about.
    pub(crate) decided: Vec<u32>,
    /// Whether a run of linkage has compared all profiles.
    pub(crate) is_compared: bool,
    pub(crate) log: Option<LogWriter<'w>>,
    // Set when RAM must be reloaded from the file, because definitions have changed what it keeps.
    pub(crate) reload: bool,
    pub(crate) rebuild: bool,
    pub(crate) models_changed: bool,
    pub(in crate::engine) flush_all: bool,
    derived: bool,
    /// The node of the last message, for the verbs that take one.
    pub(crate) last_node: Option<u32>,
}

/// What RAM takes in after COMMIT.
pub(in crate::engine) enum Change {
    Fold(Box<StateChanges>),
    Replace(Box<State>),
}

impl Change {
    pub(in crate::engine) fn fold_into(self, state: &mut State) {
        match self {
            Change::Replace(new) => *state = *new,
            Change::Fold(folded) => state.fold(*folded),
        }
    }
}

/// A check of what is derived: the faults of a moment, given a rebuild of it.
pub(in crate::engine) type Check = fn(&Snapshot<'_>, &Snapshot<'_>) -> Result<Vec<String>>;

/// What is derived and in which order. The one file that knows all modules wires it, so that the engine names no verb.
pub(crate) struct Flow {
    /// Brings the partition and the audiences up to date with what a transaction has accepted so far.
    pub(crate) derive: fn(&mut Transaction<'_>) -> Result<()>,
    /// Sets what is kept per audience from all facts, after definitions have changed.
    pub(crate) backfill: fn(&mut Transaction<'_>) -> Result<()>,
    pub(crate) checks: &'static [Check],
}

/// What a transaction needs of the open store besides the file and RAM.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Context<'w> {
    pub(crate) store: &'w Store,
    pub(in crate::engine) flow: &'static Flow,
    pub(crate) stop: &'w dyn Stop,
    pub(crate) now: Timestamp,
    pub(crate) max_message_bytes: usize,
}

impl<'w> Transaction<'w> {
    pub(in crate::engine) fn new(context: Context<'w>, facts: Facts<'w>, state: &'w State) -> Transaction<'w> {
        let mut meta = state.meta.clone();
        let now = context.now;
        // Known time never decreases, whatever the clock does.
        meta.recorded_at = meta.recorded_at.max(now);
        meta.revision += 1;
        Transaction {
            context,
            facts,
            state,
            stop: context.stop,
            changes: state.parts.changes(),
            meta,
            now,
            new_profiles: 0,
            links: Vec::new(),
            decided: Vec::new(),
            is_compared: false,
            log: None,
            reload: false,
            rebuild: false,
            models_changed: false,
            flush_all: false,
            derived: false,
            last_node: None,
        }
    }

    /// Everything that the transaction sees, its own additions included.
    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        let store = Some(self.context.store);
        self.state.snapshot_of(self.facts, store, self.state.parts.view_with(&self.changes))
    }

    /// Resolves the identity definition again: names that it uses may have a number now.
    pub(crate) fn resolve_types(&mut self) {
        let memory = self.memory();
        let types = TypeRules::new(self.changes.catalog.identity(), |name| memory.name_id(name));
        self.changes.people.types = Arc::new(types);
    }

    /// Marks that definitions have changed what RAM keeps of the log, and memberships; `rebuild`: also which
    /// messages belong to which node.
    pub(crate) fn reload_at_the_end(&mut self, rebuild: bool) {
        self.reload = true;
        self.rebuild = rebuild;
        self.derived = true;
    }

    /// Marks that a model was added.
    pub(crate) fn models_changed(&mut self) {
        self.meta.model_sequence += 1;
        self.models_changed = true;
    }

    /// Changes the partition by what the transaction sees besides it.
    pub(crate) fn repartition(
        &mut self,
        work: impl FnOnce(&mut PartitionChanges, &Partition, &Snapshot<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut partition = std::mem::take(&mut self.changes.people.partition);
        work(&mut partition, self.committed_partition(), &self.snapshot())?;
        self.changes.people.partition = partition;
        Ok(())
    }

    /// Takes in what an operator decided: brings the partition to it at once.
    pub(crate) fn decide(&mut self, decision: Decision, reason: Option<String>) -> Result<()> {
        self.meta.decision_sequence = decision.number;
        let stored = StoredDecision { decision, recorded_at: self.meta.recorded_at, reason };
        self.facts.put_decision(&stored)?;
        Arc::make_mut(&mut self.changes.people.decisions).take(decision);
        self.decided.extend([decision.node, decision.other]);
        let pair = (decision.node, decision.other);
        self.repartition(|partition, base, snapshot| partition.decide(base, &[pair], snapshot))
    }

    /// Asks for everything in RAM to be written out as runs, in this and the following transactions.
    pub(in crate::engine) fn flush_all(&mut self) {
        self.flush_all = true;
    }

    /// Ends the transaction: partition, audiences, runs, meta row.
    pub(in crate::engine) fn finish(mut self) -> Result<Change> {
        self.derive()?;
        let memory = &self.state.parts.memory;
        memory.put_blocks(self.facts, &self.changes.memory, self.rebuild)?;
        if self.reload {
            return self.reloaded();
        }
        let run_steps = memory.step_runs(self.facts, &self.changes.memory, self.flush_all)?;
        if run_steps.publishes() {
            self.meta.run_sequence += 1;
            self.save_memberships()?;
        }
        let key_step = memory.step_keys(self.facts, &self.changes.memory, self.flush_all)?;
        self.facts.put_meta(&self.meta)?;
        if self.models_changed {
            self.changes.models = Some(Models::read(self.facts, &self.changes.catalog)?);
        }
        Ok(Change::Fold(Box::new(StateChanges {
            meta: self.meta,
            parts: self.changes,
            run_steps,
            key_step,
            flush_all: self.flush_all,
        })))
    }

    /// The state under changed definitions, read from the file as this transaction sees it, with the memberships at
    /// `advanced_to` evaluated again.
    fn reloaded(mut self) -> Result<Change> {
        self.meta.run_sequence += 1;
        self.facts.put_meta(&self.meta)?;
        let options = self.state.parts.memory.options();
        let mut state = match self.rebuild {
            true => State::rebuild(self.facts, options, true)?,
            false => State::load(self.facts, None, options)?,
        };
        let (meta, memberships) = {
            let mut backfill = Transaction::new(self.context, self.facts, &state);
            (self.context.flow.backfill)(&mut backfill)?;
            // All profiles may have entered a new audience: no open should repeat that.
            backfill.save_memberships()?;
            (backfill.meta, backfill.changes.audiences.memberships)
        };
        self.facts.put_meta(&meta)?;
        state.meta = meta;
        Arc::make_mut(&mut state.parts.audiences.memberships).fold(memberships);
        Ok(Change::Replace(Box::new(state)))
    }

    /// Brings the partition and the audiences up to date with what was accepted so far.
    pub(crate) fn derive(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.derived, true) {
            return Ok(());
        }
        self.stop.look()?;
        (self.context.flow.derive)(self)
    }

    pub(crate) fn count_new_profiles(&mut self) {
        let snapshot = self.snapshot();
        let mut roots = FxHashSet::default();
        let mut new_profiles = 0;
        for node in self.changes.memory.touched() {
            if snapshot.people.partition.is_held_at(node, Timestamp::MAX)
                || !roots.insert(snapshot.people.partition.profile_of(node))
            {
                continue;
            }
            let nodes = snapshot.people.partition.members(node);
            let has_message = |node: &u32| snapshot.memory.firsts(*node).sequence().is_some();
            let had_message = |node: &u32| self.state.parts.memory.view().firsts(*node).sequence().is_some();
            if nodes.iter().any(has_message) && !nodes.iter().any(had_message) {
                new_profiles += 1;
            }
        }
        self.new_profiles = new_profiles;
    }

    /// Adds to a receipt what is known at the end of the transaction.
    pub(crate) fn complete(&self, receipt: &mut Receipt) {
        receipt.merges += self.changes.people.partition.merges();
        receipt.new_profiles += self.new_profiles;
    }
}

impl Transaction<'_> {
    /// Forgets the memberships of an audience that is no more.
    pub(crate) fn drop_audience(&mut self, name: &str) -> Result<()> {
        for node in self.members(name).nodes() {
            self.changes.audiences.memberships.set(name, node, None);
        }
        // The outbox keeps its changes; nothing before this one counts any more.
        self.save_memberships()
    }

    /// Keeps the members of every audience in the file, as they stand now.
    fn save_memberships(&self) -> Result<()> {
        let committed = &self.state.parts.audiences.memberships;
        committed.save(self.facts, &self.changes.audiences.memberships, self.meta.change_sequence)
    }
}

impl Transaction<'_> {
    /// Timelines and names as the transaction sees them.
    pub(crate) fn memory(&self) -> MemoryView<'_> {
        self.changes.memory.view(&self.state.parts.memory)
    }

    /// The moment before this transaction.
    pub(crate) fn committed(&self) -> Snapshot<'_> {
        self.state.snapshot(self.facts)
    }

    /// The partition before this transaction, under the changes of it.
    pub(crate) fn committed_partition(&self) -> &Partition {
        &self.state.parts.people.partition
    }

    /// The members of an audience as the transaction sees them.
    pub(crate) fn members(&self, audience: &str) -> MembershipsView<'_> {
        self.snapshot().audiences.members(audience)
    }

    /// The bounds of counted leaves before this transaction.
    pub(crate) fn committed_bounds(&self) -> &Bounds {
        &self.state.parts.audiences.bounds
    }

    /// What can flip each audience, in the order of the catalog.
    pub(crate) fn triggers(&self) -> Result<Arc<Vec<Trigger>>> {
        self.state.parts.audiences.triggers.of(&self.changes.catalog, &self.memory())
    }

    /// The nodes of which the transaction has rewritten a trait that `is_meant` picks, each with the sequence of the message.
    pub(crate) fn rewritten_traits(&self, is_meant: impl FnMut(&str, &Value) -> bool) -> Vec<(u64, u32)> {
        self.changes.memory.rewritten(&self.state.parts.memory, is_meant)
    }

    /// Runs `work` on the moment before this transaction and on what a rebuild under its definitions gives.
    pub(crate) fn with_rebuilt<T>(&self, work: impl FnOnce(&Snapshot<'_>, &Snapshot<'_>) -> Result<T>) -> Result<T> {
        let rebuilt = State::rebuild(self.facts, self.state.parts.memory.options(), false)?;
        work(&self.committed(), &rebuilt.snapshot(self.facts))
    }

    /// Applies the links of the transaction to the partition. Gives both ends of the links that say something new, each with
    /// the sequence of its message, where single profiles are compared.
    pub(crate) fn apply_links(&mut self) -> Result<Vec<(u64, u32)>> {
        let links = std::mem::take(&mut self.links);
        let identified = self.changes.memory.identified();
        let newly_linked = if self.changes.people.live.is_some() { self.newly_linked(&links) } else { Vec::new() };
        self.repartition(|partition, base, snapshot| partition.add(base, &links, &identified, snapshot))?;
        Ok(newly_linked)
    }
}

impl Transaction<'_> {
    /// The largest message, as canonical JSON.
    pub(crate) fn max_message_bytes(&self) -> usize {
        self.context.max_message_bytes
    }
}
