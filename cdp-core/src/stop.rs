//! Whether a long call goes on: what is asked in the middle of reading, parsing and writing.

use crate::error::Result;

/// What a transaction asks whether it goes on.
pub(crate) trait Stop {
    /// Fails with `interrupted` if the call is to stop. Cheap enough for every row.
    fn check(&self) -> Result<()>;

    /// Checks at a point where time has passed: also calls the progress callback if it is due.
    fn look(&self) -> Result<()> {
        self.check()
    }
}

/// A call that is over in a moment, and which nothing stops.
pub(crate) struct Never;

impl Stop for Never {
    fn check(&self) -> Result<()> {
        Ok(())
    }
}
