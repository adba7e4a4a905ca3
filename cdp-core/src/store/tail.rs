//! The tail: facts of nodes from messages after the last run, in RAM.
//!
//! It takes observations in log order and leaves the facts of each node. Events stand in log order, each with the row
//! of the event before it of its node, so adding a batch moves none of them. A tail that becomes a run is frozen:
//! sorted by node and immutable.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroU64;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::columns::Columns;
use super::firsts::{Firsts, event_bit};
use super::node_facts::{Annex, EventEntry, Observation, least, sort_if_needed};
use super::runs::{FrozenFacts, FrozenTail};
use crate::records::{Timestamp, Value};

/// The row before a node's first event.
const NOWHERE: u32 = u32::MAX;

/// Facts by node, and the property columns of their events.
#[derive(Clone)]
pub(super) struct Tail {
    /// A row for each event.
    pub(super) columns: Columns,
    events: Vec<TailEvent>,
    nodes: Vec<TailNode>,
    places: HashMap<u32, u32, FxBuildHasher>,
    // The names of the last message's traits, shared with the next message where they are equal.
    trait_names: Vec<Arc<str>>,
}

/// An event; its row of properties is its place among the events.
#[derive(Clone, Copy)]
struct TailEvent {
    occurred_at: Timestamp,
    sequence: u64,
    event: u32,
    /// The place of its node in `nodes`.
    place: u32,
    /// The row of the previous event of its node.
    before: u32,
}

/// The facts of one node in a tail.
#[derive(Clone)]
struct TailNode {
    node: u32,
    /// The row of its last event.
    last: u32,
    first_named_at: Timestamp,
    first_sequence: Option<NonZeroU64>,
    /// Whether a message of another node names it.
    is_named: bool,
    /// All other facts; most nodes have none. The beginnings in it are not set.
    rest: Option<Box<Annex>>,
}

impl TailNode {
    fn new(node: u32, first_named_at: Timestamp) -> TailNode {
        TailNode { node, last: NOWHERE, first_named_at, first_sequence: None, is_named: false, rest: None }
    }

    /// Records that a message names the node; `identified_by` is its sequence if it is an identify message.
    fn name(&mut self, at: Timestamp, identified_by: Option<u64>) {
        self.first_named_at = self.first_named_at.min(at);
        if let Some(sequence) = identified_by {
            self.rest.get_or_insert_default().identify(at, vec![sequence]);
        }
    }

    /// Adds the facts of a later part of the log, except its events.
    fn add(&mut self, later: TailNode) {
        self.first_named_at = self.first_named_at.min(later.first_named_at);
        self.first_sequence = least(self.first_sequence, later.first_sequence);
        self.is_named |= later.is_named;
        match (&mut self.rest, later.rest) {
            (Some(rest), Some(more)) => rest.add(*more),
            (rest @ None, more) => *rest = more,
            (Some(_), None) => {}
        }
    }
}

impl Tail {
    pub(super) fn new(columns: Columns) -> Tail {
        Tail { columns, events: Vec::new(), nodes: Vec::new(), places: HashMap::default(), trait_names: Vec::new() }
    }

    /// Whether the tail has no node.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn place_of(&mut self, node: u32, at: Timestamp) -> u32 {
        *self.places.entry(node).or_insert_with(|| {
            self.nodes.push(TailNode::new(node, at));
            self.nodes.len() as u32 - 1
        })
    }

    /// Adds a message. `committed` has the known facts of the node besides its events.
    pub(super) fn observe(&mut self, observation: Observation<'_>, committed: Option<&Annex>) {
        let Observation {
            sequence,
            node,
            occurred_at,
            event,
            properties,
            traits,
            consents,
            accounts,
            named,
            identifies,
        } = observation;
        let identified_by = identifies.then_some(sequence);
        for other in named {
            let place = self.place_of(other, occurred_at);
            if let Some(facts) = self.nodes.get_mut(place as usize) {
                facts.is_named = true;
                facts.name(occurred_at, identified_by);
            }
        }
        let row = self.columns.n_rows();
        let place = self.place_of(node, occurred_at);
        let Some(facts) = self.nodes.get_mut(place as usize) else { return };
        facts.name(occurred_at, identified_by);
        facts.first_sequence = least(facts.first_sequence, NonZeroU64::new(sequence));
        if !(traits.is_empty() && consents.is_empty() && accounts.is_empty()) {
            let rest = facts.rest.get_or_insert_default();
            rest.take_writes((sequence, occurred_at), (traits, consents, accounts), committed, &mut self.trait_names);
        }
        match event {
            Some(event) => {
                let before = std::mem::replace(&mut facts.last, row);
                self.events.push(TailEvent { occurred_at, sequence, event, place, before });
                self.columns.push(properties.json());
            }
            None => facts.rest.get_or_insert_default().others.push((occurred_at, sequence)),
        }
    }

    /// Adds the facts of a later part of the log.
    pub(super) fn append(&mut self, later: Tail) {
        let first_row = self.columns.n_rows();
        let mut places = Vec::with_capacity(later.nodes.len());
        for mut node in later.nodes {
            node.last = NOWHERE;
            places.push(match self.places.entry(node.node) {
                Entry::Occupied(known) => {
                    if let Some(known) = self.nodes.get_mut(*known.get() as usize) {
                        known.add(node);
                    }
                    *known.get()
                }
                Entry::Vacant(new) => {
                    self.nodes.push(node);
                    *new.insert(self.nodes.len() as u32 - 1)
                }
            });
        }
        self.events.reserve(later.events.len());
        for (row, event) in (first_row..).zip(later.events) {
            let place = places.get(event.place as usize).copied().unwrap_or(NOWHERE);
            let Some(node) = self.nodes.get_mut(place as usize) else { continue };
            let before = std::mem::replace(&mut node.last, row);
            self.events.push(TailEvent { place, before, ..event });
        }
        self.columns.append(&later.columns);
    }

    /// The facts of a node. `first_row` is the number of the first row of these columns.
    pub(super) fn get(&self, node: u32, first_row: u32) -> Option<NodeFacts<'_>> {
        let node = self.nodes.get(*self.places.get(&node)? as usize)?;
        Some(self.facts(node, first_row))
    }

    fn facts<'t>(&'t self, node: &'t TailNode, first_row: u32) -> NodeFacts<'t> {
        NodeFacts {
            events: NodeEvents { sorted: &[], tail: Some(self), next: node.last, first_row },
            first_named_at: Some(node.first_named_at),
            first_sequence: node.first_sequence.map(NonZeroU64::get),
            rest: node.rest.as_deref(),
        }
    }

    /// The facts of each node, in the order in which the nodes were first named.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (u32, NodeFacts<'_>)> {
        self.nodes.iter().map(|node| (node.node, self.facts(node, 0)))
    }

    /// The numbers of the nodes, in the order in which they were first named.
    pub(super) fn node_numbers(&self) -> impl Iterator<Item = u32> {
        self.nodes.iter().map(|node| node.node)
    }

    /// Every event with its node, in log order.
    pub(super) fn events(&self) -> impl Iterator<Item = (u32, EventEntry)> {
        (0..).zip(&self.events).map(|(row, event)| {
            let node = self.nodes.get(event.place as usize).map_or(0, |node| node.node);
            (node, event.entry(row))
        })
    }

    /// The instants at which messages name nodes, except messages of the node itself that are events; some of those as
    /// well.
    pub(super) fn other_times(&self) -> impl Iterator<Item = (u32, Timestamp)> {
        self.nodes.iter().flat_map(|node| {
            let named_at = node.is_named.then_some(node.first_named_at);
            let others = node.rest.iter().flat_map(|rest| &rest.others).map(|(occurred_at, _)| *occurred_at);
            named_at.into_iter().chain(others).map(|at| (node.node, at))
        })
    }

    /// The facts sorted by node. A node that is only named, and of which `named_before` finds an earlier naming, is
    /// left out: every message names most nodes of its person, and such a node would cost a read of the run.
    pub(super) fn freeze(self, named_before: impl Fn(u32, Timestamp) -> bool) -> Frozen {
        let mut frozen = Frozen {
            nodes: Vec::with_capacity(self.nodes.len()),
            events: Vec::with_capacity(self.events.len()),
            columns: self.columns,
        };
        let (events, mut nodes) = (self.events, self.nodes);
        nodes.sort_unstable_by_key(|node| node.node);
        for node in nodes {
            let first_named_at = Some(node.first_named_at).filter(|at| !named_before(node.node, *at));
            let has_facts = node.last != NOWHERE || node.rest.is_some() || node.first_sequence.is_some();
            if first_named_at.is_none() && !has_facts {
                continue;
            }
            let start = frozen.events.len();
            let mut row = node.last;
            while let Some(event) = events.get(row as usize) {
                frozen.events.push(event.entry(row));
                row = event.before;
            }
            if let Some(own) = frozen.events.get_mut(start..) {
                own.reverse();
                sort_if_needed(own, |entry| (entry.occurred_at, entry.sequence));
            }
            frozen.nodes.push(FrozenNode {
                node: node.node,
                events_end: frozen.events.len() as u32,
                first_named_at,
                first_sequence: node.first_sequence,
                rest: node.rest,
            });
        }
        frozen
    }
}

impl TailEvent {
    fn entry(&self, row: u32) -> EventEntry {
        EventEntry { occurred_at: self.occurred_at, sequence: self.sequence, event: self.event, row }
    }
}

/// The events of a node in RAM, in no order.
#[derive(Clone)]
pub(crate) struct NodeEvents<'t> {
    sorted: &'t [EventEntry],
    tail: Option<&'t Tail>,
    next: u32,
    first_row: u32,
}

impl Iterator for NodeEvents<'_> {
    type Item = EventEntry;

    fn next(&mut self) -> Option<EventEntry> {
        if let Some((first, rest)) = self.sorted.split_first() {
            self.sorted = rest;
            return Some(*first);
        }
        let row = self.next;
        let event = self.tail?.events.get(row as usize)?;
        self.next = event.before;
        Some(event.entry(self.first_row + row))
    }
}

/// The facts of a node in one part of the log in RAM.
#[derive(Clone)]
pub(crate) struct NodeFacts<'t> {
    /// Tracks, pages and screens.
    pub(crate) events: NodeEvents<'t>,
    /// The least `occurred_at` of a message that names the node.
    pub(crate) first_named_at: Option<Timestamp>,
    /// The least sequence of a message of the node.
    pub(crate) first_sequence: Option<u64>,
    /// All other facts. The beginnings in it are not set.
    pub(crate) rest: Option<&'t Annex>,
}

impl NodeFacts<'_> {
    /// Adds everything except the events to the known facts of the node.
    pub(super) fn add_rest_to(&self, annex: &mut Annex) {
        annex.first_named_at = least(annex.first_named_at, self.first_named_at);
        annex.first_sequence = least(annex.first_sequence, self.first_sequence);
        if let Some(rest) = self.rest {
            annex.add(rest.clone());
        }
    }

    /// Adds the beginnings of the node in this part to the known ones.
    pub(super) fn include_in(&self, firsts: &mut Firsts) {
        let events = self.events.clone().fold(0, |bits, entry| bits | event_bit(entry.event));
        firsts.include(self.first_named_at, self.first_sequence, events);
    }
}

/// A tail that is being written as a run.
pub(crate) struct Frozen {
    nodes: Vec<FrozenNode>,
    // By node, then by (occurred_at, sequence).
    events: Vec<EventEntry>,
    pub(super) columns: Columns,
}

struct FrozenNode {
    node: u32,
    /// The end of its events in `events`; they begin at the end of the node before.
    events_end: u32,
    first_named_at: Option<Timestamp>,
    first_sequence: Option<NonZeroU64>,
    rest: Option<Box<Annex>>,
}

impl Frozen {
    pub(super) fn get(&self, node: u32) -> Option<NodeFacts<'_>> {
        let place = self.nodes.binary_search_by_key(&node, |known| known.node).ok()?;
        let FrozenFacts { events, first_named_at, first_sequence, rest, .. } = self.node(place)?;
        let events = NodeEvents { sorted: events, tail: None, next: NOWHERE, first_row: 0 };
        Some(NodeFacts { events, first_named_at, first_sequence, rest })
    }

    /// The instants at which messages name nodes, except those of events.
    pub(super) fn other_times(&self) -> impl Iterator<Item = (u32, Timestamp)> {
        self.nodes.iter().flat_map(|node| {
            let others = node.rest.iter().flat_map(|rest| &rest.others).map(|(occurred_at, _)| *occurred_at);
            node.first_named_at.into_iter().chain(others).map(|at| (node.node, at))
        })
    }

    /// Every event with its node, by node.
    pub(super) fn events(&self) -> impl Iterator<Item = (u32, EventEntry)> {
        (0..self.nodes.len()).filter_map(|place| self.node(place)).flat_map(|facts| {
            let node = facts.node;
            facts.events.iter().map(move |entry| (node, *entry))
        })
    }
}

impl FrozenTail for Frozen {
    fn node(&self, index: usize) -> Option<FrozenFacts<'_>> {
        let node = self.nodes.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => self.nodes.get(before)?.events_end,
            None => 0,
        };
        Some(FrozenFacts {
            node: node.node,
            events: self.events.get(start as usize..node.events_end as usize)?,
            first_named_at: node.first_named_at,
            first_sequence: node.first_sequence.map(NonZeroU64::get),
            rest: node.rest.as_deref(),
        })
    }

    fn cell(&self, column: usize, row: u32) -> Option<Cow<'_, Value>> {
        self.columns.get(column, row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::node_facts::EventProperties;

    fn named(sequence: u64, at: i64, node: u32, named: &[u32], identifies: bool) -> Observation<'static> {
        Observation {
            sequence,
            node,
            occurred_at: Timestamp::from_millis(at),
            event: Some(1),
            properties: EventProperties::None,
            traits: Vec::new(),
            consents: Vec::new(),
            accounts: Vec::new(),
            named: named.to_vec(),
            identifies,
        }
    }

    fn empty() -> Tail {
        Tail::new(Columns::new(Arc::from([])))
    }

    #[test]
    fn a_node_that_was_only_named_again_is_not_written() {
        let mut tail = empty();
        tail.observe(named(1, 50, 1, &[2, 3, 4], false), None);
        tail.observe(named(2, 60, 1, &[5], true), None);
        // All were named at 40 before, except 3 at 50 and 4 never.
        let before = |node: u32, at: Timestamp| match node {
            3 => 50 < at.millis(),
            4 => false,
            _ => 40 < at.millis(),
        };
        let frozen = tail.freeze(before);
        let nodes: Vec<_> =
            (0..).map_while(|index| frozen.node(index)).map(|facts| (facts.node, facts.first_named_at)).collect();
        let at_50 = Some(Timestamp::from_millis(50));
        // The first has events, and 5 the evidence that an identify message named it.
        assert_eq!(nodes, [(1, None), (3, at_50), (4, at_50), (5, None)]);
    }

    #[test]
    fn appending_a_tail_joins_the_facts_of_both() {
        let mut whole = empty();
        let mut parts = [empty(), empty()];
        for sequence in 1..=40u64 {
            let (node, at) = (sequence as u32 * 7 % 5, (sequence as i64 * 13) % 17);
            let observation = || named(sequence, at, node, &[node + 1, 9], sequence % 6 == 0);
            whole.observe(observation(), None);
            parts[usize::from(sequence > 25)].observe(observation(), None);
        }
        let [mut joined, later] = parts;
        joined.append(later);
        let facts = |tail: &Tail, node: u32| {
            let mut facts = tail.get(node, 100).unwrap();
            let mut events: Vec<_> = facts.events.by_ref().map(|entry| (entry.sequence, entry.row)).collect();
            events.sort_unstable();
            (events, facts.first_named_at, facts.first_sequence, facts.rest.map(|rest| format!("{rest:?}")))
        };
        for node in [0, 1, 2, 3, 4, 5, 9] {
            assert_eq!(facts(&joined, node), facts(&whole, node), "{node}");
        }
        assert!(joined.get(77, 0).is_none());
        let sequences = |tail: &Tail| tail.events().map(|(node, entry)| (node, entry.sequence)).collect::<Vec<_>>();
        assert_eq!(sequences(&joined), sequences(&whole));
        // By node, then by time.
        let [joined, whole] = [joined, whole].map(|tail| tail.freeze(|_, _| false));
        let frozen = |frozen: &Frozen| {
            frozen.events().map(|(node, entry)| (node, entry.occurred_at, entry.row)).collect::<Vec<_>>()
        };
        assert_eq!(frozen(&joined), frozen(&whole));
        assert!(frozen(&whole).is_sorted_by_key(|(node, at, row)| (*node, *at, *row)));
    }
}
