//! Gates: whether a raw row is what its source expects.

use crate::definitions::{Expectation, Gate, GateType};
use crate::records::{Number, Timestamp, Value};

use super::Found;
use super::expression::as_boolean;

/// Whether a field meets an expectation. A null meets all but `not_null`.
pub(super) fn passes(found: &Found<'_>, expectation: &Expectation) -> bool {
    if found.is_null() {
        return !matches!(expectation, Expectation::NotNull);
    }
    match expectation {
        Expectation::NotNull => true,
        Expectation::InSet(values) => values.iter().any(|value| is_same(found, value)),
        Expectation::MatchRegex(pattern) => match found.as_text() {
            Some(text) => pattern.regex().is_match(text),
            None => number(found).is_some_and(|number| pattern.regex().is_match(&number.to_string())),
        },
        Expectation::Between { min, max } => {
            number(found).is_some_and(|n| min.is_none_or(|min| n >= min) && max.is_none_or(|max| n <= max))
        }
        Expectation::LengthBetween { min, max } => {
            let length = match (found.as_text(), found.as_value()) {
                (Some(text), _) => Some(text.chars().count()),
                (None, Some(Value::List(items))) => Some(items.len()),
                (None, Some(Value::Number(number))) => Some(number.to_string().chars().count()),
                _ => None,
            };
            length.is_some_and(|n| min.is_none_or(|min| n as u64 >= min) && max.is_none_or(|max| n as u64 <= max))
        }
        Expectation::Type(gate_type) => is_of_type(found, *gate_type),
    }
}

/// CSV holds only text, so a number of the set also meets text that reads as the same number.
fn is_same(found: &Found<'_>, value: &Value) -> bool {
    match (found.as_text(), value) {
        (Some(text), Value::Text(expected)) => text == expected,
        (Some(text), Value::Number(expected)) => Number::parse(text).as_ref() == Ok(expected),
        (Some(text), Value::Bool(expected)) => text.eq_ignore_ascii_case(if *expected { "true" } else { "false" }),
        (_, value) => found.as_value() == Some(value),
    }
}

fn number(found: &Found<'_>) -> Option<Number> {
    match found.as_text() {
        Some(text) => Number::parse(text).ok(),
        None => found.as_value().and_then(Value::as_number),
    }
}

fn is_of_type(found: &Found<'_>, gate_type: GateType) -> bool {
    let value = found.as_value();
    match gate_type {
        GateType::Text => found.as_text().is_some(),
        GateType::Number => number(found).is_some(),
        GateType::Integer => number(found).is_some_and(|number| number.nanos() % 1_000_000_000 == 0),
        GateType::Boolean => as_boolean(found).is_some(),
        GateType::Timestamp => found.as_text().is_some_and(|text| Timestamp::parse(text).is_ok()),
        GateType::List => value.is_some_and(|value| value.as_list().is_some()),
        GateType::Object => value.is_some_and(|value| value.as_object().is_some()),
    }
}

/// What a receipt says about a gate; never a value.
pub(super) fn describe(gate: &Gate) -> String {
    let expected = match &gate.expectation {
        Expectation::NotNull => "expected a value, found null".to_owned(),
        Expectation::InSet(values) => format!("expected one of {} values", values.len()),
        Expectation::MatchRegex(_) => "expected a match of the pattern".to_owned(),
        Expectation::Between { min, max } => format!("expected a number{}", range(*min, *max)),
        Expectation::LengthBetween { min, max } => format!("expected a length{}", range(*min, *max)),
        Expectation::Type(gate_type) => {
            let word = match gate_type {
                GateType::Text => "text",
                GateType::Integer => "integer",
                GateType::Number => "number",
                GateType::Boolean => "boolean",
                GateType::Timestamp => "timestamp",
                GateType::List => "list",
                GateType::Object => "object",
            };
            format!("expected the type {word}")
        }
    };
    format!("{}: {expected}", gate.expectation.as_str())
}

fn range<T: std::fmt::Display>(min: Option<T>, max: Option<T>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!(" from {min} to {max}"),
        (Some(min), None) => format!(" of at least {min}"),
        (None, Some(max)) => format!(" of at most {max}"),
        (None, None) => String::new(),
    }
}
