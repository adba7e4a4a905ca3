//! Bad input of every kind: an error that says what to do, never a panic, never a byte of a file that is not ours.

use std::path::{Path, PathBuf};

use cdp_core::cdp::{Data, EventsQuery, IngestOptions, RejectsQuery};
use cdp_core::definitions::Format;
use cdp_core::records::{Receipt, Timestamp, Value};
use cdp_core::{Cdp, ErrorKind, OpenOptions, Result};
use cdp_tests::history::{slot, texts};
use cdp_tests::{json, shared_data};

fn in_memory() -> Cdp {
    Cdp::open(OpenOptions::in_memory().clock(slot(100))).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "plants what another program could have written")]
fn sqlite(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

/// A small store in a file, closed.
fn store(folder: &Path) -> PathBuf {
    let path = folder.join("shop.db");
    let db = Cdp::open(OpenOptions::file(&path).clock(slot(100))).unwrap();
    db.define(&[json(
        r#"{"kind": "feature", "name": "spend", "event": "Bought", "agg": "sum", "property": "amount"}"#,
    )])
    .unwrap();
    let messages = (0..60).map(|n| {
        Ok(json(&format!(
            "{{\"type\": \"track\", \"event\": \"Bought\", \"userId\": \"u{}\", \"anonymousId\": \"a{n}\", \"messageId\": \"m{n}\", \
              \"timestamp\": \"2024-01-01T00:00:{n:02}Z\", \"properties\": {{\"amount\": {n}, \"note\": \"{}\"}}}}",
            n % 7,
            "x".repeat(400)
        )))
    });
    db.ingest(Data::Values(Box::new(messages)), &IngestOptions::default(), None).unwrap();
    db.close().unwrap();
    path
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Opening fails with this kind, and the folder is as before.
fn refuses(path: &Path, kind: ErrorKind) {
    let (bytes, names) = (std::fs::read(path).unwrap(), files(path.parent().unwrap()));
    for read_only in [false, true] {
        let mut options = OpenOptions::file(path);
        options.read_only = read_only;
        let error = Cdp::open(options).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.hint().is_some(), "{error}");
        assert_eq!(std::fs::read(path).unwrap(), bytes, "the bytes of a refused file changed");
        assert_eq!(files(path.parent().unwrap()), names, "files were left beside a refused one");
    }
}

#[test]
fn a_text_file_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["x", "name,email\nAda,ada@x.org\n", &"long text ".repeat(5000)] {
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, text).unwrap();
        refuses(&path, ErrorKind::Incompatible);
    }
}

#[test]
fn a_database_of_another_application_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    sqlite(&path, "CREATE TABLE t (x); INSERT INTO t VALUES (1);");
    refuses(&path, ErrorKind::Incompatible);
    sqlite(&path, "PRAGMA journal_mode = WAL; INSERT INTO t VALUES (2);");
    refuses(&path, ErrorKind::Incompatible);
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    sqlite(&path, "PRAGMA user_version = 99;");
    refuses(&path, ErrorKind::Incompatible);
}

#[test]
fn a_folder_is_not_a_store_and_not_an_input() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Cdp::open_file(folder.path()).unwrap_err().kind(), ErrorKind::Io);
    let error = in_memory().ingest(Data::Path(folder.path().to_owned()), &IngestOptions::default(), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let missing = folder.path().join("no/such/shop.db");
    assert_eq!(Cdp::open_file(&missing).unwrap_err().kind(), ErrorKind::Io);
    let mut options = OpenOptions::file(folder.path().join("missing.db"));
    options.create = false;
    assert_eq!(Cdp::open(options).unwrap_err().kind(), ErrorKind::Io);
    assert!(files(folder.path()).is_empty());
}

/// Uses a damaged store in every way; the first error, if any.
fn use_everything(path: &Path) -> Result<Value> {
    let mut options = OpenOptions::file(path).clock(slot(200));
    options.unshared = true;
    let db = Cdp::open(options)?;
    db.profiles(&cdp_core::cdp::Query::default())?;
    db.profile(&json(r#"{"user_id": "u1"}"#), None)?;
    db.events(&json(r#"{"user_id": "u1"}"#), &EventsQuery::new())?;
    db.fingerprint(None)?;
    let verified = db.verify()?;
    db.send(json(r#"{"type": "track", "event": "Bought", "userId": "u1", "anonymousId": "new"}"#))?;
    db.advance(None)?;
    db.close()?;
    Ok(verified.into())
}

#[test]
fn a_damaged_store_is_a_clear_error_or_found_by_verify() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let fine = use_everything(&path).unwrap();
    assert_eq!(fine.get("ok"), Some(&Value::Bool(true)));
    let mut damaged: Vec<(String, Vec<u8>)> = Vec::new();
    for part in 1..8 {
        damaged.push((format!("cut at {part}/8"), whole[..whole.len() * part / 8].to_vec()));
    }
    for page in 0..whole.len() / 16384 {
        let mut bytes = whole.clone();
        bytes[page * 16384..(page + 1) * 16384].fill(0);
        damaged.push((format!("page {page} is zero"), bytes));
    }
    let mut random = 0x9E37_79B9_7F4A_7C15u64;
    for _ in 0..60 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut bytes = whole.clone();
        let (place, bit) = ((random >> 20) as usize % bytes.len(), (random >> 60) % 8);
        bytes[place] ^= 1 << bit;
        damaged.push((format!("bit {bit} of byte {place} is flipped"), bytes));
    }
    for (what, bytes) in damaged {
        let path = folder.path().join("damaged.db");
        for name in ["damaged.db", "damaged.db-wal", "damaged.db-shm"] {
            let _ = std::fs::remove_file(folder.path().join(name));
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Err(error) = use_everything(&path) {
            let clear = [ErrorKind::Corrupt, ErrorKind::Incompatible];
            assert!(clear.contains(&error.kind()), "{what}: {} {error}", error.kind());
        }
    }
}

#[test]
fn a_flipped_bit_in_a_message_is_found_by_verify() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.windows(8).position(|window| window == b"xxxxxxxx").unwrap();
    bytes[place] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let verified = Cdp::open_file(&path).unwrap().verify().unwrap();
    assert!(!verified.ok);
}

#[test]
fn what_an_open_reads_in_blocks_may_be_damaged_or_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let open = || {
        let mut options = OpenOptions::file(&path).clock(slot(100));
        options.flush_messages = 7;
        Cdp::open(options).unwrap()
    };
    let db = open();
    for n in 0..50 {
        let event = if n % 3 == 0 { "" } else { r#""event": "Bought", "# };
        let kind = if n % 3 == 0 { "identify" } else { "track" };
        db.send(json(&format!(
            r#"{{"type": "{kind}", {event}"messageId": "m{n}", "timestamp": "2024-01-01T00:00:{n:02}Z",
                "userId": "u{}", "anonymousId": "01234567-89ab-cdef-0123-456789abc0{n:02}"}}"#,
            n % 11
        )))
        .unwrap();
    }
    let expected = db.fingerprint(None).unwrap();
    db.close().unwrap();

    for damage in [
        "UPDATE node_blocks SET data = zeroblob(40) WHERE first_node = 9",
        "DELETE FROM node_blocks WHERE first_node = 3",
        "UPDATE link_blocks SET data = x'00' WHERE first_sequence = 13",
        "DELETE FROM link_blocks WHERE first_sequence = 5",
        "UPDATE run_beginnings SET data = x'01' WHERE block % 3 = 0",
        "DELETE FROM run_beginnings WHERE block % 3 = 1",
        "DELETE FROM node_blocks; DELETE FROM link_blocks; DELETE FROM run_beginnings",
    ] {
        sqlite(&path, damage);
        let db = open();
        assert_eq!(db.fingerprint(None).unwrap(), expected, "{damage}");
        let verified = db.verify().unwrap();
        assert!(verified.ok, "{damage}: {:?}", verified.faults);
        db.close().unwrap();
    }
}

#[test]
fn verify_finds_a_block_that_says_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let mut options = OpenOptions::file(&path).clock(slot(100));
    options.flush_messages = 7;
    let db = Cdp::open(options.clone()).unwrap();
    for n in 0..30 {
        let text = format!(r#"{{"type": "identify", "messageId": "m{n}", "userId": "u{n}", "anonymousId": "a{n}"}}"#);
        db.send(json(&text)).unwrap();
    }
    db.close().unwrap();

    // Each a whole block, but of other rows than those it stands for.
    sqlite(&path, "UPDATE nodes SET value = 'x' WHERE node = 4; DELETE FROM links WHERE sequence = 2;");
    let db = Cdp::open(options).unwrap();
    let verified = Value::from(db.verify().unwrap()).to_json();
    assert!(verified.contains("the blocks of identifiers differ from the identifiers"), "{verified}");
    assert!(verified.contains("the blocks of links differ from the links"), "{verified}");
}

fn ingest(db: &Cdp, text: &str, format: Format) -> Result<Receipt> {
    let mut options = IngestOptions::default();
    options.format = Some(format);
    db.ingest(Data::Bytes(text.as_bytes()), &options, None)
}

const GOOD: &str =
    r#"{"type": "track", "event": "Bought", "userId": "u1", "timestamp": "2024-01-01T00:00:00Z", "messageId": "ID"}"#;

#[test]
fn a_broken_line_is_a_reject_and_a_broken_array_one_reject_for_the_rest() {
    let db = in_memory();
    let good = |id: &str| GOOD.replace("ID", id);
    let lines = format!("{}\n{{\"type\": \"track\", \n{}\n\n[1, 2]\n{}\n", good("1"), good("2"), good("3"));
    let receipt = ingest(&db, &lines, Format::Ndjson).unwrap();
    assert_eq!((receipt.accepted, receipt.rejected, receipt.messages), (3, 2, 5));
    let array = format!("[{}, {}, {{\"type\": , {}]", good("4"), good("5"), good("6"));
    let receipt = ingest(&db, &array, Format::Json).unwrap();
    assert_eq!((receipt.accepted, receipt.rejected, receipt.messages), (2, 1, 3));
    assert_eq!(texts(&db.rejects(&RejectsQuery::new()).unwrap(), "reason").len(), 3);
    assert!(db.verify().unwrap().ok);
}

#[test]
fn wrong_values_are_rejects_that_keep_their_reason() {
    let nested = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases = [
        ("too_deep", GOOD.replace("\"ID\"", &format!("\"a\", \"properties\": {{\"x\": {nested}}}"))),
        ("too_large", GOOD.replace("ID", &"x".repeat(40_000))),
        ("bad_number", GOOD.replace("\"ID\"", r#""b", "properties": {"x": 1e21}"#)),
        ("bad_timestamp", GOOD.replace("2024-", "9999-")),
        ("bad_timestamp", GOOD.replace("2024-01-01T00:00:00Z", "yesterday")),
        ("missing_field", GOOD.replace(r#""event": "Bought", "#, "")),
        ("no_identifier", GOOD.replace(r#""userId": "u1", "#, "")),
        ("no_identifier", GOOD.replace("u1", "undefined")),
        ("unreadable", GOOD.replace("\"ID\"", "NaN")),
        ("unreadable", "\u{0}".to_owned()),
    ];
    for (reason, line) in cases {
        let db = in_memory();
        let receipt = ingest(&db, &line, Format::Ndjson).unwrap();
        assert_eq!((receipt.accepted, receipt.rejected), (0, 1), "{reason}");
        let rejects = db.rejects(&RejectsQuery::new()).unwrap();
        assert_eq!(texts(&rejects, "reason"), [reason], "{:?}", texts(&rejects, "detail"));
        assert_eq!(db.stats().unwrap().profiles, 0);
    }
}

#[test]
fn equal_rows_without_an_id_are_one_event() {
    let db = in_memory();
    let line = r#"{"type": "track", "event": "Bought", "userId": "u1", "timestamp": "2024-01-01T00:00:00Z"}"#;
    let receipt = ingest(&db, &format!("{line}\n{line}\n"), Format::Ndjson).unwrap();
    assert_eq!((receipt.accepted, receipt.duplicates), (1, 1));
}

#[test]
fn every_fault_of_a_definition_is_reported_at_once() {
    let db = in_memory();
    let definition = r#"{"kind": "audience", "name": "a", "colour": "red", "rule": {"all": [
        {"event": "Bought", "within": "30x"}, {"trait": "x", "op": "likes", "value": 1}]}}"#;
    let error = db.define(&[json(definition)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let pointers: Vec<&str> = error.faults().iter().map(|fault| fault.pointer.as_str()).collect();
    for pointer in ["/colour", "/rule/all/0/within", "/rule/all/1/op"] {
        assert!(pointers.iter().any(|found| found.ends_with(pointer)), "{pointer} is not among {pointers:?}");
    }
    let deep = format!("{}{{\"event\": \"x\"}}{}", "{\"not\": ".repeat(40), "}".repeat(40));
    let definition = format!("{{\"kind\": \"audience\", \"name\": \"a\", \"rule\": {deep}}}");
    assert_eq!(db.define(&[json(&definition)]).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(db.definitions().unwrap().len(), 1, "only the preset is there");
}

#[test]
fn every_write_to_a_read_only_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path());
    let bytes = std::fs::read(&path).unwrap();
    let db = Cdp::open(OpenOptions::file(&path).read_only()).unwrap();
    let message = json(&GOOD.replace("ID", "new"));
    let refused = [
        db.send(&message).map(|_| ()),
        ingest(&db, &GOOD.replace("ID", "new"), Format::Ndjson).map(|_| ()),
        db.define(&[json(r#"{"kind": "feature", "name": "n", "event": "Bought", "agg": "count"}"#)]).map(|_| ()),
        db.drop_definition("feature", "spend"),
        db.advance(None).map(|_| ()),
        db.rebuild(None).map(|_| ()),
        db.redrive(None, None).map(|_| ()),
    ];
    for answer in refused {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert!(db.profile(&json(r#"{"user_id": "u1"}"#), None).unwrap().is_some());
    db.close().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_closed_handle_refuses_every_verb_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let db = Cdp::open_file(store(folder.path())).unwrap();
    let clone = db.clone();
    db.close().unwrap();
    db.close().unwrap();
    let copy = folder.path().join("copy.db");
    let refused = [
        clone.send(json(&GOOD.replace("ID", "new"))).map(|_| ()),
        clone.profile(&json(r#"{"user_id": "u1"}"#), None).map(|_| ()),
        clone.fingerprint(None).map(|_| ()),
        clone.verify().map(|_| ()),
        clone.stats().map(|_| ()),
        clone.definitions().map(|_| ()),
        clone.ingest(Data::Bytes(b"{}"), &IngestOptions::from_source("shop"), None).map(|_| ()),
        clone.backup(&copy),
    ];
    for answer in refused {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Closed);
    }
    assert!(!copy.exists(), "a refused backup leaves no file");
}

#[test]
fn a_backup_holds_the_same_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let db = Cdp::open_file(store(folder.path())).unwrap();
    let copy = folder.path().join("copy.db");
    db.backup(&copy).unwrap();
    assert_eq!(db.backup(&copy).unwrap_err().kind(), ErrorKind::Conflict);
    let restored = Cdp::open_file(&copy).unwrap();
    assert_eq!(restored.fingerprint(None).unwrap(), db.fingerprint(None).unwrap());
    assert!(restored.verify().unwrap().ok);
    let id = |db: &Cdp| db.profile(&json(r#"{"user_id": "u1"}"#), None).unwrap().unwrap().id;
    assert_eq!(id(&restored), id(&db), "profile ids survive a backup");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_files_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;
    // The umask belongs to the process, so a child of this test takes the wide one.
    if std::env::var_os("CDP_UMASK_CHILD").is_none() {
        let status = Command::new("sh")
            .args(["-c", "umask 000; exec \"$0\" --exact only_the_owner_can_read_the_files_whatever_the_umask"])
            .arg(std::env::current_exe().unwrap())
            .env("CDP_UMASK_CHILD", "1")
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let db = Cdp::open_file(folder.path().join("shop.db")).unwrap();
    db.send(json(&GOOD.replace("ID", "1"))).unwrap();
    db.backup(&folder.path().join("copy.db")).unwrap();
    let names = files(folder.path());
    for name in ["shop.db", "shop.db-wal", "shop.db-shm", "copy.db"] {
        assert!(names.contains(&name.to_owned()), "{name} is not among {names:?}");
    }
    for name in names {
        let mode = std::fs::metadata(folder.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_json()
}

#[test]
fn no_naughty_string_breaks_anything_or_joins_two_people() {
    let Some(file) = shared_data("messy/naughty-strings/blns.json") else { return };
    let list = json(&std::fs::read_to_string(file).unwrap());
    let db = in_memory();
    for (number, text) in list.as_list().unwrap().iter().filter_map(Value::as_text).enumerate() {
        let naughty = quoted(text);
        // Two people share the string as a trait, an event name, a property and a source of placeholders.
        for person in ["x", "y"] {
            let message = format!(
                "{{\"type\": \"identify\", \"userId\": \"{person}{number}\", \"messageId\": \"{person}{number}\", \
                  \"traits\": {{\"name\": {naughty}, {}: 1}}}}",
                quoted(&format!("t{text}"))
            );
            db.send(json(&message)).unwrap();
            for message in [
                format!(
                    "{{\"type\": \"track\", \"event\": {naughty}, \"userId\": \"{person}{number}\", \"properties\": {{\"x\": {naughty}}}}}"
                ),
                format!(
                    "{{\"type\": \"track\", \"event\": \"E\", \"anonymousId\": {naughty}, \"messageId\": {naughty}}}"
                ),
                format!("{{\"type\": \"track\", \"event\": \"E\", \"userId\": {naughty}, \"timestamp\": {naughty}}}"),
                format!("{{\"type\": \"identify\", \"userId\": {naughty}, \"traits\": {{\"phone\": {naughty}}}}}"),
                format!("{{\"type\": \"identify\", \"anonymousId\": {naughty}, \"traits\": {{\"email\": {naughty}}}}}"),
            ] {
                if let Err(error) = db.send(json(&message)) {
                    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
                }
            }
        }
        for identifier in ["user_id", "anonymous_id", "email", "phone", "profile_id"] {
            let _ = db.profile(&Value::object([(identifier, Value::from(text))]), None);
        }
        let known = db.profile(&json(&format!("{{\"user_id\": \"x{number}\"}}")), None).unwrap().unwrap();
        assert_eq!(known.traits.get("name"), Some(&Value::from(text)), "the trait came back as it was");
    }
    assert!(db.verify().unwrap().ok);
}

#[test]
fn no_profiles_are_joined_through_a_placeholder() {
    for placeholder in [
        "",
        " ",
        "null",
        "NULL",
        "undefined",
        "N/A",
        "none",
        "nil",
        "NaN",
        "0",
        "-",
        "unknown",
        "00000000-0000-0000-0000-000000000000",
        "anonymous",
        "guest",
        "test@test.com",
        "n/a@n/a",
    ] {
        let db = in_memory();
        for (field, traits) in [("anonymousId", ""), ("userId", "email"), ("userId", "phone")] {
            for person in ["x", "y"] {
                let named = match traits {
                    "" => format!("\"userId\": \"{person}\", \"{field}\": {}", quoted(placeholder)),
                    name => format!("\"userId\": \"{person}\", \"traits\": {{\"{name}\": {}}}", quoted(placeholder)),
                };
                db.send(json(&format!("{{\"type\": \"identify\", {named}}}"))).unwrap();
            }
        }
        assert_eq!(db.stats().unwrap().profiles, 2, "through {placeholder:?}");
    }
}

#[test]
fn no_error_repeats_a_value_of_a_person() {
    const CANARY: &str = "canary-4711@secret.example";
    let db = in_memory();
    let canary = quoted(CANARY);
    let mut said: Vec<String> = Vec::new();
    let all_of = |error: cdp_core::Error| {
        [format!("{error}"), format!("{error:?}"), cdp_core::wire::error_value(&error).to_json()]
    };
    for message in [
        format!("{{\"type\": {canary}, \"userId\": \"u\"}}"),
        format!("{{\"type\": \"track\", \"event\": \"E\", \"userId\": \"u\", \"timestamp\": {canary}}}"),
        format!("{{\"type\": \"track\", \"userId\": {canary}}}"),
        format!("{{\"type\": \"track\", \"event\": [{canary}], \"userId\": \"u\"}}"),
        format!("{{\"type\": \"identify\", \"userId\": {{\"id\": {canary}}}}}"),
        format!("{{\"type\": \"identify\", \"userId\": \"u\", \"traits\": [{canary}]}}"),
        format!("{{\"type\": \"identify\", \"traits\": {{\"name\": {canary}}}}}"),
        format!("{{\"type\": \"identify\", \"userId\": \"u\", \"messageId\": [{canary}]}}"),
        format!("{{\"type\": \"alias\", \"userId\": \"u\", \"previousId\": [{canary}]}}"),
        format!(
            "{{\"type\": \"track\", \"event\": \"E\", \"userId\": \"u\", \"properties\": {{\"a\": 1e30, \"b\": {canary}}}}}"
        ),
        canary.clone(),
        format!("[{canary}]"),
    ] {
        // Some of these are refused before they become a value.
        let sent = Value::parse(message.as_bytes()).map(|message| db.send(&message));
        said.extend(sent.into_iter().filter_map(Result::err).flat_map(all_of));
        let receipt = ingest(&db, &message, Format::Ndjson).unwrap();
        said.push(format!("{:?}", receipt.first_rejects));
        said.push(format!("{:?}", receipt.warnings));
    }
    for broken in [format!("{{\"a\": {canary}"), format!("{{{canary} 1}}"), CANARY.to_owned()] {
        let receipt = ingest(&db, &broken, Format::Ndjson).unwrap();
        said.push(format!("{:?}", receipt.first_rejects));
        said.push(cdp_core::wire::call_json(&db, "send", &broken));
        said.push(cdp_core::wire::call_json(&db, "track", &broken));
    }
    said.extend(texts(&db.rejects(&RejectsQuery::new()).unwrap(), "detail"));
    let wanted = Value::object([("email", Value::List(vec![Value::from(CANARY)]))]);
    let errors = [
        db.profile(&wanted, None).err(),
        db.profile(&Value::from(CANARY), None).err(),
        cdp_core::wire::call(
            &db,
            "consent",
            &Value::object([
                ("identifier", json(r#"{"user_id": "u"}"#)),
                ("purpose", Value::from("marketing")),
                ("status", Value::from("granted")),
                ("timestamp", Value::from(CANARY)),
            ]),
        )
        .err(),
        db.ingest(Data::Path(PathBuf::from(CANARY)), &IngestOptions::default(), None).err(),
    ];
    said.extend(errors.into_iter().flatten().flat_map(all_of));
    said.push(format!("{db:?}"));
    assert!(said.len() > 40);
    for text in said {
        assert!(!text.contains("4711"), "{text}");
    }
}

#[test]
fn a_store_in_memory_knows_every_verb_and_leaves_no_file() {
    let db = in_memory();
    db.send(json(&GOOD.replace("ID", "1"))).unwrap();
    assert_eq!(db.stats().unwrap().messages, 1);
    db.advance(Some(Timestamp::parse("2025-01-01T00:00:00Z").unwrap())).unwrap();
    db.fingerprint(None).unwrap();
    assert!(db.verify().unwrap().ok);
}
