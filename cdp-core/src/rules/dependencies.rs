//! What a rule reads, and when its outcome can change by the passing of time alone.
//!
//! It takes a rule and the definitions it refers to; it leaves the columns the store must keep, the distances in time at
//! which an event can matter again, and for one profile the exact instants worth asking at. Too many instants cost
//! time, one too few would lose a flip, so everything here errs towards more.

use std::collections::{BTreeMap, BTreeSet};

use super::ProfileView;
use super::leaves::{self, Reads, Reference};
use super::operators::instant;
use super::timeline::part;
use crate::definitions::{
    Catalog, Comparison, FeatureDefinition, FeatureWindow, Kind, Measure, Operand, PredictorDefinition, Rule,
};
use crate::error::Result;
use crate::records::{Path, Timestamp, Value};

/// When the outcome of a rule can change without a new fact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookbacks {
    /// An event at e can change the outcome at e + offset, in milliseconds; 0 is always among them if events are read.
    pub event_offsets: BTreeSet<i64>,
    /// A trait that holds the time T can change the outcome at T + offset, in milliseconds, 0 and negative ones included.
    pub trait_offsets: BTreeMap<Path, BTreeSet<i64>>,
    /// Paths of the message that a decision is about.
    pub current_offsets: BTreeMap<Path, BTreeSet<i64>>,
    /// Instants at which the outcome can change for all profiles.
    pub absolute: BTreeSet<Timestamp>,
    /// Whether anything but events is read: traits, identifiers, consents or scores.
    pub reads_other_facts: bool,
}

/// The event properties that a rule reads itself; features and audiences it refers to have their own.
pub fn property_paths(rule: &Rule) -> Vec<Path> {
    with_reads(rule, |reads| reads.properties.iter().copied().cloned().collect())
}

fn with_reads<T>(rule: &Rule, take: impl FnOnce(&Reads<'_>) -> T) -> T {
    let leaves = rule.leaves("");
    let mut reads = Reads::default();
    for (_, leaf) in &leaves {
        leaves::of(leaf).reads(&mut reads);
    }
    take(&reads)
}

/// The event properties that a feature reads.
pub(crate) fn feature_paths(feature: &FeatureDefinition) -> Vec<Path> {
    let mut reads = Reads::default();
    reads.add_measure(&feature.measure);
    reads.properties.into_iter().cloned().collect()
}

/// The definitions to which a rule refers itself.
pub(super) fn references(rule: &Rule) -> Vec<Reference<'_>> {
    rule.leaves("").into_iter().flat_map(|(_, leaf)| leaves::of(leaf).references()).collect()
}

/// The rules by which a definition is evaluated. Fails with `NotFound` if there is no such definition.
fn rules_of<'c>(definition: &Reference<'_>, catalog: &'c Catalog) -> Result<Vec<&'c Rule>> {
    Ok(match definition.kind {
        Kind::Audience => vec![&catalog.audience(definition.name)?.rule],
        Kind::Predictor => predictor_rules(catalog.predictor(definition.name)?),
        Kind::Policy => catalog.policy(definition.name)?.choose.iter().map(|choice| &choice.when).collect(),
        Kind::Feature | Kind::Identity | Kind::Source | Kind::EventSchema | Kind::ConsentPolicy | Kind::Destination => {
            Vec::new()
        }
    })
}

/// When the outcome of a rule can change without a new fact; features and audiences it refers to are followed.
///
/// Fails with `NotFound` if one of them is not defined. Of a predictor the rules are followed; what its model reads is
/// taken to change with every event and every other fact.
pub fn lookbacks(rule: &Rule, catalog: &Catalog) -> Result<Lookbacks> {
    let mut found = Lookbacks::default();
    let mut followed = BTreeSet::new();
    // A worklist rather than recursion: audiences may refer to each other in long chains.
    let mut open = vec![rule];
    while let Some(rule) = open.pop() {
        for (_, leaf) in rule.leaves("") {
            let leaf = leaves::of(leaf);
            leaf.add_lookbacks(catalog, &mut found)?;
            for definition in leaf.references() {
                if followed.insert((definition.kind, definition.name)) {
                    open.extend(rules_of(&definition, catalog)?);
                }
            }
        }
    }
    Ok(found)
}

/// Whether the outcome of a rule can depend on what a predictor says, also by way of audiences and other predictors.
pub fn reads_predictor(rule: &Rule, catalog: &Catalog, predictor: &str) -> bool {
    let mut followed = BTreeSet::new();
    let mut open = vec![rule];
    while let Some(rule) = open.pop() {
        for definition in references(rule) {
            if definition.kind == Kind::Predictor && definition.name == predictor {
                return true;
            }
            if followed.insert((definition.kind, definition.name)) {
                open.extend(rules_of(&definition, catalog).unwrap_or_default());
            }
        }
    }
    false
}

/// The rules that a predictor asks before its model.
pub(crate) fn predictor_rules(predictor: &PredictorDefinition) -> Vec<&Rule> {
    predictor.rules.iter().map(|rule| &rule.when).collect()
}

impl Lookbacks {
    /// Every instant in `(from, to]` at which the outcome for this profile can change: between two of them, and before
    /// the first and after the last, it is constant.
    ///
    /// Exact to the millisecond: an event at e leaves the window `(t - w, t]` at t = e + w. Cost grows with the events in
    /// reach of the span, times the windows.
    pub fn change_instants(
        &self,
        view: &dyn ProfileView,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<BTreeSet<Timestamp>> {
        let mut instants = self.absolute.clone();
        for offset in &self.event_offsets {
            let reach = part(view.events(), from.plus_millis(-offset).millis(), to.plus_millis(-offset).millis());
            instants.extend(reach.iter().map(|event| event.occurred_at.plus_millis(*offset)));
        }
        if self.reads_other_facts {
            let changes = view.other_changes(from, to)?;
            for at in std::iter::once(from).chain(changes.iter().copied()) {
                for (path, offsets) in &self.trait_offsets {
                    add_instants(view.trait_value(path, at)?.as_ref(), offsets, &mut instants);
                }
            }
            instants.extend(changes);
        }
        for (path, offsets) in &self.current_offsets {
            add_instants(view.current(path).as_ref(), offsets, &mut instants);
        }
        instants.retain(|time| *time > from && *time <= to);
        Ok(instants)
    }

    /// When the value of a feature can change.
    pub(super) fn add_feature(&mut self, feature: &FeatureDefinition) {
        self.add_window(&feature.measure.window);
        self.event_offsets.extend(feature.ttl.map(|ttl| ttl.millis()));
    }

    /// When an event enters and leaves a window.
    pub(super) fn add_window(&mut self, window: &FeatureWindow) {
        self.event_offsets.insert(0);
        match window {
            // Between fixed instants an event counts from when it happened, or never.
            FeatureWindow::Ever | FeatureWindow::Since(_) | FeatureWindow::Between(..) => {}
            FeatureWindow::Within(length) => {
                self.event_offsets.insert(length.millis());
            }
            FeatureWindow::BetweenAgo(start, end) => self.event_offsets.extend([start.millis(), end.millis()]),
        }
    }

    /// When the time of an event, compared with the instant of the question, passes a limit: at a distance from the event.
    pub(super) fn add_event_times(&mut self, measure: &Measure, comparison: &Comparison) {
        if measure.aggregate.is_time() {
            self.event_offsets.extend(length_ms(comparison));
        }
    }

    /// When a trait that holds a time passes a limit.
    pub(super) fn add_trait_dates(&mut self, path: &Path, comparison: &Comparison) {
        add_dates(&mut self.trait_offsets, path, comparison);
    }

    /// When a value of the message of a decision that is a time passes a limit.
    pub(super) fn add_current_dates(&mut self, path: &Path, comparison: &Comparison) {
        add_dates(&mut self.current_offsets, path, comparison);
    }
}

/// The length of time of a comparison with the instant of the question.
pub(super) fn length_ms(comparison: &Comparison) -> Option<i64> {
    match comparison.operand {
        Operand::Length(length) => Some(length.millis()),
        Operand::Nothing
        | Operand::Value(_)
        | Operand::Values(_)
        | Operand::Text(_)
        | Operand::Number(_)
        | Operand::Numbers(..)
        | Operand::Time(_)
        | Operand::Times(..)
        | Operand::Pattern(_)
        | Operand::Version(_) => None,
    }
}

fn add_dates(offsets: &mut BTreeMap<Path, BTreeSet<i64>>, path: &Path, comparison: &Comparison) {
    if let Some(length) = length_ms(comparison) {
        offsets.entry(path.clone()).or_default().extend([-length, 0, length]);
    }
}

fn add_instants(value: Option<&Value>, offsets: &BTreeSet<i64>, instants: &mut BTreeSet<Timestamp>) {
    let times: Vec<Timestamp> = match value {
        Some(Value::List(items)) => items.iter().filter_map(instant).collect(),
        Some(value) => instant(value).into_iter().collect(),
        None => Vec::new(),
    };
    for time in times {
        instants.extend(offsets.iter().map(|offset| time.plus_millis(*offset)));
    }
}
