//! The state of a past known time that was asked for last. Only that one is kept; any other costs a pass over the log.

use std::sync::{Arc, Mutex};

use crate::engine::state::State;
use crate::records::Timestamp;

/// The state of a past known time that was asked for last, and the revision of the store that it was derived from.
#[derive(Default)]
pub(in crate::engine) struct Past(pub(crate) Mutex<Option<(i64, Timestamp, Arc<State>)>>);
