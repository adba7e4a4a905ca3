//! How the values that messages give a trait become one value of a person.

use crate::definitions::fields::identity::source_priority;
use crate::definitions::reader::Node;
use crate::definitions::schema::Words;
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

pub(in crate::definitions) static STRATEGIES: Words<TraitStrategy> = Words {
    name: "trait_strategy",
    rows: &[
        ("newest", TraitStrategy::Newest, "The last value."),
        ("oldest", TraitStrategy::Oldest, "The first value."),
        ("min", TraitStrategy::Min, "The least number; other values do not count."),
        ("max", TraitStrategy::Max, "The greatest number; other values do not count."),
        ("sum", TraitStrategy::Sum, "The sum of all numbers, each message once."),
        ("union", TraitStrategy::Union, "Every different value once, as a list; a list counts item by item."),
        ("non_empty", TraitStrategy::NonEmpty, "The last value that is not an empty text, list or object."),
    ],
};

pub(super) fn read(node: Node<'_>) -> Option<TraitStrategy> {
    if !matches!(node.value, Value::Object(_)) {
        return node.word(&STRATEGIES);
    }
    let mut fields = node.fields()?;
    let sources = fields.required(&source_priority::SOURCE_PRIORITY, |node| node.list(|source| source.text()));
    fields.finish();
    sources.map(TraitStrategy::SourcePriority)
}
