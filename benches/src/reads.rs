//! `make bench-reads`: opening a store, one person's profile and window features, tables of people, merges.

use cdp_core::records::{Object, Value};

use crate::arguments::Arguments;
use crate::dataset::{Arrival, Dataset, copy_store};
use crate::measure::Spread;
use crate::report::{Line, Report, print_table, show};
use crate::run::{Side, expect_equal, number};
use crate::work_reads::{LONG_HISTORY, TABLE_CALLS, expect_store};

/// People who are asked for, with those that warm up.
const SAMPLE: u64 = 30_000;

/// Runs the whole table.
pub fn run(arguments: &Arguments) {
    let dataset = Dataset::new(&arguments.folder(), arguments.world());
    let mut report = Report::new("reads", arguments);
    let store = killed_store(&dataset);
    opening(arguments, &dataset, &store, &mut report);
    Side::ours("define").with("store", &store).with("what", "five-audiences").run();
    profiles(arguments, &dataset, &store, &mut report);
    tables(arguments, &dataset, &store, &mut report);
    merges(arguments, &dataset, &store, &mut report);
    Side::ours("define").with("store", &store).with("what", "windows").run();
    features(arguments, &dataset, &store, &mut report);
    dataset.scratch("reads.db", true);
    report.write();
}

/// A store of all events and the traits of all users, whose process was killed after the last batch.
fn killed_store(dataset: &Dataset) -> std::path::PathBuf {
    let store = dataset.scratch("reads.db", true);
    let data = dataset.messages(Arrival::InOrder, false);
    Side::ours("ingest")
        .with("data", data)
        .with("traits", dataset.traits())
        .with("store", &store)
        .with("finish", "kill")
        .on_threads(2)
        .run();
    expect_store(&store);
    store
}

fn opening(arguments: &Arguments, dataset: &Dataset, store: &std::path::Path, report: &mut Report) {
    let sample = dataset.sample(SAMPLE);
    let open = |store: &std::path::Path, access: &str| {
        Side::ours("open").with("store", store).with("sample", &sample).with("access", access).on_threads(2).run()
    };
    let mut killed = Line::new("after kill -9", "the log is read again from the last checkpoint");
    let mut killed_to_read = Line::new("after kill -9, to be read only", "");
    let copy = dataset.scratch("killed.db", true);
    for _ in 0..arguments.repetitions() {
        copy_store(store, &copy);
        killed_to_read.runs.push(open(&copy, "read"));
        killed.runs.push(open(&copy, "write"));
    }
    dataset.scratch("killed.db", true);
    open(store, "write");
    let mut clean = Line::new("after a clean close", "");
    let mut clean_to_read = Line::new("after a clean close, to be read only", "who is asked for is read from the file");
    for _ in 0..arguments.repetitions() {
        clean.runs.push(open(store, "write"));
        clean_to_read.runs.push(open(store, "read"));
    }
    let head = [
        "open",
        "CPU s",
        "wall s",
        "with a profile read, wall s",
        "resident MB",
        "each of the next profiles, wall p50 us",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let lines = [clean, clean_to_read, killed, killed_to_read];
    for line in &lines {
        let fields = ["open_cpu_seconds", "open_wall_seconds", "wall_seconds", "resident_megabytes"];
        let mut cells = vec![line.name.clone()];
        cells.extend(fields.map(|field| show(line.spread(|run| number(run, field)))));
        cells.push(show(line.spread(|run| run.get("next").map_or(0.0, |next| number(next, "wall_p50_us")))));
        rows.push(cells);
    }
    print_table("opening, two processors", &rows);
    report.put_lines("opening", &lines);
}

/// Runs sides in turn, checks that all found the same, prints and reports their latencies.
fn compare(
    arguments: &Arguments,
    report: &mut Report,
    name: &str,
    title: &str,
    sides: &[(&str, &str, &dyn Fn() -> Side)],
) {
    let mut lines: Vec<Line> = sides.iter().map(|(name, note, _)| Line::new(name, note)).collect();
    for _ in 0..arguments.repetitions() {
        for (line, (_, _, side)) in lines.iter_mut().zip(sides) {
            line.runs.push(side().run());
        }
    }
    let check = |line: &Line| line.runs.first().and_then(|run| run.get("check")).cloned().unwrap_or_default();
    for line in &lines {
        expect_equal("answers", (&lines[0].name, &check(&lines[0])), (&line.name, &check(line)));
    }
    let head = [
        "side",
        "CPU p50 us",
        "CPU p99 us",
        "wall p50 us",
        "wall p99 us",
        "first 1,000 p50",
        "again p50",
        "again p99",
        "this/ours p50",
        "note",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut found = Vec::new();
    for line in &lines {
        let of = |part: &str, field: &str| line.spread(|run| run.get(part).map_or(0.0, |part| number(part, field)));
        let everybody = ["cpu_p50_us", "cpu_p99_us", "wall_p50_us", "wall_p99_us"].map(|field| of("everybody", field));
        let first = of("first", "cpu_p50_us");
        let again = ["cpu_p50_us", "cpu_p99_us"].map(|field| of("again", field));
        let p50 = |run: &Value| run.get("everybody").map_or(0.0, |part| number(part, "cpu_p50_us"));
        let ratio = line.ratio(&lines[0], p50);
        let figures: Vec<Spread> = everybody.into_iter().chain([first]).chain(again).chain([ratio]).collect();
        rows.push(
            [vec![line.name.clone()], figures.iter().map(|spread| show(*spread)).collect(), vec![line.note.clone()]]
                .concat(),
        );
        let names = [
            "cpu_p50_us",
            "cpu_p99_us",
            "wall_p50_us",
            "wall_p99_us",
            "first_cpu_p50_us",
            "again_cpu_p50_us",
            "again_cpu_p99_us",
            "this_to_ours_p50",
        ];
        let mut object: Object =
            names.iter().zip(&figures).map(|(name, spread)| ((*name).to_owned(), spread.to_value())).collect();
        object.insert("side".to_owned(), Value::from(line.name.as_str()));
        object.insert("note".to_owned(), Value::from(line.note.as_str()));
        found.push(Value::Object(object));
    }
    print_table(title, &rows);
    report.put(name, Value::List(found));
}

/// The store of the peer, which is kept from run to run: it knows the identifiers of a sample.
fn sqlite_peer() -> String {
    format!("reads-peer-{SAMPLE}.sqlite")
}

fn profiles(arguments: &Arguments, dataset: &Dataset, store: &std::path::Path, report: &mut Report) {
    let sample = dataset.sample(SAMPLE);
    let (columns, peer) = (dataset.columns(), dataset.scratch(&sqlite_peer(), false));
    let ours = |side: Side| side.with("store", store).with("sample", &sample).on_threads(1);
    let core = || ours(Side::ours("profiles"));
    let python = || ours(Side::python(arguments, "profiles_ours.py"));
    let node = || ours(Side::node(arguments, "profiles_ours.js"));
    let sqlite = || {
        let side = Side::python(arguments, "reads_sqlite3.py").with("variant", "profiles").with("data", &columns);
        side.with("store", &peer).with("traits", dataset.traits()).with("sample", &sample).on_threads(1)
    };
    let note = "10 traits, 5 features, 5 audiences";
    let sides: [(&str, &str, &dyn Fn() -> Side); 4] = [
        ("ours, core", note, &core),
        ("ours, Python", note, &python),
        ("ours, Node", "the same; CPU is of the whole process", &node),
        ("Python sqlite3", "traits and memberships ready in tables, 5 aggregates over a covering index", &sqlite),
    ];
    let wanted = arguments.text("languages", "python,node");
    let sides: Vec<_> = sides
        .into_iter()
        .filter(|(name, ..)| !name.contains("Python") || name.contains("sqlite3") || wanted.contains("python"))
        .filter(|(name, ..)| !name.contains("Node") || wanted.contains("node"))
        .collect();
    compare(arguments, report, "profiles", "profile by identifier", &sides);
}

fn tables(arguments: &Arguments, dataset: &Dataset, store: &std::path::Path, report: &mut Report) {
    let mut line = Line::new("tables of people", "each once, warm");
    let file = dataset.scratch("export.csv", true);
    for _ in 0..arguments.repetitions() {
        line.runs.push(Side::ours("tables").with("store", store).with("file", &file).on_threads(1).run());
    }
    dataset.scratch("export.csv", true);
    let mut rows = vec![["call", "rows", "CPU ms"].map(str::to_owned).to_vec()];
    for call in TABLE_CALLS {
        let of = |field: &str| show(line.spread(|run| run.get(call).map_or(0.0, |part| number(part, field))));
        rows.push(vec![call.to_owned(), of("rows"), of("cpu_ms")]);
    }
    print_table("tables of people, CPU", &rows);
    report.put_lines("tables", &[line]);
}

fn features(arguments: &Arguments, dataset: &Dataset, store: &std::path::Path, report: &mut Report) {
    let sample = dataset.sample(SAMPLE);
    let columns = dataset.columns();
    let (sqlite_store, duckdb_store) =
        (dataset.scratch(&sqlite_peer(), false), dataset.scratch("reads-peer.duckdb", false));
    let core = || Side::ours("features").with("store", store).with("sample", &sample).on_threads(1);
    let peer = |script: &str, store: &std::path::Path| {
        let side = Side::python(arguments, script).with("variant", "features").with("data", &columns);
        side.with("store", store).with("traits", dataset.traits()).with("sample", &sample).on_threads(1)
    };
    let sqlite = || peer("reads_sqlite3.py", &sqlite_store);
    let duckdb = || peer("reads_duckdb.py", &duckdb_store);
    let sides: [(&str, &str, &dyn Fn() -> Side); 3] = [
        ("ours, core", "count, sum, min, max, last over 1h, 24h, 7d, 30d, ever", &core),
        ("Python sqlite3", "25 FILTER aggregates over a covering index, person known", &sqlite),
        ("DuckDB", "the same with an index on the person; 200 people", &duckdb),
    ];
    compare(arguments, report, "features", "25 window features of one profile", &sides);
}

fn merges(arguments: &Arguments, dataset: &Dataset, store: &std::path::Path, report: &mut Report) {
    let copy = dataset.scratch("merges.db", true);
    let mut line = Line::new("merges", "identify messages that merge two profiles, less the same that merge none");
    for _ in 0..arguments.repetitions() {
        copy_store(store, &copy);
        let world = dataset.world;
        let side = Side::ours("merges").with("store", &copy).with("events", world.n_events.to_string());
        line.runs.push(side.with("profiles", world.n_profiles.to_string()).with("seed", world.seed.to_string()).run());
    }
    dataset.scratch("merges.db", true);
    let mut rows = vec![
        ["history", "events each", "no merge, us/message", "merging, us/message", "a merge, us"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for history in ["short", "long"] {
        let fields = ["events_per_person", "linked_us_per_message", "merging_us_per_message", "merge_us"];
        let cells =
            fields.map(|field| show(line.spread(|run| run.get(history).map_or(0.0, |part| number(part, field)))));
        rows.push([vec![history.to_owned()], cells.to_vec()].concat());
    }
    print_table("merge of two profiles, CPU", &rows);
    let [short, long] = ["partition_short", "partition_long"].map(|field| show(line.spread(|run| number(run, field))));
    println!(
        "  the partition step alone, us/merge: {short} of people seen once, {long} of people seen {LONG_HISTORY} times"
    );
    report.put_lines("merges", &[line]);
}
