//! Cohorts: trained from labelled profiles, kept in the file with the sequence they saw, asked about one or all.

use std::cmp::Ordering;

use super::models::{LabelledTexts, propensity_report, untrained};
use super::snapshot::Person;
use super::{Cdp, Identifier};
use crate::definitions::PredictorTask;
use crate::error::{Error, Result};
use crate::predict::{self, CohortModel, Prediction};
use crate::records::{Cells, Frame, Object, Value};
use crate::store::hex;

/// How many terms of each class a report shows.
const TOP_TERMS: usize = 8;

impl Cdp {
    /// Trains a predictor and keeps the model as its next version. Gives the model report.
    ///
    /// A cohort predictor learns from the profiles that have both its texts and its label now: TF-IDF (scikit-learn's
    /// formula) and multinomial logistic regression by preconditioned L-BFGS; the same facts and definition give the same
    /// bytes. A propensity predictor learns from everybody as of three instants that lie a horizon apart, the last a horizon
    /// before the latest fact, and is judged on the last by a model of the earlier ones, beside the trivial rule (recency);
    /// with fewer than a hundred positive or negative rows it is refused.
    pub fn train(&self, predictor: &str) -> Result<Value> {
        let at = self.now();
        let (definition, texts, rows, sequence) = self.read(|snapshot| {
            let definition = snapshot.catalog.predictor(predictor)?.clone();
            let (mut texts, mut rows) = (LabelledTexts::default(), Vec::new());
            match definition.task {
                PredictorTask::Cohort => texts = snapshot.labelled_texts(&definition, at)?,
                PredictorTask::Propensity => rows = snapshot.timed_rows(&definition)?,
            }
            Ok((definition, texts, rows, snapshot.memory.sequence()))
        })?;
        // The slow part runs without any lock; the model says which sequence it saw.
        let (bytes, report, data_hash) = match definition.task {
            PredictorTask::Cohort => {
                let model = predict::train(&definition, &texts.documents, &texts.labels)?;
                (model.to_bytes(), report(&model)?, predict::hash_of_texts(&texts.documents, &texts.labels))
            }
            PredictorTask::Propensity => {
                let trained = predict::train_propensity(&definition, &rows)?;
                let mut report = propensity_report(&trained.model);
                if let Value::Object(report) = &mut report {
                    let figures =
                        |metrics: Option<predict::BinaryMetrics>| metrics.map_or(Value::Null, |found| found.to_value());
                    report.insert("validation".to_owned(), figures(trained.validation));
                    report.insert("baseline".to_owned(), figures(trained.baseline));
                }
                (trained.model.to_bytes(), report, predict::hash_of_rows(&rows))
            }
        };
        let Value::Object(mut report) = report else { return Err(Error::internal("a report is no object")) };
        report.insert("data_hash".to_owned(), Value::Text(hex(&data_hash)));
        self.append_model(predictor, &bytes, Value::Object(report), Some(sequence))
    }

    /// What a predictor says of a person, or of a text: `{cohort, score, scores, method, model_version}`.
    ///
    /// Rules come first (score 1, method `rule`); below the predictor's threshold, or where no word is known, `cohort`
    /// is null. `None` if nobody has the identifier.
    pub fn predict(
        &self,
        predictor: &str,
        identifier: Option<&Value>,
        text: Option<&str>,
        top_k: Option<usize>,
    ) -> Result<Option<Value>> {
        let at = self.now();
        let identifier = identifier.map(Identifier::from_value).transpose()?;
        self.read(|snapshot| {
            let definition = snapshot.catalog.predictor(predictor)?;
            let (prediction, method) = match (&identifier, text) {
                (None, Some(text)) => {
                    let model = snapshot.loaded(predictor)?.model.cohort();
                    let model = model
                        .ok_or_else(|| Error::invalid("a propensity predictor answers for a person, not for a text"))?;
                    (model.predict(text), "model")
                }
                (Some(identifier), None) => {
                    let person = match snapshot.node_of(identifier)? {
                        Some(node) => snapshot.person(node, at)?,
                        None => None,
                    };
                    let Some(person) = person else { return Ok(None) };
                    match person.predicted(&definition.name, at)? {
                        Some(predicted) => predicted,
                        None => return Err(untrained(predictor)),
                    }
                }
                _ => return Err(Error::invalid("predict: give either an identifier or a `text`")),
            };
            let loaded = snapshot.models.get(predictor).filter(|_| method == "model");
            let percentile =
                loaded.and_then(|loaded| loaded.model.propensity()).map(|m| m.percentile(prediction.score));
            let mut answer = prediction_value(prediction, method, loaded.map(|loaded| loaded.version), top_k);
            if let (Value::Object(answer), Some(percentile)) = (&mut answer, percentile) {
                answer.insert("percentile".to_owned(), Value::float(percentile));
            }
            Ok(Some(answer))
        })
    }

    /// The people of a cohort by score, the highest first: `profile_id, user_id, email, score, method`.
    pub fn cohort_members(
        &self,
        predictor: &str,
        cohort: &str,
        limit: Option<usize>,
        after: Option<&str>,
    ) -> Result<Frame> {
        let at = self.now();
        self.read(|snapshot| {
            let definition = snapshot.catalog.predictor(predictor)?;
            let is_class = snapshot
                .models
                .get(predictor)
                .and_then(|loaded| loaded.model.cohort())
                .is_some_and(|model| model.classes().iter().any(|class| class == cohort));
            if !is_class && !definition.rules.iter().any(|rule| rule.cohort == cohort) {
                let model = snapshot.models.get(predictor).and_then(|loaded| loaded.model.cohort());
                let classes: Vec<String> = model.map(|model| model.classes().to_vec()).unwrap_or_default();
                return Err(Error::not_found(format!("the predictor `{predictor}` has no cohort `{cohort}`"))
                    .with_hint(if classes.is_empty() {
                        format!("train it: train(\"{predictor}\")")
                    } else {
                        format!("cohorts: {}", classes.join(", "))
                    }));
            }
            let mut scored: Vec<(f64, &'static str, Person<'_>)> = Vec::new();
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
            let last = |person: &Person<'_>, kind: &str| {
                person.ids(at).get(kind).and_then(|values| values.last()).map(|value| (*value).to_owned())
            };
            let mut frame = Frame::new(vec![
                ("profile_id", Cells::Text(scored.iter().map(|(_, _, person)| Some(person.profile_id())).collect())),
                ("user_id", Cells::Text(scored.iter().map(|(_, _, person)| last(person, "user_id")).collect())),
                ("email", Cells::Text(scored.iter().map(|(_, _, person)| last(person, "email")).collect())),
                ("score", Cells::Float64(scored.iter().map(|(score, _, _)| Some(*score)).collect())),
                ("method", Cells::Text(scored.iter().map(|(_, method, _)| Some((*method).to_owned())).collect())),
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
                let mut report = Value::parse(model.report.as_bytes()).unwrap_or_default();
                if let Value::Object(report) = &mut report {
                    report.insert("recorded_at".to_owned(), Value::Text(model.recorded_at.to_string()));
                }
                report
            });
            Ok(Value::List(reports.collect()))
        })
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
