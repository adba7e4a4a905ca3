//! Property values of events in RAM, one column for each path that a definition reads.

use std::sync::Arc;

use crate::records::{Json, Path, Value};

/// Property columns; rows are numbered from zero.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    paths: Arc<[Path]>,
    cells: Vec<Vec<Value>>,
    n_rows: u32,
}

impl Columns {
    /// Empty columns for these paths.
    pub(super) fn new(paths: Arc<[Path]>) -> Columns {
        let cells = vec![Vec::new(); paths.len()];
        Columns { paths, cells, n_rows: 0 }
    }

    /// The paths, in the order of the columns.
    pub(super) fn paths(&self) -> &Arc<[Path]> {
        &self.paths
    }

    pub(super) fn n_rows(&self) -> u32 {
        self.n_rows
    }

    /// Adds a row: what each path finds in the properties.
    pub(super) fn push(&mut self, properties: Option<Json<'_>>) {
        for (path, column) in self.paths.iter().zip(&mut self.cells) {
            column.push(properties.and_then(|properties| properties.find(path)).unwrap_or_default());
        }
        self.n_rows += 1;
    }

    /// Adds the rows of other columns for the same paths behind its own.
    pub(super) fn append(&mut self, other: Columns) {
        for (column, more) in self.cells.iter_mut().zip(other.cells) {
            column.extend(more);
        }
        self.n_rows += other.n_rows;
    }

    /// The column of a path.
    pub(super) fn column_of(&self, path: &Path) -> Option<usize> {
        self.paths.iter().position(|candidate| candidate == path)
    }

    /// A value; `None` for null.
    pub(super) fn get(&self, column: usize, row: u32) -> Option<&Value> {
        self.cells.get(column)?.get(row as usize).filter(|value| !value.is_null())
    }
}
