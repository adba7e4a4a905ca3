//! Whether somebody did one thing after the other, with limits on the time between and things that did not happen.
//!
//! It takes a timeline in the order (occurred_at, message id) and keeps, step by step, *every* event at which the steps
//! so far can end, so a wrong first guess never hides a sequence. Cost grows with steps × events × log(events).

use std::collections::HashMap;

use super::timeline::{in_total_order, in_window, selects};
use super::{ProfileView, TimelineEvent};
use crate::definitions::{FeatureWindow, SequenceStep, SequenceTest};
use crate::error::Result;
use crate::records::{Path, Timestamp};

/// The places (indices into the ordered events) that agree on some properties, ascending.
type PlacesByKey = HashMap<String, Vec<usize>>;

/// Whether the whole sequence has happened by `at`.
///
/// A step that happened ends at its event; a `not` step ends when its time is over, and until then the sequence is not
/// complete. A step begins where the one before ends: less than `within_previous` after it.
pub(crate) fn has_happened(test: &SequenceTest, view: &dyn ProfileView, at: Timestamp) -> Result<bool> {
    let window = test.within.map_or(FeatureWindow::Ever, FeatureWindow::Within);
    let candidates = in_window(view, &window, at)
        .iter()
        .filter(|event| test.steps.iter().any(|step| selects(&step.selection, event)))
        .collect();
    let events = in_total_order(view, candidates)?;
    // Where the last event of the steps so far can be, and how long after it those steps end.
    let mut ends: Vec<usize> = Vec::new();
    let mut ended_after_ms = 0;
    for (index, step) in test.steps.iter().enumerate() {
        let places: Vec<usize> = places(&events, step);
        if index == 0 {
            ends = places;
        } else if let (true, Some(length)) = (step.absent, step.within_previous) {
            let denied = by_key(&events, &places, &step.same);
            let length_ms = length.millis();
            ends.retain(|end| stayed_away(&events, *end, &denied, &step.same, ended_after_ms, length_ms, at));
            ended_after_ms += length_ms;
        } else {
            let reached = by_key(&events, &ends, &step.same);
            let gap_ms = step.within_previous.map_or(i64::MAX, |length| length.millis());
            ends = places
                .into_iter()
                .filter(|place| follows(&events, *place, &reached, &step.same, ended_after_ms, gap_ms))
                .collect();
            ended_after_ms = 0;
        }
        if ends.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn places(events: &[&TimelineEvent<'_>], step: &SequenceStep) -> Vec<usize> {
    let selected = events.iter().enumerate().filter(|(_, event)| selects(&step.selection, event));
    selected.map(|(place, _)| place).collect()
}

/// The values of properties that must agree; `None` if one is absent, for absent equals nothing.
fn key(event: &TimelineEvent<'_>, same: &[Path]) -> Option<String> {
    let mut key = String::new();
    for path in same {
        event.property(path)?.write_json(&mut key);
        key.push(',');
    }
    Some(key)
}

fn by_key(events: &[&TimelineEvent<'_>], places: &[usize], same: &[Path]) -> PlacesByKey {
    let mut groups = PlacesByKey::new();
    for place in places {
        if let Some(key) = events.get(*place).and_then(|event| key(event, same)) {
            groups.entry(key).or_default().push(*place);
        }
    }
    groups
}

fn time_ms(events: &[&TimelineEvent<'_>], place: usize) -> i64 {
    events.get(place).map_or(i64::MAX, |event| event.occurred_at.millis())
}

/// Whether the steps so far end before this place, and near enough to it.
fn follows(
    events: &[&TimelineEvent<'_>],
    place: usize,
    reached: &PlacesByKey,
    same: &[Path],
    ended_after_ms: i64,
    gap_ms: i64,
) -> bool {
    let group = events.get(place).and_then(|event| key(event, same)).and_then(|key| reached.get(&key));
    let Some(group) = group else { return false };
    let now_ms = time_ms(events, place);
    let earlier =
        group.partition_point(|end| *end < place && time_ms(events, *end).saturating_add(ended_after_ms) <= now_ms);
    // The latest end is the nearest; if it is too far away, so are all others.
    let nearest = earlier.checked_sub(1).and_then(|last| group.get(last));
    nearest.is_some_and(|end| now_ms.saturating_sub(time_ms(events, *end).saturating_add(ended_after_ms)) < gap_ms)
}

/// Whether, from the end of the steps so far, a length of time passed without what is denied.
fn stayed_away(
    events: &[&TimelineEvent<'_>],
    end: usize,
    denied: &PlacesByKey,
    same: &[Path],
    ended_after_ms: i64,
    length_ms: i64,
    at: Timestamp,
) -> bool {
    let from_ms = time_ms(events, end).saturating_add(ended_after_ms);
    let until_ms = from_ms.saturating_add(length_ms);
    if at.millis() < until_ms {
        return false;
    }
    let group = events.get(end).and_then(|event| key(event, same)).and_then(|key| denied.get(&key));
    let Some(group) = group else { return true };
    let later = group.partition_point(|place| *place <= end || time_ms(events, *place) < from_ms);
    group.get(later).is_none_or(|place| time_ms(events, *place) >= until_ms)
}
