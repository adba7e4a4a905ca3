//! Audience membership of a profile, and the exact instants at which it changes.
//!
//! It takes a rule and a profile and returns flips. A flip is found by evaluating the rule at every instant at which
//! its outcome could change, so the instants are exact to the millisecond. It never schedules anything.

pub(crate) mod bounds;
pub(crate) mod memberships;
pub(crate) mod triggers;

use std::collections::BTreeSet;

use crate::definitions::{AudienceDefinition, Population};
use crate::error::Result;
use crate::records::Timestamp;
use crate::rules::{ProfileView, evaluate};

/// A membership that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flip {
    pub(crate) entered: bool,
    pub(crate) occurred_at: Timestamp,
    /// Whether facts that arrived late changed an outcome that was already reported.
    pub(crate) late: bool,
}

/// Whether a profile is in an audience at an instant.
pub(crate) fn is_member(audience: &AudienceDefinition, profile: &dyn ProfileView, at: Timestamp) -> Result<bool> {
    if audience.population == Population::Known && !profile.is_known(at) {
        return Ok(false);
    }
    evaluate(&audience.rule, profile, at)
}

/// The last reported membership of a profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    /// Whether it is a member.
    pub(crate) member: bool,
    /// The instant up to which it holds; `None` before the first fact.
    pub(crate) since: Option<Timestamp>,
    /// Whether new facts may change it: a difference at `since` is a late flip.
    pub(crate) reconsider: bool,
}

/// The flips of one profile from its last reported membership up to `to`. `instants` are those at which the membership
/// can change.
pub(crate) fn flips(
    last: Said,
    instants: &BTreeSet<Timestamp>,
    to: Timestamp,
    is_member_at: &dyn Fn(Timestamp) -> Result<bool>,
) -> Result<Vec<Flip>> {
    let mut flips = Vec::new();
    let mut member = last.member;
    if let Some(since) = last.since
        && last.reconsider
    {
        let now_member = is_member_at(since)?;
        if now_member != member {
            flips.push(Flip { entered: now_member, occurred_at: since, late: true });
            member = now_member;
        }
    }
    // The end is evaluated in any case, should an instant be missing.
    for instant in instants.iter().copied().chain([to]) {
        let now_member = is_member_at(instant)?;
        if now_member != member {
            flips.push(Flip { entered: now_member, occurred_at: instant, late: false });
            member = now_member;
        }
    }
    Ok(flips)
}
