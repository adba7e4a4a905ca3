//! The files of a store under the hands of others: what an export or a backup may replace, what a store does when its
//! own files are deleted, moved or replaced, and that no verb drops the locks that SQLite holds on them.

use std::path::{Path, PathBuf};

use cdp_core::cdp::{ConsentOptions, Data, ExportRequest, IngestOptions, Query};
use cdp_core::records::Value;
use cdp_core::{Cdp, ErrorKind, OpenOptions, Result};
use cdp_tests::history::slot;
use cdp_tests::json;

const AUDIENCE: &str = r#"{"kind": "audience", "name": "viewers", "rule": {"event": "Viewed", "count": {"gte": 1}}}"#;

fn view(n: usize) -> Value {
    json(&format!(
        r#"{{"type": "track", "event": "Viewed", "userId": "u{}", "messageId": "m{n:05}", "timestamp": "2024-01-01T00:00:00Z"}}"#,
        n % 50
    ))
}

fn options(path: &Path) -> OpenOptions {
    OpenOptions::file(path).clock(slot(100))
}

/// A store with an audience of one person, in a file.
fn store(path: &Path) -> Cdp {
    let db = Cdp::open(options(path)).unwrap();
    db.define(&[json(AUDIENCE)]).unwrap();
    db.send(view(1)).unwrap();
    db.consent(&json(r#"{"user_id": "u1"}"#), "marketing", true, &ConsentOptions::new()).unwrap();
    db
}

fn export(db: &Cdp, path: &Path) -> Result<Value> {
    let request =
        ExportRequest::new().audience("viewers").path(path.to_str().unwrap()).format("csv").purpose("marketing");
    db.export(&request).map(Value::from)
}

fn messages(db: &Cdp) -> i64 {
    i64::try_from(db.stats().unwrap().messages).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A file of a store: `shop.db` and `-wal` give `shop.db-wal`.
fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A connection of another program to a database of its own.
#[expect(clippy::disallowed_methods, reason = "plays another program")]
fn other_program(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

/// The export is refused as `invalid`, and the folder has the files that it had, byte for byte.
fn refuses_export(db: &Cdp, target: &Path) {
    let folder = target.parent().unwrap();
    let before = names(folder);
    let error = export(db, target).expect_err(&format!("an export to {} went through", target.display()));
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.hint().is_some(), "{error}");
    assert_eq!(names(folder), before, "after a refused export to {}", target.display());
}

#[test]
fn an_export_never_replaces_a_store_that_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let db = store(&path);
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    refuses_export(&db, &path);
    refuses_export(&db, &folder.path().join("sub/../shop.db"));
    for suffix in ["-wal", "-shm", "-journal"] {
        refuses_export(&db, &companion(&path, suffix));
        assert!(db.backup(&companion(&path, suffix)).is_err());
    }
    assert!(!companion(&path, "-journal").exists(), "SQLite would roll such a journal back into the store");
    // Another open store is as safe as the own one.
    let other_path = folder.path().join("other.db");
    let other = store(&other_path);
    refuses_export(&db, &other_path);
    refuses_export(&other, &path);
    // Everything acknowledged before and after is in the file.
    db.send(view(2)).unwrap();
    let fingerprint = db.fingerprint(None).unwrap();
    db.close().unwrap();
    let db = Cdp::open(options(&path)).unwrap();
    assert_eq!((messages(&db), db.fingerprint(None).unwrap()), (3, fingerprint));
}

#[cfg(unix)]
#[test]
fn a_store_is_recognized_by_whatever_name_it_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let db = store(&path);
    for suffix in ["", "-wal", "-shm"] {
        let file = companion(&path, suffix);
        let (soft, hard) = (folder.path().join("soft.csv"), folder.path().join("hard.csv"));
        std::os::unix::fs::symlink(&file, &soft).unwrap();
        std::fs::hard_link(&file, &hard).unwrap();
        refuses_export(&db, &soft);
        refuses_export(&db, &hard);
        std::fs::remove_file(soft).unwrap();
        std::fs::remove_file(hard).unwrap();
    }
    // Through a link to the folder as well, also for a companion that does not exist.
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    refuses_export(&db, &link.join("shop.db"));
    refuses_export(&db, &link.join("shop.db-journal"));
}

#[test]
fn an_export_never_replaces_a_database_that_is_not_open_here() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(&folder.path().join("shop.db"));
    let closed = folder.path().join("closed.db");
    store(&closed).close().unwrap();
    let foreign = folder.path().join("foreign.sqlite");
    other_program(&foreign).execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1);").unwrap();
    for path in [&closed, &foreign] {
        let bytes = std::fs::read(path).unwrap();
        refuses_export(&db, path);
        // A log or journal beside it would be applied to it when it is opened next.
        for suffix in ["-wal", "-shm", "-journal"] {
            refuses_export(&db, &companion(path, suffix));
        }
        assert_eq!(std::fs::read(path).unwrap(), bytes);
    }
    // In use by another program, with a log.
    let used = other_program(&foreign);
    used.execute_batch("PRAGMA journal_mode = WAL; INSERT INTO t VALUES (2);").unwrap();
    for suffix in ["", "-wal", "-shm"] {
        refuses_export(&db, &companion(&foreign, suffix));
    }
    // A log alone, as a crash and a clumsy copy leave it.
    let log = folder.path().join("left-over");
    std::fs::copy(companion(&foreign, "-wal"), &log).unwrap();
    refuses_export(&db, &log);
}

#[test]
fn an_export_replaces_regular_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(&folder.path().join("shop.db"));
    let sub = folder.path().join("sub");
    std::fs::create_dir(&sub).unwrap();
    refuses_export(&db, &sub);
    #[cfg(unix)]
    {
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        refuses_export(&db, &pipe);
        // Never a device of the machine: a failing test would replace it.
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        refuses_export(&db, &socket);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        refuses_export(&db, &link);
    }
    // What may be replaced is: a file of any other content, an empty one, and none.
    for content in [Some("SQL"), Some(""), None] {
        let path = folder.path().join("viewers.csv");
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        assert_eq!(export(&db, &path).unwrap().get("rows"), Some(&Value::integer(1)));
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("profile_id,"));
        std::fs::remove_file(&path).unwrap();
    }
    let left: Vec<String> = names(folder.path()).into_iter().filter(|name| name.contains("partial")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn exports_to_one_path_at_a_time_do_not_fail_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(&folder.path().join("shop.db"));
    let target = folder.path().join("viewers.csv");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..25).for_each(|_| drop(export(&db, &target).unwrap())));
        }
    });
    assert!(std::fs::read_to_string(&target).unwrap().starts_with("profile_id,"));
    assert_eq!(names(folder.path()), ["shop.db", "shop.db-shm", "shop.db-wal", "viewers.csv"]);
}

/// The locks that processes hold on a file, as Linux counts them.
///
/// The system lists locks piece by piece, so that one can stand twice or be passed over while others change. The locks of
/// several looks are taken together: a lock that is lost stays lost, and no look finds it.
#[cfg(target_os = "linux")]
fn locks(path: &Path) -> std::collections::BTreeSet<String> {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{} ", std::fs::metadata(path).unwrap().ino());
    let look = |_| {
        let listed = std::fs::read_to_string("/proc/locks").unwrap();
        let of_file = listed.lines().filter(|line| line.contains("POSIX") && line.contains(&inode));
        of_file.filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect::<Vec<_>>()
    };
    (0..20).flat_map(look).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn no_verb_drops_the_locks_on_an_open_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let db = store(&path);
    let files = ["", "-shm"].map(|suffix| companion(&path, suffix));
    let held = files.each_ref().map(|file| locks(file));
    assert!(held.iter().all(|locks| !locks.is_empty()), "{held:?}");
    let check = |verb: &str| assert_eq!(files.each_ref().map(|file| locks(file)), held, "after {verb}");

    for file in &files {
        export(&db, file).unwrap_err();
        check("export");
        db.backup(file).unwrap_err();
        check("backup");
        let error = db.ingest(Data::Path(file.clone()), &IngestOptions::default(), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        check("ingest");
        let definitions = folder.path().join("definitions.json");
        std::os::unix::fs::symlink(file, &definitions).unwrap();
        let error = db.define_path(&definitions).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        std::fs::remove_file(&definitions).unwrap();
        check("define");
    }
    let mut unshared = options(&path);
    unshared.unshared = true;
    let second = Cdp::open(unshared).unwrap();
    second.send(view(2)).unwrap();
    second.close().unwrap();
    check("a second open");
    let (soft, hard) = (folder.path().join("soft.db"), folder.path().join("hard.db"));
    std::os::unix::fs::symlink(&path, &soft).unwrap();
    std::fs::hard_link(&path, &hard).unwrap();
    for name in [&soft, &hard] {
        // The same store, so with other options than the first open it is refused.
        assert_eq!(Cdp::open(options(name)).unwrap_err().kind(), ErrorKind::Conflict);
        check("an open of another name with other options");
        let again = Cdp::open(OpenOptions::file(name)).unwrap();
        again.send(view(3)).unwrap();
        check("an open of another name");
        assert_eq!(messages(&again), messages(&db));
        again.close().unwrap();
        check("a close of another name");
    }
    // A log beside the hard link would be a second truth about one file.
    assert!(!companion(&hard, "-wal").exists());
    let mut apart = options(&hard);
    apart.unshared = true;
    assert_eq!(Cdp::open(apart).unwrap_err().kind(), ErrorKind::Conflict);
    check("an unshared open of another name");
}

#[test]
fn a_store_opens_under_its_new_name_once_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("shop.db"), folder.path().join("moved.db"));
    let db = store(&path);
    let other_handle = db.clone();
    db.close().unwrap();
    std::fs::rename(&path, &moved).unwrap();
    let again = Cdp::open(options(&moved)).unwrap();
    assert_eq!(messages(&again), 2);
    drop(other_handle);
    again.send(view(2)).unwrap();
    refuses_export(&again, &moved);
}

/// A store of some megabytes.
fn large_store(path: &Path) {
    let db = Cdp::open(options(path)).unwrap();
    let message = |n: usize| {
        json(&format!(
            r#"{{"type": "track", "event": "Viewed", "userId": "u{n}", "messageId": "m{n}", "properties": {{"note": "{n:0>900}"}}}}"#
        ))
    };
    db.ingest(Data::Values(Box::new((0..3_000).map(|n| Ok(message(n))))), &IngestOptions::default(), None).unwrap();
    db.close().unwrap();
    assert!(std::fs::metadata(path).unwrap().len() > 1024 * 1024);
}

/// Backs up in a process of its own that may write no file beyond half a megabyte: the system kills it there, or, where it
/// ignores that signal, fails the write. Gives whether the process succeeded.
#[cfg(unix)]
fn backup_stopped_midway(store: &Path, target: &Path, ignores_signal: bool) -> bool {
    let trap = if ignores_signal { "trap '' XFSZ; " } else { "" };
    // POSIX counts in blocks of 512 bytes; a shell that counts in kilobytes only stops later.
    let script = format!("{trap}ulimit -c 0; ulimit -f 1000; exec \"$0\" \"$@\"");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_backup_worker")]).arg(store).arg(target);
    command.stderr(std::process::Stdio::null()).status().unwrap().success()
}

#[cfg(unix)]
#[test]
fn a_backup_that_was_stopped_midway_leaves_no_store_and_the_next_one_works() {
    for ignores_signal in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("shop.db"), folder.path().join("backup/copy.db"));
        std::fs::create_dir(target.parent().unwrap()).unwrap();
        large_store(&path);
        assert!(!backup_stopped_midway(&path, &target, ignores_signal));
        assert!(!target.exists(), "half a backup lies where the whole one should");
        let left = names(target.parent().unwrap());
        if ignores_signal {
            assert!(left.is_empty(), "a failed backup left {left:?}");
        }
        let db = Cdp::open(options(&path)).unwrap();
        db.backup(&target).unwrap();
        let restored = Cdp::open(options(&target)).unwrap();
        assert_eq!(restored.fingerprint(None).unwrap(), db.fingerprint(None).unwrap());
        assert!(restored.verify().unwrap().ok);
        let added: Vec<String> =
            names(target.parent().unwrap()).into_iter().filter(|name| !left.contains(name)).collect();
        assert_eq!(added, ["copy.db", "copy.db-shm", "copy.db-wal"]);
    }
}

#[test]
fn a_backup_takes_the_place_of_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(&folder.path().join("shop.db"));
    let target = folder.path().join("copy.db");
    std::fs::write(&target, "mine").unwrap();
    assert_eq!(db.backup(&target).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "mine");
    std::fs::remove_file(&target).unwrap();
    std::fs::create_dir(&target).unwrap();
    assert_eq!(db.backup(&target).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(db.backup(&folder.path().join("no/copy.db")).unwrap_err().kind(), ErrorKind::Io);
    #[cfg(unix)]
    {
        // A link that leads nowhere: what it names is not made.
        let (link, aim) = (folder.path().join("link.db"), folder.path().join("aim.db"));
        std::os::unix::fs::symlink(&aim, &link).unwrap();
        assert_eq!(db.backup(&link).unwrap_err().kind(), ErrorKind::Conflict);
        assert!(!aim.exists());
    }
    let left: Vec<String> = names(folder.path()).into_iter().filter(|name| name.contains("partial")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// No call is acknowledged, each says `io`.
#[cfg(unix)]
fn acknowledges_nothing(db: &Cdp, what: &str) {
    let answers = [
        ("send", db.send(view(900)).map(drop)),
        (
            "ingest",
            db.ingest(Data::Values(Box::new([Ok(view(901))].into_iter())), &IngestOptions::default(), None).map(drop),
        ),
        ("define", db.define(&[json(&AUDIENCE.replace("viewers", "others"))]).map(drop)),
        ("consent", db.consent(&json(r#"{"user_id": "u1"}"#), "ads", false, &ConsentOptions::new()).map(drop)),
    ];
    for (verb, answer) in answers {
        let error = answer.expect_err(&format!("{verb} was acknowledged after {what}"));
        assert_eq!(error.kind(), ErrorKind::Io, "{verb} after {what}: {error}");
        assert!(error.hint().is_some(), "{error}");
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    db.send_queued(view(902), move |receipt| sender.send(receipt.map(drop)).unwrap());
    assert_eq!(receiver.recv().unwrap().expect_err(what).kind(), ErrorKind::Io);
}

#[cfg(unix)]
#[test]
fn nothing_is_acknowledged_once_a_file_of_the_store_is_deleted_renamed_or_replaced() {
    for suffix in ["", "-wal", "-shm"] {
        for what in ["deleted", "renamed", "replaced"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("shop.db");
            let db = store(&path);
            let (file, aside) = (companion(&path, suffix), folder.path().join("aside"));
            match what {
                "deleted" => std::fs::remove_file(&file).unwrap(),
                "renamed" => std::fs::rename(&file, &aside).unwrap(),
                _ => {
                    std::fs::copy(&file, &aside).unwrap();
                    std::fs::rename(&aside, &file).unwrap();
                }
            }
            acknowledges_nothing(&db, &format!("shop.db{suffix} was {what}"));
            if suffix.is_empty() {
                // A read of everybody says so as well.
                assert_eq!(db.profiles(&Query::default()).unwrap_err().kind(), ErrorKind::Io);
            }
            if what == "renamed" {
                std::fs::rename(&aside, &file).unwrap();
                // Back in its place it is the store that it was, with what had been acknowledged.
                assert_eq!(messages(&db), 2);
                db.send(view(3)).unwrap();
                db.close().unwrap();
                let db = Cdp::open(options(&path)).unwrap();
                assert_eq!(messages(&db), 3);
                assert!(db.verify().unwrap().ok);
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn an_open_after_the_file_was_deleted_is_not_the_store_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let gone = store(&path);
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(companion(&path, suffix)).unwrap();
    }
    let new = Cdp::open(options(&path)).unwrap();
    assert_eq!(messages(&new), 0);
    new.send(view(7)).unwrap();
    acknowledges_nothing(&gone, "another store took its place");
    // What the old one does when it closes leaves the new one whole.
    gone.close().unwrap();
    new.send(view(8)).unwrap();
    new.close().unwrap();
    let new = Cdp::open(options(&path)).unwrap();
    assert_eq!(messages(&new), 2);
    assert!(new.verify().unwrap().ok);
}

#[cfg(windows)]
#[test]
fn the_system_refuses_to_delete_or_rename_an_open_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let db = store(&path);
    for suffix in ["", "-wal", "-shm"] {
        let file = companion(&path, suffix);
        assert!(std::fs::remove_file(&file).is_err(), "{suffix} could be deleted");
        assert!(std::fs::rename(&file, folder.path().join("aside")).is_err(), "{suffix} could be renamed");
    }
    db.send(&view(2)).unwrap();
    db.close().unwrap();
    assert_eq!(messages(&Cdp::open(options(&path)).unwrap()), 3);
}
