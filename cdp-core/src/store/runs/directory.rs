//! The directory entry of a run: the messages and nodes that it covers, and a fence for each of its blocks.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::builder::Fence;
use super::node_set::{NODES_A_WORD, NodeSet};
use crate::error::Result;
use crate::records::{Path, Value};
use crate::store::bytes::{Reader, corrupt, seal, unsealed};
use crate::store::sqlite::sql_error;

const FENCE_BYTES: usize = 36;
/// The size ratio of two neighbouring size classes.
const FAN_IN: u64 = 3;
/// Runs of a few times this number of blocks are in the lowest size class.
const LEAST_BLOCKS: u64 = 3;

/// A visible run.
pub(crate) struct Run {
    /// Its id, never reused.
    pub(crate) id: i64,
    /// Its size class.
    pub(crate) level: u32,
    /// The first message it covers.
    pub(crate) first_sequence: u64,
    /// The last message it covers.
    pub(crate) last_sequence: u64,
    /// The number of its events.
    pub(crate) n_events: u64,
    /// Its blocks, in the order of nodes.
    pub(crate) fences: Vec<Fence>,
    // By node: whether the run has it, and where to search then.
    stretches: Vec<NodeStretch>,
    /// The property paths that its blocks have as columns.
    pub(crate) columns: Arc<[Path]>,
}

/// Consecutive nodes, with the data that a lookup of one of them needs in one place.
struct NodeStretch {
    // One bit for each node.
    nodes: u64,
    // The first fence that ends at one of the nodes or after it.
    fence: u32,
}

/// The size class of a run: each is [`FAN_IN`] times the one before. Counted in blocks, because traits are written as
/// events are.
pub(super) fn level_of(n_blocks: u64) -> u32 {
    (n_blocks / LEAST_BLOCKS).max(1).ilog(FAN_IN)
}

fn stretches_of(nodes: &NodeSet, fences: &[Fence]) -> Vec<NodeStretch> {
    let mut fence = 0;
    let stretch = |(first_node, nodes): (u32, u64)| {
        while fences.get(fence).is_some_and(|fence| fence.last_node < first_node) {
            fence += 1;
        }
        NodeStretch { nodes, fence: fence as u32 }
    };
    nodes.words().map(stretch).collect()
}

fn write_fences(fences: &[Fence]) -> Vec<u8> {
    let mut out = unsealed(fences.len() * FENCE_BYTES);
    for fence in fences {
        out.extend_from_slice(&fence.block.to_le_bytes());
        out.extend_from_slice(&fence.first_node.to_le_bytes());
        out.extend_from_slice(&fence.last_node.to_le_bytes());
        out.extend_from_slice(&fence.least_ms.to_le_bytes());
        out.extend_from_slice(&fence.greatest_ms.to_le_bytes());
        out.extend_from_slice(&fence.n_events.to_le_bytes());
    }
    seal(&mut out);
    out
}

fn read_fences(bytes: &[u8]) -> Result<Vec<Fence>> {
    let mut reader = Reader::of_sealed(bytes, "the fences of a run have the wrong checksum")?;
    let mut fences = Vec::with_capacity(bytes.len() / FENCE_BYTES);
    while !reader.is_at_end() {
        fences.push(Fence {
            block: reader.i64()?,
            first_node: reader.u32()?,
            last_node: reader.u32()?,
            least_ms: reader.i64()?,
            greatest_ms: reader.i64()?,
            n_events: reader.u32()?,
        });
    }
    let in_order = fences.is_sorted_by(|left, right| left.last_node <= right.first_node && left.block < right.block);
    if in_order { Ok(fences) } else { Err(corrupt("the blocks of a run are out of order")) }
}

/// The first block of every visible run.
pub(super) fn first_blocks(connection: &Connection) -> Result<Vec<i64>> {
    // The number of a block is the first member of its fence, after the checksum of all fences.
    let sql = "SELECT SUBSTR(fences, 9, 8) FROM runs ORDER BY run";
    let mut select = connection.prepare_cached(sql).map_err(sql_error)?;
    let blocks = select.query_map([], |row| row.get::<_, Vec<u8>>(0)).map_err(sql_error)?;
    let blocks = blocks.collect::<rusqlite::Result<Vec<_>>>().map_err(sql_error)?;
    blocks.iter().map(|block| Reader::new(block).i64()).collect()
}

fn read_columns(json: &str) -> Result<Arc<[Path]>> {
    let unreadable = || corrupt("the columns of a run cannot be read");
    let columns = Value::parse(json.as_bytes()).map_err(|_| unreadable())?;
    let columns = columns.as_list().ok_or_else(unreadable)?;
    columns.iter().map(|column| column.as_text().and_then(Path::parse).ok_or_else(unreadable)).collect()
}

impl Run {
    pub(super) fn load(connection: &Connection, id: i64) -> Result<Run> {
        let sql =
            "SELECT level, first_sequence, last_sequence, n_events, fences, nodes, columns FROM runs WHERE run = ?1";
        let unsigned = |row: &rusqlite::Row<'_>, column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
        let (level, first_sequence, last_sequence, n_events, fences, nodes, columns) = connection
            .prepare_cached(sql)
            .and_then(|mut statement| {
                statement.query_row([id], |row| {
                    let (fences, nodes, columns): (Vec<u8>, Vec<u8>, String) = (row.get(4)?, row.get(5)?, row.get(6)?);
                    Ok((row.get(0)?, unsigned(row, 1)?, unsigned(row, 2)?, unsigned(row, 3)?, fences, nodes, columns))
                })
            })
            .map_err(sql_error)?;
        let (fences, nodes, columns) = (read_fences(&fences)?, NodeSet::from_bytes(&nodes)?, read_columns(&columns)?);
        let stretches = stretches_of(&nodes, &fences);
        Ok(Run { id, level, first_sequence, last_sequence, n_events, fences, stretches, columns })
    }

    /// Writes the row that makes a run visible, and returns the run.
    pub(super) fn publish(
        connection: &Connection,
        sequences: (u64, u64),
        fences: Vec<Fence>,
        nodes: NodeSet,
        columns: Arc<[Path]>,
    ) -> Result<Run> {
        let n_events = fences.iter().map(|fence| u64::from(fence.n_events)).sum();
        let level = level_of(fences.len() as u64);
        let (first_sequence, last_sequence) = sequences;
        let json = Value::List(columns.iter().map(|path| Value::text(path.as_str())).collect()).to_json();
        let signed = |unsigned: u64| i64::try_from(unsigned).unwrap_or(i64::MAX);
        connection
            .prepare_cached(
                "INSERT INTO runs (level, first_sequence, last_sequence, n_events, fences, nodes, columns)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    level,
                    signed(first_sequence),
                    signed(last_sequence),
                    signed(n_events),
                    write_fences(&fences),
                    nodes.to_bytes(),
                    json,
                ])
            })
            .map_err(sql_error)?;
        let id = connection.last_insert_rowid();
        let stretches = stretches_of(&nodes, &fences);
        Ok(Run { id, level, first_sequence, last_sequence, n_events, fences, stretches, columns })
    }

    /// Whether the run has facts of a node.
    pub(super) fn has_node(&self, node: u32) -> bool {
        self.stretch_of(node).is_some()
    }

    /// The stretch with this node, if the run has facts of it.
    fn stretch_of(&self, node: u32) -> Option<&NodeStretch> {
        let stretch = self.stretches.get((node / NODES_A_WORD) as usize)?;
        (stretch.nodes >> (node % NODES_A_WORD) & 1 == 1).then_some(stretch)
    }

    /// The blocks with facts of a node. The search starts at the first that ends at the node or after it, since a node
    /// may begin in the middle of one block, fill several and end in another.
    pub(super) fn fences_of(&self, node: u32) -> impl Iterator<Item = &Fence> {
        let from = self.stretch_of(node).map_or(self.fences.len(), |stretch| stretch.fence as usize);
        let fences = self.fences.get(from..).unwrap_or_default().iter();
        fences.skip_while(move |fence| fence.last_node < node).take_while(move |fence| fence.first_node <= node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn fences_round_trip_and_damage_is_detected() {
        let fence = |block, first_node, last_node| Fence {
            block,
            first_node,
            last_node,
            least_ms: -5,
            greatest_ms: i64::MIN,
            n_events: 7,
        };
        let fences = vec![fence(3, 0, 4), fence(4, 4, 4), fence(9, 4, u32::MAX)];
        let bytes = write_fences(&fences);
        assert_eq!(read_fences(&bytes).unwrap(), fences);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(read_fences(&damaged).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        assert_eq!(read_fences(&bytes[..bytes.len() - 36]).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(read_fences(&[]).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
