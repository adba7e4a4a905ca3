//! Selects texts of payloads that become words of the dictionary: shapes of messages, and values that many nodes share.
//!
//! It takes the texts of messages and selects those that recur, which are then stored by number. Which texts become
//! words changes the size of the file and nothing else. A value that only one node names never becomes a word, however
//! often it comes.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxBuildHasher;

/// A shorter value costs no more in place than its number would.
const LEAST_BYTES: usize = 4;
const MOST_BYTES: usize = 2048;
/// Words take RAM in every process that has the store open.
pub(super) const MOST_WORDS: u32 = 8192;
const N_CANDIDATES: usize = 1 << 14;

/// Counts texts in a table of fixed size: of two texts with one place the later replaces the earlier. If two threads
/// lose a count, a word starts some messages later.
pub(super) struct Candidates(Box<[AtomicU64]>);

/// A candidate: 32 bits of its hash, 24 of the last node that named it, 8 that count changes of the node.
const NODE_SHIFT: u32 = 8;
const TAG_SHIFT: u32 = 32;

impl Default for Candidates {
    fn default() -> Candidates {
        Candidates((0..N_CANDIDATES).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Candidates {
    /// Counts a text in a message of `node`; returns `true` if it should become a word now, because another node than
    /// the one before has named it `enough` times.
    pub(super) fn note(&self, text: &str, node: u32, enough: u8) -> bool {
        let hash = FxBuildHasher.hash_one(text.as_bytes());
        let Some(candidate) = self.0.get((hash >> 40) as usize % N_CANDIDATES) else { return false };
        let known = candidate.load(Ordering::Relaxed);
        let (tag, node) = (u64::from(hash as u32), u64::from(node & 0xff_ffff));
        let mut count = known & 0xff;
        if known >> TAG_SHIFT != tag {
            count = 0;
        } else if known >> NODE_SHIFT & 0xff_ffff != node {
            count = (count + 1).min(u64::from(enough));
        }
        candidate.store(tag << TAG_SHIFT | node << NODE_SHIFT | count, Ordering::Relaxed);
        count >= u64::from(enough)
    }
}

/// Whether the length of a text permits it to become a word.
pub(super) fn may_be_word(text: &str) -> bool {
    (LEAST_BYTES..=MOST_BYTES).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_several_nodes_becomes_a_word() {
        let candidates = Candidates::default();
        let results: Vec<bool> = (0..8).map(|node| candidates.note("Mozilla", node, 6)).collect();
        assert_eq!(results, [false, false, false, false, false, false, true, true]);
    }

    #[test]
    fn a_value_of_one_node_never_becomes_a_word() {
        let candidates = Candidates::default();
        assert!((0..1000).all(|_| !candidates.note("one@example.com", 7, 6)));
    }

    #[test]
    fn a_short_or_long_value_never_becomes_a_word() {
        assert!(may_be_word("paid"));
        assert!(!may_be_word("USD") && !may_be_word(&"x".repeat(3000)));
    }
}
