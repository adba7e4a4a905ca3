//! The interface through which the partition reads nodes and messages, and the order in which links apply.
//!
//! The partition holds numbers only. The owner of the messages and of the identity definition implements [`NodeRules`].

use std::cmp::Ordering;

use super::decisions::Decisions;
use super::links::Link;
use super::types::TypeRules;
use crate::error::Result;
use crate::records::{TieOrder, Timestamp};

/// Properties of nodes and messages that the partition reads.
pub(crate) trait NodeRules {
    /// The number of the name of a node's identifier type.
    fn type_of(&self, node: u32) -> u32;
    /// The rules of the identity definition, by type.
    fn types(&self) -> &TypeRules;
    /// The name of an identifier type.
    fn type_name(&self, type_number: u32) -> &str;
    /// The tie break between messages of one event time: ordinal, message id, source.
    fn tie_order(&self, sequence: u64) -> Result<TieOrder>;
    /// The tie break within a message: (priority, type, value), never the node's number.
    fn compare_ranks(&self, left: u32, right: u32) -> Ordering;
    /// The least sequence of a message of this node.
    fn first_sequence(&self, node: u32) -> Option<u64>;
    /// The sequence of the last commit, before this transaction.
    fn committed_sequence(&self) -> u64;
    /// When an identify message first named this node, and the sequences of all such messages at that instant.
    fn first_identified(&self, node: u32) -> Result<Option<(Timestamp, Vec<u64>)>>;
    /// The operator decisions.
    fn decisions(&self) -> &Decisions;
    /// Every link that counts of messages of these nodes, from the store, and their merges. The partition keeps only
    /// the earliest link of a pair, and calls this where a limit makes the others matter.
    fn evidence(&self, nodes: &[u32]) -> Result<Vec<Link>>;
}

/// The order of (event time, ordinal, message id).
pub(super) fn compare(
    left_at: Timestamp,
    left: u64,
    right_at: Timestamp,
    right: u64,
    rules: &dyn NodeRules,
) -> Result<Ordering> {
    Ok(match left_at.cmp(&right_at) {
        Ordering::Equal if left != right => rules.tie_order(left)?.cmp(&rules.tie_order(right)?),
        order => order,
    })
}

/// Sorts links by (event time, ordinal, message id, rank of the other end), reading message ids only where event times are equal.
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
            stars.push((rules.tie_order(first.sequence)?, star.to_vec()));
        }
        stars.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (place, link) in tied.iter_mut().zip(stars.into_iter().flat_map(|(_, star)| star)) {
            *place = link;
        }
    }
    Ok(())
}
