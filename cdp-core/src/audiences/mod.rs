//! Who is in an audience, and the exact instants at which that changed.
//!
//! Takes a rule and a profile; leaves flips. A flip is found by evaluating the rule at every instant at which its
//! outcome could change, so the instants are exact to the millisecond. It never schedules anything.

use crate::definitions::{AudienceDefinition, Catalog, Population};
use crate::error::Result;
use crate::records::Timestamp;
use crate::rules::{ProfileView, change_instants, evaluate};

/// A membership that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flip {
    pub(crate) entered: bool,
    pub(crate) occurred_at: Timestamp,
    /// Whether facts that arrived late changed what was already said.
    pub(crate) late: bool,
}

/// Whether a profile is in an audience at an instant.
pub(crate) fn is_member(audience: &AudienceDefinition, profile: &dyn ProfileView, at: Timestamp) -> Result<bool> {
    if audience.population == Population::Known && !profile.is_known(at) {
        return Ok(false);
    }
    evaluate(&audience.rule, profile, at)
}

/// What was said of a profile last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    /// Whether it is a member.
    pub(crate) member: bool,
    /// Up to which instant that holds; `None` before the first fact.
    pub(crate) since: Option<Timestamp>,
    /// Whether facts have come that may change it: the difference at `since` is a late flip.
    pub(crate) reconsider: bool,
}

/// The flips of one profile from what was said last up to `to`.
pub(crate) fn flips(
    audience: &AudienceDefinition,
    catalog: &Catalog,
    profile: &dyn ProfileView,
    said: Said,
    to: Timestamp,
) -> Result<Vec<Flip>> {
    let mut flips = Vec::new();
    let mut member = said.member;
    if let Some(since) = said.since
        && said.reconsider
    {
        let now_member = is_member(audience, profile, since)?;
        if now_member != member {
            flips.push(Flip { entered: now_member, occurred_at: since, late: true });
            member = now_member;
        }
    }
    // Before the first fact nothing was said: the time of interest begins at the beginning.
    let from = said.since.unwrap_or(Timestamp::from_millis(i64::MIN));
    for instant in change_instants(&audience.rule, catalog, profile, from, to)? {
        let now_member = is_member(audience, profile, instant)?;
        if now_member != member {
            flips.push(Flip { entered: now_member, occurred_at: instant, late: false });
            member = now_member;
        }
    }
    // A rule that holds for somebody without any event (an absence) has no instant of its own.
    let at_the_end = is_member(audience, profile, to)?;
    if at_the_end != member {
        flips.push(Flip { entered: at_the_end, occurred_at: to, late: false });
    }
    Ok(flips)
}
