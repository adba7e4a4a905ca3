//! Events as columns: what a pass over a whole population reads, and nothing of how they are stored.

use std::borrow::Cow;

use crate::records::Value;

/// The profile of an event that belongs to none of the population.
pub const NOBODY: u32 = u32::MAX;
/// In a column of numbers: the property is absent, or is no number.
pub const NO_NUMBER: i64 = i64::MIN;
/// In a column of numbers: the number does not fit; [`EventBlock::value`] knows it.
pub const LARGE_NUMBER: i64 = i64::MIN + 1;

/// Some events, in any order, as columns of equal length. Every event of the population stands in exactly one block of a
/// pass, whether it happened by then or not. A column of properties is asked for by its place in
/// [`Plan::columns`](super::Plan::columns).
pub trait EventBlock {
    /// The number of the profile that each event belongs to, counted from 0, or [`NOBODY`].
    fn profiles(&self) -> &[u32];

    /// When each event happened, in UTC milliseconds.
    fn occurred_at_ms(&self) -> &[i64];

    /// The number of each event's name.
    fn event_numbers(&self) -> &[u32];

    /// What [`number_property`](crate::rules::ProfileView::number_property) says of each event, in nano-units,
    /// [`NO_NUMBER`] or [`LARGE_NUMBER`]. `None` if this block has no such column; it has to have `value` in any case.
    fn numbers(&self, column: usize) -> Option<&[i64]> {
        let _ = column;
        None
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
