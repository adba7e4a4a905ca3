//! The frame and the little-endian numbers of a stored model.
//!
//! A frame is: eight bytes of magic, the version (u32), the length of the content (u64), BLAKE3 of all three and the
//! content, the content. Nothing is allocated by a number that was read before what it counts is known to be there.

use super::drift::NumbersReference;
use crate::error::{Error, ErrorKind, Result};

const HEADER: usize = 8 + 4 + 8;
const CHECKSUM: usize = 32;

/// Puts content into a frame.
pub(super) fn seal(magic: &[u8; 8], version: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + CHECKSUM + content.len());
    bytes.extend_from_slice(magic);
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
    let checksum = checksum(&bytes, content);
    bytes.extend_from_slice(&checksum);
    bytes.extend_from_slice(content);
    bytes
}

/// Takes content out of a frame after checking magic, version, length and checksum.
pub(super) fn open<'b>(magic: &[u8; 8], version: u32, bytes: &'b [u8]) -> Result<&'b [u8]> {
    let (header, rest) = bytes.split_at_checked(HEADER).ok_or_else(|| corrupt("shorter than its header"))?;
    let mut reader = Reader { rest: header };
    if reader.take(8)? != magic {
        return Err(Error::new(ErrorKind::Incompatible, "these bytes are not a model of this kind"));
    }
    let found = reader.u32()?;
    if found != version {
        return Err(Error::new(
            ErrorKind::Incompatible,
            format!("the model has format {found}, this library reads {version}"),
        )
        .with_hint("train it again, or use the version of the library that made it"));
    }
    let length = reader.u64()?;
    let (expected, content) = rest.split_at_checked(CHECKSUM).ok_or_else(|| corrupt("shorter than its header"))?;
    if content.len() as u64 != length {
        return Err(corrupt("not as long as its header says"));
    }
    if checksum(header, content) != *expected {
        return Err(corrupt("different from its checksum"));
    }
    Ok(content)
}

/// The first eight bytes, which say what kind of model it is.
pub(super) fn magic(bytes: &[u8]) -> Option<&[u8; 8]> {
    bytes.first_chunk()
}

fn checksum(header: &[u8], content: &[u8]) -> [u8; CHECKSUM] {
    *blake3::Hasher::new().update(header).update(content).finalize().as_bytes()
}

/// An error for a model whose bytes contradict themselves.
pub(super) fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the bytes of the model are {what}")).with_hint("train it again")
}

/// Writes content.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn u8(&mut self, number: u8) {
        self.bytes.push(number);
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn f32(&mut self, number: f32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn f64(&mut self, number: f64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub(super) fn texts<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t str>) {
        self.count(texts.len());
        texts.for_each(|text| self.text(text));
    }

    pub(super) fn numbers_reference(&mut self, reference: &NumbersReference) {
        self.u64(reference.rows);
        self.count(reference.quantiles.len());
        reference.quantiles.iter().for_each(|quantile| self.f64(*quantile));
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads content; what is not there is `corrupt`.
pub(super) struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    pub(super) fn new(content: &'b [u8]) -> Reader<'b> {
        Reader { rest: content }
    }

    pub(super) fn take(&mut self, n_bytes: usize) -> Result<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n_bytes).ok_or_else(|| corrupt("cut off"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| corrupt("cut off"))
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    pub(super) fn flag(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(corrupt("holding a truth value that is neither true nor false")),
        }
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64> {
        finite(f64::from_le_bytes(self.array()?))
    }

    /// A number of things of which each takes at least `least_bytes`; refused if fewer bytes follow.
    pub(super) fn count(&mut self, least_bytes: usize) -> Result<usize> {
        let count = self.u32()? as usize;
        match count.checked_mul(least_bytes) {
            Some(n_bytes) if n_bytes <= self.rest.len() => Ok(count),
            _ => Err(corrupt("cut off")),
        }
    }

    pub(super) fn text(&mut self) -> Result<&'b str> {
        let length = self.count(1)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| corrupt("holding text that is not UTF-8"))
    }

    pub(super) fn texts(&mut self) -> Result<Vec<&'b str>> {
        let count = self.count(4)?;
        (0..count).map(|_| self.text()).collect()
    }

    /// Texts of which each is greater than the one before.
    pub(super) fn rising_texts(&mut self) -> Result<Vec<&'b str>> {
        let texts = self.texts()?;
        let is_rising = texts.iter().zip(texts.iter().skip(1)).all(|(left, right)| left < right);
        if is_rising { Ok(texts) } else { Err(corrupt("holding names out of order")) }
    }

    fn numbers<const N: usize, T>(&mut self, count: usize, read: impl Fn([u8; N]) -> Result<T>) -> Result<Vec<T>> {
        let n_bytes = count.checked_mul(N).ok_or_else(|| corrupt("cut off"))?;
        let (chunks, _) = self.take(n_bytes)?.as_chunks::<N>();
        chunks.iter().map(|chunk| read(*chunk)).collect()
    }

    pub(super) fn u32s(&mut self, count: usize) -> Result<Vec<u32>> {
        self.numbers(count, |bytes| Ok(u32::from_le_bytes(bytes)))
    }

    pub(super) fn u64s(&mut self, count: usize) -> Result<Vec<u64>> {
        self.numbers(count, |bytes| Ok(u64::from_le_bytes(bytes)))
    }

    pub(super) fn f32s(&mut self, count: usize) -> Result<Vec<f32>> {
        self.numbers(count, |bytes| finite(f64::from(f32::from_le_bytes(bytes))).map(|number| number as f32))
    }

    pub(super) fn f64s(&mut self, count: usize) -> Result<Vec<f64>> {
        self.numbers(count, |bytes| finite(f64::from_le_bytes(bytes)))
    }

    pub(super) fn numbers_reference(&mut self) -> Result<NumbersReference> {
        let rows = self.u64()?;
        let count = self.count(8)?;
        let quantiles = self.f64s(count)?;
        if !quantiles.is_sorted() || rows < quantiles.len() as u64 {
            return Err(corrupt("holding numbers out of order"));
        }
        Ok(NumbersReference { rows, quantiles })
    }

    /// Refuses bytes after the end.
    pub(super) fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(corrupt("longer than what they hold")) }
    }
}

fn finite(number: f64) -> Result<f64> {
    if number.is_finite() { Ok(number) } else { Err(corrupt("holding a number that is not finite")) }
}
