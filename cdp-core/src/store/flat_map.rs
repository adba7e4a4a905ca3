//! Have we seen this message before? A multimap from a 64-bit hash of (source, message id) to log sequences.
//!
//! Sorted runs in the file behind filters, a tail in RAM: a look-up that finds nothing touches no page, an insert never
//! touches a random one, and every key is written only a few times whatever the order of arrival. Takes hashes that
//! spread over all 64 bits and sequences that only grow; gives every sequence of a hash, and the caller confirms each
//! on the full message id. Derived from the log: whoever loads it replays the log above [`FlatMap::watermark`].
//!
//! **RAM is the last committed state.** A transaction inserts into a [`FlatMapOverlay`]; [`FlatMap::fold`] takes it in
//! after COMMIT. Upkeep goes in slices: [`FlatMap::step`] writes some blocks in the transaction of the caller, and its
//! [`Step`] is folded after COMMIT or dropped. Never may a step change what a look-up in the same transaction finds.

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
use run::{Run, Stretch};
use sealed::damaged;
use table::Table;

// So many runs of one size class are merged: each key is rewritten once for each fourfold growth.
const MERGED_RUNS: usize = 4;
// Above this the smallest two are merged whatever their sizes: every run costs each look-up a cache miss.
const MOST_RUNS: usize = 8;

/// How a [`FlatMap`] trades memory for work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlatMapOptions {
    /// The tail is written as a run when it holds so many keys: 26 to 51 bytes of RAM each, twice while it is written.
    pub(crate) flush_keys: usize,
    /// The keys of a block, at most 4096: a hit reads and decodes one block.
    pub(crate) block_keys: usize,
}

impl Default for FlatMapOptions {
    fn default() -> FlatMapOptions {
        FlatMapOptions { flush_keys: 500_000, block_keys: 256 }
    }
}

/// What a write transaction has inserted.
#[derive(Default)]
pub(crate) struct FlatMapOverlay {
    table: Table,
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
struct State {
    generation: i64,
    next_block: u64,
    next_run: i64,
}

impl State {
    fn read(connection: &Connection) -> Result<State> {
        connection
            .prepare_cached("SELECT generation, next_block, next_run FROM map_state WHERE id = 1")
            .and_then(|mut select| {
                select.query_row([], |row| {
                    let next_block: i64 = row.get(1)?;
                    let next_block = u64::try_from(next_block)
                        .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(1, next_block))?;
                    Ok(State { generation: row.get(0)?, next_block, next_run: row.get(2)? })
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

/// A slice of upkeep that a transaction has written.
#[must_use = "fold it after COMMIT"]
pub(crate) struct Step {
    from: State,
    to: State,
    garbage: Vec<Stretch>,
    job: Option<(JobType, Option<Job>, Advance)>,
}

/// The last committed state of the map.
#[derive(Clone)]
pub(crate) struct FlatMap {
    options: FlatMapOptions,
    state: State,
    runs: Vec<Arc<Run>>,
    tail: Table,
    // Waits to be a run, or is on the way to it.
    frozen: Option<Table>,
    flush: Option<Job>,
    merge: Option<Job>,
    // Blocks that no run names.
    garbage: Vec<Stretch>,
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

    fn load_beside(connection: &Connection, options: FlatMapOptions, known: &[Arc<Run>]) -> Result<FlatMap> {
        let state = State::read(connection)?;
        let runs = Run::load_all(connection, known)?;
        let garbage = find_garbage(connection, &runs, state)?;
        Ok(FlatMap { options, state, runs, tail: Table::default(), frozen: None, flush: None, merge: None, garbage })
    }

    /// Removes all runs from the file; every sequence may come anew then.
    pub(crate) fn clear(connection: &Connection) -> Result<()> {
        let state = State::read(connection)?;
        for table in ["DELETE FROM map_runs", "DELETE FROM map_blocks"] {
            connection.execute(table, []).map_err(sql_error)?;
        }
        State { generation: state.generation.wrapping_add(1), ..state }.write(connection)
    }

    /// Catches up with the runs of another process; to be called first in a transaction that finds foreign commits, and
    /// before the log they wrote is replayed (above the last sequence known here and above [`FlatMap::watermark`]).
    /// One row is read where nothing has changed. Work under way here is dropped; what is in RAM only is kept.
    pub(crate) fn refresh(&mut self, connection: &Connection) -> Result<()> {
        if State::read(connection)?.generation == self.state.generation {
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

    /// The greatest sequence in any run, 0 without runs: all up to it are in runs, all above are in RAM only.
    pub(crate) fn watermark(&self) -> u64 {
        self.runs.iter().map(|run| run.greatest).max().unwrap_or(0)
    }

    /// Every sequence under `hash`, least first. `connection` sees the file as RAM does, as a write transaction that
    /// began with [`FlatMap::refresh`] where it was needed.
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

    /// Takes in what a committed transaction has inserted.
    pub(crate) fn fold(&mut self, overlay: FlatMapOverlay) {
        self.tail.take_in(&overlay.table, |_| true);
        self.freeze_if_full();
    }

    // Only between transactions, so that all sequences of a run are below all of later runs.
    fn freeze_if_full(&mut self) {
        if self.frozen.is_none() && self.tail.len() >= self.options.flush_keys {
            let next_tail = self.tail.empty_of_same_size();
            self.frozen = Some(std::mem::replace(&mut self.tail, next_tail));
        }
    }

    /// Marks the tail for the next steps whatever its size, unless one is under way; false when nothing is in RAM only.
    /// For a close that leaves nothing to replay: `while map.freeze()` write and fold a step.
    pub(crate) fn freeze(&mut self) -> bool {
        if self.frozen.is_none() && self.tail.len() > 0 {
            self.frozen = Some(std::mem::take(&mut self.tail));
        }
        self.frozen.is_some()
    }

    /// Writes up to `budget_blocks` blocks of what is due, the tail before a merge, and deletes as many that no run
    /// names; `None` where nothing is due. Look-ups of the same transaction stay right before and after it.
    pub(crate) fn step(&self, connection: &Connection, budget_blocks: usize) -> Result<Option<Step>> {
        let budget = budget_blocks.max(1);
        let merged = self.due_merge();
        if self.frozen.is_none() && self.merge.is_none() && merged.is_empty() {
            return Ok(None);
        }
        let from = State::read(connection)?;
        if from != self.state {
            return Err(Error::internal("the index of message ids in memory is older than the file"));
        }
        let mut to = State { generation: from.generation.wrapping_add(1), ..from };
        // Only now and first: secure_delete overwrites a freed page, and a page that is used again in the same
        // transaction is written once. Until then these blocks are what free pages would be.
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
        Ok(Some(Step { from, to, garbage, job }))
    }

    /// Takes in a step whose transaction is committed.
    pub(crate) fn fold_step(&mut self, step: Step) {
        if step.from != self.state {
            // Made from other RAM than this: the next step finds that the file is ahead and says so.
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
        let replaced = |run: &Arc<Run>| job.inputs().contains(&run.id);
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
            tail_bytes: tables().map(Table::bytes).sum(),
        }
    }

    // The runs to merge next, none when there are few.
    fn due_merge(&self) -> Vec<&Run> {
        let mut by_size: Vec<&Run> = self.runs.iter().map(Arc::as_ref).collect();
        by_size.sort_by_key(|run| (run.keys, run.id));
        let of_one_class = by_size.chunk_by(|one, other| one.size_class() == other.size_class());
        if let Some(class) = of_one_class.into_iter().find(|class| class.len() >= MERGED_RUNS) {
            return class.iter().take(MOST_RUNS).copied().collect();
        }
        if by_size.len() > MOST_RUNS { by_size.into_iter().take(2).collect() } else { Vec::new() }
    }
}

// What lies between the blocks of the runs: left over from a process that was killed, or from a run that was merged.
fn find_garbage(connection: &Connection, runs: &[Arc<Run>], state: State) -> Result<Vec<Stretch>> {
    let mut known: Vec<Stretch> = runs.iter().flat_map(|run| run.places.stretches()).copied().collect();
    known.sort_unstable();
    known.push(Stretch { first: state.next_block, count: 0 });
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
            garbage.push(Stretch { first, count: greatest.cast_unsigned() - first + 1 });
        }
        free_from = stretch.end();
    }
    Ok(garbage)
}

// Deletes up to `budget` numbers; gives what remains.
fn delete_garbage(connection: &Connection, garbage: &[Stretch], budget: usize) -> Result<Vec<Stretch>> {
    let mut delete =
        connection.prepare_cached("DELETE FROM map_blocks WHERE block >= ?1 AND block < ?2").map_err(sql_error)?;
    let mut budget = u64::try_from(budget).unwrap_or(u64::MAX);
    let mut remaining = Vec::new();
    for &Stretch { first, count } in garbage {
        let deleted = Stretch { first, count: count.min(budget) };
        if deleted.count > 0 {
            delete.execute([first.cast_signed(), deleted.end().cast_signed()]).map_err(sql_error)?;
            budget -= deleted.count;
        }
        if deleted.count < count {
            remaining.push(Stretch { first: deleted.end(), count: count - deleted.count });
        }
    }
    Ok(remaining)
}
