//! Turns the texts of a profile into numbers: which words, how often here, how rare elsewhere.
//!
//! Takes documents, each a list of texts; leaves rows of TF-IDF values equal to those of scikit-learn's
//! `TfidfVectorizer` (sklearn/feature_extraction/text.py, 1.9): lower case, words of two or more letters, digits or
//! underscores, smooth idf `ln((1 + n) / (1 + df)) + 1`, rows of length one. The document frequencies of training are
//! kept, so a profile scored alone gets the values it would get in any company; terms are sorted, so equal documents
//! give equal models.
//!
//! Two differences are deliberate: a document is a list of texts and no term spans two of them, and a letter is what
//! Unicode calls alphabetic (Python's `\w` splits Hindi or Thai words at their vowel signs).

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::bytes::{Reader, Writer, corrupt};
use super::sparse::SparseRecords;
use super::tokens::{Analyzer, Document, Scratch, Tokenizer};
use crate::definitions::PredictorDefinition;
use crate::error::{Error, Result};

/// How many of the most frequent terms stand for a vocabulary when it is watched: those of the tail are too rare to tell
/// drift from chance.
const WATCHED_TERMS: usize = 100;

/// How a vocabulary is made.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorizerOptions {
    /// What a term is.
    pub analyzer: Analyzer,
    /// The least and the greatest number of words or characters in a term.
    pub ngram_range: (u32, u32),
    /// Whether a term's n-th repetition counts less: `1 + ln(count)`.
    pub sublinear_tf: bool,
    /// In how many documents a term must occur.
    pub min_df: u32,
    /// In which share of the documents a term may occur at most.
    pub max_df: f64,
    /// How many terms are kept: those that occur most often, the first in order where they occur as often.
    pub max_features: Option<u32>,
    /// Words that are left out, in lower case.
    pub stop_words: Vec<String>,
}

impl Default for VectorizerOptions {
    fn default() -> VectorizerOptions {
        VectorizerOptions::from(&PredictorDefinition::cohort(""))
    }
}

impl From<&PredictorDefinition> for VectorizerOptions {
    fn from(definition: &PredictorDefinition) -> VectorizerOptions {
        VectorizerOptions {
            analyzer: definition.analyzer,
            ngram_range: definition.ngram_range,
            sublinear_tf: definition.sublinear_tf,
            min_df: definition.min_df,
            max_df: definition.max_df,
            max_features: definition.max_features,
            stop_words: definition.stop_words.clone(),
        }
    }
}

/// A vocabulary with the document frequencies it was fitted on.
#[derive(Clone, Debug)]
pub struct Vectorizer {
    tokenizer: Tokenizer,
    sublinear_tf: bool,
    terms: Terms,
    document_frequencies: Vec<u32>,
    n_documents: u64,
    idf: Vec<f64>,
}

/// Different texts with a number each, from 0.
#[derive(Clone, Debug, Default)]
struct Terms {
    terms: Vec<Box<str>>,
    // Only looked up, never walked through: its order, which differs from process to process, must not matter. The
    // key of its hash is random, so no sender of texts can choose words that collide.
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Terms {
    fn of(terms: Vec<Box<str>>) -> Terms {
        let mut all = Terms { terms: Vec::new(), numbers: HashTable::with_capacity(terms.len()), ..Terms::default() };
        for (number, term) in (0u32..).zip(&terms) {
            let Terms { numbers, hasher, .. } = &mut all;
            let hash_of = |number: &u32| hasher.hash_one(terms.get(*number as usize).map_or("", |term| term));
            numbers.insert_unique(hasher.hash_one::<&str>(term), number, hash_of);
        }
        all.terms = terms;
        all
    }

    fn number(&self, term: &str) -> Option<u32> {
        let is_it = |number: &u32| self.terms.get(*number as usize).is_some_and(|known| &**known == term);
        self.numbers.find(self.hasher.hash_one(term), is_it).copied()
    }

    fn number_or_new(&mut self, term: &str) -> u32 {
        let Terms { terms, numbers, hasher } = self;
        let hash = hasher.hash_one(term);
        let is_it = |number: &u32| terms.get(*number as usize).is_some_and(|known| &**known == term);
        if let Some(number) = numbers.find(hash, is_it) {
            return *number;
        }
        let number = u32::try_from(terms.len()).unwrap_or(u32::MAX);
        terms.push(term.into());
        let hash_of = |number: &u32| hasher.hash_one(terms.get(*number as usize).map_or("", |term| term));
        numbers.insert_unique(hash, number, hash_of);
        number
    }
}

impl Vectorizer {
    /// Fits a vocabulary and counts its terms in the documents; [`Vectorizer::weigh`] turns the counts into values.
    ///
    /// Fails with `invalid` if no term is left. Cost grows with the number of terms in the documents.
    pub fn fit<D: Document>(options: &VectorizerOptions, documents: &[D]) -> Result<(Vectorizer, SparseRecords)> {
        let tokenizer = Tokenizer::new(options.analyzer, options.ngram_range, options.stop_words.clone());
        let mut numbered = Terms::default();
        // How often each term occurs, in how many documents, and in which it was seen last.
        let mut frequencies: Vec<(u64, u32, usize)> = Vec::new();
        let mut found: Vec<u32> = Vec::new();
        let mut ends: Vec<usize> = Vec::with_capacity(documents.len());
        let mut scratch = Scratch::default();
        for (row, document) in documents.iter().enumerate() {
            tokenizer.for_each_term(document, &mut scratch, &mut |term| {
                let number = numbered.number_or_new(term);
                if number as usize == frequencies.len() {
                    frequencies.push((0, 0, usize::MAX));
                }
                if let Some((total, document_frequency, seen_in)) = frequencies.get_mut(number as usize) {
                    *total += 1;
                    *document_frequency += u32::from(*seen_in != row);
                    *seen_in = row;
                }
                found.push(number);
            });
            ends.push(found.len());
        }
        let mut terms: Vec<(Box<str>, u32)> = numbered.terms.into_iter().zip(0..).collect();
        terms.sort_unstable();
        let frequency =
            |number: u32| frequencies.get(number as usize).map_or((0, 0), |(total, documents, _)| (*total, *documents));
        let most = options.max_df * documents.len() as f64;
        terms.retain(|(_, number)| {
            let (_, document_frequency) = frequency(*number);
            document_frequency >= options.min_df && f64::from(document_frequency) <= most
        });
        if let Some(max_features) = options.max_features.filter(|most| (*most as usize) < terms.len()) {
            terms.sort_by(|(left_term, left), (right_term, right)| {
                frequency(*right).0.cmp(&frequency(*left).0).then_with(|| left_term.cmp(right_term))
            });
            terms.truncate(max_features as usize);
            terms.sort_unstable();
        }
        if terms.is_empty() {
            return Err(Error::invalid(format!("no term is left in {} document(s)", documents.len()))
                .with_hint("lower min_df, raise max_df, shorten stop_words, or look whether the texts are empty"));
        }
        let mut column_of_number = vec![u32::MAX; frequencies.len()];
        for (column, (_, number)) in (0u32..).zip(&terms) {
            if let Some(to) = column_of_number.get_mut(*number as usize) {
                *to = column;
            }
        }
        let mut counts = SparseRecords::new(terms.len());
        let (mut columns, mut row) = (Vec::new(), Vec::new());
        let mut start = 0;
        for end in ends {
            let of_row = found.get(start..end).unwrap_or_default();
            start = end;
            let known = of_row.iter().filter_map(|number| column_of_number.get(*number as usize));
            columns.clear();
            columns.extend(known.filter(|column| **column != u32::MAX));
            count(&mut columns, &mut row);
            counts.push_row(&row)?;
        }
        let document_frequencies = terms.iter().map(|(_, number)| frequency(*number).1).collect();
        let terms = terms.into_iter().map(|(term, _)| term).collect();
        let n_documents = documents.len() as u64;
        let vectorizer =
            Vectorizer::from_parts(tokenizer, options.sublinear_tf, terms, document_frequencies, n_documents);
        Ok((vectorizer, counts))
    }

    fn from_parts(
        tokenizer: Tokenizer,
        sublinear_tf: bool,
        terms: Vec<Box<str>>,
        document_frequencies: Vec<u32>,
        n_documents: u64,
    ) -> Vectorizer {
        let idf = document_frequencies.iter().map(|df| smooth_idf(n_documents, u64::from(*df))).collect();
        Vectorizer { tokenizer, sublinear_tf, terms: Terms::of(terms), document_frequencies, n_documents, idf }
    }

    /// The vocabulary without the terms of fewer than `least` documents, and the columns of those that stay; `None` if
    /// none does.
    pub(super) fn without_rare_terms(&self, least: u32) -> Option<(Vectorizer, Vec<u32>)> {
        let kept: Vec<u32> = (0u32..)
            .zip(&self.document_frequencies)
            .filter(|(_, frequency)| **frequency >= least)
            .map(|(column, _)| column)
            .collect();
        let of = |column: &u32| self.document_frequencies.get(*column as usize).copied();
        let terms: Vec<Box<str>> =
            kept.iter().filter_map(|column| self.terms().get(*column as usize)).cloned().collect();
        let frequencies = kept.iter().filter_map(of).collect();
        let tokenizer = Tokenizer::new(self.analyzer(), self.ngram_range(), self.stop_words().to_vec());
        let vectorizer = || Vectorizer::from_parts(tokenizer, self.sublinear_tf, terms, frequencies, self.n_documents);
        (!kept.is_empty()).then(vectorizer).map(|vectorizer| (vectorizer, kept))
    }

    /// Writes everything that the values of a document depend on.
    pub(super) fn write(&self, out: &mut Writer) {
        out.u8(match self.analyzer() {
            Analyzer::Word => 0,
            Analyzer::Character => 1,
            Analyzer::CharacterRun => 2,
        });
        out.u32(self.ngram_range().0);
        out.u32(self.ngram_range().1);
        out.u8(u8::from(self.sublinear_tf));
        out.texts(self.stop_words().iter().map(String::as_str));
        out.u64(self.n_documents);
        out.texts(self.terms().iter().map(|term| &**term));
        self.document_frequencies.iter().for_each(|frequency| out.u32(*frequency));
    }

    /// Reads what [`Vectorizer::write`] wrote; fails with `corrupt`.
    pub(super) fn read(content: &mut Reader<'_>) -> Result<Vectorizer> {
        let analyzer = match content.u8()? {
            0 => Analyzer::Word,
            1 => Analyzer::Character,
            2 => Analyzer::CharacterRun,
            _ => return Err(corrupt("naming an analyzer that is not known")),
        };
        let ngram_range = (content.u32()?, content.u32()?);
        let sublinear_tf = content.flag()?;
        let stop_words = content.rising_texts()?.into_iter().map(str::to_owned).collect();
        let n_documents = content.u64()?;
        let terms: Vec<Box<str>> = content.rising_texts()?.into_iter().map(Box::from).collect();
        let document_frequencies = content.u32s(terms.len())?;
        let is_sound = !terms.is_empty()
            && document_frequencies.iter().all(|frequency| (1..=n_documents).contains(&u64::from(*frequency)))
            && (1..=ngram_range.1).contains(&ngram_range.0);
        if !is_sound {
            return Err(corrupt("holding numbers that do not fit each other"));
        }
        let tokenizer = Tokenizer::new(analyzer, ngram_range, stop_words);
        Ok(Vectorizer::from_parts(tokenizer, sublinear_tf, terms, document_frequencies, n_documents))
    }

    /// The columns and TF-IDF values of one document, by column; empty if it holds no known term.
    pub fn transform(&self, document: &(impl Document + ?Sized)) -> Vec<(u32, f64)> {
        let mut row = Vec::new();
        self.transform_into(document, &mut Scratch::default(), &mut Vec::new(), &mut row);
        row
    }

    /// The TF-IDF values of many documents, a row each.
    pub fn transform_all<D: Document>(&self, documents: &[D]) -> Result<SparseRecords> {
        let mut records = SparseRecords::new(self.terms().len());
        let (mut scratch, mut columns, mut row) = (Scratch::default(), Vec::new(), Vec::new());
        for document in documents {
            self.transform_into(document, &mut scratch, &mut columns, &mut row);
            records.push_row(&row)?;
        }
        Ok(records)
    }

    /// In how many documents of training, and of these rows, each of the most frequent terms occurs; the last counts are of
    /// all other known terms together.
    pub(super) fn term_counts(&self, rows: &SparseRecords) -> (Vec<u64>, Vec<u64>) {
        let mut order: Vec<usize> = (0..self.terms().len()).collect();
        let frequency = |column: usize| self.document_frequencies.get(column).copied().unwrap_or(0);
        order.sort_by_key(|column| (std::cmp::Reverse(frequency(*column)), *column));
        let mut place_of_column = vec![WATCHED_TERMS; order.len()];
        for (place, column) in order.iter().take(WATCHED_TERMS).enumerate() {
            if let Some(to) = place_of_column.get_mut(*column) {
                *to = place;
            }
        }
        let (mut before, mut now) = (vec![0; WATCHED_TERMS + 1], vec![0; WATCHED_TERMS + 1]);
        let add = |counts: &mut Vec<u64>, column: usize, n: u64| {
            if let Some(count) = place_of_column.get(column).and_then(|place| counts.get_mut(*place)) {
                *count += n;
            }
        };
        for column in order {
            add(&mut before, column, u64::from(frequency(column)));
        }
        rows.rows().flat_map(|(columns, _)| columns).for_each(|column| add(&mut now, *column as usize, 1));
        (before, now)
    }

    /// How many of the terms of these documents are known, and how many there are, repetitions included.
    pub(super) fn count_known<D: Document>(&self, documents: &[D]) -> (u64, u64) {
        let (mut known, mut all) = (0, 0);
        let mut scratch = Scratch::default();
        for document in documents {
            self.tokenizer.for_each_term(document, &mut scratch, &mut |term| {
                known += u64::from(self.terms.number(term).is_some());
                all += 1;
            });
        }
        (known, all)
    }

    fn transform_into(
        &self,
        document: &(impl Document + ?Sized),
        scratch: &mut Scratch,
        columns: &mut Vec<u32>,
        row: &mut Vec<(u32, f64)>,
    ) {
        columns.clear();
        self.tokenizer.for_each_term(document, scratch, &mut |term| columns.extend(self.terms.number(term)));
        count(columns, row);
        weigh_row(row, &self.idf, self.sublinear_tf);
    }

    /// The TF-IDF values of rows of counts over this vocabulary.
    pub fn weigh(&self, counts: &SparseRecords) -> Result<SparseRecords> {
        weigh_rows(counts.rows(), counts.n_columns(), &self.idf, self.sublinear_tf)
    }

    /// The TF-IDF values of some rows of counts, with the document frequencies that `fitted` rows have: what a
    /// vectorizer fitted on those alone would give, but for the choice of terms.
    pub(super) fn weigh_subset<'r>(
        &self,
        fitted: impl Iterator<Item = (&'r [u32], &'r [f64])>,
        rows: impl Iterator<Item = (&'r [u32], &'r [f64])>,
    ) -> Result<SparseRecords> {
        let mut frequencies = vec![0u64; self.terms().len()];
        let mut n_documents = 0;
        for (columns, _) in fitted {
            n_documents += 1;
            for column in columns {
                if let Some(frequency) = frequencies.get_mut(*column as usize) {
                    *frequency += 1;
                }
            }
        }
        // A term that the fitted rows do not have is unknown to them, and weighs nothing.
        let idf: Vec<f64> =
            frequencies.iter().map(|df| if *df == 0 { 0.0 } else { smooth_idf(n_documents, *df) }).collect();
        weigh_rows(rows, self.terms().len(), &idf, self.sublinear_tf)
    }

    /// The terms, sorted; a term's place is its column.
    pub fn terms(&self) -> &[Box<str>] {
        &self.terms.terms
    }

    /// The column of a term.
    pub fn column(&self, term: &str) -> Option<u32> {
        self.terms.number(term)
    }

    /// In how many documents each term occurred.
    pub fn document_frequencies(&self) -> &[u32] {
        &self.document_frequencies
    }

    /// How many documents the vocabulary was fitted on.
    pub fn n_documents(&self) -> u64 {
        self.n_documents
    }

    /// The smooth inverse document frequency of each term.
    pub fn idf(&self) -> &[f64] {
        &self.idf
    }

    /// What a term is.
    pub fn analyzer(&self) -> Analyzer {
        self.tokenizer.analyzer()
    }

    /// The least and the greatest number of words or characters in a term.
    pub fn ngram_range(&self) -> (u32, u32) {
        self.tokenizer.ngram_range()
    }

    /// Whether counts are damped.
    pub fn sublinear_tf(&self) -> bool {
        self.sublinear_tf
    }

    /// The words that are left out, sorted.
    pub fn stop_words(&self) -> &[String] {
        self.tokenizer.stop_words()
    }
}

fn smooth_idf(n_documents: u64, document_frequency: u64) -> f64 {
    libm::log((1.0 + n_documents as f64) / (1.0 + document_frequency as f64)) + 1.0
}

fn weigh_rows<'r>(
    rows: impl Iterator<Item = (&'r [u32], &'r [f64])>,
    n_columns: usize,
    idf: &[f64],
    sublinear_tf: bool,
) -> Result<SparseRecords> {
    let mut values = SparseRecords::new(n_columns);
    let mut row = Vec::new();
    for (columns, counts) in rows {
        row.clear();
        row.extend(columns.iter().copied().zip(counts.iter().copied()));
        weigh_row(&mut row, idf, sublinear_tf);
        values.push_row(&row)?;
    }
    Ok(values)
}

fn weigh_row(row: &mut Vec<(u32, f64)>, idf: &[f64], sublinear_tf: bool) {
    let mut squares = 0.0;
    for (column, value) in row.iter_mut() {
        let damped = if sublinear_tf { 1.0 + libm::log(*value) } else { *value };
        *value = damped * idf.get(*column as usize).copied().unwrap_or(0.0);
        squares += *value * *value;
    }
    row.retain(|(_, value)| *value != 0.0);
    if squares > 0.0 {
        let length = squares.sqrt();
        row.iter_mut().for_each(|(_, value)| *value /= length);
    }
}

/// How often each number stands in the list, by number.
fn count(found: &mut [u32], counts: &mut Vec<(u32, f64)>) {
    found.sort_unstable();
    counts.clear();
    counts.extend(
        found.chunk_by(|left, right| left == right).filter_map(|same| Some((*same.first()?, same.len() as f64))),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(texts: &[&str]) -> Vec<Vec<String>> {
        texts.iter().map(|text| vec![(*text).to_owned()]).collect()
    }

    fn fitted(options: &VectorizerOptions, texts: &[&str]) -> Vectorizer {
        Vectorizer::fit(options, &documents(texts)).unwrap().0
    }

    fn terms(vectorizer: &Vectorizer) -> Vec<&str> {
        vectorizer.terms().iter().map(|term| &**term).collect()
    }

    fn assert_row(row: &[(u32, f64)], expected: &[(u32, f64)]) {
        assert_eq!(row.len(), expected.len(), "{row:?}");
        for ((column, value), (expected_column, expected_value)) in row.iter().zip(expected) {
            assert_eq!(column, expected_column);
            assert!((value - expected_value).abs() < 1e-9, "{value} is not {expected_value}");
        }
    }

    // The corpus of scikit-learn's own documentation of TfidfVectorizer, and its published values.
    const CORPUS: [&str; 4] = [
        "This is the first document.",
        "This document is the second document.",
        "And this is the third one.",
        "Is this the first document?",
    ];

    #[test]
    fn values_are_those_of_scikit_learn() {
        let (vectorizer, counts) = Vectorizer::fit(&VectorizerOptions::default(), &documents(&CORPUS)).unwrap();
        assert_eq!(terms(&vectorizer), ["and", "document", "first", "is", "one", "second", "the", "third", "this"]);
        let weighed = vectorizer.weigh(&counts).unwrap();
        let (columns, values) = weighed.rows().next().unwrap();
        let row: Vec<(u32, f64)> = columns.iter().copied().zip(values.iter().copied()).collect();
        // scikit-learn's page prints 0.46979139, 0.58028582, 0.38408524 (three times) for the first row; the further
        // digits are its formula, worked out in Python.
        let expected = [
            (1, 0.469_791_385_58),
            (2, 0.580_285_823_68),
            (3, 0.384_085_240_91),
            (6, 0.384_085_240_91),
            (8, 0.384_085_240_91),
        ];
        assert_row(&row, &expected);
        assert_eq!(vectorizer.transform(&documents(&CORPUS)[0]), row);
    }

    #[test]
    fn sublinear_values_are_those_worked_out_by_hand() {
        let options = VectorizerOptions { sublinear_tf: true, ..VectorizerOptions::default() };
        let vectorizer = fitted(&options, &["aa aa aa bb", "bb cc"]);
        // idf: aa, cc ln(3/2) + 1, bb 1; the count of three is damped to 1 + ln 3.
        let aa = (1.0 + 3f64.ln()) * (1.5f64.ln() + 1.0);
        let length = (aa * aa + 1.0).sqrt();
        assert_row(&vectorizer.transform(&documents(&["aa aa aa bb"])[0]), &[(0, aa / length), (1, 1.0 / length)]);
    }

    #[test]
    fn a_word_has_two_or_more_letters_of_any_script() {
        let vectorizer =
            fitted(&VectorizerOptions::default(), &["I paid £500, on_time: Äpfel ÄPFEL x2 трекинг 東京 a-b"]);
        assert_eq!(terms(&vectorizer), ["500", "on_time", "paid", "x2", "äpfel", "трекинг", "東京"]);
    }

    #[test]
    fn word_terms_pass_over_stop_words_but_not_from_one_text_to_the_next() {
        let options = VectorizerOptions {
            ngram_range: (1, 2),
            stop_words: vec!["the".to_owned()],
            ..VectorizerOptions::default()
        };
        let document = vec!["Over the hills".to_owned(), "far away".to_owned()];
        let (vectorizer, _) = Vectorizer::fit(&options, &[document]).unwrap();
        assert_eq!(terms(&vectorizer), ["away", "far", "far away", "hills", "over", "over hills"]);
    }

    #[test]
    fn character_terms_stay_within_a_padded_word() {
        let options =
            VectorizerOptions { analyzer: Analyzer::Character, ngram_range: (3, 4), ..VectorizerOptions::default() };
        let vectorizer = fitted(&options, &["Ab é"]);
        // " ab " has pieces of three and one of four; " é " is three long and counts once.
        assert_eq!(terms(&vectorizer), [" ab", " ab ", " é ", "ab "]);
    }

    #[test]
    fn rare_common_and_surplus_terms_are_left_out() {
        let texts = ["aa bb bb", "aa cc dd", "aa cc ee", "aa bb ee"];
        let rare = VectorizerOptions { min_df: 2, max_df: 0.75, ..VectorizerOptions::default() };
        assert_eq!(terms(&fitted(&rare, &texts)), ["bb", "cc", "ee"]);
        // Totals: aa 4, bb 3, cc 2, ee 2, dd 1; cc stands before ee.
        let few = VectorizerOptions { max_features: Some(3), ..VectorizerOptions::default() };
        assert_eq!(terms(&fitted(&few, &texts)), ["aa", "bb", "cc"]);
        let none = VectorizerOptions { min_df: 5, ..VectorizerOptions::default() };
        assert!(Vectorizer::fit(&none, &documents(&texts)).unwrap_err().hint().is_some());
    }

    #[test]
    fn unknown_words_and_empty_texts_give_an_empty_row() {
        let vectorizer = fitted(&VectorizerOptions::default(), &CORPUS);
        for document in [vec![], vec![String::new()], vec!["zebra".to_owned()]] {
            assert!(vectorizer.transform(&document).is_empty());
        }
    }
}
