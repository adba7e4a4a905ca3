//! `stddev`: the sample standard deviation of the numbers of a property; null below two of them.
//!
//! Floats are not associative, so the numbers are taken in the order of facts (law 6): the mean and the sum of squared
//! deviations are updated with each number (Welford's method), which loses no digits where the numbers are large and lie
//! close together. The result is rounded half-even to nine places. A pass over columns has no order and cannot give it.

use super::Aggregation;
use crate::error::Result;
use crate::records::{Number, Value};
use crate::rules::TimelineEvent;
use crate::rules::measure::{Measured, Measuring};
use crate::rules::operators::decimal;
use crate::rules::timeline::{contributions, in_order_of_facts};

pub(super) struct Stddev;

impl Aggregation for Stddev {
    fn fold(&self, mut measuring: Measuring<'_, '_>) -> Result<Measured> {
        let (property, view) = (measuring.property()?, measuring.view());
        let mut numbers: Vec<(TimelineEvent, Number)> = Vec::new();
        for event in measuring.events() {
            if property.is_multiple() {
                let several = contributions(view, event, property).filter_map(|value| decimal(&value));
                numbers.extend(several.map(|number| (*event, number)));
            } else {
                numbers.extend(view.number_property(event, property).map(|number| (*event, number)));
            }
        }
        let latest = numbers.last().map(|(event, _)| event.occurred_at);
        let mut deviation = Deviation::default();
        for tied in numbers.chunk_by(|left, right| left.0.occurred_at == right.0.occurred_at) {
            let is_of_one_event = tied.windows(2).all(|pair| matches!(pair, [l, r] if l.0.sequence == r.0.sequence));
            let all_equal = tied.windows(2).all(|pair| matches!(pair, [l, r] if l.1 == r.1));
            // What orders facts is looked up only where several events of one millisecond disagree.
            if is_of_one_event || all_equal {
                tied.iter().for_each(|(_, number)| deviation.add(*number));
            } else {
                in_order_of_facts(view, tied.to_vec())?.iter().for_each(|(_, number)| deviation.add(*number));
            }
        }
        Ok(Measured { value: deviation.of_sample().map(Value::Number), latest })
    }

    fn of_nothing(&self) -> Value {
        Value::Null
    }
}

/// The numbers so far.
#[derive(Default)]
struct Deviation {
    n: f64,
    mean: f64,
    /// The sum of the squared distances from the mean.
    squares: f64,
}

impl Deviation {
    fn add(&mut self, number: Number) {
        let number = number.to_f64();
        self.n += 1.0;
        let from_old_mean = number - self.mean;
        self.mean += from_old_mean / self.n;
        self.squares += from_old_mean * (number - self.mean);
    }

    fn of_sample(&self) -> Option<Number> {
        if self.n < 2.0 {
            return None;
        }
        let deviation = (self.squares / (self.n - 1.0)).sqrt();
        // Numbers at both ends of what a fact may carry deviate by more than one of them may be. Floats of that size are
        // integers.
        let beyond = || Number::from_nanos((deviation as i128).saturating_mul(1_000_000_000));
        Some(Number::from_f64(deviation).unwrap_or_else(|_| beyond()))
    }
}
