//! Identifiers and their dense numbers: one text for all values, one compact table to find them.
//!
//! It takes identifiers in the order of their numbers and answers in both directions. Whoever holds a hash of an
//! identifier still compares the whole value: two identifiers are never mistaken for one another.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Identifiers, each with the number of its type's name and its normalized value.
#[derive(Clone, Default)]
pub(crate) struct NodeTable {
    // Together, because whoever looks for one of them at random needs both.
    entries: Vec<Entry>,
    values: String,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

/// The type of an identifier, and where its value ends in `values`; it begins where the one before ends.
#[derive(Clone, Copy, Default)]
struct Entry {
    identifier_type: u32,
    // In two parts, so that an entry has twelve bytes and not sixteen.
    end_high: u32,
    end_low: u32,
}

impl Entry {
    fn new(identifier_type: u32, end: usize) -> Entry {
        let end = end as u64;
        Entry { identifier_type, end_high: (end >> 32) as u32, end_low: end as u32 }
    }

    fn end(self) -> usize {
        (u64::from(self.end_high) << 32 | u64::from(self.end_low)) as usize
    }
}

fn identifier<'v>(entries: &[Entry], values: &'v str, place: u32) -> Option<(u32, &'v str)> {
    let place = place as usize;
    let entry = entries.get(place)?;
    let start = match place.checked_sub(1) {
        Some(before) => entries.get(before)?.end(),
        None => 0,
    };
    Some((entry.identifier_type, values.get(start..entry.end())?))
}

impl NodeTable {
    /// How many identifiers there are.
    pub(crate) fn len(&self) -> u32 {
        self.entries.len() as u32
    }

    /// The type's name number and the value of an identifier.
    pub(crate) fn get(&self, place: u32) -> Option<(u32, &str)> {
        identifier(&self.entries, &self.values, place)
    }

    /// The place of an identifier.
    pub(crate) fn find(&self, identifier_type: u32, value: &str) -> Option<u32> {
        let hash = self.hasher.hash_one((identifier_type, value));
        self.index.find(hash, |place| self.get(*place) == Some((identifier_type, value))).copied()
    }

    /// Adds an identifier that is not there yet; gives its place.
    pub(crate) fn push(&mut self, identifier_type: u32, value: &str) -> u32 {
        let place = self.len();
        self.values.push_str(value);
        self.entries.push(Entry::new(identifier_type, self.values.len()));
        let NodeTable { entries, values, index, hasher } = self;
        let hash = hasher.hash_one((identifier_type, value));
        let hash_of = |place: &u32| hasher.hash_one(identifier(entries, values, *place).unwrap_or_default());
        index.insert_unique(hash, place, hash_of);
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
        for number in 0..1_000u32 {
            let value = format!("u{}", number / 2);
            assert_eq!(nodes.find(number % 2, &value), None);
            assert_eq!(nodes.push(number % 2, &value), number);
        }
        for number in 0..1_000u32 {
            let value = format!("u{}", number / 2);
            assert_eq!(nodes.find(number % 2, &value), Some(number));
            assert_eq!(nodes.get(number), Some((number % 2, value.as_str())));
        }
        assert_eq!((nodes.find(2, "u1"), nodes.get(1_000)), (None, None));
        assert_eq!(nodes.iter().count(), 1_000);
    }
}
