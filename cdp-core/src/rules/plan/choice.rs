//! Chooses the events of many selections in one pass over a block: by their names and by their windows.
//!
//! It takes the selections of a plan and leaves one word for each event, with a bit for each selection that means it. The ends
//! of all windows cut time into a few parts, and within a part every selection is either open or closed: an event needs
//! the word of its name and the word of its part, and no branch. Filters are not looked at here.

use super::Selection;
use super::block::EventBlock;
use crate::rules::timeline::Names;

/// The events that up to [`Choice::MOST`] selections mean.
pub(super) struct Choice {
    // The selections without names.
    of_any_name: u64,
    // Sorted by the number of the name.
    of_names: Vec<(u32, u64)>,
    // The ends of windows, ascending; the part before the first has number 0, and an end lies in the part before it.
    ends_ms: Vec<i64>,
    // For each part of time the selections whose windows hold it.
    of_parts: Vec<u64>,
    // What was found in the last block: a word for each event, the events with a bit, and the bits there are.
    words: Vec<u64>,
    hits: Vec<u32>,
    met: u64,
    of_places: Vec<u64>,
    name_places: Vec<u32>,
}

impl Choice {
    /// As many as a word has bits.
    pub(super) const MOST: usize = u64::BITS as usize;

    pub(super) fn new(selections: &[Selection<'_>], number: &dyn Fn(&str) -> Option<u32>) -> Choice {
        let mut ends_ms: Vec<i64> =
            selections.iter().flat_map(|selection| [selection.after_ms, selection.until_ms]).collect();
        ends_ms.sort_unstable();
        ends_ms.dedup();
        let (mut of_any_name, mut of_names) = (0, Vec::new());
        let mut of_parts = vec![0; ends_ms.len() + 1];
        for (place, selection) in selections.iter().take(Choice::MOST).enumerate() {
            let bit = 1u64 << place;
            match Names::of(selection.asked, number) {
                Names::Any => of_any_name |= bit,
                Names::One(name) => of_names.push((name, bit)),
                Names::Several(names) => of_names.extend(names.into_iter().map(|name| (name, bit))),
            }
            let part = |end_ms: i64| ends_ms.partition_point(|end| *end < end_ms);
            let open = part(selection.after_ms) + 1..part(selection.until_ms) + 1;
            of_parts.get_mut(open).unwrap_or_default().iter_mut().for_each(|word| *word |= bit);
        }
        of_names.sort_unstable();
        of_names.dedup_by(|(name, word), (kept, of_kept)| {
            let is_same = name == kept;
            *of_kept |= if is_same { *word } else { 0 };
            is_same
        });
        Choice {
            of_any_name,
            of_names,
            ends_ms,
            of_parts,
            words: Vec::new(),
            hits: Vec::new(),
            met: 0,
            of_places: Vec::new(),
            name_places: Vec::new(),
        }
    }

    fn of_name(&self, name: u32) -> u64 {
        let own = self.of_names.binary_search_by_key(&name, |(name, _)| *name).ok();
        self.of_any_name | own.and_then(|place| self.of_names.get(place)).map_or(0, |(_, word)| *word)
    }

    /// Looks at the events of a block. `occurred_at_ms` is filled if the times of its events are needed.
    pub(super) fn choose(&mut self, block: &dyn EventBlock, occurred_at_ms: &mut Vec<i64>) {
        self.hits.clear();
        self.met = 0;
        let (least_ms, greatest_ms) = block.time_range_ms();
        let first = self.ends_ms.partition_point(|end| *end < least_ms);
        let last = self.ends_ms.partition_point(|end| *end < greatest_ms);
        // A block without events has no times either: its range is empty.
        let open = self.of_parts.get(first..=last).unwrap_or_default().iter().fold(0, |open, word| open | word);
        let mut of_places = std::mem::take(&mut self.of_places);
        of_places.clear();
        of_places.extend(block.names().iter().map(|name| self.of_name(*name) & open));
        self.of_places = of_places;
        if self.of_places.iter().all(|word| *word == 0) {
            return;
        }
        self.name_places.clear();
        block.append_name_places(&mut self.name_places);
        self.words.clear();
        let of_places = self.of_places.as_slice();
        let of_place = |place: &u32| of_places.get(*place as usize).copied().unwrap_or(0);
        self.words.extend(self.name_places.iter().map(of_place));
        // In one part of time every window is open or closed for all events of the block.
        if first < last {
            if occurred_at_ms.is_empty() {
                block.append_occurred_at_ms(occurred_at_ms);
            }
            self.restrict(occurred_at_ms, first, last);
        }
        append_chosen(0u32.., self.words.iter().copied(), u64::MAX, &mut self.hits);
        self.met = self.words.iter().fold(0, |met, word| met | word);
    }

    /// Takes from each event the bits of the selections whose windows do not hold it; no event lies outside the parts from
    /// `first` to `last`.
    fn restrict(&mut self, occurred_at_ms: &[i64], first: usize, last: usize) {
        let of_parts = self.of_parts.get(first..=last).unwrap_or_default();
        let ends = self.ends_ms.get(first..last).unwrap_or_default();
        let events = self.words.iter_mut().zip(occurred_at_ms);
        match *ends {
            [a] => restrict(events, of_parts, |time| usize::from(a < time)),
            [a, b] => restrict(events, of_parts, |time| usize::from(a < time) + usize::from(b < time)),
            [a, b, c] => {
                restrict(events, of_parts, |time| usize::from(a < time) + usize::from(b < time) + usize::from(c < time))
            }
            _ => restrict(events, of_parts, |time| ends.partition_point(|end| *end < time)),
        }
    }

    /// Appends the events of the block that the selection at a place means, ascending.
    pub(super) fn append_chosen_by(&self, place: usize, chosen: &mut Vec<u32>) {
        let bit = 1u64 << place;
        if self.met & bit == 0 {
            return;
        }
        let words = self.hits.iter().map(|hit| self.words.get(*hit as usize).copied().unwrap_or(0));
        append_chosen(self.hits.iter().copied(), words, bit, chosen);
    }
}

fn restrict<'e>(events: impl Iterator<Item = (&'e mut u64, &'e i64)>, of_parts: &[u64], part: impl Fn(i64) -> usize) {
    for (word, time) in events {
        *word &= of_parts.get(part(*time)).copied().unwrap_or(0);
    }
}

/// Appends the events whose words have one of these bits. Whether one has is as good as chance, so there is no branch on it.
fn append_chosen(
    events: impl Iterator<Item = u32>,
    words: impl ExactSizeIterator<Item = u64>,
    bits: u64,
    chosen: &mut Vec<u32>,
) {
    let mut end = chosen.len();
    chosen.resize(end + words.len(), 0);
    for (event, word) in events.zip(words) {
        if let Some(place) = chosen.get_mut(end) {
            *place = event;
        }
        end += usize::from(word & bits != 0);
    }
    chosen.truncate(end);
}
