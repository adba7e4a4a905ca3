//! Judges predictions against what turned out to be true.
//!
//! Takes the true classes and the probabilities that a model gave; leaves accuracy, the confusion matrix, precision,
//! recall and F1, log loss and the error of the confidence. What has no value because nothing was predicted or nothing
//! was true counts as 0, as in scikit-learn with `zero_division=0`. A row that the model left unassigned is wrong.

use crate::error::{Error, Result};

/// How well one class is found.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassMetrics {
    /// The class.
    pub class: String,
    /// Of the rows that got this class, the share that have it.
    pub precision: f64,
    /// Of the rows that have this class, the share that got it.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// How many rows have this class.
    pub support: u64,
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
    /// The mean F1 of the classes that occur or were predicted.
    pub macro_f1: f64,
    /// The mean F1, each class weighted by its rows.
    pub weighted_f1: f64,
    /// The mean of `-ln(probability of the true class)`; an unassigned row counts as one with equal probabilities.
    pub log_loss: f64,
    /// The expected calibration error: the mean distance of confidence and accuracy over 15 bins of equal width.
    pub calibration_error: f64,
}

/// How many bins the calibration error has; the number in the papers it is compared with.
const BINS: usize = 15;
/// The least probability in the log loss, scikit-learn's, so that one wrong certainty does not make it infinite.
const LEAST_PROBABILITY: f64 = f64::EPSILON;

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
    let mut bins = [(0u64, 0u64, 0.0f64); BINS];
    let (mut right, mut unassigned, mut loss) = (0u64, 0u64, 0.0);
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
            continue;
        };
        if let Some(rows) = confusion.get_mut(actual).and_then(|of_class| of_class.get_mut(predicted)) {
            *rows += 1;
        }
        let is_right = predicted == actual;
        right += u64::from(is_right);
        let probability = |class: usize| row.get(class).copied().unwrap_or(0.0);
        loss -= libm::log(probability(actual).clamp(LEAST_PROBABILITY, 1.0));
        // A confidence on the border of two bins belongs to the lower one.
        let confidence = probability(predicted);
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        if let Some((rows, right, total)) = bins.get_mut(bin) {
            *rows += 1;
            *right += u64::from(is_right);
            *total += confidence;
        }
    }
    let n_rows = truth.len() as f64;
    let of_class: Vec<ClassMetrics> = classes
        .iter()
        .enumerate()
        .map(|(index, class)| {
            let hits = confusion.get(index).and_then(|row| row.get(index)).copied().unwrap_or(0);
            let predicted: u64 = confusion.iter().filter_map(|row| row.get(index)).sum();
            let support = support.get(index).copied().unwrap_or(0);
            ClassMetrics {
                class: class.clone(),
                precision: ratio(hits, predicted),
                recall: ratio(hits, support),
                f1: ratio(2 * hits, predicted + support),
                support,
            }
        })
        .collect();
    let is_seen = |index: usize| {
        support.get(index).is_some_and(|rows| *rows > 0)
            || confusion.iter().filter_map(|row| row.get(index)).any(|rows| *rows > 0)
    };
    let seen: Vec<f64> =
        of_class.iter().enumerate().filter(|(index, _)| is_seen(*index)).map(|(_, class)| class.f1).collect();
    let gaps = bins.iter().map(|(_, right, total)| (*right as f64 - total).abs());
    Ok(Metrics {
        rows: truth.len() as u64,
        accuracy: right as f64 / n_rows,
        unassigned,
        macro_f1: seen.iter().sum::<f64>() / seen.len().max(1) as f64,
        weighted_f1: of_class.iter().map(|class| class.f1 * class.support as f64).sum::<f64>() / n_rows,
        classes: of_class,
        confusion,
        log_loss: loss / n_rows,
        calibration_error: gaps.sum::<f64>() / n_rows,
    })
}

/// How well a likelihood tells who does from who does not.
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryMetrics {
    /// How many rows were judged.
    pub rows: u64,
    /// How many of them are positive.
    pub positives: u64,
    /// The chance that a positive row scores above a negative one, ties counting half; absent without both.
    pub roc_auc: Option<f64>,
    /// The mean of `-ln(probability of what happened)`.
    pub log_loss: f64,
    /// The mean square of the difference between likelihood and what happened.
    pub brier: f64,
    /// The share of positives among the tenth with the greatest scores, divided by their share among all.
    pub lift_at_tenth: Option<f64>,
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
    let (mut above, mut area) = (0usize, 0.0);
    for tied in ranked.chunk_by(|left, right| left.0 == right.0) {
        let tied_positives = tied.iter().filter(|(_, is_positive)| *is_positive).count();
        area += (tied.len() - tied_positives) as f64 * (above as f64 + tied_positives as f64 / 2.0);
        above += tied_positives;
    }
    let tenth = truth.len().div_ceil(10);
    let in_tenth = ranked.iter().take(tenth).filter(|(_, is_positive)| *is_positive).count();
    let n_rows = truth.len() as f64;
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
    Ok(BinaryMetrics {
        rows: truth.len() as u64,
        positives: positives as u64,
        roc_auc: (positives > 0 && negatives > 0).then(|| area / (positives as f64 * negatives as f64)),
        log_loss: loss / n_rows,
        brier: squares / n_rows,
        lift_at_tenth: (positives > 0).then(|| (in_tenth as f64 / tenth as f64) / (positives as f64 / n_rows)),
    })
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
        let f1: Vec<f64> = metrics.classes.iter().map(|class| class.f1).collect();
        assert_eq!(f1, [2.0 / 3.0, 0.5, 0.0]);
        assert_eq!(
            (metrics.classes[0].precision, metrics.classes[0].recall, metrics.classes[2].support),
            (1.0, 0.5, 0)
        );
        assert!((metrics.macro_f1 - 7.0 / 12.0).abs() < 1e-12);
        assert!((metrics.weighted_f1 - 7.0 / 12.0).abs() < 1e-12);
        let loss = -(0.8f64.ln() + 0.3f64.ln() + 0.9f64.ln()) + 3f64.ln();
        assert!((metrics.log_loss - loss / 4.0).abs() < 1e-12);
        // Three bins with one row each: |1 - 0.8|, |0 - 0.6|, |1 - 0.9|.
        assert!((metrics.calibration_error - 0.9 / 4.0).abs() < 1e-12);
        assert!(evaluate(&classes, &["z"], &[vec![]]).is_err());
        assert!(evaluate(&classes, &[], &[]).is_err());
        assert!(evaluate(&classes, &["a"], &[vec![1.0]]).is_err());
    }

    #[test]
    fn likelihoods_are_judged_as_by_hand() {
        let metrics = evaluate_binary(&[true, false, true, false], &[0.9, 0.1, 0.5, 0.5]).unwrap();
        // Of four pairs three are right and one is tied.
        assert_eq!((metrics.positives, metrics.roc_auc, metrics.lift_at_tenth), (2, Some(0.875), Some(2.0)));
        assert!((metrics.brier - 0.52 / 4.0).abs() < 1e-12);
        assert!((metrics.log_loss + (0.9f64.ln() * 2.0 + 0.5f64.ln() * 2.0) / 4.0).abs() < 1e-12);
        assert_eq!(evaluate_binary(&[false], &[0.2]).unwrap().roc_auc, None);
        assert!(evaluate_binary(&[true], &[f64::NAN]).is_err());
    }
}
