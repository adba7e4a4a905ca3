//! How the bytes of a source are laid out: the format, and what CSV and text need to know beyond it.

use std::collections::BTreeSet;

use super::super::fields::source::layout;
use super::super::reader::Fields;
use super::super::schema::{Words, pairs};
use super::expression::{Pattern, read_pattern};

/// How the bytes of a source are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON document: an array, an object, or several one after the other.
    Json,
    /// One JSON value a line.
    Ndjson,
    /// Delimited text.
    Csv,
    /// A URL-encoded form.
    Form,
    /// Lines of text taken apart by a pattern.
    Text,
}

const FORMAT_ROWS: [(&str, Format, &str); 5] = [
    ("json", Format::Json, "One JSON document: a list, an object, or several one after the other."),
    ("ndjson", Format::Ndjson, "One JSON value a line."),
    ("csv", Format::Csv, "Delimited text."),
    ("form", Format::Form, "A URL-encoded form."),
    ("text", Format::Text, "Lines of text that a `pattern` takes apart."),
];

/// The formats as words of a definition.
pub(in crate::definitions) static FORMATS: Words<Format> = Words { name: "format", rows: &FORMAT_ROWS };

pub(in crate::definitions) static ENCODINGS: Words<Encoding> = Words {
    name: "encoding",
    rows: &[
        ("utf-8", Encoding::Utf8, "UTF-8."),
        ("utf8", Encoding::Utf8, "UTF-8."),
        ("latin-1", Encoding::Latin1, "ISO 8859-1."),
        ("latin1", Encoding::Latin1, "ISO 8859-1."),
        ("iso-8859-1", Encoding::Latin1, "ISO 8859-1."),
        ("windows-1252", Encoding::Windows1252, "Windows code page 1252."),
    ],
};

/// Whether the decimal mark is a comma.
pub(in crate::definitions) static DECIMAL_MARKS: Words<bool> =
    Words { name: "decimal", rows: &[(".", false, "A point: `1234.5`."), (",", true, "A comma: `1234,5`.")] };

impl Format {
    /// Every format with its word.
    pub const ALL: [(&'static str, Format); 5] = pairs(&FORMAT_ROWS);

    /// The word in the `format` field.
    pub fn as_str(self) -> &'static str {
        Format::ALL.into_iter().find(|(_, format)| *format == self).map_or("", |(word, _)| word)
    }

    /// The format of this word.
    pub fn parse(word: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|(candidate, _)| *candidate == word).map(|(_, format)| format)
    }
}

/// What stands between the cells of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// One ASCII character; cells may be quoted.
    Character(u8),
    /// A run of blanks and tabs; nothing is quoted.
    Whitespace,
}

/// How text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, the default.
    Utf8,
    /// ISO 8859-1.
    Latin1,
    /// Windows code page 1252.
    Windows1252,
}

/// How delimited text is read.
#[derive(Clone, Debug, PartialEq)]
pub struct CsvSettings {
    /// What stands between the cells.
    pub delimiter: Delimiter,
    /// How the text is encoded.
    pub encoding: Encoding,
    /// The names of the columns where the file has no header.
    pub columns: Option<Vec<String>>,
    /// How many lines stand before the header (or the first row).
    pub skip: u64,
    /// The unquoted cells that mean null.
    pub nulls: Vec<String>,
    /// Whether the decimal mark of numbers is a comma.
    pub decimal_comma: bool,
}

impl Default for CsvSettings {
    fn default() -> CsvSettings {
        CsvSettings {
            delimiter: Delimiter::Character(b','),
            encoding: Encoding::Utf8,
            columns: None,
            skip: 0,
            nulls: vec![String::new()],
            decimal_comma: false,
        }
    }
}

/// How lines of text are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextSettings {
    /// A pattern whose named groups are the fields.
    pub pattern: Option<Pattern>,
    /// A line that matches belongs to the line before.
    pub continuation: Option<Pattern>,
}

pub(super) fn read_csv_settings(fields: &mut Fields<'_>) -> CsvSettings {
    let default = CsvSettings::default();
    let delimiter = fields.optional(&layout::DELIMITER, |node| match node.value.as_text().map(str::as_bytes) {
        Some(b"whitespace") => Some(Delimiter::Whitespace),
        Some([byte]) if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0) => {
            Some(Delimiter::Character(*byte))
        }
        _ => {
            node.fault("expected one ASCII character, or the word whitespace");
            None
        }
    });
    let encoding = fields.optional(&layout::ENCODING, |node| node.word(&ENCODINGS));
    let columns = fields.optional(&layout::COLUMNS, |node| {
        let columns = node.list(|item| item.text())?;
        let distinct: BTreeSet<&String> = columns.iter().collect();
        if columns.is_empty() {
            node.fault("expected at least one column name");
        } else if distinct.len() < columns.len() {
            node.fault("a column name stands twice");
        }
        Some(columns)
    });
    let skip = fields.optional(&layout::SKIP, |node| node.integer(0, 1_000_000).and_then(|n| u64::try_from(n).ok()));
    let nulls = fields.optional(&layout::NULLS, |node| {
        node.list(|item| {
            let text = item.value.as_text().map(str::to_owned);
            if text.is_none() {
                item.expected("text");
            }
            text
        })
    });
    let decimal = fields.optional(&layout::DECIMAL, |node| node.word(&DECIMAL_MARKS));
    CsvSettings {
        delimiter: delimiter.unwrap_or(default.delimiter),
        encoding: encoding.unwrap_or(default.encoding),
        columns,
        skip: skip.unwrap_or(0),
        nulls: nulls.unwrap_or(default.nulls),
        decimal_comma: decimal.unwrap_or(false),
    }
}

pub(super) fn read_text_settings(fields: &mut Fields<'_>) -> TextSettings {
    TextSettings {
        pattern: fields.optional(&layout::PATTERN, read_pattern),
        continuation: fields.optional(&layout::CONTINUATION, read_pattern),
    }
}
