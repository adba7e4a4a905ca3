//! RAM as the last committed state, across modules: definitions, timelines, partition, memberships, models.
//!
//! Takes in what a committed transaction has changed; leaves the moment that reads see. Only the engine sees its fields.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::audiences::bounds::{Bounds, BoundsChanges};
use crate::audiences::memberships::{Memberships, MembershipsChanges};
use crate::audiences::triggers::Triggers;
use crate::definitions::Catalog;
use crate::engine::live_linkage::LiveLinkage;
use crate::engine::profile_ids::ProfileIds;
use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::identity::{Decisions, Partition, PartitionChanges, ProbableChanges, ProbableLinks, TypeRules};
use crate::predict::models::LoadedModel;
use crate::records::Timestamp;
use crate::store::{Facts, KeyStep, Memory, MemoryChanges, Meta, RunSteps, TimeIndex};

/// What RAM knows at one sequence. A clone costs next to nothing: it shares every part that grows with the store, and of a part
/// that changes while somebody holds a clone, a copy is changed.
#[derive(Clone)]
pub(crate) struct State {
    pub(in crate::engine) meta: Meta,
    /// Whether identifiers, partition and memberships are here; without them only [`State::find_nearby`] finds people.
    pub(in crate::engine) holds_all_profiles: bool,
    pub(in crate::engine) catalog: Arc<Catalog>,
    pub(in crate::engine) types: Arc<TypeRules>,
    pub(in crate::engine) memory: Memory,
    pub(in crate::engine) look_back_ms: i64,
    pub(in crate::engine) partition: Arc<Partition>,
    pub(in crate::engine) decisions: Arc<Decisions>,
    pub(in crate::engine) probable: Arc<ProbableLinks>,
    /// What single profiles are compared with as they come, if they are.
    pub(in crate::engine) live: Option<Arc<LiveLinkage>>,
    pub(in crate::engine) memberships: Arc<Memberships>,
    pub(in crate::engine) bounds: Arc<Bounds>,
    pub(in crate::engine) triggers: Arc<Triggers>,
    pub(in crate::engine) models: BTreeMap<String, LoadedModel>,
    pub(in crate::engine) profile_ids: Arc<ProfileIds>,
}

/// How RAM stands to a snapshot of the file.
pub(crate) enum Standing {
    /// They agree.
    Level,
    /// Another process wrote: RAM must catch up.
    Behind,
    /// The snapshot was taken before the last commit of this process.
    Ahead,
}

/// What one transaction has added to every part of the state.
pub(in crate::engine) struct StateChanges {
    pub(in crate::engine) meta: Meta,
    pub(in crate::engine) catalog: Arc<Catalog>,
    pub(in crate::engine) types: Arc<TypeRules>,
    pub(in crate::engine) memory: MemoryChanges,
    pub(in crate::engine) run_steps: RunSteps,
    pub(in crate::engine) key_step: Option<KeyStep>,
    pub(in crate::engine) flush_all: bool,
    pub(in crate::engine) partition: PartitionChanges,
    pub(in crate::engine) decisions: Arc<Decisions>,
    pub(in crate::engine) probable: ProbableChanges,
    pub(in crate::engine) live: Option<Arc<LiveLinkage>>,
    pub(in crate::engine) memberships: MembershipsChanges,
    pub(in crate::engine) bounds: BoundsChanges,
    pub(in crate::engine) models: Option<BTreeMap<String, LoadedModel>>,
}

impl State {
    /// The committed self.
    pub(crate) fn snapshot<'a>(&'a self, facts: Facts<'a>) -> Snapshot<'a> {
        Snapshot {
            facts,
            store: None,
            memory: self.memory.view(),
            partition: self.partition.view(),
            catalog: &self.catalog,
            types: &self.types,
            decisions: &self.decisions,
            probable: self.probable.view(),
            models: &self.models,
            salt: &self.meta.salt,
            links_to: self.meta.links_to,
            committed_sequence: self.memory.sequence,
            committed_nodes: self.memory.n_nodes(),
            profile_ids: &self.profile_ids,
        }
    }
}

impl State {
    /// Takes in what a committed transaction has changed.
    pub(in crate::engine) fn fold(&mut self, folded: StateChanges) {
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
            Arc::make_mut(&mut self.memberships).fold(folded.memberships);
        }
        if !folded.bounds.is_empty() {
            Arc::make_mut(&mut self.bounds).fold(folded.bounds);
        }
        if let Some(models) = folded.models {
            self.models = models;
        }
    }

    /// Takes in who is who now. What does not change stays shared.
    pub(in crate::engine) fn fold_identity(
        &mut self,
        partition: PartitionChanges,
        decisions: Arc<Decisions>,
        probable: ProbableChanges,
    ) {
        if !partition.is_empty() {
            Arc::make_mut(&mut self.partition).fold(partition);
        }
        self.decisions = decisions;
        if !probable.is_empty() {
            Arc::make_mut(&mut self.probable).fold(probable);
        }
    }

    /// When which node has a message, which who writes must know; `None` if it is known.
    pub(in crate::engine) fn missing_times(&self, facts: Facts<'_>) -> Result<Option<TimeIndex>> {
        if self.memory.has_times() {
            return Ok(None);
        }
        let horizon = horizon(&self.meta, self.look_back_ms);
        self.memory.read_times(facts, horizon, self.meta.advanced_to).map(Some)
    }

    pub(crate) fn standing(&self, revision: i64) -> Standing {
        match self.meta.revision.cmp(&revision) {
            Ordering::Equal => Standing::Level,
            Ordering::Greater => Standing::Ahead,
            Ordering::Less => Standing::Behind,
        }
    }
}

/// The instant before which no message can matter again to an audience.
pub(crate) fn horizon(meta: &Meta, look_back_ms: i64) -> Option<Timestamp> {
    meta.advanced_to.map(|advanced_to| advanced_to.plus_millis(-look_back_ms))
}
