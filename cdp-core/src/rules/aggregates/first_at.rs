//! `first_at`: when the earliest event happened.

use super::Aggregation;
use crate::error::Result;
use crate::records::Value;
use crate::rules::measure::{Measured, Measuring};
use crate::rules::plan::{GatheredValue, TallyKind};

pub(super) struct FirstAt;

impl Aggregation for FirstAt {
    fn fold(&self, mut measuring: Measuring<'_, '_>) -> Result<Measured> {
        let earliest = measuring.events().next().map(|event| event.occurred_at);
        Ok(Measured { value: earliest.map(|time| Value::Text(time.to_string())), latest: earliest })
    }

    fn of_nothing(&self) -> Value {
        Value::Null
    }

    fn gather(&self, tally: &mut dyn FnMut(TallyKind) -> usize) -> Option<GatheredValue> {
        Some(GatheredValue::Time(tally(TallyKind::Earliest)))
    }

    fn latest_event(&self) -> TallyKind {
        // One event is behind the value: the first.
        TallyKind::Earliest
    }
}
