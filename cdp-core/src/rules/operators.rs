//! Compares one value with what a rule asks of it.
//!
//! It takes a checked comparison and a value that may be absent; it leaves true or false. It never converts for
//! equality: only the order operators read decimal text as a number, and only the date operators read text as a time.

use crate::definitions::{Comparison, Operand, Operator, Version};
use crate::records::{Number, Path, Timestamp, Value};

/// Whether a value satisfies a comparison at an instant. Null is absent; absent satisfies the operators that deny
/// something (`ne`, `not_in`, `not_contains`, `not_regex`, `none_of`, `not_exists`) and `is_empty`, no other.
pub fn matches(comparison: &Comparison, value: Option<&Value>, at: Timestamp) -> bool {
    use Operator::*;
    let operator = comparison.operator;
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return operator.denies() || operator == IsEmpty;
    };
    match (operator, &comparison.operand) {
        (Exists, _) => true,
        (IsEmpty, _) => is_empty(value),
        (IsTrue, _) => value.as_bool() == Some(true),
        (IsFalse, _) => value.as_bool() == Some(false),
        (Eq, Operand::Value(wanted)) => value == wanted,
        (Ne, Operand::Value(wanted)) => value != wanted,
        (In, Operand::Values(wanted)) => wanted.contains(value),
        (NotIn, Operand::Values(wanted)) => !wanted.contains(value),
        (EqCi, Operand::Text(wanted)) => {
            value.as_text().is_some_and(|text| text.to_lowercase() == wanted.to_lowercase())
        }
        (Contains, Operand::Value(wanted)) => contains(value, wanted),
        (NotContains, Operand::Value(wanted)) => !contains(value, wanted),
        (StartsWith, Operand::Text(wanted)) => value.as_text().is_some_and(|text| text.starts_with(wanted.as_str())),
        (EndsWith, Operand::Text(wanted)) => value.as_text().is_some_and(|text| text.ends_with(wanted.as_str())),
        (Regex, Operand::Pattern(pattern)) => value.as_text().is_some_and(|text| pattern.is_found_in(text)),
        (NotRegex, Operand::Pattern(pattern)) => !value.as_text().is_some_and(|text| pattern.is_found_in(text)),
        (All, Operand::Values(wanted)) => wanted.iter().all(|wanted| items(value).contains(wanted)),
        (AnyOf, Operand::Values(wanted)) => wanted.iter().any(|wanted| items(value).contains(wanted)),
        (NoneOf, Operand::Values(wanted)) => !wanted.iter().any(|wanted| items(value).contains(wanted)),
        (Lt, Operand::Number(wanted)) => decimal(value).is_some_and(|number| number < *wanted),
        (Lte, Operand::Number(wanted)) => decimal(value).is_some_and(|number| number <= *wanted),
        (Gt, Operand::Number(wanted)) => decimal(value).is_some_and(|number| number > *wanted),
        (Gte, Operand::Number(wanted)) => decimal(value).is_some_and(|number| number >= *wanted),
        (Between, Operand::Numbers(low, high)) => decimal(value).is_some_and(|number| (*low..=*high).contains(&number)),
        (_, Operand::Time(_) | Operand::Times(..) | Operand::Length(_)) => {
            instant(value).is_some_and(|time| matches_time(operator, &comparison.operand, time, at))
        }
        (_, Operand::Version(wanted)) => {
            let version = value.as_text().and_then(Version::parse);
            version.is_some_and(|version| match operator {
                SemverEq => version == *wanted,
                SemverGt => version > *wanted,
                SemverGte => version >= *wanted,
                SemverLt => version < *wanted,
                SemverLte => version <= *wanted,
                _ => false,
            })
        }
        // A rule is read so that operator and operand fit; nothing else remains but `not_exists`. The list makes a forgotten
        // operator a compile error.
        (
            NotExists | Eq | Ne | In | NotIn | EqCi | Contains | NotContains | StartsWith | EndsWith | Regex | NotRegex
            | All | AnyOf | NoneOf | Lt | Lte | Gt | Gte | Between | Before | After | OnDay | WithinLast | WithinNext
            | BeforeLast | AfterNext | SemverEq | SemverGt | SemverGte | SemverLt | SemverLte,
            _,
        ) => false,
    }
}

/// Compares the value of a path. Through a `*`, an operator holds if it does for one of the values found, one that
/// denies if it does for all of them; operators of lists look at the list, and an empty one is absent.
pub fn matches_at(path: &Path, comparison: &Comparison, value: Option<&Value>, at: Timestamp) -> bool {
    let Some(Value::List(found)) = value.filter(|_| path.is_multiple()) else {
        return matches(comparison, value, at);
    };
    if found.is_empty() {
        matches(comparison, None, at)
    } else if comparison.operator.is_of_lists() {
        matches(comparison, value, at)
    } else if comparison.operator.denies() {
        found.iter().all(|item| matches(comparison, Some(item), at))
    } else {
        found.iter().any(|item| matches(comparison, Some(item), at))
    }
}

/// Compares an instant as the text it prints as, without printing it where only its order counts.
pub(crate) fn matches_instant(comparison: &Comparison, time: Timestamp, at: Timestamp) -> bool {
    match comparison.operand {
        Operand::Time(_) | Operand::Times(..) | Operand::Length(_) if is_readable(time) => {
            matches_time(comparison.operator, &comparison.operand, time, at)
        }
        _ => matches(comparison, Some(&Value::Text(time.to_string())), at),
    }
}

// Text of a time outside the accepted years is no time.
fn is_readable(time: Timestamp) -> bool {
    Timestamp::checked_from_millis(time.millis()).is_ok()
}

/// Whether a comparison of one value comes out the same at every instant.
pub(crate) fn is_timeless(comparison: &Comparison) -> bool {
    matches!(comparison.operand, Operand::Number(_) | Operand::Numbers(..) | Operand::Value(_))
}

/// The number that order operators and sums see: a number, or text that is a decimal.
pub(crate) fn decimal(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => Number::parse(text).ok(),
        _ => None,
    }
}

/// The instant that date operators see: text that is a time, or milliseconds since 1970.
pub(crate) fn instant(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Text(text) => Timestamp::parse(text).ok(),
        Value::Number(number) => number.as_i64().and_then(|millis| Timestamp::checked_from_millis(millis).ok()),
        _ => None,
    }
}

fn matches_time(operator: Operator, operand: &Operand, time: Timestamp, at: Timestamp) -> bool {
    match (operator, operand) {
        (Operator::Before, Operand::Time(limit)) => time < *limit,
        (Operator::After, Operand::Time(limit)) => time > *limit,
        (Operator::OnDay, Operand::Time(day)) => time.day() == day.day(),
        (Operator::Between, Operand::Times(low, high)) => (*low..=*high).contains(&time),
        // Past and future are each split in two without a gap: (t-d, t] and what lies before, (t, t+d] and what lies after.
        (Operator::WithinLast, Operand::Length(length)) => time > at.plus_millis(-length.millis()) && time <= at,
        (Operator::BeforeLast, Operand::Length(length)) => time <= at.plus_millis(-length.millis()),
        (Operator::WithinNext, Operand::Length(length)) => time > at && time <= at.plus_millis(length.millis()),
        (Operator::AfterNext, Operand::Length(length)) => time > at.plus_millis(length.millis()),
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn contains(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::List(items), wanted) => items.contains(wanted),
        (Value::Text(text), Value::Text(part)) => text.contains(part.as_str()),
        _ => false,
    }
}

/// The items of a list; anything else is a list of one.
fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        other => std::slice::from_ref(other),
    }
}
