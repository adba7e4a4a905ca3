//! Links of evidence in blocks: an open reads one value for a stretch of the log instead of one row for each link.
//!
//! A block is derived from rows of `links` and written in the transaction whose messages fill it, so every block that
//! can be full exists, after a crash as well. A block that is damaged or missing is ignored: its links are read from
//! their rows.

use rusqlite::params;

use super::bytes::{Reader, corrupt, seal, unsealed, write_distance, write_varint};
use super::facts::{Facts, sql_integer, time};
use super::sqlite::sql_error;
use crate::error::Result;
use crate::records::{LinkRule, StoredLink};

/// The least bytes that a link takes; in a large store it takes a little more.
const LEAST_BYTES: usize = 8;

fn write_block(links: &[StoredLink]) -> Vec<u8> {
    let mut out = unsealed(0);
    write_varint(&mut out, links.len() as u64);
    let (mut sequence, mut node, mut occurred_at) = (0, 0, 0);
    for link in links {
        let is_alias = u64::from(link.rule == LinkRule::Alias);
        write_varint(&mut out, (link.sequence - sequence) << 1 | is_alias);
        write_distance(&mut out, node, i64::from(link.node));
        write_distance(&mut out, i64::from(link.node), i64::from(link.other));
        write_distance(&mut out, occurred_at, link.occurred_at.millis());
        (sequence, node, occurred_at) = (link.sequence, i64::from(link.node), link.occurred_at.millis());
    }
    seal(&mut out);
    out
}

fn read_block(bytes: &[u8], out: &mut Vec<StoredLink>) -> Result<()> {
    let mut reader = Reader::of_sealed(bytes, "a block of links has the wrong checksum")?;
    let (mut sequence, mut node, mut occurred_at) = (0u64, 0, 0);
    let unreadable = |_| corrupt("a link of a block is not readable");
    for _ in 0..reader.varint()? {
        let head = reader.varint()?;
        sequence = sequence.wrapping_add(head >> 1);
        node = reader.distance(node)?;
        let other = reader.distance(node)?;
        occurred_at = reader.distance(occurred_at)?;
        out.push(StoredLink {
            sequence,
            node: u32::try_from(node).map_err(unreadable)?,
            other: u32::try_from(other).map_err(unreadable)?,
            rule: if head & 1 == 1 { LinkRule::Alias } else { LinkRule::SameMessage },
            occurred_at: time(occurred_at),
        });
    }
    if reader.is_at_end() { Ok(()) } else { Err(corrupt("a block of links is longer than its links")) }
}

impl Facts<'_> {
    /// Writes the block of the links of the messages `first..=last`.
    pub(super) fn put_link_block(&self, first: u64, last: u64) -> Result<()> {
        let links = self.links_after(first.saturating_sub(1), last)?;
        self.execute(
            "INSERT OR REPLACE INTO link_blocks (first_sequence, last_sequence, data) VALUES (?1, ?2, ?3)",
            params![sql_integer(first), sql_integer(last), write_block(&links)],
        )
    }

    /// Estimates the number of links in blocks from their bytes.
    pub(crate) fn estimated_links(&self) -> Result<usize> {
        let sql = "SELECT COALESCE(SUM(LENGTH(data)), 0) FROM link_blocks";
        let n_bytes = self.0.prepare_cached(sql).and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        Ok(n_bytes.map_err(sql_error).map(i64::unsigned_abs)? as usize / LEAST_BYTES)
    }

    /// Visits all links of the messages up to `up_to`, in log order: from blocks as far as they reach, then from rows.
    pub(crate) fn visit_all_links(&self, up_to: u64, mut visit: impl FnMut(StoredLink)) -> Result<()> {
        let in_blocks_to = self.visit_blocked_links(up_to, &mut visit)?;
        self.visit_links(in_blocks_to, up_to, visit)
    }

    /// Visits the links in the consecutive blocks from the first message on; returns the last message that they cover.
    fn visit_blocked_links(&self, up_to: u64, mut visit: impl FnMut(StoredLink)) -> Result<u64> {
        let sql = "SELECT first_sequence, last_sequence, data FROM link_blocks ORDER BY first_sequence";
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let mut rows = statement.query([]).map_err(sql_error)?;
        let (mut links, mut covered) = (Vec::new(), 0);
        while let Some(row) = rows.next().map_err(sql_error)? {
            let sequence = |column| row.get::<_, i64>(column).map(i64::unsigned_abs).map_err(sql_error);
            let (first, last) = (sequence(0)?, sequence(1)?);
            // A block of another size than its neighbours may lie within the one before it.
            if first <= covered {
                continue;
            }
            let data = row.get_ref(2).map_err(sql_error)?.as_blob().unwrap_or_default();
            links.clear();
            if first > covered + 1 || last > up_to || read_block(data, &mut links).is_err() {
                break;
            }
            links.drain(..).for_each(&mut visit);
            covered = last;
        }
        Ok(covered)
    }

    /// Whether the blocks agree with the rows.
    pub(crate) fn link_blocks_are_right(&self, up_to: u64) -> Result<bool> {
        let mut in_blocks = Vec::new();
        let covered = self.visit_blocked_links(up_to, |link| in_blocks.push(link))?;
        Ok(in_blocks == self.links_after(0, covered)?)
    }

    /// Deletes the blocks before links are derived again.
    pub(super) fn clear_link_blocks(&self) -> Result<()> {
        self.execute("DELETE FROM link_blocks", [])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Timestamp;

    fn links() -> Vec<StoredLink> {
        let link = |sequence, node, other, rule, at| StoredLink {
            sequence,
            node,
            other,
            rule,
            occurred_at: Timestamp::from_millis(at),
        };
        vec![
            link(5, 3, 9, LinkRule::SameMessage, 1_700_000_000_000),
            link(5, 3, 1, LinkRule::Alias, 1_700_000_000_000),
            link(1024, 0, u32::MAX, LinkRule::SameMessage, -7),
        ]
    }

    #[test]
    fn links_return() {
        let mut found = Vec::new();
        read_block(&write_block(&links()), &mut found).unwrap();
        assert_eq!(found, links());
        read_block(&write_block(&[]), &mut found).unwrap();
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_damaged_block_is_none() {
        let bytes = write_block(&links());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert!(read_block(&damaged, &mut Vec::new()).is_err());
            assert!(read_block(&bytes[..at], &mut Vec::new()).is_err());
        }
    }
}
