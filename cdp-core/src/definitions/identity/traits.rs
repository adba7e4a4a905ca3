//! How the values that messages give a trait become one value of a person.

use crate::definitions::reader::Node;
use crate::records::Value;

/// How the values of a trait become one. In each of them a null takes back everything that was said before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraitStrategy {
    /// The last one (the default).
    Newest,
    /// The first one.
    Oldest,
    /// The least number; what is no number does not count.
    Min,
    /// The greatest number.
    Max,
    /// The sum of all numbers, each message once.
    Sum,
    /// Every different value once, in the order of their first message; a list counts item by item.
    Union,
    /// The last one that is not an empty text, list or object.
    NonEmpty,
    /// The last one of the first of these sources that gave one; other sources come after them.
    SourcePriority(Vec<String>),
}

const WORDS: [(&str, TraitStrategy); 7] = [
    ("newest", TraitStrategy::Newest),
    ("oldest", TraitStrategy::Oldest),
    ("min", TraitStrategy::Min),
    ("max", TraitStrategy::Max),
    ("sum", TraitStrategy::Sum),
    ("union", TraitStrategy::Union),
    ("non_empty", TraitStrategy::NonEmpty),
];

pub(super) fn read(node: Node<'_>) -> Option<TraitStrategy> {
    if !matches!(node.value, Value::Object(_)) {
        let place = node.word(&WORDS.map(|(word, _)| word).map(|word| (word, word)))?;
        return WORDS.into_iter().find(|(word, _)| *word == place).map(|(_, strategy)| strategy);
    }
    let mut fields = node.fields()?;
    let sources = fields.required("source_priority", |node| node.list(|source| source.text()));
    fields.finish();
    sources.map(TraitStrategy::SourcePriority)
}
