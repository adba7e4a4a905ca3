//! The plain data that flows: values, numbers, instants, messages, receipts, tables. No module of its own; every module
//! reads it, and it knows none of them.

mod as_of;
pub(crate) mod base64;
mod evidence;
mod frame;
mod identifier;
mod json;
mod message;
mod number;
mod order;
mod path;
mod receipt;
mod time;
mod value;

pub use as_of::AsOf;
pub(crate) use as_of::timestamp_from;
pub(crate) use evidence::{Decision, DecisionType, LinkRule, ProbableLink, StoredLink};
pub use frame::{Cells, Column, Frame};
pub use identifier::Identifier;
pub use json::{Json, JsonObject, JsonObjectBuilder};
pub use message::{Message, MessageType};
pub use number::{Number, NumberFault};
pub(crate) use order::{Ordinals, TieOrder};
pub use path::Path;
pub use receipt::{FIRST_REJECTS, Receipt, Reject, RejectReason, RejectSample};
pub use time::{Duration, Timestamp, TimestampFault};
pub use value::{JsonFault, MAX_DEPTH, Object, Value, write_json_object, write_json_text};
