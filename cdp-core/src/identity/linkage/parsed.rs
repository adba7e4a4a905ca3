//! One record as linkage sees it, and a table of them with equal texts stored once.
//!
//! A record is a row of slots. In a table a slot holds the number of a text, so that equality costs one comparison and
//! the frequency of a text is known; live, it holds the text itself. Comparisons read both through [`Slots`].

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use std::hash::Hasher;

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
    bytes: String,
    ends: Vec<u32>,
    counts: Vec<u32>,
    index: HashTable<u32>,
}

pub(crate) fn hash_text(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    hasher.finish()
}

impl Dictionary {
    fn text_in<'b>(bytes: &'b str, ends: &[u32], number: u32) -> &'b str {
        let Some(place) = (number as usize).checked_sub(1) else { return "" };
        let start = place.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
        let end = ends.get(place).copied().unwrap_or(0);
        bytes.get(start as usize..end as usize).unwrap_or("")
    }

    pub(crate) fn text(&self, number: u32) -> &str {
        Dictionary::text_in(&self.bytes, &self.ends, number)
    }

    fn intern(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let Dictionary { bytes, ends, counts, index } = self;
        let hash = hash_text(text);
        let known = index.find(hash, |number| Dictionary::text_in(bytes, ends, *number) == text).copied();
        let number = known.unwrap_or_else(|| {
            bytes.push_str(text);
            ends.push(bytes.len() as u32);
            counts.push(0);
            let number = ends.len() as u32;
            index.insert_unique(hash, number, |number| hash_text(Dictionary::text_in(bytes, ends, *number)));
            number
        });
        if let Some(count) = counts.get_mut(number as usize - 1) {
            *count += 1;
        }
        number
    }

    /// How many distinct texts there are; they are numbered from 1.
    pub(crate) fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    /// How often each occurs, from number 1 on.
    pub(crate) fn counts(&self) -> &[u32] {
        &self.counts
    }
}

/// All records, slot by slot as numbers of texts.
pub(crate) struct Table {
    rows: Vec<[u32; N_SLOTS]>,
    dictionaries: [Dictionary; N_SLOTS],
    /// Where the second source begins; the number of rows if there is one source.
    pub(crate) second_source: u32,
}

impl Table {
    pub(crate) fn new() -> Table {
        Table { rows: Vec::new(), dictionaries: std::array::from_fn(|_| Dictionary::default()), second_source: 0 }
    }

    pub(crate) fn append(&mut self, records: &Records, reading: &Reading) {
        self.rows.reserve(records.len());
        for row in 0..records.len() {
            let parsed = reading.parse(records, row);
            let mut numbers = [0_u32; N_SLOTS];
            for ((number, dictionary), slot) in numbers.iter_mut().zip(&mut self.dictionaries).zip(Slot::ALL) {
                *number = dictionary.intern(parsed.text(slot));
            }
            self.rows.push(numbers);
        }
    }

    /// Gives up what only reading needed.
    pub(crate) fn finish_reading(&mut self) {
        for dictionary in &mut self.dictionaries {
            dictionary.index = HashTable::new();
            dictionary.bytes.shrink_to_fit();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
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

    pub(crate) fn row(&self, row: u32) -> Row<'_> {
        const NOTHING: &[u32; N_SLOTS] = &[0; N_SLOTS];
        Row { numbers: self.rows.get(row as usize).unwrap_or(NOTHING), dictionaries: &self.dictionaries }
    }

    pub(crate) fn dictionary(&self, slot: Slot) -> &Dictionary {
        self.dictionaries.get(slot as usize).expect("there is a dictionary for every slot")
    }
}

/// One record of a table.
#[derive(Clone, Copy)]
pub(crate) struct Row<'t> {
    numbers: &'t [u32; N_SLOTS],
    dictionaries: &'t [Dictionary; N_SLOTS],
}

impl Row<'_> {
    /// The number of the slot's text; 0 if it is missing.
    pub(crate) fn number(&self, slot: Slot) -> u32 {
        self.numbers.get(slot as usize).copied().unwrap_or(0)
    }
}

impl Slots for Row<'_> {
    fn text(&self, slot: Slot) -> &str {
        self.dictionaries.get(slot as usize).map_or("", |dictionary| dictionary.text(self.number(slot)))
    }

    fn is_missing(&self, slot: Slot) -> bool {
        self.number(slot) == 0
    }

    fn is_same(&self, other: &Self, slot: Slot) -> bool {
        self.number(slot) == other.number(slot)
    }
}
