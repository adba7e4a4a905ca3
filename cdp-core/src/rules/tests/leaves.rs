//! What single leaves promise beyond the laws of all.

use super::super::{evaluate, explain, lookbacks};
use super::profile::{MemoryProfile, at};
use super::{faults, rule};
use crate::definitions::Catalog;

fn bucket(seed: &str, from: u16, to: u16) -> String {
    format!(r#"{{"bucket": {{"seed": "{seed}", "from": {from}, "to": {to}}}}}"#)
}

#[test]
fn a_bucket_is_a_hash_of_the_seed_and_the_first_node() {
    let catalog = Catalog::default();
    // Computed with another implementation of BLAKE3.
    for (seed, identifier_type, value, expected) in [
        ("checkout", "user_id", "u1", 883),
        ("checkout", "user_id", "u6", 9986),
        ("checkout", "anonymous_id", "a1", 8347),
        ("holdout", "user_id", "u1", 1707),
        ("holdout", "anonymous_id", "a1", 9211),
    ] {
        let mut profile = MemoryProfile::new(&catalog, &[]);
        profile.first_node = Some((identifier_type.to_owned(), value.to_owned()));
        let holds = |from, to| evaluate(&rule(&bucket(seed, from, to)), &profile, at(0)).unwrap();
        assert!(holds(expected, expected + 1) && holds(0, 10_000), "{seed} {value}");
        // Half-open: `from` is in, `to` is not.
        assert!(!holds(0, expected) && !holds(expected + 1, 10_000), "{seed} {value}");
        let explained = explain(&rule(&bucket(seed, 0, 1)), &profile, at(0)).unwrap();
        assert_eq!(explained.get("found").unwrap().to_json(), expected.to_string());
    }
}

#[test]
fn a_profile_without_identifiers_is_in_no_bucket() {
    let catalog = Catalog::default();
    let explained = explain(&rule(&bucket("s", 0, 10_000)), &MemoryProfile::new(&catalog, &[]), at(0)).unwrap();
    assert_eq!(explained.get("matched").and_then(|matched| matched.as_bool()), Some(false));
    assert!(explained.get("found").is_some_and(|found| found.is_null()));
}

#[test]
fn buckets_are_even_and_seeds_independent() {
    let catalog = Catalog::default();
    let is_in = |seed: &str, n: usize| {
        let mut profile = MemoryProfile::new(&catalog, &[]);
        profile.first_node = Some(("user_id".to_owned(), format!("u{n}")));
        evaluate(&rule(&bucket(seed, 0, 5_000)), &profile, at(0)).unwrap()
    };
    let both: Vec<(bool, bool)> = (0..2_000).map(|n| (is_in("one", n), is_in("two", n))).collect();
    for quarter in [(true, true), (true, false), (false, true), (false, false)] {
        let n = both.iter().filter(|found| **found == quarter).count();
        // Five standard deviations around 500.
        assert!((403..=597).contains(&n), "{quarter:?}: {n}");
    }
}

#[test]
fn a_bucket_can_change_with_identifiers_and_not_with_time() {
    let found = lookbacks(&rule(&bucket("s", 0, 1)), &Catalog::default()).unwrap();
    assert!(found.reads_other_facts && found.event_offsets.is_empty() && found.absolute.is_empty());
}

#[test]
fn a_share_that_cannot_be_is_refused() {
    for (text, pointers) in [
        (bucket("s", 5, 5), vec!["/bucket"]),
        (bucket("s", 6, 5), vec!["/bucket"]),
        (bucket("s", 0, 10_001), vec!["/bucket/to"]),
        (bucket("", 0, 1), vec!["/bucket/seed"]),
        (r#"{"bucket": {"seed": "s", "from": -1, "to": 0.5}}"#.to_owned(), vec!["/bucket/from", "/bucket/to"]),
        (r#"{"bucket": {"seed": "s", "upto": 5}}"#.to_owned(), vec!["/bucket", "/bucket", "/bucket/upto"]),
        (r#"{"bucket": "s"}"#.to_owned(), vec!["/bucket"]),
    ] {
        let found: Vec<String> = faults(&text).into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(found, pointers, "{text}");
    }
}
