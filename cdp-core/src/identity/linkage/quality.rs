//! Whether a model may be trusted to link without a person looking: a verdict with its reasons, found without labels.

use super::compare::Comparison;
use super::model::LinkageModel;

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
    /// What two records that agree in everything weigh, in bits.
    pub weight_of_full_agreement: f64,
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
}

const LEAST_PRECISION: f64 = 0.9;
const LEAST_COHERENCE: f64 = 0.25;

pub(crate) fn judge(model: &LinkageModel, measured: Measured) -> ModelQuality {
    let mut reasons = Vec::new();
    let mut verdict = Verdict::Green;
    let mut because = |found: Verdict, reason: String| {
        verdict = verdict.max(found);
        reasons.push(reason);
    };
    let full: f64 = model.fields.iter().map(|field| field.weight(1)).sum();
    let prior = libm::log2(model.match_share / (1.0 - model.match_share));
    let n = model.n_records as f64;
    let expected_matches = model.match_share * measured.n_pairs;
    if model.fields.is_empty() {
        because(Verdict::Red, "no column could be compared".to_owned());
    } else if model.n_records >= 2 && full + prior < 3.0 {
        because(
            Verdict::Red,
            "even records that agree in everything would be doubtful: the columns say too little".to_owned(),
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
        let best = (2..field.m.len()).map(|level| field.m.get(level - 1).zip(field.u.get(level - 1)));
        let best = best.flatten().map(|(m, u)| libm::log2(m / u)).fold(f64::MIN, f64::max);
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
        weight_of_full_agreement: full + prior,
    }
}
