//! Links of the values under `latest_link_wins`, in RAM; `spans.rs` reads and changes them.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::decisions::decision_number;
use super::links::Link;
use crate::records::{LinkRule, Timestamp};

/// A link of a value, as RAM keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) at: Timestamp,
    pub(super) sequence: u64,
    pub(super) holder: u32,
}

/// The links of each such value by (event time, sequence), and the values that a node has ever held.
#[derive(Clone, Debug, Default)]
pub(super) struct Holders {
    pub(super) links: FxHashMap<u32, Vec<Held>>,
    pub(super) values: FxHashMap<u32, SmallVec<[u32; 2]>>,
}

impl Holders {
    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty() && self.values.is_empty()
    }

    /// Adds the changes of a committed transaction.
    pub(super) fn fold(&mut self, changed: Holders) {
        self.links.extend(changed.links);
        self.values.extend(changed.values);
    }
}

impl Held {
    pub(super) fn link(self, value: u32) -> Link {
        let rule = if decision_number(self.sequence).is_some() { LinkRule::Operator } else { LinkRule::SameMessage };
        Link { node: self.holder, other: value, occurred_at: self.at, sequence: self.sequence, rule }
    }
}
