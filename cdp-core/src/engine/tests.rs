//! Tests of timelines in the file that this version of the library did not write, or cannot read, though their checksums are
//! right: those of another version are derived from the log once more, and of the others no answer is made.

use std::path::Path;

use crate::cdp::{Cdp, ChangesQuery, Data, EventsQuery, IngestOptions, OpenOptions, Query};
use crate::error::ErrorKind;
use crate::records::Value;
use crate::store::reseal_block;

const DEFINITIONS: [&str; 3] = [
    r#"{"kind": "consent_policy", "name": "default", "purposes": {"news": {"unknown": "allow"}}}"#,
    r#"{"kind": "feature", "name": "spend", "event": "Bought", "agg": "sum", "property": "price"}"#,
    r#"{"kind": "audience", "name": "buyers", "rule": {"event": "Bought", "where": [{"property": "kind", "op": "eq", "value": "gift"}]}}"#,
];

fn json(text: &str) -> Value {
    Value::parse(text.as_bytes()).unwrap()
}

/// Every kind of fact, in several runs of several blocks.
fn messages() -> String {
    let message = |n: u64| {
        let head = format!(
            r#""messageId": "m{n}", "userId": "u{}", "anonymousId": "a{}", "timestamp": {}"#,
            n % 9,
            n % 31,
            1_700_000_000_000 + n * 1_000
        );
        match n % 5 {
            0 => format!(r#"{{"type": "identify", {head}, "traits": {{"plan": "p{n}", "seats": [{n}]}}}}"#),
            1 => format!(
                r#"{{"type": "identify", {head}, "context": {{"consent": {{"categoryPreferences": {{"news": false}}}}}}}}"#
            ),
            2 => format!(r#"{{"type": "group", {head}, "groupId": "acme"}}"#),
            _ => format!(
                r#"{{"type": "track", {head}, "event": "Bought", "properties": {{"price": {n}, "kind": "gift"}}}}"#
            ),
        }
    };
    (0..200).map(|n| message(n) + "\n").collect()
}

fn options(path: &Path) -> OpenOptions {
    OpenOptions { flush_messages: 40, unshared: true, ..OpenOptions::file(path) }
}

fn store(path: &Path) {
    let db = Cdp::open(options(path)).unwrap();
    db.define(DEFINITIONS.map(json)).unwrap();
    for part in messages().lines().collect::<Vec<_>>().chunks(20) {
        let receipt = db.ingest(Data::Bytes(part.join("\n").as_bytes()), &IngestOptions::default(), None).unwrap();
        assert_eq!(receipt.rejected, 0);
    }
    db.close().unwrap();
}

#[expect(clippy::disallowed_methods, reason = "changes what only another program would change")]
fn sqlite(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

/// Changes every block of timelines and gives it the right checksum; gives how many were changed.
fn change_blocks(path: &Path, change: impl Fn(&mut Vec<u8>) -> bool) -> usize {
    let connection = sqlite(path);
    let mut select = connection.prepare("SELECT block, data FROM run_blocks").unwrap();
    let blocks = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let blocks: Vec<(i64, Vec<u8>)> = blocks.map(|block| block.unwrap()).collect();
    let mut n_changed = 0;
    for (block, mut data) in blocks {
        if change(&mut data) {
            reseal_block(&mut data);
            n_changed += 1;
            connection.execute("UPDATE run_blocks SET data = ?2 WHERE block = ?1", (block, data)).unwrap();
        }
    }
    n_changed
}

fn set_version(path: &Path, version: u8) -> usize {
    change_blocks(path, |data| {
        data[8] = version;
        true
    })
}

/// The versions of the blocks that a run names.
fn versions(path: &Path) -> Vec<u8> {
    let connection = sqlite(path);
    let mut select = connection.prepare("SELECT data FROM run_blocks ORDER BY block").unwrap();
    let blocks = select.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    blocks.map(|data| data.unwrap()[8]).collect()
}

fn answers(db: &Cdp) -> Vec<String> {
    let who = json(r#"{"user_id": "u1"}"#);
    vec![
        Value::from(db.profile(&who, None).unwrap().unwrap()).to_json(),
        format!("{:?}", db.consents(&who, None).unwrap()),
        db.events(&who, &EventsQuery::new()).unwrap().n_rows().to_string(),
        db.fingerprint(None).unwrap(),
        db.profiles(&Query::default()).unwrap().n_rows().to_string(),
        Value::from(db.verify().unwrap()).to_json(),
    ]
}

#[test]
fn timelines_of_another_version_are_derived_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    store(&path);
    let db = Cdp::open(options(&path)).unwrap();
    let expected = answers(&db);
    assert!(expected[5].contains(r#""ok":true"#), "{}", expected[5]);
    db.close().unwrap();
    for version in [0, 2, 255] {
        assert!(set_version(&path, version) > 10);
        // A read-only open leaves them as they are.
        let reader = Cdp::open(OpenOptions { read_only: true, ..options(&path) }).unwrap();
        assert_eq!(answers(&reader), expected);
        reader.close().unwrap();
        assert!(versions(&path).iter().all(|found| *found == version));
        let db = Cdp::open(options(&path)).unwrap();
        assert_eq!(answers(&db), expected);
        db.write_runs().unwrap();
        db.close().unwrap();
        let reader = Cdp::open(OpenOptions { read_only: true, ..options(&path) }).unwrap();
        assert_eq!(answers(&reader), expected);
        assert!(reader.read(|snapshot| Ok(snapshot.memory.n_events_in_runs() > 0)).unwrap());
        reader.close().unwrap();
    }
}

#[test]
fn an_open_store_goes_on_when_another_version_writes_timelines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    store(&path);
    let (db, reader) =
        (Cdp::open(options(&path)).unwrap(), Cdp::open(OpenOptions { read_only: true, ..options(&path) }));
    let reader = reader.unwrap();
    let expected = answers(&db);
    assert!(set_version(&path, 2) > 10);
    // What a process of that version leaves besides.
    let moved = "UPDATE meta SET run_sequence = run_sequence + 1, revision = revision + 1";
    sqlite(&path).execute(moved, []).unwrap();
    assert_eq!(answers(&reader), expected);
    assert_eq!(answers(&db), expected);
    let late =
        r#"{"type": "track", "event": "Bought", "userId": "u1", "messageId": "late", "timestamp": 1700000999000}"#;
    db.send(json(late)).unwrap();
    assert_ne!(answers(&db), expected);
    assert_eq!(answers(&db), answers(&reader));
    db.close().unwrap();
    let db = Cdp::open(options(&path)).unwrap();
    assert_eq!(answers(&db), answers(&reader));
    assert!(db.read(|snapshot| Ok(snapshot.memory.n_events_in_runs() > 0)).unwrap());
}

/// Everything that could answer without a fact that it cannot read.
fn failures(db: &Cdp) -> Vec<ErrorKind> {
    let who = json(r#"{"user_id": "u1"}"#);
    let failed = [
        db.profile(&who, None).err(),
        db.consents(&who, None).err(),
        db.profiles(&Query::new().columns(vec!["traits.plan".to_owned()])).err(),
        db.fingerprint(None).err(),
    ];
    failed.into_iter().map(|error| error.unwrap().kind()).collect()
}

/// Makes a text of the dictionaries one of no known form; gives whether it was there.
fn spoil(data: &mut [u8], text: &[u8]) -> bool {
    let places: Vec<usize> = (0..data.len()).filter(|at| data[*at..].starts_with(text)).collect();
    places.iter().for_each(|at| data[*at] = b'x');
    !places.is_empty()
}

#[test]
fn a_fact_that_cannot_be_read_is_an_error_and_never_none() {
    let texts: [&[u8]; 5] = [b"\"news", b"\"plan", b"\"p1", b"[", b"\"acme"];
    for text in texts {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        store(&path);
        assert!(change_blocks(&path, |data| spoil(data, text)) > 0);
        for read_only in [true, false] {
            let db = Cdp::open(OpenOptions { read_only, ..options(&path) }).unwrap();
            assert_eq!(failures(&db), [ErrorKind::Corrupt; 4], "{}", String::from_utf8_lossy(text));
        }
    }
}

#[test]
fn an_event_whose_value_cannot_be_read_is_an_error_and_not_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    store(&path);
    assert!(change_blocks(&path, |data| spoil(data, b"\"gift")) > 0);
    let db = Cdp::open(OpenOptions { read_only: true, ..options(&path) }).unwrap();
    assert_eq!(db.members("buyers", &Query::default()).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(db.fingerprint(None).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_row_that_is_gone_or_of_no_known_kind_is_an_error() {
    let changes = [
        "DELETE FROM names WHERE name_id = 2",
        "DELETE FROM words WHERE word_id = 1",
        "DELETE FROM node_blocks; DELETE FROM nodes WHERE node = 3",
        "DELETE FROM membership_snapshots; UPDATE changes SET type = 'Audience Left' WHERE change = 1",
        "DELETE FROM link_blocks; UPDATE links SET rule = 7",
        "UPDATE messages SET message_id = 5 WHERE sequence > 190",
        "UPDATE messages SET message_id = 5 WHERE sequence < 20",
    ];
    for change in changes {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        store(&path);
        sqlite(&path).execute_batch(change).unwrap();
        let used = Cdp::open(OpenOptions { read_only: true, ..options(&path) }).and_then(|db| {
            db.profiles(&Query::default())?;
            db.profile(&json(r#"{"user_id": "u1"}"#), None)?;
            db.audience_changes(&ChangesQuery::new())?;
            db.fingerprint(None)
        });
        assert_eq!(used.map_err(|error| error.kind()), Err(ErrorKind::Corrupt), "{change}");
    }
}
