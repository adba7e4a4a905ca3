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
use crate::records::{Timestamp, Value};

/// How many of a node's last trait writes are looked at for one of the same name.
const REMEMBERED_TRAITS: usize = 32;

/// Facts by node, and the property columns of their events.
#[derive(Clone)]
pub(super) struct Tail {
    pub(super) facts: HashMap<u32, NodeFacts, FxBuildHasher>,
    pub(super) columns: Columns,
}

impl Tail {
    pub(super) fn new(columns: Columns) -> Tail {
        Tail { facts: HashMap::default(), columns }
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
        for (name, value) in traits {
            // A source that repeats a trait on every row costs no copy of its name and value.
            let before =
                annex.traits.iter().rev().chain(committed.into_iter().flat_map(|annex| annex.traits.iter().rev()));
            let (name, value) = match before.take(REMEMBERED_TRAITS).find(|write| *write.name == *name) {
                Some(write) if *write.value == value => (write.name.clone(), write.value.clone()),
                Some(write) => (write.name.clone(), Arc::new(value)),
                None => (Arc::from(name), Arc::new(value)),
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

    /// The same facts in the order of nodes, without namings of nodes that `named_before` says were named earlier: most nodes
    /// are named by every message of their person, and a run that says no more of a node need not be read for it.
    pub(super) fn freeze(self, named_before: impl Fn(u32, Timestamp) -> bool) -> Frozen {
        let mut nodes: Vec<(u32, NodeFacts)> = self.facts.into_iter().collect();
        nodes.retain_mut(|(node, facts)| {
            facts.first_named_at = facts.first_named_at.filter(|at| !named_before(*node, *at));
            facts.says_anything()
        });
        nodes.sort_unstable_by_key(|(node, _)| *node);
        Frozen { nodes, columns: self.columns }
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

    #[test]
    fn a_node_that_was_only_named_again_is_not_written() {
        let mut tail = Tail::new(Columns::new(Arc::from([])));
        tail.observe(named(1, 50, 1, &[2, 3, 4], false), 0, None);
        tail.observe(named(2, 60, 1, &[5], true), 0, None);
        // All were named at 40 before, but 3 at 50 and 4 never.
        let before = |node: u32, at: Timestamp| match node {
            3 => 50 < at.millis(),
            4 => false,
            _ => 40 < at.millis(),
        };
        let frozen = tail.freeze(before);
        let nodes: Vec<_> = frozen.nodes().iter().map(|(node, facts)| (*node, facts.first_named_at)).collect();
        let at_50 = Some(Timestamp::from_millis(50));
        // The first has events, and 5 the evidence that an identify message named it.
        assert_eq!(nodes, [(1, None), (3, at_50), (4, at_50), (5, None)]);
    }
}
