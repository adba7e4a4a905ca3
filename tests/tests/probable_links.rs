//! Probabilistic linkage inside the store: runs, suggestions, reviews, probable links as evidence.

use cdp_core::cdp::{AsOf, DecisionOptions, LinkOptions, PageOptions, ReviewOptions};
use cdp_core::records::{Timestamp, Value};
use cdp_core::{Cdp, OpenOptions};
use cdp_tests::history::{faults, ingest, people, texts};
use cdp_tests::linkage::{
    audience, holds, identity, instant, is_linked, late, made_up, number, open, run, suggestions, user,
};
use cdp_tests::{json, number_of_cases};
use proptest::prelude::*;

const AUTO: Option<&str> = Some(r#"{"auto_link": true}"#);
const SUGGEST: Option<&str> = Some("{}");

#[test]
fn without_auto_link_likely_pairs_are_suggested_and_nothing_is_linked() {
    let db = open(SUGGEST);
    ingest(&db, &made_up(60, 2)).unwrap();
    let before = db.fingerprint(None).unwrap();
    let tried = Value::from(db.link(&LinkOptions::new().dry_run(true)).unwrap());
    assert_eq!(suggestions(&db), Vec::<String>::new());
    let report = run(&db);
    assert_eq!(report, tried);
    assert_eq!(number(&report, "links"), 0);
    assert!(number(&report, "suggestions") >= 58, "{}", report.to_json());
    assert_eq!(report.get("columns").unwrap().get("traits.address.postalCode"), Some(&Value::from("postcode")));
    assert_eq!(db.fingerprint(None).unwrap(), before);
    assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
    // Pages follow each other.
    let all = suggestions(&db);
    let (mut paged, mut wanted) = (Vec::new(), PageOptions::new().limit(7usize));
    loop {
        let page = db.link_suggestions(&wanted).unwrap();
        paged.extend(texts(&page, "suggestion"));
        wanted.after = page.next;
        if wanted.after.is_none() {
            break;
        }
    }
    assert_eq!(paged, all);
}

#[test]
fn a_review_is_a_decision_that_survives_runs_and_the_opposite_takes_it_back() {
    let db = open(SUGGEST);
    ingest(&db, &made_up(60, 2)).unwrap();
    run(&db);
    let all = suggestions(&db);
    let review = |name: &str, accept: bool| db.review_link(name, accept, &ReviewOptions::default()).unwrap();
    let accepted = review(&all[0], true);
    assert!(accepted.linked);
    let rejected = review(&all[1], false);
    assert_eq!(rejected.decision_type, "separate");
    assert_eq!(suggestions(&db), all[2..]);
    run(&db);
    let rest = suggestions(&db);
    assert!(!rest.contains(&all[0]) && !rest.contains(&all[1]));
    // The opposite, though the last run knows neither of both.
    assert!(!review(&all[0], false).linked);
    assert!(review(&all[1], true).linked);
    assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
    let error = db.review_link("nobody", true, &ReviewOptions::default()).unwrap_err();
    assert_eq!(error.kind(), cdp_core::ErrorKind::NotFound);
}

#[test]
fn auto_links_are_evidence_of_their_own_class_and_explained_to_the_last_bit() {
    let db = open(AUTO);
    ingest(&db, &made_up(60, 2)).unwrap();
    let report = run(&db);
    assert_eq!(report.get("verdict"), Some(&Value::from("green")), "{}", report.to_json());
    assert!(number(&report, "links") >= 50, "{}", report.to_json());
    assert!(is_linked(&db, "u3-0", "u3-1") && !is_linked(&db, "u3-0", "u4-0"));
    assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
    let explained = db.explain_link(&user("u3-0"), &user("u3-1")).unwrap();
    let step = &Value::from(explained.path[0].clone());
    assert_eq!(step.get("class"), Some(&Value::from("probable")));
    assert_eq!(step.get("model_version"), Some(&Value::integer(1)));
    let float = |value: &Value, field: &str| value.get(field).and_then(Value::as_number).unwrap().to_f64();
    let parts = step.get("parts").and_then(Value::as_list).unwrap();
    // Each part is shown with nine decimals.
    let sum: f64 = parts.iter().map(|part| float(part, "weight")).sum();
    assert!((sum - float(step, "weight")).abs() < 1e-8);
    assert!(parts.iter().any(|part| part.get("part") == Some(&Value::from("prior"))));
    assert!(parts.iter().any(|part| part.get("m").is_some_and(|m| !m.is_null())));
    // The profile stands since both were known, not before.
    let then = db.profile(&user("u3-0"), Some(AsOf::at(instant(6)))).unwrap().unwrap();
    assert_eq!(then.ids["user_id"].len(), 1);
    let members = db.members("named", &cdp_tests::history::at(late())).unwrap();
    assert_eq!(texts(&members, "profile_id").len(), people(&db, late()).unwrap().len());
}

#[test]
fn a_run_over_the_same_facts_changes_nothing_and_a_definition_without_linkage_takes_the_links_out() {
    let db = open(AUTO);
    ingest(&db, &made_up(60, 2)).unwrap();
    let apart = db.fingerprint(Some(AsOf::at(late()))).unwrap();
    run(&db);
    let once = holds(&db);
    assert_ne!(once.0, apart);
    let again = run(&db);
    assert_eq!((number(&again, "added"), number(&again, "removed"), number(&again, "model_version")), (0, 0, 1));
    assert_eq!(holds(&db), once);
    db.define(&[identity(None)]).unwrap();
    assert_eq!(db.fingerprint(Some(AsOf::at(late()))).unwrap(), apart);
    assert_eq!(db.link(&LinkOptions::default()).unwrap_err().kind(), cdp_core::ErrorKind::Invalid);
    db.define(&[identity(AUTO)]).unwrap();
    assert_eq!(holds(&db), once);
    assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
}

#[test]
fn limits_refuse_a_probable_link_and_it_stays_a_suggestion() {
    let db = open(None);
    let mut tight = identity(AUTO).to_json();
    tight = tight.replace(r#""limit":3"#, r#""limit":1"#);
    db.define(&[json(&tight)]).unwrap();
    ingest(&db, &made_up(60, 2)).unwrap();
    let report = run(&db);
    assert!(number(&report, "links") >= 50, "{}", report.to_json());
    assert!(!is_linked(&db, "u3-0", "u3-1"));
    assert!(suggestions(&db).len() >= 50);
    let refused = db.explain_link(&user("u3-0"), &user("u3-1")).unwrap();
    let reason = refused.refused[0].reason.clone();
    assert_eq!(reason.as_deref(), Some("limit_exceeded:user_id"));
    assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
}

#[test]
fn operators_outrank_probable_links_before_and_after_a_run() {
    let db = open(AUTO);
    ingest(&db, &made_up(60, 2)).unwrap();
    let options = DecisionOptions::default();
    db.separate(&user("u5-0"), &user("u5-1"), &options).unwrap();
    run(&db);
    assert!(!is_linked(&db, "u5-0", "u5-1") && is_linked(&db, "u6-0", "u6-1"));
    db.unlink(&user("u6-0"), &user("u6-1"), &options).unwrap();
    db.separate(&user("u7-0"), &user("u7-1"), &options).unwrap();
    for _ in 0..2 {
        assert!(!is_linked(&db, "u6-0", "u6-1") && !is_linked(&db, "u7-0", "u7-1") && !is_linked(&db, "u5-0", "u5-1"));
        assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
        run(&db);
    }
    db.merge(&user("u6-0"), &user("u6-1"), &options).unwrap();
    assert!(is_linked(&db, "u6-0", "u6-1"));
}

#[test]
fn another_handle_a_reopened_store_and_a_known_time_see_the_links_of_their_run() {
    let folder = tempfile::tempdir().unwrap();
    let open = |clock: Timestamp| {
        let path = folder.path().join("probable.db");
        let mut options = OpenOptions::file(path).clock(clock).id_seed("linkage");
        options.unshared = true;
        options.flush_messages = 20;
        Cdp::open(options).unwrap()
    };
    let (left, right) = (open(late()), open(late()));
    left.define(&[identity(AUTO), audience()]).unwrap();
    ingest(&left, &made_up(60, 2)).unwrap();
    let fingerprint = |db: &Cdp, as_of: AsOf| db.fingerprint(Some(as_of)).unwrap();
    let apart = fingerprint(&right, AsOf::at(late()));
    left.advance(Some(late().plus_millis(1_000))).unwrap();
    run(&left);
    let joined = fingerprint(&left, AsOf::at(late()));
    assert_ne!(joined, apart);
    assert_eq!(fingerprint(&right, AsOf::at(late())), joined);
    assert!(is_linked(&right, "u3-0", "u3-1"));
    right.separate(&user("u3-0"), &user("u3-1"), &DecisionOptions::default()).unwrap();
    run(&right);
    assert!(!is_linked(&left, "u3-0", "u3-1") && is_linked(&left, "u4-0", "u4-1"));
    assert_eq!(faults(&left).unwrap(), Vec::<String>::new());
    left.close().unwrap();
    let reopened = open(late());
    assert_eq!(fingerprint(&reopened, AsOf::at(late())), fingerprint(&right, AsOf::at(late())));
    assert_eq!(faults(&reopened).unwrap(), Vec::<String>::new());
    // Before the run nobody was linked.
    let known = AsOf { valid: Some(late()), known: Some(late()) };
    assert_eq!(fingerprint(&reopened, known), apart);
}

#[test]
fn a_wrong_linkage_is_refused_with_the_place_of_every_fault() {
    let db = open(None);
    let wrong = r#"{"colums": {}, "columns": {"traits.first": "given", "shoe_size": "email"}, "thresholds": {"auto": 0.2, "review": 2}, "auto_link": 1}"#;
    let error = db.define(&[identity(Some(wrong))]).unwrap_err();
    let pointers: Vec<&str> = error.faults().iter().map(|fault| fault.pointer.as_str()).collect();
    for expected in
        ["colums", "columns/traits.first", "columns/shoe_size", "thresholds/review", "thresholds", "auto_link"]
    {
        assert!(pointers.contains(&format!("/linkage/{expected}").as_str()), "{expected}: {pointers:?}");
    }
}

fn cases(few: u32) -> ProptestConfig {
    ProptestConfig { cases: number_of_cases(few), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(12))]

    /// Runs, decisions, reviews and late messages in any order: the state in RAM is what the file gives, a second run over
    /// the same facts changes nothing, and nothing that an operator keeps apart is joined.
    #[test]
    fn runs_among_decisions_and_messages_keep_the_laws(
        steps in proptest::collection::vec((0..6u8, 0..20usize, 0..20usize), 1..8), limit in 1..4u8,
    ) {
        let db = open(None);
        let definition = identity(AUTO).to_json().replace(r#""limit":3"#, &format!(r#""limit":{limit}"#));
        db.define(&[json(&definition)]).unwrap();
        let messages = made_up(30, 2);
        let (first, later) = messages.split_at(50);
        ingest(&db, first).unwrap();
        let name = |number: usize| user(&format!("u{}-{}", number / 2, number % 2));
        let mut apart = std::collections::BTreeSet::new();
        for (step, a, b) in &steps {
            let (a, b) = (*a, if a == b { b + 1 } else { *b });
            let options = DecisionOptions::default();
            match step {
                0 => drop(run(&db)),
                1 => drop(ingest(&db, later).unwrap()),
                2 => drop(db.merge(&name(a), &name(b), &options).unwrap()),
                3 => drop(db.unlink(&name(a), &name(b), &options).unwrap()),
                4 => drop(db.separate(&name(a), &name(a ^ 1), &options).unwrap()),
                _ => {
                    let open = suggestions(&db);
                    if let Some(suggestion) = open.get(a % open.len().max(1)) {
                        db.review_link(suggestion, b % 2 == 0, &ReviewOptions::default()).unwrap();
                    }
                }
            }
            match step {
                4 => drop(apart.insert(a / 2)),
                2 | 3 | 5 => {
                    apart.remove(&(a / 2));
                    apart.remove(&(b / 2));
                    if *step == 5 { apart.clear(); }
                }
                _ => {}
            }
            prop_assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
        }
        run(&db);
        let once = holds(&db);
        let again = run(&db);
        prop_assert_eq!((number(&again, "added"), number(&again, "removed")), (0, 0));
        prop_assert_eq!(holds(&db), once);
        prop_assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
        for person in apart {
            let (left, right) = (format!("u{person}-0"), format!("u{person}-1"));
            prop_assert!(!is_linked(&db, &left, &right), "{} {}", left, right);
        }
    }
}
