//! JSON values as facts hold them: exact numbers, sorted keys, bounded depth.
//!
//! One canonical text per value, so that a hash of it means the same in every language. `Debug` shows the shape of a
//! value and never its content.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor};

use super::number::{Number, NumberFault};
use crate::error::Error;

/// An object's fields, in the order of their keys.
pub type Object = BTreeMap<String, Value>;

/// A JSON value.
#[derive(Clone, PartialEq, Default)]
pub enum Value {
    /// Absent and null mean the same to a rule.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An exact decimal.
    Number(Number),
    /// Unicode text.
    Text(String),
    /// An array.
    List(Vec<Value>),
    /// An object.
    Object(Object),
}

/// Why bytes are not a [`Value`]; it carries a position, never the text around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not JSON, or not UTF-8.
    #[error("not valid JSON at line {line}, column {column}")]
    Unreadable {
        /// Counted from one.
        line: usize,
        /// Counted from one, in bytes.
        column: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than 64 levels")]
    TooDeep,
    /// A number beyond ±1e20.
    #[error("a number further from zero than 1e20")]
    BadNumber,
}

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 64;

// serde_json hands a number over as a map with this one key when it keeps decimal text (feature arbitrary_precision).
pub(super) const NUMBER_KEY: &str = "$serde_json::private::Number";
/// The newtype name by which a [`Value`] asks the deserializer of this crate for exact numbers.
pub(super) const EXACT_VALUE: &str = "$cdp::private::Value";
const TOO_DEEP: &str = "cdp: too deep";
const BAD_NUMBER: &str = "cdp: bad number";

impl Value {
    /// Parses one JSON text. A repeated key keeps its last value, as in Python and JavaScript.
    ///
    /// ```
    /// use cdp_core::records::Value;
    /// let value = Value::parse(br#"{"b": [1.50, true], "a": null}"#).unwrap();
    /// assert_eq!(value.to_json(), r#"{"a":null,"b":[1.5,true]}"#);
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Value, JsonFault> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let value = ValueSeed { depth: 0 }.deserialize(&mut deserializer).map_err(JsonFault::from_serde)?;
        deserializer.end().map_err(JsonFault::from_serde)?;
        Ok(value)
    }

    /// A text value.
    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// An integer value.
    pub fn integer(integer: impl Into<i64>) -> Value {
        Value::Number(Number::from_i64(integer.into()))
    }

    /// A count.
    pub fn count(count: usize) -> Value {
        Value::Number(Number::from_i64(i64::try_from(count).unwrap_or(i64::MAX)))
    }

    /// A float rounded to nine places; null if it is not finite or too large.
    pub fn float(float: f64) -> Value {
        Number::from_f64(float).map_or(Value::Null, Value::Number)
    }

    /// An object from pairs.
    pub fn object<K: Into<String>, const N: usize>(pairs: [(K, Value); N]) -> Value {
        Value::Object(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text, if this is text.
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if this is a number.
    pub fn as_number(&self) -> Option<Number> {
        if let Value::Number(number) = self { Some(*number) } else { None }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// The items, if this is an array.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Value::List(items) = self { Some(items) } else { None }
    }

    /// The fields, if this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        if let Value::Object(object) = self { Some(object) } else { None }
    }

    /// The fields, owned, if this is an object.
    pub fn into_object(self) -> Option<Object> {
        if let Value::Object(object) = self { Some(object) } else { None }
    }

    /// The field of this name, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_object().and_then(|object| object.get(key))
    }

    /// The word for this kind of value in messages: `null`, `boolean`, `number`, `text`, `list`, `object`.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::Text(_) => "text",
            Value::List(_) => "list",
            Value::Object(_) => "object",
        }
    }

    /// The canonical JSON text: keys sorted, numbers as normalized decimals, no white space.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    /// Appends the canonical JSON text to `out`.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Number(number) => {
                use fmt::Write;
                // Writing to a String cannot fail.
                let _ = write!(out, "{number}");
            }
            Value::Text(text) => write_json_text(text, out),
            Value::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Value::Object(object) => write_json_object(object, out),
        }
    }
}

/// Appends an object's canonical JSON text.
pub fn write_json_object(object: &Object, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in object.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_json_text(key, out);
        out.push(':');
        value.write_json(out);
    }
    out.push('}');
}

/// Appends a JSON string literal.
pub fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(text.get(copied..at).unwrap_or(""));
        copied = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            _ => {
                use fmt::Write;
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
    }
    out.push_str(text.get(copied..).unwrap_or(""));
    out.push('"');
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::List(items) => write!(f, "list of {}", items.len()),
            Value::Object(object) => write!(f, "object of {}", object.len()),
            other => f.write_str(other.kind()),
        }
    }
}

impl From<JsonFault> for Error {
    fn from(fault: JsonFault) -> Error {
        Error::invalid(fault.to_string())
    }
}

impl JsonFault {
    fn from_serde(error: serde_json::Error) -> JsonFault {
        let message = error.to_string();
        if message.starts_with(TOO_DEEP) || message.starts_with("recursion limit exceeded") {
            JsonFault::TooDeep
        } else if message.starts_with(BAD_NUMBER) {
            JsonFault::BadNumber
        } else {
            JsonFault::Unreadable { line: error.line(), column: error.column() }
        }
    }
}

/// Reads a value from any format of serde; an exact number of this crate comes as an enum whose variant is its nano-units.
#[derive(Default)]
pub(super) struct ValueSeed {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_newtype_struct(EXACT_VALUE, self)
    }
}

fn number<E: serde::de::Error>(text: &str) -> Result<Value, E> {
    match Number::parse(text) {
        Ok(number) => Ok(Value::Number(number)),
        Err(NumberFault::TooLarge) => Err(E::custom(BAD_NUMBER)),
        Err(NumberFault::NotANumber) => Err(E::custom("not a number")),
    }
}

impl<'de> Visitor<'de> for ValueSeed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_enum<A: EnumAccess<'de>>(self, exact: A) -> Result<Value, A::Error> {
        let (nanos, _) = exact.variant::<String>()?;
        let nanos = nanos.parse().map_err(|_| A::Error::custom("not a number"))?;
        Ok(Value::Number(Number::from_nanos(nanos)))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }
    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }
    fn visit_i64<E>(self, integer: i64) -> Result<Value, E> {
        Ok(Value::Number(Number::from_i64(integer)))
    }
    fn visit_u64<E: serde::de::Error>(self, integer: u64) -> Result<Value, E> {
        number(&integer.to_string())
    }
    fn visit_i128<E: serde::de::Error>(self, integer: i128) -> Result<Value, E> {
        number(&integer.to_string())
    }
    fn visit_u128<E: serde::de::Error>(self, integer: u128) -> Result<Value, E> {
        number(&integer.to_string())
    }
    fn visit_f64<E: serde::de::Error>(self, float: f64) -> Result<Value, E> {
        number(&float.to_string())
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        if self.depth >= MAX_DEPTH {
            return Err(A::Error::custom(TOO_DEEP));
        }
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(ValueSeed { depth: self.depth + 1 })? {
            list.push(item);
        }
        Ok(Value::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        let Some(first) = fields.next_key::<String>()? else { return Ok(Value::Object(object)) };
        if first == NUMBER_KEY {
            return number(&fields.next_value::<String>()?);
        }
        if self.depth >= MAX_DEPTH {
            return Err(A::Error::custom(TOO_DEEP));
        }
        let mut key = Some(first);
        while let Some(name) = key {
            let value = fields.next_value_seed(ValueSeed { depth: self.depth + 1 })?;
            object.insert(name, value);
            key = fields.next_key::<String>()?;
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_survives_a_round_trip() {
        for text in [r#"{"a":[1,2.5,-3],"b":{"c":"\u0001\"\\\n"},"d":null,"é":true}"#, "[]", "{}", "\"\"", "0"] {
            let value = Value::parse(text.as_bytes()).unwrap();
            assert_eq!(value.to_json(), text);
        }
    }

    #[test]
    fn depth_and_numbers_are_bounded() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(Value::parse(deep.as_bytes()), Err(JsonFault::TooDeep));
        let allowed = format!("{}{}", "[".repeat(64), "]".repeat(64));
        assert!(Value::parse(allowed.as_bytes()).is_ok());
        let one_more = format!("{}{}", "[".repeat(65), "]".repeat(65));
        assert_eq!(Value::parse(one_more.as_bytes()), Err(JsonFault::TooDeep));
        assert_eq!(Value::parse(b"[1e21]"), Err(JsonFault::BadNumber));
    }

    #[test]
    fn a_fault_tells_the_position_and_nothing_of_the_content() {
        let fault = Value::parse(b"{\"email\": jane@example.com}").unwrap_err();
        assert_eq!(fault.to_string(), "not valid JSON at line 1, column 11");
        assert_eq!(format!("{:?}", Value::from("jane@example.com")), "text");
    }
}
