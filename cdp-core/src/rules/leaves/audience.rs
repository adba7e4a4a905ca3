//! The leaf `audience`: the profile is in a defined audience, or is not.

use super::{LeafRule, Outcome, ProfileView, Reads, Reference};
use crate::definitions::{AudienceTest, Catalog, Kind, Population};
use crate::error::Result;
use crate::records::{Timestamp, Value};
use crate::rules::dependencies::Lookbacks;
use crate::rules::plan::{Node, Plan};
use crate::rules::reach::Triggers;

impl LeafRule for AudienceTest {
    fn test(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
        let is_in = view.in_audience(&self.name, at)?;
        Ok(Outcome::with(is_in == self.inside, Value::Bool(is_in)))
    }

    fn reads<'r>(&'r self, reads: &mut Reads<'r>) {
        reads.definitions.push(Reference { kind: Kind::Audience, name: &self.name, field: "audience" });
    }

    fn add_lookbacks(&self, catalog: &Catalog, found: &mut Lookbacks) -> Result<()> {
        // Whether a profile is known follows from its identifiers; the rule of the audience is followed by itself.
        found.reads_other_facts |= catalog.audience(&self.name)?.population == Population::Known;
        Ok(())
    }

    fn plan<'c>(&'c self, plan: &mut Plan<'c>) -> Result<Node<'c>> {
        let audience = plan.node_of_audience(plan.catalog().audience(&self.name)?)?;
        Ok(if self.inside { audience } else { Node::Not(Box::new(audience)) })
    }

    fn triggers<'c>(&'c self, _catalog: &'c Catalog) -> Result<Triggers<'c>> {
        Ok(Triggers::Audience { name: &self.name, inside: self.inside })
    }
}
