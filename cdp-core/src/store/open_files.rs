//! The store files that this process has open, and the paths that no verb may read or replace because of them.
//!
//! On Unix the locks on a file belong to the process, and the close of *any* descriptor of that file drops them all: a
//! store without its locks loses acknowledged commits to the next process that opens it. So every function that reads
//! or replaces a file checks this list first, by device and inode; a file that SQLite holds here is never opened to
//! examine it.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{ErrorKind as IoErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::file_identity::{COMPANION_SUFFIXES, FileIdentity, companion, database_of, location};
use crate::error::{Error, ErrorKind, Result};

/// The first bytes of an SQLite database, of its log (in either byte order) and of a rollback journal.
const MAGICS: [&[u8]; 4] = [
    b"SQLite format 3\0",
    &[0x37, 0x7f, 0x06, 0x82],
    &[0x37, 0x7f, 0x06, 0x83],
    &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7],
];

struct OpenFile {
    // Absolute and without links, because SQLite derives the names of the companions from it.
    path: PathBuf,
    n_holders: usize,
}

type FilesByIdentity = HashMap<FileIdentity, OpenFile>;

/// The locked list of open files: while this exists no store opens or closes.
pub(super) struct OpenFiles(MutexGuard<'static, FilesByIdentity>);

impl OpenFiles {
    pub(super) fn lock() -> OpenFiles {
        static OPEN: LazyLock<Mutex<FilesByIdentity>> = LazyLock::new(Mutex::default);
        // No code that can panic runs between two changes of the list.
        OpenFiles(OPEN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The path under which this process has the file open.
    pub(super) fn path_of(&self, identity: &FileIdentity) -> Option<&Path> {
        self.0.get(identity).map(|entry| entry.path.as_path())
    }

    /// Lists a file until all entries of the file are dropped. `path` is absolute, without links.
    pub(super) fn add(&mut self, identity: FileIdentity, path: PathBuf) -> HeldFile {
        self.0.entry(identity.clone()).or_insert(OpenFile { path, n_holders: 0 }).n_holders += 1;
        HeldFile(identity)
    }

    /// Whether the path leads to a listed file or to a companion of one, which need not exist yet.
    fn owns(&self, path: &Path) -> bool {
        // Where even `stat` fails the path cannot be read or written either, and the caller gets that error.
        let identity = FileIdentity::of(path).ok().flatten();
        let place = location(path).ok().flatten();
        self.0.iter().any(|(held, entry)| {
            identity.as_ref() == Some(held)
                || COMPANION_SUFFIXES.iter().any(|suffix| {
                    let file = companion(&entry.path, suffix);
                    let is_it = || identity.is_some() && FileIdentity::of(&file).ok().flatten() == identity;
                    place.as_ref() == Some(&file) || is_it()
                })
        })
    }
}

/// The entry of one connection or store in the list.
pub(crate) struct HeldFile(FileIdentity);

impl Drop for HeldFile {
    fn drop(&mut self) {
        let mut open = OpenFiles::lock().0;
        if let Some(entry) = open.get_mut(&self.0) {
            entry.n_holders -= 1;
            if entry.n_holders == 0 {
                open.remove(&self.0);
            }
        }
    }
}

/// Refuses to read an open store, or a companion of one, as input data.
pub(crate) fn refuse_input(path: &Path) -> Result<()> {
    if OpenFiles::lock().owns(path) {
        return Err(Error::invalid("the input file is a store that is open in this process, or belongs to one")
            .with_hint("give a file of data; what a store holds is read through its verbs"));
    }
    Ok(())
}

/// Refuses to replace a path that is no regular file, an SQLite database, or a file that belongs to a database.
pub(super) fn refuse_replaced(path: &Path) -> Result<()> {
    let open = OpenFiles::lock();
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == IoErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(error)),
    };
    if metadata.as_ref().is_some_and(|metadata| !metadata.is_file()) {
        return Err(Error::invalid("the target is a folder or a device, not a regular file")
            .with_hint("give the path of a file, such as audience.csv"));
    }
    refuse_owned(&open, path)?;
    // By its name first: opening the index of a log here would drop the locks that SQLite may hold on it.
    refuse_companion(&open, path)?;
    if metadata.is_some() && is_database(&open, path)? {
        return Err(of_sqlite());
    }
    Ok(())
}

/// Refuses to create a file where a companion of a database belongs, or over an open store.
pub(super) fn refuse_new(path: &Path) -> Result<()> {
    let open = OpenFiles::lock();
    refuse_owned(&open, path)?;
    if std::fs::symlink_metadata(path).is_ok() {
        return Err(occupied());
    }
    refuse_companion(&open, path)
}

/// The error of a new file whose path exists.
pub(super) fn occupied() -> Error {
    Error::new(ErrorKind::Conflict, "the target of the backup exists already")
        .with_hint("give the path of a file that does not exist")
}

fn refuse_owned(open: &OpenFiles, path: &Path) -> Result<()> {
    if open.owns(path) {
        return Err(Error::invalid("the target is a store that is open in this process, or belongs to one")
            .with_hint("the store was left unchanged; give the path of another file"));
    }
    Ok(())
}

/// Refuses the name of a companion beside its database: SQLite would apply the file to the database.
fn refuse_companion(open: &OpenFiles, path: &Path) -> Result<()> {
    let places = [location(path).ok().flatten(), std::fs::canonicalize(path).ok()];
    for base in places.iter().flatten().filter_map(|place| database_of(place)) {
        if std::fs::metadata(&base).is_ok_and(|metadata| metadata.is_file()) && is_database(open, &base)? {
            return Err(of_sqlite());
        }
    }
    Ok(())
}

/// Whether a regular file is an SQLite database, a log or a journal. It opens the file only without a sign that this
/// process has it open, since that would drop locks.
fn is_database(open: &OpenFiles, path: &Path) -> Result<bool> {
    if FileIdentity::of(path).ok().flatten().is_some_and(|identity| open.path_of(&identity).is_some()) {
        return Ok(true);
    }
    let is_file = |metadata: Metadata| metadata.is_file();
    // A database in use, by whatever library, has companions.
    if COMPANION_SUFFIXES.iter().any(|suffix| std::fs::metadata(companion(path, suffix)).is_ok_and(is_file)) {
        return Ok(true);
    }
    let mut header = Vec::new();
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut header));
    read.map_err(unreadable)?;
    Ok(MAGICS.iter().any(|magic| header.starts_with(magic)))
}

fn of_sqlite() -> Error {
    Error::invalid("the target is a database of SQLite, or belongs to one")
        .with_hint("it was left unchanged; give the path of another file, or remove it first if it is not needed")
}

fn unreadable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("the target cannot be examined: {}", error.kind()))
        .with_hint("check the permissions of the file and of its folder; it was left as it is")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_listed_until_its_last_entry_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = super::super::file_identity::resolved(folder.path()).unwrap().join("a.db");
        std::fs::write(&path, "").unwrap();
        let identity = FileIdentity::of(&path).unwrap().unwrap();
        let hold = || OpenFiles::lock().add(identity.clone(), path.clone());
        let (first, second) = (hold(), hold());
        drop(first);
        assert_eq!(OpenFiles::lock().path_of(&identity), Some(path.as_path()));
        assert!(refuse_input(&path).is_err() && refuse_input(&companion(&path, "-journal")).is_err());
        drop(second);
        assert_eq!(OpenFiles::lock().path_of(&identity), None);
        refuse_input(&path).unwrap();
        refuse_replaced(&path).unwrap();
        assert_eq!(refuse_new(&path).unwrap_err().kind(), ErrorKind::Conflict);
    }

    #[test]
    fn every_file_of_sqlite_is_recognized_by_its_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        for magic in MAGICS {
            std::fs::write(&path, [magic, &[0; 20]].concat()).unwrap();
            assert_eq!(refuse_replaced(&path).unwrap_err().kind(), ErrorKind::Invalid);
        }
        std::fs::write(&path, "SQLite format 3 is what a database begins with").unwrap();
        refuse_replaced(&path).unwrap();
    }
}
