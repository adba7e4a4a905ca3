//! A described-cohort model: cohorts without labels, the words of the store, and the answers of a scorer.
//!
//! Takes described cohorts, the texts of a store and perhaps a scorer; leaves for each document a cohort with a score and
//! the method that gave it. Three methods, in this order: the stored answer of a scorer about just this text, likeness in
//! the latent space of the store, likeness of pieces of words. An answer is kept under the hash of its text, so whoever
//! changes a text falls back to likeness until the scorer is asked again. It must never mix methods within one score, and
//! never hold a text of a person.

use std::collections::BTreeMap;

use super::bytes::{Reader, Writer, corrupt, open, seal};
use super::drift::{self, Drift, NumbersReference};
use super::latent::{LatentSpace, cosine};
use super::model::{Prediction, TextReference};
use super::text::{Vectorizer, VectorizerOptions};
use super::zero_shot::{
    Asked, Assignment, DescribedCohort, LexicalScorer, Patience, Scorer, ask, best, strongest_first,
};
use crate::definitions::{PredictorDefinition, Similarity};
use crate::error::{Error, Result};

pub(super) const MAGIC: &[u8; 8] = b"CDPdescr";
/// Raised when the bytes mean something else; a model of another version is refused.
const FORMAT: u32 = 1;
/// The method of likeness in the latent space, with its version.
pub const LATENT_METHOD: &str = "lsa/1";

/// The first half of the BLAKE3 of a text.
type TextHash = [u8; 16];

/// What a scorer answered about the texts of a store.
#[derive(Clone, Debug, Default, PartialEq)]
struct Answers {
    /// What the scorer calls itself; empty where there are none.
    method: String,
    /// The place of the cohort, if any, and the score.
    by_text: BTreeMap<TextHash, (Option<u32>, f64)>,
}

/// Described cohorts, ready to be asked.
#[derive(Clone, Debug)]
pub struct DescribedModel {
    lexical: LexicalScorer,
    threshold: f64,
    latent: Option<LatentSpace>,
    // Where the cohorts lie in the latent space.
    places: Vec<Option<Vec<f64>>>,
    answers: Answers,
    reference: Option<TextReference>,
}

/// A trained model of described cohorts and how it went with the scorer.
#[derive(Clone, Debug)]
pub struct DescribedTraining {
    /// The model.
    pub model: DescribedModel,
    /// How many different texts the store has.
    pub n_texts: usize,
    /// About how many the scorer was to be asked, because there was no answer of it yet.
    pub n_unanswered: usize,
    /// What it said.
    pub asked: Asked,
}

impl DescribedModel {
    /// The cohorts of a definition by likeness of words alone: what answers before any training.
    pub fn lexical(definition: &PredictorDefinition) -> Result<DescribedModel> {
        DescribedModel::of(&definition.cohorts, definition.threshold, None)
    }

    fn of(cohorts: &[DescribedCohort], threshold: f64, latent: Option<LatentSpace>) -> Result<DescribedModel> {
        let places = match &latent {
            Some(latent) => cohorts.iter().map(|cohort| latent.place(cohort)).collect(),
            None => Vec::new(),
        };
        let lexical = LexicalScorer::new(cohorts, 0.0)?;
        Ok(DescribedModel { lexical, threshold, latent, places, answers: Answers::default(), reference: None })
    }

    /// Learns from the documents of a store: with `similarity: lsa` which words are alike, and of a scorer what it says of
    /// each text that an `earlier` model has no answer of it for.
    ///
    /// A scorer that fails leaves its last error in the report; the answers before it are kept, all other texts are judged
    /// by likeness. Fails with `invalid` where latent semantic analysis finds no term.
    pub fn train(
        definition: &PredictorDefinition,
        documents: &[Vec<String>],
        earlier: Option<&DescribedModel>,
        scorer: Option<(&dyn Scorer, Patience)>,
    ) -> Result<DescribedTraining> {
        let mut ordered: Vec<&Vec<String>> = documents.iter().collect();
        ordered.sort_unstable();
        let latent = match definition.similarity {
            Similarity::Lexical => None,
            Similarity::LatentSemantic => {
                let described: Vec<Vec<String>> = definition.cohorts.iter().map(texts_of).collect();
                let all: Vec<&Vec<String>> = ordered.iter().copied().chain(&described).collect();
                Some(LatentSpace::learn(&VectorizerOptions::from(definition), &all, described.len())?)
            }
        };
        let mut model = DescribedModel::of(&definition.cohorts, definition.threshold, latent)?;
        let mut texts: Vec<String> = ordered.iter().map(|document| joined(document)).collect();
        texts.dedup();
        let n_texts = texts.len();
        let earlier = earlier.filter(|earlier| earlier.cohorts() == model.cohorts());
        let kept: BTreeMap<TextHash, (Option<u32>, f64)> = texts
            .iter()
            .filter_map(|text| earlier?.answers.by_text.get_key_value(&hash_of(text)))
            .map(|(hash, answer)| (*hash, *answer))
            .collect();
        let (mut asked, mut n_unanswered) = (Asked::default(), 0);
        let mut answers = Answers {
            method: earlier
                .filter(|_| !kept.is_empty())
                .map_or_else(String::new, |earlier| earlier.answers.method.clone()),
            by_text: kept,
        };
        if let Some((scorer, patience)) = scorer {
            let method = scorer.method();
            let is_known = |text: &String| answers.method == method && answers.by_text.contains_key(&hash_of(text));
            texts.retain(|text| !is_known(text));
            n_unanswered = texts.len();
            asked = ask(scorer, model.cohorts(), &texts, patience);
            if !asked.answers.is_empty() {
                if answers.method != method {
                    answers = Answers { method, ..Answers::default() };
                }
                for (text, answer) in texts.iter().zip(&asked.answers) {
                    answers.by_text.insert(hash_of(text), (model.place_of(answer.cohort.as_deref()), answer.score));
                }
            }
        }
        model.answers = answers;
        model.reference = Some(model.seen(documents));
        Ok(DescribedTraining { model, n_texts, n_unanswered, asked })
    }

    /// The model under another threshold; the one of the definition counts.
    pub fn with_threshold(self, threshold: f64) -> DescribedModel {
        DescribedModel { threshold, ..self }
    }

    /// The cohorts, in the order they were described.
    pub fn cohorts(&self) -> &[DescribedCohort] {
        self.lexical.cohorts()
    }

    /// How many texts have an answer of a scorer, and what it calls itself.
    pub fn answers(&self) -> (usize, &str) {
        (self.answers.by_text.len(), &self.answers.method)
    }

    /// The methods that answer, in the order they are asked.
    pub fn methods(&self) -> Vec<&str> {
        let scorer = Some(self.answers.method.as_str()).filter(|method| !method.is_empty());
        let likeness = if self.latent.is_some() { LATENT_METHOD } else { LexicalScorer::METHOD };
        scorer.into_iter().chain([likeness]).collect()
    }

    /// The cohort of a document, what speaks for each (cosines, or the scorer's one score; they do not add up to one), and
    /// the method with its version.
    pub fn predict(&self, document: &[String]) -> (Prediction, &str) {
        if let Some((place, score)) = self.answers.by_text.get(&hash_of(&joined(document))) {
            let cohort = place.and_then(|place| self.cohorts().get(place as usize)).map(|found| found.cohort.clone());
            return (self.answered(Assignment { cohort, score: *score }), &self.answers.method);
        }
        self.likeness(document)
    }

    /// Whether a stored answer of a scorer speaks for just this document.
    pub fn is_answered(&self, document: &[String]) -> bool {
        self.answers.by_text.contains_key(&hash_of(&joined(document)))
    }

    /// A scorer's answer as a prediction.
    pub fn answered(&self, answer: Assignment) -> Prediction {
        let scores = answer.cohort.iter().map(|cohort| (cohort.clone(), answer.score)).collect();
        let Assignment { cohort, score } = answer.at_least(self.threshold);
        Prediction { cohort, score, scores }
    }

    /// The cohort by likeness alone.
    pub fn likeness(&self, document: &[String]) -> (Prediction, &'static str) {
        let (scores, method) = self.scores(document);
        let Assignment { cohort, score } = best(self.cohorts(), &scores).at_least(self.threshold);
        let named = self.cohorts().iter().map(|cohort| cohort.cohort.clone()).zip(scores);
        (Prediction { cohort, score, scores: named.filter(|(_, score)| *score > 0.0).collect() }, method)
    }

    fn scores(&self, document: &[String]) -> (Vec<f64>, &'static str) {
        let Some(latent) = &self.latent else { return (self.lexical.scores(document), LexicalScorer::METHOD) };
        let Some(own) = latent.place(document) else { return (vec![0.0; self.cohorts().len()], LATENT_METHOD) };
        let of = |place: &Option<Vec<f64>>| place.as_ref().map_or(0.0, |place| cosine(&own, place));
        (self.places.iter().map(of).collect(), LATENT_METHOD)
    }

    /// What each term (or piece of a word) adds to the likeness of a document to a cohort, the strongest first, and the
    /// method. Fails with `not_found` for a cohort that is not described.
    pub fn explain(&self, document: &[String], cohort: &str) -> Result<(Vec<(String, f64)>, &'static str)> {
        let place = self.cohorts().iter().position(|known| known.cohort == cohort).ok_or_else(|| {
            let known: Vec<&str> = self.cohorts().iter().map(|known| known.cohort.as_str()).collect();
            Error::not_found(format!("no cohort `{cohort}` is described"))
                .with_hint(format!("there are: {}", known.join(", ")))
        })?;
        match (&self.latent, self.places.get(place)) {
            (Some(latent), Some(Some(other))) => Ok((strongest_first(latent.explain(document, other)), LATENT_METHOD)),
            (Some(_), _) => Ok((Vec::new(), LATENT_METHOD)),
            (None, _) => Ok((self.lexical.explain(document, place), LexicalScorer::METHOD)),
        }
    }

    /// How far the known terms, the scores and the given cohorts of these documents have moved from those of training.
    ///
    /// Fails with `not_found` where the model was never trained, and with `invalid` if there is nothing to compare.
    pub fn drift(&self, documents: &[Vec<String>]) -> Result<Vec<(String, Drift)>> {
        let reference = self.reference.as_ref().ok_or_else(|| Error::not_found("the model was not trained yet"))?;
        let now = self.seen(documents);
        Ok(vec![
            ("known_terms".to_owned(), reference.known_terms.drift(&now.known_terms.quantiles)?),
            ("confidence".to_owned(), reference.confidence.drift(&now.confidence.quantiles)?),
            ("cohorts".to_owned(), drift::counts_drift(&reference.given, &now.given)?),
        ])
    }

    /// Of all terms of these documents the share that is in no cohort, or not in the latent space; `None` without terms.
    pub fn unknown_share(&self, documents: &[Vec<String>]) -> Option<f64> {
        let vectorizer = self.vectorizer();
        let (known, all) = vectorizer.count_known(documents);
        (all > 0).then(|| (all - known) as f64 / all as f64)
    }

    /// The terms that likeness goes by.
    fn vectorizer(&self) -> &Vectorizer {
        self.latent.as_ref().map_or_else(|| self.lexical.vectorizer(), LatentSpace::vectorizer)
    }

    /// What the model says of documents, by likeness and answers; the last of the counts is of those it gives no cohort.
    fn seen(&self, documents: &[Vec<String>]) -> TextReference {
        let vectorizer = self.vectorizer();
        let mut given = vec![0; self.cohorts().len() + 1];
        let (mut known_terms, mut confidence) = (Vec::new(), Vec::new());
        for document in documents {
            let (prediction, _) = self.predict(document);
            let place = self
                .place_of(prediction.cohort.as_deref())
                .map_or_else(|| self.cohorts().len(), |place| place as usize);
            if let Some(count) = given.get_mut(place) {
                *count += 1;
            }
            known_terms.push(vectorizer.transform(document).len() as f64);
            confidence.push(prediction.score);
        }
        TextReference {
            known_terms: NumbersReference::of(&known_terms),
            confidence: NumbersReference::of(&confidence),
            given,
        }
    }

    /// How many documents got each cohort when the model was trained, in order, then how many got none.
    pub fn given(&self) -> &[u64] {
        self.reference.as_ref().map_or(&[], |reference| &reference.given)
    }

    fn place_of(&self, cohort: Option<&str>) -> Option<u32> {
        let place = self.cohorts().iter().position(|known| Some(known.cohort.as_str()) == cohort)?;
        u32::try_from(place).ok()
    }

    /// The model as it may leave the file: without the answers, which speak of this store's texts, and without the
    /// terms of fewer than `least` documents.
    pub fn without_people(&self, least: u32) -> Result<DescribedModel> {
        let latent = self.latent.as_ref().and_then(|latent| latent.without_rare_terms(least));
        let bare = DescribedModel::of(self.cohorts(), self.threshold, latent)?;
        Ok(DescribedModel { reference: self.reference.clone(), ..bare })
    }

    /// The model as bytes, little-endian, with a checksum; equal for equal texts, cohorts and answers.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.count(self.cohorts().len());
        for cohort in self.cohorts() {
            out.text(&cohort.cohort);
            out.text(&cohort.description);
            out.texts(cohort.keywords.iter().map(String::as_str));
        }
        out.f64(self.threshold);
        out.u8(u8::from(self.latent.is_some()));
        self.latent.iter().for_each(|latent| latent.write(&mut out));
        out.text(&self.answers.method);
        out.count(self.answers.by_text.len());
        for (hash, (place, score)) in &self.answers.by_text {
            hash.iter().for_each(|byte| out.u8(*byte));
            out.u32(place.map_or(0, |place| place + 1));
            out.f64(*score);
        }
        out.u8(u8::from(self.reference.is_some()));
        if let Some(reference) = &self.reference {
            out.numbers_reference(&reference.known_terms);
            out.numbers_reference(&reference.confidence);
            reference.given.iter().for_each(|given| out.u64(*given));
        }
        seal(MAGIC, FORMAT, &out.into_bytes())
    }

    /// The model in these bytes; fails with `incompatible` or `corrupt` before it allocates for what is not there.
    pub fn from_bytes(bytes: &[u8]) -> Result<DescribedModel> {
        let mut content = Reader::new(open(MAGIC, FORMAT, bytes)?);
        let mut cohorts = Vec::new();
        for _ in 0..content.count(12)? {
            let (cohort, description) = (content.text()?.to_owned(), content.text()?.to_owned());
            let keywords = content.texts()?.into_iter().map(str::to_owned).collect();
            cohorts.push(DescribedCohort { cohort, description, keywords });
        }
        let threshold = content.f64()?;
        let latent = if content.flag()? { Some(LatentSpace::read(&mut content)?) } else { None };
        let method = content.text()?.to_owned();
        let mut by_text = BTreeMap::new();
        for _ in 0..content.count(28)? {
            let hash: TextHash = content.take(16)?.try_into().map_err(|_| corrupt("cut off"))?;
            let (place, score) = (content.u32()?.checked_sub(1), content.f64()?);
            let is_sound = place.is_none_or(|place| (place as usize) < cohorts.len()) && (0.0..=1.0).contains(&score);
            if !is_sound || by_text.last_key_value().is_some_and(|(last, _)| *last >= hash) {
                return Err(corrupt("holding answers that do not fit"));
            }
            by_text.insert(hash, (place, score));
        }
        let reference = match content.flag()? {
            true => {
                let (known_terms, confidence) = (content.numbers_reference()?, content.numbers_reference()?);
                Some(TextReference { known_terms, confidence, given: content.u64s(cohorts.len() + 1)? })
            }
            false => None,
        };
        content.finish()?;
        let model = DescribedModel::of(&cohorts, threshold, latent);
        let model = model.map_err(|_| corrupt("holding cohorts that do not fit each other"))?;
        Ok(DescribedModel { answers: Answers { method, by_text }, reference, ..model })
    }

    /// BLAKE3 of the bytes.
    pub fn content_hash(&self) -> [u8; 32] {
        *blake3::hash(&self.to_bytes()).as_bytes()
    }
}

/// A document as the one text that a scorer reads.
pub fn joined(document: &[String]) -> String {
    document.join("\n")
}

fn texts_of(cohort: &DescribedCohort) -> Vec<String> {
    let own = [&cohort.cohort, &cohort.description];
    own.into_iter().chain(&cohort.keywords).cloned().collect()
}

fn hash_of(text: &str) -> TextHash {
    blake3::hash(text.as_bytes()).as_bytes().first_chunk().copied().unwrap_or_default()
}
