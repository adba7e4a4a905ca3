//! Judges predictions against what turned out to be true.
//!
//! Takes the true classes and the probabilities that a model gave; leaves accuracy, the confusion matrix, precision,
//! recall and F1, log loss, Brier score and how honest the confidence is. What has no value because nothing was predicted
//! or nothing was true counts as 0, as in scikit-learn with `zero_division=0`. A row that the model left unassigned is
//! wrong.

use crate::error::{Error, Result};
use crate::records::Value;

/// How well something is found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// Of the rows that got it, the share that have it.
    pub precision: f64,
    /// Of the rows that have it, the share that got it.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
}

/// How well one class is found.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassMetrics {
    /// The class.
    pub class: String,
    /// Precision, recall and F1.
    pub found: Found,
    /// How many rows have this class.
    pub support: u64,
}

/// The rows whose confidence lies in `(low, high]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// The border below.
    pub low: f64,
    /// The border above.
    pub high: f64,
    /// How many rows there are.
    pub rows: u64,
    /// Their mean confidence; 0 without rows.
    pub confidence: f64,
    /// The share of them that is right, or positive; 0 without rows.
    pub accuracy: f64,
}

/// How well a model predicts.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// How many rows were judged.
    pub rows: u64,
    /// The share that got their own class.
    pub accuracy: f64,
    /// How many rows the model left unassigned.
    pub unassigned: u64,
    /// `confusion[true][predicted]` rows; unassigned rows are in no column.
    pub confusion: Vec<Vec<u64>>,
    /// Each class, in class order.
    pub classes: Vec<ClassMetrics>,
    /// The mean over the classes that occur or were predicted.
    pub macro_average: Found,
    /// Over all rows together; differs from the accuracy only by unassigned rows.
    pub micro_average: Found,
    /// The mean over the classes, each weighted by its rows.
    pub weighted_average: Found,
    /// For k of 1, 3 and 5 below the number of classes: the share whose own class is among the k most probable.
    pub top_k: Vec<(usize, f64)>,
    /// The mean of `-ln(probability of the true class)`; an unassigned row counts as one with equal probabilities.
    pub log_loss: f64,
    /// The mean over the rows of the sum over the classes of the squared difference between probability and truth.
    pub brier: f64,
    /// The expected calibration error: the mean distance of confidence and accuracy over the bins.
    pub calibration_error: f64,
    /// Confidence against accuracy, in 15 bins of equal width.
    pub reliability: Vec<ReliabilityBin>,
}

/// How many bins the calibration error has; the number in the papers it is compared with.
const BINS: usize = 15;
/// The least probability in the log loss, scikit-learn's, so that one wrong certainty does not make it infinite.
const LEAST_PROBABILITY: f64 = f64::EPSILON;
const TOP: [usize; 3] = [1, 3, 5];

/// Judges the probabilities of each row, in class order; an empty row of probabilities is an unassigned one.
///
/// Fails with `invalid` for no rows, different lengths, or a true class that the model does not know.
pub fn evaluate(classes: &[String], truth: &[&str], probabilities: &[Vec<f64>]) -> Result<Metrics> {
    if truth.is_empty() || truth.len() != probabilities.len() {
        return Err(Error::invalid(format!("{} rows have {} true classes", probabilities.len(), truth.len()))
            .with_hint("give at least one row, and one true class for each"));
    }
    let mut confusion = vec![vec![0u64; classes.len()]; classes.len()];
    let mut support = vec![0u64; classes.len()];
    let mut reliability = Reliability::default();
    let mut within = TOP.map(|_| 0u64);
    let (mut right, mut unassigned, mut loss, mut squares) = (0u64, 0u64, 0.0, 0.0);
    for (class, row) in truth.iter().zip(probabilities) {
        let Some(actual) = classes.iter().position(|known| known == class) else {
            return Err(Error::invalid("a true class is not among the classes of the model")
                .with_hint(format!("the model knows: {}", classes.join(", "))));
        };
        if !row.is_empty() && row.len() != classes.len() {
            return Err(Error::invalid(format!("a row has {} probabilities of {} classes", row.len(), classes.len())));
        }
        if let Some(rows) = support.get_mut(actual) {
            *rows += 1;
        }
        let Some(predicted) = super::linear::greatest(row) else {
            unassigned += 1;
            loss += libm::log(classes.len() as f64);
            squares += 1.0 - 1.0 / classes.len() as f64;
            continue;
        };
        if let Some(rows) = confusion.get_mut(actual).and_then(|of_class| of_class.get_mut(predicted)) {
            *rows += 1;
        }
        let is_right = predicted == actual;
        right += u64::from(is_right);
        let probability = |class: usize| row.get(class).copied().unwrap_or(0.0);
        let own = probability(actual);
        loss -= libm::log(own.clamp(LEAST_PROBABILITY, 1.0));
        squares += row.iter().map(|share| share * share).sum::<f64>() + 1.0 - 2.0 * own;
        // Of equal probabilities the first class counts as more probable, as in the prediction.
        let before =
            row.iter().enumerate().filter(|(place, share)| **share > own || (**share == own && *place < actual));
        let rank = before.count();
        within.iter_mut().zip(TOP).for_each(|(rows, k)| *rows += u64::from(rank < k));
        reliability.add(probability(predicted), is_right);
    }
    let n_rows = truth.len() as f64;
    let of_class: Vec<ClassMetrics> = classes
        .iter()
        .enumerate()
        .map(|(index, class)| {
            let hits = confusion.get(index).and_then(|row| row.get(index)).copied().unwrap_or(0);
            let predicted: u64 = confusion.iter().filter_map(|row| row.get(index)).sum();
            let support = support.get(index).copied().unwrap_or(0);
            ClassMetrics { class: class.clone(), found: Found::of(hits, predicted, support), support }
        })
        .collect();
    let is_seen = |index: usize| {
        support.get(index).is_some_and(|rows| *rows > 0)
            || confusion.iter().filter_map(|row| row.get(index)).any(|rows| *rows > 0)
    };
    let seen = of_class.iter().enumerate().filter(|(index, _)| is_seen(*index)).map(|(_, class)| (class.found, 1.0));
    let top = TOP.iter().zip(within).filter(|(k, _)| **k < classes.len());
    Ok(Metrics {
        rows: truth.len() as u64,
        accuracy: right as f64 / n_rows,
        unassigned,
        macro_average: Found::mean(seen),
        micro_average: Found::of(right, truth.len() as u64 - unassigned, truth.len() as u64),
        weighted_average: Found::mean(of_class.iter().map(|class| (class.found, class.support as f64))),
        top_k: top.map(|(k, rows)| (*k, rows as f64 / n_rows)).collect(),
        classes: of_class,
        confusion,
        log_loss: loss / n_rows,
        brier: squares / n_rows,
        calibration_error: reliability.error(n_rows),
        reliability: reliability.bins(),
    })
}

impl Found {
    fn of(hits: u64, given: u64, actual: u64) -> Found {
        Found { precision: ratio(hits, given), recall: ratio(hits, actual), f1: ratio(2 * hits, given + actual) }
    }

    fn mean(weighted: impl Iterator<Item = (Found, f64)>) -> Found {
        let mut sum = Found::default();
        let mut total = 0.0;
        for (found, weight) in weighted {
            sum.precision += found.precision * weight;
            sum.recall += found.recall * weight;
            sum.f1 += found.f1 * weight;
            total += weight;
        }
        let share = |sum: f64| if total > 0.0 { sum / total } else { 0.0 };
        Found { precision: share(sum.precision), recall: share(sum.recall), f1: share(sum.f1) }
    }

    fn to_value(self) -> Value {
        Value::object([
            ("precision", Value::float(self.precision)),
            ("recall", Value::float(self.recall)),
            ("f1", Value::float(self.f1)),
        ])
    }
}

impl Metrics {
    /// The figures as an object.
    pub fn to_value(&self) -> Value {
        let classes = self.classes.iter().map(|class| {
            Value::object([
                ("cohort", Value::from(class.class.as_str())),
                ("precision", Value::float(class.found.precision)),
                ("recall", Value::float(class.found.recall)),
                ("f1", Value::float(class.found.f1)),
                ("support", count(class.support)),
            ])
        });
        let confusion = self.confusion.iter().map(|row| Value::List(row.iter().map(|rows| count(*rows)).collect()));
        let top_k = self.top_k.iter().map(|(k, share)| (k.to_string(), Value::float(*share))).collect();
        Value::object([
            ("rows", count(self.rows)),
            ("unassigned", count(self.unassigned)),
            ("accuracy", Value::float(self.accuracy)),
            ("macro", self.macro_average.to_value()),
            ("micro", self.micro_average.to_value()),
            ("weighted", self.weighted_average.to_value()),
            ("by_k", Value::Object(top_k)),
            ("log_loss", Value::float(self.log_loss)),
            ("brier", Value::float(self.brier)),
            ("calibration_error", Value::float(self.calibration_error)),
            ("reliability", Value::List(self.reliability.iter().copied().map(ReliabilityBin::to_value).collect())),
            ("classes", Value::List(classes.collect())),
            ("confusion", Value::List(confusion.collect())),
        ])
    }
}

impl ReliabilityBin {
    fn to_value(self) -> Value {
        Value::object([
            ("low", Value::float(self.low)),
            ("high", Value::float(self.high)),
            ("rows", count(self.rows)),
            ("confidence", Value::float(self.confidence)),
            ("accuracy", Value::float(self.accuracy)),
        ])
    }
}

/// Rows, how many are right, and the sum of the confidence, by bin.
#[derive(Default)]
struct Reliability {
    bins: [(u64, u64, f64); BINS],
}

impl Reliability {
    fn add(&mut self, confidence: f64, is_right: bool) {
        // A confidence on the border of two bins belongs to the lower one.
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        if let Some((rows, right, total)) = self.bins.get_mut(bin) {
            *rows += 1;
            *right += u64::from(is_right);
            *total += confidence;
        }
    }

    fn error(&self, n_rows: f64) -> f64 {
        self.bins.iter().map(|(_, right, total)| (*right as f64 - total).abs()).sum::<f64>() / n_rows
    }

    fn bins(&self) -> Vec<ReliabilityBin> {
        let border = |bin: usize| bin as f64 / BINS as f64;
        let bins = self.bins.iter().enumerate().map(|(bin, (rows, right, total))| ReliabilityBin {
            low: border(bin),
            high: border(bin + 1),
            rows: *rows,
            confidence: if *rows == 0 { 0.0 } else { total / *rows as f64 },
            accuracy: ratio(*right, *rows),
        });
        bins.collect()
    }
}

/// How well a likelihood separates positive rows from negative ones.
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryMetrics {
    /// How many rows were judged.
    pub rows: u64,
    /// How many of them are positive.
    pub positives: u64,
    /// The chance that a positive row scores above a negative one, ties counting half; absent without both.
    pub roc_auc: Option<f64>,
    /// The area under precision by recall, as scikit-learn's `average_precision_score`; absent without positives.
    pub average_precision: Option<f64>,
    /// The mean of `-ln(probability of what happened)`.
    pub log_loss: f64,
    /// The mean square of the difference between likelihood and what happened.
    pub brier: f64,
    /// The share of positives among the tenth with the greatest scores, divided by their share among all.
    pub lift_at_tenth: Option<f64>,
    /// The lift of the first tenth, the first two, and so on to all; empty without positives.
    pub lift: Vec<f64>,
    /// The mean distance of likelihood and share of positives over the bins.
    pub calibration_error: f64,
    /// Likelihood against the share of positives, in 15 bins of equal width.
    pub reliability: Vec<ReliabilityBin>,
}

/// Judges likelihoods.
///
/// Fails with `invalid` for no rows, different lengths, or a likelihood outside 0 to 1.
pub fn evaluate_binary(truth: &[bool], likelihoods: &[f64]) -> Result<BinaryMetrics> {
    if truth.is_empty() || truth.len() != likelihoods.len() {
        return Err(Error::invalid(format!("{} likelihoods have {} true answers", likelihoods.len(), truth.len())));
    }
    if likelihoods.iter().any(|likelihood| !(0.0..=1.0).contains(likelihood)) {
        return Err(Error::invalid("a likelihood is not from 0 to 1"));
    }
    let mut ranked: Vec<(f64, bool)> = likelihoods.iter().copied().zip(truth.iter().copied()).collect();
    // Among equal scores the negatives stand first, so that no order of the rows flatters the lift.
    ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let positives = truth.iter().filter(|is_positive| **is_positive).count();
    let negatives = truth.len() - positives;
    let (mut above, mut seen, mut area, mut precision_area) = (0usize, 0usize, 0.0, 0.0);
    for tied in ranked.chunk_by(|left, right| left.0 == right.0) {
        let tied_positives = tied.iter().filter(|(_, is_positive)| *is_positive).count();
        area += (tied.len() - tied_positives) as f64 * (above as f64 + tied_positives as f64 / 2.0);
        above += tied_positives;
        seen += tied.len();
        precision_area += tied_positives as f64 * (above as f64 / seen as f64);
    }
    let n_rows = truth.len() as f64;
    let lift = |tenths: usize| {
        let first = (truth.len() * tenths).div_ceil(10);
        let found = ranked.iter().take(first).filter(|(_, is_positive)| *is_positive).count();
        (found as f64 / first as f64) / (positives as f64 / n_rows)
    };
    let loss: f64 = ranked
        .iter()
        .map(|(likelihood, is_positive)| {
            -libm::log(if *is_positive { *likelihood } else { 1.0 - likelihood }.clamp(LEAST_PROBABILITY, 1.0))
        })
        .sum();
    let squares: f64 = ranked
        .iter()
        .map(|(likelihood, is_positive)| {
            let gap = likelihood - f64::from(u8::from(*is_positive));
            gap * gap
        })
        .sum();
    let mut reliability = Reliability::default();
    ranked.iter().for_each(|(likelihood, is_positive)| reliability.add(*likelihood, *is_positive));
    Ok(BinaryMetrics {
        rows: truth.len() as u64,
        positives: positives as u64,
        roc_auc: (positives > 0 && negatives > 0).then(|| area / (positives as f64 * negatives as f64)),
        average_precision: (positives > 0).then(|| precision_area / positives as f64),
        log_loss: loss / n_rows,
        brier: squares / n_rows,
        lift_at_tenth: (positives > 0).then(|| lift(1)),
        lift: if positives > 0 { (1..=10).map(lift).collect() } else { Vec::new() },
        calibration_error: reliability.error(n_rows),
        reliability: reliability.bins(),
    })
}

impl BinaryMetrics {
    /// The figures as an object.
    pub fn to_value(&self) -> Value {
        let optional = |number: Option<f64>| number.map_or(Value::Null, Value::float);
        Value::object([
            ("rows", count(self.rows)),
            ("positives", count(self.positives)),
            ("roc_auc", optional(self.roc_auc)),
            ("average_precision", optional(self.average_precision)),
            ("log_loss", Value::float(self.log_loss)),
            ("brier", Value::float(self.brier)),
            ("lift_at_tenth", optional(self.lift_at_tenth)),
            ("lift", Value::List(self.lift.iter().map(|lift| Value::float(*lift)).collect())),
            ("calibration_error", Value::float(self.calibration_error)),
            ("reliability", Value::List(self.reliability.iter().copied().map(ReliabilityBin::to_value).collect())),
        ])
    }
}

fn count(count: u64) -> Value {
    Value::integer(i64::try_from(count).unwrap_or(i64::MAX))
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_confusion_is_judged_as_by_hand() {
        let classes = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let truth = ["a", "a", "b", "b"];
        let probabilities = vec![vec![0.8, 0.1, 0.1], vec![0.3, 0.6, 0.1], vec![0.1, 0.9, 0.0], Vec::new()];
        let metrics = evaluate(&classes, &truth, &probabilities).unwrap();
        assert_eq!((metrics.rows, metrics.unassigned, metrics.accuracy), (4, 1, 0.5));
        assert_eq!(metrics.confusion, vec![vec![1, 1, 0], vec![0, 1, 0], vec![0, 0, 0]]);
        // a: precision 1, recall 1/2, F1 2/3. b: precision 1/2, recall 1/2, F1 1/2. c is neither true nor predicted.
        let f1: Vec<f64> = metrics.classes.iter().map(|class| class.found.f1).collect();
        assert_eq!(f1, [2.0 / 3.0, 0.5, 0.0]);
        assert_eq!(
            (metrics.classes[0].found.precision, metrics.classes[0].found.recall, metrics.classes[2].support),
            (1.0, 0.5, 0)
        );
        assert!((metrics.macro_average.f1 - 7.0 / 12.0).abs() < 1e-12);
        assert!((metrics.weighted_average.f1 - 7.0 / 12.0).abs() < 1e-12);
        let loss = -(0.8f64.ln() + 0.3f64.ln() + 0.9f64.ln()) + 3f64.ln();
        assert!((metrics.log_loss - loss / 4.0).abs() < 1e-12);
        // Three bins with one row each: |1 - 0.8|, |0 - 0.6|, |1 - 0.9|.
        assert!((metrics.calibration_error - 0.9 / 4.0).abs() < 1e-12);
        // Of four rows two are first, and three have any probabilities.
        assert_eq!(metrics.top_k, [(1, 0.5)]);
        // Three of four rows have a class: precision 2/3, recall 1/2.
        assert!((metrics.micro_average.f1 - 4.0 / 7.0).abs() < 1e-12);
        // (0.2² + 0.1² + 0.1²) + (0.7² + 0.6² + 0.1²) + 0.1² * 2 + 2/3
        assert!((metrics.brier - (0.06 + 0.86 + 0.02 + 2.0 / 3.0) / 4.0).abs() < 1e-12);
        assert_eq!(metrics.reliability.iter().map(|bin| bin.rows).sum::<u64>(), 3);
        assert!(evaluate(&classes, &["z"], &[vec![]]).is_err());
        assert!(evaluate(&classes, &[], &[]).is_err());
        assert!(evaluate(&classes, &["a"], &[vec![1.0]]).is_err());
    }

    #[test]
    fn likelihoods_are_judged_as_by_hand() {
        let metrics = evaluate_binary(&[true, false, true, false], &[0.9, 0.1, 0.5, 0.5]).unwrap();
        // Of four pairs three are right and one is tied.
        assert_eq!((metrics.positives, metrics.roc_auc, metrics.lift_at_tenth), (2, Some(0.875), Some(2.0)));
        // Precision 1 at the first positive, 2/3 at the second, which is tied with a negative.
        assert!((metrics.average_precision.unwrap() - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert_eq!((metrics.lift.len(), metrics.lift[9]), (10, 1.0));
        assert!((metrics.brier - 0.52 / 4.0).abs() < 1e-12);
        assert!((metrics.log_loss + (0.9f64.ln() * 2.0 + 0.5f64.ln() * 2.0) / 4.0).abs() < 1e-12);
        assert_eq!(evaluate_binary(&[false], &[0.2]).unwrap().roc_auc, None);
        assert!(evaluate_binary(&[true], &[f64::NAN]).is_err());
    }
}
