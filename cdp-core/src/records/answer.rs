//! Answers of verbs as structs that are JSON objects at the same time: a field is named once.
//!
//! [`answer!`] defines a struct with public fields, its JSON object (`From` into [`Value`] and `Serialize`) and a `Debug` that
//! shows numbers and truth values but the content of no text, list or map: an answer may hold personal data.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Number, Timestamp, Value};

/// A field of an answer.
pub(crate) trait Field: Clone {
    /// The field as JSON.
    fn into_value(self) -> Value;

    /// Appends what may be shown of the field in a debug print.
    fn write_shape(&self, out: &mut String);
}

/// Numbers, times, truth values and words of this library (such as the name of a method): they hold no personal data.
macro_rules! shown_field {
    ($($field:ty)+) => {$(
        impl Field for $field {
            fn into_value(self) -> Value {
                Value::from(self)
            }

            fn write_shape(&self, out: &mut String) {
                // Writing to a text cannot fail.
                let _ = write!(out, "{self}");
            }
        }
    )+};
}

shown_field! { bool u32 i64 u64 usize Number Timestamp &'static str }

/// Null where the float is not finite.
impl Field for f64 {
    fn into_value(self) -> Value {
        Value::float(self)
    }

    fn write_shape(&self, out: &mut String) {
        let _ = write!(out, "{self}");
    }
}

macro_rules! hidden_field {
    ($($field:ty)+) => {$(
        impl Field for $field {
            fn into_value(self) -> Value {
                Value::from(self)
            }

            fn write_shape(&self, out: &mut String) {
                out.push_str("***");
            }
        }
    )+};
}

hidden_field! { String Value }

impl<T: Field> Field for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }

    fn write_shape(&self, out: &mut String) {
        match self {
            Some(field) => field.write_shape(out),
            None => out.push_str("none"),
        }
    }
}

impl<T: Field> Field for Vec<T> {
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }

    fn write_shape(&self, out: &mut String) {
        let _ = write!(out, "[{} items]", self.len());
    }
}

impl<K: Clone + Ord + ToString, T: Field> Field for BTreeMap<K, T> {
    fn into_value(self) -> Value {
        Value::Object(self.into_iter().map(|(name, field)| (name.to_string(), field.into_value())).collect())
    }

    fn write_shape(&self, out: &mut String) {
        let _ = write!(out, "{{{} fields}}", self.len());
    }
}

/// Defines an answer: a struct with public fields that is a JSON object with the same field names.
///
/// A field whose JSON name is a word of Rust is written `decision_type as "type": T`.
macro_rules! answer {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $($(#[$about_field:meta])* $field:ident $(as $json:literal)?: $field_type:ty,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$about_field])* pub $field: $field_type,)*
        }

        impl From<$name> for $crate::records::Value {
            fn from(answer: $name) -> $crate::records::Value {
                $crate::records::answer::Field::into_value(answer)
            }
        }

        impl $crate::records::answer::Field for $name {
            fn into_value(self) -> $crate::records::Value {
                $crate::records::Value::object([
                    $((
                        $crate::records::answer::json_name!($field $($json)?),
                        $crate::records::answer::Field::into_value(self.$field),
                    ),)*
                ])
            }

            fn write_shape(&self, out: &mut String) {
                out.push_str(&format!("{self:?}"));
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut fields = f.debug_struct(stringify!($name));
                $({
                    let mut shape = String::new();
                    $crate::records::answer::Field::write_shape(&self.$field, &mut shape);
                    fields.field(stringify!($field), &format_args!("{shape}"));
                })*
                fields.finish()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(&$crate::records::Value::from(self.clone()), serializer)
            }
        }
    };
}

/// Makes an answer whose JSON object is written by hand a [`Value`] and `Serialize`.
macro_rules! answer_by_hand {
    ($name:ident) => {
        impl From<$name> for $crate::records::Value {
            fn from(answer: $name) -> $crate::records::Value {
                $crate::records::answer::Field::into_value(answer)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(&$crate::records::Value::from(self.clone()), serializer)
            }
        }
    };
}

/// The JSON name of a field.
macro_rules! json_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $json:literal) => {
        $json
    };
}

pub(crate) use {answer, answer_by_hand, json_name};

#[cfg(test)]
mod tests {
    use super::*;

    answer! {
        /// An answer of a verb.
        pub struct Sample {
            /// A count.
            rows: u64,
            /// A field with a name that Rust reserves.
            sample_type as "type": &'static str,
            /// Personal data.
            email: Option<String>,
            /// Personal data by type.
            ids: BTreeMap<String, Vec<String>>,
        }
    }

    #[test]
    fn an_answer_is_an_object_of_its_fields_and_prints_no_personal_value() {
        let ids = BTreeMap::from([("email".to_owned(), vec!["ann@example.com".to_owned()])]);
        let sample = Sample { rows: 2, sample_type: "merge", email: Some("ann@example.com".to_owned()), ids };
        assert_eq!(format!("{sample:?}"), "Sample { rows: 2, sample_type: merge, email: ***, ids: {1 fields} }");
        let json = r#"{"email":"ann@example.com","ids":{"email":["ann@example.com"]},"rows":2,"type":"merge"}"#;
        assert_eq!(serde_json::to_string(&sample).unwrap(), json);
        assert_eq!(Value::from(sample).to_json(), json);
    }
}
