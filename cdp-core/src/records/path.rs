//! Paths into values: `revenue`, `addr.city`, `products.*.price`.

use std::fmt;

use super::Value;

/// A path of field names; `*` stands for every item of an array.
///
/// A field name that itself contains dots is found before the path is split, so `{"page.url": ...}` is reachable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    text: String,
    steps: Vec<String>,
}

impl Path {
    /// Parses a path; `None` if it is empty, has an empty step or more than 64 of them.
    pub fn parse(text: &str) -> Option<Path> {
        let steps: Vec<String> = text.split('.').map(str::to_owned).collect();
        let sound = steps.len() <= super::MAX_DEPTH && steps.iter().all(|step| !step.is_empty());
        sound.then(|| Path { text: text.to_owned(), steps })
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the path goes through every item of an array.
    pub fn is_multiple(&self) -> bool {
        self.steps.iter().any(|step| step == "*")
    }

    /// The field names, in order.
    pub fn steps(&self) -> &[String] {
        &self.steps
    }

    /// The value at this path; `None` where it is absent. With a `*`, the list of the values found (empty ones left
    /// out), or `None` if there is no array at that place.
    ///
    /// ```
    /// use cdp_core::records::{Path, Value};
    /// let order = Value::parse(br#"{"products": [{"price": 40}, {"sku": "x"}, {"price": 2.5}]}"#).unwrap();
    /// let prices = Path::parse("products.*.price").unwrap().find(&order).unwrap();
    /// assert_eq!(prices.to_json(), "[40,2.5]");
    /// ```
    pub fn find(&self, value: &Value) -> Option<Value> {
        if !self.is_multiple() {
            return self.find_one(value).cloned();
        }
        let mut found = Vec::new();
        let any_array = collect(value, &self.steps, &mut found);
        any_array.then_some(Value::List(found))
    }

    /// The value at a path without `*`, borrowed.
    pub fn find_one<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        if let Some(direct) = value.get(&self.text) {
            return Some(direct);
        }
        self.steps.iter().try_fold(value, |value, step| match value {
            Value::List(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
            other => other.get(step),
        })
    }
}

fn collect(value: &Value, steps: &[String], found: &mut Vec<Value>) -> bool {
    match steps.split_first() {
        None => {
            if !value.is_null() {
                found.push(value.clone());
            }
            true
        }
        Some((step, rest)) if step == "*" => match value {
            Value::List(items) => {
                for item in items {
                    collect(item, rest, found);
                }
                true
            }
            _ => false,
        },
        Some((step, rest)) => value.get(step).is_some_and(|inner| collect(inner, rest, found)),
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
