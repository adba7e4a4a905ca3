//! All events of the store as columns, block by block, for a pass over all profiles.
//!
//! It takes the number of each node's profile, and visits the blocks of the runs in their order, then the events in
//! RAM. It decides nothing; blocks of a scan do not evict those of point reads.

use std::borrow::Cow;
use std::cmp::Ordering;

use rustc_hash::FxHashMap;

use super::columns::Columns;
use super::facts::Facts;
use super::memory::MemoryView;
use super::node_facts::EventEntry;
use super::runs::{Block, Fence, PropertyColumn};
use crate::error::Result;
use crate::records::{Path, Value};
use crate::rules::{EventBlock, LARGE_NUMBER, NO_NUMBER, NOBODY};

/// A block of a run.
struct RunBlock<'b> {
    block: &'b Block,
    time_range_ms: (i64, i64),
    names: &'b [u32],
    profile_of: &'b [u32],
    columns: &'b [usize],
}

impl EventBlock for RunBlock<'_> {
    fn time_range_ms(&self) -> (i64, i64) {
        self.time_range_ms
    }

    fn names(&self) -> &[u32] {
        self.names
    }

    fn append_name_places(&self, out: &mut Vec<u32>) {
        self.block.name_places().append_mapped(0..self.block.n_events(), out, |place| place as u32);
    }

    fn append_occurred_at_ms(&self, out: &mut Vec<i64>) {
        self.block.occurred_at().append_to(0..self.block.n_events(), out);
    }

    fn append_profiles(&self, out: &mut Vec<u32>) {
        // Whole columns at a time: decoding value by value would look up the width of the column for each node.
        let n_nodes = self.block.n_nodes();
        let (mut profiles, mut ends) = (Vec::with_capacity(n_nodes), Vec::with_capacity(n_nodes));
        self.block.nodes().append_mapped(0..n_nodes, &mut profiles, |node| {
            usize::try_from(node).ok().and_then(|node| self.profile_of.get(node)).copied().unwrap_or(NOBODY)
        });
        self.block.offsets().append_mapped(1..n_nodes + 1, &mut ends, |end| end as usize);
        let start = out.len();
        out.resize(start + self.block.n_events(), NOBODY);
        let (mut rest, mut from) = (out.get_mut(start..).unwrap_or_default(), 0);
        for (profile, end) in profiles.into_iter().zip(ends) {
            // An opened block has ascending offsets that end at the number of events.
            let Some((own, behind)) = rest.split_at_mut_checked(end - from) else { return };
            own.fill(profile);
            (rest, from) = (behind, end);
        }
    }

    fn append_numbers(&self, column: usize, events: &[u32], out: &mut Vec<i64>) -> bool {
        let Some(column) = self.columns.get(column) else { return false };
        match self.block.column(*column) {
            PropertyColumn::Absent => out.extend(events.iter().map(|_| NO_NUMBER)),
            PropertyColumn::Numbers(column) => {
                let unit = column.unit();
                let nanos = |scaled: i64| scaled.checked_mul(unit).filter(|nanos| *nanos > LARGE_NUMBER);
                out.extend(events.iter().map(|event| match column.scaled(*event as usize) {
                    None => NO_NUMBER,
                    Some(scaled) => nanos(scaled).unwrap_or(LARGE_NUMBER),
                }));
            }
            // Text may stand for numbers, and some numbers have 128 bits.
            PropertyColumn::Wide(_) | PropertyColumn::Entries(..) => return false,
        }
        true
    }

    fn value(&self, column: usize, index: usize) -> Option<Cow<'_, Value>> {
        self.block.value(*self.columns.get(column)?, index)
    }
}

/// Some events in RAM, as columns; the allocations are reused from block to block.
#[derive(Default)]
struct TailEvents {
    profiles: Vec<u32>,
    occurred_at_ms: Vec<i64>,
    names: Vec<u32>,
    places: FxHashMap<u32, u32>,
    name_places: Vec<u32>,
    rows: Vec<u32>,
}

impl TailEvents {
    fn fill(&mut self, entries: impl Iterator<Item = (u32, EventEntry)>, profile_of: &[u32]) {
        self.profiles.clear();
        self.occurred_at_ms.clear();
        self.name_places.clear();
        self.rows.clear();
        for (node, EventEntry { occurred_at, event, row, .. }) in entries {
            self.profiles.push(profile_of.get(node as usize).copied().unwrap_or(NOBODY));
            self.occurred_at_ms.push(occurred_at.millis());
            let place = *self.places.entry(event).or_insert_with(|| {
                self.names.push(event);
                self.names.len() as u32 - 1
            });
            self.name_places.push(place);
            self.rows.push(row);
        }
    }
}

/// Events in RAM with the columns of their properties.
struct TailBlock<'b> {
    events: &'b TailEvents,
    values: &'b Columns,
    columns: &'b [usize],
}

impl EventBlock for TailBlock<'_> {
    fn time_range_ms(&self) -> (i64, i64) {
        let times = || self.events.occurred_at_ms.iter().copied();
        (times().min().unwrap_or(i64::MAX), times().max().unwrap_or(i64::MIN))
    }

    fn names(&self) -> &[u32] {
        &self.events.names
    }

    fn append_name_places(&self, out: &mut Vec<u32>) {
        out.extend_from_slice(&self.events.name_places);
    }

    fn append_occurred_at_ms(&self, out: &mut Vec<i64>) {
        out.extend_from_slice(&self.events.occurred_at_ms);
    }

    fn append_profiles(&self, out: &mut Vec<u32>) {
        out.extend_from_slice(&self.events.profiles);
    }

    fn value(&self, column: usize, index: usize) -> Option<Cow<'_, Value>> {
        self.values.get(*self.columns.get(column)?, *self.events.rows.get(index)?)
    }
}

/// The number of events in a block that is made from RAM.
const TAIL_BLOCK_EVENTS: usize = 4_096;

/// What a pass reads of the events.
#[derive(Clone, Copy)]
pub(crate) struct EventColumns<'c> {
    /// The property columns of the blocks.
    pub(crate) paths: &'c [Path],
    /// Blocks whose events are all earlier may be left out.
    pub(crate) since_ms: Option<i64>,
    /// The number of each node's profile, or [`NOBODY`].
    pub(crate) profile_of: &'c [u32],
}

/// One of `of` parts of all events of about equal size. Each event is in exactly one part, independent of the other
/// events of its node. The last part includes the events in RAM.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) number: usize,
    pub(crate) of: usize,
}

impl Part {
    /// The blocks of a run that belong to the part; `n_before` counts the events of earlier runs.
    fn cut<'f>(self, fences: &'f [Fence], n_before: &mut u64, n_events: u64) -> &'f [Fence] {
        let number_of = |n_before: u64| u128::from(n_before) * self.of as u128 / u128::from(n_events.max(1));
        let (mut n_earlier, mut n_own) = (0, 0);
        for fence in fences {
            match number_of(*n_before).cmp(&(self.number as u128)) {
                Ordering::Less => n_earlier += 1,
                Ordering::Equal => n_own += 1,
                Ordering::Greater => {}
            }
            *n_before += u64::from(fence.n_events);
        }
        fences.get(n_earlier..n_earlier + n_own).unwrap_or_default()
    }

    fn is_last(self) -> bool {
        self.number + 1 == self.of
    }
}

impl MemoryView<'_> {
    /// Visits the blocks of a part of all events. Fails with `internal` if a path has no column.
    pub(crate) fn visit_event_blocks(
        &self,
        facts: Facts<'_>,
        columns: EventColumns<'_>,
        part: Part,
        visit: &mut dyn FnMut(&dyn EventBlock),
    ) -> Result<()> {
        let EventColumns { paths, since_ms, profile_of } = columns;
        let columns = self.columns_of(paths)?;
        let mut names = Vec::new();
        let n_events = self.n_events_in_runs() + self.n_events_in_ram();
        let mut n_before = 0;
        for run in self.runs().runs() {
            let fences = part.cut(&run.fences, &mut n_before, n_events);
            self.runs().scan_blocks(facts.0, fences, since_ms, |fence, block| {
                names.clear();
                names.extend(block.names());
                let time_range_ms = (fence.least_ms, fence.greatest_ms);
                visit(&RunBlock { block, time_range_ms, names: &names, profile_of, columns: &columns });
                Ok(())
            })?;
        }
        if part.is_last() {
            self.visit_tails(|entries, values| {
                let mut entries = entries.peekable();
                let mut events = TailEvents::default();
                while entries.peek().is_some() {
                    events.fill(entries.by_ref().take(TAIL_BLOCK_EVENTS), profile_of);
                    visit(&TailBlock { events: &events, values, columns: &columns });
                }
            });
        }
        Ok(())
    }
}
