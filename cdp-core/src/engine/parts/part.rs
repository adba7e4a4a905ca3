//! The protocol of a part of RAM: read from the file, seen by a moment, changed beside by a transaction, folded after COMMIT.
//!
//! A part takes what the file keeps of it and leaves what reads ask. It never changes while a transaction is under way, so
//! that an error leaves RAM as the last commit.

use std::sync::Arc;

use crate::definitions::Catalog;
use crate::error::Result;
use crate::store::{Facts, Memory, Meta};

/// What a part is read with, before the first message is observed.
pub(crate) struct Beginning<'f> {
    pub(crate) facts: Facts<'f>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) memory: Memory,
    /// Whether the state is to hold identifiers, partition and memberships.
    pub(crate) holds_all_profiles: bool,
}

/// Where RAM stands behind the file.
pub(crate) struct Behind<'s> {
    pub(crate) facts: Facts<'s>,
    pub(crate) catalog: &'s Catalog,
    /// The last commit in RAM.
    pub(crate) from: &'s Meta,
    /// The last commit in the file.
    pub(crate) to: &'s Meta,
    /// Whether the state holds identifiers, partition and memberships.
    pub(crate) holds_all_profiles: bool,
}

/// A part of RAM as of the last commit. A clone shares what grows with the store.
pub(crate) trait Part: Clone {
    /// What one transaction changes of it.
    type Changes;
    /// What a moment sees of it.
    type View<'a>: Copy
    where
        Self: 'a;

    /// The part as the file has it before the first message is observed.
    fn load(beginning: &Beginning<'_>) -> Result<Self>;

    /// No changes yet.
    fn changes(&self) -> Self::Changes;

    /// What other processes have committed of it. Of a part that follows from the log there is nothing to read: a state derives
    /// it from the messages that it observes.
    fn changes_behind(&self, _behind: &Behind<'_>) -> Result<Self::Changes> {
        Ok(self.changes())
    }

    /// The last commit.
    fn view(&self) -> Self::View<'_>;

    /// The last commit under these changes.
    fn view_with<'a>(&'a self, changes: &'a Self::Changes) -> Self::View<'a>;

    /// Takes in what a committed transaction has changed. Nothing can fail here.
    fn fold(&mut self, changes: Self::Changes);
}
