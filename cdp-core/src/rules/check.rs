//! Checks what a definition alone cannot know: that the features, audiences and predictors its rules name are there,
//! and that none of them waits for itself.
//!
//! It takes the definitions as they would hold and leaves every fault with the definition it belongs to. It never
//! changes them, and does not care in which order they were given.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::dependencies::{predictor_rules, references};
use super::leaves::{self, Reference};
use crate::definitions::{Catalog, Kind, PredictorLabel, Rule};
use crate::error::{Error, Fault, Result};

/// How many audiences and predictors may stand on each other: evaluating one evaluates all below it.
const MAX_CHAIN: usize = 32;

/// An audience or a predictor.
type Named<'c> = (Kind, &'c str);

/// Every fault between definitions: names that are not there (with the nearest that is), audiences and predictors that
/// refer to themselves or stand too high on others.
pub fn check(catalog: &Catalog) -> Vec<(Kind, String, Fault)> {
    let mut faults = Vec::new();
    for audience in catalog.audiences() {
        check_leaves(catalog, &audience.rule, "/rule", |fault| {
            faults.push((Kind::Audience, audience.name.clone(), fault))
        });
    }
    for predictor in catalog.predictors() {
        for (index, rule) in predictor_rules(predictor).into_iter().enumerate() {
            let pointer = format!("/rules/{index}/when");
            check_leaves(catalog, rule, &pointer, |fault| {
                faults.push((Kind::Predictor, predictor.name.clone(), fault))
            });
        }
        if let Some(PredictorLabel::Audience(name)) = &predictor.label
            && let Err(error) = catalog.audience(name)
        {
            let fault = Fault { pointer: "/label/audience".to_owned(), message: describe(&error) };
            faults.push((Kind::Predictor, predictor.name.clone(), fault));
        }
    }
    for policy in catalog.policies() {
        for (index, choice) in policy.choose.iter().enumerate() {
            let pointer = format!("/choose/{index}/when");
            check_leaves(catalog, &choice.when, &pointer, |fault| {
                faults.push((Kind::Policy, policy.name.clone(), fault))
            });
        }
    }
    check_order(catalog, &mut faults);
    faults
}

/// The faults between a rule that is no definition and the definitions it names, as one error.
pub fn check_rule(rule: &Rule, catalog: &Catalog) -> Result<()> {
    let mut faults = Vec::new();
    check_leaves(catalog, rule, "", |fault| faults.push(fault));
    if faults.is_empty() { Ok(()) } else { Err(Error::from_faults("the rule", faults)) }
}

fn check_leaves(catalog: &Catalog, rule: &Rule, pointer: &str, mut note: impl FnMut(Fault)) {
    for (pointer, leaf) in rule.leaves(pointer) {
        let leaf = leaves::of(leaf);
        let mut at_field =
            |field: &str, message: String| note(Fault { pointer: format!("{pointer}/{field}"), message });
        leaf.check(catalog, &mut at_field);
        for Reference { kind, name, field } in leaf.references() {
            if let Err(error) = catalog.require(kind, name) {
                at_field(field, describe(&error));
            }
        }
    }
}

fn describe(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{}; {hint}", error.message()),
        None => error.message().to_owned(),
    }
}

/// Takes away, round by round, what waits for nothing that is left; what remains waits for itself.
fn check_order(catalog: &Catalog, faults: &mut Vec<(Kind, String, Fault)>) {
    let mut waiting: BTreeMap<Named<'_>, BTreeSet<Named<'_>>> = BTreeMap::new();
    for audience in catalog.audiences() {
        waiting.insert((Kind::Audience, &audience.name), parts(catalog, &audience.rule).collect());
    }
    for predictor in catalog.predictors() {
        let rules = predictor_rules(predictor);
        waiting.insert(
            (Kind::Predictor, &predictor.name),
            rules.into_iter().flat_map(|rule| parts(catalog, rule)).collect(),
        );
    }
    let mut note = |(kind, name): Named<'_>, message: String| {
        let pointer = if kind == Kind::Audience { "/rule" } else { "/rules" };
        faults.push((kind, name.to_owned(), Fault { pointer: pointer.to_owned(), message }));
    };
    let mut rounds = 0;
    loop {
        let ready: BTreeSet<Named<'_>> =
            waiting.iter().filter(|(_, parts)| parts.is_empty()).map(|(named, _)| *named).collect();
        if ready.is_empty() {
            break;
        }
        rounds += 1;
        waiting.retain(|named, _| !ready.contains(named));
        for parts in waiting.values_mut() {
            parts.retain(|part| !ready.contains(part));
        }
        if rounds > MAX_CHAIN {
            for named in ready {
                note(named, format!("stands on a chain of more than {MAX_CHAIN} audiences and predictors"));
            }
        }
    }
    for named in waiting.keys() {
        if let Some(circle) = circle_from(*named, &waiting) {
            note(*named, format!("the {} refers to itself: {}", named.0.as_str(), circle.join(" -> ")));
        }
    }
}

/// The audiences and predictors that a rule names and that are there. A feature refers to no other definition.
fn parts<'c>(catalog: &'c Catalog, rule: &'c Rule) -> impl Iterator<Item = Named<'c>> {
    let named = references(rule).into_iter().map(|reference| (reference.kind, reference.name));
    named.filter(|(kind, name)| *kind != Kind::Feature && catalog.get(*kind, name).is_some())
}

/// The names on the shortest way back to where it starts.
fn circle_from<'c>(start: Named<'c>, waiting: &BTreeMap<Named<'c>, BTreeSet<Named<'c>>>) -> Option<Vec<&'c str>> {
    let mut came_from: BTreeMap<Named<'c>, Named<'c>> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(named) = open.pop_front() {
        for part in waiting.get(&named).into_iter().flatten() {
            if *part == start {
                let mut circle = vec![start.1];
                let mut at = named;
                while at != start {
                    circle.push(at.1);
                    at = *came_from.get(&at)?;
                }
                circle.push(start.1);
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(part) {
                came_from.insert(*part, named);
                open.push_back(*part);
            }
        }
    }
    None
}
