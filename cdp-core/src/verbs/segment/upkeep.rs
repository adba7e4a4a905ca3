//! Keeps audiences current: after every ingest for the profiles it touched and those for which a window slid, and on
//! `advance(to)`. Every flip goes to the outbox with its exact instant.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

use crate::audiences::bounds::BoundsView;
use crate::audiences::memberships::MembershipsView;
use crate::audiences::triggers::{Arrival, Slid, Trigger};
use crate::audiences::{Flip, Said, flips, is_member};
use crate::definitions::{AudienceDefinition, Population};
use crate::engine::people::person::Person;
use crate::engine::people::profile::Profile;
use crate::engine::snapshot::Snapshot;
use crate::engine::transaction::Transaction;
use crate::error::Result;
use crate::records::Timestamp;
use crate::rules::{MAX_WATCHED, Range, Ranges};
use crate::verbs::segment::changes::{Found, record};
use crate::verbs::segment::due::{Due, due};

/// Evaluates the touched profiles, and those with a window that slid, up to where the facts reach.
pub(crate) fn keep_audiences(tx: &mut Transaction<'_>) -> Result<()> {
    let since = tx.meta.advanced_to;
    let greatest = tx.memory().greatest_occurred_at();
    let reached = greatest.map(|greatest| greatest.min(tx.now)).max(since);
    tx.meta.advanced_to = reached;
    let Some(to) = reached else { return Ok(()) };
    let mut touched = tx.changes.memory.touched();
    touched.extend(tx.changes.people.partition.changed());
    keep_up(tx, since, to, touched)
}

/// Moves the instant up to which audiences are current.
pub(crate) fn advance_to(tx: &mut Transaction<'_>, to: Timestamp) -> Result<()> {
    let since = tx.meta.advanced_to;
    let to = since.map_or(to, |since| since.max(to));
    tx.meta.advanced_to = Some(to);
    keep_up(tx, since, to, Vec::new())
}

fn keep_up(tx: &mut Transaction<'_>, since: Option<Timestamp>, to: Timestamp, touched: Vec<u32>) -> Result<()> {
    let (catalog, stop) = (tx.changes.catalog.clone(), tx.stop);
    let mut found = Vec::new();
    let mut bounds = std::mem::take(&mut tx.changes.audiences.bounds);
    let snapshot = tx.snapshot();
    let due = due(tx, &snapshot, since, to, touched);
    let mut people = People { snapshot: &snapshot, gathered: HashMap::default() };
    let triggers = tx.triggers()?;
    for (audience, trigger) in catalog.audiences().zip(triggers.iter()) {
        let members = tx.members(&audience.name);
        let n_leaves = trigger.watch.leaves.len();
        let mut upkeep = Upkeep {
            people: &mut people,
            audience,
            trigger,
            members,
            since,
            to,
            bounds: BoundsView::of(&audience.name, n_leaves, tx.committed_bounds(), &mut bounds),
            slid: Vec::new(),
            seen: HashSet::default(),
        };
        let slid = since.filter(|since| *since < to);
        if let Some(since) = slid {
            upkeep.note_what_slid(since);
        }
        for profile in &due {
            stop.check()?;
            found.extend(upkeep.look_at(profile)?);
        }
        if slid.is_some_and(|since| trigger.is_anybody_due(since, to)) {
            for node in 0..snapshot.memory.n_nodes() {
                stop.check()?;
                if let Some(profile) = Due::of(&snapshot, node, to) {
                    found.extend(upkeep.look_at(&profile)?);
                }
            }
        }
        for (node, slid) in std::mem::take(&mut upkeep.slid) {
            stop.check()?;
            found.extend(upkeep.slide(node, slid)?);
        }
    }
    found.sort_by(|left, right| {
        let first = |found: &Found| found.flips.first().map(|flip| flip.occurred_at);
        (first(left), &left.audience, left.node).cmp(&(first(right), &right.audience, right.node))
    });
    tx.changes.audiences.bounds = bounds;
    for found in found {
        stop.check()?;
        record(tx, found, to)?;
    }
    Ok(())
}

/// The people that upkeep looks at, each gathered once for all audiences.
struct People<'s> {
    pub(crate) snapshot: &'s Snapshot<'s>,
    // by their nodes; several where their values changed hands meanwhile
    pub(crate) gathered: HashMap<Vec<u32>, Vec<Rc<Person<'s>>>, FxBuildHasher>,
}

impl<'s> People<'s> {
    fn get(&mut self, nodes: Vec<u32>, at: Timestamp) -> Result<Rc<Person<'s>>> {
        let held = self.snapshot.people.partition.held_with(&nodes, at, self.snapshot)?;
        let known = self.gathered.get(&nodes);
        if let Some(person) = known.and_then(|people| people.iter().find(|person| person.held == held)) {
            return Ok(person.clone());
        }
        let person = Rc::new(Person::of(Profile { snapshot: self.snapshot, nodes: nodes.clone(), held })?);
        self.gathered.entry(nodes).or_default().push(person.clone());
        Ok(person)
    }
}

/// What slid for each node, once, in the order of their numbers.
fn in_order(mut slid: Vec<(u32, Slid)>) -> Vec<(u32, Slid)> {
    slid.sort_unstable_by_key(|(node, _)| *node);
    slid.dedup_by(|(node, slid), (kept_node, kept)| {
        let is_same = node == kept_node;
        if is_same {
            kept.add(*slid);
        }
        is_same
    });
    slid
}

/// One audience on its way from `since` to `to`.
struct Upkeep<'u, 's> {
    pub(crate) people: &'u mut People<'s>,
    pub(crate) audience: &'u AudienceDefinition,
    pub(crate) trigger: &'u Trigger,
    pub(crate) members: MembershipsView<'u>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) to: Timestamp,
    pub(crate) bounds: BoundsView<'u>,
    // Windows that slid, in the order of nodes: profiles that stand since `since` by their least node, others by each of theirs.
    pub(crate) slid: Vec<(u32, Slid)>,
    // The least nodes of profiles that need no further evaluation.
    pub(crate) seen: HashSet<u32, FxBuildHasher>,
}

impl Upkeep<'_, '_> {
    fn is_in(&self, nodes: &[u32]) -> bool {
        nodes.iter().any(|node| self.members.contains(*node))
    }

    /// Whether a profile is the one that upkeep last examined, and stays so up to `to`.
    fn stands(&self, node: u32, since: Timestamp) -> bool {
        let partition = self.people.snapshot.people.partition;
        partition.holds_nothing() && partition.stands_since(node, since)
    }

    fn note_what_slid(&mut self, since: Timestamp) {
        let (snapshot, trigger) = (self.people.snapshot, self.trigger);
        let mut slid_of = Vec::new();
        trigger.visit_sliding(&snapshot.memory, since, self.to, |node, slid| slid_of.push((node, slid)));
        // In the order of their numbers, nodes lie near each other wherever something is kept of them.
        for (node, slid) in in_order(slid_of) {
            if self.stands(node, since) {
                let least = snapshot.people.partition.members(node).iter().copied().min().unwrap_or(node);
                self.slid.push((least, slid));
            } else if snapshot.people.partition.holds_nothing() {
                self.slid.push((node, slid));
            } else {
                self.slid.extend(snapshot.people.partition.holders_of(node).into_iter().map(|holder| (holder, slid)));
            }
        }
        self.slid = in_order(std::mem::take(&mut self.slid));
    }

    fn slid_of(&self, node: u32) -> Option<&Slid> {
        let place = self.slid.binary_search_by_key(&node, |(node, _)| *node).ok()?;
        self.slid.get(place).map(|(_, slid)| slid)
    }

    /// The changes of a profile with new facts.
    fn look_at(&mut self, profile: &Due) -> Result<Option<Found>> {
        let (node, snapshot) = (profile.least_node(), self.people.snapshot);
        if self.seen.contains(&node) {
            return Ok(None);
        }
        let is_in = self.is_in(&profile.nodes);
        let watch = &self.trigger.watch;
        let before = match &profile.parts {
            None => [Range::UNKNOWN; MAX_WATCHED],
            Some(_) if profile.is_same => self.bounds.get(node),
            Some(parts) => {
                parts.iter().fold(watch.ranges_without_events(), |sum, part| watch.sum(&sum, &self.bounds.get(*part)))
            }
        };
        let mut slid: Option<Slid> = None;
        for of_node in profile.nodes.iter().filter_map(|node| self.slid_of(*node)) {
            slid.get_or_insert_default().add(*of_node);
        }
        let (mut meanwhile, after) =
            self.trigger.follow(&snapshot.memory, &before, &profile.arrivals, slid.as_ref(), self.to);
        self.bounds.set(node, after);
        if profile.parts.is_some() {
            self.seen.insert(node);
            if !profile.is_same {
                // Before they joined, each had less.
                meanwhile.iter_mut().for_each(|range| range.least = 0);
            }
            let mut decided = watch.decide(&meanwhile);
            if decided.is_none()
                && profile.is_same
                && let Some(flips) = self.counted(&profile.nodes, &before, &profile.arrivals, slid.as_ref())
            {
                if !flips.is_empty() {
                    return Ok(Some(self.found(&profile.nodes, flips)));
                }
                decided = Some(is_in);
            }
            let cannot_enter = decided == Some(false) && !is_in;
            let cannot_exit = decided == Some(true)
                || !(self.trigger.may_undo(&profile.arrivals) || slid.is_some_and(|slid| slid.may_exit));
            // A late fact can name another node first, under which the membership is to stand then.
            let stays =
                is_in && profile.is_same && cannot_exit && self.members.contains(snapshot.first_node(&profile.nodes));
            if cannot_enter || stays {
                return Ok(None);
            }
        }
        if !is_in && !self.trigger.may_mean(&snapshot.memory, snapshot.people.partition.holds_nothing(), &profile.nodes)
        {
            return Ok(None);
        }
        self.seen.insert(node);
        self.evaluate(profile.nodes.clone(), profile.reconsider)
    }

    /// The flips of a profile that is whom upkeep last looked at, by what came and left alone; `None` if that does not tell them,
    /// or under which node they are to stand.
    fn counted(
        &self,
        nodes: &[u32],
        before: &Ranges,
        arrivals: &[Arrival],
        slid: Option<&Slid>,
    ) -> Option<SmallVec<[Flip; 2]>> {
        let (snapshot, since) = (self.people.snapshot, self.since?);
        let mut is_in = self.is_in(nodes);
        // A late fact can name another node first, under which the membership is to stand then.
        let stands_there = !is_in || self.members.contains(snapshot.first_node(nodes));
        if !stands_there {
            return None;
        }
        let outcomes = self.trigger.outcomes(&snapshot.memory, (is_in, before), arrivals, slid, (since, self.to))?;
        let flips = outcomes.into_iter().filter(|(_, outcome)| std::mem::replace(&mut is_in, *outcome) != *outcome);
        let flips: SmallVec<[Flip; 2]> =
            flips.map(|(occurred_at, entered)| Flip { entered, occurred_at, late: false }).collect();
        // No count includes whether a profile is known.
        let means_everybody = self.audience.population == Population::Everybody;
        (means_everybody || flips.iter().all(|flip| !flip.entered)).then_some(flips)
    }

    /// What flips of a profile without others that were joined with it leave.
    fn found(&self, nodes: &[u32], flips: SmallVec<[Flip; 2]>) -> Found {
        Found {
            audience: self.audience.name.clone(),
            node: self.people.snapshot.first_node(nodes),
            merged: Vec::new(),
            is_member: flips.last().is_some_and(|flip| flip.entered),
            flips: flips.into_vec(),
        }
    }

    /// The changes of a profile with a window that slid and no new fact.
    fn slide(&mut self, node: u32, slid: Slid) -> Result<Option<Found>> {
        let (snapshot, to) = (self.people.snapshot, self.to);
        let partition = snapshot.people.partition;
        if partition.is_held_at(node, to) || self.seen.contains(&node) {
            return Ok(None);
        }
        let Some(since) = self.since else { return Ok(None) };
        if self.stands(node, since) {
            let before = self.bounds.get(node);
            let (meanwhile, after) = self.trigger.follow(&snapshot.memory, &before, &[], Some(&slid), to);
            self.bounds.set(node, after);
            let together = partition.members(node);
            let is_in = self.is_in(&together);
            let may_flip = if is_in { slid.may_exit } else { slid.may_enter };
            if !may_flip || self.trigger.watch.decide(&meanwhile) == Some(is_in) {
                return Ok(None);
            }
            if !is_in && !self.trigger.may_mean(&snapshot.memory, snapshot.people.partition.holds_nothing(), &together)
            {
                return Ok(None);
            }
            self.seen.insert(node);
            if let Some(flips) = self.counted(&together, &before, &[], Some(&slid)) {
                return Ok((!flips.is_empty()).then(|| self.found(&together, flips)));
            }
            return self.evaluate(partition.nodes_of(node), false);
        }
        let nodes = partition.nodes_of_at(node, to);
        let least = nodes.first().copied().unwrap_or(node);
        if self.seen.contains(&least) {
            return Ok(None);
        }
        self.bounds.set(least, [Range::UNKNOWN; MAX_WATCHED]);
        let is_in = self.is_in(&nodes);
        let may_flip = if is_in { slid.may_exit } else { slid.may_enter };
        let may_mean =
            is_in || self.trigger.may_mean(&snapshot.memory, snapshot.people.partition.holds_nothing(), &nodes);
        if !may_flip || !may_mean || !self.seen.insert(least) {
            return Ok(None);
        }
        self.evaluate(nodes, false)
    }

    /// What became of the profile that has these nodes at `to`.
    fn evaluate(&mut self, nodes: Vec<u32>, reconsider: bool) -> Result<Option<Found>> {
        let least_node = nodes.first().copied().unwrap_or_default();
        let snapshot = self.people.snapshot;
        let person = self.people.get(nodes, self.to)?;
        let node = person.first_node();
        let merged: Vec<u32> =
            person.absorbed().filter(|other| *other != node && self.members.contains(*other)).collect();
        let was_member = self.members.contains(node);
        // Before the first fact nothing was said: the time of interest begins at the beginning.
        let from = self.since.unwrap_or(Timestamp::MIN);
        // The person changes where profiles join: each part of the time is evaluated for the person of that time.
        let mut joins = snapshot.people.partition.joins_around(node, from, self.to);
        joins.extend(snapshot.people.partition.first_held_between(&person.nodes, from, self.to));
        joins.insert(from);
        let mut parts: BTreeMap<Timestamp, Rc<Person<'_>>> = BTreeMap::new();
        let mut instants = joins.clone();
        instants.remove(&from);
        let starts: Vec<Timestamp> = joins.into_iter().collect();
        for (index, start) in starts.iter().enumerate() {
            let end = starts.get(index + 1).map_or(self.to, |next| next.plus_millis(-1));
            let nodes = snapshot.people.partition.nodes_of_at(node, *start);
            let part = self.people.get(nodes, *start)?;
            instants.extend(self.trigger.lookbacks.change_instants(part.as_ref(), *start, end)?);
            instants.extend(part.first_seen_in(*start, end)?);
            parts.insert(*start, part);
        }
        let is_member_at = |at: Timestamp| match parts.range(..=at).next_back() {
            Some((_, part)) => Ok(part.exists_at(at)? && is_member(self.audience, part.as_ref(), at)?),
            None => Ok(false),
        };
        let said = Said { member: was_member, since: self.since, reconsider };
        let flips = flips(said, &instants, self.to, &is_member_at)?;
        let is_member = flips.last().map_or(was_member, |flip| flip.entered);
        self.bounds.set(least_node, self.trigger.watch.ranges(person.as_ref(), self.to)?);
        if flips.is_empty() && merged.is_empty() {
            return Ok(None);
        }
        Ok(Some(Found { audience: self.audience.name.clone(), node, merged, flips, is_member }))
    }
}
