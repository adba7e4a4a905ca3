//! Keeps audiences current: after every ingest for the profiles it touched and those for whom a window slid, and on
//! `advance(to)`. Every flip goes to the outbox with its exact instant.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use rustc_hash::FxBuildHasher;

use super::Cdp;
use super::memberships::Members;
use super::shortfalls::{KnownShortfalls, Shortfall};
use super::snapshot::{Person, Snapshot};
use super::somebody::Somebody;
use super::write::Writing;
use crate::audiences::{Flip, Said, flips, is_member};
use crate::definitions::{AudienceDefinition, Rule};
use crate::error::{Error, Result};
use crate::records::{Object, Timestamp, Value};
use crate::rules::{Lookbacks, Requirement, Slide, lookbacks, reach, requirements};
use crate::store::{ChangeType, StoredChange, event_bit};

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
        let mut shortfalls = std::mem::take(&mut self.shortfalls);
        let snapshot = self.snapshot();
        let due = self.due(&snapshot, since, to, touched);
        let mut people = People { snapshot: &snapshot, gathered: HashMap::default() };
        let n_events = counts_of(&due);
        for audience in catalog.audiences() {
            let members = Members::of(&audience.name, &self.state.memberships, &self.memberships);
            let concern = Concern::of(audience, &snapshot)?;
            let mut upkeep = Upkeep {
                people: &mut people,
                audience,
                concern: &concern,
                n_events: &n_events,
                members,
                since,
                to,
                shortfalls: KnownShortfalls::of(&audience.name, &self.state.shortfalls, &mut shortfalls),
                seen: HashSet::default(),
            };
            for somebody in &due {
                found.extend(upkeep.look_at(somebody)?);
            }
            let slid = since.filter(|since| *since < to);
            if slid.is_some_and(|since| concern.is_anybody_due(since, to)) {
                for node in 0..snapshot.memory.n_nodes() {
                    if let Some(somebody) = Due::of(&snapshot, node, to) {
                        found.extend(upkeep.look_at(&somebody)?);
                    }
                }
            }
            for (node, slid) in slid.map(|since| concern.sliding(&snapshot, since, to)).unwrap_or_default() {
                found.extend(upkeep.slide(node, slid)?);
            }
        }
        found.sort_by(|left, right| {
            let first = |found: &Found| found.flips.first().map(|flip| flip.occurred_at);
            (first(left), &left.audience, left.node).cmp(&(first(right), &right.audience, right.node))
        });
        self.shortfalls = shortfalls;
        for found in found {
            self.record(found, to)?;
        }
        Ok(())
    }

    /// The profiles that have new facts in `(since, to]`, each once, or whose facts came now.
    fn due(&self, snapshot: &Snapshot<'_>, since: Option<Timestamp>, to: Timestamp, touched: Vec<u32>) -> Vec<Due> {
        let memory = &snapshot.memory;
        let touched = with_holders(snapshot, touched);
        let reconsidered: HashSet<u32, FxBuildHasher> = touched.iter().copied().collect();
        let mut facts: Vec<(u32, u32)> = Vec::with_capacity(touched.len());
        for node in touched {
            facts.push((node, 0));
            facts.extend(memory.added_events(node).map(|event| (node, event)));
        }
        // Facts that lay in the future when they came are due when `to` passes them.
        if let Some(since) = since {
            if self.state.memory.view().greatest_occurred_at().is_some_and(|greatest| greatest > since) {
                memory.visit_times(since, to, |node, event| facts.push((node, event)));
            }
            facts.extend(snapshot.decisions.merged_between(since, to).map(|node| (node, 0)));
        }
        if !snapshot.partition.holds_nothing() {
            let nodes = with_holders(snapshot, facts.iter().map(|(node, _)| *node).collect());
            facts.extend(nodes.into_iter().map(|node| (node, 0)));
        }
        facts.sort_unstable();
        let changed: HashSet<u32, FxBuildHasher> = self.partition.changed().into_iter().collect();
        let mut due: Vec<Due> = Vec::new();
        let mut places: HashMap<u32, usize, FxBuildHasher> = HashMap::default();
        for of_node in facts.chunk_by(|left, right| left.0 == right.0) {
            let Some(node) = of_node.first().map(|(node, _)| *node) else { continue };
            let Some(somebody) = Due::of(snapshot, node, to) else { continue };
            let place = *places.entry(somebody.least_node()).or_insert_with(|| {
                let is_same = snapshot.partition.holds_nothing()
                    && since.is_some_and(|since| snapshot.partition.stands_since(node, since))
                    && !somebody.nodes.iter().any(|node| changed.contains(node));
                let reconsider = somebody.nodes.iter().any(|node| reconsidered.contains(node));
                due.push(Due { is_same, reconsider, ..somebody });
                due.len() - 1
            });
            if let Some(somebody) = due.get_mut(place) {
                somebody.events.extend(of_node.iter().map(|(_, event)| *event).filter(|event| *event != 0));
            }
        }
        due
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
    // The numbers of the names of the events that came, or fell due.
    events: Vec<u32>,
    // Whether facts came that may change what was said before.
    reconsider: bool,
    // Whether this is whom upkeep last looked at, with new events.
    is_same: bool,
}

impl Due {
    /// Who has a node at `to`; `None` for a value that belongs to whoever was linked last.
    fn of(snapshot: &Snapshot<'_>, node: u32, to: Timestamp) -> Option<Due> {
        let nodes = || snapshot.partition.nodes_of_at(node, to);
        let is_held = snapshot.partition.is_held_at(node, to);
        (!is_held).then(|| Due { nodes: nodes(), events: Vec::new(), reconsider: false, is_same: false })
    }

    fn least_node(&self) -> u32 {
        self.nodes.first().copied().unwrap_or_default()
    }
}

/// How often each name is among the events that are due.
fn counts_of(due: &[Due]) -> HashMap<u32, usize, FxBuildHasher> {
    let mut counts = HashMap::default();
    for event in due.iter().flat_map(|somebody| &somebody.events) {
        *counts.entry(*event).or_default() += 1;
    }
    counts
}

/// How events that leave a window can change an outcome.
#[derive(Clone, Copy, Default)]
struct Slid {
    may_enter: bool,
    may_exit: bool,
    // How many of them the counted requirement no longer counts.
    n_counted: usize,
}

/// The events that leave a window so long after they happened.
struct Sliding {
    offset_ms: i64,
    // `None` for every event.
    events: Option<Vec<u32>>,
    may_enter: bool,
    may_exit: bool,
    is_counted: bool,
}

/// Whom an audience can concern, in the numbers of the store.
struct Concern<'r> {
    lookbacks: Lookbacks,
    requirements: Vec<(Requirement<'r>, EventNames)>,
    // The place of the requirement whose count is followed as events come and leave its window.
    counted: Option<usize>,
    // Whether nothing ends a membership by leaving a window but what that requirement counts.
    counts_exits: bool,
    // What can end a membership by happening; `None` if every fact may.
    undoing: Option<EventNames>,
    slides: Vec<Sliding>,
    // Who has had no event of one of these sets of bits is not meant.
    needed: Vec<u64>,
}

/// The numbers of event names.
enum EventNames {
    Any,
    These(Vec<u32>),
}

impl EventNames {
    fn n_among(&self, events: &[u32]) -> usize {
        match self {
            EventNames::Any => events.len(),
            EventNames::These(these) => events.iter().filter(|event| these.contains(event)).count(),
        }
    }
}

impl<'r> Concern<'r> {
    fn of(audience: &'r AudienceDefinition, snapshot: &Snapshot<'r>) -> Result<Concern<'r>> {
        let reach = reach(&audience.rule, snapshot.catalog)?;
        let numbers =
            |names: &[String]| -> Vec<u32> { names.iter().filter_map(|name| snapshot.memory.name_id(name)).collect() };
        let requirements = requirements(&audience.rule, snapshot.catalog)?;
        let counted = requirements.iter().position(|requirement| requirement.window_ms.is_some());
        let is_counted = |slide: &Slide| {
            let requirement = counted.and_then(|place| requirements.get(place));
            requirement.is_some_and(|requirement| {
                requirement.window_ms == Some(slide.offset_ms) && requirement.events == slide.events
            })
        };
        // Of several leaves another could fail first, of which the slides look the same.
        let is_leaf = matches!(audience.rule, Rule::Leaf(_));
        let counts_exits = is_leaf && reach.slides.iter().all(|slide| !slide.may_exit || is_counted(slide));
        let first_counted = reach.slides.iter().position(is_counted);
        let slides = (0..).zip(&reach.slides).map(|(place, slide)| Sliding {
            offset_ms: slide.offset_ms,
            events: (!slide.events.is_empty()).then(|| numbers(&slide.events)),
            may_enter: slide.may_enter,
            may_exit: slide.may_exit,
            // The same events may slide in another direction too, and leave but once.
            is_counted: first_counted == Some(place),
        });
        let slides = slides.collect();
        let requirements = requirements.into_iter().map(|requirement| {
            let names = match requirement.events {
                [] => EventNames::Any,
                events => EventNames::These(numbers(events)),
            };
            (requirement, names)
        });
        let undoing = reach.undoing.map(|names| numbers(&names.into_iter().collect::<Vec<_>>()));
        let bits = |names: &Vec<String>| numbers(names).into_iter().fold(0, |bits, event| bits | event_bit(event));
        Ok(Concern {
            lookbacks: lookbacks(&audience.rule, snapshot.catalog)?,
            requirements: requirements.collect(),
            counted,
            counts_exits,
            undoing: undoing.map(EventNames::These),
            slides,
            needed: reach.needed.iter().map(bits).collect(),
        })
    }

    /// Whether a profile of these nodes has had what the rule needs.
    fn may_mean(&self, snapshot: &Snapshot<'_>, nodes: &[u32]) -> bool {
        let had = nodes.iter().fold(0, |bits, node| bits | snapshot.memory.firsts(*node).events());
        // Who holds values for a time is asked.
        let holds_values = !snapshot.partition.holds_nothing();
        holds_values || self.needed.iter().all(|needed| had & needed != 0)
    }

    /// Whether the outcome may change for everybody in `(since, to]`: a date in the rule, or one in somebody's traits.
    fn is_anybody_due(&self, since: Timestamp, to: Timestamp) -> bool {
        let a_date_is_due = self.lookbacks.absolute.iter().any(|instant| *instant > since && *instant <= to);
        a_date_is_due || !self.lookbacks.trait_offsets.is_empty()
    }

    /// The nodes for whom the outcome may change in `(since, to]` although nothing happened: a window slides over an
    /// event of theirs.
    fn sliding(&self, snapshot: &Snapshot<'_>, since: Timestamp, to: Timestamp) -> Vec<(u32, Slid)> {
        let mut nodes: HashMap<u32, Slid, FxBuildHasher> = HashMap::default();
        for sliding in &self.slides {
            // An event at e matters at e + offset, which lies in (since, to].
            let (after, up_to) = (since.plus_millis(-sliding.offset_ms), to.plus_millis(-sliding.offset_ms));
            snapshot.memory.visit_times(after, up_to, |node, event| {
                if event != 0 && sliding.events.as_ref().is_none_or(|events| events.contains(&event)) {
                    let found = nodes.entry(node).or_default();
                    found.may_enter |= sliding.may_enter;
                    found.may_exit |= sliding.may_exit;
                    found.n_counted += usize::from(sliding.is_counted);
                }
            });
        }
        let mut nodes: Vec<(u32, Slid)> = nodes.into_iter().collect();
        if !snapshot.partition.holds_nothing() {
            let own = |(node, slid): &(u32, Slid)| {
                let slid = *slid;
                snapshot.partition.holders_of(*node).into_iter().map(move |holder| (holder, slid))
            };
            nodes = nodes.iter().flat_map(own).collect();
        }
        nodes.sort_unstable_by_key(|(node, _)| *node);
        nodes
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

/// One audience on its way from `since` to `to`.
struct Upkeep<'u, 's> {
    people: &'u mut People<'s>,
    audience: &'u AudienceDefinition,
    concern: &'u Concern<'u>,
    // How often each name is among the events that are due.
    n_events: &'u HashMap<u32, usize, FxBuildHasher>,
    members: Members<'u>,
    since: Option<Timestamp>,
    to: Timestamp,
    shortfalls: KnownShortfalls<'u>,
    // The least nodes of those who need no further look.
    seen: HashSet<u32, FxBuildHasher>,
}

impl Upkeep<'_, '_> {
    fn is_in(&self, nodes: &[u32]) -> bool {
        nodes.iter().any(|node| self.members.contains(*node))
    }

    /// What became of somebody for whom something happened.
    fn look_at(&mut self, somebody: &Due) -> Result<Option<Found>> {
        let (node, snapshot) = (somebody.least_node(), self.people.snapshot);
        if self.seen.contains(&node) {
            return Ok(None);
        }
        let is_in = self.is_in(&somebody.nodes);
        if somebody.is_same && is_in {
            let undoing = self.concern.undoing.as_ref();
            let may_end = undoing.is_none_or(|undoing| undoing.n_among(&somebody.events) > 0);
            // A late fact can name another node first, under which the membership is to stand then.
            if !may_end && self.members.contains(snapshot.first_node(&somebody.nodes)) {
                // A window may still slide for them.
                return Ok(None);
            }
        } else if somebody.is_same
            && let Some(known) = self.shortfalls.get(node)
            && let Some((_, names)) = self.concern.requirements.get(usize::from(known.requirement))
        {
            let left = known.after(names.n_among(&somebody.events));
            self.shortfalls.set(node, left);
            if left.is_some() {
                self.seen.insert(node);
                return Ok(None);
            }
        } else {
            self.shortfalls.set(node, None);
        }
        if !is_in && !self.concern.may_mean(snapshot, &somebody.nodes) {
            return Ok(None);
        }
        self.seen.insert(node);
        self.evaluate(somebody.nodes.clone(), somebody.reconsider)
    }

    /// What became of somebody for whom a window slid.
    fn slide(&mut self, node: u32, slid: Slid) -> Result<Option<Found>> {
        let partition = self.people.snapshot.partition;
        if partition.is_held_at(node, self.to) {
            return Ok(None);
        }
        // Who stood together at `to` does so today: one look at them all spares most the exact one.
        let together = partition.members(node);
        let is_in = self.is_in(&together);
        let may_enter = slid.may_enter && self.concern.may_mean(self.people.snapshot, &together);
        if !is_in && !may_enter && slid.n_counted == 0 {
            return Ok(None);
        }
        let nodes = partition.nodes_of_at(node, self.to);
        let least = nodes.first().copied().unwrap_or(node);
        if self.seen.contains(&least) {
            return Ok(None);
        }
        let is_in = self.is_in(&nodes);
        let stands = self.since.is_some_and(|since| partition.stands_since(node, since)) && partition.holds_nothing();
        let known = self.shortfalls.get(least).filter(|_| stands);
        let counted = known.filter(|known| self.concern.counted == Some(usize::from(known.requirement)));
        if let Some(counted) = counted.filter(|_| slid.n_counted > 0) {
            if !is_in {
                // What has left must come once more.
                self.shortfalls.set(least, Some(counted.without(slid.n_counted)));
            } else if counted.spares(slid.n_counted) {
                self.shortfalls.set(least, counted.after(slid.n_counted));
                return Ok(None);
            }
        }
        let may_flip = if is_in { slid.may_exit } else { slid.may_enter };
        if !may_flip || !(is_in || self.concern.may_mean(self.people.snapshot, &nodes)) {
            return Ok(None);
        }
        self.seen.insert(least);
        // Nothing came for them but time, and time gives nobody what they lack.
        if !is_in && known.is_some() {
            return Ok(None);
        }
        self.evaluate(nodes, false)
    }

    /// What the profile lacks, if it lacks anything that only events can give: of all that it lacks what is longest in coming,
    /// as far as the events tell that are due now.
    fn shortfall(&self, person: &Person<'_>) -> Result<Option<Shortfall>> {
        let mut longest: Option<(f64, Shortfall)> = None;
        let n_all: usize = self.n_events.values().sum();
        for (place, (requirement, names)) in self.concern.requirements.iter().enumerate() {
            let lacking = requirement.shortfall(person, self.to)?.unwrap_or(0);
            let n_of_names = match names {
                EventNames::Any => n_all,
                EventNames::These(these) => these.iter().filter_map(|event| self.n_events.get(event)).sum(),
            };
            let awaited = lacking as f64 * (n_all + 1) as f64 / (n_of_names + 1) as f64;
            if longest.is_none_or(|(longest, _)| awaited > longest)
                && let Some(shortfall) = Shortfall::new(place, lacking)
            {
                longest = Some((awaited, shortfall));
            }
        }
        Ok(longest.map(|(_, shortfall)| shortfall))
    }

    /// What a member has to spare, where that tells how long they stay one while nothing happens.
    fn spare(&self, person: &Person<'_>) -> Result<Option<Shortfall>> {
        let Some(place) = self.concern.counted.filter(|_| self.concern.counts_exits) else { return Ok(None) };
        let Some((requirement, _)) = self.concern.requirements.get(place) else { return Ok(None) };
        Ok(requirement.spare(person, self.to)?.and_then(|spare| Shortfall::new(place, spare)))
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
            instants.extend(part.first_seen_in(*start, end));
            parts.insert(*start, part);
        }
        let is_member_at = |at: Timestamp| match parts.range(..=at).next_back() {
            Some((_, part)) => Ok(part.exists_at(at) && is_member(self.audience, part.as_ref(), at)?),
            None => Ok(false),
        };
        let said = Said { member: was_member, since: self.since, reconsider };
        let flips = flips(said, &instants, self.to, &is_member_at)?;
        let is_member = flips.last().map_or(was_member, |flip| flip.entered);
        let known = if is_member { self.spare(&person)? } else { self.shortfall(&person)? };
        self.shortfalls.set(least_node, known);
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
        self.write(|writing| {
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
        self.write(|writing| {
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
