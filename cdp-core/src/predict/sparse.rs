//! Rows with few entries that are not zero, as texts are once their words are columns.
//!
//! Takes the entries of each row; leaves them in compressed rows. A matrix that was made is sound: columns rise within a
//! row and lie within the width, values are finite. It must never be made otherwise: training trusts it.

use crate::error::{Error, Result};

/// A sparse matrix in compressed rows (with the feature `predict` also linfa's `Records`).
#[derive(Clone, Debug, PartialEq)]
pub struct SparseRecords {
    n_columns: usize,
    // Row i has the entries from row_ends[i - 1] (0 for the first) up to row_ends[i].
    row_ends: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl SparseRecords {
    /// A matrix of this width without rows.
    pub fn new(n_columns: usize) -> SparseRecords {
        SparseRecords { n_columns, row_ends: Vec::new(), columns: Vec::new(), values: Vec::new() }
    }

    /// Adds a row by its entries that are not zero.
    ///
    /// Fails with `invalid`, and adds nothing, if the columns do not rise, lie beyond the width, or a value is not finite.
    pub fn push_row(&mut self, entries: &[(u32, f64)]) -> Result<()> {
        let rising = entries.iter().zip(entries.iter().skip(1)).all(|((left, _), (right, _))| left < right);
        let within = entries.last().is_none_or(|(column, _)| (*column as usize) < self.n_columns);
        if !rising || !within {
            return Err(Error::invalid(format!("the columns of a row must rise and be less than {}", self.n_columns)));
        }
        if entries.iter().any(|(_, value)| !value.is_finite()) {
            return Err(Error::invalid("a row holds a value that is not finite"));
        }
        self.columns.extend(entries.iter().map(|(column, _)| *column));
        self.values.extend(entries.iter().map(|(_, value)| *value));
        self.row_ends.push(self.columns.len());
        Ok(())
    }

    /// The sparse form of rows that are written out in full.
    pub fn from_dense(n_columns: usize, rows: &[Vec<f64>]) -> Result<SparseRecords> {
        let mut records = SparseRecords::new(n_columns);
        for row in rows {
            if row.len() != n_columns {
                return Err(Error::invalid(format!("a row has {} values; expected {n_columns}", row.len())));
            }
            let entries: Vec<(u32, f64)> =
                (0u32..).zip(row.iter().copied()).filter(|(_, value)| *value != 0.0).collect();
            records.push_row(&entries)?;
        }
        Ok(records)
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        self.row_ends.len()
    }

    /// How many columns there are.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// How many entries are stored.
    pub fn n_entries(&self) -> usize {
        self.columns.len()
    }

    /// The columns and values of each row, in order.
    pub fn rows(&self) -> impl Iterator<Item = (&[u32], &[f64])> {
        let starts = std::iter::once(0).chain(self.row_ends.iter().copied());
        starts.zip(&self.row_ends).map(|(start, &end)| {
            (self.columns.get(start..end).unwrap_or_default(), self.values.get(start..end).unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_hold_what_is_not_zero() {
        let rows = vec![vec![0.0, 2.0, 0.0], vec![0.0, 0.0, 0.0], vec![1.0, 0.0, -3.0]];
        let records = SparseRecords::from_dense(3, &rows).unwrap();
        let read: Vec<(&[u32], &[f64])> = records.rows().collect();
        let expected: [(&[u32], &[f64]); 3] = [(&[1], &[2.0]), (&[], &[]), (&[0, 2], &[1.0, -3.0])];
        assert_eq!(read, expected);
        assert_eq!((records.n_rows(), records.n_columns(), records.n_entries()), (3, 3, 3));
    }

    #[test]
    fn an_unsound_row_is_refused_and_leaves_no_trace() {
        let mut records = SparseRecords::new(3);
        for entries in [vec![(1, 1.0), (1, 1.0)], vec![(2, 1.0), (0, 1.0)], vec![(3, 1.0)], vec![(0, f64::NAN)]] {
            assert!(records.push_row(&entries).is_err());
        }
        assert_eq!((records.n_rows(), records.n_entries()), (0, 0));
        assert!(SparseRecords::from_dense(2, &[vec![1.0]]).is_err());
    }
}
