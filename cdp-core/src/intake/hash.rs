//! Hashes of what a message or row says, the same in every language and from every format.

use crate::definitions::SourceDefinition;
use crate::records::{JsonObject, Object, Path, Value, write_json_object};

use super::row::text_of;
use super::{Found, Row, RowValues};

/// The times that a redelivery changes; they are no part of what a message says.
const TIMES: [&str; 4] = ["timestamp", "originalTimestamp", "sentAt", "receivedAt"];

/// BLAKE3 of the message's fields as canonical JSON without its four times.
pub(crate) fn content_hash(fields: &JsonObject) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut before = "{\"";
    for (name, value) in fields.members().filter(|(name, _)| !TIMES.contains(name)) {
        for part in [before, name, "\":", value.text()] {
            hasher.update(part.as_bytes());
        }
        before = ",\"";
    }
    hasher.update(if before.starts_with('{') { b"{}" } else { b"}" });
    *hasher.finalize().as_bytes()
}

/// The hash of a rejected row: over the values that its source reads, by field name, as text; over the raw bytes if the row
/// could not be parsed; over the whole row if rows are messages already.
///
/// `{"row": true}` counts as a field `row`, so that a CSV row and a JSON row that says the same, its number included, are
/// the same reject.
pub(crate) fn reject_hash(definition: Option<&SourceDefinition>, row: &Row) -> [u8; 32] {
    ReadFields::new(definition).hash(row)
}

/// The fields of a row that its definition reads, resolved.
#[derive(Clone, Debug)]
pub(super) struct ReadFields {
    /// Each name with its path; without a path it is the row as a whole.
    names: Vec<(String, Option<Path>)>,
    /// Whether the definition asks for the number of the row.
    counts_rows: bool,
}

impl ReadFields {
    pub(super) fn new(definition: Option<&SourceDefinition>) -> ReadFields {
        let names = definition.map_or_else(|| vec![String::new()], SourceDefinition::fields_read);
        ReadFields {
            names: names.into_iter().map(|name| (name.clone(), Path::parse(&name))).collect(),
            counts_rows: definition.is_some_and(SourceDefinition::reads_row_number),
        }
    }

    pub(super) fn hash(&self, row: &Row) -> [u8; 32] {
        let Ok(values) = &row.values else { return *blake3::hash(&row.raw()).as_bytes() };
        let mut read = Object::new();
        for (name, path) in &self.names {
            match path.as_ref().map(|path| values.find(path)) {
                Some(Found::Null) if self.counts_rows && name == "row" => {
                    read.insert(name.clone(), Value::Text(row.number.to_string()));
                }
                Some(found) => {
                    read.insert(name.clone(), as_text(found.into_value()));
                }
                // The row as a whole: each of its fields by name. One that is null may as well be absent.
                None => match values.to_value() {
                    Value::Object(object) => {
                        for (name, value) in object.into_iter().filter(|(_, value)| !value.is_null()) {
                            read.entry(name).or_insert_with(|| as_text(value));
                        }
                    }
                    other => {
                        read.insert(name.clone(), as_text(other));
                    }
                },
            }
        }
        let mut out = String::with_capacity(256);
        write_json_object(&read, &mut out);
        *blake3::hash(out.as_bytes()).as_bytes()
    }
}

fn as_text(value: Value) -> Value {
    text_of(value).map_or(Value::Null, Value::Text)
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

#[cfg(test)]
mod tests {
    use super::super::read_message;
    use super::*;

    fn hash(text: &str) -> [u8; 32] {
        let Value::Object(fields) = Value::parse(text.as_bytes()).unwrap() else { panic!("not an object") };
        content_hash(&read_message(fields, 10_000).unwrap().message.fields)
    }

    #[test]
    fn the_content_of_a_message_does_not_depend_on_its_times_or_layout() {
        let first =
            hash(r#"{"type":"track","event":"E","userId":"7","properties":{"n":1.50},"timestamp":"2024-01-01"}"#);
        let again = hash(
            r#"{"properties":{"n":15e-1},"sent_at":"2024-01-02","receivedAt":1,"event":"E","user_id":7,"type":"track"}"#,
        );
        assert_eq!(first, again);
        assert_ne!(first, hash(r#"{"type":"track","event":"E","userId":"7","properties":{"n":1.51}}"#));
    }

    #[test]
    fn an_unreadable_row_is_known_by_its_bytes() {
        let rows = super::super::testing::all_rows(b"{\n{\n[", crate::definitions::Format::Ndjson, Default::default());
        assert_eq!(reject_hash(None, &rows[0]), reject_hash(None, &rows[1]));
        assert_ne!(reject_hash(None, &rows[0]), reject_hash(None, &rows[2]));
    }
}
