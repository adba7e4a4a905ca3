//! Compared profiles and their blocking keys, as the file keeps them: what one profile is compared with as it comes.
//!
//! It holds what it is given, derived from facts: a run of linkage fills it, later transactions keep it, a change of the identity
//! definition empties it. The nodes of a key stand in one row, so that a question costs one look-up a key; a key that too many
//! share has none of them, whatever comes, until the next run.

use rusqlite::{OptionalExtension, params};

use super::connection::sql_error;
use super::facts::{Facts, time};
use crate::error::Result;
use crate::records::Timestamp;

/// What a run of linkage leaves for single profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredLive {
    /// The version of the model that scores.
    pub(crate) model: u32,
    /// What the model may be used for, as a word.
    pub(crate) verdict: String,
    /// How profiles become records, as JSON.
    pub(crate) reading: String,
}

/// How many records a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyNodes {
    /// So many.
    Some(usize),
    /// Too many to be followed.
    TooMany,
}

/// The nodes of a key, in order; none if they are too many.
fn nodes_of(bytes: &[u8]) -> impl ExactSizeIterator<Item = u32> {
    bytes.as_chunks().0.iter().map(|node| u32::from_le_bytes(*node))
}

impl Facts<'_> {
    /// What the last run of linkage left; `None` where single profiles are not compared.
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

    /// Empties what live comparison needs.
    pub(crate) fn clear_linkage_live(&self) -> Result<()> {
        ["DELETE FROM linkage_live", "DELETE FROM linkage_records", "DELETE FROM linkage_keys"]
            .into_iter()
            .try_for_each(|sql| self.execute(sql, []))
    }

    /// Reads the record of a node: since when it holds, and its bytes.
    pub(crate) fn linkage_record<T>(
        &self,
        node: u32,
        read: impl FnOnce(Timestamp, &[u8]) -> Result<T>,
    ) -> Result<Option<T>> {
        let sql = "SELECT since, record FROM linkage_records WHERE node = ?1";
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let mut rows = statement.query([node]).map_err(sql_error)?;
        let Some(row) = rows.next().map_err(sql_error)? else { return Ok(None) };
        let since = time(row.get(0).map_err(sql_error)?);
        let bytes = row.get_ref(1).map_err(sql_error)?.as_blob().map_err(|error| sql_error(error.into()))?;
        read(since, bytes).map(Some)
    }

    /// The nodes that have a record, in order.
    pub(crate) fn linkage_record_nodes(&self) -> Result<Vec<u32>> {
        self.collect("SELECT node FROM linkage_records ORDER BY node", [], |row| row.get(0))
    }

    pub(crate) fn put_linkage_record(&self, node: u32, since: Timestamp, bytes: &[u8]) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO linkage_records (node, since, record) VALUES (?1, ?2, ?3)",
            params![node, since.millis(), bytes],
        )
    }

    pub(crate) fn delete_linkage_record(&self, node: u32) -> Result<()> {
        self.execute("DELETE FROM linkage_records WHERE node = ?1", [node])
    }

    /// Reads the nodes of a key; `None` if it has none.
    fn linkage_key<T>(&self, key: i64, read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        let sql = "SELECT nodes FROM linkage_keys WHERE key = ?1";
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let mut rows = statement.query([key]).map_err(sql_error)?;
        let Some(row) = rows.next().map_err(sql_error)? else { return Ok(None) };
        Ok(Some(read(row.get_ref(0).map_err(sql_error)?.as_blob().map_err(|error| sql_error(error.into()))?)))
    }

    /// Adds the nodes of a key to `nodes`, in order, unless they are more than `most`.
    pub(crate) fn linkage_key_nodes(&self, key: i64, most: usize, nodes: &mut Vec<u32>) -> Result<KeyNodes> {
        let read = self.linkage_key(key, |bytes| {
            let of_key = nodes_of(bytes);
            let n = of_key.len();
            if n == 0 || n > most {
                return KeyNodes::TooMany;
            }
            nodes.extend(of_key);
            KeyNodes::Some(n)
        })?;
        Ok(read.unwrap_or(KeyNodes::Some(0)))
    }

    /// How many nodes stand under keys, each once for each key.
    pub(crate) fn count_linkage_keys(&self) -> Result<u64> {
        self.0
            .prepare_cached("SELECT TOTAL(length(nodes)) FROM linkage_keys")
            .and_then(|mut statement| statement.query_row([], |row| row.get::<_, f64>(0)))
            .map(|n_bytes| n_bytes as u64 / size_of::<u32>() as u64)
            .map_err(sql_error)
    }

    /// Gives a key these nodes, which are in order; without any it stands for too many from now on.
    pub(crate) fn put_linkage_key(&self, key: i64, nodes: &[u32]) -> Result<()> {
        let bytes: Vec<u8> = nodes.iter().flat_map(|node| node.to_le_bytes()).collect();
        self.execute("INSERT OR REPLACE INTO linkage_keys (key, nodes) VALUES (?1, ?2)", params![key, bytes])
    }

    /// Adds a node to a key.
    pub(crate) fn add_linkage_key(&self, key: i64, node: u32) -> Result<()> {
        let known: Option<Vec<u32>> = self.linkage_key(key, |bytes| nodes_of(bytes).collect())?;
        let stands_for_too_many = known.as_ref().is_some_and(Vec::is_empty);
        let mut nodes = known.unwrap_or_default();
        match nodes.binary_search(&node) {
            Err(place) if !stands_for_too_many => {
                nodes.insert(place, node);
                self.put_linkage_key(key, &nodes)
            }
            _ => Ok(()),
        }
    }

    /// Takes a node out of a key.
    pub(crate) fn delete_linkage_key(&self, key: i64, node: u32) -> Result<()> {
        let nodes: Option<Vec<u32>> = self.linkage_key(key, |bytes| nodes_of(bytes).collect())?;
        let Some(mut nodes) = nodes.filter(|nodes| nodes.contains(&node)) else { return Ok(()) };
        nodes.retain(|known| *known != node);
        match nodes.is_empty() {
            true => self.execute("DELETE FROM linkage_keys WHERE key = ?1", [key]),
            false => self.put_linkage_key(key, &nodes),
        }
    }
}
