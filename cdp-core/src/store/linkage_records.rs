//! Compared profiles and their blocking keys, as the file keeps them: what one profile is compared with as it comes.
//!
//! It holds what it is given, derived from facts: a run of linkage fills it, later transactions keep it, a change of the identity
//! definition empties it. A key that too many share is one row, whatever comes, until the next run.

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

// Sorts before every node.
const TOO_MANY: i64 = -1;

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

    /// Adds the nodes of a key to `nodes`, in order, unless they are more than `most`.
    pub(crate) fn linkage_key_nodes(&self, key: i64, most: usize, nodes: &mut Vec<u32>) -> Result<KeyNodes> {
        // Without a limit in its text: SQLite plans a statement anew for every other value of one.
        let sql = "SELECT node FROM linkage_keys WHERE key = ?1 ORDER BY node";
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let mut rows = statement.query([key]).map_err(sql_error)?;
        let start = nodes.len();
        while let Some(row) = rows.next().map_err(sql_error)? {
            match u32::try_from(row.get::<_, i64>(0).map_err(sql_error)?) {
                Ok(node) if nodes.len() - start < most => nodes.push(node),
                _ => {
                    nodes.truncate(start);
                    return Ok(KeyNodes::TooMany);
                }
            }
        }
        Ok(KeyNodes::Some(nodes.len() - start))
    }

    /// How many rows of keys stand for one record each.
    pub(crate) fn count_linkage_keys(&self) -> Result<u64> {
        self.0
            .prepare_cached("SELECT COUNT(*) FROM linkage_keys WHERE node >= 0")
            .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)))
            .map(i64::unsigned_abs)
            .map_err(sql_error)
    }

    pub(crate) fn put_linkage_key(&self, key: i64, node: u32) -> Result<()> {
        self.execute("INSERT OR IGNORE INTO linkage_keys (key, node) VALUES (?1, ?2)", params![key, node])
    }

    pub(crate) fn delete_linkage_key(&self, key: i64, node: u32) -> Result<()> {
        self.execute("DELETE FROM linkage_keys WHERE key = ?1 AND node = ?2", params![key, node])
    }

    /// Lets a key stand for too many records from now on.
    pub(crate) fn close_linkage_key(&self, key: i64) -> Result<()> {
        self.execute("DELETE FROM linkage_keys WHERE key = ?1", [key])?;
        self.execute("INSERT INTO linkage_keys (key, node) VALUES (?1, ?2)", params![key, TOO_MANY])
    }
}
