//! The reports of models: what was learned, from how much, in figures that programs can read.

use crate::error::{Error, Result};
use crate::predict::{CohortModel, DescribedModel, Drift, PropensityModel};
use crate::records::{Object, Value};

/// How many terms of each class a report shows.
const TOP_TERMS: usize = 8;

/// The report of a cohort model.
pub(crate) fn report(model: &CohortModel) -> Result<Value> {
    let training = model.report();
    let mut classes = Vec::new();
    for (class, rows) in model.classes().iter().zip(&training.rows_of_class) {
        let terms = model.top_terms(class, TOP_TERMS)?;
        classes.push(Value::object([
            ("cohort", Value::from(class.as_str())),
            ("rows", Value::integer(i64::try_from(*rows).unwrap_or(i64::MAX))),
            ("top_terms", Value::List(terms.into_iter().map(|(term, _)| Value::Text(term)).collect())),
        ]));
    }
    let Value::Object(mut report) = training.to_value(model.temperature()) else {
        return Err(Error::internal("a report is no object"));
    };
    report.insert("classes".to_owned(), Value::List(classes));
    Ok(Value::Object(report))
}

/// The report of a propensity model.
pub(crate) fn propensity_report(model: &PropensityModel) -> Value {
    let (rows, positives) = model.rows_and_positives();
    let count = |count: u64| Value::integer(i64::try_from(count).unwrap_or(i64::MAX));
    let weights = model
        .weights()
        .map(|(feature, weight)| Value::object([("feature", Value::from(feature)), ("weight", Value::float(weight))]));
    let quantiles = model.references().last().map_or(&[][..], |reference| &reference.quantiles);
    let percentile = |share: usize| quantiles.get((quantiles.len().saturating_sub(1)) * share / 100).copied();
    let percentiles = [10, 25, 50, 75, 90, 99]
        .into_iter()
        .map(|share| (format!("p{share}"), percentile(share).map_or(Value::Null, Value::float)));
    Value::object([
        ("task", Value::from("propensity")),
        ("n_rows", count(rows)),
        ("positives", count(positives)),
        ("converged", Value::Bool(model.converged())),
        ("intercept", Value::float(model.intercept())),
        ("weights", Value::List(weights.collect())),
        ("percentiles", Value::Object(percentiles.collect())),
    ])
}

/// The report of described cohorts: how many profiles each got when they were trained.
pub(crate) fn described_report(model: &DescribedModel) -> Value {
    let given = model.given();
    let total: u64 = given.iter().sum();
    let unassigned = given.last().copied().unwrap_or(0);
    let count = |count: u64| Value::integer(i64::try_from(count).unwrap_or(i64::MAX));
    let classes = model.cohorts().iter().zip(given).map(|(cohort, rows)| {
        Value::Object(Object::from([
            ("cohort".to_owned(), Value::from(cohort.cohort.as_str())),
            ("rows".to_owned(), count(*rows)),
        ]))
    });
    let (kept, method) = model.answers();
    Value::object([
        ("task", Value::from("cohort")),
        ("rows", count(total)),
        ("classes", Value::List(classes.collect())),
        ("coverage", Value::float((total - unassigned) as f64 / total.max(1) as f64)),
        ("methods", Value::List(model.methods().into_iter().map(Value::from).collect())),
        ("scorer", if method.is_empty() { Value::Null } else { Value::from(method) }),
        ("answers", Value::count(kept)),
    ])
}

impl PropensityModel {
    /// How far each feature and the likelihood of these rows have moved from training's.
    pub(crate) fn drift(&self, rows: &[Vec<f64>]) -> Result<Vec<(String, Drift)>> {
        let mut columns = Vec::new();
        let names = self.weights().map(|(feature, _)| feature.to_owned()).chain(["score".to_owned()]);
        for (index, (name, reference)) in names.zip(self.references()).enumerate() {
            let values: Vec<f64> = match index < self.references().len() - 1 {
                true => rows.iter().filter_map(|row| row.get(index)).copied().collect(),
                false => rows.iter().map(|row| self.predict(row)).collect::<Result<_>>()?,
            };
            columns.push((name, reference.drift(&values)?));
        }
        Ok(columns)
    }
}
