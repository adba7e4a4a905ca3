//! RAM as the last committed state, across modules: definitions, timelines, partition, memberships, models.
//!
//! Takes in what a committed transaction has changed; leaves the moment that reads see. Only the engine sees its fields.

use std::cmp::Ordering;

use crate::engine::parts::{Parts, PartsChanges, PartsView};
use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::records::Timestamp;
use crate::store::{Facts, KeyStep, Meta, RunSteps, Store, TimeIndex};

/// What RAM knows at one sequence. A clone costs next to nothing: it shares every part that grows with the store, and of a part
/// that changes while a clone exists, a copy is changed.
#[derive(Clone)]
pub(crate) struct State {
    pub(in crate::engine) meta: Meta,
    /// Whether identifiers, partition and memberships are here; without them only [`State::find_nearby`] finds people.
    pub(in crate::engine) holds_all_profiles: bool,
    pub(in crate::engine) look_back_ms: i64,
    pub(in crate::engine) parts: Parts,
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

/// What RAM takes in of one committed transaction.
pub(in crate::engine) struct StateChanges {
    pub(in crate::engine) meta: Meta,
    pub(in crate::engine) parts: PartsChanges,
    pub(in crate::engine) run_steps: RunSteps,
    pub(in crate::engine) key_step: Option<KeyStep>,
    pub(in crate::engine) flush_all: bool,
}

impl State {
    /// The moment of the last commit.
    pub(crate) fn snapshot<'a>(&'a self, facts: Facts<'a>) -> Snapshot<'a> {
        self.snapshot_of(facts, None, self.parts.view())
    }

    /// The moment of these parts: those of the last commit, or under the changes of a transaction.
    pub(in crate::engine) fn snapshot_of<'a>(
        &'a self,
        facts: Facts<'a>,
        store: Option<&'a Store>,
        parts: PartsView<'a>,
    ) -> Snapshot<'a> {
        let memory = &self.parts.memory;
        Snapshot {
            facts,
            store,
            parts,
            salt: &self.meta.salt,
            links_to: self.meta.links_to,
            committed_sequence: memory.sequence,
            committed_nodes: memory.n_nodes(),
        }
    }
}

impl State {
    /// Takes in what a committed transaction has changed.
    pub(in crate::engine) fn fold(&mut self, folded: StateChanges) {
        self.meta = folded.meta;
        self.parts.fold(folded.parts);
        let memory = &mut self.parts.memory;
        memory.fold_runs(folded.run_steps);
        if let Some(step) = folded.key_step {
            memory.fold_key_step(step);
        }
        memory.plan_runs(folded.flush_all);
        self.forget_old_times();
    }

    /// Forgets the times before which no message can matter again.
    pub(in crate::engine) fn forget_old_times(&mut self) {
        if let Some(horizon) = horizon(&self.meta, self.look_back_ms) {
            self.parts.memory.forget_times_before(horizon);
        }
    }

    /// The times of messages by node, which a writer needs; `None` if RAM holds them.
    pub(in crate::engine) fn missing_times(&self, facts: Facts<'_>) -> Result<Option<TimeIndex>> {
        if self.parts.memory.has_times() {
            return Ok(None);
        }
        let horizon = horizon(&self.meta, self.look_back_ms);
        self.parts.memory.read_times(facts, horizon, self.meta.advanced_to).map(Some)
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
