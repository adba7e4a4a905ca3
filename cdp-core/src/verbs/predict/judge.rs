//! Judging models: on people they did not see, by explaining a score, and by how far the present has moved from training.

use crate::definitions::PredictorTask;
use crate::engine::handle::Cdp;
use crate::error::{Error, Result};
use crate::predict::{Drift, Folds, TrainedModel, TrainingOptions, TrainingTexts, cross_validate, train_propensity};
use crate::records::answer::{Field, answer, answer_by_hand};
use crate::records::options::options;
use crate::records::{Object, Value};
use crate::verbs::predict::predictions::{IntoSubject, Subject};
use crate::verbs::predict::training_data::LabelledTexts;
use crate::verbs::predict::training_rows::{TimedRows, TrainOptions};

/// From this share of drifted columns on the whole is called drifted.
const DRIFTED_SHARE: f64 = 0.5;

const DEFAULT_FOLDS: usize = 5;

options! {
    /// How a predictor is judged.
    pub struct EvaluateOptions {
        /// The number of folds; five without it.
        folds: optional usize,
        /// `stratified` (without it), or `time`: earlier people teach, later ones test.
        split: optional String,
    }
}

options! {
    /// Which part of a prediction is explained.
    pub struct ExplainOptions {
        /// The cohort; the most probable one without it.
        cohort: optional String,
        /// The number of contributions, the strongest first; all without it.
        top_k: optional usize,
    }
}

/// The quality of a predictor on data that it did not learn from.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelEvaluation {
    /// The name of the predictor.
    pub predictor: String,
    /// The figures, by the task: `accuracy`, `log_loss`, `classes` ... of cohorts, `validation` and `baseline` of a propensity.
    pub figures: Object,
}

impl ModelEvaluation {
    /// A figure by its name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.figures.get(name)
    }
}

/// The figures stand beside the name of the predictor.
impl Field for ModelEvaluation {
    fn into_value(self) -> Value {
        let mut fields = self.figures;
        fields.insert("predictor".to_owned(), Value::Text(self.predictor));
        Value::Object(fields)
    }

    fn write_shape(&self, out: &mut String) {
        out.push_str("ModelEvaluation");
    }
}

answer_by_hand!(ModelEvaluation);

impl std::fmt::Debug for ModelEvaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModelEvaluation({})", self.predictor)
    }
}

answer! {
    /// Why a person or a text has its score.
    pub struct PredictionExplanation {
        /// The cohort that is explained; `None` for a propensity predictor.
        cohort: Option<String>,
        /// The logit without any word or feature.
        intercept: f64,
        /// What each word or feature adds to the logit, the strongest first.
        contributions: Vec<TermContribution>,
        /// The sum of intercept and contributions.
        logit: f64,
        /// The divisor of the logits that calibrates the probabilities.
        temperature: f64,
        /// What gave the score.
        method: String,
        /// The version of the model.
        model_version: Option<u32>,
    }
}

answer! {
    /// What one word or feature adds to a logit.
    pub struct TermContribution {
        /// The word or the feature.
        term: String,
        /// The part of the logit.
        logit: f64,
    }
}

answer! {
    /// How far the people of now differ from those that a model was trained on.
    pub struct DriftReport {
        /// The name of the predictor.
        predictor: String,
        /// The version of the model.
        model_version: Option<u32>,
        /// Whether half of the columns or more have drifted.
        drifted: bool,
        /// The share of columns that have drifted, from 0 to 1.
        share_drifted: f64,
        /// The share of words that the model does not know.
        unknown_terms: Option<f64>,
        /// The drift of each column.
        columns_drift: Vec<ColumnDrift>,
    }
}

answer! {
    /// How far one column has moved.
    pub struct ColumnDrift {
        /// The name of the feature, or of what stands for the texts.
        column: String,
        /// The test or distance: `kolmogorov_smirnov`, `chi_square`, `wasserstein` or `jensen_shannon`.
        test: &'static str,
        /// Its value.
        statistic: f64,
        /// The probability of a greater value without drift; `None` for a distance.
        p_value: Option<f64>,
        /// Whether the column has drifted.
        drifted: bool,
        /// The population stability index: by convention little below 0.1 and much from 0.25.
        psi: f64,
        /// The number of rows that are compared with the training.
        n_rows: u64,
    }
}

impl Cdp {
    /// Judges a predictor on the facts of now: a cohort predictor on labelled profiles that each model did not see, by
    /// stratified folds (`split: "stratified"`) or in the order in which people were first seen (`split: "time"`: earlier
    /// people teach, later ones test); a propensity predictor on its latest instant by a model of the earlier ones, beside
    /// the trivial rule, on the rows of [`Cdp::train`].
    ///
    /// Trains once for each fold; stores nothing. A person who denied `ml_training` is left out; `withheld` counts them.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, ErrorKind, cdp::EvaluateOptions};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let error = db.evaluate("missing", &EvaluateOptions::new().folds(3usize)).map(|_| ());
    /// assert_eq!(error.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn evaluate(&self, predictor: &str, options: &EvaluateOptions) -> Result<ModelEvaluation> {
        let at = self.now();
        let folds = u32::try_from(options.folds.unwrap_or(DEFAULT_FOLDS)).unwrap_or(u32::MAX);
        let in_time = match options.split.as_deref() {
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
                    timed = self.timed_rows(snapshot, &definition, at, &TrainOptions::default())?;
                }
            }
            Ok((definition, texts, timed))
        })?;
        let mut report = Vec::new();
        let withheld =
            |withheld: u64| ("withheld".to_owned(), Value::integer(i64::try_from(withheld).unwrap_or(i64::MAX)));
        if definition.task == PredictorTask::Propensity {
            let trained = train_propensity(&definition, &timed.rows).map_err(|error| timed.explain(error))?;
            report.extend(timed.to_fields());
            report.push(("validation".to_owned(), trained.validation.map_or(Value::Null, |found| found.to_value())));
            report.push(("baseline".to_owned(), trained.baseline.map_or(Value::Null, |found| found.to_value())));
            report.push(withheld(timed.withheld));
            return Ok(ModelEvaluation { predictor: predictor.to_owned(), figures: report.into_iter().collect() });
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
        Ok(ModelEvaluation { predictor: predictor.to_owned(), figures: report.into_iter().collect() })
    }

    /// Why a person or a text has its score; `None` if there is no such person.
    ///
    /// Intercept and contributions add up to the logit. Of described cohorts the contributions are those to the likeness of
    /// words, which is their sum; a scorer explains nothing.
    pub fn explain_prediction(
        &self,
        predictor: &str,
        subject: impl IntoSubject,
        options: &ExplainOptions,
    ) -> Result<Option<PredictionExplanation>> {
        let at = self.now();
        let ExplainOptions { cohort, top_k } = options;
        let (cohort, top_k) = (cohort.as_deref(), *top_k);
        let (identifier, texts) = match subject.into_subject()? {
            Subject::Person(identifier) => (Some(identifier), Vec::new()),
            Subject::Text(text) => (None, vec![text]),
        };
        self.read(|snapshot| {
            let definition = snapshot.catalog.predictor(predictor)?;
            let loaded = snapshot.loaded(predictor)?;
            let person = match &identifier {
                Some(identifier) => snapshot.find_person(identifier, at)?,
                None => None,
            };
            if identifier.is_some() && person.is_none() {
                return Ok(None);
            }
            let document = || match &person {
                Some(person) => person.document(&definition.text, at),
                None => Ok(texts.clone()),
            };
            let mut method = "model";
            let (cohort, intercept, parts, logit, temperature) = match (&*loaded.model, &person) {
                (TrainedModel::Described(model), _) => {
                    let document = document()?;
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
                    (Some(class), 0.0, parts, sum, 1.0)
                }
                (TrainedModel::Cohort(model), _) => {
                    let document = document()?;
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
                    (Some(class), why.intercept, parts, why.logit, model.temperature())
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
                    (None, model.intercept(), parts, logit, 1.0)
                }
                (TrainedModel::Propensity(_), None) => {
                    return Err(Error::invalid("a propensity predictor explains a person, not a text"));
                }
            };
            let shown = parts.into_iter().take(top_k.unwrap_or(usize::MAX));
            Ok(Some(PredictionExplanation {
                cohort,
                intercept,
                contributions: shown.map(|(term, logit)| TermContribution { term, logit }).collect(),
                logit,
                temperature,
                method: method.to_owned(),
                model_version: loaded.version,
            }))
        })
    }

    /// How far what a model sees now has moved from what it was trained on. By its kind a column is compared by a
    /// test of significance or a distance. Cost grows with the store.
    pub fn drift(&self, predictor: &str) -> Result<DriftReport> {
        let at = self.now();
        self.read_at_length(|snapshot| {
            let definition = snapshot.catalog.predictor(predictor)?;
            let loaded = snapshot.loaded(predictor)?;
            let people = snapshot.people(at)?;
            let mut unknown = None;
            let mut documents = Vec::new();
            for person in people.iter().filter(|_| definition.task == PredictorTask::Cohort) {
                let document = person.document(&definition.text, at)?;
                if !document.is_empty() {
                    documents.push(document);
                }
            }
            let columns = match &*loaded.model {
                TrainedModel::Cohort(model) => {
                    unknown = model.unknown_share(&documents);
                    model.drift(&documents)?
                }
                TrainedModel::Described(model) => {
                    unknown = model.unknown_share(&documents);
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
            Ok(DriftReport {
                predictor: predictor.to_owned(),
                model_version: loaded.version,
                drifted: share >= DRIFTED_SHARE,
                share_drifted: share,
                unknown_terms: unknown,
                columns_drift: columns.into_iter().map(|(column, drift)| drift_of(column, &drift)).collect(),
            })
        })
    }
}

fn drift_of(column: String, drift: &Drift) -> ColumnDrift {
    ColumnDrift {
        column,
        test: drift.test.as_str(),
        statistic: drift.statistic,
        p_value: drift.p_value,
        drifted: drift.is_drifted,
        psi: drift.psi,
        n_rows: drift.rows,
    }
}
