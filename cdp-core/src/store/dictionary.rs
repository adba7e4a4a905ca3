//! Distinct texts by number: names, and words of payloads.
//!
//! It takes texts in the order of their numbers, which begin at 1, and looks up in both directions. The additions of a
//! transaction are a dictionary of its own, numbered after the committed one.

use std::sync::Arc;

use rustc_hash::FxHashMap;

/// Texts with consecutive numbers.
#[derive(Clone, Default)]
pub(super) struct Dictionary {
    /// The number of texts before the first one of this dictionary.
    before: u32,
    texts: Vec<Arc<str>>,
    ids: FxHashMap<Arc<str>, u32>,
}

impl Dictionary {
    /// An empty dictionary whose first number comes after all of another.
    pub(super) fn behind(committed: &Dictionary) -> Dictionary {
        Dictionary { before: committed.last(), ..Dictionary::default() }
    }

    /// The number of the last text, or the one before the first.
    pub(super) fn last(&self) -> u32 {
        self.before + self.len()
    }

    /// The number of texts.
    pub(super) fn len(&self) -> u32 {
        self.texts.len() as u32
    }

    /// The number of a text.
    pub(super) fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// The text with a number.
    pub(super) fn text(&self, id: u32) -> Option<&str> {
        let place = id.checked_sub(self.before)?.checked_sub(1)?;
        self.texts.get(place as usize).map(AsRef::as_ref)
    }

    /// Adds a text that is not in the dictionary; returns its number.
    pub(super) fn push(&mut self, text: Arc<str>) -> u32 {
        self.texts.push(text.clone());
        let id = self.last();
        self.ids.insert(text, id);
        id
    }

    /// Adds the texts of a transaction.
    pub(super) fn append(&mut self, added: Dictionary) {
        for text in added.texts {
            self.push(text);
        }
    }

    /// The texts after the first `n`, with their numbers.
    pub(super) fn skip(&self, n: u32) -> impl Iterator<Item = (u32, &str)> {
        (self.before + n + 1..).zip(self.texts.iter().skip(n as usize).map(AsRef::as_ref))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_texts_keep_their_numbers_after_the_append() {
        let mut committed = Dictionary::default();
        assert_eq!((committed.push(Arc::from("a")), committed.push(Arc::from("b"))), (1, 2));
        let mut added = Dictionary::behind(&committed);
        assert_eq!((added.push(Arc::from("c")), added.push(Arc::from("d"))), (3, 4));
        assert_eq!((added.text(2), added.text(3), added.text(5), added.id("d")), (None, Some("c"), None, Some(4)));
        assert_eq!(added.skip(1).collect::<Vec<_>>(), [(4, "d")]);
        committed.append(added);
        assert_eq!(
            (committed.len(), committed.text(0), committed.text(4), committed.id("c")),
            (4, None, Some("d"), Some(3))
        );
    }
}
