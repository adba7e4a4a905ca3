//! A copy of the store, made while others go on reading and writing.

use std::path::Path;

use crate::engine::handle::Cdp;
use crate::error::Result;

impl Cdp {
    /// Copies the store to a new file that only its owner can read, while others go on reading and writing. The copy has its
    /// name when it is whole: a backup that fails leaves nothing, and one that is killed no store.
    ///
    /// Fails with `conflict` if there is a file at the path, and with `invalid` where that is a file of an open store.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let path = std::env::temp_dir().join(format!("cdp-backup-{}.db", std::process::id()));
    /// db.backup(&path)?;
    /// assert!(db.backup(&path).is_err(), "an existing file is not replaced");
    /// let _ = std::fs::remove_file(path);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn backup(&self, path: &Path) -> Result<()> {
        self.check_open()?;
        self.store().backup(path)
    }
}
