//! Made-up people seen as several customers, and stores that link them by probability: for the tests of linkage.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests, which end there")]

use cdp_core::cdp::{AsOf, LinkOptions, PageOptions};
use cdp_core::records::{Timestamp, Value};
use cdp_core::{Cdp, OpenOptions};

use crate::history::{people, texts};
use crate::json;

const GIVEN: [&str; 16] = [
    "olivia", "noah", "amelia", "george", "isla", "arthur", "ava", "muhammad", "freya", "leo", "lily", "oscar",
    "grace", "theo", "ivy", "harry",
];
const SURNAMES: [&str; 12] = [
    "smith", "jones", "taylor", "brown", "williams", "wilson", "johnson", "davies", "patel", "robinson", "wright",
    "thompson",
];

/// 2024-01-01T00:00:00Z.
const START_MS: i64 = 1_704_067_200_000;

/// A minute after the beginning of 2024.
pub fn instant(minute: i64) -> Timestamp {
    Timestamp::from_millis(START_MS + minute * 60_000)
}

/// After everything that these tests tell.
pub fn late() -> Timestamp {
    instant(1_000_000)
}

/// Messages of made-up people, each seen as so many customers; every second one has a typing error in the given name.
pub fn made_up(n_people: usize, copies: usize) -> Vec<Value> {
    let mut state = 12_345_u64;
    let mut below = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut messages = Vec::new();
    for person in 0..n_people {
        let surname = format!("{}{}", SURNAMES[below(12)], ["", "er", "son", "ley"][below(4)]);
        let born = format!("{}-{:02}-{:02}", 1940 + below(70), 1 + below(12), 1 + below(28));
        let (given, zip) = (GIVEN[below(16)], 10_000 + below(400));
        let city = ["leeds", "york", "bath", "derby", "truro", "ely", "wells", "ripon"][below(8)];
        for copy in 0..copies {
            let surname = if copy % 2 == 1 && person % 11 == 10 { format!("{surname}e") } else { surname.clone() };
            let given =
                if copy % 2 == 1 { given.replacen(|c: char| "aeiou".contains(c), "", 1) } else { given.to_owned() };
            messages.push(json(&format!(
                r#"{{"type": "identify", "messageId": "m{person}-{copy}", "userId": "u{person}-{copy}", "timestamp": "{}",
                    "traits": {{"firstName": "{given}", "lastName": "{surname}", "birthday": "{born}",
                                "address": {{"postalCode": "{zip}", "city": "{city}"}}}}}}"#,
                instant((person * copies + copy) as i64)
            )));
        }
    }
    messages
}

/// An identity definition with this content of `linkage`; none without.
pub fn identity(linkage: Option<&str>) -> Value {
    let linkage = linkage.map_or(String::new(), |linkage| format!(r#", "linkage": {linkage}"#));
    json(&format!(
        r#"{{"kind": "identity", "name": "people", "identifiers": [
            {{"type": "user_id", "role": "person", "priority": 1, "limit": 3}},
            {{"type": "email", "role": "contact", "priority": 2, "normalize": "email"}},
            {{"type": "anonymous_id", "role": "device", "priority": 9}}]{linkage}}}"#
    ))
}

/// A store in memory that ends late, its ids the same everywhere.
pub fn options() -> OpenOptions {
    OpenOptions::in_memory().clock(late()).id_seed("linkage")
}

/// The same with an identity definition of this linkage, and an audience.
pub fn open(linkage: Option<&str>) -> Cdp {
    let db = Cdp::open(options()).unwrap();
    db.define(&[identity(linkage), audience()]).unwrap();
    db
}

/// Who has a last name.
pub fn audience() -> Value {
    json(r#"{"kind": "audience", "name": "named", "rule": {"trait": "lastName", "op": "exists"}}"#)
}

/// A run of linkage.
pub fn run(db: &Cdp) -> Value {
    db.link(&LinkOptions::default()).unwrap().into()
}

/// An integer of a report.
pub fn number(report: &Value, field: &str) -> i64 {
    report.get(field).and_then(Value::as_number).and_then(|n| n.as_i64()).unwrap()
}

/// A user as callers name one.
pub fn user(name: &str) -> Value {
    Value::object([("user_id", Value::from(name))])
}

/// Whether two users are one person.
pub fn is_linked(db: &Cdp, a: &str, b: &str) -> bool {
    db.explain_link(&user(a), &user(b)).unwrap().linked
}

/// The open suggestions, the likeliest first.
pub fn suggestions(db: &Cdp) -> Vec<String> {
    texts(&db.link_suggestions(&PageOptions::new()).unwrap(), "suggestion")
}

/// The fingerprint, the people, the open suggestions.
pub fn holds(db: &Cdp) -> (String, Vec<String>, Vec<String>) {
    (db.fingerprint(Some(AsOf::at(late()))).unwrap(), people(db, late()).unwrap(), suggestions(db))
}
