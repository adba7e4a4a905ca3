//! `last_at`: when the latest event happened.

use super::Aggregation;
use crate::error::Result;
use crate::records::Value;
use crate::rules::measure::{Measured, Measuring};
use crate::rules::plan::{GatheredValue, TallyKind};

pub(super) struct LastAt;

impl Aggregation for LastAt {
    fn fold(&self, mut measuring: Measuring<'_, '_>) -> Result<Measured> {
        let latest = measuring.events().next_back().map(|event| event.occurred_at);
        Ok(Measured { value: latest.map(|time| Value::Text(time.to_string())), latest })
    }

    fn of_nothing(&self) -> Value {
        Value::Null
    }

    fn gather(&self, tally: &mut dyn FnMut(TallyKind) -> usize) -> Option<GatheredValue> {
        Some(GatheredValue::Time(tally(TallyKind::Latest)))
    }
}
