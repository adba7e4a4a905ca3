//! The index of the log by hash: finds messages by (source, message id), to reject duplicates for ever, and messages
//! that may have named an identifier first or linked it with another, to read one profile from the file alone.
//!
//! It takes the keys of accepted messages and returns candidates; the caller confirms them on the full value.

use std::hash::Hasher;

use rustc_hash::FxHashSet;
use siphasher::sip::SipHasher13;

use super::facts::Facts;
use super::flat_map::{FlatMap, FlatMapOptions, FlatMapOverlay, KeyStep};
use crate::error::Result;

/// The number of keys in a short tail, which the next open reads from the log.
const KEPT_TAIL_KEYS: u64 = 10_000;

/// The number of node is estimated from this many messages before those in no run: one of them will have named a new
/// node.
const LOOK_BACK: u64 = 1_000;
/// The tag of an identifier's hash, added to the number of its type; the source, which tags a message id, is never so
/// great.
const IDENTIFIERS: u32 = 1 << 31;

/// The keys of the log.
#[derive(Clone)]
pub(super) struct MessageKeys {
    map: FlatMap,
    hash_mask: u64,
    salt: [u8; 32],
    // Every node below this that a message names is found through the runs.
    first_new_node: u32,
}

impl MessageKeys {
    /// The keys of the messages up to `up_to`. `hash_mask` drops bits of each hash, so that a test sees collisions.
    pub(super) fn load(facts: Facts<'_>, options: FlatMapOptions, hash_mask: u64, up_to: u64) -> Result<MessageKeys> {
        let map = FlatMap::load(facts.0, options)?;
        let (meta, after) = (facts.meta()?, map.watermark());
        let mut first_new_node = 0;
        // Nodes are numbered as they come, until the identity definition changes.
        if meta.links_to == 0 {
            facts.visit_message_keys(after.saturating_sub(LOOK_BACK), after, |_, _, _, node| {
                first_new_node = first_new_node.max(node.saturating_add(1));
            })?;
        }
        let mut keys = MessageKeys { map, hash_mask, salt: meta.salt, first_new_node };
        let mut overlay = FlatMapOverlay::default();
        let mut named: FxHashSet<u32> = FxHashSet::default();
        let mut firsts: Vec<(u32, u64)> = Vec::new();
        facts.visit_message_keys(after, up_to, |sequence, source, message_id, node| {
            overlay.insert(keys.hash(source, message_id), sequence);
            // An earlier message may have named it first: a further key does no harm.
            if keys.may_be_new(node) && named.insert(node) {
                firsts.push((node, sequence));
            }
        })?;
        facts.visit_links(after, up_to, |link| {
            firsts.extend([(link.node, link.sequence), (link.other, link.sequence)]);
        })?;
        firsts.sort_unstable();
        firsts.dedup();
        for of_node in firsts.chunk_by(|left, right| left.0 == right.0) {
            let node = of_node.first().map_or(u32::MAX, |(node, _)| *node);
            let Some((identifier_type, value)) = facts.node(node)? else { continue };
            let hash = keys.identifier_hash(identifier_type, &value);
            of_node.iter().for_each(|(_, sequence)| overlay.insert(hash, *sequence));
        }
        keys.map.fold(overlay);
        Ok(keys)
    }

    /// Whether the first message that names a node may be in no run.
    pub(super) fn may_be_new(&self, node: u32) -> bool {
        node >= self.first_new_node
    }

    /// Drops the keys of the file; the transaction must insert those of the whole log.
    pub(super) fn empty(facts: Facts<'_>, options: FlatMapOptions, hash_mask: u64) -> Result<MessageKeys> {
        FlatMap::clear(facts.0)?;
        MessageKeys::load(facts, options, hash_mask, 0)
    }

    fn hash(&self, kind: u32, text: &str) -> u64 {
        // Senders choose message ids; with a secret of the store they cannot choose colliding ones.
        let mut hasher = match self.salt.first_chunk() {
            Some(key) => SipHasher13::new_with_key(key),
            None => SipHasher13::new(),
        };
        hasher.write_u32(kind);
        hasher.write(text.as_bytes());
        hasher.finish() & self.hash_mask
    }

    fn identifier_hash(&self, identifier_type: u32, value: &str) -> u64 {
        self.hash(IDENTIFIERS | identifier_type, value)
    }

    /// The messages that may have this key, by sequence.
    pub(super) fn candidates(
        &self,
        facts: Facts<'_>,
        overlay: Option<&FlatMapOverlay>,
        source: u32,
        message_id: &str,
    ) -> Result<Vec<u64>> {
        self.map.candidates(facts.0, overlay, self.hash(source, message_id))
    }

    /// Inserts the key of an accepted message, unless it is in a run.
    pub(super) fn insert(&self, overlay: &mut FlatMapOverlay, source: u32, message_id: &str, sequence: u64) {
        if sequence > self.map.watermark() {
            overlay.insert(self.hash(source, message_id), sequence);
        }
    }

    /// The messages that may have named this identifier first, or linked it with another, by sequence.
    pub(super) fn naming(&self, facts: Facts<'_>, identifier_type: u32, value: &str) -> Result<Vec<u64>> {
        self.map.candidates(facts.0, None, self.identifier_hash(identifier_type, value))
    }

    /// Inserts an identifier that an accepted message names first, or links, unless it is in a run.
    pub(super) fn insert_identifier(
        &self,
        overlay: &mut FlatMapOverlay,
        (identifier_type, value): (u32, &str),
        sequence: u64,
    ) {
        if sequence > self.map.watermark() {
            overlay.insert(self.identifier_hash(identifier_type, value), sequence);
        }
    }

    pub(super) fn fold(&mut self, overlay: FlatMapOverlay) {
        self.map.fold(overlay);
    }

    /// Loads the runs that another process wrote.
    pub(super) fn refresh(&mut self, facts: Facts<'_>) -> Result<()> {
        self.map.refresh(facts.0)
    }

    /// Writes at most this many blocks of the work that is due; `None` if none is due.
    pub(super) fn step(&self, facts: Facts<'_>, max_blocks: usize) -> Result<Option<KeyStep>> {
        self.map.step(facts.0, max_blocks)
    }

    pub(super) fn fold_step(&mut self, step: KeyStep) {
        self.map.fold_step(step);
    }

    /// Freezes a long tail, as before a close.
    pub(super) fn freeze(&mut self) {
        if self.has_long_tail() {
            self.map.freeze();
        }
    }

    /// Whether the tail in RAM is so long that the next open would take long to read it from the log.
    pub(super) fn has_long_tail(&self) -> bool {
        self.map.size().tail_keys > KEPT_TAIL_KEYS
    }

    /// Writes a long tail in the transaction under way.
    pub(super) fn write(&mut self, facts: Facts<'_>) -> Result<()> {
        self.freeze();
        while let Some(step) = self.step(facts, usize::MAX)? {
            self.fold_step(step);
        }
        Ok(())
    }
}
