//! The leaf `trait`: a trait of the profile compares with a value.

use super::{LeafRule, Outcome, ProfileView, Reads};
use crate::definitions::{Catalog, TraitTest};
use crate::error::Result;
use crate::records::Timestamp;
use crate::rules::dependencies::Lookbacks;
use crate::rules::operators::matches_at;

impl LeafRule for TraitTest {
    fn test(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
        let value = view.trait_value(&self.path, at)?;
        let matched = matches_at(&self.path, &self.comparison, value.as_ref(), at);
        Ok(Outcome::with(matched, value.unwrap_or_default()))
    }

    fn reads<'r>(&'r self, reads: &mut Reads<'r>) {
        reads.traits.insert(&self.path);
    }

    fn add_lookbacks(&self, _catalog: &Catalog, found: &mut Lookbacks) -> Result<()> {
        found.reads_other_facts = true;
        found.add_trait_dates(&self.path, &self.comparison);
        Ok(())
    }
}
