//! A table of parsed records with equal texts stored once: equality costs one comparison, and how often a text occurs is known.
//!
//! It also hands out the rows of many pairs at once, and takes records out again without leaving their texts behind.

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use std::hash::Hasher;

use super::comparators::{Word, letters};
use super::parsed::{N_SLOTS, Parsed, Reading, Slot, Slots};
use super::records::Records;

/// The number of a text that no record of a table has.
const UNKNOWN: u32 = u32::MAX;

/// The distinct texts of one slot and how often each occurs; number 0 is the missing text.
#[derive(Default)]
pub(crate) struct Dictionary {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    counts: Vec<u32>,
    index: HashTable<u32>,
    free: Vec<u32>,
    n_dead: usize,
}

/// Where a text stands, and its letters beside that: most comparisons need no more.
#[derive(Clone, Copy, Default)]
pub(crate) struct Entry {
    letters: u64,
    start: u32,
    len: u32,
}

pub(crate) fn hash_text(text: &str) -> u64 {
    hash_bytes(text.as_bytes())
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

impl Dictionary {
    fn bytes_in<'b>(bytes: &'b [u8], entries: &[Entry], number: u32) -> (&'b [u8], u64) {
        let Some(entry) = (number as usize).checked_sub(1).and_then(|place| entries.get(place)) else {
            return (&[], 0);
        };
        let (start, len) = (entry.start as usize, entry.len as usize);
        (bytes.get(start..start + len).unwrap_or_default(), entry.letters)
    }

    fn bytes(&self, number: u32) -> &[u8] {
        Dictionary::bytes_in(&self.bytes, &self.entries, number).0
    }

    pub(crate) fn text(&self, number: u32) -> &str {
        std::str::from_utf8(self.bytes(number)).unwrap_or("")
    }

    /// The hash of a text, as [`hash_text`].
    pub(crate) fn hash(&self, number: u32) -> u64 {
        hash_bytes(self.bytes(number))
    }

    pub(crate) fn entry(&self, number: u32) -> Entry {
        (number as usize).checked_sub(1).and_then(|place| self.entries.get(place)).copied().unwrap_or_default()
    }

    pub(crate) fn word_of(&self, entry: Entry) -> Word<'_> {
        let (start, len) = (entry.start as usize, entry.len as usize);
        Word::known(self.bytes.get(start..start + len).unwrap_or_default(), entry.letters)
    }

    fn intern(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let Dictionary { bytes, entries, counts, index, free, .. } = self;
        let hash = hash_text(text);
        let known =
            index.find(hash, |number| Dictionary::bytes_in(bytes, entries, *number).0 == text.as_bytes()).copied();
        let number = known.unwrap_or_else(|| {
            let entry = Entry { letters: letters(text.as_bytes()), start: bytes.len() as u32, len: text.len() as u32 };
            bytes.extend_from_slice(text.as_bytes());
            let number = free.pop().unwrap_or_else(|| {
                entries.push(Entry::default());
                counts.push(0);
                entries.len() as u32
            });
            entries.get_mut(number as usize - 1).into_iter().for_each(|place| *place = entry);
            index.insert_unique(hash, number, |number| hash_bytes(Dictionary::bytes_in(bytes, entries, *number).0));
            number
        });
        if let Some(count) = counts.get_mut(number as usize - 1) {
            *count += 1;
        }
        number
    }

    /// The number of a text; 0 of the empty one, [`UNKNOWN`] of one that is not there.
    fn find(&self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let is_text = |number: &u32| self.bytes(*number) == text.as_bytes();
        self.index.find(hash_text(text), is_text).copied().unwrap_or(UNKNOWN)
    }

    /// Takes one occurrence of a text out; the last one takes the text with it.
    fn release(&mut self, number: u32) {
        let Some(place) = (number as usize).checked_sub(1) else { return };
        let Some(count) = self.counts.get_mut(place) else { return };
        *count = count.saturating_sub(1);
        if *count > 0 {
            return;
        }
        if let Ok(known) = self.index.find_entry(self.hash(number), |known| *known == number) {
            known.remove();
        }
        let entry = self.entry(number);
        let text = self.bytes.get_mut(entry.start as usize..(entry.start + entry.len) as usize);
        text.into_iter().for_each(|text| text.fill(0));
        self.entries.get_mut(place).into_iter().for_each(|entry| *entry = Entry::default());
        self.free.push(number);
        self.n_dead += entry.len as usize;
        if self.n_dead > 4_096 + self.bytes.len() / 2 {
            self.compact();
        }
    }

    /// Gives back the room of texts that were taken out.
    fn compact(&mut self) {
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.n_dead);
        for entry in &mut self.entries {
            let text = self.bytes.get(entry.start as usize..(entry.start + entry.len) as usize).unwrap_or_default();
            entry.start = bytes.len() as u32;
            bytes.extend_from_slice(text);
        }
        self.bytes = bytes;
        self.n_dead = 0;
    }

    #[cfg(test)]
    pub(crate) fn n_letters(&self) -> usize {
        self.bytes.iter().filter(|byte| **byte != 0).count()
    }

    /// How many distinct texts there are; they are numbered from 1.
    pub(crate) fn len(&self) -> u32 {
        self.entries.len() as u32
    }

    /// How often each occurs, from number 1 on.
    pub(crate) fn counts(&self) -> &[u32] {
        &self.counts
    }
}

/// All records as rows of numbers of texts. A row has a place for each slot that some record has a text in.
pub(crate) struct Table {
    n_rows: usize,
    numbers: Vec<u32>,
    /// For each slot its place in a row; `NO_PLACE` if no record has it.
    places: [u8; N_SLOTS],
    width: usize,
    dictionaries: [Dictionary; N_SLOTS],
    /// Where the second source begins; the number of rows if there is one source.
    pub(crate) second_source: u32,
}

const NO_PLACE: u8 = u8::MAX;

impl Table {
    pub(crate) fn new() -> Table {
        Table {
            n_rows: 0,
            numbers: Vec::new(),
            places: [NO_PLACE; N_SLOTS],
            width: 0,
            dictionaries: std::array::from_fn(|_| Dictionary::default()),
            second_source: 0,
        }
    }

    pub(crate) fn append(&mut self, records: &Records, reading: &Reading) {
        for row in 0..records.len() {
            self.push(&reading.parse(records, row), self.n_rows + records.len() - row);
        }
    }

    /// Adds a record as the last row; room is made for `n_rows` rows.
    pub(crate) fn push(&mut self, parsed: &Parsed, n_rows: usize) {
        self.make_places(parsed, n_rows);
        self.numbers.resize(self.numbers.len() + self.width, 0);
        self.n_rows += 1;
        self.fill(self.n_rows as u32 - 1, parsed);
    }

    /// Writes a record into a row that was cleared.
    pub(crate) fn put(&mut self, row: u32, parsed: &Parsed) {
        self.make_places(parsed, self.n_rows);
        self.fill(row, parsed);
    }

    /// Takes the texts of a row out.
    pub(crate) fn clear(&mut self, row: u32) {
        let start = row as usize * self.width;
        let numbers = self.numbers.get_mut(start..start + self.width).unwrap_or_default();
        for (dictionary, place) in self.dictionaries.iter_mut().zip(&self.places) {
            if let Some(number) = numbers.get_mut(usize::from(*place)) {
                dictionary.release(std::mem::take(number));
            }
        }
    }

    fn make_places(&mut self, parsed: &Parsed, n_rows: usize) {
        for slot in Slot::ALL.into_iter().filter(|slot| !parsed.is_missing(*slot)) {
            if self.places.get(slot as usize) == Some(&NO_PLACE) {
                self.widen(slot, n_rows);
            }
        }
    }

    fn fill(&mut self, row: u32, parsed: &Parsed) {
        let start = row as usize * self.width;
        let numbers = self.numbers.get_mut(start..start + self.width).unwrap_or_default();
        for ((dictionary, place), slot) in self.dictionaries.iter_mut().zip(&self.places).zip(Slot::ALL) {
            if let Some(number) = numbers.get_mut(usize::from(*place)) {
                *number = dictionary.intern(parsed.text(slot));
            }
        }
    }

    /// The numbers of a record that is not in the table, for [`Table::row_of`].
    pub(crate) fn numbers_of_record(&self, parsed: &Parsed) -> Vec<u32> {
        let mut numbers = vec![0; self.width];
        for ((dictionary, place), slot) in self.dictionaries.iter().zip(&self.places).zip(Slot::ALL) {
            if let Some(number) = numbers.get_mut(usize::from(*place)) {
                *number = dictionary.find(parsed.text(slot));
            }
        }
        numbers
    }

    /// A record that is not in the table, to be compared with its rows.
    pub(crate) fn row_of<'t>(&'t self, parsed: &'t Parsed, numbers: &'t [u32]) -> Row<'t> {
        Row { table: self, numbers, entries: &[], own: Some(parsed) }
    }

    /// Gives every row a place for one more slot.
    fn widen(&mut self, slot: Slot, n_rows: usize) {
        let mut wider = Vec::with_capacity(n_rows * (self.width + 1));
        for row in self.numbers.chunks(self.width.max(1)) {
            wider.extend_from_slice(row);
            wider.push(0);
        }
        wider.resize(self.n_rows * (self.width + 1), 0);
        self.numbers = wider;
        if let Some(place) = self.places.get_mut(slot as usize) {
            *place = self.width as u8;
        }
        self.width += 1;
    }

    /// Gives up what only reading needed.
    pub(crate) fn finish_reading(&mut self) {
        self.numbers.shrink_to_fit();
        for dictionary in &mut self.dictionaries {
            dictionary.index = HashTable::new();
            dictionary.bytes.shrink_to_fit();
            dictionary.entries.shrink_to_fit();
            dictionary.counts.shrink_to_fit();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.n_rows
    }

    /// How many pairs of records could be the same person.
    pub(crate) fn n_pairs(&self) -> f64 {
        let (n, left) = (self.len() as f64, f64::from(self.second_source));
        if self.is_one_source() { n * (n - 1.0) / 2.0 } else { left * (n - left) }
    }

    pub(crate) fn is_one_source(&self) -> bool {
        self.second_source as usize >= self.len()
    }

    /// Whether two records may be the same person at all: of two clean sources, one of each.
    pub(crate) fn may_match(&self, left: u32, right: u32) -> bool {
        self.is_one_source() || (left < self.second_source) != (right < self.second_source)
    }

    fn numbers_of(&self, row: u32) -> &[u32] {
        let start = row as usize * self.width;
        self.numbers.get(start..start + self.width).unwrap_or_default()
    }

    pub(crate) fn row(&self, row: u32) -> Row<'_> {
        Row { table: self, numbers: self.numbers_of(row), entries: &[], own: None }
    }

    pub(crate) fn dictionary(&self, slot: Slot) -> &Dictionary {
        self.dictionaries.get(slot as usize).expect("there is a dictionary for every slot")
    }
}

/// One record of a table.
#[derive(Clone, Copy)]
pub(crate) struct Row<'t> {
    table: &'t Table,
    numbers: &'t [u32],
    entries: &'t [Entry],
    /// The texts of a record that is not in the table.
    own: Option<&'t Parsed>,
}

impl Row<'_> {
    fn place(&self, slot: Slot) -> usize {
        usize::from(self.table.places.get(slot as usize).copied().unwrap_or(NO_PLACE))
    }

    /// The number of the slot's text; 0 if it is missing.
    pub(crate) fn number(&self, slot: Slot) -> u32 {
        self.numbers.get(self.place(slot)).copied().unwrap_or(0)
    }
}

impl Slots for Row<'_> {
    fn text(&self, slot: Slot) -> &str {
        match self.own {
            Some(own) => own.text(slot),
            None => self.table.dictionary(slot).text(self.number(slot)),
        }
    }

    fn word(&self, slot: Slot) -> Word<'_> {
        if let Some(own) = self.own {
            return own.word(slot);
        }
        let dictionary = self.table.dictionary(slot);
        match self.entries.get(self.place(slot)) {
            Some(entry) if entry.len > 0 => dictionary.word_of(*entry),
            _ => dictionary.word_of(dictionary.entry(self.number(slot))),
        }
    }

    fn is_missing(&self, slot: Slot) -> bool {
        self.number(slot) == 0
    }

    fn is_same(&self, other: &Self, slot: Slot) -> bool {
        self.number(slot) == other.number(slot)
    }
}

/// The rows of many pairs, fetched together: one after the other each would wait for memory.
#[derive(Default)]
pub(crate) struct Fetched {
    numbers: [Vec<u32>; 2],
    entries: [Vec<Entry>; 2],
}

impl Fetched {
    /// Fetches the rows of these pairs, and where their texts differ, where those are.
    pub(crate) fn fetch(&mut self, table: &Table, pairs: &[u64]) {
        let [left, right] = &mut self.numbers;
        left.clear();
        right.clear();
        pairs.iter().for_each(|pair| left.extend_from_slice(table.numbers_of((pair >> 32) as u32)));
        pairs.iter().for_each(|pair| right.extend_from_slice(table.numbers_of(*pair as u32)));
        for (side, entries) in self.entries.iter_mut().enumerate() {
            entries.clear();
            entries.resize(left.len(), Entry::default());
            let own = if side == 0 { &*left } else { &*right };
            for slot in Slot::ALL {
                let place = table.places.get(slot as usize).copied().unwrap_or(NO_PLACE);
                if place == NO_PLACE {
                    continue;
                }
                let dictionary = table.dictionary(slot);
                let of_slot = |numbers: &'_ [u32]| numbers.get(usize::from(place)).copied().unwrap_or(0);
                let rows = left.chunks_exact(table.width).zip(right.chunks_exact(table.width));
                let rows = rows.zip(own.chunks_exact(table.width)).zip(entries.chunks_exact_mut(table.width));
                for (((left, right), own), entries) in rows {
                    let (left, right) = (of_slot(left), of_slot(right));
                    if left != right
                        && left != 0
                        && right != 0
                        && let Some(entry) = entries.get_mut(usize::from(place))
                    {
                        *entry = dictionary.entry(of_slot(own));
                    }
                }
            }
        }
    }

    /// Both rows of a pair, by its place among those fetched.
    pub(crate) fn pair<'t>(&'t self, table: &'t Table, pair: usize) -> (Row<'t>, Row<'t>) {
        let here = pair * table.width..(pair + 1) * table.width;
        let [left, right] = [0, 1].map(|side: usize| Row {
            table,
            numbers: self.numbers.get(side).and_then(|all| all.get(here.clone())).unwrap_or_default(),
            entries: self.entries.get(side).and_then(|all| all.get(here.clone())).unwrap_or_default(),
            own: None,
        });
        (left, right)
    }
}
