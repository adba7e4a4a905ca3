//! What a field of a definition is, as data: its name, the type of its value, what its absence means, its meaning and an example.
//!
//! The readers ask for a field by its [`Field`], so a field that has no row in a table cannot be read. The tables stand in
//! `fields/`, the words of enumerations beside the reader that turns them into values; `reference` joins both into one value.
//! Nothing here reads a definition.

/// One field of an object in a definition.
#[derive(Debug)]
pub(crate) struct Field {
    /// The key in the object.
    pub(crate) name: &'static str,
    /// What stands there.
    pub(crate) value: Type,
    /// Whether it must be there, and what holds if it is not.
    pub(crate) presence: Presence,
    /// What it means, in one or two sentences.
    pub(crate) meaning: &'static str,
    /// A value, as JSON text.
    pub(crate) example: &'static str,
    /// The fields that must stand beside the example, as a JSON object; null takes a field of the shortest object away.
    pub(crate) beside: &'static str,
}

/// Whether a field must be there.
#[derive(Debug)]
pub(crate) enum Presence {
    /// Its absence is refused.
    Required,
    /// Its absence is refused in some cases, which the text names.
    RequiredIf(&'static str),
    /// Absent, nothing of it holds.
    Optional,
    /// Absent, it is read like this JSON value.
    Default(&'static str),
    /// Absent, what holds depends on other fields, as the text states.
    Otherwise(&'static str),
}

/// The type of a value in a definition.
#[derive(Debug)]
pub(crate) enum Type {
    /// Text that is not empty.
    Text,
    /// Text that may be empty.
    AnyText,
    /// True or false.
    Boolean,
    /// The value true, which marks a form.
    True,
    /// Any JSON value.
    Json,
    /// A number within bounds, each a word (`above`, `at_least`, `below`, `at_most`) and its decimal text.
    Number(&'static [(&'static str, &'static str)]),
    /// An integer from the first to the second, both included.
    Integer(i64, i64),
    /// A length of time: `24h`.
    Duration,
    /// An instant: RFC 3339 text or milliseconds since 1970.
    Time,
    /// Field names joined by dots.
    Path,
    /// A regular expression.
    Pattern,
    /// A word of the list of this name.
    Word(&'static str),
    /// The object of this name.
    Object(&'static str),
    /// A node or leaf of a rule.
    Rule,
    /// A source expression: a path or one of the forms.
    Expression,
    /// What the operator in `op` takes.
    Operand,
    /// A list with items of a type.
    List(&'static Type),
    /// An object whose keys are the user's own: what a key is, and the type of its values.
    Map(&'static str, &'static Type),
    /// One of several types.
    Either(&'static [Type]),
}

/// An object of a definition: its fields, the shortest form that reads, and a complete example.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The word of a kind or leaf, or the name by which other fields refer to the object.
    pub(crate) name: &'static str,
    /// What it is for, in one sentence.
    pub(crate) purpose: &'static str,
    /// Its fields, group by group.
    pub(crate) fields: &'static [&'static [&'static Field]],
    /// The shortest object that reads, as JSON text.
    pub(crate) shortest: &'static str,
    /// A complete object, as JSON text.
    pub(crate) example: &'static str,
    /// A definition with the text `$` where the object stands, as JSON text; `"$"` alone for a definition.
    pub(crate) stands_in: &'static str,
}

/// The words of an enumeration, each with the value it is read as and what it means.
pub(crate) struct Words<T: 'static> {
    /// The name of the list.
    pub(crate) name: &'static str,
    /// The words, in the order in which an error lists them.
    pub(crate) rows: &'static [(&'static str, T, &'static str)],
}

impl<T: Clone> Words<T> {
    /// The value of a word.
    pub(crate) fn find(&self, word: &str) -> Option<T> {
        self.rows.iter().find(|(known, ..)| *known == word).map(|(_, value, _)| value.clone())
    }

    /// The words without their values.
    pub(crate) fn list(&self) -> WordList {
        let words = self.rows.iter().map(|(word, _, meaning)| (*word, *meaning)).collect();
        WordList { name: self.name, words }
    }
}

/// The words of an enumeration with what they mean.
pub(crate) struct WordList {
    /// The name of the list.
    pub(crate) name: &'static str,
    /// The words and their meanings.
    pub(crate) words: Vec<(&'static str, &'static str)>,
}

/// The words and values of a table, as public constants list them.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler alone, which refuses an index out of bounds")]
pub(crate) const fn pairs<T: Copy, const N: usize>(
    rows: &'static [(&'static str, T, &'static str); N],
) -> [(&'static str, T); N] {
    let mut pairs = [(rows[0].0, rows[0].1); N];
    let mut index = 1;
    while index < N {
        pairs[index] = (rows[index].0, rows[index].1);
        index += 1;
    }
    pairs
}

/// Declares tables of fields, each a module with one static for each field and `ALL` for the whole table.
///
/// A row has the name of the static, the key, the type, the presence, an example as JSON text, the meaning and, where the
/// example needs other fields, those as the inside of a JSON object.
macro_rules! fields {
    ($($(#[doc = $doc:literal])+ $table:ident {
        $($id:ident = $name:literal, $value:expr, $presence:expr, $example:literal, $meaning:literal
            $(, beside $beside:literal)?;)+
    })+) => {$(
        $(#[doc = $doc])+
        pub(in crate::definitions) mod $table {
            #[allow(unused_imports, reason = "not every table needs every type")]
            use crate::definitions::schema::{Field, Presence::*, Type::*};

            $(#[doc = $meaning]
            pub(in crate::definitions) static $id: Field = Field {
                name: $name,
                value: $value,
                presence: $presence,
                meaning: $meaning,
                example: $example,
                beside: concat!("{", $($beside,)? "}"),
            };)+

            /// Every field of the table.
            pub(in crate::definitions) static ALL: &[&Field] = &[$(&$id),+];
        }
    )+};
}

pub(crate) use fields;
