//! The model that answers for each predictor as a part of RAM, replaced as a whole.
//!
//! It takes the models of the file and leaves those that answer under the definitions. A transaction sees the models of the
//! last commit, also after it has added one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::definitions::Catalog;
use crate::engine::parts::part::{Beginning, Behind, Part};
use crate::error::Result;
use crate::predict::TrainedModel;
use crate::predict::models::{LoadedModel, answering_models};
use crate::store::Facts;

/// The model that answers for each predictor, by the name of the predictor.
pub(crate) type LoadedModels = BTreeMap<String, LoadedModel>;

/// The models as of the last commit.
#[derive(Clone)]
pub(crate) struct Models(Arc<LoadedModels>);

impl Models {
    /// The models of the file that answer under the definitions.
    pub(in crate::engine) fn read(facts: Facts<'_>, catalog: &Catalog) -> Result<Models> {
        let mut latest: BTreeMap<String, u32> = BTreeMap::new();
        for stored in facts.models()? {
            latest.insert(stored.predictor, stored.version);
        }
        let mut trained = BTreeMap::new();
        for (predictor, version) in latest {
            if let Some(bytes) = facts.model_bytes(&predictor, version)? {
                let model = Arc::new(TrainedModel::from_bytes(&bytes)?);
                trained.insert(predictor, LoadedModel { version: Some(version), model });
            }
        }
        Ok(Models(Arc::new(answering_models(trained, catalog)?)))
    }
}

impl Part for Models {
    /// All models once more, if there are others.
    type Changes = Option<Models>;
    type View<'a> = &'a LoadedModels;

    fn load(beginning: &Beginning<'_>) -> Result<Models> {
        Models::read(beginning.facts, &beginning.catalog)
    }

    fn changes(&self) -> Option<Models> {
        None
    }

    fn changes_behind(&self, behind: &Behind<'_>) -> Result<Option<Models>> {
        let is_behind = behind.from.model_sequence != behind.to.model_sequence;
        is_behind.then(|| Models::read(behind.facts, behind.catalog)).transpose()
    }

    fn view(&self) -> &LoadedModels {
        &self.0
    }

    fn view_with<'a>(&'a self, _changes: &'a Option<Models>) -> &'a LoadedModels {
        &self.0
    }

    fn fold(&mut self, changes: Option<Models>) {
        if let Some(models) = changes {
            *self = models;
        }
    }
}
