//! The aggregates at work: how the events of a profile become a value.
//!
//! The file of an aggregate says how it folds events, what no events give, what a pass over columns gathers for it, and
//! whether its value can be followed by counting. This file has the one list of aggregates. A value does not depend on
//! the order in which the facts arrived (laws 2 and 6); an aggregate never reads a clock or a store.

mod avg;
mod count;
mod count_distinct;
mod distinct_days;
mod exists;
mod first;
mod first_at;
mod last;
mod last_at;
mod max;
mod min;
mod outermost;
mod stddev;
mod sum;
mod totals;

use super::measure::{Measured, Measuring};
use super::plan::{GatheredValue, TallyKind};
use crate::definitions::Aggregate;
use crate::error::Result;
use crate::records::Value;

pub(crate) use totals::Totals;

/// What an aggregate says of itself, wherever rules and features are at work.
pub(crate) trait Aggregation {
    /// The value of the events that a measure selects.
    fn fold(&self, measuring: Measuring<'_, '_>) -> Result<Measured>;

    /// The value of a feature to which no event contributed and that has no default.
    fn of_nothing(&self) -> Value;

    /// The value that an event leaf compares where no event contributed.
    fn of_nothing_in_comparison(&self) -> Value {
        self.of_nothing()
    }

    /// Asks a pass over columns for the tallies that give the value. `None` by default: the value needs the timeline of
    /// each profile.
    fn gather(&self, _tally: &mut dyn FnMut(TallyKind) -> usize) -> Option<GatheredValue> {
        None
    }

    /// The tally of the instant at which the latest event behind the value happened.
    fn latest_event(&self) -> TallyKind {
        TallyKind::Latest
    }

    /// Whether the value is the number of selected events, so that it can be followed as events come and leave windows
    /// without a look at the timeline.
    fn counts_events(&self) -> bool {
        false
    }
}

/// The list of aggregates.
pub(crate) fn of(aggregate: Aggregate) -> &'static dyn Aggregation {
    match aggregate {
        Aggregate::Count => &count::Count,
        Aggregate::CountDistinct => &count_distinct::CountDistinct,
        Aggregate::DistinctDays => &distinct_days::DistinctDays,
        Aggregate::Sum => &sum::Sum,
        Aggregate::Avg => &avg::Avg,
        Aggregate::Min => &min::Min,
        Aggregate::Max => &max::Max,
        Aggregate::Stddev => &stddev::Stddev,
        Aggregate::First => &first::First,
        Aggregate::Last => &last::Last,
        Aggregate::FirstAt => &first_at::FirstAt,
        Aggregate::LastAt => &last_at::LastAt,
        Aggregate::Exists => &exists::Exists,
    }
}
