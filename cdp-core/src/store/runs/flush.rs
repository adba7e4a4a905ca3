//! Writes a run from a tail of committed facts that no longer changes.

use std::borrow::Cow;
use std::sync::Arc;

use super::Runs;
use super::build::{BlockReader, Build, FactSource};
use super::builder::BlockBuilder;
use crate::error::Result;
use crate::records::{Path, Timestamp, Value};
use crate::store::node_facts::{Annex, EventEntry};

/// Facts in RAM that are being written as a run.
pub(crate) trait FrozenTail {
    /// The facts of the node with this index, in ascending order of nodes; `None` after the last.
    fn node(&self, index: usize) -> Option<FrozenFacts<'_>>;
    /// The value of a property column in the row of an event.
    fn cell(&self, column: usize, row: u32) -> Option<Cow<'_, Value>>;
}

/// The facts of one node in a frozen tail.
pub(crate) struct FrozenFacts<'t> {
    /// The node.
    pub(crate) node: u32,
    /// Its events, sorted by (occurred_at, sequence).
    pub(crate) events: &'t [EventEntry],
    /// The least `occurred_at` of a message that names the node.
    pub(crate) first_named_at: Option<Timestamp>,
    /// The least sequence of a message of the node.
    pub(crate) first_sequence: Option<u64>,
    /// All other facts. The beginnings in it are not set.
    pub(crate) rest: Option<&'t Annex>,
}

/// The position in a tail that is being written.
pub(crate) struct TailCursor<T> {
    tail: Arc<T>,
    index: usize,
    n_events: usize,
    n_others: usize,
    n_traits: usize,
    n_consents: usize,
    n_accounts: usize,
    has_begun: bool,
}

// Not derived, which would require `T: Clone`.
impl<T> Clone for TailCursor<T> {
    fn clone(&self) -> TailCursor<T> {
        TailCursor { tail: self.tail.clone(), ..*self }
    }
}

impl Runs {
    /// Starts writing a tail with the facts of the messages `first_sequence..=last_sequence`, with these property
    /// columns. The first message is the one after [`Runs::last_sequence`].
    pub(crate) fn begin_flush<T: FrozenTail>(
        &self,
        tail: Arc<T>,
        columns: Arc<[Path]>,
        first_sequence: u64,
        last_sequence: u64,
    ) -> Build<TailCursor<T>> {
        self.begin(TailCursor::new(tail, 0), (first_sequence, last_sequence), columns, Vec::new())
    }
}

impl<T> TailCursor<T> {
    fn new(tail: Arc<T>, index: usize) -> TailCursor<T> {
        TailCursor {
            tail,
            index,
            n_events: 0,
            n_others: 0,
            n_traits: 0,
            n_consents: 0,
            n_accounts: 0,
            has_begun: false,
        }
    }

    /// The next part of a node's facts besides events for which the block has room; `None` after the last.
    fn next_annex(&mut self, facts: &FrozenFacts<'_>, room: usize) -> Option<Annex> {
        let mut room = room;
        let first = (!self.has_begun).then_some(facts);
        let mut annex = Annex {
            first_named_at: first.and_then(|facts| facts.first_named_at),
            first_sequence: first.and_then(|facts| facts.first_sequence),
            ..Annex::default()
        };
        if let Some(rest) = facts.rest {
            annex.others = next_part(&rest.others, &mut self.n_others, &mut room);
            annex.traits = next_part(&rest.traits, &mut self.n_traits, &mut room);
            annex.consents = next_part(&rest.consents, &mut self.n_consents, &mut room);
            annex.accounts = next_part(&rest.accounts, &mut self.n_accounts, &mut room);
            annex.first_identified = if self.has_begun { None } else { rest.first_identified.clone() };
        }
        self.has_begun = true;
        let is_something = annex.weight() > 0
            || annex.first_named_at.is_some()
            || annex.first_sequence.is_some()
            || annex.first_identified.is_some();
        is_something.then_some(annex)
    }
}

fn next_part<I: Clone>(items: &[I], n_done: &mut usize, room: &mut usize) -> Vec<I> {
    let part: Vec<I> = items.iter().skip(*n_done).take(*room).cloned().collect();
    *n_done += part.len();
    *room -= part.len();
    part
}

impl<T: FrozenTail> FactSource for TailCursor<T> {
    fn fill(&mut self, _: &BlockReader<'_>, builder: &mut BlockBuilder) -> Result<bool> {
        let tail = self.tail.clone();
        while let Some(facts) = tail.node(self.index) {
            let node = facts.node;
            if builder.is_closed_to(node) {
                return Ok(true);
            }
            builder.start_node(node);
            let n_annex = facts.rest.map_or(0, Annex::weight);
            // Whole where possible: a message that set several traits is then stored once.
            let room = if n_annex <= builder.max_rows() { builder.max_rows() } else { builder.room() };
            if let Some(annex) = self.next_annex(&facts, room) {
                builder.push_annex(annex);
                continue;
            }
            let events = facts.events.iter().skip(self.n_events).take(builder.room());
            let mut n_written = 0;
            for event in events {
                let cell = |column| tail.cell(column, event.row);
                builder.push_event(event.occurred_at, event.sequence, event.event, cell);
                n_written += 1;
            }
            self.n_events += n_written;
            if self.n_events >= facts.events.len() {
                *self = TailCursor::new(tail.clone(), self.index + 1);
            }
        }
        Ok(false)
    }
}
