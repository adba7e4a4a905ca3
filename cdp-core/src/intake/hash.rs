//! Hashes of what a message or row says, the same in every language and from every format.

use crate::definitions::SourceDefinition;
use crate::records::{Message, Object, Path, Value, write_json_object, write_json_text};

use super::{Found, Row, RowValues};

/// The times that a redelivery changes; they are no part of what a message says.
const TIMES: [&str; 4] = ["timestamp", "originalTimestamp", "sentAt", "receivedAt"];

/// BLAKE3 of the message's fields as canonical JSON without its four times.
pub fn content_hash(message: &Message) -> [u8; 32] {
    let mut out = String::with_capacity(256);
    out.push('{');
    for (name, value) in message.fields.iter().filter(|(name, _)| !TIMES.contains(&name.as_str())) {
        if out.len() > 1 {
            out.push(',');
        }
        write_json_text(name, &mut out);
        out.push(':');
        value.write_json(&mut out);
    }
    out.push('}');
    *blake3::hash(out.as_bytes()).as_bytes()
}

/// The hash of a rejected row: over the values that its source reads, by field name, as text; over the raw bytes if the row
/// could not be parsed; over the whole row if rows are messages already.
///
/// `{"row": true}` counts as a field `row`, so that a CSV row and a JSON row that says the same, its number included, are
/// the same reject.
pub fn reject_hash(definition: Option<&SourceDefinition>, row: &Row) -> [u8; 32] {
    let Ok(values) = &row.values else { return *blake3::hash(&row.raw()).as_bytes() };
    let names = definition.map_or_else(|| vec![String::new()], SourceDefinition::fields_read);
    let counts_rows = definition.is_some_and(|definition| reads_row_number(definition, values));
    let mut read = Object::new();
    for name in names {
        match Path::parse(&name) {
            Some(_) if name == "row" && counts_rows => {
                read.insert(name, Value::Text(row.number.to_string()));
            }
            Some(path) => {
                let text = as_text(values.find(&path));
                read.insert(name, text);
            }
            // The row as a whole: each of its fields by name.
            None => match values.to_value() {
                Value::Object(object) => {
                    for (name, value) in object {
                        read.entry(name).or_insert_with(|| value_as_text(value));
                    }
                }
                other => {
                    read.insert(name, value_as_text(other));
                }
            },
        }
    }
    let mut out = String::with_capacity(256);
    write_json_object(&read, &mut out);
    *blake3::hash(out.as_bytes()).as_bytes()
}

/// Whether `row` is the number of the row: the definition asks for it, and the row has no field of that name.
fn reads_row_number(definition: &SourceDefinition, values: &RowValues) -> bool {
    let path = Path::parse("row");
    let has_field = path.is_some_and(|path| !values.find(&path).is_null());
    !has_field && definition.reads_row_number()
}

fn as_text(found: Found<'_>) -> Value {
    value_as_text(found.into_value())
}

fn value_as_text(value: Value) -> Value {
    super::expression::text_of(value).map_or(Value::Null, Value::Text)
}

/// The hash of (source, canonical row), or of the row alone: 32 hexadecimal digits.
pub(super) fn row_hash(source: Option<&str>, values: &RowValues) -> String {
    let mut hasher = blake3::Hasher::new();
    if let Some(source) = source {
        hasher.update(source.as_bytes());
        // A name holds no zero byte that a row could continue: JSON text escapes it.
        hasher.update(&[0]);
    }
    hasher.update(values.to_json().as_bytes());
    let mut hex = hasher.finalize().to_hex().to_string();
    hex.truncate(32);
    hex
}
