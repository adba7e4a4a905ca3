//! RAM as the last committed state, across rooms: definitions, timelines, partition, memberships, models.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::concern::Concerns;
use super::evidence::{Evidence, load_beside};
use super::live_linkage::LiveLinkage;
use super::memberships::Memberships;
use super::observe;
use super::profile_ids::ProfileIds;
use super::snapshot::Snapshot;
use super::tallies::Tallies;
use super::write::Folded;
use crate::definitions::{Catalog, Definition};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::{
    Decisions, Joined, Link, Partition, PartitionOverlay, ProbableChanges, ProbableLinks, TypeRules,
};
use crate::predict::{DescribedModel, TrainedModel};
use crate::records::{Decision, Path, ProbableLink, StoredLink, Timestamp, Value};
use crate::store::{Facts, Memory, MemoryOptions, Meta, Overlay, Store, TimeIndex};

/// A model and its version.
#[derive(Clone)]
pub(super) struct LoadedModel {
    /// Absent for described cohorts that were never trained: likeness of words needs no training.
    pub(super) version: Option<u32>,
    pub(super) model: Arc<TrainedModel>,
}

/// What RAM knows at one sequence. A clone costs next to nothing: it shares every part that grows with the store, and of a part
/// that changes while somebody holds a clone, a copy is changed.
#[derive(Clone)]
pub(super) struct State {
    pub(super) meta: Meta,
    /// Whether identifiers, partition and memberships are here; without them only [`State::find_nearby`] finds people.
    pub(super) holds_everybody: bool,
    pub(super) catalog: Arc<Catalog>,
    pub(super) types: Arc<TypeRules>,
    pub(super) memory: Memory,
    look_back_ms: i64,
    pub(super) partition: Arc<Partition>,
    pub(super) decisions: Arc<Decisions>,
    pub(super) probable: Arc<ProbableLinks>,
    /// What single profiles are compared with as they come, if they are.
    pub(super) live: Option<Arc<LiveLinkage>>,
    pub(super) memberships: Arc<Memberships>,
    pub(super) tallies: Arc<Tallies>,
    pub(super) concerns: Arc<Concerns>,
    pub(super) models: BTreeMap<String, LoadedModel>,
    pub(super) profile_ids: Arc<ProfileIds>,
}

/// How RAM stands to a snapshot of the file.
pub(super) enum Standing {
    /// They agree.
    Level,
    /// Another process wrote: RAM must catch up.
    Behind,
    /// The snapshot was taken before the last commit of this process.
    Ahead,
}

impl State {
    /// Everything, from the file: timelines from the runs, the rest of the log observed anew.
    /// `store`: gives a second connection where two threads are faster.
    pub(super) fn load(facts: Facts<'_>, store: Option<&Store>, options: MemoryOptions) -> Result<State> {
        if facts.has_foreign_runs()? {
            return State::load_known(facts, options, Timestamp::MAX);
        }
        let (meta, catalog) = (facts.meta()?, load_catalog(facts)?);
        let look_back_ms = look_back_ms(&catalog)?;
        let paths = property_paths(&catalog);
        let Some((memory, evidence)) = load_beside(facts, store, &meta, &paths, options)? else {
            return State::rebuild(facts, options, false);
        };
        let mut state = State::before_the_log(facts, &meta, catalog, look_back_ms, memory)?;
        state.append(facts, &meta, evidence, Timestamp::MAX)?;
        Ok(state)
    }

    /// What single people are found with in the file, which does not grow with the number of people; everything where only a
    /// state that holds everybody tells who is who.
    pub(super) fn load_nobody(facts: Facts<'_>, store: Option<&Store>, options: MemoryOptions) -> Result<State> {
        let (meta, catalog) = (facts.meta()?, load_catalog(facts)?);
        if may_link(&catalog) || facts.has_foreign_runs()? {
            return State::load(facts, store, options);
        }
        let look_back_ms = look_back_ms(&catalog)?;
        let Some(memory) = Memory::load_nobody(facts, &property_paths(&catalog), options)? else {
            return State::load(facts, store, options);
        };
        let state = State::before_the_log(facts, &meta, catalog, look_back_ms, memory)?;
        let mut state = State { holds_everybody: false, ..state };
        state.observe_nobody(facts, &meta)?;
        Ok(state)
    }

    /// Everything, from the log alone; new runs are written in the transaction that is under way. `identifies_anew`: messages
    /// have come to name other identifiers.
    pub(super) fn rebuild(facts: Facts<'_>, options: MemoryOptions, identifies_anew: bool) -> Result<State> {
        let (meta, catalog) = (facts.meta()?, load_catalog(facts)?);
        let look_back_ms = look_back_ms(&catalog)?;
        let memory = Memory::empty(facts, &property_paths(&catalog), options, identifies_anew)?;
        let mut state = State::before_the_log(facts, &meta, catalog, look_back_ms, memory)?;
        // In parts, for how many messages fill a tail shows only when they are read.
        let part = (options.flush_messages / 8).max(1);
        while meta.log_sequence - state.memory.sequence > part {
            let overlay = state.observe_log(facts, state.memory.sequence + part)?;
            state.memory.fold(overlay);
            if state.memory.is_tail_full() {
                state.memory.write_run(facts)?;
            }
        }
        state.append(facts, &meta, Evidence::all(facts, meta.log_sequence)?, Timestamp::MAX)?;
        Ok(state)
    }

    /// The same over runs of another version of the library, which it drops. A run of this version takes their place in the
    /// transaction that is under way.
    pub(super) fn replace_runs(facts: Facts<'_>, options: MemoryOptions) -> Result<State> {
        let mut state = State::rebuild(facts, options, false)?;
        state.memory.write_run(facts)?;
        state.meta.run_sequence += 1;
        state.meta.revision += 1;
        facts.put_meta(&state.meta)?;
        Ok(state)
    }

    /// What the facts recorded by `known` give under the definitions that hold now; in RAM alone.
    pub(super) fn load_known(facts: Facts<'_>, options: MemoryOptions, known: Timestamp) -> Result<State> {
        let up_to = facts.sequence_known_at(known, facts.meta()?.log_sequence)?;
        State::load_up_to(facts, options, up_to, known)
    }

    /// The same for the messages up to a sequence, and the decisions and probable links that were recorded by `known`.
    pub(super) fn load_up_to(facts: Facts<'_>, options: MemoryOptions, up_to: u64, known: Timestamp) -> Result<State> {
        let (mut meta, catalog) = (facts.meta()?, load_catalog(facts)?);
        meta.log_sequence = up_to.min(meta.log_sequence);
        let look_back_ms = look_back_ms(&catalog)?;
        let memory = Memory::without_runs(facts, &property_paths(&catalog), options)?;
        let mut state = State::before_the_log(facts, &meta, catalog, look_back_ms, memory)?;
        state.append(facts, &meta, Evidence::all(facts, meta.log_sequence)?, known)?;
        Ok(state)
    }

    /// A state that has yet to take in the links, the memberships, and the messages behind those in `memory`.
    fn before_the_log(
        facts: Facts<'_>,
        meta: &Meta,
        catalog: Catalog,
        look_back_ms: i64,
        memory: Memory,
    ) -> Result<State> {
        let models = load_models(facts, &catalog)?;
        let live = LiveLinkage::load(facts, &catalog, None)?;
        Ok(State {
            meta: Meta { log_sequence: 0, decision_sequence: 0, linkage_runs: 0, ..meta.clone() },
            holds_everybody: true,
            memory,
            types: Arc::new(TypeRules::new(catalog.identity(), |_| None)),
            look_back_ms,
            catalog: Arc::new(catalog),
            partition: Arc::default(),
            decisions: Arc::default(),
            probable: Arc::default(),
            live,
            memberships: Arc::default(),
            tallies: Arc::default(),
            concerns: Arc::default(),
            models,
            profile_ids: Arc::default(),
        })
    }

    /// Takes in what a committed transaction has changed.
    pub(super) fn fold(&mut self, folded: Folded) {
        self.meta = folded.meta;
        self.catalog = folded.catalog;
        self.types = folded.types;
        self.memory.fold(folded.memory);
        self.memory.fold_runs(folded.run_steps);
        if let Some(step) = folded.key_step {
            self.memory.fold_key_step(step);
        }
        self.memory.plan_runs(folded.flush_all);
        if let Some(horizon) = horizon(&self.meta, self.look_back_ms) {
            self.memory.forget_times_before(horizon);
        }
        self.fold_identity(folded.partition, folded.decisions, folded.probable);
        self.live = folded.live;
        if !folded.memberships.is_empty() {
            Arc::make_mut(&mut self.memberships).apply(folded.memberships);
        }
        if !folded.tallies.is_empty() {
            Arc::make_mut(&mut self.tallies).apply(folded.tallies);
        }
        if let Some(models) = folded.models {
            self.models = models;
        }
    }

    /// Takes in who is who now. What does not change stays shared.
    fn fold_identity(&mut self, partition: PartitionOverlay, decisions: Arc<Decisions>, probable: ProbableChanges) {
        if !partition.is_empty() {
            Arc::make_mut(&mut self.partition).fold(partition);
        }
        self.decisions = decisions;
        if !probable.is_empty() {
            Arc::make_mut(&mut self.probable).fold(probable);
        }
    }

    /// When which node has a message, which who writes must know; `None` if it is known.
    pub(super) fn missing_times(&self, facts: Facts<'_>) -> Result<Option<TimeIndex>> {
        if self.memory.has_times() {
            return Ok(None);
        }
        let horizon = horizon(&self.meta, self.look_back_ms);
        self.memory.read_times(facts, horizon, self.meta.advanced_to).map(Some)
    }

    pub(super) fn standing(&self, revision: i64) -> Standing {
        match self.meta.revision.cmp(&revision) {
            Ordering::Equal => Standing::Level,
            Ordering::Greater => Standing::Ahead,
            Ordering::Less => Standing::Behind,
        }
    }

    /// Brings RAM to what the file holds.
    pub(super) fn catch_up(&mut self, facts: Facts<'_>, meta: &Meta) -> Result<()> {
        let drop_caches = self.meta.definitions != meta.definitions
            || self.meta.erasure_epoch != meta.erasure_epoch
            || self.meta.run_sequence != meta.run_sequence
            || self.meta.log_sequence > meta.log_sequence;
        if drop_caches {
            *self = match self.holds_everybody {
                true => State::load(facts, None, self.memory.options())?,
                false => State::load_nobody(facts, None, self.memory.options())?,
            };
            return Ok(());
        }
        if self.meta.model_sequence != meta.model_sequence {
            self.models = load_models(facts, &self.catalog)?;
        }
        self.memory.refresh_keys(facts)?;
        if !self.holds_everybody {
            return self.observe_nobody(facts, meta);
        }
        let evidence = Evidence::after(facts, self.memory.sequence, meta.log_sequence)?;
        self.append(facts, meta, evidence, Timestamp::MAX)
    }

    /// Holds everybody from now on.
    pub(super) fn take_in_everybody(&mut self, facts: Facts<'_>, store: &Store) -> Result<()> {
        if !self.holds_everybody {
            *self = State::load(facts, Some(store), self.memory.options())?;
        }
        Ok(())
    }

    /// Takes in the messages after the last one that RAM mirrors, and new decisions, and nothing of who is who.
    fn observe_nobody(&mut self, facts: Facts<'_>, meta: &Meta) -> Result<()> {
        let overlay = self.observe_log(facts, meta.log_sequence)?;
        for stored in facts.decisions_after(self.meta.decision_sequence)? {
            Arc::make_mut(&mut self.decisions).take(stored.decision);
        }
        self.memory.fold(overlay);
        self.types = Arc::new(TypeRules::new(self.catalog.identity(), |name| self.memory.view().name_id(name)));
        self.partition = Arc::new(Partition::of_strangers(facts.n_nodes()?));
        self.meta = meta.clone();
        Ok(())
    }

    /// The names and nodes that are new in the file, and what the messages up to `up_to` say.
    fn observe_log(&self, facts: Facts<'_>, up_to: u64) -> Result<Overlay> {
        let after = self.memory.sequence;
        let mut overlay = self.memory.overlay();
        for (_, name) in facts.names_after(self.memory.n_names())? {
            overlay.name(&self.memory, &name);
        }
        for word in facts.words_after(self.memory.n_words())? {
            overlay.add_word(&word);
        }
        if self.holds_everybody {
            facts.visit_nodes_from(self.memory.n_nodes(), |_, identifier_type, value| {
                overlay.node(&self.memory, identifier_type, value);
            })?;
        }
        let links = facts.links_after(after, up_to)?;
        let mut rest = links.as_slice();
        facts.visit_messages(after, up_to, |row| {
            let message = row.read(&overlay.view(&self.memory))?;
            let own = rest.partition_point(|link| link.sequence <= message.sequence);
            let (now, later) = rest.split_at(own);
            rest = later;
            let named = now.iter().map(|link| link.other).collect();
            let mut entered: SmallVec<[u32; 8]> = now.iter().flat_map(|link| [link.node, link.other]).collect();
            // Its first message, or the first that is observed where RAM does not know.
            let is_known = || overlay.view(&self.memory).firsts(message.node).sequence().is_some();
            if self.memory.may_be_new(message.node) && !is_known() {
                entered.push(message.node);
            }
            overlay.enter_named(&self.memory, facts, entered, message.sequence)?;
            overlay.enter_key(&self.memory, message.source, &message.message_id, message.sequence);
            overlay.observe(&self.memory, observe(&message, &message.fields, named, self.catalog.identity()));
            Ok(())
        })?;
        Ok(overlay)
    }

    /// Takes in the messages after the last one that RAM mirrors, the links that it does not have, and the decisions and
    /// probable links that were recorded by `known`.
    fn append(&mut self, facts: Facts<'_>, meta: &Meta, evidence: Evidence, known: Timestamp) -> Result<()> {
        let overlay = self.observe_log(facts, meta.log_sequence)?;
        let Evidence { after: links_after, links: mut evidence, joined } = evidence;
        let n_links = evidence.len();
        let mut partition = self.partition.overlay();
        let mut decided: Vec<Decision> = Vec::new();
        if self.meta.decision_sequence != meta.decision_sequence {
            let stored = facts.decisions_after(self.meta.decision_sequence)?;
            let stored = stored.into_iter().filter(|stored| stored.recorded_at <= known);
            decided.extend(stored.map(|stored| stored.decision));
        }
        let mut decisions = self.decisions.clone();
        decided.iter().for_each(|decision| Arc::make_mut(&mut decisions).take(*decision));
        if links_after == 0 && self.meta.decision_sequence == 0 {
            // From the beginning, decisions hold before the first link comes.
            evidence.extend(decisions.links());
            decided.clear();
        }
        let pairs: Vec<(u32, u32)> = decided.iter().map(|decision| (decision.node, decision.other)).collect();
        let mut probable = ProbableChanges::default();
        let mut live = self.live.clone();
        let is_relinked = self.meta.linkage_runs != meta.linkage_runs;
        if is_relinked && links_after == 0 {
            load_probable(facts, &self.catalog, known)?.into_iter().for_each(|link| probable.add(link));
            evidence.extend(probable.added());
        } else if is_relinked && may_link(&self.catalog) {
            let gone = facts.probable_links_gone_after(self.meta.linkage_runs)?;
            gone.into_iter().for_each(|number| probable.remove(number));
            facts.probable_links_after(self.probable.last())?.into_iter().for_each(|link| probable.add(link));
        }
        if is_relinked {
            live = LiveLinkage::load(facts, &self.catalog, live)?;
        }
        let types = {
            let memory = overlay.view(&self.memory);
            let types = Arc::new(TypeRules::new(self.catalog.identity(), |name| memory.name_id(name)));
            let of_state = Snapshot::of_state(facts, self);
            let links = probable.view(&self.probable);
            let snapshot = Snapshot { memory, types: &types, decisions: &decisions, probable: links, ..of_state };
            let identified = overlay.identified();
            if self.partition.is_empty() {
                let joined = joined.filter(|_| evidence.len() == n_links).unwrap_or_else(|| Joined::of(&evidence));
                partition = PartitionOverlay::of_all(&evidence, joined, &identified, &snapshot)?;
            } else {
                partition.add(&self.partition, &evidence, &identified, &snapshot)?;
            }
            partition.decide(&self.partition, &pairs, &snapshot)?;
            if links_after != 0 {
                let (gone, added): (Vec<_>, Vec<_>) =
                    (probable.gone(&self.probable).collect(), probable.added().collect());
                partition.relink(&self.partition, &gone, &added, &snapshot)?;
            }
            types
        };
        let changes = match links_after {
            0 => None,
            _ => Some(facts.changes(None, self.meta.change_sequence, usize::MAX)?),
        };
        let loaded = if changes.is_none() { Some(Memberships::load(facts)?) } else { None };
        // Nothing can fail from here on, so an error above leaves RAM as it was.
        self.memory.fold(overlay);
        self.types = types;
        self.fold_identity(partition, decisions, probable);
        self.live = live;
        // Who wrote these facts followed them.
        self.tallies = Arc::default();
        if let Some(memberships) = loaded {
            self.memberships = Arc::new(memberships);
        }
        for change in changes.iter().flatten() {
            Arc::make_mut(&mut self.memberships).replay(change);
        }
        self.meta = meta.clone();
        if let Some(horizon) = horizon(meta, self.look_back_ms) {
            self.memory.forget_times_before(horizon);
        }
        Ok(())
    }
}

/// The instant before which no message can matter again to an audience.
fn horizon(meta: &Meta, look_back_ms: i64) -> Option<Timestamp> {
    meta.advanced_to.map(|advanced_to| advanced_to.plus_millis(-look_back_ms))
}

/// How far back an event can lie and still change the outcome of an audience by the passing of time.
fn look_back_ms(catalog: &Catalog) -> Result<i64> {
    let mut longest = 0;
    for audience in catalog.audiences() {
        let lookbacks = crate::rules::lookbacks(&audience.rule, catalog)?;
        longest = lookbacks.event_offsets.iter().fold(longest, |longest, offset| longest.max(*offset));
    }
    Ok(longest)
}

pub(super) fn link_of(link: &StoredLink) -> Link {
    Link { node: link.node, other: link.other, occurred_at: link.occurred_at, sequence: link.sequence, rule: link.rule }
}

/// Whether probable links count as evidence.
pub(super) fn may_link(catalog: &Catalog) -> bool {
    catalog.identity().linkage.as_ref().is_some_and(|linkage| linkage.auto_link)
}

/// The probable links that hold under the definitions, of what was found by a known time.
fn load_probable(facts: Facts<'_>, catalog: &Catalog, known: Timestamp) -> Result<Vec<ProbableLink>> {
    if may_link(catalog) { facts.probable_links_known_at(known) } else { Ok(Vec::new()) }
}

/// The definitions that hold, as the file has them.
pub(super) fn load_catalog(facts: Facts<'_>) -> Result<Catalog> {
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

/// A report of the file, as a value.
pub(super) fn stored_json(text: &str) -> Result<Value> {
    Value::parse(text.as_bytes()).map_err(|_| {
        Error::new(ErrorKind::Corrupt, "a report of the store is not readable")
            .with_hint("restore the store from a backup")
    })
}

/// The model that answers for each predictor: the latest trained one, or described cohorts as they are.
pub(super) fn load_models(facts: Facts<'_>, catalog: &Catalog) -> Result<BTreeMap<String, LoadedModel>> {
    let mut latest: BTreeMap<String, u32> = BTreeMap::new();
    for stored in facts.models()? {
        latest.insert(stored.predictor, stored.version);
    }
    let mut models = BTreeMap::new();
    for (predictor, version) in latest {
        if let Some(bytes) = facts.model_bytes(&predictor, version)? {
            let model = Arc::new(TrainedModel::from_bytes(&bytes)?);
            models.insert(predictor, LoadedModel { version: Some(version), model });
        }
    }
    for definition in catalog.predictors() {
        let stored = models.get(&definition.name);
        if definition.cohorts.is_empty() {
            // What was trained of cohorts that were described before cannot answer for others.
            if stored.is_some_and(|stored| stored.model.described().is_some()) {
                models.remove(&definition.name);
            }
            continue;
        }
        let trained = stored.and_then(|stored| stored.model.described().map(|model| (stored.version, model)));
        let (version, model) = match trained.filter(|(_, model)| model.cohorts() == definition.cohorts) {
            Some((version, model)) => (version, model.clone().with_threshold(definition.threshold)),
            None => (None, DescribedModel::lexical(definition)?),
        };
        let model = Arc::new(TrainedModel::Described(Box::new(model)));
        models.insert(definition.name.clone(), LoadedModel { version, model });
    }
    Ok(models)
}

/// The property columns that the definitions ask for.
pub(super) fn property_paths(catalog: &Catalog) -> Vec<Path> {
    let mut paths: Vec<Path> = Vec::new();
    for feature in catalog.features() {
        paths.extend(feature.property_paths());
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::population::{Wanted, Whom};
    use super::super::snapshot::Person;
    use super::*;
    use crate::Cdp;
    use crate::cdp::{Data, IngestOptions, LinkOptions, OpenOptions};
    use crate::records::Value;

    const DEFINITIONS: [&str; 4] = [
        r#"{"kind": "identity", "name": "people", "linkage": {"auto_link": true}, "identifiers": [
            {"type": "user_id", "role": "person", "priority": 1}, {"type": "email", "role": "contact", "priority": 2},
            {"type": "anonymous_id", "role": "device", "priority": 9}]}"#,
        r#"{"kind": "feature", "name": "spend", "event": "Bought", "agg": "sum", "property": "price"}"#,
        r#"{"kind": "audience", "name": "buyers", "rule": {"event": "Bought", "count": {"gte": 3}, "within": "9d"}}"#,
        r#"{"kind": "feature", "name": "weight", "event": "Bought", "agg": "max", "property": "weight"}"#,
    ];

    /// Messages that name new people and old ones, set traits, and join devices with people.
    fn messages(numbers: std::ops::Range<u64>) -> String {
        let message = |n: u64| {
            let (person, at) = (n * 37 % 90, 1_700_000_000_000 + n * 1_000);
            let head = format!(r#""messageId": "m{n}", "anonymousId": "a{person}", "timestamp": {at}"#);
            match n % 5 {
                0 => format!(
                    r#"{{"type": "identify", {head}, "userId": "u{}", "traits": {{"plan": "p{n}", "email": "e{}@x.org"}}}}"#,
                    person % 40,
                    n % 60
                ),
                _ => format!(
                    r#"{{"type": "track", {head}, "event": "Bought", "properties": {{"price": {n}.5, "weight": {n}}}}}"#
                ),
            }
        };
        numbers.map(|n| message(n) + "\n").collect()
    }

    fn ingest(db: &Cdp, numbers: std::ops::Range<u64>) {
        let receipt = db.ingest(Data::Bytes(messages(numbers).as_bytes()), &IngestOptions::default(), None).unwrap();
        assert_eq!(receipt.rejected, 0);
    }

    /// Everything that a snapshot says of everybody.
    fn said(snapshot: &Snapshot<'_>) -> Vec<String> {
        let at = Timestamp::from_millis(1_700_000_900_000);
        let audience = snapshot.catalog.audience("buyers").unwrap();
        let mut wanted: Vec<Wanted<'_>> = snapshot.catalog.features().map(Wanted::Feature).collect();
        wanted.push(Wanted::Membership(audience));
        let found = snapshot.find(Whom::Everybody, &wanted, at).unwrap();
        let told = found.iter().map(|found| {
            let told = found.told.iter().map(|told| told.as_ref().map_or_else(String::new, Value::to_json));
            format!("{:?} {}", found.somebody.nodes, told.collect::<Vec<String>>().join(" "))
        });
        let people = snapshot.people(at).unwrap();
        let plan = |person: &Person<'_>| person.trait_named("plan", at).unwrap().map(|plan| plan.to_json());
        let traits = people.iter().map(plan);
        let n_messages = snapshot.memory.sequence().to_string();
        told.chain(traits.map(Option::unwrap_or_default)).chain([n_messages]).collect()
    }

    #[test]
    fn nobody_waits_for_a_long_read_and_it_sees_nothing_of_what_others_commit_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions { flush_messages: 60, ..OpenOptions::file(folder.path().join("store.db")) };
        let db = Cdp::open(options).unwrap();
        let definitions: Vec<Value> = DEFINITIONS.iter().map(|text| Value::parse(text.as_bytes()).unwrap()).collect();
        db.define(&definitions[..3], false).unwrap();
        ingest(&db, 0..200);
        let (work, orders) = mpsc::channel::<u64>();
        let (done, answers) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in orders {
                    match round {
                        3 => drop(db.link(&LinkOptions::default()).unwrap()),
                        // A property that had no column.
                        4 => drop(db.define(&definitions[3..], false).unwrap()),
                        5 => db.write_runs().unwrap(),
                        _ => ingest(&db, 200 + round * 70..270 + round * 70),
                    }
                    done.send(db.read(|snapshot| Ok(snapshot.memory.sequence())).unwrap()).unwrap();
                }
            });
            let (outer, inner) = db
                .read_at_length(|snapshot| {
                    let before = said(snapshot);
                    for round in 0..8 {
                        work.send(round).unwrap();
                        answers.recv_timeout(Duration::from_secs(60)).expect("a commit waits for a long read");
                        assert_eq!(said(snapshot), before, "round {round}");
                        // A second one in the middle sees what was committed before it, and no more.
                        let later = db.read_at_length(|later| Ok(said(later))).unwrap();
                        assert!(later != before || round == 5, "round {round}");
                    }
                    Ok((before, snapshot.memory.sequence()))
                })
                .unwrap();
            drop(work);
            assert_eq!((outer.last().cloned(), inner), (Some("200".to_owned()), 200));
        });
        assert_eq!(db.read(|snapshot| Ok(snapshot.memory.sequence())).unwrap(), 200 + 5 * 70);
        let verified = db.verify().unwrap();
        assert_eq!(verified.get("ok"), Some(&Value::Bool(true)), "{}", verified.to_json());
    }
}
