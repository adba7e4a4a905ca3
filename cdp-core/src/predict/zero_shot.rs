//! Cohorts by description, without labels: a profile joins the described cohort that its texts are most like.
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
pub use crate::definitions::DescribedCohort;
use crate::error::{Error, Result};
use crate::records::Value;

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

impl Assignment {
    /// The assignment with no cohort if the score is below a threshold.
    pub fn at_least(self, threshold: f64) -> Assignment {
        Assignment { cohort: self.cohort.filter(|_| self.score >= threshold), ..self }
    }
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

    /// Waits between two attempts; here a test puts what need not wait.
    fn pause(&self, how_long: Duration) {
        std::thread::sleep(how_long);
    }
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
        best(&self.cohorts, &self.scores(document)).at_least(self.least_score)
    }

    /// How like a text is to each cohort, in their order: cosines from 0 to 1.
    pub fn scores(&self, document: &(impl Document + ?Sized)) -> Vec<f64> {
        let row = self.vectorizer.transform(document);
        self.rows.rows().map(|(columns, values)| sparse_product(&row, columns, values).min(1.0)).collect()
    }

    /// What each shared piece adds to the likeness to the cohort of this place, the most first; adds up to the score.
    pub fn explain(&self, document: &(impl Document + ?Sized), place: usize) -> Vec<(String, f64)> {
        let row = self.vectorizer.transform(document);
        let Some((columns, values)) = self.rows.rows().nth(place) else { return Vec::new() };
        let shared = row.iter().filter_map(|(column, value)| {
            let other = columns.binary_search(column).ok().and_then(|found| values.get(found))?;
            let term = self.vectorizer.terms().get(*column as usize)?;
            Some((term.to_string(), value * other))
        });
        strongest_first(shared.collect())
    }

    /// The cohorts, in the order they were given.
    pub fn cohorts(&self) -> &[DescribedCohort] {
        &self.cohorts
    }

    /// The pieces of words of the cohorts.
    pub(super) fn vectorizer(&self) -> &Vectorizer {
        &self.vectorizer
    }

    /// The name that is stored with each score.
    pub const METHOD: &str = "lexical/1";
}

/// The contributions to a score by their size, the greatest first.
pub(super) fn strongest_first(mut contributions: Vec<(String, f64)>) -> Vec<(String, f64)> {
    contributions.sort_by(|left, right| right.1.abs().total_cmp(&left.1.abs()).then_with(|| left.0.cmp(&right.0)));
    contributions
}

/// The cohort with the greatest score, the first of equal ones; none where no score is above zero.
pub(super) fn best(cohorts: &[DescribedCohort], scores: &[f64]) -> Assignment {
    let mut best = Assignment { cohort: None, score: 0.0 };
    for (cohort, score) in cohorts.iter().zip(scores) {
        if *score > best.score {
            best = Assignment { cohort: Some(cohort.cohort.clone()), score: *score };
        }
    }
    best
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

/// What a scorer answered before it stopped to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// The sound answers, one for each text from the first on.
    pub answers: Vec<Assignment>,
    /// How often it was asked.
    pub attempts: u32,
    /// Why its last answer was not taken; then answers are missing.
    pub last_error: Option<String>,
}

/// Asks a scorer about texts, batch by batch, each up to `patience.attempts` times with growing pauses.
///
/// The first batch without a sound answer ends it: a service that is down stays down for the next one. What was answered
/// before is kept.
pub fn ask(scorer: &dyn Scorer, cohorts: &[DescribedCohort], texts: &[String], patience: Patience) -> Asked {
    let mut asked = Asked::default();
    for batch in texts.chunks(patience.batch.max(1)) {
        match ask_batch(scorer, cohorts, batch, patience, &mut asked.attempts) {
            Ok(answers) => asked.answers.extend(answers),
            Err(message) => {
                asked.last_error = Some(message);
                break;
            }
        }
    }
    asked
}

/// Assigns each text to a cohort: by the scorer if there is one and it answers soundly, else by likeness of words.
///
/// Fails only where the cohorts themselves are wrong: a failing scorer loses nothing.
pub fn assign(
    lexical: &LexicalScorer,
    scorer: Option<&dyn Scorer>,
    texts: &[String],
    patience: Patience,
) -> Assignments {
    let asked = scorer.map(|scorer| ask(scorer, &lexical.cohorts, texts, patience)).unwrap_or_default();
    let (attempts, last_error) = (asked.attempts, asked.last_error);
    if let Some(scorer) = scorer.filter(|_| last_error.is_none()) {
        let rows = asked.answers.into_iter().map(|answer| answer.at_least(lexical.least_score)).collect();
        return Assignments { rows, method: scorer.method(), attempts, last_error };
    }
    // All or nothing: scores of two methods in one answer could not be compared.
    let rows = texts.iter().map(|text| lexical.assign(text)).collect();
    Assignments { rows, method: LexicalScorer::METHOD.to_owned(), attempts, last_error }
}

fn ask_batch(
    scorer: &dyn Scorer,
    cohorts: &[DescribedCohort],
    texts: &[String],
    patience: Patience,
    attempts: &mut u32,
) -> std::result::Result<Vec<Assignment>, String> {
    let mut last_error = String::from("the scorer was not asked");
    for attempt in 0..patience.attempts.max(1) {
        if attempt > 0 {
            scorer.pause(patience.first_pause.saturating_mul(1 << (attempt - 1).min(16)));
        }
        *attempts += 1;
        match scorer.score(texts, cohorts).and_then(|answer| read_answer(&answer, texts.len(), cohorts)) {
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
    cohorts: &[DescribedCohort],
) -> std::result::Result<Vec<Assignment>, String> {
    let rows = answer.as_list().ok_or_else(|| format!("the answer is {}, not a list", answer.kind()))?;
    if rows.len() != n_texts {
        return Err(format!("the answer has {} rows for {n_texts} texts", rows.len()));
    }
    let row = |(place, row): (usize, &Value)| {
        let cohort = match row.get("cohort") {
            None | Some(Value::Null) => None,
            // Not the name itself: it may be anything, a text of a person among it.
            Some(Value::Text(name)) if cohorts.iter().any(|known| known.cohort == *name) => Some(name.clone()),
            Some(_) => return Err(format!("/{place}/cohort is none of the cohorts")),
        };
        let score = row.get("score").and_then(Value::as_number).map(|number| number.to_f64());
        let score = score.filter(|score| (0.0..=1.0).contains(score));
        let score = score.ok_or_else(|| format!("/{place}/score is not a number from 0 to 1"))?;
        Ok(Assignment { cohort, score })
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

    /// Gives the prepared answers one after the other, then the last again, and notes the pauses.
    #[derive(Default)]
    struct Prepared {
        answers: RefCell<Vec<std::result::Result<Value, String>>>,
        pauses: RefCell<Vec<u128>>,
    }

    impl Prepared {
        fn new(answers: Vec<std::result::Result<Value, String>>) -> Prepared {
            Prepared { answers: RefCell::new(answers), ..Prepared::default() }
        }
    }

    impl Scorer for Prepared {
        fn method(&self) -> String {
            "prepared/7".to_owned()
        }

        fn score(&self, _: &[String], _: &[DescribedCohort]) -> std::result::Result<Value, String> {
            let mut answers = self.answers.borrow_mut();
            if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
        }

        fn pause(&self, how_long: Duration) {
            self.pauses.borrow_mut().push(how_long.as_millis());
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
        let scorer = Prepared::new(vec![
            Err("busy".to_owned()),
            answer(r#"[{"cohort": "music", "score": 0.7}, {"cohort": null, "score": 0}]"#),
        ]);
        let found = assign(&lexical, Some(&scorer), &texts(&["alpine", "?"]), Patience::default());
        assert_eq!((found.method.as_str(), found.attempts, found.last_error.as_deref()), ("prepared/7", 2, None));
        assert_eq!(found.rows[0].cohort.as_deref(), Some("music"));
        assert_eq!((found.rows[1].cohort.as_deref(), found.coverage()), (None, 0.5));
        assert_eq!(*scorer.pauses.borrow(), [200]);
    }

    #[test]
    fn a_failing_or_lying_scorer_is_asked_five_times_and_loses_nothing() {
        let lexical = LexicalScorer::new(&cohorts(), 0.0).unwrap();
        let alone = assign(&lexical, None, &texts(&["alpine", "piano"]), Patience::default());
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
            let scorer = Prepared::new(vec![lie]);
            let found = assign(&lexical, Some(&scorer), &texts(&["alpine", "piano"]), Patience::default());
            assert_eq!((found.attempts, &found.rows), (5, &alone.rows));
            assert_eq!(*scorer.pauses.borrow(), [200, 400, 800, 1600]);
            assert!(found.last_error.is_some() && found.method == LexicalScorer::METHOD);
        }
    }
    #[test]
    fn what_a_scorer_answered_before_it_fell_silent_is_kept() {
        let scorer = Prepared::new(vec![answer(r#"[{"cohort": "music", "score": 0.7}]"#), Err("gone".to_owned())]);
        let patience = Patience { batch: 1, attempts: 2, ..Patience::default() };
        let asked = ask(&scorer, &cohorts(), &texts(&["a", "b", "c"]), patience);
        assert_eq!((asked.answers.len(), asked.attempts, asked.last_error.as_deref()), (1, 3, Some("gone")));
    }

    #[test]
    fn the_pieces_of_an_explanation_add_up_to_the_score() {
        let lexical = LexicalScorer::new(&cohorts(), 0.0).unwrap();
        let scores = lexical.scores("alpine mountain jazz");
        for (place, score) in scores.iter().enumerate() {
            let sum: f64 = lexical.explain("alpine mountain jazz", place).iter().map(|(_, part)| part).sum();
            assert!((sum - score).abs() < 1e-12 && *score > 0.0);
        }
    }
}
