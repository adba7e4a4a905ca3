//! Makes probabilities honest: of the profiles that get 0.8, eight of ten should be right.
//!
//! A softmax with an L2 penalty is too timid on text (on 150 intents, the mean error of its confidence was 0.11). One
//! factor on all logits mends that (temperature scaling: Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural
//! Networks, 2017, section 4.2) and changes no order, so accuracy stays. The factor must come from rows that training
//! did not see: takes the counts and labels, holds out stratified folds, leaves the temperature and what was held out.

use super::exponential::softmax;
use super::linear::{LabelledRows, LinearModel, SparseLogistic, greatest};
use super::text::Vectorizer;
use crate::error::Result;

/// The generator SplitMix64 (Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, 2014): equal seeds
/// give equal numbers everywhere.
#[derive(Clone, Debug)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A generator with this seed.
    pub fn new(seed: u64) -> SplitMix64 {
        SplitMix64 { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number less than `bound` (0 for a bound of 0), by multiplication; its bias is less than bound / 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

/// What calibration found on rows that training did not see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// What logits are divided by.
    pub temperature: f64,
    /// How many rows were held out.
    pub rows: u64,
    /// The share of them that got their own class.
    pub accuracy: f64,
}

/// The number of folds, of which some are held out.
const FOLDS: u32 = 5;
/// With fewer rows a temperature says more about chance than about the model.
const LEAST_ROWS: usize = 50;
/// One factor is known well enough from this many rows; further folds would only cost time.
const ENOUGH_ROWS: usize = 1000;
/// Logits are multiplied by a factor within these bounds: a small held-out part without error would ask for infinity.
const FACTORS: (f64, f64) = (0.2, 5.0);

/// What calibration found, and the model of the first held-out fold's other rows.
pub(super) struct Calibrated {
    pub(super) calibration: Calibration,
    pub(super) model: LinearModel,
    /// Of every held-out row how many terms are known, how sure the model is, and the number of the class it gives.
    pub(super) seen: Vec<(usize, f64, usize)>,
}

/// Fits a temperature on held-out folds, each predicted by a model of the others; `None` where there are too few rows.
///
/// `n_held_out` of five folds are held out, or as many as it takes to hold out a thousand rows. The rows are counts;
/// document frequencies are those of the rows each model is trained on; only the choice of terms has seen all.
pub(super) fn calibrate(
    vectorizer: &Vectorizer,
    rows: &LabelledRows<'_>,
    options: &SparseLogistic,
    n_held_out: Option<u32>,
) -> Result<Option<Calibrated>> {
    let LabelledRows { records: counts, labels, n_classes, weights } = *rows;
    if labels.len() < LEAST_ROWS || n_held_out == Some(0) {
        return Ok(None);
    }
    let enough = (ENOUGH_ROWS * FOLDS as usize).div_ceil(labels.len());
    let n_held_out = n_held_out.unwrap_or_else(|| u32::try_from(enough).unwrap_or(FOLDS)).clamp(1, FOLDS);
    let folds = stratified_folds(labels, n_classes, FOLDS, 0);
    let (mut logits, mut answers) = (Vec::new(), Vec::new());
    let mut first = None;
    let mut n_known = Vec::new();
    for held_out in 0..n_held_out {
        let is_held_out = |fold: &Option<u32>| *fold == Some(held_out);
        let part = |wanted: bool| {
            counts.rows().zip(&folds).filter(move |(_, fold)| is_held_out(fold) == wanted).map(|(row, _)| row)
        };
        let part_labels = |wanted: bool| -> Vec<u32> {
            labels.iter().zip(&folds).filter(|(_, fold)| is_held_out(fold) == wanted).map(|(label, _)| *label).collect()
        };
        let part_weights: Option<Vec<f64>> = weights.map(|weights| {
            weights.iter().zip(&folds).filter(|(_, fold)| !is_held_out(fold)).map(|(weight, _)| *weight).collect()
        });
        let training = vectorizer.weigh_subset(part(false), part(false))?;
        let training_labels = part_labels(false);
        let others =
            LabelledRows { records: &training, labels: &training_labels, n_classes, weights: part_weights.as_deref() };
        let model = options.train_from(&others, None)?;
        let testing = vectorizer.weigh_subset(part(false), part(true))?;
        // A row without a known term is unassigned; it carries no information about the weights.
        for ((columns, values), label) in testing.rows().zip(part_labels(true)) {
            if !columns.is_empty() {
                logits.extend(row_logits(&model, columns, values));
                answers.push(label);
                n_known.push(columns.len());
            }
        }
        first.get_or_insert(model);
    }
    let Some(model) = first.filter(|_| !answers.is_empty()) else { return Ok(None) };
    let is_right = |(logits, answer): &(&[f64], &u32)| greatest(logits) == Some(**answer as usize);
    let right = logits.chunks_exact(n_classes).zip(&answers).filter(is_right).count();
    let temperature = fit_temperature(&logits, &answers, n_classes);
    let seen = logits.chunks_exact_mut(n_classes).zip(n_known).map(|(row, n_known)| {
        row.iter_mut().for_each(|logit| *logit /= temperature);
        softmax(row);
        let given = greatest(row).unwrap_or(0);
        (n_known, row.get(given).copied().unwrap_or(0.0), given)
    });
    let seen = seen.collect();
    let calibration =
        Calibration { temperature, rows: answers.len() as u64, accuracy: right as f64 / answers.len() as f64 };
    Ok(Some(Calibrated { calibration, model, seen }))
}

fn row_logits(model: &LinearModel, columns: &[u32], values: &[f64]) -> Vec<f64> {
    let mut logits = Vec::with_capacity(model.n_classes);
    model.logits(columns, values, &mut logits);
    logits
}

/// The fold of each row, the classes spread evenly. The only row of a class has no fold: it is never held out.
pub fn stratified_folds(labels: &[u32], n_classes: usize, n_folds: u32, seed: u64) -> Vec<Option<u32>> {
    let mut random = SplitMix64::new(seed);
    let mut rows_of_class: Vec<Vec<usize>> = vec![Vec::new(); n_classes];
    for (row, label) in labels.iter().enumerate() {
        if let Some(rows) = rows_of_class.get_mut(*label as usize) {
            rows.push(row);
        }
    }
    let mut folds = vec![None; labels.len()];
    let mut next = 0;
    for rows in rows_of_class.iter_mut().filter(|rows| rows.len() > 1) {
        for unshuffled in (1..rows.len()).rev() {
            rows.swap(unshuffled, random.below(unshuffled as u64 + 1) as usize);
        }
        for row in rows.iter() {
            if let Some(fold) = folds.get_mut(*row) {
                *fold = Some(next);
            }
            next = (next + 1) % n_folds.max(1);
        }
    }
    folds
}

/// The temperature at which the log loss of these logits is least, from 0.2 to 5.
///
/// The loss is convex in the factor `1 / temperature`: Newton's method inside a bracket that halves where Newton leaves
/// it.
pub fn fit_temperature(logits: &[f64], labels: &[u32], n_classes: usize) -> f64 {
    let (mut low, mut high) = FACTORS;
    let mut factor = 1.0;
    for _ in 0..60 {
        let (slope, curvature) = slope_and_curvature(logits, labels, n_classes, factor);
        if slope > 0.0 {
            high = factor;
        } else {
            low = factor;
        }
        let newton = factor - slope / curvature;
        let next = if (low..=high).contains(&newton) { newton } else { 0.5 * (low + high) };
        if (next - factor).abs() <= 1e-10 {
            break;
        }
        factor = next;
    }
    1.0 / factor
}

/// The first and second derivative of the log loss by the factor on the logits.
fn slope_and_curvature(logits: &[f64], labels: &[u32], n_classes: usize, factor: f64) -> (f64, f64) {
    let (mut slope, mut curvature) = (0.0, 0.0);
    let mut shares = Vec::with_capacity(n_classes);
    for (row, label) in logits.chunks_exact(n_classes.max(1)).zip(labels) {
        shares.clear();
        shares.extend(row.iter().map(|logit| logit * factor));
        softmax(&mut shares);
        let mean: f64 = shares.iter().zip(row).map(|(share, logit)| share * logit).sum();
        let variance: f64 = shares.iter().zip(row).map(|(share, logit)| share * (logit - mean) * (logit - mean)).sum();
        slope += mean - row.get(*label as usize).copied().unwrap_or(0.0);
        curvature += variance;
    }
    (slope, curvature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_loss(logits: &[f64], labels: &[u32], n_classes: usize, temperature: f64) -> f64 {
        let rows = logits.chunks_exact(n_classes).zip(labels);
        rows.map(|(row, label)| {
            let mut scaled: Vec<f64> = row.iter().map(|logit| logit / temperature).collect();
            let own = scaled[*label as usize];
            softmax(&mut scaled) - own
        })
        .sum()
    }

    #[test]
    fn the_generator_gives_the_numbers_of_its_paper() {
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_temperature_has_the_least_loss() {
        let mut random = SplitMix64::new(3);
        let labels: Vec<u32> = (0..300).map(|row| row % 3).collect();
        let mut logits = Vec::new();
        for label in &labels {
            for class in 0..3 {
                let noise = random.below(1000) as f64 / 200.0;
                logits.push(noise + if class == *label { 1.0 } else { 0.0 });
            }
        }
        let temperature = fit_temperature(&logits, &labels, 3);
        assert!((0.21..=4.9).contains(&temperature), "{temperature}");
        let least = log_loss(&logits, &labels, 3, temperature);
        for other in [temperature * 1.01, temperature / 1.01, 1.0] {
            assert!(least <= log_loss(&logits, &labels, 3, other));
        }
    }

    #[test]
    fn rows_without_error_do_not_ask_for_infinite_confidence() {
        let temperature = fit_temperature(&[1.0, 0.0, 0.0, 1.0], &[0, 1], 2);
        assert!((temperature - 0.2).abs() < 1e-6, "{temperature}");
        let temperature = fit_temperature(&[1.0, 0.0, 0.0, 1.0], &[1, 0], 2);
        assert!((temperature - 5.0).abs() < 1e-6, "{temperature}");
        assert!(fit_temperature(&[0.0, 0.0], &[1], 2).is_finite());
    }

    #[test]
    fn folds_spread_each_class_evenly() {
        let labels: Vec<u32> = (0..103).map(|row| if row == 50 { 2 } else { row % 2 }).collect();
        let folds = stratified_folds(&labels, 3, 5, 9);
        assert_eq!(folds, stratified_folds(&labels, 3, 5, 9));
        assert_eq!(folds[50], None);
        for class in 0..2 {
            for fold in 0..5 {
                let rows = labels.iter().zip(&folds).filter(|(label, of)| **label == class && **of == Some(fold));
                assert!((10..=11).contains(&rows.count()));
            }
        }
    }
}
