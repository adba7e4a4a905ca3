//! The profiles that upkeep looks at: those with new facts, and what they were before this transaction.

use std::collections::{HashMap, HashSet};

use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

use crate::audiences::triggers::Arrival;
use crate::engine::snapshot::Snapshot;
use crate::engine::transaction::Transaction;
use crate::records::Timestamp;
use crate::store::EventEntry;

/// Of profiles with more nodes nothing is put together when they join.
const MOST_NODES_OF_PARTS: usize = 16;

/// A profile that upkeep examines.
pub(super) struct Due {
    // At the instant up to which audiences are brought, in the order of their numbers.
    pub(crate) nodes: Vec<u32>,
    // The events that came, or fell due.
    pub(crate) arrivals: Vec<Arrival>,
    // Whether facts came that may change what was said before.
    pub(crate) reconsider: bool,
    // Whether only new events distinguish it from the profile that upkeep last examined.
    pub(crate) is_same: bool,
    // The least nodes of the profiles that it was, none if it is new; `None` if that is not known.
    pub(crate) parts: Option<SmallVec<[u32; 2]>>,
}

impl Due {
    /// The profile of a node at `to`; `None` for a `latest_link_wins` value.
    pub(crate) fn of(snapshot: &Snapshot<'_>, node: u32, to: Timestamp) -> Option<Due> {
        if snapshot.people.partition.is_held_at(node, to) {
            return None;
        }
        let nodes = snapshot.people.partition.nodes_of_at(node, to);
        Some(Due { nodes, arrivals: Vec::new(), reconsider: false, is_same: false, parts: None })
    }

    pub(super) fn least_node(&self) -> u32 {
        self.nodes.first().copied().unwrap_or_default()
    }
}

/// The profiles that have new facts in `(since, to]`, each once, or whose facts came now.
pub(super) fn due(
    tx: &Transaction<'_>,
    snapshot: &Snapshot<'_>,
    since: Option<Timestamp>,
    to: Timestamp,
    touched: Vec<u32>,
) -> Vec<Due> {
    let memory = &snapshot.memory;
    let mut touched = with_holders(snapshot, touched);
    // Each once, for events are counted.
    touched.sort_unstable();
    touched.dedup();
    let reconsidered: HashSet<u32, FxBuildHasher> = touched.iter().copied().collect();
    let mut facts: Vec<(u32, Option<Arrival>)> = Vec::with_capacity(touched.len());
    for node in touched {
        facts.push((node, None));
        facts.extend(memory.added_events(node).map(|entry| {
            let EventEntry { occurred_at, event, row, .. } = entry;
            (node, Some(Arrival { event, occurred_at, row: Some(row) }))
        }));
    }
    // Facts that lay in the future when they came are due when `to` passes them.
    if let Some(since) = since {
        if tx.committed().memory.greatest_occurred_at().is_some_and(|greatest| greatest > since) {
            memory.visit_times(since, to, |node, event, occurred_at| {
                facts.push((node, (event != 0).then_some(Arrival { event, occurred_at, row: None })));
            });
        }
        facts.extend(snapshot.people.decisions.merged_between(since, to).map(|node| (node, None)));
    }
    if !snapshot.people.partition.holds_nothing() {
        let nodes = with_holders(snapshot, facts.iter().map(|(node, _)| *node).collect());
        facts.extend(nodes.into_iter().map(|node| (node, None)));
    }
    facts.sort_by_key(|(node, _)| *node);
    let changed: HashSet<u32, FxBuildHasher> = tx.changes.people.partition.changed().into_iter().collect();
    let mut due: Vec<Due> = Vec::new();
    let mut places: HashMap<u32, usize, FxBuildHasher> = HashMap::default();
    for of_node in facts.chunk_by(|left, right| left.0 == right.0) {
        let Some(node) = of_node.first().map(|(node, _)| *node) else { continue };
        let Some(profile) = Due::of(snapshot, node, to) else { continue };
        let place = *places.entry(profile.least_node()).or_insert_with(|| {
            let holds_nothing = snapshot.people.partition.holds_nothing();
            let is_same = holds_nothing
                && node < snapshot.committed_nodes
                && since.is_some_and(|since| snapshot.people.partition.stands_since(node, since))
                && !profile.nodes.iter().any(|node| changed.contains(node));
            let parts = match (is_same, holds_nothing) {
                (true, _) => Some(SmallVec::from_slice(&[profile.least_node()])),
                (false, true) => parts_of(tx, &profile.nodes, since),
                (false, false) => None,
            };
            let reconsider = profile.nodes.iter().any(|node| reconsidered.contains(node));
            due.push(Due { is_same, parts, reconsider, ..profile });
            due.len() - 1
        });
        if let Some(profile) = due.get_mut(place) {
            profile.arrivals.extend(of_node.iter().filter_map(|(_, arrival)| *arrival));
        }
    }
    due
}

/// The profiles that these nodes, all of one person, were before this transaction: the least node of each. `None` if that is
/// not what upkeep last looked at, or they were in it together with others.
fn parts_of(tx: &Transaction<'_>, nodes: &[u32], since: Option<Timestamp>) -> Option<SmallVec<[u32; 2]>> {
    let committed = tx.committed();
    let partition = committed.people.partition;
    let mut parts = SmallVec::new();
    for node in nodes.iter().copied().filter(|node| *node < committed.committed_nodes) {
        let members = partition.members(node);
        let was_looked_at = since.is_some_and(|since| partition.stands_since(node, since));
        if !was_looked_at || members.len() > MOST_NODES_OF_PARTS {
            return None;
        }
        let mut least = node;
        for member in members.iter().copied() {
            nodes.binary_search(&member).ok()?;
            least = least.min(member);
        }
        if !parts.contains(&least) {
            parts.push(least);
        }
    }
    Some(parts)
}

/// These nodes, and all present and earlier holders of one of them.
fn with_holders(snapshot: &Snapshot<'_>, nodes: Vec<u32>) -> Vec<u32> {
    if snapshot.people.partition.holds_nothing() {
        return nodes;
    }
    nodes.iter().flat_map(|node| snapshot.people.partition.holders_of(*node)).chain(nodes.iter().copied()).collect()
}
