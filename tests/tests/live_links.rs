//! Linkage of single profiles as they come: the same people as a run over all, whoever writes, and nothing left of what failed.

use std::collections::BTreeMap;

use cdp_core::cdp::{AsOf, ChangesQuery, DecisionOptions, LinkOptions, ReviewOptions};
use cdp_core::records::{Receipt, Timestamp, Value};
use cdp_core::{Cdp, OpenOptions};
use cdp_tests::history::{faults, ingest, people, texts};
use cdp_tests::linkage::{
    audience, holds, identity, instant, is_linked, late, made_up, number, open, run, suggestions, user,
};
use cdp_tests::{json, number_of_cases, shared_data};
use proptest::prelude::*;

const AUTO: Option<&str> = Some(r#"{"auto_link": true}"#);
const SUGGEST: Option<&str> = Some("{}");

/// A store that a run of linkage has learned from all but the last messages.
fn trained(linkage: Option<&str>, messages: &[Value], n_last: usize) -> Cdp {
    let db = open(linkage);
    let (first, _) = messages.split_at(messages.len() - n_last);
    ingest(&db, first).unwrap();
    let report = run(&db);
    assert_eq!(report.get("verdict"), Some(&Value::from("green")), "{}", report.to_json());
    db
}

fn send(db: &Cdp, message: &Value) -> Receipt {
    db.send(message).unwrap()
}

fn live(db: &Cdp) -> String {
    let report = db.identity_report().unwrap();
    report.linkage.unwrap().live.to_owned()
}

fn sound(db: &Cdp) {
    assert_eq!(faults(db).unwrap(), Vec::<String>::new());
}

#[test]
fn an_identify_is_linked_in_its_own_transaction_and_counted_like_a_merge() {
    let messages = made_up(60, 2);
    let db = trained(AUTO, &messages, 1);
    let before = people(&db, late()).unwrap().len();
    assert!(!is_linked(&db, "u59-0", "u59-1") && is_linked(&db, "u3-0", "u3-1"));
    let tried = db.link(&LinkOptions::new().dry_run(true)).unwrap();
    assert_eq!(tried.added, 0);
    // Somebody new who belongs to somebody known: no merge and no profile, as where an email says so.
    let receipt = send(&db, &messages[119]);
    assert_eq!((receipt.merges, receipt.new_profiles), (0, 0));
    assert!(is_linked(&db, "u59-0", "u59-1"));
    assert_eq!(people(&db, late()).unwrap().len(), before);
    let explained = db.explain_link(&user("u59-0"), &user("u59-1")).unwrap();
    let step = &Value::from(explained.path[0].clone());
    assert_eq!(step.get("class"), Some(&Value::from("probable")));
    let float = |value: &Value, field: &str| value.get(field).and_then(Value::as_number).unwrap().to_f64();
    let parts = step.get("parts").and_then(Value::as_list).unwrap();
    let sum: f64 = parts.iter().map(|part| float(part, "weight")).sum();
    assert!((sum - float(step, "weight")).abs() < 1e-8);
    sound(&db);
    // A profile that was there and becomes somebody else's: a merge, which the outbox tells.
    let stranger = json(
        r#"{"type": "identify", "messageId": "s1", "userId": "s", "timestamp": "2024-03-01T00:00:00Z",
            "traits": {"lastName": "Quetzalcoatl"}}"#,
    );
    assert_eq!(send(&db, &stranger).new_profiles, 1);
    let mut same = messages[7].to_json().replace("\"u3-1\"", "\"s\"").replace("\"m3-1\"", "\"s2\"");
    same = same.replace("2024-01-01", "2024-03-02");
    let changes = db.audience_changes(&ChangesQuery::new()).unwrap().next;
    let mut changes_after = ChangesQuery::new();
    changes_after.after = changes.and_then(|next| next.parse().ok());
    let receipt = send(&db, &json(&same));
    assert_eq!((receipt.merges, receipt.new_profiles), (1, 0));
    assert!(is_linked(&db, "u3-0", "s") && is_linked(&db, "u3-1", "s"));
    assert_eq!(texts(&db.audience_changes(&changes_after).unwrap(), "type"), ["Merged Into"]);
    sound(&db);
}

#[test]
fn without_auto_link_an_identify_becomes_a_suggestion_and_a_review_decides() {
    let messages = made_up(60, 2);
    let db = trained(SUGGEST, &messages, 1);
    let before = suggestions(&db);
    send(&db, &messages[119]);
    let open: Vec<String> = suggestions(&db).into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(open.len(), 1);
    assert!(!is_linked(&db, "u59-0", "u59-1"));
    // Tried out, then done: the same answer.
    let review = |dry_run: bool| db.review_link(&open[0], true, &ReviewOptions::new().dry_run(dry_run));
    let tried = review(true).unwrap();
    assert!(!is_linked(&db, "u59-0", "u59-1"));
    assert_eq!(tried.after, review(false).unwrap().after);
    assert!(is_linked(&db, "u59-0", "u59-1"));
    assert_eq!(suggestions(&db), before);
    sound(&db);
    db.unlink(&user("u59-0"), &user("u59-1"), &DecisionOptions::default()).unwrap();
    assert!(!is_linked(&db, "u59-0", "u59-1"));
    sound(&db);
}

#[test]
fn a_changed_profile_is_compared_again_and_links_that_no_longer_hold_are_removed() {
    let messages = made_up(60, 2);
    let db = trained(AUTO, &messages, 0);
    assert!(is_linked(&db, "u5-0", "u5-1"));
    let once = holds(&db);
    let identify = |id: &str, traits: &str| {
        json(&format!(
            r#"{{"type": "identify", "messageId": "{id}", "userId": "u5-1", "timestamp": "2024-03-01T00:00:00Z", "traits": {traits}}}"#
        ))
    };
    // What is not compared, and what says the same again, changes nothing.
    send(&db, &identify("c0", r#"{"plan": "gold"}"#));
    send(&db, &json(r#"{"type": "track", "event": "Seen", "userId": "u5-1", "timestamp": "2024-03-01T00:00:00Z"}"#));
    assert_eq!(people(&db, late()).unwrap().len(), once.1.len());
    assert!(is_linked(&db, "u5-0", "u5-1"));
    let other = r#"{"firstName": "Zbigniew", "lastName": "Wojciechowski", "birthday": "1931-12-31", "address": {"postalCode": "99999", "city": "Gdynia"}}"#;
    send(&db, &identify("c1", other));
    assert!(!is_linked(&db, "u5-0", "u5-1"));
    assert_eq!(people(&db, late()).unwrap().len(), once.1.len() + 1);
    sound(&db);
    // Back again: the traits that both had.
    let back = messages[11].get("traits").unwrap().to_json();
    let again = identify("c2", &back).to_json().replace("2024-03-01", "2024-03-02");
    send(&db, &json(&again));
    assert!(is_linked(&db, "u5-0", "u5-1"));
    sound(&db);
}

#[test]
fn a_batch_gives_the_people_and_suggestions_that_single_messages_give() {
    for linkage in [AUTO, SUGGEST] {
        let messages = made_up(80, 3);
        let (one_by_one, at_once) = (trained(linkage, &messages, 60), trained(linkage, &messages, 60));
        for message in &messages[180..] {
            send(&one_by_one, message);
        }
        ingest(&at_once, &messages[180..]).unwrap();
        assert_eq!(holds(&one_by_one), holds(&at_once));
        sound(&one_by_one);
        sound(&at_once);
        // A run over the same facts replaces what was found live.
        let (left, right) = (run(&one_by_one), run(&at_once));
        assert_eq!(left.get("content_hash"), right.get("content_hash"));
        assert_eq!(holds(&one_by_one), holds(&at_once));
        sound(&one_by_one);
    }
}

#[test]
fn another_handle_sees_live_links_and_resolves_with_the_model_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.db");
    let open = |clock: Timestamp| {
        let mut options = OpenOptions::file(path.clone()).clock(clock).id_seed("linkage");
        options.unshared = true;
        options.flush_messages = 20;
        Cdp::open(options).unwrap()
    };
    let messages = made_up(60, 2);
    let (left, right) = (open(late()), open(late()));
    left.define(&[identity(AUTO), audience()]).unwrap();
    ingest(&left, &messages[..110]).unwrap();
    let fingerprint = |db: &Cdp| db.fingerprint(Some(AsOf::at(late()))).unwrap();
    assert_eq!(live(&right), "waits");
    run(&left);
    assert_eq!(live(&right), "on");
    // Each finds whom the other has brought.
    for (place, message) in messages[110..].iter().enumerate() {
        send(if place % 2 == 0 { &left } else { &right }, message);
        assert_eq!(fingerprint(&left), fingerprint(&right));
    }
    assert!((55..60).all(|person| is_linked(&left, &format!("u{person}-0"), &format!("u{person}-1"))));
    // One takes back, the other catches up.
    right.separate(&user("u59-0"), &user("u59-1"), &DecisionOptions::default()).unwrap();
    assert!(!is_linked(&left, "u59-0", "u59-1"));
    assert_eq!(fingerprint(&left), fingerprint(&right));
    let copy = folder.path().join("copy.db");
    left.backup(&copy).unwrap();
    let mut options = OpenOptions::file(copy).clock(late()).id_seed("linkage");
    options.unshared = true;
    for db in [left, right, open(late()), Cdp::open(options).unwrap()] {
        sound(&db);
        db.close().unwrap();
    }
    // What was known before the live links came.
    let reopened = open(late());
    let known = AsOf { valid: Some(late()), known: Some(instant(0)) };
    assert!(reopened.profile(&user("u59-0"), Some(known)).unwrap().is_none());
}

#[test]
fn what_was_known_before_an_identify_is_without_its_links() {
    let messages = made_up(60, 2);
    let db = Cdp::open(OpenOptions::in_memory().clock(late()).id_seed("linkage")).unwrap();
    db.define(&[identity(AUTO)]).unwrap();
    ingest(&db, &messages[..119]).unwrap();
    run(&db);
    let before = people(&db, late()).unwrap();
    db.advance(Some(late().plus_millis(1_000))).unwrap();
    send(&db, &messages[119]);
    assert!(is_linked(&db, "u59-0", "u59-1"));
    let known = |known: Timestamp| {
        let as_of = AsOf { valid: Some(late()), known: Some(known) };
        let profile = db.profile(&user("u59-0"), Some(as_of)).unwrap().unwrap();
        profile.ids["user_id"].len()
    };
    assert_eq!((known(late()), known(late().plus_millis(1_000))), (1, 2));
    assert_eq!(people(&db, late()).unwrap().len(), before.len());
}

#[test]
fn a_transaction_that_fails_leaves_no_record_and_no_link() {
    let messages = made_up(60, 2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fails.db");
    let db = Cdp::open(OpenOptions::file(path.clone()).clock(late()).id_seed("linkage")).unwrap();
    db.define(&[identity(AUTO), audience()]).unwrap();
    ingest(&db, &messages[..110]).unwrap();
    run(&db);
    let once = holds(&db);
    #[expect(clippy::disallowed_methods, reason = "the file must fail, not the library")]
    let elsewhere = rusqlite::Connection::open(&path).unwrap();
    // The last thing that a profile writes: an index whose expression overflows for every node that comes now. A store runs no
    // trigger.
    let last: u32 = elsewhere.query_row("SELECT max(node) FROM linkage_records", [], |row| row.get(0)).unwrap();
    let fail = format!(
        "CREATE INDEX fails ON linkage_records (abs(CASE WHEN node > {last} THEN -9223372036854775808 ELSE 0 END))"
    );
    elsewhere.execute_batch(&fail).unwrap();
    for _ in 0..2 {
        db.send(&messages[111]).unwrap_err();
        assert_eq!(holds(&db), once);
        sound(&db);
    }
    elsewhere.execute_batch("DROP INDEX fails").unwrap();
    ingest(&db, &messages[110..]).unwrap();
    assert!((55..60).all(|person| is_linked(&db, &format!("u{person}-0"), &format!("u{person}-1"))));
    sound(&db);
}

#[test]
fn operators_outrank_live_links_before_and_after() {
    let messages = made_up(60, 2);
    let db = trained(AUTO, &messages, 4);
    let options = DecisionOptions::default();
    // Before either is there, and after.
    db.separate(&user("u58-0"), &user("u58-1"), &options).unwrap();
    ingest(&db, &messages[116..]).unwrap();
    assert!(!is_linked(&db, "u58-0", "u58-1") && is_linked(&db, "u59-0", "u59-1"));
    db.unlink(&user("u59-0"), &user("u59-1"), &options).unwrap();
    let touched =
        messages[119].to_json().replace("\"m59-1\"", "\"again\"").replace("\"address\"", "\"home\": 1, \"address\"");
    send(&db, &json(&touched));
    assert!(!is_linked(&db, "u59-0", "u59-1"));
    assert!(suggestions(&db).is_empty() || !is_linked(&db, "u58-0", "u58-1"));
    sound(&db);
    db.merge(&user("u59-0"), &user("u59-1"), &options).unwrap();
    assert!(is_linked(&db, "u59-0", "u59-1"));
    sound(&db);
    run(&db);
    assert!(!is_linked(&db, "u58-0", "u58-1") && is_linked(&db, "u59-0", "u59-1"));
}

#[test]
fn another_definition_waits_for_a_run_and_live_can_be_turned_off() {
    let messages = made_up(60, 2);
    let db = trained(AUTO, &messages, 20);
    assert_eq!(live(&db), "on");
    // An audience is no identity.
    db.define(&[json(r#"{"kind": "audience", "name": "all", "rule": {"trait": "firstName", "op": "exists"}}"#)])
        .unwrap();
    assert_eq!(live(&db), "on");
    send(&db, &messages[101]);
    assert!(is_linked(&db, "u50-0", "u50-1") || !is_linked(&db, "u50-0", "u50-1"));
    db.define(&[identity(Some(r#"{"auto_link": true, "thresholds": {"auto": 0.995}}"#))]).unwrap();
    assert_eq!(live(&db), "waits");
    let open = suggestions(&db);
    ingest(&db, &messages[100..110]).unwrap();
    assert_eq!(suggestions(&db), open);
    sound(&db);
    run(&db);
    assert_eq!(live(&db), "on");
    assert!(is_linked(&db, "u50-0", "u50-1"));
    ingest(&db, &messages[110..]).unwrap();
    assert!(is_linked(&db, "u59-0", "u59-1"));
    sound(&db);
    db.define(&[identity(Some(r#"{"auto_link": true, "live": false}"#))]).unwrap();
    run(&db);
    assert_eq!(live(&db), "off");
    let later = messages[119].to_json().replace("u59-1", "u59-2").replace("m59-1", "m59-2");
    send(&db, &json(&later));
    assert!(!is_linked(&db, "u59-0", "u59-2"));
    run(&db);
    assert!(is_linked(&db, "u59-0", "u59-2"));
    sound(&db);
}

#[test]
fn hostile_and_empty_values_link_no_profiles() {
    let db = trained(AUTO, &made_up(60, 2), 0);
    let n_suggestions = suggestions(&db).len();
    let mut values: Vec<String> = vec!["".into(), " ".into(), "null".into(), "n/a".into(), "\u{0}".into(), "0".into()];
    if let Some(file) = shared_data("messy/naughty-strings/blns.txt") {
        let text = std::fs::read_to_string(file).unwrap();
        values.extend(text.lines().map(str::to_owned));
    }
    values.extend(
        ["<script>", "%s%n", "ﷺ", "🤷🏽‍♀️", "Ω≈ç√∫", "'; DROP TABLE linkage_keys; --", "\u{202e}test"].map(str::to_owned),
    );
    values.push("x".repeat(20_000));
    let mut messages = Vec::new();
    for (place, value) in values.iter().enumerate() {
        for (path, twin) in [("firstName", 0), ("lastName", 1), ("birthday", 2), ("zip", 3)] {
            let traits = Value::object([(path, Value::from(value.as_str()))]);
            messages.push(Value::object([
                ("type", "identify".into()),
                ("messageId", format!("n{place}-{twin}").into()),
                ("userId", format!("n{place}-{twin}").into()),
                ("timestamp", "2024-02-01T00:00:00Z".into()),
                ("traits", traits),
            ]));
        }
    }
    ingest(&db, &messages).unwrap();
    sound(&db);
    assert_eq!(suggestions(&db).len(), n_suggestions);
    // Two who say nothing but empty values are two.
    for user in ["e1", "e2"] {
        let traits = Value::object([("firstName", "".into()), ("lastName", " ".into()), ("birthday", Value::Null)]);
        send(&db, &Value::object([("type", "identify".into()), ("userId", user.into()), ("traits", traits)]));
    }
    assert!(!is_linked(&db, "e1", "e2"));
    assert_eq!(suggestions(&db).len(), n_suggestions);
    sound(&db);
}

/// B-cubed F1 of clusters against the truth.
fn b_cubed(clusters: &[String], truth: &[String]) -> f64 {
    let sizes = |of: &mut dyn Iterator<Item = (String, String)>| {
        let mut sizes: BTreeMap<(String, String), f64> = BTreeMap::new();
        of.for_each(|key| *sizes.entry(key).or_default() += 1.0);
        sizes
    };
    let none = String::new;
    let of_cluster = sizes(&mut clusters.iter().map(|cluster| (cluster.clone(), none())));
    let of_person = sizes(&mut truth.iter().map(|person| (person.clone(), none())));
    let of_both = sizes(&mut clusters.iter().cloned().zip(truth.iter().cloned()));
    let (mut precision, mut recall) = (0.0, 0.0);
    for (cluster, person) in clusters.iter().zip(truth) {
        let both = of_both[&(cluster.clone(), person.clone())];
        precision += both / of_cluster[&(cluster.clone(), none())];
        recall += both / of_person[&(person.clone(), none())];
    }
    2.0 * precision * recall / (precision + recall) / clusters.len() as f64
}

/// Half of the people in a run, the others one by one, against a run over all: B-cubed of both.
fn live_against_batch(linkage: &str, messages: &[Value], truth: &[String]) -> (f64, f64) {
    let db = Cdp::open(OpenOptions::in_memory().clock(late()).id_seed("linkage")).unwrap();
    let unlimited = identity(Some(linkage)).to_json().replace(r#","limit":3"#, "").replace(r#""limit":3,"#, "");
    db.define(&[json(&unlimited)]).unwrap();
    let half = messages.len() / 2;
    ingest(&db, &messages[..half]).unwrap();
    let report = run(&db);
    let verdict = report.get("verdict").and_then(Value::as_text).unwrap().to_owned();
    for message in &messages[half..] {
        send(&db, message);
    }
    let clusters = |db: &Cdp| -> Vec<String> {
        let of = |message: &Value| {
            let name = message.get("userId").and_then(Value::as_text).unwrap();
            let profile = db.profile(&user(name), None).unwrap().unwrap();
            profile.id
        };
        messages.iter().map(of).collect()
    };
    let one_by_one = b_cubed(&clusters(&db), truth);
    sound(&db);
    let report = run(&db);
    let of_all = b_cubed(&clusters(&db), truth);
    println!(
        "B-cubed {one_by_one:.4} live ({verdict}), {of_all:.4} of a run ({})",
        report.get("verdict").unwrap().to_json()
    );
    (one_by_one, of_all)
}

#[test]
fn profiles_linked_one_by_one_equal_those_of_a_run() {
    let messages = made_up(300, 3);
    let truth: Vec<String> = (0..900).map(|place| (place / 3).to_string()).collect();
    // In an order that tells nothing.
    let order: Vec<usize> = (0..900).map(|place| place * 7 % 900).collect();
    let messages: Vec<Value> = order.iter().map(|place| messages[*place].clone()).collect();
    let truth: Vec<String> = order.iter().map(|place| truth[*place].clone()).collect();
    let (one_by_one, of_all) = live_against_batch(r#"{"auto_link": true}"#, &messages, &truth);
    assert!(of_all > 0.9 && (one_by_one - of_all).abs() <= 0.01, "{one_by_one} {of_all}");
}

#[test]
fn labelled_people_linked_one_by_one_equal_those_of_a_run() {
    let Some(file) = shared_data("persons/splink_fake_1000.csv") else { return };
    let text = std::fs::read_to_string(file).unwrap();
    let (mut messages, mut truth) = (Vec::new(), Vec::new());
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    // The file has the records of a person one after the other.
    for place in 0..rows.len() {
        let row = &rows[place * 7 % rows.len()];
        let traits = ["first_name", "surname", "dob", "city", "mail"].into_iter().zip(&row[1..6]);
        let traits =
            traits.filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), Value::from(*text)));
        messages.push(Value::object([
            ("type", "identify".into()),
            ("messageId", row[0].into()),
            ("userId", format!("r{}", row[0]).into()),
            ("timestamp", Value::Text(instant(place as i64).to_string())),
            ("traits", Value::Object(traits.collect())),
        ]));
        truth.push(row[6].to_owned());
    }
    let linkage = r#"{"auto_link": true, "columns": {"traits.mail": "email"}}"#;
    let (one_by_one, of_all) = live_against_batch(linkage, &messages, &truth);
    assert!((one_by_one - of_all).abs() <= 0.01, "{one_by_one} {of_all}");
}

fn cases(few: u32) -> ProptestConfig {
    ProptestConfig { cases: number_of_cases(few), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(12))]

    /// Identifies, decisions, shared emails, changes and runs in any order: records, partition and audiences in the file and
    /// in RAM are those of a rebuild, and nobody is joined whom operators keep apart.
    #[test]
    fn live_links_among_decisions_messages_and_runs_keep_the_laws(
        steps in proptest::collection::vec((0..8u8, 0..30usize, 0..30usize), 1..14), limit in 1..5u8,
    ) {
        let db = open(None);
        let definition = identity(AUTO).to_json().replace(r#""limit":3"#, &format!(r#""limit":{limit}"#));
        db.define(&[json(&definition)]).unwrap();
        let messages = made_up(30, 2);
        ingest(&db, &messages[..40]).unwrap();
        run(&db);
        let name = |number: usize| format!("u{}-{}", number / 2, number % 2);
        let mut apart = std::collections::BTreeSet::new();
        for (place, (step, a, b)) in steps.iter().enumerate() {
            let (a, b) = (*a, if a == b { b + 1 } else { *b });
            let options = DecisionOptions::default();
            let (left, right) = (user(&name(a)), user(&name(b)));
            match step {
                0 => drop(ingest(&db, &messages[40..(40 + a).min(60)]).unwrap()),
                1 => {
                    // The traits of somebody else.
                    let traits = messages[(b * 2) % 60].get("traits").unwrap().clone();
                    send(&db, &Value::object([
                        ("type", "identify".into()), ("userId", name(a).into()), ("messageId", format!("c{place}").into()),
                        ("timestamp", Value::Text(instant(1_000 + place as i64).to_string())), ("traits", traits),
                    ]));
                }
                2 => {
                    let email = Value::object([("email", Value::from(format!("p{}@x.org", b % 4)))]);
                    let context = Value::object([("traits", email)]);
                    send(&db, &Value::object([
                        ("type", "track".into()), ("event", "Seen".into()), ("userId", name(a).into()),
                        ("messageId", format!("e{place}").into()), ("context", context),
                        ("timestamp", Value::Text(instant(500 - place as i64).to_string())),
                    ]));
                }
                3 => drop(db.merge(&left, &right, &options).unwrap()),
                4 => drop(db.unlink(&left, &right, &options).unwrap()),
                5 => drop(db.separate(&user(&name(a)), &user(&name(a ^ 1)), &options).unwrap()),
                6 => drop(run(&db)),
                _ => {
                    let open = suggestions(&db);
                    if let Some(suggestion) = open.get(a % open.len().max(1)) {
                        db.review_link(suggestion, b % 2 == 0, &ReviewOptions::default()).unwrap();
                    }
                }
            }
            match step {
                5 => drop(apart.insert(a / 2)),
                3 | 4 => {
                    apart.remove(&(a / 2));
                    apart.remove(&(b / 2));
                }
                7 => apart.clear(),
                _ => {}
            }
            prop_assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
            for person in &apart {
                let (left, right) = (format!("u{person}-0"), format!("u{person}-1"));
                prop_assert!(!is_linked(&db, &left, &right), "{} {}", left, right);
            }
        }
        run(&db);
        let once = holds(&db);
        let again = run(&db);
        prop_assert_eq!((number(&again, "added"), number(&again, "removed")), (0, 0));
        prop_assert_eq!(holds(&db), once);
        prop_assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
    }
}
