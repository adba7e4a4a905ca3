//! A cache of opened blocks and of merged blocks of repeatedly read nodes, within a budget of bytes.
//!
//! A block never changes and its key is never reused, so no entry can be stale. Blocks that were not used since the
//! hand last passed are evicted first (CLOCK). Any number of threads share it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::block::Block;

const N_SHARDS: usize = 8;

/// The blocks in RAM.
pub(crate) struct BlockCache {
    shards: [Mutex<CacheShard>; N_SHARDS],
}

#[derive(Default)]
struct CacheShard {
    budget: usize,
    n_bytes: usize,
    hand: usize,
    slots: Vec<CacheSlot>,
    places: FxHashMap<i64, usize>,
}

struct CacheSlot {
    id: i64,
    block: Arc<Block>,
    n_bytes: usize,
    was_used: bool,
}

impl BlockCache {
    /// A cache with this budget.
    pub(crate) fn new(budget_bytes: usize) -> BlockCache {
        let shard = || Mutex::new(CacheShard { budget: budget_bytes / N_SHARDS, ..CacheShard::default() });
        BlockCache { shards: std::array::from_fn(|_| shard()) }
    }

    fn shard(&self, id: i64) -> Option<MutexGuard<'_, CacheShard>> {
        let shard = self.shards.get(id.rem_euclid(N_SHARDS as i64) as usize)?;
        // A panic while the lock was held leaves at worst a block too many or too few.
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A cached block, marked as used.
    pub(crate) fn get(&self, id: i64) -> Option<Arc<Block>> {
        let mut shard = self.shard(id)?;
        let place = *shard.places.get(&id)?;
        let slot = shard.slots.get_mut(place)?;
        slot.was_used = true;
        Some(slot.block.clone())
    }

    /// A cached block without marking it: for scans.
    pub(crate) fn peek(&self, id: i64) -> Option<Arc<Block>> {
        let shard = self.shard(id)?;
        let place = *shard.places.get(&id)?;
        shard.slots.get(place).map(|slot| slot.block.clone())
    }

    /// Adds a block, and evicts others until the budget is met.
    pub(crate) fn insert(&self, id: i64, block: &Arc<Block>) {
        let n_bytes = block.ram_bytes();
        let Some(mut shard) = self.shard(id) else { return };
        if n_bytes > shard.budget || shard.places.contains_key(&id) {
            return;
        }
        while shard.n_bytes + n_bytes > shard.budget && shard.drop_one() {}
        let place = shard.slots.len();
        shard.places.insert(id, place);
        // Not marked as used: a block that is read once is evicted before one that is read again.
        shard.slots.push(CacheSlot { id, block: block.clone(), n_bytes, was_used: false });
        shard.n_bytes += n_bytes;
    }

    /// Removes the blocks that `is_wanted` rejects.
    pub(crate) fn retain(&self, is_wanted: impl Fn(i64) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let mut place = 0;
            while let Some(slot) = shard.slots.get(place) {
                if is_wanted(slot.id) { place += 1 } else { shard.remove(place) }
            }
        }
    }

    /// The bytes of the cached blocks.
    #[cfg(test)]
    pub(crate) fn n_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).n_bytes).sum()
    }
}

impl CacheShard {
    fn drop_one(&mut self) -> bool {
        // Twice round: the first round may only find used blocks.
        for _ in 0..=self.slots.len() * 2 {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            // The newest block takes the slot of the evicted one, behind the hand: it has a whole round before it.
            let place = self.hand;
            self.hand += 1;
            match self.slots.get_mut(place) {
                None => return false,
                Some(slot) if slot.was_used => slot.was_used = false,
                Some(_) => {
                    self.remove(place);
                    return true;
                }
            }
        }
        false
    }

    fn remove(&mut self, place: usize) {
        if place >= self.slots.len() {
            return;
        }
        let removed = self.slots.swap_remove(place);
        self.places.remove(&removed.id);
        self.n_bytes -= removed.n_bytes;
        if let Some(moved) = self.slots.get(place) {
            self.places.insert(moved.id, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::builder::{BlockBuilder, BlockLimits};
    use super::*;

    fn block() -> Arc<Block> {
        let mut builder = BlockBuilder::new(BlockLimits { enough_rows: usize::MAX, max_rows: usize::MAX }, 0);
        builder.start_node(0);
        Arc::new(Block::open(builder.finish().0).unwrap())
    }

    #[test]
    fn a_full_cache_takes_in_what_is_read_now() {
        let each = block().ram_bytes();
        let cache = BlockCache::new(100 * each * N_SHARDS);
        let id = |number: i64| number * N_SHARDS as i64;
        for number in 0..150 {
            cache.insert(id(number), &block());
        }
        let kept = |numbers: std::ops::Range<i64>| numbers.filter(|number| cache.peek(id(*number)).is_some()).count();
        assert_eq!((kept(100..150), kept(0..100), cache.n_bytes()), (50, 50, 100 * each));
        // What is in use stays, whatever else is read once.
        for number in 200..1_000 {
            (100..150).for_each(|used| drop(cache.get(id(used))));
            cache.insert(id(number), &block());
        }
        assert_eq!((kept(100..150), cache.n_bytes()), (50, 100 * each));
    }
}
