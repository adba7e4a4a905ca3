//! The hub guard: a value that many others name (an office phone, a test address) links only the k earliest of them.
//!
//! A value with fewer neighbours than its guard allows needs no hub: its links are enough. A hub is created at both
//! ends of the first pair that a guard keeps out.

use std::cmp::Ordering;

use rustc_hash::FxHashMap;

use super::links::Link;
use super::node_rules::{NodeRules, compare};
use crate::error::Result;
use crate::records::Timestamp;

/// The rank of a neighbour in a hub: the event time and sequence of its earliest link.
pub(super) type NeighbourRank = (Timestamp, u64);

/// A value and the class of neighbours that its guard counts.
pub(super) type HubKey = (u32, u32);

/// The neighbours of one value that its hub guard counts: the k earliest.
#[derive(Clone, Debug, Default)]
pub(super) struct Hub {
    live: FxHashMap<u32, NeighbourRank>,
    // the latest of them, where it has been computed
    last: Option<(u32, NeighbourRank)>,
}

/// The effect of counting a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HubEffect {
    /// The neighbour is live without it.
    Live,
    /// The neighbour becomes live, and may displace another one.
    Enters {
        displaced: Option<u32>,
    },
    KeptOut,
}

impl Hub {
    pub(super) fn n_live(&self) -> usize {
        self.live.len()
    }

    pub(super) fn is_live(&self, neighbour: u32) -> bool {
        self.live.contains_key(&neighbour)
    }

    /// The effect of a link from the value of this hub.
    pub(super) fn judge(&self, neighbour: u32, limit: u32, link: &Link, rules: &dyn NodeRules) -> Result<HubEffect> {
        let found = (link.occurred_at, link.sequence);
        if let Some((at, sequence)) = self.live.get(&neighbour).copied() {
            let is_earlier = compare(found.0, found.1, at, sequence, rules)? == Ordering::Less;
            return Ok(if is_earlier { HubEffect::Enters { displaced: None } } else { HubEffect::Live });
        }
        if self.live.len() < limit as usize {
            return Ok(HubEffect::Enters { displaced: None });
        }
        Ok(match self.latest(rules)? {
            Some(last) if !is_later((neighbour, found), last, rules)? => HubEffect::Enters { displaced: Some(last.0) },
            _ => HubEffect::KeptOut,
        })
    }

    /// Adds a live neighbour, as judged.
    pub(super) fn enter(
        &mut self,
        neighbour: u32,
        standing: NeighbourRank,
        displaced: Option<u32>,
        rules: &dyn NodeRules,
    ) -> Result<()> {
        if let Some(displaced) = displaced {
            self.live.remove(&displaced);
        }
        self.live.insert(neighbour, standing);
        self.last = None;
        self.last = self.latest(rules)?;
        Ok(())
    }

    /// Adds a link of a neighbour that is live anyway, when the hub is created.
    pub(super) fn meet(&mut self, neighbour: u32, standing: NeighbourRank, rules: &dyn NodeRules) -> Result<()> {
        let known = self.live.get(&neighbour).copied();
        let is_earlier = match known {
            Some(known) => compare(standing.0, standing.1, known.0, known.1, rules)? == Ordering::Less,
            None => true,
        };
        if is_earlier {
            self.live.insert(neighbour, standing);
        }
        Ok(())
    }

    fn latest(&self, rules: &dyn NodeRules) -> Result<Option<(u32, NeighbourRank)>> {
        if self.last.is_some() {
            return Ok(self.last);
        }
        let mut found = None;
        for (neighbour, first) in &self.live {
            let this = (*neighbour, *first);
            if match found {
                None => true,
                Some(last) => is_later(this, last, rules)?,
            } {
                found = Some(this);
            }
        }
        Ok(found)
    }
}

/// Whether one neighbour was linked later than another, by (event time, message id, rank).
fn is_later(left: (u32, NeighbourRank), right: (u32, NeighbourRank), rules: &dyn NodeRules) -> Result<bool> {
    let order = compare(left.1.0, left.1.1, right.1.0, right.1.1, rules)?;
    Ok(order.then_with(|| rules.compare_ranks(left.0, right.0)) == Ordering::Greater)
}
