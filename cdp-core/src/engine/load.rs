//! Loading: RAM from the file, whole, for a past known time, or from the log alone; and catching up with other processes.
//!
//! Takes the file; leaves a state that a read of it agrees with. An error leaves RAM as it was.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::definitions::{Catalog, Definition};
use crate::engine::evidence::{Evidence, load_beside};
use crate::engine::live_linkage::LiveLinkage;
use crate::engine::observe::observe;
use crate::engine::parts::{Beginning, Behind, Parts, PartsChanges};
use crate::engine::state::State;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::{Joined, Partition, PartitionChanges, TypeRules};
use crate::records::{Decision, Path, ProbableLink, Timestamp, Value};
use crate::store::{Facts, Memory, MemoryChanges, MemoryOptions, Meta, Store};

impl State {
    /// Everything, from the file: timelines from the runs, the rest of the log observed again.
    /// `store`: gives a second connection where two threads are faster.
    pub(crate) fn load(facts: Facts<'_>, store: Option<&Store>, options: MemoryOptions) -> Result<State> {
        if facts.has_foreign_runs()? {
            return State::load_known(facts, options, Timestamp::MAX);
        }
        let (meta, catalog) = (facts.meta()?, load_catalog(facts)?);
        let paths = property_paths(&catalog);
        let Some((memory, evidence)) = load_beside(facts, store, &meta, &paths, options)? else {
            return State::rebuild(facts, options, false);
        };
        let mut state = State::before_the_log(facts, &meta, catalog, memory, true)?;
        state.append(facts, &meta, evidence, Timestamp::MAX)?;
        Ok(state)
    }

    /// What single people are found with in the file, which does not grow with the number of people; everything where only a
    /// state with all profiles answers for every identifier.
    pub(in crate::engine) fn load_without_profiles(
        facts: Facts<'_>,
        store: Option<&Store>,
        options: MemoryOptions,
    ) -> Result<State> {
        let (meta, catalog) = (facts.meta()?, load_catalog(facts)?);
        if may_link(&catalog) || facts.has_foreign_runs()? {
            return State::load(facts, store, options);
        }
        let Some(memory) = Memory::load_without_profiles(facts, &property_paths(&catalog), options)? else {
            return State::load(facts, store, options);
        };
        let mut state = State::before_the_log(facts, &meta, catalog, memory, false)?;
        state.observe_without_profiles(facts, &meta)?;
        Ok(state)
    }

    /// Everything, from the log alone; new runs are written in the transaction that is under way. `identifies_anew`: messages
    /// have come to name other identifiers.
    pub(crate) fn rebuild(facts: Facts<'_>, options: MemoryOptions, identifies_anew: bool) -> Result<State> {
        let (meta, catalog) = (facts.meta()?, load_catalog(facts)?);
        let memory = Memory::empty(facts, &property_paths(&catalog), options, identifies_anew)?;
        let mut state = State::before_the_log(facts, &meta, catalog, memory, true)?;
        // In parts, for how many messages fill a tail shows only when they are read.
        let part = (options.flush_messages / 8).max(1);
        while meta.log_sequence - state.parts.memory.sequence > part {
            let overlay = state.observe_log(facts, state.parts.memory.sequence + part)?;
            let memory = &mut state.parts.memory;
            memory.fold(overlay);
            if memory.is_tail_full() {
                memory.write_run(facts)?;
            }
        }
        state.append(facts, &meta, Evidence::all(facts, meta.log_sequence)?, Timestamp::MAX)?;
        Ok(state)
    }

    /// Loads a state over runs of another version of the library, which it drops. A run of this version takes their place in the
    /// transaction that is under way.
    pub(in crate::engine) fn replace_runs(facts: Facts<'_>, options: MemoryOptions) -> Result<State> {
        let mut state = State::rebuild(facts, options, false)?;
        state.parts.memory.write_run(facts)?;
        state.meta.run_sequence += 1;
        state.meta.revision += 1;
        facts.put_meta(&state.meta)?;
        Ok(state)
    }

    /// What the facts recorded by `known` give under the definitions that hold now; in RAM alone.
    pub(in crate::engine) fn load_known(facts: Facts<'_>, options: MemoryOptions, known: Timestamp) -> Result<State> {
        let up_to = facts.sequence_known_at(known, facts.meta()?.log_sequence)?;
        State::load_up_to(facts, options, up_to, known)
    }

    /// Loads the state of the messages up to a sequence, and the decisions and probable links that were recorded by `known`.
    pub(in crate::engine) fn load_up_to(
        facts: Facts<'_>,
        options: MemoryOptions,
        up_to: u64,
        known: Timestamp,
    ) -> Result<State> {
        let (mut meta, catalog) = (facts.meta()?, load_catalog(facts)?);
        meta.log_sequence = up_to.min(meta.log_sequence);
        let memory = Memory::without_runs(facts, &property_paths(&catalog), options)?;
        let mut state = State::before_the_log(facts, &meta, catalog, memory, true)?;
        state.append(facts, &meta, Evidence::all(facts, meta.log_sequence)?, known)?;
        Ok(state)
    }

    /// A state that has yet to take in the links, the memberships, and the messages behind those in `memory`.
    fn before_the_log(
        facts: Facts<'_>,
        meta: &Meta,
        catalog: Catalog,
        memory: Memory,
        holds_all_profiles: bool,
    ) -> Result<State> {
        let catalog = Arc::new(catalog);
        Ok(State {
            meta: Meta { log_sequence: 0, decision_sequence: 0, linkage_runs: 0, ..meta.clone() },
            holds_all_profiles,
            look_back_ms: look_back_ms(&catalog)?,
            parts: Parts::load(&Beginning { facts, catalog, memory, holds_all_profiles })?,
        })
    }

    /// Brings RAM to what the file holds.
    pub(crate) fn catch_up(&mut self, facts: Facts<'_>, meta: &Meta) -> Result<()> {
        let drop_caches = self.meta.definitions != meta.definitions
            || self.meta.erasure_epoch != meta.erasure_epoch
            || self.meta.run_sequence != meta.run_sequence
            || self.meta.log_sequence > meta.log_sequence;
        if drop_caches {
            *self = match self.holds_all_profiles {
                true => State::load(facts, None, self.parts.memory.options())?,
                false => State::load_without_profiles(facts, None, self.parts.memory.options())?,
            };
            return Ok(());
        }
        self.parts.memory.refresh_keys(facts)?;
        if !self.holds_all_profiles {
            return self.observe_without_profiles(facts, meta);
        }
        let evidence = Evidence::after(facts, self.parts.memory.sequence, meta.log_sequence)?;
        self.append(facts, meta, evidence, Timestamp::MAX)
    }

    /// Loads all profiles.
    pub(in crate::engine) fn load_all_profiles(&mut self, facts: Facts<'_>, store: &Store) -> Result<()> {
        if !self.holds_all_profiles {
            *self = State::load(facts, Some(store), self.parts.memory.options())?;
        }
        Ok(())
    }

    /// How far RAM is behind a commit of the file.
    fn behind<'s>(&'s self, facts: Facts<'s>, to: &'s Meta) -> Behind<'s> {
        let (catalog, from) = (&*self.parts.catalog, &self.meta);
        Behind { facts, catalog, from, to, holds_all_profiles: self.holds_all_profiles }
    }

    /// Takes in the messages after the last one that RAM mirrors, and new decisions, without joining identifiers to profiles.
    fn observe_without_profiles(&mut self, facts: Facts<'_>, meta: &Meta) -> Result<()> {
        let mut changes = self.parts.changes_behind(&self.behind(facts, meta))?;
        changes.memory = self.observe_log(facts, meta.log_sequence)?;
        changes.people.types = self.types_with(&changes);
        for stored in facts.decisions_after(self.meta.decision_sequence)? {
            Arc::make_mut(&mut changes.people.decisions).take(stored.decision);
        }
        let strangers = Partition::of_strangers(facts.n_nodes()?);
        // Nothing can fail from here on, so an error above leaves RAM as it was.
        self.parts.fold(changes);
        self.parts.people.partition = Arc::new(strangers);
        self.meta = meta.clone();
        Ok(())
    }

    /// The identity definition in the numbers that names have with these changes.
    fn types_with(&self, changes: &PartsChanges) -> Arc<TypeRules> {
        let memory = changes.memory.view(&self.parts.memory);
        Arc::new(TypeRules::new(changes.catalog.identity(), |name| memory.name_id(name)))
    }

    /// The names and nodes that are new in the file, and what the messages up to `up_to` say.
    fn observe_log(&self, facts: Facts<'_>, up_to: u64) -> Result<MemoryChanges> {
        let after = self.parts.memory.sequence;
        let mut overlay = self.parts.memory.changes();
        for (_, name) in facts.names_after(self.parts.memory.n_names())? {
            overlay.name(&self.parts.memory, &name);
        }
        for word in facts.words_after(self.parts.memory.n_words())? {
            overlay.add_word(&word);
        }
        if self.holds_all_profiles {
            facts.visit_nodes_from(self.parts.memory.n_nodes(), |_, identifier_type, value| {
                overlay.node(&self.parts.memory, identifier_type, value);
            })?;
        }
        let links = facts.links_after(after, up_to)?;
        let mut rest = links.as_slice();
        facts.visit_messages(after, up_to, |row| {
            let message = row.read(&overlay.view(&self.parts.memory))?;
            let own = rest.partition_point(|link| link.sequence <= message.sequence);
            let (now, later) = rest.split_at(own);
            rest = later;
            let named = now.iter().map(|link| link.other).collect();
            let mut entered: SmallVec<[u32; 8]> = now.iter().flat_map(|link| [link.node, link.other]).collect();
            // Its first message, or the first that is observed where RAM does not know.
            let is_known = || overlay.view(&self.parts.memory).firsts(message.node).sequence().is_some();
            if self.parts.memory.may_be_new(message.node) && !is_known() {
                entered.push(message.node);
            }
            overlay.enter_named(&self.parts.memory, facts, entered, message.sequence)?;
            overlay.enter_key(&self.parts.memory, message.source, &message.message_id, message.sequence);
            overlay
                .observe(&self.parts.memory, observe(&message, &message.fields, named, self.parts.catalog.identity()));
            Ok(())
        })?;
        Ok(overlay)
    }

    /// Takes in the messages after the last one that RAM mirrors, the links that it does not have, and the decisions and
    /// probable links that were recorded by `known`.
    pub(in crate::engine) fn append(
        &mut self,
        facts: Facts<'_>,
        meta: &Meta,
        evidence: Evidence,
        known: Timestamp,
    ) -> Result<()> {
        let mut changes = self.parts.changes_behind(&self.behind(facts, meta))?;
        changes.memory = self.observe_log(facts, meta.log_sequence)?;
        changes.people.types = self.types_with(&changes);
        let Evidence { after: links_after, links: mut evidence, joined } = evidence;
        let n_links = evidence.len();
        let mut decided: Vec<Decision> = Vec::new();
        if self.meta.decision_sequence != meta.decision_sequence {
            let stored = facts.decisions_after(self.meta.decision_sequence)?;
            let stored = stored.into_iter().filter(|stored| stored.recorded_at <= known);
            decided.extend(stored.map(|stored| stored.decision));
        }
        let decisions = &mut changes.people.decisions;
        decided.iter().for_each(|decision| Arc::make_mut(decisions).take(*decision));
        if links_after == 0 && self.meta.decision_sequence == 0 {
            // From the beginning, decisions hold before the first link comes.
            evidence.extend(decisions.links());
            decided.clear();
        }
        let pairs: Vec<(u32, u32)> = decided.iter().map(|decision| (decision.node, decision.other)).collect();
        let probable = &mut changes.people.probable;
        let people = &self.parts.people;
        let is_relinked = self.meta.linkage_runs != meta.linkage_runs;
        if is_relinked && links_after == 0 {
            load_probable(facts, &changes.catalog, known)?.into_iter().for_each(|link| probable.add(link));
            evidence.extend(probable.added());
        } else if is_relinked && may_link(&changes.catalog) {
            let gone = facts.probable_links_gone_after(self.meta.linkage_runs)?;
            gone.into_iter().for_each(|number| probable.remove(number));
            facts.probable_links_after(people.probable.last())?.into_iter().for_each(|link| probable.add(link));
        }
        if is_relinked {
            changes.people.live = LiveLinkage::load(facts, &changes.catalog, changes.people.live.take())?;
        }
        let partition = {
            let (base, mut partition) = (&*people.partition, people.partition.changes());
            let snapshot = self.snapshot_of(facts, None, self.parts.view_with(&changes)).with_partition(base.view());
            let identified = changes.memory.identified();
            if base.is_empty() {
                let joined = joined.filter(|_| evidence.len() == n_links).unwrap_or_else(|| Joined::of(&evidence));
                partition = PartitionChanges::of_all(&evidence, joined, &identified, &snapshot)?;
            } else {
                partition.add(base, &evidence, &identified, &snapshot)?;
            }
            partition.decide(base, &pairs, &snapshot)?;
            if links_after != 0 {
                let probable = &changes.people.probable;
                let gone: Vec<_> = probable.gone(&people.probable).collect();
                let added: Vec<_> = probable.added().collect();
                partition.relink(base, &gone, &added, &snapshot)?;
            }
            partition
        };
        changes.people.partition = partition;
        // Nothing can fail from here on, so an error above leaves RAM as it was.
        self.parts.fold(changes);
        self.meta = meta.clone();
        self.forget_old_times();
        Ok(())
    }
}

/// Whether probable links count as evidence.
pub(crate) fn may_link(catalog: &Catalog) -> bool {
    catalog.identity().linkage.as_ref().is_some_and(|linkage| linkage.auto_link)
}

/// The probable links that hold under the definitions, of what was found by a known time.
fn load_probable(facts: Facts<'_>, catalog: &Catalog, known: Timestamp) -> Result<Vec<ProbableLink>> {
    if may_link(catalog) { facts.probable_links_known_at(known) } else { Ok(Vec::new()) }
}

/// The definitions that hold, as the file has them.
fn load_catalog(facts: Facts<'_>) -> Result<Catalog> {
    let mut catalog = Catalog::default();
    for stored in facts.latest_definitions()? {
        let Some(json) = stored.json else { continue };
        let definition = Definition::parse(&json).map_err(|error| {
            Error::new(ErrorKind::Incompatible, format!("a stored definition is not understood: {}", error.message()))
                .with_hint("it may have been written by a newer version of the library")
        })?;
        catalog.insert(stored.version, Arc::new(definition));
    }
    Ok(catalog)
}

/// How far back an event can lie and still change the outcome of an audience by the passing of time.
pub(in crate::engine) fn look_back_ms(catalog: &Catalog) -> Result<i64> {
    let mut longest = 0;
    for audience in catalog.audiences() {
        let lookbacks = crate::rules::lookbacks(&audience.rule, catalog)?;
        longest = lookbacks.event_offsets.iter().fold(longest, |longest, offset| longest.max(*offset));
    }
    Ok(longest)
}

/// A report of the file, as a value.
pub(crate) fn stored_json(text: &str) -> Result<Value> {
    Value::parse(text.as_bytes()).map_err(|_| {
        Error::new(ErrorKind::Corrupt, "a report of the store is not readable")
            .with_hint("restore the store from a backup")
    })
}

/// The property columns that the definitions ask for.
pub(crate) fn property_paths(catalog: &Catalog) -> Vec<Path> {
    let mut paths: Vec<Path> = Vec::new();
    for feature in catalog.features() {
        paths.extend(crate::rules::feature_paths(feature));
    }
    for audience in catalog.audiences() {
        paths.extend(crate::rules::property_paths(&audience.rule));
    }
    for policy in catalog.policies() {
        for choice in &policy.choose {
            paths.extend(crate::rules::property_paths(&choice.when));
        }
    }
    for predictor in catalog.predictors() {
        paths.extend(predictor.property_paths());
        for rule in &predictor.rules {
            paths.extend(crate::rules::property_paths(&rule.when));
        }
    }
    paths.sort();
    paths.dedup();
    paths
}
