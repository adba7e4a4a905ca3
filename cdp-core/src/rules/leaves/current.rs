//! The leaf `current`: a value of the message that a decision is about compares with a value.

use super::{LeafRule, Outcome, ProfileView, Reads};
use crate::definitions::{Catalog, CurrentTest};
use crate::error::Result;
use crate::records::Timestamp;
use crate::rules::dependencies::Lookbacks;
use crate::rules::operators::matches_at;

impl LeafRule for CurrentTest {
    fn test(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
        let value = view.current(&self.path);
        let matched = matches_at(&self.path, &self.comparison, value.as_ref(), at);
        Ok(Outcome::with(matched, value.unwrap_or_default()))
    }

    fn reads<'r>(&'r self, _reads: &mut Reads<'r>) {
        // The message is at hand, not stored.
    }

    fn add_lookbacks(&self, _catalog: &Catalog, found: &mut Lookbacks) -> Result<()> {
        found.add_current_dates(&self.path, &self.comparison);
        Ok(())
    }
}
