//! RAM as one transaction sees it: the committed state with the additions of the transaction.
//!
//! It takes numbers of nodes, names and words, and returns their texts, timelines and columns of events. It never
//! changes either part.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Few, Memory, MemoryChanges};
use crate::error::{Error, Result};
use crate::records::{Path, Timestamp, Value};
use crate::rules::TimelineEvent;
use crate::store::columns::Columns;
use crate::store::facts::Facts;
use crate::store::firsts::{Firsts, event_bit};
use crate::store::gathered::{FROZEN_ROW, Gathered};
use crate::store::node_facts::{Annex, EventEntry, EventProperties};
use crate::store::runs::Runs;
use crate::store::tail::NodeFacts;

/// Property columns that a single query needs, built from the log.
#[derive(Debug)]
pub(crate) struct ExtraColumns {
    columns: Columns,
    // The row of each message, by its sequence minus one.
    rows: Vec<u32>,
}

impl ExtraColumns {
    pub(crate) fn new(paths: Vec<Path>) -> ExtraColumns {
        ExtraColumns { columns: Columns::new(Arc::from(paths)), rows: Vec::new() }
    }

    /// Adds the properties of the event with this sequence, which is greater than all before.
    pub(crate) fn push(&mut self, sequence: u64, properties: &EventProperties<'_>) {
        let place = usize::try_from(sequence).unwrap_or(usize::MAX).saturating_sub(1);
        self.rows.resize(place, 0);
        self.rows.push(self.columns.n_rows());
        self.columns.push(properties.json());
    }

    pub(in crate::store) fn get(&self, path: &Path, sequence: u64) -> Option<Option<Cow<'_, Value>>> {
        let column = self.columns.column_of(path)?;
        let place = usize::try_from(sequence).ok()?.checked_sub(1)?;
        Some(self.rows.get(place).and_then(|row| self.columns.get(column, *row)))
    }
}

/// The state as one transaction sees it.
#[derive(Clone, Copy)]
pub(crate) struct MemoryView<'a> {
    base: &'a Memory,
    overlay: Option<&'a MemoryChanges>,
    extra: Option<&'a ExtraColumns>,
    // The nodes in RAM, for a store whose nodes are read on demand.
    few: Option<&'a Few>,
    looks_up: bool,
}

impl Memory {
    /// A view of this state without changes.
    pub(crate) fn view(&self) -> MemoryView<'_> {
        MemoryView::new(self, None)
    }
}

impl MemoryChanges {
    /// A view of the state with these changes.
    pub(crate) fn view<'a>(&'a self, base: &'a Memory) -> MemoryView<'a> {
        MemoryView::new(base, Some(self))
    }
}

impl<'a> MemoryView<'a> {
    fn new(base: &'a Memory, overlay: Option<&'a MemoryChanges>) -> MemoryView<'a> {
        MemoryView { base, overlay, extra: None, few: None, looks_up: false }
    }

    /// This view for reads of a single profile that may be repeated soon.
    pub(crate) fn looking_up(self) -> MemoryView<'a> {
        MemoryView { looks_up: true, ..self }
    }

    /// This view limited to a few nodes.
    pub(crate) fn of_few(self, few: &'a Few) -> MemoryView<'a> {
        MemoryView { few: Some(few), ..self }
    }

    /// This view with further property columns.
    pub(crate) fn with_extra(self, extra: &'a ExtraColumns) -> MemoryView<'a> {
        MemoryView { extra: Some(extra), ..self }
    }

    /// The name with this number.
    pub(crate) fn name(&self, id: u32) -> &'a str {
        self.base.names.text(id).or_else(|| self.overlay?.names.text(id)).unwrap_or("")
    }

    /// The text of a word.
    pub(in crate::store) fn word(&self, id: u32) -> Option<&'a str> {
        self.base.words.text(id).or_else(|| self.overlay?.words.text(id))
    }

    /// The number of committed names.
    pub(crate) fn n_committed_names(&self) -> u32 {
        self.base.n_names()
    }

    /// Whether this transaction has added names.
    pub(crate) fn has_new_names(&self) -> bool {
        self.overlay.is_some_and(|overlay| overlay.names.len() > 0)
    }

    /// The number of a name.
    pub(crate) fn name_id(&self, name: &str) -> Option<u32> {
        self.base.names.id(name).or_else(|| self.overlay?.names.id(name))
    }

    /// The messages that may have this source and id; the caller confirms them.
    pub(crate) fn message_candidates(&self, facts: Facts<'_>, source: u32, message_id: &str) -> Result<Vec<u64>> {
        self.base.keys.candidates(facts, self.overlay.map(|overlay| &overlay.keys), source, message_id)
    }

    /// The messages that may have named an identifier first, or linked it with another; the caller confirms them.
    pub(crate) fn messages_naming(&self, facts: Facts<'_>, (identifier_type, value): (u32, &str)) -> Result<Vec<u64>> {
        self.base.keys.naming(facts, identifier_type, value)
    }

    /// The node of an identifier.
    pub(crate) fn node_id(&self, identifier_type: &str, value: &str) -> Option<u32> {
        let identifier_type = self.name_id(identifier_type)?;
        let added = || self.overlay?.nodes.find(identifier_type, value).map(|place| self.base.n_nodes() + place);
        self.base.nodes.find(identifier_type, value).or_else(added)
    }

    /// The number of the name of a node's identifier type; names begin at 1.
    pub(crate) fn node_type(&self, node: u32) -> u32 {
        self.identifier(node).map_or(0, |(identifier_type, _)| identifier_type)
    }

    /// The identifier of a node: type and value.
    pub(crate) fn node(&self, node: u32) -> (&'a str, &'a str) {
        self.identifier(node).map_or(("", ""), |(identifier_type, value)| (self.name(identifier_type), value))
    }

    /// The identifier of a node: the number of the type's name, and the value.
    pub(super) fn identifier(&self, node: u32) -> Option<(u32, &'a str)> {
        if let Some(few) = self.few {
            return few.identifier(node);
        }
        match node.checked_sub(self.base.n_nodes()) {
            None => self.base.nodes.get(node),
            Some(place) => self.overlay?.nodes.get(place),
        }
    }

    /// The number of nodes.
    pub(crate) fn n_nodes(&self) -> u32 {
        self.base.n_nodes() + self.overlay.map_or(0, |overlay| overlay.nodes.len())
    }

    /// The beginnings of a node.
    pub(crate) fn firsts(&self, node: u32) -> Firsts {
        if let Some(few) = self.few {
            return few.firsts(node).unwrap_or_default();
        }
        let mut firsts = self.base.firsts.get(node as usize).copied().unwrap_or_default();
        if let Some(added) = self.added(node) {
            added.include_in(&mut firsts);
        }
        firsts
    }

    /// The events of a node that this transaction has added, in no order.
    pub(crate) fn added_events(&self, node: u32) -> impl Iterator<Item = EventEntry> {
        self.added(node).into_iter().flat_map(|added| added.events)
    }

    /// A property of an event that this transaction has added, by row. The outer `None`: the path has no column; the
    /// inner one: null or absent.
    pub(crate) fn added_property(&self, row: u32, path: &Path) -> Option<Option<Cow<'a, Value>>> {
        let column = self.base.tail.columns.column_of(path)?;
        let place = row.checked_sub(self.base.tail.columns.n_rows())?;
        Some(self.overlay?.tail.columns.get(column, place))
    }

    /// The facts of a node that the transaction has added.
    fn added(&self, node: u32) -> Option<NodeFacts<'a>> {
        self.overlay?.tail.get(node, self.base.tail.columns.n_rows())
    }

    /// Adds the events of a node from runs and RAM; its other facts are read by [`MemoryView::annexes`].
    pub(crate) fn gather(&self, facts: Facts<'_>, node: u32, gathered: &mut Gathered) -> Result<()> {
        let runs = &self.base.runs;
        let in_runs = if self.looks_up { runs.look_up(facts.0, node) } else { runs.read(facts.0, node, None) };
        gathered.add_node(node, in_runs?);
        self.layers(node).for_each(|(layer, tag)| gathered.add_layer(layer, tag));
        Ok(())
    }

    /// The facts besides events of each gathered node, in the order in which the nodes were gathered.
    pub(crate) fn annexes(&self, gathered: &Gathered) -> Result<Vec<(u32, Annex)>> {
        let merge = |in_runs: Result<(u32, Annex)>| {
            let (node, mut merged) = in_runs?;
            self.layers(node).for_each(|(layer, _)| layer.add_rest_to(&mut merged));
            merged.sort();
            Ok((node, merged))
        };
        gathered.annexes_in_runs().map(merge).collect()
    }

    /// The beginnings of a node, computed from all of its facts.
    pub(crate) fn read_firsts(&self, facts: Facts<'_>, node: u32) -> Result<Firsts> {
        let (mut gathered, mut firsts) = (Gathered::default(), Firsts::default());
        self.gather(facts, node, &mut gathered)?;
        for event in &gathered.timeline {
            firsts.include(Some(event.occurred_at), Some(event.sequence), event_bit(event.event));
        }
        for (_, annex) in self.annexes(&gathered)? {
            firsts.include(annex.first_named_at, annex.first_sequence, 0);
        }
        Ok(firsts)
    }

    /// The facts of a node in RAM, the oldest layer first, each with the tag of its rows.
    fn layers(&self, node: u32) -> impl Iterator<Item = (NodeFacts<'a>, u64)> {
        let frozen = self.base.frozen.as_ref().and_then(|frozen| frozen.get(node));
        let layers = [(frozen, FROZEN_ROW), (self.base.tail.get(node, 0), 0), (self.added(node), 0)];
        layers.into_iter().filter_map(|(layer, tag)| Some((layer?, tag)))
    }

    /// The value of a property of a gathered event; `None` for null and absent.
    pub(crate) fn property<'g>(
        &self,
        gathered: &'g Gathered,
        event: &TimelineEvent,
        path: &Path,
    ) -> Option<Cow<'g, Value>>
    where
        'a: 'g,
    {
        if let Some(found) = self.extra.and_then(|extra| extra.get(path, event.sequence)) {
            return found;
        }
        let column = self.base.tail.columns.column_of(path)?;
        if let Some((block, row)) = gathered.block(event.row) {
            return block.value(column, row);
        }
        let row = (event.row & u64::from(u32::MAX)) as u32;
        if event.row & FROZEN_ROW != 0 {
            return self.base.frozen.as_ref()?.columns.get(column, row);
        }
        let committed = self.base.tail.columns.n_rows();
        match (self.overlay, row.checked_sub(committed)) {
            (Some(overlay), Some(row)) => overlay.tail.columns.get(column, row),
            _ => self.base.tail.columns.get(column, row),
        }
    }

    /// The property columns of some paths.
    pub(in crate::store) fn columns_of(&self, paths: &[Path]) -> Result<Vec<usize>> {
        let columns = paths.iter().map(|path| self.base.tail.columns.column_of(path));
        columns.collect::<Option<_>>().ok_or_else(|| Error::internal("the store has no column for a property"))
    }

    /// The number of events in runs.
    pub(crate) fn n_events_in_runs(&self) -> u64 {
        self.base.runs.runs().iter().map(|run| run.n_events).sum()
    }

    /// The number of events in RAM.
    pub(in crate::store) fn n_events_in_ram(&self) -> u64 {
        let frozen = self.base.frozen.as_ref().map_or(0, |frozen| frozen.columns.n_rows());
        let added = self.overlay.map_or(0, |overlay| overlay.tail.columns.n_rows());
        [frozen, self.base.tail.columns.n_rows(), added].map(u64::from).iter().sum()
    }

    /// The runs, for a scan.
    pub(in crate::store) fn runs(&self) -> &'a Runs {
        &self.base.runs
    }

    /// Visits the events in RAM, layer by layer: entries with their nodes, whose rows are rows of the layer's columns.
    pub(in crate::store) fn visit_tails(
        &self,
        mut visit: impl FnMut(&mut dyn Iterator<Item = (u32, EventEntry)>, &Columns),
    ) {
        if let Some(frozen) = &self.base.frozen {
            visit(&mut frozen.events(), &frozen.columns);
        }
        for tail in [Some(&*self.base.tail), self.overlay.map(|overlay| &overlay.tail)].into_iter().flatten() {
            visit(&mut tail.events(), &tail.columns);
        }
    }

    /// Calls `visit` with the node, event number (0: no event) and time of every committed message in `(after, up_to]`.
    /// Only for a transaction that writes, see [`Memory::read_times`].
    pub(crate) fn visit_times(&self, after: Timestamp, up_to: Timestamp, visit: impl FnMut(u32, u32, Timestamp)) {
        debug_assert!(self.base.has_times(), "a transaction that writes has read the times");
        if let Some(times) = &self.base.times {
            times.visit(after, up_to, visit);
        }
    }

    /// Whether the stored beginnings of nodes agree with the runs.
    pub(crate) fn beginnings_are_right(&self, facts: Facts<'_>) -> Result<bool> {
        self.base.runs.beginnings_are_right(facts.0, self.base.n_nodes())
    }

    /// The paths that have no column.
    pub(crate) fn missing_columns(&self, paths: &[Path]) -> Vec<Path> {
        paths.iter().filter(|path| self.base.tail.columns.column_of(path).is_none()).cloned().collect()
    }

    /// The identifier types that occur among the nodes.
    pub(crate) fn node_types(&self) -> BTreeSet<&'a str> {
        let added = self.overlay.into_iter().flat_map(|overlay| overlay.nodes.iter());
        let ids: BTreeSet<u32> =
            self.base.nodes.iter().chain(added).map(|(identifier_type, _)| identifier_type).collect();
        ids.into_iter().map(|id| self.name(id)).collect()
    }

    /// The greatest `occurred_at` of all messages.
    pub(crate) fn greatest_occurred_at(&self) -> Option<Timestamp> {
        self.base.greatest_occurred_at.max(self.overlay.and_then(|overlay| overlay.greatest_occurred_at))
    }

    /// The sequence of the last visible message.
    pub(crate) fn sequence(&self) -> u64 {
        self.overlay.map_or(self.base.sequence, |overlay| overlay.sequence)
    }
}
