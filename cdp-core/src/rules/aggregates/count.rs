//! `count`: how many events.

use super::Aggregation;
use crate::error::Result;
use crate::records::{Number, Value};
use crate::rules::measure::{Measured, Measuring};
use crate::rules::plan::{GatheredValue, TallyKind};

pub(super) struct Count;

impl Aggregation for Count {
    fn fold(&self, mut measuring: Measuring<'_, '_>) -> Result<Measured> {
        let (mut count, mut latest) = (0, None);
        for event in measuring.events() {
            count += 1;
            latest = Some(event.occurred_at);
        }
        Ok(Measured { value: (count > 0).then(|| Value::count(count)), latest })
    }

    fn of_nothing(&self) -> Value {
        Value::Number(Number::ZERO)
    }

    fn gather(&self, tally: &mut dyn FnMut(TallyKind) -> usize) -> Option<GatheredValue> {
        Some(GatheredValue::Count(tally(TallyKind::Count)))
    }

    fn counts_events(&self) -> bool {
        true
    }
}
