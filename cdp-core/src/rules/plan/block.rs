//! Events as columns: what a pass over a whole population reads, and nothing of how they are stored.

use std::borrow::Cow;

use crate::records::Value;

/// The profile of an event that belongs to none of the population.
pub const NOBODY: u32 = u32::MAX;
/// In a column of numbers: the property is absent, or is no number.
pub const NO_NUMBER: i64 = i64::MIN;
/// In a column of numbers: the number does not fit; [`EventBlock::value`] knows it.
pub const LARGE_NUMBER: i64 = i64::MIN + 1;

/// Some events, in any order, as columns of equal length; an event is named by its place in them. Every event of the
/// population stands in exactly one block of a pass, whether it happened by then or not; events that lie before the window
/// of every selection may be left out. A column of properties is asked for by its place in
/// [`Plan::columns`](super::Plan::columns). What is not asked for need not be read.
pub trait EventBlock {
    /// UTC milliseconds between which, both included, all events happened.
    fn time_range_ms(&self) -> (i64, i64);

    /// The numbers of the names that events have, each once.
    fn names(&self) -> &[u32];

    /// Appends the place in [`EventBlock::names`] of each event's name.
    fn append_name_places(&self, out: &mut Vec<u32>);

    /// Appends when each event happened, in UTC milliseconds.
    fn append_occurred_at_ms(&self, out: &mut Vec<i64>);

    /// Appends the number of the profile that each event belongs to, counted from 0, or [`NOBODY`].
    fn append_profiles(&self, out: &mut Vec<u32>);

    /// Appends what [`number_property`](crate::rules::ProfileView::number_property) says of these events, in nano-units,
    /// [`NO_NUMBER`] or [`LARGE_NUMBER`]. `false`, and nothing appended, if this block has no such column; it has to have
    /// `value` in any case.
    fn append_numbers(&self, column: usize, events: &[u32], out: &mut Vec<i64>) -> bool {
        let _ = (column, events, out);
        false
    }

    /// Small numbers that stand for the values: equal ones mean equal values in every block of the pass, absent ones
    /// included. `None` if this block has no such column.
    fn codes(&self, column: usize) -> Option<&[u32]> {
        let _ = column;
        None
    }

    /// What [`property`](crate::rules::ProfileView::property) says of one event.
    fn value(&self, column: usize, index: usize) -> Option<Cow<'_, Value>>;
}
