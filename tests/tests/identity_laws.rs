//! The laws of identity: decisions of operators and changes of definitions may come in any order among the messages, and
//! what a decision did can be taken back exactly.

use cdp_core::cdp::{AsOf, DecideOptions, DecisionOptions, EventsQuery, Query, TableQuery};
use cdp_core::records::{Timestamp, Value};
use cdp_core::{Cdp, OpenOptions};
use cdp_tests::history::{Fact, IDENTITIES, SLOTS, Says, define, faults, ingest, messages, people, slot, texts};
use cdp_tests::{json, number_of_cases};
use proptest::prelude::*;

/// Runs each law on `CDP_CASES` histories, or on few enough for every run.
fn cases(few: u32) -> ProptestConfig {
    ProptestConfig { cases: number_of_cases(few), failure_persistence: None, ..ProptestConfig::default() }
}

/// In how many orders each history comes.
fn orders() -> usize {
    if std::env::var_os("CDP_CASES").is_some() { 20 } else { 5 }
}

#[derive(Clone, Copy, Debug)]
enum Verb {
    Merge,
    Unlink,
    Separate,
}

/// What an operator decides about two of the identifiers that histories have.
#[derive(Clone, Copy, Debug)]
struct Decision {
    verb: Verb,
    a: u8,
    b: u8,
}

fn fact() -> impl Strategy<Value = Fact> {
    let says = prop_oneof![3 => Just(Says::Identify), 4 => Just(Says::Track), 2 => Just(Says::Alias), 1 => Just(Says::Consent)];
    let maybe = |n: u8| proptest::option::weighted(0.6, 0..n);
    (says, maybe(4), maybe(4), maybe(3), 0..SLOTS as u8, 0..9u8, 0..5u8)
        .prop_map(|(says, user, device, email, slot, value, id)| Fact { says, user, device, email, slot, value, id })
}

fn decision() -> impl Strategy<Value = Decision> {
    let verb = prop_oneof![Just(Verb::Merge), Just(Verb::Unlink), Just(Verb::Separate)];
    (verb, 0..11u8, 1..11u8).prop_map(|(verb, a, step)| Decision { verb, a, b: (a + step) % 11 })
}

fn identifier(number: u8) -> Value {
    match number {
        0..4 => Value::object([("user_id", Value::Text(format!("u{number}")))]),
        4..8 => Value::object([("anonymous_id", Value::Text(format!("a{}", number - 4)))]),
        _ => Value::object([("email", Value::Text(format!("e{}@x.org", number - 8)))]),
    }
}

/// Decides at an instant.
fn decide(db: &Cdp, decision: Decision, at: Timestamp) {
    let options = DecisionOptions::new().timestamp(at);
    let (a, b) = (identifier(decision.a), identifier(decision.b));
    let tried = match decision.verb {
        Verb::Merge => db.merge(&a, &b, &options.clone().dry_run(true)),
        Verb::Unlink => db.unlink(&a, &b, &options.clone().dry_run(true)),
        Verb::Separate => db.separate(&a, &b, &options.clone().dry_run(true)),
    };
    let done = match decision.verb {
        Verb::Merge => db.merge(&a, &b, &options),
        Verb::Unlink => db.unlink(&a, &b, &options),
        Verb::Separate => db.separate(&a, &b, &options),
    };
    let (tried, done) = (tried.unwrap(), done.unwrap());
    assert_eq!((tried.before, tried.after), (done.before, done.after), "a dry run of {decision:?}");
}

fn in_memory() -> Cdp {
    let options = OpenOptions::in_memory().clock(late()).id_seed("laws");
    Cdp::open(options).unwrap()
}

fn late() -> Timestamp {
    slot(SLOTS + 100)
}

fn redefine(db: &Cdp, identity: usize) {
    match IDENTITIES[identity] {
        "" => {
            let _ = db.drop_definition("identity", "tight");
        }
        text => {
            db.define(&[json(text)]).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn decisions_and_definitions_may_come_in_any_order_among_the_messages(
        history in proptest::collection::vec(fact(), 1..14),
        decisions in proptest::collection::vec(decision(), 1..7),
        shuffles in proptest::collection::vec(proptest::collection::vec(any::<u32>(), 20), 20),
        identity in 0..IDENTITIES.len(),
    ) {
        let messages = messages(&history);
        let mut expected = None;
        for shuffle in shuffles.iter().take(orders()) {
            let db = in_memory();
            define(&db, identity).unwrap();
            // The messages by number, then the decisions; each decision has an instant of its own.
            let mut steps: Vec<(u32, usize)> = shuffle.iter().copied().cycle().zip(0..messages.len() + decisions.len()).collect();
            steps.sort_by_key(|(key, step)| (key.wrapping_mul(*step as u32 + 1), *step));
            for (turn, (key, step)) in steps.into_iter().enumerate() {
                match messages.get(step) {
                    Some(message) => {
                        ingest(&db, std::slice::from_ref(message)).unwrap();
                    }
                    None => {
                        let number = step - messages.len();
                        decide(&db, decisions[number], Timestamp::from_millis(slot(2).millis() + number as i64));
                    }
                }
                if turn % 6 == 4 {
                    redefine(&db, key as usize % IDENTITIES.len());
                    redefine(&db, identity);
                }
            }
            prop_assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
            let found = (db.fingerprint(Some(AsOf::at(late()))).unwrap(), people(&db, slot(3)).unwrap());
            let expected = expected.get_or_insert_with(|| found.clone());
            prop_assert_eq!(&found, expected);
        }
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn unlink_takes_a_merge_or_a_separation_back_exactly(
        history in proptest::collection::vec(fact(), 1..14), others in proptest::collection::vec(decision(), 0..3),
        decision in decision(), identity in 0..IDENTITIES.len(), clock in 0..(SLOTS + 4),
    ) {
        let db = Cdp::open(OpenOptions::in_memory().clock(slot(clock)).id_seed("laws")).unwrap();
        define(&db, identity).unwrap();
        ingest(&db, &messages(&history)).unwrap();
        for (number, other) in others.iter().enumerate() {
            decide(&db, *other, Timestamp::from_millis(slot(1).millis() + number as i64));
        }
        // What evidence joins directly, unlink would cut as well; and an earlier decision about the two would not return.
        let (a, b) = (identifier(decision.a), identifier(decision.b));
        let names = |value: &Value| value.to_json();
        let links = db.table("links", &TableQuery::new()).unwrap().to_value();
        let is_pair = |row: &Value| {
            let end = |side: &str| {
                let part = |what: &str| row.get(&format!("{side}_{what}")).and_then(Value::as_text).unwrap().to_owned();
                names(&Value::object([(part("type").as_str(), Value::Text(part("value")))]))
            };
            [(end("from"), end("to")), (end("to"), end("from"))].contains(&(names(&a), names(&b)))
        };
        let rows = links.get("rows").and_then(Value::as_list).unwrap();
        let same_pair = |other: &Decision| [(other.a, other.b), (other.b, other.a)].contains(&(decision.a, decision.b));
        prop_assume!(!rows.iter().any(is_pair) && !others.iter().any(same_pair));
        let holds = |db: &Cdp| (db.fingerprint(Some(AsOf::at(late()))).unwrap(), people(db, slot(clock)).unwrap());
        let before = holds(&db);
        let verb = if matches!(decision.verb, Verb::Unlink) { Verb::Merge } else { decision.verb };
        decide(&db, Decision { verb, ..decision }, slot(2));
        prop_assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
        decide(&db, Decision { verb: Verb::Unlink, ..decision }, slot(3));
        prop_assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
        prop_assert_eq!(holds(&db), before);
    }
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn a_read_of_what_was_known_then_says_what_was_read_then(
        before in proptest::collection::vec(fact(), 1..10), after in proptest::collection::vec(fact(), 1..10),
        decisions in proptest::collection::vec(decision(), 0..4), identity in 0..IDENTITIES.len(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut options = OpenOptions::file(folder.path().join("known.db")).clock(slot(SLOTS + 1)).id_seed("laws");
        options.unshared = true;
        // So that the past lies in runs.
        options.flush_messages = 3;
        let db = Cdp::open(options).unwrap();
        define(&db, identity).unwrap();
        let all = messages(&[before.clone(), after].concat());
        let (first, second) = all.split_at(before.len());
        let (early, late_decisions) = decisions.split_at(decisions.len() / 2);
        let decide_all = |decisions: &[Decision], at: i64| {
            for (number, decision) in decisions.iter().enumerate() {
                decide(&db, *decision, Timestamp::from_millis(slot(at).millis() + number as i64));
            }
        };
        ingest(&db, first).unwrap();
        decide_all(early, 2);
        let holds = |as_of: AsOf| (db.fingerprint(Some(as_of)).unwrap(), db.members("busy", &at_both(as_of)).unwrap().to_value());
        let valid = slot(SLOTS / 2);
        let read_then = holds(AsOf::at(valid));
        db.advance(Some(slot(SLOTS + 3))).unwrap();
        ingest(&db, second).unwrap();
        decide_all(late_decisions, 1);
        let known = AsOf { valid: Some(valid), known: Some(slot(SLOTS + 2)) };
        prop_assert_eq!(holds(known), read_then);
        let all_known = AsOf { valid: Some(valid), known: Some(slot(SLOTS + 4)) };
        prop_assert_eq!(holds(all_known), holds(AsOf::at(valid)));
        prop_assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
    }
}

/// What is said of single people: everything that a process may answer without holding everybody.
fn said_of_each(db: &Cdp, numbers: std::ops::Range<u8>, at: Timestamp) -> Vec<Option<String>> {
    let as_of = Some(AsOf::at(at));
    let one = |number: u8| {
        let who = identifier(number);
        [
            db.profile(&who, as_of).unwrap().map(Value::from),
            db.features(&who, as_of).unwrap().map(Value::Object),
            db.consents(&who, as_of).unwrap().map(|consents| {
                Value::Object(consents.into_iter().map(|(purpose, consent)| (purpose, consent.into())).collect())
            }),
            Some(db.events(&who, &EventsQuery::new().as_of(at)).unwrap().to_value()),
            db.explain_member("busy", &who, as_of).unwrap().map(Value::from),
            Some(Value::from(db.decide("greeting", &who, &DecideOptions::new().at(at)).unwrap())),
        ]
    };
    numbers.flat_map(one).map(|said| said.map(|said| said.to_json())).collect()
}

const GREETING: &str = r#"{"kind": "policy", "name": "greeting", "purpose": "service", "choose": [{"when": {"audience": "busy"},
    "then": {"text": "again"}}], "otherwise": {"text": "welcome"}}"#;

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn a_read_only_process_finds_each_person_without_loading_all_profiles(
        history in proptest::collection::vec(fact(), 1..24), decisions in proptest::collection::vec(decision(), 0..4),
        identities in [0..IDENTITIES.len(), 0..IDENTITIES.len()], redefined_after in 0..9usize, closes in any::<bool>(),
        flush_messages in prop_oneof![Just(3u64), Just(7), Just(100)], valid in 0..SLOTS,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let open = |read_only| {
            let mut options = OpenOptions::file(folder.path().join("read.db")).clock(late()).id_seed("laws");
            (options.unshared, options.read_only, options.flush_messages) = (true, read_only, flush_messages);
            Cdp::open(options).unwrap()
        };
        let mut db = open(false);
        define(&db, identities[0]).unwrap();
        db.define(&[json(GREETING)]).unwrap();
        let messages = messages(&history);
        // One that is open all the time, and catches up; it asks seldom enough that it never takes everybody in.
        let mut beside = None;
        for (turn, part) in messages.chunks(4).enumerate() {
            ingest(&db, part).unwrap();
            if let Some(decision) = decisions.get(turn) {
                decide(&db, *decision, Timestamp::from_millis(slot(2).millis() + turn as i64));
            }
            if turn == redefined_after {
                redefine(&db, identities[1]);
            }
            if turn == 2 && closes {
                db.close().unwrap();
                db = open(false);
            }
            let beside = beside.get_or_insert_with(|| open(true));
            let of = turn as u8 * 2 % 11;
            prop_assert_eq!(said_of_each(beside, of..of + 1, late()), said_of_each(&db, of..of + 1, late()));
        }
        prop_assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
        for at in [slot(valid), late()] {
            // More looks would pay for taking everybody in.
            for numbers in [0..5, 5..10, 10..12] {
                prop_assert_eq!(said_of_each(&open(true), numbers.clone(), at), said_of_each(&db, numbers, at));
            }
        }
        let whole = open(true);
        said_of_each(&whole, 0..1, late());
        prop_assert_eq!(whole.fingerprint(None).unwrap(), db.fingerprint(None).unwrap());
        prop_assert_eq!(said_of_each(&whole, 0..12, late()), said_of_each(&db, 0..12, late()));
        db.close().unwrap();
        for numbers in [0..5, 5..10, 10..12] {
            prop_assert_eq!(said_of_each(&open(true), numbers.clone(), late()), said_of_each(&whole, numbers, late()));
        }
    }
}

fn at_both(as_of: AsOf) -> Query {
    Query::new().as_of(as_of)
}

#[test]
fn another_handle_takes_decisions_in() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let mut options = OpenOptions::file(folder.path().join("two.db")).clock(late()).id_seed("laws");
        options.unshared = true;
        Cdp::open(options).unwrap()
    };
    let (left, right) = (open(), open());
    for user in ["u0", "u1"] {
        let message =
            json(&format!(r#"{{"type": "track", "event": "Seen", "userId": "{user}", "messageId": "{user}"}}"#));
        ingest(&left, &[message]).unwrap();
    }
    let linked = |db: &Cdp| db.explain_link(&identifier(0), &identifier(1)).unwrap().linked;
    assert!(!linked(&right));
    decide(&left, Decision { verb: Verb::Merge, a: 0, b: 1 }, slot(1));
    assert!(linked(&right));
    decide(&right, Decision { verb: Verb::Separate, a: 1, b: 0 }, slot(2));
    assert!(!linked(&left));
    assert!(!linked(&open()));
    // An earlier instant loses, whenever it comes.
    decide(&left, Decision { verb: Verb::Merge, a: 0, b: 1 }, slot(1));
    assert!(!linked(&right));
    let decisions = left.table("link_decisions", &TableQuery::new()).unwrap();
    assert_eq!(texts(&decisions, "type"), ["merge", "separate", "merge"]);
}

#[test]
fn a_value_that_only_a_former_definition_named_is_found_once_a_message_names_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = |read_only| {
        let mut options = OpenOptions::file(folder.path().join("again.db")).clock(late()).id_seed("laws");
        (options.unshared, options.read_only, options.flush_messages) = (true, read_only, 3);
        Cdp::open(options).unwrap()
    };
    let db = open(false);
    let define = |normalize: &str| {
        let email = format!(r#"{{"type": "email", "role": "contact", "priority": 1{normalize}}}"#);
        let device = r#"{"type": "anonymous_id", "role": "device", "priority": 9}"#;
        let text = format!(r#"{{"kind": "identity", "name": "mail", "identifiers": [{email}, {device}]}}"#);
        db.define(&[json(&text)]).unwrap();
    };
    let seen = |email: &str, id: &str| {
        let context = format!(r#""context": {{"traits": {{"email": "{email}"}}}}"#);
        json(&format!(r#"{{"type": "track", "event": "Seen", "messageId": "{id}", {context}}}"#))
    };
    define(r#", "normalize": "email""#);
    ingest(&db, &[seen("E0@X.org", "m0"), seen("other@x.org", "m1")]).unwrap();
    define("");
    ingest(&db, &[seen("e0@x.org", "m2")]).unwrap();
    assert_eq!(faults(&db).unwrap(), Vec::<String>::new());
    for email in ["e0@x.org", "E0@X.org", "other@x.org", "nobody@x.org"] {
        let who = Value::object([("email", Value::from(email))]);
        let found = open(true).profile(&who, None).unwrap();
        assert_eq!(found, db.profile(&who, None).unwrap(), "{email}");
        assert_eq!(found.is_some(), email != "nobody@x.org");
    }
}
