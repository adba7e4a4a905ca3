//! The one rule tree at work: evaluate on a profile, explain, list what it reads. It holds no connection and no clock.
//!
//! A rule asks a [`ProfileView`] at an instant: the store, a decision and a test each have one.

mod aggregates;
mod check;
mod dependencies;
mod evaluate;
mod explain;
mod leaves;
mod measure;
mod operators;
mod plan;
mod reach;
#[cfg(test)]
mod tests;
mod timeline;
mod watch;

pub use crate::definitions::ConsentStatus;
pub use check::{check, check_rule};
pub(crate) use dependencies::feature_paths;
pub use dependencies::{Lookbacks, lookbacks, property_paths, reads_predictor};
pub use evaluate::evaluate;
pub use explain::explain;
pub use leaves::ProfileView;
pub use measure::Measurer;
pub(crate) use measure::feature_value;
pub use operators::{matches, matches_at};
pub use plan::{EventBlock, LARGE_NUMBER, NO_NUMBER, NOBODY, Plan, PlannedFeature, PlannedRule, Tallies, Verdicts};
pub use reach::reach;
pub use watch::{Follows, MAX_WATCHED, Range, Ranges, Watch, WatchedLeaf};

use crate::records::Timestamp;

/// One event of a profile's timeline: plain numbers, so that timelines are copied and sorted without a look at names or
/// properties. The view that gave it knows what the numbers stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimelineEvent {
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Its place in the log.
    pub sequence: u64,
    /// The number of its name.
    pub event: u32,
    /// Where the view finds its properties.
    pub row: u64,
}
