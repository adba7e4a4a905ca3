//! A copy of the store, made while others go on reading and writing.

use std::path::Path;

use crate::engine::handle::Cdp;
use crate::error::Result;

impl Cdp {
    /// Copies the store to a new file that only its owner can read, while others go on reading and writing.
    pub fn backup(&self, path: &Path) -> Result<()> {
        self.check_open()?;
        self.store().backup(path)
    }
}
