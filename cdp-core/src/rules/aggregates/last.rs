//! `last`: the value of a property in the latest event that has one.

use super::Aggregation;
use super::outermost::{End, outermost};
use crate::error::Result;
use crate::records::Value;
use crate::rules::measure::{Measured, Measuring};

pub(super) struct Last;

impl Aggregation for Last {
    fn fold(&self, measuring: Measuring<'_, '_>) -> Result<Measured> {
        outermost(measuring, End::Last)
    }

    fn of_nothing(&self) -> Value {
        Value::Null
    }
}
