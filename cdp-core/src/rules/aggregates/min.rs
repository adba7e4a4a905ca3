//! `min`: the least number of a property.

use super::Aggregation;
use crate::error::Result;
use crate::records::Value;
use crate::rules::measure::{Measured, Measuring};
use crate::rules::plan::{GatheredValue, TallyKind};

pub(super) struct Min;

impl Aggregation for Min {
    fn fold(&self, mut measuring: Measuring<'_, '_>) -> Result<Measured> {
        let totals = measuring.totals()?;
        Ok(totals.measured(totals.least))
    }

    fn of_nothing(&self) -> Value {
        Value::Null
    }

    fn gather(&self, tally: &mut dyn FnMut(TallyKind) -> usize) -> Option<GatheredValue> {
        Some(GatheredValue::Extreme(tally(TallyKind::Least)))
    }
}
