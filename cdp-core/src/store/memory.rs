//! RAM as the last committed state: nodes, their timelines and the property columns that definitions ask for.
//!
//! [`Memory`] mirrors the log up to one sequence. A transaction adds to an [`Overlay`] and reads both through a
//! [`MemoryView`]; [`Memory::fold`] takes the overlay in after COMMIT. Everything here can be rebuilt from the log.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crate::records::{Path, Timestamp, Value};

/// An identifier: its type (by name number) and normalized value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct NodeKey {
    pub(crate) identifier_type: u32,
    pub(crate) value: Arc<str>,
}

/// An event on a node's timeline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventEntry {
    pub(crate) occurred_at: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) event: u32,
    pub(crate) row: u32,
}

/// A trait that a message set; null is a tombstone.
#[derive(Clone, Debug)]
pub(crate) struct TraitWrite {
    pub(crate) occurred_at: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) name: Arc<str>,
    pub(crate) value: Arc<Value>,
}

/// A choice about the use of personal data. Without purpose: every purpose that is known is denied.
#[derive(Clone, Debug)]
pub(crate) struct ConsentWrite {
    pub(crate) occurred_at: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) purpose: Option<Arc<str>>,
    pub(crate) channel: Option<Arc<str>>,
    pub(crate) granted: bool,
}

/// What the log says about one node.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeFacts {
    /// Tracks, pages and screens; in the base sorted by (occurred_at, sequence).
    pub(crate) events: Vec<EventEntry>,
    /// Messages of the other types.
    pub(crate) others: Vec<(Timestamp, u64)>,
    /// Traits that messages of this node set, in log order.
    pub(crate) traits: Vec<TraitWrite>,
    /// Choices that messages of this node made, in log order.
    pub(crate) consents: Vec<ConsentWrite>,
    /// The least occurred_at of a message that names the node.
    pub(crate) first_named_at: Option<Timestamp>,
    /// The least sequence of a message of its own.
    pub(crate) first_sequence: Option<u64>,
    /// When an identify message first named the node, and the sequences of all that did so at that instant.
    pub(crate) first_identified: Option<(Timestamp, Vec<u64>)>,
}

impl NodeFacts {
    fn add(&mut self, other: NodeFacts) {
        let was_sorted_to = self.events.last().map(|entry| (entry.occurred_at, entry.sequence));
        let in_order = other
            .events
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if (a.occurred_at, a.sequence) <= (b.occurred_at, b.sequence)))
            && other
                .events
                .first()
                .is_none_or(|first| was_sorted_to.is_none_or(|last| last <= (first.occurred_at, first.sequence)));
        self.events.extend(other.events);
        if !in_order {
            self.events.sort_unstable_by_key(|entry| (entry.occurred_at, entry.sequence));
        }
        self.others.extend(other.others);
        self.traits.extend(other.traits);
        self.consents.extend(other.consents);
        self.first_named_at = earliest(self.first_named_at, other.first_named_at);
        self.first_sequence = earliest(self.first_sequence, other.first_sequence);
        if let Some((at, sequences)) = other.first_identified {
            self.identify(at, sequences);
        }
    }

    fn identify(&mut self, at: Timestamp, sequences: Vec<u64>) {
        match &mut self.first_identified {
            Some((first, _)) if *first < at => {}
            Some((first, tied)) if *first == at => tied.extend(sequences),
            first => *first = Some((at, sequences)),
        }
    }

    /// Whether a message belongs to the node.
    pub(crate) fn has_message(&self) -> bool {
        self.first_sequence.is_some()
    }
}

fn earliest<T: Ord>(left: Option<T>, right: Option<T>) -> Option<T> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}

/// Property values of events, one column for each path that a definition reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    paths: HashMap<Path, usize>,
    cells: Vec<Vec<Value>>,
    n_rows: u32,
}

impl Columns {
    fn with_paths(paths: impl IntoIterator<Item = Path>) -> Columns {
        let mut columns = Columns::default();
        for path in paths {
            let next = columns.cells.len();
            columns.paths.entry(path).or_insert_with(|| {
                columns.cells.push(Vec::new());
                next
            });
        }
        columns
    }

    fn push(&mut self, properties: Option<&Value>) {
        for (path, index) in &self.paths {
            let value = properties.and_then(|properties| path.find(properties)).unwrap_or_default();
            if let Some(column) = self.cells.get_mut(*index) {
                column.push(value);
            }
        }
        self.n_rows += 1;
    }

    fn append(&mut self, other: Columns) {
        for (column, more) in self.cells.iter_mut().zip(other.cells) {
            column.extend(more);
        }
        self.n_rows += other.n_rows;
    }

    fn get(&self, path: &Path, row: u32) -> Option<&Value> {
        let column = self.cells.get(*self.paths.get(path)?)?;
        column.get(row as usize).filter(|value| !value.is_null())
    }
}

/// What a message says, as far as RAM mirrors it.
pub(crate) struct Observation<'m> {
    pub(crate) sequence: u64,
    pub(crate) node: u32,
    pub(crate) occurred_at: Timestamp,
    /// The event name's number, for tracks, pages and screens.
    pub(crate) event: Option<u32>,
    /// The event's properties.
    pub(crate) properties: Option<Cow<'m, Value>>,
    /// The traits it sets on its profile.
    pub(crate) traits: Vec<(&'m str, &'m Value)>,
    /// The choices it makes: purpose, channel, granted.
    pub(crate) consents: Vec<(Option<&'m str>, Option<&'m str>, bool)>,
    /// Further nodes that it names.
    pub(crate) named: Vec<u32>,
    /// Whether it is an identify message.
    pub(crate) identifies: bool,
}

/// How many of a node's last trait writes are looked at for one of the same name.
const REMEMBERED_TRAITS: usize = 32;

/// The committed state.
#[derive(Default)]
pub(crate) struct Memory {
    /// The last message that is mirrored.
    pub(crate) sequence: u64,
    names: Vec<Arc<str>>,
    name_ids: HashMap<Arc<str>, u32>,
    nodes: Vec<NodeKey>,
    node_ids: HashMap<NodeKey, u32>,
    facts: Vec<NodeFacts>,
    columns: Columns,
    // When which node has a message, to find the profiles for whom a window slides or a fact comes due.
    happened: BTreeSet<(Timestamp, u32)>,
    greatest_occurred_at: Option<Timestamp>,
}

/// What one transaction adds.
#[derive(Default)]
pub(crate) struct Overlay {
    names: Vec<Arc<str>>,
    name_ids: HashMap<Arc<str>, u32>,
    nodes: Vec<NodeKey>,
    node_ids: HashMap<NodeKey, u32>,
    facts: HashMap<u32, NodeFacts>,
    columns: Columns,
    sequence: u64,
    greatest_occurred_at: Option<Timestamp>,
}

impl Memory {
    /// An empty state that will keep these property columns.
    pub(crate) fn new(paths: impl IntoIterator<Item = Path>) -> Memory {
        Memory { columns: Columns::with_paths(paths), ..Memory::default() }
    }

    /// An overlay for a transaction that starts from this state.
    pub(crate) fn overlay(&self) -> Overlay {
        Overlay { columns: Columns::with_paths_of(&self.columns), sequence: self.sequence, ..Overlay::default() }
    }

    /// Takes in what a committed transaction has added.
    pub(crate) fn fold(&mut self, overlay: Overlay) {
        for name in overlay.names {
            let id = self.names.len() as u32 + 1;
            self.name_ids.insert(name.clone(), id);
            self.names.push(name);
        }
        for key in overlay.nodes {
            let id = self.nodes.len() as u32;
            self.node_ids.insert(key.clone(), id);
            self.nodes.push(key);
            self.facts.push(NodeFacts::default());
        }
        for (node, added) in overlay.facts {
            let events = added.events.iter().map(|event| event.occurred_at);
            let others = added.others.iter().map(|(occurred_at, _)| *occurred_at);
            for occurred_at in events.chain(others).chain(added.first_named_at) {
                self.happened.insert((occurred_at, node));
            }
            if let Some(facts) = self.facts.get_mut(node as usize) {
                facts.add(added);
            }
        }
        self.columns.append(overlay.columns);
        self.sequence = overlay.sequence;
        self.greatest_occurred_at = self.greatest_occurred_at.max(overlay.greatest_occurred_at);
    }

    /// This state without additions.
    pub(crate) fn view(&self) -> MemoryView<'_> {
        MemoryView { base: self, overlay: None, extra: None }
    }

    /// How many names there are; the next name gets the number after it.
    pub(crate) fn n_names(&self) -> u32 {
        self.names.len() as u32
    }

    /// How many nodes there are; the next node gets this number.
    pub(crate) fn n_nodes(&self) -> u32 {
        self.nodes.len() as u32
    }
}

impl Columns {
    fn with_paths_of(other: &Columns) -> Columns {
        Columns { paths: other.paths.clone(), cells: vec![Vec::new(); other.cells.len()], n_rows: 0 }
    }
}

impl Overlay {
    /// The number of a name, taking a new one if it is not known; `true` if it is new.
    pub(crate) fn name(&mut self, base: &Memory, name: &str) -> (u32, bool) {
        if let Some(id) = base.name_ids.get(name).or_else(|| self.name_ids.get(name)) {
            return (*id, false);
        }
        let name: Arc<str> = Arc::from(name);
        let id = base.n_names() + self.names.len() as u32 + 1;
        self.name_ids.insert(name.clone(), id);
        self.names.push(name);
        (id, true)
    }

    /// The number of a node, taking a new one if it is not known; `true` if it is new.
    pub(crate) fn node(&mut self, base: &Memory, key: NodeKey) -> (u32, bool) {
        if let Some(id) = base.node_ids.get(&key).or_else(|| self.node_ids.get(&key)) {
            return (*id, false);
        }
        let id = base.n_nodes() + self.nodes.len() as u32;
        self.node_ids.insert(key.clone(), id);
        self.nodes.push(key);
        (id, true)
    }

    /// Adds a message that the log has accepted.
    pub(crate) fn observe(&mut self, base: &Memory, observation: Observation<'_>) {
        let Observation { sequence, node, occurred_at, event, properties, traits, consents, named, identifies } =
            observation;
        self.sequence = self.sequence.max(sequence);
        self.greatest_occurred_at = self.greatest_occurred_at.max(Some(occurred_at));
        let row = base.columns.n_rows + self.columns.n_rows;
        if event.is_some() {
            self.columns.push(properties.as_deref());
        }
        for other in named {
            let facts = self.facts.entry(other).or_default();
            facts.first_named_at = earliest(facts.first_named_at, Some(occurred_at));
            if identifies {
                facts.identify(occurred_at, vec![sequence]);
            }
        }
        let committed = base.facts.get(node as usize);
        let facts = self.facts.entry(node).or_default();
        facts.first_named_at = earliest(facts.first_named_at, Some(occurred_at));
        facts.first_sequence = earliest(facts.first_sequence, Some(sequence));
        if identifies {
            facts.identify(occurred_at, vec![sequence]);
        }
        match event {
            Some(event) => facts.events.push(EventEntry { occurred_at, sequence, event, row }),
            None => facts.others.push((occurred_at, sequence)),
        }
        for (name, value) in traits {
            // A source that repeats a trait on every row costs no copy of its name and value.
            let before =
                facts.traits.iter().rev().chain(committed.into_iter().flat_map(|facts| facts.traits.iter().rev()));
            let (name, value) = match before.take(REMEMBERED_TRAITS).find(|write| write.name.as_ref() == name) {
                Some(write) if *write.value == *value => (write.name.clone(), write.value.clone()),
                Some(write) => (write.name.clone(), Arc::new(value.clone())),
                None => (Arc::from(name), Arc::new(value.clone())),
            };
            facts.traits.push(TraitWrite { occurred_at, sequence, name, value });
        }
        for (purpose, channel, granted) in consents {
            let (purpose, channel) = (purpose.map(Arc::from), channel.map(Arc::from));
            facts.consents.push(ConsentWrite { occurred_at, sequence, purpose, channel, granted });
        }
    }

    /// The nodes that got a message, or were named by one, in the order of their numbers.
    pub(crate) fn touched(&self) -> BTreeSet<u32> {
        self.facts.keys().copied().collect()
    }

    /// The nodes that an identify message of this transaction names at the first instant that one ever did.
    pub(crate) fn reidentified(&self, base: &Memory) -> BTreeSet<u32> {
        let first = |facts: Option<&NodeFacts>| facts?.first_identified.as_ref().map(|(at, _)| *at);
        let is_new = |node: u32, added: &NodeFacts| {
            let before = first(base.facts.get(node as usize));
            first(Some(added)).is_some_and(|at| before.is_none_or(|before| at <= before))
        };
        self.facts.iter().filter(|(node, added)| is_new(**node, added)).map(|(node, _)| *node).collect()
    }

    /// The state with these additions.
    pub(crate) fn view<'a>(&'a self, base: &'a Memory) -> MemoryView<'a> {
        MemoryView { base, overlay: Some(self), extra: None }
    }
}

/// Property columns that only one query asks for; built from the log, in row order.
#[derive(Debug, Default)]
pub(crate) struct ExtraColumns(Columns);

impl ExtraColumns {
    pub(crate) fn new(paths: impl IntoIterator<Item = Path>) -> ExtraColumns {
        ExtraColumns(Columns::with_paths(paths))
    }

    /// The properties of the next event in the log.
    pub(crate) fn push(&mut self, properties: Option<&Value>) {
        self.0.push(properties);
    }
}

/// The state as one transaction sees it.
#[derive(Clone, Copy)]
pub(crate) struct MemoryView<'a> {
    base: &'a Memory,
    overlay: Option<&'a Overlay>,
    extra: Option<&'a ExtraColumns>,
}

impl<'a> MemoryView<'a> {
    /// The same state with more columns.
    pub(crate) fn with_extra(self, extra: &'a ExtraColumns) -> MemoryView<'a> {
        MemoryView { extra: Some(extra), ..self }
    }

    /// The name of a number.
    pub(crate) fn name(&self, id: u32) -> &'a str {
        let index = (id as usize).wrapping_sub(1);
        let added = || self.overlay.and_then(|overlay| overlay.names.get(index.wrapping_sub(self.base.names.len())));
        self.base.names.get(index).or_else(added).map_or("", |name| name)
    }

    /// The number of a name.
    pub(crate) fn name_id(&self, name: &str) -> Option<u32> {
        self.base.name_ids.get(name).or_else(|| self.overlay?.name_ids.get(name)).copied()
    }

    /// The node of an identifier.
    pub(crate) fn node_id(&self, identifier_type: &str, value: &str) -> Option<u32> {
        let key = NodeKey { identifier_type: self.name_id(identifier_type)?, value: Arc::from(value) };
        self.base.node_ids.get(&key).or_else(|| self.overlay?.node_ids.get(&key)).copied()
    }

    fn node_key(&self, node: u32) -> Option<&'a NodeKey> {
        let index = node as usize;
        let added = || self.overlay.and_then(|overlay| overlay.nodes.get(index.wrapping_sub(self.base.nodes.len())));
        self.base.nodes.get(index).or_else(added)
    }

    /// The identifier of a node: type and value.
    pub(crate) fn node(&self, node: u32) -> (&'a str, &'a str) {
        self.node_key(node).map_or(("", ""), |key| (self.name(key.identifier_type), &*key.value))
    }

    /// The number of the name of a node's identifier type; names begin at 1.
    pub(crate) fn node_type(&self, node: u32) -> u32 {
        self.node_key(node).map_or(0, |key| key.identifier_type)
    }

    /// How many nodes there are.
    pub(crate) fn n_nodes(&self) -> u32 {
        self.base.n_nodes() + self.overlay.map_or(0, |overlay| overlay.nodes.len() as u32)
    }

    /// What the log says about a node: the committed part, then what the transaction adds.
    pub(crate) fn facts(&self, node: u32) -> impl Iterator<Item = &'a NodeFacts> + use<'a> {
        let added = self.overlay.and_then(|overlay| overlay.facts.get(&node));
        self.base.facts.get(node as usize).into_iter().chain(added)
    }

    /// The value of a property in a row.
    pub(crate) fn property(&self, path: &Path, row: u32) -> Option<&'a Value> {
        if let Some(extra) = self.extra
            && extra.0.paths.contains_key(path)
        {
            return extra.0.get(path, row);
        }
        match (self.overlay, row.checked_sub(self.base.columns.n_rows)) {
            (Some(overlay), Some(added_row)) => overlay.columns.get(path, added_row),
            _ => self.base.columns.get(path, row),
        }
    }

    /// The nodes that have a committed message in `(after, up_to]`.
    pub(crate) fn nodes_with_messages(
        &self,
        after: Timestamp,
        up_to: Timestamp,
    ) -> impl Iterator<Item = u32> + use<'a> {
        let from = Bound::Excluded((after, u32::MAX));
        let to = Bound::Included((up_to, u32::MAX));
        // An empty or inverted range is no fault here: nothing lies between.
        let range = (after < up_to).then(|| self.base.happened.range((from, to)));
        range.into_iter().flatten().map(|(_, node)| *node)
    }

    /// Those of the paths for which there is no column.
    pub(crate) fn missing_columns(&self, paths: &[Path]) -> Vec<Path> {
        paths.iter().filter(|path| !self.base.columns.paths.contains_key(path)).cloned().collect()
    }

    /// The identifier types of the nodes there are.
    pub(crate) fn node_types(&self) -> BTreeSet<&'a str> {
        let added = self.overlay.map_or(&[][..], |overlay| overlay.nodes.as_slice());
        let ids: BTreeSet<u32> = self.base.nodes.iter().chain(added).map(|key| key.identifier_type).collect();
        ids.into_iter().map(|id| self.name(id)).collect()
    }

    /// The greatest occurred_at of any message.
    pub(crate) fn greatest_occurred_at(&self) -> Option<Timestamp> {
        self.base.greatest_occurred_at.max(self.overlay.and_then(|overlay| overlay.greatest_occurred_at))
    }

    /// The last message that is seen.
    pub(crate) fn sequence(&self) -> u64 {
        self.overlay.map_or(self.base.sequence, |overlay| overlay.sequence)
    }
}
