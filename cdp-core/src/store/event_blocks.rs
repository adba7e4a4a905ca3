//! Every event of the store as columns, block by block: what a pass over the whole population reads.
//!
//! It takes the numbers of the profiles that nodes belong to and leaves columns in the order of runs, then what is in
//! RAM. It decides nothing; blocks of a scan do not push out those of point reads.

use std::borrow::Cow;

use super::columns::Columns;
use super::facts::Facts;
use super::memory::MemoryView;
use super::node_facts::EventEntry;
use super::runs::{Block, PropertyColumn};
use crate::error::Result;
use crate::records::{Path, Value};
use crate::rules::{EventBlock, LARGE_NUMBER, NO_NUMBER, NOBODY};

/// The columns that blocks share, so that a scan allocates once.
#[derive(Default)]
struct Buffers {
    profiles: Vec<u32>,
    occurred_at_ms: Vec<i64>,
    events: Vec<u32>,
    // Nano-units; `None` where a block has values of other kinds.
    numbers: Vec<Option<Vec<i64>>>,
}

impl Buffers {
    fn clear(&mut self, n_columns: usize) {
        self.profiles.clear();
        self.occurred_at_ms.clear();
        self.events.clear();
        self.numbers.clear();
        self.numbers.resize(n_columns, None);
    }
}

/// Where the values of a block's properties are.
enum Values<'b> {
    Run(&'b Block),
    /// In RAM, each event with its row.
    Tail(&'b Columns, &'b [u32]),
}

/// Some events, of a run or in RAM.
struct ColumnBlock<'b> {
    buffers: &'b Buffers,
    values: Values<'b>,
    columns: &'b [usize],
}

impl EventBlock for ColumnBlock<'_> {
    fn profiles(&self) -> &[u32] {
        &self.buffers.profiles
    }

    fn occurred_at_ms(&self) -> &[i64] {
        &self.buffers.occurred_at_ms
    }

    fn event_numbers(&self) -> &[u32] {
        &self.buffers.events
    }

    fn numbers(&self, column: usize) -> Option<&[i64]> {
        self.buffers.numbers.get(column)?.as_deref()
    }

    fn value(&self, column: usize, index: usize) -> Option<Cow<'_, Value>> {
        let column = *self.columns.get(column)?;
        match self.values {
            Values::Run(block) => block.value(column, index),
            Values::Tail(values, rows) => values.get(column, *rows.get(index)?).map(Cow::Borrowed),
        }
    }
}

/// How many events in RAM stand in one block.
const TAIL_BLOCK_EVENTS: usize = 4_096;

impl MemoryView<'_> {
    /// Visits every event with these property columns. `profile_of`: the number of each node's profile, or [`NOBODY`].
    /// Fails with `internal` if there is no column for one of the paths.
    pub(crate) fn visit_event_blocks(
        &self,
        facts: Facts<'_>,
        paths: &[Path],
        profile_of: &[u32],
        visit: &mut dyn FnMut(&dyn EventBlock),
    ) -> Result<()> {
        let columns = self.columns_of(paths)?;
        let mut buffers = Buffers::default();
        let mut decoded = Vec::new();
        self.visit_run_blocks(facts, |block| {
            let n_events = block.n_events();
            buffers.clear(columns.len());
            block.occurred_at().append_to(0..n_events, &mut buffers.occurred_at_ms);
            let names: Vec<u32> = block.names().collect();
            decoded.clear();
            block.name_places().append_to(0..n_events, &mut decoded);
            let name = |place: &i64| names.get(*place as usize).copied().unwrap_or(0);
            buffers.events.extend(decoded.iter().map(name));
            decoded.clear();
            block.offsets().append_to(0..block.n_nodes() + 1, &mut decoded);
            for (place, rows) in decoded.windows(2).enumerate() {
                let profile = block.node(place).and_then(|node| profile_of.get(node as usize)).copied();
                if let [from, to] = rows {
                    // A block that was opened has offsets that ascend, and end at the number of events.
                    buffers.profiles.extend(std::iter::repeat_n(profile.unwrap_or(NOBODY), (to - from) as usize));
                }
            }
            for (column, numbers) in columns.iter().zip(&mut buffers.numbers) {
                *numbers = numbers_of(&block.column(*column), n_events);
            }
            visit(&ColumnBlock { buffers: &buffers, values: Values::Run(block), columns: &columns });
        })?;
        let mut rows = Vec::new();
        self.visit_tails(|entries, values| {
            let mut entries = entries.peekable();
            while entries.peek().is_some() {
                buffers.clear(0);
                rows.clear();
                for (node, EventEntry { occurred_at, event, row, .. }) in entries.by_ref().take(TAIL_BLOCK_EVENTS) {
                    buffers.profiles.push(profile_of.get(node as usize).copied().unwrap_or(NOBODY));
                    buffers.occurred_at_ms.push(occurred_at.millis());
                    buffers.events.push(event);
                    rows.push(row);
                }
                let values = Values::Tail(values, &rows);
                visit(&ColumnBlock { buffers: &buffers, values, columns: &columns });
            }
        });
        Ok(())
    }
}

/// The nano-units of a column; `None` where text may stand for numbers, or numbers are of 128 bits.
fn numbers_of(column: &PropertyColumn<'_>, n_events: usize) -> Option<Vec<i64>> {
    match column {
        PropertyColumn::Absent => Some(vec![NO_NUMBER; n_events]),
        PropertyColumn::Numbers(column) => {
            let unit = column.unit();
            let mut numbers = Vec::with_capacity(n_events);
            column.append_scaled_to(&mut numbers);
            for (row, number) in numbers.iter_mut().enumerate() {
                *number = match column.is_present(row) {
                    false => NO_NUMBER,
                    true => number.checked_mul(unit).filter(|nanos| *nanos > LARGE_NUMBER).unwrap_or(LARGE_NUMBER),
                };
            }
            Some(numbers)
        }
        PropertyColumn::Wide(_) | PropertyColumn::Entries(..) => None,
    }
}
