//! Our side of the reads, each in a process of its own: opening, profiles, window features, tables of people, and merges.

use std::path::Path;

use cdp_core::Cdp;
use cdp_core::cdp::{AsOf, Data, ExportRequest, FeatureQuery, IngestOptions, Query};
use cdp_core::measured::PairsOfProfiles;
use cdp_core::records::{Object, Timestamp, Value};

use crate::arguments::{Arguments, stop};
use crate::definitions::{define_five_audiences, define_window_features, window_feature_names};
use crate::measure::{Latencies, Meter, pin_to_processors, resident_megabytes};
use crate::messages::write_link;
use crate::work_ingest::{as_of, at_questions, open};
use crate::world::{PersonNumber, Truth, World, mix, user_id, uuid};

/// So many other people are read before those that are measured, of whom the first are measured for themselves: a process
/// that opened the store just now has none of its blocks.
const WARM_UP: usize = 20_000;
const FIRST_PEOPLE: usize = 1_000;
/// So many people are asked for again and again: what a cache may answer.
const HOT_PEOPLE: usize = 500;
const HOT_ROUNDS: usize = 10;
/// So many people are read after the first of a store that was opened just now.
const NEXT_PEOPLE: usize = 50;
/// So many answers are compared between the sides.
const COMPARED: usize = 200;
/// Messages of one kind in one batch of the merge table, and how many batches of each.
const MERGE_BATCH: usize = 500;
const MERGE_BATCHES: usize = 10;
/// How often people with a long history were seen, where merges are measured in the partition alone.
pub const LONG_HISTORY: u32 = 20;

/// Adds definitions to `--store`: `--what five-audiences` or `windows`; brings audiences up to the instant of the questions.
pub fn define(arguments: &Arguments) {
    let db = open(&arguments.path("store"));
    match arguments.need("what").as_str() {
        "five-audiences" => define_five_audiences(&db),
        "windows" => define_window_features(&db),
        _ => {}
    }
    db.advance(Some(as_of())).expect("audiences advance");
    db.close().expect("the store closes");
    println!("{{}}");
}

fn sample_of(arguments: &Arguments) -> Vec<Value> {
    let text = std::fs::read(arguments.path("sample")).expect("the sample was made");
    let list = Value::parse(&text).ok().and_then(|value| value.as_list().map(<[Value]>::to_vec));
    let people = list.unwrap_or_else(|| stop("the sample is a list"));
    people
        .iter()
        .map(|person| match person.as_list() {
            Some([kind, value, _]) => Value::object([(kind.as_text().unwrap_or_default(), value.clone())]),
            _ => stop("the sample holds type, value and number of a person"),
        })
        .collect()
}

/// Opens `--store`, `--access write` or `read`, reads one profile, and says what each took and how much memory is held; then
/// what each of some more profiles takes.
pub fn open_and_read(arguments: &Arguments) {
    pin_to_processors(arguments.number("threads", 1) as usize);
    let sample = sample_of(arguments);
    let mut options = at_questions(&arguments.path("store"));
    options.read_only = arguments.need("access") == "read";
    let before = resident_megabytes();
    let meter = Meter::start();
    let db = Cdp::open(options).expect("the store opens");
    let opened = meter.stop();
    let profile = db.profile(&sample[0], Some(AsOf::at(as_of()))).expect("the store is read");
    let mut said: Object = meter.stop().fields().into_iter().collect();
    said.insert("open_cpu_seconds".to_owned(), Value::float(opened.cpu_seconds));
    said.insert("open_wall_seconds".to_owned(), Value::float(opened.wall_seconds));
    said.insert("found".to_owned(), Value::Bool(profile.is_some()));
    said.insert("resident_megabytes".to_owned(), Value::float(resident_megabytes() - before));
    let mut next = Latencies::default();
    for identifier in &sample[1..=NEXT_PEOPLE] {
        next.measure(|| drop(db.profile(identifier, Some(AsOf::at(as_of()))).expect("the store is read")));
    }
    said.insert("next".to_owned(), next.into_value());
    println!("{}", Value::Object(said).to_json());
    db.close().expect("the store closes");
}

/// Reads the people of `--sample` by `read`: everybody once, then a few again and again.
fn latencies(sample: &[Value], mut read: impl FnMut(&Value)) -> Object {
    let (warm_up, rest) = sample.split_at(WARM_UP.min(sample.len() / 2));
    let (first_people, others) = warm_up.split_at(FIRST_PEOPLE.min(warm_up.len()));
    let mut first = Latencies::default();
    for identifier in first_people {
        first.measure(|| read(identifier));
    }
    others.iter().for_each(&mut read);
    let mut everybody = Latencies::default();
    for identifier in rest {
        everybody.measure(|| read(identifier));
    }
    let hot = &rest[..HOT_PEOPLE.min(rest.len())];
    hot.iter().for_each(&mut read);
    let mut again = Latencies::default();
    for identifier in (0..HOT_ROUNDS).flat_map(|_| hot) {
        again.measure(|| read(identifier));
    }
    [("first", first), ("everybody", everybody), ("again", again)]
        .map(|(part, latencies)| (part.to_owned(), latencies.into_value()))
        .into()
}

/// Whole profiles by identifier.
pub fn read_profiles(arguments: &Arguments) {
    pin_to_processors(1);
    let db = open(&arguments.path("store"));
    let sample = sample_of(arguments);
    let at = AsOf::at(as_of());
    let profile = |identifier: &Value| db.profile(identifier, at).expect("the store is read");
    let mut said = latencies(&sample, |identifier| drop(profile(identifier)));
    let (mut audiences, mut views, mut traits) = (0usize, 0.0, 0usize);
    for found in sample.iter().filter_map(profile) {
        audiences += found.audiences.len();
        views += found.features.get("views_30d").and_then(Value::as_number).map_or(0.0, |views| views.to_f64());
        traits += found.traits.len();
    }
    let check = Value::List(vec![Value::count(audiences), Value::count(views as usize), Value::count(traits)]);
    said.insert("check".to_owned(), check);
    said.insert("resident_megabytes".to_owned(), Value::float(resident_megabytes()));
    println!("{}", Value::Object(said).to_json());
}

/// 25 window features of one profile.
pub fn read_features(arguments: &Arguments) {
    pin_to_processors(1);
    let db = open(&arguments.path("store"));
    let sample = sample_of(arguments);
    let (at, names) = (Some(AsOf::at(as_of())), window_feature_names());
    let features = |identifier: &Value| db.features_named(identifier, &names, at).expect("the store is read");
    let mut said = latencies(&sample, |identifier| drop(features(identifier)));
    let rows = sample.iter().take(COMPARED).map(|identifier| {
        let found = features(identifier).unwrap_or_default();
        Value::List(names.iter().map(|name| comparable(found.get(name))).collect())
    });
    said.insert("check".to_owned(), Value::List(rows.collect()));
    println!("{}", Value::Object(said).to_json());
}

/// What [`read_tables`] measures.
pub const TABLE_CALLS: [&str; 7] =
    ["members", "preview", "profiles where", "feature table", "export", "1,000 by profile id", "resolve 1,000"];

/// Asks `--store` for everybody whom an audience or a rule means, and for people by the ids that it gave out.
pub fn read_tables(arguments: &Arguments) {
    let db = open(&arguments.path("store"));
    let at = AsOf::at(as_of());
    let audience = "buyers";
    let everybody = db.members(audience, &Query::new().as_of(at)).expect("the store is read");
    let ids: Vec<String> = (0..everybody.n_rows().min(1_000))
        .filter_map(|row| everybody.row(row).get("profile_id").and_then(Value::as_text).map(str::to_owned))
        .collect();
    let mut calls: Vec<Box<dyn FnMut() -> usize>> = vec![
        Box::new(|| db.members(audience, &Query::new().as_of(at)).expect("members").n_rows()),
        Box::new(|| db.preview(rule(), at).expect("a preview").matched as usize),
        Box::new(|| {
            let query = Query::new().filter(rule()).as_of(at).limit(1_000usize);
            db.profiles(&query).expect("profiles").n_rows()
        }),
        Box::new(|| db.feature_table(&FeatureQuery::new().as_of(at)).expect("features").n_rows()),
        Box::new(|| {
            let path = arguments.path("file").to_string_lossy().into_owned();
            let mut request = ExportRequest::new().audience(audience).path(path);
            request.purpose = Some("service".to_owned());
            db.export(&request).expect("an export").rows as usize
        }),
        Box::new(|| {
            let of = |id: &String| Value::object([("profile_id", Value::from(id.as_str()))]);
            ids.iter().filter(|id| db.features(&of(id), at).expect("the store is read").is_some()).count()
        }),
        Box::new(|| db.resolve(&ids).expect("the store is read").len()),
    ];
    let mut said = Object::new();
    for (name, call) in TABLE_CALLS.into_iter().zip(&mut calls) {
        let meter = Meter::start();
        let rows = call();
        let used = meter.stop();
        let found = [("rows", Value::count(rows)), ("cpu_ms", Value::float(used.cpu_seconds * 1e3))];
        said.insert(name.to_owned(), Value::object(found));
    }
    println!("{}", Value::Object(said).to_json());
}

fn rule() -> Value {
    let text = br#"{"event": "Order Completed", "count": {"gte": 1}, "within": "30d"}"#;
    Value::parse(text).expect("a rule is JSON")
}

/// A value as SQL over cents and milliseconds gives it: nothing is 0, money is cents, times are milliseconds.
fn comparable(value: Option<&Value>) -> Value {
    match value {
        Some(Value::Number(number)) => Value::integer((number.to_f64() * 100.0).round() as i64),
        Some(Value::Text(text)) => Value::integer(Timestamp::parse(text).map_or(0, Timestamp::millis)),
        _ => Value::integer(0),
    }
}

/// Users with a device of theirs, or with a device that nobody is linked to yet.
struct Pairs {
    linked: Vec<(String, String)>,
    strange: Vec<(String, String)>,
    events_each: f64,
}

/// Merges two profiles by an identify message, against the same message about two identifiers that are one profile already.
///
/// In turns of batches, among the people with the shortest and with the longest histories.
pub fn merge(arguments: &Arguments) {
    pin_to_processors(1);
    let world = arguments.world();
    let db = open(&arguments.path("store"));
    let mut said = Object::new();
    let mut next_message = 0;
    for (name, pairs) in ["short", "long"].into_iter().zip(pairs_by_history(&world)) {
        let (mut linked_cpu, mut strange_cpu) = (Vec::new(), Vec::new());
        let turns = pairs.linked.chunks(MERGE_BATCH).zip(pairs.strange.chunks(MERGE_BATCH));
        for (linked, strange) in turns {
            linked_cpu.push(link(&db, linked, &mut next_message, 0));
            strange_cpu.push(link(&db, strange, &mut next_message, strange.len()));
        }
        let [linked, strange] = [linked_cpu, strange_cpu].map(|mut cpu| crate::measure::percentile(&mut cpu, 0.5));
        let figures = [
            ("merges", Value::count(pairs.strange.len())),
            ("events_per_person", Value::float(pairs.events_each)),
            ("linked_us_per_message", Value::float(linked)),
            ("merging_us_per_message", Value::float(strange)),
            ("merge_us", Value::float(strange - linked)),
        ];
        said.insert(name.to_owned(), Value::object(figures));
    }
    db.close().expect("the store closes");
    for (name, n_repeats) in [("partition_short", 1), ("partition_long", LONG_HISTORY)] {
        said.insert(name.to_owned(), Value::float(partition_step_us((world.n_profiles as u32 / 2).max(1), n_repeats)));
    }
    println!("{}", Value::Object(said).to_json());
}

/// CPU microseconds of a merge in the partition alone, among so many pairs that were each seen `n_repeats` times.
fn partition_step_us(n_pairs: u32, n_repeats: u32) -> f64 {
    let mut pairs = PairsOfProfiles::new(n_pairs, n_repeats).expect("a partition in RAM");
    let batch = (MERGE_BATCH as u32).min(n_pairs);
    let n_batches = (MERGE_BATCHES as u32).min(n_pairs / batch);
    let meter = Meter::start();
    let merged: u64 = (0..n_batches).map(|turn| pairs.merge(turn * batch, batch).expect("a merge")).sum();
    let used = meter.stop().cpu_seconds;
    if merged != u64::from(n_batches * batch) {
        stop("the partition merged others than the pairs");
    }
    used * 1e6 / merged as f64
}

fn pairs_by_history(world: &World) -> [Pairs; 2] {
    let truth = Truth::of(world);
    let (mut users, devices): (Vec<_>, Vec<_>) = truth.people().into_iter().partition(|(person, _)| person.is_known());
    users.sort_by_key(|(person, n_events)| (*n_events, mix(u64::from(person.0))));
    let wanted = (MERGE_BATCH * MERGE_BATCHES).min(users.len() / 4).min(devices.len() / 2);
    let longest = users.split_off(users.len() - 2 * wanted);
    let mut devices = devices.into_iter().map(|(person, _)| person);
    [&users[..2 * wanted], &longest[..]].map(|users| pairs_of(world, &truth, users, &mut devices))
}

fn pairs_of(
    world: &World,
    truth: &Truth,
    users: &[(PersonNumber, u32)],
    devices: &mut impl Iterator<Item = PersonNumber>,
) -> Pairs {
    let mut pairs = Pairs { linked: Vec::new(), strange: Vec::new(), events_each: 0.0 };
    for pair in users.chunks_exact(2) {
        let [(first, first_events), (second, second_events)] = pair else { continue };
        let device =
            truth.linked_device(first.profile()).map(|device| uuid(world.anonymous_id(first.profile(), device)));
        let (Some(device), Some(strange)) = (device, devices.next()) else { continue };
        pairs.linked.push((device, user_id(first.profile())));
        pairs.strange.push((world.identifier(strange).1, user_id(second.profile())));
        pairs.events_each += f64::from(first_events + second_events) / 2.0;
    }
    pairs.events_each /= pairs.linked.len().max(1) as f64;
    pairs
}

/// CPU microseconds per identify message; checks that so many profiles were merged.
fn link(db: &Cdp, pairs: &[(String, String)], next_message: &mut u64, merges: usize) -> f64 {
    let mut text = String::new();
    for (anonymous_id, user_id) in pairs {
        *next_message += 1;
        let id = (u128::from(mix(*next_message)) << 64) | u128::from(*next_message);
        write_link(id, anonymous_id, user_id, &mut text);
    }
    let meter = Meter::start();
    let receipt = db.ingest(Data::Bytes(text.as_bytes()), &IngestOptions::default(), None).expect("the links are read");
    let used = meter.stop();
    if receipt.merges as usize != merges || receipt.accepted as usize != pairs.len() {
        stop(&format!("{merges} merges were expected, not {}, of {} messages", receipt.merges, receipt.accepted));
    }
    used.cpu_seconds * 1e6 / pairs.len().max(1) as f64
}

/// Makes sure that a store was left where a worker said it is.
pub fn expect_store(path: &Path) {
    if !path.exists() {
        stop("the store was not made");
    }
}
