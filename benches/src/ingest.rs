//! `make bench-ingest`: messages into a durable store, against the raw insert and what people use instead.

use std::path::{Path, PathBuf};

use cdp_core::records::{Object, Value};

use crate::arguments::{Arguments, stop};
use crate::dataset::{Arrival, Dataset};
use crate::measure::Spread;
use crate::report::{Line, Report, print_table, rate, show};
use crate::run::{Side, expect_equal, number};

/// A peer slower than this runs the first million only ...
const SLOW_ROWS_PER_CPU_SECOND: f64 = 100_000.0;
/// ... of these.
const FIRST_ROWS: u64 = 1_000_000;
/// Up to so many events the sides' contents are compared, and the stores' fingerprints.
const CHECKED_EVENTS: u64 = 1_000_000;

/// Name, script, variant, and what a reader must know.
const PEERS: [(&str, &str, &str, &str); 6] = [
    (
        "DuckDB, 10k batches",
        "ingest_duckdb_batches.py",
        "",
        "INSERT OR IGNORE from read_json, primary key on the message id; no identity, no features",
    ),
    ("DuckDB, bulk", "ingest_duckdb_bulk.py", "", "read_json + distinct + five aggregates, one shot; no identity"),
    (
        "DuckDB, bulk, no context",
        "ingest_duckdb_bulk.py",
        "bare",
        "the same, keeping the messages without their context",
    ),
    ("Polars, bulk", "ingest_polars.py", "", "scan_ndjson + first of each id + group_by, to Parquet; no identity"),
    (
        "pandas, bulk",
        "ingest_pandas.py",
        "",
        "read_json (pyarrow) + drop_duplicates + groupby, to Parquet; no identity",
    ),
    (
        "Python json + sqlite3",
        "ingest_sqlite3.py",
        "",
        "10k batches with dedupe, ids and aggregates; no windows, no merges",
    ),
];

/// Runs the whole table.
pub fn run(arguments: &Arguments) {
    let dataset = Dataset::new(&arguments.folder(), arguments.world());
    let mut report = Report::new("ingest", arguments);
    let with_context = against_peers(arguments, &dataset, &mut report);
    let without = orders_of_arrival(arguments, &dataset, &mut report);
    sizes(&dataset, [with_context, without], &mut report);
    dataset.scratch("ours.db", true);
    report.write();
}

fn ours(dataset: &Dataset, data: &Path, threads: usize, check: bool) -> Side {
    Side::ours("ingest")
        .with("data", data)
        .with("store", dataset.scratch("ours.db", true))
        .with("check", u8::from(check).to_string())
        .on_threads(threads)
}

fn raw(dataset: &Dataset, data: &Path) -> Side {
    let store = dataset.scratch("raw.db", true);
    Side::ours("raw-insert").with("data", data).with("columns", dataset.raw_columns()).with("store", store)
}

fn peer(arguments: &Arguments, dataset: &Dataset, (script, variant): (&str, &str), data: &Path) -> Value {
    let store = dataset.scratch("peer.store", true);
    let side = Side::python(arguments, script).with("variant", variant).with("data", data).with("store", &store);
    let run = side.on_threads(1).run();
    dataset.scratch("peer.store", true);
    run
}

/// The input of a peer at a size above a million: all, unless its rate over the first million is too low.
fn input_of_peer(arguments: &Arguments, dataset: &Dataset, script: (&str, &str), whole: &Path) -> (PathBuf, String) {
    let first_rows = arguments.number("first-rows", FIRST_ROWS);
    if dataset.world.n_events <= first_rows {
        return (whole.to_owned(), String::new());
    }
    let first = dataset.first_lines(whole, first_rows);
    if rate(&peer(arguments, dataset, script, &first)) < SLOW_ROWS_PER_CPU_SECOND {
        return (first, format!("; the first {first_rows} rows only"));
    }
    (whole.to_owned(), String::new())
}

/// Gives the bytes of our file for each event.
fn against_peers(arguments: &Arguments, dataset: &Dataset, report: &mut Report) -> Spread {
    let data = dataset.messages(Arrival::InOrder, true);
    let checked = dataset.world.n_events <= CHECKED_EVENTS;
    let mut one =
        Line::new("ours, one processor", "identity, 5 features, 2 audiences, quarantine, dedupe, durability full");
    let mut two = Line::new("ours, two processors", "the same where parsing may have a thread of its own");
    let mut floor = Line::new("raw SQLite insert", "the same text and four columns; parses nothing, dedupes nothing");
    let mut peers = Vec::new();
    let wanted = arguments.text("peers", "all");
    let is_wanted = |script: &str| wanted == "all" || wanted.split(',').any(|word| script.contains(word));
    for (name, script, variant, note) in PEERS.into_iter().filter(|(_, script, ..)| is_wanted(script)) {
        let (input, short) = input_of_peer(arguments, dataset, (script, variant), &data);
        peers.push((Line::new(name, &format!("{note}{short}")), (script, variant), input));
    }
    for repetition in 0..arguments.repetitions() {
        one.runs.push(ours(dataset, &data, 1, checked && repetition == 0).run());
        floor.runs.push(raw(dataset, &data).run());
        two.runs.push(ours(dataset, &data, 2, false).run());
        for (line, script, input) in &mut peers {
            line.runs.push(peer(arguments, dataset, *script, input));
        }
    }
    dataset.scratch("raw.db", true);
    let mut lines = vec![one, two, floor];
    lines.extend(peers.into_iter().map(|(line, ..)| line));
    check_contents(dataset, &lines, checked);
    print_against_peers(&lines);
    let processors = |line: &Line| line.spread(|run| number(run, "rows") / number(run, "busiest_thread_cpu_seconds"));
    let (ours, floor) = (&lines[1], &lines[2]);
    let walls = ours.ratio(floor, |run| number(run, "rows") / number(run, "wall_seconds").max(1e-9));
    println!("  two processors: {} rows per CPU second of the busiest thread", show(processors(ours)));
    println!("  two processors: {} of the raw insert's rate on the wall", show(walls));
    let flat = lines[0].spread(|run| number(run, "last_tenth_to_first"));
    println!("  flatness, rate of the last tenth by the first: {}", show(flat));
    report.put("flatness", flat.to_value());
    report.put("two_processors_to_raw_on_the_wall", walls.to_value());
    report.put_lines("against_peers", &lines);
    file_bytes(&lines[0])
}

fn file_bytes(line: &Line) -> Spread {
    line.spread(|run| number(run, "file_bytes") / number(run, "rows").max(1.0))
}

/// Every side counted each message once, and the same revenue.
fn check_contents(dataset: &Dataset, lines: &[Line], checked: bool) {
    let revenue = lines.first().and_then(|ours| ours.runs.first()).and_then(|run| run.get("revenue_cents")).cloned();
    for line in lines {
        for run in line.runs.iter().filter(|run| run.get("messages").is_some()) {
            let rows = number(run, "rows") as u64;
            let expected = Value::count(dataset.world.n_messages(rows) as usize);
            let found = run.get("messages").cloned().unwrap_or_default();
            expect_equal("messages", ("the data", &expected), (&line.name, &found));
            let is_whole = checked && rows == dataset.world.n_events;
            if let (true, Some(revenue), Some(found)) = (is_whole, &revenue, run.get("revenue_cents")) {
                expect_equal("revenue in cents", (&lines[0].name, revenue), (&line.name, found));
            }
        }
    }
    if checked && revenue.is_none() {
        stop("our side was to say the revenue");
    }
}

fn print_against_peers(lines: &[Line]) {
    let head =
        ["side", "rows/CPU s", "CPU s", "wall s", "peak MB", "written B/event", "file B/event", "ours/this", "note"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let per_event = |line: &Line, name: &str| show(line.spread(|run| number(run, name) / number(run, "rows")));
    for line in lines {
        rows.push(vec![
            line.name.clone(),
            show(line.spread(rate)),
            show(line.spread(|run| number(run, "cpu_seconds"))),
            show(line.spread(|run| number(run, "wall_seconds"))),
            format!("{:.0}", line.spread(|run| number(run, "peak_megabytes")).greatest),
            per_event(line, "written_bytes"),
            per_event(line, "file_bytes"),
            show(lines[0].ratio(line, rate)),
            line.note.clone(),
        ]);
    }
    print_table("ingest of messages with context: median [least-greatest] over the repetitions", &rows);
}

/// The same messages in other orders, and a hundredth of them once more at the end.
fn orders_of_arrival(arguments: &Arguments, dataset: &Dataset, report: &mut Report) -> Spread {
    let checked = dataset.world.n_events <= CHECKED_EVENTS;
    let (redelivery, redelivered) = dataset.redelivery(false);
    let mut lines: Vec<Line> = Arrival::ALL.map(|arrival| Line::new(arrival.as_str(), "without context")).into();
    for repetition in 0..arguments.repetitions() {
        for (line, arrival) in lines.iter_mut().zip(Arrival::ALL) {
            let mut side = ours(dataset, &dataset.messages(arrival, false), 1, checked && repetition == 0);
            if arrival == Arrival::InOrder {
                side = side.with("redelivery", &redelivery);
            }
            line.runs.push(side.run());
        }
    }
    check_contents(dataset, &lines, false);
    let mut rows = vec![
        ["arrival", "rows/CPU s", "to in_order", "written B/event", "last/first tenth"].map(str::to_owned).to_vec(),
    ];
    for line in &lines {
        rows.push(vec![
            line.name.clone(),
            show(line.spread(rate)),
            show(line.ratio(&lines[0], rate)),
            show(line.spread(|run| number(run, "written_bytes") / number(run, "rows"))),
            show(line.spread(|run| number(run, "last_tenth_to_first"))),
        ]);
        if let (true, [first, ..], [here, ..]) = (checked, lines[0].runs.as_slice(), line.runs.as_slice()) {
            let [first, here] = [first, here].map(|run| run.get("fingerprint").cloned().unwrap_or_default());
            expect_equal("fingerprints", ("in order", &first), (&line.name, &here));
        }
    }
    print_table("ours by order of arrival, one processor", &rows);
    let mut again = Line::new("redelivery", "1 % once more, of any age; half of them with another time or none");
    again.runs = lines[0].runs.iter().filter_map(|run| run.get("redelivery").cloned()).collect();
    for run in &again.runs {
        expect_equal(
            "redelivered duplicates",
            ("the data", &Value::count(redelivered as usize)),
            ("ours", &run.get("duplicates").cloned().unwrap_or_default()),
        );
    }
    println!(
        "  redelivery of {redelivered} messages, closing included: {} rows per CPU second, all duplicates",
        show(again.spread(rate))
    );
    report.put_lines("arrival", &lines);
    report.put_lines("redelivery", &[again]);
    file_bytes(&lines[0])
}

/// Bytes in the file for each event, with the message's own length beside it.
fn sizes(dataset: &Dataset, [with_context, without]: [Spread; 2], report: &mut Report) {
    let mut rows = vec![["message", "bytes sent", "file B/event"].map(str::to_owned).to_vec()];
    let mut fields = Object::new();
    for (name, has_context, kept) in [("with context", true, with_context), ("without context", false, without)] {
        let data = dataset.messages(Arrival::InOrder, has_context);
        let sent = std::fs::metadata(&data).map_or(0, |metadata| metadata.len()) as f64 / dataset.world.n_events as f64;
        rows.push(vec![name.to_owned(), format!("{sent:.0}"), show(kept)]);
        let sizes = [("sent_bytes_per_event", Value::float(sent)), ("file_bytes_per_event", kept.to_value())];
        fields.insert(name.replace(' ', "_"), Value::object(sizes));
    }
    print_table("size", &rows);
    report.put("sizes", Value::Object(fields));
}
