//! The model that answers for each predictor: the latest trained one, or described cohorts as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::definitions::Catalog;
use crate::error::Result;
use crate::predict::{DescribedModel, TrainedModel};

/// A model and its version.
#[derive(Clone)]
pub(crate) struct LoadedModel {
    /// Absent for described cohorts that were never trained: likeness of words needs no training.
    pub(crate) version: Option<u32>,
    pub(crate) model: Arc<TrainedModel>,
}

/// The model that answers for each predictor, of the latest trained ones: that one, or described cohorts as they are.
pub(crate) fn answering_models(
    trained: BTreeMap<String, LoadedModel>,
    catalog: &Catalog,
) -> Result<BTreeMap<String, LoadedModel>> {
    let mut models = trained;
    for definition in catalog.predictors() {
        let stored = models.get(&definition.name);
        if definition.cohorts.is_empty() {
            // What was trained of cohorts that were described before cannot answer for others.
            if stored.is_some_and(|stored| stored.model.described().is_some()) {
                models.remove(&definition.name);
            }
            continue;
        }
        let trained = stored.and_then(|stored| stored.model.described().map(|model| (stored.version, model)));
        let (version, model) = match trained.filter(|(_, model)| model.cohorts() == definition.cohorts) {
            Some((version, model)) => (version, model.clone().with_threshold(definition.threshold)),
            None => (None, DescribedModel::lexical(definition)?),
        };
        let model = Arc::new(TrainedModel::Described(Box::new(model)));
        models.insert(definition.name.clone(), LoadedModel { version, model });
    }
    Ok(models)
}
