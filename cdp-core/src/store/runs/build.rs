//! Writes a run, a few blocks in each transaction, from any source of sorted facts.
//!
//! A build is at the state of its last committed step. A step continues from there without changing it; [`Runs::fold`]
//! advances the build after COMMIT. A build whose ground has changed (another process wrote its messages, or dropped
//! the runs) returns no step and must be dropped; its blocks are then orphans.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::block::Block;
use super::builder::{BlockBuilder, Fence};
use super::cache::BlockCache;
use super::directory::Run;
use super::node_set::NodeSet;
use super::{BlockIds, Runs, load_block, run_ids};
use crate::error::Result;
use crate::records::Path;
use crate::store::sqlite::sql_error;

/// The number of orphans that a step may remove for each block that it may write: removing costs that much less.
const ORPHANS_PER_BLOCK: usize = 4;

/// A source of facts by node, whose position can be cloned.
pub(crate) trait FactSource: Clone {
    /// Adds facts until the block is full; returns `false` when there are no more.
    fn fill(&mut self, blocks: &BlockReader<'_>, builder: &mut BlockBuilder) -> Result<bool>;
}

/// Opens blocks for a build without changing the cache.
pub(crate) struct BlockReader<'r> {
    connection: &'r Connection,
    cache: &'r BlockCache,
}

impl BlockReader<'_> {
    pub(super) fn open(&self, fence: &Fence) -> Result<Arc<Block>> {
        match self.cache.peek(fence.block) {
            Some(block) => Ok(block),
            None => load_block(self.connection, fence).map(Arc::new),
        }
    }
}

/// A run that is being written.
#[derive(Clone)]
pub(crate) struct Build<S> {
    source: S,
    first_sequence: u64,
    last_sequence: u64,
    columns: Arc<[Path]>,
    // The runs that this one replaces; none for a flush.
    replaces: Vec<Arc<Run>>,
    fences: Vec<Fence>,
    nodes: NodeSet,
    // The ids of these blocks and of those of an uncommitted step, for `Runs::remove_orphans`.
    blocks: Arc<BlockIds>,
}

/// Additions of one transaction to a build.
pub(crate) struct BuildStep<S> {
    source: S,
    fences: Vec<Fence>,
    nodes: Vec<u32>,
    published: Option<Arc<Run>>,
    // The number of replacements after which no orphans were found.
    clean_at: Option<u64>,
}

impl<S> BuildStep<S> {
    /// Whether the run became visible with this step.
    pub(crate) fn publishes(&self) -> bool {
        self.published.is_some()
    }

    /// The number of written blocks.
    #[cfg(test)]
    pub(crate) fn n_blocks(&self) -> usize {
        self.fences.len()
    }
}

impl Runs {
    pub(super) fn begin<S>(
        &self,
        source: S,
        sequences: (u64, u64),
        columns: Arc<[Path]>,
        replaces: Vec<Arc<Run>>,
    ) -> Build<S> {
        let blocks: Arc<BlockIds> = Arc::new(Mutex::new(Vec::new()));
        self.builds.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&blocks));
        let (first_sequence, last_sequence) = sequences;
        Build {
            source,
            first_sequence,
            last_sequence,
            columns,
            replaces,
            fences: Vec::new(),
            nodes: NodeSet::default(),
            blocks,
        }
    }

    /// Writes at most `max_blocks` blocks, and with the last one the row that makes the run visible. Returns `None` if
    /// the build must be dropped, because its ground in the file has changed.
    pub(crate) fn step<S: FactSource>(
        &self,
        connection: &Connection,
        build: &Build<S>,
        max_blocks: usize,
    ) -> Result<Option<BuildStep<S>>> {
        build.truncate_block_ids();
        if !build.still_stands(connection)? {
            return Ok(None);
        }
        let source = build.source.clone();
        let mut step = BuildStep { source, fences: Vec::new(), nodes: Vec::new(), published: None, clean_at: None };
        // Beside the writing, not before it: the orphans of a large merge would keep a flush waiting.
        if self.clean_at != Some(self.n_replacements) {
            let max_orphans = max_blocks.saturating_mul(ORPHANS_PER_BLOCK);
            let n_removed = self.remove_orphans(connection, max_orphans)?;
            step.clean_at = (n_removed < max_orphans).then_some(self.n_replacements);
        }
        let blocks = BlockReader { connection, cache: &self.cache };
        let mut builder = BlockBuilder::new(self.options.limits, build.columns.len());
        let mut insert = connection.prepare_cached("INSERT INTO run_blocks (data) VALUES (?1)").map_err(sql_error)?;
        let sql = "INSERT OR REPLACE INTO run_beginnings (block, data) VALUES (?1, ?2)";
        let mut insert_beginnings = connection.prepare_cached(sql).map_err(sql_error)?;
        while step.fences.len() < max_blocks {
            let has_more = step.source.fill(&blocks, &mut builder)?;
            if !builder.is_empty() {
                step.nodes.extend_from_slice(builder.nodes());
                let (data, beginnings, fence) = builder.finish();
                insert.execute([data]).map_err(sql_error)?;
                let block = connection.last_insert_rowid();
                insert_beginnings.execute(params![block, beginnings]).map_err(sql_error)?;
                build.blocks.lock().unwrap_or_else(PoisonError::into_inner).push(block);
                step.fences.push(Fence { block, ..fence });
            }
            if !has_more {
                step.published = Some(Arc::new(build.publish(connection, &step)?));
                break;
            }
        }
        Ok(Some(step))
    }

    /// Adds a step after COMMIT; returns whether the run is finished and visible.
    pub(crate) fn fold<S>(&mut self, build: &mut Build<S>, step: BuildStep<S>) -> bool {
        build.source = step.source;
        build.fences.extend(step.fences);
        build.nodes.extend(&step.nodes);
        self.clean_at = step.clean_at.or(self.clean_at);
        let Some(published) = step.published else { return false };
        let is_replaced = |run: &Arc<Run>| build.replaces.iter().any(|replaced| replaced.id == run.id);
        let mut runs: Vec<Arc<Run>> = self.runs.iter().filter(|run| !is_replaced(run)).cloned().collect();
        runs.push(published);
        self.replace(runs, build.replaces.clone());
        true
    }
}

impl<S> Build<S> {
    // Removes ids that a rolled back step has left in the list.
    fn truncate_block_ids(&self) {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).truncate(self.fences.len());
    }

    fn still_stands(&self, connection: &Connection) -> Result<bool> {
        let covered = || -> Result<u64> {
            connection
                .prepare_cached("SELECT COALESCE(MAX(last_sequence), 0) FROM runs")
                .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)))
                .map(i64::unsigned_abs)
                .map_err(sql_error)
        };
        let ground_is_there = if self.replaces.is_empty() {
            covered()? < self.first_sequence
        } else {
            let ids = run_ids(connection)?;
            self.replaces.iter().all(|run| ids.binary_search(&run.id).is_ok())
        };
        // Another process may have removed these blocks as orphans; it removes the first of them first.
        let Some(first) = self.fences.first() else { return Ok(ground_is_there) };
        let found: Option<i64> = connection
            .prepare_cached("SELECT block FROM run_blocks WHERE block = ?1")
            .and_then(|mut statement| statement.query_row([first.block], |row| row.get(0)).optional())
            .map_err(sql_error)?;
        Ok(ground_is_there && found.is_some())
    }

    fn publish(&self, connection: &Connection, last: &BuildStep<S>) -> Result<Run> {
        let fences = self.fences.iter().chain(&last.fences).copied().collect();
        let mut nodes = self.nodes.clone();
        nodes.extend(&last.nodes);
        for run in &self.replaces {
            connection.execute("DELETE FROM runs WHERE run = ?1", [run.id]).map_err(sql_error)?;
        }
        Run::publish(connection, (self.first_sequence, self.last_sequence), fences, nodes, self.columns.clone())
    }
}
