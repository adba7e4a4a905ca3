//! One record as linkage sees it, and a table of them with equal texts stored once.
//!
//! A record is a row of slots. In a table a slot holds the number of a text, so that equality costs one comparison and
//! the frequency of a text is known; live, it holds the text itself. Comparisons read both through [`Slots`].

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use std::hash::Hasher;

use super::comparators::{Word, letters};
use super::dates::{self, DateOrder};
use super::normalize;
use super::records::Records;
use super::roles::RecognizedColumn;
use crate::definitions::ColumnRole;

/// The places of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Slot {
    Given,
    Surname,
    Middle,
    Birth,
    Email,
    Phone,
    NationalId,
    Number,
    Street,
    // House number and street together: what a household shares.
    Door,
    Postcode,
    City,
    State,
    BirthPlace,
    Category0,
    Category1,
    Category2,
    Category3,
    Text0,
    Text1,
}

pub(crate) const N_SLOTS: usize = 20;
const CATEGORIES: [Slot; 4] = [Slot::Category0, Slot::Category1, Slot::Category2, Slot::Category3];
const TEXTS: [Slot; 2] = [Slot::Text0, Slot::Text1];

impl Slot {
    pub(crate) const ALL: [Slot; N_SLOTS] = [
        Slot::Given,
        Slot::Surname,
        Slot::Middle,
        Slot::Birth,
        Slot::Email,
        Slot::Phone,
        Slot::NationalId,
        Slot::Number,
        Slot::Street,
        Slot::Door,
        Slot::Postcode,
        Slot::City,
        Slot::State,
        Slot::BirthPlace,
        Slot::Category0,
        Slot::Category1,
        Slot::Category2,
        Slot::Category3,
        Slot::Text0,
        Slot::Text1,
    ];
}

/// A record's texts; an empty text is missing.
pub(crate) trait Slots {
    /// The text of a slot.
    fn text(&self, slot: Slot) -> &str;
    /// The same for comparing.
    fn word(&self, slot: Slot) -> Word<'_>;
    /// Whether the slot is missing.
    fn is_missing(&self, slot: Slot) -> bool;
    /// Whether both records have the same text there.
    fn is_same(&self, other: &Self, slot: Slot) -> bool;
}

/// How the columns of one source become slots.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    columns: Vec<(usize, ColumnRole)>,
    order: DateOrder,
}

impl Reading {
    pub(crate) fn new(records: &Records, recognized: &[RecognizedColumn]) -> Reading {
        let columns: Vec<(usize, ColumnRole)> = recognized
            .iter()
            .enumerate()
            .filter(|(_, of)| of.role != ColumnRole::Ignore)
            .map(|(column, of)| (column, of.role))
            .collect();
        let date = columns.iter().find(|(_, role)| *role == ColumnRole::BirthDate);
        let order = date.map_or_else(DateOrder::default, |(column, _)| {
            DateOrder::of((0..records.len().min(10_000)).map(|row| records.text(row, *column)))
        });
        Reading { columns, order }
    }

    /// The slots of one row.
    pub(crate) fn parse(&self, records: &Records, row: usize) -> Parsed {
        use ColumnRole as R;
        let mut parsed = Parsed::default();
        let (mut year, mut month, mut day) = ("", "", "");
        let (mut categories, mut texts) = (CATEGORIES.iter(), TEXTS.iter());
        let (mut full, mut suburb) = ((String::new(), String::new()), String::new());
        for (column, role) in &self.columns {
            let raw = records.text(row, *column);
            let mut put = |slot: Slot, text: String| parsed.put(slot, text);
            match role {
                R::GivenName => put(Slot::Given, normalize::name(raw)),
                R::Surname => put(Slot::Surname, normalize::name(raw)),
                R::MiddleName => put(Slot::Middle, normalize::name(raw)),
                R::FullName => full = normalize::split_full_name(raw),
                R::BirthDate => put(Slot::Birth, dates::date(raw, self.order)),
                R::BirthYear => year = raw,
                R::BirthMonth => month = raw,
                R::BirthDay => day = raw,
                R::BirthPlace => put(Slot::BirthPlace, normalize::known(raw)),
                R::Email => put(Slot::Email, normalize::email(raw)),
                R::Phone => put(Slot::Phone, normalize::phone(normalize::whole_number(raw))),
                R::NationalId => put(Slot::NationalId, normalize::code(normalize::whole_number(raw))),
                R::StreetNumber => put(Slot::Number, normalize::code(normalize::whole_number(raw))),
                R::Address => {
                    let (number, street) = normalize::street(raw);
                    put(Slot::Street, street);
                    if parsed.is_missing(Slot::Number) {
                        parsed.put(Slot::Number, number);
                    }
                }
                R::Suburb => suburb = normalize::known(raw),
                R::City => put(Slot::City, normalize::known(raw)),
                R::Postcode => put(Slot::Postcode, normalize::code(normalize::whole_number(raw))),
                R::State => put(Slot::State, normalize::known(raw)),
                R::Category => {
                    if let Some(slot) = categories.next() {
                        put(*slot, normalize::known(normalize::whole_number(raw)));
                    }
                }
                R::Text => {
                    if let Some(slot) = texts.next() {
                        put(*slot, normalize::known(raw));
                    }
                }
                R::Ignore => {}
            }
        }
        if parsed.is_missing(Slot::Given) {
            parsed.put(Slot::Given, full.0);
        }
        if parsed.is_missing(Slot::Surname) {
            parsed.put(Slot::Surname, full.1);
        }
        // `mary ann` and `j smith`: a second given name is a middle name.
        if parsed.is_missing(Slot::Middle)
            && let Some((first, rest)) =
                parsed.text(Slot::Given).split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()))
            && first.len() > 1
        {
            parsed.put(Slot::Given, first);
            parsed.put(Slot::Middle, rest);
        }
        if !(year.is_empty() && month.is_empty() && day.is_empty()) {
            parsed.put(Slot::Birth, dates::date_of_parts(year, month, day));
        }
        if !suburb.is_empty() {
            // With both, the town is the coarser one.
            if parsed.is_missing(Slot::State) {
                let city = parsed.text(Slot::City).to_owned();
                parsed.put(Slot::State, city);
            }
            parsed.put(Slot::City, suburb);
        }
        if !parsed.is_missing(Slot::Street) && !parsed.is_missing(Slot::Number) {
            let door = format!("{} {}", parsed.text(Slot::Number), parsed.text(Slot::Street));
            parsed.put(Slot::Door, door);
        }
        parsed
    }
}

/// One parsed record with texts of its own: what the live path compares.
#[derive(Clone, Default)]
pub(crate) struct Parsed([String; N_SLOTS]);

impl Parsed {
    fn put(&mut self, slot: Slot, text: String) {
        if let Some(place) = self.0.get_mut(slot as usize) {
            *place = text;
        }
    }
}

impl Slots for Parsed {
    fn text(&self, slot: Slot) -> &str {
        self.0.get(slot as usize).map_or("", String::as_str)
    }

    fn word(&self, slot: Slot) -> Word<'_> {
        Word::new(self.text(slot))
    }

    fn is_missing(&self, slot: Slot) -> bool {
        self.text(slot).is_empty()
    }

    fn is_same(&self, other: &Parsed, slot: Slot) -> bool {
        self.text(slot) == other.text(slot)
    }
}

/// The distinct texts of one slot and how often each occurs; number 0 is the missing text.
#[derive(Default)]
pub(crate) struct Dictionary {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    counts: Vec<u32>,
    index: HashTable<u32>,
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
        let Dictionary { bytes, entries, counts, index } = self;
        let hash = hash_text(text);
        let known =
            index.find(hash, |number| Dictionary::bytes_in(bytes, entries, *number).0 == text.as_bytes()).copied();
        let number = known.unwrap_or_else(|| {
            entries.push(Entry {
                letters: letters(text.as_bytes()),
                start: bytes.len() as u32,
                len: text.len() as u32,
            });
            bytes.extend_from_slice(text.as_bytes());
            counts.push(0);
            let number = entries.len() as u32;
            index.insert_unique(hash, number, |number| hash_bytes(Dictionary::bytes_in(bytes, entries, *number).0));
            number
        });
        if let Some(count) = counts.get_mut(number as usize - 1) {
            *count += 1;
        }
        number
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
            let parsed = reading.parse(records, row);
            for slot in Slot::ALL.into_iter().filter(|slot| !parsed.is_missing(*slot)) {
                if self.places.get(slot as usize) == Some(&NO_PLACE) {
                    self.widen(slot, self.n_rows + records.len() - row);
                }
            }
            let start = self.numbers.len();
            self.numbers.resize(start + self.width, 0);
            let (Some(numbers), places) = (self.numbers.get_mut(start..), &self.places) else { continue };
            for ((dictionary, place), slot) in self.dictionaries.iter_mut().zip(places).zip(Slot::ALL) {
                if let Some(number) = numbers.get_mut(usize::from(*place)) {
                    *number = dictionary.intern(parsed.text(slot));
                }
            }
            self.n_rows += 1;
        }
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
        Row { table: self, numbers: self.numbers_of(row), entries: &[] }
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
        self.table.dictionary(slot).text(self.number(slot))
    }

    fn word(&self, slot: Slot) -> Word<'_> {
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
        });
        (left, right)
    }
}
