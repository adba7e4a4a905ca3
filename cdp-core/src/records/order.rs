//! The order of facts within one instant: ordinal first, then message id and source.
//!
//! Facts are ordered by (occurred_at, ordinal, message id). A message with a time of its own has ordinal 0, so that its order
//! does not depend on when it arrived. A message that the clock of the store dates is counted per instant, under the write
//! lock, so that the later of two calls stays the later one within a millisecond. The ordinal is a part of the fact and is
//! never computed again.

use super::Timestamp;

/// The place of a fact among those of its instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TieOrder {
    /// 0 for a message with a time of its own.
    pub(crate) ordinal: u64,
    /// The message id, then what distinguishes equal ids.
    pub(crate) text: String,
}

impl TieOrder {
    /// The place of a message.
    pub(crate) fn message(ordinal: u64, message_id: &str, source: &str) -> TieOrder {
        TieOrder { ordinal, text: format!("{message_id}\0{source}") }
    }

    /// A place behind every message; several of them are ordered by `text`.
    pub(crate) fn behind_messages(text: String) -> TieOrder {
        TieOrder { ordinal: u64::MAX, text }
    }
}

/// Gives ordinals to the messages that the clock dates. It stands in the file, so the count goes on in every process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ordinals {
    /// The greatest instant that was given, and how many messages have it.
    pub(crate) instant: Option<Timestamp>,
    pub(crate) count: u64,
    /// The greatest ordinal that was ever given.
    pub(crate) greatest: u64,
}

impl Ordinals {
    /// The ordinal of the next message at `instant`: greater than that of every earlier one there.
    pub(crate) fn next(&mut self, instant: Timestamp) -> u64 {
        let ordinal = if self.instant.is_some_and(|given| instant < given) {
            // The clock was set back: the count at that instant is not kept, and no ordinal was greater than this one.
            self.greatest + 1
        } else {
            if self.instant != Some(instant) {
                (self.instant, self.count) = (Some(instant), 0);
            }
            self.count += 1;
            self.count
        };
        self.greatest = self.greatest.max(ordinal);
        ordinal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_ascend_at_each_instant_even_if_the_clock_goes_back() {
        let mut ordinals = Ordinals::default();
        let mut given: std::collections::BTreeMap<i64, u64> = std::collections::BTreeMap::new();
        for instant in [5, 5, 5, 6, 5, 5, 7, 6, 7, 5, 5, 8, 8, 6] {
            let ordinal = ordinals.next(Timestamp::from_millis(instant));
            let before = given.insert(instant, ordinal).unwrap_or(0);
            assert!(ordinal > before, "{instant}: {ordinal} after {before}");
        }
    }

    #[test]
    fn each_instant_is_counted_from_one() {
        let mut ordinals = Ordinals::default();
        let given: Vec<u64> =
            [1, 1, 2, 3, 3].into_iter().map(|instant| ordinals.next(Timestamp::from_millis(instant))).collect();
        assert_eq!(given, [1, 2, 1, 1, 2]);
    }

    #[test]
    fn the_ordinal_counts_before_the_message_id() {
        let (first, second) = (TieOrder::message(1, "z", "web"), TieOrder::message(2, "a", "web"));
        assert!(TieOrder::message(0, "zz", "web") < first && first < second);
        assert!(second < TieOrder::behind_messages(String::new()));
    }
}
