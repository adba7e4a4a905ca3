//! A column of integers: the least value once, and the distances from it in the narrowest of 0, 1, 2, 3, 4, 5 or 8
//! bytes.
//!
//! It is read in place, without decoding. Three and five bytes are stored as two arrays (the low two or four bytes,
//! then the high byte), so that each array has a fixed width: five bytes of milliseconds are 34 years.

use std::ops::Range;

use crate::error::Result;
use crate::store::bytes::{Reader, corrupt};

/// The place of a column of integers in its block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ints {
    base: i64,
    width: u8,
    at: usize,
    len: usize,
}

/// A column of integers of a block.
#[derive(Clone, Copy)]
pub(crate) struct IntColumn<'b> {
    base: i64,
    width: u8,
    len: usize,
    low: &'b [u8],
    high: &'b [u8],
}

/// The number of bytes of a value in the low and in the high array.
fn split(width: u8) -> Option<(usize, usize)> {
    match width {
        0 | 1 | 2 | 4 | 8 => Some((usize::from(width), 0)),
        3 | 5 => Some((usize::from(width) - 1, 1)),
        _ => None,
    }
}

impl Ints {
    /// Reads the layout of a column of `len` integers.
    pub(super) fn read(reader: &mut Reader<'_>, len: usize) -> Result<Ints> {
        let (width, base) = (reader.u8()?, reader.i64()?);
        let (low, high) = split(width).ok_or_else(|| corrupt("a column has an unknown width"))?;
        let at = reader.position();
        reader.take(len.checked_mul(low + high).ok_or_else(|| corrupt("a column is too long"))?)?;
        Ok(Ints { base, width, at, len })
    }

    /// The column in the bytes of its block.
    pub(super) fn view<'b>(&self, block: &'b [u8]) -> IntColumn<'b> {
        let (low, high) = split(self.width).unwrap_or_default();
        let bytes = block.get(self.at..).unwrap_or_default();
        let (low, bytes) = bytes.split_at_checked(low * self.len).unwrap_or_default();
        let high = bytes.get(..high * self.len).unwrap_or_default();
        IntColumn { base: self.base, width: self.width, len: self.len, low, high }
    }
}

impl<'b> IntColumn<'b> {
    /// The value at an index.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<i64> {
        let above = match self.width {
            0 if index < self.len => 0,
            1 => u64::from(*self.low.get(index)?),
            2 => u64::from(u16::from_le_bytes(*self.low.as_chunks().0.get(index)?)),
            3 => {
                let low = u16::from_le_bytes(*self.low.as_chunks().0.get(index)?);
                u64::from(low) | u64::from(*self.high.get(index)?) << 16
            }
            4 => u64::from(u32::from_le_bytes(*self.low.as_chunks().0.get(index)?)),
            5 => {
                let low = u32::from_le_bytes(*self.low.as_chunks().0.get(index)?);
                u64::from(low) | u64::from(*self.high.get(index)?) << 32
            }
            8 => u64::from_le_bytes(*self.low.as_chunks().0.get(index)?),
            _ => return None,
        };
        Some(self.base.wrapping_add(above.cast_signed()))
    }

    /// Appends the values of a range; indexes after the end of the column are left out.
    pub(crate) fn append_to(&self, range: Range<usize>, out: &mut Vec<i64>) {
        self.append_mapped(range, out, |value| value);
    }

    /// Appends the values of a range, converted by `map`; indexes after the end of the column are left out.
    pub(crate) fn append_mapped<T>(&self, range: Range<usize>, out: &mut Vec<T>, map: impl Fn(i64) -> T) {
        let base = self.base;
        let above = |above: u64| map(base.wrapping_add(above.cast_signed()));
        let range = range.start..range.end.min(self.len);
        let high = self.high.get(range.clone()).unwrap_or_default().iter();
        fn fixed<const N: usize>(low: &[u8], range: Range<usize>) -> std::slice::Iter<'_, [u8; N]> {
            low.as_chunks::<N>().0.get(range).unwrap_or_default().iter()
        }
        match self.width {
            0 => out.extend(range.map(|_| above(0))),
            1 => out.extend(fixed::<1>(self.low, range).map(|low| above(u64::from(u8::from_le_bytes(*low))))),
            2 => out.extend(fixed::<2>(self.low, range).map(|low| above(u64::from(u16::from_le_bytes(*low))))),
            3 => out.extend(
                fixed::<2>(self.low, range)
                    .zip(high)
                    .map(|(low, high)| above(u64::from(u16::from_le_bytes(*low)) | u64::from(*high) << 16)),
            ),
            4 => out.extend(fixed::<4>(self.low, range).map(|low| above(u64::from(u32::from_le_bytes(*low))))),
            5 => out.extend(
                fixed::<4>(self.low, range)
                    .zip(high)
                    .map(|(low, high)| above(u64::from(u32::from_le_bytes(*low)) | u64::from(*high) << 32)),
            ),
            _ => out.extend(fixed::<8>(self.low, range).map(|low| above(u64::from_le_bytes(*low)))),
        }
    }

    /// Whether every value is greater than the one before it, or equal unless `strictly`; no value may wrap around.
    pub(super) fn is_ascending(&self, strictly: bool) -> bool {
        let ascends = |left: &u64, right: &u64| left < right || (!strictly && left == right);
        let high = self.high.iter().map(|high| u64::from(*high));
        match self.width {
            0 => !strictly || self.len < 2,
            1 => self.low.iter().map(|low| u64::from(*low)).is_sorted_by(ascends),
            2 => words(self.low, u16::from_le_bytes).is_sorted_by(ascends),
            3 => {
                words(self.low, u16::from_le_bytes).zip(high).map(|(low, high)| low | high << 16).is_sorted_by(ascends)
            }
            4 => words(self.low, u32::from_le_bytes).is_sorted_by(ascends),
            5 => {
                words(self.low, u32::from_le_bytes).zip(high).map(|(low, high)| low | high << 32).is_sorted_by(ascends)
            }
            _ => words(self.low, u64::from_le_bytes).is_sorted_by(ascends),
        }
    }

    /// The greatest value, as the bits of a u64: one below zero is greater than any other.
    pub(super) fn greatest(&self) -> Option<u64> {
        let mut values = Vec::with_capacity(self.len);
        self.append_mapped(0..self.len, &mut values, i64::cast_unsigned);
        values.into_iter().max()
    }

    /// The first index in `range` whose value is not less than `value`; the values of the range ascend.
    pub(crate) fn lower_bound(&self, range: Range<usize>, value: i64) -> usize {
        let (mut from, mut to) = (range.start, range.end);
        while from < to {
            let middle = from.midpoint(to);
            match self.get(middle) {
                Some(found) if found < value => from = middle + 1,
                _ => to = middle,
            }
        }
        from
    }
}

/// The unsigned integers of a fixed width in some bytes.
fn words<const N: usize, W: Into<u64>>(low: &[u8], word: impl Fn([u8; N]) -> W) -> impl Iterator<Item = u64> {
    low.as_chunks::<N>().0.iter().map(move |bytes| word(*bytes).into())
}

/// Appends a column. No value may lie below `base`; both count modulo 2^64, so that unsigned numbers fit as well.
pub(super) fn write_ints(out: &mut Vec<u8>, base: i64, values: impl Iterator<Item = i64> + Clone) {
    let above = values.map(|value| value.wrapping_sub(base).cast_unsigned());
    let bits = u64::BITS - above.clone().fold(0, |all, one| all | one).leading_zeros();
    let width = match bits.div_ceil(8) as u8 {
        6 | 7 => 8,
        width => width,
    };
    out.push(width);
    out.extend_from_slice(&base.to_le_bytes());
    let low = above.clone();
    match width {
        0 => {}
        1 => out.extend(low.map(|above| above as u8)),
        2 | 3 => low.for_each(|above| out.extend_from_slice(&(above as u16).to_le_bytes())),
        4 | 5 => low.for_each(|above| out.extend_from_slice(&(above as u32).to_le_bytes())),
        _ => low.for_each(|above| out.extend_from_slice(&above.to_le_bytes())),
    }
    match width {
        3 => out.extend(above.map(|above| (above >> 16) as u8)),
        5 => out.extend(above.map(|above| (above >> 32) as u8)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base: i64, values: &[i64]) {
        let mut out = vec![9];
        write_ints(&mut out, base, values.iter().copied());
        let mut reader = Reader::new(&out);
        reader.u8().unwrap();
        let ints = Ints::read(&mut reader, values.len()).unwrap();
        assert!(reader.is_at_end());
        let view = ints.view(&out);
        let read: Vec<i64> = (0..values.len()).map(|index| view.get(index).unwrap()).collect();
        assert_eq!(read, values);
        assert_eq!(view.get(values.len()), None);
        let mut bulk = Vec::new();
        view.append_to(1..values.len() + 3, &mut bulk);
        assert_eq!(bulk, values[1..]);
        let ascending = values.is_sorted();
        // For values that are no lower than the base; those of the last column are so only modulo 2^64.
        if values.iter().all(|value| *value >= base) {
            assert_eq!(view.is_ascending(false), ascending);
            assert_eq!(view.is_ascending(true), values.is_sorted_by(|left, right| left < right));
        }
        if ascending {
            for value in values {
                let expected = values.partition_point(|other| other < value);
                assert_eq!(view.lower_bound(0..values.len(), *value), expected);
            }
        }
    }

    #[test]
    fn every_width_returns_its_values() {
        for bits in 0..63 {
            check(-5, &[-5, -5 + (1 << bits), -5 + (1 << bits) / 3]);
            check(7, &[7, 7 + (1 << bits) - 1]);
            check(0, &[1, (1 << bits) / 2 + 1, 1 << bits]);
        }
        check(i64::MIN, &[i64::MIN, 0, i64::MAX]);
        check(1, &[u64::MAX.cast_signed(), 1, 2]);
    }
}
