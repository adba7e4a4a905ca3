//! The people whom a read means, found by one pass over the columns of all events; only those whom events alone do not
//! decide are asked one by one. Definitions, people and what is shown of them come from one snapshot.

use super::snapshot::{Person, Profiles, Snapshot};
use super::somebody::Somebody;
use crate::audiences::is_member;
use crate::definitions::{AudienceDefinition, FeatureDefinition, Rule};
use crate::error::Result;
use crate::records::{Timestamp, Value};
use crate::rules::{EventBlock, NOBODY, Plan, PlannedFeature, PlannedRule, Tallies, Verdicts, evaluate};

/// Whom a read means.
#[derive(Clone, Copy)]
pub(super) enum Whom<'q> {
    Everybody,
    Matching(&'q Rule),
    Members(&'q AudienceDefinition),
}

/// What a read wants to know of each of them and events may tell.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'q> {
    Feature(&'q FeatureDefinition),
    Membership(&'q AudienceDefinition),
}

/// Somebody whom a read means.
pub(super) struct Found<'a> {
    pub(super) somebody: Somebody<'a>,
    /// What was wanted, in that order; `None` where the person must be asked.
    pub(super) told: Vec<Option<Value>>,
}

enum PlannedWish {
    Feature(PlannedFeature),
    Membership(PlannedRule),
    Unplanned,
}

impl PlannedWish {
    fn told(&self, tallies: &Tallies<'_>, verdicts: &Verdicts, profile: u32) -> Option<Value> {
        match self {
            PlannedWish::Feature(feature) => tallies.feature(*feature, profile),
            PlannedWish::Membership(rule) => verdict(verdicts, *rule, profile).map(Value::Bool),
            PlannedWish::Unplanned => None,
        }
    }
}

fn verdict(verdicts: &Verdicts, rule: PlannedRule, profile: u32) -> Option<bool> {
    verdicts.of(rule).get(profile as usize).copied().flatten()
}

impl<'a> Snapshot<'a> {
    /// The members of an audience at `at`, from all facts, in the order of their first nodes.
    pub(super) fn members_at(&'a self, audience: &AudienceDefinition, at: Timestamp) -> Result<Vec<Somebody<'a>>> {
        let found = self.find(Whom::Members(audience), &[], at)?;
        Ok(found.into_iter().map(|found| found.somebody).collect())
    }

    /// Whom a read means at `at`, in the order of their first nodes.
    pub(super) fn find(&'a self, whom: Whom<'_>, wanted: &[Wanted<'_>], at: Timestamp) -> Result<Vec<Found<'a>>> {
        let mut plan = Plan::new(self.catalog, at);
        let planned = match whom {
            Whom::Everybody => None,
            Whom::Matching(rule) => Some(plan.add_rule(rule)?),
            Whom::Members(audience) => Some(plan.add_audience(audience)?),
        };
        let mut wishes = Vec::with_capacity(wanted.len());
        for wish in wanted {
            wishes.push(match wish {
                Wanted::Feature(feature) => {
                    plan.add_feature(feature).map_or(PlannedWish::Unplanned, PlannedWish::Feature)
                }
                Wanted::Membership(audience) => PlannedWish::Membership(plan.add_audience(audience)?),
            });
        }
        let profiles = self.profiles_at(at);
        // A property that no definition keeps has no column: then everybody is asked.
        let has_columns = self.memory.missing_columns(plan.columns()).is_empty();
        let n_planned = if has_columns { profiles.len() } else { 0 };
        let mut tallies = plan.start(n_planned, &|name| self.memory.name_id(name));
        if has_columns && plan.reads_events() {
            let profile_of = self.profile_of(&profiles);
            let mut add = |block: &dyn EventBlock| tallies.add(block);
            self.memory.visit_event_blocks(self.facts, plan.columns(), plan.since_ms(), &profile_of, &mut add)?;
        }
        let verdicts = tallies.verdicts();
        let mut found = Vec::new();
        for (profile, nodes) in (0u32..).zip(profiles.iter()) {
            let held = self.partition.held_with(nodes, at, self)?;
            let holds = match planned {
                // Columns know nothing of values that are theirs for a time.
                Some(_) if !held.is_empty() => None,
                Some(planned) => verdict(&verdicts, planned, profile),
                None => Some(true),
            };
            if holds == Some(false) {
                continue;
            }
            let somebody = Somebody { snapshot: self, nodes: nodes.to_vec(), held };
            let Some(somebody) = meant(somebody, whom, holds, at)? else { continue };
            let told = match has_columns && somebody.held.is_empty() {
                true => wishes.iter().map(|wish| wish.told(&tallies, &verdicts, profile)).collect(),
                false => vec![None; wishes.len()],
            };
            found.push(Found { somebody, told });
        }
        found.sort_by_cached_key(|found| found.somebody.order());
        Ok(found)
    }

    /// How many people there are at `at`.
    pub(super) fn n_people(&self, at: Timestamp) -> Result<usize> {
        let mut n_people = 0;
        for nodes in self.profiles_at(at).iter() {
            let somebody = Somebody::new(self, nodes.to_vec(), at)?;
            n_people += usize::from(meant(somebody, Whom::Everybody, Some(true), at)?.is_some());
        }
        Ok(n_people)
    }

    /// The number of each node's profile.
    fn profile_of(&self, profiles: &Profiles) -> Vec<u32> {
        let mut profile_of = vec![NOBODY; self.memory.n_nodes() as usize];
        for (number, nodes) in (0u32..).zip(profiles.iter()) {
            for node in nodes {
                if let Some(place) = profile_of.get_mut(*node as usize) {
                    *place = number;
                }
            }
        }
        profile_of
    }
}

/// Somebody, if they were there at `at` and a read means them; asks for their timeline only where nothing else tells.
fn meant<'a>(
    somebody: Somebody<'a>,
    whom: Whom<'_>,
    holds: Option<bool>,
    at: Timestamp,
) -> Result<Option<Somebody<'a>>> {
    let existed = somebody.existed_at(at);
    if existed == Some(false) {
        return Ok(None);
    }
    if holds == Some(true) && existed == Some(true) {
        return Ok(Some(somebody));
    }
    let person = Person::of(somebody)?;
    let is_meant = person.exists_at(at)
        && match (holds, whom) {
            (Some(holds), _) => holds,
            (None, Whom::Everybody) => true,
            (None, Whom::Matching(rule)) => evaluate(rule, &person, at)?,
            (None, Whom::Members(audience)) => is_member(audience, &person, at)?,
        };
    Ok(is_meant.then(|| person.into_somebody()))
}
