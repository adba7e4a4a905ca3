//! Turns any `Serialize` type into a [`Value`], and a [`Value`] into any format of serde.
//!
//! It takes what an application derives and leaves exact JSON values: numbers as decimals, keys as text. It never rounds a
//! number that does not fit, and an error names the field, never what stands in it.

use std::cell::Cell;
use std::fmt;

use serde::ser::{self, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::fault::FieldFault;
use super::value::NUMBER_KEY;
use super::{Duration, Json, JsonObject, MAX_DEPTH, Number, NumberFault, Object, Timestamp, Value};
use crate::error::Result;

/// The newtype name under which a number passes from a [`Value`] to [`to_value`] without becoming a float.
const EXACT_NUMBER: &str = "$cdp::private::Number";
/// How many wrappers (newtypes, options) may surround a value beside lists and objects.
const MAX_WRAPPERS: usize = 256;

thread_local! {
    // serde offers no way to ask a serializer what it is. The flag is set only while `to_value` takes one number over.
    static TAKES_EXACT_NUMBERS: Cell<bool> = const { Cell::new(false) };
}

/// The value that a type of the application serializes to.
///
/// Structs and maps become objects, sequences and tuples lists, `None` and `()` null, enums as serde_json writes them.
/// Integers and truth values as keys of a map become text. A float is its shortest decimal form, rounded half-even to nine
/// places. The numbers of a [`Value`], a [`Number`] and a `serde_json::Value` stay the decimals they are.
///
/// # Errors
/// `invalid`, with the path of the field and never its value: a number that is not finite or further from zero than 1e20,
/// a key that is no text, a nesting deeper than 64 levels, or what the type itself refuses.
///
/// ```
/// use cdp_core::records::to_value;
///
/// #[derive(serde::Serialize)]
/// struct Order<'a> {
///     revenue: f64,
///     coupon: Option<&'a str>,
/// }
/// let value = to_value(&Order { revenue: 12.5, coupon: None })?;
/// assert_eq!(value.to_json(), r#"{"coupon":null,"revenue":12.5}"#);
///
/// let error = to_value(&Order { revenue: f64::NAN, coupon: None }).unwrap_err();
/// assert!(error.message().contains("`revenue`"));
/// # Ok::<(), cdp_core::Error>(())
/// ```
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value> {
    value.serialize(ValueSerializer::default()).map_err(|fault| fault.into_error("the value"))
}

#[derive(Clone, Copy, Default)]
struct ValueSerializer {
    depth: usize,
    wrappers: usize,
}

impl ValueSerializer {
    /// The serializer of what stands in a list or an object.
    fn inner(self) -> Result<ValueSerializer, FieldFault> {
        if self.depth >= MAX_DEPTH {
            return Err(FieldFault::too_deep());
        }
        Ok(ValueSerializer { depth: self.depth + 1, wrappers: self.wrappers })
    }

    /// The serializer of what stands in a wrapper that leaves no trace.
    fn wrapped(self) -> Result<ValueSerializer, FieldFault> {
        if self.wrappers >= MAX_WRAPPERS {
            return Err(FieldFault::too_deep());
        }
        Ok(ValueSerializer { depth: self.depth, wrappers: self.wrappers + 1 })
    }

    fn list(self, length: Option<usize>) -> Result<ListSerializer, FieldFault> {
        // The length is a hint of the type; it may be wrong.
        let items = Vec::with_capacity(length.unwrap_or(0).min(1024));
        Ok(ListSerializer { inner: self.inner()?, items, variant: None })
    }

    fn object(self) -> Result<ObjectSerializer, FieldFault> {
        Ok(ObjectSerializer { inner: self.inner()?, object: Object::new(), key: None, variant: None })
    }
}

fn number(parsed: Result<Number, NumberFault>) -> Result<Value, FieldFault> {
    parsed.map(Value::Number).map_err(FieldFault::number)
}

impl Serializer for ValueSerializer {
    type Ok = Value;
    type Error = FieldFault;
    type SerializeSeq = ListSerializer;
    type SerializeTuple = ListSerializer;
    type SerializeTupleStruct = ListSerializer;
    type SerializeTupleVariant = ListSerializer;
    type SerializeMap = ObjectSerializer;
    type SerializeStruct = StructSerializer;
    type SerializeStructVariant = ObjectSerializer;

    fn serialize_bool(self, truth: bool) -> Result<Value, FieldFault> {
        Ok(Value::Bool(truth))
    }
    fn serialize_i8(self, integer: i8) -> Result<Value, FieldFault> {
        Ok(Value::integer(integer))
    }
    fn serialize_i16(self, integer: i16) -> Result<Value, FieldFault> {
        Ok(Value::integer(integer))
    }
    fn serialize_i32(self, integer: i32) -> Result<Value, FieldFault> {
        Ok(Value::integer(integer))
    }
    fn serialize_i64(self, integer: i64) -> Result<Value, FieldFault> {
        Ok(Value::integer(integer))
    }
    fn serialize_i128(self, integer: i128) -> Result<Value, FieldFault> {
        number(Number::parse(&integer.to_string()))
    }
    fn serialize_u8(self, integer: u8) -> Result<Value, FieldFault> {
        Ok(Value::integer(integer))
    }
    fn serialize_u16(self, integer: u16) -> Result<Value, FieldFault> {
        Ok(Value::integer(integer))
    }
    fn serialize_u32(self, integer: u32) -> Result<Value, FieldFault> {
        Ok(Value::integer(integer))
    }
    fn serialize_u64(self, integer: u64) -> Result<Value, FieldFault> {
        Ok(Value::from(integer))
    }
    fn serialize_u128(self, integer: u128) -> Result<Value, FieldFault> {
        number(Number::parse(&integer.to_string()))
    }
    fn serialize_f32(self, float: f32) -> Result<Value, FieldFault> {
        // By way of its own shortest form: widened to 64 bits, 0.1 would be 0.100000001.
        number(if float.is_finite() { Number::parse(&float.to_string()) } else { Err(NumberFault::NotANumber) })
    }
    fn serialize_f64(self, float: f64) -> Result<Value, FieldFault> {
        number(Number::from_f64(float))
    }
    fn serialize_char(self, character: char) -> Result<Value, FieldFault> {
        Ok(Value::Text(character.to_string()))
    }
    fn serialize_str(self, text: &str) -> Result<Value, FieldFault> {
        Ok(Value::Text(text.to_owned()))
    }
    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, FieldFault> {
        self.inner()?;
        Ok(Value::List(bytes.iter().map(|byte| Value::integer(*byte)).collect()))
    }
    fn serialize_none(self) -> Result<Value, FieldFault> {
        Ok(Value::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, FieldFault> {
        value.serialize(self.wrapped()?)
    }
    fn serialize_unit(self) -> Result<Value, FieldFault> {
        Ok(Value::Null)
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, FieldFault> {
        Ok(Value::Null)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value, FieldFault> {
        Ok(Value::from(variant))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value, FieldFault> {
        let inner = self.wrapped()?;
        if name != EXACT_NUMBER {
            return value.serialize(inner);
        }
        let before = TAKES_EXACT_NUMBERS.replace(true);
        let taken = value.serialize(inner);
        TAKES_EXACT_NUMBERS.set(before);
        match taken? {
            Value::Text(nanos) => number(nanos.parse().map(Number::from_nanos).map_err(|_| NumberFault::NotANumber)),
            other => Ok(other),
        }
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, FieldFault> {
        let value = value.serialize(self.inner()?).map_err(|fault| fault.within(variant))?;
        Ok(Value::object([(variant, value)]))
    }
    fn serialize_seq(self, length: Option<usize>) -> Result<ListSerializer, FieldFault> {
        self.list(length)
    }
    fn serialize_tuple(self, length: usize) -> Result<ListSerializer, FieldFault> {
        self.list(Some(length))
    }
    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<ListSerializer, FieldFault> {
        self.list(Some(length))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<ListSerializer, FieldFault> {
        let list = self.inner()?.list(Some(length))?;
        Ok(ListSerializer { variant: Some(variant), ..list })
    }
    fn serialize_map(self, _: Option<usize>) -> Result<ObjectSerializer, FieldFault> {
        self.object()
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<StructSerializer, FieldFault> {
        // serde_json hands its numbers over as a struct of this name.
        match name {
            NUMBER_KEY => Ok(StructSerializer::Number(None)),
            _ => self.object().map(StructSerializer::Object),
        }
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<ObjectSerializer, FieldFault> {
        let object = self.inner()?.object()?;
        Ok(ObjectSerializer { variant: Some(variant), ..object })
    }
}

/// The object around the fields of an enum's variant, where there is one.
fn of_variant(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::object([(variant, value)]),
        None => value,
    }
}

struct ListSerializer {
    inner: ValueSerializer,
    items: Vec<Value>,
    variant: Option<&'static str>,
}

impl ListSerializer {
    fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), FieldFault> {
        let item = item.serialize(self.inner).map_err(|fault| fault.within(&self.items.len().to_string()))?;
        self.items.push(item);
        Ok(())
    }

    fn list(self) -> Result<Value, FieldFault> {
        Ok(of_variant(self.variant, Value::List(self.items)))
    }
}

macro_rules! serializes_items {
    ($($of:ident $method:ident;)+) => {$(
        impl ser::$of for ListSerializer {
            type Ok = Value;
            type Error = FieldFault;
            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), FieldFault> {
                self.push(item)
            }
            fn end(self) -> Result<Value, FieldFault> {
                self.list()
            }
        }
    )+};
}

serializes_items! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

struct ObjectSerializer {
    inner: ValueSerializer,
    object: Object,
    key: Option<String>,
    variant: Option<&'static str>,
}

impl ObjectSerializer {
    fn insert<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), FieldFault> {
        let value = value.serialize(self.inner).map_err(|fault| fault.within(&key))?;
        self.object.insert(key, value);
        Ok(())
    }
}

impl SerializeMap for ObjectSerializer {
    type Ok = Value;
    type Error = FieldFault;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), FieldFault> {
        self.key = Some(match key.serialize(self.inner)? {
            Value::Text(text) => text,
            Value::Bool(truth) => truth.to_string(),
            Value::Number(number) if number.as_i64().is_some() => number.to_string(),
            other => return Err(FieldFault::new(format!("a key must be text, not {}", other.kind()))),
        });
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), FieldFault> {
        match self.key.take() {
            Some(key) => self.insert(key, value),
            None => Err(FieldFault::new("a value without a key")),
        }
    }
    fn end(self) -> Result<Value, FieldFault> {
        Ok(of_variant(self.variant, Value::Object(self.object)))
    }
}

impl ser::SerializeStructVariant for ObjectSerializer {
    type Ok = Value;
    type Error = FieldFault;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), FieldFault> {
        self.insert(key.to_owned(), value)
    }
    fn end(self) -> Result<Value, FieldFault> {
        SerializeMap::end(self)
    }
}

enum StructSerializer {
    Object(ObjectSerializer),
    /// A number of serde_json, by its text.
    Number(Option<Value>),
}

impl ser::SerializeStruct for StructSerializer {
    type Ok = Value;
    type Error = FieldFault;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), FieldFault> {
        match self {
            StructSerializer::Object(object) => object.insert(key.to_owned(), value),
            StructSerializer::Number(text) => {
                *text = Some(value.serialize(ValueSerializer::default())?);
                Ok(())
            }
        }
    }
    fn end(self) -> Result<Value, FieldFault> {
        match self {
            StructSerializer::Object(object) => SerializeMap::end(object),
            StructSerializer::Number(Some(Value::Text(text))) => number(Number::parse(&text)),
            StructSerializer::Number(_) => Err(FieldFault::number(NumberFault::NotANumber)),
        }
    }
}

/// An object, a list, a number as an integer or the nearest float; exact in [`to_value`].
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Number(number) => number.serialize(serializer),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Value::Object(object) => object.serialize(serializer),
        }
    }
}

/// An integer where there is nothing behind the point and 64 bits hold it, else the nearest float; exact in [`to_value`].
impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const NANO: i128 = 1_000_000_000;
        let integer = (self.nanos() % NANO == 0).then(|| self.nanos() / NANO);
        if let Some(integer) = integer.and_then(|integer| i64::try_from(integer).ok()) {
            return serializer.serialize_i64(integer);
        }
        if let Some(integer) = integer.and_then(|integer| u64::try_from(integer).ok()) {
            return serializer.serialize_u64(integer);
        }
        serializer.serialize_newtype_struct(EXACT_NUMBER, &ExactNumber(*self))
    }
}

struct ExactNumber(Number);

impl Serialize for ExactNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match TAKES_EXACT_NUMBERS.get() {
            true => serializer.collect_str(&self.0.nanos()),
            false => serializer.serialize_f64(self.0.to_f64()),
        }
    }
}

/// RFC 3339 text in UTC with milliseconds: `2024-01-31T09:30:00.000Z`.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text of a definition: `30d`.
impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The value that the text stands for.
impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

/// The object that the text stands for.
impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_object().serialize(serializer)
    }
}

impl ser::Error for FieldFault {
    /// The text of a type of the application may hold what it refused, so it is not kept.
    fn custom<T: fmt::Display>(_message: T) -> FieldFault {
        FieldFault::new("the type refuses to be serialized")
    }
}
