//! A parsed record as bytes, and its texts read back in place: what the store keeps of a profile that linkage compares.
//!
//! One entry for each slot that is not missing: its number, the length of its text (LEB128), the text. It holds normalized
//! personal values, so it must go wherever the profile goes.

use super::comparators::Word;
use super::parsed::{N_SLOTS, Slot, Slots};
use crate::error::{Error, ErrorKind, Result};

/// A record as the store keeps it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RecordBytes(pub(crate) Vec<u8>);

impl RecordBytes {
    /// Of a record.
    pub(crate) fn of<S: Slots>(record: &S) -> RecordBytes {
        let mut bytes = Vec::with_capacity(128);
        for slot in Slot::ALL.into_iter().filter(|slot| !record.is_missing(*slot)) {
            let text = record.text(slot);
            bytes.push(slot as u8);
            let mut rest = text.len();
            while rest > 0x7F {
                bytes.push((rest & 0x7F) as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
            bytes.extend_from_slice(text.as_bytes());
        }
        RecordBytes(bytes)
    }

    /// Its texts.
    pub(crate) fn texts(&self) -> Result<Texts<'_>> {
        Texts::read(&self.0)
    }
}

/// The texts of a record that lie elsewhere.
#[derive(Clone, Copy)]
pub(crate) struct Texts<'t>([&'t str; N_SLOTS]);

impl<'t> Texts<'t> {
    /// Reads a record. Fails with `Corrupt` for bytes that are none.
    pub(crate) fn read(mut bytes: &'t [u8]) -> Result<Texts<'t>> {
        let mut texts = [""; N_SLOTS];
        while let Some((slot, rest)) = bytes.split_first() {
            let place = texts.get_mut(usize::from(*slot)).ok_or_else(damaged)?;
            let n_bytes = rest.iter().position(|byte| byte & 0x80 == 0).ok_or_else(damaged)? + 1;
            let (length, rest) = rest.split_at_checked(n_bytes.min(4)).ok_or_else(damaged)?;
            let length = length.iter().rev().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7F));
            let (text, rest) = rest.split_at_checked(length).ok_or_else(damaged)?;
            *place = std::str::from_utf8(text).map_err(|_| damaged())?;
            bytes = rest;
        }
        Ok(Texts(texts))
    }
}

impl Slots for Texts<'_> {
    fn text(&self, slot: Slot) -> &str {
        self.0.get(slot as usize).copied().unwrap_or("")
    }

    fn word(&self, slot: Slot) -> Word<'_> {
        Word::new(self.text(slot))
    }

    fn is_missing(&self, slot: Slot) -> bool {
        self.text(slot).is_empty()
    }

    fn is_same(&self, other: &Self, slot: Slot) -> bool {
        self.text(slot) == other.text(slot)
    }
}

fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt, "a compared record of the store is damaged").with_hint("link again: it is made anew")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parsed::Parsed;
    use super::*;

    proptest! {
        #[test]
        fn bytes_give_the_texts_back(texts in proptest::collection::vec((0..N_SLOTS, ".{0,300}"), 0..N_SLOTS)) {
            let mut parsed = Parsed::default();
            for (slot, text) in texts {
                parsed.put(Slot::ALL[slot], text);
            }
            let bytes = RecordBytes::of(&parsed);
            let read = bytes.texts().unwrap();
            prop_assert!(Slot::ALL.into_iter().all(|slot| read.text(slot) == parsed.text(slot)));
            prop_assert!(RecordBytes::of(&read) == bytes);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Texts::read(&bytes);
        }
    }
}
