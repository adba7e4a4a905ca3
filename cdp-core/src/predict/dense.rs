//! Likelihoods from a few numbers per profile: will they buy within seven days?
//!
//! Takes feature values in column order and whether the event followed; leaves a model that answers with a likelihood.
//! linfa-logistic does the fitting, behind guards for what was found of it (0.8.1): it panics on no rows and on a wrong
//! width, answers wrongly without an error at a feature scale of 10 000, calls the *majority* positive, and does not say
//! whether it converged. So values are standardized first, everything is checked before, the gradient is checked after,
//! and where it fails the sparse solver of this module takes its place. Unlike a cohort model its bytes may differ in the
//! last bits between machines: linfa takes `exp` from the platform.

use super::bytes::{Reader, Writer, corrupt, open, seal};
use super::drift::NumbersReference;
use super::linear::SparseLogistic;
use super::sparse::SparseRecords;
use crate::definitions::{PredictorDefinition, PredictorTask};
use crate::error::{Error, Result};
use crate::predict::solver;
use crate::predict::solver::{Fitted, logistic};

pub(super) const MAGIC: &[u8; 8] = b"CDPpropn";
/// Raised when the bytes mean something else; a model of another version is refused.
const FORMAT: u32 = 2;

/// The solver that found the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solver {
    /// linfa-logistic.
    LinfaLogistic,
    /// [`SparseLogistic`]: for balanced classes, which linfa-logistic does not know, and where it failed.
    SparseLogistic,
}

/// A weight for every feature.
#[derive(Clone, Debug, PartialEq)]
pub struct PropensityModel {
    columns: Vec<StandardColumn>,
    intercept: f64,
    solver: Solver,
    converged: bool,
    rows: u64,
    positives: u64,
    // Of each feature in column order, then of the likelihoods.
    references: Vec<NumbersReference>,
}

#[derive(Clone, Debug, PartialEq)]
struct StandardColumn {
    feature: String,
    // Whether the sign times ln(1 + magnitude) takes the value's place, as for spend and counts.
    is_logarithmic: bool,
    mean: f64,
    // The standard deviation over all rows, 1 for a feature that never varies.
    scale: f64,
    weight: f64,
}

impl StandardColumn {
    fn standardize(&self, value: f64) -> f64 {
        let value = if self.is_logarithmic { dampen(value) } else { value };
        (value - self.mean) / self.scale
    }
}

impl PropensityModel {
    /// Trains on rows of values in the order of the definition's features.
    ///
    /// Fails with `invalid` for another task, no rows, labels or widths that do not match, a value that is not finite, or
    /// labels that are all the same.
    pub fn train(definition: &PredictorDefinition, rows: &[Vec<f64>], labels: &[bool]) -> Result<PropensityModel> {
        solver::check_available()?;
        check(definition, rows, labels)?;
        let mut columns: Vec<StandardColumn> = definition
            .features
            .iter()
            .enumerate()
            .map(|(index, feature)| fit_column(feature, rows.iter().filter_map(|row| row.get(index)).copied()))
            .collect();
        if let Some(column) = columns.iter().find(|column| !(column.mean.is_finite() && column.scale.is_finite())) {
            return Err(Error::invalid(format!(
                "the values of `{}` lie too far apart to be standardized",
                column.feature
            )));
        }
        let standard: Vec<Vec<f64>> = rows.iter().map(|row| standardize(&columns, row)).collect();
        let by_linfa = if definition.is_balanced { None } else { solver::fit(definition, &standard, labels) };
        let solver = if by_linfa.is_some() { Solver::LinfaLogistic } else { Solver::SparseLogistic };
        let fitted = match by_linfa {
            Some(fitted) => fitted,
            None => fit_by_sparse(definition, columns.len(), &standard, labels)?,
        };
        for (column, weight) in columns.iter_mut().zip(&fitted.weights) {
            column.weight = *weight;
        }
        let mut model = PropensityModel {
            columns,
            intercept: fitted.intercept,
            solver,
            converged: fitted.converged,
            rows: rows.len() as u64,
            positives: labels.iter().filter(|is_positive| **is_positive).count() as u64,
            references: Vec::new(),
        };
        let of_column = |index: usize| -> Vec<f64> { rows.iter().filter_map(|row| row.get(index)).copied().collect() };
        model.references = (0..model.columns.len()).map(|index| NumbersReference::of(&of_column(index))).collect();
        let likelihoods = rows.iter().map(|row| model.predict(row)).collect::<Result<Vec<f64>>>()?;
        model.references.push(NumbersReference::of(&likelihoods));
        Ok(model)
    }

    /// What the model saw when it was trained: each feature in column order, then the likelihoods.
    pub fn references(&self) -> &[NumbersReference] {
        &self.references
    }

    /// The share of the training rows whose likelihood is at most this one.
    pub fn percentile(&self, likelihood: f64) -> f64 {
        let quantiles = self.references.last().map_or(&[][..], |reference| &reference.quantiles);
        quantiles.partition_point(|quantile| *quantile <= likelihood) as f64 / quantiles.len().max(1) as f64
    }

    /// BLAKE3 of the bytes.
    pub fn content_hash(&self) -> [u8; 32] {
        *blake3::hash(&self.to_bytes()).as_bytes()
    }

    /// The likelihood for one row of values. Fails with `invalid` for a wrong width or a value that is not finite.
    pub fn predict(&self, row: &[f64]) -> Result<f64> {
        let logit = self.intercept + self.explain(row)?.iter().map(|(_, logit)| logit).sum::<f64>();
        Ok(logistic(logit))
    }

    /// What each feature adds to the logit, beside the intercept, in column order.
    pub fn explain(&self, row: &[f64]) -> Result<Vec<(&str, f64)>> {
        if row.len() != self.columns.len() {
            return Err(Error::invalid(format!("{} values; the model has {} features", row.len(), self.columns.len())));
        }
        let pairs = self.columns.iter().zip(row);
        pairs
            .map(|(column, value)| {
                let logit = column.weight * column.standardize(*value);
                if logit.is_finite() {
                    return Ok((column.feature.as_str(), logit));
                }
                Err(Error::invalid(format!("the value of the feature `{}` is not a finite number", column.feature))
                    .with_hint("give the feature a default"))
            })
            .collect()
    }

    /// What a profile at the mean of every feature has.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The features in column order, each with its weight per standard deviation.
    pub fn weights(&self) -> impl Iterator<Item = (&str, f64)> {
        self.columns.iter().map(|column| (column.feature.as_str(), column.weight))
    }

    /// The solver that found the weights.
    pub fn solver(&self) -> Solver {
        self.solver
    }

    /// Whether training ended at its tolerance.
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// How many rows it learned from, and how many of them were positive.
    pub fn rows_and_positives(&self) -> (u64, u64) {
        (self.rows, self.positives)
    }

    /// The model as bytes, little-endian, with a checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.texts(self.columns.iter().map(|column| column.feature.as_str()));
        self.columns.iter().for_each(|column| out.u8(u8::from(column.is_logarithmic)));
        for column in &self.columns {
            out.f64(column.mean);
            out.f64(column.scale);
            out.f64(column.weight);
        }
        out.f64(self.intercept);
        out.u8(u8::from(self.solver == Solver::LinfaLogistic));
        out.u8(u8::from(self.converged));
        out.u64(self.rows);
        out.u64(self.positives);
        self.references.iter().for_each(|reference| out.numbers_reference(reference));
        seal(MAGIC, FORMAT, &out.into_bytes())
    }

    /// The model in these bytes; fails with `incompatible` or `corrupt` as a cohort model does.
    pub fn from_bytes(bytes: &[u8]) -> Result<PropensityModel> {
        let mut content = Reader::new(open(MAGIC, FORMAT, bytes)?);
        let features = content.texts()?;
        let is_logarithmic = (0..features.len()).map(|_| content.flag()).collect::<Result<Vec<bool>>>()?;
        let numbers = content.f64s(features.len().saturating_mul(3))?;
        let (triples, _) = numbers.as_chunks::<3>();
        let columns: Vec<StandardColumn> = features
            .into_iter()
            .zip(is_logarithmic)
            .zip(triples)
            .map(|((feature, is_logarithmic), [mean, scale, weight])| StandardColumn {
                feature: feature.to_owned(),
                is_logarithmic,
                mean: *mean,
                scale: *scale,
                weight: *weight,
            })
            .collect();
        if columns.is_empty() || columns.iter().any(|column| column.scale <= 0.0) {
            return Err(corrupt("holding numbers that do not fit each other"));
        }
        let intercept = content.f64()?;
        let solver = if content.flag()? { Solver::LinfaLogistic } else { Solver::SparseLogistic };
        let converged = content.flag()?;
        let (rows, positives) = (content.u64()?, content.u64()?);
        let references = (0..=columns.len()).map(|_| content.numbers_reference()).collect::<Result<Vec<_>>>()?;
        content.finish()?;
        Ok(PropensityModel { columns, intercept, solver, converged, rows, positives, references })
    }
}

fn check(definition: &PredictorDefinition, rows: &[Vec<f64>], labels: &[bool]) -> Result<()> {
    if definition.task != PredictorTask::Propensity {
        return Err(Error::invalid(format!("the predictor `{}` has another task than propensity", definition.name)));
    }
    if rows.is_empty() || rows.len() != labels.len() {
        return Err(Error::invalid(format!(
            "{} rows have {} labels; at least two rows are needed",
            rows.len(),
            labels.len()
        )));
    }
    let width = definition.features.len();
    if width == 0 || rows.iter().any(|row| row.len() != width) {
        return Err(Error::invalid(format!("every row must have one value for each of the {width} feature(s)")));
    }
    for (index, feature) in definition.features.iter().enumerate() {
        if rows.iter().filter_map(|row| row.get(index)).any(|value| !value.is_finite()) {
            return Err(Error::invalid(format!("the feature `{feature}` has a value that is not a finite number"))
                .with_hint("give the feature a default"));
        }
    }
    if labels.iter().all(|is_positive| *is_positive) || !labels.contains(&true) {
        return Err(Error::invalid("every row has the same label; both are needed")
            .with_hint("choose another time, a longer horizon or a wider population"));
    }
    Ok(())
}

fn fit_column(feature: &str, values: impl Iterator<Item = f64> + Clone) -> StandardColumn {
    let (mean, deviation, skewness) = moments(values.clone());
    // Money and counts have a long tail, in which a straight line would see little but the greatest spenders.
    let is_logarithmic = skewness > LONG_TAIL;
    let (mean, deviation) = match is_logarithmic {
        true => {
            let (mean, deviation, _) = moments(values.map(dampen));
            (mean, deviation)
        }
        false => (mean, deviation),
    };
    // Below this a spread is the rounding error of the mean, not a difference between profiles.
    let is_constant = deviation <= 1e-12 * mean.abs();
    let scale = if is_constant || deviation == 0.0 { 1.0 } else { deviation };
    StandardColumn { feature: feature.to_owned(), is_logarithmic, mean, scale, weight: 0.0 }
}

/// The skewness from which a column is damped: an exponential distribution has 2.
const LONG_TAIL: f64 = 1.5;

/// The sign times `ln(1 + magnitude)`.
fn dampen(value: f64) -> f64 {
    libm::log1p(value.abs()).copysign(value)
}

/// The mean, the standard deviation and the skewness.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64, f64) {
    let n_rows = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / n_rows;
    let deviation = (values.clone().map(|value| (value - mean) * (value - mean)).sum::<f64>() / n_rows).sqrt();
    let cube = |value: f64| {
        let distance = (value - mean) / deviation;
        distance * distance * distance
    };
    (mean, deviation, values.map(cube).sum::<f64>() / n_rows)
}

fn standardize(columns: &[StandardColumn], row: &[f64]) -> Vec<f64> {
    columns.iter().zip(row).map(|(column, value)| column.standardize(*value)).collect()
}

fn fit_by_sparse(definition: &PredictorDefinition, width: usize, rows: &[Vec<f64>], labels: &[bool]) -> Result<Fitted> {
    let records = SparseRecords::from_dense(width, rows)?;
    let labels: Vec<u32> = labels.iter().map(|is_positive| u32::from(*is_positive)).collect();
    let model = SparseLogistic::from(definition).train(&records, &labels, 2)?;
    // The sigmoid's weight is the difference of the two classes' weights.
    let difference = |pair: &[f64; 2]| pair.last().unwrap_or(&0.0) - pair.first().unwrap_or(&0.0);
    let (weights, _) = model.weights.as_chunks::<2>();
    let (intercepts, _) = model.intercepts.as_chunks::<2>();
    Ok(Fitted {
        weights: weights.iter().map(difference).collect(),
        intercept: intercepts.iter().map(difference).sum(),
        converged: model.converged,
    })
}

#[cfg(test)]
#[cfg(feature = "predict")]
mod tests {
    use super::*;
    use crate::predict::calibrate::SplitMix64;
    use crate::predict::evaluate_binary;

    fn definition(features: &[&str]) -> PredictorDefinition {
        let mut definition = PredictorDefinition::cohort("buys_soon");
        definition.task = PredictorTask::Propensity;
        definition.c = 1.0;
        definition.features = features.iter().map(|feature| (*feature).to_owned()).collect();
        definition
    }

    /// A useful feature at the given scale, a useless one and a constant; positives of the given share.
    fn rows(scale: f64, share_of_positives: u64) -> (Vec<Vec<f64>>, Vec<bool>) {
        let mut random = SplitMix64::new(11);
        let mut unit = || random.below(1 << 20) as f64 / f64::from(1 << 20);
        let labels: Vec<bool> = (0..400u64).map(|row| row * 37 % 100 < share_of_positives).collect();
        let rows = labels.iter().map(|label| vec![scale * (unit() + if *label { 0.7 } else { 0.0 }), unit(), 3.0]);
        (rows.collect(), labels.clone())
    }

    #[test]
    fn the_likelihood_is_of_the_event_whether_it_is_rare_or_common() {
        for share in [20, 80] {
            let (rows, labels) = rows(1.0, share);
            let model = PropensityModel::train(&definition(&["spend", "noise", "constant"]), &rows, &labels).unwrap();
            assert_eq!((model.solver(), model.converged()), (Solver::LinfaLogistic, true));
            let scores: Vec<f64> = rows.iter().map(|row| model.predict(row).unwrap()).collect();
            let metrics = evaluate_binary(&labels, &scores).unwrap();
            assert!(metrics.roc_auc.unwrap() > 0.9, "{metrics:?}");
            let mean = scores.iter().sum::<f64>() / 400.0;
            assert!((mean - share as f64 / 100.0).abs() < 0.01, "{mean}");
        }
    }

    #[test]
    fn the_scale_of_a_feature_does_not_matter() {
        let likelihoods = |scale: f64| -> Vec<f64> {
            let (rows, labels) = rows(scale, 30);
            let model = PropensityModel::train(&definition(&["spend", "noise", "constant"]), &rows, &labels).unwrap();
            rows.iter().map(|row| model.predict(row).unwrap()).collect()
        };
        for (small, large) in likelihoods(1e-6).iter().zip(likelihoods(1e12)) {
            assert!((small - large).abs() < 1e-3, "{small} is not {large}");
        }
    }

    #[test]
    fn linfa_and_the_sparse_solver_find_the_same_weights() {
        let (rows, labels) = rows(50.0, 40);
        let mut definition = definition(&["spend", "noise", "constant"]);
        definition.tol = 1e-8;
        let columns: Vec<StandardColumn> =
            (0..3).map(|index| fit_column("", rows.iter().map(|row| row[index]))).collect();
        let standard: Vec<Vec<f64>> = rows.iter().map(|row| standardize(&columns, row)).collect();
        let linfa = solver::fit(&definition, &standard, &labels).unwrap();
        let sparse = fit_by_sparse(&definition, 3, &standard, &labels).unwrap();
        assert!((linfa.intercept - sparse.intercept).abs() < 1e-5);
        for (left, right) in linfa.weights.iter().zip(&sparse.weights) {
            assert!((left - right).abs() < 1e-5, "{left} is not {right}");
        }
    }

    #[test]
    fn what_would_panic_or_mislead_in_linfa_is_refused() {
        let definition = definition(&["spend"]);
        let train = |rows: &[Vec<f64>], labels: &[bool]| PropensityModel::train(&definition, rows, labels);
        assert!(train(&[], &[]).is_err());
        assert!(train(&[vec![1.0], vec![2.0]], &[true, true]).is_err());
        assert!(train(&[vec![1.0], vec![2.0]], &[false, false]).is_err());
        assert!(train(&[vec![1.0], vec![f64::NAN]], &[true, false]).is_err());
        assert!(train(&[vec![1.0], vec![1.0, 2.0]], &[true, false]).is_err());
        assert!(train(&[vec![1.0], vec![2.0]], &[true]).is_err());
        assert!(train(&[vec![1e300], vec![-1e300]], &[true, false]).is_err());
        assert!(PropensityModel::train(&PredictorDefinition::cohort("c"), &[vec![1.0]], &[true]).is_err());
        let model = train(&[vec![1.0], vec![2.0]], &[false, true]).unwrap();
        assert!(model.predict(&[]).is_err());
        assert!(model.predict(&[f64::NAN]).is_err());
        assert!(model.predict(&[f64::INFINITY]).is_err());
    }

    #[test]
    fn balanced_classes_are_trained_by_the_solver_that_knows_them() {
        let (rows, labels) = rows(1.0, 20);
        let mut definition = definition(&["spend", "noise", "constant"]);
        definition.is_balanced = true;
        let model = PropensityModel::train(&definition, &rows, &labels).unwrap();
        assert_eq!(model.solver(), Solver::SparseLogistic);
        let mean = rows.iter().map(|row| model.predict(row).unwrap()).sum::<f64>() / 400.0;
        assert!(mean > 0.3, "{mean}");
    }

    #[test]
    fn a_model_survives_its_bytes_and_nothing_else_does() {
        let (rows, labels) = rows(1.0, 40);
        let model = PropensityModel::train(&definition(&["spend", "noise", "constant"]), &rows, &labels).unwrap();
        let bytes = model.to_bytes();
        assert_eq!(PropensityModel::from_bytes(&bytes).unwrap(), model);
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(PropensityModel::from_bytes(&damaged).is_err());
            assert!(PropensityModel::from_bytes(&bytes[..place]).is_err());
        }
    }
}
