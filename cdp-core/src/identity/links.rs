//! Links of evidence, what must be known about the nodes they join, and the one order in which they apply.

use std::cmp::Ordering;

use super::decisions::Decisions;
use super::types::TypeRules;
use crate::definitions::{IdentifierType, IdentityDefinition};
use crate::error::Result;
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
    /// Its two nodes, whichever named the other.
    pub(crate) fn pair(&self) -> (u32, u32) {
        pair(self.node, self.other)
    }

    /// Whether the limits of a value count it: an alias and an operator speak beyond them.
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

/// Two nodes, whichever named the other.
pub(super) fn pair(node: u32, other: u32) -> (u32, u32) {
    (node.min(other), node.max(other))
}

const TAG_BITS: u32 = 3;
const RULE_MASK: u64 = 3;
const TIED: u64 = 4;

/// A link as RAM keeps it: the earliest of its pair and rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) node: u32,
    pub(super) other: u32,
    pub(super) occurred_at: Timestamp,
    // sequence, whether another message says the same at the same instant, the rule
    tagged: u64,
}

impl Kept {
    pub(super) fn new(link: &Link) -> Kept {
        let Link { node, other, occurred_at, sequence, rule } = *link;
        let rule = match rule {
            LinkRule::SameMessage => 0,
            LinkRule::Alias => 1,
            LinkRule::Operator => 2,
            LinkRule::Probable => 3,
        };
        Kept { node, other, occurred_at, tagged: sequence << TAG_BITS | rule }
    }

    pub(super) fn link(self) -> Link {
        let Kept { node, other, occurred_at, .. } = self;
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

    /// Whether another message says the same at the same instant, and may come before it by its message id.
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

    /// (event time, sequence): the order but for ties.
    pub(super) fn order(self) -> (Timestamp, u64) {
        (self.occurred_at, self.sequence())
    }
}

/// What the partition must know about nodes and messages, answered by whoever holds them.
pub(crate) trait NodeRules {
    /// The number of the name of a node's identifier type.
    fn type_of(&self, node: u32) -> u32;
    /// What the definition says of each type.
    fn types(&self) -> &TypeRules;
    /// The name of an identifier type.
    fn type_name(&self, type_number: u32) -> &str;
    /// What breaks ties of event time between messages: the message id, then the source.
    fn message_id(&self, sequence: u64) -> Result<String>;
    /// What breaks ties within a message: (priority, type, value), never the node's number.
    fn compare_ranks(&self, left: u32, right: u32) -> Ordering;
    /// The least sequence of a message of this node.
    fn first_sequence(&self, node: u32) -> Option<u64>;
    /// The last sequence of the last commit: what came before this transaction.
    fn committed_sequence(&self) -> u64;
    /// When an identify message first named this node, and the sequences of all that did so at that instant.
    fn first_identified(&self, node: u32) -> Result<Option<(Timestamp, Vec<u64>)>>;
    /// What operators decided.
    fn decisions(&self) -> &Decisions;
    /// Every link that counts whose message belongs to one of these nodes, from the store, and their merges. The
    /// partition keeps only the earliest of a pair, and asks where a limit makes the others matter.
    fn evidence(&self, nodes: &[u32]) -> Result<Vec<Link>>;
}

/// The order of (event time, message id).
pub(super) fn compare(
    left_at: Timestamp,
    left: u64,
    right_at: Timestamp,
    right: u64,
    rules: &dyn NodeRules,
) -> Result<Ordering> {
    Ok(match left_at.cmp(&right_at) {
        Ordering::Equal if left != right => rules.message_id(left)?.cmp(&rules.message_id(right)?),
        order => order,
    })
}

/// Sorts links by (event time, message id, rank of the other end), reading message ids only where event times are equal.
pub(super) fn sort_links(links: &mut [Link], rules: &dyn NodeRules) -> Result<()> {
    let by_rank = |left: &Link, right: &Link| rules.compare_ranks(left.other, right.other);
    links.sort_by(|left, right| {
        let order = (left.occurred_at, left.sequence).cmp(&(right.occurred_at, right.sequence));
        order.then_with(|| by_rank(left, right))
    });
    for tied in links.chunk_by_mut(|left, right| left.occurred_at == right.occurred_at) {
        let of_one_message = tied.windows(2).all(|pair| matches!(pair, [a, b] if a.sequence == b.sequence));
        if of_one_message {
            continue;
        }
        let mut stars = Vec::new();
        for star in tied.chunk_by(|left, right| left.sequence == right.sequence) {
            let Some(first) = star.first() else { continue };
            stars.push((rules.message_id(first.sequence)?, star.to_vec()));
        }
        stars.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (place, link) in tied.iter_mut().zip(stars.into_iter().flat_map(|(_, star)| star)) {
            *place = link;
        }
    }
    Ok(())
}

/// The type of a node by definition; an undeclared one is an external id.
pub(crate) fn declared_type(definition: &IdentityDefinition, name: &str) -> IdentifierType {
    definition.identifier(name).cloned().unwrap_or_else(|| IdentifierType::external(name))
}
