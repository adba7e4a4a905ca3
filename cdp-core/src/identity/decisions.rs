//! Operator decisions about pairs of identifiers: merged beyond all limits, their evidence cut, or kept apart.
//!
//! A decision is a fact with an instant. Of several about one pair the one with the latest (instant, number) holds, so
//! the order of arrival does not matter, and a decision may precede the evidence that it is about. This module holds
//! the decisions; the partition looks each link up in them.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::links::{Link, pair};
use crate::records::{Decision, DecisionType, LinkRule, Timestamp};

/// Sequences from this one on are numbers of decisions, not of messages.
const FIRST_DECISION_SEQUENCE: u64 = 1 << 60;

fn pair_of(decision: &Decision) -> (u32, u32) {
    pair(decision.node, decision.other)
}

/// The link of a merge; `None` for other decisions.
fn link_of(decision: &Decision) -> Option<Link> {
    (decision.kind == DecisionType::Merge).then_some(Link {
        node: decision.node,
        other: decision.other,
        occurred_at: decision.occurred_at,
        sequence: FIRST_DECISION_SEQUENCE + decision.number,
        rule: LinkRule::Operator,
    })
}

/// The number of the decision of a link; `None` for evidence of a message.
pub(crate) fn decision_number(sequence: u64) -> Option<u64> {
    sequence.checked_sub(FIRST_DECISION_SEQUENCE)
}

/// The decisions in force, one for each pair.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decisions {
    latest: FxHashMap<(u32, u32), Decision>,
    // node -> nodes that it is kept apart from
    separated: FxHashMap<u32, SmallVec<[u32; 2]>>,
    // node -> nodes to which its evidence is cut
    cut: FxHashMap<u32, SmallVec<[u32; 2]>>,
    // node -> nodes that it is merged with
    merged: FxHashMap<u32, SmallVec<[u32; 2]>>,
    // merges by the instant from which they hold
    merges_at: BTreeMap<(Timestamp, u64), (u32, u32)>,
}

impl Decisions {
    /// Adds a decision, unless a later one about its pair holds.
    pub(crate) fn take(&mut self, decision: Decision) {
        let before = self.latest.get(&pair_of(&decision)).copied();
        if before.is_some_and(|before| before.order() > decision.order()) {
            return;
        }
        if let Some(before) = before {
            self.forget(&before);
        }
        self.latest.insert(pair_of(&decision), decision);
        let list = match decision.kind {
            DecisionType::Unlink => &mut self.cut,
            DecisionType::Separate => &mut self.separated,
            DecisionType::Merge => {
                self.merges_at.insert(decision.order(), pair_of(&decision));
                &mut self.merged
            }
        };
        list.entry(decision.node).or_default().push(decision.other);
        list.entry(decision.other).or_default().push(decision.node);
    }

    fn forget(&mut self, decision: &Decision) {
        self.merges_at.remove(&decision.order());
        for list in [&mut self.separated, &mut self.cut, &mut self.merged] {
            for (node, other) in [(decision.node, decision.other), (decision.other, decision.node)] {
                if let Some(others) = list.get_mut(&node) {
                    others.retain(|found| *found != other);
                    if others.is_empty() {
                        list.remove(&node);
                    }
                }
            }
        }
    }

    /// The decision in force between two nodes.
    pub(crate) fn between(&self, node: u32, other: u32) -> Option<Decision> {
        self.latest.get(&pair(node, other)).copied()
    }

    /// Whether the evidence between two nodes is cut.
    pub(crate) fn is_cut(&self, pair: (u32, u32)) -> bool {
        !self.latest.is_empty() && self.latest.get(&pair).is_some_and(|decision| decision.kind == DecisionType::Unlink)
    }

    /// The pairs whose evidence is cut, in no order.
    pub(crate) fn cut_pairs(&self) -> impl Iterator<Item = (u32, u32)> {
        self.latest.values().filter(|decision| decision.kind == DecisionType::Unlink).map(pair_of)
    }

    /// The pairs that operators have cut or kept apart, in no order.
    pub(crate) fn pairs_apart(&self) -> impl Iterator<Item = (u32, u32)> {
        self.latest.values().filter(|decision| decision.kind != DecisionType::Merge).map(pair_of)
    }

    /// The nodes that decisions are about, some of them more than once.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = u32> {
        self.latest.keys().flat_map(|(node, other)| [*node, *other])
    }

    /// The nodes that a node is merged with.
    pub(crate) fn merged_with(&self, node: u32) -> &[u32] {
        self.merged.get(&node).map_or(&[], SmallVec::as_slice)
    }

    /// The nodes that a node is kept apart from.
    pub(crate) fn separated_from(&self, node: u32) -> &[u32] {
        self.separated.get(&node).map_or(&[], SmallVec::as_slice)
    }

    /// The nodes that operators have cut or kept apart from a node, in no order.
    pub(crate) fn apart_from(&self, node: u32) -> impl Iterator<Item = u32> {
        let list = |lists: &FxHashMap<u32, SmallVec<[u32; 2]>>| lists.get(&node).cloned().unwrap_or_default();
        let lists = if self.keep_some_apart() { [list(&self.separated), list(&self.cut)] } else { Default::default() };
        lists.into_iter().flatten()
    }

    /// Whether operators have cut or kept apart any pair.
    pub(crate) fn keep_some_apart(&self) -> bool {
        !self.separated.is_empty() || !self.cut.is_empty()
    }

    /// Whether no pair is kept apart.
    pub(crate) fn has_no_separations(&self) -> bool {
        self.separated.is_empty()
    }

    /// The merges of these nodes as links, each once, for the node that it was recorded with.
    pub(crate) fn links_of<'d>(&'d self, nodes: &'d [u32]) -> impl Iterator<Item = Link> + 'd {
        let merged = nodes.iter().filter(|_| !self.merged.is_empty()).flat_map(|node| {
            let others = self.merged.get(node).map_or(&[][..], SmallVec::as_slice);
            others.iter().filter_map(|other| self.between(*node, *other)).filter(|decision| decision.node == *node)
        });
        merged.filter_map(|decision| link_of(&decision))
    }

    /// Every merge in force as a link, by (instant, number).
    pub(crate) fn links(&self) -> impl Iterator<Item = Link> {
        self.merges_at.values().filter_map(|pair| link_of(self.latest.get(pair)?))
    }

    /// The nodes of merges that take effect in `(since, to]`.
    pub(crate) fn merged_between(&self, since: Timestamp, to: Timestamp) -> impl Iterator<Item = u32> {
        let times = (since, u64::MAX)..=(to, u64::MAX);
        let merges = if since < to { Some(self.merges_at.range(times)) } else { None };
        merges.into_iter().flatten().flat_map(|(_, (node, other))| [*node, *other])
    }

    /// The number of pairs by type of decision.
    pub(crate) fn counts(&self) -> [(DecisionType, usize); 3] {
        let of = |kind| (kind, self.latest.values().filter(|decision| decision.kind == kind).count());
        [DecisionType::Merge, DecisionType::Unlink, DecisionType::Separate].map(of)
    }
}
