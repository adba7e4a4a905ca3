//! The timelines of all nodes as sorted columnar runs in the file, and the directory of them in RAM.
//!
//! A run is written from a tail of committed facts ([`Runs::begin_flush`]) or from several older runs
//! ([`Runs::begin_compaction`]), a few blocks in each transaction ([`Runs::step`]), and becomes visible by one row. The
//! facts of a node are those of all runs and of the tail, in this order. Runs are derived: they may be dropped and
//! written again from the log. RAM changes only after COMMIT: [`Runs::fold`] adds a step then, and a rollback drops it.

mod annex;
mod beginnings;
mod block;
mod build;
mod builder;
mod cache;
mod column;
mod compact;
mod directory;
mod flush;
mod ints;
mod merged;
mod node_set;
mod read;
#[cfg(test)]
mod tests;
mod values;

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rusqlite::{Connection, OptionalExtension, params};

pub(crate) use block::Block;
pub(crate) use build::{Build, BuildStep};
pub(crate) use builder::{BlockLimits, Fence};
pub(crate) use column::PropertyColumn;
pub(crate) use compact::MergeCursor;
pub(crate) use directory::Run;
pub(crate) use flush::{FrozenFacts, FrozenTail, TailCursor};
pub(crate) use read::{NodeSlice, NodeSlices};

use super::bytes::corrupt;
use super::firsts::Firsts;
use super::sqlite::sql_error;
use crate::error::Result;
use crate::records::Timestamp;
use cache::BlockCache;
use merged::RecentNodes;

/// Options of writing and caching runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunsOptions {
    /// The budget of opened blocks for point reads, in bytes.
    pub(crate) cache_bytes: usize,
    /// The size of blocks.
    pub(crate) limits: BlockLimits,
    /// The number of runs of one size class that are merged into one of the next.
    pub(crate) fan_in: usize,
    /// With more runs than this the cheapest neighbours are merged, whatever their size.
    pub(crate) max_runs: usize,
}

impl Default for RunsOptions {
    fn default() -> RunsOptions {
        RunsOptions {
            cache_bytes: 256 << 20,
            limits: BlockLimits { enough_rows: 384, max_rows: 512 },
            fan_in: 3,
            max_runs: 6,
        }
    }
}

type BlockIds = Mutex<Vec<i64>>;

/// The directory of the visible runs, and the cache of opened blocks. A clone is a snapshot: it belongs to the snapshot
/// of the file that it was taken for, and shares the blocks.
#[derive(Clone)]
pub(crate) struct Runs {
    options: RunsOptions,
    // Oldest messages first.
    runs: Vec<Arc<Run>>,
    cache: Arc<BlockCache>,
    recent: Arc<RecentNodes>,
    // The number of this list of runs, and the last number that was given.
    generation: u32,
    generations: Arc<AtomicU32>,
    // The blocks of builds that are not visible yet, so that they are not removed as orphans.
    builds: Arc<Mutex<Vec<Weak<BlockIds>>>>,
    // The number of replacements of runs, which leave blocks behind, and the number after which none were left.
    n_replacements: u64,
    clean_at: Option<u64>,
}

impl Runs {
    /// Reads the runs of the file.
    pub(crate) fn load(connection: &Connection, options: RunsOptions) -> Result<Runs> {
        let mut runs = Runs::none(options);
        runs.reload(connection)?;
        Ok(runs)
    }

    /// Whether the runs were written by another version of the library, in a layout that this one does not read. One
    /// build writes all blocks of a run, so its first block decides.
    pub(crate) fn are_of_another_version(connection: &Connection) -> Result<bool> {
        let sql = "SELECT SUBSTR(data, 1, 9) FROM run_blocks WHERE block = ?1";
        let mut select = connection.prepare_cached(sql).map_err(sql_error)?;
        for block in directory::first_blocks(connection)? {
            let beginning: Option<Vec<u8>> =
                select.query_row([block], |row| row.get(0)).optional().map_err(sql_error)?;
            if beginning.is_some_and(|beginning| block::is_of_another_version(&beginning)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An empty list of runs.
    pub(crate) fn none(options: RunsOptions) -> Runs {
        let cache = Arc::new(BlockCache::new(options.cache_bytes));
        Runs {
            options,
            runs: Vec::new(),
            cache,
            recent: Arc::default(),
            generation: 0,
            generations: Arc::default(),
            builds: Arc::default(),
            n_replacements: 0,
            clean_at: None,
        }
    }

    /// Loads changes of the file by another process or by [`Runs::clear`]; also after a build was dropped, whose blocks
    /// are then removed as orphans.
    pub(crate) fn reload(&mut self, connection: &Connection) -> Result<()> {
        let mut runs = Vec::new();
        for id in run_ids(connection)? {
            match self.runs.iter().find(|run| run.id == id) {
                Some(run) => runs.push(run.clone()),
                None => runs.push(Arc::new(Run::load(connection, id)?)),
            }
        }
        let vanished = self.runs.iter().filter(|run| !runs.iter().any(|other| other.id == run.id)).cloned().collect();
        self.replace(runs, vanished);
        self.clean_at = None;
        Ok(())
    }

    fn replace(&mut self, mut runs: Vec<Arc<Run>>, vanished: Vec<Arc<Run>>) {
        runs.sort_by_key(|run| (run.first_sequence, run.id));
        if !runs.iter().map(|run| run.id).eq(self.runs.iter().map(|run| run.id)) {
            self.generation = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
            self.cache.retain(merged::is_block);
        }
        self.runs = runs;
        if !vanished.is_empty() {
            let mut ids: Vec<i64> = vanished.iter().flat_map(|run| &run.fences).map(|fence| fence.block).collect();
            ids.sort_unstable();
            self.cache.retain(|id| ids.binary_search(&id).is_err());
            self.n_replacements += 1;
        }
    }

    /// The runs, oldest messages first.
    pub(crate) fn runs(&self) -> &[Arc<Run>] {
        &self.runs
    }

    /// The last message that a run covers; facts of later messages are in the tail.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.runs.iter().map(|run| run.last_sequence).max().unwrap_or(0)
    }

    /// The bytes of the cached blocks.
    #[cfg(test)]
    pub(crate) fn cached_bytes(&self) -> usize {
        self.cache.n_bytes()
    }

    /// Makes all runs invisible, for other columns or after an erasure. The caller must drop the builds under way, and
    /// call [`Runs::reload`] after COMMIT. [`Runs::remove_orphans`] removes the blocks.
    pub(crate) fn clear(connection: &Connection) -> Result<()> {
        connection.execute("DELETE FROM runs", []).map(|_| ()).map_err(sql_error)
    }

    /// The facts of a node in runs: all, or only its events from `since_ms` on.
    pub(crate) fn read(&self, connection: &Connection, node: u32, since_ms: Option<i64>) -> Result<NodeSlices> {
        let mut slices = NodeSlices::default();
        for run in &self.runs {
            for fence in run.fences_of(node) {
                if since_ms.is_some_and(|since_ms| fence.greatest_ms < since_ms) {
                    continue;
                }
                let block = self.block(connection, fence)?;
                if let Some(place) = block.find(node) {
                    slices.push(block, place, since_ms);
                }
            }
        }
        Ok(slices)
    }

    /// All facts of a node in runs, for a single read that may be repeated: the second read merges them into one cached
    /// block.
    pub(crate) fn look_up(&self, connection: &Connection, node: u32) -> Result<NodeSlices> {
        if !self.runs.iter().any(|run| run.has_node(node)) {
            return Ok(NodeSlices::default());
        }
        let key = merged::merged_key(self.generation, node);
        if let Some(block) = self.cache.get(key) {
            return Ok(NodeSlices::of_block(block));
        }
        let slices = self.read(connection, node, None)?;
        if !self.recent.record(node) {
            return Ok(slices);
        }
        let Some(block) = slices.merged(node)?.map(Arc::new) else { return Ok(slices) };
        self.cache.insert(key, &block);
        Ok(NodeSlices::of_block(block))
    }

    fn block(&self, connection: &Connection, fence: &Fence) -> Result<Arc<Block>> {
        if let Some(block) = self.cache.get(fence.block) {
            return Ok(block);
        }
        let block = Arc::new(load_block(connection, fence)?);
        self.cache.insert(fence.block, &block);
        Ok(block)
    }

    /// Visits the blocks of a run that may have a node in `nodes` and, with `since_ms`, an event from then on; by node,
    /// without changing the cache.
    pub(crate) fn scan(
        &self,
        connection: &Connection,
        run: &Run,
        nodes: RangeInclusive<u32>,
        since_ms: Option<i64>,
        visit: impl FnMut(&Fence, &Block) -> Result<()>,
    ) -> Result<()> {
        let from = run.fences.partition_point(|fence| fence.last_node < *nodes.start());
        let to = run.fences.partition_point(|fence| fence.first_node <= *nodes.end());
        let fences = run.fences.get(from..to).unwrap_or_default();
        self.scan_blocks(connection, fences, since_ms, visit)
    }

    /// As [`Runs::scan`], for the blocks of neighbouring fences of a run.
    pub(crate) fn scan_blocks(
        &self,
        connection: &Connection,
        fences: &[Fence],
        since_ms: Option<i64>,
        mut visit: impl FnMut(&Fence, &Block) -> Result<()>,
    ) -> Result<()> {
        let wanted: Vec<&Fence> =
            fences.iter().filter(|fence| since_ms.is_none_or(|since_ms| fence.greatest_ms >= since_ms)).collect();
        let sql = "SELECT block, data FROM run_blocks WHERE block BETWEEN ?1 AND ?2 ORDER BY block";
        let mut statement = connection.prepare_cached(sql).map_err(sql_error)?;
        for stretch in wanted.chunk_by(|left, right| left.block + 1 == right.block) {
            let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else { continue };
            let mut rows = statement.query([first.block, last.block]).map_err(sql_error)?;
            for fence in stretch {
                let row = rows.next().map_err(sql_error)?.ok_or_else(missing_block)?;
                if row.get::<_, i64>(0).map_err(sql_error)? != fence.block {
                    return Err(missing_block());
                }
                visit(fence, &open_block(row.get(1).map_err(sql_error)?, fence)?)?;
            }
        }
        Ok(())
    }

    /// Adds the beginnings of nodes in all runs to `firsts`, and returns the greatest instant of any message.
    pub(crate) fn read_beginnings(
        &self,
        connection: &Connection,
        firsts: &mut [Firsts],
        greatest: &mut Option<Timestamp>,
    ) -> Result<()> {
        let mut wanted: Vec<&Fence> = self.runs.iter().flat_map(|run| &run.fences).collect();
        wanted.sort_unstable_by_key(|fence| fence.block);
        let sql = "SELECT block, data FROM run_beginnings WHERE block BETWEEN ?1 AND ?2 ORDER BY block";
        let mut statement = connection.prepare_cached(sql).map_err(sql_error)?;
        for stretch in wanted.chunk_by(|left, right| left.block + 1 == right.block) {
            let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else { continue };
            let mut rest = stretch;
            let mut rows = statement.query([first.block, last.block]).map_err(sql_error)?;
            while let Some(row) = rows.next().map_err(sql_error)? {
                let block: i64 = row.get(0).map_err(sql_error)?;
                let (missing, from) = rest.split_at(rest.partition_point(|fence| fence.block < block));
                let data = row.get_ref(1).map_err(sql_error)?.as_blob().unwrap_or_default();
                let is_read = beginnings::read_beginnings(data, firsts, greatest).is_ok();
                let n_done = usize::from(is_read);
                for fence in missing {
                    load_block(connection, fence)?.read_beginnings(firsts, greatest)?;
                }
                rest = from.get(n_done..).unwrap_or_default();
            }
            for fence in rest {
                load_block(connection, fence)?.read_beginnings(firsts, greatest)?;
            }
        }
        Ok(())
    }

    /// Whether the separately stored beginnings agree with the blocks.
    pub(crate) fn beginnings_are_right(&self, connection: &Connection, n_nodes: u32) -> Result<bool> {
        let mut read = (vec![Firsts::default(); n_nodes as usize], None);
        self.read_beginnings(connection, &mut read.0, &mut read.1)?;
        let mut of_blocks = (vec![Firsts::default(); n_nodes as usize], None);
        for run in &self.runs {
            self.scan(connection, run, 0..=u32::MAX, None, |_, block| {
                block.read_beginnings(&mut of_blocks.0, &mut of_blocks.1)
            })?;
        }
        Ok(read == of_blocks)
    }

    /// Whether another connection sees all of these runs. The id of a run is never reused, and the blocks of a visible
    /// run are neither changed nor removed: a snapshot that has the runs has equal events in them.
    pub(crate) fn are_visible_to(&self, connection: &Connection) -> Result<bool> {
        let visible = run_ids(connection)?;
        Ok(self.runs.iter().all(|run| visible.binary_search(&run.id).is_ok()))
    }

    /// Removes at most `max_blocks` blocks that belong to no visible run and to no build of this process; returns the
    /// number of removed blocks.
    pub(crate) fn remove_orphans(&self, connection: &Connection, max_blocks: usize) -> Result<usize> {
        let mut kept = self.blocks_of_builds();
        for id in run_ids(connection)? {
            // A run that another process has published is as visible as one of this process.
            match self.runs.iter().find(|run| run.id == id) {
                Some(run) => kept.extend(run.fences.iter().map(|fence| fence.block)),
                None => kept.extend(Run::load(connection, id)?.fences.iter().map(|fence| fence.block)),
            }
        }
        kept.sort_unstable();
        kept.push(i64::MAX);
        let delete = |table: &str| {
            let sql = format!(
                "DELETE FROM {table} WHERE block IN
                   (SELECT block FROM run_blocks WHERE block > ?1 AND block < ?2 ORDER BY block LIMIT ?3)"
            );
            connection.prepare_cached(&sql).map_err(sql_error)
        };
        let (mut beginnings, mut blocks) = (delete("run_beginnings")?, delete("run_blocks")?);
        let (mut before, mut n_removed) = (0, 0);
        for next in kept {
            if next > before + 1 && n_removed < max_blocks {
                let limit = (max_blocks - n_removed) as i64;
                beginnings.execute(params![before, next, limit]).map_err(sql_error)?;
                n_removed += blocks.execute(params![before, next, limit]).map_err(sql_error)?;
            }
            before = next;
        }
        Ok(n_removed)
    }

    fn blocks_of_builds(&self) -> Vec<i64> {
        let mut builds = self.builds.lock().unwrap_or_else(PoisonError::into_inner);
        builds.retain(|build| build.strong_count() > 0);
        let live = builds.iter().filter_map(Weak::upgrade);
        live.flat_map(|blocks| blocks.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }
}

fn run_ids(connection: &Connection) -> Result<Vec<i64>> {
    let mut statement = connection.prepare_cached("SELECT run FROM runs ORDER BY run").map_err(sql_error)?;
    let ids = statement.query_map([], |row| row.get(0)).map_err(sql_error)?;
    ids.collect::<rusqlite::Result<_>>().map_err(sql_error)
}

fn missing_block() -> crate::error::Error {
    corrupt("a block is missing")
}

fn load_block(connection: &Connection, fence: &Fence) -> Result<Block> {
    let bytes = connection
        .prepare_cached("SELECT data FROM run_blocks WHERE block = ?1")
        .and_then(|mut statement| statement.query_row([fence.block], |row| row.get(0)).optional())
        .map_err(sql_error)?;
    open_block(bytes.ok_or_else(missing_block)?, fence)
}

fn open_block(bytes: Vec<u8>, fence: &Fence) -> Result<Block> {
    let block = Block::open(bytes)?;
    let last = block.n_nodes().checked_sub(1).and_then(|place| block.node(place));
    let is_that = block.node(0) == Some(fence.first_node)
        && last == Some(fence.last_node)
        && block.n_events() == fence.n_events as usize;
    if is_that { Ok(block) } else { Err(corrupt("a block is not the one that its run names")) }
}
