//! Long calls that are asked to stop: they stop in the middle, and what they had not committed is gone.

#![allow(clippy::unwrap_used, reason = "a test may end there")]

use std::cell::Cell;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cdp_core::cdp::{ChangesQuery, Data, IngestOptions, RejectsQuery};
use cdp_core::records::{Timestamp, Value};
use cdp_core::{Cdp, ErrorKind, OpenOptions};
use cdp_tests::json;

fn message(number: usize) -> String {
    format!(
        r#"{{"type": "track", "event": "Viewed", "userId": "u{}", "messageId": "m{number}", "timestamp": "2024-01-01T00:00:00Z"}}"#,
        number % 500
    )
}

/// A file of so many messages.
fn file(folder: &tempfile::TempDir, rows: usize) -> PathBuf {
    let mut lines = String::new();
    for number in 0..rows {
        writeln!(lines, "{}", message(number)).unwrap();
    }
    let path = folder.path().join("events.ndjson");
    std::fs::write(&path, lines).unwrap();
    path
}

fn store(folder: &tempfile::TempDir) -> Cdp {
    Cdp::open(OpenOptions::file(folder.path().join("store.db"))).unwrap()
}

fn kept(db: &Cdp) -> usize {
    let n = db.schema().unwrap().events.get("Viewed").copied().unwrap_or(0);
    usize::try_from(n).unwrap()
}

fn atomic() -> IngestOptions {
    IngestOptions::from_value(&Value::object([("atomic", Value::Bool(true))])).unwrap()
}

#[test]
fn an_atomic_ingest_that_its_progress_refuses_stops_in_the_middle_and_keeps_nothing() {
    const ROWS: usize = 120_000;
    let folder = tempfile::tempdir().unwrap();
    let (path, db) = (file(&folder, ROWS), store(&folder));
    let told = Cell::new(0);
    let mut refuse = |rows: u64, _: &str| {
        told.set(rows);
        false
    };
    let error = db.ingest(Data::Path(path), &atomic(), Some(&mut refuse)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(told.get() < ROWS as u64, "{}", told.get());
    assert_eq!(kept(&db), 0);
    // The store goes on as if nothing had been.
    db.send(json(&message(0))).unwrap();
    assert_eq!(kept(&db), 1);
}

#[test]
fn a_short_atomic_ingest_reports_its_end_before_it_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, db) = (file(&folder, 10), store(&folder));
    let mut refuse = |_: u64, _: &str| false;
    let error = db.ingest(Data::Path(path.clone()), &atomic(), Some(&mut refuse)).unwrap_err();
    assert_eq!((error.kind(), kept(&db)), (ErrorKind::Interrupted, 0));
    let mut told = 0;
    let mut note = |rows: u64, _: &str| {
        told = rows;
        true
    };
    db.ingest(Data::Path(path), &atomic(), Some(&mut note)).unwrap();
    assert_eq!((told, kept(&db)), (10, 10));
}

#[test]
fn rows_that_are_interrupted_before_their_transaction_are_not_read_to_their_end() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(&folder);
    let (other, read) = (db.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = read.clone();
    let rows = (0..1_000_000).map(move |number| {
        if counted.fetch_add(1, Ordering::Relaxed) == 1_000 {
            other.interrupt();
        }
        Ok(json(&message(number)))
    });
    let error = db.ingest(Data::Values(Box::new(rows)), &atomic(), None).unwrap_err();
    assert_eq!((error.kind(), kept(&db)), (ErrorKind::Interrupted, 0));
    assert!(read.load(Ordering::Relaxed) < 100_000);
}

#[test]
fn an_ingest_in_batches_stops_in_the_middle_of_one_and_keeps_whole_ones() {
    const ROWS: usize = 120_000;
    const BATCH: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let (path, db) = (file(&folder, ROWS), store(&folder));
    let options = IngestOptions::default().batch_rows(BATCH);
    let refused_at = Cell::new(None);
    let mut refuse_after_a_batch = |rows: u64, _: &str| {
        let go_on = rows <= BATCH as u64;
        if !go_on {
            refused_at.set(Some(rows as usize));
        }
        go_on
    };
    let error = db.ingest(Data::Path(path.clone()), &options, Some(&mut refuse_after_a_batch)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let refused_at = refused_at.get().unwrap();
    assert_eq!(kept(&db), refused_at / BATCH * BATCH);

    // One large batch is one transaction.
    let folder = tempfile::tempdir().unwrap();
    let db = store(&folder);
    let mut refuse = |_: u64, _: &str| false;
    let one_batch = IngestOptions::default().batch_rows(usize::MAX);
    let error = db.ingest(Data::Path(path), &one_batch, Some(&mut refuse)).unwrap_err();
    assert_eq!((error.kind(), kept(&db)), (ErrorKind::Interrupted, 0));
}

#[test]
fn a_callback_in_the_middle_of_a_transaction_gets_an_error_from_the_store_and_does_not_wait_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (path, db) = (file(&folder, 10), store(&folder));
    let mut kinds = Vec::new();
    let mut ask = |_: u64, _: &str| {
        if db.is_reporting() {
            kinds.push(db.schema().unwrap_err().kind());
            kinds.push(db.send(json(&message(1))).unwrap_err().kind());
            kinds.push(db.close().unwrap_err().kind());
        }
        true
    };
    db.ingest(Data::Path(path), &atomic(), Some(&mut ask)).unwrap();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| *kind == ErrorKind::Invalid), "{kinds:?}");
    assert!(!db.is_reporting());
    assert_eq!(kept(&db), 10);
}

#[test]
fn a_request_to_stop_is_not_meant_for_calls_that_begin_later() {
    let folder = tempfile::tempdir().unwrap();
    let (path, db) = (file(&folder, 10), store(&folder));
    db.interrupt();
    db.ingest(Data::Path(path), &atomic(), None).unwrap();
    db.interrupt();
    db.rebuild(None).unwrap();
    db.advance(None).unwrap();
    assert_eq!(kept(&db), 10);
}

/// Calls `verb` while another thread asks for stop without a pause, until it is stopped.
fn interrupted(db: &Cdp, what: &str, verb: impl Fn() -> cdp_core::Result<()>) {
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                db.interrupt();
            }
        });
        // The other thread may be slow to begin.
        let outcomes = (0..1_000).map(|_| verb());
        let error = outcomes.filter_map(std::result::Result::err).next();
        is_done.store(true, Ordering::Relaxed);
        let text = error.as_ref().map(ToString::to_string);
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Interrupted), "{what}: {text:?}");
    });
}

#[test]
fn the_other_long_writes_stop_before_they_commit() {
    let folder = tempfile::tempdir().unwrap();
    let db = Cdp::open(
        OpenOptions::file(folder.path().join("store.db")).clock(Timestamp::parse("2024-01-02T00:00:00Z").unwrap()),
    )
    .unwrap();
    let rule = |at_least: u32| {
        json(&format!(
            r#"{{"kind": "audience", "name": "viewers", "rule": {{"event": "Viewed", "count": {{"gte": {at_least}}}, "within": "3d"}}}}"#
        ))
    };
    db.define(&[rule(1)]).unwrap();
    let rows = (0..2_000).map(|number| Ok(json(&message(number))));
    db.ingest(Data::Values(Box::new(rows)), &IngestOptions::default(), None).unwrap();
    let changes = || db.audience_changes(&ChangesQuery::new()).map(|changes| changes.n_rows());

    interrupted(&db, "define", || db.define(&[rule(2)]).and_then(|_| db.define(&[rule(1)])).map(drop));
    interrupted(&db, "rebuild", || db.rebuild(None).map(drop));
    // Whichever of both definitions holds, its audience is whole.
    let before = changes().unwrap();
    let wrong = db.rebuild(None).unwrap();
    assert_eq!(wrong["viewers"], 0);
    let to = Timestamp::parse("2024-01-05T00:00:00Z").unwrap();
    interrupted(&db, "advance", || db.advance(Some(to)).map(drop));
    let after_stop = changes().unwrap();
    assert!(after_stop == before || after_stop == before + 500, "{before} {after_stop}");
    db.advance(Some(to)).unwrap();
    assert_eq!(changes().unwrap(), before + 500);
}

#[test]
fn a_redrive_stops_before_it_commits() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(&folder);
    let source = |name: &str| {
        json(&format!(
            r#"{{"kind": "source", "name": "s", "format": "ndjson", "message_id": "id", "timestamp": "at",
                "event": {{"field": "event"}}, "ids": {{"user_id": "{name}"}}}}"#
        ))
    };
    db.define(&[source("nobody")]).unwrap();
    let rows = (0..2_000).map(|number| {
        Ok(json(&format!(
            r#"{{"id": "{number}", "at": "2024-01-01T00:00:00Z", "event": "Viewed", "user": "u{number}"}}"#
        )))
    });
    let receipt = db.ingest(Data::Values(Box::new(rows)), &IngestOptions::from_source("s"), None).unwrap();
    assert_eq!(receipt.rejected, 2_000);
    db.define(&[source("user")]).unwrap();
    let rejects = || db.rejects(&RejectsQuery::new()).unwrap().n_rows();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                db.interrupt();
            }
        });
        let outcome = db.redrive(None, None);
        is_done.store(true, Ordering::Relaxed);
        // One transaction: all or nothing, whether or not the request came in time.
        match outcome {
            Ok(receipt) => assert_eq!(receipt.accepted, 2_000),
            Err(error) => assert_eq!((error.kind(), rejects(), kept(&db)), (ErrorKind::Interrupted, 2_000, 0)),
        }
    });
    db.redrive(None, None).unwrap();
    assert_eq!((rejects(), kept(&db)), (0, 2_000));
}
