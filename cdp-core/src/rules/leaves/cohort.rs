//! The leaf `cohort`: a predictor puts the profile into a class, with a score.

use super::{LeafRule, Outcome, ProfileView, Reads, Reference};
use crate::definitions::{Catalog, CohortTest, Kind};
use crate::error::Result;
use crate::records::{Timestamp, Value};
use crate::rules::dependencies::Lookbacks;
use crate::rules::operators::matches;

impl LeafRule for CohortTest {
    fn test(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
        let Some((assigned, score)) = view.cohort(&self.predictor, at)? else {
            return Ok(Outcome::with(false, Value::Null));
        };
        let score = Value::Number(score);
        let matched = self.class.as_ref().is_none_or(|class| *class == assigned)
            && self.score.as_ref().is_none_or(|wanted| matches(wanted, Some(&score), at));
        Ok(Outcome::with(matched, Value::object([("cohort", Value::Text(assigned)), ("score", score)])))
    }

    fn reads<'r>(&'r self, reads: &mut Reads<'r>) {
        reads.definitions.push(Reference { kind: Kind::Predictor, name: &self.predictor, field: "cohort" });
    }

    fn add_lookbacks(&self, _catalog: &Catalog, found: &mut Lookbacks) -> Result<()> {
        // What a model reads is taken to change with every event and every other fact.
        found.reads_other_facts = true;
        found.event_offsets.insert(0);
        Ok(())
    }
}
