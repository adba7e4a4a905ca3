//! `distinct_days`: on how many UTC days there was an event.

use super::Aggregation;
use crate::error::Result;
use crate::records::{Number, Timestamp, Value};
use crate::rules::measure::{Measured, Measuring};

pub(super) struct DistinctDays;

impl Aggregation for DistinctDays {
    fn fold(&self, mut measuring: Measuring<'_, '_>) -> Result<Measured> {
        let (mut days, mut latest) = (0, None::<Timestamp>);
        for event in measuring.events() {
            // The events are sorted by time, so a day that differs from the one before has not been seen.
            days += usize::from(latest.is_none_or(|before| before.day() != event.occurred_at.day()));
            latest = Some(event.occurred_at);
        }
        Ok(Measured { value: (days > 0).then(|| Value::count(days)), latest })
    }

    fn of_nothing(&self) -> Value {
        Value::Number(Number::ZERO)
    }
}
