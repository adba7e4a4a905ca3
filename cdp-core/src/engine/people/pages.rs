//! Whole tables page by page, so that a table of any size needs the memory of one page.

use crate::error::Result;
use crate::records::Frame;

/// Rows of one page when a query sets no limit.
const PAGE_ROWS: usize = 1_000;

/// The pages of a table, in order. After an error, or after the last page, there is no further page.
pub struct Pages<'q> {
    // Reads the page behind a cursor, with at most this many rows.
    read: Box<dyn FnMut(Option<String>, usize) -> Result<Frame> + 'q>,
    rows: usize,
    next: Next,
}

enum Next {
    Page(Option<String>),
    End,
}

impl<'q> Pages<'q> {
    pub(crate) fn new(
        after: Option<String>,
        rows: Option<usize>,
        read: impl FnMut(Option<String>, usize) -> Result<Frame> + 'q,
    ) -> Pages<'q> {
        Pages { read: Box::new(read), rows: rows.unwrap_or(PAGE_ROWS), next: Next::Page(after) }
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Result<Frame>> {
        let Next::Page(after) = std::mem::replace(&mut self.next, Next::End) else { return None };
        let page = (self.read)(after, self.rows);
        if let Ok(page) = &page
            && let Some(next) = &page.next
        {
            self.next = Next::Page(Some(next.clone()));
        }
        Some(page)
    }
}

impl std::fmt::Debug for Pages<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pages(of {} rows)", self.rows)
    }
}
