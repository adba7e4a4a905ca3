//! The builders of a source's expressions: where a value of a message comes from in a row, and the conditions on a row.

use super::parts::{ObjectFields, builder, word};
use crate::definitions::Otherwise;
use crate::definitions::source::OTHERWISE;
use crate::records::{Object, Value};

/// A value of a message that is made from a row.
///
/// A text alone is a path, as in JSON: `"customer.email"` and `Expr::field("customer.email")` are equal. A fixed value is
/// [`Expr::constant`]. A method that does not belong to the form it is called on (a time format on a constant) is a fault
/// that `define` reports.
///
/// ```
/// use cdp_core::define::{Condition, Expr, Source};
/// use cdp_core::definitions::Definition;
/// use cdp_core::records::Value;
/// let name = Expr::concat([Expr::field("first_name"), Expr::constant(" "), Expr::field("last_name")]);
/// let event = Expr::when(Condition::starts_with("InvoiceNo", "C"), Expr::constant("Order Cancelled"))
///     .otherwise(Expr::constant("Order Completed"));
/// let source = Source::new("shop")
///     .id("user_id", Expr::field("CustomerID").trim().integer())
///     .timestamp(Expr::field("InvoiceDate").format("%d.%m.%Y %H:%M").tz("Europe/London"))
///     .event(event)
///     .property("customer", name)
///     .property("revenue", Expr::mul(["Quantity", "UnitPrice"]));
/// assert_eq!(Definition::from_value(&Value::from(source))?.name, "shop");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "an expression is a part of a source"]
pub struct Expr(Value);

/// Shows the names of the fields, never a value: a constant may be personal.
impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Value::Object(fields) => {
                write!(f, "Expr with fields {:?}", fields.keys().map(String::as_str).collect::<Vec<_>>())
            }
            _ => f.write_str("Expr of a path"),
        }
    }
}

/// A path of the row.
impl<T: Into<String>> From<T> for Expr {
    fn from(path: T) -> Expr {
        Expr(Value::Text(path.into()))
    }
}

impl From<Expr> for Value {
    fn from(expression: Expr) -> Value {
        expression.0
    }
}

fn list(items: impl IntoIterator<Item = impl Into<Expr>>) -> Value {
    items.into_iter().map(Into::into).collect()
}

impl Expr {
    fn form(word: &str, value: impl Into<Value>) -> Expr {
        Expr(Value::from(ObjectFields::new().with(word, value)))
    }

    /// The object of the form; a path becomes the form `field`.
    fn parts(self) -> ObjectFields {
        match self.0 {
            Value::Object(fields) => ObjectFields(fields),
            path => ObjectFields::new().with("field", path),
        }
    }

    fn with(self, field: &str, value: impl Into<Value>) -> Expr {
        Expr(Value::from(self.parts().with(field, value)))
    }

    /// The value at a path of the row, unchanged unless a method converts it.
    ///
    /// The conversions happen in this order, whatever the order of the calls: trim, strip_prefix, extract, split, map, type.
    pub fn field(path: impl Into<String>) -> Expr {
        Expr::from(path)
    }

    /// This value for every row.
    pub fn constant(value: impl Into<Value>) -> Expr {
        Expr::form("const", value)
    }

    /// The first value that is not null.
    pub fn first(items: impl IntoIterator<Item = impl Into<Expr>>) -> Expr {
        Expr::form("first", list(items))
    }

    /// The texts one after the other. A null counts as empty; null if all are.
    pub fn concat(items: impl IntoIterator<Item = impl Into<Expr>>) -> Expr {
        Expr::form("concat", list(items))
    }

    /// The sum of two numbers or more; null if one is null.
    pub fn add(items: impl IntoIterator<Item = impl Into<Expr>>) -> Expr {
        Expr::form("add", list(items))
    }

    /// The first number less the others; null if one is null.
    pub fn sub(items: impl IntoIterator<Item = impl Into<Expr>>) -> Expr {
        Expr::form("sub", list(items))
    }

    /// The product of two numbers or more; null if one is null.
    pub fn mul(items: impl IntoIterator<Item = impl Into<Expr>>) -> Expr {
        Expr::form("mul", list(items))
    }

    /// A value if a condition holds; null if it does not, or what [`Expr::otherwise`] gives.
    pub fn when(condition: Condition, then: impl Into<Expr>) -> Expr {
        Expr::form("if", condition).with("then", then.into())
    }

    /// Of [`Expr::when`]: the value if the condition does not hold.
    pub fn otherwise(self, value: impl Into<Expr>) -> Expr {
        self.with("else", value.into())
    }

    /// An object of the row as a whole; the empty path is the row itself.
    pub fn rest(path: impl Into<String>) -> Expr {
        Expr::form("*", path.into())
    }

    /// Of [`Expr::rest`]: one more key that is left out.
    pub fn without(self, key: impl Into<String>) -> Expr {
        Expr(Value::from(self.parts().push("-", key.into())))
    }

    /// The number of the row, counted from 1.
    pub fn row() -> Expr {
        Expr::form("row", true)
    }

    /// The number of the item of the source's `each`, counted from 1.
    pub fn each() -> Expr {
        Expr::form("each", true)
    }

    /// The instant at which the row is received.
    pub fn received() -> Expr {
        Expr::form("received", true)
    }

    /// The hash of the row: 32 hexadecimal digits.
    pub fn content_hash() -> Expr {
        Expr::form("content_hash", true)
    }

    /// Of a field: converted to text.
    pub fn text(self) -> Expr {
        self.with("as", "text")
    }

    /// Of a field: converted to a number that must have no fraction.
    pub fn integer(self) -> Expr {
        self.with("as", "integer")
    }

    /// Of a field: converted to a number.
    pub fn number(self) -> Expr {
        self.with("as", "number")
    }

    /// Of a field: converted to true or false.
    pub fn boolean(self) -> Expr {
        self.with("as", "boolean")
    }

    /// Of a field: converted to an instant. Implied by [`Expr::format`] and [`Expr::tz`], and where an instant is expected.
    pub fn timestamp(self) -> Expr {
        self.with("as", "timestamp")
    }

    /// Of a field: the JSON value that the text holds.
    pub fn json(self) -> Expr {
        self.with("as", "json")
    }

    /// Of a field: how a time is written, `rfc3339`, `epoch_s`, `epoch_ms` or a strptime format such as `%d.%m.%Y`.
    pub fn format(self, format: impl Into<String>) -> Expr {
        self.with("format", format.into())
    }

    /// Of a field: the time zone of times without an offset, such as `Europe/Berlin`; without it UTC.
    pub fn tz(self, zone: impl Into<String>) -> Expr {
        self.with("tz", zone.into())
    }

    /// Of a field: a list of the parts between this separator.
    pub fn split(self, separator: impl Into<String>) -> Expr {
        self.with("split", separator.into())
    }

    /// Of a field: without white space around it.
    pub fn trim(self) -> Expr {
        self.with("trim", true)
    }

    /// Of a field: without this text at its beginning.
    pub fn strip_prefix(self, prefix: impl Into<String>) -> Expr {
        self.with("strip_prefix", prefix.into())
    }

    /// Of a field: the first group of a pattern, or the whole match if it has none; null without a match.
    pub fn extract(self, pattern: impl Into<String>) -> Expr {
        self.with("extract", pattern.into())
    }

    /// Of a field: one more text that is replaced by a value.
    pub fn map(self, text: impl Into<String>, value: impl Into<Value>) -> Expr {
        Expr(Value::from(self.parts().insert("map", text, value)))
    }

    /// Of a field with [`Expr::map`]: what happens to a value that the map does not name; without this it is kept.
    pub fn unmapped(self, otherwise: Otherwise) -> Expr {
        self.with("else", word(&OTHERWISE, &otherwise))
    }

    /// Of a field: the value in place of null.
    pub fn default(self, value: impl Into<Value>) -> Expr {
        self.with("default", value)
    }
}

/// A test of one field of the row, for `when` of a source or [`Emit`](super::Emit) and for [`Expr::when`].
///
/// ```
/// use cdp_core::define::{Condition, Source};
/// use cdp_core::definitions::Definition;
/// use cdp_core::records::Value;
/// let source = Source::new("shop").when(Condition::is_in("status", ["paid", "sent"])).id("user_id", "customer");
/// assert_eq!(Definition::from_value(&Value::from(source))?.name, "shop");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a condition is a part of a source"]
pub struct Condition(ObjectFields);

builder!(Condition);

/// Declares a constructor for each operator.
macro_rules! conditions {
    ($($(#[$doc:meta])+ $name:ident($($argument:ident)?) = $word:literal;)+) => {
        impl Condition {
            $(
                $(#[$doc])+
                pub fn $name(field: impl Into<String> $(, $argument: impl Into<Value>)?) -> Condition {
                    let parts = ObjectFields::new().with("field", field.into()).with("op", $word);
                    $(let parts = parts.with("value", $argument);)?
                    Condition(parts)
                }
            )+
        }
    };
}

conditions! {
    /// Equal, without conversion.
    eq(value) = "eq";
    /// Not equal; true for null.
    ne(value) = "ne";
    /// Equal to one of a list.
    is_in(values) = "in";
    /// Equal to none of a list; true for null.
    not_in(values) = "not_in";
    /// A text with this beginning.
    starts_with(text) = "starts_with";
    /// A text with this end.
    ends_with(text) = "ends_with";
    /// A text with this part, or a list with this text as an item.
    contains(text) = "contains";
    /// Not null.
    exists() = "exists";
    /// Null.
    not_exists() = "not_exists";
    /// A greater number; decimal text is a number.
    gt(number) = "gt";
    /// A greater or equal number.
    gte(number) = "gte";
    /// A smaller number.
    lt(number) = "lt";
    /// A smaller or equal number.
    lte(number) = "lte";
    /// A text with a match of this pattern.
    regex(pattern) = "regex";
}

/// The traits, properties or context that a row makes: single fields, and an object of the row as a whole.
///
/// ```
/// use cdp_core::define::{Expr, FieldMap, Source};
/// use cdp_core::definitions::Definition;
/// use cdp_core::records::Value;
/// let traits = FieldMap::new()
///     .rest("attributes")
///     .without("password")
///     .field("address.city", Expr::field("city").trim());
/// let json = r#"{"*":"attributes","-":["password"],"address.city":{"field":"city","trim":true}}"#;
/// assert_eq!(Value::from(traits.clone()).to_json(), json);
/// let source = Source::new("crm").id("user_id", "id").traits(traits);
/// assert_eq!(Definition::from_value(&Value::from(source))?.name, "crm");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a map is a part of a source"]
pub struct FieldMap(ObjectFields);

builder!(FieldMap);

impl Default for FieldMap {
    fn default() -> FieldMap {
        FieldMap::new()
    }
}

impl FieldMap {
    /// A map without a field yet.
    pub fn new() -> FieldMap {
        FieldMap(ObjectFields(Object::new()))
    }

    /// One more field; a dot in its name makes an inner object.
    pub fn field(self, name: impl Into<String>, value: impl Into<Expr>) -> FieldMap {
        FieldMap(self.0.with(&name.into(), value.into()))
    }

    /// Every field of an object of the row; the empty path is the row itself. Single fields stand over it.
    pub fn rest(self, path: impl Into<String>) -> FieldMap {
        FieldMap(self.0.with("*", path.into()))
    }

    /// One more key of [`FieldMap::rest`] that is left out.
    pub fn without(self, key: impl Into<String>) -> FieldMap {
        FieldMap(self.0.push("-", key.into()))
    }
}
