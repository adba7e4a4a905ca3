//! `make bench-audience`: the four-condition audience from all facts, and its refresh after new events.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cdp_core::records::{Number, Object, Value};

use crate::arguments::{Arguments, stop};
use crate::dataset::{Arrival, Dataset, copy_store};
use crate::measure::Spread;
use crate::report::{Line, Report, print_table, show};
use crate::run::{Side, number};
use crate::work_audience::REFRESHES;
use crate::world::{PersonNumber, World};

const PEERS: [(&str, &str, &str, usize); 5] = [
    ("DuckDB, time order", "audience_duckdb.py", "time", 1),
    ("DuckDB, time order, two threads", "audience_duckdb.py", "time", 2),
    ("DuckDB, sorted by person", "audience_duckdb.py", "person", 1),
    ("Polars", "audience_polars.py", "", 1),
    ("pandas", "audience_pandas.py", "", 1),
];

/// Runs the whole table.
pub fn run(arguments: &Arguments) {
    let dataset = Dataset::new(&arguments.folder(), arguments.world());
    let mut report = Report::new("audience", arguments);
    let store = store_of(&dataset);
    rebuild(arguments, &dataset, &store, &mut report);
    refresh(arguments, &dataset, &store, &mut report);
    dataset.scratch("audience.db", true);
    report.write();
}

fn store_of(dataset: &Dataset) -> PathBuf {
    let store = dataset.scratch("audience.db", true);
    let data = dataset.messages(Arrival::InOrder, false);
    Side::ours("ingest").with("data", data).with("store", &store).on_threads(2).run();
    Side::ours("define").with("store", &store).with("what", "nothing").run();
    store
}

fn rebuild(arguments: &Arguments, dataset: &Dataset, store: &Path, report: &mut Report) {
    let columns = dataset.columns();
    let mut one =
        Line::new("ours, one processor", "rebuild: all stored memberships recomputed from the facts and compared");
    let mut two = Line::new("ours, two processors", "the same");
    let mut peers: Vec<Line> =
        PEERS.iter().map(|(name, ..)| Line::new(name, "person, time, kind and cents ready in a table")).collect();
    let ours = |threads| Side::ours("audience").with("store", store).on_threads(threads).run();
    for _ in 0..arguments.repetitions() {
        one.runs.push(ours(1));
        for (line, (_, script, variant, threads)) in peers.iter_mut().zip(PEERS) {
            let kept = dataset.scratch(&format!("audience-{variant}.duckdb"), false);
            let side =
                Side::python(arguments, script).with("data", &columns).with("store", kept).with("variant", variant);
            line.runs.push(side.on_threads(threads).run());
        }
        two.runs.push(ours(2));
    }
    let mut lines = vec![one, two];
    lines.extend(peers);
    check_members(&dataset.world, &mut lines);
    let head = ["side", "CPU s", "wall s", "peak MB", "members", "ours/this CPU", "note"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let cpu = |run: &Value| number(run, "cpu_seconds");
    let mut found = Vec::new();
    for line in &lines {
        let ratio = lines[0].ratio(line, cpu);
        rows.push(vec![
            line.name.clone(),
            show(line.spread(cpu)),
            show(line.spread(|run| number(run, "wall_seconds"))),
            format!("{:.0}", line.spread(|run| number(run, "peak_megabytes")).greatest),
            format!("{}", line.spread(|run| number(run, "n_members")).median),
            show(ratio),
            line.note.clone(),
        ]);
        found.push(Value::object([
            ("side", Value::from(line.name.as_str())),
            ("our_cpu_to_this", ratio.to_value()),
            ("runs", Value::List(line.runs.clone())),
        ]));
    }
    print_table("full rebuild of the four-condition audience", &rows);
    let listing = lines[0].spread(|run| number(run, "members_cpu_seconds"));
    println!("  ours, listing the members with their identifiers: {} CPU s", show(listing));
    report.put("rebuild", Value::List(found));
}

/// Every side found the same people; what is kept of the lists is how many.
fn check_members(world: &World, lines: &mut [Line]) {
    let named = |member: &Value| match member {
        Value::Text(identifier) => identifier.clone(),
        other => {
            let person = other.as_number().and_then(Number::as_i64).and_then(|person| u32::try_from(person).ok());
            world.identifier(PersonNumber(person.unwrap_or(0))).1
        }
    };
    let members = |run: &Value| -> BTreeSet<String> {
        run.get("members").and_then(Value::as_list).unwrap_or_default().iter().map(named).collect()
    };
    let ours = lines.first().and_then(|line| line.runs.first()).map(members).unwrap_or_default();
    for line in lines {
        for run in &mut line.runs {
            let theirs = members(run);
            if theirs != ours {
                let missing = ours.difference(&theirs).count();
                stop(&format!(
                    "{} has {} members, {missing} of our {} are not among them",
                    line.name,
                    theirs.len(),
                    ours.len()
                ));
            }
            if let Value::Object(fields) = run {
                fields.remove("members");
                fields.insert("n_members".to_owned(), Value::count(theirs.len()));
            }
        }
    }
}

/// 10,000 new events over more and more people, in a store and in one of a tenth of its size; when it was just opened, and warm.
fn refresh(arguments: &Arguments, dataset: &Dataset, store: &Path, report: &mut Report) {
    let world = dataset.world;
    let tenth = World { n_events: world.n_events / 10, n_profiles: world.n_profiles / 10, ..world };
    let small = Dataset::new(&arguments.folder(), tenth);
    let small_store = store_of(&small);
    let mut rows = vec![
        ["people touched", "CPU s at the full size", "CPU s at a tenth", "full/tenth"].map(str::to_owned).to_vec(),
    ];
    let mut runs = Vec::new();
    for _ in 0..arguments.repetitions() {
        runs.push([(dataset, store), (&small, small_store.as_path())].map(|(dataset, store)| {
            let copy = dataset.scratch("refresh.db", true);
            copy_store(store, &copy);
            let world = dataset.world;
            let side = Side::ours("refresh").with("store", &copy).with("events", world.n_events.to_string());
            let run = side.with("profiles", world.n_profiles.to_string()).with("seed", world.seed.to_string()).run();
            dataset.scratch("refresh.db", true);
            run
        }));
    }
    let mut found = Object::new();
    for figure in REFRESHES.iter().filter_map(|refresh| refresh.figure) {
        // A store with fewer people has no such batch.
        let has = |side: usize| runs.iter().all(|run| run[side].get(figure).is_some());
        let of = |side: usize| Spread::of(runs.iter().map(|run| number(&run[side], figure)));
        let ratio = Spread::of(runs.iter().map(|run| number(&run[0], figure) / number(&run[1], figure).max(1e-9)));
        if has(0) && has(1) {
            rows.push(vec![figure.to_owned(), show(of(0)), show(of(1)), show(ratio)]);
            let figures =
                [("full", of(0).to_value()), ("tenth", of(1).to_value()), ("full_to_tenth", ratio.to_value())];
            found.insert(figure.to_owned(), Value::object(figures));
        }
    }
    print_table("taking in 10,000 new events, two audiences refreshed", &rows);
    report.put("refresh", Value::Object(found));
    small.scratch("audience.db", true);
}
