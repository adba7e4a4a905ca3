//! Everything that the log says about the nodes of one person, put together from runs and RAM.

use std::sync::Arc;

use super::node_facts::{Annex, NodeFacts};
use super::runs::{Block, NodeSlices};
use crate::error::Result;
use crate::rules::TimelineEvent;

// Where an event's properties are, in the upper bits of its row: in a block, in the frozen tail, else in the tail.
const BLOCK_ROW: u64 = 1 << 63;
pub(super) const FROZEN_ROW: u64 = 1 << 62;
const BLOCK_SHIFT: u32 = 32;

/// The facts of some nodes.
#[derive(Default)]
pub(crate) struct Gathered {
    /// The events of all nodes; sorted by (occurred_at, sequence) once [`Gathered::sort`] was called.
    pub(crate) timeline: Vec<TimelineEvent>,
    /// Everything but events, by node, in the order in which the nodes were gathered.
    pub(crate) nodes: Vec<(u32, Annex)>,
    blocks: Vec<Arc<Block>>,
}

impl Gathered {
    pub(super) fn add_slices(&mut self, slices: NodeSlices, merged: &mut Annex) -> Result<()> {
        for slice in slices.slices() {
            let row = BLOCK_ROW | ((self.blocks.len() as u64) << BLOCK_SHIFT);
            slice.visit_events(|occurred_at, sequence, event, place| {
                self.timeline.push(TimelineEvent { occurred_at, sequence, event, row: row | place as u64 });
            });
            self.blocks.push(slice.block.clone());
            merged.add(slice.annex()?);
        }
        Ok(())
    }

    pub(super) fn add_layer(&mut self, layer: &NodeFacts, tag: u64, merged: &mut Annex) {
        self.timeline.extend(layer.events.iter().map(|entry| TimelineEvent {
            occurred_at: entry.occurred_at,
            sequence: entry.sequence,
            event: entry.event,
            row: tag | u64::from(entry.row),
        }));
        layer.add_rest_to(merged);
    }

    pub(super) fn finish_node(&mut self, node: u32, mut merged: Annex) {
        merged.sort();
        self.nodes.push((node, merged));
    }

    /// Brings the events into the order of (occurred_at, sequence).
    pub(crate) fn sort(&mut self) {
        let in_order = |pair: &[TimelineEvent]| matches!(pair, [a, b] if (a.occurred_at, a.sequence) <= (b.occurred_at, b.sequence));
        if !self.timeline.windows(2).all(in_order) {
            self.timeline.sort_unstable_by_key(|event| (event.occurred_at, event.sequence));
        }
    }

    /// The block and the row in it that hold an event's properties, if they are in a run.
    pub(super) fn block(&self, row: u64) -> Option<(&Block, usize)> {
        if row & BLOCK_ROW == 0 {
            return None;
        }
        let place = ((row & !BLOCK_ROW) >> BLOCK_SHIFT) as usize;
        Some((self.blocks.get(place)?.as_ref(), (row & u64::from(u32::MAX)) as usize))
    }
}
