//! The laws of rules on random profiles: time alone changes nothing between change instants, the order of arrival
//! changes nothing at all, an explanation never disagrees, a sequence is found if there is one.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::{Measurer, evaluate, explain, feature_value, lookbacks};
use super::profile::{MemoryProfile, Recorded, at, catalog, json};
use crate::definitions::{Catalog, EventSelection, Rule, SequenceTest, Test};
use crate::records::{Timestamp, Value};

pub(super) const SPAN: i64 = 120;

pub(super) fn definitions() -> Catalog {
    catalog(&[
        r#"{"kind": "feature", "name": "recent", "event": "A", "agg": "sum", "property": "v", "within": "13ms"}"#,
        r#"{"kind": "feature", "name": "fading", "agg": "last", "property": "v", "ttl": "9ms", "default": 0}"#,
        r#"{"kind": "feature", "name": "cooling", "event": ["A", "C"], "agg": "max", "property": "v", "ttl": "8ms", "default": 1, "where": [{"property": "v", "op": "lt", "value": 1000}]}"#,
        r#"{"kind": "feature", "name": "warm", "event": "B", "agg": "exists", "ttl": "12ms", "since": 15}"#,
        r#"{"kind": "feature", "name": "begun", "event": "C", "agg": "first_at", "ttl": "15ms", "default": 50, "between": [5, 40]}"#,
        r#"{"kind": "feature", "name": "seen", "event": ["A", "B"], "agg": "last_at", "default": 45, "between_ago": ["21ms", "4ms"]}"#,
        r#"{"kind": "audience", "name": "active", "rule": {"event": "B", "count": {"gte": 2}, "within": "17ms"}}"#,
        r#"{"kind": "audience", "name": "known_active", "population": "known", "rule": {"not": {"audience": "active"}}}"#,
    ])
}

pub(super) fn facts() -> impl Strategy<Value = Vec<Recorded>> {
    // Among them the ends of 64 bits of nano-units, and numbers far beyond.
    let property = select(vec![
        "1",
        "2",
        "\"2\"",
        "\"2.5\"",
        "\"x\"",
        "null",
        "-1",
        "[2]",
        "1e20",
        "\"-1e20\"",
        "9223372036.854775807",
        "9223372036.854775808",
        "-9223372036.854775806",
        "-9223372036.854775807",
        "\"-9223372036.854775808\"",
    ]);
    let fact = (0..60i64, select(vec!["A", "B", "C"]), property, 0..3i64);
    prop::collection::vec(fact, 0..14).prop_map(|facts| {
        let facts = facts.into_iter().enumerate();
        facts
            .map(|(n, (at, event, v, id))| Recorded {
                at,
                event: event.to_owned(),
                // Ids in an order that is neither that of time nor that of arrival.
                message_id: format!("m{:02}", n * 7 % 15),
                properties: json(&format!(r#"{{"v": {v}, "id": {id}, "items": [{{"p": {v}}}, {{"p": {id}}}]}}"#)),
            })
            .collect()
    })
}

fn traits() -> impl Strategy<Value = Vec<(i64, Value)>> {
    prop::collection::btree_map(0..60i64, (0..80i64, 0..80i64), 0..3).prop_map(|states| {
        let state = |(one, two)| json(&format!(r#"{{"date": {one}, "dates": [{{"on": {one}}}, {{"on": {two}}}]}}"#));
        states.into_iter().map(|(from, dates)| (from, state(dates))).collect()
    })
}

fn window() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        (1..40i64).prop_map(|w| format!(r#", "within": "{w}ms""#)),
        (1..20i64, 1..20i64).prop_map(|(b, more)| format!(r#", "between_ago": ["{}ms", "{b}ms"]"#, b + more)),
        (0..60i64).prop_map(|since| format!(r#", "since": {since}"#)),
        (0..60i64, 0..30i64).prop_map(|(from, more)| format!(r#", "between": [{from}, {}]"#, from + more)),
    ]
}

fn event() -> impl Strategy<Value = &'static str> {
    select(vec![r#""A""#, r#""B""#, r#"["A", "C"]"#, r#""*""#])
}

/// What features measure, few enough that neighbours often share events, a window, a property.
fn measured() -> impl Strategy<Value = String> {
    let event = select(vec![r#""A""#, r#"["A", "C"]"#, r#""*""#]);
    let window = select(vec!["", r#", "within": "30ms""#]);
    let aggregate = select(vec!["count", "exists", "first_at", "sum", "avg", "min", "max", "stddev", "last"]);
    let filter = select(vec!["", "", r#", "where": [{"property": "v", "op": "gte", "value": 2}]"#]);
    (event, window, aggregate, select(vec!["v", "id"]), filter).prop_map(|(event, window, agg, property, filter)| {
        let needs_property = !matches!(agg, "count" | "exists" | "first_at");
        let property = if needs_property { format!(r#", "property": "{property}""#) } else { String::new() };
        format!(r#""event": {event}, "agg": "{agg}"{property}{window}{filter}"#)
    })
}

fn step() -> impl Strategy<Value = String> {
    let limit = prop_oneof![Just(String::new()), (1..25i64).prop_map(|w| format!(r#", "within_previous": "{w}ms""#))];
    let same = select(vec!["", r#", "same": ["id"]"#]);
    prop_oneof![
        2 => (event(), limit, same.clone()).prop_map(|(event, limit, same)| format!(r#"{{"event": {event}{limit}{same}}}"#)),
        1 => (event(), 1..20i64, same).prop_map(|(event, w, same)| {
            format!(r#"{{"not": {{"event": {event}}}, "within_previous": "{w}ms"{same}}}"#)
        }),
    ]
}

fn sequence() -> impl Strategy<Value = String> {
    let within = prop_oneof![Just(String::new()), (5..60i64).prop_map(|w| format!(r#", "within": "{w}ms""#))];
    (event(), prop::collection::vec(step(), 0..4), within).prop_map(|(first, steps, within)| {
        let steps: Vec<String> = std::iter::once(format!(r#"{{"event": {first}}}"#)).chain(steps).collect();
        format!(r#"{{"sequence": [{}]{within}}}"#, steps.join(", "))
    })
}

fn leaf() -> impl Strategy<Value = String> {
    let relative = select(vec!["within_last", "before_last", "within_next", "after_next"]);
    let aggregate = select(vec!["sum", "avg", "min", "max", "stddev", "count_distinct", "first", "last"]);
    let filter = select(vec![
        "",
        "",
        r#"{"property": "v", "op": "gte", "value": 2}"#,
        r#"{"property": "v", "op": "lt", "value": 2.5}, {"property": "id", "op": "ne", "value": 1}"#,
        r#"{"property": "v", "op": "between", "value": ["-9223372036.854775808", 9223372036.854775807]}"#,
        r#"{"property": "v", "op": "gt", "value": 9223372036.854775807}"#,
        r#"{"property": "v", "op": "lte", "value": -9223372036.854775808}"#,
        r#"{"property": "v", "op": "in", "value": [2, "x"]}"#,
        r#"{"property": "v", "op": "not_exists"}"#,
        r#"{"property": "items.*.p", "op": "gte", "value": 2}"#,
    ])
    .prop_map(|filter| if filter.is_empty() { String::new() } else { format!(r#", "where": [{filter}]"#) });
    let property = select(vec!["v", "v", "items.*.p"]);
    prop_oneof![
        3 => (event(), window(), filter.clone(), select(vec!["gte", "eq", "lt"]), 0..4i64).prop_map(|(event, window, filter, op, n)| {
            format!(r#"{{"event": {event}{window}{filter}, "count": {{"{op}": {n}}}}}"#)
        }),
        3 => (event(), window(), filter, (aggregate, property), (select(vec!["eq", "ne", "gte"]), 0..4i64)).prop_map(|(event, window, filter, (agg, property), (op, n))| {
            format!(r#"{{"event": {event}{window}{filter}, "agg": "{agg}", "property": "{property}", "op": "{op}", "value": {n}}}"#)
        }),
        1 => (event(), window(), select(vec!["first_at", "last_at"]), relative.clone(), 1..30i64).prop_map(|(event, window, agg, op, w)| {
            format!(r#"{{"event": {event}{window}, "agg": "{agg}", "op": "{op}", "value": "{w}ms"}}"#)
        }),
        1 => (event(), 1..30i64).prop_map(|(event, w)| format!(r#"{{"event": {event}, "first_time_within": "{w}ms"}}"#)),
        3 => sequence(),
        1 => (event(), 1..20i64, 1..20i64).prop_map(|(event, silent, more)| {
            format!(r#"{{"stopped": {{"event": {event}, "active": "{}ms", "silent": "{silent}ms"}}}}"#, silent + more)
        }),
        1 => (event(), 1..20i64, 1..20i64).prop_map(|(event, within, more)| {
            format!(r#"{{"restarted": {{"event": {event}, "silent": "{}ms", "within": "{within}ms"}}}}"#, within + more)
        }),
        1 => (event(), 1..20i64, 1..3i64, 3..6i64).prop_map(|(event, period, min, of)| {
            format!(r#"{{"regularly": {{"event": {event}, "period": "{period}ms", "min_periods": {min}, "of": {of}}}}}"#)
        }),
        2 => (select(vec!["date", "dates.*.on"]), relative.clone(), 1..30i64).prop_map(|(path, op, w)| {
            format!(r#"{{"trait": "{path}", "op": "{op}", "value": "{w}ms"}}"#)
        }),
        1 => (select(vec!["recent", "fading", "cooling"]), 0..4i64).prop_map(|(feature, n)| {
            format!(r#"{{"feature": "{feature}", "op": "gte", "value": {n}}}"#)
        }),
        1 => select(vec!["is_true", "is_false", "exists"]).prop_map(|op| format!(r#"{{"feature": "warm", "op": "{op}"}}"#)),
        1 => (select(vec!["seen", "begun"]), relative, 1..30i64).prop_map(|(feature, op, w)| {
            format!(r#"{{"feature": "{feature}", "op": "{op}", "value": "{w}ms"}}"#)
        }),
        1 => select(vec![r#"{"bucket": {"seed": "s", "from": 0, "to": 5000}}"#, r#"{"audience": "active"}"#, r#"{"audience": "known_active", "in": false}"#, r#"{"identity": "known"}"#])
            .prop_map(str::to_owned),
    ]
}

pub(super) fn rule() -> impl Strategy<Value = String> {
    leaf().prop_recursive(2, 6, 3, |inner| {
        let several = prop::collection::vec(inner.clone(), 1..3).prop_map(|rules| rules.join(", "));
        prop_oneof![
            inner.prop_map(|rule| format!(r#"{{"not": {rule}}}"#)),
            several.clone().prop_map(|rules| format!(r#"{{"all": [{rules}]}}"#)),
            several.prop_map(|rules| format!(r#"{{"at_least": {{"n": 1, "of": [{rules}]}}}}"#)),
        ]
    })
}

pub(super) fn read(text: &str) -> Rule {
    Rule::from_value(&json(text)).unwrap_or_else(|error| panic!("{text}: {error}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn features_measured_in_a_row_are_those_measured_alone(measured in prop::collection::vec(measured(), 1..7), facts in facts(), now in 0..SPAN) {
        let texts = measured.iter().enumerate();
        let texts: Vec<String> =
            texts.map(|(n, measured)| format!(r#"{{"kind": "feature", "name": "f{n}", {measured}}}"#)).collect();
        let definitions = catalog(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let profile = MemoryProfile::new(&definitions, &facts);

        let mut measurer = Measurer::new(&profile, at(now));
        for feature in definitions.features() {
            let in_a_row = measurer.feature(feature).unwrap();
            prop_assert_eq!(in_a_row, feature_value(feature, &profile, at(now)).unwrap(), "{}", &feature.name);
        }
    }

    #[test]
    fn time_alone_changes_nothing_between_change_instants(rule in rule(), facts in facts(), traits in traits(), known_from in 0..60i64) {
        let definitions = definitions();
        let mut profile = MemoryProfile::new(&definitions, &facts);
        profile.traits = traits;
        profile.known_from = Some(known_from);
        let rule = read(&rule);

        let lookbacks = lookbacks(&rule, &definitions).unwrap();
        let instants = lookbacks.change_instants(&profile, at(-5), at(SPAN)).unwrap();

        let mut before = evaluate(&rule, &profile, at(-5)).unwrap();
        for millis in -4..=SPAN {
            let now = evaluate(&rule, &profile, at(millis)).unwrap();
            prop_assert!(now == before || instants.contains(&at(millis)), "an unannounced change at {}", millis);
            before = now;
        }
        // A part of the span announces the same instants.
        let part = lookbacks.change_instants(&profile, at(20), at(40)).unwrap();
        for millis in 21..=40 {
            let changed = evaluate(&rule, &profile, at(millis)).unwrap() != evaluate(&rule, &profile, at(millis - 1)).unwrap();
            prop_assert!(!changed || part.contains(&at(millis)), "a change at {} outside the announced part", millis);
        }
    }

    #[test]
    fn the_order_of_arrival_changes_nothing(rule in rule(), facts in facts(), turns in 0..14usize) {
        let definitions = definitions();
        let mut shuffled = facts.clone();
        if !shuffled.is_empty() {
            let by = turns % shuffled.len();
            shuffled.rotate_left(by);
            shuffled.swap(0, by);
        }
        let (profile, other) = (MemoryProfile::new(&definitions, &facts), MemoryProfile::new(&definitions, &shuffled));
        let rule = read(&rule);
        for millis in (0..SPAN).step_by(3) {
            let expected = evaluate(&rule, &profile, at(millis)).unwrap();
            prop_assert_eq!(evaluate(&rule, &other, at(millis)).unwrap(), expected);
            let explained = explain(&rule, &other, at(millis)).unwrap();
            prop_assert_eq!(explained.get("matched").and_then(Value::as_bool), Some(expected));
        }
    }

    #[test]
    fn a_sequence_is_found_exactly_if_there_is_one(text in sequence(), facts in facts(), millis in 0..SPAN) {
        let definitions = Catalog::default();
        let profile = MemoryProfile::new(&definitions, &facts);
        let rule = read(&text);
        let Rule::Leaf(leaf) = &rule else { unreachable!() };
        let Test::Sequence(test) = &leaf.test else { unreachable!() };
        prop_assert_eq!(evaluate(&rule, &profile, at(millis)).unwrap(), naive_sequence(test, &facts, at(millis)));
    }
}

/// Tries every way to lay the steps over the events, straight from the definition.
fn naive_sequence(test: &SequenceTest, facts: &[Recorded], now: Timestamp) -> bool {
    let after = test.within.map_or(i64::MIN, |within| now.millis() - within.millis());
    let mut order: Vec<usize> =
        (0..facts.len()).filter(|n| facts[*n].at > after && facts[*n].at <= now.millis()).collect();
    order.sort_by_key(|n| (facts[*n].at, &facts[*n].message_id));
    let selects = |selection: &EventSelection, place: usize| {
        selection.events.is_empty() || selection.events.contains(&facts[order[place]].event)
    };
    let same = |step: usize, left: usize, right: usize| {
        test.steps[step]
            .same
            .iter()
            .all(|path| path.find(&facts[order[left]].properties) == path.find(&facts[order[right]].properties))
    };
    let time = |place: usize| facts[order[place]].at;
    // Each state: the next step, the place of the last event, when the last step ended.
    let mut open: Vec<(usize, usize, i64)> = (0..order.len())
        .filter(|place| selects(&test.steps[0].selection, *place))
        .map(|place| (1, place, time(place)))
        .collect();
    while let Some((index, last, ended)) = open.pop() {
        let Some(step) = test.steps.get(index) else { return true };
        let limit = step.within_previous.map_or(i64::MAX, |within| ended + within.millis());
        let later = |place: &usize| {
            selects(&step.selection, *place)
                && same(index, last, *place)
                && time(*place) >= ended
                && time(*place) < limit
        };
        let mut following = (last + 1..order.len()).filter(later);
        if !step.absent {
            open.extend(following.map(|place| (index + 1, place, time(place))));
        } else if limit <= now.millis() && following.next().is_none() {
            open.push((index + 1, last, limit));
        }
    }
    false
}
