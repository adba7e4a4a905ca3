//! `sum`: the sum of the numbers of a property.

use super::Aggregation;
use crate::error::Result;
use crate::records::{Number, Value};
use crate::rules::measure::{Measured, Measuring};
use crate::rules::plan::{GatheredValue, TallyKind};

pub(super) struct Sum;

impl Aggregation for Sum {
    fn fold(&self, mut measuring: Measuring<'_, '_>) -> Result<Measured> {
        let totals = measuring.totals()?;
        Ok(totals.measured((totals.n_values > 0).then_some(totals.total)))
    }

    fn of_nothing(&self) -> Value {
        Value::Null
    }

    fn of_nothing_in_comparison(&self) -> Value {
        // No events sum to 0; a feature marks them by its default.
        Value::Number(Number::ZERO)
    }

    fn gather(&self, tally: &mut dyn FnMut(TallyKind) -> usize) -> Option<GatheredValue> {
        Some(GatheredValue::Sum { count: tally(TallyKind::Count), total: tally(TallyKind::Total) })
    }
}
