//! Live resolution in a store: what an identify costs before its commit, and how far its links are those of a run over all.
//!
//! A trigger of SQLite ends a transaction where a part of it ends: nothing is committed, nothing in the library knows of it, and
//! every question finds the store as it was.

use std::collections::BTreeMap;
use std::path::Path;

use cdp_core::cdp::{Data, IngestOptions, LinkOptions};
use cdp_core::records::Value;
use cdp_core::{Cdp, Durability, OpenOptions};
use rusqlite::Connection;

use crate::arguments::Arguments;
use crate::measure::{Latencies, Meter, pin_to_processors};
use crate::persons::FIELDS;

fn json(text: &str) -> Value {
    Value::parse(text.as_bytes()).expect("the bench writes valid JSON")
}

fn open(store: &Path) -> Cdp {
    let mut options = OpenOptions::file(store);
    // What is measured ends before the disk is asked.
    options.durability = Durability::Relaxed;
    Cdp::open(options).expect("the store opens")
}

/// A store with nothing on its way: single messages would carry a part of what a bulk left.
fn reopen(store: &Path, db: Cdp) -> Cdp {
    db.close().expect("the store closes");
    open(store)
}

/// Lets every transaction fail right before it writes to one of these tables; with none of them all pass again.
#[expect(clippy::disallowed_methods, reason = "where a transaction ends is no matter of the library")]
fn end_before(store: &Path, writes: &[&str]) {
    let connection = Connection::open(store).expect("the store is a database");
    for place in 0..2 {
        let ending = writes.get(place).map_or(String::new(), |write| {
            format!("CREATE TRIGGER ends_{place} BEFORE {write} BEGIN SELECT RAISE(ABORT, 'measured'); END;")
        });
        let sql = format!("DROP TRIGGER IF EXISTS ends_{place}; {ending}");
        connection.execute_batch(&sql).expect("a trigger is made");
    }
}

/// What sending each message costs up to where a transaction ends.
fn until(store: &Path, db: &Cdp, writes: &[&str], messages: &[Value]) -> Value {
    end_before(store, writes);
    let mut latencies = Latencies::default();
    // The first ones fetch what all need.
    for (place, message) in messages.iter().enumerate() {
        if place < messages.len() / 10 {
            db.send(message).expect_err("the transaction ends");
        } else {
            latencies.measure(|| db.send(message)).expect_err("the transaction ends");
        }
    }
    end_before(store, &[]);
    latencies.into_value()
}

fn ingest(db: &Cdp, messages: impl Iterator<Item = Value> + Send) {
    let data = Data::Values(Box::new(messages.map(Ok)));
    let receipt = db.ingest(data, &IngestOptions::default(), None).expect("messages are taken in");
    assert_eq!(receipt.rejected, 0, "{receipt:?}");
}

fn identity(linkage: &str) -> Value {
    json(&format!(
        r#"{{"kind": "identity", "name": "people", "identifiers": [
            {{"type": "user_id", "role": "person", "priority": 1}},
            {{"type": "email", "role": "contact", "priority": 2, "normalize": "email"}},
            {{"type": "anonymous_id", "role": "device", "priority": 9}}]{linkage}}}"#
    ))
}

fn linkage(live: bool) -> Value {
    identity(&format!(r#", "linkage": {{"auto_link": true, "live": {live}, "columns": {{"traits.mail": "email"}}}}"#))
}

/// An identify message of each row, and who it is.
fn identifies(file: &Path) -> impl Iterator<Item = (Value, String)> + Send {
    let mut reader = csv::Reader::from_path(file).expect("the data can be read");
    let header = reader.headers().expect("the data has a header").clone();
    let place = move |name: &str| header.iter().position(|column| column == name).expect("the data has the column");
    let (id, cluster) = (place("rec_id"), place("cluster"));
    let fields = FIELDS.map(|field| (if field == "email" { "mail" } else { field }, place(field)));
    reader.into_records().enumerate().map(move |(number, row)| {
        let row = row.expect("the data is CSV");
        let traits = fields.iter().filter(|(_, place)| !row[*place].is_empty());
        let traits = traits.map(|(name, place)| ((*name).to_owned(), Value::from(&row[*place])));
        let message = Value::object([
            ("type", Value::from("identify")),
            ("messageId", Value::Text(format!("m{number}"))),
            ("userId", Value::Text(format!("r{}", &row[id]))),
            ("timestamp", Value::integer(1_700_000_000_000 + number as i64)),
            ("traits", Value::Object(traits.collect())),
        ]);
        (message, row[cluster].to_owned())
    })
}

fn file_bytes(db: &Cdp) -> f64 {
    let stats = db.stats().expect("there are figures");
    stats.file_bytes as f64
}

/// B-cubed F1 of the people in the store against the truth.
fn b_cubed(db: &Cdp, truth: &[String]) -> f64 {
    let profile = |row: usize| {
        let name = Value::object([("user_id", Value::Text(format!("r{row}")))]);
        let profile = db.profile(&name, None).expect("profiles are read").expect("everybody is there");
        profile.id
    };
    let clusters: Vec<String> = (0..truth.len()).map(profile).collect();
    let mut sizes: [BTreeMap<(&str, &str), f64>; 3] = Default::default();
    for (cluster, person) in clusters.iter().zip(truth) {
        for (sizes, key) in sizes.iter_mut().zip([(cluster.as_str(), ""), (person, ""), (cluster, person)]) {
            *sizes.entry(key).or_default() += 1.0;
        }
    }
    let [of_cluster, of_person, of_both] = &sizes;
    let (mut precision, mut recall) = (0.0, 0.0);
    for (cluster, person) in clusters.iter().zip(truth) {
        let both = of_both[&(cluster.as_str(), person.as_str())];
        precision += both / of_cluster[&(cluster.as_str(), "")];
        recall += both / of_person[&(person.as_str(), "")];
    }
    2.0 * precision * recall / (precision + recall) / truth.len() as f64
}

/// A store of all but the last `--asked` records of `--data`, linked, and those last ones as they come. `--judge yes` also links
/// half of all records, lets the others come, and compares with a run over all.
pub fn live(arguments: &Arguments) {
    pin_to_processors(1);
    let (file, store) = (arguments.path("data"), arguments.path("store"));
    let n_asked = arguments.number("asked", 2_000) as usize;
    let n_rows = identifies(&file).count();
    let is_judged = arguments.text("judge", "no") == "yes";
    let n_held = if is_judged { n_rows / 2 } else { n_rows - n_asked };
    let db = open(&store);
    db.define(&[linkage(false)]).expect("the definition holds");
    ingest(&db, identifies(&file).take(n_held).map(|(message, _)| message));
    db.link(&LinkOptions::default()).expect("profiles are linked");
    let bytes = file_bytes(&db);
    db.define(&[linkage(true)]).expect("the definition holds");
    let meter = Meter::start();
    let report = db.link(&LinkOptions::default()).expect("profiles are linked");
    let mut fields = meter.stop().fields();
    fields.push(("verdict".to_owned(), report.quality.get("verdict").cloned().unwrap_or_default()));
    fields.push(("live_bytes_per_profile".to_owned(), Value::float((file_bytes(&db) - bytes) / n_held as f64)));
    fields.push(("rows".to_owned(), Value::count(n_held)));
    let db = reopen(&store, db);
    let rest: Vec<(Value, String)> = identifies(&file).skip(n_held).collect();
    let messages: Vec<Value> = rest.into_iter().map(|(message, _)| message).collect();
    let asked = messages.get(..n_asked.min(messages.len())).unwrap_or_default();
    // The same messages with nothing in them that is compared: what an identify costs anyway.
    let unlike = |message: &Value| {
        let mut fields = message.as_object().expect("a message is an object").clone();
        let traits = fields.remove("traits").unwrap_or_default().as_object().cloned().unwrap_or_default();
        let traits = traits.into_iter().enumerate().map(|(place, (_, value))| (format!("q{place}"), value)).collect();
        fields.insert("traits".to_owned(), Value::Object(traits));
        Value::Object(fields)
    };
    let unlike: Vec<Value> = asked.iter().map(unlike).collect();
    fields.push(("attached".to_owned(), until(&store, &db, &["UPDATE ON meta"], &unlike)));
    let resolved: &[&str] = &["INSERT ON linkage_keys", "INSERT ON probable_links"];
    for (name, writes) in [("resolved", resolved), ("before_commit", &["UPDATE ON meta"])] {
        fields.push((name.to_owned(), until(&store, &db, writes, asked)));
    }
    let mut latencies = Latencies::default();
    let (first, others) = messages.split_at(asked.len());
    for message in first {
        latencies.measure(|| db.send(message)).expect("a message is taken in");
    }
    fields.push(("committed".to_owned(), latencies.into_value()));
    if is_judged {
        let meter = Meter::start();
        ingest(&db, others.iter().cloned());
        fields.push(("ingest_us".to_owned(), Value::float(meter.stop().cpu_seconds * 1e6 / others.len() as f64)));
        let truth: Vec<String> = identifies(&file).map(|(_, person)| person).collect();
        fields.push(("b_cubed_live".to_owned(), Value::float(b_cubed(&db, &truth))));
        db.link(&LinkOptions::default()).expect("profiles are linked");
        fields.push(("b_cubed_run".to_owned(), Value::float(b_cubed(&db, &truth))));
    }
    println!("{}", Value::Object(fields.into_iter().collect()).to_json());
}

/// A store of `--profiles` without linkage, and messages that find their profile and attach an identifier to it.
pub fn attach(arguments: &Arguments) {
    pin_to_processors(1);
    let (store, n_profiles) = (arguments.path("store"), arguments.number("profiles", 1_000_000));
    let n_asked = arguments.number("asked", 5_000);
    let db = open(&store);
    db.define(&[identity("")]).expect("the definition holds");
    let message = |kind: &str, id: String, user: u64, more: &str| {
        let time = 1_700_000_000_000 + user;
        json(&format!(r#"{{"type": "{kind}", "messageId": "{id}", "userId": "u{user}", "timestamp": {time}, {more}}}"#))
    };
    let email = |user: u64| format!(r#""context": {{"traits": {{"email": "p{user}@example.org"}}}}"#);
    ingest(&db, (0..n_profiles).map(|user| message("identify", format!("m{user}"), user, &email(user))));
    let db = reopen(&store, db);
    // Runs that the bulk has left to be merged are merged a block a message: a transaction that ends would not get on with it.
    (0..n_profiles / 100).for_each(|n| {
        let seen = message("track", format!("s{n}"), n * 99 % n_profiles, r#""event": "Seen""#);
        db.send(&seen).expect("a message is taken in");
    });
    // No type of identifier is new to the store.
    let known = message("identify", "known".to_owned(), 0, r#""anonymousId": "known""#);
    db.send(&known).expect("a message is taken in");
    let users: Vec<u64> = (0..n_asked).map(|n| n * 999_983 % n_profiles).collect();
    let mut fields = Vec::new();
    let mut ask = |name: &str, messages: Vec<Value>| {
        for (part, what) in [("begun", "INSERT ON messages"), ("before_commit", "UPDATE ON meta")] {
            fields.push((format!("{name}_{part}"), until(&store, &db, &[what], &messages)));
        }
    };
    let event = r#""event": "Seen""#;
    ask("lookup", users.iter().map(|user| message("track", format!("t{user}"), *user, event)).collect());
    let attach = |user: &u64| message("identify", format!("i{user}"), *user, &format!(r#""anonymousId": "a{user}""#));
    ask("attach", users.iter().map(attach).collect());
    fields.push(("rows".to_owned(), Value::count(n_profiles as usize)));
    println!("{}", Value::Object(fields.into_iter().collect()).to_json());
}
