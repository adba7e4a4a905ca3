//! The leaf `account`: the profile belongs to an account.

use super::{LeafRule, Outcome, ProfileView, Reads};
use crate::definitions::{AccountTest, Catalog};
use crate::error::Result;
use crate::records::Timestamp;
use crate::rules::dependencies::Lookbacks;

impl LeafRule for AccountTest {
    fn test(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
        Ok(Outcome::of(view.in_account(&self.account_type, &self.account, at)?))
    }

    fn reads<'r>(&'r self, _reads: &mut Reads<'r>) {
        // Accounts are no property, trait or definition.
    }

    fn add_lookbacks(&self, _catalog: &Catalog, found: &mut Lookbacks) -> Result<()> {
        found.reads_other_facts = true;
        Ok(())
    }
}
