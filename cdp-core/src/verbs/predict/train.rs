//! Training: a predictor learns from the people there are and keeps the model as its next version.

use crate::definitions::PredictorTask;
use crate::engine::handle::Cdp;
use crate::error::{Error, Result};
use crate::predict;
use crate::predict::reports::{propensity_report, report};
use crate::records::Value;
use crate::stop::Stop;
use crate::store::hex;
use crate::verbs::predict::registry::ModelReport;
use crate::verbs::predict::training_data::LabelledTexts;
use crate::verbs::predict::training_rows::{TimedRows, TrainOptions};

impl Cdp {
    /// Trains a predictor and keeps the model as its next version.
    ///
    /// A cohort predictor learns from the profiles that have both its texts and its label now: TF-IDF (scikit-learn's
    /// formula) and multinomial logistic regression by preconditioned L-BFGS; the same facts and definition give the same
    /// bytes. One with described cohorts learns which words are alike (`similarity: "lsa"`: latent semantic analysis) and
    /// asks the scorer that is registered, if any, about every text without an answer; see [`Cdp::register_scorer`]. A
    /// propensity predictor learns from all people as of three instants that lie a horizon apart, and is judged on the last by
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
    /// A person who denied the purpose `ml_training` is not learned from, nor shown to a scorer; `withheld` counts them. Audiences
    /// that read the predictor are brought up to date in the same transaction.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::TrainOptions, records::Identify};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(r#"{"kind": "predictor", "name": "taste", "task": "cohort", "text": [{"trait": "interests"}],
    ///     "label": {"trait": "taste"}}"#)?;
    /// for n in 0..20 {
    ///     let (taste, interests) = if n % 2 == 0 { ("outdoor", "hiking") } else { ("music", "jazz") };
    ///     db.identify(Identify::user(format!("u{n}")).trait_("interests", interests).trait_("taste", taste))?;
    /// }
    /// let report = db.train("taste", &TrainOptions::new())?;
    /// assert_eq!(report.version, 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn train(&self, predictor: &str, options: &TrainOptions) -> Result<ModelReport> {
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
}
