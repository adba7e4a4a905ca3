//! Keeps audiences current: after every ingest for the profiles it touched and those for whom a window slid, and on
//! `advance(to)`. Every flip goes to the outbox with its exact instant.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

use super::Cdp;
use super::concern::{Arrival, Concern, Slid};
use super::memberships::Members;
use super::snapshot::{Person, Snapshot};
use super::somebody::Somebody;
use super::tallies::KnownTallies;
use super::write::Writing;
use crate::audiences::{Flip, Said, flips, is_member};
use crate::definitions::{AudienceDefinition, Population};
use crate::error::{Error, Result};
use crate::records::{Object, Timestamp, Value};
use crate::rules::{MAX_WATCHED, Range, Ranges};
use crate::store::{ChangeType, EventEntry, StoredChange};

/// Of profiles with more nodes nothing is put together when they join.
const MOST_NODES_OF_PARTS: usize = 16;

/// What upkeep found for one profile and audience.
struct Found {
    audience: String,
    // The profile's first node, under which its membership stands.
    node: u32,
    // Nodes of the profile under which it stood before, besides `node`.
    merged: Vec<u32>,
    flips: Vec<Flip>,
    is_member: bool,
}

impl Writing<'_> {
    /// Evaluates the touched profiles, and the others for whom a window slid, up to where the facts reach.
    pub(super) fn keep_audiences(&mut self) -> Result<()> {
        let since = self.meta.advanced_to;
        let greatest = self.memory.view(&self.state.memory).greatest_occurred_at();
        let reached = greatest.map(|greatest| greatest.min(self.now)).max(since);
        self.meta.advanced_to = reached;
        let Some(to) = reached else { return Ok(()) };
        let mut touched = self.memory.touched();
        touched.extend(self.partition.changed());
        self.keep_up(since, to, touched)
    }

    /// Moves the instant up to which audiences are current.
    fn advance_to(&mut self, to: Timestamp) -> Result<()> {
        let since = self.meta.advanced_to;
        let to = since.map_or(to, |since| since.max(to));
        self.meta.advanced_to = Some(to);
        self.keep_up(since, to, Vec::new())
    }

    fn keep_up(&mut self, since: Option<Timestamp>, to: Timestamp, touched: Vec<u32>) -> Result<()> {
        let catalog = self.catalog.clone();
        let mut found = Vec::new();
        let stop = self.stop;
        let mut tallies = std::mem::take(&mut self.tallies);
        let snapshot = self.snapshot();
        let due = self.due(&snapshot, since, to, touched);
        let mut people = People { snapshot: &snapshot, gathered: HashMap::default() };
        let concerns = self.state.concerns.of(&catalog, &snapshot)?;
        for (audience, concern) in catalog.audiences().zip(concerns.iter()) {
            let members = Members::of(&audience.name, &self.state.memberships, &self.memberships);
            let n_leaves = concern.watch.leaves.len();
            let mut upkeep = Upkeep {
                people: &mut people,
                audience,
                concern,
                members,
                since,
                to,
                tallies: KnownTallies::of(&audience.name, n_leaves, &self.state.tallies, &mut tallies),
                slid: Vec::new(),
                seen: HashSet::default(),
            };
            let slid = since.filter(|since| *since < to);
            if let Some(since) = slid {
                upkeep.note_what_slid(since);
            }
            for somebody in &due {
                stop.check()?;
                found.extend(upkeep.look_at(somebody)?);
            }
            if slid.is_some_and(|since| concern.is_anybody_due(since, to)) {
                for node in 0..snapshot.memory.n_nodes() {
                    stop.check()?;
                    if let Some(somebody) = Due::of(&snapshot, node, to) {
                        found.extend(upkeep.look_at(&somebody)?);
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
        self.tallies = tallies;
        for found in found {
            stop.check()?;
            self.record(found, to)?;
        }
        Ok(())
    }

    /// The profiles that have new facts in `(since, to]`, each once, or whose facts came now.
    fn due(&self, snapshot: &Snapshot<'_>, since: Option<Timestamp>, to: Timestamp, touched: Vec<u32>) -> Vec<Due> {
        let memory = &snapshot.memory;
        let mut touched = with_holders(snapshot, touched);
        // Each once, for events are counted.
        touched.sort_unstable();
        touched.dedup();
        let reconsidered: HashSet<u32, FxBuildHasher> = touched.iter().copied().collect();
        let mut facts: Vec<(u32, Option<Arrival>)> = Vec::with_capacity(touched.len());
        for node in touched {
            facts.push((node, None));
            facts.extend(memory.added_events(node).map(|entry| {
                let EventEntry { occurred_at, event, row, .. } = entry;
                (node, Some(Arrival { event, occurred_at, row: Some(row) }))
            }));
        }
        // Facts that lay in the future when they came are due when `to` passes them.
        if let Some(since) = since {
            if self.state.memory.view().greatest_occurred_at().is_some_and(|greatest| greatest > since) {
                memory.visit_times(since, to, |node, event, occurred_at| {
                    facts.push((node, (event != 0).then_some(Arrival { event, occurred_at, row: None })));
                });
            }
            facts.extend(snapshot.decisions.merged_between(since, to).map(|node| (node, None)));
        }
        if !snapshot.partition.holds_nothing() {
            let nodes = with_holders(snapshot, facts.iter().map(|(node, _)| *node).collect());
            facts.extend(nodes.into_iter().map(|node| (node, None)));
        }
        facts.sort_by_key(|(node, _)| *node);
        let changed: HashSet<u32, FxBuildHasher> = self.partition.changed().into_iter().collect();
        let mut due: Vec<Due> = Vec::new();
        let mut places: HashMap<u32, usize, FxBuildHasher> = HashMap::default();
        for of_node in facts.chunk_by(|left, right| left.0 == right.0) {
            let Some(node) = of_node.first().map(|(node, _)| *node) else { continue };
            let Some(somebody) = Due::of(snapshot, node, to) else { continue };
            let place = *places.entry(somebody.least_node()).or_insert_with(|| {
                let holds_nothing = snapshot.partition.holds_nothing();
                let is_same = holds_nothing
                    && node < self.state.memory.n_nodes()
                    && since.is_some_and(|since| snapshot.partition.stands_since(node, since))
                    && !somebody.nodes.iter().any(|node| changed.contains(node));
                let parts = match (is_same, holds_nothing) {
                    (true, _) => Some(SmallVec::from_slice(&[somebody.least_node()])),
                    (false, true) => self.parts_of(&somebody.nodes, since),
                    (false, false) => None,
                };
                let reconsider = somebody.nodes.iter().any(|node| reconsidered.contains(node));
                due.push(Due { is_same, parts, reconsider, ..somebody });
                due.len() - 1
            });
            if let Some(somebody) = due.get_mut(place) {
                somebody.arrivals.extend(of_node.iter().filter_map(|(_, arrival)| *arrival));
            }
        }
        due
    }

    /// The profiles that these nodes, all of one person, were before this transaction: the least node of each. `None` if that is
    /// not what upkeep last looked at, or they were in it together with others.
    fn parts_of(&self, nodes: &[u32], since: Option<Timestamp>) -> Option<SmallVec<[u32; 2]>> {
        let partition = self.state.partition.view();
        let mut parts = SmallVec::new();
        for node in nodes.iter().copied().filter(|node| *node < self.state.memory.n_nodes()) {
            let members = partition.members(node);
            let was_looked_at = since.is_some_and(|since| partition.stands_since(node, since));
            if !was_looked_at || members.len() > MOST_NODES_OF_PARTS {
                return None;
            }
            let mut least = node;
            for member in members.iter().copied() {
                nodes.binary_search(&member).ok()?;
                least = least.min(member);
            }
            if !parts.contains(&least) {
                parts.push(least);
            }
        }
        Some(parts)
    }

    fn record(&mut self, found: Found, to: Timestamp) -> Result<()> {
        let before = Members::of(&found.audience, &self.state.memberships, &self.memberships).since(found.node);
        let entered = found.flips.iter().rev().find(|flip| flip.entered).map(|flip| flip.occurred_at);
        let since = found.is_member.then(|| entered.or(before).unwrap_or(to));
        for merged in &found.merged {
            self.memberships.set(&found.audience, *merged, None);
            self.put_change(&found, *merged, ChangeType::MergedInto, to, false, since)?;
        }
        for flip in &found.flips {
            let change = if flip.entered { ChangeType::Entered } else { ChangeType::Exited };
            self.put_change(&found, found.node, change, flip.occurred_at, flip.late, since)?;
        }
        self.memberships.set(&found.audience, found.node, since);
        Ok(())
    }

    fn put_change(
        &mut self,
        found: &Found,
        node: u32,
        entered: ChangeType,
        occurred_at: Timestamp,
        late: bool,
        since: Option<Timestamp>,
    ) -> Result<()> {
        self.meta.change_sequence += 1;
        self.facts.put_change(&StoredChange {
            change: self.meta.change_sequence,
            audience: found.audience.clone(),
            node,
            entered,
            occurred_at,
            late,
            merged_into: (entered == ChangeType::MergedInto).then_some(found.node),
            recorded_at: self.meta.recorded_at,
            since,
        })
    }

    /// Sets who is in an audience at `advanced_to` from all facts, as a new or changed definition has it.
    pub(super) fn rebuild_audience(&mut self, name: &str) -> Result<u64> {
        let Some(at) = self.meta.advanced_to else { return Ok(0) };
        let catalog = self.catalog.clone();
        let audience = catalog.audience(name)?;
        let mut found = Vec::new();
        {
            let snapshot = self.snapshot();
            let members = Members::of(name, &self.state.memberships, &self.memberships);
            let mut gone = members.nodes();
            for person in snapshot.members_at(audience, at)? {
                self.stop.check()?;
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
            // Who is no member any more, or nobody, since the identity definition changed.
            for node in gone {
                let flips = vec![Flip { entered: false, occurred_at: at, late: false }];
                found.push(Found { audience: name.to_owned(), node, merged: Vec::new(), flips, is_member: false });
            }
        }
        let changed = found.len() as u64;
        for found in found {
            self.stop.check()?;
            self.record(found, at)?;
        }
        Ok(changed)
    }

    /// Forgets the memberships of an audience that is no more.
    pub(super) fn drop_audience(&mut self, name: &str) -> Result<()> {
        for node in Members::of(name, &self.state.memberships, &self.memberships).nodes() {
            self.memberships.set(name, node, None);
        }
        // The outbox keeps its changes; nothing before this one counts any more.
        self.state.memberships.save(self.facts, &self.memberships, self.meta.change_sequence)
    }
}

/// These nodes, and whoever holds one of them or ever did.
fn with_holders(snapshot: &Snapshot<'_>, nodes: Vec<u32>) -> Vec<u32> {
    if snapshot.partition.holds_nothing() {
        return nodes;
    }
    nodes.iter().flat_map(|node| snapshot.partition.holders_of(*node)).chain(nodes.iter().copied()).collect()
}

/// Somebody at whom upkeep looks.
struct Due {
    // At the instant up to which audiences are brought, in the order of their numbers.
    nodes: Vec<u32>,
    // The events that came, or fell due.
    arrivals: Vec<Arrival>,
    // Whether facts came that may change what was said before.
    reconsider: bool,
    // Whether this is whom upkeep last looked at, with new events.
    is_same: bool,
    // The least nodes of the profiles that it was, none if it is new; `None` if that is not known.
    parts: Option<SmallVec<[u32; 2]>>,
}

impl Due {
    /// Who has a node at `to`; `None` for a value that belongs to whoever was linked last.
    fn of(snapshot: &Snapshot<'_>, node: u32, to: Timestamp) -> Option<Due> {
        if snapshot.partition.is_held_at(node, to) {
            return None;
        }
        let nodes = snapshot.partition.nodes_of_at(node, to);
        Some(Due { nodes, arrivals: Vec::new(), reconsider: false, is_same: false, parts: None })
    }

    fn least_node(&self) -> u32 {
        self.nodes.first().copied().unwrap_or_default()
    }
}

/// The people that upkeep looks at, each gathered once for all audiences.
struct People<'s> {
    snapshot: &'s Snapshot<'s>,
    // by their nodes; several where their values changed hands meanwhile
    gathered: HashMap<Vec<u32>, Vec<Rc<Person<'s>>>, FxBuildHasher>,
}

impl<'s> People<'s> {
    fn get(&mut self, nodes: Vec<u32>, at: Timestamp) -> Result<Rc<Person<'s>>> {
        let held = self.snapshot.partition.held_with(&nodes, at, self.snapshot)?;
        let known = self.gathered.get(&nodes);
        if let Some(person) = known.and_then(|people| people.iter().find(|person| person.held == held)) {
            return Ok(person.clone());
        }
        let person = Rc::new(Person::of(Somebody { snapshot: self.snapshot, nodes: nodes.clone(), held })?);
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
    people: &'u mut People<'s>,
    audience: &'u AudienceDefinition,
    concern: &'u Concern,
    members: Members<'u>,
    since: Option<Timestamp>,
    to: Timestamp,
    tallies: KnownTallies<'u>,
    // What slid for whom, in the order of nodes: profiles that stand since `since` by their least node, others by each of theirs.
    slid: Vec<(u32, Slid)>,
    // The least nodes of those who need no further look.
    seen: HashSet<u32, FxBuildHasher>,
}

impl Upkeep<'_, '_> {
    fn is_in(&self, nodes: &[u32]) -> bool {
        nodes.iter().any(|node| self.members.contains(*node))
    }

    /// Whether a profile is whom upkeep last looked at, and will be up to `to`.
    fn stands(&self, node: u32, since: Timestamp) -> bool {
        let partition = self.people.snapshot.partition;
        partition.holds_nothing() && partition.stands_since(node, since)
    }

    fn note_what_slid(&mut self, since: Timestamp) {
        let (snapshot, concern) = (self.people.snapshot, self.concern);
        let mut slid_of = Vec::new();
        concern.visit_sliding(snapshot, since, self.to, |node, slid| slid_of.push((node, slid)));
        // In the order of their numbers, nodes lie near each other wherever something is kept of them.
        for (node, slid) in in_order(slid_of) {
            if self.stands(node, since) {
                let least = snapshot.partition.members(node).iter().copied().min().unwrap_or(node);
                self.slid.push((least, slid));
            } else if snapshot.partition.holds_nothing() {
                self.slid.push((node, slid));
            } else {
                self.slid.extend(snapshot.partition.holders_of(node).into_iter().map(|holder| (holder, slid)));
            }
        }
        self.slid = in_order(std::mem::take(&mut self.slid));
    }

    fn slid_of(&self, node: u32) -> Option<&Slid> {
        let place = self.slid.binary_search_by_key(&node, |(node, _)| *node).ok()?;
        self.slid.get(place).map(|(_, slid)| slid)
    }

    /// What became of somebody for whom something happened.
    fn look_at(&mut self, somebody: &Due) -> Result<Option<Found>> {
        let (node, snapshot) = (somebody.least_node(), self.people.snapshot);
        if self.seen.contains(&node) {
            return Ok(None);
        }
        let is_in = self.is_in(&somebody.nodes);
        let watch = &self.concern.watch;
        let before = match &somebody.parts {
            None => [Range::UNKNOWN; MAX_WATCHED],
            Some(_) if somebody.is_same => self.tallies.get(node),
            Some(parts) => {
                parts.iter().fold(watch.ranges_of_nobody(), |sum, part| watch.sum(&sum, &self.tallies.get(*part)))
            }
        };
        let mut slid: Option<Slid> = None;
        for of_node in somebody.nodes.iter().filter_map(|node| self.slid_of(*node)) {
            slid.get_or_insert_default().add(*of_node);
        }
        let (mut meanwhile, after) = self.concern.follow(snapshot, &before, &somebody.arrivals, slid.as_ref(), self.to);
        self.tallies.set(node, after);
        if somebody.parts.is_some() {
            self.seen.insert(node);
            if !somebody.is_same {
                // Before they joined, each had less.
                meanwhile.iter_mut().for_each(|range| range.least = 0);
            }
            let mut decided = watch.decide(&meanwhile);
            if decided.is_none()
                && somebody.is_same
                && let Some(flips) = self.counted(&somebody.nodes, &before, &somebody.arrivals, slid.as_ref())
            {
                if !flips.is_empty() {
                    return Ok(Some(self.found(&somebody.nodes, flips)));
                }
                decided = Some(is_in);
            }
            let cannot_enter = decided == Some(false) && !is_in;
            let cannot_exit = decided == Some(true)
                || !(self.concern.may_undo(&somebody.arrivals) || slid.is_some_and(|slid| slid.may_exit));
            // A late fact can name another node first, under which the membership is to stand then.
            let stays =
                is_in && somebody.is_same && cannot_exit && self.members.contains(snapshot.first_node(&somebody.nodes));
            if cannot_enter || stays {
                return Ok(None);
            }
        }
        if !is_in && !self.concern.may_mean(snapshot, &somebody.nodes) {
            return Ok(None);
        }
        self.seen.insert(node);
        self.evaluate(somebody.nodes.clone(), somebody.reconsider)
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
        let outcomes = self.concern.outcomes(snapshot, (is_in, before), arrivals, slid, (since, self.to))?;
        let flips = outcomes.into_iter().filter(|(_, outcome)| std::mem::replace(&mut is_in, *outcome) != *outcome);
        let flips: SmallVec<[Flip; 2]> =
            flips.map(|(occurred_at, entered)| Flip { entered, occurred_at, late: false }).collect();
        // Who is known is in no count.
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

    /// What became of somebody for whom a window slid, and nothing else happened.
    fn slide(&mut self, node: u32, slid: Slid) -> Result<Option<Found>> {
        let (snapshot, to) = (self.people.snapshot, self.to);
        let partition = snapshot.partition;
        if partition.is_held_at(node, to) || self.seen.contains(&node) {
            return Ok(None);
        }
        let Some(since) = self.since else { return Ok(None) };
        if self.stands(node, since) {
            let before = self.tallies.get(node);
            let (meanwhile, after) = self.concern.follow(snapshot, &before, &[], Some(&slid), to);
            self.tallies.set(node, after);
            let together = partition.members(node);
            let is_in = self.is_in(&together);
            let may_flip = if is_in { slid.may_exit } else { slid.may_enter };
            if !may_flip || self.concern.watch.decide(&meanwhile) == Some(is_in) {
                return Ok(None);
            }
            if !is_in && !self.concern.may_mean(snapshot, &together) {
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
        self.tallies.set(least, [Range::UNKNOWN; MAX_WATCHED]);
        let is_in = self.is_in(&nodes);
        let may_flip = if is_in { slid.may_exit } else { slid.may_enter };
        let may_mean = is_in || self.concern.may_mean(snapshot, &nodes);
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
        // Who the person is changes where profiles join: each part of the time is seen by the person of that time.
        let mut joins = snapshot.partition.joins_around(node, from, self.to);
        joins.extend(snapshot.partition.first_held_between(&person.nodes, from, self.to));
        joins.insert(from);
        let mut parts: BTreeMap<Timestamp, Rc<Person<'_>>> = BTreeMap::new();
        let mut instants = joins.clone();
        instants.remove(&from);
        let starts: Vec<Timestamp> = joins.into_iter().collect();
        for (index, start) in starts.iter().enumerate() {
            let end = starts.get(index + 1).map_or(self.to, |next| next.plus_millis(-1));
            let nodes = snapshot.partition.nodes_of_at(node, *start);
            let part = self.people.get(nodes, *start)?;
            instants.extend(self.concern.lookbacks.change_instants(part.as_ref(), *start, end)?);
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
        self.tallies.set(least_node, self.concern.watch.ranges(person.as_ref(), self.to)?);
        if flips.is_empty() && merged.is_empty() {
            return Ok(None);
        }
        Ok(Some(Found { audience: self.audience.name.clone(), node, merged, flips, is_member }))
    }
}

impl Cdp {
    /// Moves audiences forward to `to` (default: now) and appends the flips that fell due, each with its exact instant.
    /// A manual clock moves along. Gives `{advanced_to, changes}`.
    pub fn advance(&self, to: Option<Timestamp>) -> Result<Value> {
        if let Some(to) = to {
            self.inner.clock.advance_to(to);
        }
        let to = to.unwrap_or_else(|| self.now());
        if to > self.now() {
            return Err(Error::invalid("advance cannot go beyond the present of the system clock")
                .with_hint("open the store with clock=... for a clock that moves by advance"));
        }
        self.write_until(&self.interruptible(), |writing| {
            let before = writing.meta.change_sequence;
            writing.derive()?;
            writing.advance_to(to)?;
            Ok(Value::Object(Object::from([
                (
                    "advanced_to".to_owned(),
                    writing.meta.advanced_to.map_or(Value::Null, |time| Value::Text(time.to_string())),
                ),
                ("changes".to_owned(), Value::integer(writing.meta.change_sequence - before)),
            ])))
        })
    }

    /// Recomputes the stored memberships of one audience, or of all, from the facts. Gives how many were wrong: none,
    /// unless there is a defect.
    pub fn rebuild(&self, audience: Option<&str>) -> Result<Value> {
        self.write_until(&self.interruptible(), |writing| {
            let names: Vec<String> = match audience {
                Some(name) => vec![writing.catalog.audience(name)?.name.clone()],
                None => writing.catalog.audiences().map(|audience| audience.name.clone()).collect(),
            };
            let mut rebuilt = Object::new();
            for name in names {
                let changed = writing.rebuild_audience(&name)?;
                rebuilt.insert(name, Value::integer(i64::try_from(changed).unwrap_or(i64::MAX)));
            }
            Ok(Value::Object(rebuilt))
        })
    }

    /// The flips of memberships after a cursor, in order: `change, audience, profile_id, type, occurred_at, late,
    /// merged_into, recorded_at`. Pass the frame's `next` as `after` to go on; at least once, never out of order.
    pub fn audience_changes(
        &self,
        audience: Option<&str>,
        after: Option<i64>,
        limit: Option<usize>,
    ) -> Result<crate::records::Frame> {
        use crate::records::{Cells, Frame};
        self.read(|snapshot| {
            if let Some(name) = audience {
                snapshot.catalog.audience(name)?;
            }
            let limit = limit.unwrap_or(usize::MAX);
            let changes = snapshot.facts.changes(audience, after.unwrap_or(0), limit)?;
            let text =
                |value: &dyn Fn(&StoredChange) -> Option<String>| Cells::Text(changes.iter().map(value).collect());
            let mut frame = Frame::new(vec![
                ("change", Cells::Int64(changes.iter().map(|change| Some(change.change)).collect())),
                ("audience", text(&|change| Some(change.audience.clone()))),
                ("profile_id", text(&|change| Some(snapshot.node_hash(change.node)))),
                ("type", text(&|change| Some(change.entered.as_str().to_owned()))),
                ("occurred_at", Cells::Timestamp(changes.iter().map(|change| Some(change.occurred_at)).collect())),
                ("late", Cells::Bool(changes.iter().map(|change| Some(change.late)).collect())),
                ("merged_into", text(&|change| change.merged_into.map(|node| snapshot.node_hash(node)))),
                ("recorded_at", Cells::Timestamp(changes.iter().map(|change| Some(change.recorded_at)).collect())),
            ]);
            // The cursor stays usable at the end: later changes come after it.
            frame.next = changes.last().map(|change| change.change.to_string());
            Ok(frame)
        })
    }

    pub(super) fn audiences_of(person: &Person<'_>, at: Timestamp) -> Result<Vec<Value>> {
        let mut names = Vec::new();
        for audience in person.snapshot.catalog.audiences() {
            if is_member(audience, person, at)? {
                names.push(Value::from(audience.name.as_str()));
            }
        }
        Ok(names)
    }
}
