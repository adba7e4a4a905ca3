//! Nodes by the hour of their messages: finds the profiles for which a window slides or a fact comes due.
//!
//! It takes the instant and node of every message that may still matter, and lists the nodes of a span of time. Hours
//! that no window reaches any more are dropped, so its size follows the longest window, not the store.

use std::collections::BTreeMap;

use crate::records::Timestamp;

const HOUR_MS: i64 = 3_600_000;

#[derive(Clone, Copy, PartialEq, Eq)]
struct TimedNode {
    within_ms: u32,
    node: u32,
    // The number of the event's name; 0 for a message that is no event.
    event: u32,
}

/// Nodes by hour and millisecond within it.
#[derive(Clone, Default)]
pub(crate) struct TimeIndex {
    hours: BTreeMap<i64, Vec<TimedNode>>,
    // Messages before this instant are not kept; `None` keeps all.
    horizon: Option<Timestamp>,
}

impl TimeIndex {
    /// Whether it keeps, or would keep, messages of hours before that of `horizon`.
    pub(crate) fn reaches_before(&self, horizon: Timestamp) -> bool {
        self.horizon.is_none_or(|kept| split(kept).0 < split(horizon).0)
    }

    /// The instant before which it keeps no messages, if there is one.
    pub(crate) fn kept_since(&self) -> Option<Timestamp> {
        self.horizon
    }

    /// Adds a message.
    pub(crate) fn insert(&mut self, occurred_at: Timestamp, node: u32, event: u32) {
        if self.horizon.is_some_and(|horizon| occurred_at < horizon) {
            return;
        }
        let (hour, within_ms) = split(occurred_at);
        let entry = TimedNode { within_ms, node, event };
        let entries = self.hours.entry(hour).or_default();
        // A burst of one node in one millisecond is one entry, but upkeep counts events.
        if event != 0 || entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }

    /// Calls `visit` with the node, event number and time of every event in `(after, up_to]`, and at least once with
    /// each node that has another message there.
    pub(crate) fn visit(&self, after: Timestamp, up_to: Timestamp, mut visit: impl FnMut(u32, u32, Timestamp)) {
        if after >= up_to {
            return;
        }
        let (first_hour, _) = split(after);
        let (last_hour, _) = split(up_to);
        for (hour, nodes) in self.hours.range(first_hour..=last_hour) {
            let start = hour.saturating_mul(HOUR_MS);
            for entry in nodes {
                let at = start.saturating_add(i64::from(entry.within_ms));
                if at > after.millis() && at <= up_to.millis() {
                    visit(entry.node, entry.event, Timestamp::from_millis(at));
                }
            }
        }
    }

    /// Drops the hours before `horizon`, and ignores later messages for them.
    pub(crate) fn forget_before(&mut self, horizon: Timestamp) {
        if self.reaches_before(horizon) {
            let (hour, _) = split(horizon);
            self.hours = self.hours.split_off(&hour);
            self.horizon = Some(Timestamp::from_millis(hour.saturating_mul(HOUR_MS)));
        }
    }
}

fn split(at: Timestamp) -> (i64, u32) {
    (at.millis().div_euclid(HOUR_MS), at.millis().rem_euclid(HOUR_MS) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_span_is_open_at_its_begin_and_closed_at_its_end() {
        let mut index = TimeIndex::default();
        for (millis, node) in [(-HOUR_MS, 1), (-1, 2), (0, 3), (HOUR_MS, 4), (HOUR_MS, 4), (HOUR_MS + 1, 5)] {
            index.insert(at(millis), node, 7);
        }
        let nodes = |after, up_to| {
            let mut nodes = Vec::new();
            index.visit(at(after), at(up_to), |node, _, _| nodes.push(node));
            nodes
        };
        assert_eq!(nodes(-HOUR_MS, 0), [2, 3]);
        assert_eq!(nodes(-HOUR_MS - 1, HOUR_MS), [1, 2, 3, 4, 4]);
        assert_eq!(nodes(HOUR_MS, HOUR_MS + 1), [5]);
        assert!(nodes(5, 5).is_empty());
    }

    #[test]
    fn every_event_of_a_burst_is_visited_and_other_messages_at_least_once() {
        let mut index = TimeIndex::default();
        for event in [7, 7, 0, 0, 7] {
            index.insert(at(1), 3, event);
        }
        let mut events = Vec::new();
        index.visit(at(0), at(1), |_, event, _| events.push(event));
        assert_eq!(events, [7, 7, 0, 7]);
    }

    #[test]
    fn hours_before_every_window_are_dropped() {
        let mut index = TimeIndex::default();
        for hour in 0..10 {
            index.insert(at(hour * HOUR_MS + 5), hour as u32, 7);
        }
        index.forget_before(at(7 * HOUR_MS + 1));
        index.insert(at(3 * HOUR_MS), 99, 7);
        let mut nodes = Vec::new();
        index.visit(at(i64::MIN), at(i64::MAX), |node, _, _| nodes.push(node));
        assert_eq!(nodes, [7, 8, 9]);
    }
}
