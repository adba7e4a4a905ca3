//! The arrows between the rooms of cdp-core (DESIGN section 3), read from its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cdp_tests::repository;

/// Rooms of the data flow: what one leaves in the store, the next finds there.
const FLOW: [&str; 7] = ["intake", "identity", "features", "audiences", "predict", "activate", "privacy"];
/// What stands above them: an open store, and the verbs that act on it.
const KERNEL: [&str; 3] = ["engine", "verbs", "cdp"];
/// Plain ground that everybody may stand on.
const GROUND: [&str; 3] = ["error", "clock", "records"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file of the core: its room and its code, without comments and unit tests.
fn code() -> Vec<(String, PathBuf, String)> {
    let root = repository().join("cdp-core/src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut code = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&root).unwrap().to_owned();
        if relative.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs") {
            continue;
        }
        let room = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        code.push((room.trim_end_matches(".rs").to_owned(), relative, lines.join("\n")));
    }
    code
}

/// The rooms that a source names after `crate::`, also within braces.
fn named_rooms(text: &str) -> BTreeSet<String> {
    let name =
        |text: &str| -> String { text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut rooms = BTreeSet::new();
    for part in text.split("crate::").skip(1) {
        if let Some(list) = part.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (place, letter) in list.char_indices() {
                match letter {
                    '}' if depth == 0 => break,
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    _ if start && !letter.is_whitespace() => {
                        rooms.insert(name(&list[place..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            rooms.insert(name(part));
        }
    }
    rooms
}

/// Room -> the rooms it names, with one of the files that do.
fn arrows() -> BTreeMap<String, BTreeMap<String, PathBuf>> {
    let mut arrows: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
    for (room, file, text) in code() {
        for target in named_rooms(&text) {
            if target != room {
                arrows.entry(room.clone()).or_default().insert(target, file.clone());
            }
        }
    }
    arrows
}

fn check(room: &str, may: &[&str]) {
    for (target, file) in arrows().remove(room).unwrap_or_default() {
        assert!(may.contains(&target.as_str()), "{} names crate::{target}", file.display());
    }
}

#[test]
fn the_reader_of_arrows_reads_all_forms() {
    let found = named_rooms("use crate::store::Facts; use crate::{rules::{a, b}, error::Error}; crate::intake::rows()");
    assert_eq!(found.into_iter().collect::<Vec<String>>(), ["error", "intake", "rules", "store"]);
    assert!(code().len() > 50);
    assert!(arrows()["verbs"].contains_key("intake"));
}

#[test]
fn flow_rooms_never_import_each_other() {
    let mut may: Vec<&str> = GROUND.to_vec();
    may.extend(["definitions", "rules", "store"]);
    for room in FLOW {
        check(room, &may);
    }
}

#[test]
fn the_ground_knows_no_room_and_definitions_know_no_store() {
    check("error", &[]);
    check("records", &["error"]);
    check("clock", &["error", "records"]);
    check("definitions", &GROUND);
    check("rules", &["error", "records", "definitions"]);
    // To its left in the reading order: it gives events in the form that rules ask for.
    check("store", &["error", "records", "rules"]);
}

#[test]
fn wire_holds_no_logic_beyond_the_handle() {
    check("wire", &["error", "records", "definitions", "cdp"]);
    let text = std::fs::read_to_string(repository().join("cdp-core/src/wire.rs")).unwrap();
    // Of the definitions it needs the nearest name for an error, nothing else.
    for part in text.split("crate::definitions::").skip(1) {
        assert!(part.starts_with("nearest"), "wire names crate::definitions::{}", part.lines().next().unwrap());
    }
}

#[test]
fn only_the_handle_knows_all_rooms() {
    for (room, targets) in arrows() {
        let flow: Vec<&String> = targets.keys().filter(|target| FLOW.contains(&target.as_str())).collect();
        assert!(KERNEL.contains(&room.as_str()) || flow.is_empty(), "{room} names {flow:?}");
        assert!(["cdp", "wire", "lib"].contains(&room.as_str()) || !targets.contains_key("cdp"), "{room} names cdp");
        let above: Vec<&String> = targets.keys().filter(|target| KERNEL.contains(&target.as_str())).collect();
        assert!(KERNEL.contains(&room.as_str()) || room == "wire" || above.is_empty(), "{room} names {above:?}");
    }
}

#[test]
fn only_the_store_knows_sqlite_and_only_the_clock_the_time() {
    for (room, file, text) in code() {
        assert!(room == "store" || !text.contains("rusqlite"), "{} names rusqlite", file.display());
        let reads_clock = text.contains("SystemTime") || text.contains("Instant::now") || text.contains("Utc::now");
        assert!(room == "clock" || !reads_clock, "{} reads a clock", file.display());
        assert!(file == Path::new("store/random.rs") || !text.contains("getrandom"), "{} draws chance", file.display());
    }
}

#[test]
fn the_core_has_no_unsafe_code() {
    let root = std::fs::read_to_string(repository().join("cdp-core/src/lib.rs")).unwrap();
    assert!(root.contains("#![forbid(unsafe_code)]"));
    for (_, file, text) in code() {
        assert!(!text.contains("unsafe {") && !text.contains("unsafe fn"), "{}", file.display());
    }
}

#[test]
fn the_core_depends_on_no_binding() {
    let lock = std::fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let name = package.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().trim_matches('"');
        let listed = package.split("dependencies = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or("");
        let dependencies = listed.lines().map(|line| line.trim().trim_end_matches(',').trim_matches('"'));
        let names = dependencies.filter(|line| !line.is_empty()).filter_map(|line| line.split(' ').next());
        needs.entry(name).or_default().extend(names);
    }
    let (mut open, mut tree) = (vec!["cdp-core"], BTreeSet::new());
    while let Some(name) = open.pop() {
        if tree.insert(name) {
            open.extend(needs.get(name).into_iter().flatten());
        }
    }
    assert!(tree.contains("rusqlite"));
    for binding in ["pyo3", "pyo3-ffi", "napi", "napi-sys", "arrow-array", "tokio"] {
        assert!(!tree.contains(binding), "cdp-core depends on {binding}");
    }
}
