//! Compared profiles and their blocking keys in the file: the profiles that a new profile is compared with.
//!
//! The tables are derived from facts: a run of linkage fills them, later transactions keep them up to date, and a
//! change of the identity definition empties them. Neighbouring keys share a row, whose rowid is the first key that it
//! may hold: a page has few rows, so that reading and writing it cost little, and a row that grows is split. All nodes
//! of a key are in one row; a key that too many nodes share holds none of them until the next run.

use rusqlite::{CachedStatement, OptionalExtension, params};

use super::facts::{Facts, time};
use super::sqlite::sql_error;
use crate::error::Result;
use crate::records::Timestamp;

/// The settings of a run of linkage that comparisons of single profiles use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredLive {
    /// The version of the scoring model.
    pub(crate) model: u32,
    /// The permitted use of the model, as a word.
    pub(crate) verdict: String,
    /// How profiles become records, as JSON.
    pub(crate) reading: String,
}

/// The number of records of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyNodes {
    /// This number of records.
    Some(usize),
    /// Too many records to be compared.
    TooMany,
}

/// A key (six bytes) and one of its nodes (four bytes), big-endian.
type KeyEntry = [u8; 10];

/// Marks, in place of a node, a key with too many nodes.
const TOO_MANY: u32 = u32::MAX;
/// The number of entries in a row that a run writes, and the number above which a row is split.
const ENTRIES_AT_FIRST: usize = 64;
const MOST_ENTRIES: usize = 128;

fn entry(key: i64, node: u32) -> KeyEntry {
    let [_, _, key @ ..] = key.to_be_bytes();
    let [k0, k1, k2, k3, k4, k5] = key;
    let [n0, n1, n2, n3] = node.to_be_bytes();
    [k0, k1, k2, k3, k4, k5, n0, n1, n2, n3]
}

fn node_of(entry: &KeyEntry) -> u32 {
    let [.., n0, n1, n2, n3] = *entry;
    u32::from_be_bytes([n0, n1, n2, n3])
}

fn key_of(entry: &KeyEntry) -> i64 {
    let [k0, k1, k2, k3, k4, k5, ..] = *entry;
    i64::from_be_bytes([0, 0, k0, k1, k2, k3, k4, k5])
}

/// The range of a key among sorted entries.
fn places_of(entries: &[KeyEntry], key: i64) -> std::ops::Range<usize> {
    let start = entries.partition_point(|known| *known < entry(key, 0));
    let length = entries.iter().skip(start).take_while(|known| key_of(known) == key).count();
    start..start + length
}

/// The place at which entries are split: near the middle, and never between the nodes of a key; the end if all have one
/// key.
fn middle_of(entries: &[KeyEntry]) -> usize {
    let Some(key) = entries.get(entries.len() / 2).map(key_of) else { return entries.len() };
    let places = places_of(entries, key);
    if places.start > 0 { places.start } else { places.end }
}

/// The tables of records and keys, with prepared statements for repeated lookups.
pub(crate) struct LinkageTables<'f> {
    facts: Facts<'f>,
    read_record: CachedStatement<'f>,
    read_keys: CachedStatement<'f>,
}

impl LinkageTables<'_> {
    /// Reads the record of a node: the instant since when it holds, and its bytes.
    pub(crate) fn record<T>(
        &mut self,
        node: u32,
        read: impl FnOnce(Timestamp, &[u8]) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut rows = self.read_record.query([node]).map_err(sql_error)?;
        let Some(row) = rows.next().map_err(sql_error)? else { return Ok(None) };
        let since = time(row.get(0).map_err(sql_error)?);
        let bytes = row.get_ref(1).map_err(sql_error)?.as_blob().map_err(|error| sql_error(error.into()))?;
        read(since, bytes).map(Some)
    }

    pub(crate) fn put_record(&self, node: u32, since: Timestamp, bytes: &[u8]) -> Result<()> {
        self.facts.execute(
            "INSERT OR REPLACE INTO linkage_records (node, since, record) VALUES (?1, ?2, ?3)",
            params![node, since.millis(), bytes],
        )
    }

    pub(crate) fn delete_record(&self, node: u32) -> Result<()> {
        self.facts.execute("DELETE FROM linkage_records WHERE node = ?1", [node])
    }

    /// Adds the nodes of a key to `nodes`, by number, unless there are more than `most`.
    pub(crate) fn key_nodes(&mut self, key: i64, most: usize, nodes: &mut Vec<u32>) -> Result<KeyNodes> {
        let read = self.row(key, |_, entries| {
            let of_key = entries.get(places_of(entries, key)).unwrap_or_default();
            if of_key.len() > most || of_key.first().is_some_and(|first| node_of(first) == TOO_MANY) {
                return KeyNodes::TooMany;
            }
            nodes.extend(of_key.iter().map(node_of));
            KeyNodes::Some(of_key.len())
        })?;
        Ok(read.unwrap_or(KeyNodes::Some(0)))
    }

    /// Appends keys that are greater than all stored ones, each with one of its nodes, sorted. A key with more than
    /// `most` nodes is marked instead.
    pub(crate) fn append_keys(&self, keys: &[(i64, u32)], most: impl Fn(i64) -> usize) -> Result<()> {
        let mut entries: Vec<KeyEntry> = Vec::with_capacity(MOST_ENTRIES);
        for of_key in keys.chunk_by(|(left, _), (right, _)| left == right) {
            if entries.len() >= ENTRIES_AT_FIRST {
                self.put_row(None, &entries)?;
                entries.clear();
            }
            match of_key.first() {
                Some((key, _)) if of_key.len() > most(*key) => entries.push(entry(*key, TOO_MANY)),
                _ => entries.extend(of_key.iter().map(|(key, node)| entry(*key, *node))),
            }
        }
        self.put_row(None, &entries)
    }

    /// Adds a node to a key, unless the key has too many.
    pub(crate) fn add_key(&mut self, key: i64, node: u32) -> Result<()> {
        self.edit_row(key, |entries| {
            let places = places_of(entries, key);
            let of_key = entries.get(places.clone()).unwrap_or_default();
            let stands_for_too_many = of_key.first().is_some_and(|first| node_of(first) == TOO_MANY);
            match of_key.binary_search(&entry(key, node)) {
                Err(place) if !stands_for_too_many => entries.insert(places.start + place, entry(key, node)),
                _ => {}
            }
        })
    }

    /// Marks a key as one with too many nodes.
    pub(crate) fn close_key(&mut self, key: i64) -> Result<()> {
        self.edit_row(key, |entries| {
            let places = places_of(entries, key);
            entries.splice(places, [entry(key, TOO_MANY)]);
        })
    }

    /// Removes a node from a key.
    pub(crate) fn delete_key(&mut self, key: i64, node: u32) -> Result<()> {
        self.edit_row(key, |entries| entries.retain(|known| *known != entry(key, node)))
    }

    /// Reads the row that may hold a key: the first key it may hold, and its entries.
    fn row<T>(&mut self, key: i64, read: impl FnOnce(i64, &[KeyEntry]) -> T) -> Result<Option<T>> {
        let mut rows = self.read_keys.query([key]).map_err(sql_error)?;
        let Some(row) = rows.next().map_err(sql_error)? else { return Ok(None) };
        let bytes = row.get_ref(1).map_err(sql_error)?.as_blob().map_err(|error| sql_error(error.into()))?;
        Ok(Some(read(row.get(0).map_err(sql_error)?, bytes.as_chunks().0)))
    }

    fn edit_row(&mut self, key: i64, edit: impl FnOnce(&mut Vec<KeyEntry>)) -> Result<()> {
        let known = self.row(key, |first, entries| (first, entries.to_vec()))?;
        let (first, mut entries) = known.map_or((None, Vec::new()), |(first, entries)| (Some(first), entries));
        edit(&mut entries);
        match first {
            // The row before takes over the keys of a deleted row.
            Some(first) if entries.is_empty() => {
                self.facts.execute("DELETE FROM linkage_keys WHERE first = ?1", [first])
            }
            _ if entries.len() > MOST_ENTRIES => {
                let (lower, upper) = entries.split_at(middle_of(&entries));
                self.put_row(first, lower)?;
                self.put_row(None, upper)
            }
            _ => self.put_row(first, &entries),
        }
    }

    /// Writes a row; a new row starts at the key of its first entry.
    fn put_row(&self, first: Option<i64>, entries: &[KeyEntry]) -> Result<()> {
        let Some(first) = first.or_else(|| entries.first().map(key_of)) else { return Ok(()) };
        self.facts.execute(
            "INSERT OR REPLACE INTO linkage_keys (first, entries) VALUES (?1, ?2)",
            params![first, entries.as_flattened()],
        )
    }
}

impl<'f> Facts<'f> {
    /// The tables of records and keys.
    pub(crate) fn linkage_tables(self) -> Result<LinkageTables<'f>> {
        let prepare = |sql: &str| self.0.prepare_cached(sql).map_err(sql_error);
        Ok(LinkageTables {
            facts: self,
            read_record: prepare("SELECT since, record FROM linkage_records WHERE node = ?1")?,
            read_keys: prepare(
                "SELECT first, entries FROM linkage_keys WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
            )?,
        })
    }
}

impl Facts<'_> {
    /// The settings of the last run of linkage; `None` where single profiles are not compared.
    pub(crate) fn linkage_live(&self) -> Result<Option<StoredLive>> {
        let read =
            |row: &rusqlite::Row<'_>| Ok(StoredLive { model: row.get(0)?, verdict: row.get(1)?, reading: row.get(2)? });
        self.0
            .prepare_cached("SELECT model, verdict, reading FROM linkage_live WHERE id = 1")
            .and_then(|mut statement| statement.query_row([], read).optional())
            .map_err(sql_error)
    }

    pub(crate) fn put_linkage_live(&self, live: &StoredLive) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO linkage_live (id, model, verdict, reading) VALUES (1, ?1, ?2, ?3)",
            params![live.model, live.verdict, live.reading],
        )
    }

    /// Empties the tables of live comparison.
    pub(crate) fn clear_linkage_live(&self) -> Result<()> {
        ["DELETE FROM linkage_live", "DELETE FROM linkage_records", "DELETE FROM linkage_keys"]
            .into_iter()
            .try_for_each(|sql| self.execute(sql, []))
    }

    /// The nodes with a record, by number.
    pub(crate) fn linkage_record_nodes(&self) -> Result<Vec<u32>> {
        self.collect("SELECT node FROM linkage_records ORDER BY node", [], |row| row.get(0))
    }

    /// The number of (key, node) entries.
    pub(crate) fn count_linkage_keys(&self) -> Result<usize> {
        let mut statement = self.0.prepare_cached("SELECT entries FROM linkage_keys").map_err(sql_error)?;
        let mut rows = statement.query([]).map_err(sql_error)?;
        let mut n_nodes = 0;
        while let Some(row) = rows.next().map_err(sql_error)? {
            let bytes = row.get_ref(0).map_err(sql_error)?.as_blob().map_err(|error| sql_error(error.into()))?;
            n_nodes += bytes.as_chunks().0.iter().filter(|entry| node_of(entry) != TOO_MANY).count();
        }
        Ok(n_nodes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::store::connection::{ConnectOptions, Durability, connect};

    fn in_memory() -> ConnectOptions {
        let (durability, busy_timeout) = (Durability::Relaxed, std::time::Duration::ZERO);
        ConnectOptions { path: None, read_only: false, create: true, durability, busy_timeout, salt: Some([7; 32]) }
    }

    /// A change of one key.
    #[derive(Clone, Debug)]
    enum KeyChange {
        Add(i64, u32),
        Delete(i64, u32),
        Close(i64),
    }

    fn steps() -> impl Strategy<Value = Vec<KeyChange>> {
        // Few keys with many nodes, and many with few.
        let key = prop_oneof![0..4_i64, 0..2_000_i64, (0..9_i64).prop_map(|key| (1 << 48) - 1 - key)];
        let step = (key, 0..90_u32, 0..40_u8).prop_map(|(key, node, what)| match what {
            0 => KeyChange::Close(key),
            1..=9 => KeyChange::Delete(key, node),
            _ => KeyChange::Add(key, node),
        });
        proptest::collection::vec(step, 0..900)
    }

    #[test]
    fn an_entry_gives_its_key_and_node_back_and_sorts_as_they_do() {
        let entries = [entry(0, 0), entry(0, TOO_MANY), entry(1, 3), entry(255, 0), entry((1 << 48) - 1, 7)];
        assert!(entries.is_sorted());
        assert_eq!(entries.map(|entry| key_of(&entry)), [0, 0, 1, 255, (1 << 48) - 1]);
        assert_eq!(entries.map(|entry| node_of(&entry)), [0, TOO_MANY, 3, 0, 7]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn keys_have_the_nodes_that_were_added(first in proptest::collection::btree_set((0..3_000_i64, 0..90_u32), 0..400), steps in steps()) {
            const MOST: usize = 60;
            let connection = connect(&in_memory()).unwrap().connection;
            let facts = Facts(&connection);
                let mut tables = facts.linkage_tables().unwrap();
                let appended: Vec<(i64, u32)> = first.iter().copied().collect();
                tables.append_keys(&appended, |_| MOST).unwrap();
                // `None`: too many nodes.
                let mut expected: BTreeMap<i64, Option<BTreeSet<u32>>> = BTreeMap::new();
                for (key, node) in first {
                    expected.entry(key).or_insert_with(|| Some(BTreeSet::new())).get_or_insert_default().insert(node);
                }
                for of_key in expected.values_mut().filter(|of_key| of_key.as_ref().is_some_and(|nodes| nodes.len() > MOST)) {
                    *of_key = None;
                }
                for step in steps {
                    match step {
                        KeyChange::Add(key, node) => {
                            tables.add_key(key, node).unwrap();
                            expected.entry(key).or_insert_with(|| Some(BTreeSet::new())).iter_mut().for_each(|nodes| {
                                nodes.insert(node);
                            });
                        }
                        KeyChange::Delete(key, node) => {
                            tables.delete_key(key, node).unwrap();
                            expected.get_mut(&key).into_iter().flatten().for_each(|nodes| {
                                nodes.remove(&node);
                            });
                        }
                        KeyChange::Close(key) => {
                            tables.close_key(key).unwrap();
                            expected.insert(key, None);
                        }
                    }
                }
                for key in (0..3_000).chain((1 << 48) - 12..1 << 48) {
                    let (mut nodes, mut few) = (Vec::new(), Vec::new());
                    let size = tables.key_nodes(key, usize::MAX, &mut nodes).unwrap();
                    match expected.get(&key) {
                        Some(None) => assert_eq!((size, nodes.len()), (KeyNodes::TooMany, 0)),
                        known => {
                            let known: Vec<u32> = known.iter().flat_map(|nodes| nodes.iter().flatten()).copied().collect();
                            assert_eq!((size, &nodes), (KeyNodes::Some(known.len()), &known));
                            let size = tables.key_nodes(key, 1, &mut few).unwrap();
                            assert_eq!(size == KeyNodes::TooMany, known.len() > 1);
                        }
                    }
                }
                let n_nodes: usize = expected.values().flatten().map(BTreeSet::len).sum();
                assert_eq!(facts.count_linkage_keys().unwrap(), n_nodes);
        }
    }
}
