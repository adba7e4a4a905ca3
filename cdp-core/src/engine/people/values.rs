//! What is shown of a person besides traits: features, audiences and cohorts.

use crate::audiences::is_member;
use crate::definitions::FeatureDefinition;
use crate::engine::people::person::Person;
use crate::error::Result;
use crate::records::{Number, Object, Timestamp, Value};
use crate::rules::Measurer;

/// Feature name -> value.
pub(crate) fn feature_values(person: &Person<'_>, names: Option<&[String]>, at: Timestamp) -> Result<Object> {
    let catalog = person.snapshot.catalog;
    let mut measurer = Measurer::new(person, at);
    let mut value = |feature| named_value(feature, &mut measurer);
    match names {
        Some(names) => names.iter().map(|name| catalog.feature(name)).map(|feature| value(feature?)).collect(),
        None => catalog.features().map(value).collect(),
    }
}

fn named_value<'v>(feature: &'v FeatureDefinition, measurer: &mut Measurer<'v>) -> Result<(String, Value)> {
    Ok((feature.name.clone(), measurer.feature(feature)?))
}

pub(crate) fn cohorts_of(person: &Person<'_>, at: Timestamp) -> Result<Object> {
    let mut cohorts = Object::new();
    for predictor in person.snapshot.catalog.predictors() {
        let Some((prediction, method)) = person.predicted(&predictor.name, at)? else { continue };
        cohorts.insert(
            predictor.name.clone(),
            Value::object([
                ("cohort", prediction.cohort.map_or(Value::Null, Value::Text)),
                ("score", Number::from_f64(prediction.score).map_or(Value::Null, Value::Number)),
                ("method", Value::from(method)),
            ]),
        );
    }
    Ok(cohorts)
}

/// The names of the audiences that a person is in at an instant.
pub(crate) fn audiences_of(person: &Person<'_>, at: Timestamp) -> Result<Vec<Value>> {
    let mut names = Vec::new();
    for audience in person.snapshot.catalog.audiences() {
        if is_member(audience, person, at)? {
            names.push(Value::from(audience.name.as_str()));
        }
    }
    Ok(names)
}
