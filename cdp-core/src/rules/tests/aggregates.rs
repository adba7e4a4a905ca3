//! What single aggregates promise beyond the laws of all.

use super::profile::{Recorded, recorded};
use super::{feature, holds};

fn tied(values: &[&str]) -> Vec<Recorded> {
    let facts = values.iter().enumerate();
    facts.map(|(n, value)| recorded(5, "A", &format!("m{n}"), &format!(r#"{{"v": {value}}}"#))).collect()
}

const STDDEV: &str = r#""agg": "stddev", "property": "v""#;

#[test]
fn a_deviation_is_that_of_a_sample_to_nine_places() {
    let deviation = |values: &[&str]| feature(STDDEV, &tied(values), 5);
    // The square root of 32/7.
    assert_eq!(deviation(&["2", "4", "4", "4", "5", "5", "7", "9"]), "2.138089935");
    assert_eq!(deviation(&["12.5", "\"5\""]), "5.303300859");
    assert_eq!(deviation(&["0.1", "0.1", "0.1"]), "0");
    // The square root of 30: large numbers that lie close together lose no digits.
    assert_eq!(deviation(&["1000000004", "1000000007", "1000000013", "1000000016"]), "5.477225575");
    assert_eq!(deviation(&["1e20", "-1e20"]), "141421356237309509632");
    let list = [recorded(5, "A", "m", r#"{"items": [{"p": 2}, {"p": 4}, {"q": 9}, {"p": "x"}]}"#)];
    assert_eq!(feature(r#""agg": "stddev", "property": "items.*.p""#, &list, 5), "1.414213562");
}

#[test]
fn below_two_numbers_there_is_no_deviation() {
    for values in [&["3"][..], &["3", "\"many\"", "null"], &[]] {
        assert_eq!(feature(STDDEV, &tied(values), 5), "null");
        assert_eq!(feature(&format!(r#"{STDDEV}, "default": -1"#), &tied(values), 5), "-1");
        for (test, expected) in [(r#""op": "gte", "value": 0"#, false), (r#""op": "not_exists""#, true)] {
            let rule = format!(r#"{{"event": "A", {STDDEV}, {test}}}"#);
            assert_eq!(holds(&rule, &tied(values), 5), expected, "{rule}");
        }
    }
    assert!(holds(&format!(r#"{{"event": "A", {STDDEV}, "op": "gt", "value": 1}}"#), &tied(&["3", "5"]), 5));
}

#[test]
fn a_deviation_follows_the_order_of_facts_whatever_arrived_first() {
    // Taken in another order, floats of this size give another last digit: 69929887506463695000.
    let mut facts = tied(&["-7e19", "3e17", "1e20", "12345.678"]);
    for _ in 0..facts.len() {
        facts.rotate_left(1);
        assert_eq!(feature(STDDEV, &facts, 5), "69929887506463690000");
    }
}

#[test]
fn a_deviation_lives_for_its_ttl_after_the_latest_number() {
    let facts =
        [recorded(1, "A", "a", r#"{"v": 1}"#), recorded(5, "A", "b", r#"{"v": 3}"#), recorded(8, "A", "c", "{}")];
    let fading = format!(r#"{STDDEV}, "ttl": "4ms", "default": 0"#);
    assert_eq!([4, 5, 8, 9].map(|t| feature(&fading, &facts, t)), ["0", "1.414213562", "1.414213562", "0"]);
}
