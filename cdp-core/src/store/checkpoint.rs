//! Keeps the write-ahead log short: moves it into the file where a transaction has ended, and begins it anew.
//!
//! A reader in any process holds back what came after its snapshot, so a log that grows although it is moved waits for the
//! readers of the moment, for a short time. SQLite's own locks see to it that nothing is taken from under anybody. Must
//! never fail a call: what was not moved is in the log, and safe there.

use std::time::Duration;

use rusqlite::Connection;

/// One page of the file, as `connect` sets it.
const PAGE_BYTES: u64 = 16 * 1024;
/// So much is moved into the file at a time.
const MOVED_AT: u64 = 32 * 1024 * 1024 / PAGE_BYTES;
/// A log of this length begins anew, unless a reader needs it.
const ANEW_AT: u64 = 64 * 1024 * 1024 / PAGE_BYTES;
/// From this length on, that is worth waiting for readers.
const AWAITED_AT: u64 = 128 * 1024 * 1024 / PAGE_BYTES;
/// A step that a reader hindered is repeated after the log has grown so much.
const REPEATED_AFTER: u64 = 4 * 1024 * 1024 / PAGE_BYTES;
/// Others who write wait as long, so it must stay below every sensible busy timeout.
const READERS_AWAITED: Duration = Duration::from_millis(500);

/// What to do about a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Move,
    BeginAnew { wait: Duration },
}

/// The log of one store, seen from its writer.
#[derive(Default)]
pub(super) struct Checkpoints {
    /// How long the log was at the last step.
    tried_at: u64,
}

impl Checkpoints {
    /// Does what is due. The connection must be outside a transaction.
    pub(super) fn after_commit(&mut self, connection: &Connection, busy_timeout: Duration) {
        let Some((length, moved)) = lengths(connection, "noop") else { return };
        let (pragma, wait) = match self.step(length, moved) {
            Step::Nothing => return,
            Step::Move => ("passive", Duration::ZERO),
            Step::BeginAnew { wait } => ("truncate", wait.min(busy_timeout)),
        };
        if connection.busy_timeout(wait).is_ok() {
            // A step that failed is tried again when the log has grown.
            let _ = lengths(connection, pragma);
        }
        let _ = connection.busy_timeout(busy_timeout);
    }

    /// What is due for a log of so many pages, so many of which are in the file.
    fn step(&mut self, length: u64, moved: u64) -> Step {
        if length < self.tried_at {
            self.tried_at = 0;
        }
        if length < self.tried_at + REPEATED_AFTER {
            return Step::Nothing;
        }
        let step = match length {
            AWAITED_AT.. => Step::BeginAnew { wait: READERS_AWAITED },
            ANEW_AT.. => Step::BeginAnew { wait: Duration::ZERO },
            _ if length.saturating_sub(moved) >= MOVED_AT => Step::Move,
            _ => return Step::Nothing,
        };
        self.tried_at = length;
        step
    }
}

/// Runs a checkpoint: (pages in the log, of them in the file). `None` without a log, or if it failed.
fn lengths(connection: &Connection, mode: &str) -> Option<(u64, u64)> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let mut statement = connection.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})")).ok()?;
    let (length, moved) = statement.query_row([], read).ok()?;
    Some((u64::try_from(length).ok()?, u64::try_from(moved).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_comes_when_it_is_due_and_a_hindered_one_again_after_some_growth() {
        let mut log = Checkpoints::default();
        assert_eq!(log.step(MOVED_AT - 1, 0), Step::Nothing);
        assert_eq!(log.step(MOVED_AT, 0), Step::Move);
        assert_eq!(log.step(MOVED_AT + 1, 0), Step::Nothing);
        assert_eq!(log.step(MOVED_AT + REPEATED_AFTER, 0), Step::Move);
        assert_eq!(log.step(ANEW_AT, ANEW_AT), Step::BeginAnew { wait: Duration::ZERO });
        assert_eq!(log.step(AWAITED_AT, 0), Step::BeginAnew { wait: READERS_AWAITED });
        // It began anew.
        assert_eq!(log.step(1, 0), Step::Nothing);
        assert_eq!(log.step(MOVED_AT, MOVED_AT), Step::Nothing);
        assert_eq!(log.step(2 * MOVED_AT - 1, MOVED_AT), Step::Nothing);
    }
}
