//! Cohorts: trained from labelled profiles, kept in the file with the sequence they saw, asked about one or all.

use std::cmp::Ordering;
use std::sync::Arc;

use super::interruption::Stop;
use super::models::{propensity_report, untrained};
use super::score::Answer;
use super::snapshot::{Person, Snapshot};
use super::state::stored_json;
use super::training_rows::{TimedRows, TrainOptions};
use super::training_set::LabelledTexts;
use super::{Cdp, Identifier};
use crate::definitions::PredictorTask;
use crate::error::{Error, Result};
use crate::predict::{self, CohortModel, Prediction, TrainedModel};
use crate::records::{Cells, Frame, Object, Value};
use crate::store::hex;

/// How many terms of each class a report shows.
const TOP_TERMS: usize = 8;

impl Cdp {
    /// Trains a predictor as [`Cdp::train_with`] without options.
    pub fn train(&self, predictor: &str) -> Result<Value> {
        self.train_with(predictor, TrainOptions::default())
    }

    /// Trains a predictor and keeps the model as its next version. Gives the model report.
    ///
    /// A cohort predictor learns from the profiles that have both its texts and its label now: TF-IDF (scikit-learn's
    /// formula) and multinomial logistic regression by preconditioned L-BFGS; the same facts and definition give the same
    /// bytes. One with described cohorts learns which words are alike (`similarity: "lsa"`: latent semantic analysis) and
    /// asks the scorer that is registered, if any, about every text without an answer; see [`Cdp::register_scorer`]. A
    /// propensity predictor learns from everybody as of three instants that lie a horizon apart, and is judged on the last by
    /// a model of the earlier ones, beside the trivial rule (recency); with fewer than a hundred positive or negative rows it
    /// is refused. The last label window ends at `until`, by default at the latest fact of the label's event; the report says
    /// where (`until`) and what each instant gave (`instants`: `at, rows, positives, left_out`).
    ///
    /// A row is built from facts that had happened by its instant and were known then, which means recorded. A store that
    /// was loaded with its history knew nothing at instants before it recorded the label's event for the first time. There,
    /// the history stands for what was known: everything up to the last recorded fact of the label's event among those that
    /// had happened by that first recording. A fact that was recorded behind it may have been written with the outcome at
    /// hand, such as a flag that is dated back, and does not count; `left_out` counts such messages. History in several
    /// files is loaded with the label's event last, or `known` says by when all of it was recorded. Where something is left
    /// out, training costs a pass over the log.
    ///
    /// Who denied the purpose `ml_training` is not learned from, nor shown to a scorer; `withheld` counts them. Audiences
    /// that read the predictor are brought up to date in the same transaction.
    pub fn train_with(&self, predictor: &str, options: TrainOptions) -> Result<Value> {
        let at = self.now();
        let call = self.interruptible();
        let (definition, texts, timed, earlier, sequence) = self.read_at_length(|snapshot| {
            let definition = snapshot.catalog.predictor(predictor)?.clone();
            let (mut texts, mut timed) = (LabelledTexts::default(), TimedRows::default());
            options.check(&definition)?;
            match definition.task {
                PredictorTask::Cohort if !definition.cohorts.is_empty() => {
                    texts = self.all_texts(snapshot, &definition, at)?;
                }
                PredictorTask::Cohort => texts = self.labelled_texts(snapshot, &definition, at)?,
                PredictorTask::Propensity => timed = self.timed_rows(snapshot, &definition, at, options)?,
            }
            let earlier = snapshot.models.get(predictor).map(|loaded| loaded.model.clone());
            Ok((definition, texts, timed, earlier, snapshot.memory.sequence()))
        })?;
        call.check()?;
        // The slow part runs without any lock; the model says which sequence it saw.
        let (bytes, report, data_hash) = match definition.task {
            PredictorTask::Cohort if !definition.cohorts.is_empty() => {
                let earlier = earlier.as_ref().and_then(|model| model.described());
                let (model, report) = self.train_described(&definition, &texts.documents, earlier)?;
                let labels = vec![String::new(); texts.documents.len()];
                (model.to_bytes(), report, predict::hash_of_texts(&texts.documents, &labels))
            }
            PredictorTask::Cohort => {
                let model = predict::train(&definition, &texts.documents, &texts.labels)?;
                (model.to_bytes(), report(&model)?, predict::hash_of_texts(&texts.documents, &texts.labels))
            }
            PredictorTask::Propensity => {
                let trained =
                    predict::train_propensity(&definition, &timed.rows).map_err(|error| timed.explain(error))?;
                let mut report = propensity_report(&trained.model);
                if let Value::Object(report) = &mut report {
                    report.extend(timed.to_fields());
                    let figures =
                        |metrics: Option<predict::BinaryMetrics>| metrics.map_or(Value::Null, |found| found.to_value());
                    report.insert("validation".to_owned(), figures(trained.validation));
                    report.insert("baseline".to_owned(), figures(trained.baseline));
                }
                (trained.model.to_bytes(), report, predict::hash_of_rows(&timed.rows))
            }
        };
        let Value::Object(mut report) = report else { return Err(Error::internal("a report is no object")) };
        report.insert("data_hash".to_owned(), Value::Text(hex(&data_hash)));
        let withheld = i64::try_from(texts.withheld + timed.withheld).unwrap_or(i64::MAX);
        report.insert("withheld".to_owned(), Value::integer(withheld));
        call.check()?;
        self.append_model(predictor, &bytes, Value::Object(report), Some(sequence))
    }

    /// What a predictor says of a person, or of a text: `{cohort, score, scores, method, model_version, label,
    /// last_error}`.
    ///
    /// Rules come first (score 1, method `rule`), then the trained model (method `model`). Of described cohorts a kept
    /// answer of the scorer counts first, then the registered scorer is asked (not about who denied `ml_training`), then
    /// likeness decides (`lsa/1` after training with `similarity: "lsa"`, else `lexical/1`); the scores of a likeness do not
    /// add up to one. Below the predictor's threshold, or where no word is known, `cohort` is null. `label` is the class
    /// that the person is labelled with; `last_error` why the scorer was not believed. `None` if nobody has the identifier.
    pub fn predict(
        &self,
        predictor: &str,
        identifier: Option<&Value>,
        text: Option<&str>,
        top_k: Option<usize>,
    ) -> Result<Option<Value>> {
        let at = self.now();
        let identifier = identifier.map(Identifier::from_value).transpose()?;
        let asks = self.has_scorer(predictor);
        let found = self.read(|snapshot| {
            let definition = snapshot.catalog.predictor(predictor)?;
            let described = |document: &[String], may_ask: bool| {
                let loaded = snapshot.models.get(predictor)?;
                let model = loaded.model.described()?;
                let pending = asks && may_ask && !document.is_empty() && !model.is_answered(document);
                pending.then(|| Said::Pending {
                    model: loaded.model.clone(),
                    document: document.to_vec(),
                    version: loaded.version,
                })
            };
            let (said, label, percentile) = match (&identifier, text) {
                (None, Some(text)) => {
                    let document = [text.to_owned()];
                    let loaded = snapshot.loaded(predictor)?;
                    let (prediction, method) = match &*loaded.model {
                        TrainedModel::Cohort(model) => (model.predict(text), "model"),
                        TrainedModel::Described(model) => model.predict(&document),
                        TrainedModel::Propensity(_) => {
                            return Err(Error::invalid("a propensity predictor answers for a person, not for a text"));
                        }
                    };
                    let answered = || Said::of(snapshot, predictor, prediction, method);
                    (described(&document, true).unwrap_or_else(answered), Value::Null, None)
                }
                (Some(identifier), None) => {
                    let person = match snapshot.node_of(identifier)? {
                        Some(node) => snapshot.person(node, at)?,
                        None => None,
                    };
                    let Some(person) = person else { return Ok(None) };
                    let Some((prediction, method)) = person.predicted(&definition.name, at)? else {
                        return Err(untrained(predictor));
                    };
                    let label =
                        snapshot.labels(definition)?.map(|labels| labels.of(&person, at)).transpose()?.flatten();
                    let loaded = snapshot.models.get(predictor).filter(|_| method == "model");
                    let propensity = loaded.and_then(|loaded| loaded.model.propensity());
                    let percentile = propensity.map(|model| model.percentile(prediction.score));
                    let pending = match method {
                        "rule" => None,
                        _ => described(&person.document(&definition.text, at)?, self.may_learn_from(&person, at)?),
                    };
                    let answered = || Said::of(snapshot, predictor, prediction, method);
                    (pending.unwrap_or_else(answered), label.map_or(Value::Null, Value::Text), percentile)
                }
                _ => return Err(Error::invalid("predict: give either an identifier or a `text`")),
            };
            Ok(Some((said, label, percentile)))
        })?;
        let Some((said, label, percentile)) = found else { return Ok(None) };
        // A scorer may take seconds, so it is asked when nothing is held any more.
        let answer = match said {
            Said::Answered(answer) => answer,
            Said::Pending { model, document, version } => match model.described() {
                Some(model) => self.ask_scorer(predictor, model, &document, version),
                None => return Err(Error::internal("a scorer was to be asked for a model without described cohorts")),
            },
        };
        let mut value = prediction_value(answer.prediction, &answer.method, answer.model_version, top_k);
        if let Value::Object(fields) = &mut value {
            fields.insert("label".to_owned(), label);
            fields.insert("last_error".to_owned(), answer.last_error.map_or(Value::Null, Value::Text));
            if let Some(percentile) = percentile {
                fields.insert("percentile".to_owned(), Value::float(percentile));
            }
        }
        Ok(Some(value))
    }

    /// The people of a cohort by score, the highest first: `profile_id, user_id, email, score, method, label`; `label` is
    /// the class that a person is labelled with. Of described cohorts a registered scorer is not asked: its kept answers
    /// count.
    pub fn cohort_members(
        &self,
        predictor: &str,
        cohort: &str,
        limit: Option<usize>,
        after: Option<&str>,
    ) -> Result<Frame> {
        let at = self.now();
        self.read_at_length(|snapshot| {
            let definition = snapshot.catalog.predictor(predictor)?;
            let classes = snapshot.models.get(predictor).map(|loaded| loaded.model.classes()).unwrap_or_default();
            let is_class = classes.iter().any(|class| class == cohort);
            if !is_class && !definition.rules.iter().any(|rule| rule.cohort == cohort) {
                return Err(Error::not_found(format!("the predictor `{predictor}` has no cohort `{cohort}`"))
                    .with_hint(if classes.is_empty() {
                        format!("train it: train(\"{predictor}\")")
                    } else {
                        format!("cohorts: {}", classes.join(", "))
                    }));
            }
            let mut scored: Vec<(f64, &str, Person<'_>)> = Vec::new();
            for person in snapshot.people(at)? {
                if let Some((prediction, method)) = person.predicted(predictor, at)?
                    && prediction.cohort.as_deref() == Some(cohort)
                {
                    scored.push((prediction.score, method, person));
                }
            }
            // Stable: equal scores stay in the order of first nodes.
            scored.sort_by(|(left, _, _), (right, _, _)| right.partial_cmp(left).unwrap_or(Ordering::Equal));
            if let Some(after) = after {
                let place = scored.iter().position(|(_, _, person)| person.profile_id() == after);
                let place = place.ok_or_else(|| {
                    Error::invalid("the cursor `after` does not belong to this table")
                        .with_hint("pass the `next` of the page before")
                })?;
                scored.drain(..=place);
            }
            let wanted = limit.unwrap_or(usize::MAX);
            let more = scored.len() > wanted;
            scored.truncate(wanted);
            let last = |person: &Person<'_>, kind: &str| person.last_id(kind, at).map(str::to_owned);
            let labels = match snapshot.labels(definition)? {
                Some(labels) => {
                    scored.iter().map(|(_, _, person)| labels.of(person, at)).collect::<Result<Vec<_>>>()?
                }
                None => vec![None; scored.len()],
            };
            let mut frame = Frame::new(vec![
                ("profile_id", Cells::Text(scored.iter().map(|(_, _, person)| Some(person.profile_id())).collect())),
                ("user_id", Cells::Text(scored.iter().map(|(_, _, person)| last(person, "user_id")).collect())),
                ("email", Cells::Text(scored.iter().map(|(_, _, person)| last(person, "email")).collect())),
                ("score", Cells::Float64(scored.iter().map(|(score, _, _)| Some(*score)).collect())),
                ("method", Cells::Text(scored.iter().map(|(_, method, _)| Some((*method).to_owned())).collect())),
                ("label", Cells::Text(labels)),
            ]);
            frame.next = if more { scored.last().map(|(_, _, person)| person.profile_id()) } else { None };
            Ok(frame)
        })
    }

    /// The reports of the trained models, by predictor and version, or of one predictor.
    pub fn models(&self, predictor: Option<&str>) -> Result<Value> {
        self.read(|snapshot| {
            let stored = snapshot.facts.models()?;
            let wanted = stored.into_iter().filter(|model| predictor.is_none_or(|name| name == model.predictor));
            let reports = wanted.map(|model| {
                let mut report = stored_json(&model.report)?;
                if let Value::Object(report) = &mut report {
                    report.insert("recorded_at".to_owned(), Value::Text(model.recorded_at.to_string()));
                }
                Ok(report)
            });
            Ok(Value::List(reports.collect::<Result<_>>()?))
        })
    }
}

/// What a predictor says, or what it takes to ask its scorer.
enum Said {
    Answered(Answer),
    Pending { model: Arc<TrainedModel>, document: Vec<String>, version: Option<u32> },
}

impl Said {
    fn of(snapshot: &Snapshot<'_>, predictor: &str, prediction: Prediction, method: &str) -> Said {
        let model_version = snapshot.model_version(predictor, method);
        Said::Answered(Answer { prediction, method: method.to_owned(), model_version, last_error: None })
    }
}

fn prediction_value(prediction: Prediction, method: &str, model_version: Option<u32>, top_k: Option<usize>) -> Value {
    let mut scores = prediction.scores;
    scores.sort_by(|(left_class, left), (right_class, right)| {
        right.partial_cmp(left).unwrap_or(Ordering::Equal).then_with(|| left_class.cmp(right_class))
    });
    scores.truncate(top_k.unwrap_or(usize::MAX));
    let scores: Object = scores.into_iter().map(|(class, score)| (class, Value::float(score))).collect();
    Value::object([
        ("cohort", prediction.cohort.map_or(Value::Null, Value::Text)),
        ("score", Value::float(prediction.score)),
        ("scores", Value::Object(scores)),
        ("method", Value::from(method)),
        ("model_version", model_version.map_or(Value::Null, Value::integer)),
    ])
}

/// The report of a cohort model.
pub(super) fn report(model: &CohortModel) -> Result<Value> {
    let training = model.report();
    let mut classes = Vec::new();
    for (class, rows) in model.classes().iter().zip(&training.rows_of_class) {
        let terms = model.top_terms(class, TOP_TERMS)?;
        classes.push(Value::object([
            ("cohort", Value::from(class.as_str())),
            ("rows", Value::integer(i64::try_from(*rows).unwrap_or(i64::MAX))),
            ("top_terms", Value::List(terms.into_iter().map(|(term, _)| Value::Text(term)).collect())),
        ]));
    }
    let Value::Object(mut report) = training.to_value(model.temperature()) else {
        return Err(Error::internal("a report is no object"));
    };
    report.insert("classes".to_owned(), Value::List(classes));
    Ok(Value::Object(report))
}
