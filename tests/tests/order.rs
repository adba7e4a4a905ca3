//! The order of messages that bring no time of their own: the later call is the later fact, in every process and whatever
//! the clock does.

#![allow(clippy::unwrap_used, reason = "a failing step ends the test")]

use cdp_core::cdp::AsOf;
use cdp_core::records::{Timestamp, Value};
use cdp_core::{Cdp, OpenOptions};
use cdp_tests::json;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_704_067_200_000 + millis)
}

/// Sends an untimed identify with a random message id.
fn identify(db: &Cdp, plan: &str) {
    let plan = if plan.is_empty() { "null".to_owned() } else { format!("\"{plan}\"") };
    db.send(json(&format!(r#"{{"type": "identify", "userId": "u1", "traits": {{"plan": {plan}}}}}"#))).unwrap();
}

fn plan(db: &Cdp) -> Option<Value> {
    db.profile(&json(r#"{"user_id": "u1"}"#), None).unwrap().unwrap().traits.get("plan").cloned()
}

#[test]
fn the_later_untimed_call_holds_over_opens_of_a_clock_that_stands() {
    let folder = tempfile::tempdir().unwrap();
    // Random message ids: with the order of ids, each round would pass half of the time.
    for round in 0..12 {
        let open = || {
            let path = folder.path().join(format!("{round}.db"));
            Cdp::open(OpenOptions::file(path).clock(at(0))).unwrap()
        };
        let db = open();
        identify(&db, "first");
        identify(&db, "second");
        assert_eq!(plan(&db), Some(Value::from("second")));
        db.close().unwrap();
        let db = open();
        assert_eq!(plan(&db), Some(Value::from("second")));
        identify(&db, "");
        assert_eq!(plan(&db), None, "a deletion in a later process");
        identify(&db, "third");
        assert_eq!(plan(&db), Some(Value::from("third")));
        let verified = db.verify().unwrap();
        assert!(verified.ok, "{:?}", verified.faults);
    }
}

#[test]
fn a_clock_that_was_set_back_still_counts_upwards_at_each_instant() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..8 {
        let path = folder.path().join(format!("{round}.db"));
        for (step, instant) in [5, 5, 9, 5, 9, 5].into_iter().enumerate() {
            let db = Cdp::open(OpenOptions::file(&path).clock(at(instant))).unwrap();
            let value = format!("{instant} in step {step}");
            identify(&db, &value);
            let here = db.profile(&json(r#"{"user_id": "u1"}"#), Some(AsOf::at(at(instant)))).unwrap().unwrap();
            assert_eq!(here.traits.get("plan"), Some(&Value::Text(value)));
            db.close().unwrap();
        }
    }
}

#[test]
fn the_fingerprint_knows_the_order_of_untimed_messages() {
    let filled = |first: &str, second: &str| {
        let db = Cdp::open(OpenOptions::in_memory().clock(at(0)).id_seed("order")).unwrap();
        for id in [first, second] {
            db.send(json(&format!(r#"{{"type": "track", "event": "E", "userId": "u1", "messageId": "{id}"}}"#)))
                .unwrap();
        }
        db.fingerprint(None).unwrap()
    };
    assert_eq!(filled("one", "two"), filled("one", "two"));
    assert_ne!(filled("one", "two"), filled("two", "one"));
}
