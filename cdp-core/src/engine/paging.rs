//! Pages of a table whose rows are people: what follows a cursor, up to a limit.

use crate::error::{Error, Result};

/// Leaves the rows behind the one that the cursor `after` names, in their order. `place` is that of the named row, `None` where
/// the table has no such row: then the cursor is of another table.
pub(crate) fn skip_to<T>(rows: &mut Vec<T>, place: Option<usize>) -> Result<()> {
    let Some(place) = place else {
        return Err(Error::invalid("the cursor `after` does not belong to this table")
            .with_hint("pass the `next` of the page before, with the same arguments"));
    };
    rows.drain(..=place);
    Ok(())
}

/// Leaves at most `limit` rows; gives whether there were more.
pub(crate) fn cut<T>(rows: &mut Vec<T>, limit: Option<usize>) -> bool {
    let limit = limit.unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    has_more
}
