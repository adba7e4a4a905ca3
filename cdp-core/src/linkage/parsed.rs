//! One record as linkage sees it: a row of slots with normalized texts, however its source names and writes its columns.
//!
//! In a table a slot holds the number of a text; a record of its own holds the texts. Comparisons read both through [`Slots`].

use super::comparators::Word;
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
    Device,
}

pub(crate) const N_SLOTS: usize = 21;
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
        Slot::Device,
    ];
}

/// A record's texts; an empty text is missing.
pub(crate) trait Slots {
    /// The text of a slot.
    fn text(&self, slot: Slot) -> &str;
    /// The slots as they are compared.
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

    /// Of one record whose values come with their roles, dates of birth with the day first where their form leaves it open.
    pub(crate) fn of_roles(roles: impl Iterator<Item = ColumnRole>) -> Reading {
        let columns = roles.enumerate().filter(|(_, role)| *role != ColumnRole::Ignore).collect();
        Reading { columns, order: DateOrder::default() }
    }

    /// Of columns with these roles, dates of birth in the order that a table of them had.
    pub(crate) fn of_columns(roles: impl Iterator<Item = ColumnRole>, is_month_first: bool) -> Reading {
        let order = if is_month_first { DateOrder::MonthFirst } else { DateOrder::DayFirst };
        Reading { order, ..Reading::of_roles(roles) }
    }

    /// Whether dates whose form leaves it open begin with the month.
    pub(crate) fn is_month_first(&self) -> bool {
        self.order == DateOrder::MonthFirst
    }

    /// The slots of one row.
    pub(crate) fn parse(&self, records: &Records, row: usize) -> Parsed {
        self.parse_texts(|column| records.text(row, column))
    }

    /// The slots of a record, its texts by columns.
    pub(crate) fn parse_texts<'t>(&self, text_of: impl Fn(usize) -> &'t str) -> Parsed {
        use ColumnRole as R;
        let mut parsed = Parsed::default();
        let (mut year, mut month, mut day) = ("", "", "");
        let (mut categories, mut texts) = (CATEGORIES.iter(), TEXTS.iter());
        let (mut full, mut suburb) = ((String::new(), String::new()), String::new());
        for (column, role) in &self.columns {
            let raw = text_of(*column);
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
                R::Device => put(Slot::Device, normalize::code(raw)),
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
    pub(crate) fn put(&mut self, slot: Slot, text: String) {
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
