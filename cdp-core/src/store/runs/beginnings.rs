//! The beginnings of a block's nodes, stored apart from the block: an open reads these for every node, and no timeline.
//!
//! Layout, little-endian: checksum of all that follows (u64); number of nodes (u32); the greatest instant of any
//! message (i64); columns of integers: the nodes, when each was first named, its first sequence (0: no message of its
//! own), and the bits of the names of its events. Derived from the block; a damaged or missing value is computed from
//! the block.

use super::block::Block;
use super::ints::{Ints, write_ints};
use crate::error::Result;
use crate::records::Timestamp;
use crate::store::bytes::{Reader, corrupt, seal, unsealed};
use crate::store::firsts::{Firsts, event_bit};
use crate::store::node_facts::Annex;

/// No block is written with more nodes.
const MOST_NODES: u32 = 1 << 20;

/// Collects the beginnings of the nodes of a block that is being built.
#[derive(Default)]
pub(super) struct BeginningsBuilder {
    named_at: Vec<i64>,
    sequences: Vec<u64>,
    events: Vec<u64>,
    greatest_ms: Option<i64>,
}

impl BeginningsBuilder {
    /// Adds the next node, from its events in the block (instant, sequence, name number) and its other facts.
    pub(super) fn push(&mut self, events: impl Iterator<Item = (i64, u64, u32)>, annex: Option<&Annex>) {
        let (mut named_at, mut first_sequence, mut bits) = (i64::MAX, u64::MAX, 0);
        let mut greatest = self.greatest_ms;
        let mut include = |at: i64, sequence: Option<u64>| {
            named_at = named_at.min(at);
            first_sequence = first_sequence.min(sequence.unwrap_or(u64::MAX));
            greatest = greatest.max(Some(at));
        };
        for (at, sequence, event) in events {
            include(at, Some(sequence));
            bits |= if event == 0 { 0 } else { event_bit(event) };
        }
        if let Some(annex) = annex {
            annex.others.iter().for_each(|(at, sequence)| include(at.millis(), Some(*sequence)));
            if let Some(at) = annex.first_named_at {
                include(at.millis(), annex.first_sequence);
            }
        }
        self.greatest_ms = greatest;
        self.named_at.push(named_at);
        self.sequences.push(if first_sequence == u64::MAX { 0 } else { first_sequence });
        self.events.push(bits);
    }

    /// Encodes the beginnings of these nodes, and clears the builder.
    pub(super) fn finish(&mut self, nodes: &[u32]) -> Vec<u8> {
        let mut out = unsealed(0);
        out.extend_from_slice(&(nodes.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.greatest_ms.unwrap_or(i64::MIN).to_le_bytes());
        let first_node = nodes.first().copied().unwrap_or(0);
        write_ints(&mut out, i64::from(first_node), nodes.iter().map(|node| i64::from(*node)));
        let least_ms = self.named_at.iter().min().copied().unwrap_or(0);
        write_ints(&mut out, least_ms, self.named_at.iter().copied());
        write_ints(&mut out, 0, self.sequences.iter().map(|sequence| sequence.cast_signed()));
        write_ints(&mut out, 0, self.events.iter().map(|events| events.cast_signed()));
        seal(&mut out);
        self.clear();
        out
    }

    pub(super) fn clear(&mut self) {
        self.named_at.clear();
        self.sequences.clear();
        self.events.clear();
        self.greatest_ms = None;
    }
}

/// Adds encoded beginnings of nodes to `firsts`, and the greatest instant of any message to `greatest`.
pub(super) fn read_beginnings(bytes: &[u8], firsts: &mut [Firsts], greatest: &mut Option<Timestamp>) -> Result<()> {
    let mut reader = Reader::of_sealed(bytes, "the beginnings of nodes have the wrong checksum")?;
    let (n_nodes, greatest_ms) = (reader.u32()?, reader.i64()?);
    if n_nodes > MOST_NODES {
        return Err(corrupt("the beginnings of too many nodes stand together"));
    }
    let mut columns = [Ints::default(); 4];
    for column in &mut columns {
        *column = Ints::read(&mut reader, n_nodes as usize)?;
    }
    let [nodes, named_at, sequences, events] = columns.map(|column| column.view(bytes));
    for place in 0..n_nodes as usize {
        let (Some(node), Some(named_at)) = (nodes.get(place), named_at.get(place)) else { break };
        let first = usize::try_from(node).ok().and_then(|node| firsts.get_mut(node));
        if let (Some(first), Some(sequence), Some(events)) = (first, sequences.get(place), events.get(place)) {
            let named_at = (named_at != i64::MAX).then(|| Timestamp::from_millis(named_at));
            let sequence = Some(sequence.cast_unsigned()).filter(|sequence| *sequence != 0);
            first.include(named_at, sequence, events.cast_unsigned());
        }
    }
    if greatest_ms != i64::MIN {
        *greatest = (*greatest).max(Some(Timestamp::from_millis(greatest_ms)));
    }
    Ok(())
}

impl Block {
    /// Adds the beginnings and the greatest instant from the block itself.
    pub(super) fn read_beginnings(&self, firsts: &mut [Firsts], greatest: &mut Option<Timestamp>) -> Result<()> {
        self.visit_messages(|node, occurred_at, sequence, event| {
            if let Some(first) = firsts.get_mut(node as usize) {
                let events = if event == 0 { 0 } else { event_bit(event) };
                first.include(Some(occurred_at), sequence, events);
            }
            // A node is named by messages alone, so this misses none.
            *greatest = (*greatest).max(Some(occurred_at));
        })
    }
}
