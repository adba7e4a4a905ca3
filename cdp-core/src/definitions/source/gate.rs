//! Gates: what a source expects of each row before it is mapped.

use crate::records::{Number, Path, Value};

use super::super::fields::source::gate;
use super::super::reader::{Fields, Node};
use super::super::schema::Words;
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

pub(in crate::definitions) static EXPECTATIONS: Words<&str> = Words {
    name: "expectation",
    rows: &[
        ("not_null", "not_null", "There is a value."),
        ("in_set", "in_set", "The value is one of `values`."),
        ("match_regex", "match_regex", "The text contains a match of `regex`."),
        ("between", "between", "The number lies from `min` to `max`, both included."),
        ("length_between", "length_between", "The text has from `min` to `max` characters, both included."),
        ("type", "type", "The value is of `type`."),
    ],
};

pub(in crate::definitions) static SEVERITIES: Words<Severity> = Words {
    name: "severity",
    rows: &[
        ("quarantine", Severity::Quarantine, "The row is kept as a reject."),
        ("warn", Severity::Warn, "The row is mapped, and the receipt warns."),
    ],
};

pub(in crate::definitions) static GATE_TYPES: Words<GateType> = Words {
    name: "gate_type",
    rows: &[
        ("text", GateType::Text, "Text."),
        ("integer", GateType::Integer, "A number without fraction."),
        ("number", GateType::Number, "A number."),
        ("boolean", GateType::Boolean, "True or false."),
        ("timestamp", GateType::Timestamp, "A time."),
        ("list", GateType::List, "A list."),
        ("object", GateType::Object, "An object."),
    ],
};

pub(super) fn read_gate(node: Node<'_>) -> Option<Gate> {
    let mut fields = node.fields()?;
    let expect = fields.required(&gate::EXPECT, |node| node.word(&EXPECTATIONS));
    let path = fields.required(&gate::FIELD, |node| node.path());
    let severity = fields.optional(&gate::SEVERITY, |node| node.word(&SEVERITIES));
    let mostly = fields.optional(&gate::MOSTLY, |node| {
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
            let values = fields.required(&gate::VALUES, |node| {
                let values = node.list(|item| Some(item.value.clone()))?;
                if values.is_empty() {
                    node.fault("expected at least one value");
                }
                Some(values)
            })?;
            Some(Expectation::InSet(values))
        }
        "match_regex" => fields.required(&gate::REGEX, read_pattern).map(Expectation::MatchRegex),
        "between" => {
            let min = fields.optional(&gate::MIN, |node| node.number());
            let max = fields.optional(&gate::MAX, |node| node.number());
            check_bounds(min, max, fields);
            Some(Expectation::Between { min, max })
        }
        "length_between" => {
            let length = |node: Node<'_>| node.integer(0, 1_000_000_000).and_then(|n| u64::try_from(n).ok());
            let min = fields.optional(&gate::MIN, length);
            let max = fields.optional(&gate::MAX, length);
            check_bounds(min, max, fields);
            Some(Expectation::LengthBetween { min, max })
        }
        _ => fields.required(&gate::TYPE, |node| node.word(&GATE_TYPES)).map(Expectation::Type),
    }
}

fn check_bounds<T: PartialOrd>(min: Option<T>, max: Option<T>, fields: &Fields<'_>) {
    match (min, max) {
        (None, None) if !fields.has("min") && !fields.has("max") => fields.fault("give `min`, `max` or both"),
        (Some(min), Some(max)) if min > max => fields.fault("`min` is greater than `max`"),
        _ => {}
    }
}
