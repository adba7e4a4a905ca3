//! What the numbers of a property add up to, shared by `sum`, `avg`, `min` and `max`.

use crate::error::{Error, Result};
use crate::records::{Number, Path, Timestamp, Value};
use crate::rules::ProfileView;
use crate::rules::measure::Measured;
use crate::rules::operators::decimal;
use crate::rules::timeline::{SelectedEvents, contributions};

/// The numbers of a property in the selected events, taken together.
pub(crate) struct Totals {
    pub(super) n_values: u64,
    pub(super) total: Number,
    pub(super) least: Option<Number>,
    pub(super) greatest: Option<Number>,
    latest: Option<Timestamp>,
}

impl Totals {
    /// Fails only if the sum leaves 128 bits.
    pub(crate) fn of(events: SelectedEvents<'_>, property: &Path, view: &dyn ProfileView) -> Result<Totals> {
        let mut totals = Totals { n_values: 0, total: Number::ZERO, least: None, greatest: None, latest: None };
        for event in events {
            if !property.is_multiple() {
                if let Some(number) = view.number_property(event, property) {
                    totals.add(number, event.occurred_at, property)?;
                }
                continue;
            }
            for number in contributions(view, event, property).filter_map(|value| decimal(&value)) {
                totals.add(number, event.occurred_at, property)?;
            }
        }
        Ok(totals)
    }

    fn add(&mut self, number: Number, occurred_at: Timestamp, property: &Path) -> Result<()> {
        self.n_values += 1;
        self.total = self
            .total
            .checked_add(number)
            .ok_or_else(|| Error::invalid(format!("the sum of `{property}` does not fit 128 bits")))?;
        self.least = Some(self.least.map_or(number, |least| least.min(number)));
        self.greatest = Some(self.greatest.map_or(number, |greatest| greatest.max(number)));
        self.latest = Some(occurred_at);
        Ok(())
    }

    /// One of these numbers as what a measure found.
    pub(super) fn measured(&self, number: Option<Number>) -> Measured {
        Measured { value: number.map(Value::Number), latest: self.latest }
    }
}
