//! A message of the Segment dialect, mapped and checked, whole and lossless: what the log keeps as a fact.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::{Json, JsonObject, Object, Timestamp};

/// What kind of fact a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageType {
    /// Identifiers and traits of a person.
    Identify,
    /// An event of a person.
    Track,
    /// A page of a web site was viewed.
    Page,
    /// A screen of an app was viewed.
    Screen,
    /// A person belongs to an account.
    Group,
    /// Two ids mean the same person.
    Alias,
    /// A choice about the use of personal data.
    Consent,
}

impl MessageType {
    /// Every type, in the order of its number in the file.
    pub const ALL: [MessageType; 7] = [
        MessageType::Identify,
        MessageType::Track,
        MessageType::Page,
        MessageType::Screen,
        MessageType::Group,
        MessageType::Alias,
        MessageType::Consent,
    ];

    /// The word in the `type` field.
    pub fn as_str(self) -> &'static str {
        match self {
            MessageType::Identify => "identify",
            MessageType::Track => "track",
            MessageType::Page => "page",
            MessageType::Screen => "screen",
            MessageType::Group => "group",
            MessageType::Alias => "alias",
            MessageType::Consent => "consent",
        }
    }

    /// The type of this word.
    pub fn parse(text: &str) -> Option<MessageType> {
        MessageType::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The number that stands for the type in the file.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The type of this number.
    pub fn from_code(code: i64) -> Option<MessageType> {
        MessageType::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// A message on its way into the log.
///
/// Its `fields` are the whole message in Segment's camelCase form (`type`, `event`, `userId`, `properties`, ...), with
/// nothing dropped; the named fields beside them are those that the flow reads.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// What kind of fact this is.
    pub kind: MessageType,
    /// The id under which the message counts once for ever, together with its source.
    pub message_id: Option<String>,
    /// The event name of a track; `Page Viewed` and `Screen Viewed` for pages and screens.
    pub event: Option<String>,
    /// When it happened, by the clock of the sender.
    pub timestamp: Option<Timestamp>,
    /// When it happened, by the clock of the device, before a collector corrected it.
    pub original_timestamp: Option<Timestamp>,
    /// When it was sent, by the clock of the device.
    pub sent_at: Option<Timestamp>,
    /// When a collector received it.
    pub received_at: Option<Timestamp>,
    /// Whether `timestamp` is the instant of receipt, because its source says so, and no time of the sender.
    pub is_dated_by_receipt: bool,
    /// Identifiers given by type (`ids`, keywords, a source's `ids`), beside those in the fields.
    pub ids: Vec<(String, String)>,
    /// The whole message as canonical JSON.
    pub fields: Arc<JsonObject>,
}

/// Shows the type and the names of the fields, never a value.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with fields {:?}", self.kind.as_str(), self.fields)
    }
}

impl Message {
    /// Whether the clock of the store dates the message: it brings neither a time of the sender nor one of a collector.
    pub fn is_untimed(&self) -> bool {
        self.is_dated_by_receipt
            || (self.timestamp.is_none() && self.original_timestamp.is_none() && self.received_at.is_none())
    }

    /// The text of a field, if it is text.
    pub fn text(&self, field: &str) -> Option<Cow<'_, str>> {
        self.fields.get(field).and_then(Json::as_text)
    }

    /// An object field (`properties`, `traits`, `context`), if it is there.
    pub fn object(&self, field: &str) -> Option<Object> {
        self.fields.get(field).and_then(|value| value.to_value().into_object())
    }
}
