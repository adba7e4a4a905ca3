//! The fields of a JSON object that a builder fills, and what every builder over them has: its JSON and a `Debug` without values.
//!
//! Builders of messages and of definitions hold one. It checks nothing: the readers of the JSON report each fault.

use super::{Object, Value};

/// The JSON object that a builder fills.
#[derive(Clone, PartialEq)]
pub(crate) struct ObjectFields(pub(crate) Object);

impl ObjectFields {
    pub(crate) fn new() -> ObjectFields {
        ObjectFields(Object::new())
    }

    #[must_use]
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> ObjectFields {
        self.0.insert(field.to_owned(), value.into());
        self
    }

    /// One more item in a list field.
    #[must_use]
    pub(crate) fn push(mut self, field: &str, item: impl Into<Value>) -> ObjectFields {
        let list = self.0.entry(field.to_owned()).or_insert_with(|| Value::List(Vec::new()));
        if let Value::List(items) = list {
            items.push(item.into());
        }
        self
    }

    /// A list field of texts.
    #[must_use]
    pub(crate) fn texts(self, field: &str, texts: impl IntoIterator<Item = impl Into<String>>) -> ObjectFields {
        self.with(field, texts.into_iter().map(|text| Value::Text(text.into())).collect::<Value>())
    }

    /// One more field in an object field.
    #[must_use]
    pub(crate) fn insert(mut self, field: &str, key: impl Into<String>, value: impl Into<Value>) -> ObjectFields {
        let object = self.0.entry(field.to_owned()).or_insert_with(|| Value::Object(Object::new()));
        if let Value::Object(fields) = object {
            fields.insert(key.into(), value.into());
        }
        self
    }
}

impl From<ObjectFields> for Value {
    fn from(parts: ObjectFields) -> Value {
        Value::Object(parts.0)
    }
}

/// Gives a builder its conversion to JSON and a `Debug` without values.
macro_rules! builder {
    ($name:ident) => {
        impl From<$name> for $crate::records::Value {
            fn from(builder: $name) -> $crate::records::Value {
                builder.0.into()
            }
        }

        /// Shows the names of the fields, never a value: values may name a person.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let names: Vec<&str> = self.0.0.keys().map(String::as_str).collect();
                write!(f, "{} with fields {names:?}", stringify!($name))
            }
        }
    };
}

pub(crate) use builder;
