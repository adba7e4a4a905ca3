//! `count_distinct`: how many different values a property has. A value that is a list of values counts each of them.

use std::collections::BTreeSet;

use super::Aggregation;
use crate::error::Result;
use crate::records::{Number, Value};
use crate::rules::measure::{Measured, Measuring};
use crate::rules::timeline::contributions;

pub(super) struct CountDistinct;

impl Aggregation for CountDistinct {
    fn fold(&self, mut measuring: Measuring<'_, '_>) -> Result<Measured> {
        let (property, view) = (measuring.property()?, measuring.view());
        let (mut seen, mut latest) = (BTreeSet::new(), None);
        for event in measuring.events() {
            for value in contributions(view, event, property) {
                seen.insert(value.to_json());
                latest = Some(event.occurred_at);
            }
        }
        Ok(Measured { value: (!seen.is_empty()).then(|| Value::count(seen.len())), latest })
    }

    fn of_nothing(&self) -> Value {
        Value::Number(Number::ZERO)
    }
}
