//! People who are asked for again: what all runs say about one of their nodes, as one small block of its own.
//!
//! Who is asked for once costs a look into a block of every run that speaks of them; for who is asked for a second time the
//! answer is put together and kept beside the blocks, within the same budget. It holds for exactly the runs that it was
//! made of, and a change of these makes its key another.

use std::sync::atomic::{AtomicU32, Ordering};

use super::block::Block;
use super::builder::{BlockBuilder, BlockLimits, Translations};
use super::read::NodeSlices;
use crate::error::Result;

/// So many of the nodes that were asked for last are remembered, about.
const REMEMBERED: usize = 1 << 15;
/// Who has more events fills blocks alone, or nearly so.
const MOST_EVENTS: usize = 512;

/// The nodes that were asked for last. Threads may overwrite each other's: then somebody counts as asked for the first time.
pub(super) struct AskedNodes(Box<[AtomicU32]>);

impl Default for AskedNodes {
    fn default() -> AskedNodes {
        AskedNodes((0..REMEMBERED).map(|_| AtomicU32::new(u32::MAX)).collect())
    }
}

impl AskedNodes {
    /// Whether the node was asked for before; from now on it was.
    pub(super) fn note(&self, node: u32) -> bool {
        self.0.get(node as usize % REMEMBERED).is_some_and(|place| place.swap(node, Ordering::Relaxed) == node)
    }
}

/// The key, among those of blocks, of what the runs of one generation say about a node: the ids of blocks are positive.
pub(super) fn key_of(generation: u32, node: u32) -> i64 {
    -1 - (i64::from(generation & (u32::MAX >> 1)) << 32 | i64::from(node))
}

/// Whether a key is that of a block of the file.
pub(super) fn is_block(key: i64) -> bool {
    key >= 0
}

impl NodeSlices {
    /// All of it as one block; `None` where it is nothing, or so much that little would be saved.
    pub(super) fn joined(&self, node: u32) -> Result<Option<Block>> {
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
    fn the_nodes_asked_for_last_are_remembered() {
        let asked = AskedNodes::default();
        let same_place = 7 + REMEMBERED as u32;
        let answers = [7, 8, 7, same_place, 7, 8].map(|node| asked.note(node));
        assert_eq!(answers, [false, false, true, false, false, true]);
    }

    #[test]
    fn no_two_answers_and_no_block_share_a_key() {
        let keys = [(0, 0), (0, u32::MAX), (1, 0), (u32::MAX >> 1, u32::MAX)].map(|(run, node)| key_of(run, node));
        assert!(keys.iter().all(|key| !is_block(*key)) && is_block(0) && is_block(i64::MAX));
        assert!(keys.is_sorted_by(|left, right| left > right));
    }
}
