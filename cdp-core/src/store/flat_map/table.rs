//! The pairs that are not in a run yet: a multimap in RAM with open addressing, 16 bytes a slot.
//!
//! It takes pairs and returns all values of a hash; it never removes one. It is not a `HashMap`, because several values
//! may share a hash, the keys are hashes already, and a fresh large table must touch no page of memory before it is
//! used.

use super::block::Pair;

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const LEAST_SLOTS: usize = 16;

#[derive(Clone, Default)]
pub(super) struct PairTable {
    // [hash, value + 1]; zero marks an empty slot, so that the allocator's zeroed pages are an empty table.
    slots: Vec<[u64; 2]>,
    len: usize,
}

impl PairTable {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<[u64; 2]>()
    }

    /// An empty table with the capacity of `self`.
    pub(super) fn empty_of_same_size(&self) -> PairTable {
        PairTable { slots: vec![[0; 2]; self.slots.len()], len: 0 }
    }

    /// Makes room for `more` pairs.
    pub(super) fn reserve(&mut self, more: usize) {
        let slots = ((self.len + more) * 8 / 5 + 1).next_power_of_two().max(LEAST_SLOTS);
        if slots <= self.slots.len() {
            return;
        }
        let smaller = std::mem::replace(&mut self.slots, vec![[0; 2]; slots]);
        for slot in smaller {
            self.place(slot);
        }
    }

    /// Adds a pair. Values are log sequences and so below `u64::MAX`.
    pub(super) fn insert(&mut self, hash: u64, value: u64) {
        self.reserve(1);
        self.place([hash, value.saturating_add(1)]);
        self.len += 1;
    }

    /// Adds the pairs of `other` that `keep` selects.
    pub(super) fn take_in(&mut self, other: &PairTable, keep: impl Fn(Pair) -> bool) {
        // Reserves all the room first: the other table is read in the order of its slots, which is the order of these,
        // and would pile up at the front of a table that is still too small.
        self.reserve(other.len);
        for (hash, value) in other.iter().filter(|&pair| keep(pair)) {
            self.insert(hash, value);
        }
    }

    /// Appends the values of `hash` to `found`.
    pub(super) fn collect(&self, hash: u64, found: &mut Vec<u64>) {
        let Some((front, back)) = self.slots.split_at_checked(self.start(hash)) else { return };
        for &[other, stored] in back.iter().chain(front) {
            if stored == 0 {
                return;
            }
            if other == hash {
                found.push(stored - 1);
            }
        }
    }

    /// Every pair, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Pair> {
        self.slots.iter().filter(|&&[_, stored]| stored != 0).map(|&[hash, stored]| (hash, stored - 1))
    }

    fn place(&mut self, slot: [u64; 2]) {
        let [hash, stored] = slot;
        if stored == 0 {
            return;
        }
        let start = self.start(hash);
        let Some((front, back)) = self.slots.split_at_mut_checked(start) else { return };
        if let Some(empty) = back.iter_mut().chain(front).find(|&&mut [_, stored]| stored == 0) {
            *empty = slot;
        }
    }

    fn start(&self, hash: u64) -> usize {
        if self.slots.is_empty() {
            return 0;
        }
        let leading = hash.wrapping_mul(MULTIPLIER) >> (64 - self.slots.len().trailing_zeros());
        usize::try_from(leading).unwrap_or(0)
    }
}
