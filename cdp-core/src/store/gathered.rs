//! The facts of a profile's nodes, merged from runs and RAM.

use std::ops::Range;

use super::node_facts::Annex;
use super::runs::{Block, NodeSlice, NodeSlices};
use super::tail::NodeFacts;
use crate::error::Result;
use crate::rules::TimelineEvent;

// The place of an event's properties, in the upper bits of its row: a block, the frozen tail, else the tail.
const BLOCK_ROW: u64 = 1 << 63;
pub(super) const FROZEN_ROW: u64 = 1 << 62;
const BLOCK_SHIFT: u32 = 32;

/// The events of some nodes, and the places of their other facts, which are read on demand.
#[derive(Default)]
pub(crate) struct Gathered {
    /// The events of all nodes; sorted by (occurred_at, sequence) after [`Gathered::sort`].
    pub(crate) timeline: Vec<TimelineEvent>,
    // The nodes in the order in which they were added, each with the range of its slices.
    nodes: Vec<(u32, Range<usize>)>,
    slices: Vec<NodeSlice>,
}

impl Gathered {
    /// Adds the events of a node that stand in runs.
    pub(super) fn add_node(&mut self, node: u32, slices: NodeSlices) {
        let first = self.slices.len();
        for slice in slices.into_slices() {
            let row = BLOCK_ROW | ((self.slices.len() as u64) << BLOCK_SHIFT);
            slice.visit_events(|occurred_at, sequence, event, place| {
                self.timeline.push(TimelineEvent { occurred_at, sequence, event, row: row | place as u64 });
            });
            self.slices.push(slice);
        }
        self.nodes.push((node, first..self.slices.len()));
    }

    /// Adds events that stand in RAM.
    pub(super) fn add_layer(&mut self, layer: NodeFacts<'_>, tag: u64) {
        self.timeline.extend(layer.events.map(|entry| TimelineEvent {
            occurred_at: entry.occurred_at,
            sequence: entry.sequence,
            event: entry.event,
            row: tag | u64::from(entry.row),
        }));
    }

    /// The facts in runs of each node besides its events, in the order in which the nodes were added.
    pub(super) fn annexes_in_runs(&self) -> impl Iterator<Item = Result<(u32, Annex)>> {
        self.nodes.iter().map(|(node, slices)| {
            let mut merged = Annex::default();
            for slice in self.slices.get(slices.clone()).unwrap_or_default() {
                merged.add(slice.annex()?);
            }
            Ok((*node, merged))
        })
    }

    /// Sorts the events by (occurred_at, sequence).
    pub(crate) fn sort(&mut self) {
        let in_order = |pair: &[TimelineEvent]| matches!(pair, [a, b] if (a.occurred_at, a.sequence) <= (b.occurred_at, b.sequence));
        if !self.timeline.windows(2).all(in_order) {
            self.timeline.sort_unstable_by_key(|event| (event.occurred_at, event.sequence));
        }
    }

    /// The block and the row in it with an event's properties; `None` if the event is not in a run.
    pub(super) fn block(&self, row: u64) -> Option<(&Block, usize)> {
        if row & BLOCK_ROW == 0 {
            return None;
        }
        let place = ((row & !BLOCK_ROW) >> BLOCK_SHIFT) as usize;
        Some((self.slices.get(place)?.block.as_ref(), (row & u64::from(u32::MAX)) as usize))
    }
}
