//! Builds one block at a time from facts that come node by node.
//!
//! A block is closed between two nodes once it is large enough, and within a node only once it is full: then the node
//! continues in the next block. It takes facts by node; it uses neither files nor runs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::annex::AnnexBuilder;
use super::beginnings::BeginningsBuilder;
use super::block::{Block, VERSION};
use super::column::{ColumnBuilder, Translation};
use super::ints::write_ints;
use crate::records::{Timestamp, Value};
use crate::store::bytes::{seal, unsealed};
use crate::store::node_facts::Annex;

/// The size of blocks in rows; a row is an event or another fact of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockLimits {
    /// A block with this many rows takes no further node.
    pub(crate) enough_rows: usize,
    /// A block with this many rows takes no further row.
    pub(crate) max_rows: usize,
}

/// The entry of a block in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    /// The block's id.
    pub(crate) block: i64,
    /// Its least node.
    pub(crate) first_node: u32,
    /// Its greatest node.
    pub(crate) last_node: u32,
    /// The least `occurred_at` of its events, in milliseconds; above `greatest_ms` if it has none.
    pub(crate) least_ms: i64,
    /// The greatest `occurred_at` of its events, in milliseconds.
    pub(crate) greatest_ms: i64,
    /// The number of its events.
    pub(crate) n_events: u32,
}

/// A block that is being built.
pub(crate) struct BlockBuilder {
    limits: BlockLimits,
    n_annex_rows: usize,
    nodes: Vec<u32>,
    starts: Vec<usize>,
    occurred_at: Vec<i64>,
    sequences: Vec<i64>,
    names: Vec<u32>,
    places_of_names: BTreeMap<u32, usize>,
    name_places: Vec<i64>,
    columns: Vec<ColumnBuilder>,
    pending: Option<Annex>,
    annex: AnnexBuilder,
    beginnings: BeginningsBuilder,
}

/// Translates numbers of one source block into those of the block being built: names, then entries of each column.
#[derive(Clone, Default)]
pub(super) struct Translations {
    names: Vec<Option<i64>>,
    columns: Vec<Translation>,
}

impl Translations {
    /// Clears the translations, when either block changes.
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.columns.iter_mut().for_each(Translation::clear);
    }
}

impl BlockBuilder {
    pub(super) fn new(limits: BlockLimits, n_columns: usize) -> BlockBuilder {
        BlockBuilder {
            limits,
            n_annex_rows: 0,
            nodes: Vec::new(),
            starts: Vec::new(),
            occurred_at: Vec::new(),
            sequences: Vec::new(),
            names: Vec::new(),
            places_of_names: BTreeMap::new(),
            name_places: Vec::new(),
            columns: std::iter::repeat_with(ColumnBuilder::default).take(n_columns).collect(),
            pending: None,
            annex: AnnexBuilder::default(),
            beginnings: BeginningsBuilder::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes of the block.
    pub(super) fn nodes(&self) -> &[u32] {
        &self.nodes
    }

    fn n_rows(&self) -> usize {
        self.occurred_at.len() + self.n_annex_rows
    }

    /// The number of rows that the block still takes.
    pub(super) fn room(&self) -> usize {
        self.limits.max_rows.saturating_sub(self.n_rows())
    }

    /// The number of rows that an empty block takes.
    pub(super) fn max_rows(&self) -> usize {
        self.limits.max_rows
    }

    /// Whether the block must be written before facts of this node are added.
    pub(super) fn is_closed_to(&self, node: u32) -> bool {
        let is_next = self.nodes.last().is_some_and(|last| *last != node);
        self.room() == 0 || (is_next && self.n_rows().max(self.nodes.len()) >= self.limits.enough_rows)
    }

    /// Starts the next node; nodes come in ascending order.
    pub(super) fn start_node(&mut self, node: u32) {
        if self.nodes.last() == Some(&node) {
            return;
        }
        self.finish_node();
        self.nodes.push(node);
        self.starts.push(self.occurred_at.len());
    }

    fn finish_node(&mut self) {
        let annex = self.pending.take();
        let (Some(place), Some(start)) = (self.nodes.len().checked_sub(1), self.starts.last()) else { return };
        let names = |place: &i64| self.names.get(*place as usize).copied().unwrap_or(0);
        let occurred_at = self.occurred_at.iter().skip(*start).copied();
        let sequences = self.sequences.iter().skip(*start).map(|sequence| sequence.cast_unsigned());
        let events = occurred_at.zip(sequences).zip(self.name_places.iter().skip(*start).map(names));
        self.beginnings.push(events.map(|((at, sequence), name)| (at, sequence, name)), annex.as_ref());
        let Some(annex) = annex else { return };
        let first_at = self.occurred_at.get(*start..).unwrap_or_default().iter().min();
        let sequences = self.sequences.get(*start..).unwrap_or_default().iter();
        let first_sequence = sequences.map(|sequence| sequence.cast_unsigned()).min();
        let of_events = (first_at.map(|first| Timestamp::from_millis(*first)), first_sequence);
        self.annex.push(place as u32, annex, of_events);
    }

    /// Adds facts of the current node besides events.
    pub(super) fn push_annex(&mut self, annex: Annex) {
        self.n_annex_rows += annex.weight();
        self.pending.get_or_insert_default().add(annex);
    }

    /// Adds an event of the current node, with one cell for each column.
    pub(super) fn push_event<'v>(
        &mut self,
        occurred_at: Timestamp,
        sequence: u64,
        event: u32,
        mut cell: impl FnMut(usize) -> Option<Cow<'v, Value>>,
    ) {
        self.occurred_at.push(occurred_at.millis());
        self.sequences.push(sequence.cast_signed());
        let place = self.place_of_name(event);
        self.name_places.push(place);
        for (index, column) in self.columns.iter_mut().enumerate() {
            column.push(cell(index).as_deref());
        }
    }

    fn place_of_name(&mut self, event: u32) -> i64 {
        let names = &mut self.names;
        let place = *self.places_of_names.entry(event).or_insert_with(|| {
            names.push(event);
            names.len() - 1
        });
        place as i64
    }

    /// Adds events of another block to the current node.
    pub(super) fn push_rows(&mut self, source: &Block, rows: Range<usize>, translations: &mut Translations) {
        source.occurred_at().append_to(rows.clone(), &mut self.occurred_at);
        source.sequences().append_to(rows.clone(), &mut self.sequences);
        let places = source.name_places();
        for row in rows.clone() {
            let place = places.get(row).and_then(|place| usize::try_from(place).ok()).unwrap_or(0);
            if translations.names.len() <= place {
                translations.names.resize(place + 1, None);
            }
            let known = translations.names.get(place).copied().flatten();
            let translated = match known {
                Some(translated) => translated,
                None => {
                    let translated = self.place_of_name(source.event(row).unwrap_or(0));
                    if let Some(slot) = translations.names.get_mut(place) {
                        *slot = Some(translated);
                    }
                    translated
                }
            };
            self.name_places.push(translated);
        }
        translations.columns.resize_with(self.columns.len(), Translation::default);
        for (index, (column, translation)) in self.columns.iter_mut().zip(&mut translations.columns).enumerate() {
            column.push_rows(source.column(index), rows.clone(), translation);
        }
    }

    /// Encodes the block, the beginnings of its nodes and its fence (without id), and clears the builder.
    pub(super) fn finish(&mut self) -> (Vec<u8>, Vec<u8>, Fence) {
        self.finish_node();
        let beginnings = self.beginnings.finish(&self.nodes);
        let least_ms = self.occurred_at.iter().min().copied();
        let greatest_ms = self.occurred_at.iter().max().copied();
        let least_sequence = self.sequences.iter().map(|sequence| sequence.cast_unsigned()).min().unwrap_or(0);
        let (first_node, last_node) = (self.nodes.first().copied(), self.nodes.last().copied());
        let n_events = self.occurred_at.len();
        let mut out = unsealed(n_events * 24 + 512);
        out.push(VERSION);
        out.extend_from_slice(&(self.columns.len() as u16).to_le_bytes());
        out.extend_from_slice(&(self.nodes.len() as u32).to_le_bytes());
        out.extend_from_slice(&(n_events as u32).to_le_bytes());
        write_ints(&mut out, i64::from(first_node.unwrap_or(0)), self.nodes.iter().map(|node| i64::from(*node)));
        write_ints(&mut out, 0, self.starts.iter().chain([&n_events]).map(|start| *start as i64));
        write_ints(&mut out, least_ms.unwrap_or(0), self.occurred_at.iter().copied());
        write_ints(&mut out, least_sequence.cast_signed(), self.sequences.iter().copied());
        out.extend_from_slice(&(self.names.len() as u32).to_le_bytes());
        for name in &self.names {
            out.extend_from_slice(&name.to_le_bytes());
        }
        write_ints(&mut out, 0, self.name_places.iter().copied());
        for column in &mut self.columns {
            column.write(&mut out);
        }
        self.annex.write(&mut out);
        seal(&mut out);
        let fence = Fence {
            block: 0,
            first_node: first_node.unwrap_or(0),
            last_node: last_node.unwrap_or(0),
            least_ms: least_ms.unwrap_or(i64::MAX),
            greatest_ms: greatest_ms.unwrap_or(i64::MIN),
            n_events: n_events as u32,
        };
        self.clear();
        (out, beginnings, fence)
    }

    fn clear(&mut self) {
        self.n_annex_rows = 0;
        self.nodes.clear();
        self.starts.clear();
        self.occurred_at.clear();
        self.sequences.clear();
        self.names.clear();
        self.places_of_names.clear();
        self.name_places.clear();
        self.columns.iter_mut().for_each(ColumnBuilder::clear);
        self.pending = None;
        self.annex.clear();
        self.beginnings.clear();
    }
}
