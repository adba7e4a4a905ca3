//! Asking a predictor: about one person, about a text, or for the people of a cohort.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::handle::Cdp;
use crate::engine::paging;
use crate::engine::people::person::Person;
use crate::engine::people::prediction::untrained;
use crate::engine::people::query::PageOptions;
use crate::engine::people::table::default_columns;
use crate::engine::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::predict::{Prediction, TrainedModel};
use crate::records::answer::{Field, answer_by_hand};
use crate::records::options::options;
use crate::records::{Cells, Frame, Identifier, IntoIdentifier, Object, Value};
use crate::verbs::predict::score::Answer;
use crate::verbs::predict::training_data::labels;

/// What a predictor is asked about.
#[derive(Clone, PartialEq)]
pub enum Subject {
    /// The person with this identifier.
    Person(Identifier),
    /// A text, without a person.
    Text(String),
}

impl Subject {
    /// A text, without a person.
    pub fn text(text: impl Into<String>) -> Subject {
        Subject::Text(text.into())
    }
}

/// Shows the kind of subject, never its content.
impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Subject::Person(identifier) => write!(f, "Person({identifier:?})"),
            Subject::Text(_) => f.write_str("Text(***)"),
        }
    }
}

/// What names the subject of a prediction: a [`Subject`], or anything that names a person.
pub trait IntoSubject {
    /// The subject; `invalid` if it is a JSON value that is no identifier.
    fn into_subject(self) -> Result<Subject>;
}

impl IntoSubject for Subject {
    fn into_subject(self) -> Result<Subject> {
        Ok(self)
    }
}

impl<T: IntoIdentifier> IntoSubject for T {
    fn into_subject(self) -> Result<Subject> {
        Ok(Subject::Person(self.into_identifier()?))
    }
}

/// The answer of a predictor about a person or a text.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct PredictionAnswer {
    /// The cohort; `None` below the threshold of the predictor, where no word is known, and for a propensity predictor.
    pub cohort: Option<String>,
    /// The score of the best cohort, or the propensity, from 0 to 1.
    pub score: f64,
    /// The score of each cohort. Scores of a model add up to one, scores of a likeness do not.
    pub scores: BTreeMap<String, f64>,
    /// What gave the scores: `rule`, `model`, a measure of likeness such as `lexical/1`, or the method of a scorer.
    pub method: String,
    /// The version of the model; `None` for a rule.
    pub model_version: Option<u32>,
    /// The class that the person is labelled with.
    pub label: Option<String>,
    /// Why the registered scorer was not believed.
    pub last_error: Option<String>,
    /// The share of training rows with a smaller score, of a propensity predictor.
    pub percentile: Option<f64>,
}

/// `percentile` stands in the object of a propensity predictor only.
impl Field for PredictionAnswer {
    fn into_value(self) -> Value {
        let mut fields = Object::from([
            ("cohort".to_owned(), self.cohort.into_value()),
            ("score".to_owned(), Value::float(self.score)),
            ("scores".to_owned(), self.scores.into_value()),
            ("method".to_owned(), Value::Text(self.method)),
            ("model_version".to_owned(), self.model_version.into_value()),
            ("label".to_owned(), self.label.into_value()),
            ("last_error".to_owned(), self.last_error.into_value()),
        ]);
        fields.extend(self.percentile.map(|percentile| ("percentile".to_owned(), Value::float(percentile))));
        Value::Object(fields)
    }

    fn write_shape(&self, out: &mut String) {
        out.push_str("PredictionAnswer");
    }
}

answer_by_hand!(PredictionAnswer);

impl std::fmt::Debug for PredictionAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PredictionAnswer({} by {})", self.score, self.method)
    }
}

options! {
    /// How much of a prediction is given.
    pub struct PredictOptions {
        /// The number of cohorts with a score, the best first; all without it.
        top_k: optional usize,
    }
}

impl Cdp {
    /// The cohort or propensity of a person or a text; `None` if there is no such person.
    ///
    /// Rules come first (score 1, method `rule`), then the trained model (method `model`). Of described cohorts a kept
    /// answer of the scorer counts first, then the registered scorer is asked (never about a person who denied
    /// `ml_training`), then likeness decides: `lsa/1` after training with `similarity: "lsa"`, else `lexical/1`.
    ///
    /// # Errors
    /// `not_found` for an unknown predictor or one without a model, `invalid` for a text given to a propensity predictor.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::{PredictOptions, Subject}, records::Value};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let taste = r#"{"kind": "predictor", "name": "taste", "task": "cohort", "text": [{"trait": "interests"}], "cohorts": [
    ///     {"cohort": "outdoor", "description": "hiking in the mountains"},
    ///     {"cohort": "music", "description": "concerts and records"}]}"#;
    /// db.define(taste)?;
    /// let answer = db.predict("taste", Subject::text("a hiking tour"), &PredictOptions::new())?;
    /// assert_eq!(answer.and_then(|answer| answer.cohort).as_deref(), Some("outdoor"));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn predict(
        &self,
        predictor: &str,
        subject: impl IntoSubject,
        options: &PredictOptions,
    ) -> Result<Option<PredictionAnswer>> {
        let at = self.now();
        let subject = subject.into_subject()?;
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
            let (said, label, percentile) = match &subject {
                Subject::Text(text) => {
                    let document = [text.clone()];
                    let loaded = snapshot.loaded(predictor)?;
                    let (prediction, method) = match &*loaded.model {
                        TrainedModel::Cohort(model) => (model.predict(text), "model"),
                        TrainedModel::Described(model) => model.predict(&document),
                        TrainedModel::Propensity(_) => {
                            return Err(Error::invalid("a propensity predictor answers for a person, not for a text"));
                        }
                    };
                    let answered = || Said::of(snapshot, predictor, prediction, method);
                    (described(&document, true).unwrap_or_else(answered), None, None)
                }
                Subject::Person(identifier) => {
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
                    (pending.unwrap_or_else(answered), label, percentile)
                }
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
        Ok(Some(PredictionAnswer { label, percentile, ..answer_of(answer, options.top_k) }))
    }

    /// The people of a cohort by score, the highest first: `profile_id, user_id, email, score, method, label`; `label` is
    /// the class that a person is labelled with. Of described cohorts a registered scorer is not asked: its kept answers
    /// count.
    pub fn cohort_members(&self, predictor: &str, cohort: &str, page: &PageOptions) -> Result<Frame> {
        let (limit, after) = (page.limit, page.after.as_deref());
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

fn answer_of(answer: Answer, top_k: Option<usize>) -> PredictionAnswer {
    let Answer { prediction, method, model_version, last_error } = answer;
    let mut scores = prediction.scores;
    scores.sort_by(|(left_class, left), (right_class, right)| {
        right.partial_cmp(left).unwrap_or(Ordering::Equal).then_with(|| left_class.cmp(right_class))
    });
    scores.truncate(top_k.unwrap_or(usize::MAX));
    PredictionAnswer {
        cohort: prediction.cohort,
        score: prediction.score,
        scores: scores.into_iter().collect(),
        method,
        model_version,
        label: None,
        last_error,
        percentile: None,
    }
}
