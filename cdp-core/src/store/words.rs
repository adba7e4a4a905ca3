//! Texts that recur in the payloads of messages: what a kind of message looks like, and values that many nodes share.
//!
//! It takes values as they pass and leaves numbers that stand for them in the file. Which texts become words changes the
//! size of the file and nothing else. A value that only one node names never becomes a word, however often it comes.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxBuildHasher;

/// A shorter value costs no more where it stands than its number would.
const LEAST_BYTES: usize = 4;
const MOST_BYTES: usize = 2048;
/// Words take RAM in every process that has the store open.
pub(super) const MOST_WORDS: u32 = 8192;
const N_CANDIDATES: usize = 1 << 14;

/// Counts values as they pass, in a table of fixed size: where two share a place, the later one takes it. A count that
/// two threads spoil costs a word some messages, no more.
pub(super) struct Candidates(Box<[AtomicU64]>);

/// A candidate: 32 bits of its hash, 24 of the last node that named it, 8 that count how often another node did.
const NODE_SHIFT: u32 = 8;
const TAG_SHIFT: u32 = 32;

impl Default for Candidates {
    fn default() -> Candidates {
        Candidates((0..N_CANDIDATES).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Candidates {
    /// Notes that a message of `node` has a text; `true` if it should become a word now, for another node than the one
    /// before has named it `enough` times.
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

/// Whether a text may be a word at all.
pub(super) fn may_be_word(text: &str) -> bool {
    (LEAST_BYTES..=MOST_BYTES).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_nodes_name_becomes_a_word() {
        let candidates = Candidates::default();
        let noted: Vec<bool> = (0..8).map(|node| candidates.note("Mozilla", node, 6)).collect();
        assert_eq!(noted, [false, false, false, false, false, false, true, true]);
    }

    #[test]
    fn what_one_node_names_never_does() {
        let candidates = Candidates::default();
        assert!((0..1000).all(|_| !candidates.note("one@example.com", 7, 6)));
    }

    #[test]
    fn what_is_short_or_long_never_does() {
        assert!(may_be_word("paid"));
        assert!(!may_be_word("USD") && !may_be_word(&"x".repeat(3000)));
    }
}
