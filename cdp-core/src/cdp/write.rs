//! A write transaction: what it has added so far, and how it ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::interruption::Stop;
use super::live_linkage::LiveLinkage;
use super::memberships::MembershipChanges;
use super::snapshot::Snapshot;
use super::state::{LoadedModel, State, link_of, load_models};
use super::tallies::TallyChanges;
use super::{Cdp, observe};
use crate::definitions::Catalog;
use crate::error::{Error, Result};
use crate::identity::{self, Decisions, Identified, Link, Partition, PartitionOverlay, ProbableChanges, TypeRules};
use crate::intake;
use crate::records::{
    Decision, Json, JsonObject, LinkRule, Message, MessageType, Receipt, Reject, RejectReason, StoredLink, Timestamp,
};
use crate::store::{Facts, KeyStep, LogWriter, Meta, Overlay, OwnNodes, RunSteps, StoredDecision, StoredMessage};

/// A transaction that holds the write lock.
pub(super) struct Writing<'w> {
    pub(super) cdp: &'w Cdp,
    pub(super) facts: Facts<'w>,
    pub(super) state: &'w State,
    /// Asked whether the call goes on, wherever work grows with the store or the input.
    pub(super) stop: &'w dyn Stop,
    pub(super) catalog: Arc<Catalog>,
    types: Arc<TypeRules>,
    pub(super) decisions: Arc<Decisions>,
    pub(super) probable: ProbableChanges,
    pub(super) live: Option<Arc<LiveLinkage>>,
    pub(super) meta: Meta,
    pub(super) now: Timestamp,
    pub(super) memory: Overlay,
    pub(super) partition: PartitionOverlay,
    pub(super) memberships: MembershipChanges,
    pub(super) tallies: TallyChanges,
    pub(super) new_profiles: u64,
    links: Vec<Link>,
    /// The nodes that operators have decided about.
    pub(super) decided: Vec<u32>,
    /// Whether a run of linkage has compared everybody.
    pub(super) is_compared: bool,
    log: Option<LogWriter<'w>>,
    // Set when RAM must be read anew from the file: definitions have changed what it keeps.
    reload: bool,
    rebuild: bool,
    models_changed: bool,
    flush_all: bool,
    derived: bool,
    /// The node of the last message, for the verbs that take one.
    pub(super) last_node: Option<u32>,
}

/// What RAM takes in after COMMIT.
pub(super) enum Change {
    Fold(Box<Folded>),
    Replace(Box<State>),
}

/// What one transaction has added to every part of the state.
pub(super) struct Folded {
    pub(super) meta: Meta,
    pub(super) catalog: Arc<Catalog>,
    pub(super) types: Arc<TypeRules>,
    pub(super) memory: Overlay,
    pub(super) run_steps: RunSteps,
    pub(super) key_step: Option<KeyStep>,
    pub(super) flush_all: bool,
    pub(super) partition: PartitionOverlay,
    pub(super) decisions: Arc<Decisions>,
    pub(super) probable: ProbableChanges,
    pub(super) live: Option<Arc<LiveLinkage>>,
    pub(super) memberships: MembershipChanges,
    pub(super) tallies: TallyChanges,
    pub(super) models: Option<BTreeMap<String, LoadedModel>>,
}

impl Change {
    pub(super) fn fold_into(self, state: &mut State) {
        match self {
            Change::Replace(new) => *state = *new,
            Change::Fold(folded) => state.fold(*folded),
        }
    }
}

/// What a message says about identity.
pub(super) struct Evidence {
    pub(super) node: u32,
    pub(super) links: Vec<StoredLink>,
    pub(super) own: OwnNodes,
}

/// What became of one message.
pub(super) enum Acceptance {
    Accepted,
    Duplicate { conflicting: bool },
    Rejected(Reject),
}

/// The writer of a transaction, which begins with the first thing to write.
fn writer<'l, 'w>(log: &'l mut Option<LogWriter<'w>>, facts: Facts<'w>) -> Result<&'l mut LogWriter<'w>> {
    let writer = match log.take() {
        Some(writer) => writer,
        None => LogWriter::new(facts)?,
    };
    Ok(log.insert(writer))
}

impl<'w> Writing<'w> {
    pub(super) fn new(cdp: &'w Cdp, facts: Facts<'w>, state: &'w State, stop: &'w dyn Stop) -> Writing<'w> {
        let mut meta = state.meta.clone();
        let now = cdp.now();
        // Known time never decreases, whatever the clock does.
        meta.recorded_at = meta.recorded_at.max(now);
        meta.revision += 1;
        Writing {
            cdp,
            facts,
            state,
            stop,
            catalog: state.catalog.clone(),
            types: state.types.clone(),
            decisions: state.decisions.clone(),
            probable: ProbableChanges::default(),
            live: state.live.clone(),
            meta,
            now,
            memory: state.memory.overlay(),
            partition: state.partition.overlay(),
            memberships: MembershipChanges::default(),
            tallies: TallyChanges::default(),
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
    pub(super) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            facts: self.facts,
            store: Some(&self.cdp.inner.store),
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

    /// What appends to the log.
    pub(super) fn log(&mut self) -> Result<&mut LogWriter<'w>> {
        writer(&mut self.log, self.facts)
    }

    /// The number of a name, entered in the file if it is new.
    pub(super) fn name(&mut self, name: &str) -> Result<u32> {
        let (id, is_new) = self.memory.name(&self.state.memory, name);
        if is_new {
            self.facts.put_name(id, name)?;
            self.resolve_types();
        }
        Ok(id)
    }

    /// Reads the identity definition anew: names that it uses may have a number now.
    pub(super) fn resolve_types(&mut self) {
        let memory = self.memory.view(&self.state.memory);
        self.types = Arc::new(TypeRules::new(self.catalog.identity(), |name| memory.name_id(name)));
    }

    /// The node of an identifier, entered in the file if it is new.
    pub(super) fn node(&mut self, identifier_type: &str, value: &str) -> Result<u32> {
        let type_id = self.name(identifier_type)?;
        let (node, is_new) = self.memory.node(&self.state.memory, type_id, value);
        if is_new {
            self.facts.put_node(node, type_id, value)?;
        }
        Ok(node)
    }

    /// Appends a message, which has an id, unless the log has it. `apply_skew`: whether the sender's clock may be corrected.
    pub(super) fn accept(&mut self, source: &str, mut message: Message, apply_skew: bool) -> Result<Acceptance> {
        let occurred_at = intake::occurred_at(&message, self.now, apply_skew);
        let no_id = || Error::internal("a message without id came to the log");
        let message_id = message.message_id.take().ok_or_else(no_id)?;
        let catalog = self.catalog.clone();
        let identified = match identity::identify(catalog.identity(), &message) {
            Ok(identified) => identified,
            Err(reject) => return Ok(Acceptance::Rejected(reject)),
        };
        if Timestamp::checked_from_millis(occurred_at.millis()).is_err() {
            let detail = "the corrected time lies outside the years 1900 to 2200";
            return Ok(Acceptance::Rejected(Reject::at(RejectReason::BadTimestamp, "timestamp", detail)));
        }
        let source_id = self.name(source)?;
        let candidates = self.memory.view(&self.state.memory).message_candidates(self.facts, source_id, &message_id)?;
        for candidate in candidates {
            if self.facts.message_key(candidate)? == Some((source_id, message_id.clone())) {
                let recorded = self.facts.message(candidate, &self.memory.view(&self.state.memory))?;
                let conflicting = intake::content_hash(&recorded.fields) != intake::content_hash(&message.fields);
                return Ok(Acceptance::Duplicate { conflicting });
            }
        }
        let event = message.event.as_deref().map(|event| self.name(event)).transpose()?;
        let ordinal = if message.is_untimed() { self.meta.ordinals.next(occurred_at) } else { 0 };
        let sequence = self.meta.log_sequence + 1;
        self.meta.log_sequence = sequence;
        let n_nodes = self.memory.view(&self.state.memory).n_nodes();
        let Evidence { node, links, own } = self.evidence_of(sequence, occurred_at, &identified, &message.fields)?;
        let memory = self.memory.view(&self.state.memory);
        let mut named: SmallVec<[u32; 8]> = (n_nodes..memory.n_nodes()).collect();
        // Under another identity definition than today's a message may have made the node, and name another now.
        if self.meta.links_to > 0 && memory.firsts(node).named_at().is_none() {
            named.push(node);
        }
        for link in &links {
            let is_in_columns = link.rule == LinkRule::SameMessage && own.linked_to(link.node) == Some(link.other);
            // What an identify message says counts by its type as well.
            let is_needed = message.kind == MessageType::Identify || !is_in_columns || !self.is_said(link);
            if is_needed {
                self.log()?.put_link(link)?;
                named.extend([link.node, link.other]);
            }
        }
        self.memory.enter_named(&self.state.memory, self.facts, named, sequence)?;
        let stored = StoredMessage {
            sequence,
            source: source_id,
            message_id,
            kind: message.kind,
            event,
            node,
            own,
            occurred_at,
            ordinal,
            recorded_at: self.meta.recorded_at,
            checksum: crate::store::checksum(&message.fields),
            fields: message.fields.clone(),
        };
        writer(&mut self.log, self.facts)?.put_message(&stored, &mut self.memory, &self.state.memory)?;
        let named = links.iter().map(|link| link.other).collect();
        self.links.extend(links.iter().map(link_of));
        self.memory.enter_key(&self.state.memory, source_id, &stored.message_id, sequence);
        self.memory.observe(&self.state.memory, observe(&stored, &message.fields, named, catalog.identity()));
        self.last_node = Some(node);
        Ok(Acceptance::Accepted)
    }

    /// Whether an earlier message has said what a link says, before this transaction.
    fn is_said(&self, link: &StoredLink) -> bool {
        // A value that belongs to whoever was linked last is said to belong to them each time: it is in no component.
        self.partition.view(&self.state.partition).is_said(&link_of(link))
    }

    /// What a message says about identity: its node and the star of links from it; new nodes and the types of blocked
    /// values are entered.
    pub(super) fn evidence_of(
        &mut self,
        sequence: u64,
        occurred_at: Timestamp,
        identified: &Identified<'_>,
        fields: &JsonObject,
    ) -> Result<Evidence> {
        let mut kept = identified.kept.iter();
        let (identifier_type, value) =
            kept.next().ok_or_else(|| Error::internal("a message without identifier was identified"))?;
        let node = self.node(identifier_type, value)?;
        let mut own = OwnNodes::default();
        let mut note_own = |identifier_type: &str, value: &str, node: u32| {
            let (field, place) = match identifier_type {
                "user_id" => ("userId", &mut own.user),
                "anonymous_id" => ("anonymousId", &mut own.anonymous),
                _ => return,
            };
            if fields.get(field).and_then(Json::as_text).is_some_and(|text| text == value) {
                *place = Some(node);
            }
        };
        note_own(identifier_type, value, node);
        let mut links = Vec::with_capacity(kept.len());
        for (identifier_type, value) in kept {
            let other = self.node(identifier_type, value)?;
            note_own(identifier_type, value, other);
            let is_alias = identified.is_alias_link(identifier_type, value);
            let rule = if is_alias { LinkRule::Alias } else { LinkRule::SameMessage };
            links.push(StoredLink { sequence, node, other, rule, occurred_at });
        }
        for identifier_type in &identified.blocked {
            let type_id = self.name(identifier_type)?;
            self.facts.put_blocked(sequence, type_id)?;
        }
        Ok(Evidence { node, links, own })
    }

    /// Marks that definitions have changed what RAM keeps of the log, and who is in an audience; `rebuild`: also which
    /// messages belong to which node.
    pub(super) fn reload_at_the_end(&mut self, rebuild: bool) {
        self.reload = true;
        self.rebuild = rebuild;
        self.derived = true;
    }

    /// Marks that a model was added.
    pub(super) fn models_changed(&mut self) {
        self.meta.model_sequence += 1;
        self.models_changed = true;
    }

    /// Changes the partition by what the transaction sees besides it.
    pub(super) fn repartition(
        &mut self,
        work: impl FnOnce(&mut PartitionOverlay, &Partition, &Snapshot<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut partition = std::mem::take(&mut self.partition);
        work(&mut partition, &self.state.partition, &self.snapshot())?;
        self.partition = partition;
        Ok(())
    }

    /// Applies the links of the transaction to the partition.
    fn unify(&mut self) -> Result<()> {
        let links = std::mem::take(&mut self.links);
        let identified = self.memory.identified();
        let newly_linked = if self.live.is_some() { self.newly_linked(&links) } else { Vec::new() };
        self.repartition(|partition, base, snapshot| partition.add(base, &links, &identified, snapshot))?;
        if self.is_compared { Ok(()) } else { self.compare_anew(newly_linked) }
    }

    /// Both ends of the links that say something new, each with the sequence of its message.
    fn newly_linked(&self, links: &[Link]) -> Vec<(u64, u32)> {
        let view = self.partition.view(&self.state.partition);
        let new = links.iter().filter(|link| !view.is_said(link));
        new.flat_map(|link| [(link.sequence, link.node), (link.sequence, link.other)]).collect()
    }

    /// Takes in what an operator decided: brings the partition to it at once.
    pub(super) fn decide(&mut self, decision: Decision, reason: Option<String>) -> Result<()> {
        self.meta.decision_sequence = decision.number;
        let stored = StoredDecision { decision, recorded_at: self.meta.recorded_at, reason };
        self.facts.put_decision(&stored)?;
        Arc::make_mut(&mut self.decisions).take(decision);
        self.decided.extend([decision.node, decision.other]);
        let pair = (decision.node, decision.other);
        self.repartition(|partition, base, snapshot| partition.decide(base, &[pair], snapshot))
    }

    /// Asks for everything in RAM to be written out as runs, in this and the following transactions.
    pub(super) fn flush_all(&mut self) {
        self.flush_all = true;
    }

    /// Ends the transaction: partition, audiences, runs, meta row.
    pub(super) fn finish(mut self) -> Result<Change> {
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
        Ok(Change::Fold(Box::new(Folded {
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
            tallies: self.tallies,
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
            let mut backfill = Writing::new(self.cdp, self.facts, &state, self.stop);
            let catalog = backfill.catalog.clone();
            for audience in catalog.audiences() {
                backfill.rebuild_audience(&audience.name)?;
            }
            // A new audience may have entered everybody: no open should go through that again.
            state.memberships.save(self.facts, &backfill.memberships, backfill.meta.change_sequence)?;
            (backfill.meta, backfill.memberships)
        };
        self.facts.put_meta(&meta)?;
        state.meta = meta;
        Arc::make_mut(&mut state.memberships).apply(memberships);
        Ok(Change::Replace(Box::new(state)))
    }

    /// Brings the partition and the audiences up to date with what was accepted so far.
    pub(super) fn derive(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.derived, true) {
            return Ok(());
        }
        self.unify()?;
        self.stop.look()?;
        self.count_new_profiles();
        self.keep_audiences()
    }

    fn count_new_profiles(&mut self) {
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
    pub(super) fn complete(&self, receipt: &mut Receipt) {
        receipt.merges += self.partition.merges();
        receipt.new_profiles += self.new_profiles;
    }
}
