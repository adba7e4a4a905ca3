//! Checks what a definition alone cannot know: that the features, audiences and predictors its rule names are there,
//! and that no audience waits for itself.
//!
//! It takes the definitions as they would hold and leaves every fault with the definition it belongs to. It never
//! changes them, and does not care in which order they were given.

use std::collections::{BTreeMap, BTreeSet};

use crate::definitions::{Aggregate, Catalog, Kind, Operator, Rule, Test};
use crate::error::{Error, Fault, Result};

/// How many audiences may stand on each other: evaluating one evaluates all below it.
const MAX_AUDIENCE_DEPTH: usize = 32;

/// Every fault between definitions: names that are not there (with the nearest that is), audiences that refer to
/// themselves or stand too high on others.
pub fn check(catalog: &Catalog) -> Vec<(Kind, String, Fault)> {
    let mut faults = Vec::new();
    for audience in catalog.audiences() {
        check_rule(catalog, &audience.rule, "/rule", |fault| faults.push((Kind::Audience, audience.name.clone(), fault)));
    }
    for policy in catalog.policies() {
        for (index, choice) in policy.choose.iter().enumerate() {
            let pointer = format!("/choose/{index}/when");
            check_rule(catalog, &choice.when, &pointer, |fault| faults.push((Kind::Policy, policy.name.clone(), fault)));
        }
    }
    check_audience_order(catalog, &mut faults);
    faults
}

fn check_rule(catalog: &Catalog, rule: &Rule, pointer: &str, mut note: impl FnMut(Fault)) {
    for (pointer, leaf) in rule.leaves(pointer) {
        match &leaf.test {
            Test::Audience { name, .. } => note_missing(catalog.audience(name), format!("{pointer}/audience"), &mut note),
            Test::Cohort { predictor, .. } => {
                note_missing(catalog.predictor(predictor), format!("{pointer}/cohort"), &mut note);
            }
            Test::Feature { name, comparison } => {
                let feature = catalog.feature(name);
                let is_time = feature.as_ref().is_ok_and(|feature| {
                    matches!(feature.measure.aggregate, Aggregate::FirstAt | Aggregate::LastAt)
                });
                if feature.is_ok() && comparison.operator.is_relative() && !is_time {
                    note(relative_fault(comparison.operator, format!("{pointer}/op")));
                }
                note_missing(feature, format!("{pointer}/feature"), &mut note);
            }
            _ => {}
        }
    }
}

// A property of an event may hold any time; when it passes a limit cannot be told from when the event happened.
fn relative_fault(operator: Operator, pointer: String) -> Fault {
    let word = operator.as_str();
    Fault { pointer, message: format!("`{word}` on a feature needs one that aggregates by first_at or last_at") }
}

fn note_missing<T>(found: Result<T>, pointer: String, note: &mut impl FnMut(Fault)) {
    if let Err(error) = found {
        note(Fault { pointer, message: describe(&error) });
    }
}

fn describe(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{}; {hint}", error.message()),
        None => error.message().to_owned(),
    }
}

/// Takes away, round by round, the audiences whose parts are all taken; those that remain wait for each other.
fn check_audience_order(catalog: &Catalog, faults: &mut Vec<(Kind, String, Fault)>) {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for audience in catalog.audiences() {
        let parts = audience.rule.leaves("").into_iter().filter_map(|(_, leaf)| match &leaf.test {
            Test::Audience { name, .. } if catalog.audience(name).is_ok() => Some(name.as_str()),
            _ => None,
        });
        waiting.insert(&audience.name, parts.collect());
    }
    let mut note = |name: &str, message: String| {
        faults.push((Kind::Audience, name.to_owned(), Fault { pointer: "/rule".to_owned(), message }));
    };
    let mut rounds = 0;
    loop {
        let ready: BTreeSet<&str> =
            waiting.iter().filter(|(_, parts)| parts.is_empty()).map(|(name, _)| *name).collect();
        if ready.is_empty() {
            break;
        }
        rounds += 1;
        waiting.retain(|name, _| !ready.contains(name));
        for parts in waiting.values_mut() {
            parts.retain(|part| !ready.contains(part));
        }
        if rounds > MAX_AUDIENCE_DEPTH {
            for name in ready {
                note(name, format!("stands on a chain of more than {MAX_AUDIENCE_DEPTH} audiences"));
            }
        }
    }
    for name in waiting.keys() {
        if let Some(circle) = circle_from(name, &waiting) {
            note(name, format!("the audience refers to itself: {}", circle.join(" -> ")));
        }
    }
}

/// The shortest way from an audience back to itself.
fn circle_from<'n>(start: &'n str, waiting: &BTreeMap<&'n str, BTreeSet<&'n str>>) -> Option<Vec<&'n str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = std::collections::VecDeque::from([start]);
    while let Some(name) = open.pop_front() {
        for part in waiting.get(name).into_iter().flatten() {
            if *part == start {
                let mut circle = vec![start];
                let mut at = name;
                while at != start {
                    circle.push(at);
                    at = came_from.get(at)?;
                }
                circle.push(start);
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(part) {
                came_from.insert(part, name);
                open.push_back(part);
            }
        }
    }
    None
}
