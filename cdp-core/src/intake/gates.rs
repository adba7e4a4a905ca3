//! Gates: whether a raw row is what its source expects.

use crate::definitions::{Expectation, Gate, GateType, SourceDefinition};
use crate::records::{Number, Timestamp, Value};

use super::expression::as_boolean;
use super::{Found, RowOutcome};

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

/// Counts over one call how many rows missed each gate with `mostly`.
#[derive(Clone, Debug, Default)]
pub(crate) struct GateTally {
    rows: u64,
    missed: Vec<u64>,
}

impl GateTally {
    /// Takes a row into account.
    pub(crate) fn note(&mut self, outcome: &RowOutcome) {
        self.rows += 1;
        for &index in &outcome.missed {
            if self.missed.len() <= index {
                self.missed.resize(index + 1, 0);
            }
            if let Some(count) = self.missed.get_mut(index) {
                *count += 1;
            }
        }
    }

    /// The warnings of the gates that too few rows passed.
    pub(crate) fn warnings(&self, source: &SourceDefinition) -> Vec<String> {
        let mut warnings = Vec::new();
        for (gate, missed) in source.gates.iter().zip(&self.missed) {
            let Some(mostly) = gate.mostly.filter(|_| *missed > 0) else { continue };
            // passed / rows < mostly, in whole numbers; shares have nine places.
            let passed = i128::from(self.rows - missed.min(&self.rows));
            if passed * 1_000_000_000 < mostly.nanos() * i128::from(self.rows) {
                let what = describe(gate);
                warnings.push(format!(
                    "`{}` misses the gate {what} in {missed} of {} rows; mostly {mostly}",
                    gate.path, self.rows
                ));
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::source;
    use super::super::{Mapper, Row};
    use super::*;

    fn map_json(definition: &str, text: &str) -> RowOutcome {
        let row = Row::from_value(1, Value::parse(text.as_bytes()).unwrap());
        Mapper::new(&source(definition)).map(&row, Timestamp::from_millis(0))
    }

    #[test]
    fn gates_judge_the_raw_row() {
        let gate = |gate: &str, value: &str| {
            let definition = format!(r#"{{"kind":"source","name":"s","ids":{{"user_id":"u"}},"gates":[{gate}]}}"#);
            map_json(&definition, &format!(r#"{{"u":"u1","v":{value}}}"#)).messages.is_ok()
        };
        let cases = [
            (r#"{"expect":"in_set","field":"v","values":["a",2]}"#, ["\"a\"", "2", "\"2.0\"", "null"], ["\"b\"", "3"]),
            (
                r#"{"expect":"match_regex","field":"v","regex":"^a+$"}"#,
                ["\"a\"", "\"aa\"", "null", "null"],
                ["\"b\"", "[]"],
            ),
            (r#"{"expect":"between","field":"v","min":0,"max":2}"#, ["0", "\"2.0\"", "1.5", "null"], ["\"x\"", "2.1"]),
            (
                r#"{"expect":"length_between","field":"v","max":2}"#,
                ["\"ä€\"", "\"\"", "[1]", "null"],
                ["\"abc\"", "{}"],
            ),
            (r#"{"expect":"type","field":"v","type":"integer"}"#, ["1", "\"2.0\"", "-3", "null"], ["1.5", "\"x\""]),
            (
                r#"{"expect":"type","field":"v","type":"timestamp"}"#,
                ["\"2024-01-01\"", "null", "null", "null"],
                ["1", "\"x\""],
            ),
        ];
        for (definition, passing, failing) in cases {
            for value in passing {
                assert!(gate(definition, value), "{definition} {value}");
            }
            for value in failing {
                assert!(!gate(definition, value), "{definition} {value}");
            }
        }
    }

    #[test]
    fn mostly_is_judged_over_the_call_and_only_warns() {
        let source = source(
            r#"{"kind":"source","name":"s","ids":{"user_id":"u"},"gates":[{"expect":"not_null","field":"v","mostly":0.75}]}"#,
        );
        let mapper = Mapper::new(&source);
        let mut tally = GateTally::default();
        for row in [r#"{"u":"1","v":1}"#, r#"{"u":"2","v":1}"#, r#"{"u":"3","v":1}"#, r#"{"u":"4"}"#] {
            let outcome =
                mapper.map(&Row::from_value(1, Value::parse(row.as_bytes()).unwrap()), Timestamp::from_millis(0));
            assert!(outcome.messages.is_ok());
            tally.note(&outcome);
        }
        assert_eq!(tally.warnings(&source), Vec::<String>::new());
        let missing =
            mapper.map(&Row::from_value(5, Value::parse(br#"{"u":"5"}"#).unwrap()), Timestamp::from_millis(0));
        tally.note(&missing);
        assert_eq!(tally.warnings(&source).len(), 1);
    }
}
