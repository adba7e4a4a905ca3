//! Values of a block that are no numbers: each distinct value once, in a dictionary.
//!
//! An entry is the canonical JSON of a value, or `"` and the bare text if it is text; no JSON text begins with `"` and
//! lacks the closing quote. An entry is parsed on its first use, because a read of one profile needs few of them. An
//! entry that cannot be read is missing, which is different from null.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::ints::{Ints, write_ints};
use crate::error::Result;
use crate::records::Value;
use crate::store::bytes::{Reader, corrupt};

/// The type that an entry is parsed into.
pub(crate) trait DictionaryEntry: Sized {
    /// Returns `None` for bytes that are no entry of this type.
    fn parse(bytes: &[u8]) -> Option<Self>;
}

const TEXT: u8 = b'"';

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes.strip_prefix(&[TEXT])?).ok()
}

impl DictionaryEntry for Value {
    fn parse(bytes: &[u8]) -> Option<Value> {
        match bytes.first()? {
            &TEXT => text(bytes).map(Value::from),
            _ => Value::parse(bytes).ok(),
        }
    }
}

impl DictionaryEntry for Arc<Value> {
    fn parse(bytes: &[u8]) -> Option<Arc<Value>> {
        <Value as DictionaryEntry>::parse(bytes).map(Arc::new)
    }
}

impl DictionaryEntry for Arc<str> {
    fn parse(bytes: &[u8]) -> Option<Arc<str>> {
        text(bytes).map(Arc::from)
    }
}

/// The distinct values of a column, in place.
pub(super) struct ValueDictionary<T> {
    n_entries: usize,
    ends: Ints,
    bytes: std::ops::Range<usize>,
    parsed: OnceLock<Box<[OnceLock<Option<T>>]>>,
}

/// The entries of a dictionary, by number.
pub(crate) struct DictionaryEntries<'b, T> {
    dictionary: &'b ValueDictionary<T>,
    block: &'b [u8],
}

impl<T> Clone for DictionaryEntries<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for DictionaryEntries<'_, T> {}

impl<T: DictionaryEntry> ValueDictionary<T> {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<ValueDictionary<T>> {
        let (n_entries, n_bytes) = (reader.u32()? as usize, reader.u32()? as usize);
        let ends = Ints::read(reader, n_entries)?;
        let start = reader.position();
        reader.take(n_bytes)?;
        Ok(ValueDictionary { n_entries, ends, bytes: start..start + n_bytes, parsed: OnceLock::new() })
    }

    /// Fails unless every entry can be read, for readers that cannot report a missing one.
    pub(super) fn check(&self, block: &[u8]) -> Result<()> {
        let entries = self.entries(block);
        let is_readable = |index: usize| match entries.bytes(index) {
            // A text is only validated; any other value is cached as parsed.
            Some(bytes) if bytes.first() == Some(&TEXT) => text(bytes).is_some(),
            Some(_) => entries.get(index).is_some(),
            None => false,
        };
        let are_readable = entries.len() == self.n_entries && (0..self.n_entries).all(is_readable);
        if are_readable { Ok(()) } else { Err(corrupt("an entry of a dictionary cannot be read")) }
    }

    pub(super) fn n_entries(&self) -> usize {
        self.n_entries
    }

    /// The approximate RAM of the parsed entries.
    pub(super) fn parsed_bytes(&self) -> usize {
        self.n_entries * (size_of::<Value>() + 16) + self.bytes.len()
    }

    /// The entries.
    pub(super) fn entries<'b>(&'b self, block: &'b [u8]) -> DictionaryEntries<'b, T> {
        DictionaryEntries { dictionary: self, block }
    }
}

impl<'b, T: DictionaryEntry> DictionaryEntries<'b, T> {
    /// The number of entries.
    pub(super) fn len(self) -> usize {
        // An entry has at least one byte, so the bytes limit a damaged count.
        self.dictionary.n_entries.min(self.dictionary.bytes.len())
    }

    /// The entry with a number; `None` if there is none that can be read.
    pub(super) fn get(self, index: usize) -> Option<&'b T> {
        let parsed = self.dictionary.parsed.get_or_init(|| (0..self.len()).map(|_| OnceLock::new()).collect());
        parsed.get(index)?.get_or_init(|| T::parse(self.bytes(index)?)).as_ref()
    }

    fn bytes(self, index: usize) -> Option<&'b [u8]> {
        let ends = self.dictionary.ends.view(self.block);
        let end = |index: usize| ends.get(index).and_then(|end| usize::try_from(end).ok());
        let start = index.checked_sub(1).map_or(Some(0), end)?;
        self.block.get(self.dictionary.bytes.clone())?.get(start..end(index)?)
    }
}

/// Collects distinct values and numbers them in the order of arrival.
#[derive(Default)]
pub(super) struct DictionaryBuilder {
    numbers: HashMap<Box<[u8]>, u32>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    scratch: Vec<u8>,
    json: String,
}

impl DictionaryBuilder {
    /// The number of a value.
    pub(super) fn number_of(&mut self, value: &Value) -> u32 {
        self.scratch.clear();
        match value {
            Value::Text(text) => return self.number_of_text(text),
            other => {
                self.json.clear();
                other.write_json(&mut self.json);
                self.scratch.extend_from_slice(self.json.as_bytes());
            }
        }
        self.number_of_scratch()
    }

    /// The number of a text.
    pub(super) fn number_of_text(&mut self, text: &str) -> u32 {
        self.scratch.clear();
        self.scratch.push(TEXT);
        self.scratch.extend_from_slice(text.as_bytes());
        self.number_of_scratch()
    }

    fn number_of_scratch(&mut self) -> u32 {
        if let Some(number) = self.numbers.get(self.scratch.as_slice()) {
            return *number;
        }
        let number = self.ends.len() as u32;
        self.bytes.extend_from_slice(&self.scratch);
        self.ends.push(self.bytes.len() as u32);
        self.numbers.insert(self.scratch.as_slice().into(), number);
        number
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.ends.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.bytes.len() as u32).to_le_bytes());
        write_ints(out, 0, self.ends.iter().map(|end| i64::from(*end)));
        out.extend_from_slice(&self.bytes);
    }

    pub(super) fn clear(&mut self) {
        self.numbers.clear();
        self.bytes.clear();
        self.ends.clear();
    }
}
