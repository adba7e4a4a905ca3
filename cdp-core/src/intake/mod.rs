//! From bytes to messages: the pure part of collecting.
//!
//! This room takes bytes (or values) and a source definition; it leaves messages in Segment's form, or rejects that say
//! why. It streams: a file of any size is read in bounded memory, and nothing in it can make the module panic. It knows no
//! store, no clock and no identity rules: duplicates and identity are decided further down.
//!
//! Data order: [`readers`] (bytes -> [`Row`]) -> [`mapping`] or [`segment`] (row -> messages) -> [`skew`] (when it
//! happened) and [`hash`] (what it says).

mod bytes;
mod csv;
mod expression;
mod gates;
mod hash;
pub(crate) mod input;
mod json;
mod mapping;
mod ndjson;
mod readers;
mod row;
pub(crate) mod segment;
mod skew;
mod times;

#[cfg(test)]
mod testing;

use crate::records::{Message, Reject};

pub(crate) use bytes::ReadOptions;
pub(crate) use gates::GateTally;
pub(crate) use hash::{content_hash, reject_hash};
pub(crate) use mapping::Mapper;
pub(crate) use readers::{detect_format, rows};
pub(crate) use row::{Cells, Found, Row, RowValues};
pub(crate) use segment::{event_properties, read_message};
pub(crate) use skew::occurred_at;

use row::{Bounds, Columns, find_in};

/// The largest message by default, as canonical JSON: 32 KiB, as in Segment's HTTP API.
pub(crate) const MAX_MESSAGE_BYTES: usize = 32 * 1024;

/// What became of one row.
#[derive(Clone, Debug)]
pub(crate) struct RowOutcome {
    /// All its messages, or why there are none: a row is atomic.
    pub messages: Result<Vec<Message>, Reject>,
    /// Messages that the source says to leave out; a row that makes no message at all counts as one.
    pub ignored: u64,
    /// What a person should know although nothing was lost; the same words for every row.
    pub warnings: Vec<String>,
    /// The gates with `mostly` that the row does not pass, by their place in the definition; see [`GateTally`].
    pub missed: Vec<usize>,
}

impl RowOutcome {
    pub(crate) fn reject(reject: Reject) -> RowOutcome {
        RowOutcome { messages: Err(reject), ignored: 0, warnings: Vec::new(), missed: Vec::new() }
    }
}
