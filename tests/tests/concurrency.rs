//! Several at once: messages in the queue, another process with the write lock, readers that hold back the log. Another
//! process is played by another connection, which SQLite keeps apart by the same locks.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use cdp_core::cdp::{Query, TableQuery};
use cdp_core::records::{Receipt, Value};
use cdp_core::{Cdp, Durability, ErrorKind, OpenOptions, Result};
use cdp_tests::history::slot;
use cdp_tests::json;

/// A connection of another program.
#[expect(clippy::disallowed_methods, reason = "plays another process")]
fn other_process(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

fn number(connection: &rusqlite::Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn view(n: usize) -> Value {
    json(&format!(
        r#"{{"type": "track", "event": "Viewed", "userId": "u{}", "messageId": "m{n:04}", "timestamp": "2024-01-01T00:00:00Z"}}"#,
        n % 50
    ))
}

fn options(path: &Path) -> OpenOptions {
    let mut options = OpenOptions::file(path).clock(slot(100));
    // Whoever waits for a lock that a test holds never ends.
    options.busy_timeout_ms = 3_600_000;
    options
}

/// A store whose commits do not wait for the disk.
fn relaxed(path: &Path) -> Cdp {
    let mut options = options(path);
    options.durability = Durability::Relaxed;
    Cdp::open(options).unwrap()
}

fn count(db: &Cdp, name: &str) -> i64 {
    Value::from(db.stats().unwrap()).get(name).and_then(Value::as_number).and_then(|number| number.as_i64()).unwrap()
}

#[test]
fn queued_messages_share_commits_in_their_order_and_each_has_its_own_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let db = Cdp::open(options(&path)).unwrap();
    db.send(view(9_999)).unwrap();
    let other = other_process(&path);
    let revision = "SELECT revision FROM meta";
    let before = number(&other, revision);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (tell, told) = channel();
    for n in 0..1_000 {
        let tell = tell.clone();
        let message = if n == 500 { json(r#"{"type": "track", "event": "Viewed"}"#) } else { view(n) };
        db.send_queued(message, move |receipt| tell.send((n, receipt)).unwrap());
    }
    assert!(told.try_recv().is_err(), "a message was answered before it was durable");
    other.execute_batch("ROLLBACK").unwrap();
    let answers: Vec<(usize, Result<Receipt>)> = told.iter().take(1_000).collect();
    for (n, answer) in &answers {
        match answer {
            Ok(receipt) => assert_eq!((receipt.accepted, receipt.message_id.clone()), (1, Some(format!("m{n:04}")))),
            Err(error) => assert_eq!((*n, error.kind()), (500, ErrorKind::Invalid)),
        }
    }
    // Some had begun before the rest came.
    let commits = number(&other, revision) - before;
    assert!(commits <= 4, "1,000 messages took {commits} commits");
    let events = db.table("events", &TableQuery::new()).unwrap();
    let ids: Vec<Value> = (0..events.n_rows()).filter_map(|row| events.row(row).get("message_id").cloned()).collect();
    let expected = std::iter::once(9_999).chain((0..1_000).filter(|n| *n != 500));
    assert_eq!(ids, expected.map(|n| Value::Text(format!("m{n:04}"))).collect::<Vec<_>>());
}

#[test]
fn waiting_and_queued_senders_share_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let db = Cdp::open(options(&folder.path().join("shop.db"))).unwrap();
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (db, tell) = (db.clone(), tell.clone());
            scope.spawn(move || {
                for n in 0..100 {
                    let tell = tell.clone();
                    db.send_queued(view(thread * 200 + n), move |receipt| tell.send(receipt).unwrap());
                    assert_eq!(db.send(view(thread * 200 + 100 + n)).unwrap().accepted, 1);
                }
            });
        }
    });
    db.close().unwrap();
    drop(tell);
    assert_eq!(told.iter().map(|receipt| receipt.unwrap().accepted).sum::<u64>(), 400);
    let db = Cdp::open(options(&folder.path().join("shop.db"))).unwrap();
    assert_eq!(count(&db, "messages"), 800);
}

#[test]
fn a_panicking_callback_does_not_affect_other_senders() {
    let db = Cdp::open(OpenOptions::in_memory().clock(slot(100))).unwrap();
    let (tell, told) = channel();
    for n in 0..100 {
        let tell = tell.clone();
        db.send_queued(view(n), move |receipt| {
            assert_ne!(n, 50, "this one panics, and the test shows that nothing comes of it");
            tell.send(receipt.unwrap().accepted).unwrap();
        });
    }
    db.send_queued(view(100), move |receipt| tell.send(receipt.unwrap().accepted).unwrap());
    assert_eq!(told.iter().sum::<u64>(), 100);
    assert_eq!(count(&db, "messages"), 101);
}

#[test]
fn close_takes_in_the_queue_first_and_a_closed_handle_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let (db, other) = (Cdp::open(options(&path)).unwrap(), Cdp::open(OpenOptions::file(&path)).unwrap());
    let (tell, told) = channel();
    for n in 0..300 {
        let tell = tell.clone();
        db.send_queued(view(n), move |receipt| tell.send(receipt.unwrap().accepted).unwrap());
    }
    db.close().unwrap();
    assert_eq!(told.try_iter().sum::<u64>(), 300);
    db.send_queued(view(300), move |receipt| {
        tell.send(u64::from(receipt.unwrap_err().kind() == ErrorKind::Closed)).unwrap()
    });
    assert_eq!(told.try_recv(), Ok(1));
    assert_eq!(count(&other, "messages"), 300);
}

#[test]
fn a_queued_message_is_busy_when_another_process_keeps_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let mut options = options(&path);
    options.busy_timeout_ms = 1;
    let db = Cdp::open(options).unwrap();
    let other = other_process(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (tell, told) = channel();
    for n in 0..10 {
        let tell = tell.clone();
        db.send_queued(view(n), move |receipt| tell.send(receipt.map_err(|error| error.kind())).unwrap());
    }
    assert!(told.iter().take(10).all(|answer| answer == Err(ErrorKind::Busy)));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(db.send(view(0)).unwrap().accepted, 1);
}

#[test]
fn close_leaves_the_tail_to_the_log_while_another_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let db = Cdp::open(options(&path)).unwrap();
    (0..100).for_each(|n| drop(db.send(view(n)).unwrap()));
    let fingerprint = db.fingerprint(None).unwrap();
    let other = other_process(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    db.close().unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    let db = Cdp::open(options(&path)).unwrap();
    assert_eq!(db.fingerprint(None).unwrap(), fingerprint);
    assert_eq!(db.send(view(7)).unwrap().duplicates, 1);
}

/// The greatest length of the log while messages come in one by one.
fn greatest_log(db: &Cdp, n: usize) -> i64 {
    let mut greatest = 0;
    for n in 0..n {
        db.send(view(n)).unwrap();
        if n % 50 == 0 {
            greatest = greatest.max(count(db, "wal_bytes"));
        }
    }
    greatest.max(count(db, "wal_bytes"))
}

const MEGABYTES: i64 = 1024 * 1024;

#[test]
fn the_log_stays_short_while_a_slow_reader_goes_through_pages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let db = relaxed(&path);
    let ended = AtomicBool::new(false);
    let greatest = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut apart = options(&path);
            (apart.unshared, apart.read_only, apart.clock) = (true, true, None);
            let reader = Cdp::open(apart).unwrap();
            let mut after = None;
            while !ended.load(Ordering::Acquire) {
                let mut page = Query::new().limit(5usize).as_of(slot(100));
                page.after = after;
                after = reader.profiles(&page).unwrap().next;
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        });
        let greatest = greatest_log(&db, 2_000);
        ended.store(true, Ordering::Release);
        greatest
    });
    assert!(greatest > 8 * MEGABYTES, "too little was written to show anything: {greatest}");
    assert!(greatest < 100 * MEGABYTES, "the log grew to {greatest} bytes");
}

#[test]
fn the_log_stays_short_although_some_reader_is_always_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let db = relaxed(&path);
    let ended = AtomicBool::new(false);
    let greatest = std::thread::scope(|scope| {
        scope.spawn(|| {
            // One begins before the other ends, so at no moment nobody reads.
            let readers = [other_process(&path), other_process(&path)];
            let begin = |reader: &rusqlite::Connection| {
                reader.execute_batch("BEGIN").unwrap();
                number(reader, "SELECT count(*) FROM meta")
            };
            begin(&readers[0]);
            for turn in 0.. {
                std::thread::sleep(std::time::Duration::from_millis(5));
                begin(&readers[(turn + 1) % 2]);
                assert_eq!(number(&readers[turn % 2], "SELECT count(*) FROM meta"), 1);
                readers[turn % 2].execute_batch("ROLLBACK").unwrap();
                if ended.load(Ordering::Acquire) {
                    break;
                }
            }
        });
        let greatest = greatest_log(&db, 4_000);
        ended.store(true, Ordering::Release);
        greatest
    });
    assert!(greatest < 200 * MEGABYTES, "the log grew to {greatest} bytes");
    assert_eq!(count(&db, "messages"), 4_000);
}
