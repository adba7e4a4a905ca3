//! The arrows between the modules of cdp-core (DESIGN section 3), read from its sources.
//!
//! A module names only what the table allows it; modules do not need each other in circles, nor do the files of a module; and
//! methods of a type are written in its module. What today's code still owes stands in two lists, which may
//! only become shorter: an entry that is no longer true fails the test as well.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must say where")]

use std::collections::{BTreeMap, BTreeSet};

use cdp_tests::arrows::{Arrow, Calls, Impl, Sources, circles};
use cdp_tests::repository;

/// What everything may stand on.
const GROUND: [&str; 2] = ["error", "records"];
/// Functions of their input: no file, no handle, and they never name each other.
const CRAFTS: [&str; 4] = ["rules", "linkage", "intake", "predict"];
/// What an open store is made of.
const STATE: [&str; 4] = ["identity", "store", "audiences", "privacy"];
/// One module for each group of verbs; they never name each other.
const VERBS: &str = "verbs/";

/// The modules that a module may name; `None` for a module that the table does not know.
fn allowed(module: &str) -> Option<Vec<&'static str>> {
    let and = |more: &[&'static str]| Some([GROUND.as_slice(), more].concat());
    let all_below_engine = || [&["clock", "sync", "stop", "definitions"], CRAFTS.as_slice(), STATE.as_slice()].concat();
    match module {
        "error" | "sync" => Some(Vec::new()),
        "records" | "stop" => Some(vec!["error"]),
        "clock" => and(&[]),
        "definitions" => and(&["clock"]),
        "rules" | "linkage" | "intake" | "predict" => and(&["clock", "stop", "definitions"]),
        "identity" => and(&["definitions", "rules"]),
        // It gives events in the form that rules ask for.
        "store" => and(&["sync", "rules"]),
        "audiences" | "privacy" => and(&["clock", "sync", "definitions", "rules", "store"]),
        "engine" => and(&all_below_engine()),
        // The rows of the verb table are made of these; they name no verb.
        "verbs/parameter" => and(&[]),
        "verbs/request" => and(&["definitions", "engine", "verbs/parameter"]),
        "verbs/verb" => and(&["engine", "verbs/parameter", "verbs/request"]),
        verb if verb.starts_with(VERBS) => {
            let of_rows = ["engine", "verbs/parameter", "verbs/request", "verbs/verb"];
            and(&[all_below_engine().as_slice(), &of_rows].concat())
        }
        // Their list alone; a part of the list is named by its own module.
        "verbs" => and(&["engine"]),
        "cdp" => and(&[all_below_engine().as_slice(), &["engine", "verbs"]].concat()),
        "wire" => and(&["definitions", "engine", "verbs", "cdp"]),
        "http" => and(&["wire"]),
        _ => None,
    }
}

/// A rule tree is recursive: a leaf asks other rules, features and audiences, and each aggregate implements the trait of the
/// list that names it. Files of this module may need each other.
const RECURSIVE: &str = "rules/";

/// Files that still need each other in a circle.
const CIRCLES_OWED: [&str; 0] = [];

/// Inherent impls apart from their type that are still to be moved or made functions.
const IMPLS_APART_OWED: [&str; 0] = [];

fn core() -> Sources {
    Sources::below(&repository().join("cdp-core/src"))
}

/// The module of a file, or of a path from the root of the crate.
fn module_of(name: &str) -> String {
    let mut parts = name.split("::").flat_map(|part| part.split('/')).map(|part| part.trim_end_matches(".rs"));
    match (parts.next().unwrap_or(""), parts.next()) {
        ("verbs", Some(module)) if module != "mod" => format!("{VERBS}{module}"),
        (module, _) => module.to_owned(),
    }
}

/// The module that an arrow leads to: the one that the path names, or that of the file where it names the crate's root.
fn target_of(sources: &Sources, arrow: &Arrow) -> String {
    let named = module_of(&arrow.path);
    if sources.files().any(|file| module_of(file) == named) { named } else { module_of(&arrow.to) }
}

/// What breaks the table of modules.
fn forbidden_arrows(sources: &Sources) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for arrow in sources.arrows() {
        let (from, to) = (module_of(&arrow.from), target_of(sources, &arrow));
        if from == "lib" || from == to {
            continue;
        }
        match allowed(&from) {
            None => found.insert(format!("the module {from} has no row in the table of modules")),
            Some(may) if may.iter().any(|module| *module == to || (*module == "verbs" && to.starts_with(VERBS))) => {
                false
            }
            Some(_) => found.insert(format!("{} names {}, of {to}", arrow.from, arrow.path)),
        };
    }
    found
}

/// Modules that need each other in a circle.
fn circles_of_modules(sources: &Sources) -> Vec<BTreeSet<String>> {
    let arrows: Vec<(String, String)> = sources
        .arrows()
        .iter()
        .map(|arrow| (module_of(&arrow.from), target_of(sources, arrow)))
        .filter(|(from, to)| from != "lib" && from != to)
        .collect();
    circles(arrows.into_iter())
}

/// Inherent impls outside the module of their type: a call of their methods is an arrow that no import shows. The methods of
/// the handle may stand in the modules of the verbs, and its opening in `cdp.rs`.
fn impls_apart(sources: &Sources) -> BTreeSet<String> {
    let is_apart = |found: &Impl| {
        let (home, module) = (module_of(&found.defined_in), module_of(&found.stands_in));
        let is_handle = found.of == "Cdp" && (module.starts_with(VERBS) || found.stands_in == "cdp.rs");
        !is_handle && home != module
    };
    let line = |found: Impl| format!("impl {} in {}", found.of, found.stands_in);
    sources.impls_apart().into_iter().filter(is_apart).map(line).collect()
}

/// Fails unless what was found is what is owed: neither more, nor less.
fn assert_owed(what: &str, found: &BTreeSet<String>, owed: &BTreeSet<String>) {
    let new: Vec<&String> = found.difference(owed).collect();
    assert!(new.is_empty(), "{what}, not allowed and not in the list of what is owed:\n{new:#?}");
    let paid: Vec<&String> = owed.difference(found).collect();
    assert!(paid.is_empty(), "{what}: no longer true, take them off the list of what is owed:\n{paid:#?}");
}

#[test]
fn modules_name_only_what_the_table_allows() {
    let sources = core();
    assert!(sources.files().count() > 150 && sources.arrows().len() > 500, "the sources are not read");
    assert_eq!(forbidden_arrows(&sources), BTreeSet::new());
    assert_eq!(circles_of_modules(&sources), Vec::<BTreeSet<String>>::new());
}

#[test]
fn files_do_not_need_each_other_in_circles() {
    let is_recursive = |circle: &BTreeSet<String>| circle.iter().all(|file| file.starts_with(RECURSIVE));
    let circles = core().circles().into_iter().filter(|circle| !is_recursive(circle));
    let found: BTreeSet<String> = circles.flatten().collect();
    assert_owed("files that need each other in a circle", &found, &CIRCLES_OWED.map(str::to_owned).into());
    for members in ["cdp-py", "cdp-node", "benches", "examples", "tests"] {
        let circles = Sources::below(&repository().join(members).join("src")).circles();
        assert!(circles.is_empty(), "{members}: {circles:#?}");
    }
}

#[test]
fn methods_are_written_in_the_module_of_their_type() {
    let owed = IMPLS_APART_OWED.map(str::to_owned).into();
    assert_owed("inherent impls outside the module of their type", &impls_apart(&core()), &owed);
}

#[test]
fn wire_holds_no_logic_beyond_the_handle() {
    // Of the definitions it needs the nearest name for an error, nothing else.
    for arrow in core().arrows().iter().filter(|arrow| arrow.from == "wire.rs") {
        let is_nearest = arrow.path == "definitions::nearest";
        assert!(is_nearest || module_of(&arrow.path) != "definitions", "wire names {}", arrow.path);
    }
}

#[test]
fn the_reader_of_arrows_reads_all_forms() {
    let sources = Sources::of([
        ("lib.rs", "mod a; mod b; mod c; pub use b::Deep;"),
        ("a/mod.rs", "mod one; pub(crate) use one::One; // crate::c::Comment\nconst T: &str = \"crate::c::Text\";"),
        (
            "a/one.rs",
            "use crate::{b::{self, Deep as Other}, c::Third}; struct One<'a>(&'a str); fn f() { b::deep(Other) }",
        ),
        ("b.rs", "mod inner { use super::super::a::One; fn g() -> crate::c::Third {} } pub struct Deep; fn deep() {}"),
        (
            "c.rs",
            "#[cfg(test)]\nmod tests; #[cfg(test)] use crate::a::One; struct Third; fn h() { self::i(); crate::Deep {} }",
        ),
        ("c/tests.rs", "use crate::a::One;"),
    ]);
    let arrows: Vec<String> = sources
        .arrows()
        .iter()
        .map(|arrow| {
            format!("{} {} {}{}", arrow.from, arrow.to, arrow.path, if arrow.is_passed_on { " passed" } else { "" })
        })
        .collect();
    let expected = [
        "a/mod.rs a/one.rs a::one::One passed",
        "a/one.rs b.rs b",
        "a/one.rs b.rs b::Deep",
        "a/one.rs c.rs c::Third",
        "b.rs a/one.rs a::One",
        "b.rs c.rs c::Third",
        "c.rs b.rs Deep",
        "lib.rs b.rs b::Deep passed",
    ];
    assert_eq!(arrows, expected);
    assert!(!sources.files().any(|file| file == "c/tests.rs"));
}

#[test]
fn a_planted_violation_is_found() {
    let forbidden = |texts: &[(&str, &str)]| forbidden_arrows(&Sources::of(texts.iter().copied()));
    let only = |found: BTreeSet<String>| found.into_iter().collect::<Vec<String>>().join("; ");
    let store = ("store/mod.rs", "pub struct Facts;");
    let up = "use super::super::super::store::Facts;";
    assert_eq!(only(forbidden(&[("rules/leaves/a.rs", up), store])), "rules/leaves/a.rs names store::Facts, of store");
    let other = ("verbs/govern/mod.rs", "pub fn f() {}");
    let found = forbidden(&[("verbs/define/mod.rs", "use super::govern::f;"), other]);
    assert_eq!(only(found), "verbs/define/mod.rs names verbs::govern::f, of verbs/govern");
    let found = forbidden(&[("engine/state.rs", "fn f() { crate::verbs::govern::f() }"), other]);
    assert_eq!(only(found), "engine/state.rs names verbs::govern::f, of verbs/govern");
    assert_eq!(
        only(forbidden(&[("attic.rs", "use crate::store::Facts;"), store])),
        "the module attic has no row in the table of modules"
    );

    let circle = Sources::of([
        ("records/a.rs", "use super::b::B; pub struct A;"),
        ("records/b.rs", "use self::super::a::A; pub struct B;"),
    ]);
    assert_eq!(circle.circles(), [BTreeSet::from(["records/a.rs", "records/b.rs"].map(str::to_owned))]);
    let modules = Sources::of([
        ("rules.rs", "use crate::predict::P; pub struct R;"),
        ("predict.rs", "use crate::rules::{self, R}; pub struct P;"),
    ]);
    assert_eq!(circles_of_modules(&modules), [BTreeSet::from(["predict", "rules"].map(str::to_owned))]);

    let impls = Sources::of([
        ("engine/mod.rs", "mod snapshot; pub struct Cdp; pub(crate) use snapshot::Snapshot;"),
        ("engine/snapshot.rs", "pub struct Snapshot<'a>; impl<'a> Snapshot<'a> {} impl Drop for Snapshot<'_> {}"),
        ("engine/people.rs", "use super::Snapshot; impl Snapshot<'_> {}"),
        (
            "verbs/define/mod.rs",
            "use crate::engine::{Cdp, Snapshot}; impl Cdp {} fn f() -> impl Fn(u32) -> Snapshot {}",
        ),
        ("verbs/unify/mod.rs", "impl<F: Fn() -> u32> crate::engine::Snapshot<'_, F> where F: Copy {}"),
        ("verbs/segment/mod.rs", "struct Snapshot; impl Snapshot {}"),
        ("wire.rs", "use crate::engine::Cdp; impl Cdp {}"),
    ]);
    let expected = ["impl Cdp in wire.rs", "impl Snapshot in verbs/unify/mod.rs"];
    assert_eq!(impls_apart(&impls), BTreeSet::from(expected.map(str::to_owned)));
}

/// The module that begins transactions and folds what they leave into RAM.
const FOLDS: &str = "engine";

/// Where a transaction begins, or a part of RAM is folded, outside the engine. A module may fold what it defines itself.
fn transactions_apart<'t>(files: impl Iterator<Item = (&'t str, &'t str)> + Clone) -> BTreeSet<String> {
    let defining = files.clone().filter(|(_, text)| Calls::of(text).defines_fold);
    let defining: BTreeSet<String> = defining.map(|(file, _)| module_of(file)).collect();
    let mut found = BTreeSet::new();
    for (file, text) in files {
        let (module, calls) = (module_of(file), Calls::of(text));
        if module != FOLDS && calls.folds && !defining.contains(&module) {
            found.insert(format!("{file} folds a part of RAM"));
        }
        if module != FOLDS && calls.begins_write {
            found.insert(format!("{file} begins a transaction"));
        }
    }
    found
}

#[test]
fn only_the_engine_begins_transactions_and_folds_them() {
    let code = code();
    let files = || code.iter().map(|(file, text)| (file.as_str(), text.as_str()));
    assert_eq!(transactions_apart(files()), BTreeSet::new());
    // The law looks at something: the engine does both.
    let engine = files().filter(|(file, _)| module_of(file) == FOLDS).map(|(_, text)| Calls::of(text));
    let engine: Vec<Calls> = engine.collect();
    assert!(engine.iter().any(|calls| calls.folds) && engine.iter().any(|calls| calls.begins_write));

    let planted = [
        ("engine/state.rs", "fn f() { self.parts.fold(changes); self.store.write(work, lock, fold) }"),
        (
            "identity/partition.rs",
            "impl Partition { fn fold(&mut self, changes: Holders) { self.holders.fold(changes) } }",
        ),
        ("verbs/define/sum.rs", "fn f() { rows.iter().fold(0, |sum, row| sum + row); file.write(bytes) }"),
        ("verbs/define/apply.rs", "fn f() { state.partition.fold(\n    changes,\n); }"),
        ("verbs/govern/apply.rs", "fn f() { Memory::fold(&mut state.memory, changes) }"),
        ("verbs/unify/apply.rs", "fn f() { self.inner.store.write(work, lock, fold) }"),
        ("cdp.rs", "const BEGIN: Begin = Store::write;"),
    ];
    let expected = [
        "cdp.rs begins a transaction",
        "verbs/define/apply.rs folds a part of RAM",
        "verbs/govern/apply.rs folds a part of RAM",
        "verbs/unify/apply.rs begins a transaction",
    ];
    assert_eq!(transactions_apart(planted.into_iter()), BTreeSet::from(expected.map(str::to_owned)));
}

/// Every source file of the core and its code, without comments and unit tests.
fn code() -> Vec<(String, String)> {
    let root = repository().join("cdp-core/src");
    let read = |name: &str| {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        (name.to_owned(), lines.join("\n"))
    };
    core().files().map(read).collect()
}

#[test]
fn only_the_store_knows_sqlite_and_only_the_clock_the_time() {
    for (file, text) in code() {
        let module = module_of(&file);
        assert!(module == "store" || !text.contains("rusqlite"), "{file} names rusqlite");
        let reads_clock = text.contains("SystemTime") || text.contains("Instant::now") || text.contains("Utc::now");
        assert!(module == "clock" || !reads_clock, "{file} reads a clock");
        assert!(file == "store/random.rs" || !text.contains("getrandom"), "{file} draws chance");
    }
}

#[test]
fn the_core_has_no_unsafe_code() {
    let root = std::fs::read_to_string(repository().join("cdp-core/src/lib.rs")).unwrap();
    assert!(root.contains("#![forbid(unsafe_code)]"));
    for (file, text) in code() {
        assert!(!text.contains("unsafe {") && !text.contains("unsafe fn"), "{file}");
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
