//! Audiences from all facts: the memberships of one audience set as its definition has them, and moving all to an instant.

use std::collections::{BTreeMap, BTreeSet};

use crate::audiences::memberships::{Memberships, MembershipsView};
use crate::audiences::{Flip, is_member};
use crate::engine::handle::Cdp;
use crate::engine::snapshot::Snapshot;
use crate::engine::transaction::Transaction;
use crate::error::{Error, Result};
use crate::records::Timestamp;
use crate::records::answer::answer;
use crate::verbs::segment::changes::{Found, record};
use crate::verbs::segment::upkeep::advance_to;

/// Sets the members of an audience at `advanced_to` from all facts, for a new or changed definition.
fn rebuild_audience(tx: &mut Transaction<'_>, name: &str) -> Result<u64> {
    let Some(at) = tx.meta.advanced_to else { return Ok(0) };
    let catalog = tx.changes.catalog.clone();
    let audience = catalog.audience(name)?;
    let mut found = Vec::new();
    {
        let snapshot = tx.snapshot();
        let members = tx.members(name);
        let mut gone = members.nodes();
        for person in snapshot.members_at(audience, at)? {
            tx.stop.check()?;
            let node = person.first_node();
            let mut merged: Vec<u32> = person.absorbed().collect();
            for member in &merged {
                gone.remove(member);
            }
            merged.retain(|other| *other != node && members.contains(*other));
            let is_new = !members.contains(node);
            if is_new || !merged.is_empty() {
                let flip = Flip { entered: true, occurred_at: at, late: false };
                let flips = if is_new { vec![flip] } else { Vec::new() };
                found.push(Found { audience: name.to_owned(), node, merged, flips, is_member: true });
            }
        }
        // Members that left, or whose profile is gone since the identity definition changed.
        for node in gone {
            let flips = vec![Flip { entered: false, occurred_at: at, late: false }];
            found.push(Found { audience: name.to_owned(), node, merged: Vec::new(), flips, is_member: false });
        }
    }
    let changed = found.len() as u64;
    for found in found {
        tx.stop.check()?;
        record(tx, found, at)?;
    }
    Ok(changed)
}

answer! {
    /// How far the audiences of a store were moved.
    pub struct Advance {
        /// The instant up to which audience changes are recorded; `None` in an empty store.
        advanced_to: Option<Timestamp>,
        /// The number of changes that this call recorded.
        changes: u64,
    }
}

impl Cdp {
    /// Moves audiences forward to `to` (default: now) and appends the flips that fell due, each with its exact instant.
    /// A manual clock moves along.
    ///
    /// # Errors
    /// `invalid` for an instant after the present of the system clock.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, define::{Audience, Rule}, records::{Timestamp, Track}};
    ///
    /// let noon: Timestamp = "2024-05-01T12:00:00Z".parse()?;
    /// let db = Cdp::open(OpenOptions::in_memory().clock(noon))?;
    /// db.define(Audience::new("recent", Rule::event("Visited").at_least(1).within("1d")))?;
    /// db.track(Track::new("Visited").user_id("u1").timestamp(noon))?;
    /// // A day after the visit the person leaves the audience.
    /// let advance = db.advance("2024-05-03T00:00:00Z".parse::<Timestamp>()?)?;
    /// assert_eq!(advance.changes, 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn advance(&self, to: impl Into<Option<Timestamp>>) -> Result<Advance> {
        let to = to.into();
        if let Some(to) = to {
            self.clock().advance_to(to);
        }
        let to = to.unwrap_or_else(|| self.now());
        if to > self.now() {
            return Err(Error::invalid("advance cannot go beyond the present of the system clock")
                .with_hint("open the store with clock=... for a clock that moves by advance"));
        }
        self.write_until(&self.interruptible(), |tx| {
            let before = tx.meta.change_sequence;
            tx.derive()?;
            advance_to(tx, to)?;
            let changes = u64::try_from(tx.meta.change_sequence - before).unwrap_or_default();
            Ok(Advance { advanced_to: tx.meta.advanced_to, changes })
        })
    }

    /// Recomputes the stored memberships of one audience, or of all, from the facts. Gives how many were wrong: none,
    /// unless there is a defect.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, define::{Audience, Rule}, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(Audience::new("visitors", Rule::event("Visited").at_least(1)))?;
    /// db.track(Track::new("Visited").user_id("u1"))?;
    /// assert_eq!(db.rebuild(None)?["visitors"], 0);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn rebuild(&self, audience: Option<&str>) -> Result<BTreeMap<String, u64>> {
        self.write_until(&self.interruptible(), |tx| {
            let names: Vec<String> = match audience {
                Some(name) => vec![tx.changes.catalog.audience(name)?.name.clone()],
                None => tx.changes.catalog.audiences().map(|audience| audience.name.clone()).collect(),
            };
            let mut rebuilt = BTreeMap::new();
            for name in names {
                let changed = rebuild_audience(tx, &name)?;
                rebuilt.insert(name, changed);
            }
            Ok(rebuilt)
        })
    }
}

/// Sets the memberships of all audiences from all facts, after definitions have changed.
pub(crate) fn backfill(tx: &mut Transaction<'_>) -> Result<()> {
    let catalog = tx.changes.catalog.clone();
    for audience in catalog.audiences() {
        rebuild_audience(tx, &audience.name)?;
    }
    Ok(())
}

/// Where the memberships of the file differ from their rebuild.
pub(crate) fn membership_faults(snapshot: &Snapshot<'_>, rebuilt: &Snapshot<'_>) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let Some(at) = snapshot.facts.meta()?.advanced_to else { return Ok(faults) };
    let stored = Memberships::load(snapshot.facts)?;
    for audience in snapshot.catalog.audiences() {
        let mut members = BTreeSet::new();
        for person in rebuilt.people(at)? {
            if is_member(audience, &person, at)? {
                members.insert(person.first_node());
            }
        }
        if members != MembershipsView::of(&audience.name, &stored, None).nodes() {
            faults.push(format!("audience `{}`: the memberships differ from their rebuild", audience.name));
        }
    }
    Ok(faults)
}
