//! The windows of time over which events count, as a feature or an event leaf names them.
//!
//! It takes the fields of a definition and leaves the window typed. Where it lies at an instant is for
//! `rules::timeline` to say.

use super::fields::behavior::window;
use super::reader::Fields;
use crate::records::{Duration, Timestamp};

/// Which events count, by their time, seen from an instant t. Events after t never count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureWindow {
    /// All until t.
    Ever,
    /// `(t - w, t]`.
    Within(Duration),
    /// `(t - a, t - b]`, a longer than b.
    BetweenAgo(Duration, Duration),
    /// At this instant or later.
    Since(Timestamp),
    /// Between two instants, both included.
    Between(Timestamp, Timestamp),
}

impl FeatureWindow {
    /// Reads `within`, `between_ago`, `since` or `between`; none of them means ever.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<FeatureWindow> {
        const WORDS: [&str; 4] = ["within", "between_ago", "since", "between"];
        let given: Vec<&str> = WORDS.into_iter().filter(|word| fields.has(word)).collect();
        if given.len() > 1 {
            fields.fault(format!("{} exclude each other; give one window", given.join(" and ")));
        }
        let within = fields.optional(&window::WITHIN, |node| node.duration().map(FeatureWindow::Within));
        let between_ago = fields.optional(&window::BETWEEN_AGO, |node| {
            let ends = node.list(|end| end.duration())?;
            match ends.as_slice() {
                [start, end] if start > end => Some(FeatureWindow::BetweenAgo(*start, *end)),
                _ => {
                    node.fault("expected two durations, the longer first: [\"40d\", \"20d\"] is (t-40d, t-20d]");
                    None
                }
            }
        });
        let since = fields.optional(&window::SINCE, |node| node.timestamp().map(FeatureWindow::Since));
        let between = fields.optional(&window::BETWEEN, |node| {
            let ends = node.list(|end| end.timestamp())?;
            match ends.as_slice() {
                [start, end] if start <= end => Some(FeatureWindow::Between(*start, *end)),
                _ => {
                    node.fault("expected two times, the earlier first, both included");
                    None
                }
            }
        });
        match given.len() {
            0 => Some(FeatureWindow::Ever),
            1 => within.or(between_ago).or(since).or(between),
            _ => None,
        }
    }
}
