//! The log in the file: messages by sequence, with the links and blocked values that they give as evidence.
//!
//! It appends accepted messages in their order and reads them back; it never decides which message is accepted.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::facts::{Facts, sql_integer, time};
use super::memory::{Memory, MemoryChanges, MemoryView};
use super::message_rows::{MessageRow, Payload};
use super::packed_id::{packed_id, unpacked_id};
use super::sqlite::sql_error;
use super::stored_message::{OwnNodes, StoredMessage, unreadable_message};
use crate::error::{Error, Result};
use crate::records::{LinkRule, MessageType, StoredLink, Timestamp};

/// Appends to the log, with statements that are prepared once for a whole transaction.
pub(crate) struct LogWriter<'c> {
    facts: Facts<'c>,
    message: CachedStatement<'c>,
    link: CachedStatement<'c>,
    payload: Payload,
}

impl<'c> LogWriter<'c> {
    pub(crate) fn new(facts: Facts<'c>) -> Result<LogWriter<'c>> {
        let message = "INSERT INTO messages
               (sequence, source, message_id, type, event, node, user_node, anonymous_node, occurred_at, ordinal,
                recorded_at, checksum, left_out, shape, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
        let link = "INSERT INTO links (sequence, other, node, rule, occurred_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        let connection: &'c Connection = facts.0;
        Ok(LogWriter {
            facts,
            message: connection.prepare_cached(message).map_err(sql_error)?,
            link: connection.prepare_cached(link).map_err(sql_error)?,
            payload: Payload::default(),
        })
    }

    /// Appends a message; its texts that are new words of the dictionary are added to `overlay`.
    pub(crate) fn put_message(
        &mut self,
        message: &StoredMessage,
        overlay: &mut MemoryChanges,
        base: &Memory,
    ) -> Result<()> {
        let n_words = overlay.n_new_words();
        self.payload.fill(message, overlay, base);
        for (id, word) in overlay.words_behind(n_words) {
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
                sql_integer(message.ordinal),
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
        let rule = u8::from(link.rule == LinkRule::Alias);
        self.link
            .execute(params![sql_integer(link.sequence), link.other, link.node, rule, link.occurred_at.millis()])
            .map(|_| ())
            .map_err(sql_error)
    }
}

fn row_u32(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u32> {
    row.get::<_, u32>(column)
}

impl Facts<'_> {
    /// Visits (sequence, source, message id, node) of the messages in `(after, up_to]`.
    pub(crate) fn visit_message_keys(
        &self,
        after: u64,
        up_to: u64,
        mut visit: impl FnMut(u64, u32, &str, u32),
    ) -> Result<()> {
        let sql = "SELECT sequence, source, message_id, node FROM messages WHERE sequence > ?1 AND sequence <= ?2";
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let mut rows = statement.query(params![sql_integer(after), sql_integer(up_to)]).map_err(sql_error)?;
        while let Some(row) = rows.next().map_err(sql_error)? {
            let sequence = row.get::<_, i64>(0).map_err(sql_error)?.unsigned_abs();
            let message_id = read_id(row, 2).ok_or_else(|| unreadable_message(sequence))?;
            visit(sequence, row.get(1).map_err(sql_error)?, &message_id, row.get(3).map_err(sql_error)?);
        }
        Ok(())
    }

    /// (source, message id) of a message.
    pub(crate) fn message_key(&self, sequence: u64) -> Result<Option<(u32, String)>> {
        Ok(self.message_order(sequence)?.map(|(source, message_id, _)| (source, message_id)))
    }

    /// The sort key of a message among those of its instant: (source, message id, ordinal).
    pub(crate) fn message_order(&self, sequence: u64) -> Result<Option<(u32, String, u64)>> {
        self.0
            .prepare_cached("SELECT source, message_id, ordinal FROM messages WHERE sequence = ?1")
            .and_then(|mut statement| {
                let read =
                    |row: &rusqlite::Row<'_>| Ok((row.get(0)?, read_id(row, 1), row.get::<_, i64>(2)?.unsigned_abs()));
                statement.query_row([sql_integer(sequence)], read).optional()
            })
            .map_err(sql_error)?
            .map(|(source, id, ordinal)| Ok((source, id.ok_or_else(|| unreadable_message(sequence))?, ordinal)))
            .transpose()
    }

    /// The node of a message.
    pub(crate) fn message_node(&self, sequence: u64) -> Result<Option<u32>> {
        self.0
            .prepare_cached("SELECT node FROM messages WHERE sequence = ?1")
            .and_then(|mut statement| statement.query_row([sql_integer(sequence)], |row| row.get(0)).optional())
            .map_err(sql_error)
    }

    /// The message with this sequence.
    pub(crate) fn message(&self, sequence: u64, memory: &MemoryView<'_>) -> Result<StoredMessage> {
        let mut found = None;
        self.visit_messages(sequence.saturating_sub(1), sequence, |row| {
            found = Some(row.read(memory)?);
            Ok(())
        })?;
        found.ok_or_else(|| Error::internal("a sequence of the timeline is not in the log"))
    }

    /// Visits the messages in `(after, up_to]`, in log order. Fails with `corrupt` on a row that cannot be read.
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

    /// The sequence of the last message up to `last` that was recorded at or before an instant; recorded times never
    /// decrease.
    pub(crate) fn sequence_known_at(&self, known: Timestamp, last: u64) -> Result<u64> {
        let mut statement =
            self.0.prepare_cached("SELECT recorded_at FROM messages WHERE sequence = ?1").map_err(sql_error)?;
        let (mut from, mut to) = (0, last);
        while from < to {
            let middle = to - (to - from) / 2;
            let recorded_at: i64 = statement.query_row([sql_integer(middle)], |row| row.get(0)).map_err(sql_error)?;
            if time(recorded_at) <= known { from = middle } else { to = middle - 1 }
        }
        Ok(from)
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

    /// Visits the links in the columns of the messages in `(after, up_to]`, in log order.
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
        self.clear_link_blocks()?;
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

    /// The number of blocked values in the log, by identifier type.
    pub(crate) fn blocked_counts(&self) -> Result<Vec<(u32, i64)>> {
        self.collect("SELECT type, COUNT(*) FROM blocked GROUP BY type ORDER BY type", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }
}

const MESSAGES_BETWEEN: &str =
    "SELECT sequence, source, message_id, type, event, node, user_node, anonymous_node, occurred_at, ordinal,
       recorded_at, checksum, left_out, shape, payload
     FROM messages WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence";

fn read_link(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredLink> {
    Ok(StoredLink {
        sequence: row.get::<_, i64>(0)?.unsigned_abs(),
        node: row_u32(row, 1)?,
        other: row_u32(row, 2)?,
        rule: match row.get(3)? {
            0 => LinkRule::SameMessage,
            1 => LinkRule::Alias,
            other => return Err(rusqlite::Error::IntegralValueOutOfRange(3, other)),
        },
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
            ordinal: row.get::<_, i64>(9)?.unsigned_abs(),
            recorded_at: time(row.get(10)?),
            checksum: row.get(11)?,
            left_out: row.get(12)?,
            shape: row.get(13)?,
            payload: row.get_ref(14)?.as_bytes()?,
        }))
    };
    read().ok().flatten().ok_or_else(|| unreadable_message(sequence))
}
