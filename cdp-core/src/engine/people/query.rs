//! The options of reads that give a table of people.

use crate::records::options::options;
use crate::records::{AsOf, Value};

options! {
    /// Which people a table has, in which order, and with which columns.
    ///
    /// ```
    /// use cdp_core::cdp::Query;
    /// let query = Query::new().columns(["user_id", "features.spend"]).order_by("-features.spend").limit(10usize);
    /// assert_eq!(query.limit, Some(10));
    /// ```
    pub struct Query {
        /// The columns; `profile_id, user_id, email` without it.
        columns: list,
        /// A rule that people must match.
        filter: optional Value,
        /// A column, or `-column` for descending order; missing values come last.
        order_by: optional String,
        /// The largest number of rows; all without it.
        limit: optional usize,
        /// The `next` of the page before.
        after: optional String,
        /// The instant asked about; now without it.
        as_of: optional AsOf,
    }
}

options! {
    /// One page of a table.
    pub struct PageOptions {
        /// The largest number of rows; all without it.
        limit: optional usize,
        /// The `next` of the page before.
        after: optional String,
    }
}
