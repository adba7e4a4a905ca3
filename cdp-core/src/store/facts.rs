//! The tables of the file, one method for each question. Holds no state: what it answers is what the transaction of
//! its connection sees.

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::connection::sql_error;
use super::memory::{Memory, MemoryView, Overlay};
use super::message_rows::{MessageRow, OwnNodes, Payload, packed_id, unpacked_id};
use crate::error::{Error, ErrorKind, Result};
use crate::records::{JsonObject, MessageType, Timestamp};

/// The `meta` row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Counts write transactions: RAM that stands at the same number is up to date.
    pub(crate) revision: i64,
    pub(crate) log_sequence: u64,
    pub(crate) definitions: i64,
    pub(crate) erasure_epoch: i64,
    pub(crate) change_sequence: i64,
    pub(crate) model_sequence: i64,
    /// Counts runs that became visible or were dropped.
    pub(crate) run_sequence: i64,
    /// Up to this message the table of links has every link; behind it some stand in the columns of messages alone.
    pub(crate) links_to: u64,
    pub(crate) advanced_to: Option<Timestamp>,
    pub(crate) recorded_at: Timestamp,
    pub(crate) salt: [u8; 32],
}

/// A message as the log keeps it.
#[derive(Clone)]
pub(crate) struct StoredMessage {
    pub(crate) sequence: u64,
    pub(crate) source: u32,
    pub(crate) message_id: String,
    pub(crate) kind: MessageType,
    pub(crate) event: Option<u32>,
    pub(crate) node: u32,
    pub(crate) own: OwnNodes,
    pub(crate) occurred_at: Timestamp,
    pub(crate) recorded_at: Timestamp,
    /// The whole message as canonical JSON.
    pub(crate) fields: Arc<JsonObject>,
    /// What was kept to tell a damaged message from a whole one.
    pub(crate) checksum: u32,
}

impl StoredMessage {
    /// Whether the message is what was written.
    pub(crate) fn is_whole(&self) -> bool {
        checksum(&self.fields) == self.checksum
    }
}

/// CRC-32 of a message's canonical text.
pub(crate) fn checksum(fields: &JsonObject) -> u32 {
    crc32fast::hash(fields.text().as_bytes())
}

/// A link of identity evidence: the message's node and another identifier it named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredLink {
    pub(crate) sequence: u64,
    pub(crate) node: u32,
    pub(crate) other: u32,
    pub(crate) rule: LinkRule,
    pub(crate) occurred_at: Timestamp,
}

/// Why two identifiers were linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkRule {
    /// They stood in one message.
    SameMessage,
    /// An alias message said so.
    Alias,
}

impl LinkRule {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            LinkRule::SameMessage => "same_message",
            LinkRule::Alias => "alias",
        }
    }
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
    /// Since when the profile is a member once all changes of its transaction are taken in; `None`: it is none.
    pub(crate) since: Option<Timestamp>,
}

/// What happened to a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeType {
    Entered,
    Exited,
    /// The profile was joined into another; its membership went with it.
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

    fn parse(text: &str) -> ChangeType {
        match text {
            "Audience Entered" => ChangeType::Entered,
            "Audience Exited" => ChangeType::Exited,
            _ => ChangeType::MergedInto,
        }
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

/// Appends to the log, with statements that are found once for a whole transaction.
pub(crate) struct LogWriter<'c> {
    facts: Facts<'c>,
    message: CachedStatement<'c>,
    link: CachedStatement<'c>,
    payload: Payload,
}

impl<'c> LogWriter<'c> {
    pub(crate) fn new(facts: Facts<'c>) -> Result<LogWriter<'c>> {
        let message = "INSERT INTO messages
               (sequence, source, message_id, type, event, node, user_node, anonymous_node, occurred_at, recorded_at,
                checksum, left_out, shape, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        let link = "INSERT INTO links (sequence, other, node, rule, occurred_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        let connection: &'c Connection = facts.0;
        Ok(LogWriter {
            facts,
            message: connection.prepare_cached(message).map_err(sql_error)?,
            link: connection.prepare_cached(link).map_err(sql_error)?,
            payload: Payload::default(),
        })
    }

    /// Appends a message; texts of it that have become words are entered in `overlay`.
    pub(crate) fn put_message(&mut self, message: &StoredMessage, overlay: &mut Overlay, base: &Memory) -> Result<()> {
        let n_words = overlay.n_new_words();
        self.payload.fill(message, overlay, base);
        for (id, word) in overlay.words_from(base, n_words) {
            self.facts.put_word(id, word)?;
        }
        let packed = packed_id(&message.message_id);
        let message_id = match &packed {
            Some(packed) => ValueRef::Blob(packed),
            None => ValueRef::Text(message.message_id.as_bytes()),
        };
        let payload = match self.payload.shape {
            Some(_) => ValueRef::Blob(&self.payload.values),
            None => ValueRef::Text(self.payload.text.as_bytes()),
        };
        self.message
            .execute(params![
                sql_integer(message.sequence),
                message.source,
                ToSqlOutput::Borrowed(message_id),
                message.kind.code(),
                message.event,
                message.node,
                message.own.user,
                message.own.anonymous,
                message.occurred_at.millis(),
                message.recorded_at.millis(),
                message.checksum,
                self.payload.left_out,
                self.payload.shape,
                ToSqlOutput::Borrowed(payload),
            ])
            .map(|_| ())
            .map_err(sql_error)
    }

    pub(crate) fn put_link(&mut self, link: &StoredLink) -> Result<()> {
        let rule = match link.rule {
            LinkRule::SameMessage => 0,
            LinkRule::Alias => 1,
        };
        self.link
            .execute(params![sql_integer(link.sequence), link.other, link.node, rule, link.occurred_at.millis()])
            .map(|_| ())
            .map_err(sql_error)
    }
}

/// The tables, as one transaction sees them.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'c>(pub(super) &'c Connection);

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn sql_integer(unsigned: u64) -> i64 {
    i64::try_from(unsigned).unwrap_or(i64::MAX)
}

fn row_u32(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u32> {
    row.get::<_, u32>(column)
}

impl Facts<'_> {
    pub(crate) fn meta(&self) -> Result<Meta> {
        self.0
            .prepare_cached(
                "SELECT log_sequence, definitions, erasure_epoch, change_sequence, model_sequence, advanced_to, recorded_at, salt,
                   revision, run_sequence, links_to FROM meta WHERE id = 1",
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
                    })
                })
            })
            .map_err(sql_error)
    }

    pub(crate) fn put_meta(&self, meta: &Meta) -> Result<()> {
        self.0
            .prepare_cached(
                "UPDATE meta SET log_sequence = ?1, definitions = ?2, erasure_epoch = ?3, change_sequence = ?4,
                   model_sequence = ?5, advanced_to = ?6, recorded_at = ?7, revision = ?8, run_sequence = ?9, links_to = ?10 WHERE id = 1",
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
                ])
            })
            .map(|_| ())
            .map_err(sql_error)
    }

    /// The names with a number above `after`, in order.
    pub(crate) fn names_after(&self, after: u32) -> Result<Vec<(u32, String)>> {
        self.collect("SELECT name_id, name FROM names WHERE name_id > ?1 ORDER BY name_id", [after], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    pub(crate) fn put_name(&self, id: u32, name: &str) -> Result<()> {
        self.execute("INSERT INTO names (name_id, name) VALUES (?1, ?2)", params![id, name])
    }

    /// The words with a number above `after`, in order.
    pub(crate) fn words_after(&self, after: u32) -> Result<Vec<String>> {
        self.collect("SELECT word FROM words WHERE word_id > ?1 ORDER BY word_id", [after], |row| row.get(0))
    }

    pub(crate) fn put_word(&self, id: u32, word: &str) -> Result<()> {
        self.execute("INSERT INTO words (word_id, word) VALUES (?1, ?2)", params![id, word])
    }

    /// Visits the nodes with a number of at least `from`, in order: (node, type name id, value).
    pub(crate) fn visit_nodes_from(&self, from: u32, mut visit: impl FnMut(u32, u32, &str)) -> Result<()> {
        let sql = "SELECT node, type, value FROM nodes WHERE node >= ?1 ORDER BY node";
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let mut rows = statement.query([from]).map_err(sql_error)?;
        while let Some(row) = rows.next().map_err(sql_error)? {
            let unreadable = |_| Error::new(ErrorKind::Corrupt, "an identifier of the store is not readable");
            let value = row.get_ref(2).map_err(sql_error)?.as_str().map_err(unreadable)?;
            visit(row.get(0).map_err(sql_error)?, row.get(1).map_err(sql_error)?, value);
        }
        Ok(())
    }

    pub(crate) fn put_node(&self, node: u32, identifier_type: u32, value: &str) -> Result<()> {
        self.execute("INSERT INTO nodes (node, type, value) VALUES (?1, ?2, ?3)", params![node, identifier_type, value])
    }

    /// Visits (sequence, source, message id) of the messages in `(after, up_to]`.
    pub(crate) fn visit_message_keys(
        &self,
        after: u64,
        up_to: u64,
        mut visit: impl FnMut(u64, u32, &str),
    ) -> Result<()> {
        let sql = "SELECT sequence, source, message_id FROM messages WHERE sequence > ?1 AND sequence <= ?2";
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let mut rows = statement.query(params![sql_integer(after), sql_integer(up_to)]).map_err(sql_error)?;
        while let Some(row) = rows.next().map_err(sql_error)? {
            let sequence = row.get::<_, i64>(0).map_err(sql_error)?.unsigned_abs();
            let message_id = read_id(row, 2).ok_or_else(|| unreadable_message(sequence))?;
            visit(sequence, row.get(1).map_err(sql_error)?, &message_id);
        }
        Ok(())
    }

    /// (source, message id) of a message.
    pub(crate) fn message_key(&self, sequence: u64) -> Result<Option<(u32, String)>> {
        self.0
            .prepare_cached("SELECT source, message_id FROM messages WHERE sequence = ?1")
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, read_id(row, 1).unwrap_or_default()));
                statement.query_row([sql_integer(sequence)], read).optional()
            })
            .map_err(sql_error)
    }

    /// A message by its place in the log.
    pub(crate) fn message(&self, sequence: u64, memory: &MemoryView<'_>) -> Result<StoredMessage> {
        let mut found = None;
        self.visit_messages(sequence.saturating_sub(1), sequence, |row| {
            found = Some(row.read(memory)?);
            Ok(())
        })?;
        found.ok_or_else(|| Error::internal("a sequence of the timeline is not in the log"))
    }

    /// Visits the messages in `(after, up_to]`, in log order. A row that cannot be read at all is `corrupt`.
    pub(crate) fn visit_messages(
        &self,
        after: u64,
        up_to: u64,
        mut visit: impl FnMut(MessageRow<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut statement = self.0.prepare_cached(MESSAGES_BETWEEN).map_err(sql_error)?;
        let mut rows = statement.query(params![sql_integer(after), sql_integer(up_to)]).map_err(sql_error)?;
        while let Some(row) = rows.next().map_err(sql_error)? {
            visit(read_message(row)?)?;
        }
        Ok(())
    }

    /// The links of the messages in `(after, up_to]`, in log order.
    pub(crate) fn links_after(&self, after: u64, up_to: u64) -> Result<Vec<StoredLink>> {
        let mut links = Vec::new();
        self.visit_links(after, up_to, |link| links.push(link))?;
        Ok(links)
    }

    /// Visits the links of the messages in `(after, up_to]`, in log order.
    pub(crate) fn visit_links(&self, after: u64, up_to: u64, mut visit: impl FnMut(StoredLink)) -> Result<()> {
        let sql = "SELECT sequence, node, other, rule, occurred_at FROM links
                   WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence, other";
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let mut rows = statement.query(params![sql_integer(after), sql_integer(up_to)]).map_err(sql_error)?;
        while let Some(row) = rows.next().map_err(sql_error)? {
            visit(read_link(row).map_err(sql_error)?);
        }
        Ok(())
    }

    /// Visits the links that the messages in `(after, up_to]` have in columns of their own, in log order.
    pub(crate) fn visit_own_links(&self, after: u64, up_to: u64, mut visit: impl FnMut(StoredLink)) -> Result<()> {
        let sql = "SELECT sequence, node, user_node, anonymous_node, occurred_at FROM messages
                   WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence";
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let mut rows = statement.query(params![sql_integer(after), sql_integer(up_to)]).map_err(sql_error)?;
        let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Option<StoredLink>> {
            let node = row_u32(row, 1)?;
            let own = OwnNodes { user: row.get(2)?, anonymous: row.get(3)? };
            let Some(other) = own.linked_to(node) else { return Ok(None) };
            let sequence = row.get::<_, i64>(0)?.unsigned_abs();
            Ok(Some(StoredLink { sequence, node, other, rule: LinkRule::SameMessage, occurred_at: time(row.get(4)?) }))
        };
        while let Some(row) = rows.next().map_err(sql_error)? {
            if let Some(link) = read(row).map_err(sql_error)? {
                visit(link);
            }
        }
        Ok(())
    }

    pub(crate) fn clear_evidence(&self) -> Result<()> {
        self.execute("DELETE FROM links", [])?;
        self.execute("DELETE FROM blocked", [])
    }

    pub(crate) fn set_message_node(&self, sequence: u64, node: u32) -> Result<()> {
        self.execute("UPDATE messages SET node = ?2 WHERE sequence = ?1", params![sql_integer(sequence), node])
    }

    pub(crate) fn put_blocked(&self, sequence: u64, identifier_type: u32) -> Result<()> {
        self.execute(
            "INSERT OR IGNORE INTO blocked (sequence, type) VALUES (?1, ?2)",
            params![sql_integer(sequence), identifier_type],
        )
    }

    /// How often a blocked value was named, by identifier type.
    pub(crate) fn blocked_counts(&self) -> Result<Vec<(u32, i64)>> {
        self.collect("SELECT type, COUNT(*) FROM blocked GROUP BY type ORDER BY type", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// Keeps a reject; the same row with the same reason is kept once. Gives whether it was new.
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

    /// Rejects with an id above `after`, in order, at most `limit`; of one source or reason if given.
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

    /// The members of each audience as they stood at a change of the outbox: audience, change, members.
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
                Ok(StoredChange {
                    change: row.get(0)?,
                    audience: row.get(1)?,
                    node: row.get(2)?,
                    entered: ChangeType::parse(row.get_ref(3)?.as_str().unwrap_or("")),
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

    /// How many rows a table of this schema has.
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

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<()> {
        self.0.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).map(|_| ()).map_err(sql_error)
    }

    fn collect<T>(
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

const MESSAGES_BETWEEN: &str =
    "SELECT sequence, source, message_id, type, event, node, user_node, anonymous_node, occurred_at, recorded_at, checksum,
       left_out, shape, payload
     FROM messages WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence";

fn read_link(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredLink> {
    Ok(StoredLink {
        sequence: row.get::<_, i64>(0)?.unsigned_abs(),
        node: row_u32(row, 1)?,
        other: row_u32(row, 2)?,
        rule: if row.get::<_, i64>(3)? == 1 { LinkRule::Alias } else { LinkRule::SameMessage },
        occurred_at: time(row.get(4)?),
    })
}

fn read_id(row: &rusqlite::Row<'_>, column: usize) -> Option<String> {
    match row.get_ref(column).ok()? {
        ValueRef::Blob(packed) => Some(unpacked_id(packed)),
        text => text.as_str().ok().map(str::to_owned),
    }
}

fn read_message<'r>(row: &'r rusqlite::Row<'_>) -> Result<MessageRow<'r>> {
    let sequence = row.get::<_, i64>(0).map_err(sql_error)?.unsigned_abs();
    let read = || -> rusqlite::Result<Option<MessageRow<'r>>> {
        let Some(kind) = MessageType::from_code(row.get(3)?) else { return Ok(None) };
        let Some(message_id) = read_id(row, 2) else { return Ok(None) };
        Ok(Some(MessageRow {
            sequence,
            source: row.get(1)?,
            message_id,
            kind,
            event: row.get(4)?,
            node: row.get(5)?,
            own: OwnNodes { user: row.get(6)?, anonymous: row.get(7)? },
            occurred_at: time(row.get(8)?),
            recorded_at: time(row.get(9)?),
            checksum: row.get(10)?,
            left_out: row.get(11)?,
            shape: row.get(12)?,
            payload: row.get_ref(13)?.as_bytes()?,
        }))
    };
    read().ok().flatten().ok_or_else(|| unreadable_message(sequence))
}

pub(super) fn unreadable_message(sequence: u64) -> Error {
    Error::new(ErrorKind::Corrupt, format!("message {sequence} of the log is not readable"))
        .with_hint("restore the store from a backup")
}
