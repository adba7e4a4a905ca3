//! Our side of the identity bench: link a CSV of people with defaults, and connected components of a list of edges.

use std::collections::HashMap;
use std::path::Path;

use cdp_core::definitions::LinkageDefinition;
use cdp_core::linkage::{ColumnRoles, Components, Evaluation, Labels, LinkageIndex, Linker, Records, Scores, link};
use cdp_core::records::Value;

use crate::arguments::Arguments;
use crate::measure::{Meter, wall_now};
use crate::persons::Chance;

/// The true clusters of the records, which only judging needs.
fn labels(file: &Path, id: &str, truth: &str) -> Vec<(String, String)> {
    let mut reader = csv::Reader::from_path(file).expect("the data can be read");
    let header = reader.headers().expect("the data has a header").clone();
    let place = |name: &str| header.iter().position(|column| column == name);
    let (id, Some(truth)) = (place(id), place(truth)) else { return Vec::new() };
    let rows = reader.records().map(|row| row.expect("the data is CSV")).enumerate();
    rows.map(|(number, row)| (id.map_or_else(|| number.to_string(), |id| row[id].to_owned()), row[truth].to_owned()))
        .collect()
}

/// A CSV with a column of record identifiers; a column of true clusters is left out.
fn read(file: &Path, id: &str, truth: &str) -> Records {
    let mut reader = csv::Reader::from_path(file).expect("the data can be read");
    let header = reader.headers().expect("the data has a header").clone();
    let place = |name: &str| header.iter().position(|column| column == name);
    let (id, truth) = (place(id), place(truth));
    let columns: Vec<usize> =
        (0..header.len()).filter(|column| Some(*column) != id && Some(*column) != truth).collect();
    let mut records = Records::new(columns.iter().map(|column| &header[*column]));
    for (number, row) in reader.records().enumerate() {
        let row = row.expect("the data is CSV");
        let name = id.map_or_else(|| number.to_string(), |id| row[id].to_owned());
        records.push(&name, columns.iter().map(|column| &row[*column])).expect("the data fits");
    }
    records
}

fn scores(of: &Scores) -> Value {
    Value::object([
        ("precision", Value::float(of.precision)),
        ("recall", Value::float(of.recall)),
        ("f1", Value::float(of.f1)),
    ])
}

fn evaluation(of: &Evaluation) -> Vec<(String, Value)> {
    let at = |threshold: f64| {
        of.thresholds.iter().find(|(known, _)| *known == threshold).map_or(Value::Null, |(_, of)| scores(of))
    };
    [
        ("clusters", scores(&of.clusters)),
        ("b_cubed", scores(&of.b_cubed)),
        ("pairs_at_50", at(0.5)),
        ("pairs_at_90", at(0.9)),
        ("pairs_at_99", at(0.99)),
        ("blocking_recall", Value::float(of.blocking_recall)),
        ("kept_recall", Value::float(of.kept_recall)),
        ("largest_cluster", Value::count(of.largest_clusters.0 as usize)),
        ("largest_true_cluster", Value::count(of.largest_clusters.1 as usize)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Links with defaults; says what it cost and how good the clusters are. `--show yes` tells more to a reader.
pub fn link_people(arguments: &Arguments) {
    let (file, id, truth) =
        (arguments.path("data"), arguments.text("id", "rec_id"), arguments.text("truth", "cluster"));
    let meter = Meter::start();
    let records = read(&file, &id, &truth);
    let links = link(&records, &ColumnRoles::new(), &LinkageDefinition::default(), arguments.number("seed", 0))
        .expect("people can be linked");
    let usage = meter.stop();
    let mut fields = usage.fields();
    fields.push(("rows".to_owned(), Value::count(links.len())));
    fields.push(("pairs".to_owned(), Value::count(links.quality().n_pairs_compared as usize)));
    let found = links.evaluate(&Labels::Persons(labels(&file, &id, &truth))).expect("the labels are of these records");
    fields.extend(evaluation(&found));
    if arguments.text("show", "no") == "yes" {
        println!("{:#?}", links.quality());
        println!("{:?}", links.recognized());
        links.blocking().iter().for_each(|rule| println!("{rule:?}"));
        links.model().describe().iter().for_each(|line| println!("{line}"));
        for (left, right, why) in found.worst.iter().take(arguments.number("worst", 3) as usize) {
            println!("{left} {right} {:.1}", why.weight);
            why.parts.iter().for_each(|part| println!("    {} {:?} {:.2}", part.part, part.level, part.weight));
        }
    }
    println!("{}", Value::Object(fields.into_iter().collect()).to_json());
}

/// One record at a time against all others: a model trained on the first `--trained` rows, an index of all but the last
/// `--asked` rows, which are then asked for, inserted and removed.
pub fn resolve_people(arguments: &Arguments) {
    let (file, id, truth) =
        (arguments.path("data"), arguments.text("id", "rec_id"), arguments.text("truth", "cluster"));
    let (n_trained, n_asked) =
        (arguments.number("trained", 100_000) as usize, arguments.number("asked", 20_000) as usize);
    let labels = labels(&file, &id, &truth);
    let records = read(&file, &id, &truth);
    let part = |rows: std::ops::Range<usize>| {
        let mut part = Records::new(records.columns().iter().cloned());
        for row in rows {
            let texts = (0..records.columns().len()).map(|column| records.text(row, column));
            part.push(records.id(row), texts).expect("a part fits");
        }
        part
    };
    let linkage = LinkageDefinition::default();
    let links =
        link(&part(0..n_trained.min(records.len())), &ColumnRoles::new(), &linkage, 0).expect("people can be linked");
    let (model, roles) = (links.model().clone(), links.recognized()[0].clone());
    let linker = Linker::new(&model);
    let verdict = links.quality().verdict;
    drop(links);
    let meter = Meter::start();
    let mut index = LinkageIndex::new(model.clone(), verdict, &linkage);
    let n_held = records.len().saturating_sub(n_asked);
    let mut persons: HashMap<&str, Vec<u64>> = HashMap::new();
    for first in (0..n_held).step_by(10_000) {
        let rows = first..(first + 10_000).min(n_held);
        for (row, record) in rows.clone().zip(linker.parse(&part(rows), &roles)) {
            index.insert(row as u64, &record);
        }
    }
    let mut fields = meter.stop().fields();
    labels
        .iter()
        .take(n_held)
        .enumerate()
        .for_each(|(row, (_, person))| persons.entry(person).or_default().push(row as u64));
    let asked = linker.parse(&part(n_held..records.len()), &roles);
    let (mut ask, mut insert, mut remove) = (Vec::new(), Vec::new(), Vec::new());
    let (mut n_found, mut n_true) = (0, 0);
    for (record, (_, person)) in asked.iter().zip(&labels[n_held..]) {
        let start = wall_now();
        let found = index.candidates(record);
        ask.push(start.elapsed().as_nanos() as f64 / 1e3);
        let truth = persons.get(person.as_str()).map_or(&[][..], Vec::as_slice);
        n_true += truth.len();
        n_found += found.iter().filter(|found| found.weight >= 0.0 && truth.contains(&found.id)).count();
    }
    for (number, record) in asked.iter().enumerate() {
        let start = wall_now();
        index.insert((n_held + number) as u64, record);
        insert.push(start.elapsed().as_nanos() as f64 / 1e3);
    }
    for number in 0..asked.len() {
        let start = wall_now();
        index.remove((n_held + number) as u64);
        remove.push(start.elapsed().as_nanos() as f64 / 1e3);
    }
    for (name, times) in [("ask", &mut ask), ("insert", &mut insert), ("remove", &mut remove)] {
        times.sort_by(f64::total_cmp);
        for (share, of) in [("p50", 0.5), ("p99", 0.99)] {
            let time = times.get((times.len() as f64 * of) as usize).copied().unwrap_or_default();
            fields.push((format!("{name}_{share}_us"), Value::float(time)));
        }
    }
    fields.push(("rows".to_owned(), Value::count(n_held)));
    fields.push(("recall".to_owned(), Value::float(f64::from(n_found as u32) / f64::from(n_true.max(1) as u32))));
    println!("{}", Value::Object(fields.into_iter().collect()).to_json());
}

/// Connected components of `--edges n` random edges between as many nodes, the same edges as the peers'.
pub fn components(arguments: &Arguments) {
    let n = arguments.number("edges", 1_000_000) as usize;
    let mut chance = Chance(42);
    let edges: Vec<(u32, u32)> = (0..n).map(|_| (chance.below(n) as u32, chance.below(n) as u32)).collect();
    let meter = Meter::start();
    let mut components = Components::new(n);
    edges.iter().for_each(|(left, right)| {
        components.link(*left, *right);
    });
    let labels = components.labels();
    let mut fields = meter.stop().fields();
    let n_groups = labels.iter().enumerate().filter(|(node, label)| *node as u32 == **label).count();
    fields.push(("rows".to_owned(), Value::count(n)));
    fields.push(("components".to_owned(), Value::count(n_groups)));
    println!("{}", Value::Object(fields.into_iter().collect()).to_json());
}

/// Writes the edges of [`components`] for the peers, as pairs of little-endian u32.
pub fn write_edges(arguments: &Arguments) {
    let n = arguments.number("edges", 1_000_000) as usize;
    let mut chance = Chance(42);
    let bytes: Vec<u8> = (0..2 * n).flat_map(|_| (chance.below(n) as u32).to_le_bytes()).collect();
    std::fs::write(arguments.path("out"), bytes).expect("the edges can be written");
}
