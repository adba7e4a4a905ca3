//! Opens SQLite files privately and durably, and refuses a file that is not a store of this version.
//!
//! A foreign, newer or damaged file is an error and its bytes stay as they were; nothing is ever deleted.

use std::fs::OpenOptions as FileOptions;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::file_identity::{FileIdentity, companion, resolved};
use super::open_files::{HeldFile, OpenFiles};
use super::placement::Placement;
use super::random::random_bytes;
use super::schema::{SCHEMA, SCHEMA_VERSION, check_schema};
use super::sqlite::{not_a_database, open_sqlite, sql_error};
use crate::error::{Error, ErrorKind, Result};

/// `cdp1` in ASCII, at byte 68 of every store.
const APPLICATION_ID: i64 = 0x6364_7031;

/// How much a power cut may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// An acknowledged call survives a power cut.
    #[default]
    Full,
    /// An acknowledged batch may vanish with a power cut, never half of one.
    Relaxed,
}

/// How to open a store.
#[derive(Clone, Debug)]
pub(crate) struct ConnectOptions {
    pub(crate) path: Option<PathBuf>,
    pub(crate) read_only: bool,
    pub(crate) create: bool,
    pub(crate) durability: Durability,
    pub(crate) busy_timeout: Duration,
    pub(crate) salt: Option<[u8; 32]>,
}

/// A connection to a store. For a file it comes with the entry in the list of open files, which must outlive it.
pub(crate) struct Connected {
    pub(crate) connection: Connection,
    pub(super) file: Option<(Placement, HeldFile)>,
}

/// Opens the file, checks that it is a store, and creates the tables of a new one.
pub(crate) fn connect(options: &ConnectOptions) -> Result<Connected> {
    let Some(given) = &options.path else {
        let connection = open_sqlite(None, options.read_only)?;
        preamble(&connection, options, None)?;
        return Ok(Connected { connection, file: None });
    };
    // Locals are dropped from the last to the first: on every way out the connection closes before its file leaves the
    // list.
    let Opened { path, identity, has_tables, held, connection } = open_file(given, options)?;
    connection.busy_timeout(options.busy_timeout).map_err(sql_error)?;
    // Before the journal mode is set: a refused file keeps its bytes.
    let version = if has_tables { Some(check_schema(&connection)?) } else { None };
    preamble(&connection, options, version)?;
    let placement = Placement::new(path, identity);
    placement.check_store()?;
    Ok(Connected { connection, file: Some((placement, held)) })
}

/// An opened file and its entry in the list of open files.
struct Opened {
    // Fields are dropped from the first to the last: the connection closes before its file leaves the list.
    connection: Connection,
    held: HeldFile,
    path: PathBuf,
    identity: FileIdentity,
    has_tables: bool,
}

/// How many times an open tries again after the file was replaced meanwhile. Some layered file systems replace a file
/// of a lower layer once, by a copy, when it is first opened for writing.
const OPEN_ATTEMPTS: usize = 4;
/// How long an open waits where its file is listed under another name. A deleted store that closes in another thread
/// frees its inode shortly before it leaves the list, and a new file may have got that inode.
const LEAVING_AWAITED: Duration = Duration::from_millis(2);

/// Opens a file and lists it as open, atomically: no other thread can read the file as bytes in between.
fn open_file(given: &Path, options: &ConnectOptions) -> Result<Opened> {
    let unusable = |error: std::io::Error| {
        Error::new(ErrorKind::Io, format!("the path of the store cannot be used: {}", error.kind()))
            .with_hint("check that the folder exists and can be searched")
            .with_source(error)
    };
    let mut is_held_elsewhere = false;
    for _ in 0..OPEN_ATTEMPTS {
        if std::mem::take(&mut is_held_elsewhere) {
            std::thread::sleep(LEAVING_AWAITED);
        }
        let mut open = OpenFiles::lock();
        check_path(given, options)?;
        let path = resolved(given).map_err(unusable)?;
        let Some(identity) = FileIdentity::of(&path).map_err(unusable)? else { continue };
        let held_as = open.path_of(&identity);
        if held_as.is_some_and(|held_as| held_as != path) {
            is_held_elsewhere = true;
            continue;
        }
        let has_tables = refuse_foreign(&path, held_as.is_some())?;
        let connection = open_sqlite(Some(&path), options.read_only)?;
        if FileIdentity::of(&path).map_err(unusable)?.as_ref() == Some(&identity) {
            let held = open.add(identity.clone(), path.clone());
            return Ok(Opened { connection, held, path, identity, has_tables });
        }
    }
    if is_held_elsewhere {
        return Err(Error::new(ErrorKind::Conflict, "the store is open already in this process under another name")
            .with_hint("use that one: a log of its own beside each name of one file would corrupt it"));
    }
    Err(Error::new(ErrorKind::Io, "the store file was replaced again and again while it was being opened")
        .with_hint("open it when it stays in its place"))
}

/// Opens a further connection for reading to a store that is open.
pub(crate) fn connect_reader(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    let connection = open_sqlite(Some(path), true)?;
    connection.busy_timeout(busy_timeout).map_err(sql_error)?;
    Ok(connection)
}

fn check_path(path: &Path, options: &ConnectOptions) -> Result<()> {
    let io = |what: &str| Error::new(ErrorKind::Io, what.to_owned());
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            Err(io("the path of the store is a folder").with_hint("give the path of a file, such as shop.db"))
        }
        Ok(metadata) if !metadata.is_file() => Err(io("the path of the store is not a regular file")),
        Ok(metadata) if metadata.len() == 0 && !options.create => {
            Err(Error::new(ErrorKind::Incompatible, "the store file is empty")
                .with_hint("open with create to begin a new store in it"))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && options.create && !options.read_only => {
            create_private(path)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::new(ErrorKind::Io, "there is no store at this path")
                .with_hint("open with create to begin a new one"))
        }
        Err(error) => Err(io(&format!("the path of the store cannot be used: {}", error.kind())).with_source(error)),
    }
}

// SQLite gives its -wal and -shm files the mode of the main file, so a private main file makes all three private.
fn create_private(path: &Path) -> Result<()> {
    let mut options = FileOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        // Another process was faster: the store exists.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::new(ErrorKind::Io, format!("the store file cannot be created: {}", error.kind()))
            .with_hint("check that the folder exists and can be written")
            .with_source(error)),
    }
}

/// Refuses a file that is foreign, older or newer; returns `false` for a file without tables.
///
/// The header is read as bytes, so that a refused file keeps its own and gets no companions. SQLite reads it where a
/// write-ahead log may hold a newer one, and where this process has the file open already: the close of another descriptor
/// would drop SQLite's locks.
fn refuse_foreign(path: &Path, is_open_here: bool) -> Result<bool> {
    let header = match is_open_here {
        true => Vec::new(),
        false => match read_header(path)? {
            Some(header) if !header.starts_with(b"SQLite format 3\0") => return Err(not_a_database()),
            Some(header) => header,
            None => return Ok(false),
        },
    };
    let has_wal = std::fs::metadata(companion(path, "-wal")).is_ok_and(|metadata| metadata.len() > 0);
    let (application_id, version, is_empty) = if is_open_here || has_wal {
        probe(path)?
    } else {
        let number = |at: usize| {
            header.get(at..at + 4).and_then(|bytes| bytes.first_chunk()).map(|bytes| i32::from_be_bytes(*bytes))
        };
        let (version, application_id) = (i64::from(number(60).unwrap_or(0)), i64::from(number(68).unwrap_or(0)));
        // The schema cookie is 0 until a table is created.
        let is_empty = application_id == 0 && version == 0 && number(40) == Some(0);
        (application_id, version, is_empty)
    };
    if is_empty {
        // Created by another process that has not finished, or killed before its first transaction: an empty store.
        return Ok(false);
    }
    if application_id != APPLICATION_ID {
        return Err(Error::new(ErrorKind::Incompatible, "the file is an SQLite database of another application")
            .with_hint("the file was left unchanged; give the path of a store"));
    }
    if version > SCHEMA_VERSION {
        return Err(Error::new(
            ErrorKind::Incompatible,
            format!("the store has schema version {version}; this library knows versions up to {SCHEMA_VERSION}"),
        )
        .with_hint("the file was left unchanged; use a newer version of the library"));
    }
    if version < SCHEMA_VERSION {
        return Err(Error::new(
            ErrorKind::Incompatible,
            format!("the store has schema version {version}; this library reads version {SCHEMA_VERSION}"),
        )
        .with_hint("the file was left unchanged; ingest its data into a new store"));
    }
    Ok(true)
}

/// The first 100 bytes; `None` for an empty file.
fn read_header(path: &Path) -> Result<Option<Vec<u8>>> {
    let io = |error: std::io::Error| {
        Error::new(ErrorKind::Io, format!("the store file cannot be read: {}", error.kind()))
            .with_hint("check the permissions of the file and of its folder")
            .with_source(error)
    };
    let mut header = Vec::new();
    std::fs::File::open(path).map_err(io)?.take(100).read_to_end(&mut header).map_err(io)?;
    Ok(if header.is_empty() { None } else { Some(header) })
}

/// (application id, user version, whether it is empty), in one read transaction.
fn probe(path: &Path) -> Result<(i64, i64, bool)> {
    let probe = open_sqlite(Some(path), true)?;
    probe.busy_timeout(Duration::from_secs(5)).map_err(sql_error)?;
    // In one transaction: between two reads another connection may create the tables of a new store.
    probe.execute_batch("BEGIN").map_err(sql_error)?;
    let pragma = |name: &str| probe.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(sql_error);
    let (application_id, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = probe.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(sql_error)?;
    Ok((application_id, version, tables == 0 && application_id == 0 && version == 0))
}

/// Sets the pragmas of every store, then creates the tables of a new file. `known_version` is the version of a schema
/// that was checked already.
fn preamble(connection: &Connection, options: &ConnectOptions, known_version: Option<i64>) -> Result<()> {
    if options.read_only {
        let version = known_version.map_or_else(|| check_schema(connection), Ok)?;
        if version != SCHEMA_VERSION {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("the store has schema version {version}; reading needs version {SCHEMA_VERSION}"),
            )
            .with_hint("open it once for writing to bring it up to date"));
        }
        return Ok(());
    }
    write_ahead(connection, options.busy_timeout)?;
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Relaxed => "NORMAL",
    };
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = {synchronous}; PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = 0; \
             PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -32768;"
        ))
        .map_err(sql_error)?;
    if known_version == Some(SCHEMA_VERSION) { Ok(()) } else { create_schema(connection, options) }
}

/// How long an open waits before it requests the write-ahead log again.
const LOG_AWAITED: Duration = Duration::from_millis(5);

/// Switches a file to its write-ahead log. SQLite takes the locks for that without the busy handler, since two
/// connections that both hold a read lock would wait for each other; so the switch is repeated where several
/// connections open a new file at once.
fn write_ahead(connection: &Connection, busy_timeout: Duration) -> Result<()> {
    let n_more = busy_timeout.as_millis() / LOG_AWAITED.as_millis();
    for _ in 0..n_more {
        match connection.execute_batch(WRITE_AHEAD).map_err(sql_error) {
            Err(error) if error.kind() == ErrorKind::Busy => std::thread::sleep(LOG_AWAITED),
            outcome => return outcome,
        }
    }
    connection.execute_batch(WRITE_AHEAD).map_err(sql_error)
}

const WRITE_AHEAD: &str = "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL;";

/// Creates the tables of a file that has none.
fn create_schema(connection: &Connection, options: &ConnectOptions) -> Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(sql_error)?;
    let created = (|| {
        // Under the lock: another process may have created the tables meanwhile, or tables of its own.
        if check_schema(connection)? == SCHEMA_VERSION {
            return connection.execute_batch("COMMIT").map_err(sql_error);
        }
        let salt = match options.salt {
            Some(salt) => salt,
            None => random_bytes::<32>()?,
        };
        connection.execute_batch(SCHEMA).map_err(sql_error)?;
        connection
            .execute(
                "INSERT INTO meta VALUES (1, 0, 0, 0, 0, 0, NULL, 0, ?1, 0, 0, 0, 0, 0, NULL, 0, 0)",
                [salt.as_slice()],
            )
            .map_err(sql_error)?;
        connection
            .execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT"
            ))
            .map_err(sql_error)
    })();
    if created.is_err() {
        // The caller must see the first error; a failing rollback changes nothing about it.
        let _ = connection.execute_batch("ROLLBACK");
    }
    created
}
