//! The fields of a definition that is being made, and what every kind of definition may say.

use crate::definitions::schema::Words;
use crate::records::{Object, Value};

/// The JSON object that a builder fills.
#[derive(Clone, PartialEq)]
pub(super) struct Parts(pub(super) Object);

impl Parts {
    pub(super) fn new() -> Parts {
        Parts(Object::new())
    }

    /// A definition of a kind with a name.
    pub(super) fn named(kind: &str, name: impl Into<String>) -> Parts {
        Parts::new().with("kind", kind).with("name", name.into())
    }

    #[must_use]
    pub(super) fn with(mut self, field: &str, value: impl Into<Value>) -> Parts {
        self.0.insert(field.to_owned(), value.into());
        self
    }

    /// One more item in a list field.
    #[must_use]
    pub(super) fn push(mut self, field: &str, item: impl Into<Value>) -> Parts {
        let list = self.0.entry(field.to_owned()).or_insert_with(|| Value::List(Vec::new()));
        if let Value::List(items) = list {
            items.push(item.into());
        }
        self
    }

    /// A list field of texts.
    #[must_use]
    pub(super) fn texts(self, field: &str, texts: impl IntoIterator<Item = impl Into<String>>) -> Parts {
        self.with(field, texts.into_iter().map(|text| Value::Text(text.into())).collect::<Value>())
    }

    /// One more field in an object field.
    #[must_use]
    pub(super) fn insert(mut self, field: &str, key: impl Into<String>, value: impl Into<Value>) -> Parts {
        let object = self.0.entry(field.to_owned()).or_insert_with(|| Value::Object(Object::new()));
        if let Value::Object(fields) = object {
            fields.insert(key.into(), value.into());
        }
        self
    }
}

impl From<Parts> for Value {
    fn from(parts: Parts) -> Value {
        Value::Object(parts.0)
    }
}

/// The first word of a list that stands for a value.
pub(super) fn word<T: PartialEq>(words: &Words<T>, value: &T) -> &'static str {
    words.rows.iter().find(|(_, known, _)| known == value).map_or("", |(word, ..)| word)
}

/// Gives a builder its conversion to JSON and a `Debug` without values.
macro_rules! builder {
    ($name:ident) => {
        impl From<$name> for Value {
            fn from(builder: $name) -> Value {
                Value::from(builder.0)
            }
        }

        /// Shows the names of the fields, never a value: a rule may name a person.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let names: Vec<&str> = self.0.0.keys().map(String::as_str).collect();
                write!(f, "{} with fields {names:?}", stringify!($name))
            }
        }
    };
}

/// Gives the builder of a whole definition what every kind may say.
macro_rules! definition {
    ($name:ident) => {
        builder!($name);

        impl $name {
            /// What the definition is for, in a sentence.
            pub fn description(self, description: impl Into<String>) -> Self {
                $name(self.0.with("description", description.into()))
            }

            /// The team or person that answers for it.
            pub fn owner(self, owner: impl Into<String>) -> Self {
                $name(self.0.with("owner", owner.into()))
            }

            /// One more tag.
            pub fn tag(self, tag: impl Into<String>) -> Self {
                $name(self.0.push("tags", tag.into()))
            }
        }
    };
}

/// Gives a builder the fields that choose events and their window of time.
macro_rules! selects_events {
    ($name:ident) => {
        impl $name {
            /// Only events whose property compares like this; several conditions must all hold.
            pub fn filter(self, condition: impl Into<Value>) -> Self {
                $name(self.0.push("where", condition))
            }

            /// Events in `(t - length, t]`; a length is a text such as `24h` or `30d`.
            pub fn within(self, length: impl Into<Value>) -> Self {
                $name(self.0.with("within", length))
            }

            /// Events in `(t - longer, t - shorter]`.
            pub fn between_ago(self, longer: impl Into<Value>, shorter: impl Into<Value>) -> Self {
                $name(self.0.with("between_ago", [longer.into(), shorter.into()]))
            }

            /// Events at this instant or later.
            pub fn since(self, time: impl Into<Value>) -> Self {
                $name(self.0.with("since", time))
            }

            /// Events between two instants, both included.
            pub fn between(self, first: impl Into<Value>, last: impl Into<Value>) -> Self {
                $name(self.0.with("between", [first.into(), last.into()]))
            }
        }
    };
}

pub(super) use {builder, definition, selects_events};
