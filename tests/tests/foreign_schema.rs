//! A store whose schema another tool has changed: refused before anything else of it is read, and left as it was.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cdp_core::cdp::{Data, IngestOptions};
use cdp_core::{Cdp, Error, ErrorKind, OpenOptions};
use cdp_tests::history::slot;
use cdp_tests::json;

/// A view that never ends, in the place of a table that every open reads.
const ENDLESS: &str = "DROP TABLE meta; CREATE VIEW meta AS
    WITH RECURSIVE counted(id, log_sequence) AS (SELECT 1, 1 UNION ALL SELECT id + 1, 1 FROM counted)
    SELECT id, log_sequence, 0 AS definitions, 0 AS erasure_epoch, 0 AS change_sequence, 0 AS model_sequence,
        0 AS advanced_to, 0 AS recorded_at, x'00' AS salt, 0 AS revision, 0 AS run_sequence, 0 AS links_to,
        0 AS decision_sequence, 0 AS linkage_runs FROM counted;";

/// What another tool may have done to a store.
const PLANTED: [&str; 14] = [
    "CREATE TRIGGER planted AFTER INSERT ON messages BEGIN DELETE FROM messages; END;",
    "CREATE TRIGGER planted INSTEAD OF DELETE ON planted_view BEGIN SELECT 1; END;",
    "CREATE VIEW planted AS SELECT * FROM messages;",
    "CREATE INDEX planted ON messages (node);",
    "CREATE TABLE planted (x);",
    "CREATE VIRTUAL TABLE planted USING fts5(x);",
    "ALTER TABLE messages ADD COLUMN planted TEXT;",
    "ALTER TABLE messages DROP COLUMN event;",
    "ALTER TABLE messages RENAME COLUMN node TO other;",
    "ALTER TABLE rejects RENAME TO refused;",
    "DROP TABLE checkpoints;",
    "DROP INDEX probable_links_now;",
    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, ' STRICT', '') WHERE name = 'meta';",
    ENDLESS,
];

#[expect(clippy::disallowed_methods, reason = "plants what another program could have written")]
fn sqlite(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

fn execute(connection: &rusqlite::Connection, sql: &str) {
    if sql.contains("planted_view") {
        connection.execute_batch("CREATE VIEW planted_view AS SELECT 1;").unwrap();
    }
    connection.execute_batch(sql).unwrap();
}

/// A store in a file, closed.
fn store(folder: &Path) -> PathBuf {
    let path = folder.join("shop.db");
    let db = Cdp::open(OpenOptions::file(&path).clock(slot(100))).unwrap();
    let message = |n: u32| Ok(json(&format!(r#"{{"type": "track", "event": "Bought", "userId": "u{n}"}}"#)));
    db.ingest(Data::Values(Box::new((0..9).map(message))), &IngestOptions::default(), None).unwrap();
    db.close().unwrap();
    path
}

fn files(folder: &Path) -> Vec<(String, u64)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    // SQLite writes marks of readers into the index of the write-ahead log.
    let mut files: Vec<(String, u64)> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
        .filter(|(name, _)| !name.ends_with("-shm"))
        .collect();
    files.sort();
    files
}

fn open(path: &Path, read_only: bool) -> Result<Cdp, Error> {
    let mut options = OpenOptions::file(path).clock(slot(100));
    (options.read_only, options.unshared) = (read_only, true);
    Cdp::open(options)
}

/// Opening fails, in both ways, and changes nothing.
fn refuses(path: &Path, what: &str) {
    let before = (std::fs::read(path).unwrap(), files(path.parent().unwrap()));
    for read_only in [false, true] {
        let error = open(path, read_only).expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Incompatible, "{what}: {error}");
        assert!(error.hint().is_some(), "{what}: {error}");
        assert!(std::fs::read(path).unwrap() == before.0, "{what}: the refused file has changed");
        // A connection that only reads cannot remove the empty log that it needs.
        if !read_only {
            assert_eq!(files(path.parent().unwrap()), before.1, "{what}: files were left beside the refused one");
        }
    }
}

fn n_messages(db: &Cdp) -> u64 {
    db.stats().unwrap().messages
}

#[test]
fn a_changed_schema_is_refused_and_the_file_is_unchanged() {
    for planted in PLANTED {
        let folder = tempfile::tempdir().unwrap();
        let path = store(folder.path());
        execute(&sqlite(&path), planted);
        refuses(&path, planted);
    }
}

#[test]
fn a_changed_schema_in_the_write_ahead_log_is_refused() {
    for planted in PLANTED {
        let folder = tempfile::tempdir().unwrap();
        let path = store(folder.path());
        let elsewhere = sqlite(&path);
        execute(&elsewhere, planted);
        assert!(folder.path().join("shop.db-wal").exists());
        refuses(&path, planted);
    }
}

#[test]
fn a_store_in_another_journal_mode_is_refused_without_a_change_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    execute(&sqlite(&path), "PRAGMA journal_mode = DELETE; CREATE TABLE planted (x);");
    refuses(&path, "a table in a store without a write-ahead log");
}

#[test]
fn a_schema_version_that_the_tables_contradict_is_refused() {
    for version in [0, -1] {
        let folder = tempfile::tempdir().unwrap();
        let path = store(folder.path());
        execute(&sqlite(&path), &format!("PRAGMA user_version = {version};"));
        refuses(&path, &format!("version {version}"));
    }
}

#[test]
fn an_error_names_the_difference_and_no_text_of_a_stranger() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    execute(&sqlite(&path), "CREATE TRIGGER \"ada@x.org\" AFTER INSERT ON messages BEGIN DELETE FROM messages; END;");
    let error = open(&path, false).unwrap_err();
    let text = format!("{error:?} {error} {:?}", error.hint());
    assert!(error.message().contains("a trigger on `messages`"), "{text}");
    assert!(!text.contains("ada@x.org") && !text.contains("DELETE"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    execute(&sqlite(&path), "DROP TABLE checkpoints;");
    let error = open(&path, false).unwrap_err();
    assert!(error.message().contains("the table `checkpoints` is missing"), "{error}");
}

#[test]
fn what_sqlite_itself_keeps_is_no_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    execute(&sqlite(&path), "ANALYZE; VACUUM; REINDEX;");
    for read_only in [true, false] {
        let db = open(&path, read_only).unwrap();
        assert_eq!(n_messages(&db), 9);
        db.close().unwrap();
    }
}

#[test]
fn triggers_and_views_planted_under_an_open_store_do_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    let db = open(&path, false).unwrap();
    let elsewhere = sqlite(&path);
    execute(&elsewhere, PLANTED[0]);
    db.send(json(r#"{"type": "track", "event": "Bought", "userId": "late"}"#)).unwrap();
    assert_eq!(n_messages(&db), 10);
    let kept: i64 = elsewhere.query_row("SELECT COUNT(*) FROM messages", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 10);
    // A table that became a view is read by nobody any more.
    execute(&elsewhere, ENDLESS);
    assert!(db.stats().is_err());
    assert!(db.send(json(r#"{"type": "track", "event": "Bought", "userId": "later"}"#)).is_err());
}

#[test]
fn a_store_that_another_process_creates_at_the_moment_is_awaited() {
    for (ends, is_refused) in [("ROLLBACK", false), ("COMMIT", true)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.db");
        let elsewhere = sqlite(&path);
        execute(&elsewhere, "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; CREATE TABLE planted (x);");
        std::thread::scope(|scope| {
            let opened = scope.spawn(|| open(&path, false));
            // Long enough for the open to come as far as the lock; the outcome is the same if it does not.
            std::thread::sleep(Duration::from_millis(50));
            execute(&elsewhere, ends);
            let opened = opened.join().unwrap();
            match opened {
                Ok(db) => assert!(!is_refused && n_messages(&db) == 0),
                Err(error) => assert!(is_refused && error.kind() == ErrorKind::Incompatible, "{error}"),
            }
        });
    }
}

#[test]
fn many_open_a_store_that_is_not_there_yet_at_once() {
    for _ in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.db");
        std::thread::scope(|scope| {
            let opens: Vec<_> = (0..6).map(|_| scope.spawn(|| open(&path, false))).collect();
            for opened in opens {
                let db = opened.join().unwrap().unwrap();
                assert_eq!(n_messages(&db), 0);
            }
        });
    }
}
