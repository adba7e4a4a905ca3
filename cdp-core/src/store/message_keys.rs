//! The flat map over the log: which messages may have a (source, message id), for dedupe for ever, and which may have named an
//! identifier first or linked it with another, so that one person is found in the file alone.
//!
//! It takes what accepted messages say and answers with candidates; whoever asks confirms them on the full value.

use std::hash::Hasher;

use rustc_hash::FxHashSet;
use siphasher::sip::SipHasher13;

use super::facts::Facts;
use super::flat_map::{FlatMap, FlatMapOptions, FlatMapOverlay, Step};
use crate::error::Result;

/// How many keys of a short tail are left for the next open to read from the log.
const KEPT_TAIL_KEYS: u64 = 10_000;

/// So many messages before those that no run has tell about how many nodes there were: one of them will have been new.
const LOOK_BACK: u64 = 1_000;
/// What comes before the number of an identifier type in a hash, where a message id has its source: no source is so great.
const IDENTIFIERS: u32 = 1 << 31;

/// The keys of the log.
#[derive(Clone)]
pub(super) struct MessageKeys {
    map: FlatMap,
    hash_mask: u64,
    salt: [u8; 32],
    // Runs lead to all nodes below this that a message names.
    first_new_node: u32,
}

impl MessageKeys {
    /// The keys of the messages up to `up_to`. `hash_mask` keeps fewer bits of each hash, so that a test sees collisions.
    pub(super) fn load(facts: Facts<'_>, options: FlatMapOptions, hash_mask: u64, up_to: u64) -> Result<MessageKeys> {
        let map = FlatMap::load(facts.0, options)?;
        let (meta, after) = (facts.meta()?, map.watermark());
        let mut first_new_node = 0;
        // Nodes are numbered as they come, until another identity definition holds.
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
            // An earlier message may have named it first: once more does no harm.
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

    /// Whether a node may have been named first by a message that no run has.
    pub(super) fn may_be_new(&self, node: u32) -> bool {
        node >= self.first_new_node
    }

    /// None, over a file that holds none any more; those of the whole log are to be entered in this transaction.
    pub(super) fn empty(facts: Facts<'_>, options: FlatMapOptions, hash_mask: u64) -> Result<MessageKeys> {
        FlatMap::clear(facts.0)?;
        MessageKeys::load(facts, options, hash_mask, 0)
    }

    fn hash(&self, kind: u32, text: &str) -> u64 {
        // Senders choose message ids; with a key of the store they cannot choose them to collide.
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

    /// The messages that may have named this identifier first, or linked it with another, in the order of their sequences.
    pub(super) fn naming(&self, facts: Facts<'_>, identifier_type: u32, value: &str) -> Result<Vec<u64>> {
        self.map.candidates(facts.0, None, self.identifier_hash(identifier_type, value))
    }

    /// Enters that an accepted message names an identifier first, or links it, unless a run has it already.
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
        if self.has_long_tail() {
            self.map.freeze();
        }
    }

    /// Whether so much is in RAM only that the next open would take long to read it from the log.
    pub(super) fn has_long_tail(&self) -> bool {
        self.map.size().tail_keys > KEPT_TAIL_KEYS
    }

    /// Writes what is in RAM only in the transaction that is under way, if it is much.
    pub(super) fn write(&mut self, facts: Facts<'_>) -> Result<()> {
        self.freeze();
        while let Some(step) = self.step(facts, usize::MAX)? {
            self.fold_step(step);
        }
        Ok(())
    }
}
