//! What becomes a [`Value`] without a word of code: texts, numbers, lists, options, times, and the values of serde_json.
//!
//! It never drops anything silently: a number that a value cannot hold becomes its decimal text. A caller who wants an error
//! instead uses [`to_value`](super::to_value).

use std::borrow::Cow;

use super::{Duration, Number, Object, Timestamp, Value};

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Value {
        Value::Text(text.clone())
    }
}

impl From<Cow<'_, str>> for Value {
    fn from(text: Cow<'_, str>) -> Value {
        Value::Text(text.into_owned())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Bool(truth)
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Value {
        Value::Number(number)
    }
}

macro_rules! from_integers {
    ($($integer:ty)+) => {$(
        /// The integer, exactly.
        impl From<$integer> for Value {
            fn from(integer: $integer) -> Value {
                // At most 64 bits: far within what nano-units in 128 bits hold.
                Value::Number(Number::from_nanos(integer as i128 * 1_000_000_000))
            }
        }
    )+};
}

from_integers! { i8 i16 i32 i64 isize u8 u16 u32 u64 usize }

/// The float by its shortest decimal form, rounded half-even to nine places.
///
/// A float that is not finite or further from zero than 1e20 becomes its text (`NaN`, `inf`, `1000000000000000000000`), so that
/// it is neither lost nor counted as a number. [`Value::float`] makes it null, [`to_value`](super::to_value) an error.
///
/// ```
/// use cdp_core::records::Value;
/// assert_eq!(Value::from(12.5).to_json(), "12.5");
/// assert_eq!(Value::from(f64::NAN).to_json(), r#""NaN""#);
/// ```
impl From<f64> for Value {
    fn from(float: f64) -> Value {
        match Number::from_f64(float) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Text(float.to_string()),
        }
    }
}

/// RFC 3339 text in UTC with milliseconds.
impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Value {
        Value::Text(time.to_string())
    }
}

/// RFC 3339 text in UTC with milliseconds.
impl<Tz: chrono::TimeZone> From<chrono::DateTime<Tz>> for Value {
    fn from(time: chrono::DateTime<Tz>) -> Value {
        Value::from(Timestamp::from(time))
    }
}

/// The text of a definition: `30d`.
impl From<Duration> for Value {
    fn from(duration: Duration) -> Value {
        Value::Text(duration.to_string())
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Value {
        Value::Object(object)
    }
}

/// Null where there is nothing.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Value {
        items.into_iter().collect()
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Value {
        items.into_iter().collect()
    }
}

impl<T: Into<Value> + Clone> From<&Vec<T>> for Value {
    fn from(items: &Vec<T>) -> Value {
        Value::from(items.as_slice())
    }
}

impl<T: Into<Value> + Clone, const N: usize> From<&[T; N]> for Value {
    fn from(items: &[T; N]) -> Value {
        Value::from(items.as_slice())
    }
}

impl<T: Into<Value> + Clone> From<&[T]> for Value {
    fn from(items: &[T]) -> Value {
        items.iter().cloned().collect()
    }
}

/// The list of what the iterator gives.
impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Value {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

/// The value that serde_json holds, so that `serde_json::json!` writes values.
///
/// A number further from zero than 1e20 becomes its decimal text, other numbers are rounded half-even to nine places.
///
/// ```
/// use cdp_core::records::Value;
/// let value = Value::from(serde_json::json!({"plan": "pro", "seats": 5, "price": 9.99}));
/// assert_eq!(value.to_json(), r#"{"plan":"pro","price":9.99,"seats":5}"#);
/// ```
impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Value {
        match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(truth) => Value::Bool(truth),
            serde_json::Value::Number(number) => {
                let text = number.to_string();
                Number::parse(&text).map_or(Value::Text(text), Value::Number)
            }
            serde_json::Value::String(text) => Value::Text(text),
            serde_json::Value::Array(items) => items.into_iter().collect(),
            serde_json::Value::Object(fields) => Value::from(fields),
        }
    }
}

/// The object that serde_json holds; its numbers as in the conversion of a whole value.
impl From<serde_json::Map<String, serde_json::Value>> for Value {
    fn from(fields: serde_json::Map<String, serde_json::Value>) -> Value {
        Value::Object(fields.into_iter().map(|(key, value)| (key, Value::from(value))).collect())
    }
}

/// The value as serde_json holds it; numbers stay exact decimals.
///
/// ```
/// use cdp_core::records::Value;
/// let value = Value::parse(b"[0.1, 12345678901234567890.123456789]")?;
/// assert_eq!(serde_json::Value::from(value).to_string(), "[0.1,12345678901234567890.123456789]");
/// # Ok::<(), cdp_core::Error>(())
/// ```
impl From<Value> for serde_json::Value {
    fn from(value: Value) -> serde_json::Value {
        match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(truth) => serde_json::Value::Bool(truth),
            Value::Number(number) => {
                let text = number.to_string();
                // A decimal is a number of JSON, so the text is never needed.
                text.parse().map_or(serde_json::Value::String(text), serde_json::Value::Number)
            }
            Value::Text(text) => serde_json::Value::String(text),
            Value::List(items) => serde_json::Value::Array(items.into_iter().map(Into::into).collect()),
            Value::Object(object) => {
                serde_json::Value::Object(object.into_iter().map(|(key, value)| (key, value.into())).collect())
            }
        }
    }
}
