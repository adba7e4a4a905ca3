//! A flush or merge of the flat map: writes a new run from the frozen tail or from several runs, some blocks in each
//! transaction.
//!
//! A [`Job`] is the committed progress. Each transaction makes an [`Advance`] from it, which is folded in after COMMIT
//! and dropped on a rollback. Blocks are invisible until the row of the finished run is written; those of a killed
//! process are deleted as garbage. Memory is bounded by one decoded block for each input, and the filter of the new
//! run.

use std::sync::Arc;

use rusqlite::Connection;

use super::block::{self, Pair};
use super::filter::{Filter, slices_for};
use super::run::{BlockStretch, KeyRun, Places, put_block};
use super::sealed::damaged;
use super::sql_error;
use super::table::PairTable;
use crate::error::{Error, Result};

// The weight of a filter slice in blocks of the usual size.
const BLOCKS_PER_SLICE: usize = 8;

#[derive(Clone)]
pub(super) struct Job {
    run: i64,
    keys: u64,
    source: JobSource,
    position: JobPosition,
    places: Places,
    fences: Vec<u64>,
    filter: Filter,
    filtered_keys: u64,
    slices: usize,
    greatest: u64,
}

#[derive(Clone)]
enum JobSource {
    // Sorted.
    Tail(Vec<Pair>),
    // The numbers of the runs that the new one replaces.
    Runs(Vec<i64>),
}

#[derive(Clone)]
enum JobPosition {
    Tail(usize),
    // Block and pair within it, for each input.
    Runs(Vec<(usize, usize)>),
}

/// Additions of one transaction to a [`Job`].
pub(super) struct Advance {
    position: JobPosition,
    places: Places,
    fences: Vec<u64>,
    // For the filter, which is too large to be copied for a transaction that may not commit.
    hashes: Vec<u64>,
    slices: usize,
    greatest: u64,
    /// Whether the run is visible now.
    pub(super) published: bool,
}

impl Job {
    fn new(run: i64, keys: u64, source: JobSource, position: JobPosition) -> Job {
        Job {
            run,
            keys,
            source,
            position,
            places: Places::default(),
            fences: Vec::new(),
            filter: Filter::new(keys),
            filtered_keys: 0,
            slices: 0,
            greatest: 0,
        }
    }

    /// Starts writing the tail as run `run`.
    pub(super) fn flush(run: i64, tail: &PairTable) -> Job {
        let mut pairs: Vec<Pair> = tail.iter().collect();
        pairs.sort_unstable();
        let keys = u64::try_from(pairs.len()).unwrap_or(u64::MAX);
        Job::new(run, keys, JobSource::Tail(pairs), JobPosition::Tail(0))
    }

    /// Starts merging `inputs` as run `run`.
    pub(super) fn merge(run: i64, inputs: &[&KeyRun]) -> Job {
        let keys = inputs.iter().fold(0, |sum: u64, input| sum.saturating_add(input.keys));
        let ids = inputs.iter().map(|input| input.id).collect();
        Job::new(run, keys, JobSource::Runs(ids), JobPosition::Runs(vec![(0, 0); inputs.len()]))
    }

    /// The numbers of the runs that the new one replaces.
    pub(super) fn inputs(&self) -> &[i64] {
        match &self.source {
            JobSource::Tail(_) => &[],
            JobSource::Runs(ids) => ids,
        }
    }

    /// Writes up to `budget` blocks, numbered from `next_block` on, and the row of the run with the last of them.
    pub(super) fn advance(
        &self,
        connection: &Connection,
        runs: &[Arc<KeyRun>],
        next_block: &mut u64,
        budget: usize,
        block_keys: usize,
    ) -> Result<Advance> {
        let mut advance = Advance {
            position: self.position.clone(),
            places: self.places.clone(),
            fences: Vec::new(),
            hashes: Vec::new(),
            slices: self.slices,
            greatest: self.greatest,
            published: false,
        };
        let mut put = |places: &mut Places, encode: &dyn Fn(u64) -> Result<Vec<u8>>| {
            put_block(connection, *next_block, &encode(*next_block)?)?;
            places.push(BlockStretch { first: *next_block, count: 1 });
            *next_block += 1;
            Ok(())
        };
        if self.filtered_keys < self.keys {
            let places = &mut advance.places;
            let (fences, hashes, greatest) = (&mut advance.fences, &mut advance.hashes, &mut advance.greatest);
            let write = |pairs: &[Pair]| {
                fences.extend(pairs.first().map(|&(hash, _)| hash));
                hashes.extend(pairs.iter().map(|&(hash, _)| hash));
                *greatest = pairs.iter().map(|&(_, value)| value).fold(*greatest, u64::max);
                put(places, &|place| block::encode(place, pairs))
            };
            match (&self.source, &mut advance.position) {
                (JobSource::Tail(pairs), JobPosition::Tail(next)) => {
                    write_tail(pairs, next, budget, block_keys, write)?
                }
                (JobSource::Runs(ids), JobPosition::Runs(positions)) => {
                    let mut merge = Merge::open(connection, runs, ids, positions)?;
                    merge.write(budget, block_keys, write)?;
                    *positions = merge.positions();
                }
                _ => return Err(Error::internal("a flush has the position of a merge")),
            }
            if advance.hashes.is_empty() {
                return Err(damaged("a run has fewer keys than its row says"));
            }
            return Ok(advance);
        }
        // All keys are in the filter since an earlier transaction, so it can be written.
        let all_slices = slices_for(self.keys);
        for slice in (self.slices..all_slices).take((budget / BLOCKS_PER_SLICE).max(1)) {
            put(&mut advance.places, &|place| Ok(self.filter.slice(slice, place)))?;
            advance.slices += 1;
        }
        if advance.slices == all_slices {
            self.publish(connection, &advance.places)?;
            advance.published = true;
        }
        Ok(advance)
    }

    // The blocks of the replaced runs stay until a later transaction: RAM still has those runs and reads them until
    // this transaction is committed.
    fn publish(&self, connection: &Connection, places: &Places) -> Result<()> {
        if self.filtered_keys != self.keys {
            return Err(damaged("a run has more keys than its row says"));
        }
        KeyRun::publish(connection, self.run, self.keys, self.greatest, places, &self.fences)?;
        let mut delete = connection.prepare_cached("DELETE FROM map_runs WHERE run = ?1").map_err(sql_error)?;
        for id in self.inputs() {
            if delete.execute([id]).map_err(sql_error)? != 1 {
                return Err(damaged("the row of a run is missing"));
            }
        }
        Ok(())
    }

    /// Adds the progress of a committed transaction.
    pub(super) fn take_in(&mut self, advance: Advance) {
        self.position = advance.position;
        self.places = advance.places;
        self.fences.extend(advance.fences);
        self.slices = advance.slices;
        self.greatest = advance.greatest;
        self.filtered_keys += u64::try_from(advance.hashes.len()).unwrap_or(0);
        for hash in advance.hashes {
            self.filter.insert(hash);
        }
    }

    /// The finished run.
    pub(super) fn into_run(self) -> KeyRun {
        KeyRun {
            id: self.run,
            keys: self.keys,
            greatest: self.greatest,
            places: self.places,
            fences: self.fences,
            filter: self.filter,
        }
    }
}

fn write_tail(
    pairs: &[Pair],
    next: &mut usize,
    budget: usize,
    block_keys: usize,
    mut write: impl FnMut(&[Pair]) -> Result<()>,
) -> Result<()> {
    for block in pairs.get(*next..).unwrap_or_default().chunks(block_keys).take(budget) {
        write(block)?;
        *next += block.len();
    }
    Ok(())
}

/// Several runs read as one, in order.
struct Merge<'a> {
    connection: &'a Connection,
    inputs: Vec<MergeInput<'a>>,
}

struct MergeInput<'a> {
    run: &'a KeyRun,
    block: usize,
    pair: usize,
    // The pairs of the block; empty at the end of the run.
    pairs: Vec<Pair>,
}

impl<'a> Merge<'a> {
    fn open(
        connection: &'a Connection,
        runs: &'a [Arc<KeyRun>],
        ids: &[i64],
        positions: &[(usize, usize)],
    ) -> Result<Merge<'a>> {
        let mut inputs = Vec::with_capacity(ids.len());
        for (&id, &(block, pair)) in ids.iter().zip(positions) {
            let run = runs.iter().find(|run| run.id == id).ok_or_else(|| damaged("a run is missing"))?;
            let mut pairs = Vec::new();
            run.read_block(connection, block, &mut pairs)?;
            inputs.push(MergeInput { run, block, pair, pairs });
        }
        Ok(Merge { connection, inputs })
    }

    fn positions(&self) -> Vec<(usize, usize)> {
        self.inputs.iter().map(|input| (input.block, input.pair)).collect()
    }

    fn write(&mut self, budget: usize, block_keys: usize, mut write: impl FnMut(&[Pair]) -> Result<()>) -> Result<()> {
        let mut block = Vec::with_capacity(block_keys);
        for _ in 0..budget {
            block.clear();
            while block.len() < block_keys {
                let Some(pair) = self.next()? else { break };
                block.push(pair);
            }
            if block.is_empty() {
                break;
            }
            write(&block)?;
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Pair>> {
        let heads = self.inputs.iter_mut().filter_map(|input| Some((*input.pairs.get(input.pair)?, input)));
        let Some((least, input)) = heads.min_by_key(|&(pair, _)| pair) else { return Ok(None) };
        input.pair += 1;
        if input.pair >= input.pairs.len() {
            input.block += 1;
            input.pair = 0;
            input.run.read_block(self.connection, input.block, &mut input.pairs)?;
        }
        Ok(Some(least))
    }
}
