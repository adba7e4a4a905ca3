//! Cohorts: trained from labelled profiles, kept in the file with the sequence they saw, asked about one or all.

use std::cmp::Ordering;

use super::snapshot::Person;
use super::{Cdp, Identifier};
use crate::definitions::{PredictorLabel, PredictorTask};
use crate::error::{Error, Result};
use crate::predict::{self, CohortModel, Prediction};
use crate::records::{Cells, Frame, Object, Value};
use crate::rules::ProfileView;
use crate::store::{StoredModel, hex};

/// How many terms of each class a report shows.
const TOP_TERMS: usize = 8;

impl Cdp {
    /// Trains a predictor from the profiles that have both its texts and its label now, and keeps the model as its next
    /// version. Gives the model report: classes, rows, accuracy on held-out rows, temperature, top terms, content hash.
    ///
    /// TF-IDF (scikit-learn's formula) and multinomial logistic regression by preconditioned L-BFGS; the same facts and
    /// definition give the same bytes.
    pub fn train(&self, predictor: &str) -> Result<Value> {
        let at = self.now();
        let (definition, documents, labels, sequence) = self.read(|snapshot| {
            let definition = snapshot.catalog.predictor(predictor)?.clone();
            let Some(PredictorLabel::Trait(label)) = &definition.label else {
                return Err(Error::invalid(format!("the predictor `{predictor}` has no label trait to learn from"))
                    .with_hint(
                        "give it \"label\": {\"trait\": \"...\"}; propensity predictors cannot be trained yet",
                    ));
            };
            let (mut documents, mut labels) = (Vec::new(), Vec::new());
            for person in snapshot.people(at)? {
                let Some(Value::Text(class)) = person.trait_value(label, at)? else { continue };
                let document = person.document(&definition.text, at)?;
                if !document.is_empty() {
                    documents.push(document);
                    labels.push(class);
                }
            }
            Ok((definition, documents, labels, snapshot.memory.sequence()))
        })?;
        if definition.task != PredictorTask::Cohort {
            return Err(Error::invalid(format!(
                "the predictor `{predictor}` has the task propensity, which cannot be trained yet"
            )));
        }
        // The slow part runs without any lock; the model says which sequence it saw.
        let model = predict::train(&definition, &documents, &labels)?;
        let bytes = model.to_bytes();
        let content_hash = model.content_hash();
        self.write(|writing| {
            let version = writing
                .facts
                .models()?
                .iter()
                .filter(|stored| stored.predictor == predictor)
                .map(|stored| stored.version)
                .max();
            let version = version.unwrap_or(0) + 1;
            let report = report(predictor, version, sequence, &model, &content_hash)?;
            let stored = StoredModel {
                predictor: predictor.to_owned(),
                version,
                sequence,
                recorded_at: writing.meta.recorded_at,
                content_hash: content_hash.to_vec(),
                report: report.to_json(),
            };
            writing.facts.put_model(&stored, &bytes)?;
            writing.models_changed();
            Ok(report)
        })
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
            let loaded = snapshot.models.get(predictor);
            let untrained = || {
                Error::not_found(format!("the predictor `{predictor}` has no model yet"))
                    .with_hint(format!("train it: train(\"{predictor}\")"))
            };
            let (prediction, method) = match (&identifier, text) {
                (None, Some(text)) => (loaded.ok_or_else(untrained)?.model.predict(text), "model"),
                (Some(identifier), None) => {
                    let person = match snapshot.node_of(identifier)? {
                        Some(node) => snapshot.person(node, at)?,
                        None => None,
                    };
                    let Some(person) = person else { return Ok(None) };
                    person.predicted(&definition.name, at)?.ok_or_else(untrained)?
                }
                _ => return Err(Error::invalid("predict: give either an identifier or a `text`")),
            };
            let model_version = loaded.filter(|_| method == "model").map(|loaded| loaded.version);
            Ok(Some(prediction_value(prediction, method, model_version, top_k)))
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
                .is_some_and(|loaded| loaded.model.classes().iter().any(|class| class == cohort));
            if !is_class && !definition.rules.iter().any(|rule| rule.cohort == cohort) {
                let classes: Vec<String> =
                    snapshot.models.get(predictor).map(|loaded| loaded.model.classes().to_vec()).unwrap_or_default();
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

fn report(predictor: &str, version: u32, sequence: u64, model: &CohortModel, content_hash: &[u8]) -> Result<Value> {
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
    let held_out = training.held_out.map_or(Value::Null, |held_out| {
        Value::object([
            ("rows", Value::integer(i64::try_from(held_out.rows).unwrap_or(i64::MAX))),
            ("accuracy", Value::float(held_out.accuracy)),
        ])
    });
    Ok(Value::object([
        ("predictor", Value::from(predictor)),
        ("version", Value::integer(version)),
        ("sequence", Value::integer(i64::try_from(sequence).unwrap_or(i64::MAX))),
        ("rows", Value::integer(i64::try_from(training.rows).unwrap_or(i64::MAX))),
        ("classes", Value::List(classes)),
        ("converged", Value::Bool(training.converged)),
        ("n_iterations", Value::integer(training.n_iterations)),
        ("loss", Value::float(training.loss)),
        ("training_accuracy", Value::float(training.training_accuracy)),
        ("held_out", held_out),
        ("temperature", Value::float(model.temperature())),
        ("C", Value::float(training.c)),
        ("content_hash", Value::Text(hex(content_hash))),
    ]))
}
