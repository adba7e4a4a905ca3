//! The leaf `consent`: the state of consent for a purpose.

use super::{LeafRule, Outcome, ProfileView, Reads};
use crate::definitions::{Catalog, ConsentTest};
use crate::error::Result;
use crate::records::{Timestamp, Value};
use crate::rules::dependencies::Lookbacks;

impl LeafRule for ConsentTest {
    fn test(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
        let found = view.consent(&self.purpose, self.channel.as_deref(), at)?;
        Ok(Outcome::with(found == self.status, Value::from(found.as_str())))
    }

    fn reads<'r>(&'r self, _reads: &mut Reads<'r>) {
        // Consents are no property, trait or definition.
    }

    fn add_lookbacks(&self, _catalog: &Catalog, found: &mut Lookbacks) -> Result<()> {
        found.reads_other_facts = true;
        Ok(())
    }
}
