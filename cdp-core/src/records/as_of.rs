//! The instants that a read asks about: when facts happened (valid), and by when they had come to the store (known).

use crate::error::{Error, Result};
use crate::records::{Timestamp, TimestampFault, Value};

/// The instant, or instants, that a read asks about.
///
/// ```
/// use cdp_core::records::{AsOf, Timestamp};
/// let march: Timestamp = "2024-03-01".parse()?;
/// let as_reported = AsOf::at(march).known("2024-03-05".parse::<Timestamp>()?);
/// assert_eq!(as_reported.valid, Some(march));
/// assert_eq!(AsOf::from(march), AsOf::at(march));
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AsOf {
    /// Facts that happened later do not count; `None` is now.
    pub valid: Option<Timestamp>,
    /// Facts that were recorded later do not count; `None` is all.
    pub known: Option<Timestamp>,
}

impl AsOf {
    /// The present instant, from everything that is known.
    pub const NOW: AsOf = AsOf { valid: None, known: None };

    /// At this instant, from everything that is known today.
    pub fn at(time: impl Into<Timestamp>) -> AsOf {
        AsOf { valid: Some(time.into()), known: None }
    }

    /// The instant with a known time: facts recorded after `time` do not count.
    #[must_use]
    pub fn known(self, time: impl Into<Timestamp>) -> AsOf {
        AsOf { known: Some(time.into()), ..self }
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

/// At this instant.
impl From<Timestamp> for AsOf {
    fn from(time: Timestamp) -> AsOf {
        AsOf::at(time)
    }
}

/// The present instant where none is given.
impl From<Option<AsOf>> for AsOf {
    fn from(as_of: Option<AsOf>) -> AsOf {
        as_of.unwrap_or_default()
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
