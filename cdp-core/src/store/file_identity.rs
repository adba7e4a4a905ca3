//! The identity of a file on disk, independent of the spelling of its path.
//!
//! It examines paths by `stat` alone and never opens a file: on Unix the close of any descriptor of a file drops every
//! lock that SQLite holds on that file for this process.

use std::ffi::OsStr;
use std::io::{ErrorKind as IoErrorKind, Result as IoResult};
use std::path::{Path, PathBuf};

/// The suffixes of the files beside a database: log, index of the log, rollback journal.
pub(super) const COMPANION_SUFFIXES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// One file under all of its names: device and inode.
#[cfg(unix)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

/// One file: its path without links. Two hard links of a file are different files here, which does no harm where locks
/// belong to a handle and not to the process.
#[cfg(not(unix))]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileIdentity(PathBuf);

impl FileIdentity {
    /// The file at the end of every link of this path; `None` if there is none.
    pub(crate) fn of(path: &Path) -> IoResult<Option<FileIdentity>> {
        match FileIdentity::found(path) {
            Ok(identity) => Ok(Some(identity)),
            Err(error) if error.kind() == IoErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    #[cfg(unix)]
    fn found(path: &Path) -> IoResult<FileIdentity> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path)?;
        Ok(FileIdentity { device: metadata.dev(), inode: metadata.ino() })
    }

    #[cfg(not(unix))]
    fn found(path: &Path) -> IoResult<FileIdentity> {
        std::fs::canonicalize(path).map(FileIdentity)
    }
}

/// The path of a companion: `shop.db` and `-wal` give `shop.db-wal`.
pub(super) fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The database of a companion by its name: `shop.db-wal` gives `shop.db`.
pub(super) fn database_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?;
    COMPANION_SUFFIXES.into_iter().find_map(|suffix| without_suffix(name, suffix)).map(|name| path.with_file_name(name))
}

#[cfg(unix)]
fn without_suffix<'n>(name: &'n OsStr, suffix: &str) -> Option<&'n OsStr> {
    use std::os::unix::ffi::OsStrExt;
    name.as_bytes().strip_suffix(suffix.as_bytes()).filter(|rest| !rest.is_empty()).map(OsStr::from_bytes)
}

#[cfg(not(unix))]
fn without_suffix<'n>(name: &'n OsStr, suffix: &str) -> Option<&'n OsStr> {
    name.to_str()?.strip_suffix(suffix).filter(|rest| !rest.is_empty()).map(OsStr::new)
}

/// The absolute path of a file that need not exist: its folder without links, and its name. `None` for a path without a
/// file name, such as `..`.
pub(super) fn location(path: &Path) -> IoResult<Option<PathBuf>> {
    let Some(name) = path.file_name() else { return Ok(None) };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    Ok(Some(resolved(folder)?.join(name)))
}

/// The absolute path of an existing file, without links.
#[cfg(unix)]
pub(super) fn resolved(path: &Path) -> IoResult<PathBuf> {
    std::fs::canonicalize(path)
}

/// The absolute path of an existing file, in the form that SQLite takes.
#[cfg(not(unix))]
pub(super) fn resolved(path: &Path) -> IoResult<PathBuf> {
    std::fs::metadata(path)?;
    std::path::absolute(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_by_every_spelling_and_a_copy_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&file, "x").unwrap();
        std::fs::copy(&file, &copy).unwrap();
        let identity = FileIdentity::of(&file).unwrap();
        assert!(identity.is_some());
        assert_eq!(FileIdentity::of(&folder.path().join("./a")).unwrap(), identity);
        assert_ne!(FileIdentity::of(&copy).unwrap(), identity);
        assert_eq!(FileIdentity::of(&folder.path().join("none")).unwrap(), None);
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::fs::hard_link(&file, &link).unwrap();
            assert_eq!(FileIdentity::of(&link).unwrap(), identity);
            assert!(FileIdentity::of(&file.join("below")).is_err(), "a file has nothing below it");
        }
    }

    #[test]
    fn a_companion_names_its_database() {
        for suffix in COMPANION_SUFFIXES {
            assert_eq!(database_of(&companion(Path::new("a/shop.db"), suffix)), Some(PathBuf::from("a/shop.db")));
        }
        assert_eq!(database_of(Path::new("a/shop.db")), None);
        assert_eq!(database_of(Path::new("a/-wal")), None);
    }

    #[test]
    fn a_location_needs_the_folder_and_a_name_and_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let plain = resolved(folder.path()).unwrap().join("new.csv");
        assert_eq!(location(&folder.path().join("new.csv")).unwrap(), Some(plain));
        assert_eq!(location(&folder.path().join("..")).unwrap(), None);
        assert!(location(&folder.path().join("no/new.csv")).is_err());
        assert_eq!(location(Path::new("new.csv")).unwrap(), Some(resolved(Path::new(".")).unwrap().join("new.csv")));
    }
}
