//! The rows of a [`Frame`] one by one, with typed cells, or each row as a type of the application.
//!
//! It borrows the columns and copies none: a text cell can be read as `&str`. It never shows a cell in an error.

use std::borrow::Cow;
use std::iter::FusedIterator;
use std::marker::PhantomData;

use serde::de::Deserialize;
use serde::ser::{Serialize, Serializer};

use super::deserialize::{Input, read};
use super::{Cells, Frame, Value};
use crate::error::{Error, ErrorKind, Result};

/// One row of a [`Frame`].
#[derive(Clone, Copy)]
pub struct Row<'f> {
    frame: &'f Frame,
    index: usize,
}

/// The rows of a [`Frame`], in their order.
#[derive(Clone)]
pub struct Rows<'f> {
    frame: &'f Frame,
    places: std::ops::Range<usize>,
}

/// The rows of a [`Frame`] as a type of the application, in their order.
pub struct TypedRows<'f, T> {
    rows: Rows<'f>,
    row_type: PhantomData<fn() -> T>,
}

impl Frame {
    /// The rows of the frame. Costs nothing by itself; each cell is read when it is asked for.
    ///
    /// ```
    /// use cdp_core::records::{Cells, Frame};
    /// let frame = Frame::new(vec![
    ///     ("profile_id", Cells::Text(vec![Some("p1".to_owned()), Some("p2".to_owned())])),
    ///     ("orders", Cells::Int64(vec![Some(3), None])),
    /// ]);
    /// for row in frame.rows() {
    ///     let profile_id: &str = row.get("profile_id")?;
    ///     let orders: Option<u32> = row.get("orders")?;
    ///     assert_eq!(orders.is_some(), profile_id == "p1");
    /// }
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn rows(&self) -> Rows<'_> {
        Rows { frame: self, places: 0..self.n_rows() }
    }

    /// Each row as a `T` whose fields have the names of the columns; a field that may be empty is an `Option`.
    ///
    /// Instants are RFC 3339 text, decimals the nearest float (exact for a [`Number`](super::Number) or [`Value`]). A `T` may
    /// borrow texts of the frame.
    ///
    /// # Errors
    /// Each item is `invalid`, with the number of the row and the name of the column, where a cell does not fit its field.
    ///
    /// ```
    /// use cdp_core::records::{Cells, Frame};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Buyer {
    ///     profile_id: String,
    ///     orders: Option<u32>,
    /// }
    /// let frame = Frame::new(vec![
    ///     ("profile_id", Cells::Text(vec![Some("p1".to_owned())])),
    ///     ("orders", Cells::Int64(vec![Some(3)])),
    /// ]);
    /// let buyers = frame.rows_as::<Buyer>().collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!((buyers[0].profile_id.as_str(), buyers[0].orders), ("p1", Some(3)));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn rows_as<'f, T: Deserialize<'f>>(&'f self) -> TypedRows<'f, T> {
        TypedRows { rows: self.rows(), row_type: PhantomData }
    }
}

impl<'f> Row<'f> {
    /// The place of the row in its frame, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The cell of a column as a `T`; an empty cell fits an `Option`. Cost: one pass over the names of the columns.
    ///
    /// # Errors
    /// `not_found` if there is no such column, `invalid` if the cell does not fit `T`.
    pub fn get<T: Deserialize<'f>>(&self, column: &str) -> Result<T> {
        let Some(cells) = self.frame.column(column) else {
            let names: Vec<&str> = self.frame.columns.iter().map(|column| column.name.as_str()).collect();
            return Err(Error::new(ErrorKind::NotFound, format!("no column `{column}` in this table"))
                .with_hint(format!("columns: {}", names.join(", "))));
        };
        read(cell(cells, self.index), &format!("row {}, column `{column}`", self.index))
    }

    /// The row as a `T` whose fields have the names of the columns.
    ///
    /// # Errors
    /// `invalid`, with the name of the column, if a cell does not fit its field.
    pub fn read<T: Deserialize<'f>>(&self) -> Result<T> {
        let cells = self.frame.columns.iter().map(|column| (column.name.as_str(), cell(&column.cells, self.index)));
        read(Input::Record(cells.collect()), &format!("row {}", self.index))
    }
}

/// Shows the place of the row, never a cell.
impl std::fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "row {}", self.index)
    }
}

fn cell(cells: &Cells, row: usize) -> Input<'_> {
    fn at<T>(cells: &[Option<T>], row: usize) -> Option<&T> {
        cells.get(row).and_then(Option::as_ref)
    }
    let input = match cells {
        Cells::Bool(cells) => at(cells, row).map(|truth| Input::Bool(*truth)),
        Cells::Int64(cells) => at(cells, row).map(|integer| Input::Number(super::Number::from_i64(*integer))),
        Cells::Decimal(cells) => at(cells, row).map(|number| Input::Number(*number)),
        Cells::Float64(cells) => at(cells, row).map(|float| Input::Float(*float)),
        Cells::Text(cells) => at(cells, row).map(|text| Input::Text(Cow::Borrowed(text.as_str()))),
        Cells::Timestamp(cells) => at(cells, row).map(|time| Input::Text(Cow::Owned(time.to_string()))),
    };
    input.unwrap_or(Input::Null)
}

impl<'f> Iterator for Rows<'f> {
    type Item = Row<'f>;
    fn next(&mut self) -> Option<Row<'f>> {
        self.places.next().map(|index| Row { frame: self.frame, index })
    }
    fn nth(&mut self, n: usize) -> Option<Row<'f>> {
        self.places.nth(n).map(|index| Row { frame: self.frame, index })
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }
}

impl DoubleEndedIterator for Rows<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.places.next_back().map(|index| Row { frame: self.frame, index })
    }
}

impl ExactSizeIterator for Rows<'_> {}
impl FusedIterator for Rows<'_> {}

impl<'f, T: Deserialize<'f>> Iterator for TypedRows<'f, T> {
    type Item = Result<T>;
    fn next(&mut self) -> Option<Result<T>> {
        self.rows.next().map(|row| row.read())
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<'f, T: Deserialize<'f>> ExactSizeIterator for TypedRows<'f, T> {}
impl<'f, T: Deserialize<'f>> FusedIterator for TypedRows<'f, T> {}

impl<'f> IntoIterator for &'f Frame {
    type Item = Row<'f>;
    type IntoIter = Rows<'f>;
    fn into_iter(self) -> Rows<'f> {
        self.rows()
    }
}

/// `{rows: [...], next, ...}`, as [`Frame::to_value`] gives it.
impl Serialize for Frame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole: Value = self.to_value();
        whole.serialize(serializer)
    }
}
