//! The words for how events become a value: `count`, `sum`, `first_at` and the others of features and of rules.
//!
//! It takes the word of a definition and leaves an [`Aggregate`]. It never computes one.

use super::reader::Node;

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
