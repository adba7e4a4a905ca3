//! A filter of a run that excludes a hash in one cache miss: a blocked Bloom filter, one bit in each word of a cell.
//!
//! It is blocked because it can be built while a merge streams by with bounded memory (a fuse filter needs all keys at
//! once), and because a cell is one line of the cache. The cell follows the order of the hashes, so a sorted run fills
//! its filter from front to back. Hashes should spread over all 64 bits; others make it less selective. It never
//! excludes an inserted hash.

use super::sealed::{damaged, open, seal};
use crate::error::Result;

// A hash that passes by mistake costs a page read of some microseconds. Most runs are small and hold few of the keys,
// so there the better filter is cheap: 0.09 % pass at 16 bits a key, 0.42 % at 12.
const SMALL_RUN_KEYS: u64 = 4_000_000;
const SMALL_RUN_BITS_PER_KEY: u64 = 16;
const BITS_PER_KEY: u64 = 12;
const MULTIPLIER: u64 = 0xd6e8_feb8_6659_fd93;
// With its checksum a slice fits into one page of 16 KiB.
const CELLS_PER_SLICE: usize = 254;

#[derive(Clone, Copy)]
#[repr(align(64))]
struct FilterCell([u64; 8]);

#[derive(Clone)]
pub(super) struct Filter {
    cells: Vec<FilterCell>,
}

fn cells_for(keys: u64) -> usize {
    let bits_per_key = if keys < SMALL_RUN_KEYS { SMALL_RUN_BITS_PER_KEY } else { BITS_PER_KEY };
    usize::try_from(keys.saturating_mul(bits_per_key).div_ceil(512).max(1)).unwrap_or(usize::MAX)
}

/// The number of slices of a filter for `keys` keys.
pub(super) fn slices_for(keys: u64) -> usize {
    cells_for(keys).div_ceil(CELLS_PER_SLICE)
}

impl Filter {
    /// An empty filter for a run that will have `keys` keys.
    pub(super) fn new(keys: u64) -> Filter {
        Filter { cells: vec![FilterCell([0; 8]); cells_for(keys)] }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let index = self.index(hash);
        if let Some(cell) = self.cells.get_mut(index) {
            for (word, bit) in cell.0.iter_mut().zip(bits(hash)) {
                *word |= 1 << bit;
            }
        }
    }

    /// False only where the run does not hold `hash`.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        let Some(cell) = self.cells.get(self.index(hash)) else { return true };
        // Without a branch per word: half of them would be predicted wrongly.
        cell.0.iter().zip(bits(hash)).fold(1, |all, (word, bit)| all & (word >> bit)) == 1
    }

    fn index(&self, hash: u64) -> usize {
        let cells = u128::try_from(self.cells.len()).unwrap_or(0);
        usize::try_from((u128::from(hash) * cells) >> 64).unwrap_or(usize::MAX)
    }

    pub(super) fn bytes(&self) -> usize {
        self.cells.len() * size_of::<FilterCell>()
    }

    /// A part of the filter as a blob for block `place`.
    pub(super) fn slice(&self, slice: usize, place: u64) -> Vec<u8> {
        let cells = self.cells.iter().skip(slice * CELLS_PER_SLICE).take(CELLS_PER_SLICE);
        let mut blob: Vec<u8> = cells.flat_map(|cell| cell.0).flat_map(u64::to_le_bytes).collect();
        seal(place, &mut blob);
        blob
    }

    /// Sets a part from the blob of [`Filter::slice`].
    pub(super) fn set_slice(&mut self, slice: usize, place: u64, blob: &[u8]) -> Result<()> {
        let (words, rest) = open(place, blob)?.as_chunks::<8>();
        let cells = self.cells.iter_mut().skip(slice * CELLS_PER_SLICE).take(CELLS_PER_SLICE);
        if words.len() != cells.len() * 8 || !rest.is_empty() {
            return Err(damaged("a filter has an impossible shape"));
        }
        for (to, from) in cells.flat_map(|cell| cell.0.iter_mut()).zip(words) {
            *to = u64::from_le_bytes(*from);
        }
        Ok(())
    }
}

// One bit number for each word of a cell. The product's high bits depend on all bits of the hash, so that the keys of
// one cell, which share their leading bits, still differ.
fn bits(hash: u64) -> impl Iterator<Item = u64> {
    let product = hash.wrapping_mul(MULTIPLIER) >> 16;
    (0..8_u32).map(move |word| (product >> (6 * word)) & 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ (number + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(31)
    }

    #[test]
    fn a_filter_passes_its_keys_and_few_others_also_after_a_round_trip() {
        let keys = 20_000;
        let mut built = Filter::new(keys);
        (0..keys).for_each(|number| built.insert(hash(number)));
        let mut filter = Filter::new(keys);
        for slice in 0..slices_for(keys) {
            filter.set_slice(slice, 3, &built.slice(slice, 3)).unwrap();
        }
        assert!((0..keys).all(|number| filter.may_hold(hash(number))));
        let passed = (keys..keys * 11).filter(|&number| filter.may_hold(hash(number))).count();
        assert!(passed < 400, "{passed} of 200,000 absent keys passed");
    }

    #[test]
    fn a_slice_of_the_wrong_length_is_corrupt() {
        let mut filter = Filter::new(100);
        assert!(filter.set_slice(0, 3, &Filter::new(200).slice(0, 3)).is_err());
        assert!(filter.set_slice(0, 4, &Filter::new(100).slice(0, 3)).is_err());
    }
}
