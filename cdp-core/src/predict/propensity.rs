//! Learns a likelihood from rows that were taken at instants, and judges it on a later one.
//!
//! Takes feature values as of an instant and whether the event followed within the horizon; leaves a model of all rows, and
//! what a model of the earlier rows said of the latest instant. It must never validate on a row whose label window overlaps
//! that of a training row: instants are a horizon apart.

use std::collections::BTreeSet;

use super::dense::PropensityModel;
use super::metrics::{BinaryMetrics, evaluate_binary};
use crate::definitions::PredictorDefinition;
use crate::error::{Error, Result};

/// One profile as of one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedRow {
    /// The instant, in milliseconds.
    pub at: i64,
    /// The features in the order of the definition.
    pub values: Vec<f64>,
    /// Whether the event followed within the horizon.
    pub is_positive: bool,
    /// How long ago the profile's last event was, in milliseconds: what the trivial rule goes by.
    pub quiet_for: f64,
}

/// A model and how it was judged.
#[derive(Clone, Debug, PartialEq)]
pub struct PropensityTraining {
    /// Trained on all rows.
    pub model: PropensityModel,
    /// On the latest instant, by a model of the earlier ones; absent where there is one instant or too few rows.
    pub validation: Option<BinaryMetrics>,
    /// The rows judged by recency alone: the longer quiet, the less likely.
    pub baseline: Option<BinaryMetrics>,
}

/// With fewer positives or negatives a likelihood is an anecdote.
pub const LEAST_OF_EACH: usize = 100;

/// Trains on rows in any order.
///
/// Fails with `invalid` for fewer than a hundred positive or negative rows, and as [`PropensityModel::train`] does.
pub fn train_propensity(definition: &PredictorDefinition, rows: &[TimedRow]) -> Result<PropensityTraining> {
    let positives = rows.iter().filter(|row| row.is_positive).count();
    let negatives = rows.len() - positives;
    if positives < LEAST_OF_EACH || negatives < LEAST_OF_EACH {
        return Err(Error::invalid(format!(
            "{positives} positive and {negatives} negative rows; at least {LEAST_OF_EACH} of each are needed"
        ))
        .with_hint("choose a longer horizon or a more frequent event, or wait for more history"));
    }
    let fit = |rows: &[&TimedRow]| {
        let values: Vec<Vec<f64>> = rows.iter().map(|row| row.values.clone()).collect();
        let labels: Vec<bool> = rows.iter().map(|row| row.is_positive).collect();
        PropensityModel::train(definition, &values, &labels)
    };
    let model = fit(&rows.iter().collect::<Vec<_>>())?;
    let instants: BTreeSet<i64> = rows.iter().map(|row| row.at).collect();
    let latest = instants.last().copied().unwrap_or_default();
    let (later, earlier): (Vec<&TimedRow>, Vec<&TimedRow>) = rows.iter().partition(|row| row.at == latest);
    let both = |rows: &[&TimedRow]| rows.iter().any(|row| row.is_positive) && rows.iter().any(|row| !row.is_positive);
    if !both(&later) || !both(&earlier) {
        return Ok(PropensityTraining { model, validation: None, baseline: None });
    }
    let judge = fit(&earlier)?;
    let truth: Vec<bool> = later.iter().map(|row| row.is_positive).collect();
    let likelihoods = later.iter().map(|row| judge.predict(&row.values)).collect::<Result<Vec<f64>>>()?;
    let recency: Vec<f64> = later.iter().map(|row| 1.0 / (1.0 + row.quiet_for.max(0.0) / 86_400_000.0)).collect();
    Ok(PropensityTraining {
        model,
        validation: Some(evaluate_binary(&truth, &likelihoods)?),
        baseline: Some(evaluate_binary(&truth, &recency)?),
    })
}

/// BLAKE3 of the rows as a set.
pub fn hash_of_rows(rows: &[TimedRow]) -> [u8; 32] {
    let mut all: Vec<Vec<u8>> = rows
        .iter()
        .map(|row| {
            let numbers = row.values.iter().flat_map(|value| value.to_le_bytes());
            row.at.to_le_bytes().into_iter().chain(numbers).chain([u8::from(row.is_positive)]).collect()
        })
        .collect();
    all.sort_unstable();
    *blake3::hash(&all.concat()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::PredictorTask;
    use crate::predict::calibrate::SplitMix64;

    fn rows(n: usize) -> Vec<TimedRow> {
        let mut random = SplitMix64::new(2);
        let mut unit = || random.below(1 << 20) as f64 / f64::from(1 << 20);
        (0..n)
            .map(|row| {
                let (spend, noise) = (unit(), unit());
                let is_positive = spend + 0.5 * unit() > 0.9;
                TimedRow {
                    at: (row % 3) as i64,
                    values: vec![100.0 * spend, noise],
                    is_positive,
                    quiet_for: 1e9 * noise,
                }
            })
            .collect()
    }

    fn definition() -> PredictorDefinition {
        let mut definition = PredictorDefinition::cohort("buys_soon");
        definition.task = PredictorTask::Propensity;
        definition.features = vec!["spend".to_owned(), "noise".to_owned()];
        definition
    }

    #[test]
    fn the_latest_instant_judges_and_the_trivial_rule_stands_beside_it() {
        let trained = train_propensity(&definition(), &rows(1500)).unwrap();
        let (validation, baseline) = (trained.validation.unwrap(), trained.baseline.unwrap());
        assert_eq!((validation.rows, baseline.rows), (500, 500));
        assert!(validation.roc_auc.unwrap() > 0.9 && baseline.roc_auc.unwrap() < 0.6);
        assert_eq!(trained.model.rows_and_positives().0, 1500);
        assert!(trained.model.percentile(0.0) == 0.0 && trained.model.percentile(1.0) == 1.0);
    }

    #[test]
    fn too_few_of_either_kind_are_refused() {
        let mut some = rows(300);
        some.iter_mut().skip(99).for_each(|row| row.is_positive = false);
        let error = train_propensity(&definition(), &some).unwrap_err();
        assert!(error.message().contains("at least 100 of each") && error.hint().is_some());
        assert!(train_propensity(&definition(), &[]).is_err());
    }

    #[test]
    fn one_instant_is_learned_from_but_judges_nothing() {
        let mut some = rows(900);
        some.iter_mut().for_each(|row| row.at = 7);
        let trained = train_propensity(&definition(), &some).unwrap();
        assert_eq!((trained.validation, trained.baseline), (None, None));
    }
}
