//! Applies links in order: which nodes became one person, which links a limit refused, and when people joined.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::links::{Link, NodeRules, Violation, compare};
use crate::definitions::{IdentifierType, Role};
use crate::error::Result;
use crate::records::Timestamp;

/// The result of applying links in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    // node -> the profile's label, one of its nodes; a node without entry is a profile of its own
    pub(super) root_of: HashMap<u32, u32>,
    pub(super) members: HashMap<u32, Vec<u32>>,
    pub(super) first_live_at: HashMap<u32, Timestamp>,
    pub(super) violations: BTreeSet<Violation>,
    // the last link that was applied: event time, sequence
    pub(super) last: Option<(Timestamp, u64)>,
    // when two profiles became one
    pub(super) joins: Vec<Timestamp>,
}

impl Labels {
    pub(super) fn root(&self, node: u32) -> u32 {
        self.root_of.get(&node).copied().unwrap_or(node)
    }

    pub(super) fn members(&self, root: u32) -> &[u32] {
        self.members.get(&root).map_or(&[], Vec::as_slice)
    }

    /// The nodes of the profile that a node belongs to.
    pub(super) fn members_with(&self, node: u32) -> Vec<u32> {
        match self.members(self.root(node)) {
            [] => vec![node],
            members => members.to_vec(),
        }
    }

    /// Whether a link comes after all that were applied. Links of one message come by the rank of their other ends.
    pub(super) fn is_next(&self, link: &Link) -> bool {
        self.last
            .is_none_or(|(at, sequence)| at < link.occurred_at || (at == link.occurred_at && sequence == link.sequence))
    }

    /// Applies the next link in order. Gives the label of the profile that two became.
    pub(super) fn apply(&mut self, link: &Link, rules: &dyn NodeRules) -> Result<Option<u32>> {
        self.last = self.last.max(Some((link.occurred_at, link.sequence)));
        let (left, right) = (self.root(link.node), self.root(link.other));
        if left == right {
            self.live(link);
            return Ok(None);
        }
        if let Some(reason) = self.refusal(link, left, right, rules)? {
            self.violations.insert(Violation { reason, pair: link.pair() });
            return Ok(None);
        }
        self.live(link);
        self.joins.push(link.occurred_at);
        let left_members = self.members.remove(&left).unwrap_or_else(|| vec![left]);
        let right_members = self.members.remove(&right).unwrap_or_else(|| vec![right]);
        let (kept, mut members, moved) = if left_members.len() >= right_members.len() {
            (left, left_members, right_members)
        } else {
            (right, right_members, left_members)
        };
        for node in &moved {
            self.root_of.insert(*node, kept);
        }
        members.extend(moved);
        self.members.insert(kept, members);
        Ok(Some(kept))
    }

    fn live(&mut self, link: &Link) {
        for node in [link.node, link.other] {
            self.first_live_at.entry(node).or_insert(link.occurred_at);
        }
    }

    fn refusal(&self, link: &Link, left: u32, right: u32, rules: &dyn NodeRules) -> Result<Option<String>> {
        if link.alias {
            return Ok(self.alias_refusal(link, rules)?.then(|| "merge_refused_identified".to_owned()));
        }
        let sides = [self.members_with(left), self.members_with(right)];
        // By name, so that the reported reason does not depend on the side.
        let mut limited: BTreeMap<String, (IdentifierType, [u32; 2])> = BTreeMap::new();
        for (index, nodes) in sides.iter().enumerate() {
            for node in nodes {
                let identifier = rules.identifier_type(*node);
                let Some(limit) = identifier.limit else { continue };
                let counts = match limit.window {
                    None => true,
                    Some(window) => {
                        let first_live_at = self.first_live_at.get(node).copied().unwrap_or(link.occurred_at);
                        first_live_at > link.occurred_at.plus_millis(-window.millis())
                            && first_live_at <= link.occurred_at
                    }
                };
                if counts {
                    let entry = limited.entry(identifier.name.clone()).or_insert((identifier, [0, 0]));
                    if let Some(count) = entry.1.get_mut(index) {
                        *count += 1;
                    }
                }
            }
        }
        for (name, (identifier, [left_count, right_count])) in limited {
            let Some(limit) = identifier.limit else { continue };
            let union = left_count + right_count;
            if union > limit.n && left_count > 0 && right_count > 0 {
                let kind = if limit.window.is_some() { "window_limit_exceeded" } else { "limit_exceeded" };
                return Ok(Some(format!("{kind}:{name}")));
            }
        }
        Ok(None)
    }

    /// An alias is refused if both its user ids were identified at or before it.
    fn alias_refusal(&self, link: &Link, rules: &dyn NodeRules) -> Result<bool> {
        for node in [link.node, link.other] {
            if rules.identifier_type(node).role != Role::Person {
                return Ok(false);
            }
            let Some((identified_at, sequences)) = rules.first_identified(node)? else { return Ok(false) };
            let mut is_identified = false;
            for sequence in sequences {
                let order = compare(identified_at, sequence, link.occurred_at, link.sequence, rules)?;
                is_identified |= order != Ordering::Greater;
            }
            if !is_identified {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
