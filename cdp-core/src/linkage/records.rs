//! The rows that are linked, as text by columns: what any frame becomes before linkage looks at it.
//!
//! An empty text is a missing value. It keeps one buffer a column, so that a million rows cost little more than their bytes.

use std::fmt;

use crate::error::{Error, Result};

/// One column of text; an empty text is missing.
#[derive(Clone, Default)]
struct TextColumn {
    bytes: String,
    ends: Vec<u32>,
}

impl TextColumn {
    fn get(&self, row: usize) -> &str {
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0) as usize;
        let end = self.ends.get(row).copied().unwrap_or(0) as usize;
        self.bytes.get(start..end).unwrap_or("")
    }
}

/// Rows of text with an identifier each.
///
/// ```
/// use cdp_core::linkage::Records;
/// let mut records = Records::new(["first_name", "surname"]);
/// records.push("r1", ["Jane", "Doe"])?;
/// assert_eq!(records.len(), 1);
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Records {
    ids: TextColumn,
    names: Vec<String>,
    columns: Vec<TextColumn>,
}

/// Shows sizes, never a value.
impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Records({} rows, {} columns)", self.len(), self.names.len())
    }
}

impl Records {
    /// No rows yet, with these columns.
    pub fn new<N: Into<String>>(columns: impl IntoIterator<Item = N>) -> Records {
        let names: Vec<String> = columns.into_iter().map(Into::into).collect();
        let columns = vec![TextColumn::default(); names.len()];
        Records { ids: TextColumn::default(), names, columns }
    }

    /// Adds a row: its identifier and the texts in the order of the columns; what is left out is missing.
    ///
    /// Fails with `Invalid` when one column passes four gigabytes.
    pub fn push<'t>(&mut self, id: &str, texts: impl IntoIterator<Item = &'t str>) -> Result<()> {
        let mut texts = texts.into_iter();
        for column in &mut self.columns {
            append(column, texts.next().unwrap_or(""))?;
        }
        append(&mut self.ids, id)
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.ids.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ids.ends.is_empty()
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.names
    }

    /// The identifier of a row; empty beyond the last.
    pub fn id(&self, row: usize) -> &str {
        self.ids.get(row)
    }

    /// The text of a row in a column; empty if it is missing.
    pub fn text(&self, row: usize, column: usize) -> &str {
        self.columns.get(column).map_or("", |column| column.get(row))
    }
}

fn append(column: &mut TextColumn, text: &str) -> Result<()> {
    column.bytes.push_str(text);
    let end = u32::try_from(column.bytes.len())
        .map_err(|_| Error::invalid("a column holds more than 4 GB of text").with_hint("link fewer rows at once"))?;
    column.ends.push(end);
    Ok(())
}

impl Records {
    /// The identifiers alone; fails with `Invalid` if two rows have the same one.
    pub(crate) fn ids_only(&self) -> Result<Records> {
        let mut seen = rustc_hash::FxHashSet::default();
        if !(0..self.len()).all(|row| seen.insert(self.id(row))) {
            return Err(Error::invalid("a record identifier occurs more than once")
                .with_hint("name a column of unique values as record_id, or none to use row numbers"));
        }
        Ok(Records { ids: self.ids.clone(), names: Vec::new(), columns: Vec::new() })
    }
}
