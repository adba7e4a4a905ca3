//! What predictors read of a person and say about one: the texts, the row of features, rules first and then the model.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::definitions::{PredictorDefinition, TextField};
use crate::engine::people::person::Person;
use crate::engine::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::predict::models::LoadedModel;
use crate::predict::{Prediction, TrainedModel};
use crate::records::{Timestamp, Value};
use crate::rules::{ProfileView, evaluate};

impl<'a> Person<'a> {
    /// The texts that a predictor reads of this person.
    pub(crate) fn document(&self, fields: &[TextField], at: Timestamp) -> Result<Vec<String>> {
        let mut items = Vec::new();
        for field in fields {
            match field {
                TextField::Trait(path) => add_text(self.trait_value(path, at)?, &mut items),
                TextField::Event { event, property } => {
                    let Some(number) = self.event_number(event) else { continue };
                    for happened in self.facts.timeline.iter().filter(|happened| happened.occurred_at <= at) {
                        if happened.event == number {
                            add_text(self.property(happened, property).map(Cow::into_owned), &mut items);
                        }
                    }
                }
            }
        }
        Ok(items)
    }

    /// What a predictor says of this person, and the method: its rules first, then its model.
    pub(crate) fn predicted(&self, predictor: &str, at: Timestamp) -> Result<Option<(Prediction, &'a str)>> {
        let definition = self.snapshot.catalog.predictor(predictor)?;
        for rule in &definition.rules {
            if evaluate(&rule.when, self, at)? {
                return Ok(Some((Prediction::certain(&rule.cohort), "rule")));
            }
        }
        let models: &'a BTreeMap<String, LoadedModel> = self.snapshot.models;
        let Some(loaded) = models.get(predictor) else { return Ok(None) };
        let prediction = match &*loaded.model {
            TrainedModel::Cohort(model) => model.predict(&self.document(&definition.text, at)?),
            TrainedModel::Propensity(model) => {
                let score = model.predict(&self.feature_row(definition, at)?)?;
                Prediction { cohort: None, score, scores: Vec::new() }
            }
            TrainedModel::Described(model) => {
                return Ok(Some(model.predict(&self.document(&definition.text, at)?)));
            }
        };
        Ok(Some((prediction, "model")))
    }
}

impl Person<'_> {
    /// The features of a propensity predictor at an instant; what is absent counts as 0, true as 1.
    pub(crate) fn feature_row(&self, definition: &PredictorDefinition, at: Timestamp) -> Result<Vec<f64>> {
        let value = |name: &String| {
            Ok(match self.feature(name, at)? {
                Value::Number(number) => number.to_f64(),
                Value::Bool(true) => 1.0,
                Value::Null | Value::Bool(false) => 0.0,
                other => {
                    return Err(Error::invalid(format!("the feature `{name}` is {}, not a number", other.kind()))
                        .with_hint("a propensity predictor reads features that are numbers"));
                }
            })
        };
        definition.features.iter().map(value).collect()
    }
}

impl<'a> Snapshot<'a> {
    /// The model that answers for a predictor.
    pub(crate) fn loaded(&self, predictor: &str) -> Result<&'a LoadedModel> {
        self.catalog.predictor(predictor)?;
        self.models.get(predictor).ok_or_else(|| untrained(predictor))
    }

    /// The version of the model behind a score; none behind a rule, or behind cohorts that were never trained.
    pub(crate) fn model_version(&self, predictor: &str, method: &str) -> Option<u32> {
        self.models.get(predictor).filter(|_| method != "rule").and_then(|loaded| loaded.version)
    }
}

fn add_text(value: Option<Value>, items: &mut Vec<String>) {
    match value {
        Some(Value::Text(text)) => items.push(text),
        Some(Value::List(list)) => list.into_iter().for_each(|item| add_text(Some(item), items)),
        Some(Value::Number(number)) => items.push(number.to_string()),
        _ => {}
    }
}

/// What is wrong where a predictor is asked before it was trained.
pub(crate) fn untrained(predictor: &str) -> Error {
    Error::not_found(format!("the predictor `{predictor}` has no model yet"))
        .with_hint(format!("train it: train(\"{predictor}\")"))
}
