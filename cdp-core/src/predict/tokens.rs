//! Cuts the texts of a profile into terms: words, words in a row, or pieces of words.
//!
//! Takes a document (a list of texts) in any case and script; calls back with each term in lower case. No term spans two
//! texts. The words are those of scikit-learn's default pattern, the pieces those of its `char_wb`.

use std::collections::HashSet;

/// What a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Analyzer {
    /// One word or several in a row.
    Word,
    /// Characters in a row within a word that is padded with a space on both sides (scikit-learn's `char_wb`).
    Character,
}

/// Calls with every term of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tokenizer {
    analyzer: Analyzer,
    ngram_range: (u32, u32),
    // Sorted, for the bytes of a model.
    stop_words: Vec<String>,
    is_stop_word: HashSet<String>,
}

impl Tokenizer {
    pub(super) fn new(analyzer: Analyzer, ngram_range: (u32, u32), mut stop_words: Vec<String>) -> Tokenizer {
        stop_words.sort_unstable();
        stop_words.dedup();
        let is_stop_word = stop_words.iter().cloned().collect();
        Tokenizer { analyzer, ngram_range, stop_words, is_stop_word }
    }

    pub(super) fn analyzer(&self) -> Analyzer {
        self.analyzer
    }

    pub(super) fn ngram_range(&self) -> (u32, u32) {
        self.ngram_range
    }

    pub(super) fn stop_words(&self) -> &[String] {
        &self.stop_words
    }

    /// Calls `each` with every term of a document, repetitions included.
    pub(super) fn for_each_term(&self, document: &[String], each: &mut impl FnMut(&str)) {
        for item in document {
            let lowered = item.to_lowercase();
            match self.analyzer {
                Analyzer::Word => self.for_each_word_term(&lowered, each),
                Analyzer::Character => self.for_each_character_term(&lowered, each),
            }
        }
    }

    fn for_each_word_term(&self, text: &str, each: &mut impl FnMut(&str)) {
        let (least, greatest) = (self.ngram_range.0 as usize, self.ngram_range.1 as usize);
        if greatest == 1 {
            for_each_word(text, |word| {
                if self.is_stop_word.is_empty() || !self.is_stop_word.contains(word) {
                    each(word);
                }
            });
            return;
        }
        let mut words: Vec<&str> = Vec::new();
        for_each_word(text, |word| words.push(word));
        words.retain(|word| !self.is_stop_word.contains(*word));
        let mut term = String::new();
        for length in least.max(1)..=greatest.min(words.len()) {
            for run in words.windows(length) {
                term.clear();
                for (index, word) in run.iter().enumerate() {
                    if index > 0 {
                        term.push(' ');
                    }
                    term.push_str(word);
                }
                each(&term);
            }
        }
    }

    fn for_each_character_term(&self, text: &str, each: &mut impl FnMut(&str)) {
        let mut padded = String::new();
        let mut starts: Vec<usize> = Vec::new();
        for word in text.split_whitespace() {
            padded.clear();
            padded.push(' ');
            padded.push_str(word);
            padded.push(' ');
            starts.clear();
            starts.extend(padded.char_indices().map(|(start, _)| start));
            starts.push(padded.len());
            let n_characters = starts.len() - 1;
            for length in self.ngram_range.0.max(1) as usize..=self.ngram_range.1 as usize {
                if length >= n_characters {
                    // A word that is no longer than the term counts once, whole, as scikit-learn has it.
                    each(&padded);
                    break;
                }
                for (start, end) in starts.iter().zip(starts.iter().skip(length)) {
                    each(padded.get(*start..*end).unwrap_or_default());
                }
            }
        }
    }
}

/// Calls `each` with every run of two or more letters, digits or underscores (`\b\w\w+\b`).
fn for_each_word<'t>(text: &'t str, mut each: impl FnMut(&'t str)) {
    let mut rest = text;
    let is_part = |character: char| character == '_' || character.is_alphanumeric();
    while let Some(start) = rest.find(is_part) {
        rest = rest.get(start..).unwrap_or_default();
        let end = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if word.chars().nth(1).is_some() {
            each(word);
        }
        rest = after;
    }
}
