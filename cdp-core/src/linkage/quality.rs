//! Whether a model may be trusted to link without a person looking: a verdict with its reasons, found without labels.

use super::compare::{Comparison, level_of};
use super::model::{Field, LinkageModel, probability};
use super::train::Counted;
use crate::records::{Object, Value};

/// What a model may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Links may be made automatically.
    Green,
    /// Links are made; a person should look at some.
    Yellow,
    /// Nothing is linked automatically.
    Red,
}

impl Verdict {
    /// `green`, `yellow` or `red`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Green => "green",
            Verdict::Yellow => "yellow",
            Verdict::Red => "red",
        }
    }

    /// The verdict of a word.
    pub(crate) fn parse(word: &str) -> Option<Verdict> {
        [Verdict::Green, Verdict::Yellow, Verdict::Red].into_iter().find(|verdict| verdict.as_str() == word)
    }
}

/// The verdict about a model, and what led to it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelQuality {
    /// What it may be used for.
    pub verdict: Verdict,
    /// Why, each as a sentence without personal values.
    pub reasons: Vec<String>,
    /// How many records.
    pub n_records: u64,
    /// How many pairs were looked at.
    pub n_pairs_compared: u64,
    /// How many matching pairs the model expects.
    pub expected_matches: f64,
    /// Share of the links of the band `auto` that the model expects to be right; 1 without links.
    pub expected_precision: f64,
    /// Share of the pairs within components of likely links that are likely themselves: strangers chained by chance are not.
    pub coherence: f64,
    /// Share of matches that blocking is expected to find: how many pairs one rule finds again that others found.
    pub expected_recall_of_blocking: f64,
    /// The most records in one cluster.
    pub largest_cluster: u64,
    /// How many matches a field that was left out confirms, of those that the other fields expect: the least of the fields
    /// that distinguish people. About 1 for a good model; `None` where too few pairs are likely without a field.
    pub held_out: Option<f64>,
    /// What two records that agree in everything weigh, in bits.
    pub weight_of_full_agreement: f64,
}

impl ModelQuality {
    /// The figures as JSON, by the names of the fields; `held_out` is null where it is not known.
    pub fn to_object(&self) -> Object {
        let count = |n: u64| Value::count(n as usize);
        let fields = [
            ("verdict", Value::from(self.verdict.as_str())),
            ("reasons", Value::List(self.reasons.iter().map(|reason| Value::from(reason.as_str())).collect())),
            ("records", count(self.n_records)),
            ("pairs_compared", count(self.n_pairs_compared)),
            ("expected_matches", Value::float(self.expected_matches)),
            ("expected_precision", Value::float(self.expected_precision)),
            ("coherence", Value::float(self.coherence)),
            ("expected_recall_of_blocking", Value::float(self.expected_recall_of_blocking)),
            ("largest_cluster", count(self.largest_cluster)),
            ("held_out", self.held_out.map_or(Value::Null, Value::float)),
            ("weight_of_full_agreement", Value::float(self.weight_of_full_agreement)),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// What was measured while linking.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) n_pairs_compared: u64,
    pub(crate) expected_precision: f64,
    pub(crate) coherence: f64,
    pub(crate) n_coherence: u64,
    pub(crate) recall: f64,
    pub(crate) n_pairs: f64,
    pub(crate) full_agreement: f64,
}

/// How many of the matches that a model expects without a field are confirmed by that field, and by which.
///
/// The pairs that the other fields call likely are matches, which seldom differ in the field, and others, which nearly always
/// do: how many differ says how many are matches. Labels are not needed, and a model that believes in chance agreements,
/// in copied columns or in fields that are something else is contradicted.
pub(crate) fn held_out(model: &LinkageModel, patterns: &Counted) -> Option<(f64, Comparison)> {
    let weights = model.weights();
    let mut least: Option<(f64, Comparison)> = None;
    for (place, field) in model.fields.iter().enumerate() {
        if !tells_apart(field.comparison) {
            continue;
        }
        let different = field.comparison.different();
        let share = |shares: &[f64]| shares.get(different - 1).copied().unwrap_or(0.0);
        let (of_matches, of_others) = (share(&field.m), share(&field.u));
        let (mut n, mut n_different, mut expected) = (0.0, 0.0, 0.0);
        for (pattern, count) in patterns {
            let level = level_of(*pattern, place);
            if level == 0 {
                continue;
            }
            let chance = probability(weights.parts(model, pattern & !(15 << (4 * place)), |_| 0.0, |_, _| {}));
            if chance >= 0.5 {
                n += count;
                n_different += if level == different { *count } else { 0.0 };
                expected += count * chance;
            }
        }
        if n >= LEAST_HELD_OUT && of_others - of_matches > 0.2 {
            let confirmed = (of_others * n - n_different) / (of_others - of_matches);
            let share = confirmed / expected;
            if least.is_none_or(|(least, _)| share < least) {
                least = Some((share, field.comparison));
            }
        }
    }
    least
}

fn tells_apart(comparison: Comparison) -> bool {
    matches!(comparison, Comparison::Given | Comparison::Surname | Comparison::Birth | Comparison::NationalId)
}

/// Whether a column distinguishes people of one household: by its role, and because strangers seldom share its values.
fn is_of_one_person(field: &Field) -> bool {
    let most = match field.comparison {
        Comparison::Email | Comparison::NationalId => MOST_SHARED_OF_NUMBERS,
        Comparison::Text(_) => MOST_SHARED,
        comparison if comparison.is_personal() => MOST_SHARED,
        _ => return false,
    };
    field.u.first().is_some_and(|shared| *shared < most)
}

// The chance that two strangers are equal: above it a name is hardly one, and a number that a person alone should have is none.
const MOST_SHARED: f64 = 0.3;
const MOST_SHARED_OF_NUMBERS: f64 = 0.01;
// Eight to one: below it nothing could be linked automatically that has not a rare text too.
const LEAST_FULL_AGREEMENT: f64 = 3.0;
const LEAST_HELD_OUT: f64 = 30.0;
// Where a field takes back more than half of the matches, an expected match is more likely none.
const LEAST_CONFIRMED: f64 = 0.75;
const LEAST_CONFIRMED_OF_ALL: f64 = 0.5;
const LEAST_PRECISION: f64 = 0.9;
const LEAST_COHERENCE: f64 = 0.25;

pub(crate) fn judge(model: &LinkageModel, patterns: &Counted, measured: Measured) -> ModelQuality {
    let held_out = held_out(model, patterns);
    let mut reasons = Vec::new();
    let mut verdict = Verdict::Green;
    let mut because = |found: Verdict, reason: String| {
        verdict = verdict.max(found);
        reasons.push(reason);
    };
    let full = measured.full_agreement;
    let n = model.n_records as f64;
    let expected_matches = model.match_share * measured.n_pairs;
    if model.fields.is_empty() {
        because(Verdict::Red, "no column could be compared".to_owned());
    } else if model.n_records >= 2 && full < LEAST_FULL_AGREEMENT {
        because(
            Verdict::Red,
            "even records that agree in everything would be doubtful: the columns say too little".to_owned(),
        );
    } else if !model.fields.iter().any(is_of_one_person) {
        because(
            Verdict::Red,
            "no column tells people of one household apart: a given name, a birth date, an email or a number is needed"
                .to_owned(),
        );
    }
    if let Some((share, comparison)) = held_out.filter(|(share, _)| *share < LEAST_CONFIRMED) {
        let bad = if share < LEAST_CONFIRMED_OF_ALL { Verdict::Red } else { Verdict::Yellow };
        because(
            bad,
            format!(
                "of the matches that the other columns expect, `{}` confirms {:.0} %",
                comparison.name(),
                share.max(0.0) * 100.0
            ),
        );
    }
    if measured.expected_precision < LEAST_PRECISION {
        because(
            Verdict::Yellow,
            format!("{:.0} % of the automatic links are expected to be right", measured.expected_precision * 100.0),
        );
    }
    if measured.n_coherence > 200 && measured.coherence < LEAST_COHERENCE {
        let bad = if measured.coherence < LEAST_COHERENCE / 4.0 { Verdict::Red } else { Verdict::Yellow };
        because(
            bad,
            format!(
                "likely links chain unlike records: {:.0} % of the pairs they imply are likely",
                measured.coherence * 100.0
            ),
        );
    }
    if model.n_records > 100 && expected_matches > 30.0 * n {
        because(Verdict::Yellow, "more than sixty records of one person on average".to_owned());
    }
    for field in &model.fields {
        // Levels that matches reach at all: others keep what was assumed of them.
        let is_seen = |(m, _): &(&f64, &f64)| **m * expected_matches >= LEAST_HELD_OUT;
        let best = (2..field.m.len()).map(|level| field.m.get(level - 1).zip(field.u.get(level - 1)));
        let best = best.flatten().filter(is_seen).map(|(m, u)| libm::log2(m / u)).fold(f64::MIN, f64::max);
        let exact = field.m.first().zip(field.u.first()).map_or(0.0, |(m, u)| libm::log2(m / u));
        let has_order =
            !matches!(field.comparison, Comparison::Given | Comparison::Email | Comparison::Area | Comparison::Street);
        if has_order && exact + 3.0 < best {
            because(
                Verdict::Yellow,
                format!("in `{}` similar values say more than equal ones", field.comparison.name()),
            );
        }
    }
    if measured.recall < 0.6 && expected_matches > 20.0 {
        because(Verdict::Yellow, format!("blocking may find {:.0} % of the matches only", measured.recall * 100.0));
    }
    ModelQuality {
        verdict,
        reasons,
        n_records: model.n_records,
        n_pairs_compared: measured.n_pairs_compared,
        expected_matches,
        expected_precision: measured.expected_precision,
        coherence: measured.coherence,
        expected_recall_of_blocking: measured.recall,
        largest_cluster: 0,
        held_out: held_out.map(|(share, _)| share),
        weight_of_full_agreement: full,
    }
}
