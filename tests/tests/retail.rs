//! The UCI Online Retail file: half a million real order lines with their known figures and one fingerprint, whichever
//! way they come in. The same figures are held by the tests of the Python and Node packages.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must say where"
)]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use cdp_core::cdp::{AsOf, Data, FeatureQuery, IngestOptions, Query};
use cdp_core::records::{Cells, Number, Timestamp, Value};
use cdp_core::{Cdp, OpenOptions};
use cdp_tests::{SHOP_CSV, SHOP_DEFINITIONS, SHOP_EXPECTED, json, shared_data};

fn open(path: &Path) -> Cdp {
    let clock = Timestamp::parse("2012-01-01T00:00:00Z").unwrap();
    Cdp::open(OpenOptions::file(path).clock(clock)).unwrap()
}

fn define(db: &Cdp, source: &Value) {
    let mut definitions = json(SHOP_DEFINITIONS).as_list().unwrap().to_vec();
    definitions.push(source.clone());
    db.define(&definitions).unwrap();
}

fn retail_file() -> Option<PathBuf> {
    shared_data("retail/online_retail.csv.gz")
}

fn expected(name: &str) -> Value {
    json(SHOP_EXPECTED).get(name).unwrap().clone()
}

fn expected_text(name: &str) -> String {
    expected(name).as_text().unwrap().to_owned()
}

fn sum(db: &Cdp, feature: &str) -> Number {
    let frame = db.feature_table(&FeatureQuery::new().names(&[feature.to_owned()])).unwrap();
    let column = frame.column(&format!("features.{feature}")).unwrap();
    let values = (0..frame.n_rows()).filter_map(|row| column.value(row).as_number());
    values.fold(Number::ZERO, |sum, value| sum.checked_add(value).unwrap())
}

#[test]
fn the_file_gives_its_known_figures_however_often_it_comes() {
    let Some(file) = retail_file() else { return };
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder.path().join("shop.db"));
    define(&db, &json(SHOP_CSV));

    let receipt = db.ingest(Data::Path(file.clone()), &IngestOptions::from_source("shop_csv"), None).unwrap();

    assert_eq!((receipt.rows, receipt.accepted, receipt.rejected), (541_909, 406_829, 135_080));
    assert_eq!(receipt.new_profiles, 4372);
    assert!(receipt.first_rejects.iter().all(|sample| sample.reject.field.as_deref() == Some("CustomerID")));
    assert_eq!(Value::from(db.stats().unwrap().profiles), expected("profiles"));
    assert_eq!(sum(&db, "gross_revenue").to_string(), expected_text("gross_revenue"));
    assert_eq!(sum(&db, "refunds").to_string(), expected_text("refunds"));
    assert_eq!(Value::Number(sum(&db, "orders")), expected("orders"));
    let frame = db.feature_table(&FeatureQuery::new().names(&["orders".to_owned()])).unwrap();
    let Some(Cells::Int64(orders)) = frame.column("features.orders") else { panic!("a column of integers") };
    assert_eq!(
        Value::count(orders.iter().flatten().filter(|orders| **orders > 0).count()),
        expected("customers_with_orders")
    );
    let customer = db.profile(&json(r#"{"user_id": "14646"}"#), None).unwrap().unwrap();
    let gross_revenue = customer.features.get("gross_revenue").unwrap();
    assert_eq!(gross_revenue.to_json(), expected_text("customer_14646_gross_revenue"));
    assert_eq!(customer.traits.get("country"), Some(&Value::from("Netherlands")));
    for (as_of, members) in expected("high_value_30d").as_object().unwrap() {
        let query = Query::new().as_of(AsOf::at(Timestamp::parse(as_of).unwrap()));
        assert_eq!(Value::count(db.members("high_value_30d", &query).unwrap().n_rows()), *members, "{as_of}");
    }
    assert_eq!(db.fingerprint(None).unwrap(), expected_text("fingerprint"));

    let again = db.ingest(Data::Path(file), &IngestOptions::from_source("shop_csv"), None).unwrap();

    assert_eq!((again.accepted, again.duplicates, again.conflicting, again.rejected), (0, 406_829, 0, 135_080));
    assert_eq!(db.fingerprint(None).unwrap(), expected_text("fingerprint"));
    let verified = db.verify().unwrap();
    assert!(verified.ok, "{:?}", verified.faults);
}

/// The lines of the file without its header; no cell of it holds a line break.
fn lines(file: &Path) -> (String, Vec<String>) {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    let mut lines = text.lines().map(str::to_owned);
    let header = lines.next().unwrap();
    (header, lines.collect())
}

#[test]
fn calls_of_a_thousand_rows_make_the_same_store() {
    let Some(file) = retail_file() else { return };
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder.path().join("shop.db"));
    define(&db, &json(SHOP_CSV));
    let (header, lines) = lines(&file);

    let mut accepted = 0;
    for (index, chunk) in lines.chunks(1000).enumerate() {
        let part = format!("{header}\n{}\n", chunk.join("\n"));
        let options = IngestOptions::from_source("shop_csv").first_row(index as u64 * 1000 + 1);
        accepted += db.ingest(Data::Bytes(part.as_bytes()), &options, None).unwrap().accepted;
    }

    assert_eq!(accepted, 406_829);
    assert_eq!(db.fingerprint(None).unwrap(), expected_text("fingerprint"));
}

#[test]
fn shuffled_json_lines_make_the_same_store() {
    let Some(file) = retail_file() else { return };
    let folder = tempfile::tempdir().unwrap();
    let shuffled = folder.path().join("shuffled.ndjson");
    write_shuffled(&file, &shuffled);
    let db = open(&folder.path().join("shop.db"));
    let mut source = json(SHOP_CSV).as_object().unwrap().clone();
    source.insert("format".to_owned(), Value::from("ndjson"));
    source.insert("message_id".to_owned(), json(r#"["InvoiceNo", "row"]"#));
    define(&db, &Value::Object(source));

    let receipt = db.ingest(Data::Path(shuffled), &IngestOptions::from_source("shop_csv"), None).unwrap();

    assert_eq!((receipt.accepted, receipt.rejected), (406_829, 135_080));
    assert_eq!(db.fingerprint(None).unwrap(), expected_text("fingerprint"));
    let verified = db.verify().unwrap();
    assert!(verified.ok, "{:?}", verified.faults);
}

/// The rows as JSON objects in another order: all values text as in the CSV, an empty cell null, `row` added.
fn write_shuffled(file: &Path, target: &Path) {
    let (header, mut lines) = lines(file);
    let names: Vec<&str> = header.split(',').collect();
    for (index, line) in lines.iter_mut().enumerate() {
        let mut object = cdp_core::records::Object::new();
        for (name, cell) in names.iter().zip(split_csv(line)) {
            object.insert((*name).to_owned(), if cell.is_empty() { Value::Null } else { Value::Text(cell) });
        }
        object.insert("row".to_owned(), Value::Text((index + 1).to_string()));
        *line = Value::Object(object).to_json();
    }
    // A fixed permutation: multiplication by an odd number modulo a power of two, walked past the end.
    let mask = lines.len().next_power_of_two() - 1;
    let order = (0..=mask).map(|index| index.wrapping_mul(0x9E37_79B1) & mask).filter(|index| *index < lines.len());
    let mut out = std::io::BufWriter::new(std::fs::File::create(target).unwrap());
    for index in order {
        writeln!(out, "{}", lines[index]).unwrap();
    }
    out.flush().unwrap();
}

fn split_csv(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    cells.push(cell);
    cells
}
