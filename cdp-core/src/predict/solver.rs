//! The solver of propensity models: linfa-logistic, which is part of the feature `predict`.
//!
//! A build without the feature refuses to train them, because another solver would find other last bits from the same facts.

use crate::definitions::PredictorDefinition;
use crate::error::Result;

#[cfg(feature = "predict")]
pub(super) use linfa_solver::fit;

/// Weights in column order, and how they were found.
pub(super) struct Fitted {
    pub(super) weights: Vec<f64>,
    pub(super) intercept: f64,
    pub(super) converged: bool,
}

/// Fails with `invalid` in a build without the feature `predict`.
pub(super) fn check_available() -> Result<()> {
    #[cfg(feature = "predict")]
    return Ok(());
    #[cfg(not(feature = "predict"))]
    Err(crate::error::Error::invalid("this build cannot train propensity predictors")
        .with_hint("build cdp-core with the feature `predict`; stored models and cohorts work without it"))
}

/// Finds nothing: this build has no solver, and [`check_available`] has refused before.
#[cfg(not(feature = "predict"))]
pub(super) fn fit(_: &PredictorDefinition, _: &[Vec<f64>], _: &[bool]) -> Option<Fitted> {
    None
}

/// The probability of a logit, without a function of the platform.
pub(super) fn logistic(logit: f64) -> f64 {
    if logit >= 0.0 {
        1.0 / (1.0 + libm::exp(-logit))
    } else {
        let odds = libm::exp(logit);
        odds / (1.0 + odds)
    }
}

#[cfg(feature = "predict")]
mod linfa_solver {
    use linfa::dataset::Dataset;
    use linfa::traits::Fit;
    use linfa_logistic::LogisticRegression;
    use ndarray::{Array1, Array2};

    use super::{Fitted, PredictorDefinition, logistic};

    /// The fit of linfa-logistic; `None` where it gives an error or its result is no minimum.
    pub(in crate::predict) fn fit(
        definition: &PredictorDefinition,
        rows: &[Vec<f64>],
        labels: &[bool],
    ) -> Option<Fitted> {
        let shape = (rows.len(), definition.features.len());
        let records = Array2::from_shape_vec(shape, rows.concat()).ok()?;
        let targets: Array1<bool> = labels.iter().copied().collect();
        // linfa compares the length of the summed gradient, we its greatest entry per row: this asks for no less.
        let estimator = LogisticRegression::default()
            .alpha(1.0 / definition.c)
            .max_iterations(u64::from(definition.max_iter))
            .gradient_tolerance(definition.tol * rows.len() as f64);
        let model = estimator.fit(&Dataset::new(records, targets)).ok()?;
        // The class that linfa calls positive is the more frequent one, whatever its label.
        let sign = if model.labels().pos.class { 1.0 } else { -1.0 };
        let weights: Vec<f64> = model.params().iter().map(|weight| sign * weight).collect();
        let intercept = sign * model.intercept();
        if !intercept.is_finite() || weights.iter().any(|weight| !weight.is_finite()) {
            return None;
        }
        let gradient = greatest_gradient(&weights, intercept, 1.0 / definition.c, rows, labels);
        (gradient <= 2.0 * definition.tol).then_some(Fitted { weights, intercept, converged: true })
    }

    /// The entry of the mean gradient that is furthest from zero.
    fn greatest_gradient(weights: &[f64], intercept: f64, alpha: f64, rows: &[Vec<f64>], labels: &[bool]) -> f64 {
        let mut gradient: Vec<f64> = weights.iter().map(|weight| alpha * weight).collect();
        let mut of_intercept = 0.0;
        for (row, is_positive) in rows.iter().zip(labels) {
            let logit = intercept + row.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>();
            let difference = logistic(logit) - f64::from(u8::from(*is_positive));
            gradient.iter_mut().zip(row).for_each(|(entry, value)| *entry += difference * value);
            of_intercept += difference;
        }
        gradient.push(of_intercept);
        gradient.iter().fold(0.0f64, |greatest, entry| greatest.max(entry.abs())) / rows.len().max(1) as f64
    }
}

#[cfg(test)]
#[cfg(not(feature = "predict"))]
mod tests {
    use crate::definitions::PredictorDefinition;
    use crate::predict::dense::PropensityModel;

    #[test]
    fn a_build_without_the_solver_refuses_to_train() {
        let definition = PredictorDefinition::cohort("");
        let error = PropensityModel::train(&definition, &[], &[]).unwrap_err();
        assert!(error.hint().unwrap().contains("`predict`"));
    }
}
