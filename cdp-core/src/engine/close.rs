//! Closing: queued messages are taken in first, RAM is written out as runs, and the last handle closes the file.

use std::sync::atomic::Ordering;

use crate::engine::handle::Cdp;
use crate::error::Result;

impl Cdp {
    /// Closes the handle: calls on it and on its clones fail from then on; closing twice is fine. What was queued before
    /// is taken in first. The store closes with the last handle of this process; that waits for no other process.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, ErrorKind, records::AsOf};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.close()?;
    /// let error = db.profile(("user_id", "u1"), AsOf::NOW).map(|_| ());
    /// assert_eq!(error.map_err(|error| error.kind()), Err(ErrorKind::Closed));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn close(&self) -> Result<()> {
        self.check_not_reporting()?;
        if self.handle.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // In a child process after fork() no thread drains the queue of the parent.
        if self.inner.store.check_process().is_ok() {
            self.inner.queue.await_answers();
        }
        if self.inner.open_handles.fetch_sub(1, Ordering::AcqRel) > 1 {
            return Ok(());
        }
        if !self.inner.store.is_read_only() && !self.inner.store.is_in_memory() {
            // What stays unwritten, if only because another process writes at the moment, is in the log, and the next open
            // reads it from there: only slower.
            let _ = self.inner.store.hurry().and_then(|()| self.write_runs());
        }
        // A scorer may hold the host's own objects, this handle among them.
        self.inner.scorers.clear();
        self.inner.store.close()
    }
}
