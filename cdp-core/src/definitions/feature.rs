//! The feature definition: a value computed from a profile's events, and the words for how.
//!
//! It takes the JSON of a feature and leaves a [`Measure`](super::Measure) with a default and a life time. It never
//! computes: that is the room `features`.

use super::reader::{Fields, Node};
use super::rule::{EventSelection, Measure};
use crate::records::{Duration, Timestamp, Value};

/// How events become a value. Numbers are exact; decimal text is a number for sum, avg, min and max.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aggregate {
    /// How many events.
    Count,
    /// How many different values of the property.
    CountDistinct,
    /// On how many UTC days.
    DistinctDays,
    /// The sum of the property.
    Sum,
    /// Its mean, rounded half-even to nine places.
    Avg,
    /// Its least number.
    Min,
    /// Its greatest number.
    Max,
    /// Its value in the earliest event that has one.
    First,
    /// Its value in the latest event that has one.
    Last,
    /// When the earliest event happened.
    FirstAt,
    /// When the latest event happened.
    LastAt,
    /// Whether there is any event.
    Exists,
}

const AVAILABLE: [(&str, Aggregate); 12] = [
    ("count", Aggregate::Count),
    ("count_distinct", Aggregate::CountDistinct),
    ("distinct_days", Aggregate::DistinctDays),
    ("sum", Aggregate::Sum),
    ("avg", Aggregate::Avg),
    ("min", Aggregate::Min),
    ("max", Aggregate::Max),
    ("first", Aggregate::First),
    ("last", Aggregate::Last),
    ("first_at", Aggregate::FirstAt),
    ("last_at", Aggregate::LastAt),
    ("exists", Aggregate::Exists),
];

const NOT_YET: [&str; 8] =
    ["stddev", "quantile", "most_frequent", "top_k", "unique_list", "ratio", "days_since", "sessions"];

impl Aggregate {
    /// The word of this aggregate in a definition.
    pub fn as_str(self) -> &'static str {
        AVAILABLE.into_iter().find(|(_, aggregate)| *aggregate == self).map_or("", |(word, _)| word)
    }

    /// Whether it aggregates a property rather than the events themselves.
    pub fn needs_property(self) -> bool {
        use Aggregate::*;
        matches!(self, CountDistinct | Sum | Avg | Min | Max | First | Last)
    }

    /// Whether its value is always a number.
    pub fn is_numeric(self) -> bool {
        use Aggregate::*;
        matches!(self, Count | CountDistinct | DistinctDays | Sum | Avg | Min | Max)
    }

    pub(crate) fn read(node: Node<'_>) -> Option<Aggregate> {
        if let Some(word) = node.value.as_text().filter(|word| NOT_YET.contains(word)) {
            let available: Vec<&str> = AVAILABLE.iter().map(|(word, _)| *word).collect();
            node.fault(format!("`{word}` is not available yet; there are {}", available.join(", ")));
            return None;
        }
        node.word(&AVAILABLE)
    }
}

/// Which events count, by their time, seen from an instant t. Events after t never count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureWindow {
    /// All until t.
    Ever,
    /// `(t - w, t]`.
    Within(Duration),
    /// `(t - a, t - b]`, a longer than b.
    BetweenAgo(Duration, Duration),
    /// At this instant or later.
    Since(Timestamp),
    /// Between two instants, both included.
    Between(Timestamp, Timestamp),
}

/// A value computed from a profile's events.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureDefinition {
    /// Its name.
    pub name: String,
    /// Which events, in which window, and how they become a value.
    pub measure: Measure,
    /// The value when no event contributes.
    pub default: Option<Value>,
    /// How long after the latest event that contributed the value holds; then it is the default again.
    pub ttl: Option<Duration>,
}

impl FeatureDefinition {
    pub(crate) fn read(name: String, fields: &mut Fields<'_>) -> Option<FeatureDefinition> {
        let selection = EventSelection::read(fields);
        let window = FeatureWindow::read(fields);
        let aggregate = Measure::read_aggregate(fields);
        let default = fields.optional("default", |node| Some(node.value.clone()));
        let limited = fields.has("ttl");
        let ttl = fields.optional("ttl", |node| node.duration());
        let ((aggregate, property), selection, window) = (aggregate?, selection?, window?);
        if limited && ttl.is_none() {
            return None;
        }
        Some(FeatureDefinition { name, measure: Measure { selection, window, aggregate, property }, default, ttl })
    }
}
