//! The facts of one node in runs, as slices of blocks; events are decoded from the columns on demand.

#[cfg(test)]
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::annex::AnnexPart;
use super::block::Block;
use crate::error::Result;
use crate::records::Timestamp;
#[cfg(test)]
use crate::records::Value;
use crate::store::node_facts::Annex;
#[cfg(test)]
use crate::store::node_facts::sort_if_needed;

/// The part of a node in one block.
pub(crate) struct NodeSlice {
    /// The block.
    pub(crate) block: Arc<Block>,
    /// The node's place in it.
    pub(crate) place: usize,
    /// Its events there.
    pub(crate) rows: Range<usize>,
    // Whether only events were requested.
    #[cfg(test)]
    events_only: bool,
}

/// All parts of one node, the oldest run first.
#[derive(Default)]
pub(crate) struct NodeSlices {
    pub(super) slices: Vec<NodeSlice>,
}

/// The place of an event's properties: the slice, and the row of its block.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowRef {
    /// The index of the slice in its [`NodeSlices`].
    pub(crate) slice: u32,
    /// The row in the slice's block.
    pub(crate) row: u32,
}

/// An event on a node's timeline.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunEvent {
    /// The instant of the event.
    pub(crate) occurred_at: Timestamp,
    /// The sequence of its message.
    pub(crate) sequence: u64,
    /// The number of its name.
    pub(crate) event: u32,
    /// The place of its properties.
    pub(crate) properties: RowRef,
}

/// The facts of one node in runs.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct RunFacts {
    /// Tracks, pages and screens, sorted by (occurred_at, sequence).
    pub(crate) events: Vec<RunEvent>,
    /// All other facts, in log order.
    pub(crate) annex: Annex,
}

impl NodeSlices {
    pub(super) fn push(&mut self, block: Arc<Block>, place: usize, since_ms: Option<i64>) {
        let mut rows = block.rows(place);
        if let Some(since_ms) = since_ms {
            rows.start = block.occurred_at().lower_bound(rows.clone(), since_ms);
            if rows.is_empty() {
                return;
            }
        }
        self.slices.push(NodeSlice {
            block,
            place,
            rows,
            #[cfg(test)]
            events_only: since_ms.is_some(),
        });
    }

    /// The parts of a block that has one node alone.
    pub(super) fn of_block(block: Arc<Block>) -> NodeSlices {
        let mut slices = NodeSlices::default();
        slices.push(block, 0, None);
        slices
    }

    /// The parts, the oldest run first.
    pub(crate) fn into_slices(self) -> Vec<NodeSlice> {
        self.slices
    }
}

// Decoded facts, for the tests of this module; the store gathers the nodes of a profile itself.
#[cfg(test)]
impl NodeSlices {
    /// The number of events.
    pub(crate) fn n_events(&self) -> usize {
        self.slices.iter().map(|slice| slice.rows.len()).sum()
    }

    /// The facts, with events that point back into these slices.
    pub(crate) fn facts(&self) -> Result<RunFacts> {
        let mut facts = RunFacts::default();
        facts.events.reserve(self.n_events());
        for (index, slice) in self.slices.iter().enumerate() {
            slice.append_events(index as u32, &mut facts.events);
            if !slice.events_only {
                facts.annex.add(slice.annex()?);
            }
        }
        sort_if_needed(&mut facts.events, |event| (event.occurred_at, event.sequence));
        facts.annex.sort();
        Ok(facts)
    }

    /// A property of an event; `None` for null.
    pub(crate) fn value(&self, column: usize, event: RowRef) -> Option<Cow<'_, Value>> {
        self.slices.get(event.slice as usize)?.block.value(column, event.row as usize)
    }

    /// The nano-units of an event's property; `None` if it is no number.
    pub(crate) fn number(&self, column: usize, event: RowRef) -> Option<i128> {
        self.slices.get(event.slice as usize)?.block.number(column, event.row as usize)
    }
}

impl NodeSlice {
    #[cfg(test)]
    fn append_events(&self, slice: u32, events: &mut Vec<RunEvent>) {
        let (occurred_at, sequences) = (self.block.occurred_at(), self.block.sequences());
        for row in self.rows.clone() {
            let (Some(at), Some(sequence)) = (occurred_at.get(row), sequences.get(row)) else { break };
            events.push(RunEvent {
                occurred_at: Timestamp::from_millis(at),
                sequence: sequence.cast_unsigned(),
                event: self.block.event(row).unwrap_or(0),
                properties: RowRef { slice, row: row as u32 },
            });
        }
    }

    /// Calls `visit` with (occurred_at, sequence, name number, row in the block) of every event.
    pub(crate) fn visit_events(&self, mut visit: impl FnMut(Timestamp, u64, u32, usize)) {
        let (occurred_at, sequences) = (self.block.occurred_at(), self.block.sequences());
        for row in self.rows.clone() {
            let (Some(at), Some(sequence)) = (occurred_at.get(row), sequences.get(row)) else { break };
            visit(Timestamp::from_millis(at), sequence.cast_unsigned(), self.block.event(row).unwrap_or(0), row);
        }
    }

    /// The facts besides events; first instants are at most those of the node's own messages.
    pub(crate) fn annex(&self) -> Result<Annex> {
        let mut annex = self.block.annex(self.place)?.unwrap_or_default();
        let (occurred_at, sequences) = (self.block.occurred_at(), self.block.sequences());
        let of_events = self.rows.clone().filter_map(|row| {
            let sequence = sequences.get(row)?.cast_unsigned();
            Some((Timestamp::from_millis(occurred_at.get(row)?), sequence))
        });
        let (mut first_at, mut first_sequence) = (annex.first_named_at, annex.first_sequence);
        for (at, sequence) in of_events.chain(annex.others.iter().copied()) {
            first_at = Some(first_at.map_or(at, |first| first.min(at)));
            first_sequence = Some(first_sequence.map_or(sequence, |first| first.min(sequence)));
        }
        (annex.first_named_at, annex.first_sequence) = (first_at, first_sequence);
        Ok(annex)
    }
}

impl Block {
    /// Calls `visit` with (node, occurred_at, name number) of every event from an instant on.
    pub(crate) fn visit_events_since(&self, since_ms: i64, mut visit: impl FnMut(u32, Timestamp, u32)) {
        let occurred_at = self.occurred_at();
        for place in 0..self.n_nodes() {
            let Some(node) = self.node(place) else { break };
            let rows = self.rows(place);
            for row in occurred_at.lower_bound(rows.clone(), since_ms)..rows.end {
                if let (Some(at), Some(event)) = (occurred_at.get(row), self.event(row)) {
                    visit(node, Timestamp::from_millis(at), event);
                }
            }
        }
    }

    /// Calls `visit` with (node, occurred_at, sequence, name number or 0) of every message, and without a sequence for the
    /// instant at which a node was first named.
    pub(crate) fn visit_messages(&self, mut visit: impl FnMut(u32, Timestamp, Option<u64>, u32)) -> Result<()> {
        let (occurred_at, sequences) = (self.occurred_at(), self.sequences());
        for place in 0..self.n_nodes() {
            let Some(node) = self.node(place) else { break };
            for row in self.rows(place) {
                if let (Some(at), Some(sequence)) = (occurred_at.get(row), sequences.get(row)) {
                    let event = self.event(row).unwrap_or(0);
                    visit(node, Timestamp::from_millis(at), Some(sequence.cast_unsigned()), event);
                }
            }
            if let Some(annex) = self.annex_part(place, AnnexPart::Messages)? {
                annex.others.iter().for_each(|(at, sequence)| visit(node, *at, Some(*sequence), 0));
                if let Some(at) = annex.first_named_at {
                    visit(node, at, annex.first_sequence, 0);
                }
            }
        }
        Ok(())
    }
}
