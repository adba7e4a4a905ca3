//! The plain data that flows: values, numbers, instants, messages, receipts, tables. No room of its own; every room
//! reads it, and it knows none of them.

pub(crate) mod base64;
mod evidence;
mod frame;
mod json;
mod message;
mod number;
mod order;
mod path;
mod receipt;
mod time;
mod value;

pub(crate) use evidence::{Decision, DecisionType, LinkRule, ProbableLink, StoredLink};
pub use frame::{Cells, Column, Frame};
pub use json::{Json, JsonObject, JsonObjectBuilder};
pub use message::{Message, MessageType};
pub use number::{Number, NumberFault};
pub(crate) use order::{Ordinals, TieOrder};
pub use path::Path;
pub use receipt::{FIRST_REJECTS, Receipt, Reject, RejectReason, RejectSample};
pub use time::{Duration, Timestamp, TimestampFault};
pub use value::{JsonFault, MAX_DEPTH, Object, Value, write_json_object, write_json_text};
