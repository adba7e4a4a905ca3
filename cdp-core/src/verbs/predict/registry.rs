//! The versions of models: listed, put back, carried elsewhere. A model is never rewritten; the latest version answers, and
//! putting an older one back appends its bytes as a new version that says so.

use crate::definitions::PredictorTask;
use crate::engine::handle::Cdp;
use crate::engine::load::stored_json;
use crate::engine::people::prediction::untrained;
use crate::error::{Error, Result};
use crate::predict::TrainedModel;
use crate::predict::reports::{described_report, propensity_report, report};
use crate::records::answer::{Field, answer_by_hand};
use crate::records::{Object, Value};
use crate::rules::reads_predictor;
use crate::store::{StoredModel, hex};

/// In how many documents a term must occur to leave the file with a model.
const EXPORTED_MIN_DF: u32 = 5;

/// A trained model: what it learned, and from how much.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelReport {
    /// The name of the predictor.
    pub predictor: String,
    /// The version of the model.
    pub version: u32,
    /// The figures by name, such as `n_rows`, `classes`, `validation`, `data_hash`, `sequence`.
    pub figures: Object,
}

impl ModelReport {
    /// A figure by its name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.figures.get(name)
    }
}

/// The figures stand beside the name and the version.
impl Field for ModelReport {
    fn into_value(self) -> Value {
        let mut fields = self.figures;
        fields.insert("predictor".to_owned(), Value::Text(self.predictor));
        fields.insert("version".to_owned(), Value::integer(self.version));
        Value::Object(fields)
    }

    fn write_shape(&self, out: &mut String) {
        out.push_str("ModelReport");
    }
}

answer_by_hand!(ModelReport);

impl std::fmt::Debug for ModelReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModelReport({} version {})", self.predictor, self.version)
    }
}

impl Cdp {
    /// The reports of the trained models, by predictor and version, or of one predictor.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// assert!(db.models(None)?.is_empty());
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn models(&self, predictor: Option<&str>) -> Result<Vec<ModelReport>> {
        self.read(|snapshot| {
            let stored = snapshot.facts.models()?;
            let wanted = stored.into_iter().filter(|model| predictor.is_none_or(|name| name == model.predictor));
            let reports = wanted.map(|model| {
                let Value::Object(mut figures) = stored_json(&model.report)? else {
                    return Err(Error::internal("the report of a model is no object"));
                };
                figures.insert("recorded_at".to_owned(), Value::Text(model.recorded_at.to_string()));
                Ok(ModelReport { predictor: model.predictor, version: model.version, figures })
            });
            reports.collect()
        })
    }
}

impl Cdp {
    /// Makes an older version of a model the one that answers, or the one before the latest (roll back): appends its bytes as
    /// a new version whose report says what it `restores`. Gives that report.
    pub fn activate_model(&self, predictor: &str, version: Option<u32>) -> Result<ModelReport> {
        let (bytes, mut report, version) = self.read(|snapshot| {
            let models = snapshot.facts.models()?;
            let mut of_predictor = models.into_iter().filter(|stored| stored.predictor == predictor).rev();
            let wanted = match version {
                Some(version) => of_predictor.find(|stored| stored.version == version),
                None => of_predictor.nth(1),
            };
            let stored = wanted.ok_or_else(|| {
                Error::not_found(format!("the predictor `{predictor}` has no such version of its model"))
                    .with_hint(format!("models(\"{predictor}\") lists those there are"))
            })?;
            let bytes = snapshot.facts.model_bytes(predictor, stored.version)?;
            let bytes = bytes.ok_or_else(|| Error::internal("a model has no bytes"))?;
            Ok((bytes, stored_json(&stored.report)?, stored.version))
        })?;
        if let Value::Object(report) = &mut report {
            report.insert("restores".to_owned(), Value::integer(version));
        }
        self.append_model(predictor, &bytes, report, None)
    }

    /// The bytes of a model in their versioned, checked format: of the latest version, or of one.
    ///
    /// Terms of fewer than `min_df` documents (5 by default) stay behind, because a rare word may name a person; so do the
    /// answers of a scorer, which speak of the texts of this store.
    pub fn export_model(&self, predictor: &str, version: Option<u32>, min_df: Option<u32>) -> Result<Vec<u8>> {
        let bytes = self.read(|snapshot| {
            let version = match version {
                Some(version) => version,
                None => snapshot.loaded(predictor)?.version.ok_or_else(|| untrained(predictor))?,
            };
            snapshot.facts.model_bytes(predictor, version)?.ok_or_else(|| {
                Error::not_found(format!("the predictor `{predictor}` has no version {version} of its model"))
                    .with_hint(format!("models(\"{predictor}\") lists those there are"))
            })
        })?;
        match TrainedModel::from_bytes(&bytes)? {
            TrainedModel::Cohort(model) => Ok(model.without_rare_terms(min_df.unwrap_or(EXPORTED_MIN_DF))?.to_bytes()),
            TrainedModel::Propensity(_) => Ok(bytes),
            TrainedModel::Described(model) => Ok(model.without_people(min_df.unwrap_or(EXPORTED_MIN_DF))?.to_bytes()),
        }
    }

    /// Takes in a model from its bytes as the next version of a predictor of the same task. Gives its report.
    ///
    /// Fails with `incompatible` or `corrupt` for other bytes, and with `invalid` for a model of another task or features.
    pub fn import_model(&self, predictor: &str, bytes: &[u8]) -> Result<ModelReport> {
        let definition = self.read(|snapshot| snapshot.catalog.predictor(predictor).cloned())?;
        let model = TrainedModel::from_bytes(bytes)?;
        let fits = match &model {
            TrainedModel::Cohort(_) => definition.task == PredictorTask::Cohort && definition.cohorts.is_empty(),
            TrainedModel::Described(model) => model.cohorts() == definition.cohorts,
            TrainedModel::Propensity(model) => {
                definition.task == PredictorTask::Propensity
                    && model.weights().map(|(feature, _)| feature).eq(definition.features.iter().map(String::as_str))
            }
        };
        if !fits {
            return Err(Error::invalid(format!("the model has another task or other features than `{predictor}`")));
        }
        let report = match &model {
            TrainedModel::Cohort(model) => report(model)?,
            TrainedModel::Propensity(model) => propensity_report(model),
            TrainedModel::Described(model) => described_report(model),
        };
        let Value::Object(mut report) = report else { return Err(Error::internal("a report is no object")) };
        report.insert("imported".to_owned(), Value::Bool(true));
        self.append_model(predictor, bytes, Value::Object(report), None)
    }

    /// Stores a model as the next version of its predictor and gives its report, completed.
    pub(super) fn append_model(
        &self,
        predictor: &str,
        bytes: &[u8],
        report: Value,
        sequence: Option<u64>,
    ) -> Result<ModelReport> {
        let content_hash = TrainedModel::from_bytes(bytes)?.content_hash();
        let seen = match sequence {
            Some(sequence) => sequence,
            None => self.read(|snapshot| Ok(snapshot.memory.sequence()))?,
        };
        self.write(|tx| {
            let models = tx.facts.models()?;
            let parent = models.iter().rfind(|stored| stored.predictor == predictor);
            let version = parent.map_or(0, |stored| stored.version) + 1;
            let mut fields = Object::new();
            fields.insert("predictor".to_owned(), Value::from(predictor));
            fields.insert("version".to_owned(), Value::integer(version));
            fields.insert("sequence".to_owned(), Value::integer(i64::try_from(seen).unwrap_or(i64::MAX)));
            if let Value::Object(report) = &report {
                report.iter().for_each(|(name, value)| {
                    fields.entry(name.clone()).or_insert_with(|| value.clone());
                });
            }
            fields.insert("content_hash".to_owned(), Value::Text(hex(&content_hash)));
            fields.insert(
                "parent".to_owned(),
                parent.map_or(Value::Null, |stored| Value::Text(hex(&stored.content_hash))),
            );
            let stored = StoredModel {
                predictor: predictor.to_owned(),
                version,
                sequence: seen,
                recorded_at: tx.meta.recorded_at,
                content_hash: content_hash.to_vec(),
                report: Value::Object(fields.clone()).to_json(),
            };
            tx.facts.put_model(&stored, bytes)?;
            tx.models_changed();
            let catalog = tx.changes.catalog.clone();
            if catalog.audiences().any(|audience| reads_predictor(&audience.rule, &catalog, predictor)) {
                tx.reload_at_the_end(false);
            }
            Ok(ModelReport { predictor: predictor.to_owned(), version, figures: fields })
        })
    }
}
