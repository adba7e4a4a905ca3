//! Rows with few entries that are not zero, as texts are once their words are columns.
//!
//! Takes the entries of each row; leaves them in compressed rows, and in compressed columns for sums by column. A
//! matrix that was made is sound: columns rise within a row and lie within the width, values are finite.

use linfa::dataset::Records;

use crate::error::{Error, Result};

/// A sparse matrix in compressed rows; also linfa's `Records`, so that linfa's traits work on it.
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

    /// The same entries by column: a matrix whose rows are the columns of this one.
    pub fn transposed(&self) -> SparseRecords {
        let mut next = vec![0usize; self.n_columns + 1];
        for &column in &self.columns {
            if let Some(count) = next.get_mut(column as usize + 1) {
                *count += 1;
            }
        }
        let mut total = 0;
        for count in &mut next {
            total += *count;
            *count = total;
        }
        let row_ends = next.iter().skip(1).copied().collect();
        let mut rows = vec![0u32; self.n_entries()];
        let mut values = vec![0.0; self.n_entries()];
        for (row, (row_columns, row_values)) in (0u32..).zip(self.rows()) {
            for (&column, &value) in row_columns.iter().zip(row_values) {
                let Some(place) = next.get_mut(column as usize) else { continue };
                if let (Some(to_row), Some(to_value)) = (rows.get_mut(*place), values.get_mut(*place)) {
                    *to_row = row;
                    *to_value = value;
                }
                *place += 1;
            }
        }
        SparseRecords { n_columns: self.n_rows(), row_ends, columns: rows, values }
    }
}

impl Records for SparseRecords {
    type Elem = f64;

    fn nsamples(&self) -> usize {
        self.n_rows()
    }

    fn nfeatures(&self) -> usize {
        self.n_columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_twice_gives_the_same_matrix() {
        let rows = vec![vec![0.0, 2.0, 0.0], vec![1.0, 0.0, -3.0], vec![0.0, 0.0, 0.0], vec![4.0, 5.0, 6.0]];
        let records = SparseRecords::from_dense(3, &rows).unwrap();
        let columns = records.transposed();
        assert_eq!(columns.rows().nth(1), Some(([0u32, 3].as_slice(), [2.0, 5.0].as_slice())));
        assert_eq!((columns.n_rows(), columns.n_columns()), (3, 4));
        assert_eq!(columns.transposed(), records);
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
