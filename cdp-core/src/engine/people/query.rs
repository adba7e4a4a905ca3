//! What a caller asks of a table of people.

use crate::records::{AsOf, Value};

/// What a caller asks of a table of people.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Columns; `None`: `profile_id, user_id, email`.
    pub columns: Option<Vec<String>>,
    /// A rule that people must match.
    pub filter: Option<Value>,
    /// A column, or `-column` for descending; missing values come last.
    pub order_by: Option<String>,
    /// At most so many rows; all without it.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// The instant asked about; now without it.
    pub as_of: Option<AsOf>,
}
