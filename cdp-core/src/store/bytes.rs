//! Bytes of a block: checked reading, varints, and the checksum that detects damage.

use crate::error::{Error, ErrorKind, Result};

/// The error of a block that is damaged.
pub(super) fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the timelines of the store are damaged: {what}"))
        .with_hint("restore a backup; the file was left as it is")
}

/// Reads from the front of a byte slice and never beyond its end.
pub(super) struct Reader<'b> {
    rest: &'b [u8],
    length: usize,
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader { rest: bytes, length: bytes.len() }
    }

    /// Reads the bytes after the checksum of [`seal`]; fails with `corrupt` and `what` if the checksum does not match.
    pub(super) fn of_sealed(bytes: &'b [u8], what: &str) -> Result<Reader<'b>> {
        let mut reader = Reader::new(bytes);
        if reader.u64()? == checksum(reader.rest) { Ok(reader) } else { Err(corrupt(what)) }
    }

    /// The number of bytes that were read.
    pub(super) fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, n_bytes: usize) -> Result<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n_bytes).ok_or_else(|| corrupt("a section ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| corrupt("a section ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// An unsigned integer, seven bits a byte.
    pub(super) fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(corrupt("a number is longer than 64 bits"))
    }

    /// A value that [`write_distance`] wrote from an equal origin.
    pub(super) fn distance(&mut self, origin: i64) -> Result<i64> {
        let folded = self.varint()?;
        let distance = (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed();
        Ok(origin.wrapping_add(distance))
    }
}

/// Bytes that begin with room for a checksum, which [`seal`] fills.
pub(super) fn unsealed(capacity: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(capacity.saturating_add(8));
    out.extend_from_slice(&[0; 8]);
    out
}

/// Writes the checksum of all following bytes to the front.
pub(super) fn seal(out: &mut [u8]) {
    if let Some((front, rest)) = out.split_first_chunk_mut() {
        *front = checksum(rest).to_le_bytes();
    }
}

/// Appends an unsigned integer, seven bits a byte.
pub(super) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the distance of `value` from `origin`; short where it is small, on either side.
pub(super) fn write_distance(out: &mut Vec<u8>, origin: i64, value: i64) {
    let distance = value.wrapping_sub(origin);
    write_varint(out, (distance.wrapping_shl(1) ^ (distance >> 63)).cast_unsigned());
}

const LANE_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// A 64-bit checksum that depends on every byte. Four lanes, because one would wait for its own product.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let mix = |lane: u64, word: u64| (lane ^ word).wrapping_mul(LANE_FACTOR).rotate_left(29);
    let [mut a, mut b, mut c, mut d] = [1u64, 2, 3, 4];
    let (words, tail) = bytes.as_chunks::<8>();
    let (groups, single) = words.as_chunks::<4>();
    for [first, second, third, fourth] in groups {
        a = mix(a, u64::from_le_bytes(*first));
        b = mix(b, u64::from_le_bytes(*second));
        c = mix(c, u64::from_le_bytes(*third));
        d = mix(d, u64::from_le_bytes(*fourth));
    }
    let mut sum = bytes.len() as u64;
    for lane in [a, b, c, d] {
        sum = mix(sum, lane);
    }
    for word in single {
        sum = mix(sum, u64::from_le_bytes(*word));
    }
    for byte in tail {
        sum = mix(sum, u64::from(*byte));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_return() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::MAX / 2, u64::MAX] {
            let mut out = Vec::new();
            write_varint(&mut out, value);
            assert_eq!(Reader::new(&out).varint().unwrap(), value);
        }
        for (origin, value) in [(0, 0), (5, -7), (i64::MAX, i64::MIN), (i64::MIN, i64::MAX), (-1, 1_700_000_000_000)] {
            let mut out = Vec::new();
            write_distance(&mut out, origin, value);
            assert_eq!(Reader::new(&out).distance(origin).unwrap(), value);
        }
    }

    #[test]
    fn a_truncated_value_is_corrupt() {
        assert_eq!(Reader::new(&[0x80, 0x80]).varint().unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(Reader::new(&[0xff; 20]).varint().unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(Reader::new(&[1, 2, 3]).u32().unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn every_bit_counts_in_the_checksum() {
        let bytes: Vec<u8> = (0..77u8).collect();
        let sum = checksum(&bytes);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert_ne!(checksum(&damaged), sum);
            }
        }
    }
}
