//! How alike two normalized texts are: Jaro-Winkler, restricted edit distance, and overlap of words.
//!
//! Bytes where both are ASCII, characters otherwise. The distances are those of the rapidfuzz crate.

use rapidfuzz::distance::{jaro_winkler, osa};

/// Which letters and digits occur: what two texts cannot have in common costs nothing to find out.
fn letters(text: &str) -> u64 {
    text.bytes().fold(0, |seen, byte| {
        let place = match byte {
            b'a'..=b'z' => byte - b'a',
            b'0'..=b'9' => 26 + byte - b'0',
            b' ' => 36,
            b'@' => 37,
            b'.' => 38,
            b'-' => 39,
            other => 40 + other % 24,
        };
        seen | 1 << place
    })
}

/// Jaro-Winkler similarity in `[0, 1]`; 0 where it is below `least`.
pub(crate) fn jaro(left: &str, right: &str, least: f64) -> f64 {
    if !(left.is_ascii() && right.is_ascii()) {
        let found = jaro_winkler::similarity(left.chars(), right.chars());
        return if found >= least { found } else { 0.0 };
    }
    // At most these letters can match; with no transposition that bounds the similarity.
    let (in_left, in_right) = (letters(left), letters(right));
    let (n_left, n_right) = (left.len(), right.len());
    let matching = n_left
        .saturating_sub((in_left & !in_right).count_ones() as usize)
        .min(n_right.saturating_sub((in_right & !in_left).count_ones() as usize)) as f64;
    let most = (matching / n_left.max(1) as f64 + matching / n_right.max(1) as f64 + 1.0) / 3.0;
    let prefix = left.bytes().zip(right.bytes()).take(4).take_while(|(a, b)| a == b).count() as f64;
    if most + 0.1 * prefix * (1.0 - most) < least {
        return 0.0;
    }
    let found = jaro_winkler::similarity(left.bytes(), right.bytes());
    if found >= least { found } else { 0.0 }
}

/// Optimal string alignment distance (insert, delete, replace, swap of neighbours), or `limit + 1` if it is larger.
pub(crate) fn edits(left: &str, right: &str, limit: usize) -> usize {
    if left.len().abs_diff(right.len()) > limit * 4 {
        return limit + 1;
    }
    let within = osa::Args::default().score_cutoff(limit);
    let found = if left.is_ascii() && right.is_ascii() {
        // One edit takes at most one letter away and brings at most one.
        if left.len().abs_diff(right.len()) > limit
            || (letters(left) ^ letters(right)).count_ones() as usize > 2 * limit
        {
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
        whole.len() > part.len()
            && part.split(' ').all(|word| word.len() > 1 && whole.split(' ').any(|other| other == word))
    };
    contains(left, right) || contains(right, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_bounds_never_change_what_is_found(left in "[a-e0-2 @]{1,12}", right in "[a-e0-2 @]{1,12}", limit in 1..3_usize) {
            let exact = osa::distance(left.bytes(), right.bytes());
            proptest::prop_assert_eq!(edits(&left, &right, limit), exact.min(limit + 1));
            let exact = jaro_winkler::similarity(left.bytes(), right.bytes());
            let found = jaro(&left, &right, 0.8);
            proptest::prop_assert!(found == exact || (found == 0.0 && exact < 0.8));
        }
    }
}
