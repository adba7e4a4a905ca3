//! `make bench-identity`: made-up people linked with defaults by us and by peers, and connected components of many edges.
//!
//! `--events` is the number of records, as the size of every bench. Peers that need minutes for so many are measured with us at
//! their own size before. Live resolution asks an index of all records for single ones, and a store as they come.

use std::path::Path;

use cdp_core::records::Value;

use crate::arguments::Arguments;
use crate::persons;
use crate::report::{Line, Report, print_table, show};
use crate::run::{Side, number};

/// Name, script, threads, and the most records it is given: some peers need minutes for more.
const PEERS: [(&str, &str, usize, u64); 3] = [
    ("Splink, DuckDB, two threads", "link_splink.py", 2, u64::MAX),
    ("goldenmatch, zero configuration", "link_goldenmatch.py", 2, 20_000),
    ("recordlinkage, ECM", "link_recordlinkage.py", 1, 20_000),
];
const GRAPH_PEERS: [(&str, &str, u64); 2] = [
    ("scipy, matrix built from the edges", "components_scipy.py", u64::MAX),
    ("networkx", "components_networkx.py", 1_000_000),
];

/// Runs the whole table: `--events` (records), `--edges`, `--repetitions`.
pub fn run(arguments: &Arguments) {
    let n_records = arguments.number("events", 20_000);
    let folder = arguments.folder();
    std::fs::create_dir_all(&folder).expect("the folder of the bench can be made");
    let mut report = Report::new("identity", arguments);
    report.put("records", Value::count(n_records as usize));
    let smaller = PEERS.iter().map(|(.., most)| *most).min().filter(|most| *most < n_records);
    for n_records in smaller.into_iter().chain([n_records]) {
        for (households, title) in
            [(false, "people without households"), (true, "people in households, shared devices")]
        {
            let file = folder.join(format!("persons-{n_records}-{households}.csv"));
            persons::write(&file, n_records as usize, households, arguments.number("seed", 42));
            link(arguments, &file, n_records, title, &mut report);
        }
    }
    resolve(&folder.join(format!("persons-{n_records}-true.csv")), &mut report);
    live_store(&folder, n_records, &mut report);
    components(arguments, &folder, &mut report);
    report.write();
}

fn scored(run: &Value, of: &str, figure: &str) -> f64 {
    run.get(of).map_or(0.0, |scores| number(scores, figure))
}

fn link(arguments: &Arguments, file: &Path, n_records: u64, title: &str, report: &mut Report) {
    let mut lines = vec![Line::new("ours, one thread", "defaults: roles, blocking and model found by themselves")];
    let peers: Vec<_> = PEERS.iter().filter(|(_, _, _, most)| n_records <= *most).collect();
    lines.extend(peers.iter().map(|(name, ..)| Line::new(name, "")));
    for _ in 0..arguments.number("repetitions", 1) {
        lines[0].runs.push(Side::ours("link").with("data", file).on_threads(1).run());
        for (line, (_, script, threads, _)) in lines[1..].iter_mut().zip(&peers) {
            let side = Side::python(arguments, script).with("data", file).on_threads(*threads);
            line.runs.extend(side.run_within(arguments.number("limit", 1_800)));
        }
    }
    for line in lines.iter().filter(|line| line.runs.is_empty()) {
        println!("{}: not done with {n_records} records within the limit", line.name);
    }
    lines.retain(|line| !line.runs.is_empty());
    let head = [
        "side",
        "cluster F1",
        "precision",
        "recall",
        "B-cubed",
        "largest",
        "CPU s",
        "wall s",
        "peak MB",
        "CPU this/ours",
        "MB ours/this",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for line in &lines {
        let figure = |of: &str, figure: &str| format!("{:.4}", line.spread(|run| scored(run, of, figure)).median);
        rows.push(vec![
            line.name.clone(),
            figure("clusters", "f1"),
            figure("clusters", "precision"),
            figure("clusters", "recall"),
            figure("b_cubed", "f1"),
            format!("{:.0}", line.spread(|run| number(run, "largest_cluster")).greatest),
            show(line.spread(|run| number(run, "cpu_seconds"))),
            show(line.spread(|run| number(run, "wall_seconds"))),
            show(line.spread(|run| number(run, "peak_megabytes"))),
            show(line.ratio(&lines[0], |run| number(run, "cpu_seconds"))),
            show(lines[0].ratio(line, |run| number(run, "peak_megabytes"))),
        ]);
    }
    print_table(&format!("{n_records} records, {title}"), &rows);
    let found = lines.iter().map(|line| {
        Value::object([("side", Value::from(line.name.as_str())), ("runs", Value::List(line.runs.clone()))])
    });
    report.put(&format!("{title}, {n_records} records"), Value::List(found.collect()));
}

fn resolve(file: &Path, report: &mut Report) {
    let run = Side::ours("resolve").with("data", file).on_threads(1).run();
    let figure = |name: &str| format!("{:.0}", number(&run, name));
    let rows = [
        ["one record against an index", "p50 us", "p99 us"].map(str::to_owned).to_vec(),
        vec!["candidates with weights".to_owned(), figure("ask_p50_us"), figure("ask_p99_us")],
        vec!["insert".to_owned(), figure("insert_p50_us"), figure("insert_p99_us")],
        vec!["remove".to_owned(), figure("remove_p50_us"), figure("remove_p99_us")],
    ];
    print_table(
        &format!("live resolution, {:.0} records, recall {:.4}", number(&run, "rows"), number(&run, "recall")),
        &rows,
    );
    report.put("live", run);
}

/// Both in stores on disk, up to where a transaction would commit.
fn live_store(folder: &Path, n_records: u64, report: &mut Report) {
    let store = |name: &str| {
        let store = folder.join(name);
        for end in ["", "-wal", "-shm"] {
            let mut file = store.clone().into_os_string();
            file.push(end);
            // A store of the last time, if there is one.
            let _ = std::fs::remove_file(file);
        }
        store
    };
    let data = folder.join(format!("persons-{n_records}-false.csv"));
    let live = Side::ours("live-store").with("data", data).with("store", store("live.db")).on_threads(1).run();
    let attach = Side::ours("attach").with("profiles", n_records.to_string());
    let attach = attach.with("store", store("attach.db")).on_threads(1).run();
    let row = |title: &str, run: &Value, name: &str| {
        let times = run.get(name).cloned().unwrap_or_default();
        let figure = |of: &str| format!("{:.0}", number(&times, of));
        vec![title.to_owned(), figure("wall_p50_us"), figure("wall_p99_us"), figure("cpu_p50_us")]
    };
    let rows = [
        ["one message in a store", "p50 us", "p99 us", "CPU p50 us"].map(str::to_owned).to_vec(),
        row("begun, read and rolled back", &attach, "attach_begun"),
        row("deterministic: looked up and attached", &attach, "attach_before_commit"),
        row("linkage, nothing compared: attached", &live, "attached"),
        row("linkage: candidates scored as well", &live, "resolved"),
        row("linkage: pairs, record and keys written as well", &live, "before_commit"),
        row("linkage: committed (relaxed)", &live, "committed"),
    ];
    let title = format!(
        "before the commit, {n_records} profiles; a run of linkage took {:.1} CPU s, keys and records {:.0} bytes a profile",
        number(&live, "cpu_seconds"),
        number(&live, "live_bytes_per_profile")
    );
    print_table(&title, &rows);
    report.put("live in a store", live);
    report.put("attached in a store", attach);
}

fn components(arguments: &Arguments, folder: &Path, report: &mut Report) {
    let n_edges = arguments.number("edges", 1_000_000);
    let file = folder.join("edges.u32");
    Side::ours("edges")
        .with("edges", n_edges.to_string())
        .with("out", &file)
        .start()
        .wait()
        .expect("the edges are written");
    let mut lines = vec![Line::new("ours", "union by size, from a list of edges")];
    let peers: Vec<_> = GRAPH_PEERS.iter().filter(|(_, _, most)| n_edges <= *most).collect();
    lines.extend(peers.iter().map(|(name, ..)| Line::new(name, "")));
    for _ in 0..arguments.number("repetitions", 1).max(3) {
        lines[0].runs.push(Side::ours("components").with("edges", n_edges.to_string()).on_threads(1).run());
        for (line, (_, script, _)) in lines[1..].iter_mut().zip(&peers) {
            line.runs.push(Side::python(arguments, script).with("data", &file).on_threads(1).run());
        }
    }
    let mut rows = vec![["side", "components", "CPU s", "peak MB", "CPU this/ours"].map(str::to_owned).to_vec()];
    for line in &lines {
        rows.push(vec![
            line.name.clone(),
            format!("{:.0}", line.spread(|run| number(run, "components")).median),
            show(line.spread(|run| number(run, "cpu_seconds"))),
            show(line.spread(|run| number(run, "peak_megabytes"))),
            show(line.ratio(&lines[0], |run| number(run, "cpu_seconds"))),
        ]);
    }
    print_table(&format!("connected components of {n_edges} edges"), &rows);
    let found = lines.iter().map(|line| {
        Value::object([("side", Value::from(line.name.as_str())), ("runs", Value::List(line.runs.clone()))])
    });
    report.put("components", Value::List(found.collect()));
}
