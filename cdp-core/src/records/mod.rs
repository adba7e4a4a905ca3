//! The plain data that flows: values, numbers, instants, messages, receipts, tables. No module of its own; every module
//! reads it, and it knows none of them.

pub(crate) mod answer;
mod as_of;
pub(crate) mod base64;
mod convert;
mod deserialize;
mod evidence;
mod fault;
mod frame;
mod identifier;
mod json;
mod message;
mod message_builders;
mod number;
pub(crate) mod object_fields;
pub(crate) mod options;
mod order;
mod path;
mod receipt;
mod rows;
#[cfg(test)]
mod serde_tests;
mod serialize;
mod time;
mod value;

pub use as_of::AsOf;
pub(crate) use as_of::timestamp_from;
pub use deserialize::{from_value, from_value_ref};
pub(crate) use evidence::{Decision, DecisionType, LinkRule, ProbableLink, StoredLink};
pub use frame::{Cells, Column, Frame};
pub use identifier::{Identifier, IntoIdentifier};
pub use json::{Json, JsonObject, JsonObjectBuilder};
pub use message::{Message, MessageType};
pub use message_builders::{Alias, Consent, Group, Identify, Page, Screen, Track};
pub use number::{Number, NumberFault};
pub(crate) use order::{Ordinals, TieOrder};
pub use path::Path;
pub use receipt::{FIRST_REJECTS, Receipt, Reject, RejectReason, RejectSample};
pub use rows::{Row, Rows, TypedRows};
pub use serialize::to_value;
pub use time::{Duration, Timestamp, TimestampFault};
pub use value::{JsonFault, MAX_DEPTH, Object, Value, write_json_object, write_json_text};
