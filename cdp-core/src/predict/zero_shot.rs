//! Cohorts that nobody has labelled: a profile joins the described cohort that its texts are most like.
//!
//! Takes cohorts with a description and keywords, and texts; leaves a cohort and a score for each text, with the method that
//! gave them. By default the likeness is the cosine of pieces of words (the best of the lexical methods that were measured
//! without labels, on names that share stems by a wide margin); a caller's [`Scorer`] can take its place. Five labels a
//! class beat every one of them. It must never believe a scorer: an answer that names no cohort or no score from 0 to 1 is
//! asked for again, and after five attempts the lexical answer stands in its place with the error beside it.

use std::time::Duration;

use super::sparse::SparseRecords;
use super::text::{Vectorizer, VectorizerOptions};
use super::tokens::{Analyzer, Document};
use crate::error::{Error, Result};
use crate::records::Value;

/// A cohort that is told apart by what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedCohort {
    /// Its name, which counts as a text too.
    pub cohort: String,
    /// What its people are about, in a sentence.
    pub description: String,
    /// Words that speak for it.
    pub keywords: Vec<String>,
}

impl Document for DescribedCohort {
    fn texts(&self) -> impl Iterator<Item = &str> {
        let own = [self.cohort.as_str(), self.description.as_str()];
        own.into_iter().chain(self.keywords.iter().map(String::as_str))
    }
}

/// The cohort of one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The cohort; `None` if nothing speaks for any, or too little.
    pub cohort: Option<String>,
    /// How like it is, from 0 to 1.
    pub score: f64,
}

/// The cohorts of many texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignments {
    /// One for each text, in order.
    pub rows: Vec<Assignment>,
    /// Which method gave them, with its version: `lexical/1`, or what the scorer calls itself.
    pub method: String,
    /// How often the scorer was asked.
    pub attempts: u32,
    /// Why the scorer's last answer was not taken.
    pub last_error: Option<String>,
}

impl Assignments {
    /// The share of the texts that have a cohort.
    pub fn coverage(&self) -> f64 {
        let assigned = self.rows.iter().filter(|row| row.cohort.is_some()).count();
        assigned as f64 / self.rows.len().max(1) as f64
    }

    /// The assignments as an object.
    pub fn to_value(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            Value::object([
                ("cohort", row.cohort.as_deref().map_or(Value::Null, Value::from)),
                ("score", Value::float(row.score)),
            ])
        });
        Value::object([
            ("rows", Value::List(rows.collect())),
            ("method", Value::from(self.method.as_str())),
            ("coverage", Value::float(self.coverage())),
            ("attempts", Value::integer(self.attempts)),
            ("last_error", self.last_error.as_deref().map_or(Value::Null, Value::from)),
        ])
    }
}

/// Whatever can say which cohort a text belongs to: a language model behind a callable, embeddings, a service.
pub trait Scorer {
    /// Its name and version, which are stored with each score.
    fn method(&self) -> String;

    /// Which cohort each text belongs to: a list of `{"cohort": name or null, "score": 0 to 1}`, one for each text.
    ///
    /// Any error and any answer of another shape is asked for again, with growing pauses.
    fn score(&self, texts: &[String], cohorts: &[DescribedCohort]) -> std::result::Result<Value, String>;
}

/// How a scorer is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    /// How often at most.
    pub attempts: u32,
    /// The pause after the first failure; each further one is twice as long.
    pub first_pause: Duration,
    /// How many texts go into one question.
    pub batch: usize,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { attempts: 5, first_pause: Duration::from_millis(200), batch: 100 }
    }
}

/// The longest message of a scorer that is kept.
const LONGEST_MESSAGE: usize = 300;

/// Cosine of TF-IDF values over pieces of three to five letters of the cohorts' texts.
#[derive(Clone, Debug)]
pub struct LexicalScorer {
    cohorts: Vec<DescribedCohort>,
    vectorizer: Vectorizer,
    rows: SparseRecords,
    least_score: f64,
}

impl LexicalScorer {
    /// A scorer for these cohorts; a text that is less like each of them than `least_score` has none.
    ///
    /// Fails with `invalid` for no cohorts, two of a name, an empty name, or a score outside 0 to 1.
    pub fn new(cohorts: &[DescribedCohort], least_score: f64) -> Result<LexicalScorer> {
        check(cohorts)?;
        if !(0.0..=1.0).contains(&least_score) {
            return Err(Error::invalid("the least score is not from 0 to 1"));
        }
        let options =
            VectorizerOptions { analyzer: Analyzer::Character, ngram_range: (3, 5), ..VectorizerOptions::default() };
        let (vectorizer, counts) = Vectorizer::fit(&options, cohorts)?;
        let rows = vectorizer.weigh(&counts)?;
        Ok(LexicalScorer { cohorts: cohorts.to_vec(), vectorizer, rows, least_score })
    }

    /// The cohort that a text is most like, the first in order of equal ones; none where it shares no piece with any.
    pub fn assign(&self, document: &(impl Document + ?Sized)) -> Assignment {
        let row = self.vectorizer.transform(document);
        let mut best: Option<(&DescribedCohort, f64)> = None;
        for (cohort, (columns, values)) in self.cohorts.iter().zip(self.rows.rows()) {
            let cosine = sparse_product(&row, columns, values);
            if cosine > 0.0 && best.is_none_or(|(_, so_far)| cosine > so_far) {
                best = Some((cohort, cosine));
            }
        }
        let score = best.map_or(0.0, |(_, cosine)| cosine.min(1.0));
        let cohort = best.filter(|_| score >= self.least_score).map(|(cohort, _)| cohort.cohort.clone());
        Assignment { cohort, score }
    }

    /// The name that is stored with each score.
    pub const METHOD: &str = "lexical/1";
}

/// The product of a sparse row and another one, both in the order of columns.
fn sparse_product(row: &[(u32, f64)], columns: &[u32], values: &[f64]) -> f64 {
    let mut other = columns.iter().zip(values).peekable();
    let mut sum = 0.0;
    for (column, value) in row {
        while other.next_if(|(candidate, _)| *candidate < column).is_some() {}
        if let Some((_, other_value)) = other.next_if(|(candidate, _)| *candidate == column) {
            sum += value * other_value;
        }
    }
    sum
}

/// Assigns each text to a cohort: by the scorer if there is one and it answers soundly, else by likeness of words.
///
/// `pause` is what waits between attempts, so that tests need not. Fails only where the cohorts themselves are wrong: a
/// failing scorer loses nothing.
pub fn assign(
    lexical: &LexicalScorer,
    scorer: Option<&dyn Scorer>,
    texts: &[String],
    patience: Patience,
    pause: &mut dyn FnMut(Duration),
) -> Assignments {
    let mut attempts = 0;
    let mut last_error = None;
    if let Some(scorer) = scorer {
        let mut rows = Vec::with_capacity(texts.len());
        for batch in texts.chunks(patience.batch.max(1)) {
            match ask(lexical, scorer, batch, patience, pause, &mut attempts) {
                Ok(answers) => rows.extend(answers),
                Err(message) => {
                    last_error = Some(message);
                    break;
                }
            }
        }
        if last_error.is_none() {
            return Assignments { rows, method: scorer.method(), attempts, last_error };
        }
    }
    // All or nothing: scores of two methods in one answer could not be compared.
    let rows = texts.iter().map(|text| lexical.assign(text)).collect();
    Assignments { rows, method: LexicalScorer::METHOD.to_owned(), attempts, last_error }
}

fn ask(
    lexical: &LexicalScorer,
    scorer: &dyn Scorer,
    texts: &[String],
    patience: Patience,
    pause: &mut dyn FnMut(Duration),
    attempts: &mut u32,
) -> std::result::Result<Vec<Assignment>, String> {
    let mut last_error = String::from("the scorer was not asked");
    for attempt in 0..patience.attempts.max(1) {
        if attempt > 0 {
            pause(patience.first_pause.saturating_mul(1 << (attempt - 1).min(16)));
        }
        *attempts += 1;
        match scorer.score(texts, &lexical.cohorts).and_then(|answer| read_answer(&answer, texts.len(), lexical)) {
            Ok(rows) => return Ok(rows),
            Err(message) => last_error = message.chars().take(LONGEST_MESSAGE).collect(),
        }
    }
    Err(last_error)
}

/// The answer of a scorer, if it has the shape that was asked for.
fn read_answer(
    answer: &Value,
    n_texts: usize,
    lexical: &LexicalScorer,
) -> std::result::Result<Vec<Assignment>, String> {
    let rows = answer.as_list().ok_or_else(|| format!("the answer is {}, not a list", answer.kind()))?;
    if rows.len() != n_texts {
        return Err(format!("the answer has {} rows for {n_texts} texts", rows.len()));
    }
    let row = |(place, row): (usize, &Value)| {
        let cohort = match row.get("cohort") {
            None | Some(Value::Null) => None,
            // Not the name itself: it may be anything, a text of a person among it.
            Some(Value::Text(name)) if lexical.cohorts.iter().any(|known| known.cohort == *name) => Some(name.clone()),
            Some(_) => return Err(format!("/{place}/cohort is none of the cohorts")),
        };
        let score = row.get("score").and_then(Value::as_number).map(|number| number.to_f64());
        let score = score.filter(|score| (0.0..=1.0).contains(score));
        let score = score.ok_or_else(|| format!("/{place}/score is not a number from 0 to 1"))?;
        Ok(Assignment { cohort: cohort.filter(|_| score >= lexical.least_score), score })
    };
    rows.iter().enumerate().map(row).collect()
}

fn check(cohorts: &[DescribedCohort]) -> Result<()> {
    if cohorts.is_empty() || cohorts.iter().any(|cohort| cohort.cohort.is_empty()) {
        return Err(Error::invalid("described cohorts need a name each, and at least one of them is needed"));
    }
    let mut names: Vec<&str> = cohorts.iter().map(|cohort| cohort.cohort.as_str()).collect();
    names.sort_unstable();
    match names.iter().zip(names.iter().skip(1)).find(|(left, right)| left == right) {
        Some((name, _)) => Err(Error::invalid(format!("the cohort `{name}` is described twice"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn cohorts() -> Vec<DescribedCohort> {
        let cohort = |name: &str, description: &str, keywords: &[&str]| DescribedCohort {
            cohort: name.to_owned(),
            description: description.to_owned(),
            keywords: keywords.iter().map(|word| (*word).to_owned()).collect(),
        };
        vec![
            cohort("outdoor", "hiking and climbing in the mountains", &["trail", "alpine"]),
            cohort("music", "concerts, records and instruments", &["jazz", "piano"]),
        ]
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    /// Gives the prepared answers one after the other, then the last again.
    struct Prepared(RefCell<Vec<std::result::Result<Value, String>>>);

    impl Scorer for Prepared {
        fn method(&self) -> String {
            "prepared/7".to_owned()
        }

        fn score(&self, _: &[String], _: &[DescribedCohort]) -> std::result::Result<Value, String> {
            let mut answers = self.0.borrow_mut();
            if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
        }
    }

    fn answer(json: &str) -> std::result::Result<Value, String> {
        Ok(Value::parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn a_text_joins_the_cohort_it_is_most_like_and_none_where_it_is_like_none() {
        let lexical = LexicalScorer::new(&cohorts(), 0.0).unwrap();
        assert_eq!(lexical.assign("Trails and mountain huts").cohort.as_deref(), Some("outdoor"));
        assert_eq!(lexical.assign("a pianist").cohort.as_deref(), Some("music"));
        for nothing in ["", "xyz qqq", "東京"] {
            assert_eq!(lexical.assign(nothing), Assignment { cohort: None, score: 0.0 });
        }
        let strict = LexicalScorer::new(&cohorts(), 0.9).unwrap();
        let weak = strict.assign("a pianist");
        assert!(weak.cohort.is_none() && weak.score > 0.0);
        assert!(LexicalScorer::new(&[], 0.0).is_err());
        assert!(LexicalScorer::new(&[cohorts(), cohorts()].concat(), 0.0).is_err());
        assert!(LexicalScorer::new(&cohorts(), f64::NAN).is_err());
    }

    #[test]
    fn a_sound_answer_is_taken_with_its_method() {
        let lexical = LexicalScorer::new(&cohorts(), 0.0).unwrap();
        let scorer = Prepared(RefCell::new(vec![
            Err("busy".to_owned()),
            answer(r#"[{"cohort": "music", "score": 0.7}, {"cohort": null, "score": 0}]"#),
        ]));
        let mut pauses = Vec::new();
        let found = assign(&lexical, Some(&scorer), &texts(&["alpine", "?"]), Patience::default(), &mut |time| {
            pauses.push(time)
        });
        assert_eq!((found.method.as_str(), found.attempts, found.last_error.as_deref()), ("prepared/7", 2, None));
        assert_eq!(found.rows[0].cohort.as_deref(), Some("music"));
        assert_eq!((found.rows[1].cohort.as_deref(), found.coverage()), (None, 0.5));
        assert_eq!(pauses, [Duration::from_millis(200)]);
    }

    #[test]
    fn a_failing_or_lying_scorer_is_asked_five_times_and_loses_nothing() {
        let lexical = LexicalScorer::new(&cohorts(), 0.0).unwrap();
        let alone = assign(&lexical, None, &texts(&["alpine", "piano"]), Patience::default(), &mut |_| {});
        assert_eq!((alone.attempts, alone.method.as_str(), alone.coverage()), (0, "lexical/1", 1.0));
        let lies = [
            Err("no connection".to_owned()),
            answer("{}"),
            answer(r#"[{"cohort": "music", "score": 1}]"#),
            answer(r#"[{"cohort": "sailing", "score": 1}, {"cohort": "music", "score": 1}]"#),
            answer(r#"[{"cohort": "music", "score": 1.5}, {"cohort": "music", "score": 1}]"#),
            answer(r#"[{"cohort": "music"}, {"cohort": 3, "score": 1}]"#),
            answer(r#"["music", "music"]"#),
        ];
        for lie in lies {
            let scorer = Prepared(RefCell::new(vec![lie]));
            let mut pauses = Vec::new();
            let found =
                assign(&lexical, Some(&scorer), &texts(&["alpine", "piano"]), Patience::default(), &mut |time| {
                    pauses.push(time.as_millis());
                });
            assert_eq!((found.attempts, &found.rows), (5, &alone.rows));
            assert_eq!(pauses, [200, 400, 800, 1600]);
            assert!(found.last_error.is_some() && found.method == LexicalScorer::METHOD);
        }
    }
}
