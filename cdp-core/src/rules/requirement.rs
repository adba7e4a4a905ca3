//! What a rule cannot hold without, so that whoever lacks it need not be asked again before enough has happened.
//!
//! It takes a rule and the definitions it refers to and leaves its requirements: leaves that must hold, and that no passing
//! of time makes true. It never decides a rule: a profile that lacks nothing here may still not be meant.

use super::ProfileView;
use super::evaluate::test;
use super::operators::is_timeless;
use crate::definitions::{
    Aggregate, Catalog, Comparison, EventTest, FeatureWindow, Leaf, Measure, Operand, Operator, Rule, Test,
};
use crate::error::Result;
use crate::records::{Number, Timestamp};

/// A leaf without which a rule cannot hold, and which only further events can make true.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement<'r> {
    leaf: &'r Leaf,
    /// The names of the events that can make it true; empty for every event.
    pub events: &'r [String],
    /// Where it holds while enough events of its names lie in `(at - window, at]`, every one of them counting as one: how
    /// long that window is, in milliseconds.
    pub window_ms: Option<i64>,
    // Where it counts events: from which count on it may hold.
    least_count: Option<Number>,
}

/// The requirements of a rule. Fails with `NotFound` if a feature that it names is not defined.
pub fn requirements<'r>(rule: &'r Rule, catalog: &'r Catalog) -> Result<Vec<Requirement<'r>>> {
    let mut found = Vec::new();
    let mut open = vec![rule];
    while let Some(rule) = open.pop() {
        match rule {
            Rule::All(rules) => open.extend(rules),
            Rule::Leaf(leaf) => {
                let (measure, comparison) = match &leaf.test {
                    Test::Event(EventTest::Measured { measure, comparison }) => (measure, comparison),
                    Test::Feature { name, comparison } => {
                        let feature = catalog.feature(name)?;
                        if feature.ttl.is_some() || feature.default.is_some() {
                            continue;
                        }
                        (&feature.measure, comparison)
                    }
                    _ => continue,
                };
                let least_count = least_count(measure, comparison);
                if least_count.is_some() || stands_still(measure, comparison) {
                    let window_ms = window_ms(measure, comparison);
                    found.push(Requirement { leaf, events: &measure.selection.events, window_ms, least_count });
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The count from which on a comparison with a count may hold, where the count only falls while nothing happens.
fn least_count(measure: &Measure, comparison: &Comparison) -> Option<Number> {
    if measure.aggregate != Aggregate::Count || matches!(measure.window, FeatureWindow::BetweenAgo(..)) {
        return None;
    }
    match (comparison.operator, &comparison.operand) {
        (Operator::Gte | Operator::Gt, Operand::Number(least)) => Some(*least),
        _ => None,
    }
}

/// The window of a measure that counts whatever has one of its names, compared with a least count.
fn window_ms(measure: &Measure, comparison: &Comparison) -> Option<i64> {
    let counts_all =
        measure.aggregate == Aggregate::Count && measure.property.is_none() && measure.selection.filters.is_empty();
    match (&measure.window, comparison.operator, &comparison.operand) {
        (FeatureWindow::Within(length), Operator::Gte, Operand::Number(_)) if counts_all => Some(length.millis()),
        _ => None,
    }
}

/// Whether the outcome stays what it is while nothing happens.
fn stands_still(measure: &Measure, comparison: &Comparison) -> bool {
    let is_fixed = matches!(measure.window, FeatureWindow::Ever | FeatureWindow::Since(_) | FeatureWindow::Between(..));
    is_fixed && is_timeless(comparison)
}

impl Requirement<'_> {
    /// How many events may leave its window before it no longer holds; `None` if it has no [`Requirement::window_ms`], or
    /// does not hold.
    pub fn spare(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Option<u64>> {
        if self.window_ms.is_none() {
            return Ok(None);
        }
        let outcome = test(self.leaf, view, at)?;
        let count = outcome.found.as_ref().and_then(|found| found.as_number()).filter(|_| outcome.matched);
        let spare = count.zip(self.least_count).and_then(|(count, least)| count.checked_sub(least));
        Ok(spare.map(|spare| spare.to_f64().max(0.0) as u64))
    }

    /// How many events of its names must happen at least before it can hold, counted from `at`; `None` if it holds. An
    /// event that lies in the future of `at` is yet to happen.
    pub fn shortfall(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Option<u64>> {
        let outcome = test(self.leaf, view, at)?;
        if outcome.matched {
            return Ok(None);
        }
        let count = outcome.found.as_ref().and_then(|found| found.as_number());
        let lacking = self.least_count.zip(count).and_then(|(least, count)| least.checked_sub(count));
        Ok(Some(lacking.map_or(1, |lacking| lacking.to_f64().max(1.0) as u64)))
    }
}
