//! Which identifiers are one profile, and why, as a part of RAM: the partition, decisions, probable links, live comparison.
//!
//! It follows from the messages of the log together with decisions and probable links, so a state derives it from what it
//! observes (`engine/load.rs`), and a transaction as its verbs say. It never decides what a link means.

use std::sync::Arc;

use crate::engine::live_linkage::LiveLinkage;
use crate::engine::parts::part::{Beginning, Part};
use crate::engine::profile_ids::ProfileIds;
use crate::error::Result;
use crate::identity::{
    Decisions, Partition, PartitionChanges, PartitionView, ProbableChanges, ProbableLinks, ProbableView, TypeRules,
};

/// Which identifiers are one profile as of the last commit.
#[derive(Clone)]
pub(crate) struct People {
    pub(in crate::engine) partition: Arc<Partition>,
    /// The identity definition in the numbers of names.
    pub(in crate::engine) types: Arc<TypeRules>,
    pub(in crate::engine) decisions: Arc<Decisions>,
    pub(in crate::engine) probable: Arc<ProbableLinks>,
    /// What single profiles are compared with as they come, if they are.
    pub(in crate::engine) live: Option<Arc<LiveLinkage>>,
    pub(in crate::engine) profile_ids: Arc<ProfileIds>,
}

/// What one transaction changes of it: what is shared as a whole, the rest beside the last commit.
pub(crate) struct PeopleChanges {
    pub(crate) partition: PartitionChanges,
    pub(crate) types: Arc<TypeRules>,
    pub(crate) decisions: Arc<Decisions>,
    pub(crate) probable: ProbableChanges,
    pub(crate) live: Option<Arc<LiveLinkage>>,
}

/// Which identifiers are one profile at one moment.
#[derive(Clone, Copy)]
pub(crate) struct PeopleView<'a> {
    pub(crate) partition: PartitionView<'a>,
    pub(crate) types: &'a TypeRules,
    pub(crate) decisions: &'a Decisions,
    pub(crate) probable: ProbableView<'a>,
    pub(in crate::engine) profile_ids: &'a ProfileIds,
}

impl Part for People {
    type Changes = PeopleChanges;
    type View<'a> = PeopleView<'a>;

    fn load(beginning: &Beginning<'_>) -> Result<People> {
        Ok(People {
            partition: Arc::default(),
            types: Arc::new(TypeRules::new(beginning.catalog.identity(), |_| None)),
            decisions: Arc::default(),
            probable: Arc::default(),
            live: LiveLinkage::load(beginning.facts, &beginning.catalog, None)?,
            profile_ids: Arc::default(),
        })
    }

    fn changes(&self) -> PeopleChanges {
        PeopleChanges {
            partition: self.partition.changes(),
            types: self.types.clone(),
            decisions: self.decisions.clone(),
            probable: ProbableChanges::default(),
            live: self.live.clone(),
        }
    }

    fn view(&self) -> PeopleView<'_> {
        PeopleView {
            partition: self.partition.view(),
            types: &self.types,
            decisions: &self.decisions,
            probable: self.probable.view(),
            profile_ids: &self.profile_ids,
        }
    }

    fn view_with<'a>(&'a self, changes: &'a PeopleChanges) -> PeopleView<'a> {
        PeopleView {
            partition: changes.partition.view(&self.partition),
            types: &changes.types,
            decisions: &changes.decisions,
            probable: changes.probable.view(&self.probable),
            profile_ids: &self.profile_ids,
        }
    }

    /// What does not change stays shared.
    fn fold(&mut self, changes: PeopleChanges) {
        if !changes.partition.is_empty() {
            Arc::make_mut(&mut self.partition).fold(changes.partition);
        }
        self.types = changes.types;
        self.decisions = changes.decisions;
        if !changes.probable.is_empty() {
            Arc::make_mut(&mut self.probable).fold(changes.probable);
        }
        self.live = changes.live;
    }
}
