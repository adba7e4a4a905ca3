//! The only door to the wall clock. Everything else takes the time from a [`Clock`] and is deterministic.

use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::records::Timestamp;

/// Where "now" comes from.
#[derive(Debug, Default)]
pub enum Clock {
    /// The clock of the operating system.
    #[default]
    System,
    /// A clock that stands still and moves, forward only, by [`Clock::advance_to`].
    Manual(Mutex<Timestamp>),
}

impl Clock {
    /// A clock that stands at `time`.
    pub fn manual(time: Timestamp) -> Clock {
        Clock::Manual(Mutex::new(time))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => {
                #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
                let millis = match since_1970 {
                    Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
                    Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
                };
                Timestamp::from_millis(millis)
            }
            Clock::Manual(time) => *time.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }

    /// Moves a manual clock to `time` if that lies after its present; the system clock is left alone.
    pub fn advance_to(&self, time: Timestamp) {
        if let Clock::Manual(present) = self {
            let mut present = present.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *present = (*present).max(time);
        }
    }
}

/// Measures how long a call has run, for progress reports only: no result depends on it.
#[derive(Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the monotonic clock")]
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Milliseconds since the start.
    pub(crate) fn elapsed_ms(&self) -> u128 {
        self.0.elapsed().as_millis()
    }
}
