//! The builders against the readers: what they make is read, no field of the reference is without a method, and the
//! examples of the reference can be built.

mod coverage;
mod samples;

use super::*;
use crate::definitions::{Aggregate, ConsentStatus, Definition};
use crate::records::Object;

#[test]
fn every_rule_that_is_built_is_read() {
    let rules: Vec<Rule> = vec![
        Rule::any([Rule::trait_("a.b").ne("x"), Rule::feature("f").is_between(1, 2.5)]),
        Rule::n_of(1, [Rule::anonymous(), Rule::has_identifier("email")]),
        Rule::not(Rule::trait_("a").not_exists()),
        Rule::trait_("a").regex("^x"),
        Rule::trait_("a").within_last("30d"),
        Rule::trait_("a").semver_gte("2.10.0"),
        Rule::trait_("a").contains_all(["x", "y"]),
        Rule::event(["a", "b"]).at_most(3).between_ago("40d", "20d"),
        Rule::event("*").exactly(2).since("2024-01-01"),
        Rule::event("a").first_time_within("7d"),
        Rule::event("a").filter(Rule::property("p").lt(3)).between("2024-01-01", "2024-02-01"),
        Rule::measure("a", Aggregate::Sum, Some("p")).within("30d").gte(100),
        Rule::sequence([
            Step::event("a").filter(Rule::property("p").exists()),
            Step::absent("b").filter(Rule::property("p").is_true()).within_previous("1h").same("p"),
        ])
        .within("1d"),
        Rule::stopped("a", "60d", "30d").filter(Rule::property("p").gt(1)),
        Rule::restarted("a", "30d", "7d"),
        Rule::regularly("a", "7d", 1, 3, 4),
        Rule::audience("x"),
        Rule::audience_in("x", false),
        Rule::cohort("p").is("c").score_gte(0.5),
        Rule::consent("marketing").channel("email").status(ConsentStatus::Denied),
        Rule::account("acme").account_type("company_id"),
        Rule::bucket("s", 0, 1000),
        Rule::current("properties.total").gte(10),
    ];
    for rule in rules {
        let value = Value::from(rule);
        let read = crate::definitions::Rule::from_value(&value);
        assert!(read.is_ok(), "{}: {:?}", value.to_json(), read.err());
    }
}

#[test]
fn a_builder_makes_the_json_that_a_person_writes() {
    let audience = Audience::new(
        "big",
        Rule::all([Rule::feature("total_spend").gte(1000), Rule::event("Order Completed").at_least(1).within("30d")]),
    );
    let by_hand = br#"{"kind": "audience", "name": "big", "rule": {"all": [
        {"feature": "total_spend", "op": "gte", "value": 1000},
        {"event": "Order Completed", "count": {"gte": 1}, "within": "30d"}]}}"#;
    assert!(Value::from(audience.clone()) == Value::parse(by_hand).unwrap());
    assert_eq!(format!("{audience:?}"), r#"Audience with fields ["kind", "name", "rule"]"#);

    let definition = Definition::from_value(&Value::from(audience)).unwrap();
    let text = serde_json::to_string(&definition).unwrap();
    assert!(serde_json::from_str::<Definition>(&text).unwrap() == definition);
    assert!(serde_json::from_str::<Definition>("{}").is_err());
}

#[test]
fn what_is_no_json_text_is_refused() {
    assert_eq!("{".into_definitions().unwrap_err().kind(), crate::ErrorKind::Invalid);
    assert_eq!("[{}, {}]".into_definitions().unwrap(), vec![Value::Object(Object::new()); 2]);
}
