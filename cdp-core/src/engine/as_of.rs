//! The instants that a read asks about: when facts happened (valid), and by when they had come to the store (known).
//!
//! A read without a known time sees everything. With one, it sees the state that the facts recorded by then give under the
//! definitions that hold now: RAM is derived from that part of the log once and kept until the store changes.

use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::handle::Cdp;
use crate::engine::handle::Length;
use crate::engine::snapshot::Snapshot;
use crate::engine::state::State;
use crate::error::{Error, Result};
use crate::records::{Timestamp, TimestampFault, Value};

/// The instant, or instants, that a read asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AsOf {
    /// Facts that happened later do not count; `None` is now.
    pub valid: Option<Timestamp>,
    /// Facts that were recorded later do not count; `None` is all.
    pub known: Option<Timestamp>,
}

impl AsOf {
    /// At this instant, from everything that is known today.
    pub fn at(time: Timestamp) -> AsOf {
        AsOf { valid: Some(time), known: None }
    }

    /// Reads `null`, a time, or `{"valid": time, "known": time}`.
    pub fn from_value(value: Option<&Value>) -> Result<AsOf> {
        match value {
            None | Some(Value::Null) => Ok(AsOf::default()),
            Some(Value::Object(object)) => {
                if let Some(unknown) = object.keys().find(|name| !["valid", "known"].contains(&name.as_str())) {
                    return Err(Error::invalid(format!("as_of: unknown key `{unknown}`"))
                        .with_hint("give a time, or {\"valid\": time, \"known\": time}"));
                }
                let time = |name: &str| object.get(name).filter(|time| !time.is_null()).map(timestamp_from).transpose();
                Ok(AsOf { valid: time("valid")?, known: time("known")? })
            }
            Some(time) => Ok(AsOf::at(timestamp_from(time)?)),
        }
    }
}

/// A time as callers give it: RFC 3339 text or milliseconds since 1970.
pub(crate) fn timestamp_from(value: &Value) -> Result<Timestamp> {
    let parsed = match value {
        Value::Text(text) => Timestamp::parse(text),
        Value::Number(number) => {
            number.as_i64().ok_or(TimestampFault::Unparsable).and_then(Timestamp::checked_from_millis)
        }
        _ => Err(TimestampFault::Unparsable),
    };
    parsed.map_err(|fault| Error::invalid(fault.to_string()))
}

/// The state of a past known time that was asked for last, and the revision of the store that it was derived from.
#[derive(Default)]
pub(crate) struct Past(Mutex<Option<(i64, Timestamp, Arc<State>)>>);

impl Cdp {
    pub(crate) fn instant(&self, as_of: AsOf) -> Timestamp {
        as_of.valid.unwrap_or_else(|| self.now())
    }

    /// Runs `work` on the snapshot that a read asks about. A known time that was not asked for last costs a pass over the
    /// log, and RAM for what it says.
    pub(crate) fn read_as_of<T>(
        &self,
        length: Length,
        as_of: Option<AsOf>,
        work: impl FnOnce(&Snapshot<'_>) -> Result<T>,
    ) -> Result<T> {
        let Some(known) = as_of.and_then(|as_of| as_of.known) else { return self.read_for(length, work) };
        self.check_open()?;
        self.inner.store.read(|facts, revision| {
            let mut past = self.inner.past.0.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = past.as_ref().filter(|(of, at, _)| (*of, *at) == (revision, known));
            let state = match kept {
                Some((.., state)) => state.clone(),
                None => Arc::new(State::load_known(facts, self.inner.memory_options, known)?),
            };
            *past = Some((revision, known, state.clone()));
            drop(past);
            work(&Snapshot::of_state(facts, &state))
        })
    }
}
