//! Asking a predictor: about one person, about a text, or for the people of a cohort.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::engine::handle::Cdp;
use crate::engine::paging;
use crate::engine::people::person::Person;
use crate::engine::people::prediction::untrained;
use crate::engine::people::table::default_columns;
use crate::engine::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::predict::{Prediction, TrainedModel};
use crate::records::{Cells, Frame, Identifier, Object, Value};
use crate::verbs::predict::score::Answer;
use crate::verbs::predict::training_data::labels;

impl Cdp {
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
                    let Some(person) = snapshot.find_person(identifier, at)? else { return Ok(None) };
                    let Some((prediction, method)) = person.predicted(&definition.name, at)? else {
                        return Err(untrained(predictor));
                    };
                    let label =
                        labels(snapshot, definition)?.map(|labels| labels.of(&person, at)).transpose()?.flatten();
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
                paging::skip_to(&mut scored, place)?;
            }
            let more = paging::cut(&mut scored, limit);
            let labels = match labels(snapshot, definition)? {
                Some(labels) => {
                    scored.iter().map(|(_, _, person)| labels.of(person, at)).collect::<Result<Vec<_>>>()?
                }
                None => vec![None; scored.len()],
            };
            let people: Vec<&Person<'_>> = scored.iter().map(|(_, _, person)| person).collect();
            let mut columns = default_columns(&people, at);
            columns.extend([
                ("score", Cells::Float64(scored.iter().map(|(score, _, _)| Some(*score)).collect())),
                ("method", Cells::Text(scored.iter().map(|(_, method, _)| Some((*method).to_owned())).collect())),
                ("label", Cells::Text(labels)),
            ]);
            let mut frame = Frame::new(columns);
            frame.next = if more { scored.last().map(|(_, _, person)| person.profile_id()) } else { None };
            Ok(frame)
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
