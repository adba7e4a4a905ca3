//! RAM as the last committed state, across rooms: definitions, timelines, partition, memberships, models.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::observe;
use super::snapshot::Snapshot;
use crate::definitions::{Catalog, Definition};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::{Link, Partition, TypeRules};
use crate::predict::CohortModel;
use crate::records::{Path, Timestamp, Value};
use crate::store::{Facts, LinkRule, Memory, Meta, NodeKey, StoredLink};

/// Audience -> node -> member since.
pub(super) type Memberships = BTreeMap<String, BTreeMap<u32, Timestamp>>;

/// What a transaction changes of them: audience -> node -> member since, `None` for no member.
#[derive(Debug, Default)]
pub(super) struct MembershipChanges(BTreeMap<String, BTreeMap<u32, Option<Timestamp>>>);

impl MembershipChanges {
    pub(super) fn set(&mut self, audience: &str, node: u32, since: Option<Timestamp>) {
        self.0.entry(audience.to_owned()).or_default().insert(node, since);
    }

    pub(super) fn apply(self, memberships: &mut Memberships) {
        for (audience, changes) in self.0 {
            let members = memberships.entry(audience).or_default();
            for (node, since) in changes {
                match since {
                    Some(since) => members.insert(node, since),
                    None => members.remove(&node),
                };
            }
        }
    }
}

/// The members of one audience as a transaction sees them.
#[derive(Clone, Copy)]
pub(super) struct Members<'m> {
    committed: Option<&'m BTreeMap<u32, Timestamp>>,
    changes: Option<&'m BTreeMap<u32, Option<Timestamp>>>,
}

impl<'m> Members<'m> {
    pub(super) fn of(audience: &str, committed: &'m Memberships, changes: &'m MembershipChanges) -> Members<'m> {
        Members { committed: committed.get(audience), changes: changes.0.get(audience) }
    }

    /// Since when a node is a member.
    pub(super) fn since(&self, node: u32) -> Option<Timestamp> {
        match self.changes.and_then(|changes| changes.get(&node)) {
            Some(changed) => *changed,
            None => self.committed.and_then(|members| members.get(&node)).copied(),
        }
    }

    pub(super) fn contains(&self, node: u32) -> bool {
        self.since(node).is_some()
    }

    /// Every member's node.
    pub(super) fn nodes(&self) -> BTreeSet<u32> {
        let committed = self.committed.into_iter().flat_map(|members| members.keys().copied());
        let changed = self.changes.into_iter().flat_map(|changes| changes.keys().copied());
        committed.chain(changed).filter(|node| self.contains(*node)).collect()
    }
}

/// A trained model and its version.
#[derive(Clone)]
pub(super) struct LoadedModel {
    pub(super) version: u32,
    pub(super) model: Arc<CohortModel>,
}

/// What RAM knows at one sequence.
pub(super) struct State {
    pub(super) meta: Meta,
    pub(super) catalog: Arc<Catalog>,
    pub(super) types: Arc<TypeRules>,
    pub(super) memory: Memory,
    pub(super) partition: Partition,
    pub(super) memberships: Memberships,
    pub(super) models: BTreeMap<String, LoadedModel>,
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
    /// Everything, from the file.
    pub(super) fn load(facts: Facts<'_>) -> Result<State> {
        let meta = facts.meta()?;
        let catalog = Arc::new(load_catalog(facts)?);
        let mut state = State {
            meta: Meta { log_sequence: 0, ..meta.clone() },
            memory: Memory::new(property_paths(&catalog)),
            types: Arc::new(TypeRules::new(catalog.identity(), |_| None)),
            catalog,
            partition: Partition::default(),
            memberships: Memberships::default(),
            models: load_models(facts)?,
        };
        state.append(facts, &meta)?;
        Ok(state)
    }

    pub(super) fn standing(&self, meta: &Meta) -> Standing {
        match self.meta.revision.cmp(&meta.revision) {
            Ordering::Equal => Standing::Level,
            Ordering::Greater => Standing::Ahead,
            Ordering::Less => Standing::Behind,
        }
    }

    /// Brings RAM to what the file holds.
    pub(super) fn catch_up(&mut self, facts: Facts<'_>, meta: &Meta) -> Result<()> {
        let drop_caches = self.meta.definitions != meta.definitions
            || self.meta.erasure_epoch != meta.erasure_epoch
            || self.meta.log_sequence > meta.log_sequence;
        if drop_caches {
            *self = State::load(facts)?;
            return Ok(());
        }
        if self.meta.model_sequence != meta.model_sequence {
            self.models = load_models(facts)?;
        }
        self.append(facts, meta)
    }

    /// Takes in the messages after the last one that RAM mirrors.
    fn append(&mut self, facts: Facts<'_>, meta: &Meta) -> Result<()> {
        let (after, up_to) = (self.memory.sequence, meta.log_sequence);
        let mut overlay = self.memory.overlay();
        for (_, name) in facts.names_after(self.memory.n_names())? {
            overlay.name(&self.memory, &name);
        }
        for (_, identifier_type, value) in facts.nodes_from(self.memory.n_nodes())? {
            overlay.node(&self.memory, NodeKey { identifier_type, value: Arc::from(value) });
        }
        let links = facts.links_after(after, up_to)?;
        let mut rest = links.as_slice();
        facts.visit_messages(after, up_to, |message| {
            let own = rest.partition_point(|link| link.sequence <= message.sequence);
            let (now, later) = rest.split_at(own);
            rest = later;
            let payload = Value::parse(message.payload.as_bytes()).map_err(|_| {
                Error::new(ErrorKind::Corrupt, "a message of the log is not readable").with_hint("run verify()")
            })?;
            let named = now.iter().map(|link| link.other).collect();
            if let Some(fields) = payload.as_object() {
                overlay.observe(&self.memory, observe(&message, fields, named));
            }
            Ok(())
        })?;
        let evidence: Vec<Link> = links.iter().map(link_of).collect();
        let mut partition = self.partition.overlay();
        let types = {
            let memory = overlay.view(&self.memory);
            let types = Arc::new(TypeRules::new(self.catalog.identity(), |name| memory.name_id(name)));
            let snapshot = Snapshot { memory, types: &types, ..Snapshot::of_state(facts, self) };
            partition.add(&self.partition, &evidence, &overlay.reidentified(&self.memory), &snapshot)?;
            types
        };
        let outbox_moved = self.meta.change_sequence != meta.change_sequence || after == 0;
        let memberships = if outbox_moved { Some(load_memberships(facts)?) } else { None };
        // Nothing can fail from here on, so an error above leaves RAM as it was.
        self.memory.fold(overlay);
        self.types = types;
        self.partition.fold(partition);
        if let Some(memberships) = memberships {
            self.memberships = memberships;
        }
        self.meta = meta.clone();
        Ok(())
    }
}

pub(super) fn link_of(link: &StoredLink) -> Link {
    Link {
        node: link.node,
        other: link.other,
        occurred_at: link.occurred_at,
        sequence: link.sequence,
        alias: link.rule == LinkRule::Alias,
    }
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

fn load_memberships(facts: Facts<'_>) -> Result<Memberships> {
    let mut memberships = Memberships::new();
    for (audience, node, since) in facts.memberships()? {
        memberships.entry(audience).or_default().insert(node, since);
    }
    Ok(memberships)
}

fn load_models(facts: Facts<'_>) -> Result<BTreeMap<String, LoadedModel>> {
    let mut latest: BTreeMap<String, u32> = BTreeMap::new();
    for stored in facts.models()? {
        latest.insert(stored.predictor, stored.version);
    }
    let mut models = BTreeMap::new();
    for (predictor, version) in latest {
        if let Some(bytes) = facts.model_bytes(&predictor, version)? {
            let model = Arc::new(CohortModel::from_bytes(&bytes)?);
            models.insert(predictor, LoadedModel { version, model });
        }
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
