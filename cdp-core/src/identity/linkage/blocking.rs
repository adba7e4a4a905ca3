//! Which pairs are looked at: records that share a key of some rule.
//!
//! A key is a hash of the rule and its parts. Blocks that are too large propose nothing; how large that is follows from the
//! number of pairs that a rule may propose, so that small tables are searched widely and large ones in bounded time.

use rustc_hash::FxHasher;
use std::hash::Hasher;

use super::normalize::soundex;
use super::parsed::{Slot, Slots, Table};
use crate::definitions::BlockingLimits;

/// The rules, by the number that stands in `pairs` and in reports.
pub(crate) const RULES: [&str; 26] = [
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
];

/// Rules that strangers share easily: on large tables they may propose less.
const WEAK: [u8; 14] = [8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 24, 25];
const SHARE_OF_WEAK: f64 = 0.25;

/// Calls `emit(rule, key)` for each key of a record.
pub(crate) fn keys_of<S: Slots>(record: &S, mut emit: impl FnMut(u8, u64)) {
    use Slot as S_;
    let sound = |slot: Slot| if record.is_missing(slot) { 0 } else { soundex(record.text(slot)) };
    let text = |slot: Slot| record.text(slot);
    let (given, surname) = (text(S_::Given), text(S_::Surname));
    let (given_sound, surname_sound) = (sound(S_::Given), sound(S_::Surname));
    let (birth, postcode, city, place) = (text(S_::Birth), text(S_::Postcode), text(S_::City), text(S_::BirthPlace));
    let year = birth.get(..4).filter(|year| !year.contains('-')).unwrap_or("");
    let day = birth.get(4..).filter(|day| !day.contains('-')).unwrap_or("");
    let whole_birth = if birth.contains('-') { "" } else { birth };
    let email_name = text(S_::Email).split('@').next().filter(|name| name.len() > 3).unwrap_or("");
    let phone = text(S_::Phone);
    let phone_end = phone.get(phone.len().saturating_sub(9)..).unwrap_or("");
    let start = |text: &'_ str, n: usize| -> u64 {
        if text.is_empty() {
            0
        } else {
            text.chars().take(n).fold(7, |key: u64, letter| key.wrapping_mul(1_114_117) ^ letter as u64)
        }
    };
    let mut put = |rule: u8, parts: &[u64]| {
        if parts.iter().all(|part| *part != 0) {
            let mut hasher = FxHasher::default();
            hasher.write_u8(rule);
            parts.iter().for_each(|part| hasher.write_u64(*part));
            emit(rule, hasher.finish());
        }
    };
    let whole = |text: &str| if text.is_empty() { 0 } else { super::parsed::hash_text(text) | 1 };
    let (given_sound, surname_sound) = (u64::from(given_sound), u64::from(surname_sound));
    put(0, &[whole(text(S_::NationalId))]);
    put(1, &[whole(text(S_::Email))]);
    put(2, &[whole(email_name)]);
    put(3, &[whole(phone_end)]);
    put(4, &[whole(whole_birth), given_sound]);
    put(5, &[whole(whole_birth), surname_sound]);
    let (one, two) = (whole(given), whole(surname));
    put(6, &[one.min(two), one.max(two)]);
    put(7, &[given_sound, surname_sound, whole(year)]);
    put(8, &[whole(postcode), surname_sound]);
    put(9, &[whole(postcode), given_sound]);
    put(10, &[whole(text(S_::Door))]);
    put(11, &[whole(whole_birth), whole(postcode)]);
    put(12, &[whole(city), surname_sound, start(given, 1)]);
    put(13, &[whole(given), whole(day)]);
    put(14, &[whole(surname), whole(day)]);
    put(15, &[start(given, 3), start(surname, 4)]);
    put(16, &[whole(whole_birth)]);
    put(17, &[whole(text(S_::Street)), start(given, 2)]);
    put(18, &[whole(surname)]);
    put(19, &[whole(given)]);
    put(20, &[whole(place), surname_sound]);
    put(21, &[whole(place), given_sound, whole(year)]);
    for slot in [S_::Text0, S_::Text1] {
        for word in text(slot).split(' ').filter(|word| word.len() > 2) {
            put(22, &[slot as u64 + 1, whole(word)]);
        }
    }
    let rest = [S_::Category0, S_::Category1, S_::Category2, S_::Category3, S_::Text0].map(|slot| whole(text(slot)));
    if given.is_empty() && surname.is_empty() && rest.iter().any(|part| *part != 0) {
        put(23, &rest.map(|part| part | 1));
    }
    put(24, &[whole(city), whole(year), whole(birth.get(4..6).unwrap_or(""))]);
    put(25, &[whole(postcode), whole(text(S_::Street))]);
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
    let mut keys: Vec<Vec<(u64, u32)>> = vec![Vec::new(); RULES.len()];
    let mut pairs: Vec<u64> = Vec::new();
    let mut reports = Vec::with_capacity(RULES.len());
    let budget =
        |share: f64| (limits.pairs_per_record * share * table.len() as f64).max(limits.least_pairs as f64) as u64;
    // A few rules at a time: all keys at once would be the largest thing in memory.
    const AT_ONCE: usize = 13;
    for first in (0..RULES.len()).step_by(AT_ONCE) {
        let here = first..(first + AT_ONCE).min(RULES.len());
        for row in 0..table.len() as u32 {
            keys_of(&table.row(row), |rule, key| {
                if here.contains(&usize::from(rule))
                    && let Some(of_rule) = keys.get_mut(usize::from(rule))
                {
                    of_rule.push((key, row));
                }
            });
        }
        for rule in here {
            let share = if WEAK.iter().any(|weak| usize::from(*weak) == rule) { SHARE_OF_WEAK } else { 1.0 };
            let of_rule = keys.get_mut(rule).map(std::mem::take).unwrap_or_default();
            reports.push(propose(of_rule, table, limits.max_block, budget(share), &mut pairs));
        }
        pairs.sort_unstable();
        pairs.dedup();
    }
    (pairs, reports)
}

fn propose(mut keys: Vec<(u64, u32)>, table: &Table, max_block: u32, budget: u64, pairs: &mut Vec<u64>) -> RuleReport {
    keys.sort_unstable();
    let mut of_size = vec![0_u64; max_block as usize + 1];
    let mut report = RuleReport::default();
    for block in keys.chunk_by(|a, b| a.0 == b.0) {
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
    for block in keys.chunk_by(|a, b| a.0 == b.0).filter(|block| block.len() > 1 && block.len() <= largest) {
        for (place, (_, left)) in block.iter().enumerate() {
            for (_, right) in block.iter().skip(place + 1) {
                if left != right && table.may_match(*left, *right) {
                    pairs.push(u64::from(*left.min(right)) << 32 | u64::from(*left.max(right)));
                    report.n_pairs += 1;
                }
            }
        }
    }
    report.largest_block_used = largest as u32;
    report
}
