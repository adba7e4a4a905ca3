//! Checkpoints: keep the write-ahead log short by copying it into the file after commits, and restart it.
//!
//! A reader in any process holds back the pages after its snapshot. If the log grows in spite of checkpoints, a restart
//! waits for the present readers for a short time. SQLite's own locks protect every reader. A checkpoint must never
//! fail a call: pages that were not copied are safe in the log.

use std::time::Duration;

use rusqlite::Connection;

/// The page size of the file, as `connect` sets it.
const PAGE_BYTES: u64 = 16 * 1024;
/// Pages are copied into the file whenever this number of them is due.
const MOVED_AT: u64 = 32 * 1024 * 1024 / PAGE_BYTES;
/// A log of this length is restarted unless a reader needs it.
const RESTART_AT: u64 = 64 * 1024 * 1024 / PAGE_BYTES;
/// From this length on, a restart waits for readers.
const AWAITED_AT: u64 = 128 * 1024 * 1024 / PAGE_BYTES;
/// A step that a reader hindered is repeated after the log has grown by this length.
const REPEATED_AFTER: u64 = 4 * 1024 * 1024 / PAGE_BYTES;
/// Other writers wait as long, so it must stay below every sensible busy timeout.
const READERS_AWAITED: Duration = Duration::from_millis(500);

/// The step that is due for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CheckpointStep {
    Nothing,
    Move,
    Restart { wait: Duration },
}

/// The checkpoints of one store's log.
#[derive(Default)]
pub(super) struct Checkpoints {
    /// The length of the log at the last step.
    tried_at: u64,
}

impl Checkpoints {
    /// Runs the step that is due. The connection must be outside a transaction.
    pub(super) fn after_commit(&mut self, connection: &Connection, busy_timeout: Duration) {
        let Some((length, moved)) = lengths(connection, "noop") else { return };
        let (pragma, wait) = match self.step(length, moved) {
            CheckpointStep::Nothing => return,
            CheckpointStep::Move => ("passive", Duration::ZERO),
            CheckpointStep::Restart { wait } => ("truncate", wait.min(busy_timeout)),
        };
        if connection.busy_timeout(wait).is_ok() {
            // A step that failed is tried again when the log has grown.
            let _ = lengths(connection, pragma);
        }
        let _ = connection.busy_timeout(busy_timeout);
    }

    /// The step that is due for a log of `length` pages, of which `moved` are in the file.
    fn step(&mut self, length: u64, moved: u64) -> CheckpointStep {
        if length < self.tried_at {
            self.tried_at = 0;
        }
        if length < self.tried_at + REPEATED_AFTER {
            return CheckpointStep::Nothing;
        }
        let step = match length {
            AWAITED_AT.. => CheckpointStep::Restart { wait: READERS_AWAITED },
            RESTART_AT.. => CheckpointStep::Restart { wait: Duration::ZERO },
            _ if length.saturating_sub(moved) >= MOVED_AT => CheckpointStep::Move,
            _ => return CheckpointStep::Nothing,
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
        assert_eq!(log.step(MOVED_AT - 1, 0), CheckpointStep::Nothing);
        assert_eq!(log.step(MOVED_AT, 0), CheckpointStep::Move);
        assert_eq!(log.step(MOVED_AT + 1, 0), CheckpointStep::Nothing);
        assert_eq!(log.step(MOVED_AT + REPEATED_AFTER, 0), CheckpointStep::Move);
        assert_eq!(log.step(RESTART_AT, RESTART_AT), CheckpointStep::Restart { wait: Duration::ZERO });
        assert_eq!(log.step(AWAITED_AT, 0), CheckpointStep::Restart { wait: READERS_AWAITED });
        // The log was restarted.
        assert_eq!(log.step(1, 0), CheckpointStep::Nothing);
        assert_eq!(log.step(MOVED_AT, MOVED_AT), CheckpointStep::Nothing);
        assert_eq!(log.step(2 * MOVED_AT - 1, MOVED_AT), CheckpointStep::Nothing);
    }
}
