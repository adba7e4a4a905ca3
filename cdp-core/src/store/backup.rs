//! Copies a store to a new file, whole or not at all.
//!
//! It takes a connection to the store and the path of the copy. The copy is written beside that path, synced, and named
//! when it is complete, so that a backup that fails or is killed leaves no store that lacks facts.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::replace::PartialFile;
use super::sqlite::{open_sqlite, sql_error};
use crate::error::Result;

/// The number of pages that a step copies.
const PAGES_A_STEP: i32 = 1024;

/// Copies the snapshot of `source` to `target`, which must not exist; only the owner can read the copy.
pub(super) fn copy_store(source: &Connection, target: &Path) -> Result<()> {
    // Open until SQLite has closed the file: it is synced through this, and never opened again under SQLite.
    let (partial, file) = PartialFile::new_at(target)?;
    let mut copy = open_sqlite(Some(partial.path()), false)?;
    // The copy has no name before it is whole, so its journal may stand in memory, and it is synced once at the end.
    copy.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;").map_err(sql_error)?;
    let backup = rusqlite::backup::Backup::new(source, &mut copy).map_err(sql_error)?;
    backup.run_to_completion(PAGES_A_STEP, Duration::ZERO, None).map_err(sql_error)?;
    drop(backup);
    copy.close().map_err(|(_, error)| sql_error(error))?;
    partial.put_in_place(file)
}
