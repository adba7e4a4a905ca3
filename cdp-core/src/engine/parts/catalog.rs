//! The definitions in force as a part of RAM, replaced as a whole.
//!
//! A change of definitions ends in a state that is read once more from the file, so nothing is read behind a state.

use std::sync::Arc;

use crate::definitions::Catalog;
use crate::engine::parts::part::{Beginning, Part};
use crate::error::Result;

impl Part for Arc<Catalog> {
    type Changes = Arc<Catalog>;
    type View<'a> = &'a Catalog;

    fn load(beginning: &Beginning<'_>) -> Result<Arc<Catalog>> {
        Ok(beginning.catalog.clone())
    }

    fn changes(&self) -> Arc<Catalog> {
        self.clone()
    }

    fn view(&self) -> &Catalog {
        self
    }

    fn view_with<'a>(&'a self, changes: &'a Arc<Catalog>) -> &'a Catalog {
        changes
    }

    fn fold(&mut self, changes: Arc<Catalog>) {
        *self = changes;
    }
}
