//! `first`: the value of a property in the earliest event that has one.

use super::Aggregation;
use super::outermost::{End, outermost};
use crate::error::Result;
use crate::records::Value;
use crate::rules::measure::{Measured, Measuring};

pub(super) struct First;

impl Aggregation for First {
    fn fold(&self, measuring: Measuring<'_, '_>) -> Result<Measured> {
        outermost(measuring, End::First)
    }

    fn of_nothing(&self) -> Value {
        Value::Null
    }
}
