//! One block of a run: some hundred events of neighbouring nodes as columns, read in place.
//!
//! Layout, little-endian: checksum of all that follows (u64); version (u8); number of property columns (u16), nodes
//! (u32) and events (u32); columns of integers: the nodes, the start of each node's events and the end of the last, the
//! instants of events, their sequences; event names (u32 count, then u32 each) and the place of each event's name in
//! them; the property columns; the annex. A block is checked once when it is opened; reading never panics, whatever its
//! bytes are.

use std::borrow::Cow;
use std::ops::Range;

use super::annex::{AnnexLayout, AnnexPart};
use super::column::{ColumnLayout, PropertyColumn};
use super::ints::{IntColumn, Ints};
use crate::error::Result;
use crate::records::Value;
use crate::store::bytes::{Reader, corrupt};
use crate::store::node_facts::Annex;

pub(super) const VERSION: u8 = 1;
/// The place of the version: after the checksum, in every layout.
const VERSION_AT: usize = 8;
/// No block is built with more rows, so a greater count is damage.
const MAX_ROWS: u32 = 1 << 20;

/// An opened block.
pub(crate) struct Block {
    bytes: Box<[u8]>,
    n_nodes: usize,
    n_events: usize,
    nodes: Ints,
    offsets: Ints,
    occurred_at: Ints,
    sequences: Ints,
    names: Range<usize>,
    name_places: Ints,
    columns: Vec<ColumnLayout>,
    annex: Option<AnnexLayout>,
}

/// Whether a block begins with the version of another layout.
pub(super) fn is_of_another_version(beginning: &[u8]) -> bool {
    beginning.get(VERSION_AT).is_some_and(|version| *version != VERSION)
}

impl Block {
    /// Opens the bytes of a block; fails with `corrupt` if they are damaged.
    pub(crate) fn open(bytes: Vec<u8>) -> Result<Block> {
        let mut reader = Reader::of_sealed(&bytes, "a block has the wrong checksum")?;
        if reader.u8()? != VERSION {
            return Err(corrupt("a block has an unknown version"));
        }
        let (n_columns, n_nodes, n_events) = (reader.u16()?, reader.u32()?, reader.u32()?);
        if n_nodes > MAX_ROWS || n_events > MAX_ROWS {
            return Err(corrupt("a block has too many rows"));
        }
        let (n_nodes, n_events) = (n_nodes as usize, n_events as usize);
        let nodes = Ints::read(&mut reader, n_nodes)?;
        let offsets = Ints::read(&mut reader, n_nodes + 1)?;
        let occurred_at = Ints::read(&mut reader, n_events)?;
        let sequences = Ints::read(&mut reader, n_events)?;
        let n_names = reader.u32()? as usize;
        let names_at = reader.position();
        reader.take(n_names.saturating_mul(4))?;
        let name_places = Ints::read(&mut reader, n_events)?;
        let columns = (0..n_columns).map(|_| ColumnLayout::read(&mut reader, n_events)).collect::<Result<_>>()?;
        let annex = AnnexLayout::read(&mut reader)?;
        if !reader.is_at_end() {
            return Err(corrupt("a block is longer than its sections"));
        }
        let names = names_at..names_at + n_names * 4;
        let bytes = bytes.into_boxed_slice();
        let block = Block {
            bytes,
            n_nodes,
            n_events,
            nodes,
            offsets,
            occurred_at,
            sequences,
            names,
            name_places,
            columns,
            annex,
        };
        block.check_order()?;
        block.check_values()?;
        Ok(block)
    }

    fn check_order(&self) -> Result<()> {
        let (nodes, offsets) = (self.nodes(), self.offsets());
        // Ascending values between two valid ones do not wrap around.
        let are_numbers = [nodes.get(0), nodes.get(self.n_nodes.saturating_sub(1))]
            .into_iter()
            .flatten()
            .all(|node| u32::try_from(node).is_ok());
        if !are_numbers || !nodes.is_ascending(true) || !offsets.is_ascending(false) {
            return Err(corrupt("the nodes of a block are out of order"));
        }
        if offsets.get(0) != Some(0) || offsets.get(self.n_nodes) != Some(self.n_events as i64) {
            return Err(corrupt("the events of a block belong to no node"));
        }
        Ok(())
    }

    /// Checks what reads of events rely on: every event has a name, and every value can be read.
    fn check_values(&self) -> Result<()> {
        if self.name_places().greatest().is_some_and(|place| place >= self.name_words().len() as u64) {
            return Err(corrupt("an event of a block has no name"));
        }
        self.columns.iter().try_for_each(|column| column.check(&self.bytes))
    }

    /// The number of nodes.
    pub(crate) fn n_nodes(&self) -> usize {
        self.n_nodes
    }

    /// The number of events.
    pub(crate) fn n_events(&self) -> usize {
        self.n_events
    }

    /// The approximate RAM of the block once all of it was read.
    pub(crate) fn ram_bytes(&self) -> usize {
        let parsed: usize = self.columns.iter().map(|column| size_of::<ColumnLayout>() + column.parsed_bytes()).sum();
        let annex = self.annex.as_ref().map_or(0, AnnexLayout::parsed_bytes);
        size_of::<Block>() + self.bytes.len() + parsed + annex
    }

    /// The nodes, ascending; the index is a node's place in the block.
    pub(crate) fn nodes(&self) -> IntColumn<'_> {
        self.nodes.view(&self.bytes)
    }

    /// The start of each node's events, and the end of the last.
    pub(crate) fn offsets(&self) -> IntColumn<'_> {
        self.offsets.view(&self.bytes)
    }

    /// When the events occurred, in milliseconds; ascending for each node.
    pub(crate) fn occurred_at(&self) -> IntColumn<'_> {
        self.occurred_at.view(&self.bytes)
    }

    /// The sequences of the events, as the bits of a u64.
    pub(crate) fn sequences(&self) -> IntColumn<'_> {
        self.sequences.view(&self.bytes)
    }

    /// For each event the place of its name among [`Block::names`].
    pub(crate) fn name_places(&self) -> IntColumn<'_> {
        self.name_places.view(&self.bytes)
    }

    /// The numbers of the event names that occur in the block.
    pub(crate) fn names(&self) -> impl Iterator<Item = u32> + '_ {
        self.name_words().iter().map(|word| u32::from_le_bytes(*word))
    }

    fn name_words(&self) -> &[[u8; 4]] {
        self.bytes.get(self.names.clone()).unwrap_or_default().as_chunks().0
    }

    /// The name number of an event.
    #[inline]
    pub(crate) fn event(&self, row: usize) -> Option<u32> {
        let place = usize::try_from(self.name_places().get(row)?).ok()?;
        self.name_words().get(place).map(|word| u32::from_le_bytes(*word))
    }

    /// The node at a place.
    pub(crate) fn node(&self, place: usize) -> Option<u32> {
        self.nodes().get(place).and_then(|node| u32::try_from(node).ok())
    }

    /// The place of a node; `None` if the block does not have it.
    pub(crate) fn find(&self, node: u32) -> Option<usize> {
        let place = self.nodes().lower_bound(0..self.n_nodes, i64::from(node));
        (self.node(place) == Some(node)).then_some(place)
    }

    /// The rows of the events of the node at a place.
    pub(crate) fn rows(&self, place: usize) -> Range<usize> {
        let offsets = self.offsets();
        let offset = |at| offsets.get(at).and_then(|offset| usize::try_from(offset).ok()).unwrap_or(0);
        offset(place)..offset(place + 1)
    }

    /// The property column with this number; absent if the block does not have it.
    pub(crate) fn column(&self, column: usize) -> PropertyColumn<'_> {
        let layout = self.columns.get(column);
        layout.map_or(PropertyColumn::Absent, |layout| layout.view(&self.bytes, self.n_events))
    }

    /// The number of property columns that the block was written with.
    pub(crate) fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// The property of an event; `None` for null.
    pub(crate) fn value(&self, column: usize, row: usize) -> Option<Cow<'_, Value>> {
        self.column(column).value(row)
    }

    /// The nano-units of an event's property; `None` if it is no number.
    #[cfg(test)]
    pub(crate) fn number(&self, column: usize, row: usize) -> Option<i128> {
        self.column(column).number(row)
    }

    /// The facts besides events of the node at a place; first instants only where they do not follow from its messages.
    pub(crate) fn annex(&self, place: usize) -> Result<Option<Annex>> {
        self.annex_part(place, AnnexPart::All)
    }

    /// The part of the annex that `part` selects.
    pub(super) fn annex_part(&self, place: usize, part: AnnexPart) -> Result<Option<Annex>> {
        match &self.annex {
            Some(layout) => layout.find(&self.bytes, place, part),
            None => Ok(None),
        }
    }
}
