//! Our side of concurrency: many callers that each wait until their message is durable, and readers beside a writer.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cdp_core::Cdp;
use cdp_core::cdp::{AsOf, Data, IngestOptions};
use cdp_core::records::{MessageType, Object, Value};

use crate::arguments::{Arguments, stop};
use crate::dataset::stored_bytes;
use crate::definitions::define_for_ingest;
use crate::measure::{Latencies, Meter, wall_now};
use crate::work_ingest::{as_of, open};
use crate::world::{PersonNumber, World, mix};

/// `--callers` threads each track `--calls` messages into `--store` and wait for every one to be durable.
pub fn track(arguments: &Arguments) {
    let (world, callers, calls) = (arguments.world(), arguments.number("callers", 1), arguments.number("calls", 1_000));
    let db = open(&arguments.path("store"));
    define_for_ingest(&db);
    let meter = Meter::start();
    let mut all = Latencies::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|caller| {
                let (db, world) = (&db, &world);
                scope.spawn(move || {
                    let mut latencies = Latencies::default();
                    for call in 0..calls {
                        let message = view(world, caller * calls + call);
                        latencies.measure(|| db.send_as(MessageType::Track, &message).expect("a message is accepted"));
                    }
                    latencies
                })
            })
            .collect();
        for thread in threads {
            all.join(thread.join().expect("a caller ends"));
        }
    });
    let used = meter.stop();
    let mut said: Object = used.fields().into_iter().collect();
    said.insert("calls_per_second".to_owned(), Value::float((callers * calls) as f64 / used.wall_seconds));
    said.insert("cpu_us_per_call".to_owned(), Value::float(used.cpu_seconds * 1e6 / (callers * calls) as f64));
    said.insert("latencies".to_owned(), all.into_value());
    println!("{}", Value::Object(said).to_json());
    db.close().expect("the store closes");
}

fn view(world: &World, number: u64) -> Value {
    let person = PersonNumber((mix(number) % world.n_profiles) as u32 * 4);
    Value::object([
        ("event", Value::from("Product Viewed")),
        ("userId", Value::Text(world.identifier(person).1)),
        ("properties", Value::object([("price", Value::integer(12))])),
    ])
}

/// Reads five features of people of `--sample` in `--store` for `--seconds`, from `--readers` threads.
///
/// With `--write` this process takes in that file at the same time; what another process writes is the caller's affair. Says
/// how large the write-ahead log became.
pub fn read_while_writing(arguments: &Arguments) {
    let store = arguments.path("store");
    let db = open(&store);
    let sample = std::fs::read(arguments.path("sample")).expect("the sample was made");
    let people = Value::parse(&sample).ok().and_then(|list| list.as_list().map(<[Value]>::to_vec));
    let people: Vec<Value> =
        people.unwrap_or_else(|| stop("the sample is a list")).iter().filter_map(identifier).collect();
    let written = arguments.text("write", "");
    let bytes_before = stored_bytes(&store) as f64;
    let ended = AtomicBool::new(false);
    let mut all = Latencies::default();
    let mut greatest_log = 0;
    let mut rows = 0;
    std::thread::scope(|scope| {
        let writer = (!written.is_empty()).then(|| scope.spawn(|| write(&db, Path::new(&written), &ended)));
        let readers: Vec<_> = (0..arguments.number("readers", 1))
            .map(|reader| {
                scope.spawn({
                    let (db, people, ended) = (&db, &people, &ended);
                    move || read(db, people, reader, ended)
                })
            })
            .collect();
        let begin = wall_now();
        while begin.elapsed() < Duration::from_secs(arguments.number("seconds", 5)) && !ended.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50));
            greatest_log = greatest_log.max(log_bytes(&store));
        }
        ended.store(true, Ordering::Relaxed);
        for reader in readers {
            all.join(reader.join().expect("a reader ends"));
        }
        rows = writer.map_or(0, |writer| writer.join().expect("the writer ends"));
    });
    let said = Value::object([
        ("latencies", all.into_value()),
        ("rows_written", Value::count(rows as usize)),
        ("grown_megabytes", Value::float((stored_bytes(&store) as f64 - bytes_before) / 1e6)),
        ("greatest_wal_megabytes", Value::float(greatest_log as f64 / 1e6)),
    ]);
    println!("{}", said.to_json());
    db.close().expect("the store closes");
}

fn identifier(person: &Value) -> Option<Value> {
    match person.as_list() {
        Some([kind, value, _]) => Some(Value::object([(kind.as_text()?, value.clone())])),
        _ => None,
    }
}

fn read(db: &Cdp, people: &[Value], reader: u64, ended: &AtomicBool) -> Latencies {
    let mut latencies = Latencies::default();
    let at = Some(AsOf::at(as_of()));
    let mut number = mix(reader);
    while !ended.load(Ordering::Relaxed) {
        number = mix(number);
        let identifier = &people[(number % people.len() as u64) as usize];
        latencies.measure(|| db.features(identifier, at).expect("the store is read"));
        if number.is_multiple_of(20) {
            // Readers that never rest would measure how two threads share a processor.
            std::thread::sleep(Duration::from_micros(500));
        }
    }
    latencies
}

/// Takes in a file until the readers have ended; gives the rows.
fn write(db: &Cdp, data: &Path, ended: &AtomicBool) -> u64 {
    let mut done = 0;
    let mut progress = |rows: u64, _: &str| {
        done = rows;
        !ended.load(Ordering::Relaxed)
    };
    // An interrupted ingest is an error; its committed batches are what was wanted.
    let _ = db.ingest(Data::Path(data.to_owned()), &IngestOptions::default(), Some(&mut progress));
    ended.store(true, Ordering::Relaxed);
    done
}

fn log_bytes(store: &Path) -> u64 {
    let mut name = store.as_os_str().to_owned();
    name.push("-wal");
    std::fs::metadata(PathBuf::from(name)).map_or(0, |metadata| metadata.len())
}
