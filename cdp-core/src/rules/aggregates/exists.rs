//! `exists`: whether there is any event.

use super::Aggregation;
use crate::error::Result;
use crate::records::Value;
use crate::rules::measure::{Measured, Measuring};
use crate::rules::plan::{GatheredValue, TallyKind};

pub(super) struct Exists;

impl Aggregation for Exists {
    fn fold(&self, mut measuring: Measuring<'_, '_>) -> Result<Measured> {
        let latest = measuring.events().next_back().map(|event| event.occurred_at);
        Ok(Measured { value: latest.map(|_| Value::Bool(true)), latest })
    }

    fn of_nothing(&self) -> Value {
        Value::Bool(false)
    }

    fn gather(&self, tally: &mut dyn FnMut(TallyKind) -> usize) -> Option<GatheredValue> {
        Some(GatheredValue::Exists(tally(TallyKind::Count)))
    }
}
