//! A table of results by columns: what `members`, `table` and `cohort_members` return in every language.

use std::fmt;

use super::{Number, Object, Timestamp, Value};

/// One column's values; a missing value is `None`.
#[derive(Clone, PartialEq)]
pub enum Cells {
    /// Truth values.
    Bool(Vec<Option<bool>>),
    /// Integers.
    Int64(Vec<Option<i64>>),
    /// Exact decimals; the bindings show the nearest float64, or decimal128 where the caller asked for exact values.
    Decimal(Vec<Option<Number>>),
    /// Floats that were computed as floats (scores).
    Float64(Vec<Option<f64>>),
    /// Text; lists and objects stand as JSON text.
    Text(Vec<Option<String>>),
    /// Instants, UTC milliseconds.
    Timestamp(Vec<Option<Timestamp>>),
}

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name, unique in the frame.
    pub name: String,
    /// Its values, as many as the frame has rows.
    pub cells: Cells,
}

/// A table: columns of equal length, and the cursor of the next page if there is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// The columns, in the order they were asked for.
    pub columns: Vec<Column>,
    /// Pass as `after` to get the next page; `None` on the last one.
    pub next: Option<String>,
    /// Facts about the table as a whole (`known`, `anonymous`, ...), by name.
    pub about: Object,
}

/// Shows how many values there are, never one of them.
impl fmt::Debug for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cells", self.len())
    }
}

impl Cells {
    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Cells::Bool(cells) => cells.len(),
            Cells::Int64(cells) => cells.len(),
            Cells::Decimal(cells) => cells.len(),
            Cells::Float64(cells) => cells.len(),
            Cells::Text(cells) => cells.len(),
            Cells::Timestamp(cells) => cells.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps the first `n_rows` values.
    pub fn truncate(&mut self, n_rows: usize) {
        match self {
            Cells::Bool(cells) => cells.truncate(n_rows),
            Cells::Int64(cells) => cells.truncate(n_rows),
            Cells::Decimal(cells) => cells.truncate(n_rows),
            Cells::Float64(cells) => cells.truncate(n_rows),
            Cells::Text(cells) => cells.truncate(n_rows),
            Cells::Timestamp(cells) => cells.truncate(n_rows),
        }
    }

    /// The value in a row as JSON; instants as RFC 3339 text.
    pub fn value(&self, row: usize) -> Value {
        fn at<T: Clone>(cells: &[Option<T>], row: usize) -> Option<T> {
            cells.get(row).cloned().flatten()
        }
        match self {
            Cells::Bool(cells) => at(cells, row).map_or(Value::Null, Value::Bool),
            Cells::Int64(cells) => at(cells, row).map_or(Value::Null, |n| Value::Number(Number::from_i64(n))),
            Cells::Decimal(cells) => at(cells, row).map_or(Value::Null, Value::Number),
            Cells::Float64(cells) => at(cells, row).map_or(Value::Null, Value::float),
            Cells::Text(cells) => at(cells, row).map_or(Value::Null, Value::Text),
            Cells::Timestamp(cells) => Value::from(at(cells, row)),
        }
    }

    /// Builds the narrowest column that holds these values: integers, decimals, truth values or text.
    ///
    /// Numbers are integers only if every number is one; a mixture becomes text, lists and objects as JSON text.
    pub fn from_values(values: Vec<Value>) -> Cells {
        let all = |test: fn(&Value) -> bool| values.iter().all(|value| value.is_null() || test(value));
        let some = values.iter().any(|value| !value.is_null());
        if some && all(|value| value.as_number().is_some_and(|number| number.as_i64().is_some())) {
            return Cells::Int64(values.iter().map(|value| value.as_number().and_then(Number::as_i64)).collect());
        }
        if some && all(|value| value.as_number().is_some()) {
            return Cells::Decimal(values.iter().map(Value::as_number).collect());
        }
        if some && all(|value| value.as_bool().is_some()) {
            return Cells::Bool(values.iter().map(Value::as_bool).collect());
        }
        let text = values.into_iter().map(|value| match value {
            Value::Null => None,
            Value::Text(text) => Some(text),
            other => Some(other.to_json()),
        });
        Cells::Text(text.collect())
    }
}

impl Frame {
    /// A frame of these columns, which must be of equal length.
    pub fn new(columns: Vec<(&str, Cells)>) -> Frame {
        let columns = columns.into_iter().map(|(name, cells)| Column { name: name.to_owned(), cells }).collect();
        Frame { columns, next: None, about: Object::new() }
    }

    /// How many rows.
    pub fn n_rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.cells.len())
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Cells> {
        self.columns.iter().find(|column| column.name == name).map(|column| &column.cells)
    }

    /// One row as an object.
    pub fn row(&self, row: usize) -> Object {
        self.columns.iter().map(|column| (column.name.clone(), column.cells.value(row))).collect()
    }

    /// `{rows: [...], next, ...}`: the whole frame as JSON.
    pub fn to_value(&self) -> Value {
        let rows = (0..self.n_rows()).map(|row| Value::Object(self.row(row))).collect();
        let mut object = self.about.clone();
        object.insert("rows".to_owned(), Value::List(rows));
        object.insert("next".to_owned(), self.next.clone().map_or(Value::Null, Value::Text));
        Value::Object(object)
    }
}
