//! The table of identifiers: every identifier has a dense number, found in both directions.
//!
//! It takes identifiers in the order of their numbers. A lookup compares the whole value after the hash, so two
//! identifiers are never mistaken for one another.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::facts::Facts;
use super::node_blocks::NodeBlock;
use crate::error::Result;

/// The number of identifiers in a chunk: growing copies no more than one chunk, and clones share the others.
pub(super) const CHUNK: usize = 4096;
/// The number of parts in which the index is filled one after the other; each part fits the processor's cache.
const PARTS: usize = 512;

/// Identifiers, each with the number of its type's name and its normalized value.
#[derive(Clone, Default)]
pub(crate) struct NodeTable {
    // Every chunk is full except the last.
    chunks: Vec<Arc<NodeChunk>>,
    index: HashTable<Indexed>,
    hasher: DefaultHashBuilder,
}

/// Consecutive identifiers.
#[derive(Clone, Default)]
struct NodeChunk {
    // In one allocation, because a random lookup needs both.
    entries: Vec<NodeEntry>,
    values: String,
}

/// The type of an identifier, and the end of its value in `values`; the value begins at the end of the one before.
#[derive(Clone, Copy)]
struct NodeEntry {
    identifier_type: u32,
    end: u32,
}

/// A place, and enough of the hash that neither growing nor most lookups read a value.
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

impl NodeChunk {
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
    /// Reads all identifiers of the file, about `n_nodes`.
    pub(crate) fn load(facts: Facts<'_>, n_nodes: u32) -> Result<NodeTable> {
        let mut nodes = NodeTable::default();
        facts.visit_node_blocks(|_, block| nodes.take_in(block))?;
        facts.visit_nodes_from(nodes.len(), |_, identifier_type, value| {
            nodes.append(identifier_type, value);
        })?;
        nodes.index_all(n_nodes);
        Ok(nodes)
    }

    /// Adds the identifiers of a block without indexing them. Adds none and returns false if the block is damaged.
    fn take_in(&mut self, block: NodeBlock<'_>) -> bool {
        let before = self.len();
        if (before as usize).is_multiple_of(CHUNK) {
            let entries = Vec::with_capacity(block.n_nodes as usize);
            let values = String::with_capacity(block.n_text_bytes);
            self.chunks.push(Arc::new(NodeChunk { entries, values }));
        }
        let is_whole = block.visit(|identifier_type, value| self.append(identifier_type, value)).is_ok();
        if !is_whole {
            self.truncate(before);
        }
        is_whole
    }

    fn truncate(&mut self, n_nodes: u32) {
        let n_nodes = n_nodes as usize;
        self.chunks.truncate(n_nodes.div_ceil(CHUNK));
        if let Some(last) = self.chunks.last_mut().map(Arc::make_mut)
            && !n_nodes.is_multiple_of(CHUNK)
        {
            last.entries.truncate(n_nodes % CHUNK);
            last.values.truncate(last.entries.last().map_or(0, |entry| entry.end as usize));
        }
    }

    /// Builds the index of all identifiers. The slot of an entry follows from the low bits of its hash: in their order
    /// the table is filled from one end to the other, in a third of the time of filling it at random.
    fn index_all(&mut self, n_expected: u32) {
        let n_nodes = self.len();
        self.index = HashTable::with_capacity(n_nodes.max(n_expected) as usize);
        let shift = self.index.capacity().next_power_of_two().ilog2().saturating_sub(PARTS.ilog2());
        let part_of = |hash: u32| (hash >> shift) as usize % PARTS;
        let mut hashes = Vec::with_capacity(n_nodes as usize);
        let mut starts = vec![0usize; PARTS + 1];
        for (identifier_type, value) in self.iter() {
            let hash = self.hash(identifier_type, value);
            hashes.push(hash);
            if let Some(n_of_part) = starts.get_mut(part_of(hash) + 1) {
                *n_of_part += 1;
            }
        }
        let mut before = 0;
        for start in &mut starts {
            before += *start;
            *start = before;
        }
        let mut in_order = vec![Indexed { place: 0, hash: 0 }; hashes.len()];
        for (hash, place) in hashes.into_iter().zip(0..) {
            let Some(next) = starts.get_mut(part_of(hash)) else { continue };
            if let Some(slot) = in_order.get_mut(*next) {
                *slot = Indexed { place, hash };
            }
            *next += 1;
        }
        for indexed in in_order {
            self.index.insert_unique(Indexed::spread(indexed.hash), indexed, |known| Indexed::spread(known.hash));
        }
    }

    /// The number of identifiers.
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

    /// Adds an identifier that is not in the table; returns its place.
    pub(crate) fn push(&mut self, identifier_type: u32, value: &str) -> u32 {
        let place = self.len();
        self.append(identifier_type, value);
        let hash = self.hash(identifier_type, value);
        self.index.insert_unique(Indexed::spread(hash), Indexed { place, hash }, |known| Indexed::spread(known.hash));
        place
    }

    fn append(&mut self, identifier_type: u32, value: &str) {
        let last = match self.chunks.last_mut() {
            Some(last) if last.entries.len() < CHUNK => Some(last),
            _ => {
                self.chunks.push(Arc::default());
                self.chunks.last_mut()
            }
        };
        if let Some(last) = last.map(Arc::make_mut) {
            last.values.push_str(value);
            last.entries.push(NodeEntry { identifier_type, end: last.values.len() as u32 });
        }
    }

    /// Every identifier by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        self.chunks.iter().flat_map(|chunk| {
            let mut start = 0;
            chunk.entries.iter().map(move |entry| {
                let value = chunk.values.get(start..entry.end as usize).unwrap_or_default();
                start = entry.end as usize;
                (entry.identifier_type, value)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::node_blocks::write_block;
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
    fn blocks_make_the_table_that_was_written() {
        let value = |number: u32| format!("u{number}");
        let mut nodes = NodeTable::default();
        for number in 0..3 * CHUNK as u32 + 5 {
            nodes.push(number % 3, &value(number));
        }
        let all: Vec<(u32, String)> = nodes.iter().map(|(kind, value)| (kind, value.to_owned())).collect();
        for block_nodes in [7, 1000, CHUNK, 5000] {
            let mut read = NodeTable::default();
            for (number, block) in all.chunks(block_nodes).enumerate() {
                let bytes = write_block(block.iter().map(|(kind, value)| (*kind, value.as_str())));
                assert!(read.take_in(NodeBlock::open(&bytes).unwrap()), "{number}");
            }
            read.index_all(0);
            assert_eq!(read.len(), nodes.len());
            for (place, (kind, value)) in (0..).zip(&all) {
                assert_eq!(read.get(place), Some((*kind, value.as_str())));
                assert_eq!(read.find(*kind, value), Some(place));
            }
            assert_eq!(read.find(0, "missing"), None);
            // Identifiers before an unreadable block stay.
            read.truncate(CHUNK as u32 + 3);
            assert_eq!((read.len(), read.get(CHUNK as u32 + 2)), (CHUNK as u32 + 3, nodes.get(CHUNK as u32 + 2)));
            read.append(0, "next");
            assert_eq!(read.get(CHUNK as u32 + 3), Some((0, "next")));
        }
    }

    #[test]
    fn a_clone_keeps_what_it_has() {
        let mut nodes = NodeTable::default();
        for number in 0..CHUNK as u32 + 2 {
            nodes.push(1, &number.to_string());
        }
        let before = nodes.clone();
        assert_eq!(nodes.push(1, "new"), CHUNK as u32 + 2);
        assert_eq!((before.find(1, "new"), before.len()), (None, CHUNK as u32 + 2));
        assert_eq!(nodes.get(CHUNK as u32 + 2), Some((1, "new")));
    }
}
