//! The tables of the file except the log, one method for each query. It holds no state: a result is what the
//! transaction of its connection sees.

use rusqlite::{Connection, OptionalExtension, params};

use super::runs::Runs;
use super::sqlite::sql_error;
use crate::error::{Error, ErrorKind, Result};
use crate::records::{Ordinals, Timestamp};

/// The `meta` row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Counts write transactions: RAM at an equal revision is up to date.
    pub(crate) revision: i64,
    pub(crate) log_sequence: u64,
    pub(crate) definitions: i64,
    pub(crate) erasure_epoch: i64,
    pub(crate) change_sequence: i64,
    pub(crate) model_sequence: i64,
    /// Counts runs that became visible or were dropped.
    pub(crate) run_sequence: i64,
    /// The table of links is complete up to this message; some links of later messages stand in the columns of messages
    /// alone.
    pub(crate) links_to: u64,
    /// The number of the last decision of an operator.
    pub(crate) decision_sequence: u64,
    /// Counts changes of the probable links that linkage has found.
    pub(crate) linkage_runs: u64,
    pub(crate) advanced_to: Option<Timestamp>,
    pub(crate) recorded_at: Timestamp,
    /// Counts the messages that the clock dates, per instant.
    pub(crate) ordinals: Ordinals,
    pub(crate) salt: [u8; 32],
}

/// A row of the quarantine.
#[derive(Clone)]
pub(crate) struct StoredReject {
    pub(crate) reject_id: i64,
    pub(crate) source: u32,
    pub(crate) row: Option<u64>,
    pub(crate) reason: String,
    pub(crate) field: Option<String>,
    pub(crate) detail: String,
    pub(crate) raw: Vec<u8>,
    pub(crate) format: String,
    pub(crate) content_hash: Vec<u8>,
    pub(crate) recorded_at: Timestamp,
}

/// A version of a definition.
#[derive(Clone, Debug)]
pub(crate) struct StoredDefinition {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) json: Option<String>,
}

/// A flip of a membership.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredChange {
    pub(crate) change: i64,
    pub(crate) audience: String,
    pub(crate) node: u32,
    pub(crate) entered: ChangeType,
    pub(crate) occurred_at: Timestamp,
    pub(crate) late: bool,
    pub(crate) merged_into: Option<u32>,
    pub(crate) recorded_at: Timestamp,
    /// Since when the profile is a member after all changes of the transaction; `None` if it is no member.
    pub(crate) since: Option<Timestamp>,
}

/// What happened to a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeType {
    Entered,
    Exited,
    /// The profile joined another profile, which takes over its membership.
    MergedInto,
}

impl ChangeType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ChangeType::Entered => "Audience Entered",
            ChangeType::Exited => "Audience Exited",
            ChangeType::MergedInto => "Merged Into",
        }
    }

    fn parse(text: &str) -> Option<ChangeType> {
        [ChangeType::Entered, ChangeType::Exited, ChangeType::MergedInto].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A trained model without its bytes.
#[derive(Clone, Debug)]
pub(crate) struct StoredModel {
    pub(crate) predictor: String,
    pub(crate) version: u32,
    pub(crate) sequence: u64,
    pub(crate) recorded_at: Timestamp,
    pub(crate) content_hash: Vec<u8>,
    pub(crate) report: String,
}

/// The tables, as one transaction sees them.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'c>(pub(super) &'c Connection);

pub(super) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn missing_row() -> Error {
    Error::new(ErrorKind::Corrupt, "a name or an identifier of the store is missing")
        .with_hint("restore a backup; the file was left as it is")
}

/// RAM finds the number of a text by its place, so a gap would shift every later number to another text.
fn check_numbers(after: u32, numbers: impl Iterator<Item = u32>) -> Result<()> {
    if (after.saturating_add(1)..).zip(numbers).all(|(expected, number)| expected == number) {
        Ok(())
    } else {
        Err(missing_row())
    }
}

pub(super) fn sql_integer(unsigned: u64) -> i64 {
    i64::try_from(unsigned).unwrap_or(i64::MAX)
}

impl Facts<'_> {
    /// Whether timelines were written by another version of the library, in a format that this version does not read.
    pub(crate) fn has_foreign_runs(&self) -> Result<bool> {
        Runs::are_of_another_version(self.0)
    }

    pub(crate) fn meta(&self) -> Result<Meta> {
        self.0
            .prepare_cached(
                "SELECT log_sequence, definitions, erasure_epoch, change_sequence, model_sequence, advanced_to, recorded_at, salt,
                   revision, run_sequence, links_to, decision_sequence, linkage_runs, untimed_at, untimed_count,
                   untimed_greatest FROM meta WHERE id = 1",
            )
            .and_then(|mut statement| {
                statement.query_row([], |row| {
                    Ok(Meta {
                        log_sequence: row.get::<_, i64>(0)?.unsigned_abs(),
                        definitions: row.get(1)?,
                        erasure_epoch: row.get(2)?,
                        change_sequence: row.get(3)?,
                        model_sequence: row.get(4)?,
                        advanced_to: row.get::<_, Option<i64>>(5)?.map(time),
                        recorded_at: time(row.get(6)?),
                        salt: row.get(7)?,
                        revision: row.get(8)?,
                        run_sequence: row.get(9)?,
                        links_to: row.get::<_, i64>(10)?.unsigned_abs(),
                        decision_sequence: row.get::<_, i64>(11)?.unsigned_abs(),
                        linkage_runs: row.get::<_, i64>(12)?.unsigned_abs(),
                        ordinals: Ordinals {
                            instant: row.get::<_, Option<i64>>(13)?.map(time),
                            count: row.get::<_, i64>(14)?.unsigned_abs(),
                            greatest: row.get::<_, i64>(15)?.unsigned_abs(),
                        },
                    })
                })
            })
            .map_err(sql_error)
    }

    /// Runs `work` on one snapshot and its revision. The open statement that read the revision holds the snapshot:
    /// until it ends, every statement of the connection sees it.
    pub(super) fn at_revision<T>(self, work: impl FnOnce(Facts<'_>, i64) -> Result<T>) -> Result<T> {
        let mut statement = self.0.prepare_cached("SELECT revision FROM meta WHERE id = 1").map_err(sql_error)?;
        let mut rows = statement.query([]).map_err(sql_error)?;
        let row = rows.next().map_err(sql_error)?.ok_or_else(|| Error::internal("the store has no meta row"))?;
        work(self, row.get(0).map_err(sql_error)?)
    }

    /// The number of write transactions that have changed the file.
    pub(crate) fn revision(&self) -> Result<i64> {
        self.0
            .prepare_cached("SELECT revision FROM meta WHERE id = 1")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(sql_error)
    }

    pub(crate) fn put_meta(&self, meta: &Meta) -> Result<()> {
        self.0
            .prepare_cached(
                "UPDATE meta SET log_sequence = ?1, definitions = ?2, erasure_epoch = ?3, change_sequence = ?4,
                   model_sequence = ?5, advanced_to = ?6, recorded_at = ?7, revision = ?8, run_sequence = ?9, links_to = ?10,
                   decision_sequence = ?11, linkage_runs = ?12, untimed_at = ?13, untimed_count = ?14,
                   untimed_greatest = ?15 WHERE id = 1",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    sql_integer(meta.log_sequence),
                    meta.definitions,
                    meta.erasure_epoch,
                    meta.change_sequence,
                    meta.model_sequence,
                    meta.advanced_to.map(Timestamp::millis),
                    meta.recorded_at.millis(),
                    meta.revision,
                    meta.run_sequence,
                    sql_integer(meta.links_to),
                    sql_integer(meta.decision_sequence),
                    sql_integer(meta.linkage_runs),
                    meta.ordinals.instant.map(Timestamp::millis),
                    sql_integer(meta.ordinals.count),
                    sql_integer(meta.ordinals.greatest),
                ])
            })
            .map(|_| ())
            .map_err(sql_error)
    }

    /// The names with a number above `after`, by number.
    pub(crate) fn names_after(&self, after: u32) -> Result<Vec<(u32, String)>> {
        let sql = "SELECT name_id, name FROM names WHERE name_id > ?1 ORDER BY name_id";
        let names: Vec<(u32, String)> = self.collect(sql, [after], |row| Ok((row.get(0)?, row.get(1)?)))?;
        check_numbers(after, names.iter().map(|(id, _)| *id))?;
        Ok(names)
    }

    pub(crate) fn put_name(&self, id: u32, name: &str) -> Result<()> {
        self.execute("INSERT INTO names (name_id, name) VALUES (?1, ?2)", params![id, name])
    }

    /// The words with a number above `after`, by number.
    pub(crate) fn words_after(&self, after: u32) -> Result<Vec<String>> {
        let sql = "SELECT word_id, word FROM words WHERE word_id > ?1 ORDER BY word_id";
        let words: Vec<(u32, String)> = self.collect(sql, [after], |row| Ok((row.get(0)?, row.get(1)?)))?;
        check_numbers(after, words.iter().map(|(id, _)| *id))?;
        Ok(words.into_iter().map(|(_, word)| word).collect())
    }

    pub(crate) fn put_word(&self, id: u32, word: &str) -> Result<()> {
        self.execute("INSERT INTO words (word_id, word) VALUES (?1, ?2)", params![id, word])
    }

    /// Visits the nodes with a number of at least `from`, in order: (node, type name id, value).
    pub(crate) fn visit_nodes_from(&self, from: u32, mut visit: impl FnMut(u32, u32, &str)) -> Result<()> {
        let sql = "SELECT node, type, value FROM nodes WHERE node >= ?1 ORDER BY node";
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let mut rows = statement.query([from]).map_err(sql_error)?;
        let mut expected = from;
        while let Some(row) = rows.next().map_err(sql_error)? {
            let unreadable = |_| Error::new(ErrorKind::Corrupt, "an identifier of the store is not readable");
            let value = row.get_ref(2).map_err(sql_error)?.as_str().map_err(unreadable)?;
            let node: u32 = row.get(0).map_err(sql_error)?;
            if node != expected {
                return Err(missing_row());
            }
            expected = node.saturating_add(1);
            visit(node, row.get(1).map_err(sql_error)?, value);
        }
        Ok(())
    }

    /// The identifier of a node: the number of its type's name, and its value.
    pub(crate) fn node(&self, node: u32) -> Result<Option<(u32, String)>> {
        self.0
            .prepare_cached("SELECT type, value FROM nodes WHERE node = ?1")
            .and_then(|mut statement| statement.query_row([node], |row| Ok((row.get(0)?, row.get(1)?))).optional())
            .map_err(sql_error)
    }

    /// The identifier of a node that another row refers to; fails if it is missing.
    pub(crate) fn known_node(&self, node: u32) -> Result<(u32, String)> {
        self.node(node)?.ok_or_else(missing_row)
    }

    /// The number of nodes.
    pub(crate) fn n_nodes(&self) -> Result<u32> {
        let last = "SELECT COALESCE(MAX(node) + 1, 0) FROM nodes";
        let n_nodes = self.0.prepare_cached(last).and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        let n_nodes: i64 = n_nodes.map_err(sql_error)?;
        // The greatest number of a file from elsewhere can be anything; only then are rows counted, which takes as long
        // as reading them.
        let is_possible = n_nodes.unsigned_abs() < self.file_bytes()?;
        let n_nodes = if is_possible { n_nodes.unsigned_abs() } else { self.count(CountedTable::Nodes)? };
        Ok(u32::try_from(n_nodes).unwrap_or(u32::MAX))
    }

    pub(crate) fn put_node(&self, node: u32, identifier_type: u32, value: &str) -> Result<()> {
        self.execute("INSERT INTO nodes (node, type, value) VALUES (?1, ?2, ?3)", params![node, identifier_type, value])
    }

    /// Stores a reject unless an equal row has been rejected for an equal reason. Returns whether it is new.
    pub(crate) fn put_reject(&self, reject: &StoredReject) -> Result<bool> {
        self.0
            .prepare_cached(
                "INSERT OR IGNORE INTO rejects (source, row, reason, field, detail, raw, format, content_hash, recorded_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    reject.source,
                    reject.row.map(sql_integer),
                    reject.reason,
                    reject.field,
                    reject.detail,
                    reject.raw,
                    reject.format,
                    reject.content_hash,
                    reject.recorded_at.millis(),
                ])
            })
            .map(|changed| changed > 0)
            .map_err(sql_error)
    }

    pub(crate) fn delete_reject(&self, reject_id: i64) -> Result<()> {
        self.execute("DELETE FROM rejects WHERE reject_id = ?1", [reject_id])
    }

    /// Rejects with an id above `after`, by id, at most `limit`; of one source or reason if given.
    pub(crate) fn rejects(
        &self,
        source: Option<u32>,
        reason: Option<&str>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredReject>> {
        self.collect(
            "SELECT reject_id, source, row, reason, field, detail, raw, format, content_hash, recorded_at FROM rejects
             WHERE reject_id > ?1 AND (?2 IS NULL OR source = ?2) AND (?3 IS NULL OR reason = ?3)
             ORDER BY reject_id LIMIT ?4",
            params![after, source, reason, i64::try_from(limit).unwrap_or(i64::MAX)],
            |row| {
                Ok(StoredReject {
                    reject_id: row.get(0)?,
                    source: row.get(1)?,
                    row: row.get::<_, Option<i64>>(2)?.map(i64::unsigned_abs),
                    reason: row.get(3)?,
                    field: row.get(4)?,
                    detail: row.get(5)?,
                    raw: row.get(6)?,
                    format: row.get(7)?,
                    content_hash: row.get(8)?,
                    recorded_at: time(row.get(9)?),
                })
            },
        )
    }

    pub(crate) fn put_checkpoint(&self, source: u32, checkpoint: &str) -> Result<()> {
        self.execute(
            "INSERT INTO checkpoints (source, checkpoint) VALUES (?1, ?2)
             ON CONFLICT (source) DO UPDATE SET checkpoint = excluded.checkpoint",
            params![source, checkpoint],
        )
    }

    pub(crate) fn checkpoints(&self) -> Result<Vec<(u32, String)>> {
        self.collect("SELECT source, checkpoint FROM checkpoints ORDER BY source", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// The latest version of every definition, dropped ones included.
    pub(crate) fn latest_definitions(&self) -> Result<Vec<StoredDefinition>> {
        self.collect(
            "SELECT kind, name, version, json FROM definitions AS latest
             WHERE version = (SELECT MAX(version) FROM definitions WHERE kind = latest.kind AND name = latest.name)
             ORDER BY kind, name",
            [],
            |row| {
                Ok(StoredDefinition { kind: row.get(0)?, name: row.get(1)?, version: row.get(2)?, json: row.get(3)? })
            },
        )
    }

    pub(crate) fn put_definition(&self, definition: &StoredDefinition, recorded_at: Timestamp) -> Result<()> {
        self.execute(
            "INSERT INTO definitions (kind, name, version, json, recorded_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![definition.kind, definition.name, definition.version, definition.json, recorded_at.millis()],
        )
    }

    /// The stored members of each audience: audience, change of the outbox they include, members.
    pub(crate) fn membership_snapshots(&self) -> Result<Vec<(String, i64, Vec<u8>)>> {
        self.collect("SELECT audience, change, members FROM membership_snapshots ORDER BY audience", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
    }

    pub(crate) fn put_membership_snapshot(&self, audience: &str, change: i64, members: &[u8]) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO membership_snapshots (audience, change, members) VALUES (?1, ?2, ?3)",
            params![audience, change, members],
        )
    }

    pub(crate) fn put_change(&self, change: &StoredChange) -> Result<()> {
        self.execute(
            "INSERT INTO changes (change, audience, node, type, occurred_at, late, merged_into, recorded_at, since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                change.change,
                change.audience,
                change.node,
                change.entered.as_str(),
                change.occurred_at.millis(),
                change.late,
                change.merged_into,
                change.recorded_at.millis(),
                change.since.map(Timestamp::millis),
            ],
        )
    }

    /// Audience changes with a number above `after`, in order, at most `limit`.
    pub(crate) fn changes(&self, audience: Option<&str>, after: i64, limit: usize) -> Result<Vec<StoredChange>> {
        self.collect(
            "SELECT change, audience, node, type, occurred_at, late, merged_into, recorded_at, since FROM changes
             WHERE change > ?1 AND (?2 IS NULL OR audience = ?2) ORDER BY change LIMIT ?3",
            params![after, audience, i64::try_from(limit).unwrap_or(i64::MAX)],
            |row| {
                let entered = ChangeType::parse(row.get_ref(3)?.as_str()?);
                Ok(StoredChange {
                    change: row.get(0)?,
                    audience: row.get(1)?,
                    node: row.get(2)?,
                    entered: entered.ok_or(rusqlite::Error::IntegralValueOutOfRange(3, 0))?,
                    occurred_at: time(row.get(4)?),
                    late: row.get(5)?,
                    merged_into: row.get(6)?,
                    recorded_at: time(row.get(7)?),
                    since: row.get::<_, Option<i64>>(8)?.map(time),
                })
            },
        )
    }

    pub(crate) fn put_model(&self, model: &StoredModel, bytes: &[u8]) -> Result<()> {
        self.execute(
            "INSERT INTO models (predictor, version, sequence, recorded_at, content_hash, report, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                model.predictor,
                model.version,
                sql_integer(model.sequence),
                model.recorded_at.millis(),
                model.content_hash,
                model.report,
                bytes
            ],
        )
    }

    /// Every model, by predictor and version.
    pub(crate) fn models(&self) -> Result<Vec<StoredModel>> {
        self.collect(
            "SELECT predictor, version, sequence, recorded_at, content_hash, report FROM models ORDER BY predictor, version",
            [],
            |row| {
                Ok(StoredModel {
                    predictor: row.get(0)?,
                    version: row.get(1)?,
                    sequence: row.get::<_, i64>(2)?.unsigned_abs(),
                    recorded_at: time(row.get(3)?),
                    content_hash: row.get(4)?,
                    report: row.get(5)?,
                })
            },
        )
    }

    pub(crate) fn model_bytes(&self, predictor: &str, version: u32) -> Result<Option<Vec<u8>>> {
        self.0
            .prepare_cached("SELECT bytes FROM models WHERE predictor = ?1 AND version = ?2")
            .and_then(|mut statement| statement.query_row(params![predictor, version], |row| row.get(0)).optional())
            .map_err(sql_error)
    }

    /// The number of rows of a table.
    pub(crate) fn count(&self, table: CountedTable) -> Result<u64> {
        let sql = match table {
            CountedTable::Messages => "SELECT COUNT(*) FROM messages",
            CountedTable::Nodes => "SELECT COUNT(*) FROM nodes",
            CountedTable::Links => "SELECT COUNT(*) FROM links",
            CountedTable::Rejects => "SELECT COUNT(*) FROM rejects",
            CountedTable::Changes => "SELECT COUNT(*) FROM changes",
            CountedTable::Models => "SELECT COUNT(*) FROM models",
        };
        self.0
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)))
            .map(i64::unsigned_abs)
            .map_err(sql_error)
    }

    /// The faults that SQLite finds in the file; empty if it is sound.
    pub(crate) fn integrity_faults(&self) -> Result<Vec<String>> {
        let found: Vec<String> = self.collect("PRAGMA integrity_check(20)", [], |row| row.get(0))?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    /// The size of the file in bytes.
    pub(crate) fn file_bytes(&self) -> Result<u64> {
        let pragma = |name: &str| self.0.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(sql_error);
        Ok(pragma("page_count")?.unsigned_abs() * pragma("page_size")?.unsigned_abs())
    }

    pub(super) fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<()> {
        self.0.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).map(|_| ()).map_err(sql_error)
    }

    pub(super) fn collect<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let rows = statement.query_map(values, read).map_err(sql_error)?;
        rows.collect::<rusqlite::Result<Vec<T>>>().map_err(sql_error)
    }
}

/// A table whose rows can be counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CountedTable {
    Messages,
    Nodes,
    Links,
    Rejects,
    Changes,
    Models,
}
