//! Values under `latest_link_wins`, such as a shared tablet or a kiosk. Such a value never joins two people: from the
//! event time of a link until that of the next link to another node it belongs to the other end, its holder, and the
//! first of these spans reaches back for ever.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::holders::Held;
use super::links::Link;
use super::node_rules::NodeRules;
use super::partition::{Partition, PartitionChanges, PartitionView};
use crate::error::Result;
use crate::records::Timestamp;

/// An interval `[from, to)` of event time.
pub(crate) type Span = (Timestamp, Timestamp);

/// The end of a link that is such a value, and its holder; of two such values the stronger one is the holder.
pub(super) fn held_end(link: &Link, rules: &dyn NodeRules) -> Option<(u32, u32)> {
    let is_held = |node: u32| rules.types().rule(rules.type_of(node)).latest_link_wins;
    match (is_held(link.node), is_held(link.other)) {
        (false, false) => None,
        (true, false) => Some((link.node, link.other)),
        (false, true) => Some((link.other, link.node)),
        (true, true) if rules.compare_ranks(link.node, link.other).is_lt() => Some((link.other, link.node)),
        (true, true) => Some((link.node, link.other)),
    }
}

impl PartitionChanges {
    /// Adds a link of a value under `latest_link_wins`.
    pub(super) fn hold(&mut self, base: &Partition, link: &Link, value: u32, holder: u32) {
        let held = Held { at: link.occurred_at, sequence: link.sequence, holder };
        let before = base.holders.links.get(&value);
        let links = self.holders.links.entry(value).or_insert_with(|| before.cloned().unwrap_or_default());
        let place = links.partition_point(|known| (known.at, known.sequence) < (held.at, held.sequence));
        if links.iter().skip(place).take_while(|known| known.sequence == held.sequence).any(|known| *known == held) {
            return;
        }
        links.insert(place, held);
        self.changed.push(value);
        self.changed.extend(links.iter().map(|known| known.holder));
        let before = base.holders.values.get(&holder);
        let values = self.holders.values.entry(holder).or_insert_with(|| before.cloned().unwrap_or_default());
        if !values.contains(&value) {
            values.push(value);
        }
    }

    /// Removes the holders of a value, and returns them.
    pub(super) fn release(&mut self, base: &Partition, value: u32) -> Vec<u32> {
        let links = self.view(base).links_of_held(value).to_vec();
        let mut holders: Vec<u32> = links.iter().map(|held| held.holder).collect();
        holders.sort_unstable();
        holders.dedup();
        for holder in &holders {
            let before = base.holders.values.get(holder);
            let values = self.holders.values.entry(*holder).or_insert_with(|| before.cloned().unwrap_or_default());
            values.retain(|held| *held != value);
        }
        if !links.is_empty() {
            self.holders.links.insert(value, Vec::new());
            self.changed.push(value);
            self.changed.extend(holders.iter().copied());
        }
        holders
    }
}

impl PartitionView<'_> {
    fn links_of_held(&self, value: u32) -> &[Held] {
        let changed = self.overlay.and_then(|overlay| overlay.holders.links.get(&value));
        changed.or_else(|| self.base.holders.links.get(&value)).map_or(&[], Vec::as_slice)
    }

    /// The values that a node has ever held.
    fn values_held_by(&self, node: u32) -> &[u32] {
        let changed = self.overlay.and_then(|overlay| overlay.holders.values.get(&node));
        changed.or_else(|| self.base.holders.values.get(&node)).map_or(&[], SmallVec::as_slice)
    }

    /// Whether no value is held.
    pub(crate) fn holds_nothing(&self) -> bool {
        self.base.holders.links.is_empty() && self.overlay.is_none_or(|overlay| overlay.holders.links.is_empty())
    }

    /// Whether a node is held at `at`, so that it has no profile of its own: it has a link by then.
    pub(crate) fn is_held_at(&self, node: u32, at: Timestamp) -> bool {
        self.first_link(node).is_some_and(|first| first <= at)
    }

    fn first_link(&self, value: u32) -> Option<Timestamp> {
        self.links_of_held(value).first().map(|held| held.at)
    }

    /// The values that are held, but not yet at `at`.
    pub(crate) fn not_yet_held(&self, at: Timestamp) -> Vec<u32> {
        let changed = self.overlay.into_iter().flat_map(|overlay| overlay.holders.links.keys());
        let mut values: Vec<u32> = self.base.holders.links.keys().chain(changed).copied().collect();
        values.retain(|value| self.first_link(*value).is_some_and(|first| first > at));
        values.sort_unstable();
        values.dedup();
        values
    }

    /// The instants in `(from, to]` at which these nodes got a value that had no holder before.
    pub(crate) fn first_held_between(&self, nodes: &[u32], from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let values = nodes.iter().flat_map(|node| self.values_held_by(*node));
        let first = values.filter_map(|value| self.first_link(*value));
        first.filter(|first| *first > from && *first <= to).collect()
    }

    /// The nodes that ever held a node, directly or through another held value, and are not held themselves.
    pub(crate) fn holders_of(&self, node: u32) -> Vec<u32> {
        let mut found = Vec::new();
        let mut rest = vec![node];
        while let Some(node) = rest.pop() {
            let mut holders: Vec<u32> = self.links_of_held(node).iter().map(|held| held.holder).collect();
            holders.sort_unstable();
            holders.dedup();
            if holders.is_empty() {
                found.push(node);
            }
            rest.extend(holders);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The turns of a value: its holders with the instants from which they hold it, in order, the first from the
    /// beginning. Of the links of one message the strongest other end counts, and beyond the guard of the value only
    /// the earliest neighbours.
    fn turns(&self, value: u32, rules: &dyn NodeRules) -> Result<Vec<(Timestamp, Held)>> {
        let mut links = self.links_of_held(value).to_vec();
        for tied in links.chunk_by_mut(|left, right| left.at == right.at) {
            if tied.len() == 1 {
                continue;
            }
            let mut keyed = Vec::with_capacity(tied.len());
            for held in tied.iter() {
                keyed.push((rules.tie_order(held.sequence)?, *held));
            }
            keyed.sort_by(|(left_id, left), (right_id, right)| {
                left_id.cmp(right_id).then_with(|| rules.compare_ranks(left.holder, right.holder))
            });
            for (place, (_, held)) in tied.iter_mut().zip(keyed) {
                *place = held;
            }
        }
        links.dedup_by_key(|held| held.sequence);
        let mut turns: Vec<(Timestamp, Held)> = Vec::new();
        let mut counted: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for held in links {
            let guard = rules.types().rule(rules.type_of(value)).hub_guard(rules.type_of(held.holder));
            if let Some((class, limit)) = guard {
                let neighbours = counted.entry(class).or_default();
                if !neighbours.contains(&held.holder) {
                    if neighbours.len() >= limit as usize {
                        continue;
                    }
                    neighbours.push(held.holder);
                }
            }
            if turns.last().is_none_or(|(_, before)| before.holder != held.holder) {
                turns.push((if turns.is_empty() { Timestamp::MIN } else { held.at }, held));
            }
        }
        Ok(turns)
    }

    /// The node that a node belongs to at an instant: itself unless it is held.
    pub(crate) fn holder_at(&self, node: u32, at: Timestamp, rules: &dyn NodeRules) -> Result<u32> {
        let mut node = node;
        while self.is_held_at(node, at) {
            let turns = self.turns(node, rules)?;
            let Some((_, held)) = turns.into_iter().rev().find(|(from, _)| *from <= at) else { break };
            node = held.holder;
        }
        Ok(node)
    }

    /// The values that these nodes hold at some time, by the links up to `at`, each with its sorted spans.
    pub(crate) fn held_with(
        &self,
        nodes: &[u32],
        at: Timestamp,
        rules: &dyn NodeRules,
    ) -> Result<Vec<(u32, Vec<Span>)>> {
        let mut found: Vec<(u32, Vec<Span>)> = Vec::new();
        if self.holds_nothing() {
            return Ok(found);
        }
        let mut rest: Vec<(u32, Vec<Span>)> =
            nodes.iter().map(|node| (*node, vec![(Timestamp::MIN, Timestamp::MAX)])).collect();
        while let Some((node, within)) = rest.pop() {
            for value in self.values_held_by(node).iter().filter(|value| self.is_held_at(**value, at)) {
                let turns = self.turns(*value, rules)?;
                let ends = turns.iter().skip(1).map(|(from, _)| *from).chain([Timestamp::MAX]);
                let own = turns.iter().zip(ends).filter(|((_, held), _)| held.holder == node);
                let mut spans = Vec::new();
                for ((from, _), to) in own {
                    for (least, greatest) in &within {
                        let (from, to) = ((*from).max(*least), to.min(*greatest));
                        if from < to {
                            spans.push((from, to));
                        }
                    }
                }
                if !spans.is_empty() {
                    rest.push((*value, spans.clone()));
                    match found.iter_mut().find(|(known, _)| known == value) {
                        Some((_, known)) => known.extend(spans),
                        None => found.push((*value, spans)),
                    }
                }
            }
        }
        for (_, spans) in &mut found {
            spans.sort_unstable();
        }
        found.sort_unstable_by_key(|(value, _)| *value);
        Ok(found)
    }
}

impl PartitionView<'_> {
    /// The links by which these nodes hold values at an instant, by value.
    pub(crate) fn links_of_held_at(&self, nodes: &[u32], at: Timestamp, rules: &dyn NodeRules) -> Result<Vec<Link>> {
        let mut links = Vec::new();
        for (value, spans) in self.held_with(nodes, at, rules)? {
            let turns = self.turns(value, rules)?;
            let turn = turns.into_iter().rev().find(|(from, _)| *from <= at).filter(|_| is_within(&spans, at));
            links.extend(turn.map(|(_, held)| held.link(value)));
        }
        Ok(links)
    }

    /// Every link of a value under `latest_link_wins`, in log order. Only reports read this, and they run on the
    /// committed partition.
    pub(crate) fn held_links(&self) -> Vec<Link> {
        let holders = &self.base.holders.links;
        let mut links: Vec<Link> =
            holders.iter().flat_map(|(value, links)| links.iter().map(|held| held.link(*value))).collect();
        links.sort_unstable_by_key(|link| (link.sequence, link.other));
        links
    }
}

/// Whether an instant lies in one of these spans; the last one is closed at the end of time.
pub(crate) fn is_within(spans: &[Span], at: Timestamp) -> bool {
    spans.iter().any(|(from, to)| *from <= at && (at < *to || *to == Timestamp::MAX))
}

/// Whether the first of all spans is among these: its holder takes over the facts of the value from before any holder.
pub(crate) fn reach_back(spans: &[Span]) -> bool {
    spans.first().is_some_and(|(from, _)| *from == Timestamp::MIN)
}
