//! Identifiers in blocks of some thousand: an open reads one value for each block instead of one row for each node.
//!
//! A block is derived from rows of `nodes` and written in the transaction that fills it, so every block that can be
//! full exists, after a crash as well. A block that is damaged or missing is ignored: its nodes are read from their
//! rows.

use rusqlite::params;

use super::bytes::{Reader, corrupt, seal, unsealed, write_varint};
use super::facts::Facts;
use super::packed_id::{UUID_BYTES, packed_id, uuid_text};
use super::sqlite::sql_error;
use crate::error::Result;

/// The form of a value that is stored as the 16 bytes of a UUID.
const UUID: u64 = 0;
/// No block is written with more nodes.
const MOST_NODES: u64 = 1 << 20;

/// The identifiers of a block: their number, the length of all values together, and the encoded entries.
pub(super) struct NodeBlock<'b> {
    pub(super) n_nodes: u32,
    pub(super) n_text_bytes: usize,
    entries: Reader<'b>,
    values: &'b [u8],
}

/// Encodes consecutive identifiers: the number of the type's name, and the value.
pub(super) fn write_block<'n>(nodes: impl Iterator<Item = (u32, &'n str)>) -> Vec<u8> {
    let (mut entries, mut values) = (Vec::new(), Vec::new());
    let (mut n_nodes, mut n_text_bytes) = (0u64, 0u64);
    for (identifier_type, value) in nodes {
        write_varint(&mut entries, u64::from(identifier_type));
        match packed_id(value).filter(|packed| packed.len() == UUID_BYTES) {
            Some(packed) => {
                write_varint(&mut entries, UUID);
                values.extend_from_slice(&packed);
            }
            None => {
                write_varint(&mut entries, value.len() as u64 + 1);
                values.extend_from_slice(value.as_bytes());
            }
        }
        n_nodes += 1;
        n_text_bytes += value.len() as u64;
    }
    let mut out = unsealed(entries.len() + values.len() + 16);
    write_varint(&mut out, n_nodes);
    write_varint(&mut out, n_text_bytes);
    write_varint(&mut out, entries.len() as u64);
    out.extend_from_slice(&entries);
    out.extend_from_slice(&values);
    seal(&mut out);
    out
}

impl<'b> NodeBlock<'b> {
    /// Decodes the head of a block; fails with `corrupt` on other bytes.
    pub(super) fn open(bytes: &'b [u8]) -> Result<NodeBlock<'b>> {
        let mut reader = Reader::of_sealed(bytes, "a block of identifiers has the wrong checksum")?;
        let n_nodes = reader.varint()?;
        let (n_text_bytes, n_entry_bytes) = (reader.varint()? as usize, reader.varint()? as usize);
        let entries = Reader::new(reader.take(n_entry_bytes)?);
        let values = bytes.get(reader.position()..).unwrap_or_default();
        // A value has at most three times as many letters as stored bytes: a UUID has 36 for 16.
        if n_nodes > MOST_NODES || n_text_bytes > values.len().saturating_mul(3) {
            return Err(corrupt("a block of identifiers is larger than it can be"));
        }
        Ok(NodeBlock { n_nodes: n_nodes as u32, n_text_bytes, entries, values })
    }

    /// Visits every identifier by number.
    pub(super) fn visit(mut self, mut visit: impl FnMut(u32, &str)) -> Result<()> {
        let unreadable = || corrupt("an identifier of a block is not readable");
        for _ in 0..self.n_nodes {
            let identifier_type = u32::try_from(self.entries.varint()?).map_err(|_| unreadable())?;
            let form = self.entries.varint()?;
            if form == UUID {
                let (packed, rest) = self.values.split_first_chunk().ok_or_else(unreadable)?;
                self.values = rest;
                let text = uuid_text(packed);
                visit(identifier_type, std::str::from_utf8(&text).map_err(|_| unreadable())?);
            } else {
                let (value, rest) = self.values.split_at_checked(form as usize - 1).ok_or_else(unreadable)?;
                self.values = rest;
                visit(identifier_type, std::str::from_utf8(value).map_err(|_| unreadable())?);
            }
        }
        if self.entries.is_at_end() && self.values.is_empty() { Ok(()) } else { Err(unreadable()) }
    }
}

impl Facts<'_> {
    pub(super) fn put_node_block(&self, first_node: u32, data: &[u8]) -> Result<()> {
        self.execute("INSERT OR REPLACE INTO node_blocks (first_node, data) VALUES (?1, ?2)", params![first_node, data])
    }

    /// Visits the consecutive blocks from the first node on, each with its first node, until `visit` returns false.
    pub(super) fn visit_node_blocks(&self, mut visit: impl FnMut(u32, NodeBlock<'_>) -> bool) -> Result<()> {
        let sql = "SELECT first_node, data FROM node_blocks ORDER BY first_node";
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let mut rows = statement.query([]).map_err(sql_error)?;
        let mut next = 0;
        while let Some(row) = rows.next().map_err(sql_error)? {
            let first: u32 = row.get(0).map_err(sql_error)?;
            let data = row.get_ref(1).map_err(sql_error)?.as_blob().unwrap_or_default();
            // A block of another size than its neighbours may lie within the one before it.
            if first < next {
                continue;
            }
            let Ok(block) = NodeBlock::open(data) else { break };
            let end = first.saturating_add(block.n_nodes);
            if first > next || !visit(first, block) {
                break;
            }
            next = end;
        }
        Ok(())
    }

    /// Whether the blocks agree with the rows.
    pub(crate) fn node_blocks_are_right(&self) -> Result<bool> {
        let mut in_blocks: Vec<(u32, String)> = Vec::new();
        let mut are_readable = true;
        self.visit_node_blocks(|_, block| {
            are_readable &= block.visit(|kind, value| in_blocks.push((kind, value.to_owned()))).is_ok();
            are_readable
        })?;
        let mut n_equal = 0;
        self.visit_nodes_from(0, |node, kind, value| {
            let in_block = in_blocks.get(node as usize);
            n_equal += usize::from(in_block.is_some_and(|found| found.0 == kind && found.1 == value));
        })?;
        Ok(are_readable && n_equal == in_blocks.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn read(bytes: &[u8]) -> Result<Vec<(u32, String)>> {
        let mut found = Vec::new();
        NodeBlock::open(bytes)?.visit(|identifier_type, value| found.push((identifier_type, value.to_owned())))?;
        Ok(found)
    }

    #[test]
    fn identifiers_of_every_form_return() {
        let values =
            ["", "u1", "01234567-89ab-cdef-0123-456789abcdef", "01234567-89AB-cdef-0123-456789abcdef", "jürgen@x.org"];
        let long = "0f".repeat(32);
        let nodes: Vec<(u32, &str)> = values.into_iter().chain([long.as_str()]).zip(1..).map(|(v, n)| (n, v)).collect();
        let bytes = write_block(nodes.iter().copied());
        let found = read(&bytes).unwrap();
        let found: Vec<(u32, &str)> = found.iter().map(|(kind, value)| (*kind, value.as_str())).collect();
        assert_eq!(found, nodes);
        let block = NodeBlock::open(&bytes).unwrap();
        assert_eq!(block.n_text_bytes, nodes.iter().map(|(_, value)| value.len()).sum::<usize>());
    }

    #[test]
    fn a_damaged_block_is_none() {
        let bytes = write_block([(3, "u1"), (7, "01234567-89ab-cdef-0123-456789abcdef")].into_iter());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert_eq!(read(&damaged).unwrap_err().kind(), ErrorKind::Corrupt);
            assert_eq!(read(&bytes[..at]).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}
