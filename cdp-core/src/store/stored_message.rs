//! A message read from the log: complete, with its sequence and a checksum that detects damage.

use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::records::{JsonObject, MessageType, Timestamp};

/// A message as the log stores it.
#[derive(Clone)]
pub(crate) struct StoredMessage {
    pub(crate) sequence: u64,
    pub(crate) source: u32,
    pub(crate) message_id: String,
    pub(crate) kind: MessageType,
    pub(crate) event: Option<u32>,
    pub(crate) node: u32,
    pub(crate) own: OwnNodes,
    pub(crate) occurred_at: Timestamp,
    /// Orders messages of one instant before their ids do.
    pub(crate) ordinal: u64,
    pub(crate) recorded_at: Timestamp,
    /// The whole message as canonical JSON.
    pub(crate) fields: Arc<JsonObject>,
    /// The CRC-32 that was stored with the message, to detect damage.
    pub(crate) checksum: u32,
}

impl StoredMessage {
    /// Whether the message matches its checksum.
    pub(crate) fn is_whole(&self) -> bool {
        checksum(&self.fields) == self.checksum
    }
}

/// CRC-32 of a message's canonical text.
pub(crate) fn checksum(fields: &JsonObject) -> u32 {
    crc32fast::hash(fields.text().as_bytes())
}

/// The nodes of a message's own ids, with values exactly as the message states them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnNodes {
    /// The node of `userId`.
    pub(crate) user: Option<u32>,
    /// The node of `anonymousId`.
    pub(crate) anonymous: Option<u32>,
}

impl OwnNodes {
    /// The other end of the link between these two nodes, seen from `node`.
    pub(crate) fn linked_to(self, node: u32) -> Option<u32> {
        let (user, anonymous) = (self.user?, self.anonymous?);
        match node {
            _ if user == anonymous => None,
            node if node == user => Some(anonymous),
            node if node == anonymous => Some(user),
            _ => None,
        }
    }
}

/// The error for a row of the log that cannot be decoded.
pub(super) fn unreadable_message(sequence: u64) -> Error {
    Error::new(ErrorKind::Corrupt, format!("message {sequence} of the log is not readable"))
        .with_hint("restore the store from a backup")
}
