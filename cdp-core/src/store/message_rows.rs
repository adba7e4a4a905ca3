//! A message as a row of the log. Values that its columns have are left out of its payload, and the parts that it
//! shares with other messages of its shape are stored once, as words of the store.
//!
//! It takes canonical text and returns it byte for byte; a checksum of the whole message detects a difference.

use std::sync::Arc;

use super::memory::{Memory, MemoryChanges, MemoryView};
use super::stored_message::{OwnNodes, StoredMessage, unreadable_message};
use crate::error::Result;
use crate::records::{Json, JsonObject, JsonObjectBuilder, MessageType, Timestamp, write_json_text};

/// Marks the place of a value in a shape; canonical JSON has no such byte.
const HOLE: char = '\u{1}';

/// Members that are stored in columns.
const MESSAGE_ID: u8 = 1;
const TYPE: u8 = 2;
const EVENT: u8 = 4;
const TIMESTAMP: u8 = 8;

/// The form of a value in a payload, in the lower two bits of its length.
const TEXT: u64 = 0;
const LITERAL: u64 = 1;
const WORD: u64 = 2;

/// The payload of a row.
#[derive(Default)]
pub(super) struct Payload {
    pub(super) left_out: u8,
    /// The word with the shape of the text. Without it `text` is the text itself.
    pub(super) shape: Option<u32>,
    pub(super) text: String,
    pub(super) values: Vec<u8>,
}

/// A row of the file.
pub(crate) struct MessageRow<'r> {
    pub(crate) sequence: u64,
    pub(crate) source: u32,
    pub(crate) message_id: String,
    pub(crate) kind: MessageType,
    pub(crate) event: Option<u32>,
    pub(crate) node: u32,
    pub(crate) own: OwnNodes,
    pub(crate) occurred_at: Timestamp,
    pub(crate) ordinal: u64,
    pub(crate) recorded_at: Timestamp,
    pub(super) checksum: u32,
    pub(super) left_out: u8,
    pub(super) shape: Option<u32>,
    pub(super) payload: &'r [u8],
}

impl Payload {
    /// Encodes a message; texts that have become words are added to `overlay`.
    pub(super) fn fill(&mut self, message: &StoredMessage, overlay: &mut MemoryChanges, base: &Memory) {
        self.left_out = 0;
        self.text.clear();
        self.values.clear();
        self.text.push('{');
        for (name, value) in message.fields.members() {
            let column = match name {
                "messageId" => is_column(value, &message.message_id).then_some(MESSAGE_ID),
                "type" => is_column(value, message.kind.as_str()).then_some(TYPE),
                "event" => {
                    let is_name = |event| is_column(value, overlay.view(base).name(event));
                    message.event.is_some_and(is_name).then_some(EVENT)
                }
                "timestamp" => is_time(value, message.occurred_at).then_some(TIMESTAMP),
                "userId" => message.own.user.map(|_| 0),
                "anonymousId" => message.own.anonymous.map(|_| 0),
                _ => None,
            };
            if let Some(bit) = column {
                self.left_out |= bit;
                continue;
            }
            if self.text.len() > 1 {
                self.text.push(',');
            }
            self.text.push('"');
            self.text.push_str(name);
            self.text.push_str("\":");
            self.split(value.text(), |text| overlay.word(base, text, message.node));
        }
        self.text.push('}');
        self.shape = overlay.word(base, &self.text, message.node);
        if self.shape.is_none() {
            // A new shape: the next message of its kind may find a word for it.
            let (shape, values) = (std::mem::take(&mut self.text), std::mem::take(&mut self.values));
            self.text = whole(&shape, &values, |word| overlay.view(base).word(word)).unwrap_or_default();
        }
    }

    /// Adds a canonical value: its structure to the text, its scalars to the values.
    fn split(&mut self, value: &str, mut word_of: impl FnMut(&str) -> Option<u32>) {
        let mut rest = value;
        // Whether each open container is an object; there are at most 64 levels.
        let (mut objects, mut expects_key) = (0u128, false);
        while let Some(byte) = rest.bytes().next() {
            let length = match byte {
                b'{' | b'[' => {
                    objects = objects << 1 | u128::from(byte == b'{');
                    expects_key = byte == b'{';
                    1
                }
                b'}' | b']' => {
                    objects >>= 1;
                    1
                }
                b',' => {
                    expects_key = objects & 1 == 1;
                    1
                }
                b':' => {
                    expects_key = false;
                    1
                }
                b'"' => string_length(rest),
                _ => rest.bytes().position(|byte| matches!(byte, b',' | b'}' | b']')).unwrap_or(rest.len()),
            };
            let Some((token, behind)) = rest.split_at_checked(length.max(1)) else { return };
            rest = behind;
            match byte {
                b'"' if !expects_key => {
                    let inner = token.get(1..token.len() - 1).unwrap_or_default();
                    match word_of(inner) {
                        Some(word) => self.put(WORD, u64::from(word), ""),
                        None => self.put(TEXT, inner.len() as u64, inner),
                    }
                    self.text.push(HOLE);
                }
                b'{' | b'}' | b'[' | b']' | b',' | b':' | b'"' => self.text.push_str(token),
                _ => {
                    self.put(LITERAL, token.len() as u64, token);
                    self.text.push(HOLE);
                }
            }
        }
    }

    fn put(&mut self, tag: u64, number: u64, bytes: &str) {
        let mut number = number << 2 | tag;
        while number >= 0x80 {
            self.values.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.values.push(number as u8);
        self.values.extend_from_slice(bytes.as_bytes());
    }
}

/// The length of the string literal that a text begins with.
fn string_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))) {
        at += found + 1;
        if bytes.get(at - 1) == Some(&b'"') {
            return at;
        }
        at += 1;
    }
    text.len()
}

fn is_column(value: Json<'_>, column: &str) -> bool {
    value.as_text().is_some_and(|text| text == column)
}

fn is_time(value: Json<'_>, occurred_at: Timestamp) -> bool {
    // Times are printed in one form: a text of that form that is this instant is its printed form.
    let is_printed = |text: &str| text.len() == 24 && text.as_bytes().get(10) == Some(&b'T') && text.ends_with('Z');
    value.as_text().is_some_and(|text| {
        is_printed(&text) && Timestamp::parse(&text) == Ok(occurred_at) && text.as_bytes().get(19) == Some(&b'.')
    })
}

/// A shape with its values filled in; `None` if they do not fit each other.
fn whole<'w>(shape: &str, values: &[u8], word: impl Fn(u32) -> Option<&'w str>) -> Option<String> {
    let mut text = String::with_capacity(shape.len() + values.len() * 2);
    let mut rest = values;
    for (index, part) in shape.split(HOLE).enumerate() {
        if index > 0 {
            let number = take_number(&mut rest)?;
            let (tag, number) = (number & 3, number >> 2);
            if tag == WORD {
                text.push('"');
                text.push_str(word(u32::try_from(number).ok()?)?);
                text.push('"');
            } else {
                let (value, behind) = rest.split_at_checked(usize::try_from(number).ok()?)?;
                rest = behind;
                let value = std::str::from_utf8(value).ok()?;
                let quote = if tag == TEXT { "\"" } else { "" };
                text.push_str(quote);
                text.push_str(value);
                text.push_str(quote);
            }
        }
        text.push_str(part);
    }
    rest.is_empty().then_some(text)
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

impl MessageRow<'_> {
    /// Decodes the whole message. Fails with `corrupt` if the row gives none.
    pub(crate) fn read(self, memory: &MemoryView<'_>) -> Result<StoredMessage> {
        let fields = self.fields(memory).ok_or_else(|| unreadable_message(self.sequence))?;
        Ok(StoredMessage {
            sequence: self.sequence,
            source: self.source,
            message_id: self.message_id,
            kind: self.kind,
            event: self.event,
            node: self.node,
            own: self.own,
            occurred_at: self.occurred_at,
            ordinal: self.ordinal,
            recorded_at: self.recorded_at,
            fields: Arc::new(fields),
            checksum: self.checksum,
        })
    }

    fn fields(&self, memory: &MemoryView<'_>) -> Option<JsonObject> {
        let kept = match self.shape {
            None => std::str::from_utf8(self.payload).ok()?.to_owned(),
            Some(shape) => whole(memory.word(shape)?, self.payload, |word| memory.word(word))?,
        };
        let kept = JsonObject::from_canonical(kept)?;
        let is_out = |bit: u8| self.left_out & bit != 0;
        let time = is_out(TIMESTAMP).then(|| self.occurred_at.to_string());
        // By name.
        let columns = [
            ("anonymousId", self.own.anonymous.map(|node| memory.node(node).1)),
            ("event", self.event.filter(|_| is_out(EVENT)).map(|event| memory.name(event))),
            ("messageId", is_out(MESSAGE_ID).then_some(self.message_id.as_str())),
            ("timestamp", time.as_deref()),
            ("type", is_out(TYPE).then(|| self.kind.as_str())),
            ("userId", self.own.user.map(|node| memory.node(node).1)),
        ];
        let mut columns = columns.into_iter().filter_map(|(name, value)| Some((name, value?))).peekable();
        let mut builder = JsonObjectBuilder::with_capacity(kept.text().len() + 256);
        let mut literal = String::new();
        let mut push_text = |builder: &mut JsonObjectBuilder, name: &str, text: &str| {
            literal.clear();
            write_json_text(text, &mut literal);
            builder.push(name, Json::from_canonical(&literal));
        };
        for (name, value) in kept.members() {
            while let Some((column_name, text)) = columns.next_if(|(column_name, _)| *column_name < name) {
                push_text(&mut builder, column_name, text);
            }
            builder.push(name, value);
        }
        for (name, text) in columns {
            push_text(&mut builder, name, text);
        }
        Some(builder.finish())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::{ConnectOptions, Durability, Facts, MemoryOptions};

    fn message(sequence: u64, json: &str) -> StoredMessage {
        let fields = JsonObject::parse(json.as_bytes()).unwrap();
        let kind = fields.get("type").and_then(Json::as_text).and_then(|word| MessageType::parse(&word));
        StoredMessage {
            sequence,
            source: 1,
            message_id: format!("m{sequence}"),
            kind: kind.unwrap_or(MessageType::Track),
            event: Some(1),
            node: (sequence % 50) as u32,
            own: OwnNodes { user: Some(0), anonymous: None },
            occurred_at: Timestamp::from_millis(1_700_000_000_000),
            ordinal: sequence % 3,
            recorded_at: Timestamp::from_millis(1_700_000_000_000),
            checksum: crate::store::checksum(&fields),
            fields: Arc::new(fields),
        }
    }

    /// The texts of messages that are written as rows and read again, and the bytes that their rows take.
    fn round_trip(messages: &[StoredMessage]) -> (Vec<String>, usize) {
        let options = ConnectOptions {
            path: None,
            read_only: false,
            create: true,
            durability: Durability::Full,
            busy_timeout: std::time::Duration::ZERO,
            salt: None,
        };
        let store = crate::store::Store::open(&options).unwrap();
        store
            .read(|facts: Facts<'_>, _| {
                let base = Memory::load(facts, 0, &[], MemoryOptions::default())?.expect("nothing lacks a column");
                let mut overlay = base.changes();
                let (name, _) = overlay.name(&base, "Order \"Completed\"");
                let (node, _) = overlay.node(&base, name, "u-é\n1");
                assert_eq!((name, node), (1, 0));
                let (mut texts, mut n_bytes) = (Vec::new(), 0);
                for message in messages {
                    let mut payload = Payload::default();
                    payload.fill(message, &mut overlay, &base);
                    let bytes = if payload.shape.is_some() { &payload.values } else { payload.text.as_bytes() };
                    n_bytes += bytes.len();
                    let row = MessageRow {
                        sequence: message.sequence,
                        source: message.source,
                        message_id: message.message_id.clone(),
                        kind: message.kind,
                        event: message.event,
                        node: message.node,
                        own: message.own,
                        occurred_at: message.occurred_at,
                        ordinal: message.ordinal,
                        recorded_at: message.recorded_at,
                        checksum: message.checksum,
                        left_out: payload.left_out,
                        shape: payload.shape,
                        payload: bytes,
                    };
                    let read = row.read(&overlay.view(&base))?;
                    assert!(read.is_whole());
                    texts.push(read.fields.text().to_owned());
                }
                Ok((texts, n_bytes))
            })
            .unwrap()
    }

    #[test]
    fn a_message_comes_back_letter_by_letter_and_takes_what_is_its_own() {
        let text = |n: u64| {
            format!(
                concat!(
                    r#"{{"context":{{"ip":"10.0.0.1","page":{{"url":"https://shop.example/é?q=\"1\""}},"tags":["a",{{"b":null}}]}},"#,
                    r#""event":"Order \"Completed\"","messageId":"m{}","properties":{{"n":{},"price":1.5,"sure":true}},"#,
                    r#""timestamp":"2023-11-14T22:13:20.000Z","type":"track","userId":"u-é\n1"}}"#
                ),
                n, n
            )
        };
        let messages: Vec<StoredMessage> = (0..40).map(|n| message(n, &text(n))).collect();
        let (texts, n_bytes) = round_trip(&messages);
        for (n, read) in texts.iter().enumerate() {
            assert_eq!(*read, text(n as u64));
        }
        let whole: usize = messages.iter().map(|message| message.fields.text().len()).sum();
        assert!(n_bytes * 4 < whole, "{n_bytes} of {whole}");
    }

    #[test]
    fn a_value_that_differs_from_its_column_stays_in_the_payload() {
        let text = r#"{"event":"order completed","messageId":"M0","timestamp":"2023-11-14T22:13:20Z","type":"track","userId":"u-é\n1"}"#;
        assert_eq!(round_trip(&[message(0, text)]).0, [text]);
    }

    #[test]
    fn a_damaged_payload_is_no_message() {
        assert_eq!(whole("{\"a\":\u{1}}", &[], |_| None), None);
        assert_eq!(whole("{\"a\":\u{1}}", &[40, b'x'], |_| None), None);
        assert_eq!(whole("{\"a\":\u{1}}", &[0x80; 12], |_| None), None);
        assert_eq!(whole("{\"a\":\u{1}}", &[6], |_| None), None);
        assert_eq!(whole("{}", &[0], |_| None), None);
        assert_eq!(whole("{\"a\":\u{1}}", &[4, b'x'], |_| None).as_deref(), Some("{\"a\":\"x\"}"));
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            any::<i32>().prop_map(|number| number.to_string()),
            "[a-c\"\\\\é\n\u{1}]{0,6}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
                proptest::collection::btree_map("[a-z\"]{0,3}", inner, 0..4).prop_map(|members| {
                    let members: Vec<String> = members
                        .into_iter()
                        .map(|(key, value)| format!("{}:{value}", serde_json::to_string(&key).unwrap()))
                        .collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_message_comes_back(bodies in proptest::collection::vec(json(), 1..12)) {
            let texts: Vec<String> = bodies
                .iter()
                .cycle()
                .take(60)
                .map(|body| {
                    let text = format!(r#"{{"event":"e","properties":{body},"type":"track","userId":"u-é\n1"}}"#);
                    crate::records::Value::parse(text.as_bytes()).unwrap().to_json()
                })
                .collect();
            let messages: Vec<StoredMessage> = texts
                .iter()
                .enumerate()
                .map(|(n, text)| {
                    let fields = JsonObject::from_canonical(text.clone()).unwrap();
                    StoredMessage {
                        checksum: crate::store::checksum(&fields),
                        fields: Arc::new(fields),
                        ..message(n as u64, r#"{"type":"track"}"#)
                    }
                })
                .collect();
            prop_assert_eq!(round_trip(&messages).0, texts);
        }
    }
}
