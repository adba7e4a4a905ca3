//! A write transaction: what it has added so far to each part of RAM, and how it ends.
//!
//! It takes messages, decisions and definitions; it leaves rows in the file and changes for RAM to fold in after COMMIT. What
//! an end derives is wired from outside by [`Flow`], so that it knows no verb.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::audiences::bounds::{Bounds, BoundsChanges};
use crate::audiences::memberships::{MembershipsChanges, MembershipsView};
use crate::audiences::triggers::Trigger;
use crate::definitions::Catalog;
use crate::engine::live_linkage::LiveLinkage;
use crate::engine::load::load_models;
use crate::engine::snapshot::Snapshot;
use crate::engine::state::{State, StateChanges};
use crate::error::Result;
use crate::identity::{Decisions, Link, Partition, PartitionChanges, ProbableChanges, TypeRules};
use crate::records::{Decision, Receipt, Timestamp, Value};
use crate::stop::Stop;
use crate::store::{Facts, LogWriter, MemoryChanges, MemoryView, Meta, Store, StoredDecision};

/// A transaction that holds the write lock.
pub(crate) struct Transaction<'w> {
    pub(in crate::engine) context: Context<'w>,
    pub(crate) facts: Facts<'w>,
    pub(crate) state: &'w State,
    /// Asked whether the call goes on, wherever work grows with the store or the input.
    pub(crate) stop: &'w dyn Stop,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) types: Arc<TypeRules>,
    pub(crate) decisions: Arc<Decisions>,
    pub(crate) probable: ProbableChanges,
    pub(crate) live: Option<Arc<LiveLinkage>>,
    pub(crate) meta: Meta,
    pub(crate) now: Timestamp,
    pub(crate) memory: MemoryChanges,
    pub(crate) partition: PartitionChanges,
    pub(crate) memberships: MembershipsChanges,
    pub(crate) bounds: BoundsChanges,
    pub(crate) new_profiles: u64,
    pub(crate) links: Vec<Link>,
    /// The nodes that operators have decided about.
    pub(crate) decided: Vec<u32>,
    /// Whether a run of linkage has compared everybody.
    pub(crate) is_compared: bool,
    pub(crate) log: Option<LogWriter<'w>>,
    // Set when RAM must be read anew from the file: definitions have changed what it keeps.
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
            catalog: state.catalog.clone(),
            types: state.types.clone(),
            decisions: state.decisions.clone(),
            probable: ProbableChanges::default(),
            live: state.live.clone(),
            meta,
            now,
            memory: state.memory.changes(),
            partition: state.partition.changes(),
            memberships: MembershipsChanges::default(),
            bounds: BoundsChanges::default(),
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
        Snapshot {
            facts: self.facts,
            store: Some(self.context.store),
            memory: self.memory.view(&self.state.memory),
            partition: self.partition.view(&self.state.partition),
            catalog: &self.catalog,
            types: &self.types,
            decisions: &self.decisions,
            probable: self.probable.view(&self.state.probable),
            models: &self.state.models,
            salt: &self.state.meta.salt,
            links_to: self.state.meta.links_to,
            committed_sequence: self.state.memory.sequence,
            committed_nodes: self.state.memory.n_nodes(),
            profile_ids: &self.state.profile_ids,
        }
    }

    /// Reads the identity definition anew: names that it uses may have a number now.
    pub(crate) fn resolve_types(&mut self) {
        let memory = self.memory.view(&self.state.memory);
        self.types = Arc::new(TypeRules::new(self.catalog.identity(), |name| memory.name_id(name)));
    }

    /// Marks that definitions have changed what RAM keeps of the log, and who is in an audience; `rebuild`: also which
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
        let mut partition = std::mem::take(&mut self.partition);
        work(&mut partition, &self.state.partition, &self.snapshot())?;
        self.partition = partition;
        Ok(())
    }

    /// Takes in what an operator decided: brings the partition to it at once.
    pub(crate) fn decide(&mut self, decision: Decision, reason: Option<String>) -> Result<()> {
        self.meta.decision_sequence = decision.number;
        let stored = StoredDecision { decision, recorded_at: self.meta.recorded_at, reason };
        self.facts.put_decision(&stored)?;
        Arc::make_mut(&mut self.decisions).take(decision);
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
        self.state.memory.put_blocks(self.facts, &self.memory, self.rebuild)?;
        if self.reload {
            return self.reloaded();
        }
        let run_steps = self.state.memory.step_runs(self.facts, &self.memory, self.flush_all)?;
        if run_steps.publishes() {
            self.meta.run_sequence += 1;
            self.state.memberships.save(self.facts, &self.memberships, self.meta.change_sequence)?;
        }
        let key_step = self.state.memory.step_keys(self.facts, &self.memory, self.flush_all)?;
        self.facts.put_meta(&self.meta)?;
        let models = self.models_changed.then(|| load_models(self.facts, &self.catalog)).transpose()?;
        Ok(Change::Fold(Box::new(StateChanges {
            meta: self.meta,
            catalog: self.catalog,
            types: self.types,
            memory: self.memory,
            run_steps,
            key_step,
            flush_all: self.flush_all,
            partition: self.partition,
            decisions: self.decisions,
            probable: self.probable,
            live: self.live,
            memberships: self.memberships,
            bounds: self.bounds,
            models,
        })))
    }

    /// The state under changed definitions, read from the file as this transaction sees it, with the memberships at
    /// `advanced_to` set anew.
    fn reloaded(mut self) -> Result<Change> {
        self.meta.run_sequence += 1;
        self.facts.put_meta(&self.meta)?;
        let options = self.state.memory.options();
        let mut state = match self.rebuild {
            true => State::rebuild(self.facts, options, true)?,
            false => State::load(self.facts, None, options)?,
        };
        let (meta, memberships) = {
            let mut backfill = Transaction::new(self.context, self.facts, &state);
            (self.context.flow.backfill)(&mut backfill)?;
            // A new audience may have entered everybody: no open should go through that again.
            state.memberships.save(self.facts, &backfill.memberships, backfill.meta.change_sequence)?;
            (backfill.meta, backfill.memberships)
        };
        self.facts.put_meta(&meta)?;
        state.meta = meta;
        Arc::make_mut(&mut state.memberships).fold(memberships);
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
        for node in self.memory.touched() {
            if snapshot.partition.is_held_at(node, Timestamp::MAX) || !roots.insert(snapshot.partition.profile_of(node))
            {
                continue;
            }
            let nodes = snapshot.partition.members(node);
            let has_message = |node: &u32| snapshot.memory.firsts(*node).sequence().is_some();
            let had_message = |node: &u32| self.state.memory.view().firsts(*node).sequence().is_some();
            if nodes.iter().any(has_message) && !nodes.iter().any(had_message) {
                new_profiles += 1;
            }
        }
        self.new_profiles = new_profiles;
    }

    /// Adds to a receipt what is known at the end of the transaction.
    pub(crate) fn complete(&self, receipt: &mut Receipt) {
        receipt.merges += self.partition.merges();
        receipt.new_profiles += self.new_profiles;
    }
}

impl Transaction<'_> {
    /// Forgets the memberships of an audience that is no more.
    pub(crate) fn drop_audience(&mut self, name: &str) -> Result<()> {
        for node in MembershipsView::of(name, &self.state.memberships, &self.memberships).nodes() {
            self.memberships.set(name, node, None);
        }
        // The outbox keeps its changes; nothing before this one counts any more.
        self.state.memberships.save(self.facts, &self.memberships, self.meta.change_sequence)
    }
}

impl Transaction<'_> {
    /// Timelines and names as the transaction sees them.
    pub(crate) fn memory(&self) -> MemoryView<'_> {
        self.memory.view(&self.state.memory)
    }

    /// The moment before this transaction.
    pub(crate) fn committed(&self) -> Snapshot<'_> {
        self.state.snapshot(self.facts)
    }

    /// The partition before this transaction, under the changes of it.
    pub(crate) fn committed_partition(&self) -> &Partition {
        &self.state.partition
    }

    /// The members of an audience as the transaction sees them.
    pub(crate) fn members(&self, audience: &str) -> MembershipsView<'_> {
        MembershipsView::of(audience, &self.state.memberships, &self.memberships)
    }

    /// The bounds of counted leaves before this transaction.
    pub(crate) fn committed_bounds(&self) -> &Bounds {
        &self.state.bounds
    }

    /// What can flip each audience, in the order of the catalog.
    pub(crate) fn triggers(&self) -> Result<Arc<Vec<Trigger>>> {
        self.state.triggers.of(&self.catalog, &self.memory())
    }

    /// The nodes of which the transaction has rewritten a trait that `is_meant` picks, each with the sequence of the message.
    pub(crate) fn rewritten_traits(&self, is_meant: impl FnMut(&str, &Value) -> bool) -> Vec<(u64, u32)> {
        self.memory.rewritten(&self.state.memory, is_meant)
    }

    /// Runs `work` on the moment before this transaction and on what a rebuild under its definitions gives.
    pub(crate) fn with_rebuilt<T>(&self, work: impl FnOnce(&Snapshot<'_>, &Snapshot<'_>) -> Result<T>) -> Result<T> {
        let rebuilt = State::rebuild(self.facts, self.state.memory.options(), false)?;
        work(&self.committed(), &rebuilt.snapshot(self.facts))
    }

    /// Applies the links of the transaction to the partition. Gives both ends of the links that say something new, each with
    /// the sequence of its message, where single profiles are compared.
    pub(crate) fn apply_links(&mut self) -> Result<Vec<(u64, u32)>> {
        let links = std::mem::take(&mut self.links);
        let identified = self.memory.identified();
        let newly_linked = if self.live.is_some() { self.newly_linked(&links) } else { Vec::new() };
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
