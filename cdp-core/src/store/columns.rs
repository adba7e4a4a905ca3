//! Property values of events in RAM, one column for each path that a definition reads.

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::records::{Json, Number, Path, Value};

/// Marks null and absent values.
const NOTHING: i64 = i64::MIN;
/// Marks a value that is no number, or a number that these cells cannot hold.
const ELSEWHERE: i64 = i64::MIN + 1;

/// Property columns; rows are numbered from zero.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    paths: Arc<[Path]>,
    columns: Vec<Column>,
    n_rows: u32,
}

/// One value for each row: numbers as nano-units, all other values in a map.
#[derive(Clone, Debug, Default)]
struct Column {
    nanos: Vec<i64>,
    others: FxHashMap<u32, Value>,
}

impl Columns {
    /// Empty columns for these paths.
    pub(super) fn new(paths: Arc<[Path]>) -> Columns {
        let columns = vec![Column::default(); paths.len()];
        Columns { paths, columns, n_rows: 0 }
    }

    /// The paths, in the order of the columns.
    pub(super) fn paths(&self) -> &Arc<[Path]> {
        &self.paths
    }

    pub(super) fn n_rows(&self) -> u32 {
        self.n_rows
    }

    /// Adds a row with the value of each path in the properties.
    pub(super) fn push(&mut self, properties: Option<Json<'_>>) {
        for (path, column) in self.paths.iter().zip(&mut self.columns) {
            let cell = match properties.and_then(|properties| properties.find(path)) {
                None | Some(Value::Null) => NOTHING,
                Some(Value::Number(number)) if small_nanos(number).is_some() => small_nanos(number).unwrap_or(NOTHING),
                Some(other) => {
                    column.others.insert(self.n_rows, other);
                    ELSEWHERE
                }
            };
            column.nanos.push(cell);
        }
        self.n_rows += 1;
    }

    /// Appends the rows of other columns for the same paths.
    pub(super) fn append(&mut self, later: &Columns) {
        for (column, more) in self.columns.iter_mut().zip(&later.columns) {
            column.nanos.extend_from_slice(&more.nanos);
            column.others.extend(more.others.iter().map(|(row, value)| (self.n_rows + row, value.clone())));
        }
        self.n_rows += later.n_rows;
    }

    /// The column of a path.
    pub(super) fn column_of(&self, path: &Path) -> Option<usize> {
        self.paths.iter().position(|candidate| candidate == path)
    }

    /// A value; `None` for null.
    pub(super) fn get(&self, column: usize, row: u32) -> Option<Cow<'_, Value>> {
        let column = self.columns.get(column)?;
        match *column.nanos.get(row as usize)? {
            NOTHING => None,
            ELSEWHERE => column.others.get(&row).map(Cow::Borrowed),
            nanos => Some(Cow::Owned(Value::Number(Number::from_nanos(i128::from(nanos))))),
        }
    }
}

fn small_nanos(number: Number) -> Option<i64> {
    i64::try_from(number.nanos()).ok().filter(|nanos| *nanos > ELSEWHERE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_whatever_was_put_behind_it() {
        let path = Path::parse("a").unwrap();
        let texts = [
            r#"{"a":1.5}"#,
            r#"{"a":null}"#,
            r#"{"b":1}"#,
            r#"{"a":"x"}"#,
            r#"{"a":-9223372036.854775808}"#,
            r#"{"a":-9223372036.854775807}"#,
            r#"{"a":99999999999999999999}"#,
            r#"{"a":[1,{"b":2}]}"#,
        ];
        let paths: Arc<[Path]> = Arc::from(vec![path]);
        let mut columns = Columns::new(paths.clone());
        for _ in 0..2 {
            let mut more = Columns::new(paths.clone());
            texts.iter().for_each(|text| more.push(Some(Json::from_canonical(text))));
            more.push(None);
            columns.append(&more);
        }
        for row in 0..columns.n_rows() {
            let text = texts.get(row as usize % (texts.len() + 1)).copied().unwrap_or("{}");
            let expected = Json::from_canonical(text).get("a").map(Json::to_value).filter(|value| !value.is_null());
            assert_eq!(columns.get(0, row).map(Cow::into_owned), expected, "{text}");
        }
        assert_eq!((columns.get(0, columns.n_rows()), columns.get(1, 0)), (None, None));
    }
}
