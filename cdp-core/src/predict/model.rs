//! A cohort model: what was learned, asked for one profile at a time, and kept as bytes.
//!
//! Takes what training (training.rs) found; leaves predictions, explanations, and bytes with no time inside, so the BLAKE3
//! of the bytes names the model. It must never give a class to a profile of whose words it knows none, and never trust bytes.

use super::bytes::{Reader, Writer, corrupt, open, seal};
use super::drift::{self, Drift, NumbersReference};
use super::exponential::softmax;
use super::linear::greatest;
use super::sparse::SparseRecords;
use super::text::Vectorizer;
use super::tokens::Document;
use crate::error::{Error, Result};
use crate::records::Value;

const MAGIC: &[u8; 8] = b"CDPcohrt";
/// Raised when the bytes mean something else; a model of another version is refused.
const FORMAT: u32 = 2;

/// How the training of a model went.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingReport {
    /// The inverse of the strength of the L2 penalty.
    pub c: f64,
    /// How many documents it learned from.
    pub rows: u64,
    /// How many of them each class has, in class order.
    pub rows_of_class: Vec<u64>,
    /// Whether training ended by its tolerance rather than by `max_iter`.
    pub converged: bool,
    /// How many iterations were made.
    pub n_iterations: u32,
    /// The mean objective at the end.
    pub loss: f64,
    /// The share of its own documents that the model gives their class: an upper bound, not a promise.
    pub training_accuracy: f64,
    /// What was found on documents that training did not see; absent where calibration was skipped.
    pub held_out: Option<HeldOut>,
}

impl TrainingReport {
    /// The report as an object, with the temperature that training found.
    pub fn to_value(&self, temperature: f64) -> Value {
        let count = |count: u64| Value::integer(i64::try_from(count).unwrap_or(i64::MAX));
        let held_out = self.held_out.map_or(Value::Null, |held_out| {
            Value::object([("rows", count(held_out.rows)), ("accuracy", Value::float(held_out.accuracy))])
        });
        Value::object([
            ("rows", count(self.rows)),
            ("converged", Value::Bool(self.converged)),
            ("n_iterations", Value::integer(self.n_iterations)),
            ("loss", Value::float(self.loss)),
            ("training_accuracy", Value::float(self.training_accuracy)),
            ("held_out", held_out),
            ("temperature", Value::float(temperature)),
            ("C", Value::float(self.c)),
        ])
    }
}

/// What a model of the other folds says of held-out documents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOut {
    /// How many documents were held out.
    pub rows: u64,
    /// The share of them that got their own class.
    pub accuracy: f64,
}

/// The class of one profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The class with the greatest score; `None` if the score is below the threshold or no word is known.
    pub cohort: Option<String>,
    /// The probability of the most probable class; 0 if no word is known.
    pub score: f64,
    /// The probability of every class, in class order, adding up to one; empty if no word is known.
    pub scores: Vec<(String, f64)>,
}

impl Prediction {
    /// A class that follows from a rule: score 1.
    pub fn certain(cohort: &str) -> Prediction {
        Prediction { cohort: Some(cohort.to_owned()), score: 1.0, scores: vec![(cohort.to_owned(), 1.0)] }
    }
}

/// What one term adds to the logit of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// The term.
    pub term: String,
    /// Its weight times its TF-IDF value.
    pub logit: f64,
}

/// Why a class has its score: `intercept + sum of contributions = logit`.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The class.
    pub class: String,
    /// What the class has before any word.
    pub intercept: f64,
    /// The known terms of the document, the strongest first.
    pub contributions: Vec<Contribution>,
    /// The sum; the probabilities are the softmax of all classes' logits divided by the model's temperature.
    pub logit: f64,
}

/// A vocabulary, a weight for every term and class, and how sure to be.
#[derive(Clone, Debug)]
pub struct CohortModel {
    pub(super) vectorizer: Vectorizer,
    pub(super) classes: Vec<String>,
    // All classes of the first term, then of the next. f32 gave the same accuracy as f64 on every set measured.
    pub(super) weights: Vec<f32>,
    pub(super) intercepts: Vec<f32>,
    pub(super) temperature: f64,
    pub(super) threshold: f64,
    pub(super) report: TrainingReport,
    pub(super) reference: TextReference,
}

/// What a model saw when it was trained: quantiles and counts, nothing of one person. Of held-out documents where there
/// are any, so that what comes later is not compared with what was learned by heart.
#[derive(Clone, Debug, PartialEq)]
pub struct TextReference {
    /// How many different known terms a document has.
    pub known_terms: NumbersReference,
    /// The probability of the class that a document gets.
    pub confidence: NumbersReference,
    /// How often each class is given, in class order.
    pub given: Vec<u64>,
}

impl CohortModel {
    /// The classes, sorted.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The vocabulary.
    pub fn vectorizer(&self) -> &Vectorizer {
        &self.vectorizer
    }

    /// How the training went.
    pub fn report(&self) -> &TrainingReport {
        &self.report
    }

    /// What logits are divided by before they become probabilities.
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// Below this score a profile is unassigned.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The probability of each class, in class order, adding up to one; empty if no term of the document is known.
    ///
    /// Without a known term the intercepts alone would speak, and every profile without text would join the largest
    /// class.
    pub fn probabilities(&self, document: &(impl Document + ?Sized)) -> Vec<f64> {
        let row = self.vectorizer.transform(document);
        if row.is_empty() {
            return Vec::new();
        }
        let mut scores = self.logits(row.iter().copied());
        self.to_probabilities(&mut scores);
        scores
    }

    /// The probability of each class for every document, one document after the other. Unlike
    /// [`CohortModel::probabilities`] a document without a known term has what the intercepts say, as in scikit-learn.
    pub fn all_probabilities<D: Document>(&self, documents: &[D]) -> Result<Vec<f64>> {
        let mut all = self.all_logits(documents)?;
        all.chunks_exact_mut(self.classes.len()).for_each(|row| self.to_probabilities(row));
        Ok(all)
    }

    /// The logit of each class for every document, one document after the other, not yet divided by the temperature.
    pub fn all_logits<D: Document>(&self, documents: &[D]) -> Result<Vec<f64>> {
        let records = self.vectorizer.transform_all(documents)?;
        let mut all = Vec::with_capacity(documents.len().saturating_mul(self.classes.len()));
        for (columns, values) in records.rows() {
            all.extend(self.logits(columns.iter().copied().zip(values.iter().copied())));
        }
        Ok(all)
    }

    /// Of all words of these documents the share that the model does not know; `None` without words.
    pub fn unknown_share<D: Document>(&self, documents: &[D]) -> Option<f64> {
        let (known, all) = self.vectorizer.count_known(documents);
        (all > 0).then(|| (all - known) as f64 / all as f64)
    }

    /// The place of the most probable class of every document.
    pub fn places<D: Document>(&self, documents: &[D]) -> Result<Vec<u32>> {
        let logits = self.all_logits(documents)?;
        let rows = logits.chunks_exact(self.classes.len());
        Ok(rows.map(|row| greatest(row).and_then(|place| u32::try_from(place).ok()).unwrap_or(0)).collect())
    }

    fn to_probabilities(&self, logits: &mut [f64]) {
        logits.iter_mut().for_each(|logit| *logit /= self.temperature);
        softmax(logits);
    }

    /// The class of a document and the probability of every class.
    pub fn predict(&self, document: &(impl Document + ?Sized)) -> Prediction {
        let scores = self.probabilities(document);
        let best = greatest(&scores).and_then(|place| self.classes.get(place).zip(scores.get(place)));
        let score = best.map_or(0.0, |(_, score)| *score);
        let cohort = best.filter(|(_, score)| **score >= self.threshold).map(|(class, _)| class.clone());
        Prediction { cohort, score, scores: self.classes.iter().cloned().zip(scores).collect() }
    }

    /// Why a document has its score for a class. Fails with `not_found` for a class the model does not have.
    pub fn explain(&self, document: &(impl Document + ?Sized), class: &str) -> Result<Explanation> {
        let place = self.place(class)?;
        let intercept = self.intercepts.get(place).copied().map_or(0.0, f64::from);
        let row = self.vectorizer.transform(document);
        // Summed in the order of the logits, so that both are the same number.
        let mut logit = intercept;
        let mut contributions = Vec::with_capacity(row.len());
        for (column, value) in row {
            let own = value * self.weight(column as usize, place);
            logit += own;
            let term = self.vectorizer.terms().get(column as usize).map_or_else(String::new, |term| term.to_string());
            contributions.push(Contribution { term, logit: own });
        }
        contributions.sort_by(|left, right| {
            right.logit.abs().total_cmp(&left.logit.abs()).then_with(|| left.term.cmp(&right.term))
        });
        Ok(Explanation { class: class.to_owned(), intercept, contributions, logit })
    }

    /// The `k` terms that speak most for a class, with their weights, the greatest first.
    pub fn top_terms(&self, class: &str, k: usize) -> Result<Vec<(String, f64)>> {
        let place = self.place(class)?;
        let mut terms: Vec<(&str, f64)> = self
            .vectorizer
            .terms()
            .iter()
            .enumerate()
            .map(|(column, term)| (&**term, self.weight(column, place)))
            .collect();
        terms.sort_by(|left, right| right.1.total_cmp(&left.1).then_with(|| left.0.cmp(right.0)));
        Ok(terms.into_iter().take(k).map(|(term, weight)| (term.to_owned(), weight)).collect())
    }

    fn place(&self, class: &str) -> Result<usize> {
        self.classes.iter().position(|known| known == class).ok_or_else(|| {
            Error::not_found(format!("the model has no class `{class}`"))
                .with_hint(format!("it has: {}", self.classes.join(", ")))
        })
    }

    fn weight(&self, column: usize, class: usize) -> f64 {
        self.weights.get(column * self.classes.len() + class).copied().map_or(0.0, f64::from)
    }

    fn logits(&self, row: impl Iterator<Item = (u32, f64)>) -> Vec<f64> {
        let n_classes = self.classes.len();
        let mut logits: Vec<f64> = self.intercepts.iter().copied().map(f64::from).collect();
        for (column, value) in row {
            let start = column as usize * n_classes;
            let weights = self.weights.get(start..start + n_classes).unwrap_or_default();
            logits.iter_mut().zip(weights).for_each(|(logit, weight)| *logit += value * f64::from(*weight));
        }
        logits
    }

    /// What the model saw when it was trained.
    pub fn reference(&self) -> &TextReference {
        &self.reference
    }

    /// The weights, all classes of the first term, then of the next, and the intercepts.
    pub fn weights(&self) -> (&[f32], &[f32]) {
        (&self.weights, &self.intercepts)
    }

    pub(super) fn accuracy(&self, records: &SparseRecords, numbers: &[u32]) -> f64 {
        let answers = records.rows().zip(numbers).filter(|((columns, values), number)| {
            let row = columns.iter().copied().zip(values.iter().copied());
            !columns.is_empty() && greatest(&self.logits(row)) == Some(**number as usize)
        });
        answers.count() as f64 / numbers.len().max(1) as f64
    }

    /// The model without the terms of fewer than `least` documents: a word that one person used reveals who was among
    /// those it was trained on. Weights and temperature stay.
    ///
    /// Fails with `invalid` if no term is left.
    pub fn without_rare_terms(&self, least: u32) -> Result<CohortModel> {
        let Some((vectorizer, kept)) = self.vectorizer.without_rare_terms(least) else {
            return Err(Error::invalid(format!("no term of the model occurs in {least} documents or more"))
                .with_hint("train on more profiles, or give a smaller min_df where everybody may know the words"));
        };
        let width = self.classes.len();
        let of_term = |column: &u32| self.weights.get(*column as usize * width..(*column as usize + 1) * width);
        let weights = kept.iter().filter_map(of_term).flatten().copied().collect();
        Ok(CohortModel { vectorizer, weights, ..self.clone() })
    }

    /// How far the words, the number of known terms, the confidence and the given classes of these documents have moved from
    /// training's.
    ///
    /// Fails with `invalid` if no document holds a known term.
    pub fn drift(&self, documents: &[Vec<String>]) -> Result<Vec<(String, Drift)>> {
        let records: SparseRecords = self.vectorizer().transform_all(documents)?;
        let (mut known, mut confidence) = (Vec::new(), Vec::new());
        let mut given = vec![0u64; self.classes().len()];
        for ((columns, _), document) in records.rows().zip(documents) {
            if columns.is_empty() {
                continue;
            }
            known.push(columns.len() as f64);
            let prediction = self.probabilities(document);
            let best = prediction.iter().copied().fold(0.0, f64::max);
            confidence.push(best);
            if let Some(count) =
                prediction.iter().position(|share| *share == best).and_then(|place| given.get_mut(place))
            {
                *count += 1;
            }
        }
        let reference = self.reference();
        let (before, now) = self.vectorizer().term_counts(&records);
        Ok(vec![
            ("vocabulary".to_owned(), drift::vocabulary_drift(&before, &now)?),
            ("known_terms".to_owned(), reference.known_terms.drift(&known)?),
            ("confidence".to_owned(), reference.confidence.drift(&confidence)?),
            ("cohorts".to_owned(), drift::counts_drift(&reference.given, &given)?),
        ])
    }
    /// The model as bytes, little-endian, with a checksum; equal for equal training documents and settings.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (vectorizer, report) = (&self.vectorizer, &self.report);
        let mut out = Writer::default();
        vectorizer.write(&mut out);
        out.texts(self.classes.iter().map(String::as_str));
        report.rows_of_class.iter().for_each(|rows| out.u64(*rows));
        out.f64(self.temperature);
        out.f64(self.threshold);
        out.f64(report.c);
        out.u64(report.rows);
        out.u8(u8::from(report.converged));
        out.u32(report.n_iterations);
        out.f64(report.loss);
        out.f64(report.training_accuracy);
        out.u8(u8::from(report.held_out.is_some()));
        let held_out = report.held_out.unwrap_or(HeldOut { rows: 0, accuracy: 0.0 });
        out.u64(held_out.rows);
        out.f64(held_out.accuracy);
        out.numbers_reference(&self.reference.known_terms);
        out.numbers_reference(&self.reference.confidence);
        self.reference.given.iter().for_each(|given| out.u64(*given));
        self.intercepts.iter().for_each(|intercept| out.f32(*intercept));
        self.weights.iter().for_each(|weight| out.f32(*weight));
        seal(MAGIC, FORMAT, &out.into_bytes())
    }

    /// The model in these bytes.
    ///
    /// Fails with `incompatible` for other bytes or another format, and with `corrupt` for a wrong checksum, a length
    /// that does not fit, names out of order or a number that is not finite, before it allocates for them.
    pub fn from_bytes(bytes: &[u8]) -> Result<CohortModel> {
        let mut content = Reader::new(open(MAGIC, FORMAT, bytes)?);
        let vectorizer = Vectorizer::read(&mut content)?;
        let classes: Vec<String> = content.rising_texts()?.into_iter().map(str::to_owned).collect();
        let rows_of_class = content.u64s(classes.len())?;
        let temperature = content.f64()?;
        let threshold = content.f64()?;
        let c = content.f64()?;
        let rows = content.u64()?;
        let converged = content.flag()?;
        let n_iterations = content.u32()?;
        let (loss, training_accuracy) = (content.f64()?, content.f64()?);
        let is_held_out = content.flag()?;
        let held_out = HeldOut { rows: content.u64()?, accuracy: content.f64()? };
        let (known_terms, confidence) = (content.numbers_reference()?, content.numbers_reference()?);
        let reference = TextReference { known_terms, confidence, given: content.u64s(classes.len())? };
        let n_weights = vectorizer.terms().len().checked_mul(classes.len()).ok_or_else(|| corrupt("cut off"))?;
        let intercepts = content.f32s(classes.len())?;
        let weights = content.f32s(n_weights)?;
        content.finish()?;
        // Training gives temperatures of 0.2 to 5; far beyond, probabilities would not be finite.
        if classes.len() < 2 || !(1e-3..=1e3).contains(&temperature) {
            return Err(corrupt("holding numbers that do not fit each other"));
        }
        let held_out = is_held_out.then_some(held_out);
        let report =
            TrainingReport { c, rows, rows_of_class, converged, n_iterations, loss, training_accuracy, held_out };
        Ok(CohortModel { vectorizer, classes, weights, intercepts, temperature, threshold, report, reference })
    }

    /// BLAKE3 of the bytes: the name of this model, wherever and whenever it was trained.
    pub fn content_hash(&self) -> [u8; 32] {
        *blake3::hash(&self.to_bytes()).as_bytes()
    }
}
