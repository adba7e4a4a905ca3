//! What is done with trained models: judged, explained, watched, put back, carried elsewhere.
//!
//! Takes the models of the file and the people of a snapshot; leaves reports. A model is never rewritten: the one that
//! answers is the latest version, and putting an older one back appends its bytes as a new version that says so.

use super::score::described_report;
use super::snapshot::{Person, Snapshot};
use super::state::{LoadedModel, stored_json};
use super::training_rows::{TimedRows, TrainOptions};
use super::training_set::LabelledTexts;
use super::{Cdp, Identifier};
use crate::definitions::{PredictorDefinition, PredictorTask};
use crate::error::{Error, Result};
use crate::predict::{
    Drift, Folds, PropensityModel, TrainedModel, TrainingOptions, TrainingTexts, cross_validate, train_propensity,
};
use crate::records::{Object, Timestamp, Value};
use crate::rules::{ProfileView, reads_predictor};
use crate::store::{StoredModel, hex};

/// From this share of drifted columns on the whole is called drifted.
const DRIFTED_SHARE: f64 = 0.5;
const DEFAULT_FOLDS: usize = 5;
/// In how many documents a term must occur to leave the file with a model.
const EXPORTED_MIN_DF: u32 = 5;

impl Cdp {
    /// Judges a predictor on the facts of now: a cohort predictor on labelled profiles that each model did not see, by
    /// stratified folds (`split: "stratified"`) or in the order in which people were first seen (`split: "time"`: earlier
    /// people teach, later ones test); a propensity predictor on its latest instant by a model of the earlier ones, beside
    /// the trivial rule, on the rows of [`Cdp::train`].
    ///
    /// Trains once for each fold; stores nothing. Who denied `ml_training` is left out; `withheld` counts them.
    pub fn evaluate(&self, predictor: &str, folds: Option<usize>, split: Option<&str>) -> Result<Value> {
        let at = self.now();
        let folds = u32::try_from(folds.unwrap_or(DEFAULT_FOLDS)).unwrap_or(u32::MAX);
        let in_time = match split {
            None | Some("stratified") => false,
            Some("time") => true,
            Some(_) => return Err(Error::invalid("evaluate: `split` is \"stratified\" or \"time\"")),
        };
        let (definition, texts, timed) = self.read_at_length(|snapshot| {
            let definition = snapshot.catalog.predictor(predictor)?.clone();
            let (mut texts, mut timed) = (LabelledTexts::default(), TimedRows::default());
            match definition.task {
                PredictorTask::Cohort => texts = self.labelled_texts(snapshot, &definition, at)?,
                PredictorTask::Propensity => {
                    timed = self.timed_rows(snapshot, &definition, at, TrainOptions::default())?;
                }
            }
            Ok((definition, texts, timed))
        })?;
        let mut report = vec![("predictor".to_owned(), Value::from(predictor))];
        let withheld =
            |withheld: u64| ("withheld".to_owned(), Value::integer(i64::try_from(withheld).unwrap_or(i64::MAX)));
        if definition.task == PredictorTask::Propensity {
            let trained = train_propensity(&definition, &timed.rows).map_err(|error| timed.explain(error))?;
            report.extend(timed.to_fields());
            report.push(("validation".to_owned(), trained.validation.map_or(Value::Null, |found| found.to_value())));
            report.push(("baseline".to_owned(), trained.baseline.map_or(Value::Null, |found| found.to_value())));
            report.push(withheld(timed.withheld));
            return Ok(Value::Object(report.into_iter().collect()));
        }
        let texts_of = TrainingTexts { documents: &texts.documents, labels: &texts.labels, weights: None };
        let split = if in_time { Folds::InTime(folds, &texts.first_seen) } else { Folds::Stratified(folds) };
        let metrics = cross_validate(&TrainingOptions::from(&definition), &texts_of, split)?;
        report.push(("folds".to_owned(), Value::integer(folds)));
        report.push(("split".to_owned(), Value::from(if in_time { "time" } else { "stratified" })));
        report.push(withheld(texts.withheld));
        if let Value::Object(figures) = metrics.to_value() {
            report.extend(figures);
        }
        Ok(Value::Object(report.into_iter().collect()))
    }

    /// Why a person or a text has its score: `{cohort, intercept, contributions: [{term, logit}], logit, temperature,
    /// method, model_version}`; intercept and contributions add up to the logit. Of described cohorts the contributions are
    /// those to the likeness of words, which is their sum; a scorer explains nothing.
    ///
    /// Without `cohort` it is the most probable one. `top_k` keeps the strongest contributions. `None` if nobody has the
    /// identifier.
    pub fn explain_prediction(
        &self,
        predictor: &str,
        identifier: Option<&Value>,
        text: Option<&str>,
        cohort: Option<&str>,
        top_k: Option<usize>,
    ) -> Result<Option<Value>> {
        let at = self.now();
        let identifier = identifier.map(Identifier::from_value).transpose()?;
        self.read(|snapshot| {
            let definition = snapshot.catalog.predictor(predictor)?;
            let loaded = snapshot.loaded(predictor)?;
            let person = match &identifier {
                Some(identifier) => match snapshot.node_of(identifier)? {
                    Some(node) => snapshot.person(node, at)?,
                    None => None,
                },
                None => None,
            };
            if identifier.is_some() == text.is_some() {
                return Err(Error::invalid("explain_prediction: give either an identifier or a `text`"));
            }
            if identifier.is_some() && person.is_none() {
                return Ok(None);
            }
            let mut method = "model";
            let (cohort, intercept, parts, logit, temperature) = match (&*loaded.model, &person) {
                (TrainedModel::Described(model), _) => {
                    let document = match (&person, text) {
                        (Some(person), _) => person.document(&definition.text, at)?,
                        (None, text) => text.iter().map(|text| (*text).to_owned()).collect(),
                    };
                    let (likeness, _) = model.likeness(&document);
                    let best = likeness.scores.into_iter().fold(None, |best: Option<(String, f64)>, one| match best {
                        Some(best) if best.1 >= one.1 => Some(best),
                        _ => Some(one),
                    });
                    let Some(class) = cohort.map(str::to_owned).or_else(|| best.map(|(class, _)| class)) else {
                        return Err(Error::not_found("the text is like no cohort; there is nothing to explain"));
                    };
                    let (parts, by) = model.explain(&document, &class)?;
                    method = by;
                    let sum = parts.iter().map(|(_, part)| part).sum();
                    (Value::Text(class), 0.0, parts, sum, 1.0)
                }
                (TrainedModel::Cohort(model), _) => {
                    let document = match (&person, text) {
                        (Some(person), _) => person.document(&definition.text, at)?,
                        (None, text) => text.iter().map(|text| (*text).to_owned()).collect(),
                    };
                    let best =
                        || model.predict(&document).scores.into_iter().max_by(|left, right| left.1.total_cmp(&right.1));
                    let class = match cohort {
                        Some(cohort) => Some(cohort.to_owned()),
                        None => best().map(|(class, _)| class),
                    };
                    let Some(class) = class else {
                        return Err(Error::not_found(
                            "no word of the text is known to the model; there is nothing to explain",
                        ));
                    };
                    let why = model.explain(&document, &class)?;
                    let parts = why.contributions.into_iter().map(|part| (part.term, part.logit)).collect();
                    (Value::Text(class), why.intercept, parts, why.logit, model.temperature())
                }
                (TrainedModel::Propensity(model), Some(person)) => {
                    let values = person.feature_row(definition, at)?;
                    let mut parts: Vec<(String, f64)> = model
                        .explain(&values)?
                        .into_iter()
                        .map(|(feature, logit)| (feature.to_owned(), logit))
                        .collect();
                    let logit = model.intercept() + parts.iter().map(|(_, logit)| logit).sum::<f64>();
                    parts.sort_by(|left, right| {
                        right.1.abs().total_cmp(&left.1.abs()).then_with(|| left.0.cmp(&right.0))
                    });
                    (Value::Null, model.intercept(), parts, logit, 1.0)
                }
                (TrainedModel::Propensity(_), None) => {
                    return Err(Error::invalid("a propensity predictor explains a person, not a text"));
                }
            };
            let shown: Vec<(String, f64)> = parts.into_iter().take(top_k.unwrap_or(usize::MAX)).collect();
            let contributions = shown
                .into_iter()
                .map(|(term, logit)| Value::object([("term", Value::Text(term)), ("logit", Value::float(logit))]));
            Ok(Some(Value::object([
                ("cohort", cohort),
                ("intercept", Value::float(intercept)),
                ("contributions", Value::List(contributions.collect())),
                ("logit", Value::float(logit)),
                ("temperature", Value::float(temperature)),
                ("method", Value::from(method)),
                ("model_version", loaded.version.map_or(Value::Null, Value::integer)),
            ])))
        })
    }

    /// How far what a model sees now has moved from what it was trained on: `{drifted, share_drifted, columns: [{column,
    /// test, statistic, p_value, drifted, psi, n_rows}]}`. By its kind a column is compared by a test of significance or a
    /// distance; `unknown_terms` is the share of words the model does not know.
    pub fn drift(&self, predictor: &str) -> Result<Value> {
        let at = self.now();
        self.read_at_length(|snapshot| {
            let definition = snapshot.catalog.predictor(predictor)?;
            let loaded = snapshot.loaded(predictor)?;
            let people = snapshot.people(at)?;
            let mut unknown = Value::Null;
            let mut documents = Vec::new();
            for person in people.iter().filter(|_| definition.task == PredictorTask::Cohort) {
                let document = person.document(&definition.text, at)?;
                if !document.is_empty() {
                    documents.push(document);
                }
            }
            let columns = match &*loaded.model {
                TrainedModel::Cohort(model) => {
                    unknown = model.unknown_share(&documents).map_or(Value::Null, Value::float);
                    model.drift(&documents)?
                }
                TrainedModel::Described(model) => {
                    unknown = model.unknown_share(&documents).map_or(Value::Null, Value::float);
                    model.drift(&documents)?
                }
                TrainedModel::Propensity(model) => {
                    let rows =
                        people.iter().map(|person| person.feature_row(definition, at)).collect::<Result<Vec<_>>>()?;
                    model.drift(&rows)?
                }
            };
            let share =
                columns.iter().filter(|(_, drift)| drift.is_drifted).count() as f64 / columns.len().max(1) as f64;
            Ok(Value::object([
                ("predictor", Value::from(predictor)),
                ("model_version", loaded.version.map_or(Value::Null, Value::integer)),
                ("drifted", Value::Bool(share >= DRIFTED_SHARE)),
                ("share_drifted", Value::float(share)),
                ("unknown_terms", unknown),
                ("columns_drift", Value::List(columns.into_iter().map(drift_value).collect())),
            ]))
        })
    }

    /// Makes an older version of a model the one that answers, or the one before the latest (roll back): appends its bytes as
    /// a new version whose report says what it `restores`. Gives that report.
    pub fn activate_model(&self, predictor: &str, version: Option<u32>) -> Result<Value> {
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
    pub fn import_model(&self, predictor: &str, bytes: &[u8]) -> Result<Value> {
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
            TrainedModel::Cohort(model) => super::learn::report(model)?,
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
    ) -> Result<Value> {
        let content_hash = TrainedModel::from_bytes(bytes)?.content_hash();
        let seen = match sequence {
            Some(sequence) => sequence,
            None => self.read(|snapshot| Ok(snapshot.memory.sequence()))?,
        };
        self.write(|writing| {
            let models = writing.facts.models()?;
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
            let report = Value::Object(fields);
            let stored = StoredModel {
                predictor: predictor.to_owned(),
                version,
                sequence: seen,
                recorded_at: writing.meta.recorded_at,
                content_hash: content_hash.to_vec(),
                report: report.to_json(),
            };
            writing.facts.put_model(&stored, bytes)?;
            writing.models_changed();
            let catalog = writing.catalog.clone();
            if catalog.audiences().any(|audience| reads_predictor(&audience.rule, &catalog, predictor)) {
                writing.reload_at_the_end(false);
            }
            Ok(report)
        })
    }
}

fn drift_value((column, drift): (String, Drift)) -> Value {
    let mut fields = Object::new();
    fields.insert("column".to_owned(), Value::Text(column));
    if let Value::Object(figures) = drift.to_value() {
        fields.extend(figures);
    }
    Value::Object(fields)
}

/// The report of a propensity model.
pub(super) fn propensity_report(model: &PropensityModel) -> Value {
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

/// What is wrong where a predictor is asked before it was trained.
pub(super) fn untrained(predictor: &str) -> Error {
    Error::not_found(format!("the predictor `{predictor}` has no model yet"))
        .with_hint(format!("train it: train(\"{predictor}\")"))
}

impl<'a> Snapshot<'a> {
    /// The model that answers for a predictor.
    pub(super) fn loaded(&self, predictor: &str) -> Result<&'a LoadedModel> {
        self.catalog.predictor(predictor)?;
        self.models.get(predictor).ok_or_else(|| untrained(predictor))
    }

    /// The version of the model behind a score; none behind a rule, or behind cohorts that were never trained.
    pub(super) fn model_version(&self, predictor: &str, method: &str) -> Option<u32> {
        self.models.get(predictor).filter(|_| method != "rule").and_then(|loaded| loaded.version)
    }
}

impl Person<'_> {
    /// The features of a propensity predictor at an instant; what is absent counts as 0, true as 1.
    pub(super) fn feature_row(&self, definition: &PredictorDefinition, at: Timestamp) -> Result<Vec<f64>> {
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

impl PropensityModel {
    /// How far each feature and the likelihood of these rows have moved from training's.
    pub(super) fn drift(&self, rows: &[Vec<f64>]) -> Result<Vec<(String, Drift)>> {
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
