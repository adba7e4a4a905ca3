//! `avg`: the mean of the numbers of a property, rounded half-even to nine places.

use super::Aggregation;
use crate::error::Result;
use crate::records::Value;
use crate::rules::measure::{Measured, Measuring};
use crate::rules::plan::{GatheredValue, TallyKind};

pub(super) struct Avg;

impl Aggregation for Avg {
    fn fold(&self, mut measuring: Measuring<'_, '_>) -> Result<Measured> {
        let totals = measuring.totals()?;
        Ok(totals.measured(totals.total.divide_by_count(totals.n_values)))
    }

    fn of_nothing(&self) -> Value {
        Value::Null
    }

    fn gather(&self, tally: &mut dyn FnMut(TallyKind) -> usize) -> Option<GatheredValue> {
        Some(GatheredValue::Average { count: tally(TallyKind::Count), total: tally(TallyKind::Total) })
    }
}
