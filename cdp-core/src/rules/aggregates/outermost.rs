//! The value in the first or the last event that has one, for `first` and `last`.

use crate::error::Result;
use crate::records::Value;
use crate::rules::TimelineEvent;
use crate::rules::measure::{Measured, Measuring};
use crate::rules::timeline::{contributions, in_order_of_facts};

/// The end of the timeline that counts.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum End {
    First,
    Last,
}

/// The value at one end of the timeline. Events of one millisecond stand in the order of facts.
pub(super) fn outermost(mut measuring: Measuring<'_, '_>, end: End) -> Result<Measured> {
    let (property, view) = (measuring.property()?, measuring.view());
    let mut events = measuring.events();
    let mut tied: Vec<(TimelineEvent, Value)> = Vec::new();
    loop {
        let event = if end == End::First { events.next() } else { events.next_back() };
        let Some(event) = event else { break };
        if tied.last().is_some_and(|(tied, _)| tied.occurred_at != event.occurred_at) {
            break;
        }
        let mut values = contributions(view, event, property);
        let value = if end == End::First { values.next() } else { values.next_back() };
        tied.extend(value.map(|value| (*event, value.into_owned())));
    }
    let latest = tied.last().map(|(event, _)| event.occurred_at);
    let all_equal = tied.windows(2).all(|pair| matches!(pair, [left, right] if left.1 == right.1));
    // What orders facts is looked up only where several events of one millisecond disagree.
    if !all_equal {
        tied = in_order_of_facts(view, tied)?;
    }
    let chosen = if end == End::First { tied.into_iter().next() } else { tied.pop() };
    Ok(Measured { value: chosen.map(|(_, value)| value), latest })
}
