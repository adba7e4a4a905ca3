//! A data row between reading and mapping: its number, its values or why there are none, and what quarantine keeps of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::records::{Json, JsonObject, Object, Path, Reject, Value, write_json_text};

/// A data row of an input.
#[derive(Clone)]
pub(crate) struct Row {
    /// Its 1-based number among the data rows of the whole input.
    pub number: u64,
    /// Its values, or why it could not be read.
    pub values: Result<RowValues, Reject>,
    raw: Option<Vec<u8>>,
}

impl Row {
    /// A row of a value that is in memory already.
    pub(crate) fn from_value(number: u64, value: Value) -> Row {
        Row { number, values: Ok(RowValues::Json(value)), raw: None }
    }

    pub(crate) fn parsed(number: u64, values: RowValues, raw: Option<Vec<u8>>) -> Row {
        Row { number, values: Ok(values), raw }
    }

    pub(crate) fn broken(number: u64, reject: Reject, raw: Vec<u8>) -> Row {
        Row { number, values: Err(reject), raw: Some(raw) }
    }

    /// About how much memory the row takes, in bytes.
    pub(crate) fn n_bytes(&self) -> usize {
        match (&self.raw, &self.values) {
            (Some(raw), _) => raw.len(),
            (None, Ok(RowValues::Cells(cells))) => cells.text.len(),
            // A value that was in memory before: what it takes is the caller's.
            (None, _) => 0,
        }
    }

    /// What quarantine keeps: the bytes as they came; for a readable CSV row its JSON object, which can be driven again
    /// without the header. Of a row that is too large, the beginning.
    pub(crate) fn raw(&self) -> Cow<'_, [u8]> {
        match (&self.raw, &self.values) {
            (Some(raw), _) => Cow::Borrowed(raw),
            (None, Ok(values)) => Cow::Owned(values.to_json().into_bytes()),
            (None, Err(_)) => Cow::Borrowed(&[]),
        }
    }
}

/// Shows the shape of the row, never a value.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}: {:?}", self.number, self.values)
    }
}

/// The values of a readable row.
#[derive(Clone, Debug)]
pub(crate) enum RowValues {
    /// A JSON value, nearly always an object.
    Json(Value),
    /// A message, read where it stands.
    Message(Arc<JsonObject>),
    /// The cells of a delimited row.
    Cells(Cells),
}

/// The cells of a delimited row: ranges of one text, so that a row costs two allocations however wide it is.
#[derive(Clone)]
pub(crate) struct Cells {
    columns: Arc<Columns>,
    text: String,
    bounds: Vec<Bounds>,
}

#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) null: bool,
}

/// Shows the shape of the row, never a value.
impl fmt::Debug for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row of {} cells", self.bounds.len())
    }
}

/// The names of the columns.
#[derive(Debug)]
pub(crate) struct Columns {
    names: Vec<String>,
    /// By name: the order of canonical JSON, and the look-up of wide files.
    sorted: BTreeMap<String, usize>,
}

impl Columns {
    /// A column without name is called by its number, a repeated name gets a number: nothing of a row is lost.
    pub(crate) fn new(given: Vec<String>) -> Columns {
        let mut sorted = BTreeMap::new();
        let mut names = Vec::with_capacity(given.len());
        for (index, name) in given.into_iter().enumerate() {
            let base = if name.is_empty() { format!("column_{}", index + 1) } else { name };
            let mut unique = base.clone();
            let mut copy = 2;
            while sorted.contains_key(&unique) {
                unique = format!("{base}_{copy}");
                copy += 1;
            }
            sorted.insert(unique.clone(), index);
            names.push(unique);
        }
        Columns { names, sorted }
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    fn index(&self, name: &str) -> Option<usize> {
        // Comparing a dozen short names costs less than walking a tree.
        if self.names.len() <= 16 {
            self.names.iter().position(|candidate| candidate == name)
        } else {
            self.sorted.get(name).copied()
        }
    }
}

impl Cells {
    pub(crate) fn new(columns: Arc<Columns>, text: String, bounds: Vec<Bounds>) -> Cells {
        Cells { columns, text, bounds }
    }

    fn at(&self, index: usize) -> Option<&str> {
        let bounds = self.bounds.get(index).filter(|bounds| !bounds.null)?;
        self.text.get(bounds.start as usize..bounds.end as usize)
    }

    /// The text of the column of this name; null and absent are `None`.
    pub(crate) fn get(&self, column: &str) -> Option<&str> {
        self.columns.index(column).and_then(|index| self.at(index))
    }

    fn sorted(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.columns.sorted.iter().map(|(name, index)| (name.as_str(), self.at(*index)))
    }

    fn to_object(&self) -> Object {
        self.sorted().map(|(name, cell)| (name.to_owned(), cell.map_or(Value::Null, Value::from))).collect()
    }
}

impl RowValues {
    /// The value at a path, borrowed where it can be.
    pub(crate) fn find(&self, path: &Path) -> Found<'_> {
        match self {
            RowValues::Cells(cells) => cells.get(path.as_str()).map_or(Found::Null, Found::Text),
            RowValues::Json(value) => find_in(value, path),
            RowValues::Message(message) => match Json::from_canonical(message.text()).find(path) {
                None | Some(Value::Null) => Found::Null,
                Some(value) => Found::Owned(value),
            },
        }
    }

    /// The row as a value.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            RowValues::Json(value) => value.clone(),
            RowValues::Message(message) => Value::Object(message.to_object()),
            RowValues::Cells(cells) => Value::Object(cells.to_object()),
        }
    }

    /// The canonical JSON of the row.
    pub(crate) fn to_json(&self) -> String {
        match self {
            RowValues::Json(value) => value.to_json(),
            RowValues::Message(message) => message.text().to_owned(),
            RowValues::Cells(cells) => {
                let mut out = String::with_capacity(cells.text.len() * 2);
                for (index, (name, cell)) in cells.sorted().enumerate() {
                    out.push(if index == 0 { '{' } else { ',' });
                    write_json_text(name, &mut out);
                    out.push(':');
                    match cell {
                        Some(text) => write_json_text(text, &mut out),
                        None => out.push_str("null"),
                    }
                }
                out.push_str(if out.is_empty() { "{}" } else { "}" });
                out
            }
        }
    }
}

pub(crate) fn find_in<'v>(value: &'v Value, path: &Path) -> Found<'v> {
    if path.is_multiple() {
        return path.find(value).map_or(Found::Null, Found::Owned);
    }
    match path.find_one(value) {
        None | Some(Value::Null) => Found::Null,
        Some(Value::Text(text)) => Found::Text(text),
        Some(value) => Found::Value(value),
    }
}

/// A value found in a row.
#[derive(Clone)]
pub(crate) enum Found<'v> {
    /// Null or absent.
    Null,
    /// Text.
    Text(&'v str),
    /// A value that is neither text nor null.
    Value(&'v Value),
    /// A value made for the purpose: the items of a list.
    Owned(Value),
}

/// Shows the kind of the value, never the value.
impl fmt::Debug for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Found::Null => "null",
            Found::Text(_) => "text",
            Found::Value(value) => value.kind(),
            Found::Owned(value) => value.kind(),
        })
    }
}

impl Found<'_> {
    /// Whether it is null or absent.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Found::Null)
    }

    /// The text, if it is text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Found::Text(text) => Some(text),
            Found::Owned(value) => value.as_text(),
            Found::Null | Found::Value(_) => None,
        }
    }

    /// The value if it is not text or null.
    pub(crate) fn as_value(&self) -> Option<&Value> {
        match self {
            Found::Value(value) => Some(value),
            Found::Owned(value) => Some(value),
            Found::Null | Found::Text(_) => None,
        }
    }

    /// The value, owned.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Found::Null => Value::Null,
            Found::Text(text) => Value::from(text),
            Found::Value(value) => value.clone(),
            Found::Owned(value) => value,
        }
    }
}

/// The text of a value: numbers as decimals, lists and objects as JSON, null as `None`.
pub(super) fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Text(text) => Some(text),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        other => Some(other.to_json()),
    }
}
