//! Turns a [`Value`] into any `Deserialize` type, and any format of serde into a [`Value`].
//!
//! It takes values by reference, so that a type may borrow its texts, and leaves what an application derives. An error names
//! the field and what was expected there, never what was found but its kind.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::fault::FieldFault;
use super::value::{EXACT_VALUE, ValueSeed};
use super::{Duration, JsonObject, MAX_DEPTH, Number, Object, Timestamp, Value};
use crate::error::Result;

/// The type of the application that a value holds.
///
/// The opposite of [`to_value`](super::to_value). A number is given as an integer where there is nothing behind the point and
/// 64 bits hold it, else as the nearest float; to [`Value`] and [`Number`] it is given exactly, except behind
/// `#[serde(flatten)]` and in untagged enums, where serde keeps floats.
///
/// # Errors
/// `invalid`, with the path of the field and never its value: a field is missing or of another kind, or the value is nested
/// deeper than 64 levels.
///
/// ```
/// use cdp_core::records::{Value, from_value};
///
/// #[derive(serde::Deserialize)]
/// struct Traits {
///     plan: String,
///     seats: u32,
/// }
/// let traits: Traits = from_value(Value::parse(br#"{"plan": "pro", "seats": 5}"#)?)?;
/// assert_eq!((traits.plan.as_str(), traits.seats), ("pro", 5));
///
/// let error = from_value::<Traits>(Value::parse(br#"{"plan": "pro", "seats": "many"}"#)?).err().unwrap();
/// assert_eq!(error.message(), "the field `seats` of the value: expected u32, found text");
/// # Ok::<(), cdp_core::Error>(())
/// ```
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T> {
    from_value_ref(&value)
}

/// The type of the application that a value holds, which may borrow the texts of the value.
///
/// # Errors
/// As [`from_value`].
///
/// ```
/// use cdp_core::records::{Value, from_value_ref};
/// let value = Value::parse(br#"["a", "b"]"#)?;
/// let texts: Vec<&str> = from_value_ref(&value)?;
/// assert_eq!(texts, ["a", "b"]);
/// # Ok::<(), cdp_core::Error>(())
/// ```
pub fn from_value_ref<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T> {
    read(Input::from(value), "the value")
}

/// Reads a type from an input; errors speak about `what`.
pub(super) fn read<'de, T: Deserialize<'de>>(input: Input<'de>, what: &str) -> Result<T> {
    T::deserialize(InputDeserializer { input, depth: 0 }).map_err(|fault| fault.into_error(what))
}

/// What can be deserialized: a value, a cell of a table, or a row of it.
pub(super) enum Input<'de> {
    Null,
    Bool(bool),
    Number(Number),
    Float(f64),
    Text(Cow<'de, str>),
    List(&'de [Value]),
    Object(&'de Object),
    Record(Vec<(&'de str, Input<'de>)>),
}

impl<'de> From<&'de Value> for Input<'de> {
    fn from(value: &'de Value) -> Input<'de> {
        match value {
            Value::Null => Input::Null,
            Value::Bool(truth) => Input::Bool(*truth),
            Value::Number(number) => Input::Number(*number),
            Value::Text(text) => Input::Text(Cow::Borrowed(text)),
            Value::List(items) => Input::List(items),
            Value::Object(object) => Input::Object(object),
        }
    }
}

struct InputDeserializer<'de> {
    input: Input<'de>,
    depth: usize,
}

impl<'de> InputDeserializer<'de> {
    /// Visits the input. With `exact`, a number is an enum whose variant is its nano-units, which [`ValueSeed`] alone reads.
    fn visit<V: Visitor<'de>>(self, exact: bool, visitor: V) -> Result<V::Value, FieldFault> {
        match self.input {
            Input::Null => visitor.visit_unit(),
            Input::Bool(truth) => visitor.visit_bool(truth),
            Input::Number(number) if exact => {
                visitor.visit_enum(EnumReader { variant: Cow::Owned(number.nanos().to_string()), content: None })
            }
            Input::Number(number) => visit_number(number, visitor),
            Input::Float(float) => visitor.visit_f64(float),
            Input::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Input::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Input::List(items) => {
                let depth = inner_depth(self.depth)?;
                let mut items = ItemAccess { items: items.iter().enumerate(), depth };
                let read = visitor.visit_seq(&mut items)?;
                match items.items.next() {
                    None => Ok(read),
                    Some((index, _)) => Err(FieldFault::new(format!("expected a list of {index} items, found more"))),
                }
            }
            Input::Object(object) => {
                let depth = inner_depth(self.depth)?;
                let fields = object.iter().map(|(key, value)| (key.as_str(), Input::from(value)));
                visitor.visit_map(FieldAccess { fields, value: None, depth })
            }
            Input::Record(fields) => {
                let depth = inner_depth(self.depth)?;
                visitor.visit_map(FieldAccess { fields: fields.into_iter(), value: None, depth })
            }
        }
    }
}

/// The depth of what stands in a list or an object at `depth`.
fn inner_depth(depth: usize) -> Result<usize, FieldFault> {
    if depth >= MAX_DEPTH { Err(FieldFault::too_deep()) } else { Ok(depth + 1) }
}

fn visit_number<'de, V: Visitor<'de>>(number: Number, visitor: V) -> Result<V::Value, FieldFault> {
    const NANO: i128 = 1_000_000_000;
    if number.nanos() % NANO == 0 {
        let integer = number.nanos() / NANO;
        if let Ok(integer) = i64::try_from(integer) {
            return visitor.visit_i64(integer);
        }
        if let Ok(integer) = u64::try_from(integer) {
            return visitor.visit_u64(integer);
        }
    }
    visitor.visit_f64(number.to_f64())
}

impl<'de> Deserializer<'de> for InputDeserializer<'de> {
    type Error = FieldFault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldFault> {
        self.visit(false, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldFault> {
        match self.input {
            Input::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldFault> {
        match name {
            EXACT_VALUE => self.visit(true, visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldFault> {
        match self.input {
            Input::Number(number) if number.nanos() % 1_000_000_000 == 0 => {
                visitor.visit_i128(number.nanos() / 1_000_000_000)
            }
            _ => self.visit(false, visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldFault> {
        self.deserialize_i128(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldFault> {
        match self.input {
            Input::Text(text) => visitor.visit_enum(EnumReader { variant: text, content: None }),
            Input::Object(object) if object.len() == 1 => {
                let depth = inner_depth(self.depth)?;
                let Some((variant, value)) = object.iter().next() else { return Err(not_a_variant()) };
                let content = Some(InputDeserializer { input: Input::from(value), depth });
                visitor.visit_enum(EnumReader { variant: Cow::Borrowed(variant), content })
            }
            _ => Err(not_a_variant()),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldFault> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct
        map struct identifier
    }
}

impl<'de> IntoDeserializer<'de, FieldFault> for InputDeserializer<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

fn not_a_variant() -> FieldFault {
    FieldFault::new("expected the name of a variant, or an object with that name as its only key")
}

struct ItemAccess<'de> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
    depth: usize,
}

impl<'de> SeqAccess<'de> for &mut ItemAccess<'de> {
    type Error = FieldFault;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, FieldFault> {
        let Some((index, item)) = self.items.next() else { return Ok(None) };
        let input = InputDeserializer { input: Input::from(item), depth: self.depth };
        seed.deserialize(input).map(Some).map_err(|fault| fault.within(&index.to_string()))
    }
    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct FieldAccess<'de, I> {
    fields: I,
    value: Option<(&'de str, Input<'de>)>,
    depth: usize,
}

impl<'de, I: Iterator<Item = (&'de str, Input<'de>)>> MapAccess<'de> for FieldAccess<'de, I> {
    type Error = FieldFault;
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, FieldFault> {
        let Some((key, value)) = self.fields.next() else { return Ok(None) };
        self.value = Some((key, value));
        seed.deserialize(KeyDeserializer(key)).map(Some)
    }
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, FieldFault> {
        let Some((key, input)) = self.value.take() else { return Err(FieldFault::new("a value without a key")) };
        seed.deserialize(InputDeserializer { input, depth: self.depth }).map_err(|fault| fault.within(key))
    }
}

/// A key of an object: text, or what the text stands for where the type wants an integer or a truth value.
struct KeyDeserializer<'de>(&'de str);

macro_rules! reads_key {
    ($($method:ident $visit:ident;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldFault> {
            match self.0.parse() {
                Ok(key) => visitor.$visit(key),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for KeyDeserializer<'de> {
    type Error = FieldFault;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldFault> {
        visitor.visit_borrowed_str(self.0)
    }
    reads_key! {
        deserialize_bool visit_bool;
        deserialize_i8 visit_i8;
        deserialize_i16 visit_i16;
        deserialize_i32 visit_i32;
        deserialize_i64 visit_i64;
        deserialize_i128 visit_i128;
        deserialize_u8 visit_u8;
        deserialize_u16 visit_u16;
        deserialize_u32 visit_u32;
        deserialize_u64 visit_u64;
        deserialize_u128 visit_u128;
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldFault> {
        visitor.visit_some(self)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, FieldFault> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldFault> {
        BorrowedStrDeserializer::new(self.0).deserialize_enum(name, variants, visitor)
    }
    serde::forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct EnumReader<'de> {
    variant: Cow<'de, str>,
    content: Option<InputDeserializer<'de>>,
}

impl<'de> EnumAccess<'de> for EnumReader<'de> {
    type Error = FieldFault;
    type Variant = VariantReader<'de>;
    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, VariantReader<'de>), FieldFault> {
        let variant = seed.deserialize(StringDeserializer::<FieldFault>::new(self.variant.clone().into_owned()))?;
        Ok((variant, VariantReader { variant: self.variant, content: self.content }))
    }
}

struct VariantReader<'de> {
    variant: Cow<'de, str>,
    content: Option<InputDeserializer<'de>>,
}

impl<'de> VariantReader<'de> {
    fn read<T>(self, read: impl FnOnce(InputDeserializer<'de>) -> Result<T, FieldFault>) -> Result<T, FieldFault> {
        let content = self.content.ok_or_else(|| FieldFault::new("a variant without its content"))?;
        read(content).map_err(|fault| fault.within(&self.variant))
    }
}

impl<'de> VariantAccess<'de> for VariantReader<'de> {
    type Error = FieldFault;
    fn unit_variant(self) -> Result<(), FieldFault> {
        match self.content {
            None => Ok(()),
            Some(_) => self.read(<()>::deserialize),
        }
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, FieldFault> {
        self.read(|content| seed.deserialize(content))
    }
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, FieldFault> {
        self.read(|content| content.deserialize_any(visitor))
    }
    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, FieldFault> {
        self.read(|content| content.deserialize_any(visitor))
    }
}

/// Any value of a self-describing format; numbers by their decimal text, nested at most 64 levels.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        ValueSeed::default().deserialize(deserializer)
    }
}

/// A number; of a float, its shortest decimal form.
impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        let value = Value::deserialize(deserializer)?;
        value.as_number().ok_or_else(|| de::Error::invalid_type(unexpected(&value), &"a number"))
    }
}

/// RFC 3339 text in any form that [`Timestamp::parse`] reads, or milliseconds since 1970; from 1900 to 2200.
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let value = Value::deserialize(deserializer)?;
        super::timestamp_from(&value).map_err(|_| de::Error::invalid_value(unexpected(&value), &"a time"))
    }
}

/// The text of a definition: `30d`.
impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let duration = value.as_text().and_then(Duration::parse);
        duration.ok_or_else(|| de::Error::invalid_value(unexpected(&value), &"a duration such as 30d"))
    }
}

/// An object, as canonical text.
impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<JsonObject, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let object = value.as_object().ok_or_else(|| de::Error::invalid_type(unexpected(&value), &"an object"))?;
        Ok(JsonObject::of(object))
    }
}

/// The kind of a value for a message of serde, never its content.
fn unexpected(value: &Value) -> Unexpected<'static> {
    Unexpected::Other(value.kind())
}

impl de::Error for FieldFault {
    /// The text of a type of the application may hold what it refused, so it is not kept.
    fn custom<T: fmt::Display>(message: T) -> FieldFault {
        let message = message.to_string();
        let is_of_serde = message.starts_with("data did not match any variant of untagged enum");
        FieldFault::new(if is_of_serde { message } else { "the type refuses this value".to_owned() })
    }
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> FieldFault {
        FieldFault::new(format!("expected {expected}, found {}", kind_of(found)))
    }
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> FieldFault {
        FieldFault::new(format!("expected {expected}, found another {}", kind_of(found)))
    }
    fn invalid_length(length: usize, expected: &dyn Expected) -> FieldFault {
        FieldFault::new(format!("expected {expected}, found {length}"))
    }
    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> FieldFault {
        FieldFault::new(format!("expected one of {}", expected.join(", ")))
    }
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> FieldFault {
        FieldFault::new(format!("unknown field; allowed: {}", expected.join(", "))).within(field)
    }
    fn missing_field(field: &'static str) -> FieldFault {
        FieldFault::new("missing").within(field)
    }
    fn duplicate_field(field: &'static str) -> FieldFault {
        FieldFault::new("given twice").within(field)
    }
}

fn kind_of(found: Unexpected<'_>) -> &str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "number",
        Unexpected::Char(_) | Unexpected::Str(_) => "text",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::NewtypeStruct | Unexpected::Map => "object",
        Unexpected::Seq => "list",
        Unexpected::Enum | Unexpected::UnitVariant | Unexpected::NewtypeVariant => "variant",
        Unexpected::TupleVariant | Unexpected::StructVariant => "variant",
        Unexpected::Other(kind) => match kind {
            "null" | "boolean" | "number" | "text" | "list" | "object" => kind,
            _ => "value",
        },
    }
}
