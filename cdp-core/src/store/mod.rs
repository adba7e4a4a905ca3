//! The SQLite file: facts in log order, tables derived from them, and the RAM that mirrors the last commit.
//!
//! This is the only module that uses SQLite. It takes accepted facts and stores them; it never decides what a fact
//! means, which identifiers form a person or which profiles an audience has.
//!
//! **RAM is the last committed state.** A write transaction reads RAM through [`MemoryChanges`] of its own, which are
//! folded in after COMMIT and dropped on any error, so RAM never holds what the file does not. Every transaction reads
//! the `meta` row first: it counts what other processes have written meanwhile.

mod backup;
mod bytes;
mod checkpoint;
mod columns;
mod connection;
mod decisions;
mod dictionary;
mod event_blocks;
mod facts;
mod file_identity;
mod firsts;
mod flat_map;
mod gathered;
mod link_blocks;
mod linkage_records;
mod log;
mod memory;
mod message_keys;
mod message_rows;
mod node_blocks;
mod node_facts;
mod nodes;
mod open_files;
mod packed_id;
mod placement;
mod probable_links;
mod random;
mod replace;
mod runs;
mod schema;
mod sqlite;
mod stored_message;
mod tail;
mod time_index;
mod words;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};

pub(crate) use connection::ConnectOptions;
pub use connection::Durability;
pub(crate) use decisions::StoredDecision;
pub(crate) use event_blocks::{EventColumns, Part};
pub(crate) use facts::{
    ChangeType, CountedTable, Facts, Meta, StoredChange, StoredDefinition, StoredModel, StoredReject,
};
pub(crate) use file_identity::FileIdentity;
pub(crate) use firsts::event_bit;
pub(crate) use flat_map::KeyStep;
pub(crate) use gathered::Gathered;
pub(crate) use linkage_records::{KeyNodes, LinkageTables, StoredLive};
pub(crate) use log::LogWriter;
pub(crate) use memory::{ExtraColumns, Few, Memory, MemoryChanges, MemoryOptions, MemoryView, RunSteps};
pub(crate) use node_facts::{Annex, ConsentWrite, EventEntry, EventProperties, Observation, StatedChoice, TraitWrite};
pub(crate) use nodes::NodeTable;
pub(crate) use open_files::refuse_input;
pub(crate) use probable_links::{StoredLinkageModel, StoredProbableLink};
pub(crate) use random::{hex, random_message_id};
pub(crate) use replace::{PartialFile, unwritable};
pub(crate) use schema::SCHEMA_VERSION;
pub(crate) use stored_message::{OwnNodes, StoredMessage, checksum};
pub(crate) use time_index::TimeIndex;

use checkpoint::Checkpoints;
use connection::{Connected, connect, connect_reader};
use open_files::HeldFile;
use placement::Placement;
use sqlite::sql_error;

use crate::error::{Error, ErrorKind, Result};

/// An open store file, or a store in memory.
pub(crate) struct Store {
    /// `None` in memory.
    placement: Option<Placement>,
    read_only: bool,
    busy_timeout: Duration,
    // `None` once closed.
    writer: Mutex<Option<WriteConnection>>,
    readers: Mutex<Vec<Connection>>,
    interrupt: InterruptHandle,
    // Whether a transaction is ending. An interrupt during its ROLLBACK would leave the connection inside the
    // transaction.
    is_ending: Mutex<bool>,
    // The entry in the list of open files, until the last connection is closed. It stands after the connections because
    // fields are dropped in their order.
    held: Mutex<Option<Arc<HeldFile>>>,
    // A connection that went through fork() corrupts the file when the child uses it.
    process_id: u32,
}

/// The connection that writes, and the checkpoints of its write-ahead log.
struct WriteConnection {
    connection: Connection,
    busy_timeout: Duration,
    checkpoints: Checkpoints,
}

/// Recomputes the checksum of a block of timelines that a test has changed, as another program could.
#[cfg(test)]
pub(crate) fn reseal_block(block: &mut [u8]) {
    bytes::seal(block);
}

/// How long closing a store waits for the lock of another process.
const AWAITED_AT_CLOSE: Duration = Duration::from_millis(100);

/// The version of SQLite that is linked in.
pub(crate) fn sqlite_version() -> &'static str {
    rusqlite::version()
}

// A panic while a lock was held cannot have left half a state: RAM changes only by folding, after COMMIT.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    pub(crate) fn open(options: &ConnectOptions) -> Result<Store> {
        let Connected { connection, file } = connect(options)?;
        let (placement, held) = file.unzip();
        Ok(Store {
            placement,
            read_only: options.read_only,
            busy_timeout: options.busy_timeout,
            interrupt: connection.get_interrupt_handle(),
            is_ending: Mutex::new(false),
            writer: Mutex::new(Some(WriteConnection {
                connection,
                busy_timeout: options.busy_timeout,
                checkpoints: Checkpoints::default(),
            })),
            readers: Mutex::new(Vec::new()),
            held: Mutex::new(held.map(Arc::new)),
            process_id: std::process::id(),
        })
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(crate) fn is_in_memory(&self) -> bool {
        self.placement.is_none()
    }

    /// The identity of the file; `None` in memory.
    pub(crate) fn identity(&self) -> Option<&FileIdentity> {
        self.placement.as_ref().map(Placement::identity)
    }

    /// Fails with `io` if the file was deleted, moved or replaced since it was opened.
    pub(crate) fn check_file(&self) -> Result<()> {
        self.placement.as_ref().map_or(Ok(()), Placement::check_store)
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process_id
    }

    /// The size of the write-ahead log beside the file.
    pub(crate) fn wal_bytes(&self) -> u64 {
        let Some(placement) = &self.placement else { return 0 };
        let log = file_identity::companion(placement.path(), "-wal");
        std::fs::metadata(log).map_or(0, |metadata| metadata.len())
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.writer).is_none()
    }

    /// Interrupts the statement that a write transaction runs; a COMMIT, a ROLLBACK and a checkpoint are not
    /// interrupted.
    pub(crate) fn interrupt(&self) {
        let is_ending = lock(&self.is_ending);
        if !*is_ending {
            self.interrupt.interrupt();
        }
    }

    /// Shortens the wait for the lock of another process, for every transaction from now on.
    pub(crate) fn hurry(&self) -> Result<()> {
        let mut guard = lock(&self.writer);
        let writer = guard.as_mut().ok_or_else(closed)?;
        writer.busy_timeout = writer.busy_timeout.min(AWAITED_AT_CLOSE);
        writer.connection.busy_timeout(writer.busy_timeout).map_err(sql_error)
    }

    pub(crate) fn close(&self) -> Result<()> {
        self.check_process()?;
        // From here on a reader that ends closes its connection, and the last reader removes the file from the list.
        let _held = lock(&self.held).take();
        let readers = std::mem::take(&mut *lock(&self.readers));
        drop(readers);
        let Some(writer) = lock(&self.writer).take() else { return Ok(()) };
        writer.connection.close().map_err(|(_, error)| sql_error(error))
    }

    /// Fails in a child process that inherited the store through `fork`.
    pub(crate) fn check_process(&self) -> Result<()> {
        if std::process::id() == self.process_id {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Closed, "the store was opened in the parent process and cannot be used after a fork")
            .with_hint("open the store again in this process"))
    }

    /// Runs `work` in one transaction that holds the write lock of the file, and commits it. Any error rolls everything
    /// back. `work` returns the answer and the changes of RAM. `lock_memory` is called right before COMMIT, and its
    /// guard is handed to `fold` after COMMIT, so no read sees the file and RAM apart.
    pub(crate) fn write<T, C, G>(
        &self,
        work: impl FnOnce(Facts<'_>) -> Result<(T, C)>,
        lock_memory: impl FnOnce() -> G,
        fold: impl FnOnce(G, C),
    ) -> Result<T> {
        self.check_process()?;
        if self.read_only {
            return Err(Error::invalid("the store was opened read_only and cannot be changed")
                .with_hint("open it without read_only"));
        }
        let mut guard = lock(&self.writer);
        let WriteConnection { connection, busy_timeout, checkpoints } = guard.as_mut().ok_or_else(closed)?;
        run_kept(connection, "BEGIN IMMEDIATE")?;
        let mut rollback = Rollback { connection, is_ending: &self.is_ending, armed: true };
        let (answer, change) = work(Facts(rollback.connection))?;
        let ending = Ending::begin(&self.is_ending);
        self.placement.as_ref().map_or(Ok(()), Placement::check_all)?;
        let memory = lock_memory();
        run_kept(rollback.connection, "COMMIT")?;
        rollback.armed = false;
        fold(memory, change);
        drop(rollback);
        // No reader of this process waits for this: RAM is unlocked again.
        checkpoints.after_commit(connection, *busy_timeout);
        drop(ending);
        self.placement.as_ref().map_or(Ok(()), Placement::check_commits)?;
        Ok(answer)
    }

    /// Runs `work` on one snapshot of the file and the revision of that snapshot.
    pub(crate) fn read<T>(&self, work: impl FnOnce(Facts<'_>, i64) -> Result<T>) -> Result<T> {
        self.check_process()?;
        let Some(placement) = &self.placement else {
            let guard = lock(&self.writer);
            return Facts(&guard.as_ref().ok_or_else(closed)?.connection).at_revision(work);
        };
        if self.is_closed_quickly() {
            return Err(closed());
        }
        self.pooled(placement)?.facts()?.at_revision(work)
    }

    /// A pooled connection for reading, without a snapshot yet.
    fn pooled(&self, placement: &Placement) -> Result<PooledReader<'_>> {
        let held = lock(&self.held).clone().ok_or_else(closed)?;
        let mut reader = PooledReader { store: self, connection: lock(&self.readers).pop(), _held: held };
        if reader.connection.is_none() {
            let connection = connect_reader(placement.path(), self.busy_timeout)?;
            // The connection has read nothing yet, so SQLite has not looked for a write-ahead log either.
            placement.check_all()?;
            reader.connection = Some(connection);
        }
        Ok(reader)
    }

    fn reader(&self, placement: &Placement) -> Result<PooledReader<'_>> {
        let reader = self.pooled(placement)?;
        run_kept(reader.facts()?.0, "BEGIN")?;
        Ok(reader)
    }

    /// A connection for a further thread that scans the runs of `memory`, beside the transaction under way. `None` if a
    /// run is visible to that transaction alone, or if no connection can be had: the scan then takes longer on fewer
    /// threads. It sees nothing that the transaction has added.
    pub(crate) fn scan_reader(&self, memory: &MemoryView<'_>) -> Option<PooledReader<'_>> {
        let reader = self.reader(self.placement.as_ref()?).ok()?;
        let sees_all = memory.runs().are_visible_to(reader.facts().ok()?.0).ok()?;
        sees_all.then_some(reader)
    }

    /// A connection for a further thread with the same content as `facts`; `None` if another transaction has committed
    /// meanwhile, or if no connection can be had.
    pub(crate) fn reader_beside(&self, facts: Facts<'_>) -> Option<PooledReader<'_>> {
        let reader = self.reader(self.placement.as_ref()?).ok()?;
        let is_level = reader.facts().ok()?.meta().ok()?.revision == facts.meta().ok()?.revision;
        is_level.then_some(reader)
    }

    // A read must not wait for a writer only to learn whether the store is open: the holder of the lock has it open.
    fn is_closed_quickly(&self) -> bool {
        match self.writer.try_lock() {
            Ok(guard) => guard.is_none(),
            Err(_) => false,
        }
    }

    /// Copies the store to a new file that only the owner can read.
    pub(crate) fn backup(&self, target: &Path) -> Result<()> {
        self.check_process()?;
        let guard = lock(&self.writer);
        backup::copy_store(&guard.as_ref().ok_or_else(closed)?.connection, target)
    }
}

/// A connection with a snapshot of its own. Dropping it returns the connection to the pool; a connection whose snapshot
/// cannot be ended is closed.
pub(crate) struct PooledReader<'s> {
    store: &'s Store,
    // Present until the drop.
    connection: Option<Connection>,
    // After the connection, because fields are dropped in their order.
    _held: Arc<HeldFile>,
}

impl PooledReader<'_> {
    /// The tables as they stood when the snapshot began.
    pub(crate) fn facts(&self) -> Result<Facts<'_>> {
        self.connection.as_ref().map(Facts).ok_or_else(|| Error::internal("a reader has no connection"))
    }
}

impl Drop for PooledReader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && (connection.is_autocommit() || run_kept(&connection, "ROLLBACK").is_ok())
        {
            let mut readers = lock(&self.store.readers);
            // A store that was closed meanwhile keeps no connections.
            if lock(&self.store.held).is_some() {
                readers.push(connection);
            }
        }
    }
}

/// Runs a statement and caches it: reading one profile takes as long as parsing four words of SQL.
fn run_kept(connection: &Connection, sql: &str) -> Result<usize> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(sql_error)
}

/// While this value lives, no interrupt reaches the connection that writes.
struct Ending<'s>(&'s Mutex<bool>);

impl Ending<'_> {
    fn begin(is_ending: &Mutex<bool>) -> Ending<'_> {
        *lock(is_ending) = true;
        Ending(is_ending)
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        *lock(self.0) = false;
    }
}

struct Rollback<'c> {
    connection: &'c Connection,
    is_ending: &'c Mutex<bool>,
    armed: bool,
}

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        if self.armed {
            let _ending = Ending::begin(self.is_ending);
            // SQLite has rolled back by itself where it stopped a statement that writes. Nothing more can be done here:
            // the error is on its way to the caller, and SQLite rolls back an open transaction when the connection
            // closes.
            if !self.connection.is_autocommit() {
                let _ = self.connection.execute_batch("ROLLBACK");
            }
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store is closed").with_hint("open it again")
}
