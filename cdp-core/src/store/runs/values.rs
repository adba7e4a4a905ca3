//! Values of a block that are no numbers: each distinct one once, in a dictionary.
//!
//! An entry is the canonical JSON of a value, or `"` and the bare text where it is text (which no JSON text can be
//! mistaken for: its last byte would be another quote, and it is told by its first). An entry is parsed when it is first
//! asked for: who reads one person of a block needs few of them. One that cannot be read is none, which is no null.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::ints::{Ints, write_ints};
use crate::error::Result;
use crate::records::Value;
use crate::store::bytes::{Reader, corrupt};

/// What an entry is read as.
pub(crate) trait Entry: Sized {
    /// `None` for bytes that no entry of this type has.
    fn parse(bytes: &[u8]) -> Option<Self>;
}

const TEXT: u8 = b'"';

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes.strip_prefix(&[TEXT])?).ok()
}

impl Entry for Value {
    fn parse(bytes: &[u8]) -> Option<Value> {
        match bytes.first()? {
            &TEXT => text(bytes).map(Value::from),
            _ => Value::parse(bytes).ok(),
        }
    }
}

impl Entry for Arc<Value> {
    fn parse(bytes: &[u8]) -> Option<Arc<Value>> {
        <Value as Entry>::parse(bytes).map(Arc::new)
    }
}

impl Entry for Arc<str> {
    fn parse(bytes: &[u8]) -> Option<Arc<str>> {
        text(bytes).map(Arc::from)
    }
}

/// The distinct values of a column, in place.
pub(super) struct Dictionary<T> {
    n_entries: usize,
    ends: Ints,
    bytes: std::ops::Range<usize>,
    parsed: OnceLock<Box<[OnceLock<Option<T>>]>>,
}

/// The entries of a dictionary, in the order of their numbers.
pub(crate) struct Entries<'b, T> {
    dictionary: &'b Dictionary<T>,
    block: &'b [u8],
}

impl<T> Clone for Entries<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Entries<'_, T> {}

impl<T: Entry> Dictionary<T> {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Dictionary<T>> {
        let (n_entries, n_bytes) = (reader.u32()? as usize, reader.u32()? as usize);
        let ends = Ints::read(reader, n_entries)?;
        let start = reader.position();
        reader.take(n_bytes)?;
        Ok(Dictionary { n_entries, ends, bytes: start..start + n_bytes, parsed: OnceLock::new() })
    }

    /// Fails unless every entry can be read, for readers that have no way to say that one cannot.
    pub(super) fn check(&self, block: &[u8]) -> Result<()> {
        let entries = self.entries(block);
        let is_readable = |index: usize| match entries.bytes(index) {
            // A text is only looked at; anything else is kept as it was parsed.
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

    /// About how much RAM the parsed entries take.
    pub(super) fn parsed_bytes(&self) -> usize {
        self.n_entries * (size_of::<Value>() + 16) + self.bytes.len()
    }

    /// The entries.
    pub(super) fn entries<'b>(&'b self, block: &'b [u8]) -> Entries<'b, T> {
        Entries { dictionary: self, block }
    }
}

impl<'b, T: Entry> Entries<'b, T> {
    /// How many there are.
    pub(super) fn len(self) -> usize {
        // A count that the bytes cannot hold was not written: an entry has at least one byte.
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

/// Collects distinct values and numbers them as they come.
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
