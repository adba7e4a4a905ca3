//! The probable links that hold: pairs that a model found to be one person, as evidence beside that of messages.
//!
//! They obey the limits of profiles and whatever operators decided; the guards of values do not count them. A link says when
//! both people stood as they were compared. This room holds the links; a run of linkage makes and replaces them.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::links::Link;
use crate::store::{LinkRule, ProbableLink};

/// Sequences from here on are numbers of probable links, up to where those of decisions begin.
const FIRST_PROBABLE_SEQUENCE: u64 = 1 << 59;

/// The number of the probable link that a link is; `None` for other evidence.
pub(crate) fn probable_number(sequence: u64) -> Option<u64> {
    sequence.checked_sub(FIRST_PROBABLE_SEQUENCE).filter(|number| *number < FIRST_PROBABLE_SEQUENCE)
}

fn link_of(probable: &ProbableLink) -> Link {
    Link {
        node: probable.node,
        other: probable.other,
        occurred_at: probable.occurred_at,
        sequence: FIRST_PROBABLE_SEQUENCE + probable.number,
        rule: LinkRule::Probable,
    }
}

/// The probable links that hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProbableLinks {
    by_number: BTreeMap<u64, ProbableLink>,
    // node -> the numbers of the links written with it first
    of_node: FxHashMap<u32, SmallVec<[u64; 2]>>,
}

impl ProbableLinks {
    /// Takes those of the given pairs that count as evidence.
    pub(crate) fn new(found: impl IntoIterator<Item = ProbableLink>) -> ProbableLinks {
        let mut links = ProbableLinks::default();
        for link in found.into_iter().filter(|link| link.is_link) {
            links.of_node.entry(link.node).or_default().push(link.number);
            links.by_number.insert(link.number, link);
        }
        links
    }

    /// The link of a number.
    pub(crate) fn get(&self, number: u64) -> Option<&ProbableLink> {
        self.by_number.get(&number)
    }

    /// The links of these nodes, each once for the node that it was written with.
    pub(crate) fn links_of<'l>(&'l self, nodes: &'l [u32]) -> impl Iterator<Item = Link> + 'l {
        let numbers =
            nodes.iter().filter(|_| !self.of_node.is_empty()).filter_map(|node| self.of_node.get(node)).flatten();
        numbers.filter_map(|number| self.by_number.get(number)).map(link_of)
    }

    /// Every link, in the order of their numbers.
    pub(crate) fn links(&self) -> impl Iterator<Item = Link> {
        self.by_number.values().map(link_of)
    }

    /// Their pairs of nodes.
    pub(crate) fn pairs(&self) -> Vec<(u32, u32)> {
        self.by_number.values().map(|link| (link.node, link.other)).collect()
    }

    /// The pairs that only one of both has.
    pub(crate) fn differences(&self, other: &ProbableLinks) -> Vec<(u32, u32)> {
        let missing = |of: &ProbableLinks, from: &ProbableLinks| -> Vec<(u32, u32)> {
            let links = of.by_number.values().filter(|link| from.get(link.number) != Some(link));
            links.map(|link| (link.node, link.other)).collect()
        };
        let mut pairs = missing(self, other);
        pairs.extend(missing(other, self));
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }
}
