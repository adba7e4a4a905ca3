//! Links of evidence between nodes: decoded, and in the compact form that RAM keeps.

use crate::records::{LinkRule, Timestamp};

/// A link of evidence between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) node: u32,
    pub(crate) other: u32,
    pub(crate) occurred_at: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) rule: LinkRule,
}

impl Link {
    /// Its two nodes, the lesser first.
    pub(crate) fn pair(&self) -> (u32, u32) {
        pair(self.node, self.other)
    }

    /// Whether the limits of a value count it; an alias and an operator decision are exempt.
    pub(super) fn is_guarded(&self) -> bool {
        is_guarded(self.rule)
    }
}

fn is_guarded(rule: LinkRule) -> bool {
    match rule {
        LinkRule::SameMessage => true,
        LinkRule::Alias | LinkRule::Operator | LinkRule::Probable => false,
    }
}

/// Two nodes, the lesser first.
pub(super) fn pair(node: u32, other: u32) -> (u32, u32) {
    (node.min(other), node.max(other))
}

const TAG_BITS: u32 = 3;
const RULE_MASK: u64 = 3;
const TIED: u64 = 4;

/// A link in RAM: the earliest of its pair and rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptLink {
    pub(super) node: u32,
    pub(super) other: u32,
    pub(super) occurred_at: Timestamp,
    // sequence, whether another message repeats it at the same instant, the rule
    tagged: u64,
}

impl KeptLink {
    pub(super) fn new(link: &Link) -> KeptLink {
        let Link { node, other, occurred_at, sequence, rule } = *link;
        let rule = match rule {
            LinkRule::SameMessage => 0,
            LinkRule::Alias => 1,
            LinkRule::Operator => 2,
            LinkRule::Probable => 3,
        };
        KeptLink { node, other, occurred_at, tagged: sequence << TAG_BITS | rule }
    }

    pub(super) fn link(self) -> Link {
        let KeptLink { node, other, occurred_at, .. } = self;
        Link { node, other, occurred_at, sequence: self.sequence(), rule: self.rule() }
    }

    pub(super) fn sequence(self) -> u64 {
        self.tagged >> TAG_BITS
    }

    pub(super) fn rule(self) -> LinkRule {
        match self.tagged & RULE_MASK {
            0 => LinkRule::SameMessage,
            1 => LinkRule::Alias,
            2 => LinkRule::Operator,
            _ => LinkRule::Probable,
        }
    }

    pub(super) fn is_alias(self) -> bool {
        self.rule() == LinkRule::Alias
    }

    pub(super) fn is_guarded(self) -> bool {
        is_guarded(self.rule())
    }

    /// Whether another message repeats it at the same instant, and may come before it by its message id.
    pub(super) fn is_tied(self) -> bool {
        self.tagged & TIED == TIED
    }

    pub(super) fn tie(&mut self) {
        self.tagged |= TIED;
    }

    pub(super) fn pair(self) -> (u32, u32) {
        pair(self.node, self.other)
    }

    pub(super) fn touches(self, node: u32) -> bool {
        self.node == node || self.other == node
    }

    /// The other end.
    pub(super) fn neighbour(self, node: u32) -> u32 {
        if self.node == node { self.other } else { self.node }
    }

    /// (event time, sequence): the order without ties.
    pub(super) fn order(self) -> (Timestamp, u64) {
        (self.occurred_at, self.sequence())
    }
}
