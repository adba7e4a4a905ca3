//! Turns the events of a profile into a value: counts, sums, extremes, firsts and lasts. Exact, and the same in
//! whatever order the facts arrived (laws 2 and 6).
//!
//! It takes a [`Measure`] and leaves the value together with the instant of the latest event behind it; an event
//! without the property contributes nothing. What the value is when nothing contributed is for the caller to say.

use std::collections::BTreeSet;

use super::operators::decimal;
use super::timeline::{Selector, bounds, contributions, part};
use super::{ProfileView, TimelineEvent};
use crate::definitions::{Aggregate, FeatureDefinition, Measure};
use crate::error::{Error, Result};
use crate::records::{Number, Path, Timestamp, Value};

/// What a measure found.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The value; `None` if no event contributed.
    pub value: Option<Value>,
    /// When the latest event that contributed happened.
    pub latest: Option<Timestamp>,
}

pub(crate) const NOTHING: Measured = Measured { value: None, latest: None };

impl Measured {
    /// The value that an event leaf compares: where no event contributed, no events are 0 events and sum to 0.
    pub(crate) fn in_comparison(self, aggregate: Aggregate) -> Value {
        self.value.unwrap_or_else(|| match aggregate {
            Aggregate::Sum => Value::Number(Number::ZERO),
            aggregate => of_nothing(aggregate),
        })
    }

    /// The value of a feature with this measure: its default where no event contributed or the latest one is too old.
    pub(crate) fn in_feature(self, feature: &FeatureDefinition, at: Timestamp) -> Value {
        let is_fresh = match (feature.ttl, self.latest) {
            (Some(ttl), Some(latest)) => latest > at.plus_millis(-ttl.millis()),
            _ => true,
        };
        let absent = || feature.default.clone().unwrap_or_else(|| of_nothing(feature.measure.aggregate));
        self.value.filter(|_| is_fresh).unwrap_or_else(absent)
    }
}

/// Measures the events of a profile at an instant. Fails only if a sum leaves 128 bits or a message id cannot be read.
pub fn measure(measure: &Measure, view: &dyn ProfileView, at: Timestamp) -> Result<Measured> {
    Measurer::new(view, at).measure(measure)
}

/// A profile with fewer events is looked through as quickly as a part of it is made.
const FEW_EVENTS: usize = 8;

/// Measures one profile at one instant again and again: what a measure shares with the one before it is not done twice.
pub struct Measurer<'v> {
    view: &'v dyn ProfileView,
    at: Timestamp,
    // The events with the names that the last measure asked for.
    named: Option<(&'v [String], Vec<TimelineEvent>)>,
    // The numbers that it found.
    totals: Option<(&'v Measure, Totals)>,
}

impl<'v> Measurer<'v> {
    /// For a profile as seen from an instant.
    pub fn new(view: &'v dyn ProfileView, at: Timestamp) -> Measurer<'v> {
        Measurer { view, at, named: None, totals: None }
    }

    /// The same as [`measure`].
    pub fn measure(&mut self, measure: &'v Measure) -> Result<Measured> {
        let Measurer { view, at, named, totals } = self;
        let view = *view;
        let is_numeric = matches!(measure.aggregate, Aggregate::Sum | Aggregate::Avg | Aggregate::Min | Aggregate::Max);
        if let Some((_, totals)) = totals.as_ref().filter(|(last, _)| is_numeric && has_same_numbers(last, measure)) {
            return Ok(totals.measured(measure.aggregate));
        }
        let selector = Selector::new(&measure.selection, view);
        let events = match measure.selection.events.as_slice() {
            names if names.is_empty() || view.events().len() < FEW_EVENTS => view.events(),
            names => {
                if named.as_ref().is_none_or(|(last, _)| *last != names) {
                    let events = view.events().iter().filter(|event| selector.names(event)).copied().collect();
                    *named = Some((names, events));
                }
                named.as_ref().map_or(&[][..], |(_, events)| events)
            }
        };
        let (after, until) = bounds(&measure.window, *at);
        let mut events = part(events, after, until).iter().filter(|event| selector.selects(event));
        match (measure.aggregate, &measure.property) {
            (Aggregate::Count, _) => Ok(count(events)),
            (Aggregate::DistinctDays, _) => Ok(distinct_days(events)),
            (Aggregate::Exists, _) => Ok(at_time(events.next_back(), |_| Value::Bool(true))),
            (Aggregate::FirstAt, _) => Ok(at_time(events.next(), |time| Value::Text(time.to_string()))),
            (Aggregate::LastAt, _) => Ok(at_time(events.next_back(), |time| Value::Text(time.to_string()))),
            (Aggregate::CountDistinct, Some(property)) => Ok(count_distinct(events, property, view)),
            (Aggregate::First, Some(property)) => outermost(events, property, view, End::First),
            (Aggregate::Last, Some(property)) => outermost(events.rev(), property, view, End::Last),
            (aggregate, Some(property)) => {
                let found = Totals::of(events, property, view)?;
                Ok(totals.insert((measure, found)).1.measured(aggregate))
            }
            (_, None) => Err(Error::internal("a measure that needs a property has none")),
        }
    }
}

/// Whether two measures aggregate the same numbers, each in its way.
fn has_same_numbers(left: &Measure, right: &Measure) -> bool {
    left.window == right.window && left.property == right.property && left.selection == right.selection
}

/// The value of a measure to which no event contributed, where that is a value of its own: no events are 0 events.
fn of_nothing(aggregate: Aggregate) -> Value {
    match aggregate {
        Aggregate::Count | Aggregate::CountDistinct | Aggregate::DistinctDays => Value::Number(Number::ZERO),
        Aggregate::Exists => Value::Bool(false),
        _ => Value::Null,
    }
}

fn at_time(event: Option<&TimelineEvent>, value: impl FnOnce(Timestamp) -> Value) -> Measured {
    event.map_or(NOTHING, |event| Measured { value: Some(value(event.occurred_at)), latest: Some(event.occurred_at) })
}

fn count<'v>(events: impl Iterator<Item = &'v TimelineEvent>) -> Measured {
    let (mut count, mut latest) = (0, None);
    for event in events {
        count += 1;
        latest = Some(event.occurred_at);
    }
    Measured { value: (count > 0).then(|| Value::count(count)), latest }
}

fn distinct_days<'v>(events: impl Iterator<Item = &'v TimelineEvent>) -> Measured {
    let (mut days, mut latest) = (0, None::<Timestamp>);
    for event in events {
        // The events are sorted by time, so a day that differs from the one before has not been seen.
        days += usize::from(latest.is_none_or(|before| before.day() != event.occurred_at.day()));
        latest = Some(event.occurred_at);
    }
    Measured { value: (days > 0).then(|| Value::count(days)), latest }
}

fn count_distinct<'v>(
    events: impl Iterator<Item = &'v TimelineEvent>,
    property: &Path,
    view: &dyn ProfileView,
) -> Measured {
    let (mut seen, mut latest) = (BTreeSet::new(), None);
    for event in events {
        for value in contributions(view, event, property) {
            seen.insert(value.to_json());
            latest = Some(event.occurred_at);
        }
    }
    Measured { value: (!seen.is_empty()).then(|| Value::count(seen.len())), latest }
}

/// What the numbers of a property add up to.
struct Totals {
    n_values: u64,
    total: Number,
    least: Option<Number>,
    greatest: Option<Number>,
    latest: Option<Timestamp>,
}

impl Totals {
    fn of<'e>(
        events: impl Iterator<Item = &'e TimelineEvent>,
        property: &Path,
        view: &dyn ProfileView,
    ) -> Result<Totals> {
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

    fn measured(&self, aggregate: Aggregate) -> Measured {
        let value = match aggregate {
            Aggregate::Sum => (self.n_values > 0).then_some(self.total),
            Aggregate::Avg => self.total.divide_by_count(self.n_values),
            Aggregate::Min => self.least,
            _ => self.greatest,
        };
        Measured { value: value.map(Value::Number), latest: self.latest }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    First,
    Last,
}

/// The value in the outermost event that has one; `events` come outermost first.
fn outermost<'v>(
    events: impl Iterator<Item = &'v TimelineEvent>,
    property: &Path,
    view: &dyn ProfileView,
    end: End,
) -> Result<Measured> {
    let mut tied: Vec<(u64, Value)> = Vec::new();
    let mut time = None;
    for event in events {
        if time.is_some_and(|time| time != event.occurred_at) {
            break;
        }
        let mut values = contributions(view, event, property);
        let value = if end == End::First { values.next() } else { values.next_back() };
        if let Some(value) = value {
            time = Some(event.occurred_at);
            tied.push((event.sequence, value.into_owned()));
        }
    }
    let all_equal = tied.windows(2).all(|pair| matches!(pair, [left, right] if left.1 == right.1));
    if all_equal {
        return Ok(Measured { value: tied.pop().map(|(_, value)| value), latest: time });
    }
    // The order within a millisecond is read only here, where its events disagree.
    let mut keyed = Vec::with_capacity(tied.len());
    for (sequence, value) in tied {
        keyed.push((view.tie_order(sequence)?, value.to_json(), value));
    }
    keyed.sort_by(|left, right| (&left.0, &left.1).cmp(&(&right.0, &right.1)));
    let chosen = if end == End::First { keyed.into_iter().next() } else { keyed.pop() };
    Ok(Measured { value: chosen.map(|(_, _, value)| value), latest: time })
}
