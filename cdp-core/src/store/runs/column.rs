//! A property of the events of a block: numbers as scaled integers, other values by a dictionary, an absent property as
//! no bytes.

use std::borrow::Cow;

use super::ints::{IntColumn, Ints, write_ints};
use super::values::{DictionaryBuilder, DictionaryEntries, ValueDictionary};
use crate::error::Result;
use crate::records::{Number, Value};
use crate::store::bytes::{Reader, corrupt};

const ABSENT: u8 = 0;
const NUMBERS: u8 = 1;
const WIDE: u8 = 2;
const ENTRIES: u8 = 3;

/// The greatest power of ten by which the numbers of a block are divided; it fits i64.
const MAX_PLACES: u32 = 18;

/// The place of a property column in its block.
pub(super) enum ColumnLayout {
    /// No event of the block has the property.
    Absent,
    /// Numbers, for all events or (with a bitmap of the events that have one) for some.
    Numbers { presence: Option<usize>, unit: i64, scaled: Ints },
    /// Numbers of 128 bits, too large to be scaled down.
    Wide { presence: Option<usize>, at: usize },
    /// The number of an entry, counted from one; zero where there is none.
    Entries { index: Ints, dictionary: ValueDictionary<Value> },
}

/// A property column of a block.
#[derive(Clone, Copy)]
pub(crate) enum PropertyColumn<'b> {
    /// No event of the block has the property.
    Absent,
    /// Every value is a number.
    Numbers(NumberColumn<'b>),
    /// Every value is a number, some of them beyond 64 bits.
    Wide(WideColumn<'b>),
    /// Any values: the number of an entry, counted from one and zero for null, and the entries.
    Entries(IntColumn<'b>, DictionaryEntries<'b, Value>),
}

/// Numbers as integers of one unit, which is a count of nano-units.
#[derive(Clone, Copy)]
pub(crate) struct NumberColumn<'b> {
    presence: Option<&'b [u8]>,
    unit: i64,
    scaled: IntColumn<'b>,
}

/// Numbers of 128 bits.
#[derive(Clone, Copy)]
pub(crate) struct WideColumn<'b> {
    presence: Option<&'b [u8]>,
    nanos: &'b [[u8; 16]],
}

fn is_present(presence: Option<&[u8]>, row: usize) -> bool {
    presence.is_none_or(|bits| bits.get(row / 8).is_some_and(|bits| bits >> (row % 8) & 1 == 1))
}

impl NumberColumn<'_> {
    /// The value in nano-units.
    #[inline]
    pub(crate) fn nanos(&self, row: usize) -> Option<i128> {
        self.scaled(row).map(|scaled| i128::from(scaled) * i128::from(self.unit))
    }

    /// The value in units.
    #[inline]
    pub(crate) fn scaled(&self, row: usize) -> Option<i64> {
        if is_present(self.presence, row) { self.scaled.get(row) } else { None }
    }

    /// The number of nano-units in a unit.
    pub(crate) fn unit(&self) -> i64 {
        self.unit
    }
}

impl WideColumn<'_> {
    /// The value in nano-units.
    pub(crate) fn nanos(&self, row: usize) -> Option<i128> {
        if is_present(self.presence, row) { self.nanos.get(row).map(|bytes| i128::from_le_bytes(*bytes)) } else { None }
    }
}

impl<'b> PropertyColumn<'b> {
    /// The value of an event; `None` for null.
    pub(crate) fn value(&self, row: usize) -> Option<Cow<'b, Value>> {
        match self {
            PropertyColumn::Entries(index, entries) => entry(*index, *entries, row).map(Cow::Borrowed),
            _ => self.number(row).map(|nanos| Cow::Owned(Value::Number(Number::from_nanos(nanos)))),
        }
    }

    /// The nano-units of an event's value; `None` if it is no number.
    #[inline]
    pub(crate) fn number(&self, row: usize) -> Option<i128> {
        match self {
            PropertyColumn::Absent => None,
            PropertyColumn::Numbers(numbers) => numbers.nanos(row),
            PropertyColumn::Wide(wide) => wide.nanos(row),
            PropertyColumn::Entries(index, entries) => {
                entry(*index, *entries, row).and_then(Value::as_number).map(Number::nanos)
            }
        }
    }
}

fn entry<'b>(index: IntColumn<'b>, entries: DictionaryEntries<'b, Value>, row: usize) -> Option<&'b Value> {
    entries.get(usize::try_from(index.get(row)?).ok()?.checked_sub(1)?)
}

impl ColumnLayout {
    pub(super) fn read(reader: &mut Reader<'_>, n_events: usize) -> Result<ColumnLayout> {
        let kind = reader.u8()?;
        match kind {
            ABSENT => Ok(ColumnLayout::Absent),
            NUMBERS | WIDE => {
                let (places, has_nulls) = (u32::from(reader.u8()?), reader.u8()? != 0);
                let presence = has_nulls.then(|| reader.position());
                if has_nulls {
                    reader.take(n_events.div_ceil(8))?;
                }
                if kind == NUMBERS {
                    let unit = 10i64.checked_pow(places).ok_or_else(|| corrupt("a column has an unknown unit"))?;
                    return Ok(ColumnLayout::Numbers { presence, unit, scaled: Ints::read(reader, n_events)? });
                }
                let at = reader.position();
                reader.take(n_events.saturating_mul(16))?;
                Ok(ColumnLayout::Wide { presence, at })
            }
            ENTRIES => {
                let index = Ints::read(reader, n_events)?;
                Ok(ColumnLayout::Entries { index, dictionary: ValueDictionary::read(reader)? })
            }
            _ => Err(corrupt("a column is of an unknown kind")),
        }
    }

    /// Fails if a value that cannot be read would be taken for null.
    pub(super) fn check(&self, block: &[u8]) -> Result<()> {
        let ColumnLayout::Entries { index, dictionary } = self else { return Ok(()) };
        if index.view(block).greatest() > Some(dictionary.n_entries() as u64) {
            return Err(corrupt("a column names an entry that is not there"));
        }
        dictionary.check(block)
    }

    /// The approximate RAM of the parsed entries, besides the bytes of the column.
    pub(super) fn parsed_bytes(&self) -> usize {
        match self {
            ColumnLayout::Entries { dictionary, .. } => dictionary.parsed_bytes(),
            _ => 0,
        }
    }

    pub(super) fn view<'b>(&'b self, block: &'b [u8], n_events: usize) -> PropertyColumn<'b> {
        let bits = |at: &usize| block.get(*at..*at + n_events.div_ceil(8)).unwrap_or_default();
        match self {
            ColumnLayout::Absent => PropertyColumn::Absent,
            ColumnLayout::Numbers { presence, unit, scaled } => PropertyColumn::Numbers(NumberColumn {
                presence: presence.as_ref().map(bits),
                unit: *unit,
                scaled: scaled.view(block),
            }),
            ColumnLayout::Wide { presence, at } => PropertyColumn::Wide(WideColumn {
                presence: presence.as_ref().map(bits),
                nanos: block.get(*at..*at + n_events * 16).unwrap_or_default().as_chunks().0,
            }),
            ColumnLayout::Entries { index, dictionary } => {
                PropertyColumn::Entries(index.view(block), dictionary.entries(block))
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Cell {
    Null,
    Number(i64),
    // The place in `larges`.
    Large(u32),
    Entry(u32),
}

/// The entries of a source block's column as entries of the block being built.
#[derive(Clone, Default)]
pub(super) struct Translation(Vec<Option<u32>>);

impl Translation {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Collects a column, row by row.
#[derive(Default)]
pub(super) struct ColumnBuilder {
    cells: Vec<Cell>,
    larges: Vec<i128>,
    dictionary: DictionaryBuilder,
}

impl ColumnBuilder {
    pub(super) fn push(&mut self, value: Option<&Value>) {
        let cell = match value {
            None | Some(Value::Null) => Cell::Null,
            Some(Value::Number(number)) => return self.push_number(number.nanos()),
            Some(other) => Cell::Entry(self.dictionary.number_of(other)),
        };
        self.cells.push(cell);
    }

    fn push_number(&mut self, nanos: i128) {
        let cell = match i64::try_from(nanos) {
            Ok(small) => Cell::Number(small),
            Err(_) => {
                self.larges.push(nanos);
                Cell::Large(self.larges.len() as u32 - 1)
            }
        };
        self.cells.push(cell);
    }

    /// Appends rows of another block. `translation` caches entries as long as both blocks stay the same.
    pub(super) fn push_rows(
        &mut self,
        source: PropertyColumn<'_>,
        rows: std::ops::Range<usize>,
        translation: &mut Translation,
    ) {
        match source {
            PropertyColumn::Absent => self.cells.extend(rows.map(|_| Cell::Null)),
            PropertyColumn::Entries(index, entries) => {
                translation.0.resize(entries.len(), None);
                for row in rows {
                    let entry = index.get(row).and_then(|entry| usize::try_from(entry).ok()?.checked_sub(1));
                    let known = entry.and_then(|entry| Some((translation.0.get_mut(entry)?, entries.get(entry)?)));
                    let cell = match known {
                        None => Cell::Null,
                        Some((Some(number), _)) => Cell::Entry(*number),
                        // Not cached: a number is no entry of the new block, and cheap to convert.
                        Some((None, Value::Number(number))) => {
                            self.push_number(number.nanos());
                            continue;
                        }
                        Some((unknown, value)) => Cell::Entry(*unknown.insert(self.dictionary.number_of(value))),
                    };
                    self.cells.push(cell);
                }
            }
            numbers => {
                for row in rows {
                    match numbers.number(row) {
                        Some(nanos) => self.push_number(nanos),
                        None => self.cells.push(Cell::Null),
                    }
                }
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.cells.clear();
        self.larges.clear();
        self.dictionary.clear();
    }

    fn nanos(&self, cell: Cell) -> Option<i128> {
        match cell {
            Cell::Number(small) => Some(i128::from(small)),
            Cell::Large(at) => self.larges.get(at as usize).copied(),
            _ => None,
        }
    }

    pub(super) fn write(&mut self, out: &mut Vec<u8>) {
        if self.cells.iter().any(|cell| matches!(cell, Cell::Entry(_))) {
            return self.write_entries(out);
        }
        let n_present = self.cells.iter().filter(|cell| !matches!(cell, Cell::Null)).count();
        if n_present == 0 {
            out.push(ABSENT);
            return;
        }
        let places = if self.larges.is_empty() {
            let smalls =
                self.cells.iter().filter_map(|cell| if let Cell::Number(small) = cell { Some(*small) } else { None });
            shared_places(smalls, |number, power| number % power == 0)
        } else {
            let numbers = self.cells.iter().filter_map(|cell| self.nanos(*cell));
            shared_places(numbers, |number, power| number % i128::from(power) == 0)
        };
        let unit = 10i64.pow(places);
        let scaled: Option<Vec<Option<i64>>> = if self.larges.is_empty() {
            let scale = |cell: &Cell| Some(if let Cell::Number(small) = cell { Some(small / unit) } else { None });
            self.cells.iter().map(scale).collect()
        } else {
            let scale = |nanos: Option<i128>| match nanos {
                Some(nanos) => i64::try_from(nanos / i128::from(unit)).ok().map(Some),
                None => Some(None),
            };
            self.cells.iter().map(|cell| scale(self.nanos(*cell))).collect()
        };
        out.push(if scaled.is_some() { NUMBERS } else { WIDE });
        out.push(places as u8);
        let has_nulls = n_present < self.cells.len();
        out.push(u8::from(has_nulls));
        if has_nulls {
            for eight in self.cells.chunks(8) {
                let bits = eight.iter().rev().fold(0, |bits, cell| bits << 1 | u8::from(!matches!(cell, Cell::Null)));
                out.push(bits);
            }
        }
        match scaled {
            Some(scaled) => {
                let base = scaled.iter().flatten().min().copied().unwrap_or(0);
                write_ints(out, base, scaled.iter().map(|number| number.unwrap_or(base)));
            }
            None => {
                for cell in &self.cells {
                    out.extend_from_slice(&self.nanos(*cell).unwrap_or(0).to_le_bytes());
                }
            }
        }
    }

    fn write_entries(&mut self, out: &mut Vec<u8>) {
        out.push(ENTRIES);
        let mut index = Vec::with_capacity(self.cells.len());
        for cell in &self.cells {
            index.push(match (*cell, self.nanos(*cell)) {
                (Cell::Entry(entry), _) => i64::from(entry) + 1,
                (_, Some(nanos)) => i64::from(self.dictionary.number_of(&Value::Number(Number::from_nanos(nanos)))) + 1,
                _ => 0,
            });
        }
        write_ints(out, 0, index.iter().copied());
        self.dictionary.write(out);
    }
}

/// The greatest power of ten (its exponent) that divides all numbers.
fn shared_places<N: Copy>(numbers: impl Iterator<Item = N>, divides: impl Fn(N, i64) -> bool) -> u32 {
    let mut places = MAX_PLACES;
    for number in numbers {
        while places > 0 && !divides(number, 10i64.pow(places)) {
            places -= 1;
        }
        if places == 0 {
            break;
        }
    }
    places
}
