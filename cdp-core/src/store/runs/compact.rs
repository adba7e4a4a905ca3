//! Keeps runs few: neighbours of about one size are merged into one, block by block, in bounded memory.
//!
//! Only consecutive runs are merged, so that each run covers one stretch of the log. With a fan-in of three every event
//! is rewritten about once for each power of three by which the store exceeds a flush. With four there are as many
//! writes at ten million events, and up to eight runs while a large merge is under way.

use std::ops::Range;
use std::sync::Arc;

use super::block::Block;
use super::build::{BlockReader, Build, FactSource};
use super::builder::{BlockBuilder, Translations};
use super::directory::Run;
use super::{Runs, RunsOptions};
use crate::error::Result;

impl Runs {
    /// Starts a merge of runs if one is due. There is one compaction at a time; flushes may go on meanwhile.
    pub(crate) fn begin_compaction(&self) -> Option<Build<MergeCursor>> {
        let sizes: Vec<(u32, u64)> = self.runs.iter().map(|run| (run.level, run.fences.len() as u64)).collect();
        let inputs = self.runs.get(plan(&sizes, &self.options)?)?;
        let (first, last) = (inputs.first()?, inputs.last()?);
        let cursor = MergeCursor { has_begun: false, inputs: inputs.iter().cloned().map(RunInput::new).collect() };
        let sequences = (first.first_sequence, last.last_sequence);
        Some(self.begin(cursor, sequences, first.columns.clone(), inputs.to_vec()))
    }
}

/// The runs to merge, given the level and number of blocks of each, oldest first.
fn plan(sizes: &[(u32, u64)], options: &RunsOptions) -> Option<Range<usize>> {
    let mut levels: Vec<u32> = sizes.iter().map(|size| size.0).collect();
    levels.sort_unstable();
    levels.dedup();
    for level in levels {
        // The newest runs up to this level; smaller ones between two of the level are included.
        let start = sizes.iter().rposition(|size| size.0 > level).map_or(0, |larger| larger + 1);
        let group = sizes.get(start..).unwrap_or_default();
        let n_of_level = group.iter().filter(|size| size.0 == level).count();
        let last = group.iter().rposition(|size| size.0 == level).unwrap_or(0);
        if n_of_level >= options.fan_in {
            return Some(start..start + last + 1);
        }
    }
    if sizes.len() <= options.max_runs {
        return None;
    }
    let ranges = (0..sizes.len()).flat_map(|from| (from + 2..=sizes.len()).map(move |to| from..to));
    let cost = |range: &Range<usize>| {
        let n_blocks: u64 = sizes.get(range.clone()).unwrap_or_default().iter().map(|size| size.1).sum();
        n_blocks / (range.len() as u64 - 1)
    };
    ranges.min_by_key(cost)
}

/// The position of a merge.
#[derive(Clone)]
pub(crate) struct MergeCursor {
    has_begun: bool,
    inputs: Vec<RunInput>,
}

/// A run and its next piece: a node's part of one block.
#[derive(Clone)]
struct RunInput {
    run: Arc<Run>,
    n_opened: usize,
    block: Option<Arc<Block>>,
    place: usize,
    node: Option<u32>,
    // The events of the piece that are still to be written.
    rows: Range<usize>,
    annex_was_taken: bool,
    translations: Translations,
}

impl RunInput {
    fn new(run: Arc<Run>) -> RunInput {
        RunInput {
            run,
            n_opened: 0,
            block: None,
            place: 0,
            node: None,
            rows: 0..0,
            annex_was_taken: false,
            translations: Translations::default(),
        }
    }

    fn open_next_block(&mut self, blocks: &BlockReader<'_>) -> Result<()> {
        self.translations.clear();
        self.block = match self.run.fences.get(self.n_opened) {
            Some(fence) => Some(blocks.open(fence)?),
            None => None,
        };
        self.n_opened += 1;
        self.enter(0);
        Ok(())
    }

    fn enter(&mut self, place: usize) {
        self.place = place;
        self.annex_was_taken = false;
        let block = self.block.as_ref();
        self.node = block.and_then(|block| block.node(place));
        self.rows = block.map_or(0..0, |block| block.rows(place));
    }

    fn next_piece(&mut self, blocks: &BlockReader<'_>) -> Result<()> {
        match &self.block {
            Some(block) if self.place + 1 < block.n_nodes() => self.enter(self.place + 1),
            _ => self.open_next_block(blocks)?,
        }
        Ok(())
    }

    fn key(&self, row: usize) -> Option<(i64, u64)> {
        let block = self.block.as_ref()?;
        Some((block.occurred_at().get(row)?, block.sequences().get(row)?.cast_unsigned()))
    }
}

impl FactSource for MergeCursor {
    fn fill(&mut self, blocks: &BlockReader<'_>, builder: &mut BlockBuilder) -> Result<bool> {
        // Every call begins another block.
        self.inputs.iter_mut().for_each(|input| input.translations.clear());
        if !self.has_begun {
            self.inputs.iter_mut().try_for_each(|input| input.open_next_block(blocks))?;
            self.has_begun = true;
        }
        while let Some(node) = self.inputs.iter().filter_map(|input| input.node).min() {
            if builder.is_closed_to(node) {
                return Ok(true);
            }
            builder.start_node(node);
            if self.take_annexes(node, blocks, builder)? {
                self.merge_rows(node, builder);
            }
        }
        Ok(false)
    }
}

impl MergeCursor {
    /// Adds the annex of every new piece, and leaves every piece without further events. Returns whether all pieces of
    /// the node have events; if not, the node or the room may have changed.
    fn take_annexes(&mut self, node: u32, blocks: &BlockReader<'_>, builder: &mut BlockBuilder) -> Result<bool> {
        let mut all_have_rows = true;
        for input in self.inputs.iter_mut().filter(|input| input.node == Some(node)) {
            if !input.annex_was_taken {
                input.annex_was_taken = true;
                let annex = input.block.as_ref().map(|block| block.annex(input.place)).transpose()?.flatten();
                if let Some(annex) = annex {
                    builder.push_annex(annex);
                    all_have_rows = false;
                }
            }
            if input.rows.is_empty() {
                input.next_piece(blocks)?;
                all_have_rows = false;
            }
        }
        Ok(all_have_rows)
    }

    /// Copies the events of one input that come before those of all others, as far as there is room.
    fn merge_rows(&mut self, node: u32, builder: &mut BlockBuilder) {
        let heads = self.inputs.iter().enumerate().filter(|(_, input)| input.node == Some(node));
        let mut heads: Vec<((i64, u64), usize)> =
            heads.filter_map(|(at, input)| Some((input.key(input.rows.start)?, at))).collect();
        heads.sort_unstable();
        let Some(input) = heads.first().and_then(|(_, at)| self.inputs.get_mut(*at)) else { return };
        let limit = heads.get(1).map(|(key, _)| *key);
        let rows = input.rows.start..input.rows.end.min(input.rows.start + builder.room());
        let end = match limit {
            None => rows.end,
            // The first row is before the limit or ties with it: it is always copied, so that every call makes
            // progress.
            Some(limit) => {
                rows.clone().skip(1).find(|row| input.key(*row).is_none_or(|key| key >= limit)).unwrap_or(rows.end)
            }
        };
        if let Some(block) = input.block.clone() {
            builder.push_rows(&block, rows.start..end, &mut input.translations);
        }
        input.rows.start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::super::directory::level_of;
    use super::*;

    /// Flushes of this many events go on while a merge is written: `lag` blocks are merged for each block that is
    /// flushed.
    fn simulate(flush: u64, n_flushes: u64, lag: u64) -> (usize, f64) {
        let flush = flush / 384;
        let options = RunsOptions::default();
        let mut sizes: Vec<(u32, u64)> = Vec::new();
        let mut merging: Option<(Range<usize>, u64)> = None;
        let (mut n_written, mut most) = (0, 0);
        for _ in 0..n_flushes {
            sizes.push((level_of(flush), flush));
            n_written += flush;
            most = most.max(sizes.len());
            let mut capacity = flush * lag;
            while capacity > 0 {
                let next = || Some((plan(&sizes, &options)?, 0));
                let Some((range, n_done)) = merging.take().or_else(next) else { break };
                let n_blocks: u64 = sizes[range.clone()].iter().map(|size| size.1).sum();
                let n_now = capacity.min(n_blocks - n_done);
                capacity -= n_now;
                n_written += n_now;
                if n_done + n_now < n_blocks {
                    merging = Some((range, n_done + n_now));
                } else {
                    sizes.splice(range, [(level_of(n_blocks), n_blocks)]);
                }
            }
        }
        (most, n_written as f64 / (flush * n_flushes) as f64)
    }

    #[test]
    fn ten_million_events_are_few_runs_and_seldom_rewritten() {
        for (flush, n_flushes) in [(500_000, 20), (1_000_000, 10), (700_000, 14)] {
            for lag in [5, 10, 1000] {
                let (most, n_times) = simulate(flush, n_flushes, lag);
                assert!(most <= 6 && n_times <= 3.0, "flush {flush}, lag {lag}: {most} runs, written {n_times} times");
            }
        }
        // Far smaller flushes, as of a store that is often closed, cost more writes and stay within bounds.
        let (most, n_times) = simulate(10_000, 1000, 1000);
        assert!(most <= 7 && n_times <= 11.0, "{most} runs, written {n_times} times");
    }
}
