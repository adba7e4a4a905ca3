//! What rules promise, on profiles in memory.

mod aggregates;
mod laws;
mod leaves;
mod plan;
mod profile;

use self::profile::{MemoryProfile, Recorded, at, catalog, json, recorded};
use super::dependencies::feature_paths;
use super::{evaluate, explain, feature_value};
use crate::definitions::{Catalog, Definition, Rule};
use crate::records::Timestamp;

const DAY: i64 = 86_400_000;

fn rule(text: &str) -> Rule {
    Rule::from_value(&json(text)).unwrap()
}

fn holds(text: &str, facts: &[Recorded], millis: i64) -> bool {
    let catalog = Catalog::default();
    evaluate(&rule(text), &MemoryProfile::new(&catalog, facts), at(millis)).unwrap()
}

fn holds_for_trait(test: &str, value: &str) -> bool {
    let catalog = Catalog::default();
    let mut profile = MemoryProfile::new(&catalog, &[]);
    profile.traits = vec![(i64::MIN, json(&format!(r#"{{"x": {value}}}"#)))];
    let now = Timestamp::parse("2024-02-01T00:00:00Z").unwrap();
    evaluate(&rule(&format!(r#"{{"trait": "x", {test}}}"#)), &profile, now).unwrap()
}

fn feature(text: &str, facts: &[Recorded], millis: i64) -> String {
    let catalog = catalog(&[&format!(r#"{{"kind": "feature", "name": "f", {text}}}"#)]);
    let profile = MemoryProfile::new(&catalog, facts);
    feature_value(catalog.feature("f").unwrap(), &profile, at(millis)).unwrap().to_json()
}

fn faults(text: &str) -> Vec<(String, String)> {
    let error = Rule::from_value(&json(text)).unwrap_err();
    error.faults().iter().map(|fault| (fault.pointer.clone(), fault.message.clone())).collect()
}

#[test]
fn every_vector_holds() {
    let vectors = json(include_str!("../../../../tests/vectors/rule_vectors.json"));
    let profile = vectors.get("profile").unwrap();
    let facts: Vec<Recorded> = profile
        .get("events")
        .unwrap()
        .as_list()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(n, event)| {
            let time = Timestamp::parse(event.get("timestamp").unwrap().as_text().unwrap()).unwrap();
            let name = event.get("event").unwrap().as_text().unwrap();
            recorded(time.millis(), name, &format!("m{n}"), &event.get("properties").unwrap().to_json())
        })
        .collect();
    let now = Timestamp::parse(profile.get("now").unwrap().as_text().unwrap()).unwrap();
    let catalog = Catalog::default();
    let mut view = MemoryProfile::new(&catalog, &facts);
    view.traits = vec![(i64::MIN, profile.get("traits").unwrap().clone())];

    let mut failed = Vec::new();
    let cases = vectors.get("vectors").unwrap().as_list().unwrap();
    for case in cases {
        let written = case.get("rule").unwrap();
        let member = case.get("member").unwrap().as_bool().unwrap();
        let outcome = Rule::from_value(written).and_then(|rule| {
            assert_eq!(&rule.to_value(), written, "a rule prints as it was written");
            let explained = explain(&rule, &view, now)?;
            assert_eq!(explained.get("matched").unwrap().as_bool(), Some(evaluate(&rule, &view, now)?));
            evaluate(&rule, &view, now)
        });
        match outcome {
            Ok(found) if found == member => {}
            Ok(_) => failed.push(format!("{}: expected {member}", written.to_json())),
            Err(error) => failed.push(format!("{}: {error}", written.to_json())),
        }
    }

    assert_eq!(cases.len(), 43);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_window_is_half_open_to_the_millisecond() {
    let facts = [recorded(1000, "A", "m", "{}")];
    let within = r#"{"event": "A", "within": "100ms"}"#;
    assert_eq!([999, 1000, 1099, 1100].map(|t| holds(within, &facts, t)), [false, true, true, false]);
    let ago = r#"{"event": "A", "between_ago": ["100ms", "40ms"]}"#;
    assert_eq!([1039, 1040, 1099, 1100].map(|t| holds(ago, &facts, t)), [false, true, true, false]);
    let since = r#"{"event": "A", "since": 1000}"#;
    assert_eq!([999, 1000].map(|t| holds(since, &facts, t)), [false, true]);
    assert!(!holds(r#"{"event": "A", "since": 1001}"#, &facts, 5000));
    assert!(holds(r#"{"event": "A", "between": [900, 1000]}"#, &facts, 5000));
    assert!(!holds(r#"{"event": "A", "between": [900, 999]}"#, &facts, 5000));
    let first = r#"{"event": "A", "first_time_within": "100ms"}"#;
    assert_eq!([999, 1000, 1099, 1100].map(|t| holds(first, &facts, t)), [false, true, true, false]);
}

#[test]
fn a_date_splits_past_and_future_without_a_gap() {
    let test = |operator: &str, date: &str| holds_for_trait(&format!(r#""op": "{operator}", "value": "1d""#), date);
    let cases = [
        ("\"2024-01-31T00:00:00Z\"", [false, true, false, false]),
        ("\"2024-01-31T00:00:00.001Z\"", [true, false, false, false]),
        ("\"2024-02-01T00:00:00Z\"", [true, false, false, false]),
        ("\"2024-02-01T00:00:00.001Z\"", [false, false, true, false]),
        ("\"2024-02-02T00:00:00Z\"", [false, false, true, false]),
        ("\"2024-02-02T00:00:00.001Z\"", [false, false, false, true]),
        ("\"no date\"", [false; 4]),
        ("null", [false; 4]),
    ];
    for (date, expected) in cases {
        let found = ["within_last", "before_last", "within_next", "after_next"].map(|operator| test(operator, date));
        assert_eq!(found, expected, "{date}");
    }
}

#[test]
fn absence_satisfies_what_denies_and_nothing_else() {
    let true_when_absent = [
        r#""op": "ne", "value": "a""#,
        r#""op": "not_in", "value": ["a"]"#,
        r#""op": "not_contains", "value": "a""#,
        r#""op": "not_regex", "value": "a""#,
        r#""op": "none_of", "value": ["a"]"#,
        r#""op": "not_exists""#,
        r#""op": "is_empty""#,
    ];
    let false_when_absent = [
        r#""op": "eq", "value": "a""#,
        r#""op": "in", "value": ["a"]"#,
        r#""op": "lt", "value": 1"#,
        r#""op": "exists""#,
        r#""op": "is_false""#,
        r#""op": "all", "value": ["a"]"#,
        r#""op": "before", "value": "2024-01-01""#,
        r#""op": "before_last", "value": "1d""#,
    ];
    for test in true_when_absent {
        assert!(holds_for_trait(test, "null"), "{test}");
    }
    for test in false_when_absent {
        assert!(!holds_for_trait(test, "null"), "{test}");
    }
}

#[test]
fn only_order_operators_convert_text() {
    assert!(holds_for_trait(r#""op": "gte", "value": "10""#, "10"));
    assert!(holds_for_trait(r#""op": "between", "value": [10, 10]"#, "\"10.0\""));
    assert!(!holds_for_trait(r#""op": "eq", "value": 10"#, "\"10\""));
    assert!(!holds_for_trait(r#""op": "in", "value": [10]"#, "\"10\""));
    assert!(!holds_for_trait(r#""op": "lt", "value": 10"#, "\"abc\""));
    assert!(!holds_for_trait(r#""op": "lt", "value": 10"#, "true"));
    assert!(holds_for_trait(r#""op": "eq_ci", "value": "ÄRGER""#, "\"ärger\""));
    assert!(holds_for_trait(r#""op": "contains", "value": "rg""#, "\"ärger\""));
    assert!(holds_for_trait(r#""op": "on_day", "value": "2024-01-10""#, "\"2024-01-10T23:59:59.999Z\""));
    assert!(holds_for_trait(r#""op": "between", "value": ["2024-01-10", "2024-01-11"]"#, "\"2024-01-11T00:00:00Z\""));
}

#[test]
fn versions_compare_by_precedence() {
    // The order of Semantic Versioning 2.0.0, section 11.
    let ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.2",
        "1.10",
    ];
    for (n, older) in ordered.iter().enumerate() {
        for newer in &ordered[n + 1..] {
            assert!(
                holds_for_trait(&format!(r#""op": "semver_lt", "value": "{newer}""#), &format!("\"{older}\"")),
                "{older} {newer}"
            );
            assert!(!holds_for_trait(&format!(r#""op": "semver_gte", "value": "{newer}""#), &format!("\"{older}\"")));
        }
    }
    assert!(holds_for_trait(r#""op": "semver_eq", "value": "v1.2.0""#, "\"1.2\""));
    assert!(!holds_for_trait(r#""op": "semver_lt", "value": "1.0.0""#, "\"newest\""));
}

#[test]
fn a_path_through_a_list_asks_for_one_item() {
    let facts = [recorded(
        1,
        "Order",
        "m",
        r#"{"products": [{"sku": "a", "price": 5}, {"sku": "b"}, {"sku": "b", "price": "2.5"}]}"#,
    )];
    let filtered =
        |test: &str| holds(&format!(r#"{{"event": "Order", "where": [{{"property": {test}}}]}}"#), &facts, 1);
    assert!(filtered(r#""products.*.sku", "op": "eq", "value": "b""#));
    assert!(!filtered(r#""products.*.sku", "op": "ne", "value": "b""#));
    assert!(filtered(r#""products.*.sku", "op": "ne", "value": "c""#));
    assert!(filtered(r#""products.*.sku", "op": "all", "value": ["a", "b"]"#));
    assert!(filtered(r#""products.*.color", "op": "not_exists""#));
    assert_eq!(feature(r#""agg": "sum", "property": "products.*.price""#, &facts, 1), "7.5");
    assert_eq!(feature(r#""agg": "count_distinct", "property": "products.*.sku""#, &facts, 1), "2");
    assert_eq!(feature(r#""agg": "last", "property": "products.*.sku""#, &facts, 1), "\"b\"");
}

#[test]
fn numbers_are_exact_and_text_that_is_no_number_contributes_nothing() {
    let facts: Vec<Recorded> = ["0.1", "\"0.2\"", "\"many\"", "null", "0.000000002"]
        .iter()
        .enumerate()
        .map(|(n, v)| recorded(n as i64, "A", "m", &format!(r#"{{"v": {v}}}"#)))
        .collect();
    assert_eq!(feature(r#""agg": "sum", "property": "v""#, &facts, 9), "0.300000002");
    // 0.300000002 / 3 = 0.1000000006..., to nine places 0.100000001.
    assert_eq!(feature(r#""agg": "avg", "property": "v""#, &facts, 9), "0.100000001");
    assert_eq!(feature(r#""agg": "min", "property": "v""#, &facts, 9), "0.000000002");
    assert_eq!(feature(r#""agg": "max", "property": "v""#, &facts, 9), "0.2");
    let halves = [recorded(0, "A", "a", r#"{"v": 0.000000001}"#), recorded(0, "A", "b", r#"{"v": 0.000000002}"#)];
    // 1.5 nano-units, half to even: 2.
    assert_eq!(feature(r#""agg": "avg", "property": "v""#, &halves, 9), "0.000000002");
    assert_eq!(feature(r#""agg": "count_distinct", "property": "v""#, &facts, 9), "4");
}

#[test]
fn of_nothing_a_count_is_zero_and_the_rest_is_the_default() {
    assert_eq!(feature(r#""agg": "count""#, &[], 9), "0");
    assert_eq!(feature(r#""agg": "distinct_days""#, &[], 9), "0");
    assert_eq!(feature(r#""agg": "exists""#, &[], 9), "false");
    assert_eq!(feature(r#""agg": "sum", "property": "v""#, &[], 9), "null");
    assert_eq!(feature(r#""agg": "sum", "property": "v", "default": 0"#, &[], 9), "0");
    assert!(holds(r#"{"event": "A", "agg": "sum", "property": "v", "op": "eq", "value": 0}"#, &[], 9));
    assert!(!holds(r#"{"event": "A", "agg": "avg", "property": "v", "op": "lte", "value": 0}"#, &[], 9));
}

#[test]
fn first_and_last_break_ties_by_message_id_whatever_arrived_first() {
    let mut facts = vec![
        recorded(5, "A", "m2", r#"{"v": "two"}"#),
        recorded(5, "A", "m1", r#"{"v": "one"}"#),
        recorded(5, "A", "m3", r#"{"v": "three"}"#),
        recorded(5, "A", "m4", "{}"),
        recorded(5, "A", "m0", r#"{"v": null}"#),
    ];
    for _ in 0..facts.len() {
        facts.rotate_left(1);
        assert_eq!(feature(r#""agg": "first", "property": "v""#, &facts, 5), "\"one\"");
        assert_eq!(feature(r#""agg": "last", "property": "v""#, &facts, 5), "\"three\"");
    }
    assert_eq!(feature(r#""agg": "last_at""#, &facts, 5), "\"1970-01-01T00:00:00.005Z\"");
}

#[test]
fn a_value_lives_for_its_ttl_after_the_latest_event_that_contributed() {
    let facts = [recorded(100, "A", "m", r#"{"v": 7}"#), recorded(150, "A", "n", "{}")];
    let last = r#""agg": "last", "property": "v", "default": "none", "ttl": "100ms""#;
    assert_eq!([99, 100, 199, 200].map(|t| feature(last, &facts, t)), ["\"none\"", "7", "7", "\"none\""]);
}

#[test]
fn days_are_utc() {
    let facts = [
        recorded(-1, "A", "a", "{}"),
        recorded(0, "A", "b", "{}"),
        recorded(DAY - 1, "A", "c", "{}"),
        recorded(DAY, "A", "d", "{}"),
    ];
    assert_eq!(feature(r#""agg": "distinct_days""#, &facts, DAY), "3");
}

#[test]
fn a_sequence_is_found_behind_a_wrong_first_guess() {
    // The first view is too early for the order, the second fits: a greedy matcher would stay with the first.
    let facts = [recorded(0, "View", "a", "{}"), recorded(90, "View", "b", "{}"), recorded(100, "Order", "c", "{}")];
    let near = r#"{"sequence": [{"event": "View"}, {"event": "Order", "within_previous": "50ms"}]}"#;
    assert!(holds(near, &facts, 100));
    assert!(!holds(near, &facts, 99));
    let exact = r#"{"sequence": [{"event": "View"}, {"event": "Order", "within_previous": "10ms"}]}"#;
    assert!(!holds(exact, &facts, 100), "a gap of exactly the limit is out, as in every window");
    let twice = r#"{"sequence": [{"event": "Order"}, {"event": "Order"}]}"#;
    assert!(!holds(twice, &facts, 100), "one event is one step");
}

#[test]
fn what_did_not_happen_is_known_when_its_time_is_over() {
    let abandoned =
        r#"{"sequence": [{"event": "Cart"}, {"not": {"event": "Order"}, "within_previous": "50ms", "same": ["id"]}]}"#;
    let cart = recorded(100, "Cart", "a", r#"{"id": 1}"#);
    assert_eq!([149, 150].map(|t| holds(abandoned, std::slice::from_ref(&cart), t)), [false, true]);
    let ordered = |at, id: i64| vec![cart.clone(), recorded(at, "Order", "b", &format!(r#"{{"id": {id}}}"#))];
    assert!(!holds(abandoned, &ordered(149, 1), 1000));
    assert!(holds(abandoned, &ordered(150, 1), 1000));
    assert!(holds(abandoned, &ordered(149, 2), 1000), "another cart was ordered");
    let then = r#"{"sequence": [{"event": "Cart"}, {"not": {"event": "Order"}, "within_previous": "50ms"}, {"event": "Mail", "within_previous": "10ms"}]}"#;
    let mailed = |at| vec![cart.clone(), recorded(at, "Mail", "c", "{}")];
    assert_eq!([149, 150, 159, 160].map(|t| holds(then, &mailed(t), 1000)), [false, true, true, false]);
}

#[test]
fn habits_end_begin_again_and_hold() {
    let facts = [recorded(0, "A", "a", "{}"), recorded(100, "A", "b", "{}")];
    let stopped = r#"{"stopped": {"event": "A", "active": "50ms", "silent": "20ms"}}"#;
    assert_eq!(
        [19, 20, 49, 50, 119, 120, 149, 150].map(|t| holds(stopped, &facts, t)),
        [false, true, true, false, false, true, true, false]
    );
    let restarted = r#"{"restarted": {"event": "A", "silent": "60ms", "within": "10ms"}}"#;
    assert_eq!([59, 99, 100, 109, 110].map(|t| holds(restarted, &facts, t)), [false, false, true, true, false]);
    let regularly = r#"{"regularly": {"event": "A", "period": "50ms", "min_periods": 2, "of": 3}}"#;
    assert_eq!([99, 100, 149, 150].map(|t| holds(regularly, &facts, t)), [false, true, true, false]);
}

#[test]
fn leaves_about_the_person_ask_the_view() {
    let catalog = catalog(&[
        r#"{"kind": "audience", "name": "buyers", "rule": {"event": "Order"}}"#,
        r#"{"kind": "audience", "name": "known_buyers", "population": "known", "rule": {"audience": "buyers"}}"#,
        r#"{"kind": "feature", "name": "orders", "event": "Order", "agg": "count", "within": "10ms"}"#,
    ]);
    let facts = [recorded(100, "Order", "a", "{}")];
    let mut profile = MemoryProfile::new(&catalog, &facts);
    profile.known_from = Some(105);
    profile.cohort = Some(("outdoor".to_owned(), crate::records::Number::parse("0.75").unwrap()));
    profile.current = json(r#"{"properties": {"amount": 120}}"#);
    let holds = |text: &str, t| evaluate(&rule(text), &profile, at(t)).unwrap();
    assert!(holds(r#"{"audience": "buyers"}"#, 100) && !holds(r#"{"audience": "buyers", "in": false}"#, 100));
    assert!(!holds(r#"{"audience": "known_buyers"}"#, 104) && holds(r#"{"audience": "known_buyers"}"#, 105));
    assert!(
        holds(r#"{"feature": "orders", "op": "eq", "value": 1}"#, 109)
            && !holds(r#"{"feature": "orders", "op": "eq", "value": 1}"#, 110)
    );
    assert!(holds(r#"{"identity": "anonymous"}"#, 104) && holds(r#"{"identity": "known"}"#, 105));
    assert!(
        holds(r#"{"identity": "has", "type": "email"}"#, 105) && !holds(r#"{"identity": "has", "type": "phone"}"#, 105)
    );
    assert!(holds(r#"{"cohort": "interest", "is": "outdoor", "score": {"gte": 0.75}}"#, 105));
    assert!(!holds(r#"{"cohort": "interest", "is": "home"}"#, 105));
    assert!(
        holds(r#"{"consent": "marketing", "status": "unknown"}"#, 105) && !holds(r#"{"consent": "marketing"}"#, 105)
    );
    assert!(holds(r#"{"current": "properties.amount", "op": "gte", "value": 100}"#, 105));
    assert!(holds(r#"{"at_least": {"n": 2, "of": [{"event": "Order"}, {"event": "X"}, {"identity": "known"}]}}"#, 105));
    assert!(holds(r#"{"at_least": {"n": 0, "of": []}}"#, 105));
}

#[test]
fn an_explanation_shows_every_branch_and_what_was_found() {
    let catalog = Catalog::default();
    let mut profile = MemoryProfile::new(&catalog, &[]);
    profile.traits = vec![(0, json(r#"{"plan": "free"}"#))];
    let rule = rule(r#"{"all": [{"trait": "plan", "op": "eq", "value": "pro"}, {"not": {"event": "Order"}}]}"#);

    let explained = explain(&rule, &profile, at(10)).unwrap();

    let expected = concat!(
        r#"{"children":[{"found":"free","matched":false,"rule":{"op":"eq","trait":"plan","value":"pro"}},"#,
        r#"{"children":[{"found":0,"matched":false,"rule":{"event":"Order"}}],"matched":true,"rule":{"not":{"event":"Order"}}}],"#,
        r#""matched":false,"rule":"#,
    );
    assert!(explained.to_json().starts_with(expected), "{}", explained.to_json());
}

#[test]
fn every_fault_of_a_broken_rule_is_reported_at_its_place() {
    let found = faults(
        r#"{"all": [
            {"trait": "plan", "op": "equals", "value": "pro"},
            {"trait": "plan", "op": "regex", "value": "("},
            {"trait": "age", "op": "between", "value": [3]},
            {"event": "A", "within": "30x", "count": {"gte": 1, "lte": 2}},
            {"event": "A", "where": [{"property": "d", "op": "within_last", "value": "1d"}]},
            {"event": "A", "agg": "sum", "op": "gte", "value": "many"},
            {"event": "A", "agg": "quantile", "property": "v", "op": "gte", "value": 1},
            {"sequence": [{"not": {"event": "A"}}, {"event": "B", "within_previus": "1h"}]},
            {"stopped": {"event": "A", "active": "1d", "silent": "2d"}},
            {"trait": "plan", "event": "A"},
            {"trai": "plan"},
            {"top": {"feature": "f", "n": 3}},
            {"at_least": {"n": "two", "of": [{"any": 3}]}},
            {"trait": "plan", "op": "exists", "value": 1},
            {"identity": "known", "type": "email"},
            {"event": "A", "between_ago": ["1d", "2d"]},
            {"at_least": {"n": 2, "of": [{"event": "A"}]}}
        ]}"#,
    );
    let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    let expected = [
        "/all/0/op",
        "/all/1/value",
        "/all/2/value",
        "/all/3/within",
        "/all/3/count",
        "/all/4/where/0/op",
        "/all/5",
        "/all/5/value",
        "/all/6/agg",
        "/all/7/sequence/0",
        "/all/7/sequence/0",
        "/all/7/sequence/1/within_previus",
        "/all/8/stopped",
        "/all/9",
        "/all/10",
        "/all/11/top",
        "/all/12/at_least/n",
        "/all/12/at_least/of/0/any",
        "/all/13/value",
        "/all/14/type",
        "/all/15/between_ago",
        "/all/16/at_least",
    ];
    assert_eq!(pointers, expected, "{found:#?}");
    assert!(found[8].1.contains("not available yet") && found[8].1.contains("distinct_days"));
    assert!(found[14].1.contains("did you mean `trait`?"));
}

#[test]
fn definitions_are_checked_with_their_rules() {
    let pointers = |text: &str| -> Vec<String> {
        let error = Definition::parse(text).unwrap_err();
        error.faults().iter().map(|fault| fault.pointer.clone()).collect()
    };
    assert_eq!(pointers(r#"{"kind": "feature", "name": "f", "agg": "sum", "ttl": "soon"}"#), ["/", "/ttl"]);
    assert_eq!(pointers(r#"{"kind": "feature", "name": "f", "agg": "count", "property": "x"}"#), ["/property"]);
    let audience = r#"{"kind": "audience", "name": "a", "population": "people", "rule": {"not": {"current": "x", "op": "exists"}}}"#;
    assert_eq!(pointers(audience), ["/rule/not", "/population"]);
    let policy =
        r#"{"kind": "policy", "name": "p", "purpose": "x", "choose": [{"when": {"current": "x", "op": "near"}}]}"#;
    assert_eq!(pointers(policy), ["/choose/0/when/op", "/choose/0", "/"]);
}

#[test]
fn the_definitions_of_the_design_are_read() {
    for text in [
        r#"{"kind":"feature","name":"total_spend","event":"Order Line Purchased","agg":"sum","property":"revenue","default":0}"#,
        r#"{"kind":"feature","name":"cart_adds_24h","event":"Product Added","agg":"count","within":"24h"}"#,
        r#"{"kind":"audience","name":"high_value_30d","rule":{"all":[{"feature":"total_spend","op":"gte","value":1000},{"event":"Order Line Purchased","count":{"gte":1},"within":"30d"}]}}"#,
        r#"{"kind":"policy","name":"checkout","purpose":"personalization","choose":[{"when":{"all":[{"audience":"high_value_30d"},{"current":"properties.amount","op":"gte","value":100}]},"then":{"experience":"premium"}}],"otherwise":{"experience":"control"}}"#,
    ] {
        Definition::parse(text).unwrap();
    }
}

#[test]
fn a_rule_lists_what_it_reads_and_when_it_matters_again() {
    let catalog = catalog(&[
        r#"{"kind": "feature", "name": "spend", "agg": "sum", "property": "products.*.price", "within": "3s", "ttl": "2s", "where": [{"property": "currency", "op": "eq", "value": "EUR"}]}"#,
        r#"{"kind": "audience", "name": "inner", "population": "known", "rule": {"stopped": {"event": "A", "active": "9s", "silent": "8s"}}}"#,
    ]);
    let rule = rule(
        r#"{"any": [
        {"audience": "inner"}, {"feature": "spend", "op": "gt", "value": 1}, {"trait": "birthday", "op": "within_next", "value": "4s"},
        {"trait": "plan", "op": "exists"}, {"event": "A", "between_ago": ["7s", "5s"], "where": [{"property": "color", "op": "exists"}]},
        {"sequence": [{"event": "A"}, {"not": {"event": "B"}, "within_previous": "10s", "same": ["cart_id"]}, {"not": {"event": "C"}, "within_previous": "20s"}]}
    ]}"#,
    );
    let found = super::lookbacks(&rule, &catalog).unwrap();
    let seconds: Vec<i64> = found.event_offsets.iter().map(|offset| offset / 1000).collect();
    assert_eq!(seconds, [0, 2, 3, 5, 7, 8, 9, 10, 30]);
    let dates: Vec<(&str, Vec<i64>)> =
        found.trait_offsets.iter().map(|(path, offsets)| (path.as_str(), offsets.iter().copied().collect())).collect();
    assert_eq!(dates, [("birthday", vec![-4000, 0, 4000])]);
    assert!(found.reads_other_facts && found.absolute.is_empty());
    let names = |paths: Vec<crate::records::Path>| paths.iter().map(|path| path.to_string()).collect::<Vec<_>>();
    assert_eq!(names(super::property_paths(&rule)), ["cart_id", "color"]);
    assert_eq!(names(feature_paths(catalog.feature("spend").unwrap())), ["currency", "products.*.price"]);
    let missing = self::rule(r#"{"feature": "spent", "op": "gt", "value": 1}"#);
    assert_eq!(super::lookbacks(&missing, &catalog).unwrap_err().hint(), Some("did you mean `spend`?"));
}

#[test]
fn names_and_circles_are_checked_together() {
    let catalog = catalog(&[
        r#"{"kind": "feature", "name": "total_spend", "event": "Order", "agg": "sum", "property": "v"}"#,
        r#"{"kind": "audience", "name": "a", "rule": {"all": [{"audience": "b"}, {"feature": "total_spent", "op": "gt", "value": 1}]}}"#,
        r#"{"kind": "audience", "name": "b", "rule": {"not": {"audience": "a"}}}"#,
        r#"{"kind": "audience", "name": "self", "rule": {"audience": "self"}}"#,
        r#"{"kind": "audience", "name": "above", "rule": {"any": [{"audience": "a"}, {"feature": "total_spend", "op": "within_last", "value": "1d"}]}}"#,
        r#"{"kind": "policy", "name": "p", "purpose": "x", "choose": [{"when": {"cohort": "gone", "is": "x"}, "then": 1}], "otherwise": 0}"#,
    ]);
    let found: Vec<String> = super::check(&catalog)
        .into_iter()
        .map(|(_, name, fault)| format!("{name} {} {}", fault.pointer, fault.message))
        .collect();
    assert_eq!(found.len(), 6, "{found:#?}");
    assert_eq!(
        found[0],
        "a /rule/all/1/feature no feature named `total_spent` is defined; did you mean `total_spend`?"
    );
    assert!(found[1].starts_with("above /rule/any/1/op"));
    assert!(found[2].starts_with("p /choose/0/when/cohort"));
    assert_eq!(found[3], "a /rule the audience refers to itself: a -> b -> a");
    assert_eq!(found[4], "b /rule the audience refers to itself: b -> a -> b");
    assert_eq!(found[5], "self /rule the audience refers to itself: self -> self");
}

#[test]
fn a_chain_of_audiences_is_bounded() {
    let mut texts = vec![r#"{"kind": "audience", "name": "a00", "rule": {"event": "A"}}"#.to_owned()];
    for n in 1..40 {
        texts.push(format!(r#"{{"kind": "audience", "name": "a{n:02}", "rule": {{"audience": "a{:02}"}}}}"#, n - 1));
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(super::check(&catalog(&texts[..32])), []);
    let found = super::check(&catalog(&texts));
    let names: Vec<&str> = found.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names, ["a32", "a33", "a34", "a35", "a36", "a37", "a38", "a39"]);
}

#[test]
fn nothing_personal_shows_in_a_fault() {
    for text in [
        r#"{"trait": "email", "op": "lt", "value": "jane@example.com"}"#,
        r#"{"trait": "email", "op": "regex", "value": "(jane@example.com"}"#,
        r#"{"trait": "email", "op": "jane@example.com"}"#,
    ] {
        assert!(!format!("{:?}", Rule::from_value(&json(text)).unwrap_err()).contains("jane"), "{text}");
    }
    for operator in ["eq", "starts_with", "regex", "eq_ci"] {
        let rule = rule(&format!(r#"{{"trait": "email", "op": "{operator}", "value": "jane@example.com"}}"#));
        assert!(!format!("{rule:?}").contains("jane"), "{operator}");
    }
}
