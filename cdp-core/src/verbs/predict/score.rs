//! Scorers in the store: whatever the host registers to say which described cohort a text belongs to.
//!
//! Takes a scorer for a predictor, for as long as this process has the store open; `train` asks it about every text that has
//! no answer of it yet, and `predict` about the one text it was given. It must never be asked while a lock is held or a
//! transaction runs: it may take seconds, and it may call the store.

use std::sync::Arc;

use crate::definitions::PredictorDefinition;
use crate::engine::handle::Cdp;
use crate::error::{Error, Result};
use crate::predict::described::joined;
use crate::predict::reports::described_report;
use crate::predict::scorers::Registered;
use crate::predict::zero_shot::{Asked, Patience, Scorer, ask};
use crate::predict::{DescribedModel, Prediction};
use crate::records::Value;

/// What a predictor says, before any of it is shown.
pub(crate) struct Answer {
    pub(crate) prediction: Prediction,
    pub(crate) method: String,
    pub(crate) model_version: Option<u32>,
    pub(crate) last_error: Option<String>,
}

impl Cdp {
    /// Lets a scorer speak for the described cohorts of a predictor, in this process, until the store is closed or another
    /// one is registered; `None` takes it away.
    ///
    /// Nothing is asked yet: [`Cdp::train`] asks about all texts of the store and keeps the answers with the scorer's
    /// method; [`Cdp::predict`] asks about a text that has no kept answer. An error or an answer of another shape is asked
    /// for again, by default five times with growing pauses; then likeness of words answers, with the last error beside it.
    ///
    /// Fails with `not_found` for a predictor that is not defined and `invalid` for one without described cohorts.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use cdp_core::predict::zero_shot::{DescribedCohort, Patience, Scorer};
    /// use cdp_core::cdp::{PredictOptions, Subject};
    /// use cdp_core::{Cdp, OpenOptions, records::Value};
    ///
    /// struct Always;
    /// impl Scorer for Always {
    ///     fn method(&self) -> String {
    ///         "always/1".to_owned()
    ///     }
    ///     fn score(&self, texts: &[String], cohorts: &[DescribedCohort]) -> Result<Value, String> {
    ///         let first = || Value::object([("cohort", Value::from(cohorts[0].cohort.as_str())), ("score", Value::float(0.9))]);
    ///         Ok(Value::List(texts.iter().map(|_| first()).collect()))
    ///     }
    /// }
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(r#"{"kind": "predictor", "name": "taste", "task": "cohort", "text": [{"trait": "interests"}],
    ///     "cohorts": [{"cohort": "outdoor", "description": "hiking in the mountains"}]}"#)?;
    /// db.register_scorer("taste", Some((Arc::new(Always), Patience::default())))?;
    /// let answer = db.predict("taste", Subject::text("anything"), &PredictOptions::new())?;
    /// assert_eq!(answer.map(|answer| answer.method).as_deref(), Some("always/1"));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn register_scorer(
        &self,
        predictor: &str,
        scorer: Option<(Arc<dyn Scorer + Send + Sync>, Patience)>,
    ) -> Result<()> {
        let is_described = self.read(|snapshot| Ok(!snapshot.catalog.predictor(predictor)?.cohorts.is_empty()))?;
        if !is_described {
            return Err(Error::invalid(format!("the predictor `{predictor}` describes no cohorts to score"))
                .with_hint("give it \"cohorts\": [{\"cohort\": name, \"description\": \"what it is about\"}]"));
        }
        self.scorers().set(predictor, scorer);
        Ok(())
    }

    pub(crate) fn scorer(&self, predictor: &str) -> Option<Registered> {
        self.scorers().get(predictor)
    }

    /// Whether a scorer speaks for a predictor in this process.
    pub(super) fn has_scorer(&self, predictor: &str) -> bool {
        self.scorer(predictor).is_some()
    }

    /// Learns from documents, and asks the scorer about those it has not answered yet. Gives the model and its report.
    pub(super) fn train_described(
        &self,
        definition: &PredictorDefinition,
        documents: &[Vec<String>],
        earlier: Option<&DescribedModel>,
    ) -> Result<(DescribedModel, Value)> {
        let scorer = self.scorer(&definition.name);
        let given = scorer.as_ref().map(|found| (&*found.scorer as &dyn Scorer, found.patience));
        let trained = DescribedModel::train(definition, documents, earlier, given)?;
        let Value::Object(mut report) = described_report(&trained.model) else {
            return Err(Error::internal("a report is no object"));
        };
        let Asked { answers, attempts, last_error } = trained.asked;
        let fields = [
            ("rows", Value::count(documents.len())),
            ("texts", Value::count(trained.n_texts)),
            ("asked", Value::count(trained.n_unanswered)),
            ("answered", Value::count(answers.len())),
            ("attempts", Value::integer(attempts)),
            ("last_error", last_error.map_or(Value::Null, Value::Text)),
        ];
        report.extend(fields.map(|(name, value)| (name.to_owned(), value)));
        Ok((trained.model, Value::Object(report)))
    }

    /// What the scorer says of a document that no kept answer speaks for; likeness, with the error, where it says nothing
    /// sound.
    pub(super) fn ask_scorer(
        &self,
        predictor: &str,
        model: &DescribedModel,
        document: &[String],
        model_version: Option<u32>,
    ) -> Answer {
        let by_likeness = |last_error: Option<String>| {
            let (prediction, method) = model.likeness(document);
            Answer { prediction, method: method.to_owned(), model_version, last_error }
        };
        let Some(Registered { scorer, patience }) = self.scorer(predictor) else { return by_likeness(None) };
        let asked = ask(&*scorer, model.cohorts(), &[joined(document)], patience);
        match asked.answers.into_iter().next() {
            Some(answer) => Answer {
                prediction: model.answered(answer),
                method: scorer.method(),
                model_version: None,
                last_error: None,
            },
            None => by_likeness(asked.last_error),
        }
    }
}
