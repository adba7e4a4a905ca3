//! The leaf `identity`: which identifiers the profile holds.

use super::{LeafRule, Outcome, ProfileView, Reads};
use crate::definitions::{Catalog, IdentityTest};
use crate::error::Result;
use crate::records::Timestamp;
use crate::rules::dependencies::Lookbacks;

impl LeafRule for IdentityTest {
    fn test(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
        Ok(Outcome::of(match self {
            IdentityTest::Has(identifier_type) => view.has_identifier(identifier_type, at),
            IdentityTest::Known => view.is_known(at),
            IdentityTest::Anonymous => !view.is_known(at),
        }))
    }

    fn reads<'r>(&'r self, _reads: &mut Reads<'r>) {
        // Identifiers are no property, trait or definition.
    }

    fn add_lookbacks(&self, _catalog: &Catalog, found: &mut Lookbacks) -> Result<()> {
        found.reads_other_facts = true;
        Ok(())
    }
}
