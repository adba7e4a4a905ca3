//! Dedupe by (source, message id), for ever: which messages of the log may have a key.
//!
//! It takes the keys of accepted messages and answers with candidates; whoever asks confirms them on the full value.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::facts::Facts;
use super::flat_map::{FlatMap, FlatMapOptions, FlatMapOverlay, Step};
use crate::error::Result;

/// How many keys of a short tail are left for the next open to read from the log.
const KEPT_TAIL_KEYS: u64 = 10_000;

/// The keys of the log.
#[derive(Clone)]
pub(super) struct MessageKeys {
    map: FlatMap,
    hash_mask: u64,
    salt: [u8; 32],
}

impl MessageKeys {
    /// The keys of the messages up to `up_to`. `hash_mask` keeps fewer bits of each hash, so that a test sees collisions.
    pub(super) fn load(facts: Facts<'_>, options: FlatMapOptions, hash_mask: u64, up_to: u64) -> Result<MessageKeys> {
        let map = FlatMap::load(facts.0, options)?;
        let mut keys = MessageKeys { map, hash_mask, salt: facts.meta()?.salt };
        let mut overlay = FlatMapOverlay::default();
        facts.visit_message_keys(keys.map.watermark(), up_to, |sequence, source, message_id| {
            overlay.insert(keys.hash(source, message_id), sequence);
        })?;
        keys.map.fold(overlay);
        Ok(keys)
    }

    fn hash(&self, source: u32, message_id: &str) -> u64 {
        // Senders choose message ids; with a key of the store they cannot choose them to collide.
        let mut hasher = match self.salt.first_chunk() {
            Some(key) => SipHasher13::new_with_key(key),
            None => SipHasher13::new(),
        };
        hasher.write_u32(source);
        hasher.write(message_id.as_bytes());
        hasher.finish() & self.hash_mask
    }

    /// The messages that may have this key, in the order of their sequences.
    pub(super) fn candidates(
        &self,
        facts: Facts<'_>,
        overlay: Option<&FlatMapOverlay>,
        source: u32,
        message_id: &str,
    ) -> Result<Vec<u64>> {
        self.map.candidates(facts.0, overlay, self.hash(source, message_id))
    }

    /// Enters an accepted message, unless a run has it already.
    pub(super) fn insert(&self, overlay: &mut FlatMapOverlay, source: u32, message_id: &str, sequence: u64) {
        if sequence > self.map.watermark() {
            overlay.insert(self.hash(source, message_id), sequence);
        }
    }

    pub(super) fn fold(&mut self, overlay: FlatMapOverlay) {
        self.map.fold(overlay);
    }

    /// Catches up with the runs that another process wrote.
    pub(super) fn refresh(&mut self, facts: Facts<'_>) -> Result<()> {
        self.map.refresh(facts.0)
    }

    /// Writes at most this many blocks of what is to be written; `None` if there is nothing.
    pub(super) fn step(&self, facts: Facts<'_>, max_blocks: usize) -> Result<Option<Step>> {
        self.map.step(facts.0, max_blocks)
    }

    pub(super) fn fold_step(&mut self, step: Step) {
        self.map.fold_step(step);
    }

    /// Plans to write out a long tail, as before a close.
    pub(super) fn freeze(&mut self) {
        if self.map.size().tail_keys > KEPT_TAIL_KEYS {
            self.map.freeze();
        }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> u64 {
        self.map.size().keys
    }
}
