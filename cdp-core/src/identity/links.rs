//! Links of evidence, what must be known about the nodes they join, and the one order in which they apply.

use std::cmp::Ordering;

use crate::definitions::{IdentifierType, IdentityDefinition};
use crate::error::Result;
use crate::records::Timestamp;

/// A link of evidence between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) node: u32,
    pub(crate) other: u32,
    pub(crate) occurred_at: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) alias: bool,
}

impl Link {
    pub(super) fn pair(&self) -> (u32, u32) {
        (self.node.min(self.other), self.node.max(self.other))
    }
}

/// A link that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) reason: String,
    pub(crate) pair: (u32, u32),
}

/// What the partition must know about nodes and messages, answered by whoever holds them.
pub(crate) trait NodeRules {
    /// The declared type of a node's identifier.
    fn identifier_type(&self, node: u32) -> IdentifierType;
    /// What breaks ties of event time between messages: the message id, then the source.
    fn message_id(&self, sequence: u64) -> Result<String>;
    /// What breaks ties within a message: (priority, type, value), never the node's number.
    fn rank(&self, node: u32) -> (u32, String, String);
    /// The least sequence of a message of this node.
    fn first_sequence(&self, node: u32) -> Option<u64>;
    /// The last sequence of the last commit: what came before this transaction.
    fn committed_sequence(&self) -> u64;
    /// When an identify message first named this node, and the sequences of all that did so at that instant.
    fn first_identified(&self, node: u32) -> Result<Option<(Timestamp, Vec<u64>)>>;
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
    links.sort_by_key(|link| (link.occurred_at, link.sequence));
    for tied in links.chunk_by_mut(|left, right| left.occurred_at == right.occurred_at) {
        if tied.len() < 2 {
            continue;
        }
        let of_one_message = tied.windows(2).all(|pair| matches!(pair, [a, b] if a.sequence == b.sequence));
        let mut keyed = Vec::with_capacity(tied.len());
        for link in tied.iter() {
            let message_id = if of_one_message { String::new() } else { rules.message_id(link.sequence)? };
            keyed.push(((message_id, rules.rank(link.other)), *link));
        }
        keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (place, (_, link)) in tied.iter_mut().zip(keyed) {
            *place = link;
        }
    }
    Ok(())
}

/// The type of a node by definition; an undeclared one is an external id.
pub(crate) fn declared_type(definition: &IdentityDefinition, name: &str) -> IdentifierType {
    definition.identifier(name).cloned().unwrap_or_else(|| IdentifierType::external(name))
}
