//! How alike two normalized texts are: Jaro-Winkler, restricted edit distance, and overlap of words.
//!
//! Bytes where both are ASCII, characters otherwise. The distances are those of the rapidfuzz crate.

use super::distance;

/// A text with what is known about it before it is read: of most pairs that is enough.
#[derive(Clone, Copy)]
pub(crate) struct Word<'t> {
    bytes: &'t [u8],
    letters: u64,
}

/// Which letters and digits occur, the first and the second time, digits also the third: what two texts cannot have in common
/// costs nothing to find out. Each occurrence has its bit, so that bits of one text alone stand for letters of it alone. The
/// highest bit says that something other than ASCII occurs.
pub(crate) fn letters(text: &[u8]) -> u64 {
    let (mut once, mut twice, mut thrice, mut others) = (0_u64, 0_u64, 0_u64, 0_u64);
    for byte in text {
        let class = match byte {
            b'a'..=b'z' => byte - b'a',
            b'0'..=b'9' => 26 + byte - b'0',
            _ => {
                others |= if byte.is_ascii() { 1 << 62 } else { NOT_ASCII };
                continue;
            }
        };
        let bit = 1 << class;
        thrice |= twice & bit;
        twice |= once & bit;
        once |= bit;
    }
    const LETTERS: u64 = (1 << 26) - 1;
    let digits = (once >> 26) << 52 | twice >> 26 | (thrice >> 26) << 10;
    once & LETTERS | (twice & LETTERS) << 26 | digits | others
}

const NOT_ASCII: u64 = 1 << 63;

impl<'t> Word<'t> {
    /// Of a text.
    pub(crate) fn new(text: &'t str) -> Word<'t> {
        Word { bytes: text.as_bytes(), letters: letters(text.as_bytes()) }
    }

    /// Of a text in UTF-8 whose letters are known.
    pub(crate) fn known(bytes: &'t [u8], letters: u64) -> Word<'t> {
        Word { bytes, letters }
    }

    pub(crate) fn text(self) -> &'t str {
        std::str::from_utf8(self.bytes).unwrap_or("")
    }

    pub(crate) fn len(self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn first(self) -> Option<u8> {
        self.bytes.first().copied()
    }

    pub(crate) fn is_end_of(self, whole: Word<'_>) -> bool {
        whole.bytes.ends_with(self.bytes)
    }

    /// Whether one is the beginning of the other.
    pub(crate) fn begins_as(self, other: Word<'_>) -> bool {
        self.bytes.iter().zip(other.bytes).all(|(a, b)| a == b)
    }

    /// What stands before the first `@`.
    pub(crate) fn local_part(self) -> Word<'t> {
        let end = self.bytes.iter().position(|byte| *byte == b'@').unwrap_or(self.bytes.len());
        let bytes = self.bytes.get(..end).unwrap_or_default();
        Word { bytes, letters: letters(bytes) }
    }

    pub(crate) fn is_equal(self, other: Word<'_>) -> bool {
        self.bytes == other.bytes
    }

    /// How many letters occur in this text only.
    fn alone(self, other: Word<'_>) -> usize {
        (self.letters & !other.letters).count_ones() as usize
    }
}

/// Jaro-Winkler similarity in `[0, 1]`, the same in both directions; 0 where it is below `least`.
pub(crate) fn jaro(left: Word<'_>, right: Word<'_>, least: f64) -> f64 {
    // Its matching is greedy, so that the order of the texts could matter.
    if (left.letters | right.letters) & NOT_ASCII != 0 {
        let (left, right) = in_order(left.text(), right.text());
        let found = distance::jaro_winkler(left.chars(), right.chars());
        return if found >= least { found } else { 0.0 };
    }
    // At most these letters can match; with no transposition that bounds the similarity.
    let (n_left, n_right) = (left.len(), right.len());
    let matching = n_left.saturating_sub(left.alone(right)).min(n_right.saturating_sub(right.alone(left))) as f64;
    let most = (matching / n_left.max(1) as f64 + matching / n_right.max(1) as f64 + 1.0) / 3.0;
    if most + 0.4 * (1.0 - most) < least {
        return 0.0;
    }
    let prefix = left.bytes.iter().zip(right.bytes).take(4).take_while(|(a, b)| a == b).count() as f64;
    if most + 0.1 * prefix * (1.0 - most) < least {
        return 0.0;
    }
    let (left, right) = in_order(left.bytes, right.bytes);
    let found = distance::jaro_winkler(left.iter().copied(), right.iter().copied());
    if found >= least { found } else { 0.0 }
}

fn in_order<T: Ord>(left: T, right: T) -> (T, T) {
    if right < left { (right, left) } else { (left, right) }
}

/// Optimal string alignment distance (insert, delete, replace, swap of neighbours), or `limit + 1` if it is larger.
pub(crate) fn edits(left: Word<'_>, right: Word<'_>, limit: usize) -> usize {
    let n_apart = left.len().abs_diff(right.len());
    if (left.letters | right.letters) & NOT_ASCII != 0 {
        if n_apart > limit * 4 {
            return limit + 1;
        }
        return distance::edits(left.text().chars(), right.text().chars(), limit).unwrap_or(limit + 1);
    }
    // One edit takes at most one letter away and brings at most one.
    if n_apart > limit || left.alone(right) > limit || right.alone(left) > limit {
        return limit + 1;
    }
    edits_of_bytes(left.bytes, right.bytes, limit)
}

fn edits_of_bytes(left: &[u8], right: &[u8], limit: usize) -> usize {
    let n_start = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let (left, right) = (left.get(n_start..).unwrap_or_default(), right.get(n_start..).unwrap_or_default());
    let n_end = left.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| a == b).count();
    let rest = |of: &[u8]| of.len() - n_end;
    // What is left between equal ends decides about one edit.
    match (rest(left), rest(right)) {
        (0, 0) => 0,
        (0 | 1, 0 | 1) => 1,
        (2, 2) if left.first() == right.get(1) && left.get(1) == right.first() => 1,
        (0, n) | (n, 0) => n.min(limit + 1),
        _ if limit <= 1 => limit + 1,
        (n_left, n_right) => {
            let (left, right) = (left.iter().take(n_left).copied(), right.iter().take(n_right).copied());
            distance::edits(left, right, limit).unwrap_or(limit + 1)
        }
    }
}

/// Share of words that both have, of all their words; nearly equal words count as equal.
pub(crate) fn word_overlap(left: &str, right: &str) -> f64 {
    // Words are paired greedily: one order, so that both directions find the same.
    let (left, right) = in_order(left, right);
    let left: Vec<&str> = left.split(' ').collect();
    let right: Vec<&str> = right.split(' ').collect();
    let mut free: Vec<Option<&str>> = right.iter().copied().map(Some).collect();
    let mut shared = 0.0;
    for word in &left {
        let alike = |other: &str| {
            other == *word || (word.len() > 3 && other.len() > 3 && edits(Word::new(word), Word::new(other), 1) <= 1)
        };
        if let Some(place) = free.iter_mut().find(|other| other.is_some_and(alike)) {
            shared += 1.0;
            *place = None;
        }
    }
    shared / (left.len() as f64 + right.len() as f64 - shared).max(1.0)
}

/// Whether all words of one are words of the other: `garcia` and `garcia lopez`.
pub(crate) fn is_part_of_the_other(left: Word<'_>, right: Word<'_>) -> bool {
    let contains = |whole: Word<'_>, part: Word<'_>| {
        whole.len() > part.len()
            && part.alone(whole) == 0
            && part.text().split(' ').all(|word| word.len() > 1 && whole.text().split(' ').any(|other| other == word))
    };
    contains(left, right) || contains(right, left)
}

#[cfg(test)]
#[cfg(feature = "linkage")]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_bounds_never_change_what_is_found(left in "[a-e0-2 @]{1,12}", right in "[a-e0-2 @]{1,12}", limit in 1..3_usize) {
            let exact = rapidfuzz::distance::osa::distance(left.bytes(), right.bytes());
            let (one, two) = (Word::new(&left), Word::new(&right));
            proptest::prop_assert_eq!(edits(one, two, limit), exact.min(limit + 1));
            let (low, high) = in_order(&left, &right);
            let exact = distance::jaro_winkler(low.bytes(), high.bytes());
            let found = jaro(one, two, 0.8);
            proptest::prop_assert_eq!(found, jaro(two, one, 0.8));
            proptest::prop_assert!(found == exact || (found == 0.0 && exact < 0.8));
        }
    }
}
