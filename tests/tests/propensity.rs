//! What a propensity predictor learns from: where its label windows end, and that no row knows more than was known then.

#![allow(clippy::unwrap_used, reason = "a test may end there")]

use cdp_core::cdp::{ConsentOptions, EvaluateOptions, TrainOptions};
use cdp_core::records::{Timestamp, Value};
use cdp_core::{Cdp, ErrorKind};
use cdp_tests::history::{in_memory, ingest};
use cdp_tests::json;

/// 2024-01-01T00:00:00Z.
const START_MS: i64 = 1_704_067_200_000;
const DAY_MS: i64 = 86_400_000;
const PEOPLE: u64 = 300;
/// A horizon of the label: a person may buy once in each.
const HORIZON_DAYS: i64 = 20;
const PERIODS: i64 = 5;

fn day(day: i64) -> Timestamp {
    Timestamp::from_millis(START_MS + day * DAY_MS)
}

/// When purchases of a period happen.
fn purchase(period: i64) -> Timestamp {
    day(period * HORIZON_DAYS + 10)
}

/// Where the last label window ends.
fn last_purchase() -> Timestamp {
    purchase(PERIODS - 1)
}

/// The instant of the rows whose label is the purchase of a period.
fn instant(period: i64) -> Timestamp {
    purchase(period - 1)
}

/// Whether a person buys in a period: anybody may, and nothing tells before.
fn buys(person: u64, period: i64) -> bool {
    let mixed = (person * 7_919 + period as u64 * 104_729 + 13).wrapping_mul(2_654_435_761);
    (mixed >> 7) % 10 < 4
}

fn track(person: u64, event: &str, at: Timestamp) -> Value {
    json(&format!(
        r#"{{"type": "track", "event": "{event}", "userId": "u{person}", "messageId": "{event}-{person}-{at}", "timestamp": "{at}"}}"#
    ))
}

fn store(clock: Timestamp) -> Cdp {
    let db = in_memory(clock);
    let definitions = [
        r#"{"kind": "feature", "name": "orders", "event": "Bought", "agg": "count"}"#,
        r#"{"kind": "feature", "name": "flags", "event": "Flagged", "agg": "count", "within": "2h"}"#,
        r#"{"kind": "predictor", "name": "buys", "task": "propensity", "features": ["orders", "flags"],
            "label": {"event": "Bought", "horizon": "20d"}}"#,
    ];
    db.define(definitions.map(json)).unwrap();
    db
}

fn seen() -> Vec<Value> {
    (0..PEOPLE).map(|person| track(person, "Seen", day(0))).collect()
}

fn purchases_of(period: i64) -> Vec<Value> {
    (0..PEOPLE).filter(|person| buys(*person, period)).map(|person| track(person, "Bought", purchase(period))).collect()
}

/// Flags of those who bought in a period, dated to the hour before the instant of their rows.
fn flags_of(period: i64) -> Vec<Value> {
    let at = instant(period).plus_millis(-3_600_000);
    (0..PEOPLE).filter(|person| buys(*person, period)).map(|person| track(person, "Flagged", at)).collect()
}

fn all(of: impl Fn(i64) -> Vec<Value>, from: i64) -> Vec<Value> {
    (from..PERIODS).flat_map(of).collect()
}

fn weight(report: &Value, feature: &str) -> f64 {
    let weights = report.get("weights").and_then(Value::as_list).unwrap();
    let of = weights.iter().find(|of| of.get("feature").and_then(Value::as_text) == Some(feature)).unwrap();
    of.get("weight").and_then(Value::as_number).unwrap().to_f64()
}

fn auc(report: &Value) -> f64 {
    report.get("validation").and_then(|found| found.get("roc_auc")).and_then(Value::as_number).unwrap().to_f64()
}

fn left_out(report: &Value) -> Vec<i64> {
    let instants = report.get("instants").and_then(Value::as_list).unwrap();
    let count = |instant: &Value| instant.get("left_out").and_then(Value::as_number).and_then(|n| n.as_i64()).unwrap();
    instants.iter().map(count).collect()
}

fn until(report: &Value) -> &str {
    report.get("until").and_then(Value::as_text).unwrap()
}

#[test]
fn the_last_label_window_ends_at_the_latest_fact_of_the_label_s_event() {
    let db = store(day(300));
    ingest(&db, &seen()).unwrap();
    ingest(&db, &all(purchases_of, 0)).unwrap();
    let before = Value::from(db.train("buys", &TrainOptions::new()).unwrap());
    assert_eq!(until(&before), last_purchase().to_string());
    let instants = before.get("instants").and_then(Value::as_list).unwrap();
    let at: Vec<Option<&str>> = instants.iter().map(|of| of.get("at").and_then(Value::as_text)).collect();
    let expected = [instant(4), instant(3), instant(2)].map(|at| at.to_string());
    assert_eq!(at, expected.iter().map(|at| Some(at.as_str())).collect::<Vec<_>>());

    // Neither a choice a month later nor a purchase in the future moves it.
    let late = last_purchase().plus_millis(30 * DAY_MS);
    let somebody = Value::object([("user_id", Value::from("u1"))]);
    db.consent(&somebody, "marketing", true, &ConsentOptions::new().timestamp(late).message_id("consent")).unwrap();
    ingest(&db, &[track(1, "Bought", day(3_000))]).unwrap();
    let after = Value::from(db.train("buys", &TrainOptions::new()).unwrap());
    for field in ["until", "positives", "n_rows", "weights", "data_hash"] {
        assert_eq!(after.get(field), before.get(field), "{field}");
    }
    let judged = Value::from(db.evaluate("buys", &EvaluateOptions::new()).unwrap());
    assert_eq!(judged.get("until"), before.get("until"));
}

#[test]
fn until_says_where_the_last_label_window_ends() {
    let db = store(day(300));
    ingest(&db, &seen()).unwrap();
    ingest(&db, &all(purchases_of, 0)).unwrap();
    let ends = last_purchase().plus_millis(-HORIZON_DAYS * DAY_MS);
    let options = TrainOptions::new().until(ends);
    let report = Value::from(db.train("buys", &options).unwrap());
    assert_eq!(until(&report), ends.to_string());
    let positives: usize = (1..=3).map(|period| (0..PEOPLE).filter(|person| buys(*person, period)).count()).sum();
    assert_eq!(report.get("positives"), Some(&Value::count(positives)));
    let future = TrainOptions::new().until(day(301));
    assert_eq!(db.train("buys", &future).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_flag_dated_back_behind_loaded_history_is_not_learned_from() {
    let db = store(day(300));
    ingest(&db, &seen()).unwrap();
    ingest(&db, &all(purchases_of, 0)).unwrap();
    let honest = Value::from(db.train("buys", &TrainOptions::new()).unwrap());
    assert_eq!(left_out(&honest), [0, 0, 0]);
    // In the same moment by the clock: only the order in which the store recorded them tells.
    ingest(&db, &all(flags_of, 2)).unwrap();
    let report = Value::from(db.train("buys", &TrainOptions::new()).unwrap());
    assert_eq!((weight(&report, "flags"), auc(&report)), (0.0, auc(&honest)));
    assert!(left_out(&report).iter().all(|n| *n > 0), "{:?}", left_out(&report));
    // Who vouches for them has them, and sees what they do.
    let vouched = Value::from(db.train("buys", &TrainOptions::new().known(day(300))).unwrap());
    assert!(weight(&vouched, "flags") > 0.5 && auc(&vouched) > 0.9, "{vouched:?}");
    assert_eq!(left_out(&vouched), [0, 0, 0]);
}

#[test]
fn a_flag_dated_back_in_a_store_that_lives_is_not_learned_from() {
    let (honest, dated_back) = (store(day(0)), store(day(0)));
    for db in [&honest, &dated_back] {
        ingest(db, &seen()).unwrap();
        for period in 0..PERIODS {
            db.advance(Some(instant(period))).unwrap();
            // Flags that are set before the outcome is known are what a model is for.
            if std::ptr::eq(db, &honest) && period >= 2 {
                ingest(db, &flags_of(period)).unwrap();
            }
            db.advance(Some(purchase(period))).unwrap();
            ingest(db, &purchases_of(period)).unwrap();
        }
        db.advance(Some(day(300))).unwrap();
    }
    ingest(&dated_back, &all(flags_of, 2)).unwrap();
    let train = |db: &Cdp| Value::from(db.train("buys", &TrainOptions::new()).unwrap());
    let (honest, dated_back) = (train(&honest), train(&dated_back));
    assert!(weight(&honest, "flags") > 0.5 && auc(&honest) > 0.9, "{honest:?}");
    assert_eq!(left_out(&honest), [0, 0, 0]);
    assert_eq!(weight(&dated_back, "flags"), 0.0);
    assert!(left_out(&dated_back).iter().all(|n| *n > 0));
}

#[test]
fn history_in_several_files_counts_with_the_label_s_event_last_or_by_what_the_caller_vouches_for() {
    // The flags are honest here: another file of the same history.
    let (first, last) = (store(day(300)), store(day(300)));
    ingest(&last, &seen()).unwrap();
    ingest(&last, &all(flags_of, 2)).unwrap();
    ingest(&last, &all(purchases_of, 0)).unwrap();
    ingest(&first, &all(purchases_of, 0)).unwrap();
    ingest(&first, &seen()).unwrap();
    ingest(&first, &all(flags_of, 2)).unwrap();
    let vouched = TrainOptions::new().known(day(300));
    let train = |db: &Cdp, options: &TrainOptions| Value::from(db.train("buys", options).unwrap());
    let (last, first) = (train(&last, &TrainOptions::new()), train(&first, &vouched));
    assert!(weight(&last, "flags") > 0.5);
    for field in ["until", "positives", "n_rows", "data_hash"] {
        assert_eq!(first.get(field), last.get(field), "{field}");
    }
}

#[test]
fn what_is_known_of_a_purchase_today_is_its_label_whoever_made_it_then() {
    // The purchase came under an identifier that was linked to the person later.
    let db = store(day(0));
    ingest(&db, &seen()).unwrap();
    for period in 0..PERIODS {
        db.advance(Some(purchase(period))).unwrap();
        let by_email = |person: u64| {
            json(&format!(
                r#"{{"type": "track", "event": "Bought", "messageId": "b-{person}-{period}", "timestamp": "{}",
                    "anonymousId": "a{person}"}}"#,
                purchase(period)
            ))
        };
        let messages: Vec<Value> = (0..PEOPLE).filter(|person| buys(*person, period)).map(by_email).collect();
        ingest(&db, &messages).unwrap();
    }
    db.advance(Some(day(300))).unwrap();
    let link = |person: u64| {
        json(&format!(
            r#"{{"type": "identify", "messageId": "i-{person}", "timestamp": "{}", "userId": "u{person}",
                "anonymousId": "a{person}"}}"#,
            day(290)
        ))
    };
    ingest(&db, &(0..PEOPLE).map(link).collect::<Vec<_>>()).unwrap();
    let report = Value::from(db.train("buys", &TrainOptions::new()).unwrap());
    let instants = report.get("instants").and_then(Value::as_list).unwrap();
    let latest = instants.first().unwrap();
    // At the instant the person and the anonymous buyer were two; today both rows know what the person did.
    let buyers = (0..PEOPLE).filter(|person| buys(*person, PERIODS - 1)).count();
    let with_earlier = (0..PEOPLE)
        .filter(|person| buys(*person, PERIODS - 1) && (0..PERIODS - 1).any(|period| buys(*person, period)))
        .count();
    assert_eq!(latest.get("positives"), Some(&Value::count(buyers + with_earlier)));
}
