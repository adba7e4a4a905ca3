//! The comparisons of two records and the levels they reach.
//!
//! What depends on each other is one comparison: house number and street, postcode and town. A level is a number from 1 (best);
//! 0 says that nothing can be compared. The last level but `swapped` is disagreement.

use super::comparators::{Word, edits, is_part_of_the_other, jaro, word_overlap};
use super::nicknames::stand_for_each_other;
use super::parsed::{Slot, Slots};
use super::table::{Fetched, Table};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Comparison {
    Given,
    Surname,
    Middle,
    Birth,
    Email,
    Phone,
    NationalId,
    Street,
    Area,
    BirthPlace,
    Device,
    Category(u8),
    Text(u8),
}

/// How many comparisons a pattern has room for, four bits each.
pub(crate) const MAX_COMPARISONS: usize = 16;

/// The levels of all comparisons, four bits each, the first in the lowest.
pub(crate) type Pattern = u64;

pub(crate) fn level_of(pattern: Pattern, comparison: usize) -> usize {
    ((pattern >> (4 * comparison)) & 15) as usize
}

/// The level of `Given` at which given name and surname changed places; the surname is then not compared.
pub(crate) const SWAPPED: usize = 8;

const GIVEN: [&str; 8] =
    ["exact", "one edit", "short form", "similar", "initial", "somewhat similar", "different", "swapped"];
const SURNAME: [&str; 5] = ["exact", "one edit", "similar", "somewhat similar", "different"];
const MIDDLE: [&str; 4] = ["exact", "initial", "similar", "different"];
const BIRTH: [&str; 6] =
    ["exact", "one edit or day and month swapped", "two of three parts", "two edits", "same year", "different"];
const EMAIL: [&str; 5] = ["exact", "typing error", "same name at another domain", "similar name", "different"];
const CODE: [&str; 4] = ["exact", "one edit", "two edits", "different"];
const STREET: [&str; 6] = [
    "same door",
    "same number, similar street",
    "same street",
    "similar street",
    "same number, somewhat similar street",
    "different",
];
const AREA: [&str; 8] = [
    "same postcode and town",
    "same postcode",
    "same town",
    "same town, other postcode",
    "similar town",
    "similar postcode",
    "same state",
    "different",
];
const PLACE: [&str; 4] = ["exact", "similar", "part of the other", "different"];
const CATEGORY: [&str; 2] = ["same", "different"];
const TEXT: [&str; 6] = ["exact", "nearly all words", "most words", "half of the words", "some words", "different"];

/// A comparison's share of the records as random pairs and as pairs of one person, before data is seen: (u, m).
type Prior = &'static [(f64, f64)];

const GIVEN_PRIOR: Prior = &[
    (0.006, 0.72),
    (0.002, 0.10),
    (0.002, 0.03),
    (0.004, 0.03),
    (0.004, 0.02),
    (0.05, 0.03),
    (0.93, 0.05),
    (1e-5, 0.02),
];
const SURNAME_PRIOR: Prior = &[(0.002, 0.78), (0.001, 0.11), (0.004, 0.03), (0.04, 0.02), (0.953, 0.06)];
const MIDDLE_PRIOR: Prior = &[(0.02, 0.70), (0.05, 0.15), (0.01, 0.05), (0.92, 0.10)];
const BIRTH_PRIOR: Prior = &[(5e-5, 0.80), (0.002, 0.12), (0.003, 0.02), (0.015, 0.01), (0.015, 0.02), (0.965, 0.03)];
const EMAIL_PRIOR: Prior = &[(1e-5, 0.70), (1e-5, 0.12), (1e-4, 0.04), (2e-3, 0.04), (0.998, 0.10)];
const CODE_PRIOR: Prior = &[(1e-5, 0.80), (1e-5, 0.08), (1e-4, 0.02), (0.9998, 0.10)];
const STREET_PRIOR: Prior = &[(2e-5, 0.60), (2e-5, 0.10), (1e-3, 0.06), (3e-3, 0.03), (1e-3, 0.03), (0.995, 0.18)];
const AREA_PRIOR: Prior =
    &[(1e-3, 0.62), (5e-4, 0.08), (3e-3, 0.05), (2e-3, 0.04), (2e-3, 0.05), (2e-3, 0.04), (0.1, 0.04), (0.89, 0.08)];
const PLACE_PRIOR: Prior = &[(0.02, 0.80), (5e-3, 0.08), (5e-3, 0.04), (0.97, 0.08)];
// People have several devices: two records of one person often come from two.
const DEVICE_PRIOR: Prior = &[(1e-5, 0.50), (0.99999, 0.50)];
const CATEGORY_PRIOR: Prior = &[(0.3, 0.92), (0.7, 0.08)];
const TEXT_PRIOR: Prior = &[(1e-4, 0.55), (1e-4, 0.15), (5e-4, 0.10), (5e-3, 0.08), (0.02, 0.05), (0.974, 0.07)];

impl Comparison {
    /// Those that a record has one of; the place of each is its number in stored models.
    const PLAIN: [Comparison; 11] = [
        Comparison::Given,
        Comparison::Surname,
        Comparison::Middle,
        Comparison::Birth,
        Comparison::Email,
        Comparison::Phone,
        Comparison::NationalId,
        Comparison::Street,
        Comparison::Area,
        Comparison::BirthPlace,
        Comparison::Device,
    ];

    /// The comparisons that a table has something for.
    pub(crate) fn of_table(table: &Table) -> Vec<Comparison> {
        let all = Comparison::PLAIN.into_iter();
        let all = all.chain((0..4).map(Comparison::Category)).chain((0..2).map(Comparison::Text));
        let has = |comparison: &Comparison| comparison.slots().iter().any(|slot| table.dictionary(*slot).len() > 0);
        all.filter(has).collect()
    }

    /// A number that stays the same in stored models.
    pub(crate) fn code(self) -> u8 {
        match self {
            Comparison::Given => 0,
            Comparison::Surname => 1,
            Comparison::Middle => 2,
            Comparison::Birth => 3,
            Comparison::Email => 4,
            Comparison::Phone => 5,
            Comparison::NationalId => 6,
            Comparison::Street => 7,
            Comparison::Area => 8,
            Comparison::BirthPlace => 9,
            Comparison::Device => 10,
            Comparison::Category(n) => 16 + n.min(3),
            Comparison::Text(n) => 32 + n.min(1),
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Comparison> {
        match code {
            16..=19 => Some(Comparison::Category(code - 16)),
            32..=33 => Some(Comparison::Text(code - 32)),
            _ => Comparison::PLAIN.get(usize::from(code)).copied(),
        }
    }

    /// Its name in explanations.
    pub(crate) fn name(self) -> String {
        match self {
            Comparison::Given => "given_name".to_owned(),
            Comparison::Surname => "surname".to_owned(),
            Comparison::Middle => "middle_name".to_owned(),
            Comparison::Birth => "birth_date".to_owned(),
            Comparison::Email => "email".to_owned(),
            Comparison::Phone => "phone".to_owned(),
            Comparison::NationalId => "national_id".to_owned(),
            Comparison::Street => "street".to_owned(),
            Comparison::Area => "area".to_owned(),
            Comparison::BirthPlace => "birth_place".to_owned(),
            Comparison::Device => "device".to_owned(),
            Comparison::Category(n) => format!("category_{}", n + 1),
            Comparison::Text(n) => format!("text_{}", n + 1),
        }
    }

    fn slots(self) -> &'static [Slot] {
        match self {
            Comparison::Given => &[Slot::Given],
            Comparison::Surname => &[Slot::Surname],
            Comparison::Middle => &[Slot::Middle],
            Comparison::Birth => &[Slot::Birth],
            Comparison::Email => &[Slot::Email],
            Comparison::Phone => &[Slot::Phone],
            Comparison::NationalId => &[Slot::NationalId],
            Comparison::Street => &[Slot::Street],
            Comparison::Area => &[Slot::Postcode, Slot::City, Slot::State],
            Comparison::BirthPlace => &[Slot::BirthPlace],
            Comparison::Device => &[Slot::Device],
            Comparison::Category(0) => &[Slot::Category0],
            Comparison::Category(1) => &[Slot::Category1],
            Comparison::Category(2) => &[Slot::Category2],
            Comparison::Category(_) => &[Slot::Category3],
            Comparison::Text(0) => &[Slot::Text0],
            Comparison::Text(_) => &[Slot::Text1],
        }
    }

    pub(crate) fn level_names(self) -> &'static [&'static str] {
        match self {
            Comparison::Given => &GIVEN,
            Comparison::Surname => &SURNAME,
            Comparison::Middle => &MIDDLE,
            Comparison::Birth => &BIRTH,
            Comparison::Email => &EMAIL,
            Comparison::Phone | Comparison::NationalId => &CODE,
            Comparison::Street => &STREET,
            Comparison::Area => &AREA,
            Comparison::BirthPlace => &PLACE,
            Comparison::Device | Comparison::Category(_) => &CATEGORY,
            Comparison::Text(_) => &TEXT,
        }
    }

    pub(crate) fn prior(self) -> Prior {
        match self {
            Comparison::Given => GIVEN_PRIOR,
            Comparison::Surname => SURNAME_PRIOR,
            Comparison::Middle => MIDDLE_PRIOR,
            Comparison::Birth => BIRTH_PRIOR,
            Comparison::Email => EMAIL_PRIOR,
            Comparison::Phone | Comparison::NationalId => CODE_PRIOR,
            Comparison::Street => STREET_PRIOR,
            Comparison::Area => AREA_PRIOR,
            Comparison::BirthPlace => PLACE_PRIOR,
            Comparison::Device => DEVICE_PRIOR,
            Comparison::Category(_) => CATEGORY_PRIOR,
            Comparison::Text(_) => TEXT_PRIOR,
        }
    }

    /// The level of disagreement.
    pub(crate) fn different(self) -> usize {
        if self == Comparison::Given { SWAPPED - 1 } else { self.level_names().len() }
    }

    /// Whether people of one household share it.
    pub(crate) fn is_shared_at_home(self) -> bool {
        matches!(
            self,
            Comparison::Surname
                | Comparison::Phone
                | Comparison::Street
                | Comparison::Area
                | Comparison::Email
                | Comparison::Device
        )
    }

    /// Whether it distinguishes people of one household.
    pub(crate) fn is_personal(self) -> bool {
        matches!(self, Comparison::Given | Comparison::Birth | Comparison::NationalId)
    }

    /// The slot whose frequency says how much this level means; `None` where every value means the same.
    pub(crate) fn frequency_slot(self, level: usize) -> Option<Slot> {
        match (self, level) {
            (Comparison::Street, 1) => Some(Slot::Door),
            (Comparison::Street, 3) => Some(Slot::Street),
            (Comparison::Area, 1 | 2) => Some(Slot::Postcode),
            (Comparison::Area, 3) => Some(Slot::City),
            (Comparison::Text(_) | Comparison::Street | Comparison::Area, _) => None,
            (_, 1) => self.slots().first().copied(),
            _ => None,
        }
    }

    /// The level two records reach.
    pub(crate) fn level<S: Slots>(self, a: &S, b: &S) -> usize {
        match self {
            Comparison::Given => given(a, b),
            Comparison::Surname => surname(a, b),
            Comparison::Middle => with(a, b, Slot::Middle, |x, y| {
                if x.len() == 1 || y.len() == 1 {
                    if x.first() == y.first() { 2 } else { 4 }
                } else if edits(x, y, 1) <= 1 || jaro(x, y, 0.9) >= 0.9 {
                    3
                } else {
                    4
                }
            }),
            Comparison::Birth => with(a, b, Slot::Birth, birth),
            Comparison::Email => email_level(a, b),
            Comparison::Phone => with(a, b, Slot::Phone, phone),
            Comparison::NationalId => with(a, b, Slot::NationalId, code),
            Comparison::Street => street(a, b),
            Comparison::Area => area(a, b),
            Comparison::BirthPlace => with(a, b, Slot::BirthPlace, |x, y| match () {
                () if edits(x, y, 1) <= 1 || jaro(x, y, 0.92) >= 0.92 => 2,
                () if is_part_of_the_other(x, y) => 3,
                () => 4,
            }),
            Comparison::Device | Comparison::Category(_) => {
                with(a, b, self.slots().first().copied().unwrap_or(Slot::Category0), |_, _| 2)
            }
            Comparison::Text(_) => with(a, b, self.slots().first().copied().unwrap_or(Slot::Text0), |x, y| {
                let overlap = word_overlap(x.text(), y.text());
                match () {
                    () if overlap >= 0.8 || edits(x, y, 2) <= 2 => 2,
                    () if overlap >= 0.6 => 3,
                    () if overlap >= 0.45 || is_part_of_the_other(x, y) => 4,
                    () if overlap >= 0.25 => 5,
                    () => 6,
                }
            }),
        }
    }
}

// The number of pairs that are fetched at once: they stay in the cache of the processor.
const PAIRS_AT_ONCE: usize = 256;

/// Shows the patterns of many pairs, `left << 32 | right`, in order.
pub(crate) fn patterns_of(comparisons: &[Comparison], table: &Table, pairs: &[u64], mut show: impl FnMut(Pattern)) {
    let mut fetched = Fetched::default();
    for pairs in pairs.chunks(PAIRS_AT_ONCE) {
        fetched.fetch(table, pairs);
        for place in 0..pairs.len() {
            let (left, right) = fetched.pair(table, place);
            show(pattern_of(comparisons, &left, &right));
        }
    }
}

/// The level of one comparison, when those before it stand in the pattern.
fn level_at<S: Slots>(comparisons: &[Comparison], place: usize, pattern: Pattern, a: &S, b: &S) -> usize {
    let Some(comparison) = comparisons.get(place) else { return 0 };
    let is_swapped = *comparison == Comparison::Surname
        && comparisons.first() == Some(&Comparison::Given)
        && level_of(pattern, 0) == SWAPPED;
    if is_swapped { 0 } else { comparison.level(a, b) }
}

/// The levels of all comparisons as one pattern.
pub(crate) fn pattern_of<S: Slots>(comparisons: &[Comparison], a: &S, b: &S) -> Pattern {
    (0..comparisons.len().min(MAX_COMPARISONS))
        .fold(0, |pattern, place| pattern | (level_at(comparisons, place, pattern, a, b) as u64) << (4 * place))
}

fn with<S: Slots>(a: &S, b: &S, slot: Slot, compare: impl FnOnce(Word<'_>, Word<'_>) -> usize) -> usize {
    if a.is_missing(slot) || b.is_missing(slot) {
        0
    } else if a.is_same(b, slot) {
        1
    } else {
        compare(a.word(slot), b.word(slot))
    }
}

fn is_nearly(x: Word<'_>, y: Word<'_>) -> bool {
    let distance = if x.is_empty() || y.is_empty() { 2 } else { edits(x, y, 1) };
    distance == 0 || (distance == 1 && x.len() > 2 && y.len() > 2)
}

fn given<S: Slots>(a: &S, b: &S) -> usize {
    let level = with(a, b, Slot::Given, |x, y| {
        let is_initial = x.len() == 1 || y.len() == 1;
        match () {
            () if is_initial => {
                if x.first() == y.first() {
                    5
                } else {
                    7
                }
            }
            () if edits(x, y, 1) <= 1 => 2,
            () if stand_for_each_other(x.text(), y.text()) => 3,
            () => match jaro(x, y, 0.75) {
                alike if alike >= 0.88 => 4,
                _ if is_part_of_the_other(x, y) => 4,
                // `alex` and `alexander`: cut short.
                _ if x.len().min(y.len()) >= 3 && x.begins_as(y) => 4,
                alike if alike >= 0.75 => 6,
                _ => 7,
            },
        }
    });
    // Either name may have been missing and the other in its place.
    if level != 0 && level < 6 {
        return level;
    }
    let (first_a, last_a, first_b, last_b) =
        (a.word(Slot::Given), a.word(Slot::Surname), b.word(Slot::Given), b.word(Slot::Surname));
    if last_a.is_empty() || last_b.is_empty() || level == 0 {
        return level;
    }
    if is_nearly(first_a, last_b) && is_nearly(last_a, first_b) { SWAPPED } else { level }
}

fn surname<S: Slots>(a: &S, b: &S) -> usize {
    with(a, b, Slot::Surname, |x, y| {
        if edits(x, y, 1) <= 1 {
            return 2;
        }
        match jaro(x, y, 0.77) {
            alike if alike >= 0.9 => 3,
            _ if is_part_of_the_other(x, y) => 3,
            alike if alike >= 0.77 => 4,
            _ => 5,
        }
    })
}

fn birth(of_x: Word<'_>, of_y: Word<'_>) -> usize {
    let (x, y) = (of_x.text(), of_y.text());
    let part = |text: &'_ str, from: usize, to: usize| text.get(from..to).unwrap_or("").to_owned();
    let (year, month, day) = ((0, 4), (4, 6), (6, 8));
    let same = |(from, to): (usize, usize)| {
        x.get(from..to) == y.get(from..to) && x.get(from..to).is_some_and(|t| !t.contains('-'))
    };
    // What one of them leaves open cannot disagree.
    if x.contains('-') || y.contains('-') {
        let open = |(from, to): (usize, usize)| part(x, from, to).contains('-') || part(y, from, to).contains('-');
        return match () {
            () if [year, month, day].into_iter().all(|place| same(place) || open(place)) => 5,
            () => 6,
        };
    }
    let swapped = same(year) && part(x, 4, 6) == part(y, 6, 8) && part(x, 6, 8) == part(y, 4, 6);
    let distance = edits(of_x, of_y, 2);
    let n_same = usize::from(same(year)) + usize::from(same(month)) + usize::from(same(day));
    match () {
        () if swapped || distance == 1 => 2,
        () if n_same == 2 => 3,
        () if distance == 2 => 4,
        () if same(year) => 5,
        () => 6,
    }
}

/// People of one name have similar emails: where both emails hold a name of either record, their similarity says nothing
/// more. A typing error still does, unless it is in a number: `jane.doe12` and `jane.doe47` are two addresses.
fn email_level<S: Slots>(a: &S, b: &S) -> usize {
    let level = with(a, b, Slot::Email, email);
    if !(2..=4).contains(&level) {
        return level;
    }
    let local = |slots: &'_ S| -> String { slots.text(Slot::Email).split('@').next().unwrap_or("").to_owned() };
    let (local_a, local_b) = (local(a), local(b));
    let holds_both = |name: &str| {
        let start = name.get(..4).unwrap_or(name);
        start.len() > 2 && local_a.contains(start) && local_b.contains(start)
    };
    let of_names = [Slot::Given, Slot::Surname]
        .into_iter()
        .any(|slot| is_nearly(a.word(slot), b.word(slot)) || holds_both(a.text(slot)) || holds_both(b.text(slot)));
    let digits = |local: &str| -> String { local.chars().filter(char::is_ascii_digit).collect() };
    let is_same_number = digits(&local_a) == digits(&local_b);
    match level {
        2 if is_same_number => 2,
        _ if of_names => 0,
        level => level,
    }
}

fn email(x: Word<'_>, y: Word<'_>) -> usize {
    if edits(x, y, 2) <= 2 {
        return 2;
    }
    if jaro(x, y, 0.95) >= 0.95 {
        return if x.local_part().is_equal(y.local_part()) { 3 } else { 2 };
    }
    let (local_x, local_y) = (x.local_part(), y.local_part());
    match () {
        () if local_x.is_equal(local_y) => 3,
        () if local_x.len() > 3
            && local_y.len() > 3
            && (edits(local_x, local_y, 2) <= 2 || jaro(local_x, local_y, 0.92) >= 0.92) =>
        {
            4
        }
        () => 5,
    }
}

/// Of a short code another one is always few edits away.
fn code(x: Word<'_>, y: Word<'_>) -> usize {
    let n = x.len().min(y.len());
    match edits(x, y, 2) {
        1 if n >= 5 => 2,
        2 if n >= 7 => 3,
        _ => 4,
    }
}

fn phone(x: Word<'_>, y: Word<'_>) -> usize {
    // With and without the prefix of the country.
    let is_longer = x.len().min(y.len()) >= 8 && x.len() != y.len();
    let ends_alike = || x.is_end_of(y) || y.is_end_of(x);
    if is_longer && ends_alike() { 1 } else { 1 + edits(x, y, 2) }
}

fn street<S: Slots>(a: &S, b: &S) -> usize {
    if a.is_missing(Slot::Street) || b.is_missing(Slot::Street) {
        return 0;
    }
    let no_number = a.is_missing(Slot::Number) || b.is_missing(Slot::Number);
    let same_number = !no_number && a.is_same(b, Slot::Number);
    if a.is_same(b, Slot::Street) {
        return if same_number { 1 } else { 3 };
    }
    let (x, y) = (a.word(Slot::Street), b.word(Slot::Street));
    let alike = jaro(x, y, 0.78);
    let is_similar = alike >= 0.92 || edits(x, y, 2) <= 2;
    if is_similar {
        return if same_number { 2 } else { 4 };
    }
    let n_words = |word: Word<'_>| word.text().bytes().filter(|byte| *byte == b' ').count() + 1;
    let n_words = n_words(x).min(n_words(y));
    let overlap = if n_words > 2 || (n_words == 2 && same_number) { word_overlap(x.text(), y.text()) } else { 0.0 };
    match () {
        () if same_number && (alike >= 0.78 || overlap >= 0.4 || is_part_of_the_other(x, y)) => 5,
        () if overlap >= 0.6 => 4,
        () => 6,
    }
}

fn area<S: Slots>(a: &S, b: &S) -> usize {
    let postcode = with(a, b, Slot::Postcode, |x, y| if edits(x, y, 1) <= 1 { 2 } else { 3 });
    let city = with(a, b, Slot::City, |x, y| if edits(x, y, 1) <= 1 || jaro(x, y, 0.9) >= 0.9 { 2 } else { 3 });
    let state = with(a, b, Slot::State, |_, _| 3);
    match (postcode, city, state) {
        (0, 0, 0) => 0,
        (1, 1 | 2, _) => 1,
        (1, _, _) => 2,
        (0 | 2, 1, _) => 3,
        (_, 1, _) => 4,
        (_, 2, _) => 5,
        (2, _, _) => 6,
        (_, _, 1) => 7,
        _ => 8,
    }
}
