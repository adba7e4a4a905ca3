//! The leaf `sequence`: one thing was done after the other, with limits on the time between and things that did not happen.
//!
//! It takes a timeline in the order of facts and keeps, step by step, *every* event at which the steps so far can end, so
//! a wrong first guess never hides a sequence. Cost grows with steps × events × log(events).

use std::collections::HashMap;

use super::{LeafRule, Outcome, ProfileView, Reads};
use crate::definitions::{Catalog, FeatureWindow, SequenceTest};
use crate::error::Result;
use crate::records::{Path, Timestamp};
use crate::rules::TimelineEvent;
use crate::rules::dependencies::Lookbacks;
use crate::rules::timeline::{Selector, in_total_order, in_window};

impl LeafRule for SequenceTest {
    fn test(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
        Ok(Outcome::of(has_happened(self, view, at)?))
    }

    fn reads<'r>(&'r self, reads: &mut Reads<'r>) {
        for step in &self.steps {
            reads.add_selection(&step.selection);
            reads.properties.extend(&step.same);
        }
    }

    fn add_lookbacks(&self, _catalog: &Catalog, found: &mut Lookbacks) -> Result<()> {
        found.event_offsets.insert(0);
        found.event_offsets.extend(self.within.map(|within| within.millis()));
        // A `not` step is proven when its time is over; several in a row add up.
        let mut waited_ms: i64 = 0;
        for step in &self.steps {
            waited_ms = match step.within_previous {
                Some(length) if step.absent => waited_ms.saturating_add(length.millis()),
                _ => 0,
            };
            found.event_offsets.insert(waited_ms);
        }
        Ok(())
    }
}

/// The places (indices into the ordered events) that agree on some properties, ascending.
type PlacesByKey = HashMap<String, Vec<usize>>;

/// The events that a sequence speaks of, in their total order.
struct Ordered<'v> {
    view: &'v dyn ProfileView,
    events: Vec<TimelineEvent>,
}

/// Whether the whole sequence has happened by `at`.
///
/// A step that happened ends at its event; a `not` step ends when its time is over, and until then the sequence is not
/// complete. A step begins where the one before ends: less than `within_previous` after it.
fn has_happened(test: &SequenceTest, view: &dyn ProfileView, at: Timestamp) -> Result<bool> {
    let window = test.within.map_or(FeatureWindow::Ever, FeatureWindow::Within);
    let selectors: Vec<Selector<'_>> = test.steps.iter().map(|step| Selector::new(&step.selection, view)).collect();
    let is_asked = |event: &&TimelineEvent| selectors.iter().any(|selector| selector.selects(event));
    let candidates = in_window(view, &window, at).iter().filter(is_asked).copied().collect();
    let ordered = Ordered { view, events: in_total_order(view, candidates)? };
    // Where the last event of the steps so far can be, and how long after it those steps end.
    let mut ends: Vec<usize> = Vec::new();
    let mut ended_after_ms = 0;
    for (index, (step, selector)) in test.steps.iter().zip(&selectors).enumerate() {
        let places: Vec<usize> = ordered.places(selector);
        if index == 0 {
            ends = places;
        } else if let (true, Some(length)) = (step.absent, step.within_previous) {
            let denied = ordered.by_key(&places, &step.same);
            let length_ms = length.millis();
            ends.retain(|end| ordered.stayed_away(*end, &denied, &step.same, ended_after_ms, length_ms, at));
            ended_after_ms += length_ms;
        } else {
            let reached = ordered.by_key(&ends, &step.same);
            let gap_ms = step.within_previous.map_or(i64::MAX, |length| length.millis());
            ends = places
                .into_iter()
                .filter(|place| ordered.follows(*place, &reached, &step.same, ended_after_ms, gap_ms))
                .collect();
            ended_after_ms = 0;
        }
        if ends.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Ordered<'_> {
    fn places(&self, selector: &Selector<'_>) -> Vec<usize> {
        let selected = self.events.iter().enumerate().filter(|(_, event)| selector.selects(event));
        selected.map(|(place, _)| place).collect()
    }

    /// The values of properties that must agree; `None` if one is absent, for absent equals nothing.
    fn key(&self, place: usize, same: &[Path]) -> Option<String> {
        let event = self.events.get(place)?;
        let mut key = String::new();
        for path in same {
            self.view.property(event, path)?.write_json(&mut key);
            key.push(',');
        }
        Some(key)
    }

    fn by_key(&self, places: &[usize], same: &[Path]) -> PlacesByKey {
        let mut groups = PlacesByKey::new();
        for place in places {
            if let Some(key) = self.key(*place, same) {
                groups.entry(key).or_default().push(*place);
            }
        }
        groups
    }

    fn time_ms(&self, place: usize) -> i64 {
        self.events.get(place).map_or(i64::MAX, |event| event.occurred_at.millis())
    }

    /// Whether the steps so far end before this place, and near enough to it.
    fn follows(&self, place: usize, reached: &PlacesByKey, same: &[Path], ended_after_ms: i64, gap_ms: i64) -> bool {
        let group = self.key(place, same).and_then(|key| reached.get(&key));
        let Some(group) = group else { return false };
        let now_ms = self.time_ms(place);
        let ended_ms = |end: usize| self.time_ms(end).saturating_add(ended_after_ms);
        let earlier = group.partition_point(|end| *end < place && ended_ms(*end) <= now_ms);
        // The latest end is the nearest; if it is too far away, so are all others.
        let nearest = earlier.checked_sub(1).and_then(|last| group.get(last));
        nearest.is_some_and(|end| now_ms.saturating_sub(ended_ms(*end)) < gap_ms)
    }

    /// Whether, from the end of the steps so far, a length of time passed without what is denied.
    fn stayed_away(
        &self,
        end: usize,
        denied: &PlacesByKey,
        same: &[Path],
        ended_after_ms: i64,
        length_ms: i64,
        at: Timestamp,
    ) -> bool {
        let from_ms = self.time_ms(end).saturating_add(ended_after_ms);
        let until_ms = from_ms.saturating_add(length_ms);
        if at.millis() < until_ms {
            return false;
        }
        let group = self.key(end, same).and_then(|key| denied.get(&key));
        let Some(group) = group else { return true };
        let later = group.partition_point(|place| *place <= end || self.time_ms(*place) < from_ms);
        group.get(later).is_none_or(|place| self.time_ms(*place) >= until_ms)
    }
}
