//! Writes a file beside its target and moves it into place when it is complete.
//!
//! It takes the path of an export or a backup, and leaves the whole new file or the former one, never a part. Until
//! then the file has a random name, is private to its owner, and is removed on any error. It must never replace a store
//! or a file of SQLite.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use super::file_identity::location;
use super::open_files::{occupied, refuse_new, refuse_replaced};
use super::random::{hex, random_bytes};
use crate::error::{Error, ErrorKind, Result};

/// What may exist at the target.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Replacement {
    /// A file, which is replaced, or none.
    Replaced,
    /// No file.
    New,
}

/// A file under a temporary name, removed on drop unless it was put in place.
pub(crate) struct PartialFile {
    path: PathBuf,
    target: PathBuf,
    kind: Replacement,
    is_in_place: bool,
}

impl PartialFile {
    /// Starts a file that replaces the one at `target`, or is new there.
    pub(crate) fn replacing(target: &Path) -> Result<(PartialFile, File)> {
        refuse_replaced(target)?;
        PartialFile::create(target, Replacement::Replaced)
    }

    /// Starts a file where none exists.
    pub(super) fn new_at(target: &Path) -> Result<(PartialFile, File)> {
        refuse_new(target)?;
        PartialFile::create(target, Replacement::New)
    }

    fn create(target: &Path, kind: Replacement) -> Result<(PartialFile, File)> {
        let target = location(target).map_err(unwritable)?.ok_or_else(|| {
            Error::invalid("the target is the path of no file")
                .with_hint("give the path of a file, such as audience.csv")
        })?;
        let path = target.with_file_name(format!(".cdp-{}.partial", hex(&random_bytes::<16>()?)));
        let mut options = OpenOptions::new();
        // Never an existing file, nor one at the end of a link.
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(unwritable)?;
        Ok((PartialFile { path, target, kind, is_in_place: false }, file))
    }

    /// The absolute path of the file until it is put in place.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the file to disk and moves it to the target.
    pub(crate) fn put_in_place(mut self, file: File) -> Result<()> {
        file.sync_all().map_err(unwritable)?;
        drop(file);
        match self.kind {
            Replacement::Replaced => {
                // A store may have been opened there while the file was written.
                refuse_replaced(&self.target)?;
                self.rename()?;
                sync_folder(&self.target).map_err(unwritable)
            }
            Replacement::New => {
                refuse_new(&self.target)?;
                self.rename_without_replacing()?;
                sync_folder(&self.target).map_err(|error| {
                    // Whether the name survives a power cut is unknown, so the caller must try again.
                    let _ = std::fs::remove_file(&self.target);
                    unwritable(error)
                })
            }
        }
    }

    fn rename(&mut self) -> Result<()> {
        std::fs::rename(&self.path, &self.target).map_err(unwritable)?;
        self.is_in_place = true;
        Ok(())
    }

    /// A hard link is created only where no file exists, in one step; the temporary name is removed on drop.
    fn rename_without_replacing(&mut self) -> Result<()> {
        match std::fs::hard_link(&self.path, &self.target) {
            Ok(()) => {
                self.is_in_place = std::fs::remove_file(&self.path).is_ok();
                Ok(())
            }
            Err(error) if error.kind() == IoErrorKind::AlreadyExists => Err(occupied()),
            // A file system without hard links: another process that creates the file at this moment is not noticed.
            Err(_) if std::fs::symlink_metadata(&self.target).is_ok() => Err(occupied()),
            Err(_) => self.rename(),
        }
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.is_in_place {
            // The error to report is the one that led here; a partial file that stays has a name that nothing reads.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The error of a file that cannot be written.
pub(crate) fn unwritable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("the target file cannot be written: {}", error.kind()))
        .with_hint("check that the folder exists, can be written and has room; the former file was left as it was")
        .with_source(error)
}

/// Makes the name of a file survive a power cut.
#[cfg(unix)]
fn sync_folder(file: &Path) -> std::io::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    match synced {
        // A folder that can be written but not read, and a file system that syncs no folders: more cannot be done
        // there.
        Err(error) if matches!(error.kind(), IoErrorKind::PermissionDenied | IoErrorKind::InvalidInput) => Ok(()),
        synced => synced,
    }
}

/// The file system itself keeps the order of names here.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_takes_its_place_whole_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.csv");
        std::fs::write(&target, "before").unwrap();
        let (partial, mut file) = PartialFile::replacing(&target).unwrap();
        file.write_all(b"after").unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "before");
        assert_eq!(names(folder.path()).len(), 2);
        #[cfg(unix)]
        {
            let mode = std::fs::metadata(partial.path()).unwrap().permissions();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
        }
        partial.put_in_place(file).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "after");
        assert_eq!(names(folder.path()), ["a.csv"]);
    }

    #[test]
    fn a_file_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.db");
        drop(PartialFile::replacing(&target).unwrap());
        drop(PartialFile::new_at(&target).unwrap());
        assert!(names(folder.path()).is_empty());
        assert_eq!(PartialFile::new_at(Path::new("..")).err().unwrap().kind(), ErrorKind::Conflict);
    }

    #[test]
    fn a_new_file_takes_the_place_of_none_that_came_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.db");
        let (mut first, _) = PartialFile::new_at(&target).unwrap();
        let (second, file) = PartialFile::new_at(&target).unwrap();
        second.put_in_place(file).unwrap();
        assert_eq!(first.rename_without_replacing().unwrap_err().kind(), ErrorKind::Conflict);
        drop(first);
        assert_eq!(names(folder.path()), ["a.db"]);
    }
}
