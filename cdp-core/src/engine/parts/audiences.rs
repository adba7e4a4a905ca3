//! Audiences as a part of RAM: the members of each, the bounds of their counted leaves, and the triggers of their rules.
//!
//! It takes what upkeep changed and, from the file, the outbox of other processes. It never evaluates a rule.

use std::sync::Arc;

use crate::audiences::bounds::{Bounds, BoundsChanges};
use crate::audiences::memberships::{Memberships, MembershipsChanges, MembershipsView};
use crate::audiences::triggers::Triggers;
use crate::engine::parts::part::{Beginning, Behind, Part};
use crate::error::Result;

/// Audiences as of the last commit.
#[derive(Clone)]
pub(crate) struct Audiences {
    pub(in crate::engine) memberships: Arc<Memberships>,
    pub(in crate::engine) bounds: Arc<Bounds>,
    pub(in crate::engine) triggers: Arc<Triggers>,
}

/// What one transaction changes of them.
#[derive(Default)]
pub(crate) struct AudiencesChanges {
    pub(crate) memberships: MembershipsChanges,
    pub(crate) bounds: BoundsChanges,
    /// Whether the bounds of the last commit hold no longer.
    forgets_bounds: bool,
}

/// Audiences at one moment.
#[derive(Clone, Copy)]
pub(crate) struct AudiencesView<'a> {
    committed: &'a Audiences,
    changes: Option<&'a AudiencesChanges>,
}

impl<'a> AudiencesView<'a> {
    /// The members of an audience.
    pub(crate) fn members(&self, audience: &str) -> MembershipsView<'a> {
        MembershipsView::of(audience, &self.committed.memberships, self.changes.map(|changes| &changes.memberships))
    }
}

impl Part for Audiences {
    type Changes = AudiencesChanges;
    type View<'a> = AudiencesView<'a>;

    fn load(beginning: &Beginning<'_>) -> Result<Audiences> {
        let memberships = match beginning.holds_all_profiles {
            true => Memberships::load(beginning.facts)?,
            false => Memberships::default(),
        };
        Ok(Audiences { memberships: Arc::new(memberships), bounds: Arc::default(), triggers: Arc::default() })
    }

    fn changes(&self) -> AudiencesChanges {
        AudiencesChanges::default()
    }

    fn changes_behind(&self, behind: &Behind<'_>) -> Result<AudiencesChanges> {
        // Bounds follow each event: only the process that wrote these events has done so.
        let mut changes = AudiencesChanges { forgets_bounds: true, ..AudiencesChanges::default() };
        if behind.holds_all_profiles && behind.from.change_sequence != behind.to.change_sequence {
            for change in behind.facts.changes(None, behind.from.change_sequence, usize::MAX)? {
                changes.memberships.replay(&change);
            }
        }
        Ok(changes)
    }

    fn view(&self) -> AudiencesView<'_> {
        AudiencesView { committed: self, changes: None }
    }

    fn view_with<'a>(&'a self, changes: &'a AudiencesChanges) -> AudiencesView<'a> {
        AudiencesView { committed: self, changes: Some(changes) }
    }

    fn fold(&mut self, changes: AudiencesChanges) {
        if !changes.memberships.is_empty() {
            Arc::make_mut(&mut self.memberships).fold(changes.memberships);
        }
        if changes.forgets_bounds {
            self.bounds = Arc::default();
        }
        if !changes.bounds.is_empty() {
            Arc::make_mut(&mut self.bounds).fold(changes.bounds);
        }
    }
}
