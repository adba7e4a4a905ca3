//! The leaf `feature`: the value of a defined feature compares with a value.

use super::{LeafRule, Outcome, ProfileView, Reads, Reference};
use crate::definitions::{Catalog, FeatureTest, Kind};
use crate::error::Result;
use crate::records::Timestamp;
use crate::rules::dependencies::{Lookbacks, length_ms};
use crate::rules::measure::NOTHING;
use crate::rules::operators::{instant, matches};
use crate::rules::plan::{Node, Plan};
use crate::rules::reach::{Triggers, needed_events};
use crate::rules::watch::{Followed, follow_measure};

impl LeafRule for FeatureTest {
    fn test(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
        let value = view.feature(&self.name, at)?;
        Ok(Outcome::with(matches(&self.comparison, Some(&value), at), value))
    }

    fn reads<'r>(&'r self, reads: &mut Reads<'r>) {
        // The properties are the feature's own.
        reads.definitions.push(Reference { kind: Kind::Feature, name: &self.name, field: "feature" });
    }

    fn add_lookbacks(&self, catalog: &Catalog, found: &mut Lookbacks) -> Result<()> {
        let feature = catalog.feature(&self.name)?;
        found.add_feature(feature);
        found.add_event_times(&feature.measure, &self.comparison);
        // A default that is a time passes the limits of the comparison at the same instants for every profile.
        if let (Some(length_ms), Some(time)) = (length_ms(&self.comparison), feature.default.as_ref().and_then(instant))
        {
            found.absolute.extend([-length_ms, 0, length_ms].map(|offset| time.plus_millis(offset)));
        }
        Ok(())
    }

    fn check(&self, catalog: &Catalog, note: &mut dyn FnMut(&str, String)) {
        let Ok(feature) = catalog.feature(&self.name) else { return };
        let operator = self.comparison.operator;
        // A property of an event may hold any time; when it passes a limit does not follow from when the event happened.
        if operator.is_relative() && !feature.measure.aggregate.is_time() {
            let word = operator.as_str();
            note("op", format!("`{word}` on a feature needs one that aggregates by first_at or last_at"));
        }
    }

    fn plan<'c>(&'c self, plan: &mut Plan<'c>) -> Result<Node<'c>> {
        let feature = plan.catalog().feature(&self.name)?;
        let absent = NOTHING.in_feature(feature, plan.at());
        Ok(plan.compared(&feature.measure, &self.comparison, feature.ttl, &absent))
    }

    fn triggers<'c>(&'c self, catalog: &'c Catalog) -> Result<Triggers<'c>> {
        let feature = catalog.feature(&self.name)?;
        Ok(Triggers::Measured {
            measure: &feature.measure,
            comparison: &self.comparison,
            // With a default or a life time the value does not rise and fall with the events.
            is_plain: feature.ttl.is_none() && feature.default.is_none(),
            ttl: feature.ttl,
        })
    }

    fn needed_events<'c>(&'c self, catalog: &'c Catalog) -> Result<&'c [String]> {
        let feature = catalog.feature(&self.name)?;
        // A value that depends on the instant is taken to hold of nothing.
        let of_nothing = NOTHING.in_feature(feature, Timestamp::default());
        Ok(needed_events(&feature.measure, &self.comparison, &of_nothing))
    }

    fn follow(&self, catalog: &Catalog) -> Result<Option<Followed>> {
        let feature = catalog.feature(&self.name)?;
        // A value that grows old changes with no event, and a default would be found where a count is read from the value.
        if feature.ttl.is_some() {
            return Ok(None);
        }
        Ok(follow_measure(&feature.measure, &self.comparison, feature.default.is_none()))
    }
}
