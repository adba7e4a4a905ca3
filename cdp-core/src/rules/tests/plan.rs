//! A pass over columns says what `evaluate` and `feature_value` say of every profile, or nothing.

use std::borrow::Cow;

use proptest::prelude::*;

use super::super::{EventBlock, LARGE_NUMBER, NO_NUMBER, NOBODY, Plan, ProfileView, evaluate, feature_value};
use super::laws::{SPAN, definitions, facts, read, rule};
use super::profile::{MemoryProfile, Recorded, at, catalog, recorded};
use crate::definitions::{Catalog, FeatureDefinition, Rule};
use crate::records::{Path, Value};

const NAMES: [&str; 3] = ["A", "B", "C"];

fn number(name: &str) -> Option<u32> {
    NAMES.iter().position(|known| *known == name).map(|place| place as u32 + 7)
}

/// A block as a store could have it: some columns with numbers, some with codes, some with values only.
struct Block {
    profiles: Vec<u32>,
    times: Vec<i64>,
    events: Vec<u32>,
    // Those of the events, and one that none of them has.
    names: Vec<u32>,
    values: Vec<Vec<Option<Value>>>,
    numbers: Vec<Option<Vec<i64>>>,
    codes: Vec<Option<Vec<u32>>>,
}

impl EventBlock for Block {
    fn time_range_ms(&self) -> (i64, i64) {
        (self.times.iter().min().copied().unwrap_or(i64::MAX), self.times.iter().max().copied().unwrap_or(i64::MIN))
    }

    fn names(&self) -> &[u32] {
        &self.names
    }

    fn append_name_places(&self, out: &mut Vec<u32>) {
        let place = |event: &u32| self.names.iter().position(|name| name == event).unwrap() as u32;
        out.extend(self.events.iter().map(place));
    }

    fn append_occurred_at_ms(&self, out: &mut Vec<i64>) {
        out.extend(&self.times);
    }

    fn append_profiles(&self, out: &mut Vec<u32>) {
        out.extend(&self.profiles);
    }

    fn append_numbers(&self, column: usize, events: &[u32], out: &mut Vec<i64>) -> bool {
        let Some(numbers) = &self.numbers[column] else { return false };
        out.extend(events.iter().map(|event| numbers[*event as usize]));
        true
    }

    fn codes(&self, column: usize) -> Option<&[u32]> {
        self.codes[column].as_deref()
    }

    fn value(&self, column: usize, index: usize) -> Option<Cow<'_, Value>> {
        self.values[column][index].as_ref().map(Cow::Borrowed)
    }
}

/// What the columns of a pass are made of: the dictionary is the same for all of its blocks.
struct Columns<'p> {
    paths: &'p [Path],
    dictionary: Vec<Option<Value>>,
}

impl Columns<'_> {
    /// A block of some events; the bits of `shape` say which columns it has.
    fn block(&mut self, events: &[(u32, &Recorded)], shape: u32) -> Block {
        let mut block = Block {
            profiles: events.iter().map(|(profile, _)| *profile).collect(),
            times: events.iter().map(|(_, fact)| fact.at).collect(),
            events: events.iter().map(|(_, fact)| number(&fact.event).unwrap()).collect(),
            names: Vec::new(),
            values: Vec::new(),
            numbers: Vec::new(),
            codes: Vec::new(),
        };
        block.names = block.events.iter().rev().copied().chain([99]).collect();
        block.names.sort_by_key(|name| name.wrapping_mul(shape | 1));
        block.names.dedup();
        for (place, path) in self.paths.iter().enumerate() {
            let value = |fact: &Recorded| path.find(&fact.properties).filter(|value| !value.is_null());
            let values: Vec<Option<Value>> = events.iter().map(|(_, fact)| value(fact)).collect();
            let has = |bit: usize| shape >> ((place * 2 + bit) % 32) & 1 == 1;
            block.numbers.push(has(0).then(|| values.iter().map(stored_number).collect()));
            block.codes.push(has(1).then(|| values.iter().map(|value| self.code(value)).collect()));
            block.values.push(values);
        }
        block
    }

    fn code(&mut self, value: &Option<Value>) -> u32 {
        let known = self.dictionary.iter().position(|known| known == value);
        known.unwrap_or_else(|| {
            self.dictionary.push(value.clone());
            self.dictionary.len() - 1
        }) as u32
    }
}

fn stored_number(value: &Option<Value>) -> i64 {
    match value.as_ref().and_then(super::super::operators::decimal) {
        None => NO_NUMBER,
        Some(number) => {
            i64::try_from(number.nanos()).ok().filter(|nanos| *nanos > LARGE_NUMBER).unwrap_or(LARGE_NUMBER)
        }
    }
}

/// The blocks of a pass: events of all profiles and of none, in some order, cut somewhere.
fn blocks(plan: &Plan<'_>, population: &[Vec<Recorded>], nobody: &[Recorded], size: usize, shape: u32) -> Vec<Block> {
    let mut events: Vec<(u32, &Recorded)> = nobody.iter().map(|fact| (NOBODY, fact)).collect();
    for (profile, facts) in population.iter().enumerate() {
        events.extend(facts.iter().map(|fact| (profile as u32, fact)));
    }
    let turn = shape as usize % events.len().max(1);
    events.rotate_left(turn);
    if shape.is_multiple_of(3) {
        events.sort_by_key(|(profile, fact)| (*profile, fact.at));
    }
    let mut columns = Columns { paths: plan.columns(), dictionary: Vec::new() };
    events.chunks(size).enumerate().map(|(n, part)| columns.block(part, shape.rotate_left(n as u32))).collect()
}

/// What a pass says of one rule.
fn verdicts(rule: &Rule, definitions: &Catalog, population: &[Vec<Recorded>], millis: i64) -> Vec<Option<bool>> {
    let mut plan = Plan::new(definitions, at(millis));
    let planned = plan.add_rule(rule).unwrap();
    let mut tallies = plan.start(population.len(), &number);
    for block in blocks(&plan, population, &[], 3, 0b1011_0110) {
        tallies.add(&block);
    }
    tallies.verdicts().of(planned).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_verdict_is_what_evaluate_says(
        rules in prop::collection::vec(rule(), 1..4),
        population in prop::collection::vec(facts(), 1..4),
        nobody in facts(),
        known_from in 0..60i64,
        millis in prop_oneof![0..SPAN, 55..65i64],
        (size, shape) in (1..9usize, any::<u32>()),
    ) {
        let definitions = definitions();
        let rules: Vec<Rule> = rules.iter().map(|text| read(text)).collect();
        let mut plan = Plan::new(&definitions, at(millis));
        let planned: Vec<_> = rules.iter().map(|rule| plan.add_rule(rule).unwrap()).collect();
        let audiences: Vec<_> =
            definitions.audiences().map(|audience| (audience, plan.add_audience(audience).unwrap())).collect();
        let gathered: Vec<_> = definitions
            .features()
            .filter_map(|feature| plan.add_feature(feature).map(|planned| (feature, planned)))
            .collect();
        // `fading` is the last value, which columns do not decide.
        prop_assert_eq!(gathered.len(), definitions.features().count() - 1);

        // The events are divided between two passes, or all in one.
        let (mut tallies, mut others) = (plan.start(population.len(), &number), plan.start(population.len(), &number));
        for (n, block) in blocks(&plan, &population, &nobody, size, shape).iter().enumerate() {
            if shape >> (n % 32) & 1 == 1 { tallies.add(block) } else { others.add(block) }
        }
        tallies.take_in(&others);
        let verdicts = tallies.verdicts();

        for (profile, facts) in population.iter().enumerate() {
            let mut view = MemoryProfile::new(&definitions, facts);
            view.known_from = Some(known_from);
            for (rule, planned) in rules.iter().zip(&planned) {
                if let Some(verdict) = verdicts.of(*planned)[profile] {
                    prop_assert_eq!(verdict, evaluate(rule, &view, at(millis)).unwrap(), "{}", rule.to_value().to_json());
                }
            }
            for (audience, planned) in &audiences {
                if let Some(verdict) = verdicts.of(*planned)[profile] {
                    prop_assert_eq!(verdict, view.in_audience(&audience.name, at(millis)).unwrap(), "{}", audience.name);
                }
            }
            for (feature, planned) in &gathered {
                let expected = feature_value(feature, &view, at(millis)).unwrap();
                let found = tallies.feature(*planned, profile as u32).unwrap();
                prop_assert_eq!(found.to_json(), expected.to_json(), "{}", feature.name);
            }
        }
    }
}

/// Values at every edge that a column of numbers has, and those that are no numbers.
const EDGES: [&str; 17] = [
    "null",
    "true",
    "\"x\"",
    "\"\"",
    "[2]",
    "1.999999999",
    "2",
    "\"2\"",
    "\" 2 \"",
    "2.000000001",
    "9223372036.854775807",
    "9223372036.854775808",
    "-9223372036.854775806",
    "-9223372036.854775807",
    "\"-9223372036.854775808\"",
    "1e20",
    "-1e20",
];

#[test]
fn filters_agree_at_the_edges_whatever_columns_a_block_has() {
    let definitions = definitions();
    let population: Vec<Vec<Recorded>> =
        EDGES.iter().map(|value| vec![recorded(1, "A", "m1", &format!(r#"{{"v": {value}}}"#))]).collect();
    let limits =
        ["2", "9223372036.854775807", "9223372036.854775808", "-9223372036.854775807", "-9223372036.854775808", "1e20"];
    for operator in ["lt", "lte", "gt", "gte", "eq", "ne", "between"] {
        for limit in limits {
            let value = if operator == "between" { format!("[-1e20, {limit}]") } else { limit.to_owned() };
            let asked = read(&format!(
                r#"{{"event": "A", "where": [{{"property": "v", "op": "{operator}", "value": {value}}}]}}"#
            ));
            for shape in 0..4 {
                let mut plan = Plan::new(&definitions, at(2));
                let planned = plan.add_rule(&asked).unwrap();
                let mut tallies = plan.start(population.len(), &number);
                for block in blocks(&plan, &population, &[], population.len(), shape) {
                    tallies.add(&block);
                }
                let verdicts = tallies.verdicts();
                for ((facts, verdict), edge) in population.iter().zip(verdicts.of(planned)).zip(EDGES) {
                    let expected = evaluate(&asked, &MemoryProfile::new(&definitions, facts), at(2)).unwrap();
                    assert_eq!(*verdict, Some(expected), "{edge} {operator} {limit}");
                }
            }
        }
    }
}

#[test]
fn times_agree_where_their_text_is_no_time() {
    let definitions = Catalog::default();
    // 1653 and 2017: text of the former is refused as a time.
    let population =
        [vec![recorded(-10_000_000_000_000, "A", "m1", "{}")], vec![recorded(1_500_000_000_000, "A", "m1", "{}")]];
    for comparison in [
        r#""op": "before_last", "value": "1d""#,
        r#""op": "before", "value": "2020-01-01""#,
        r#""op": "eq", "value": "2017-07-14T02:40:00.000Z""#,
        r#""op": "on_day", "value": "2017-07-14""#,
        r#""op": "starts_with", "value": "1653""#,
        r#""op": "gt", "value": 1"#,
    ] {
        let asked = read(&format!(r#"{{"event": "A", "agg": "last_at", {comparison}}}"#));
        let expected = population.each_ref().map(|facts| {
            Some(evaluate(&asked, &MemoryProfile::new(&definitions, facts), at(1_600_000_000_000)).unwrap())
        });
        assert_eq!(verdicts(&asked, &definitions, &population, 1_600_000_000_000), expected, "{comparison}");
    }
}

#[test]
fn what_columns_can_tell_is_decided() {
    let definitions = definitions();
    let facts = vec![vec![recorded(10, "A", "m1", r#"{"v": 3}"#), recorded(20, "B", "m2", "{}")], Vec::new()];
    for (text, expected) in [
        (r#"{"event": "A"}"#, [Some(true), Some(false)]),
        (r#"{"event": "never seen", "count": {"eq": 0}}"#, [Some(true), Some(true)]),
        (r#"{"event": "A", "agg": "sum", "property": "v", "op": "lt", "value": 1}"#, [Some(false), Some(true)]),
        (r#"{"event": "*", "agg": "avg", "property": "v", "op": "eq", "value": 3}"#, [Some(true), Some(false)]),
        (r#"{"event": "B", "agg": "last_at", "op": "within_last", "value": "11ms"}"#, [Some(true), Some(false)]),
        (r#"{"event": "A", "agg": "exists", "op": "is_true"}"#, [Some(true), Some(false)]),
        (r#"{"event": "B", "first_time_within": "10ms"}"#, [Some(false), Some(false)]),
        (r#"{"stopped": {"event": "A", "active": "25ms", "silent": "15ms"}}"#, [Some(true), Some(false)]),
        (r#"{"restarted": {"event": "*", "silent": "18ms", "within": "12ms"}}"#, [Some(true), Some(false)]),
        (r#"{"feature": "recent", "op": "not_exists"}"#, [Some(true), Some(true)]),
        (r#"{"audience": "active", "in": false}"#, [Some(true), Some(true)]),
        // The last value is not decided by columns, and need not be where another leaf decides.
        (r#"{"all": [{"event": "A"}, {"feature": "fading", "op": "gte", "value": 1}]}"#, [None, Some(false)]),
        (r#"{"any": [{"event": "A"}, {"identity": "known"}]}"#, [Some(true), None]),
        (
            r#"{"at_least": {"n": 2, "of": [{"event": "A"}, {"event": "B"}, {"identity": "known"}]}}"#,
            [Some(true), Some(false)],
        ),
        (r#"{"not": {"trait": "plan", "op": "exists"}}"#, [None, None]),
    ] {
        assert_eq!(verdicts(&read(text), &definitions, &facts, 30), expected, "{text}");
    }
}

#[test]
fn an_audience_that_many_others_name_is_decided_once() {
    let mut texts = vec![r#"{"kind": "audience", "name": "a00", "rule": {"event": "A"}}"#.to_owned()];
    for n in 1..32 {
        let below = format!(r#"{{"audience": "a{:02}"}}"#, n - 1);
        // Followed leaf by leaf, this would take 2^31 steps.
        texts.push(format!(r#"{{"kind": "audience", "name": "a{n:02}", "rule": {{"all": [{below}, {below}]}}}}"#));
    }
    let definitions = catalog(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let facts = [vec![recorded(1, "A", "m1", "{}")]];
    assert_eq!(verdicts(&read(r#"{"audience": "a31"}"#), &definitions, &facts, 2), [Some(true)]);
}

#[test]
fn a_sum_that_may_leave_128_bits_is_undecided_in_every_order() {
    let definitions = catalog(&[r#"{"kind": "feature", "name": "total", "agg": "sum", "property": "v"}"#]);
    let feature: &FeatureDefinition = definitions.feature("total").unwrap();
    let fact = |nanos: i128| {
        let mut fact = recorded(1, "A", "m1", "{}");
        fact.properties = Value::object([("v", Value::Number(crate::records::Number::from_nanos(nanos)))]);
        fact
    };
    // Where the sum of the first leaves 128 bits hangs on the order, and on how its events are divided.
    let orders = [[i128::MAX, 2, -3], [i128::MAX, -3, 2], [-3, i128::MAX, 2], [1 << 100, -3, 1 << 100]];
    let population: Vec<Vec<Recorded>> = orders.iter().map(|order| order.iter().copied().map(fact).collect()).collect();
    let mut plan = Plan::new(&definitions, at(2));
    let planned = plan.add_feature(feature).unwrap();
    for size in 1..4 {
        let (mut tallies, mut others) = (plan.start(4, &number), plan.start(4, &number));
        for (n, block) in blocks(&plan, &population, &[], size, 0b01).iter().enumerate() {
            if n % 2 == 0 { tallies.add(block) } else { others.add(block) }
        }
        tallies.take_in(&others);
        assert!((0..3).all(|profile| tallies.feature(planned, profile).is_none()));
        let told = tallies.feature(planned, 3).unwrap();
        assert_eq!(told.as_number().unwrap().nanos(), (1 << 101) - 3);
    }
}

#[test]
fn a_plan_names_the_columns_and_definitions_it_needs() {
    let definitions = definitions();
    let asked = read(
        r#"{"all": [{"feature": "recent", "op": "gt", "value": 1},
            {"event": "A", "where": [{"property": "color", "op": "eq", "value": "red"}, {"property": "v", "op": "gt", "value": 1}]}]}"#,
    );
    let mut plan = Plan::new(&definitions, at(0));
    plan.add_rule(&asked).unwrap();
    let columns: Vec<&str> = plan.columns().iter().map(Path::as_str).collect();
    assert_eq!(columns, ["v", "color"]);
    assert!(plan.reads_events());

    let (traits, missing) = (read(r#"{"trait": "plan", "op": "exists"}"#), read(r#"{"audience": "gone"}"#));
    let mut plan = Plan::new(&definitions, at(0));
    plan.add_rule(&traits).unwrap();
    assert!(!plan.reads_events());
    assert!(plan.add_rule(&missing).is_err());
}
