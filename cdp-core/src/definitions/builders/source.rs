//! The builders of a source: how the rows of a file or stream become messages, and what is expected of a row.

use super::expression::{Condition, Expr};
use super::parts::{ObjectFields, builder, definition, named, word};
use crate::definitions::source::{ENCODINGS, GATE_TYPES, NULL_TRAITS, SEVERITIES};
use crate::definitions::{Encoding, Format, GateType, NullTrait, Severity};
use crate::records::{MessageType, Value};

/// How the rows of a file or stream become messages.
///
/// Where a method takes an [`Expr`], a text alone is a path of the row. Without any mapping the rows of a JSON source are
/// messages already. With [`Source::emit`] a row makes several messages, which share the message id, times, identifiers and
/// context of the source.
///
/// ```
/// use cdp_core::define::{Expr, Gate, Source};
/// use cdp_core::definitions::{Definition, Format};
/// use cdp_core::records::Value;
/// let source = Source::new("shop_csv")
///     .format(Format::Csv)
///     .delimiter(";")
///     .message_id_parts([Expr::field("InvoiceNo"), Expr::row()])
///     .timestamp(Expr::field("InvoiceDate").format("%d.%m.%Y %H:%M").tz("Europe/London"))
///     .id("user_id", Expr::field("CustomerID").integer())
///     .event(Expr::constant("Order Completed"))
///     .property("product", "Description")
///     .property("revenue", Expr::mul(["Quantity", "UnitPrice"]))
///     .gate(Gate::not_null("InvoiceNo"));
/// assert_eq!(Definition::from_value(&Value::from(source))?.name, "shop_csv");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a source exists when it is defined"]
pub struct Source(ObjectFields);

/// One of several messages that a row makes.
///
/// ```
/// use cdp_core::define::{Condition, Emit, Expr, Source};
/// use cdp_core::definitions::Definition;
/// use cdp_core::records::Value;
/// let paid = Emit::new()
///     .when(Condition::eq("status", "paid"))
///     .event(Expr::constant("Order Completed"))
///     .property("revenue", "total");
/// let source = Source::new("orders").id("user_id", "customer").emit(paid).emit(Emit::new().trait_("plan", "plan"));
/// assert_eq!(Definition::from_value(&Value::from(source))?.name, "orders");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a message is a part of a source"]
pub struct Emit(ObjectFields);

definition!(Source);
builder!(Emit);

/// One more field of `traits`, `properties` or `context`; a path that stands there becomes the rest of the map.
fn map_field(mut parts: ObjectFields, map: &str, name: impl Into<String>, value: Expr) -> ObjectFields {
    if let Some(path) = parts.0.get(map).filter(|map| map.as_text().is_some()).cloned() {
        parts = parts.with(map, ObjectFields::new().with("*", path));
    }
    parts.insert(map, name, value)
}

/// Gives a builder the fields of the message that a row makes.
macro_rules! makes_a_message {
    ($name:ident) => {
        impl $name {
            /// The message is made if this holds.
            pub fn when(self, condition: Condition) -> Self {
                $name(self.0.with("when", condition))
            }

            /// The type; without it an event makes a track, a group id a group, and the rest an identify.
            pub fn message_type(self, message_type: MessageType) -> Self {
                $name(self.0.with("type", message_type.as_str()))
            }

            /// The message id. Messages with the same id count once; without an id it is the hash of source and row.
            pub fn message_id(self, id: impl Into<Expr>) -> Self {
                $name(self.0.with("message_id", id.into()))
            }

            /// The message id, made of several parts.
            pub fn message_id_parts(self, parts: impl IntoIterator<Item = impl Into<Expr>>) -> Self {
                $name(self.0.with("message_id", parts.into_iter().map(Into::into).collect::<Value>()))
            }

            /// When it happened; a field is read as a time.
            pub fn timestamp(self, time: impl Into<Expr>) -> Self {
                $name(self.0.with("timestamp", time.into()))
            }

            /// When it happened by the clock of the device.
            pub fn original_timestamp(self, time: impl Into<Expr>) -> Self {
                $name(self.0.with("original_timestamp", time.into()))
            }

            /// When the device sent it.
            pub fn sent_at(self, time: impl Into<Expr>) -> Self {
                $name(self.0.with("sent_at", time.into()))
            }

            /// When a collector received it.
            pub fn received_at(self, time: impl Into<Expr>) -> Self {
                $name(self.0.with("received_at", time.into()))
            }

            /// The name of the event, page or screen: a path, or [`Expr::constant`] for a fixed name.
            pub fn event(self, event: impl Into<Expr>) -> Self {
                $name(self.0.with("event", event.into()))
            }

            /// The account of a group message.
            pub fn group_id(self, account: impl Into<Expr>) -> Self {
                $name(self.0.with("group_id", account.into()))
            }

            /// The former identifier of an alias.
            pub fn previous_id(self, id: impl Into<Expr>) -> Self {
                $name(self.0.with("previous_id", id.into()))
            }

            /// One more identifier, by its type.
            pub fn id(self, identifier_type: impl Into<String>, value: impl Into<Expr>) -> Self {
                $name(self.0.insert("ids", identifier_type, value.into()))
            }

            /// All traits: the path of an object of the row, or a [`FieldMap`](super::FieldMap).
            pub fn traits(self, traits: impl Into<Value>) -> Self {
                $name(self.0.with("traits", traits))
            }

            /// One more trait; a dot in its name makes an inner object.
            pub fn trait_(self, name: impl Into<String>, value: impl Into<Expr>) -> Self {
                $name(map_field(self.0, "traits", name, value.into()))
            }

            /// All properties: the path of an object of the row, or a [`FieldMap`](super::FieldMap).
            pub fn properties(self, properties: impl Into<Value>) -> Self {
                $name(self.0.with("properties", properties))
            }

            /// One more property; a dot in its name makes an inner object.
            pub fn property(self, name: impl Into<String>, value: impl Into<Expr>) -> Self {
                $name(map_field(self.0, "properties", name, value.into()))
            }

            /// The whole context: the path of an object of the row, or a [`FieldMap`](super::FieldMap).
            pub fn context(self, context: impl Into<Value>) -> Self {
                $name(self.0.with("context", context))
            }

            /// One more field of the context; a dot in its name makes an inner object.
            pub fn context_field(self, name: impl Into<String>, value: impl Into<Expr>) -> Self {
                $name(map_field(self.0, "context", name, value.into()))
            }
        }
    };
}

makes_a_message!(Source);
makes_a_message!(Emit);

impl Default for Emit {
    fn default() -> Emit {
        Emit::new()
    }
}

impl Emit {
    /// A message that inherits everything from its source.
    pub fn new() -> Emit {
        Emit(ObjectFields::new())
    }
}

impl Source {
    /// A source whose rows are messages already, until a method maps them.
    pub fn new(name: impl Into<String>) -> Source {
        Source(named("source", name))
    }

    /// The format of the bytes; without it file name and content decide.
    pub fn format(self, format: Format) -> Source {
        Source(self.0.with("format", format.as_str()))
    }

    /// CSV: the ASCII character between cells, or the word `whitespace` for a run of blanks and tabs; without it a comma.
    pub fn delimiter(self, delimiter: impl Into<String>) -> Source {
        Source(self.0.with("delimiter", delimiter.into()))
    }

    /// CSV and text: the encoding; without it UTF-8.
    pub fn encoding(self, encoding: Encoding) -> Source {
        Source(self.0.with("encoding", word(&ENCODINGS, &encoding)))
    }

    /// CSV without a header: the names of the columns.
    pub fn columns(self, names: impl IntoIterator<Item = impl Into<String>>) -> Source {
        Source(self.0.texts("columns", names))
    }

    /// CSV: the number of lines before the header, or before the first row.
    pub fn skip(self, lines: u64) -> Source {
        Source(self.0.with("skip", lines))
    }

    /// CSV: the unquoted cells that mean null; without this the empty cell.
    pub fn nulls(self, cells: impl IntoIterator<Item = impl Into<String>>) -> Source {
        Source(self.0.texts("nulls", cells))
    }

    /// CSV, text and form: the decimal mark of numbers, `.` or `,`.
    pub fn decimal(self, mark: impl Into<String>) -> Source {
        Source(self.0.with("decimal", mark.into()))
    }

    /// Text: a pattern whose named groups are the fields of the row.
    pub fn pattern(self, pattern: impl Into<String>) -> Source {
        Source(self.0.with("pattern", pattern.into()))
    }

    /// Text: a line that matches belongs to the line before.
    pub fn continuation(self, pattern: impl Into<String>) -> Source {
        Source(self.0.with("continuation", pattern.into()))
    }

    /// JSON: the path of the list of records; the empty path if the document is the list.
    pub fn records(self, path: impl Into<String>) -> Source {
        Source(self.0.with("records", path.into()))
    }

    /// The path of a list in the record: the record is mapped once for each item, and the path stands for that item.
    pub fn each(self, path: impl Into<String>) -> Source {
        Source(self.0.with("each", path.into()))
    }

    /// What a null trait means; without this the profile keeps the value it has.
    pub fn null(self, meaning: NullTrait) -> Source {
        Source(self.0.with("null", word(&NULL_TRAITS, &meaning)))
    }

    /// Whether times are corrected by the difference of `receivedAt` and `sentAt`, against wrong clocks of devices.
    pub fn skew(self, is_corrected: bool) -> Source {
        Source(self.0.with("skew", is_corrected))
    }

    /// One more expectation of a row.
    pub fn gate(self, gate: Gate) -> Source {
        Source(self.0.push("gates", gate))
    }

    /// One more of several messages of one row.
    pub fn emit(self, message: Emit) -> Source {
        Source(self.0.push("emit", message))
    }
}

/// What is expected of one field of a row before it is mapped. A null satisfies everything but [`Gate::not_null`].
///
/// ```
/// use cdp_core::define::{Gate, Source};
/// use cdp_core::definitions::{Definition, Severity};
/// use cdp_core::records::Value;
/// let source = Source::new("shop")
///     .id("user_id", "customer")
///     .gate(Gate::not_null("customer").mostly(0.99))
///     .gate(Gate::between("price").min(0).max(10_000).severity(Severity::Warn));
/// assert_eq!(Definition::from_value(&Value::from(source))?.name, "shop");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a gate is a part of a source"]
pub struct Gate(ObjectFields);

builder!(Gate);

impl Gate {
    fn of(field: impl Into<String>, expect: &str) -> Gate {
        Gate(ObjectFields::new().with("expect", expect).with("field", field.into()))
    }

    /// There is a value.
    pub fn not_null(field: impl Into<String>) -> Gate {
        Gate::of(field, "not_null")
    }

    /// The value is one of these.
    pub fn in_set(field: impl Into<String>, values: impl IntoIterator<Item = impl Into<Value>>) -> Gate {
        let values: Value = values.into_iter().map(Into::into).collect();
        Gate(Gate::of(field, "in_set").0.with("values", values))
    }

    /// The text contains a match of a pattern.
    pub fn match_regex(field: impl Into<String>, pattern: impl Into<String>) -> Gate {
        Gate(Gate::of(field, "match_regex").0.with("regex", pattern.into()))
    }

    /// The number lies within bounds: [`Gate::min`], [`Gate::max`] or both.
    pub fn between(field: impl Into<String>) -> Gate {
        Gate::of(field, "between")
    }

    /// The text has a number of characters within bounds: [`Gate::min`], [`Gate::max`] or both.
    pub fn length_between(field: impl Into<String>) -> Gate {
        Gate::of(field, "length_between")
    }

    /// The value is of a type, or, as text, reads as one.
    pub fn of_type(field: impl Into<String>, value_type: GateType) -> Gate {
        Gate(Gate::of(field, "type").0.with("type", word(&GATE_TYPES, &value_type)))
    }

    /// The least number or length, included.
    pub fn min(self, least: impl Into<Value>) -> Gate {
        Gate(self.0.with("min", least))
    }

    /// The greatest number or length, included.
    pub fn max(self, greatest: impl Into<Value>) -> Gate {
        Gate(self.0.with("max", greatest))
    }

    /// What happens to a row that does not pass; without this it is kept as a reject.
    pub fn severity(self, severity: Severity) -> Gate {
        Gate(self.0.with("severity", word(&SEVERITIES, &severity)))
    }

    /// The share of the rows of a call that must pass, above 0 and at most 1. Rows are mapped in any case; the receipt
    /// warns if fewer pass.
    pub fn mostly(self, share: f64) -> Gate {
        Gate(self.0.with("mostly", share))
    }
}
