//! A model of any kind, as the store keeps it.

use super::bytes::magic;
use super::dense::{MAGIC as PROPENSITY, PropensityModel};
use super::described::{DescribedModel, MAGIC as DESCRIBED};
use super::model::CohortModel;
use crate::error::Result;

/// A model of any kind.
#[derive(Clone, Debug)]
pub enum TrainedModel {
    /// Which class a text belongs to.
    Cohort(Box<CohortModel>),
    /// How likely an event is.
    Propensity(Box<PropensityModel>),
    /// Which described cohort a text is like.
    Described(Box<DescribedModel>),
}

impl TrainedModel {
    /// The model in these bytes; fails with `incompatible` or `corrupt`.
    pub fn from_bytes(bytes: &[u8]) -> Result<TrainedModel> {
        if magic(bytes) == Some(PROPENSITY) {
            return PropensityModel::from_bytes(bytes).map(|model| TrainedModel::Propensity(Box::new(model)));
        }
        if magic(bytes) == Some(DESCRIBED) {
            return DescribedModel::from_bytes(bytes).map(|model| TrainedModel::Described(Box::new(model)));
        }
        CohortModel::from_bytes(bytes).map(|model| TrainedModel::Cohort(Box::new(model)))
    }

    /// The cohort model, if it is one.
    pub fn cohort(&self) -> Option<&CohortModel> {
        match self {
            TrainedModel::Cohort(model) => Some(model),
            TrainedModel::Propensity(_) | TrainedModel::Described(_) => None,
        }
    }

    /// The propensity model, if it is one.
    pub fn propensity(&self) -> Option<&PropensityModel> {
        match self {
            TrainedModel::Propensity(model) => Some(model),
            TrainedModel::Cohort(_) | TrainedModel::Described(_) => None,
        }
    }

    /// The model of described cohorts, if it is one.
    pub fn described(&self) -> Option<&DescribedModel> {
        match self {
            TrainedModel::Described(model) => Some(model),
            TrainedModel::Cohort(_) | TrainedModel::Propensity(_) => None,
        }
    }

    /// The classes it can give, sorted; none of a likelihood.
    pub fn classes(&self) -> Vec<String> {
        match self {
            TrainedModel::Cohort(model) => model.classes().to_vec(),
            TrainedModel::Propensity(_) => Vec::new(),
            TrainedModel::Described(model) => {
                let mut classes: Vec<String> = model.cohorts().iter().map(|cohort| cohort.cohort.clone()).collect();
                classes.sort();
                classes
            }
        }
    }

    /// BLAKE3 of the model's bytes.
    pub fn content_hash(&self) -> [u8; 32] {
        match self {
            TrainedModel::Cohort(model) => model.content_hash(),
            TrainedModel::Propensity(model) => model.content_hash(),
            TrainedModel::Described(model) => model.content_hash(),
        }
    }
}
