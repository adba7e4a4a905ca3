//! Merged blocks: the facts of a repeatedly read node from all runs, as one small block in the cache.
//!
//! The first read of a node opens a block of every run that has it. The second read merges the node's parts into one
//! block, which is cached beside the blocks of the file, within their budget. A merged block is valid for exactly the
//! runs it was made of: its key includes the generation of the list of runs.

use std::sync::atomic::{AtomicU32, Ordering};

use super::block::Block;
use super::builder::{BlockBuilder, BlockLimits, Translations};
use super::read::NodeSlices;
use crate::error::Result;

/// The approximate number of recently read nodes that are remembered.
const REMEMBERED: usize = 1 << 15;
/// A node with more events fills blocks alone, or nearly so.
const MOST_EVENTS: usize = 512;

/// The nodes that were read recently. Threads may overwrite each other's entries: a repeated read then counts as a
/// first one.
pub(super) struct RecentNodes(Box<[AtomicU32]>);

impl Default for RecentNodes {
    fn default() -> RecentNodes {
        RecentNodes((0..REMEMBERED).map(|_| AtomicU32::new(u32::MAX)).collect())
    }
}

impl RecentNodes {
    /// Records a read of a node; returns whether it was recorded before.
    pub(super) fn record(&self, node: u32) -> bool {
        self.0.get(node as usize % REMEMBERED).is_some_and(|place| place.swap(node, Ordering::Relaxed) == node)
    }
}

/// The cache key of a node's merged block for one generation of runs; negative, because the ids of blocks are positive.
pub(super) fn merged_key(generation: u32, node: u32) -> i64 {
    -1 - (i64::from(generation & (u32::MAX >> 1)) << 32 | i64::from(node))
}

/// Whether a key is that of a block of the file.
pub(super) fn is_block(key: i64) -> bool {
    key >= 0
}

impl NodeSlices {
    /// All parts as one block; `None` without parts, and where the number of events leaves little to save.
    pub(super) fn merged(&self, node: u32) -> Result<Option<Block>> {
        let n_events: usize = self.slices.iter().map(|slice| slice.rows.len()).sum();
        let Some(n_columns) = self.slices.iter().map(|slice| slice.block.n_columns()).max() else { return Ok(None) };
        if n_events > MOST_EVENTS {
            return Ok(None);
        }
        let limits = BlockLimits { enough_rows: usize::MAX, max_rows: usize::MAX };
        let mut builder = BlockBuilder::new(limits, n_columns);
        builder.start_node(node);
        let mut rows = Vec::with_capacity(n_events);
        let mut translations = vec![Translations::default(); self.slices.len()];
        for (place, slice) in self.slices.iter().enumerate() {
            if let Some(annex) = slice.block.annex(slice.place)? {
                builder.push_annex(annex);
            }
            slice.visit_events(|occurred_at, sequence, _, row| rows.push((occurred_at, sequence, place, row)));
        }
        rows.sort_unstable();
        for (_, _, place, row) in rows {
            if let (Some(slice), Some(translations)) = (self.slices.get(place), translations.get_mut(place)) {
                builder.push_rows(&slice.block, row..row + 1, translations);
            }
        }
        Block::open(builder.finish().0).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recently_read_nodes_are_remembered() {
        let recent = RecentNodes::default();
        let same_place = 7 + REMEMBERED as u32;
        let answers = [7, 8, 7, same_place, 7, 8].map(|node| recent.record(node));
        assert_eq!(answers, [false, false, true, false, false, true]);
    }

    #[test]
    fn no_two_answers_and_no_block_share_a_key() {
        let keys = [(0, 0), (0, u32::MAX), (1, 0), (u32::MAX >> 1, u32::MAX)].map(|(run, node)| merged_key(run, node));
        assert!(keys.iter().all(|key| !is_block(*key)) && is_block(0) && is_block(i64::MAX));
        assert!(keys.is_sorted_by(|left, right| left > right));
    }
}
