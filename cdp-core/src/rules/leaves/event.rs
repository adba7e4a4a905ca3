//! The leaf `event`: a measure over the events of the profile compares with a value, or the first of them is recent.

use super::{LeafRule, Outcome, ProfileView, Reads};
use crate::definitions::{Catalog, EventTest, FeatureWindow};
use crate::error::Result;
use crate::records::{Timestamp, Value};
use crate::rules::dependencies::Lookbacks;
use crate::rules::measure::{NOTHING, measure};
use crate::rules::operators::matches;
use crate::rules::plan::{Node, Plan};
use crate::rules::reach::{Triggers, needed_events};
use crate::rules::timeline::{Selector, in_window};
use crate::rules::watch::{Followed, follow_measure};

impl LeafRule for EventTest {
    fn test(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
        Ok(match self {
            EventTest::Measured { measure: asked, comparison } => {
                let value = measure(asked, view, at)?.in_comparison(asked.aggregate);
                Outcome::with(matches(comparison, Some(&value), at), value)
            }
            EventTest::FirstTime { selection, within } => {
                let selector = Selector::new(selection, view);
                let mut events = in_window(view, &FeatureWindow::Ever, at).iter();
                let first = events.find(|event| selector.selects(event)).map(|event| event.occurred_at);
                let matched = first.is_some_and(|first| first > at.plus_millis(-within.millis()));
                Outcome::with(matched, first.map_or(Value::Null, |first| Value::Text(first.to_string())))
            }
        })
    }

    fn reads<'r>(&'r self, reads: &mut Reads<'r>) {
        match self {
            EventTest::Measured { measure, .. } => reads.add_measure(measure),
            EventTest::FirstTime { selection, .. } => reads.add_selection(selection),
        }
    }

    fn add_lookbacks(&self, _catalog: &Catalog, found: &mut Lookbacks) -> Result<()> {
        match self {
            EventTest::Measured { measure, comparison } => {
                found.add_window(&measure.window);
                found.add_event_times(measure, comparison);
            }
            EventTest::FirstTime { within, .. } => found.event_offsets.extend([0, within.millis()]),
        }
        Ok(())
    }

    fn plan<'c>(&'c self, plan: &mut Plan<'c>) -> Result<Node<'c>> {
        Ok(match self {
            EventTest::Measured { measure, comparison } => {
                plan.compared(measure, comparison, None, &NOTHING.in_comparison(measure.aggregate))
            }
            EventTest::FirstTime { selection, within } => plan.first_within(selection, *within),
        })
    }

    fn triggers<'c>(&'c self, _catalog: &'c Catalog) -> Result<Triggers<'c>> {
        Ok(match self {
            EventTest::Measured { measure, comparison } => {
                Triggers::Measured { measure, comparison, is_plain: true, ttl: None }
            }
            EventTest::FirstTime { .. } => Triggers::AnyEvent,
        })
    }

    fn needed_events<'c>(&'c self, _catalog: &'c Catalog) -> Result<&'c [String]> {
        Ok(match self {
            EventTest::Measured { measure, comparison } => {
                needed_events(measure, comparison, &NOTHING.in_comparison(measure.aggregate))
            }
            EventTest::FirstTime { selection, .. } => &selection.events,
        })
    }

    fn follow(&self, _catalog: &Catalog) -> Result<Option<Followed>> {
        Ok(match self {
            EventTest::Measured { measure, comparison } => follow_measure(measure, comparison, true),
            EventTest::FirstTime { .. } => None,
        })
    }
}
