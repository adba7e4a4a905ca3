//! Identifiers and their dense numbers: one text for all values, one compact table to find them.
//!
//! It takes identifiers in the order of their numbers and answers in both directions. Whoever holds a hash of an
//! identifier still compares the whole value: two identifiers are never mistaken for one another.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

/// How many identifiers stand together: what grows copies no more than these, and clones share the rest.
const CHUNK: usize = 4096;

/// Identifiers, each with the number of its type's name and its normalized value.
#[derive(Clone, Default)]
pub(crate) struct NodeTable {
    // All full but the last.
    chunks: Vec<Arc<Chunk>>,
    index: HashTable<Indexed>,
    hasher: DefaultHashBuilder,
}

/// Some identifiers in the order of their numbers.
#[derive(Clone, Default)]
struct Chunk {
    // Together, because whoever looks for one of them at random needs both.
    entries: Vec<Entry>,
    values: String,
}

/// The type of an identifier, and where its value ends in `values`; it begins where the one before ends.
#[derive(Clone, Copy)]
struct Entry {
    identifier_type: u32,
    end: u32,
}

/// A place, and enough of the hash that neither growing nor most searches look at a value.
#[derive(Clone, Copy)]
struct Indexed {
    place: u32,
    hash: u32,
}

impl Indexed {
    fn spread(hash: u32) -> u64 {
        u64::from(hash) << 32 | u64::from(hash)
    }
}

impl Chunk {
    fn get(&self, at: usize) -> Option<(u32, &str)> {
        let entry = self.entries.get(at)?;
        let start = match at.checked_sub(1) {
            Some(before) => self.entries.get(before)?.end,
            None => 0,
        };
        Some((entry.identifier_type, self.values.get(start as usize..entry.end as usize)?))
    }
}

impl NodeTable {
    /// A table that has room for so many identifiers.
    pub(crate) fn with_capacity(n_nodes: u32) -> NodeTable {
        NodeTable { index: HashTable::with_capacity(n_nodes as usize), ..NodeTable::default() }
    }

    /// How many identifiers there are.
    pub(crate) fn len(&self) -> u32 {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.entries.len()) as u32
    }

    /// The type's name number and the value of an identifier.
    pub(crate) fn get(&self, place: u32) -> Option<(u32, &str)> {
        self.chunks.get(place as usize / CHUNK)?.get(place as usize % CHUNK)
    }

    fn hash(&self, identifier_type: u32, value: &str) -> u32 {
        (self.hasher.hash_one((identifier_type, value)) >> 32) as u32
    }

    /// The place of an identifier.
    pub(crate) fn find(&self, identifier_type: u32, value: &str) -> Option<u32> {
        let hash = self.hash(identifier_type, value);
        let is_it = |found: &Indexed| found.hash == hash && self.get(found.place) == Some((identifier_type, value));
        self.index.find(Indexed::spread(hash), is_it).map(|found| found.place)
    }

    /// Adds an identifier that is not there yet; gives its place.
    pub(crate) fn push(&mut self, identifier_type: u32, value: &str) -> u32 {
        let place = self.len();
        let last = match self.chunks.last_mut() {
            Some(last) if last.entries.len() < CHUNK => Some(last),
            _ => {
                self.chunks.push(Arc::default());
                self.chunks.last_mut()
            }
        };
        if let Some(last) = last.map(Arc::make_mut) {
            last.values.push_str(value);
            last.entries.push(Entry { identifier_type, end: last.values.len() as u32 });
        }
        let hash = self.hash(identifier_type, value);
        self.index.insert_unique(Indexed::spread(hash), Indexed { place, hash }, |known| Indexed::spread(known.hash));
        place
    }

    /// Every identifier in the order of the numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        (0..self.len()).filter_map(|place| self.get(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_found_by_its_whole_value() {
        let mut nodes = NodeTable::default();
        for number in 0..10_000u32 {
            let value = format!("u{}", number / 2);
            assert_eq!(nodes.find(number % 2, &value), None);
            assert_eq!(nodes.push(number % 2, &value), number);
        }
        for number in 0..10_000u32 {
            let value = format!("u{}", number / 2);
            assert_eq!(nodes.find(number % 2, &value), Some(number));
            assert_eq!(nodes.get(number), Some((number % 2, value.as_str())));
        }
        assert_eq!((nodes.find(2, "u1"), nodes.get(10_000)), (None, None));
        assert_eq!(nodes.iter().count(), 10_000);
    }

    #[test]
    fn a_clone_keeps_what_it_has() {
        let mut nodes = NodeTable::with_capacity(3);
        for number in 0..CHUNK as u32 + 2 {
            nodes.push(1, &number.to_string());
        }
        let before = nodes.clone();
        assert_eq!(nodes.push(1, "new"), CHUNK as u32 + 2);
        assert_eq!((before.find(1, "new"), before.len()), (None, CHUNK as u32 + 2));
        assert_eq!(nodes.get(CHUNK as u32 + 2), Some((1, "new")));
    }
}
