//! The shared vectors in `tests/vectors`: definitions, verb calls and what they must give, the same in every language.
//!
//! Runs every file with `"vectors_format": 1` through the verb table; `cdp-py/tests/test_vectors.py` and
//! `cdp-node/test/vectors.test.js` run the same files. A vector opens a store in memory with its `clock`, defines its
//! `definitions` and calls its `steps`: `{call, with, expect | error}`, or `input` for text that `ingest` reads as bytes.
//! What a file has under `given` comes before each vector. An expected object is a part of the actual one; `{"$exact": x}`
//! is the whole, `{"$set": [...]}` a list in any order, `{"$count": n}` its length. At the end `verify` must find no fault
//! and the fingerprint must be the recorded one (`UPDATE_GOLDEN=1` records it). `permutations` runs the first list of
//! messages in other orders too: the receipt may differ, nothing else may. `pending` names the capability that a vector
//! waits for; once it passes, the mark must go.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a wrong file ends the test")]

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use cdp_core::records::{Number, Object, Value};
use cdp_core::wire::{self, Data};
use cdp_core::{Cdp, Result};
use cdp_tests::{json, repository};

/// What became of the vectors of a file.
#[derive(Default)]
struct Report {
    passed: usize,
    pending: Vec<String>,
    failures: Vec<String>,
}

fn folder() -> PathBuf {
    repository().join("tests/vectors")
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_text).unwrap_or("")
}

fn list<'v>(value: Option<&'v Value>, name: &str) -> &'v [Value] {
    value.and_then(|value| value.get(name)).and_then(Value::as_list).unwrap_or_default()
}

fn check(file_name: &str) {
    let path = folder().join(file_name);
    let mut file_text = fs::read_to_string(&path).unwrap();
    let file = json(&file_text);
    let mut report = Report::default();
    for vector in list(Some(&file), "vectors") {
        let name = text(vector, "name");
        let (failures, fingerprint) = outcome(file.get("given"), vector);
        let recorded = text(vector, "fingerprint");
        match vector.get("pending").and_then(Value::as_text) {
            Some(_) if failures.is_empty() => report.failures.push(format!("{name}: passes; remove its `pending`")),
            Some(capability) => report.pending.push(format!("{name}: {capability}")),
            None if !failures.is_empty() => report.failures.push(format!("{name}:\n    {}", failures.join("\n    "))),
            None if recorded == fingerprint => report.passed += 1,
            None if std::env::var_os("UPDATE_GOLDEN").is_some() => {
                file_text = with_fingerprint(&file_text, name, recorded, &fingerprint);
                report.passed += 1;
            }
            None => report.failures.push(format!("{name}: the fingerprint is {fingerprint}, recorded is {recorded:?}")),
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, file_text).unwrap();
    }
    println!("{file_name}: {} passed, {} pending", report.passed, report.pending.len());
    report.pending.iter().for_each(|line| println!("  pending {line}"));
    assert!(
        report.failures.is_empty(),
        "{file_name}: {} failed\n  {}",
        report.failures.len(),
        report.failures.join("\n  ")
    );
}

fn with_fingerprint(file_text: &str, name: &str, recorded: &str, fingerprint: &str) -> String {
    let vector = file_text.find(&format!("\"name\": \"{name}\"")).unwrap();
    let (before, after) = file_text.split_at(vector);
    let field = |value: &str| format!("\"fingerprint\": \"{value}\"");
    before.to_owned() + &after.replacen(&field(recorded), &field(fingerprint), 1)
}

/// Runs a vector in all its orders.
fn outcome(given: Option<&Value>, vector: &Value) -> (Vec<String>, String) {
    let messages = list(permuted(vector).and_then(|step| step.get("with")), "data");
    let (mut failures, fingerprint) = run(given, vector, None);
    if vector.get("permutations") == Some(&Value::Bool(true)) {
        assert!(messages.len() > 1, "{}: nothing to permute", text(vector, "name"));
        for order in orders(messages.len()).into_iter().skip(1) {
            let (found, of_order) = run(given, vector, Some(&order));
            failures.extend(found.into_iter().map(|failure| format!("in the order {order:?}: {failure}")));
            if of_order != fingerprint {
                failures.push(format!("in the order {order:?}: the fingerprint differs"));
            }
        }
    }
    (failures, fingerprint)
}

fn permuted(vector: &Value) -> Option<&Value> {
    list(Some(vector), "steps").iter().find(|step| text(step, "call") == "ingest")
}

/// Up to three messages in every order; more as they are, reversed and in three shuffles.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let identity: Vec<usize> = (0..n).collect();
    match n {
        0 | 1 => vec![identity],
        2 => vec![identity, vec![1, 0]],
        3 => [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].map(Vec::from).to_vec(),
        _ => {
            let mut orders = vec![identity.clone(), identity.iter().rev().copied().collect()];
            let mut random = 1;
            for _ in 0..3 {
                let mut order = identity.clone();
                for last in (1..n).rev() {
                    random = random * 75 % 65_537;
                    order.swap(last, random % (last + 1));
                }
                orders.push(order);
            }
            orders
        }
    }
}

/// Runs a vector once. Gives what was wrong, and the fingerprint at the end.
fn run(given: Option<&Value>, vector: &Value, order: Option<&[usize]>) -> (Vec<String>, String) {
    let setting = |name: &str| vector.get(name).or_else(|| given.and_then(|given| given.get(name))).cloned();
    let options = ["clock", "id_seed"].map(|name| (name, setting(name).unwrap_or_default()));
    let db = wire::open(&Value::object(options)).unwrap();
    let mut failures = Vec::new();
    let definitions = [list(given, "definitions"), list(Some(vector), "definitions")].concat();
    if !definitions.is_empty()
        && let Err(error) = wire::call(&db, "define", &Value::object([("definitions", Value::List(definitions))]))
    {
        failures.push(format!("definitions: {error}"));
    }
    let permuted = permuted(vector);
    for (number, step) in list(given, "steps").iter().chain(list(Some(vector), "steps")).enumerate() {
        let place = format!("step {} {}", number + 1, text(step, "call"));
        let order = order.filter(|_| permuted.is_some_and(|permuted| std::ptr::eq(permuted, step)));
        let answer = call(&db, step, order);
        let (expected, actual) = match (answer, step.get("error")) {
            (Ok(answer), None) => (step.get("expect").filter(|_| order.is_none()), answer),
            (Err(error), Some(expected)) => (Some(expected), wire::error_value(&error)),
            (Ok(_), Some(_)) => {
                failures.push(format!("{place}: no error"));
                continue;
            }
            (Err(error), None) => {
                failures.push(format!("{place}: {error}"));
                continue;
            }
        };
        if let Some(expected) = expected {
            differences(expected, &actual, &place, &mut failures);
        }
    }
    let verified = db.verify().unwrap();
    if !verified.ok {
        failures.push(format!("verify: {}", verified.faults.join("; ")));
    }
    (failures, db.fingerprint(None).unwrap())
}

fn call(db: &Cdp, step: &Value, order: Option<&[usize]>) -> Result<Value> {
    let mut request = step.get("with").cloned().unwrap_or_else(|| Value::Object(Object::new()));
    if let Some(input) = step.get("input").and_then(Value::as_text) {
        return wire::ingest(db, Data::Bytes(input.as_bytes()), &request, None).map(|receipt| receipt.to_value());
    }
    if let Value::Object(fields) = &mut request
        && let Some(data) = fields.get_mut("data")
    {
        if let Some(repeat) = data.get("$repeat") {
            let n = repeat.get("n").and_then(Value::as_number).and_then(Number::as_i64).unwrap();
            *data = Value::List((0..n).map(|i| numbered(repeat.get("template").unwrap(), i)).collect());
        }
        if let (Some(order), Value::List(messages)) = (order, &data) {
            *data = Value::List(order.iter().map(|index| messages[*index].clone()).collect());
        }
    }
    wire::call(db, text(step, "call"), &request).map(wire::Response::into_value)
}

/// A template with `{i}` filled in.
fn numbered(template: &Value, i: i64) -> Value {
    match template {
        Value::Text(text) => Value::Text(text.replace("{i}", &i.to_string())),
        Value::List(items) => Value::List(items.iter().map(|item| numbered(item, i)).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, field)| (name.clone(), numbered(field, i))).collect())
        }
        other => other.clone(),
    }
}

fn differences(expected: &Value, actual: &Value, place: &str, found: &mut Vec<String>) {
    let mut differ = || found.push(format!("{place}: expected {}, found {}", expected.to_json(), actual.to_json()));
    let special = |name: &str| expected.get(name);
    match (expected, actual) {
        _ if special("$exact").is_some() => {
            if special("$exact") != Some(actual) {
                differ();
            }
        }
        (Value::Object(_), Value::List(items)) if special("$count").is_some() => {
            if special("$count") != Some(&Value::count(items.len())) {
                differ();
            }
        }
        (Value::Object(_), Value::List(items)) if special("$set").is_some() => {
            let mut rest: Vec<&Value> = items.iter().collect();
            for wanted in list(Some(expected), "$set") {
                let place = rest.iter().position(|item| {
                    let mut found = Vec::new();
                    differences(wanted, item, "", &mut found);
                    found.is_empty()
                });
                let Some(place) = place else { return differ() };
                rest.remove(place);
            }
            if !rest.is_empty() {
                differ();
            }
        }
        (Value::Object(fields), Value::Object(actual)) => {
            for (name, field) in fields {
                match actual.get(name) {
                    Some(actual) => differences(field, actual, &format!("{place}.{name}"), found),
                    None => found.push(format!("{place}.{name}: expected {}, found nothing", field.to_json())),
                }
            }
        }
        (Value::List(items), Value::List(actual)) if items.len() == actual.len() => {
            for (index, (item, actual)) in items.iter().zip(actual).enumerate() {
                let mut at = place.to_owned();
                write!(at, "[{index}]").unwrap();
                differences(item, actual, &at, found);
            }
        }
        _ if expected == actual => {}
        _ => differ(),
    }
}

#[test]
fn people_are_unified_as_the_identity_vectors_say() {
    check("identity.json");
}

#[test]
fn rules_mean_what_the_rule_vectors_say() {
    check("rules.json");
}

#[test]
fn wrong_input_is_refused_as_the_error_vectors_say() {
    check("errors.json");
}

#[test]
fn facts_of_one_instant_are_ordered_as_the_order_vectors_say() {
    check("order.json");
}

#[test]
fn messages_are_read_as_the_collect_vectors_say() {
    check("collect.json");
}

#[test]
fn audiences_cohorts_and_decisions_are_as_the_flow_vectors_say() {
    check("flows.json");
}

#[test]
fn cohorts_are_learned_and_described_as_the_cohort_vectors_say() {
    check("cohorts.json");
}

#[test]
fn single_profiles_are_linked_as_the_linkage_vectors_say() {
    check("linkage.json");
}

#[test]
fn every_file_of_vectors_is_run() {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        if is_json && json(&fs::read_to_string(&path).unwrap()).get("vectors_format").is_some() {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found.sort();
    let files = ["cohorts", "collect", "errors", "flows", "identity", "linkage", "order", "rules"];
    assert_eq!(found, files.map(|file| format!("{file}.json")));
}
