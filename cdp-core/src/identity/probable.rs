//! The current probable links: pairs that a model found to be one person, as evidence beside that of messages.
//!
//! They obey the limits of profiles and operator decisions; the guards of values do not count them. A link has the
//! instant at which both people were compared. This module holds the links and the changes of a transaction; linkage
//! creates and replaces them.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::links::Link;
use crate::records::{LinkRule, ProbableLink};

/// Sequences from this one on are numbers of probable links, up to the first decision.
const FIRST_PROBABLE_SEQUENCE: u64 = 1 << 59;

/// The number of the probable link of a link; `None` for other evidence.
pub(crate) fn probable_number(sequence: u64) -> Option<u64> {
    sequence.checked_sub(FIRST_PROBABLE_SEQUENCE).filter(|number| *number < FIRST_PROBABLE_SEQUENCE)
}

/// A probable link as evidence.
pub(crate) fn link_of(probable: &ProbableLink) -> Link {
    Link {
        node: probable.node,
        other: probable.other,
        occurred_at: probable.occurred_at,
        sequence: FIRST_PROBABLE_SEQUENCE + probable.number,
        rule: LinkRule::Probable,
    }
}

/// The probable links of the last commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProbableLinks {
    by_number: BTreeMap<u64, ProbableLink>,
    // node -> the numbers of its links, at either end
    of_node: FxHashMap<u32, SmallVec<[u64; 2]>>,
}

impl ProbableLinks {
    fn insert(&mut self, link: ProbableLink) {
        for node in [link.node, link.other] {
            self.of_node.entry(node).or_default().push(link.number);
        }
        self.by_number.insert(link.number, link);
    }

    fn remove(&mut self, number: u64) {
        let Some(link) = self.by_number.remove(&number) else { return };
        for node in [link.node, link.other] {
            if let Some(numbers) = self.of_node.get_mut(&node) {
                numbers.retain(|known| *known != number);
                if numbers.is_empty() {
                    self.of_node.remove(&node);
                }
            }
        }
    }

    fn numbers_of(&self, node: u32) -> &[u64] {
        // Most stores have none; then there is no lookup.
        if self.of_node.is_empty() { &[] } else { self.of_node.get(&node).map_or(&[], SmallVec::as_slice) }
    }

    /// The greatest number among them; 0 if there are none.
    pub(crate) fn last(&self) -> u64 {
        self.by_number.keys().next_back().copied().unwrap_or(0)
    }

    /// Adds the changes of a committed transaction.
    pub(crate) fn fold(&mut self, changes: ProbableChanges) {
        changes.gone.into_iter().for_each(|number| self.remove(number));
        changes.added.by_number.into_values().for_each(|link| self.insert(link));
    }

    /// A view of these links without changes.
    pub(crate) fn view(&self) -> ProbableView<'_> {
        ProbableView { base: Some(self), changes: None }
    }
}

/// The changes of one transaction.
#[derive(Debug, Default)]
pub(crate) struct ProbableChanges {
    added: ProbableLinks,
    gone: BTreeSet<u64>,
}

impl ProbableChanges {
    /// Whether there are no changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.added.by_number.is_empty()
    }

    /// Adds a pair, if it counts as evidence.
    pub(crate) fn add(&mut self, link: ProbableLink) {
        if link.is_link {
            self.added.insert(link);
        }
    }

    /// Removes the link with a number.
    pub(crate) fn remove(&mut self, number: u64) {
        self.added.remove(number);
        self.gone.insert(number);
    }

    /// The added links, by number.
    pub(crate) fn added(&self) -> impl Iterator<Item = Link> {
        self.added.by_number.values().map(link_of)
    }

    /// The pairs of the removed links.
    pub(crate) fn gone<'c>(&'c self, base: &'c ProbableLinks) -> impl Iterator<Item = (u32, u32)> + 'c {
        self.gone.iter().filter_map(|number| base.by_number.get(number)).map(ProbableLink::pair)
    }

    /// A view of the links with these changes.
    pub(crate) fn view<'a>(&'a self, base: &'a ProbableLinks) -> ProbableView<'a> {
        ProbableView { base: Some(base), changes: Some(self) }
    }
}

/// The probable links as one transaction sees them.
#[derive(Clone, Copy, Default)]
pub(crate) struct ProbableView<'a> {
    base: Option<&'a ProbableLinks>,
    changes: Option<&'a ProbableChanges>,
}

impl<'a> ProbableView<'a> {
    /// The link with a number.
    pub(crate) fn get(&self, number: u64) -> Option<&'a ProbableLink> {
        let added = self.changes.and_then(|changes| changes.added.by_number.get(&number));
        let is_gone = self.changes.is_some_and(|changes| changes.gone.contains(&number));
        added.or_else(|| self.base.filter(|_| !is_gone)?.by_number.get(&number))
    }

    /// The links of a node, in no order.
    pub(crate) fn of_node(self, node: u32) -> impl Iterator<Item = &'a ProbableLink> {
        let base = self.base.map_or(&[][..], |base| base.numbers_of(node));
        let added = self.changes.map_or(&[][..], |changes| changes.added.numbers_of(node));
        base.iter().chain(added).filter_map(move |number| self.get(*number))
    }

    /// The links of these nodes, each once, for the node that it was recorded with.
    pub(crate) fn links_of<'n>(self, nodes: &'n [u32]) -> impl Iterator<Item = Link> + 'n
    where
        'a: 'n,
    {
        let of_node = move |node: &u32| {
            let node = *node;
            self.of_node(node).filter(move |link| link.node == node)
        };
        nodes.iter().flat_map(of_node).map(link_of)
    }

    /// The pairs of nodes of all links, in no order.
    pub(crate) fn pairs(self) -> Vec<(u32, u32)> {
        let base = self.base.into_iter().flat_map(|base| base.by_number.values());
        let base = base.filter(|link| self.get(link.number).is_some());
        base.chain(self.changes.into_iter().flat_map(|changes| changes.added.by_number.values()))
            .map(ProbableLink::pair)
            .collect()
    }
}
