//! Audiences as time passes: cases of upkeep that the random histories of the laws meet seldom or never.

use cdp_core::cdp::ChangesQuery;
use cdp_core::records::{Timestamp, Value};
use cdp_tests::history::{SLOTS, define, faults, in_memory, ingest, members, slot, texts};
use cdp_tests::json;

#[test]
fn an_event_leaves_its_window_at_the_millisecond_and_nothing_is_rebuilt() {
    let db = in_memory(slot(0));
    db.define(&[json(r#"{"kind": "audience", "name": "recent", "rule": {"event": "Bought", "within": "2h"}}"#)])
        .unwrap();
    db.send(json(r#"{"type": "track", "event": "Bought", "userId": "u", "timestamp": "2024-01-01T00:00:00Z"}"#))
        .unwrap();
    let leaves = slot(2);
    let changes = db.stats().unwrap().audience_changes;
    for (at, expected) in [(slot(0).plus_millis(-1), 0), (slot(0), 1), (leaves.plus_millis(-1), 1), (leaves, 0)] {
        assert_eq!(members(&db, "recent", at).unwrap().len(), expected, "{at}");
    }
    assert_eq!(db.stats().unwrap().audience_changes, changes);

    db.advance(Some(leaves.plus_millis(-1))).unwrap();
    assert_eq!(db.audience_changes(&ChangesQuery::new()).unwrap().n_rows(), 1);
    db.advance(Some(leaves)).unwrap();
    let changes = db.audience_changes(&ChangesQuery::new()).unwrap();
    assert_eq!(changes.column("occurred_at").unwrap().value(1), Value::Text(leaves.to_string()));
    assert_eq!(texts(&changes, "type"), ["Audience Entered", "Audience Exited"]);
}

#[test]
fn events_of_one_instant_that_come_due_all_count() {
    let db = in_memory(slot(0));
    db.define(&[json(
        r#"{"kind": "audience", "name": "busy", "rule": {"event": "Bought", "count": {"gte": 2}, "within": "2h"}}"#,
    )])
    .unwrap();
    let bought = |id: u8| {
        let at = slot(2);
        json(&format!(
            r#"{{"type": "track", "event": "Bought", "userId": "u", "messageId": "{id}", "timestamp": "{at}"}}"#
        ))
    };
    ingest(&db, &[bought(1), bought(2)]).unwrap();
    db.advance(Some(slot(5))).unwrap();
    let changes = db.audience_changes(&ChangesQuery::new()).unwrap();
    assert_eq!(texts(&changes, "type"), ["Audience Entered", "Audience Exited"]);
    assert_eq!(changes.column("occurred_at").unwrap().value(0), Value::Text(slot(2).to_string()));
}

#[test]
fn a_profile_that_begins_between_two_evaluations_is_followed_from_then_on() {
    let db = in_memory(slot(0));
    let quiet = r#"{"kind": "audience", "name": "quiet", "rule": {"not": {"event": "Bought"}}}"#;
    db.define(&[json(quiet)]).unwrap();
    let message = |id: u8, what: &str, user: &str, at: Timestamp| {
        json(&format!(r#"{{"type": {what}, "userId": "{user}", "messageId": "{id}", "timestamp": "{at}"}}"#))
    };
    let bought = r#""track", "event": "Bought""#;
    ingest(&db, &[message(1, bought, "other", slot(0))]).unwrap();
    ingest(&db, &[message(2, r#""identify""#, "u", slot(1)), message(3, bought, "u", slot(2))]).unwrap();
    db.advance(Some(slot(5))).unwrap();
    let changes = db.audience_changes(&ChangesQuery::new()).unwrap();
    assert_eq!(texts(&changes, "type"), ["Audience Entered", "Audience Exited"]);
    let occurred_at = changes.column("occurred_at").unwrap();
    assert_eq!([0, 1].map(|row| occurred_at.value(row)), [1, 2].map(|at| Value::Text(slot(at).to_string())));
}

#[test]
fn a_late_fact_names_another_node_first_while_a_window_slides() {
    let db = in_memory(slot(SLOTS));
    define(&db, 0).unwrap();
    let message = |id: &str, says: &str, at: i64| {
        json(&format!(r#"{{"messageId": "{id}", "timestamp": "{}", {says}}}"#, slot(at)))
    };
    let bought = r#""type": "track", "event": "Bought", "userId": "u0", "anonymousId": "a0""#;
    ingest(&db, &[message("m0", bought, 2), message("m1", bought, 2)]).unwrap();
    assert_eq!(members(&db, "busy", slot(2)).unwrap().len(), 1);
    let late = message("m2", r#""type": "identify", "anonymousId": "a0""#, 0);
    let of_another = message("m3", r#""type": "track", "event": "Seen", "userId": "u1""#, 6);
    ingest(&db, &[late, of_another]).unwrap();
    assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
    let changes = db.audience_changes(&ChangesQuery::new().audience("busy")).unwrap();
    assert_eq!(texts(&changes, "type"), ["Audience Entered", "Merged Into", "Audience Entered", "Audience Exited"]);
}
