//! The profiles that a rule can concern: which events slide out of its windows, in which direction, and which events every
//! matching profile must have had.
//!
//! It takes a rule and the definitions it refers to, and errs towards more: a profile that is looked at in vain costs
//! time, one that is not looked at would lose a flip.

use std::collections::BTreeSet;

use super::dependencies::length_ms;
use super::operators::is_timeless;
use super::{aggregates, leaves, lookbacks, matches};
use crate::definitions::{Catalog, Comparison, FeatureWindow, Measure, Operand, Operator, Rule};
use crate::error::Result;
use crate::records::{Duration, Number, Timestamp, Value};

/// An event can change the outcome so long after it happened, with no new fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slide {
    /// How long after the event, in milliseconds.
    pub offset_ms: i64,
    /// The names of such events; empty for every event.
    pub events: Vec<String>,
    /// Whether the outcome can become true by it.
    pub may_enter: bool,
    /// Whether it can become false.
    pub may_exit: bool,
}

/// The profiles that a rule can concern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// When events matter again.
    pub slides: BTreeSet<Slide>,
    /// Lists of event names: a profile without any event of one of these lists cannot match.
    pub needed: Vec<Vec<String>>,
    /// The names of the events that can make the rule false by happening; `None` if every fact may.
    pub undoing: Option<BTreeSet<String>>,
}

/// Which events can change the outcome of a leaf, by happening or by sliding out of a window.
pub(crate) enum Triggers<'c> {
    /// Every event, in both directions, at each of the leaf's lookbacks.
    AnyEvent,
    /// Those that change whether the profile is in an audience.
    Audience {
        name: &'c str,
        /// Whether the leaf holds inside of it.
        inside: bool,
    },
    /// Those that change the value of a measure.
    Measured {
        measure: &'c Measure,
        /// What the value is compared with.
        comparison: &'c Comparison,
        /// Whether the value follows from the events alone, so that a falling value differs from a rising one.
        is_plain: bool,
        /// How long after the latest event that contributed the value holds.
        ttl: Option<Duration>,
    },
}

/// The profiles that a rule can concern. Fails with `NotFound` if a feature or audience that it names is not defined.
pub fn reach(rule: &Rule, catalog: &Catalog) -> Result<Reach> {
    let undoing = Some(BTreeSet::new());
    let mut found = Reach { slides: BTreeSet::new(), needed: needed(rule, catalog)?, undoing };
    let mut followed = BTreeSet::new();
    // A worklist rather than recursion: audiences may refer to each other in long chains.
    let mut open = vec![(rule, true)];
    while let Some((rule, holds)) = open.pop() {
        match rule {
            Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => {
                open.extend(rules.iter().map(|rule| (rule, holds)));
            }
            Rule::Not(rule) => open.push((rule, !holds)),
            Rule::Leaf(leaf) => match leaves::of(leaf).triggers(catalog)? {
                Triggers::AnyEvent => {
                    found.undoing = None;
                    for offset_ms in lookbacks(rule, catalog)?.event_offsets {
                        found.add(offset_ms, &[], (true, true));
                    }
                }
                Triggers::Audience { name, inside } => {
                    let holds = holds == inside;
                    if followed.insert((name, holds)) {
                        open.push((&catalog.audience(name)?.rule, holds));
                    }
                }
                Triggers::Measured { measure, comparison, is_plain, ttl } => {
                    let ttl_ms = ttl.map(|ttl| ttl.millis());
                    found.add_measure(measure, Some(comparison).filter(|_| is_plain), holds, ttl_ms);
                    found.add_length(comparison);
                }
            },
        }
    }
    Ok(found)
}

impl Reach {
    fn add(&mut self, offset_ms: i64, events: &[String], (may_enter, may_exit): (bool, bool)) {
        // At the moment it happens an event is a fact of its own.
        if offset_ms > 0 {
            self.slides.insert(Slide { offset_ms, events: events.to_vec(), may_enter, may_exit });
        }
    }

    /// `comparison`: with what the value is compared, where a falling value differs from a rising one.
    fn add_measure(&mut self, measure: &Measure, comparison: Option<&Comparison>, holds: bool, ttl_ms: Option<i64>) {
        let events = &measure.selection.events;
        let falls = comparison.filter(|_| aggregates::of(measure.aggregate).counts_events()).map(when_a_count_falls);
        // A count rises when something happens, so what falling makes true, rising makes false, and the other way round.
        let may_undo =
            falls.is_none_or(|(becomes_true, becomes_false)| if holds { becomes_true } else { becomes_false });
        if may_undo && events.is_empty() {
            self.undoing = None;
        }
        if let Some(undoing) = self.undoing.as_mut().filter(|_| may_undo) {
            undoing.extend(events.iter().cloned());
        }
        match &measure.window {
            FeatureWindow::Ever | FeatureWindow::Since(_) | FeatureWindow::Between(..) => {}
            FeatureWindow::Within(length) => {
                let (becomes_true, becomes_false) = falls.unwrap_or((true, true));
                let directions = if holds { (becomes_true, becomes_false) } else { (becomes_false, becomes_true) };
                self.add(length.millis(), events, directions);
            }
            FeatureWindow::BetweenAgo(start, end) => {
                self.add(start.millis(), events, (true, true));
                self.add(end.millis(), events, (true, true));
            }
        }
        if let Some(ttl_ms) = ttl_ms {
            self.add(ttl_ms, events, (true, true));
        }
    }

    fn add_length(&mut self, comparison: &Comparison) {
        if let Some(length_ms) = length_ms(comparison) {
            self.add(length_ms, &[], (true, true));
        }
    }
}

/// Whether a comparison with a count can become true, and false, when the count falls.
fn when_a_count_falls(comparison: &Comparison) -> (bool, bool) {
    match (comparison.operator, &comparison.operand) {
        (Operator::Gte | Operator::Gt, Operand::Number(_)) => (false, true),
        (Operator::Lte | Operator::Lt, Operand::Number(_)) => (true, false),
        (Operator::Eq, Operand::Value(Value::Number(number))) if *number == Number::ZERO => (true, false),
        _ => (true, true),
    }
}

/// Lists of event names; a profile that matches the rule has had an event of each.
fn needed(rule: &Rule, catalog: &Catalog) -> Result<Vec<Vec<String>>> {
    let one_of = |rules: &[Rule]| -> Result<Vec<Vec<String>>> {
        let mut names = BTreeSet::new();
        for rule in rules {
            // The first list of each alternative is as good as any.
            match needed(rule, catalog)?.into_iter().next() {
                Some(list) => names.extend(list),
                None => return Ok(Vec::new()),
            }
        }
        Ok(if names.is_empty() { Vec::new() } else { vec![names.into_iter().collect()] })
    };
    Ok(match rule {
        Rule::All(rules) => {
            let lists = rules.iter().map(|rule| needed(rule, catalog)).collect::<Result<Vec<_>>>()?;
            lists.into_iter().flatten().collect()
        }
        Rule::Any(rules) => one_of(rules)?,
        Rule::AtLeast { n, of } if *n > 0 => one_of(of)?,
        Rule::AtLeast { .. } | Rule::Not(_) => Vec::new(),
        Rule::Leaf(leaf) => match leaves::of(leaf).needed_events(catalog)? {
            [] => Vec::new(),
            events => vec![events.to_vec()],
        },
    })
}

/// The names of the events without which a comparison of what they measure does not hold. `of_nothing`: the value that is
/// compared where there is none of them.
pub(super) fn needed_events<'m>(measure: &'m Measure, comparison: &Comparison, of_nothing: &Value) -> &'m [String] {
    let is_false_of_nothing = is_timeless(comparison) && !matches(comparison, Some(of_nothing), Timestamp::default());
    if is_false_of_nothing { &measure.selection.events } else { &[] }
}
