//! Learns a model from unlabelled records: u from counts and seeded random pairs, m and the priors by EM over patterns.
//!
//! The share of matches is taken over ALL pairs, not over the proposed ones: with a free prior EM runs away on tables where
//! most proposed pairs look alike. Records of one person also meet in random pairs; what they add to u is taken out again.
//! Weak prior shares keep small and empty tables sane.

use libm::{exp, log, log2};

use super::compare::{Comparison, MAX_COMPARISONS, Pattern, level_of, pattern_of};
use super::model::{Dependence, Field, Frequencies, LinkageModel, agrees};
use super::parsed::Slot;
use super::table::Table;

/// Patterns with how often each occurs, in order.
pub(crate) type Counted = Vec<(Pattern, f64)>;

pub(crate) fn counted(mut patterns: Vec<Pattern>) -> Counted {
    patterns.sort_unstable();
    patterns.chunk_by(|a, b| a == b).filter_map(|same| Some((*same.first()?, same.len() as f64))).collect()
}

/// Patterns in order, so that sums over them do not depend on where they were found first.
pub(crate) fn in_order(patterns: &Counted) -> Counted {
    let mut patterns = patterns.clone();
    patterns.sort_unstable_by_key(|(pattern, _)| *pattern);
    patterns
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(mixed ^ (mixed >> 31)) * u128::from(n)) >> 64) as u64
    }
}

const RANDOM_PAIRS: u64 = 600_000;

/// Patterns of random pairs, of all pairs where there are few.
pub(crate) fn random_patterns(table: &Table, comparisons: &[Comparison], seed: u64) -> Counted {
    let n = table.len() as u64;
    let mut patterns = Vec::new();
    let mut add = |left: u32, right: u32| {
        if left != right && table.may_match(left, right) {
            patterns.push(pattern_of(comparisons, &table.row(left.min(right)), &table.row(left.max(right))));
        }
    };
    if n * n.saturating_sub(1) / 2 <= RANDOM_PAIRS {
        for left in 0..n as u32 {
            for right in left + 1..n as u32 {
                add(left, right);
            }
        }
    } else {
        let mut random = Random(seed ^ 0x6c69_6e6b);
        for _ in 0..RANDOM_PAIRS {
            let (left, right) = (random.below(n), random.below(n));
            add(left as u32, right as u32);
        }
    }
    counted(patterns)
}

// How many pairs the shares that are assumed before data is seen count for.
const U_PRIOR_PAIRS: f64 = 300.0;
const M_PRIOR_PAIRS: f64 = 20.0;
const H_PRIOR_PAIRS: f64 = 20.0;
const LEAST_SHARE: f64 = 1e-7;

/// The chance that two records have the same text in a slot, and between how many pairs it was counted.
fn same_by_counts(table: &Table, slot: Slot) -> (f64, f64) {
    let counts = table.dictionary(slot).counts();
    let (n, same) = counts.iter().fold((0.0, 0.0), |(n, same), count| {
        let count = f64::from(*count);
        (n + count, same + count * (count - 1.0))
    });
    let pairs = n * (n - 1.0);
    if pairs > 0.0 { (same / pairs, pairs / 2.0) } else { (0.0, 0.0) }
}

/// Shares of levels among all pairs, matches included.
fn shares_of_all(table: &Table, random: &Counted, place: usize, comparison: Comparison) -> Vec<f64> {
    let prior = comparison.prior();
    let mut hits = vec![0.0; prior.len()];
    for (pattern, n) in random {
        if let Some(hit) = level_of(*pattern, place).checked_sub(1).and_then(|level| hits.get_mut(level)) {
            *hit += n;
        }
    }
    let total: f64 = hits.iter().sum();
    let mut shares: Vec<f64> =
        hits.iter().zip(prior).map(|(hit, (u, _))| (hit + U_PRIOR_PAIRS * u) / (total + U_PRIOR_PAIRS)).collect();
    // Full agreement is counted, not sampled, where one text decides it.
    let counted = match comparison {
        Comparison::Area | Comparison::Text(_) => None,
        _ => comparison.frequency_slot(1),
    };
    if let (Some(slot), Some(first), Some((u, _))) = (counted, shares.first().copied(), prior.first()) {
        let (same, pairs) = same_by_counts(table, slot);
        let exact = (same * pairs + U_PRIOR_PAIRS * u) / (pairs + U_PRIOR_PAIRS);
        let rest = (1.0 - exact) / (1.0 - first).max(LEAST_SHARE);
        for (level, share) in shares.iter_mut().enumerate() {
            *share = if level == 0 { exact } else { *share * rest };
        }
    }
    shares
}

/// What EM works on.
struct Em {
    fields: Vec<Field>,
    all: Vec<Vec<f64>>,
    match_share: f64,
    household_share: f64,
    n_pairs: f64,
    n_records: f64,
    has_households: bool,
}

impl Em {
    /// Strangers are all pairs without the matches.
    fn correct_u(&mut self) {
        for (field, all) in self.fields.iter_mut().zip(&self.all) {
            for ((u, all), m) in field.u.iter_mut().zip(all).zip(&field.m) {
                let without = (all - self.match_share * m) / (1.0 - self.match_share);
                *u = without.max(all * 0.1).max(LEAST_SHARE);
            }
            if !(self.has_households && field.comparison.is_shared_at_home()) {
                field.h.clone_from(&field.u);
            }
        }
    }

    fn step(&mut self, proposed: &Counted, dependences: &[Dependence]) -> f64 {
        let strangers = (1.0 - self.match_share - self.household_share).max(1e-9);
        let log_ratios = |of: &[f64], u: &[f64]| -> Vec<f64> { of.iter().zip(u).map(|(of, u)| log(of / u)).collect() };
        let m_ratios: Vec<Vec<f64>> = self.fields.iter().map(|field| log_ratios(&field.m, &field.u)).collect();
        let h_ratios: Vec<Vec<f64>> = self.fields.iter().map(|field| log_ratios(&field.h, &field.u)).collect();
        let empty =
            |fields: &[Field]| -> Vec<Vec<f64>> { fields.iter().map(|field| vec![0.0; field.m.len()]).collect() };
        let (mut of_matches, mut of_households) = (empty(&self.fields), empty(&self.fields));
        let (mut matches, mut households) = (0.0, 0.0);
        let (match_start, household_start) =
            (log(self.match_share / strangers), log(self.household_share.max(1e-300) / strangers));
        for (pattern, n) in proposed {
            let (mut to_match, mut to_household) = (match_start, household_start);
            for (place, (m, h)) in m_ratios.iter().zip(&h_ratios).enumerate() {
                if let Some(level) = level_of(*pattern, place).checked_sub(1) {
                    to_match += m.get(level).copied().unwrap_or(0.0);
                    to_household += h.get(level).copied().unwrap_or(0.0);
                }
            }
            for dependence in dependences {
                if both_agree(&self.fields, *pattern, dependence) {
                    to_match -= dependence.bits * std::f64::consts::LN_2;
                    to_household -= dependence.bits * std::f64::consts::LN_2;
                }
            }
            let most = to_match.max(to_household).max(0.0);
            let (a, b, c) = (exp(to_match - most), exp(to_household - most), exp(-most));
            let (is_match, is_household) = (n * a / (a + b + c), n * b / (a + b + c));
            matches += is_match;
            households += is_household;
            for (place, (m, h)) in of_matches.iter_mut().zip(&mut of_households).enumerate() {
                if let Some(level) = level_of(*pattern, place).checked_sub(1) {
                    m.get_mut(level).into_iter().for_each(|share| *share += is_match);
                    h.get_mut(level).into_iter().for_each(|share| *share += is_household);
                }
            }
        }
        let mut change: f64 = 0.0;
        let mut update = |shares: &mut [f64], found: &[f64], prior: &[f64], weight: f64| {
            let total: f64 = found.iter().sum();
            for ((share, found), prior) in shares.iter_mut().zip(found).zip(prior) {
                let renewed = ((found + weight * prior) / (total + weight)).max(LEAST_SHARE);
                change = change.max((renewed - *share).abs());
                *share = renewed;
            }
        };
        for ((field, m), h) in self.fields.iter_mut().zip(&of_matches).zip(&of_households) {
            let prior: Vec<f64> = field.comparison.prior().iter().map(|(_, m)| *m).collect();
            update(&mut field.m, m, &prior, M_PRIOR_PAIRS);
            if self.has_households && field.comparison.is_shared_at_home() {
                update(&mut field.h, h, &household_prior(field.comparison), H_PRIOR_PAIRS);
                // A person may have moved out, changed the name or the number.
                at_least(&mut field.h, field.comparison.different(), LEAST_APART);
            }
            at_most(&mut field.m, field.comparison.different(), most_different(field.comparison));
            at_least(&mut field.m, 1, least_equal(field.comparison));
        }
        let few = (0.02 * self.n_records).min(2.0);
        let renewed = ((matches + few) / (self.n_pairs + 2.0 * few)).clamp(1e-13, 0.6);
        change = change.max(((renewed - self.match_share) / self.match_share).abs().min(1.0) * 0.05);
        self.match_share = renewed;
        if self.has_households {
            self.household_share = ((households + few) / (self.n_pairs + 2.0 * few)).clamp(1e-13, 0.3);
        }
        self.correct_u();
        change
    }

    fn run(&mut self, proposed: &Counted, dependences: &[Dependence]) {
        for _ in 0..200 {
            if self.step(proposed, dependences) < 1e-5 {
                break;
            }
        }
    }
}

// The share of people of one household that do not share a thing that households share.
const LEAST_APART: f64 = 0.04;

/// Where records of one person disagree more often than this, the class of matches has taken in others.
fn most_different(comparison: Comparison) -> f64 {
    match comparison {
        Comparison::Birth => 0.10,
        Comparison::Given | Comparison::Surname | Comparison::NationalId => 0.2,
        Comparison::Text(_) => 0.4,
        _ => 0.6,
    }
}

/// Where records of one person are equal less often than this, the same has happened.
fn least_equal(comparison: Comparison) -> f64 {
    match comparison {
        Comparison::Given | Comparison::Surname | Comparison::Birth | Comparison::NationalId => 0.4,
        _ => 0.0,
    }
}

/// Sets the share of a level and scales the others to what is left.
fn set_share(shares: &mut [f64], level: usize, to: f64) {
    let Some(now) = level.checked_sub(1).and_then(|place| shares.get(place)).copied() else { return };
    let rest = (1.0 - to) / (1.0 - now).max(1e-9);
    for (place, share) in shares.iter_mut().enumerate() {
        *share = if place + 1 == level { to } else { *share * rest };
    }
}

fn at_most(shares: &mut [f64], level: usize, most: f64) {
    if level.checked_sub(1).and_then(|place| shares.get(place)).is_some_and(|share| *share > most) {
        set_share(shares, level, most);
    }
}

fn at_least(shares: &mut [f64], level: usize, least: f64) {
    if level.checked_sub(1).and_then(|place| shares.get(place)).is_some_and(|share| *share < least) {
        set_share(shares, level, least);
    }
}

fn household_prior(comparison: Comparison) -> Vec<f64> {
    match comparison {
        // Members of a household rarely share an address of email.
        Comparison::Email => vec![0.03, 0.01, 0.01, 0.03, 0.92],
        _ => comparison.prior().iter().map(|(_, m)| *m).collect(),
    }
}

fn both_agree(fields: &[Field], pattern: Pattern, dependence: &Dependence) -> bool {
    let agree = |place: u8| {
        let place = usize::from(place);
        fields.get(place).is_some_and(|field| agrees(field.comparison, level_of(pattern, place)))
    };
    agree(dependence.left) && agree(dependence.right)
}

// Fewer joint agreements than this say nothing about dependence; less than this many bits is left alone.
const LEAST_JOINT: f64 = 40.0;
const LEAST_BITS: f64 = 0.6;

/// Comparisons that agree together among strangers more often than chance: the strongest links that form no cycle, as in
/// the trees of Chow and Liu (1968).
fn dependences(fields: &[Field], random: &Counted, weight: impl Fn(Pattern) -> f64) -> Vec<Dependence> {
    let strangers: Vec<&(Pattern, f64)> = random.iter().filter(|(pattern, _)| weight(*pattern) < 0.0).collect();
    let mut found: Vec<(f64, Dependence)> = Vec::new();
    for (left, one) in fields.iter().enumerate() {
        for (right, two) in fields.iter().enumerate().skip(left + 1) {
            let (mut n, mut n_left, mut n_right, mut joint) = (0.0, 0.0, 0.0, 0.0);
            for (pattern, count) in &strangers {
                let (a, b) = (level_of(*pattern, left), level_of(*pattern, right));
                if a != 0 && b != 0 {
                    let (a, b) = (agrees(one.comparison, a), agrees(two.comparison, b));
                    n += count;
                    n_left += if a { *count } else { 0.0 };
                    n_right += if b { *count } else { 0.0 };
                    joint += if a && b { *count } else { 0.0 };
                }
            }
            if joint >= LEAST_JOINT {
                let bits = log2(joint * n / (n_left * n_right));
                // No more than what the weaker of the two says.
                let most = one.weight(1).min(two.weight(1));
                if bits > LEAST_BITS {
                    let dependence = Dependence { left: left as u8, right: right as u8, bits: bits.min(most) };
                    found.push((joint * bits, dependence));
                }
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.left.cmp(&b.1.left)).then(a.1.right.cmp(&b.1.right)));
    let mut tree: Vec<usize> = (0..fields.len()).collect();
    let mut kept = Vec::new();
    for (_, dependence) in found {
        let of = |place: u8| tree.get(usize::from(place)).copied();
        if let (Some(left), Some(right)) = (of(dependence.left), of(dependence.right))
            && left != right
        {
            tree.iter_mut().filter(|group| **group == right).for_each(|group| *group = left);
            kept.push(dependence);
        }
    }
    kept
}

/// Trains a model on a table and the patterns of its proposed pairs.
pub(crate) fn train(table: &Table, comparisons: &[Comparison], proposed: &Counted, seed: u64) -> LinkageModel {
    let comparisons = comparisons.get(..comparisons.len().min(MAX_COMPARISONS)).unwrap_or_default();
    let random = random_patterns(table, comparisons, seed);
    let all: Vec<Vec<f64>> = comparisons
        .iter()
        .enumerate()
        .map(|(place, comparison)| shares_of_all(table, &random, place, *comparison))
        .collect();
    let fields: Vec<Field> = comparisons
        .iter()
        .zip(&all)
        .map(|(comparison, all)| Field {
            comparison: *comparison,
            m: comparison.prior().iter().map(|(_, m)| *m).collect(),
            u: all.clone(),
            h: if comparison.is_shared_at_home() { household_prior(*comparison) } else { all.clone() },
        })
        .collect();
    let (n_records, n_pairs) = (table.len() as f64, table.n_pairs().max(1.0));
    let has_households = comparisons.iter().any(|comparison| comparison.is_personal())
        && comparisons.iter().filter(|comparison| comparison.is_shared_at_home()).count() >= 2;
    let mut em = Em {
        fields,
        all,
        match_share: (0.25 * n_records / n_pairs).clamp(1e-12, 0.3),
        household_share: if has_households { (0.05 * n_records / n_pairs).clamp(1e-12, 0.1) } else { 0.0 },
        n_pairs,
        n_records,
        has_households,
    };
    em.correct_u();
    em.run(proposed, &[]);
    let frequencies = frequencies(table, &em);
    let mut model = LinkageModel {
        fields: em.fields.clone(),
        match_share: em.match_share,
        household_share: em.household_share,
        records_per_person: 1.0,
        n_records: table.len() as u64,
        seed,
        dependences: Vec::new(),
        frequencies,
    };
    let weights = model.weights();
    let dependences = dependences(&em.fields, &random, |pattern| weights.parts(&model, pattern, |_| 0.0, |_, _| {}));
    if !dependences.is_empty() {
        em.run(proposed, &dependences);
        model.fields.clone_from(&em.fields);
        (model.match_share, model.household_share) = (em.match_share, em.household_share);
        model.frequencies = self::frequencies(table, &em);
    }
    model.dependences = dependences;
    let others = if table.is_one_source() { n_records - 1.0 } else { n_pairs / n_records.max(1.0) * 2.0 };
    model.records_per_person = 1.0 + (model.match_share * others).min(others * 0.5);
    model
}

fn frequencies(table: &Table, em: &Em) -> Vec<Frequencies> {
    let mut slots: Vec<Slot> = Vec::new();
    for field in &em.fields {
        for slot in (1..=field.m.len()).filter_map(|level| field.comparison.frequency_slot(level)) {
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
    }
    let of_slot = |slot: Slot| {
        let dictionary = table.dictionary(slot);
        let (same, pairs) = same_by_counts(table, slot);
        // Where the slot decides full agreement of a comparison, its share without matches is known already.
        let field = em
            .fields
            .iter()
            .find(|field| field.comparison.frequency_slot(1) == Some(slot) && field.comparison != Comparison::Area);
        let corrected = field.and_then(|field| field.u.first()).copied();
        let smoothed = (same * pairs + U_PRIOR_PAIRS * 1e-3) / (pairs + U_PRIOR_PAIRS);
        let mut counts: Vec<(u64, u32)> = (1..=dictionary.len())
            .zip(dictionary.counts())
            .filter(|(_, count)| **count > 1)
            .map(|(number, count)| (dictionary.hash(number), *count))
            .collect();
        counts.sort_unstable();
        Frequencies {
            slot,
            n_filled: dictionary.counts().iter().map(|count| u64::from(*count)).sum(),
            same_by_chance: corrected.unwrap_or(smoothed - em.match_share * 0.8).max(smoothed * 0.1).max(LEAST_SHARE),
            counts,
        }
    };
    slots.into_iter().map(of_slot).collect()
}
