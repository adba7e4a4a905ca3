//! The laws of DESIGN section 2, on small random histories in which everything collides.

use cdp_core::cdp::{AsOf, ChangesQuery, Data, IngestOptions, RejectsQuery};
use cdp_core::records::{Cells, Object, Timestamp, Value};
use cdp_core::{Cdp, Durability, OpenOptions};
use cdp_tests::history::{
    AUDIENCES, DERIVED, Fact, HOUR_MS, IDENTITIES, SLOTS, START_MS, Says, WINDOWS, at, define, faults, in_memory,
    ingest, members, messages, people, slot, texts,
};
use cdp_tests::{json, number_of_cases};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// Runs each law on `CDP_CASES` histories, or on few enough for every run.
fn cases(few: u32) -> ProptestConfig {
    ProptestConfig { cases: number_of_cases(few), failure_persistence: None, ..ProptestConfig::default() }
}

fn fact() -> impl Strategy<Value = Fact> {
    let says = prop_oneof![
        3 => Just(Says::Identify),
        4 => Just(Says::Track),
        1 => Just(Says::Page),
        2 => Just(Says::Alias),
        1 => Just(Says::Consent),
    ];
    let maybe = |n: u8| proptest::option::weighted(0.6, 0..n);
    (says, maybe(4), maybe(4), maybe(3), 0..SLOTS as u8, 0..9u8, 0..5u8)
        .prop_map(|(says, user, device, email, slot, value, id)| Fact { says, user, device, email, slot, value, id })
}

/// Mostly what counts: a few people who buy all the time.
fn busy_fact() -> impl Strategy<Value = Fact> {
    let bought = (0..2u8, 0..SLOTS as u8, 0..5u8).prop_map(|(user, slot, id)| Fact {
        says: Says::Track,
        user: Some(user),
        device: None,
        email: None,
        slot,
        value: 1,
        id,
    });
    prop_oneof![5 => bought, 1 => fact()]
}

fn history(longest: usize) -> impl Strategy<Value = Vec<Fact>> {
    proptest::collection::vec(fact(), 1..longest)
}

/// How one store gets its messages.
#[derive(Clone, Debug)]
struct Way {
    order: Vec<prop::sample::Index>,
    batch: Vec<u8>,
    reopen: bool,
    define_after: usize,
}

fn way() -> impl Strategy<Value = Way> {
    (
        proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
        proptest::collection::vec(1..5u8, 1..5),
        any::<bool>(),
        0..20usize,
    )
        .prop_map(|(order, batch, reopen, define_after)| Way { order, batch, reopen, define_after })
}

impl Way {
    /// All messages, some of them several times, in another order.
    fn deliveries(&self, messages: &[Value]) -> Vec<Value> {
        let mut rest: Vec<Value> = messages.to_vec();
        let mut deliveries: Vec<Value> = Vec::new();
        for (turn, index) in self.order.iter().enumerate() {
            if turn % 3 == 2 && !deliveries.is_empty() {
                let again: Value = deliveries[index.index(deliveries.len())].clone();
                deliveries.push(again);
            } else if !rest.is_empty() {
                deliveries.push(rest.remove(index.index(rest.len())));
            }
        }
        deliveries.extend(rest);
        deliveries
    }
}

fn open(path: &std::path::Path, clock: Timestamp) -> Cdp {
    let mut options = OpenOptions::file(path).clock(clock).id_seed("laws");
    // The laws are about content; power cuts have tests of their own.
    options.durability = Durability::Relaxed;
    options.unshared = true;
    // Runs, several blocks each, compactions and colliding keys all the time.
    options.flush_messages = 7;
    Cdp::open(options).unwrap()
}

fn check_sound(db: &Cdp) -> Result<(), TestCaseError> {
    prop_assert_eq!(faults(db).unwrap(), Vec::<String>::new());
    Ok(())
}

/// The instants worth asking at: around every fact and every slide of a window.
fn candidates(history: &[Fact]) -> Vec<Timestamp> {
    let mut instants: Vec<i64> = Vec::new();
    for fact in history {
        for offset in std::iter::once(0).chain(WINDOWS) {
            let exact = START_MS + (i64::from(fact.slot) + offset) * HOUR_MS;
            instants.extend([exact - 1, exact, exact + 1]);
        }
    }
    instants.sort_unstable();
    instants.dedup();
    instants.into_iter().map(Timestamp::from_millis).collect()
}

fn late() -> Timestamp {
    slot(SLOTS + 100)
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn the_same_facts_give_the_same_answers_in_any_order_batching_and_number(
        history in history(14), way in way(), identity in 0..IDENTITIES.len(), clock in 0..(SLOTS + 4),
    ) {
        let messages = messages(&history);
        let plain = in_memory(slot(clock));
        define(&plain, identity).unwrap();
        ingest(&plain, &messages).unwrap();

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        let mut other = open(&path, slot(clock));
        let deliveries = way.deliveries(&messages);
        let (mut rest, mut turn, mut defined) = (deliveries.as_slice(), 0, false);
        while !rest.is_empty() {
            if turn >= way.define_after && !defined {
                define(&other, identity).unwrap();
                defined = true;
            }
            let size = usize::from(way.batch[turn % way.batch.len()]).min(rest.len());
            let (batch, after) = rest.split_at(size);
            ingest(&other, batch).unwrap();
            rest = after;
            turn += 1;
            if way.reopen && turn % 3 == 0 {
                other.close().unwrap();
                other = open(&path, slot(clock));
            }
        }
        if !defined {
            define(&other, identity).unwrap();
        }

        for slots in 0..SLOTS + 5 {
            prop_assert_eq!(people(&other, slot(slots)).unwrap(), people(&plain, slot(slots)).unwrap(), "slot {}", slots);
        }
        prop_assert_eq!(other.fingerprint(None).unwrap(), plain.fingerprint(None).unwrap());
        check_sound(&plain)?;
        check_sound(&other)?;
        for db in [&plain, &other] {
            db.advance(Some(slot(SLOTS + 3))).unwrap();
            check_sound(db)?;
        }
    }

    #[test]
    fn a_second_handle_sees_what_the_first_one_wrote(
        history in history(14), turns in proptest::collection::vec(0..4u8, 14), identity in 0..IDENTITIES.len(),
    ) {
        let messages = messages(&history);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared.db");
        let handles = [open(&path, late()), open(&path, late())];
        define(&handles[0], identity).unwrap();
        for (message, turn) in messages.iter().zip(&turns) {
            handles[usize::from(turn % 2)].send(message).unwrap();
            if *turn >= 2 {
                check_sound(&handles[usize::from(1 - turn % 2)])?;
            }
        }
        let alone = in_memory(late());
        define(&alone, identity).unwrap();
        ingest(&alone, &messages).unwrap();
        for db in &handles {
            prop_assert_eq!(people(db, late()).unwrap(), people(&alone, late()).unwrap());
            prop_assert_eq!(db.fingerprint(None).unwrap(), alone.fingerprint(None).unwrap());
            check_sound(db)?;
        }
    }

    #[test]
    fn every_message_counts_once_however_often_and_in_whatever_batches_it_comes(
        history in history(14), starts in proptest::collection::vec((any::<prop::sample::Index>(), 1..8usize, 1..5u8), 1..8),
    ) {
        let mut messages = messages(&history);
        messages.push(json(r#"{"type": "track", "event": "Nobody did this"}"#));
        let db = in_memory(late());
        let mut accepted = 0;
        let mut seen = std::collections::BTreeSet::new();
        for (turn, (start, length, times)) in starts.iter().enumerate() {
            let start = start.index(messages.len());
            let batch = &messages[start..(start + length).min(messages.len())];
            for time in 0..*times {
                let options = IngestOptions::default().checkpoint(format!("{turn}.{time}"));
                let values = batch.iter().cloned().map(Ok);
                let receipt = db.ingest(Data::Values(Box::new(values)), &options, None).unwrap();
                prop_assert_eq!(receipt.rows, batch.len() as u64);
                let sum = receipt.accepted + receipt.duplicates + receipt.suppressed + receipt.rejected + receipt.ignored;
                prop_assert_eq!(sum, receipt.messages);
                accepted += receipt.accepted;
                seen.extend(start..start + batch.len());
                let checkpoints = db.checkpoints().unwrap();
                prop_assert_eq!(checkpoints.get("default"), Some(&format!("{turn}.{time}")));
            }
        }
        let bad = messages.len() - 1;
        prop_assert_eq!(accepted, seen.iter().filter(|index| **index != bad).count() as u64);
        let rejects = db.rejects(&RejectsQuery::new()).unwrap();
        prop_assert_eq!(rejects.n_rows(), usize::from(seen.contains(&bad)));
        prop_assert!(texts(&rejects, "reason").iter().all(|reason| reason == "no_identifier"));
        check_sound(&db)?;
    }

    #[test]
    fn a_message_that_comes_last_leaves_what_it_leaves_when_it_comes_first(
        history in history(10), one in any::<prop::sample::Index>(), identity in 0..IDENTITIES.len(),
    ) {
        let messages = messages(&history);
        let one = one.index(messages.len());
        let with = in_memory(late());
        define(&with, identity).unwrap();
        ingest(&with, &messages).unwrap();
        let mut others = messages;
        let message = others.remove(one);
        for place in [0, others.len() / 2, others.len()] {
            let db = in_memory(late());
            define(&db, identity).unwrap();
            for (index, other) in others.iter().enumerate() {
                if index == place {
                    db.send(&message).unwrap();
                }
                db.send(other).unwrap();
            }
            db.send(&message).unwrap();
            prop_assert_eq!(people(&db, late()).unwrap(), people(&with, late()).unwrap());
            prop_assert_eq!(db.fingerprint(None).unwrap(), with.fingerprint(None).unwrap());
            check_sound(&db)?;
        }
    }

    #[test]
    fn a_read_of_the_past_is_what_a_store_of_that_time_says(
        history in history(14), identity in 0..IDENTITIES.len(), time in 0..SLOTS,
    ) {
        let messages = messages(&history);
        let whole = in_memory(late());
        define(&whole, identity).unwrap();
        ingest(&whole, &messages).unwrap();
        let past = in_memory(late());
        define(&past, identity).unwrap();
        let by_then: Vec<Value> = messages.iter().zip(&history)
            .filter(|(_, fact)| i64::from(fact.slot) <= time).map(|(message, _)| message.clone()).collect();
        ingest(&past, &by_then).unwrap();
        for instant in [slot(time), slot(time).plus_millis(HOUR_MS - 1)] {
            prop_assert_eq!(people(&whole, instant).unwrap(), people(&past, instant).unwrap());
        }
    }

    #[test]
    fn a_table_of_all_people_equals_the_profiles_one_by_one(
        history in history(14), identity in 0..IDENTITIES.len(), time in 0..SLOTS,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let db = open(&folder.path().join("shop.db"), late());
        define(&db, identity).unwrap();
        ingest(&db, &messages(&history)).unwrap();
        let definitions = json(DERIVED);
        let of_kind = |kind: &'static str| definitions.as_list().unwrap().iter()
            .filter(move |definition| definition.get("kind").and_then(Value::as_text) == Some(kind));
        let name = |definition: &Value| definition.get("name").and_then(Value::as_text).unwrap().to_owned();
        let features = of_kind("feature").map(|feature| format!("features.{}", name(feature)));
        let audiences = of_kind("audience").map(|audience| format!("audiences.{}", name(audience)));
        let shown = ["profile_id", "user_id", "first_seen"].map(str::to_owned);
        let columns: Vec<String> = shown.into_iter().chain(features).chain(audiences).collect();
        for instant in [slot(time), slot(time).plus_millis(HOUR_MS - 1), slot(SLOTS)] {
            // What a page shows is asked of each person, what a whole table shows comes from the columns of all events.
            let whole = at(instant).columns(columns.clone());
            let table = db.profiles(&whole).unwrap();
            prop_assert_eq!(&db.profiles(&whole.clone().limit(100usize)).unwrap(), &table);
            let mut rows: Vec<Object> = Vec::new();
            let mut page = whole.limit(1usize);
            loop {
                let frame = db.profiles(&page).unwrap();
                rows.extend((0..frame.n_rows()).map(|row| frame.row(row)));
                page.after = frame.next;
                if page.after.is_none() { break }
            }
            let ids: Vec<&str> = rows.iter().map(|row| row["profile_id"].as_text().unwrap()).collect();
            prop_assert_eq!(&ids, &texts(&table, "profile_id"));
            for audience in of_kind("audience").filter(|audience| audience.get("population").is_none()) {
                let rule = audience.get("rule").unwrap();
                let column = format!("audiences.{}", name(audience));
                let expected: Vec<&str> = rows.iter().filter(|row| row[&column] == Value::Bool(true))
                    .map(|row| row["profile_id"].as_text().unwrap()).collect();
                let matching = at(instant).filter(rule.clone());
                prop_assert_eq!(&texts(&db.profiles(&matching).unwrap(), "profile_id"), &expected);
                prop_assert_eq!(&texts(&db.members(&name(audience), &at(instant)).unwrap(), "profile_id"), &expected);
                let preview = db.preview(rule.clone(), Some(AsOf::at(instant))).unwrap();
                prop_assert_eq!(preview.matched, expected.len() as u64);
                prop_assert_eq!(preview.total, rows.len() as u64);
            }
            // A rule about a property that no definition keeps.
            let unkept = json(r#"{"event": "Bought", "where": [{"property": "unheard_of", "op": "not_exists"}]}"#);
            let bought = json(r#"{"event": "Bought"}"#);
            let of_rule = |rule: Value| texts(&db.profiles(&at(instant).filter(rule)).unwrap(), "profile_id");
            prop_assert_eq!(of_rule(unkept), of_rule(bought));
        }
    }

    #[test]
    fn memberships_hold_after_every_message_and_every_hour(
        history in proptest::collection::vec((busy_fact(), 0..3i64), 5..40), identity in 0..IDENTITIES.len(),
    ) {
        // When each comes, most of them at once.
        let mut arrivals: Vec<(i64, Value)> = history
            .iter()
            .enumerate()
            .map(|(index, (fact, delay))| (i64::from(fact.slot) + delay / 2 * 3, fact.message(index)))
            .collect();
        arrivals.sort_by_key(|(at, _)| *at);
        let db = in_memory(slot(0));
        define(&db, identity).unwrap();
        for (at, message) in &arrivals {
            db.advance(Some(slot(*at))).unwrap();
            ingest(&db, std::slice::from_ref(message)).unwrap();
            check_sound(&db)?;
        }
        let last = arrivals.last().map_or(0, |(at, _)| *at);
        for hour in last..last + 6 {
            db.advance(Some(slot(hour))).unwrap();
            check_sound(&db)?;
        }
    }

    #[test]
    fn the_outbox_has_exactly_the_instants_at_which_members_change(
        history in history(10), identity in 0..IDENTITIES.len(), clock in -1..SLOTS,
    ) {
        let messages = messages(&history);
        let db = in_memory(slot(clock));
        define(&db, identity).unwrap();
        ingest(&db, &messages).unwrap();
        let end = slot(SLOTS + 5);
        db.advance(Some(end)).unwrap();
        check_sound(&db)?;
        let everybody = texts(&db.profiles(&cdp_tests::history::at(end)).unwrap(), "profile_id");
        let instants = candidates(&history);
        for audience in AUDIENCES {
            let by_instant: Vec<(Timestamp, Vec<String>)> =
                instants.iter().map(|instant| (*instant, members(&db, audience, *instant).unwrap())).collect();
            let changes = db.audience_changes(&ChangesQuery::new().audience(audience)).unwrap();
            let Some(Cells::Timestamp(times)) = changes.column("occurred_at") else { panic!("a column of times") };
            let (ids, types) = (texts(&changes, "profile_id"), texts(&changes, "type"));
            for person in &everybody {
                let mut expected = Vec::new();
                let mut member = false;
                for (instant, ids) in &by_instant {
                    if ids.contains(person) != member {
                        member = !member;
                        expected.push((*instant, member));
                    }
                }
                let said: Vec<(Timestamp, bool)> = (0..ids.len())
                    .filter(|row| ids[*row] == *person)
                    .map(|row| (times[row].unwrap(), types[row] == "Audience Entered"))
                    .collect();
                prop_assert_eq!(said, expected, "audience {}", audience);
            }
        }
    }
}

fn amount() -> impl Strategy<Value = String> {
    prop_oneof![
        (-1_000_000i64..1_000_000).prop_map(|n| n.to_string()),
        (-1_000_000_000_000i64..1_000_000_000_000, 1..10u32).prop_map(|(n, places)| {
            let scale = 10i64.pow(places);
            format!(
                "{}{}.{:0width$}",
                if n < 0 { "-" } else { "" },
                n.abs() / scale,
                n.abs() % scale,
                width = places as usize
            )
        }),
        (-1_000_000_000_000i64..1_000_000_000_000).prop_map(|n| format!(
            "\"{}.{:09}\"",
            n / 1_000_000_000,
            (n % 1_000_000_000).abs()
        )),
        any::<f64>().prop_filter("in range", |x| x.is_finite() && x.abs() < 1e15).prop_map(|x| format!("{x:?}")),
        Just("99999999999999999999".to_owned()),
        Just("-1e20".to_owned()),
    ]
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn numbers_do_not_depend_on_the_order_in_which_they_come(
        amounts in proptest::collection::vec(amount(), 1..12), keys in proptest::collection::vec(any::<u32>(), 12),
    ) {
        let messages: Vec<Value> = amounts.iter().enumerate().map(|(index, amount)| json(&format!(
            "{{\"type\": \"track\", \"event\": \"Bought\", \"userId\": \"u1\", \"messageId\": \"{index}\", \
              \"timestamp\": \"2024-01-01T00:00:00Z\", \"properties\": {{\"amount\": {amount}}}}}"
        ))).collect();
        let mut shuffled: Vec<(u32, Value)> = keys.into_iter().zip(messages.iter().cloned()).collect();
        shuffled.sort_by_key(|(key, _)| *key);
        let features = |messages: &[Value]| {
            let db = in_memory(late());
            define(&db, 0).unwrap();
            ingest(&db, messages).unwrap();
            Value::Object(db.features(&json(r#"{"user_id": "u1"}"#), Some(AsOf::at(late()))).unwrap().unwrap()).to_json()
        };
        let shuffled: Vec<Value> = shuffled.into_iter().map(|(_, message)| message).collect();
        prop_assert_eq!(features(&messages), features(&shuffled));
    }
}

fn track(user: &str, id: &str, rest: &str) -> Value {
    json(&format!(
        "{{\"type\": \"track\", \"event\": \"Bought\", \"userId\": \"{user}\", \"messageId\": \"{id}\", \
          \"timestamp\": \"2024-01-01T00:00:00Z\"{rest}}}"
    ))
}

#[test]
fn a_batch_of_rejects_leaves_another_handle_able_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.db");
    let handles = [open(&path, late()), open(&path, late())];
    let source = r#"{"kind": "source", "name": "shop", "format": "json", "ids": {"user_id": "who"}, "event": {"const": "Bought"}}"#;
    handles[0].define(&[json(source)]).unwrap();
    // The other handle has not read since: it must learn of the source by itself.
    let take = |db: &Cdp, row: &str| {
        let values = vec![Ok(json(row))].into_iter();
        db.ingest(Data::Values(Box::new(values)), &IngestOptions::from_source("shop"), None).unwrap()
    };
    assert_eq!(take(&handles[1], "{}").rejected, 1);
    assert_eq!(take(&handles[0], r#"{"who": "u1"}"#).accepted, 1);
    assert_eq!(take(&handles[1], r#"{"who": "u2"}"#).accepted, 1);
    for db in &handles {
        assert_eq!(texts(&db.rejects(&RejectsQuery::new()).unwrap(), "source"), ["shop"]);
        check_sound(db).unwrap();
    }
}

#[test]
fn an_identify_through_another_handle_can_still_refuse_an_alias() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.db");
    let handles = [open(&path, late()), open(&path, late())];
    let alias = r#"{"type": "alias", "userId": "new", "previousId": "old", "timestamp": "2024-01-01T05:00:00Z"}"#;
    handles[0].send(json(alias)).unwrap();
    assert_eq!(handles[1].stats().unwrap().profiles, 1);
    for (user, hour) in [("new", 1), ("old", 2)] {
        let identify =
            format!("{{\"type\": \"identify\", \"userId\": \"{user}\", \"timestamp\": \"2024-01-01T0{hour}:00:00Z\"}}");
        handles[0].send(json(&identify)).unwrap();
    }
    for db in &handles {
        assert_eq!(db.stats().unwrap().profiles, 2);
    }
}

#[test]
fn of_traits_that_tie_the_greatest_message_id_wins_whatever_lies_between() {
    let orders = [["1", "3", "2"], ["3", "1", "2"], ["2", "3", "1"], ["1", "2", "3"]];
    for order in orders {
        let db = in_memory(late());
        for id in order {
            let plan = if id == "2" { "b" } else { "a" };
            let identify = format!(
                "{{\"type\": \"identify\", \"userId\": \"u\", \"messageId\": \"{id}\", \"timestamp\": \"2024-01-01T00:00:00Z\", \
                  \"traits\": {{\"plan\": \"{plan}\"}}}}"
            );
            db.send(json(&identify)).unwrap();
        }
        let profile = db.profile(&json(r#"{"user_id": "u"}"#), None).unwrap().unwrap();
        assert_eq!(profile.traits.get("plan"), Some(&Value::from("a")), "{order:?}");
    }
}

#[test]
fn two_sources_may_use_one_message_id_and_ties_still_do_not_depend_on_order() {
    let sources = ["a", "b"].map(|name| json(&format!(
        "{{\"kind\": \"source\", \"name\": \"{name}\", \"format\": \"json\", \"message_id\": \"id\", \"timestamp\": \"at\", \
          \"ids\": {{\"user_id\": \"who\"}}, \"traits\": {{\"from\": {{\"const\": \"{name}\"}}}}}}"
    )));
    let from = |order: [&str; 2]| {
        let db = in_memory(late());
        db.define(&sources).unwrap();
        for source in order {
            let row = json(r#"{"id": "1", "who": "u", "at": "2024-01-01T00:00:00Z"}"#);
            let values = vec![Ok(row)].into_iter();
            let receipt = db.ingest(Data::Values(Box::new(values)), &IngestOptions::from_source(source), None).unwrap();
            assert_eq!(receipt.accepted, 1);
        }
        db.fingerprint(None).unwrap()
    };
    assert_eq!(from(["a", "b"]), from(["b", "a"]));
}

#[test]
fn one_message_that_joins_two_people_counts_as_one_merge() {
    let db = in_memory(late());
    db.send(track("u", "1", "")).unwrap();
    let device = r#"{"type": "track", "event": "Seen", "anonymousId": "d", "timestamp": "2024-01-01T00:00:00Z"}"#;
    db.send(json(device)).unwrap();
    let both =
        track("u", "3", r#", "anonymousId": "d", "context": {"traits": {"email": "e@x.org", "phone": "+4930123456"}}"#);
    assert_eq!(db.send(&both).unwrap().merges, 1);
}

#[test]
fn a_choice_between_a_refused_link_and_the_merge_is_still_in_conflict() {
    let db = in_memory(late());
    let consent = |user: &str, granted: bool, hour: i64| {
        json(&format!(
            "{{\"type\": \"track\", \"event\": \"Seen\", \"userId\": \"{user}\", \"timestamp\": \"{}\", \
              \"context\": {{\"consent\": {{\"categoryPreferences\": {{\"marketing\": {granted}}}}}}}}}",
            slot(hour)
        ))
    };
    // d joins u1; its link to u2 is refused, for a person has one user id; an alias joins them in the end.
    let seen = |user: &str, hour: i64| {
        json(&format!(
            "{{\"type\": \"track\", \"event\": \"Seen\", \"userId\": \"{user}\", \"anonymousId\": \"d\", \"timestamp\": \"{}\"}}",
            slot(hour)
        ))
    };
    for message in [consent("u1", false, 0), seen("u1", 1), seen("u2", 2), consent("u2", true, 3)] {
        db.send(&message).unwrap();
    }
    let alias =
        format!("{{\"type\": \"alias\", \"userId\": \"u2\", \"previousId\": \"u1\", \"timestamp\": \"{}\"}}", slot(4));
    db.send(json(&alias)).unwrap();
    let consents = db.consents(&json(r#"{"user_id": "u1"}"#), None).unwrap().unwrap();
    assert_eq!(consents["marketing"].status, "conflict");
    db.send(consent("u1", true, 5)).unwrap();
    let consents = db.consents(&json(r#"{"user_id": "u1"}"#), None).unwrap().unwrap();
    assert_eq!(consents["marketing"].status, "granted");
}

#[test]
fn a_repeat_of_a_link_counts_when_a_late_fact_refuses_the_first() {
    let day = |day: i64| Timestamp::from_millis(START_MS + day * 24 * HOUR_MS).to_string();
    let seen = |user: &str, device: &str, on: i64| {
        json(&format!(
            "{{\"type\": \"track\", \"event\": \"Seen\", \"userId\": \"{user}\", \"anonymousId\": \"{device}\", \
              \"timestamp\": \"{}\"}}",
            day(on)
        ))
    };
    // Alone in the log, and one of many: the evidence is found by a scan and by look-ups.
    for others in [0, 200] {
        let db = in_memory(late());
        for other in 0..others {
            db.send(seen(&format!("u{other}"), &format!("d{other}"), 1)).unwrap();
        }
        for device in 1..6 {
            db.send(seen("u", &format!("a{device}"), device)).unwrap();
        }
        db.send(seen("u", "a5", 20)).unwrap();
        let devices = |on: i64| {
            let as_of = Some(AsOf::at(Timestamp::parse(&day(on)).unwrap()));
            let profile = db.profile(&json(r#"{"user_id": "u"}"#), as_of).unwrap().unwrap();
            profile.ids["anonymous_id"].clone()
        };
        assert_eq!(devices(19), ["a1", "a2", "a3", "a4", "a5"]);
        // With a sixth device before, a5 is one too many in its week, and joins when it is seen again.
        db.send(seen("u", "a0", 0)).unwrap();
        assert_eq!(devices(19), ["a0", "a1", "a2", "a3", "a4"]);
        assert_eq!(devices(20), ["a0", "a1", "a2", "a3", "a4", "a5"]);
        assert!(db.verify().unwrap().ok);
    }
}

#[test]
fn links_of_one_message_apply_by_rank_and_not_by_first_sight() {
    let identity = r#"{"kind": "identity", "name": "tight", "identifiers": [
        {"type": "user_id", "role": "person", "priority": 1},
        {"type": "email", "role": "contact", "priority": 2, "limit": 1, "normalize": "email"},
        {"type": "anonymous_id", "role": "device", "priority": 9}]}"#;
    let email = |id: &str, ids: &str, email: &str, hour: i64| {
        json(&format!(
            "{{\"type\": \"track\", \"event\": \"Seen\", \"messageId\": \"{id}\", {ids}, \"timestamp\": \"{}\", \
              \"context\": {{\"traits\": {{\"email\": \"{email}\"}}}}}}",
            slot(hour)
        ))
    };
    let device = email("1", "\"anonymousId\": \"d\"", "other@x.org", 0);
    let both = email("2", "\"userId\": \"u\", \"anonymousId\": \"d\"", "own@x.org", 1);
    let own = email("3", "\"userId\": \"u3\"", "own@x.org", 2);
    let after = |order: [&Value; 3]| {
        let db = in_memory(late());
        db.define(&[json(identity)]).unwrap();
        for message in order {
            db.send(message).unwrap();
        }
        check_sound(&db).unwrap();
        people(&db, late()).unwrap()
    };
    assert_eq!(after([&device, &both, &own]), after([&own, &both, &device]));
    assert_eq!(after([&device, &both, &own]), after([&both, &own, &device]));
}
