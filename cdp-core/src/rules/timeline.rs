//! Cuts a profile's timeline: the events in a window, those that a selection means, their total order.
//!
//! It takes the events of a view, sorted by time, and leaves parts of them. It never looks at an event after the
//! instant of the question.

use std::borrow::Cow;

use super::operators::matches_at;
use super::{ProfileView, TimelineEvent};
use crate::definitions::{EventSelection, FeatureWindow, PropertyFilter};
use crate::error::Result;
use crate::records::{Path, Timestamp, Value};

/// The events of a window as seen from `at`.
pub(crate) fn in_window<'v>(view: &'v dyn ProfileView, window: &FeatureWindow, at: Timestamp) -> &'v [TimelineEvent] {
    let (after, until) = bounds(window, at);
    part(view.events(), after, until)
}

/// The times of a window as seen from `at`, in milliseconds: after the first, until and with the second.
pub(crate) fn bounds(window: &FeatureWindow, at: Timestamp) -> (i64, i64) {
    match window {
        FeatureWindow::Ever => (i64::MIN, at.millis()),
        FeatureWindow::Within(length) => (at.plus_millis(-length.millis()).millis(), at.millis()),
        FeatureWindow::BetweenAgo(start, end) => {
            (at.plus_millis(-start.millis()).millis(), at.plus_millis(-end.millis()).millis())
        }
        FeatureWindow::Since(start) => (start.plus_millis(-1).millis(), at.millis()),
        FeatureWindow::Between(start, end) => (start.plus_millis(-1).millis(), end.millis().min(at.millis())),
    }
}

/// The events in `(after, until]`; they are sorted by time, so the ends are found by bisection.
pub(crate) fn part(events: &[TimelineEvent], after: i64, until: i64) -> &[TimelineEvent] {
    let start = events.partition_point(|event| event.occurred_at.millis() <= after);
    let end = events.partition_point(|event| event.occurred_at.millis() <= until);
    events.get(start..end).unwrap_or_default()
}

/// A selection whose names are numbers of one view: asked about many events, it looks at no text.
pub(crate) struct Selector<'s> {
    view: &'s dyn ProfileView,
    names: Names,
    filters: &'s [PropertyFilter],
}

/// Event names as numbers; those that were never seen select nothing.
pub(crate) enum Names {
    Any,
    One(u32),
    Several(Vec<u32>),
}

impl Names {
    /// The numbers of the names of a selection.
    pub(crate) fn of(selection: &EventSelection, number: &dyn Fn(&str) -> Option<u32>) -> Names {
        match selection.events.as_slice() {
            [] => Names::Any,
            [name] => number(name).map_or(Names::Several(Vec::new()), Names::One),
            names => Names::Several(names.iter().filter_map(|name| number(name)).collect()),
        }
    }
}

impl<'s> Selector<'s> {
    pub(crate) fn new(selection: &'s EventSelection, view: &'s dyn ProfileView) -> Selector<'s> {
        let names = Names::of(selection, &|name| view.event_number(name));
        Selector { view, names, filters: &selection.filters }
    }

    /// Whether an event has one of the names that the selection means.
    pub(crate) fn names(&self, event: &TimelineEvent) -> bool {
        match &self.names {
            Names::Any => true,
            Names::One(number) => event.event == *number,
            Names::Several(numbers) => numbers.contains(&event.event),
        }
    }

    /// Those of some events, in the order of time, that the selection means.
    pub(crate) fn select(self, events: &'s [TimelineEvent]) -> SelectedEvents<'s> {
        SelectedEvents { events: events.iter(), selector: self }
    }

    /// Whether the selection means this event.
    pub(crate) fn selects(&self, event: &TimelineEvent) -> bool {
        self.names(event)
            && self.filters.iter().all(|filter| {
                let value = self.view.property(event, &filter.property);
                // A filter never depends on the instant of the question: such operators are refused when it is read.
                matches_at(&filter.property, &filter.comparison, value.as_deref(), event.occurred_at)
            })
    }
}

/// The events of a part of a timeline that a selection means.
pub(crate) struct SelectedEvents<'s> {
    events: std::slice::Iter<'s, TimelineEvent>,
    selector: Selector<'s>,
}

impl<'s> Iterator for SelectedEvents<'s> {
    type Item = &'s TimelineEvent;

    fn next(&mut self) -> Option<&'s TimelineEvent> {
        let selector = &self.selector;
        self.events.find(|event| selector.selects(event))
    }
}

impl DoubleEndedIterator for SelectedEvents<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let selector = &self.selector;
        self.events.rfind(|event| selector.selects(event))
    }
}

/// Puts events that are sorted by time into the order of facts. What orders facts is asked for only where several events
/// share a millisecond.
pub(crate) fn in_total_order(view: &dyn ProfileView, events: Vec<TimelineEvent>) -> Result<Vec<TimelineEvent>> {
    let mut ordered = Vec::with_capacity(events.len());
    for tied in events.chunk_by(|left, right| left.occurred_at == right.occurred_at) {
        match tied {
            [only] => ordered.push(*only),
            tied => {
                let tied = in_order_of_facts(view, tied.iter().map(|event| (*event, ())).collect())?;
                ordered.extend(tied.into_iter().map(|(event, ())| event));
            }
        }
    }
    Ok(ordered)
}

/// Puts events of one millisecond, each with what goes with it, into the order of facts, which does not depend on the order
/// in which they arrived. This is the only place that orders them; entries of one event stay in their order.
pub(crate) fn in_order_of_facts<T>(
    view: &dyn ProfileView,
    tied: Vec<(TimelineEvent, T)>,
) -> Result<Vec<(TimelineEvent, T)>> {
    let mut keyed = Vec::with_capacity(tied.len());
    for (event, with) in tied {
        keyed.push((view.tie_order(event.sequence)?, (event, with)));
    }
    keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(keyed.into_iter().map(|(_, entry)| entry).collect())
}

/// The values at a path of an event, each item for itself if the path goes through a list.
pub(crate) fn contributions<'v>(
    view: &'v dyn ProfileView,
    event: &TimelineEvent,
    path: &Path,
) -> impl DoubleEndedIterator<Item = Cow<'v, Value>> {
    let (single, several) = match view.property(event, path) {
        Some(value) if path.is_multiple() => match value.into_owned() {
            Value::List(items) => (None, items),
            other => (Some(Cow::Owned(other)), Vec::new()),
        },
        single => (single, Vec::new()),
    };
    single.into_iter().chain(several.into_iter().map(Cow::Owned)).filter(|value| !value.is_null())
}
