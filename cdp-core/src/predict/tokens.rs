//! Cuts the texts of a profile into terms: words, words in a row, or pieces of words.
//!
//! Takes a document (a list of texts) in any case and script; calls back with each term in lower case. No term spans two
//! texts. The words are those of scikit-learn's default pattern, the pieces those of its `char` and `char_wb`.

use std::collections::HashSet;

pub use crate::definitions::Analyzer;

/// The texts of one profile.
pub trait Document {
    /// The texts, in order.
    fn texts(&self) -> impl Iterator<Item = &str>;
}

impl Document for str {
    fn texts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self)
    }
}

impl Document for String {
    fn texts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.as_str())
    }
}

impl Document for [String] {
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.iter().map(String::as_str)
    }
}

impl Document for Vec<String> {
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.iter().map(String::as_str)
    }
}

impl<D: Document + ?Sized> Document for &D {
    fn texts(&self) -> impl Iterator<Item = &str> {
        (**self).texts()
    }
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

/// Room that is used for one text after the other.
#[derive(Default)]
pub(super) struct Scratch {
    lowered: String,
    term: String,
    // Of words their first and last byte, of characters their first byte.
    spans: Vec<(usize, usize)>,
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
    pub(super) fn for_each_term(
        &self,
        document: &(impl Document + ?Sized),
        scratch: &mut Scratch,
        each: &mut impl FnMut(&str),
    ) {
        for text in document.texts() {
            let Scratch { lowered, term, spans } = scratch;
            lowered.clear();
            if text.is_ascii() {
                lowered.push_str(text);
                lowered.make_ascii_lowercase();
            } else {
                // As a whole: the small letter of a final sigma depends on what follows.
                lowered.push_str(&text.to_lowercase());
            }
            match self.analyzer {
                Analyzer::Word => self.for_each_word_term(lowered, term, spans, each),
                Analyzer::Character => {
                    for word in lowered.split_whitespace() {
                        term.clear();
                        term.push(' ');
                        term.push_str(word);
                        term.push(' ');
                        self.for_each_piece(term, spans, each);
                    }
                }
                Analyzer::CharacterRun => {
                    join_white_space(lowered, term);
                    self.for_each_run(term, spans, each);
                }
            }
        }
    }

    fn for_each_word_term(
        &self,
        text: &str,
        term: &mut String,
        spans: &mut Vec<(usize, usize)>,
        each: &mut impl FnMut(&str),
    ) {
        let (least, greatest) = (self.ngram_range.0 as usize, self.ngram_range.1 as usize);
        let is_kept = |word: &str| self.is_stop_word.is_empty() || !self.is_stop_word.contains(word);
        let word = |(start, end): (usize, usize)| text.get(start..end).unwrap_or_default();
        if greatest == 1 {
            for_each_word(text, |start, end| {
                if is_kept(word((start, end))) {
                    each(word((start, end)));
                }
            });
            return;
        }
        spans.clear();
        for_each_word(text, |start, end| {
            if is_kept(word((start, end))) {
                spans.push((start, end));
            }
        });
        for length in least.max(1)..=greatest.min(spans.len()) {
            for run in spans.windows(length) {
                term.clear();
                for (index, span) in run.iter().enumerate() {
                    if index > 0 {
                        term.push(' ');
                    }
                    term.push_str(word(*span));
                }
                each(term);
            }
        }
    }

    fn for_each_piece(&self, padded: &str, starts: &mut Vec<(usize, usize)>, each: &mut impl FnMut(&str)) {
        mark_characters(padded, starts);
        for length in self.ngram_range.0.max(1) as usize..=self.ngram_range.1 as usize {
            if length >= starts.len() {
                // A word that is no longer than the term counts once, whole, as scikit-learn has it.
                each(padded);
                break;
            }
            each_run_of(padded, starts, length, each);
        }
    }

    fn for_each_run(&self, text: &str, starts: &mut Vec<(usize, usize)>, each: &mut impl FnMut(&str)) {
        mark_characters(text, starts);
        for length in self.ngram_range.0.max(1) as usize..=(self.ngram_range.1 as usize).min(starts.len()) {
            each_run_of(text, starts, length, each);
        }
    }
}

/// The first byte of each character and the byte after it.
fn mark_characters(text: &str, spans: &mut Vec<(usize, usize)>) {
    spans.clear();
    spans.extend(text.char_indices().map(|(start, character)| (start, start + character.len_utf8())));
}

fn each_run_of(text: &str, spans: &[(usize, usize)], length: usize, each: &mut impl FnMut(&str)) {
    for ((start, _), (_, end)) in spans.iter().zip(spans.iter().skip(length - 1)) {
        each(text.get(*start..*end).unwrap_or_default());
    }
}

/// Two or more white spaces in a row become one space, as scikit-learn's `char` has it.
fn join_white_space(text: &str, to: &mut String) {
    to.clear();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if !character.is_whitespace() || !characters.peek().is_some_and(|next| next.is_whitespace()) {
            to.push(character);
            continue;
        }
        while characters.peek().is_some_and(|next| next.is_whitespace()) {
            characters.next();
        }
        to.push(' ');
    }
}

/// Calls `each` with the bounds of every run of two or more letters, digits or underscores (`\b\w\w+\b`).
fn for_each_word(text: &str, mut each: impl FnMut(usize, usize)) {
    let bytes = text.as_bytes();
    let mut place = 0;
    // The start of the current run and how many characters it has.
    let (mut start, mut n_characters) = (0, 0);
    while let Some(byte) = bytes.get(place) {
        let (is_part, width) = if byte.is_ascii() {
            (byte.is_ascii_alphanumeric() || *byte == b'_', 1)
        } else {
            let character = text.get(place..).and_then(|rest| rest.chars().next()).unwrap_or_default();
            (character.is_alphanumeric(), character.len_utf8())
        };
        if is_part {
            if n_characters == 0 {
                start = place;
            }
            n_characters += 1;
        } else {
            if n_characters > 1 {
                each(start, place);
            }
            n_characters = 0;
        }
        place += width;
    }
    if n_characters > 1 {
        each(start, bytes.len());
    }
}
