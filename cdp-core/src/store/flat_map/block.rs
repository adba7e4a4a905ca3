//! A block: some hundred sorted (hash, value) pairs as bits.
//!
//! ```text
//! count u16 | width of hash steps u8 | width of values u8 | first hash u64 | least value u64
//!   | count-1 steps from hash to hash | count values above the least | zero bits up to a whole word | checksum u64
//! ```
//! One width per block and kind: among hashes the steps of a block differ by few bits, and fixed widths decode without
//! branches. It takes and returns pairs sorted by (hash, value), and checks everything that it reads.

use super::sealed::{damaged, open, seal};
use crate::error::Result;

/// A hash and one of its values.
pub(super) type Pair = (u64, u64);

/// The most pairs of a block.
pub(super) const MOST_PAIRS: usize = 4096;

/// Encodes the block with the number `place`; `pairs` are sorted.
pub(super) fn encode(place: u64, pairs: &[Pair]) -> Result<Vec<u8>> {
    let not_sorted = || damaged("a run is not sorted");
    let count = u16::try_from(pairs.len()).map_err(|_| damaged("a block is too long"))?;
    let &(first, _) = pairs.first().ok_or_else(|| damaged("a block is empty"))?;
    let mut steps = Vec::with_capacity(pairs.len());
    let mut previous = first;
    for &(hash, _) in pairs.iter().skip(1) {
        steps.push(hash.checked_sub(previous).ok_or_else(not_sorted)?);
        previous = hash;
    }
    let least = pairs.iter().map(|&(_, value)| value).min().unwrap_or(0);
    let step_width = width(steps.iter().copied());
    let value_width = width(pairs.iter().map(|&(_, value)| value - least));

    let mut writer = BitWriter { bytes: Vec::with_capacity(32 + pairs.len() * 16), pending: 0, bits: 0 };
    writer.bytes.extend_from_slice(&count.to_le_bytes());
    writer.bytes.extend_from_slice(&[step_width, value_width]);
    writer.bytes.extend_from_slice(&first.to_le_bytes());
    writer.bytes.extend_from_slice(&least.to_le_bytes());
    for step in steps {
        writer.push(step, step_width);
    }
    for &(_, value) in pairs {
        writer.push(value - least, value_width);
    }
    let mut blob = writer.finish();
    seal(place, &mut blob);
    Ok(blob)
}

/// Appends every pair of the block to `pairs`.
pub(super) fn decode(place: u64, blob: &[u8], pairs: &mut Vec<Pair>) -> Result<()> {
    let block = PairBlock::open(place, blob)?;
    let mut reader = block.reader();
    let start = pairs.len();
    let mut hash = block.first;
    pairs.push((hash, 0));
    for _ in 1..block.count {
        hash = next_hash(hash, reader.next(block.step_width))?;
        pairs.push((hash, 0));
    }
    for (_, value) in pairs.iter_mut().skip(start) {
        *value = value_above(block.least, reader.next(block.value_width))?;
    }
    Ok(())
}

/// Appends the values of `hash` to `found`.
pub(super) fn find(place: u64, blob: &[u8], hash: u64, found: &mut Vec<u64>) -> Result<()> {
    let block = PairBlock::open(place, blob)?;
    let mut reader = block.reader();
    let mut at = block.first;
    let mut index = 0;
    loop {
        if at > hash {
            return Ok(());
        }
        if at == hash {
            let steps = (block.count - 1) * u64::from(block.step_width);
            let bits = block.bits_at(steps + index * u64::from(block.value_width), block.value_width);
            found.push(value_above(block.least, bits)?);
        }
        index += 1;
        if index == block.count {
            return Ok(());
        }
        at = next_hash(at, reader.next(block.step_width))?;
    }
}

fn next_hash(hash: u64, step: u64) -> Result<u64> {
    hash.checked_add(step).ok_or_else(|| damaged("a hash is out of range"))
}

fn value_above(least: u64, bits: u64) -> Result<u64> {
    least.checked_add(bits).ok_or_else(|| damaged("a value is out of range"))
}

struct PairBlock<'b> {
    count: u64,
    step_width: u8,
    value_width: u8,
    first: u64,
    least: u64,
    words: &'b [[u8; 8]],
}

impl<'b> PairBlock<'b> {
    fn open(place: u64, blob: &'b [u8]) -> Result<PairBlock<'b>> {
        let body = open(place, blob)?;
        let shape = || damaged("a block has an impossible shape");
        let (count, body) = body.split_first_chunk::<2>().ok_or_else(shape)?;
        let ([step_width, value_width], body) = body.split_first_chunk::<2>().ok_or_else(shape)?;
        let (first, body) = body.split_first_chunk::<8>().ok_or_else(shape)?;
        let (least, body) = body.split_first_chunk::<8>().ok_or_else(shape)?;
        let (words, rest) = body.as_chunks::<8>();
        let count = u64::from(u16::from_le_bytes(*count));
        if count == 0 || *step_width > 64 || *value_width > 64 || !rest.is_empty() {
            return Err(shape());
        }
        let bits = (count - 1) * u64::from(*step_width) + count * u64::from(*value_width);
        if usize::try_from(bits.div_ceil(64)) != Ok(words.len()) {
            return Err(shape());
        }
        Ok(PairBlock {
            count,
            step_width: *step_width,
            value_width: *value_width,
            first: u64::from_le_bytes(*first),
            least: u64::from_le_bytes(*least),
            words,
        })
    }

    fn reader(&self) -> BitReader<'b> {
        BitReader { words: self.words.iter(), pending: 0, bits: 0 }
    }

    fn bits_at(&self, offset: u64, width: u8) -> u64 {
        let index = usize::try_from(offset / 64).unwrap_or(usize::MAX);
        let word = |index: usize| self.words.get(index).map_or(0, |word| u128::from(u64::from_le_bytes(*word)));
        let both = word(index) | word(index.saturating_add(1)) << 64;
        low_bits(both >> (offset % 64), width)
    }
}

fn width(numbers: impl Iterator<Item = u64>) -> u8 {
    let all = numbers.fold(0, |all, number| all | number);
    u8::try_from(u64::BITS - all.leading_zeros()).unwrap_or(64)
}

fn low_bits(bits: u128, width: u8) -> u64 {
    let mask = (1_u128 << width) - 1;
    u64::try_from(bits & mask & u128::from(u64::MAX)).unwrap_or(u64::MAX)
}

struct BitWriter {
    bytes: Vec<u8>,
    pending: u128,
    bits: u8,
}

impl BitWriter {
    fn push(&mut self, number: u64, width: u8) {
        self.pending |= u128::from(number) << self.bits;
        self.bits += width;
        if self.bits >= 64 {
            self.bytes.extend_from_slice(&low_bits(self.pending, 64).to_le_bytes());
            self.pending >>= 64;
            self.bits -= 64;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.bits > 0 {
            self.bytes.extend_from_slice(&low_bits(self.pending, 64).to_le_bytes());
        }
        self.bytes
    }
}

struct BitReader<'b> {
    words: std::slice::Iter<'b, [u8; 8]>,
    pending: u128,
    bits: u8,
}

impl BitReader<'_> {
    // `PairBlock::open` has checked that there are words for all bits of the block.
    fn next(&mut self, width: u8) -> u64 {
        if self.bits < width {
            let word = self.words.next().map_or(0, |word| u64::from_le_bytes(*word));
            self.pending |= u128::from(word) << self.bits;
            self.bits += 64;
        }
        let number = low_bits(self.pending, width);
        self.pending >>= width;
        self.bits -= width;
        number
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;

    proptest! {
        #[test]
        fn a_block_gives_back_its_pairs_and_finds_each(
            mut pairs in prop::collection::vec((any::<u64>(), 0..=u64::MAX - 1), 1..300),
            shift in 0..64_u32,
            absent in any::<u64>(),
        ) {
            for pair in &mut pairs {
                *pair = (pair.0 >> shift, pair.1 >> shift);
            }
            pairs.sort_unstable();
            let blob = encode(7, &pairs).unwrap();
            let mut decoded = Vec::new();
            decode(7, &blob, &mut decoded).unwrap();
            prop_assert_eq!(&decoded, &pairs);
            for hash in pairs.iter().map(|pair| pair.0).chain([absent, absent >> shift]) {
                let mut found = Vec::new();
                find(7, &blob, hash, &mut found).unwrap();
                let expected: Vec<u64> = pairs.iter().filter(|pair| pair.0 == hash).map(|pair| pair.1).collect();
                prop_assert_eq!(found, expected);
            }
        }

        #[test]
        fn a_changed_or_shortened_or_displaced_block_is_corrupt(
            mut pairs in prop::collection::vec(any::<(u64, u64)>(), 1..40),
            at in any::<prop::sample::Index>(),
            flip in 1..=255_u8,
        ) {
            pairs.sort_unstable();
            let blob = encode(7, &pairs).unwrap();
            let at = at.index(blob.len());
            let mut changed = blob.clone();
            changed[at] ^= flip;
            for (place, blob) in [(7, changed.as_slice()), (7, &blob[..at]), (8, blob.as_slice())] {
                prop_assert_eq!(decode(place, blob, &mut Vec::new()).unwrap_err().kind(), ErrorKind::Corrupt);
                prop_assert_eq!(find(place, blob, 5, &mut Vec::new()).unwrap_err().kind(), ErrorKind::Corrupt);
            }
        }

        #[test]
        fn no_block_with_a_valid_checksum_makes_the_decoder_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..80),
            count in 0..6_u16,
            widths in any::<[u8; 2]>(),
            hash in any::<u64>(),
        ) {
            if let Some(head) = bytes.first_chunk_mut::<4>() {
                *head = [count.to_le_bytes()[0], count.to_le_bytes()[1], widths[0] % 70, widths[1] % 70];
            }
            seal(7, &mut bytes);
            let _ = decode(7, &bytes, &mut Vec::new());
            let _ = find(7, &bytes, hash, &mut Vec::new());
        }
    }
}
