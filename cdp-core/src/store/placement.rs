//! Checks that the files of an open store are still at the paths where SQLite opened them.
//!
//! On Unix a file can be deleted, renamed or replaced while it is open: SQLite goes on writing to a file without a
//! path, and each commit would be acknowledged and lost. One `stat` for each file detects that. Where the system
//! refuses to delete or rename an open file there is nothing to check.

use std::path::{Path, PathBuf};

use super::file_identity::{FileIdentity, companion};
use crate::error::{Error, ErrorKind, Result};

/// The paths of a store's files when it was opened.
pub(super) struct Placement {
    path: PathBuf,
    identity: FileIdentity,
    // Both stay the same files as long as a connection uses them.
    log: Option<(PathBuf, FileIdentity)>,
    log_index: Option<(PathBuf, FileIdentity)>,
}

impl Placement {
    /// For a store whose connection has read something, so that SQLite has opened its companions. `path` is absolute,
    /// without links.
    pub(super) fn new(path: PathBuf, identity: FileIdentity) -> Placement {
        // A companion that cannot be examined is not checked; the store itself is.
        let found = |suffix| {
            let file = companion(&path, suffix);
            FileIdentity::of(&file).ok().flatten().map(|identity| (file, identity))
        };
        let (log, log_index) = (found("-wal"), found("-shm"));
        Placement { path, identity, log, log_index }
    }

    /// The absolute path of the store, without links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn identity(&self) -> &FileIdentity {
        &self.identity
    }

    /// Fails with `io` if the path of the store leads to another file now, or to none.
    pub(super) fn check_store(&self) -> Result<()> {
        check(&self.path, &self.identity, "store file")
    }

    /// Checks the store and its log, where commits are.
    pub(super) fn check_commits(&self) -> Result<()> {
        self.check_store()?;
        self.log.iter().try_for_each(|(path, identity)| check(path, identity, "log beside the store file"))
    }

    /// Checks the store, its log and the index of the log, through which processes exclude each other.
    pub(super) fn check_all(&self) -> Result<()> {
        self.check_commits()?;
        self.log_index.iter().try_for_each(|(path, identity)| check(path, identity, "index of the log of the store"))
    }
}

#[cfg(unix)]
fn check(path: &Path, identity: &FileIdentity, what: &str) -> Result<()> {
    let happened = match FileIdentity::of(path) {
        Ok(Some(found)) if found == *identity => return Ok(()),
        Ok(Some(_)) => "was replaced by another file".to_owned(),
        Ok(None) => "was deleted or moved".to_owned(),
        Err(error) => format!("cannot be examined any more: {}", error.kind()),
    };
    Err(Error::new(
        ErrorKind::Io,
        format!("the {what} {happened} while the store was open; this call is not acknowledged"),
    )
    .with_hint("put the file back, or save what was acknowledged with backup(path), close the store and open it again"))
}

#[cfg(not(unix))]
fn check(_: &Path, _: &FileIdentity, _: &str) -> Result<()> {
    Ok(())
}
