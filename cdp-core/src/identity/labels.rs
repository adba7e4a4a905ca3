//! Applies links in order: the profiles they form, the links that a limit refuses, and when profiles joined.

use rustc_hash::{FxHashMap, FxHashSet};

use super::forest::Forest;
use super::limits::{CountedProfile, Reason, Side, refusal};
use super::links::{KeptLink, Link};
use super::node_rules::NodeRules;
use crate::error::Result;
use crate::records::Timestamp;

/// The instant at which two profiles became one, with a node of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Join {
    pub(super) at: Timestamp,
    pub(super) left: u32,
    pub(super) right: u32,
}

/// The effect of applying a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its ends are in one profile already.
    Within,
    Joins,
    Refused(Reason),
}

/// The result of applying links in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    // node -> the label of its profile, one of its nodes; a node without entry is its own label
    root_of: FxHashMap<u32, u32>,
    // by label; a node without live links has no entry
    profiles: FxHashMap<u32, Box<CountedProfile>>,
    pub(super) refused: FxHashSet<(Reason, (u32, u32))>,
    pub(super) joins: Vec<Join>,
    // the last link that joined or was refused: event time, sequence
    pub(super) last: Option<(Timestamp, u64)>,
}

impl Labels {
    /// The labels of nodes and links of which none was refused: one profile.
    pub(super) fn of_whole(nodes: &[u32], links: &[KeptLink], rules: &dyn NodeRules) -> Labels {
        let mut labels = Labels::default();
        let Some(root) = nodes.first().copied().filter(|_| !links.is_empty()) else { return labels };
        let mut in_order: Vec<&KeptLink> = links.iter().collect();
        in_order.sort_unstable_by_key(|link| link.order());
        let mut forest = Forest::default();
        let mut first_live_at: FxHashMap<u32, Timestamp> = FxHashMap::default();
        for link in in_order {
            for node in [link.node, link.other] {
                first_live_at.entry(node).or_insert(link.occurred_at);
            }
            if forest.join(link.node, link.other) {
                labels.joins.push(Join { at: link.occurred_at, left: link.node, right: link.other });
            }
            labels.last = Some(link.order());
        }
        let mut profile = CountedProfile::default();
        for node in nodes {
            profile.add(*node, first_live_at.get(node).copied().unwrap_or_default(), rules);
            if *node != root {
                labels.root_of.insert(*node, root);
            }
        }
        labels.profiles.insert(root, Box::new(profile));
        labels
    }

    /// The labels after applying these sorted links.
    pub(super) fn replay(links: &[Link], rules: &dyn NodeRules) -> Result<Labels> {
        let mut labels = Labels::default();
        for link in links {
            let verdict = labels.verdict(link, rules)?;
            labels.apply(link, verdict, rules);
        }
        Ok(labels)
    }

    pub(super) fn root(&self, node: u32) -> u32 {
        self.root_of.get(&node).copied().unwrap_or(node)
    }

    pub(super) fn side(&self, node: u32) -> Side<'_> {
        self.profiles.get(&self.root(node)).map_or(Side::Alone(node), |profile| Side::Profile(profile))
    }

    /// The nodes of a node's profile; empty if the node is alone.
    pub(super) fn members(&self, node: u32) -> &[u32] {
        self.profiles.get(&self.root(node)).map_or(&[], |profile| profile.nodes.as_slice())
    }

    /// Every profile of several nodes, in no order.
    pub(super) fn profiles(&self) -> impl Iterator<Item = &[u32]> {
        self.profiles.values().map(|profile| profile.nodes.as_slice())
    }

    pub(super) fn verdict(&self, link: &Link, rules: &dyn NodeRules) -> Result<Verdict> {
        if self.root(link.node) == self.root(link.other) {
            return Ok(Verdict::Within);
        }
        let refusal = refusal(link, [&self.side(link.node), &self.side(link.other)], rules)?;
        Ok(refusal.map_or(Verdict::Joins, Verdict::Refused))
    }

    /// Applies the next link in order.
    pub(super) fn apply(&mut self, link: &Link, verdict: Verdict, rules: &dyn NodeRules) {
        match verdict {
            // Such a link has no effect after any earlier links: it need not count as last.
            Verdict::Within => return,
            Verdict::Refused(reason) => {
                self.refused.insert((reason, link.pair()));
            }
            Verdict::Joins => self.join(link, rules),
        }
        self.last = self.last.max(Some((link.occurred_at, link.sequence)));
    }

    fn join(&mut self, link: &Link, rules: &dyn NodeRules) {
        self.joins.push(Join { at: link.occurred_at, left: link.node, right: link.other });
        let [left, right] = [link.node, link.other].map(|node| {
            let root = self.root(node);
            let profile = self.profiles.remove(&root).unwrap_or_else(|| {
                let mut profile = Box::new(CountedProfile::default());
                profile.add(node, link.occurred_at, rules);
                profile
            });
            (root, profile)
        });
        let ((kept, mut profile), (_, moved)) =
            if left.1.nodes.len() >= right.1.nodes.len() { (left, right) } else { (right, left) };
        self.root_of.extend(moved.nodes.iter().map(|node| (*node, kept)));
        profile.take_in(*moved);
        self.profiles.insert(kept, profile);
    }

    /// Adds the labels of nodes that evidence has joined with these.
    pub(super) fn take_in(&mut self, other: Labels) {
        self.root_of.extend(other.root_of);
        self.profiles.extend(other.profiles);
        self.refused.extend(other.refused);
        self.joins.extend(other.joins);
        self.last = self.last.max(other.last);
    }
}
