//! What is shown of a person besides traits: features, audiences and cohorts.

use std::collections::BTreeMap;

use crate::audiences::is_member;
use crate::definitions::FeatureDefinition;
use crate::engine::people::person::Person;
use crate::error::Result;
use crate::records::answer::answer;
use crate::records::{Number, Object, Timestamp, Value};
use crate::rules::Measurer;

/// All features of a person by name.
pub(crate) fn feature_values(person: &Person<'_>, at: Timestamp) -> Result<Object> {
    let mut measurer = Measurer::new(person, at);
    person.snapshot.catalog.features().map(|feature| named_value(feature, &mut measurer)).collect()
}

/// The named features of a person.
pub(crate) fn named_feature_values(person: &Person<'_>, names: &[impl AsRef<str>], at: Timestamp) -> Result<Object> {
    let catalog = person.snapshot.catalog;
    let mut measurer = Measurer::new(person, at);
    let features = names.iter().map(|name| catalog.feature(name.as_ref()));
    features.map(|feature| named_value(feature?, &mut measurer)).collect()
}

fn named_value<'v>(feature: &'v FeatureDefinition, measurer: &mut Measurer<'v>) -> Result<(String, Value)> {
    Ok((feature.name.clone(), measurer.feature(feature)?))
}

answer! {
    /// The cohort of one person by one predictor.
    pub struct CohortScore {
        /// The cohort; `None` below the threshold of the predictor, and for a propensity predictor.
        cohort: Option<String>,
        /// The score of the cohort, or the propensity, from 0 to 1.
        score: Option<Number>,
        /// What gave the score: `rule`, `model` or the name of a measure of likeness.
        method: String,
    }
}

/// The cohort of a person by each predictor that has an answer.
pub(crate) fn cohorts_of(person: &Person<'_>, at: Timestamp) -> Result<BTreeMap<String, CohortScore>> {
    let mut cohorts = BTreeMap::new();
    for predictor in person.snapshot.catalog.predictors() {
        let Some((prediction, method)) = person.predicted(&predictor.name, at)? else { continue };
        let score = Number::from_f64(prediction.score).ok();
        let score = CohortScore { cohort: prediction.cohort, score, method: method.to_owned() };
        cohorts.insert(predictor.name.clone(), score);
    }
    Ok(cohorts)
}

/// The names of the audiences that a person is in at an instant.
pub(crate) fn audiences_of(person: &Person<'_>, at: Timestamp) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for audience in person.snapshot.catalog.audiences() {
        if is_member(audience, person, at)? {
            names.push(audience.name.clone());
        }
    }
    Ok(names)
}
