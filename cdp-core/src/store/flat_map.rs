//! The index of message keys: a multimap from a 64-bit hash of (source, message id) to log sequences.
//!
//! It consists of sorted runs in the file behind filters, and a tail in RAM: a lookup that finds nothing reads no page,
//! an insert never reads a random one, and every key is written only a few times in any order of arrival. It takes
//! hashes that spread over all 64 bits and sequences that only grow, and returns every sequence of a hash; the caller
//! confirms each on the full message id. It is derived from the log: a loader replays the log above
//! [`FlatMap::watermark`].
//!
//! **RAM is the last committed state.** A transaction inserts into a [`FlatMapOverlay`]; [`FlatMap::fold`] adds it
//! after COMMIT. Maintenance goes in slices: [`FlatMap::step`] writes some blocks in the transaction of the caller, and
//! its [`KeyStep`] is folded after COMMIT or dropped. A step must never change what a lookup in its transaction finds.

mod block;
mod filter;
mod job;
mod run;
mod sealed;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::sqlite::sql_error;
use crate::error::{Error, Result};
use job::{Advance, Job};
use run::{BlockStretch, KeyRun};
use sealed::damaged;
use table::PairTable;

// This number of runs of a size class is merged: each key is rewritten once for each fourfold growth.
const MERGED_RUNS: usize = 4;
// Above this number the smallest two are merged whatever their sizes: every run costs each lookup a cache miss.
const MOST_RUNS: usize = 8;

/// Sizes by which a [`FlatMap`] trades memory for work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlatMapOptions {
    /// The number of keys in a tail that is written as a run: 26 to 51 bytes of RAM each, twice while it is written.
    pub(crate) flush_keys: usize,
    /// The keys of a block, at most 4096: a hit reads and decodes one block.
    pub(crate) block_keys: usize,
}

impl Default for FlatMapOptions {
    fn default() -> FlatMapOptions {
        FlatMapOptions { flush_keys: 500_000, block_keys: 256 }
    }
}

/// Insertions of a write transaction.
#[derive(Default)]
pub(crate) struct FlatMapOverlay {
    table: PairTable,
}

impl FlatMapOverlay {
    /// Adds a log sequence under a hash. Every sequence is greater than those of all earlier transactions.
    pub(crate) fn insert(&mut self, hash: u64, sequence: u64) {
        self.table.insert(hash, sequence);
    }
}

/// The size of a [`FlatMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlatMapSize {
    /// Keys in all.
    pub(crate) keys: u64,
    /// Keys that are in RAM only.
    pub(crate) tail_keys: u64,
    /// Visible runs.
    pub(crate) runs: usize,
    /// RAM of the filters.
    pub(crate) filter_bytes: usize,
    /// RAM of the tail.
    pub(crate) tail_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MapState {
    generation: i64,
    next_block: u64,
    next_run: i64,
}

impl MapState {
    fn read(connection: &Connection) -> Result<MapState> {
        connection
            .prepare_cached("SELECT generation, next_block, next_run FROM map_state WHERE id = 1")
            .and_then(|mut select| {
                select.query_row([], |row| {
                    let next_block: i64 = row.get(1)?;
                    let next_block = u64::try_from(next_block)
                        .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(1, next_block))?;
                    Ok(MapState { generation: row.get(0)?, next_block, next_run: row.get(2)? })
                })
            })
            .map_err(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => damaged("its state is missing"),
                rusqlite::Error::IntegralValueOutOfRange(..) => damaged("its state is impossible"),
                error => sql_error(error),
            })
    }

    fn write(self, connection: &Connection) -> Result<()> {
        connection
            .prepare_cached("UPDATE map_state SET generation = ?1, next_block = ?2, next_run = ?3 WHERE id = 1")
            .and_then(|mut update| {
                update.execute(params![self.generation, self.next_block.cast_signed(), self.next_run])
            })
            .map(|_| ())
            .map_err(sql_error)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum JobType {
    Flush,
    Merge,
}

/// Blocks that a transaction has written, to be folded in after COMMIT.
#[must_use = "fold it after COMMIT"]
pub(crate) struct KeyStep {
    from: MapState,
    to: MapState,
    garbage: Vec<BlockStretch>,
    job: Option<(JobType, Option<Job>, Advance)>,
}

/// The last committed state of the map.
#[derive(Clone)]
pub(crate) struct FlatMap {
    options: FlatMapOptions,
    state: MapState,
    runs: Vec<Arc<KeyRun>>,
    tail: PairTable,
    // The tail that is being written as a run, or waits for that.
    frozen: Option<PairTable>,
    flush: Option<Job>,
    merge: Option<Job>,
    // Blocks that belong to no run.
    garbage: Vec<BlockStretch>,
}

impl FlatMap {
    /// Reads directory and filters. The caller replays the log above [`FlatMap::watermark`] through overlays.
    pub(crate) fn load(connection: &Connection, options: FlatMapOptions) -> Result<FlatMap> {
        let options = FlatMapOptions {
            flush_keys: options.flush_keys.max(1),
            block_keys: options.block_keys.clamp(1, block::MOST_PAIRS),
        };
        FlatMap::load_beside(connection, options, &[])
    }

    fn load_beside(connection: &Connection, options: FlatMapOptions, known: &[Arc<KeyRun>]) -> Result<FlatMap> {
        let state = MapState::read(connection)?;
        let runs = KeyRun::load_all(connection, known)?;
        let garbage = find_garbage(connection, &runs, state)?;
        Ok(FlatMap {
            options,
            state,
            runs,
            tail: PairTable::default(),
            frozen: None,
            flush: None,
            merge: None,
            garbage,
        })
    }

    /// Removes all runs from the file; every sequence may then be inserted again.
    pub(crate) fn clear(connection: &Connection) -> Result<()> {
        let state = MapState::read(connection)?;
        for table in ["DELETE FROM map_runs", "DELETE FROM map_blocks"] {
            connection.execute(table, []).map_err(sql_error)?;
        }
        MapState { generation: state.generation.wrapping_add(1), ..state }.write(connection)
    }

    /// Loads the runs of another process. It must be called first in a transaction that finds foreign commits, before
    /// their log is replayed (above the last sequence known here and above [`FlatMap::watermark`]). Without a change it
    /// reads one row. A flush or merge under way here is dropped; keys in RAM alone are kept.
    pub(crate) fn refresh(&mut self, connection: &Connection) -> Result<()> {
        if MapState::read(connection)?.generation == self.state.generation {
            return Ok(());
        }
        let mut fresh = FlatMap::load_beside(connection, self.options, &self.runs)?;
        let watermark = fresh.watermark();
        for table in self.frozen.iter().chain([&self.tail]) {
            fresh.tail.take_in(table, |(_, sequence)| sequence > watermark);
        }
        *self = fresh;
        self.freeze_if_full();
        Ok(())
    }

    /// The greatest sequence in any run, 0 without runs: all sequences up to it are in runs, all above are in RAM
    /// alone.
    pub(crate) fn watermark(&self) -> u64 {
        self.runs.iter().map(|run| run.greatest).max().unwrap_or(0)
    }

    /// Every sequence of `hash`, least first. `connection` must see the file as RAM does, as a write transaction that
    /// began with [`FlatMap::refresh`] where needed.
    pub(crate) fn candidates(
        &self,
        connection: &Connection,
        overlay: Option<&FlatMapOverlay>,
        hash: u64,
    ) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        if let Some(overlay) = overlay {
            overlay.table.collect(hash, &mut found);
        }
        self.tail.collect(hash, &mut found);
        if let Some(frozen) = &self.frozen {
            frozen.collect(hash, &mut found);
        }
        for run in &self.runs {
            if run.filter.may_hold(hash) {
                run.collect(connection, hash, &mut found)?;
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Adds the insertions of a committed transaction.
    pub(crate) fn fold(&mut self, overlay: FlatMapOverlay) {
        self.tail.take_in(&overlay.table, |_| true);
        self.freeze_if_full();
    }

    // Only between transactions, so that all sequences of a run are below those of later runs.
    fn freeze_if_full(&mut self) {
        if self.frozen.is_none() && self.tail.len() >= self.options.flush_keys {
            let next_tail = self.tail.empty_of_same_size();
            self.frozen = Some(std::mem::replace(&mut self.tail, next_tail));
        }
    }

    /// Freezes the tail whatever its size, unless a flush is under way; returns false when no key is in RAM alone. A
    /// close that leaves no key to replay runs `while map.freeze()` with a step and its fold.
    pub(crate) fn freeze(&mut self) -> bool {
        if self.frozen.is_none() && self.tail.len() > 0 {
            self.frozen = Some(std::mem::take(&mut self.tail));
        }
        self.frozen.is_some()
    }

    /// Writes up to `budget_blocks` blocks of the work that is due, the tail before a merge, and deletes as many blocks
    /// that belong to no run; `None` where no work is due. Lookups of the transaction are right before and after it.
    pub(crate) fn step(&self, connection: &Connection, budget_blocks: usize) -> Result<Option<KeyStep>> {
        let budget = budget_blocks.max(1);
        let merged = self.due_merge();
        if self.frozen.is_none() && self.merge.is_none() && merged.is_empty() {
            return Ok(None);
        }
        let from = MapState::read(connection)?;
        if from != self.state {
            return Err(Error::internal("the index of message ids in memory is older than the file"));
        }
        let mut to = MapState { generation: from.generation.wrapping_add(1), ..from };
        // Only now and first: secure_delete overwrites a freed page, and a page that is used again in this transaction
        // is written once. Until then these blocks serve as free pages.
        let garbage = delete_garbage(connection, &self.garbage, budget)?;
        let (job_type, begun) = match (&self.frozen, &self.flush, &self.merge) {
            (Some(_), Some(_), _) => (Some(JobType::Flush), None),
            (Some(frozen), None, _) => (Some(JobType::Flush), Some(Job::flush(from.next_run, frozen))),
            (None, _, Some(_)) => (Some(JobType::Merge), None),
            (None, _, None) if merged.is_empty() => (None, None),
            (None, _, None) => (Some(JobType::Merge), Some(Job::merge(from.next_run, &merged))),
        };
        if begun.is_some() {
            to.next_run = from.next_run.wrapping_add(1);
        }
        let known = match job_type {
            Some(JobType::Flush) => self.flush.as_ref(),
            Some(JobType::Merge) => self.merge.as_ref(),
            None => None,
        };
        let job = match (job_type, begun.as_ref().or(known)) {
            (Some(job_type), Some(job)) => {
                let block_keys = self.options.block_keys;
                let advance = job.advance(connection, &self.runs, &mut to.next_block, budget, block_keys)?;
                Some((job_type, begun, advance))
            }
            _ => None,
        };
        to.write(connection)?;
        Ok(Some(KeyStep { from, to, garbage, job }))
    }

    /// Adds a step whose transaction is committed.
    pub(crate) fn fold_step(&mut self, step: KeyStep) {
        if step.from != self.state {
            // The step was made from another state: the next step finds the file ahead and fails.
            return;
        }
        self.state = step.to;
        self.garbage = step.garbage;
        let Some((job_type, begun, advance)) = step.job else { return };
        let slot = match job_type {
            JobType::Flush => &mut self.flush,
            JobType::Merge => &mut self.merge,
        };
        let Some(mut job) = begun.or_else(|| slot.take()) else { return };
        let published = advance.published;
        job.take_in(advance);
        if !published {
            *slot = Some(job);
            return;
        }
        let replaced = |run: &Arc<KeyRun>| job.inputs().contains(&run.id);
        for run in self.runs.iter().filter(|run| replaced(run)) {
            self.garbage.extend_from_slice(run.places.stretches());
        }
        self.runs.retain(|run| !replaced(run));
        self.runs.push(Arc::new(job.into_run()));
        if job_type == JobType::Flush {
            self.frozen = None;
            self.freeze_if_full();
        }
    }

    /// Sizes for statistics.
    pub(crate) fn size(&self) -> FlatMapSize {
        let tables = || self.frozen.iter().chain([&self.tail]);
        let tail_keys = tables().fold(0, |sum, table| sum + u64::try_from(table.len()).unwrap_or(0));
        FlatMapSize {
            keys: self.runs.iter().fold(tail_keys, |sum, run| sum.saturating_add(run.keys)),
            tail_keys,
            runs: self.runs.len(),
            filter_bytes: self.runs.iter().map(|run| run.filter.bytes()).sum(),
            tail_bytes: tables().map(PairTable::bytes).sum(),
        }
    }

    // The runs to merge next, empty when there are few.
    fn due_merge(&self) -> Vec<&KeyRun> {
        let mut by_size: Vec<&KeyRun> = self.runs.iter().map(Arc::as_ref).collect();
        by_size.sort_by_key(|run| (run.keys, run.id));
        let of_one_class = by_size.chunk_by(|one, other| one.size_class() == other.size_class());
        if let Some(class) = of_one_class.into_iter().find(|class| class.len() >= MERGED_RUNS) {
            return class.iter().take(MOST_RUNS).copied().collect();
        }
        if by_size.len() > MOST_RUNS { by_size.into_iter().take(2).collect() } else { Vec::new() }
    }
}

// Blocks between those of the runs: left by a killed process, or by a merged run.
fn find_garbage(connection: &Connection, runs: &[Arc<KeyRun>], state: MapState) -> Result<Vec<BlockStretch>> {
    let mut known: Vec<BlockStretch> = runs.iter().flat_map(|run| run.places.stretches()).copied().collect();
    known.sort_unstable();
    known.push(BlockStretch { first: state.next_block, count: 0 });
    let mut select = connection
        .prepare_cached(
            "SELECT (SELECT MIN(block) FROM map_blocks WHERE block >= ?1 AND block < ?2), \
                    (SELECT MAX(block) FROM map_blocks WHERE block >= ?1 AND block < ?2)",
        )
        .map_err(sql_error)?;
    let mut garbage = Vec::new();
    let mut free_from = 0;
    for stretch in known {
        if stretch.first < free_from {
            return Err(damaged("two runs share a block"));
        }
        let bounds = [free_from.cast_signed(), stretch.first.cast_signed()];
        let found = select.query_row(bounds, |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)));
        if let (Some(least), Some(greatest)) = found.map_err(sql_error)? {
            let first = least.cast_unsigned();
            garbage.push(BlockStretch { first, count: greatest.cast_unsigned() - first + 1 });
        }
        free_from = stretch.end();
    }
    Ok(garbage)
}

// Deletes up to `budget` blocks; returns the others.
fn delete_garbage(connection: &Connection, garbage: &[BlockStretch], budget: usize) -> Result<Vec<BlockStretch>> {
    let mut delete =
        connection.prepare_cached("DELETE FROM map_blocks WHERE block >= ?1 AND block < ?2").map_err(sql_error)?;
    let mut budget = u64::try_from(budget).unwrap_or(u64::MAX);
    let mut remaining = Vec::new();
    for &BlockStretch { first, count } in garbage {
        let deleted = BlockStretch { first, count: count.min(budget) };
        if deleted.count > 0 {
            delete.execute([first.cast_signed(), deleted.end().cast_signed()]).map_err(sql_error)?;
            budget -= deleted.count;
        }
        if deleted.count < count {
            remaining.push(BlockStretch { first: deleted.end(), count: count - deleted.count });
        }
    }
    Ok(remaining)
}
