//! The one rule tree at work: evaluate on a profile, explain, list what it reads. It holds no connection and no clock.
//!
//! A rule asks a [`ProfileView`] at an instant; whoever has a profile (the store, a decision, a test) can be asked.

mod check;
mod dependencies;
mod evaluate;
mod explain;
mod lifecycle;
mod measure;
mod operators;
mod plan;
mod reach;

mod sequence;
#[cfg(test)]
mod tests;
mod timeline;
mod watch;

pub use crate::definitions::ConsentStatus;
pub use check::{check, check_rule};
pub use dependencies::{Lookbacks, lookbacks, property_paths, reads_predictor};
pub use evaluate::evaluate;
pub use explain::explain;
pub use measure::{Measurer, measure};
pub use operators::{matches, matches_at};
pub use plan::{EventBlock, LARGE_NUMBER, NO_NUMBER, NOBODY, Plan, PlannedFeature, PlannedRule, Tallies, Verdicts};
pub use reach::reach;
pub use watch::{Follows, MAX_WATCHED, Range, Ranges, Watch, WatchedLeaf};

use std::borrow::Cow;

use crate::error::Result;
use crate::records::{Number, Path, TieOrder, Timestamp, Value};

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

/// What a rule can ask of one profile. Every answer is at the instant `at`: facts that happened after it do not count.
pub trait ProfileView {
    /// The value at a path into the traits; null and absent are `None`.
    fn trait_value(&self, path: &Path, at: Timestamp) -> Result<Option<Value>>;

    /// Every event of the profile, whenever it happened, in the order of (occurred_at, sequence). Only tracks, pages
    /// and screens are events.
    fn events(&self) -> &[TimelineEvent];

    /// The number of an event name; `None` if no event of that name was ever seen.
    fn event_number(&self, name: &str) -> Option<u32>;

    /// The value of a property of an event of this view; null and absent are `None`, a path with `*` gives the list of
    /// values found.
    fn property(&self, event: &TimelineEvent, path: &Path) -> Option<Cow<'_, Value>>;

    /// The number at a path without `*`, decimal text included; `None` where there is none. A view that keeps numbers
    /// as such can answer without making a value.
    fn number_property(&self, event: &TimelineEvent, path: &Path) -> Option<Number> {
        self.property(event, path).and_then(|value| operators::decimal(&value))
    }

    /// The place of an event among the facts of its millisecond.
    fn tie_order(&self, sequence: u64) -> Result<TieOrder>;

    /// The value of a defined feature.
    fn feature(&self, name: &str, at: Timestamp) -> Result<Value>;

    /// Whether the profile is in a defined audience.
    fn in_audience(&self, name: &str, at: Timestamp) -> Result<bool>;

    /// The class and score that a predictor gives the profile; `None` if it is unassigned.
    fn cohort(&self, predictor: &str, at: Timestamp) -> Result<Option<(String, Number)>>;

    /// The state of consent for a purpose, on one channel or on all.
    fn consent(&self, purpose: &str, channel: Option<&str>, at: Timestamp) -> Result<ConsentStatus>;

    /// Whether the profile holds an identifier of this type.
    fn has_identifier(&self, identifier_type: &str, at: Timestamp) -> bool;

    /// Whether the profile holds a person or contact identifier.
    fn is_known(&self, at: Timestamp) -> bool;

    /// Whether the profile belongs to an account.
    fn in_account(&self, account_type: &str, account: &str, at: Timestamp) -> Result<bool>;

    /// A value of the message a decision is about (`properties.amount`, `context.page.url`); `None` outside a decision.
    fn current(&self, path: &Path) -> Option<Value>;

    /// The instants in `(from, to]` at which anything but the events may change: traits, identifiers, consents, scores,
    /// memberships that are not derived from events. More than needed does no harm; one too few loses a flip.
    fn other_changes(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Timestamp>>;
}
