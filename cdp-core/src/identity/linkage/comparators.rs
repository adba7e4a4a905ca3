//! How alike two normalized texts are: Jaro-Winkler, restricted edit distance, and overlap of words.
//!
//! Bytes where both are ASCII, characters otherwise. The distances are those of the rapidfuzz crate.

use rapidfuzz::distance::{jaro_winkler, osa};

/// Jaro-Winkler similarity in `[0, 1]`.
pub(crate) fn jaro(left: &str, right: &str) -> f64 {
    if left.is_ascii() && right.is_ascii() {
        jaro_winkler::similarity(left.bytes(), right.bytes())
    } else {
        jaro_winkler::similarity(left.chars(), right.chars())
    }
}

/// Optimal string alignment distance (insert, delete, replace, swap of neighbours), or `limit + 1` if it is larger.
pub(crate) fn edits(left: &str, right: &str, limit: usize) -> usize {
    if left.len().abs_diff(right.len()) > limit * 4 {
        return limit + 1;
    }
    let within = osa::Args::default().score_cutoff(limit);
    let found = if left.is_ascii() && right.is_ascii() {
        if left.len().abs_diff(right.len()) > limit {
            return limit + 1;
        }
        osa::distance_with_args(left.bytes(), right.bytes(), &within)
    } else {
        osa::distance_with_args(left.chars(), right.chars(), &within)
    };
    found.unwrap_or(limit + 1)
}

/// Share of words that both have, of all their words; nearly equal words count as equal.
pub(crate) fn word_overlap(left: &str, right: &str) -> f64 {
    let left: Vec<&str> = left.split(' ').collect();
    let right: Vec<&str> = right.split(' ').collect();
    let mut free: Vec<Option<&str>> = right.iter().copied().map(Some).collect();
    let mut shared = 0.0;
    for word in &left {
        let alike = |other: &str| other == *word || (word.len() > 3 && other.len() > 3 && edits(word, other, 1) <= 1);
        if let Some(place) = free.iter_mut().find(|other| other.is_some_and(alike)) {
            shared += 1.0;
            *place = None;
        }
    }
    shared / (left.len() as f64 + right.len() as f64 - shared).max(1.0)
}

/// Whether all words of one are words of the other: `garcia` and `garcia lopez`.
pub(crate) fn is_part_of_the_other(left: &str, right: &str) -> bool {
    let contains = |whole: &str, part: &str| {
        whole.len() > part.len() && part.split(' ').all(|word| word.len() > 1 && whole.split(' ').any(|other| other == word))
    };
    contains(left, right) || contains(right, left)
}
