//! What the log says about nodes since the last run was written, in RAM.
//!
//! It takes observations in log order and leaves the facts of each node. A tail that is to become a run is frozen: sorted by
//! node, and changed no more.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::columns::Columns;
use super::node_facts::{AccountWrite, Annex, ConsentWrite, EventEntry, NodeFacts, Observation, TraitWrite};
use super::runs::FrozenTail;
use crate::records::Value;

/// How many of a node's last trait writes are looked at for one of the same name.
const REMEMBERED_TRAITS: usize = 32;

/// Facts by node, and the property columns of their events.
#[derive(Clone)]
pub(super) struct Tail {
    pub(super) facts: HashMap<u32, NodeFacts, FxBuildHasher>,
    pub(super) columns: Columns,
    // The names of the last message's traits: one of the same form shares them.
    trait_names: Vec<Arc<str>>,
}

impl Tail {
    pub(super) fn new(columns: Columns) -> Tail {
        Tail { facts: HashMap::default(), columns, trait_names: Vec::new() }
    }

    /// Adds a message. `first_row` is the number of the first row of these columns; `committed` what is known of the node.
    pub(super) fn observe(&mut self, observation: Observation<'_>, first_row: u32, committed: Option<&Annex>) {
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
        let row = first_row + self.columns.n_rows();
        if event.is_some() {
            self.columns.push(properties.json());
        }
        for other in named {
            self.facts.entry(other).or_default().name(occurred_at, identifies.then_some(sequence));
        }
        let facts = self.facts.entry(node).or_default();
        facts.name(occurred_at, identifies.then_some(sequence));
        facts.own(sequence);
        match event {
            Some(event) => facts.events.push(EventEntry { occurred_at, sequence, event, row }),
            None => facts.rest_mut().others.push((occurred_at, sequence)),
        }
        if traits.is_empty() && consents.is_empty() && accounts.is_empty() {
            return;
        }
        let annex = facts.rest_mut();
        annex.traits.reserve(traits.len());
        for (place, (name, value)) in traits.into_iter().enumerate() {
            // A source that repeats a trait on every row costs no copy of its name and value.
            let before =
                annex.traits.iter().rev().chain(committed.into_iter().flat_map(|annex| annex.traits.iter().rev()));
            let (name, value) = match before.take(REMEMBERED_TRAITS).find(|write| *write.name == *name) {
                Some(write) if *write.value == value => (write.name.clone(), write.value.clone()),
                Some(write) => (write.name.clone(), Arc::new(value)),
                None => (shared_name(&mut self.trait_names, place, &name), Arc::new(value)),
            };
            annex.traits.push(TraitWrite { occurred_at, sequence, name, value });
        }
        for (purpose, channel, granted) in consents {
            let (purpose, channel) = (purpose.map(Arc::from), channel.map(Arc::from));
            annex.consents.push(ConsentWrite { occurred_at, sequence, purpose, channel, granted });
        }
        for (account_type, account) in accounts {
            let known = annex.accounts.iter().chain(committed.into_iter().flat_map(|annex| annex.accounts.iter()));
            let says = |write: &&AccountWrite| *write.account_type == *account_type && *write.account == *account;
            let mut known = known.filter(says);
            if known.all(|write| write.occurred_at > occurred_at) {
                let (account_type, account) = (Arc::from(account_type), Arc::from(account));
                annex.accounts.push(AccountWrite { occurred_at, sequence, account_type, account });
            }
        }
    }

    /// Takes in the facts of a later part of the log.
    pub(super) fn append(&mut self, later: Tail) {
        for (node, added) in later.facts {
            self.facts.entry(node).or_default().add(added);
        }
        self.columns.append(later.columns);
    }

    /// The same facts in the order of nodes.
    pub(super) fn freeze(self) -> Frozen {
        let mut nodes: Vec<(u32, NodeFacts)> = self.facts.into_iter().collect();
        nodes.sort_unstable_by_key(|(node, _)| *node);
        Frozen { nodes, columns: self.columns }
    }
}

/// The name at this place of the last message if it is the same, or else of this one.
fn shared_name(names: &mut Vec<Arc<str>>, place: usize, name: &str) -> Arc<str> {
    match names.get_mut(place) {
        Some(known) if **known == *name => known.clone(),
        Some(known) => {
            *known = Arc::from(name);
            known.clone()
        }
        None => {
            let name: Arc<str> = Arc::from(name);
            names.push(name.clone());
            name
        }
    }
}

/// A tail on its way into a run.
pub(crate) struct Frozen {
    nodes: Vec<(u32, NodeFacts)>,
    pub(super) columns: Columns,
}

impl Frozen {
    pub(super) fn get(&self, node: u32) -> Option<&NodeFacts> {
        let place = self.nodes.binary_search_by_key(&node, |(node, _)| *node).ok()?;
        self.nodes.get(place).map(|(_, facts)| facts)
    }

    /// Every node with its facts, in order.
    pub(super) fn nodes(&self) -> &[(u32, NodeFacts)] {
        &self.nodes
    }
}

impl FrozenTail for Frozen {
    fn node(&self, index: usize) -> Option<(u32, &NodeFacts)> {
        self.nodes.get(index).map(|(node, facts)| (*node, facts))
    }

    fn cell(&self, column: usize, row: u32) -> Option<&Value> {
        self.columns.get(column, row)
    }
}
