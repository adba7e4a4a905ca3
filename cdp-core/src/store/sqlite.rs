//! SQLite as the store uses it: opens every connection, and converts the errors of SQLite.
//!
//! It takes a path and returns a hardened connection, which trusts nothing in the file except facts. It uses no table;
//! an error holds neither the text of a statement nor a value.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, ErrorKind, Result};

/// Opens every connection of the library; it trusts nothing in a file except facts.
pub(super) fn open_sqlite(path: Option<&Path>, read_only: bool) -> Result<Connection> {
    let access = if read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    #[expect(clippy::disallowed_methods, reason = "this is the one place that opens SQLite")]
    let opened = match path {
        Some(path) => Connection::open_with_flags(path, flags),
        None => Connection::open_in_memory(),
    };
    let connection = opened.map_err(sql_error)?;
    harden(&connection)?;
    Ok(connection)
}

fn harden(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(sql_error)?;
    let off = [
        DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA,
        DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
        DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW,
    ];
    for config in off {
        connection.set_db_config(config, false).map_err(sql_error)?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    connection
        .execute_batch(
            "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON;",
        )
        .map_err(sql_error)
}

/// Converts an error of SQLite, without the text of a statement or a value.
pub(crate) fn sql_error(error: rusqlite::Error) -> Error {
    use rusqlite::ffi::ErrorCode;
    // The tables are STRICT: this library wrote no value of another type and left out no row.
    if matches!(
        error,
        rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::QueryReturnedNoRows
    ) {
        return damaged();
    }
    let cause = match &error {
        rusqlite::Error::SqlInputError { error, .. } => Some(*error),
        other => other.sqlite_error().copied(),
    };
    let extended = cause.map_or(0, |inner| inner.extended_code);
    let translated = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::new(ErrorKind::Busy, "another process holds the write lock of the store")
                .with_hint("try again, or open with a longer busy_timeout_ms")
        }
        Some(ErrorCode::DatabaseCorrupt) => damaged(),
        Some(ErrorCode::NotADatabase) => not_a_database(),
        Some(ErrorCode::DiskFull) => Error::new(ErrorKind::Io, "the disk is full; nothing of this call was kept"),
        Some(ErrorCode::ReadOnly) => Error::new(ErrorKind::Io, "the store file cannot be written")
            .with_hint("check the permissions of the file and of its folder, or open with read_only"),
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::PermissionDenied) => Error::new(
            ErrorKind::Io,
            format!("the operating system refused access to the store (SQLite code {extended})"),
        ),
        Some(ErrorCode::OperationInterrupted) => {
            Error::new(ErrorKind::Interrupted, "the call was interrupted; nothing of its open transaction was kept")
        }
        _ => Error::internal(format!("unexpected answer of SQLite (code {extended})")),
    };
    // The code alone: the error around it may hold the text of a statement.
    match cause {
        Some(cause) => translated.with_source(cause),
        None => translated,
    }
}

fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt, "the store file is damaged")
        .with_hint("restore a backup; the file was left as it is")
}

/// The error of a file that SQLite did not write.
pub(super) fn not_a_database() -> Error {
    Error::new(ErrorKind::Incompatible, "the file is not a store (not an SQLite file)")
        .with_hint("the file was left unchanged; give the path of a store or of a file that does not exist yet")
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_has_the_answer_of_sqlite_as_its_cause_and_no_statement() {
        let connection = open_sqlite(None, false).unwrap();
        let refused = connection.execute_batch("SELECT 'jane' FROM nothing").map_err(sql_error).unwrap_err();
        let cause = refused.source().unwrap();
        assert!(cause.is::<rusqlite::ffi::Error>());
        assert!(!format!("{refused:?} {cause:?} {cause}").contains("jane"));
    }
}
