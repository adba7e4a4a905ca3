//! A model of either task, as the store keeps it.

use super::bytes::magic;
use super::dense::{MAGIC as PROPENSITY, PropensityModel};
use super::model::CohortModel;
use crate::error::Result;

/// A trained model of either task.
#[derive(Clone, Debug)]
pub enum TrainedModel {
    /// Which class a text belongs to.
    Cohort(Box<CohortModel>),
    /// How likely an event is.
    Propensity(Box<PropensityModel>),
}

impl TrainedModel {
    /// The model in these bytes; fails with `incompatible` or `corrupt`.
    pub fn from_bytes(bytes: &[u8]) -> Result<TrainedModel> {
        if magic(bytes) == Some(PROPENSITY) {
            return PropensityModel::from_bytes(bytes).map(|model| TrainedModel::Propensity(Box::new(model)));
        }
        CohortModel::from_bytes(bytes).map(|model| TrainedModel::Cohort(Box::new(model)))
    }

    /// The cohort model, if it is one.
    pub fn cohort(&self) -> Option<&CohortModel> {
        match self {
            TrainedModel::Cohort(model) => Some(model),
            TrainedModel::Propensity(_) => None,
        }
    }

    /// The propensity model, if it is one.
    pub fn propensity(&self) -> Option<&PropensityModel> {
        match self {
            TrainedModel::Propensity(model) => Some(model),
            TrainedModel::Cohort(_) => None,
        }
    }

    /// BLAKE3 of the model's bytes.
    pub fn content_hash(&self) -> [u8; 32] {
        match self {
            TrainedModel::Cohort(model) => model.content_hash(),
            TrainedModel::Propensity(model) => model.content_hash(),
        }
    }
}
