//! Resolves one value of a trait from the writes of a person's messages, in event-time order.

use crate::definitions::TraitStrategy;
use crate::records::{Number, Value};

/// The value that a strategy makes of the writes to one trait, sorted by (event time, ordinal, message id). A null
/// deletes all earlier writes. `source` names the source of a write by its place.
pub(crate) fn settle<'w>(
    strategy: &TraitStrategy,
    writes: &[&'w Value],
    source: impl Fn(usize) -> String,
) -> Option<Value> {
    let start = writes.iter().rposition(|value| value.is_null()).map_or(0, |place| place + 1);
    let since: Vec<(usize, &'w Value)> = writes.iter().copied().enumerate().skip(start).collect();
    let values = || since.iter().map(|(_, value)| *value);
    let numbers = || values().filter_map(number);
    match strategy {
        TraitStrategy::Newest => values().next_back().cloned(),
        TraitStrategy::Oldest => values().next().cloned(),
        TraitStrategy::Min => numbers().min().map(Value::Number),
        TraitStrategy::Max => numbers().max().map(Value::Number),
        TraitStrategy::Sum => {
            let mut sum = None;
            for number in numbers() {
                sum = Some(sum.map_or(Some(number), |sum: Number| sum.checked_add(number))?);
            }
            sum.map(Value::Number)
        }
        TraitStrategy::Union => union(values()),
        TraitStrategy::NonEmpty => values().rfind(|value| !is_empty(value)).cloned(),
        TraitStrategy::SourcePriority(sources) => {
            let rank = |place: usize| {
                let name = source(place);
                sources.iter().position(|listed| *listed == name).unwrap_or(sources.len())
            };
            // Of equal ranks the newest.
            let ranked = since.iter().rev().map(|(place, value)| (rank(*place), *value));
            ranked.min_by_key(|(rank, _)| *rank).map(|(_, value)| value.clone())
        }
    }
}

fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => Number::parse(text).ok(),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.is_empty(),
        Value::List(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

fn union<'w>(values: impl Iterator<Item = &'w Value>) -> Option<Value> {
    let mut found: Vec<Value> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut is_said = false;
    for value in values {
        is_said = true;
        let items = match value {
            Value::List(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for item in items.iter().filter(|item| !item.is_null()) {
            if seen.insert(item.to_json()) {
                found.push(item.clone());
            }
        }
    }
    is_said.then_some(Value::List(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(strategy: &TraitStrategy, writes: &[&str]) -> String {
        let values: Vec<Value> = writes.iter().map(|text| Value::parse(text.as_bytes()).unwrap()).collect();
        let sources = ["web", "crm", "app"];
        let source = |place: usize| sources[place % 3].to_owned();
        settle(strategy, &values.iter().collect::<Vec<&Value>>(), source)
            .map_or_else(|| "-".to_owned(), |value| value.to_json())
    }

    #[test]
    fn each_strategy_makes_one_value_of_many() {
        use TraitStrategy::{Max, Min, Newest, NonEmpty, Oldest, SourcePriority, Sum, Union};
        let writes = ["3", "\"2.5\"", "\"x\"", "10", "\"\""];
        let expected = [
            (Newest, "\"\""),
            (Oldest, "3"),
            (Min, "2.5"),
            (Max, "10"),
            (Sum, "15.5"),
            (Union, "[3,\"2.5\",\"x\",10,\"\"]"),
            (NonEmpty, "10"),
            (SourcePriority(vec!["crm".to_owned()]), "\"\""),
            (SourcePriority(vec!["app".to_owned(), "crm".to_owned()]), "\"x\""),
        ];
        for (strategy, value) in expected {
            assert_eq!(settled(&strategy, &writes), value, "{strategy:?}");
            assert_eq!(settled(&strategy, &["1", "null"]), "-", "{strategy:?}");
            assert_eq!(settled(&strategy, &["1", "null", "7"]), if strategy == Union { "[7]" } else { "7" });
            assert_eq!(settled(&strategy, &[]), "-");
        }
        assert_eq!(settled(&Union, &["[1, 2]", "2", "[3, null, 1]"]), "[1,2,3]");
        assert_eq!(settled(&Sum, &["\"no number\""]), "-");
    }
}
