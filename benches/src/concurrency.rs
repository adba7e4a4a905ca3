//! `make bench-concurrency`: durable calls from many threads, Node's event loop beside a second process, readers beside a
//! writer. These figures are of the wall clock, where a busy machine shows.

use std::path::Path;

use cdp_core::records::Value;

use crate::arguments::Arguments;
use crate::dataset::{Arrival, Dataset, copy_store, stored_bytes};
use crate::measure::Spread;
use crate::report::{Line, Report, print_table, show};
use crate::run::{Side, number};

const CALLERS: u64 = 16;
const READERS: u64 = 2;

/// Runs the whole table.
pub fn run(arguments: &Arguments) {
    let dataset = Dataset::new(&arguments.folder(), arguments.world());
    let mut report = Report::new("concurrency", arguments);
    durable_calls(arguments, &dataset, &mut report);
    let store = dataset.scratch("concurrency.db", true);
    let data = dataset.messages(Arrival::InOrder, false);
    Side::ours("ingest").with("data", data).with("store", &store).on_threads(2).run();
    readers(arguments, &dataset, &store, &mut report);
    if arguments.text("languages", "node").contains("node") {
        event_loop(arguments, &dataset, &store, &mut report);
    }
    dataset.scratch("concurrency.db", true);
    report.write();
}

fn part(run: &Value, name: &str) -> f64 {
    run.get("latencies").map_or(0.0, |latencies| number(latencies, name))
}

fn put(report: &mut Report, name: &str, lines: &[Line]) {
    let sides = lines.iter().map(|line| {
        Value::object([("side", Value::from(line.name.as_str())), ("runs", Value::List(line.runs.clone()))])
    });
    report.put(name, Value::List(sides.collect()));
}

fn durable_calls(arguments: &Arguments, dataset: &Dataset, report: &mut Report) {
    let calls = arguments.number("calls", 8_000);
    let world = dataset.world;
    let ours = |callers: u64, calls: u64| {
        let side = Side::ours("track").with("store", dataset.scratch("track.db", true));
        let side = side.with("events", world.n_events.to_string()).with("profiles", world.n_profiles.to_string());
        side.with("callers", callers.to_string()).with("calls", calls.to_string()).run()
    };
    let mut lines = [
        Line::new("one caller", "each call durable before the next"),
        Line::new("16 callers", "they may share a commit"),
        Line::new("raw SQLite, one row a commit", "nothing but the row"),
    ];
    for _ in 0..arguments.repetitions() {
        lines[0].runs.push(ours(1, calls));
        lines[1].runs.push(ours(CALLERS, calls / 4));
        let raw = Side::ours("raw-one-by-one").with("store", dataset.scratch("track.db", true));
        lines[2].runs.push(raw.with("calls", calls.to_string()).run());
    }
    dataset.scratch("track.db", true);
    let rate = |run: &Value| number(run, "calls_per_second");
    let mut rows = vec![
        ["durable track", "calls/s", "to one caller", "wall p50 us", "wall p99 us", "CPU us/call"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for line in &lines {
        rows.push(vec![
            line.name.clone(),
            show(line.spread(rate)),
            show(line.ratio(&lines[0], rate)),
            show(line.spread(|run| part(run, "wall_p50_us"))),
            show(line.spread(|run| part(run, "wall_p99_us"))),
            show(line.spread(|run| number(run, "cpu_us_per_call"))),
        ]);
    }
    print_table("durable calls", &rows);
    put(report, "durable_calls", &lines);
}

fn readers(arguments: &Arguments, dataset: &Dataset, store: &Path, report: &mut Report) {
    let sample = dataset.sample(11_000);
    let seconds = arguments.number("seconds", 5).to_string();
    let copy = dataset.scratch("beside.db", true);
    let side = || {
        copy_store(store, &copy);
        let side = Side::ours("readers").with("store", &copy).with("sample", &sample).with("seconds", &seconds);
        side.with("readers", READERS.to_string())
    };
    // Other messages than those that the store has: duplicates would cost less.
    let more = Dataset::new(&arguments.folder(), crate::world::World { seed: dataset.world.seed + 1, ..dataset.world });
    let data = more.messages(Arrival::InOrder, false);
    let mut lines = [
        Line::new("nobody writes", ""),
        Line::new("this process writes", "ingest in the same process"),
        Line::new("another process writes", "ingest in another process"),
    ];
    for _ in 0..arguments.repetitions() {
        lines[0].runs.push(side().run());
        lines[1].runs.push(side().with("write", &data).run());
        let readers = side();
        lines[2].runs.push(beside_a_writer(&copy, &data, readers));
    }
    dataset.scratch("beside.db", true);
    let head = [
        "two readers, five features",
        "CPU p50 us",
        "CPU p99 us",
        "wall p50 us",
        "wall p99 us",
        "WAL MB",
        "grown MB",
        "reads",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for line in &lines {
        let of = |name: &str| show(line.spread(|run| part(run, name)));
        rows.push(vec![
            line.name.clone(),
            of("cpu_p50_us"),
            of("cpu_p99_us"),
            of("wall_p50_us"),
            of("wall_p99_us"),
            show(line.spread(|run| number(run, "greatest_wal_megabytes"))),
            show(line.spread(|run| number(run, "grown_megabytes"))),
            of("calls"),
        ]);
    }
    print_table("readers", &rows);
    put(report, "readers", &lines);
}

/// Runs a side while another process takes messages into the same store; what the run says gets by how much that grew.
fn beside_a_writer(store: &Path, data: &Path, side: Side) -> Value {
    let before = stored_bytes(store);
    let mut writer = Side::ours("ingest").with("data", data).with("store", store).on_threads(1).start();
    let mut run = side.run();
    let _ = writer.kill();
    let _ = writer.wait();
    let grown = stored_bytes(store).saturating_sub(before) as f64 / 1e6;
    if let Value::Object(fields) = &mut run {
        fields.insert("grown_megabytes".to_owned(), Value::float(grown));
    }
    run
}

fn event_loop(arguments: &Arguments, dataset: &Dataset, store: &Path, report: &mut Report) {
    let rounds = arguments.number("rounds", 10).to_string();
    let more = Dataset::new(&arguments.folder(), crate::world::World { seed: dataset.world.seed + 2, ..dataset.world });
    let data = more.messages(Arrival::InOrder, false);
    let copy = dataset.scratch("beside.db", true);
    let node = || {
        copy_store(store, &copy);
        Side::node(arguments, "track_async.js").with("store", &copy).with("rounds", &rounds)
    };
    let mut lines =
        [Line::new("nobody else", "1,000 trackAsync at a time"), Line::new("a second process ingests", "the same")];
    for _ in 0..arguments.repetitions() {
        lines[0].runs.push(node().run());
        let loop_side = node();
        lines[1].runs.push(beside_a_writer(&copy, &data, loop_side));
    }
    dataset.scratch("beside.db", true);
    let head =
        ["1,000 concurrent trackAsync", "loop delay p50 ms", "p99 ms", "max ms", "calls/s", "failed", "grown MB"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for line in &lines {
        let of = |name: &str| show(Spread::of(line.runs.iter().map(|run| number(run, name))));
        let fields = ["delay_p50_ms", "delay_p99_ms", "delay_max_ms", "calls_per_second", "failed", "grown_megabytes"];
        rows.push([vec![line.name.clone()], fields.map(of).to_vec()].concat());
    }
    print_table("Node's event loop", &rows);
    put(report, "event_loop", &lines);
}
