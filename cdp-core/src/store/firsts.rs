//! The beginnings of nodes, held in RAM for every node: they give a profile its id, and show which events it cannot
//! have.
//!
//! It takes the times, sequences and event names of a node's messages, and keeps the earliest of each and one word of
//! bits for the event names. Values are only added, never removed.

use crate::records::Timestamp;

/// The beginnings of a node: when it was first named, its first message, and which event names it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Firsts {
    named_at_ms: i64,
    sequence: u64,
    events: u64,
}

impl Default for Firsts {
    fn default() -> Firsts {
        Firsts { named_at_ms: i64::MAX, sequence: u64::MAX, events: 0 }
    }
}

/// The bit of an event name; two names may share one, so a bit that is set is a hint, and one that is not is certain.
pub(crate) fn event_bit(event: u32) -> u64 {
    1 << (event % u64::BITS)
}

impl Firsts {
    /// When a message first named the node.
    pub(crate) fn named_at(&self) -> Option<Timestamp> {
        (self.named_at_ms != i64::MAX).then(|| Timestamp::from_millis(self.named_at_ms))
    }

    /// Whether a message named the node before this instant.
    pub(super) fn were_before(&self, named_at: Timestamp) -> bool {
        self.named_at_ms < named_at.millis()
    }

    /// The least sequence of a message of the node.
    pub(crate) fn sequence(&self) -> Option<u64> {
        (self.sequence != u64::MAX).then_some(self.sequence)
    }

    /// The bits of the names of all its events, see [`event_bit`].
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// Adds an instant at which the node was named, a message of the node, and bits of event names.
    pub(super) fn include(&mut self, named_at: Option<Timestamp>, sequence: Option<u64>, events: u64) {
        self.named_at_ms = self.named_at_ms.min(named_at.map_or(i64::MAX, Timestamp::millis));
        self.sequence = self.sequence.min(sequence.unwrap_or(u64::MAX));
        self.events |= events;
    }
}
