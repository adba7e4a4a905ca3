//! Our side of ingest, in a process of its own: every message durable in batches of 10,000, with identity, five features,
//! two audiences, quarantine and dedupe.

use std::path::Path;

use cdp_core::cdp::{AsOf, Data, FeatureQuery, IngestOptions};
use cdp_core::records::{Cells, Number, Object, Receipt, Timestamp, Value};
use cdp_core::{Cdp, OpenOptions};

use crate::arguments::Arguments;
use crate::dataset::stored_bytes;
use crate::definitions::define_for_ingest;
use crate::measure::{Meter, busiest_thread_cpu_seconds, pin_to_processors, process_cpu_seconds};
use crate::world::AS_OF_MS;

const BATCH_ROWS: usize = 10_000;

/// Opens the store of a bench: its clock stands at the instant of every question.
pub fn open(path: &Path) -> Cdp {
    Cdp::open(at_questions(path)).expect("the store of a bench opens")
}

/// The options of a store whose clock stands at the instant of every question.
pub fn at_questions(path: &Path) -> OpenOptions {
    OpenOptions::file(path).clock(as_of())
}

/// The instant of every question.
pub fn as_of() -> Timestamp {
    Timestamp::from_millis(AS_OF_MS)
}

/// How far an ingest was when it had used so many CPU seconds.
struct Stamp {
    rows: f64,
    cpu_seconds: f64,
}

/// Takes in `--data` into a new `--store`, and says what that cost.
///
/// `--threads` binds the process to so many processors. `--traits` and `--redelivery` are files that come afterwards, each
/// measured for itself. `--check` says what was found in the end, `--finish kill` ends the process as a crash would.
pub fn ingest(arguments: &Arguments) {
    pin_to_processors(arguments.number("threads", 1) as usize);
    let store = arguments.path("store");
    let mut said = Object::new();
    let meter = Meter::start();
    let db = open(&store);
    define_for_ingest(&db);
    let taken = take_in(&db, &arguments.path("data"));
    said.insert("ingest_cpu_seconds".to_owned(), Value::float(meter.stop().cpu_seconds));
    said.insert("busiest_thread_cpu_seconds".to_owned(), Value::float(taken.busiest_thread_cpu_seconds));
    let closes = arguments.text("finish", "close") == "close";
    if closes {
        db.close().expect("the store closes");
    }
    said.extend(meter.stop().fields());
    said.extend(counts(&taken.receipt));
    said.insert("file_bytes".to_owned(), Value::count(stored_bytes(&store) as usize));
    said.insert("last_tenth_to_first".to_owned(), Value::float(flatness(&taken.stamps)));
    for file in ["traits", "redelivery"] {
        let path = arguments.text(file, "");
        if !path.is_empty() {
            let db = if closes { open(&store) } else { db.clone() };
            let meter = Meter::start();
            let receipt = take_in(&db, Path::new(&path)).receipt;
            if closes {
                db.close().expect("the store closes");
            }
            let mut fields: Object = meter.stop().fields().into_iter().collect();
            fields.extend(counts(&receipt));
            said.insert(file.to_owned(), Value::Object(fields));
        }
    }
    if arguments.number("check", 0) == 1 {
        check(&store, &mut said);
    }
    println!("{}", Value::Object(said).to_json());
    if !closes {
        use rustix::process::{Signal, getpid, kill_process};
        kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
    }
}

/// What an ingest did, and how it went on.
struct Taken {
    receipt: Receipt,
    stamps: Vec<Stamp>,
    busiest_thread_cpu_seconds: f64,
}

fn take_in(db: &Cdp, data: &Path) -> Taken {
    let mut stamps = vec![Stamp { rows: 0.0, cpu_seconds: process_cpu_seconds() }];
    // A thread that parses is gone when the call returns, so the threads are looked at on the way.
    let mut busiest = 0.0f64;
    let mut progress = |rows: u64, _: &str| {
        stamps.push(Stamp { rows: rows as f64, cpu_seconds: process_cpu_seconds() });
        busiest = busiest.max(busiest_thread_cpu_seconds());
        true
    };
    let options = IngestOptions::default().batch_rows(BATCH_ROWS);
    let receipt = db.ingest(Data::Path(data.to_owned()), &options, Some(&mut progress)).expect("the input is read");
    Taken { receipt, stamps, busiest_thread_cpu_seconds: busiest }
}

fn counts(receipt: &Receipt) -> Vec<(String, Value)> {
    let counts = [
        ("rows", receipt.rows),
        ("messages", receipt.accepted),
        ("duplicates", receipt.duplicates),
        ("rejected", receipt.rejected),
        ("merges", receipt.merges),
    ];
    counts.map(|(name, count)| (name.to_owned(), Value::count(count as usize))).to_vec()
}

/// The rate of the last tenth of the rows by that of the first, from CPU seconds between the stamps.
fn flatness(stamps: &[Stamp]) -> f64 {
    let Some(all) = stamps.last().map(|stamp| stamp.rows) else { return 0.0 };
    let cpu_at = |rows: f64| {
        let after = stamps.partition_point(|stamp| stamp.rows < rows).clamp(1, stamps.len() - 1);
        let (left, right) = (&stamps[after - 1], &stamps[after]);
        let share = (rows - left.rows) / (right.rows - left.rows).max(1.0);
        left.cpu_seconds + share * (right.cpu_seconds - left.cpu_seconds)
    };
    if stamps.len() < 2 {
        return 0.0;
    }
    (cpu_at(all * 0.1) - cpu_at(0.0)) / (cpu_at(all) - cpu_at(all * 0.9)).max(1e-9)
}

/// What the peers must have found as well, and the fingerprint that no order of arrival changes.
fn check(store: &Path, said: &mut Object) {
    let db = open(store);
    let people = db
        .feature_table(&FeatureQuery::new().names(&["spend".to_owned()]).as_of(AsOf::at(as_of())))
        .expect("features are read");
    let zero = Number::from_i64(0);
    let spend = match people.column("features.spend") {
        Some(Cells::Decimal(cells)) => {
            cells.iter().flatten().fold(zero, |sum, value| sum.checked_add(*value).unwrap_or(sum))
        }
        Some(Cells::Int64(cells)) => Number::from_i64(cells.iter().flatten().sum()),
        _ => zero,
    };
    let cents = (spend.to_f64() * 100.0).round() as i64;
    said.insert("revenue_cents".to_owned(), Value::integer(cents));
    said.insert("people".to_owned(), Value::count(people.n_rows()));
    said.insert(
        "fingerprint".to_owned(),
        Value::Text(db.fingerprint(Some(AsOf::at(as_of()))).expect("the store is read")),
    );
    db.close().expect("the store closes");
}
