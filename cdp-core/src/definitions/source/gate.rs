//! Gates: what a source expects of each row before it is mapped.

use crate::records::{Number, Path, Value};

use super::super::reader::{Fields, Node};
use super::expression::{Pattern, read_pattern};

/// What happens to a row that does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It is kept as a reject (the default).
    Quarantine,
    /// It is mapped, and the receipt warns.
    Warn,
}

/// The type a value must have, or, as text, must read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateType {
    /// Text.
    Text,
    /// A number without fraction.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A time.
    Timestamp,
    /// A list.
    List,
    /// An object.
    Object,
}

/// What is expected of a field. A null passes everything but `not_null`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// There is a value.
    NotNull,
    /// The value is one of these.
    InSet(Vec<Value>),
    /// The text matches somewhere.
    MatchRegex(Pattern),
    /// The number lies within bounds, both included.
    Between {
        /// The least.
        min: Option<Number>,
        /// The greatest.
        max: Option<Number>,
    },
    /// The text has as many characters, both bounds included.
    LengthBetween {
        /// The least.
        min: Option<u64>,
        /// The greatest.
        max: Option<u64>,
    },
    /// The value is of a type.
    Type(GateType),
}

impl Expectation {
    /// The word in the `expect` field.
    pub fn as_str(&self) -> &'static str {
        match self {
            Expectation::NotNull => "not_null",
            Expectation::InSet(_) => "in_set",
            Expectation::MatchRegex(_) => "match_regex",
            Expectation::Between { .. } => "between",
            Expectation::LengthBetween { .. } => "length_between",
            Expectation::Type(_) => "type",
        }
    }
}

/// An expectation of one field, and what happens if it is not met.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The field of the raw row.
    pub path: Path,
    /// What is expected.
    pub expectation: Expectation,
    /// What happens to a row that does not pass.
    pub severity: Severity,
    /// The share of rows of a call that must pass; rows then pass, and the call warns.
    pub mostly: Option<Number>,
}

const WORDS: [&str; 6] = ["not_null", "in_set", "match_regex", "between", "length_between", "type"];

pub(super) fn read_gate(node: Node<'_>) -> Option<Gate> {
    let mut fields = node.fields()?;
    let words = WORDS.map(|word| (word, word));
    let expect = fields.required("expect", |node| node.word(&words));
    let path = fields.required("field", |node| node.path());
    let severity = fields
        .optional("severity", |node| node.word(&[("quarantine", Severity::Quarantine), ("warn", Severity::Warn)]));
    let mostly = fields.optional("mostly", |node| {
        let share = node.number()?;
        let sound = share > Number::ZERO && share <= Number::from_i64(1);
        if !sound {
            node.fault("expected a share above 0 and at most 1, such as 0.99");
        }
        sound.then_some(share)
    });
    if mostly.is_some() && severity == Some(Severity::Quarantine) {
        fields.fault("`mostly` is judged over a whole call and only warns; say \"severity\": \"warn\"");
    }
    let expectation = match expect {
        Some(word) => read_expectation(word, &mut fields),
        // Without the word nothing can be said about the other fields.
        None => return None,
    };
    fields.finish();
    let severity = if mostly.is_some() { Severity::Warn } else { severity.unwrap_or(Severity::Quarantine) };
    Some(Gate { path: path?, expectation: expectation?, severity, mostly })
}

fn read_expectation(word: &str, fields: &mut Fields<'_>) -> Option<Expectation> {
    match word {
        "not_null" => Some(Expectation::NotNull),
        "in_set" => {
            let values = fields.required("values", |node| {
                let values = node.list(|item| Some(item.value.clone()))?;
                if values.is_empty() {
                    node.fault("expected at least one value");
                }
                Some(values)
            })?;
            Some(Expectation::InSet(values))
        }
        "match_regex" => fields.required("regex", read_pattern).map(Expectation::MatchRegex),
        "between" => {
            let min = fields.optional("min", |node| node.number());
            let max = fields.optional("max", |node| node.number());
            check_bounds(min, max, fields);
            Some(Expectation::Between { min, max })
        }
        "length_between" => {
            let length = |node: Node<'_>| node.integer(0, 1_000_000_000).and_then(|n| u64::try_from(n).ok());
            let min = fields.optional("min", length);
            let max = fields.optional("max", length);
            check_bounds(min, max, fields);
            Some(Expectation::LengthBetween { min, max })
        }
        _ => fields
            .required("type", |node| {
                node.word(&[
                    ("text", GateType::Text),
                    ("integer", GateType::Integer),
                    ("number", GateType::Number),
                    ("boolean", GateType::Boolean),
                    ("timestamp", GateType::Timestamp),
                    ("list", GateType::List),
                    ("object", GateType::Object),
                ])
            })
            .map(Expectation::Type),
    }
}

fn check_bounds<T: PartialOrd>(min: Option<T>, max: Option<T>, fields: &Fields<'_>) {
    match (min, max) {
        (None, None) if !fields.has("min") && !fields.has("max") => fields.fault("give `min`, `max` or both"),
        (Some(min), Some(max)) if min > max => fields.fault("`min` is greater than `max`"),
        _ => {}
    }
}
