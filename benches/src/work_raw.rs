//! The floor: the same rows inserted into SQLite by a prepared statement, durable in batches of 10,000, and nothing else.
//!
//! It parses nothing: the message id, person, kind and time of each line were made beforehand. It dedupes nobody either.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use cdp_core::records::{Object, Value};
use rusqlite::{Connection, params};

use crate::arguments::Arguments;
use crate::dataset::stored_bytes;
use crate::measure::{Latencies, Meter, pin_to_processors};

const BATCH_ROWS: usize = 10_000;
const TABLE: &str = "CREATE TABLE event (sequence INTEGER PRIMARY KEY, message_id BLOB, node INTEGER, kind INTEGER, \
                     occurred_at INTEGER, message TEXT)";
const INSERT: &str = "INSERT INTO event (message_id, node, kind, occurred_at, message) VALUES (?1, ?2, ?3, ?4, ?5)";

#[expect(clippy::disallowed_methods, reason = "the raw insert is the floor that the store is measured against")]
fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a new database opens");
    let pragmas = "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
    connection.execute_batch(pragmas).expect("pragmas are set");
    connection.execute_batch(TABLE).expect("a table is made");
    connection
}

/// Inserts the lines of `--data` with the columns of `--columns` into a new `--store`.
pub fn insert(arguments: &Arguments) {
    pin_to_processors(1);
    let store = arguments.path("store");
    let meter = Meter::start();
    let connection = open(&store);
    let mut lines = BufReader::with_capacity(1 << 20, File::open(arguments.path("data")).expect("the data is there"));
    let columns = File::open(arguments.path("columns")).expect("the columns are there");
    let mut columns = BufReader::with_capacity(1 << 20, columns);
    let mut line = String::new();
    let mut rows = 0usize;
    let mut has_more = true;
    while has_more {
        connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction begins");
        let mut statement = connection.prepare_cached(INSERT).expect("the statement is valid");
        for _ in 0..BATCH_ROWS {
            line.clear();
            has_more = lines.read_line(&mut line).expect("the data is text") > 0;
            if !has_more {
                break;
            }
            let (mut id, mut node, mut kind, mut time) = ([0; 16], [0; 4], [0; 1], [0; 8]);
            for field in [&mut id[..], &mut node[..], &mut kind[..], &mut time[..]] {
                columns.read_exact(field).expect("there are columns for every line");
            }
            let (node, time) = (u32::from_le_bytes(node), i64::from_le_bytes(time));
            statement.execute(params![&id[..], node, kind[0], time, line.trim_end()]).expect("a row is inserted");
            rows += 1;
        }
        drop(statement);
        connection.execute_batch("COMMIT").expect("a transaction commits");
    }
    connection.close().expect("the database closes");
    let mut said: Object = meter.stop().fields().into_iter().collect();
    said.insert("rows".to_owned(), Value::count(rows));
    said.insert("file_bytes".to_owned(), Value::count(stored_bytes(&store) as usize));
    println!("{}", Value::Object(said).to_json());
}

/// Inserts `--calls` rows one by one, each durable for itself.
pub fn insert_one_by_one(arguments: &Arguments) {
    let connection = open(&arguments.path("store"));
    let calls = arguments.number("calls", 1_000);
    let message = "x".repeat(300);
    let mut latencies = Latencies::default();
    let meter = Meter::start();
    for call in 0..calls {
        let time = i64::try_from(call).expect("few calls");
        latencies.measure(|| {
            let mut statement = connection.prepare_cached(INSERT).expect("the statement is valid");
            statement.execute(params![&[0u8; 16][..], 1, 1, time, message]).expect("a row is inserted");
        });
    }
    let used = meter.stop();
    let said = Value::object([
        ("calls_per_second", Value::float(calls as f64 / used.wall_seconds)),
        ("cpu_us_per_call", Value::float(used.cpu_seconds * 1e6 / calls as f64)),
        ("latencies", latencies.into_value()),
    ]);
    println!("{}", said.to_json());
}
