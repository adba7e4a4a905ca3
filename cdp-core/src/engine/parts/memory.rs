//! Identifiers, names and timelines as a part of RAM.
//!
//! The store has the types. A state reads them in one of several ways and observes the messages behind them; the steps of
//! runs are folded by the state, since they are no change of a transaction.

use crate::engine::parts::part::{Beginning, Part};
use crate::error::Result;
use crate::store::{Memory, MemoryChanges, MemoryView};

impl Part for Memory {
    type Changes = MemoryChanges;
    type View<'a> = MemoryView<'a>;

    fn load(beginning: &Beginning<'_>) -> Result<Memory> {
        Ok(beginning.memory.clone())
    }

    fn changes(&self) -> MemoryChanges {
        Memory::changes(self)
    }

    fn view(&self) -> MemoryView<'_> {
        Memory::view(self)
    }

    fn view_with<'a>(&'a self, changes: &'a MemoryChanges) -> MemoryView<'a> {
        changes.view(self)
    }

    fn fold(&mut self, changes: MemoryChanges) {
        Memory::fold(self, changes);
    }
}
