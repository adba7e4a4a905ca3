//! Judging models: on people they did not see, by explaining a score, and by how far the present has moved from training.

use crate::definitions::PredictorTask;
use crate::engine::handle::Cdp;
use crate::error::{Error, Result};
use crate::predict::{Drift, Folds, TrainedModel, TrainingOptions, TrainingTexts, cross_validate, train_propensity};
use crate::records::{Identifier, Object, Value};
use crate::verbs::predict::training_data::LabelledTexts;
use crate::verbs::predict::training_rows::{TimedRows, TrainOptions};

/// From this share of drifted columns on the whole is called drifted.
const DRIFTED_SHARE: f64 = 0.5;

const DEFAULT_FOLDS: usize = 5;

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
                Some(identifier) => snapshot.find_person(identifier, at)?,
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
}

fn drift_value((column, drift): (String, Drift)) -> Value {
    let mut fields = Object::new();
    fields.insert("column".to_owned(), Value::Text(column));
    if let Value::Object(figures) = drift.to_value() {
        fields.extend(figures);
    }
    Value::Object(fields)
}
