//! Turns the events of a profile into a value: counts, sums, extremes, firsts and lasts. Exact, and the same in
//! whatever order the facts arrived (laws 2 and 6).
//!
//! It takes a [`Measure`] and leaves the value together with the instant of the latest event behind it; an event
//! without the property contributes nothing. What the value is when nothing contributed is for the caller to say.

use std::collections::BTreeSet;

use super::operators::decimal;
use super::timeline::{Selector, contributions, in_window};
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
    let selector = Selector::new(&measure.selection, view);
    let mut events = in_window(view, &measure.window, at).iter().filter(|event| selector.selects(event));
    match (measure.aggregate, &measure.property) {
        (Aggregate::Count, _) => Ok(count(events)),
        (Aggregate::DistinctDays, _) => Ok(distinct_days(events)),
        (Aggregate::Exists, _) => Ok(at_time(events.next_back(), |_| Value::Bool(true))),
        (Aggregate::FirstAt, _) => Ok(at_time(events.next(), |time| Value::Text(time.to_string()))),
        (Aggregate::LastAt, _) => Ok(at_time(events.next_back(), |time| Value::Text(time.to_string()))),
        (Aggregate::CountDistinct, Some(property)) => Ok(count_distinct(events, property, view)),
        (Aggregate::First, Some(property)) => outermost(events, property, view, End::First),
        (Aggregate::Last, Some(property)) => outermost(events.rev(), property, view, End::Last),
        (aggregate, Some(property)) => numeric(events, property, view, aggregate),
        (_, None) => Err(Error::internal("a measure that needs a property has none")),
    }
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

fn numeric<'v>(
    events: impl Iterator<Item = &'v TimelineEvent>,
    property: &Path,
    view: &dyn ProfileView,
    aggregate: Aggregate,
) -> Result<Measured> {
    let (mut n_values, mut total, mut latest) = (0u64, Number::ZERO, None);
    let (mut least, mut greatest) = (None::<Number>, None::<Number>);
    let mut add = |number: Number, occurred_at: Timestamp| {
        n_values += 1;
        total = total
            .checked_add(number)
            .ok_or_else(|| Error::invalid(format!("the sum of `{property}` does not fit 128 bits")))?;
        least = Some(least.map_or(number, |least| least.min(number)));
        greatest = Some(greatest.map_or(number, |greatest| greatest.max(number)));
        latest = Some(occurred_at);
        Ok::<(), Error>(())
    };
    for event in events {
        if !property.is_multiple() {
            if let Some(number) = view.number_property(event, property) {
                add(number, event.occurred_at)?;
            }
            continue;
        }
        for number in contributions(view, event, property).filter_map(|value| decimal(&value)) {
            add(number, event.occurred_at)?;
        }
    }
    let value = match aggregate {
        Aggregate::Sum => (n_values > 0).then_some(total),
        Aggregate::Avg => total.divide_by_count(n_values),
        Aggregate::Min => least,
        _ => greatest,
    };
    Ok(Measured { value: value.map(Value::Number), latest })
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
    // Message ids are looked up only here: several events of one millisecond disagree.
    let mut keyed = Vec::with_capacity(tied.len());
    for (sequence, value) in tied {
        keyed.push((view.message_id(sequence)?, value.to_json(), value));
    }
    keyed.sort_by(|left, right| (&left.0, &left.1).cmp(&(&right.0, &right.1)));
    let chosen = if end == End::First { keyed.into_iter().next() } else { keyed.pop() };
    Ok(Measured { value: chosen.map(|(_, _, value)| value), latest: time })
}
