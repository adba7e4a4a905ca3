//! `make bench-retail`: the CPU seconds of taking in the CDNOW orders, as a ratio to Python's json + sqlite3 in the same run.
//!
//! Both sides run in processes of their own, in turn, three times each; the median counts. Each reads the same gzip file and
//! writes a new file with full durability; ours also unifies, computes a feature and keeps an audience.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use cdp_core::cdp::{AsOf, Data, FeatureQuery, IngestOptions};
use cdp_core::records::{Number, Timestamp, Value};
use cdp_core::{Cdp, OpenOptions};

use crate::arguments::{Arguments, root, stop};
use crate::measure::process_cpu_seconds;
use crate::run::peers_folder;

const REPETITIONS: usize = 3;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Both sides in turn, and their ratio.
pub fn run(arguments: &Arguments) {
    let orders = root().join("examples/data/cdnow/CDNOW_master.txt.gz");
    let peer = peers_folder().join("retail_sqlite3.py");
    if let Err(error) = compare(&root(), &orders, &arguments.text("python", "python3"), &peer) {
        stop(&error.to_string());
    }
}

/// One run of ours, in a process of its own; prints what it did as JSON.
pub fn ours(orders: &Path, file: &Path) {
    if let Err(error) = take_in(&root(), orders, file) {
        stop(&error.to_string());
    }
}

fn take_in(root: &Path, orders: &Path, file: &Path) -> Outcome<()> {
    let clock = Timestamp::parse("1998-07-01T00:00:00Z")?;
    let db = Cdp::open(OpenOptions::file(file).clock(clock))?;
    for name in ["sources", "features"] {
        db.define_path(root.join(format!("examples/demo/definitions/{name}.json")))?;
    }
    let audience = root.join("examples/demo/definitions/audiences.json");
    db.define_path(audience)?;
    let receipt = db.ingest(Data::Path(orders.to_owned()), &IngestOptions::from_source("cdnow"), None)?;
    let people = db.feature_table(&FeatureQuery::new().names(&["spend".to_owned()]).as_of(AsOf::at(clock)))?.n_rows();
    db.close()?;
    println!(r#"{{"cpu_seconds": {}, "rows": {}, "people": {people}}}"#, process_cpu_seconds(), receipt.accepted);
    Ok(())
}

fn compare(root: &Path, orders: &Path, python: &str, peer: &Path) -> Outcome<()> {
    let folder = root.join("build/bench");
    std::fs::create_dir_all(&folder)?;
    let (mut our_seconds, mut peer_seconds, mut rows) = (Vec::new(), Vec::new(), 0);
    for _ in 0..REPETITIONS {
        let mut ours = Command::new(std::env::current_exe()?);
        ours.args(["work", "retail"]).arg(orders).arg(fresh(&folder, "ours.db"));
        let (seconds, our_rows) = said_by(&mut ours)?;
        our_seconds.push(seconds);
        let mut peers = Command::new(python);
        peers.arg(peer).arg(orders).arg(fresh(&folder, "peer.db"));
        let (seconds, peer_rows) = said_by(&mut peers)?;
        peer_seconds.push(seconds);
        if our_rows != peer_rows {
            return Err(format!("we have {our_rows} rows and the peer {peer_rows}").into());
        }
        rows = our_rows;
    }
    let (ours, peer) = (median(&mut our_seconds), median(&mut peer_seconds));
    let ratio = peer / ours;
    println!("ingest of {rows} orders, median of {REPETITIONS}, CPU seconds (each side's runs: lowest to highest)");
    println!("  this library          {ours:.2}  {our_seconds:.2?}  {:.0} rows per CPU second", rows as f64 / ours);
    println!("  Python json + sqlite3 {peer:.2}  {peer_seconds:.2?}  {:.0} rows per CPU second", rows as f64 / peer);
    println!("  ratio {ratio:.2} (above 1: this library is faster; it unifies and keeps two audiences on top)");
    let results = root.join("benches/results");
    std::fs::create_dir_all(&results)?;
    let numbers = |seconds: &[f64]| Value::List(seconds.iter().map(|seconds| Value::float(*seconds)).collect());
    let report = Value::object([
        ("bench", Value::from("ingest_retail")),
        ("rows", Value::Number(Number::from_i64(rows))),
        ("repetitions", Value::count(REPETITIONS)),
        ("cpu_seconds", numbers(&our_seconds)),
        ("peer", Value::from("Python json + sqlite3")),
        ("peer_cpu_seconds", numbers(&peer_seconds)),
        ("ratio", Value::float(ratio)),
        ("cores", Value::count(std::thread::available_parallelism().map_or(0, std::num::NonZero::get))),
    ]);
    std::fs::write(results.join("ingest_retail.json"), report.to_json() + "\n")?;
    Ok(())
}

/// A path in the folder where no database lies.
fn fresh(folder: &Path, name: &str) -> std::path::PathBuf {
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("{name}{suffix}")));
    }
    folder.join(name)
}

fn said_by(command: &mut Command) -> Outcome<(f64, i64)> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let said = Value::parse(&output.stdout).map_err(|fault| fault.to_string())?;
    let number = |name: &str| said.get(name).and_then(Value::as_number).ok_or("a run says its seconds and rows");
    Ok((number("cpu_seconds")?.to_f64(), number("rows")?.as_i64().unwrap_or(0)))
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(0.0)
}
