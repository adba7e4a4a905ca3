//! Messages in Segment's dialect: both casings of the known fields in, one camelCase message out, whole and checked.
//!
//! Unknown fields are kept as they are. A value of the wrong kind is a reject with its field; a bad `sentAt` alone is only
//! a warning, because nothing but the skew correction needs it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::records::{
    Json, JsonObject, MAX_DEPTH, Message, MessageType, Number, Object, Reject, RejectReason, Timestamp, Value,
    write_json_object,
};

use super::times::read_time;
use super::{Row, RowOutcome, RowValues};

/// The known top-level fields that are written in two ways.
const CASINGS: [(&str, &str); 8] = [
    ("user_id", "userId"),
    ("anonymous_id", "anonymousId"),
    ("group_id", "groupId"),
    ("previous_id", "previousId"),
    ("message_id", "messageId"),
    ("original_timestamp", "originalTimestamp"),
    ("sent_at", "sentAt"),
    ("received_at", "receivedAt"),
];

const IDS: [&str; 5] = ["userId", "anonymousId", "groupId", "previousId", "messageId"];
const OBJECTS: [&str; 5] = ["traits", "properties", "context", "integrations", "ids"];
/// Segment allows 100 characters; a longer id is no harm, a page of text is none.
const MAX_MESSAGE_ID_BYTES: usize = 1024;

/// A message that was read, and what a person should know about it.
#[derive(Clone, Debug)]
pub(crate) struct ReadMessage {
    /// The message.
    pub message: Message,
    /// What was wrong although nothing was lost.
    pub warnings: Vec<String>,
}

/// Reads one message in Segment's dialect; `max_bytes` bounds its canonical JSON.
///
/// Without a messageId the message has none: whether one is drawn or made from the content, the caller decides.
pub(crate) fn read_message(mut fields: Object, max_bytes: usize) -> Result<ReadMessage, Reject> {
    for (snake, camel) in CASINGS {
        // If both are there, camelCase counts and the other is kept as an unknown field.
        if !fields.contains_key(camel)
            && let Some(value) = fields.remove(snake)
        {
            fields.insert(camel.to_owned(), value);
        }
    }
    let kind = read_type(&JsonObject::of(&fields))?;
    let ids = read_ids(&mut fields)?;
    for name in IDS {
        read_id(&mut fields, name)?;
    }
    check_size(&fields, max_bytes)?;
    read_checked(kind, Arc::new(JsonObject::of(&fields)), ids)
}

/// Reads a message that came as text. What is plain is read where it stands, in one pass over its members.
fn read_json(message: &Arc<JsonObject>, max_bytes: usize) -> Result<ReadMessage, Reject> {
    match read_plain(message, max_bytes) {
        Some(message) => Ok(ReadMessage { message, warnings: Vec::new() }),
        None => read_message(message.to_object(), max_bytes),
    }
}

/// A message without any fault that has Segment's names and ids that are text; `None` for any other.
fn read_plain(fields: &Arc<JsonObject>, max_bytes: usize) -> Option<Message> {
    if fields.text().len() > max_bytes {
        return None;
    }
    let mut kind = None;
    let (mut event, mut message_id, mut group_id, mut previous_id) = (None, None, None, None);
    let (mut timestamp, mut original_timestamp, mut sent_at, mut received_at) = (None, None, None, None);
    for (name, value) in fields.members() {
        let text = || match value.is_null() {
            true => Some(None),
            false => value.as_text().map(|text| Some(text).filter(|text| !text.is_empty())),
        };
        let time = || if value.is_null() { Some(None) } else { read_instant_of(name, value).ok().map(Some) };
        match name {
            "type" => kind = Some(MessageType::parse(&value.as_text()?)?),
            "event" => event = Some(value),
            "messageId" => message_id = text()?,
            "groupId" => group_id = text()?,
            "previousId" => previous_id = text()?,
            "userId" | "anonymousId" => {
                text()?;
            }
            "timestamp" => timestamp = time()?,
            "originalTimestamp" => original_timestamp = time()?,
            "sentAt" => sent_at = time()?,
            "receivedAt" => received_at = time()?,
            "traits" | "properties" | "context" | "integrations" if matches!(value.kind(), "object" | "null") => {}
            "traits" | "properties" | "context" | "integrations" | "ids" => return None,
            name if name.contains('_') && CASINGS.iter().any(|(snake, _)| *snake == name) => return None,
            _ => {}
        }
    }
    let kind = kind?;
    let event = match kind {
        MessageType::Track => Some(event.and_then(Json::as_text).filter(|event| !event.is_empty())?.into_owned()),
        MessageType::Group => group_id.map(|_| None)?,
        MessageType::Alias => previous_id.map(|_| None)?,
        _ => event_name(kind, fields),
    };
    let message_id = message_id.map(Cow::into_owned);
    if message_id.as_ref().is_some_and(|id| id.len() > MAX_MESSAGE_ID_BYTES) {
        return None;
    }
    let fields = fields.clone();
    Some(Message {
        kind,
        message_id,
        event,
        timestamp,
        original_timestamp,
        sent_at,
        received_at,
        is_dated_by_receipt: false,
        ids: Vec::new(),
        fields,
    })
}

/// Reads a message whose fields have Segment's names and whose ids are text.
fn read_checked(kind: MessageType, fields: Arc<JsonObject>, ids: Vec<(String, String)>) -> Result<ReadMessage, Reject> {
    check_required(kind, |name| fields.get(name).map(|value| (value.kind(), value.text() == "\"\"")))?;
    let mut warnings = Vec::new();
    let sent_at = read_instant(&fields, "sentAt").unwrap_or_else(|_| {
        warnings.push("sentAt is not a time and was ignored".to_owned());
        None
    });
    let timestamp = read_instant(&fields, "timestamp")?;
    let original_timestamp = read_instant(&fields, "originalTimestamp")?;
    let received_at = read_instant(&fields, "receivedAt")?;
    let message_id = text_field(&fields, "messageId");
    if message_id.as_ref().is_some_and(|id| id.len() > MAX_MESSAGE_ID_BYTES) {
        let detail = format!("a message id longer than {MAX_MESSAGE_ID_BYTES} bytes");
        return Err(Reject::at(RejectReason::TooLarge, "messageId", detail));
    }
    let event = event_name(kind, &fields);
    let message = Message {
        kind,
        message_id,
        event,
        timestamp,
        original_timestamp,
        sent_at,
        received_at,
        is_dated_by_receipt: false,
        ids,
        fields,
    };
    Ok(ReadMessage { message, warnings })
}

/// A row that is a Segment message already.
pub(super) fn read_row(row: &Row, max_bytes: usize) -> RowOutcome {
    let read = match &row.values {
        Err(reject) => Err(reject.clone()),
        Ok(RowValues::Message(message)) => read_json(message, max_bytes),
        Ok(values) => match values.to_value() {
            Value::Object(fields) => read_message(fields, max_bytes),
            other => {
                Err(Reject::new(RejectReason::BadValue, format!("expected a message object, found {}", other.kind())))
            }
        },
    };
    match read {
        Err(reject) => RowOutcome::reject(reject),
        Ok(read) => {
            RowOutcome { messages: Ok(vec![read.message]), ignored: 0, warnings: read.warnings, missed: Vec::new() }
        }
    }
}

/// Opens a batch body: its messages, each filled in with the batch's context, integrations, sentAt and receivedAt.
pub(crate) fn open_batch(body: Value) -> Vec<Value> {
    let Value::Object(mut body) = body else { return vec![body] };
    let Some(Value::List(messages)) = body.remove("batch") else { return vec![Value::Object(body)] };
    let mut take = |camel: &str, snake: &str| {
        let value = body.remove(camel).or_else(|| body.remove(snake));
        value.filter(|value| !value.is_null())
    };
    let shared = [
        ("sentAt", "sent_at", take("sentAt", "sent_at")),
        ("receivedAt", "received_at", take("receivedAt", "received_at")),
        ("context", "context", take("context", "context")),
        ("integrations", "integrations", take("integrations", "integrations")),
    ];
    let fill = |message: Value| {
        let Value::Object(mut message) = message else { return message };
        for (camel, snake, value) in &shared {
            let Some(value) = value else { continue };
            let name = if message.contains_key(*camel) || !message.contains_key(*snake) { *camel } else { *snake };
            match (message.get_mut(name), value) {
                (Some(Value::Object(own)), Value::Object(of_batch)) => {
                    for (key, value) in of_batch {
                        own.entry(key.clone()).or_insert_with(|| value.clone());
                    }
                }
                (Some(own), _) if !own.is_null() => {}
                _ => {
                    message.insert(name.to_owned(), value.clone());
                }
            }
        }
        Value::Object(message)
    };
    messages.into_iter().map(fill).collect()
}

/// The properties of a track, page or screen as rules see them: a page's name and category are `page_name` and
/// `page_category`, a screen's `screen_name` and `screen_category`, unless properties of these names are there.
pub(crate) fn event_properties(fields: &JsonObject, kind: MessageType) -> Object {
    let properties = fields.get("properties").and_then(|properties| properties.to_value().into_object());
    let mut properties = properties.unwrap_or_default();
    let names = match kind {
        MessageType::Page => [("name", "page_name"), ("category", "page_category")],
        MessageType::Screen => [("name", "screen_name"), ("category", "screen_category")],
        _ => return properties,
    };
    for (field, property) in names {
        let own = fields.get(field).filter(|value| !value.is_null()).map(Json::to_value);
        let value = own.or_else(|| properties.get(field).filter(|value| !value.is_null()).cloned());
        if let Some(value) = value {
            properties.entry(property.to_owned()).or_insert(value);
        }
    }
    properties
}

/// The event name that rules know the message by.
pub(super) fn event_name(kind: MessageType, fields: &JsonObject) -> Option<String> {
    match kind {
        MessageType::Track => text_field(fields, "event"),
        MessageType::Page => Some("Page Viewed".to_owned()),
        MessageType::Screen => Some("Screen Viewed".to_owned()),
        _ => None,
    }
}

/// The fields that a type cannot do without. `find` gives the kind of a field's value and whether it is empty text.
pub(super) fn check_required(
    kind: MessageType,
    find: impl FnOnce(&str) -> Option<(&'static str, bool)>,
) -> Result<(), Reject> {
    let needed = match kind {
        MessageType::Track => "event",
        MessageType::Group => "groupId",
        MessageType::Alias => "previousId",
        _ => return Ok(()),
    };
    match find(needed) {
        Some(("text", false)) => Ok(()),
        None | Some(("text" | "null", _)) => {
            let detail = format!("a {} needs `{needed}`", kind.as_str());
            Err(Reject::at(RejectReason::MissingField, needed, detail))
        }
        Some((found, _)) => {
            let detail = format!("expected text, found {found}");
            Err(Reject::at(RejectReason::BadValue, needed, detail))
        }
    }
}

/// Refuses a message whose canonical JSON is larger than `max_bytes`, or so deep that it could not be read again.
pub(super) fn check_size(fields: &Object, max_bytes: usize) -> Result<(), Reject> {
    // Writing every message out to measure it would cost as much as mapping it; most are far below the limit.
    let (most_bytes, levels) = measure(fields);
    if levels > MAX_DEPTH {
        return Err(Reject::new(RejectReason::TooDeep, format!("a message nested deeper than {MAX_DEPTH} levels")));
    }
    if most_bytes <= max_bytes {
        return Ok(());
    }
    let mut json = String::new();
    write_json_object(fields, &mut json);
    if json.len() <= max_bytes {
        return Ok(());
    }
    Err(too_large(max_bytes))
}

fn too_large(max_bytes: usize) -> Reject {
    Reject::new(RejectReason::TooLarge, format!("a message larger than {max_bytes} bytes"))
}

/// An upper bound of the length of the canonical JSON (an escaped character takes six bytes, a number at most 32), and how
/// many levels it has. Rows are at most 64 deep, so the recursion is bounded.
fn measure(fields: &Object) -> (usize, usize) {
    fn of(value: &Value) -> (usize, usize) {
        match value {
            Value::Null | Value::Bool(_) => (6, 0),
            Value::Number(_) => (34, 0),
            Value::Text(text) => (text.len() * 6 + 3, 0),
            Value::List(items) => {
                let (bytes, levels) =
                    items.iter().map(of).fold((0, 0), |(bytes, levels), (b, l)| (bytes + b, levels.max(l)));
                (bytes + 3, levels + 1)
            }
            Value::Object(object) => measure(object),
        }
    }
    let (mut bytes, mut levels) = (3, 0);
    for (key, value) in fields {
        let (of_value, below) = of(value);
        bytes += key.len() * 6 + 4 + of_value;
        levels = levels.max(below);
    }
    (bytes, levels + 1)
}

/// An identifier as text: text as it is, an integer as its digits; empty text and null are no identifier.
pub(super) fn id_text(value: &Value, field: &str) -> Result<Option<String>, Reject> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) if text.is_empty() => Ok(None),
        Value::Text(text) => Ok(Some(text.clone())),
        Value::Number(number) if is_integer(*number) => Ok(Some(number.to_string())),
        other => {
            let detail = format!("expected text or an integer, found {}", other.kind());
            Err(Reject::at(RejectReason::BadValue, field, detail))
        }
    }
}

fn is_integer(number: Number) -> bool {
    number.nanos() % 1_000_000_000 == 0
}

/// The type, once every field that must be an object is one.
fn read_type(fields: &JsonObject) -> Result<MessageType, Reject> {
    let allowed = || MessageType::ALL.map(MessageType::as_str).join(", ");
    let kind = match fields.get("type").filter(|value| !value.is_null()) {
        None => {
            let detail = format!("a message needs `type`: one of {}", allowed());
            return Err(Reject::at(RejectReason::MissingField, "type", detail));
        }
        Some(value) => value
            .as_text()
            .and_then(|word| MessageType::parse(&word))
            .ok_or_else(|| Reject::at(RejectReason::BadValue, "type", format!("expected one of {}", allowed())))?,
    };
    for name in OBJECTS {
        if let Some(value) = fields.get(name).filter(|value| !matches!(value.kind(), "object" | "null")) {
            let detail = format!("expected an object, found {}", value.kind());
            return Err(Reject::at(RejectReason::BadValue, name, detail));
        }
    }
    Ok(kind)
}

fn read_id(fields: &mut Object, name: &str) -> Result<(), Reject> {
    let Some(value) = fields.get_mut(name) else { return Ok(()) };
    if let Value::Number(_) = value {
        let text = id_text(value, name)?;
        *value = text.map_or(Value::Null, Value::Text);
        return Ok(());
    }
    id_text(value, name).map(|_| ())
}

/// The identifiers of `ids`; a user_id or anonymous_id among them fills the field of its own if that is empty.
fn read_ids(fields: &mut Object) -> Result<Vec<(String, String)>, Reject> {
    let Some(Value::Object(given)) = fields.remove("ids") else { return Ok(Vec::new()) };
    let (mut ids, mut kept) = (Vec::new(), Object::new());
    for (identifier_type, value) in given {
        let Some(text) = id_text(&value, &identifier_type)? else { continue };
        let field = match identifier_type.as_str() {
            "user_id" | "userId" => Some("userId"),
            "anonymous_id" | "anonymousId" => Some("anonymousId"),
            "group_id" | "groupId" => Some("groupId"),
            _ => None,
        };
        match field {
            Some(field) if fields.get(field).is_none_or(Value::is_null) => {
                fields.insert(field.to_owned(), Value::Text(text));
            }
            _ => {
                kept.insert(identifier_type.clone(), Value::Text(text.clone()));
                ids.push((identifier_type, text));
            }
        }
    }
    if !kept.is_empty() {
        fields.insert("ids".to_owned(), Value::Object(kept));
    }
    Ok(ids)
}

fn read_instant(fields: &JsonObject, name: &str) -> Result<Option<Timestamp>, Reject> {
    fields.get(name).filter(|value| !value.is_null()).map(|value| read_instant_of(name, value)).transpose()
}

fn read_instant_of(name: &str, value: Json<'_>) -> Result<Timestamp, Reject> {
    let bad_time = |fault| super::expression::bad_time(name, fault);
    match value.as_text() {
        Some(text) => Timestamp::parse(&text).map_err(bad_time),
        None => {
            let value = value.to_value();
            read_time(&super::expression::found(&value), &crate::definitions::TimeFormat::default()).map_err(bad_time)
        }
    }
}

fn text_field(fields: &JsonObject, name: &str) -> Option<String> {
    fields.get(name).and_then(Json::as_text).filter(|text| !text.is_empty()).map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{shared, skipped};
    use super::*;

    fn read(text: &str) -> Result<ReadMessage, Reject> {
        let Value::Object(fields) = Value::parse(text.as_bytes()).unwrap() else { panic!("not an object") };
        read_message(fields, crate::intake::MAX_MESSAGE_BYTES)
    }

    fn json(text: &str) -> String {
        read(text).unwrap().message.fields.text().to_owned()
    }

    #[test]
    fn both_casings_are_one_message_and_nothing_is_dropped() {
        let expected =
            r#"{"anonymousId":"a","event":"E","extra":{"user_id":1},"messageId":"7","type":"track","userId":"42"}"#;
        assert_eq!(
            json(
                r#"{"type":"track","event":"E","user_id":42,"anonymous_id":"a","message_id":7,"extra":{"user_id":1}}"#
            ),
            expected
        );
        assert_eq!(
            json(
                r#"{"type":"track","event":"E","userId":"42","anonymousId":"a","messageId":"7","extra":{"user_id":1}}"#
            ),
            expected
        );
        assert_eq!(
            json(r#"{"type":"identify","userId":"a","user_id":"b"}"#),
            r#"{"type":"identify","userId":"a","user_id":"b"}"#
        );
    }

    #[test]
    fn a_message_that_cannot_be_meant_is_a_reject_with_its_field() {
        let cases = [
            (r#"{"event":"E"}"#, "missing_field", "type"),
            (r#"{"type":"trak"}"#, "bad_value", "type"),
            (r#"{"type":"track","userId":"u"}"#, "missing_field", "event"),
            (r#"{"type":"track","event":""}"#, "missing_field", "event"),
            (r#"{"type":"track","event":5}"#, "bad_value", "event"),
            (r#"{"type":"group","userId":"u"}"#, "missing_field", "groupId"),
            (r#"{"type":"alias","userId":"u"}"#, "missing_field", "previousId"),
            (r#"{"type":"identify","userId":1.5}"#, "bad_value", "userId"),
            (r#"{"type":"identify","userId":["u"]}"#, "bad_value", "userId"),
            (r#"{"type":"identify","ids":{"email":true}}"#, "bad_value", "email"),
            (r#"{"type":"identify","traits":[1]}"#, "bad_value", "traits"),
            (r#"{"type":"identify","timestamp":"yesterday"}"#, "bad_timestamp", "timestamp"),
            (r#"{"type":"identify","originalTimestamp":true}"#, "bad_timestamp", "originalTimestamp"),
            (r#"{"type":"identify","received_at":"2500-01-01"}"#, "bad_timestamp", "receivedAt"),
        ];
        for (text, reason, field) in cases {
            let reject = read(text).unwrap_err();
            assert_eq!((reject.reason.as_str(), reject.field.as_deref()), (reason, Some(field)), "{text}");
        }
        let large = format!(r#"{{"type":"identify","traits":{{"a":"{}"}}}}"#, "x".repeat(33_000));
        assert_eq!(read(&large).unwrap_err().reason, RejectReason::TooLarge);
        let id = format!(r#"{{"type":"identify","messageId":"{}"}}"#, "x".repeat(1025));
        assert_eq!(read(&id).unwrap_err().field.as_deref(), Some("messageId"));
    }

    #[test]
    fn a_bad_sent_at_is_ignored_with_a_warning() {
        let read = read(r#"{"type":"identify","userId":"u","sentAt":"now","timestamp":1700000000000}"#).unwrap();
        assert_eq!(read.message.sent_at, None);
        assert_eq!(read.warnings.len(), 1);
        assert_eq!(read.message.timestamp, Some(Timestamp::from_millis(1_700_000_000_000)));
    }

    #[test]
    fn identifiers_by_type_fill_the_fields_of_their_own() {
        let message = read(r#"{"type":"identify","ids":{"user_id":5,"email":"a@x","phone":null}}"#).unwrap().message;
        assert_eq!(message.text("userId").as_deref(), Some("5"));
        assert_eq!(message.ids, [("email".to_owned(), "a@x".to_owned())]);
        assert_eq!(message.fields.get("ids").unwrap().text(), r#"{"email":"a@x"}"#);
    }

    #[test]
    fn a_page_is_an_event_with_its_name_as_property() {
        let text = r#"{"type":"page","name":"Home","category":"Shop","userId":"u","properties":{"url":"/"}}"#;
        let message = read(text).unwrap().message;
        assert_eq!(message.event.as_deref(), Some("Page Viewed"));
        let properties = Value::Object(event_properties(&message.fields, message.kind)).to_json();
        assert_eq!(properties, r#"{"page_category":"Shop","page_name":"Home","url":"/"}"#);
        assert_eq!(message.object("properties").unwrap().len(), 1);
    }

    #[test]
    fn the_published_segment_messages_parse_or_say_why_not() {
        let files = ["spec_calls_normalised.jsonl", "spec_examples.jsonl", "other_json_blocks.jsonl"];
        for name in files {
            let Some(path) = shared(&format!("segment-spec/{name}")) else { return skipped("segment-spec") };
            let (mut accepted, mut rejected) = (0, Vec::new());
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let payload = Value::parse(line.as_bytes()).unwrap().get("payload").cloned().unwrap();
                let Value::Object(fields) = payload else { continue };
                match read_message(fields, crate::intake::MAX_MESSAGE_BYTES) {
                    Ok(_) => accepted += 1,
                    Err(reject) => {
                        rejected.push(format!("{}:{}", reject.reason.as_str(), reject.field.unwrap_or_default()))
                    }
                }
            }
            println!("{name}: {accepted} accepted, rejected {rejected:?}");
            assert!(
                accepted > 40 || name == "other_json_blocks.jsonl",
                "{name}: {accepted} accepted, rejected {rejected:?}"
            );
        }
    }
}
