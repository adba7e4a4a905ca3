//! Which pairs are looked at: records that share a key of some rule.
//!
//! A key is a hash of the rule and its parts. Blocks that are too large propose nothing; how large that is follows from the
//! number of pairs that a rule may propose, so that small tables are searched widely and large ones in bounded time.

use rustc_hash::FxHasher;
use smallvec::SmallVec;
use std::hash::Hasher;

use super::normalize::soundex;
use super::parsed::{Slot, Slots};
use super::table::{Table, hash_text};
use crate::definitions::BlockingLimits;

/// The rules, by the number that stands in `pairs` and in reports.
pub(crate) const RULES: [&str; 27] = [
    "national id",
    "email",
    "email name",
    "phone",
    "birth date + given sound",
    "birth date + surname sound",
    "both names in any order",
    "both sounds + birth year",
    "postcode + surname sound",
    "postcode + given sound",
    "door",
    "birth date + postcode",
    "town + surname sound + given initial",
    "given + day and month of birth",
    "surname + day and month of birth",
    "beginnings of both names",
    "birth date",
    "street + given beginning",
    "surname",
    "given name",
    "birth place + surname sound",
    "birth place + given sound + birth year",
    "rare words",
    "categories and texts together",
    "town + birth date in part",
    "postcode + street",
    "device",
];

/// Rules that strangers share easily: on large tables they may propose less.
const WEAK: [u8; 14] = [8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 24, 25];
const SHARE_OF_WEAK: f64 = 0.25;

/// Whether strangers share the keys of a rule easily.
pub(crate) fn is_weak(rule: u8) -> bool {
    WEAK.contains(&rule)
}

/// What a rule takes of a record.
#[derive(Clone, Copy)]
enum Part {
    Whole(Slot),
    Sound(Slot),
    /// The first letters.
    Start(Slot, usize),
    EmailName,
    PhoneEnd,
    WholeBirth,
    Year,
    Month,
    DayAndMonth,
}

use Part::{DayAndMonth, EmailName, Month, PhoneEnd, Sound, Start, Whole, WholeBirth, Year};
use Slot::{Birth, BirthPlace, City, Door, Email, Given, NationalId, Phone, Postcode, Street, Surname};

/// The parts of each rule. A rule without parts is made from more than one text in a way of its own.
const PARTS: [&[Part]; RULES.len()] = [
    &[Whole(NationalId)],
    &[Whole(Email)],
    &[EmailName],
    &[PhoneEnd],
    &[WholeBirth, Sound(Given)],
    &[WholeBirth, Sound(Surname)],
    &[],
    &[Sound(Given), Sound(Surname), Year],
    &[Whole(Postcode), Sound(Surname)],
    &[Whole(Postcode), Sound(Given)],
    &[Whole(Door)],
    &[WholeBirth, Whole(Postcode)],
    &[Whole(City), Sound(Surname), Start(Given, 1)],
    &[Whole(Given), DayAndMonth],
    &[Whole(Surname), DayAndMonth],
    &[Start(Given, 3), Start(Surname, 4)],
    &[WholeBirth],
    &[Whole(Street), Start(Given, 2)],
    &[Whole(Surname)],
    &[Whole(Given)],
    &[Whole(BirthPlace), Sound(Surname)],
    &[Whole(BirthPlace), Sound(Given), Year],
    &[],
    &[],
    &[Whole(City), Year, Month],
    &[Whole(Postcode), Whole(Street)],
    &[Whole(Slot::Device)],
];
/// What the keys of a rule have in common with those of others: the store keeps such keys beside each other.
const ANCHORS: [Option<Part>; RULES.len()] = [
    None,
    Some(EmailName),
    Some(EmailName),
    None,
    Some(WholeBirth),
    Some(WholeBirth),
    None,
    None,
    Some(Whole(Postcode)),
    Some(Whole(Postcode)),
    None,
    Some(WholeBirth),
    Some(Whole(City)),
    Some(Whole(Given)),
    Some(Start(Surname, 4)),
    Some(Start(Surname, 4)),
    Some(WholeBirth),
    Some(Whole(Street)),
    Some(Start(Surname, 4)),
    Some(Whole(Given)),
    Some(Whole(BirthPlace)),
    Some(Whole(BirthPlace)),
    None,
    None,
    Some(Whole(City)),
    Some(Whole(Street)),
    None,
];
const BOTH_NAMES: u8 = 6;
const RARE_WORDS: u8 = 22;
const EVERYTHING_ELSE: u8 = 23;

impl Part {
    fn slot(self) -> Slot {
        match self {
            Whole(slot) | Sound(slot) | Start(slot, _) => slot,
            EmailName => Email,
            PhoneEnd => Phone,
            WholeBirth | Year | Month | DayAndMonth => Birth,
        }
    }

    /// The part of a text as a number; 0 if it is not there.
    fn of(self, text: &str) -> u64 {
        if text.is_empty() {
            return 0;
        }
        let known = |part: Option<&str>| match part {
            Some(part) if !part.is_empty() && !part.contains('-') => hash_text(part) | 1,
            _ => 0,
        };
        match self {
            Whole(_) => hash_text(text) | 1,
            Sound(_) => u64::from(soundex(text)),
            Start(_, n) => text.chars().take(n).fold(7, |key: u64, letter| key.wrapping_mul(1_114_117) ^ letter as u64),
            EmailName => text.split('@').next().filter(|name| name.len() > 3).map_or(0, |name| hash_text(name) | 1),
            PhoneEnd => hash_text(text.get(text.len().saturating_sub(9)..).unwrap_or(text)) | 1,
            WholeBirth => known(Some(text)),
            Year => known(text.get(..4)),
            // Where only the year is known, all months are one.
            Month => text.get(4..6).map_or(0, |month| hash_text(month) | 1),
            DayAndMonth => known(text.get(4..)),
        }
    }
}

/// The key of a rule from its parts; nothing if one is not there.
fn key_of(rule: u8, parts: &[u64]) -> Option<u64> {
    if parts.contains(&0) {
        return None;
    }
    let mut hasher = FxHasher::default();
    hasher.write_u8(rule);
    parts.iter().for_each(|part| hasher.write_u64(*part));
    Some(mixed(hasher.finish()))
}

/// All bits depend on all others: the upper ones are kept where keys are packed.
fn mixed(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

/// Calls `emit(rule, key)` for each key of a record.
pub(crate) fn keys_of<S: Slots>(record: &S, mut emit: impl FnMut(u8, u64)) {
    for (rule, parts) in (0..).zip(PARTS) {
        let values: SmallVec<[u64; 3]> = parts.iter().map(|part| part.of(record.text(part.slot()))).collect();
        if values.is_empty() {
            unusual_keys(rule, record, |key| emit(rule, key));
        } else if let Some(key) = key_of(rule, &values) {
            emit(rule, key);
        }
    }
}

/// Where the store keeps the keys of a record, by rule.
pub(crate) struct Anchors([u64; RULES.len()]);

impl Anchors {
    /// Of a record. Records that share a key share its anchor.
    pub(crate) fn of<S: Slots>(record: &S) -> Anchors {
        Anchors(ANCHORS.map(|anchor| anchor.map_or(0, |anchor| mixed(anchor.of(record.text(anchor.slot()))))))
    }

    /// A key as the store keeps it: six bytes, those that share an anchor beside each other.
    pub(crate) fn stored_key(&self, rule: u8, key: u64) -> i64 {
        let anchor = match self.0.get(usize::from(rule)) {
            Some(anchor) if *anchor != 0 => *anchor,
            _ => mixed(key),
        };
        (anchor >> (u64::BITS - ANCHOR_BITS) << (RULE_BITS + HASH_BITS)
            | u64::from(rule) << HASH_BITS
            | key >> (u64::BITS - HASH_BITS)) as i64
    }
}

const ANCHOR_BITS: u32 = 20;
const RULE_BITS: u32 = 5;
const HASH_BITS: u32 = 23;

/// The rule of a key of the store.
pub(crate) fn rule_of_stored(key: i64) -> u8 {
    (key >> HASH_BITS) as u8 & ((1 << RULE_BITS) - 1)
}

fn unusual_keys<S: Slots>(rule: u8, record: &S, mut emit: impl FnMut(u64)) {
    let whole = |slot: Slot| Whole(slot).of(record.text(slot));
    match rule {
        BOTH_NAMES => {
            let (one, two) = (whole(Given), whole(Surname));
            key_of(rule, &[one.min(two), one.max(two)]).into_iter().for_each(emit);
        }
        RARE_WORDS => {
            for slot in [Slot::Text0, Slot::Text1] {
                for word in record.text(slot).split(' ').filter(|word| word.len() > 2) {
                    key_of(rule, &[slot as u64 + 1, Whole(slot).of(word)]).into_iter().for_each(&mut emit);
                }
            }
        }
        EVERYTHING_ELSE if record.is_missing(Given) && record.is_missing(Surname) => {
            let rest = [Slot::Category0, Slot::Category1, Slot::Category2, Slot::Category3, Slot::Text0].map(whole);
            if rest.iter().any(|part| *part != 0) {
                key_of(rule, &rest.map(|part| part | 1)).into_iter().for_each(emit);
            }
        }
        _ => {}
    }
}

/// The keys of a record as the store keeps them, in order and each once.
pub(crate) fn stored_keys<S: Slots>(record: &S) -> Vec<i64> {
    let (anchors, mut keys) = (Anchors::of(record), Vec::with_capacity(RULES.len()));
    keys_of(record, |rule, key| keys.push(anchors.stored_key(rule, key)));
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Calls `put(row, key)` for each key of one rule in a table.
pub(crate) fn keys_of_rule(rule: u8, table: &Table, mut put: impl FnMut(usize, u64)) {
    let parts = PARTS.get(usize::from(rule)).copied().unwrap_or_default();
    if parts.is_empty() {
        for row in 0..table.len() {
            unusual_keys(rule, &table.row(row as u32), |key| put(row, key));
        }
        return;
    }
    if parts.iter().any(|part| table.dictionary(part.slot()).len() == 0) {
        return;
    }
    // Of each text once, however many records have it.
    let of_texts = |part: &Part| -> (Slot, Vec<u64>) {
        let dictionary = table.dictionary(part.slot());
        (part.slot(), (0..=dictionary.len()).map(|number| part.of(dictionary.text(number))).collect())
    };
    let values: Vec<(Slot, Vec<u64>)> = parts.iter().map(of_texts).collect();
    for row in 0..table.len() {
        let record = table.row(row as u32);
        let value = |(slot, of_texts): &(Slot, Vec<u64>)| of_texts.get(record.number(*slot) as usize).copied();
        let parts: SmallVec<[u64; 3]> = values.iter().filter_map(value).collect();
        key_of(rule, &parts).into_iter().for_each(|key| put(row, key));
    }
}

/// What one rule proposed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RuleReport {
    pub(crate) n_pairs: u64,
    pub(crate) n_blocks_left_out: u64,
    pub(crate) largest_block_used: u32,
}

/// All pairs that some rule proposes, `left << 32 | right` with left below right, in order and without repetition.
///
/// Of a small table, all pairs there are.
pub(crate) fn pairs(table: &Table, limits: &BlockingLimits) -> (Vec<u64>, Vec<RuleReport>) {
    if table.n_pairs() <= limits.least_pairs.saturating_mul(2) as f64 {
        let n = table.len() as u32;
        let pairs = (0..n).flat_map(|left| (left + 1..n).map(move |right| (left, right)));
        let pairs = pairs.filter(|(left, right)| table.may_match(*left, *right));
        return (pairs.map(|(left, right)| u64::from(left) << 32 | u64::from(right)).collect(), Vec::new());
    }
    let mut pairs: Vec<u64> = Vec::new();
    let mut reports = Vec::with_capacity(RULES.len());
    let budget =
        |share: f64| (limits.pairs_per_record * share * table.len() as f64).max(limits.least_pairs as f64) as u64;
    let row_bits = usize::BITS - table.len().leading_zeros();
    let mut n_single = 0;
    for rule in 0..RULES.len() as u8 {
        let share = if is_weak(rule) { SHARE_OF_WEAK } else { 1.0 };
        // Packed: the row in the lower bits.
        let mut keys = Vec::new();
        keys_of_rule(rule, table, |row, key| keys.push(key >> row_bits << row_bits | row as u64));
        reports.push(propose(keys, row_bits, table, limits.max_block, budget(share), &mut pairs));
        // Before they are too many: rules find the same pairs again.
        if pairs.len() > 2 * n_single + 1_000_000 {
            pairs.sort_unstable();
            pairs.dedup();
            n_single = pairs.len();
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    (pairs, reports)
}

fn propose(
    mut keys: Vec<u64>,
    row_bits: u32,
    table: &Table,
    max_block: u32,
    budget: u64,
    pairs: &mut Vec<u64>,
) -> RuleReport {
    keys.sort_unstable();
    let is_same = |a: &u64, b: &u64| a >> row_bits == b >> row_bits;
    let mut of_size = vec![0_u64; max_block as usize + 1];
    let mut report = RuleReport::default();
    for block in keys.chunk_by(is_same) {
        match of_size.get_mut(block.len()) {
            Some(n) => *n += 1,
            None => report.n_blocks_left_out += 1,
        }
    }
    let mut proposed = 0_u64;
    let mut largest = 1;
    for (size, n) in of_size.iter().enumerate().skip(2) {
        proposed += n * (size as u64 * (size as u64 - 1) / 2);
        if proposed > budget {
            report.n_blocks_left_out += of_size.iter().skip(size).sum::<u64>();
            break;
        }
        if *n > 0 {
            largest = size;
        }
    }
    let row_of = |key: &u64| (key & ((1 << row_bits) - 1)) as u32;
    for block in keys.chunk_by(is_same).filter(|block| block.len() > 1 && block.len() <= largest) {
        // Within a block the rows are in order.
        for (place, left) in block.iter().map(row_of).enumerate() {
            for right in block.iter().skip(place + 1).map(row_of) {
                if left != right && table.may_match(left, right) {
                    pairs.push(u64::from(left) << 32 | u64::from(right));
                    report.n_pairs += 1;
                }
            }
        }
    }
    report.largest_block_used = largest as u32;
    report
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parsed::Parsed;
    use super::*;

    /// Few values, so that two records often share one.
    fn values() -> impl Strategy<Value = Vec<(usize, String)>> {
        let value = prop_oneof![
            "[a-c]{0,2}",
            "(ann|anna|bob)",
            "(smith|smyth|jones)",
            "19(80|81)0[12]0[1-3]",
            "(ann|bob)@e.com"
        ];
        proptest::collection::vec((0..Slot::ALL.len(), value), 0..40)
    }

    /// The keys of a record, each as the store keeps it.
    fn keys(values: Vec<(usize, String)>) -> Vec<((u8, u64), i64)> {
        let mut record = Parsed::default();
        values.into_iter().for_each(|(slot, text)| record.put(Slot::ALL[slot], text));
        let (anchors, mut keys) = (Anchors::of(&record), Vec::new());
        keys_of(&record, |rule, key| keys.push(((rule, key), anchors.stored_key(rule, key))));
        keys
    }

    proptest! {
        #[test]
        fn records_share_a_stored_key_where_they_share_a_key(one in values(), other in values()) {
            let other = keys(other);
            for ((rule, key), stored) in keys(one) {
                prop_assert_eq!(rule_of_stored(stored), rule);
                prop_assert!((0..1 << 48).contains(&stored));
                for (known, known_stored) in &other {
                    prop_assert_eq!((rule, key) == *known, stored == *known_stored);
                }
            }
        }
    }
}
