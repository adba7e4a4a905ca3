//! Cuts a profile's timeline: the events in a window, those that a selection means, their total order.
//!
//! It takes the events of a view, sorted by time, and leaves parts of them. It never looks at an event after the
//! instant of the question.

use std::borrow::Cow;

use super::operators::matches_at;
use super::{ProfileView, TimelineEvent};
use crate::definitions::{EventSelection, FeatureWindow};
use crate::error::Result;
use crate::records::{Path, Timestamp, Value};

/// The events of a window as seen from `at`.
pub(crate) fn in_window<'v>(
    view: &'v dyn ProfileView,
    window: &FeatureWindow,
    at: Timestamp,
) -> &'v [TimelineEvent<'v>] {
    let (after, until) = match window {
        FeatureWindow::Ever => (i64::MIN, at.millis()),
        FeatureWindow::Within(length) => (at.plus_millis(-length.millis()).millis(), at.millis()),
        FeatureWindow::BetweenAgo(start, end) => {
            (at.plus_millis(-start.millis()).millis(), at.plus_millis(-end.millis()).millis())
        }
        FeatureWindow::Since(start) => (start.plus_millis(-1).millis(), at.millis()),
        FeatureWindow::Between(start, end) => (start.plus_millis(-1).millis(), end.millis().min(at.millis())),
    };
    part(view.events(), after, until)
}

/// The events in `(after, until]`; they are sorted by time, so the ends are found by bisection.
pub(crate) fn part<'v>(events: &'v [TimelineEvent<'v>], after: i64, until: i64) -> &'v [TimelineEvent<'v>] {
    let start = events.partition_point(|event| event.occurred_at.millis() <= after);
    let end = events.partition_point(|event| event.occurred_at.millis() <= until);
    events.get(start..end).unwrap_or_default()
}

/// Whether a selection means this event.
pub(crate) fn selects(selection: &EventSelection, event: &TimelineEvent<'_>) -> bool {
    let named = selection.events.is_empty() || selection.events.iter().any(|name| name == event.event);
    named
        && selection.filters.iter().all(|filter| {
            let value = event.property(&filter.property);
            // A filter never depends on the instant of the question: such operators are refused when it is read.
            matches_at(&filter.property, &filter.comparison, value.as_deref(), event.occurred_at)
        })
}

/// Puts events that are sorted by time into the order (occurred_at, message id), which does not depend on the order in
/// which they arrived. Message ids are asked for only where several share a millisecond.
pub(crate) fn in_total_order<'v>(
    view: &dyn ProfileView,
    mut events: Vec<&'v TimelineEvent<'v>>,
) -> Result<Vec<&'v TimelineEvent<'v>>> {
    for tied in events.chunk_by_mut(|left, right| left.occurred_at == right.occurred_at) {
        if tied.len() < 2 {
            continue;
        }
        let mut keyed = Vec::with_capacity(tied.len());
        for event in tied.iter() {
            keyed.push((view.message_id(event.sequence)?, event.event, *event));
        }
        // Two sources may use one message id; the name of the event decides between them.
        keyed.sort_by(|left, right| left.0.cmp(&right.0).then_with(|| left.1.cmp(right.1)));
        for (place, (_, _, event)) in tied.iter_mut().zip(keyed) {
            *place = event;
        }
    }
    Ok(events)
}

/// The values at a path of an event, each item for itself if the path goes through a list.
pub(crate) fn contributions<'v>(
    event: &TimelineEvent<'v>,
    path: &Path,
) -> impl DoubleEndedIterator<Item = Cow<'v, Value>> {
    let values = match event.property(path) {
        None => Vec::new(),
        Some(value) if !path.is_multiple() => vec![value],
        Some(value) => match value.into_owned() {
            Value::List(items) => items.into_iter().map(Cow::Owned).collect(),
            other => vec![Cow::Owned(other)],
        },
    };
    values.into_iter().filter(|value| !value.is_null())
}
