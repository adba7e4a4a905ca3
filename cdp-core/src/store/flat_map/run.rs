//! A run: sorted pairs that never change, as blocks in the file, with a filter and the first hash of each block in RAM.
//!
//! The blobs of a run are its blocks in order and then the slices of its filter; the directory in its row lists their
//! places. It reads and writes blobs of `map_blocks` and rows of `map_runs`; it never decides when.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::block::{self, Pair};
use super::filter::{Filter, slices_for};
use super::sealed::{damaged, open, seal};
use super::sql_error;
use crate::error::Result;

/// Consecutive numbers of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BlockStretch {
    pub(super) first: u64,
    pub(super) count: u64,
}

impl BlockStretch {
    /// The number after the last.
    pub(super) fn end(self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

/// The places of a run's blobs. More than one stretch where a flush went between the steps of a merge.
#[derive(Clone, Default)]
pub(super) struct Places(Vec<BlockStretch>);

impl Places {
    pub(super) fn push(&mut self, added: BlockStretch) {
        match self.0.last_mut() {
            Some(last) if last.end() == added.first => last.count = last.count.saturating_add(added.count),
            _ => self.0.push(added),
        }
    }

    pub(super) fn stretches(&self) -> &[BlockStretch] {
        &self.0
    }

    fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, stretch| sum.saturating_add(stretch.count))
    }

    fn block(&self, index: usize) -> Result<u64> {
        let mut rest = u64::try_from(index).unwrap_or(u64::MAX);
        for stretch in &self.0 {
            if rest < stretch.count {
                return Ok(stretch.first.saturating_add(rest));
            }
            rest -= stretch.count;
        }
        Err(damaged("a run is too short"))
    }
}

pub(super) struct KeyRun {
    pub(super) id: i64,
    pub(super) keys: u64,
    /// Its greatest value.
    pub(super) greatest: u64,
    pub(super) places: Places,
    /// The first hash of each block.
    pub(super) fences: Vec<u64>,
    pub(super) filter: Filter,
}

impl KeyRun {
    /// Runs of one size class are merged: a class ends at four times the keys it begins with.
    pub(super) fn size_class(&self) -> u32 {
        self.keys.max(1).ilog2() / 2
    }

    /// Appends the values of `hash` to `found`; called when the filter passed the hash.
    pub(super) fn collect(&self, connection: &Connection, hash: u64, found: &mut Vec<u64>) -> Result<()> {
        // Equal hashes may straddle blocks: begin in the last block that starts below, go on while one may start here.
        let mut index = self.fences.partition_point(|&fence| fence < hash).saturating_sub(1);
        while self.fences.get(index).is_some_and(|&fence| fence <= hash) {
            let place = self.places.block(index)?;
            with_block(connection, place, |blob| block::find(place, blob, hash, found))?;
            index += 1;
        }
        Ok(())
    }

    /// Replaces `pairs` by those of block `index`; none after the last block.
    pub(super) fn read_block(&self, connection: &Connection, index: usize, pairs: &mut Vec<Pair>) -> Result<()> {
        pairs.clear();
        if index >= self.fences.len() {
            return Ok(());
        }
        let place = self.places.block(index)?;
        with_block(connection, place, |blob| block::decode(place, blob, pairs))
    }

    /// Writes the row that makes the run visible.
    pub(super) fn publish(
        connection: &Connection,
        id: i64,
        keys: u64,
        greatest: u64,
        places: &Places,
        fences: &[u64],
    ) -> Result<()> {
        let length = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let words = [length(places.0.len()), length(fences.len())].into_iter();
        let stretches = places.0.iter().flat_map(|stretch| [stretch.first, stretch.count]);
        let words = words.chain(stretches).chain(fences.iter().copied());
        let mut directory: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        seal(directory_seed(id, keys, greatest), &mut directory);
        connection
            .prepare_cached("INSERT INTO map_runs (run, keys, greatest, directory) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut insert| insert.execute(params![id, keys.cast_signed(), greatest.cast_signed(), directory]))
            .map(|_| ())
            .map_err(sql_error)
    }

    /// The visible runs, oldest first; runs in `known` are reused.
    pub(super) fn load_all(connection: &Connection, known: &[Arc<KeyRun>]) -> Result<Vec<Arc<KeyRun>>> {
        let mut select = connection
            .prepare_cached("SELECT run, keys, greatest, directory FROM map_runs ORDER BY run")
            .map_err(sql_error)?;
        let mut rows = select.query([]).map_err(sql_error)?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next().map_err(sql_error)? {
            let id: i64 = row.get(0).map_err(sql_error)?;
            // A number is never reused and a run never changes.
            if let Some(run) = known.iter().find(|run| run.id == id) {
                runs.push(Arc::clone(run));
                continue;
            }
            let keys = row.get::<_, i64>(1).map_err(sql_error)?.cast_unsigned();
            let greatest = row.get::<_, i64>(2).map_err(sql_error)?.cast_unsigned();
            let directory = row.get_ref(3).and_then(|value| Ok(value.as_blob()?)).map_err(sql_error)?;
            runs.push(Arc::new(KeyRun::read(connection, id, keys, greatest, directory)?));
        }
        Ok(runs)
    }

    fn read(connection: &Connection, id: i64, keys: u64, greatest: u64, directory: &[u8]) -> Result<KeyRun> {
        let shape = || damaged("a directory has an impossible shape");
        let (words, rest) = open(directory_seed(id, keys, greatest), directory)?.as_chunks::<8>();
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        let stretches = words.next().and_then(|count| usize::try_from(count).ok()).ok_or_else(shape)?;
        let blocks = words.next().and_then(|count| usize::try_from(count).ok()).ok_or_else(shape)?;
        let expected = stretches.checked_mul(2).and_then(|count| count.checked_add(blocks));
        if expected != Some(words.len()) || !rest.is_empty() {
            return Err(shape());
        }
        let mut places = Places::default();
        for _ in 0..stretches {
            if let (Some(first), Some(count)) = (words.next(), words.next()) {
                places.push(BlockStretch { first, count });
            }
        }
        let fences: Vec<u64> = words.collect();
        let slices = slices_for(keys);
        // Also prevents a wrong number of keys from allocating a wrong amount of memory.
        let blobs = u64::try_from(blocks.saturating_add(slices)).unwrap_or(u64::MAX);
        if places.count() != blobs || blocks == 0 || !fences.is_sorted() {
            return Err(shape());
        }
        let mut filter = Filter::new(keys);
        for slice in 0..slices {
            let place = places.block(blocks + slice)?;
            with_block(connection, place, |blob| filter.set_slice(slice, place, blob))?;
        }
        Ok(KeyRun { id, keys, greatest, places, fences, filter })
    }
}

fn directory_seed(id: i64, keys: u64, greatest: u64) -> u64 {
    id.cast_unsigned() ^ keys.rotate_left(20) ^ greatest.rotate_left(40)
}

/// Writes a blob under its number.
pub(super) fn put_block(connection: &Connection, place: u64, blob: &[u8]) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO map_blocks (block, data) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute(params![place.cast_signed(), blob]))
        .map(|_| ())
        .map_err(sql_error)
}

fn with_block(connection: &Connection, place: u64, read: impl FnOnce(&[u8]) -> Result<()>) -> Result<()> {
    let mut select = connection.prepare_cached("SELECT data FROM map_blocks WHERE block = ?1").map_err(sql_error)?;
    let mut rows = select.query([place.cast_signed()]).map_err(sql_error)?;
    let row = rows.next().map_err(sql_error)?.ok_or_else(|| damaged("a block is missing"))?;
    let blob = row.get_ref(0).map_err(sql_error)?.as_blob().map_err(|_| damaged("a block is no blob"))?;
    read(blob)
}
