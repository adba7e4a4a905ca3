//! The aggregates: the words for how events become a value, and what a definition must know of each.
//!
//! It takes the word of a feature or an event leaf and leaves it typed. It never computes: each aggregate has its file in
//! `rules::aggregates`.

use super::reader::Node;

/// Declares the aggregates, one row each: its name, its word, what it aggregates and what its value is.
macro_rules! aggregates {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal, over $input:ident, gives $output:ident;)+) => {
        /// How events become a value. Numbers are exact; decimal text is a number where numbers are aggregated.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Aggregate {
            $($(#[doc = $doc])+ $name,)+
        }

        const ROWS: &[Row] = &[$(Row {
            word: $word,
            aggregate: Aggregate::$name,
            input: Input::$input,
            output: Output::$output,
            meaning: concat!($($doc),+),
        },)+];
    };
}

struct Row {
    word: &'static str,
    aggregate: Aggregate,
    input: Input,
    output: Output,
    meaning: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum Input {
    Events,
    Property,
}

#[derive(Clone, Copy, PartialEq)]
enum Output {
    Number,
    Time,
    Boolean,
    AnyValue,
}

aggregates! {
    /// How many events.
    Count = "count", over Events, gives Number;
    /// How many different values of the property.
    CountDistinct = "count_distinct", over Property, gives Number;
    /// On how many UTC days.
    DistinctDays = "distinct_days", over Events, gives Number;
    /// The sum of the property.
    Sum = "sum", over Property, gives Number;
    /// Its mean, rounded half-even to nine places.
    Avg = "avg", over Property, gives Number;
    /// Its least number.
    Min = "min", over Property, gives Number;
    /// Its greatest number.
    Max = "max", over Property, gives Number;
    /// Its sample standard deviation, rounded half-even to nine places; null below two numbers.
    Stddev = "stddev", over Property, gives Number;
    /// Its value in the earliest event that has one.
    First = "first", over Property, gives AnyValue;
    /// Its value in the latest event that has one.
    Last = "last", over Property, gives AnyValue;
    /// When the earliest event happened.
    FirstAt = "first_at", over Events, gives Time;
    /// When the latest event happened.
    LastAt = "last_at", over Events, gives Time;
    /// Whether there is any event.
    Exists = "exists", over Events, gives Boolean;
}

const NOT_YET: [&str; 7] = ["quantile", "most_frequent", "top_k", "unique_list", "ratio", "days_since", "sessions"];

impl Aggregate {
    /// The word of this aggregate in a definition.
    pub fn as_str(self) -> &'static str {
        self.row().map_or("", |row| row.word)
    }

    /// Whether it aggregates a property rather than the events themselves.
    pub fn needs_property(self) -> bool {
        self.row().is_some_and(|row| row.input == Input::Property)
    }

    /// Whether its value is always a number.
    pub fn is_numeric(self) -> bool {
        self.row().is_some_and(|row| row.output == Output::Number)
    }

    /// Whether its value is always the time of an event.
    pub fn is_time(self) -> bool {
        self.row().is_some_and(|row| row.output == Output::Time)
    }

    /// Every aggregate with its word and meaning, in the order in which an error lists them.
    pub(super) fn rows() -> impl Iterator<Item = (&'static str, Aggregate, &'static str)> {
        ROWS.iter().map(|row| (row.word, row.aggregate, row.meaning))
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.get(self as usize)
    }

    pub(crate) fn read(node: Node<'_>) -> Option<Aggregate> {
        if let Some(word) = node.value.as_text().filter(|word| NOT_YET.contains(word)) {
            let available: Vec<&str> = ROWS.iter().map(|row| row.word).collect();
            node.fault(format!("`{word}` is not available yet; there are {}", available.join(", ")));
            return None;
        }
        let found = node.value.as_text().and_then(|word| ROWS.iter().find(|row| row.word == word));
        if found.is_none() {
            let allowed: Vec<&str> = ROWS.iter().map(|row| row.word).collect();
            node.fault(format!("expected one of {}", allowed.join(", ")));
        }
        found.map(|row| row.aggregate)
    }
}
