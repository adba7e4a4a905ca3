//! What a rule reads, and when its outcome can change by the passing of time alone.
//!
//! It takes a rule and the definitions it refers to; it leaves the columns the store must keep, the distances in time at
//! which an event can matter again, and for one profile the exact instants worth asking at. Too many instants cost
//! time, one too few would lose a flip, so everything here errs towards more.

use std::collections::{BTreeMap, BTreeSet};

use super::ProfileView;
use super::operators::instant;
use super::timeline::part;
use crate::definitions::{
    Aggregate, Catalog, Comparison, EventSelection, EventTest, FeatureDefinition, FeatureWindow, Kind, LifecycleTest,
    Measure, Operand, Population, PredictorDefinition, Rule, SequenceTest, Test,
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
    /// The same for values of the message that a decision is about.
    pub current_offsets: BTreeMap<Path, BTreeSet<i64>>,
    /// Instants at which the outcome can change for everybody.
    pub absolute: BTreeSet<Timestamp>,
    /// Whether anything but events is read: traits, identifiers, consents or scores.
    pub reads_other_facts: bool,
}

/// The event properties that a rule reads itself; features and audiences it refers to have their own.
pub fn property_paths(rule: &Rule) -> Vec<Path> {
    let mut paths = BTreeSet::new();
    for (_, leaf) in rule.leaves("") {
        match &leaf.test {
            Test::Event(EventTest::Measured { measure, .. }) => add_measure_paths(measure, &mut paths),
            Test::Event(EventTest::FirstTime { selection, .. }) => add_selection_paths(selection, &mut paths),
            Test::Sequence(sequence) => {
                for step in &sequence.steps {
                    add_selection_paths(&step.selection, &mut paths);
                    paths.extend(step.same.iter().cloned());
                }
            }
            Test::Lifecycle(
                LifecycleTest::Stopped { selection, .. }
                | LifecycleTest::Restarted { selection, .. }
                | LifecycleTest::Regularly { selection, .. },
            ) => add_selection_paths(selection, &mut paths),
            _ => {}
        }
    }
    paths.into_iter().collect()
}

impl FeatureDefinition {
    /// The event properties that this feature reads.
    pub fn property_paths(&self) -> Vec<Path> {
        let mut paths = BTreeSet::new();
        add_measure_paths(&self.measure, &mut paths);
        paths.into_iter().collect()
    }
}

fn add_measure_paths(measure: &Measure, paths: &mut BTreeSet<Path>) {
    add_selection_paths(&measure.selection, paths);
    paths.extend(measure.property.iter().cloned());
}

fn add_selection_paths(selection: &EventSelection, paths: &mut BTreeSet<Path>) {
    paths.extend(selection.filters.iter().map(|filter| filter.property.clone()));
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
            match &leaf.test {
                Test::Audience { name, .. } => {
                    if followed.insert((Kind::Audience, name.as_str())) {
                        let audience = catalog.audience(name)?;
                        found.reads_other_facts |= audience.population == Population::Known;
                        open.push(&audience.rule);
                    }
                }
                Test::Feature { name, comparison } => {
                    let feature = catalog.feature(name)?;
                    found.add_feature(feature);
                    found.add_measured(&feature.measure, comparison);
                    if let (Some(length), Some(time)) =
                        (length_ms(comparison), feature.default.as_ref().and_then(instant))
                    {
                        found.absolute.extend([-length, 0, length].map(|offset| time.plus_millis(offset)));
                    }
                }
                Test::Cohort { predictor, .. } => {
                    found.reads_other_facts = true;
                    found.event_offsets.insert(0);
                    if followed.insert((Kind::Predictor, predictor.as_str())) {
                        open.extend(predictor_rules(catalog.predictor(predictor)?));
                    }
                }
                other => found.add(other),
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
        for (_, leaf) in rule.leaves("") {
            match &leaf.test {
                Test::Cohort { predictor: name, .. } if name == predictor => return true,
                Test::Cohort { predictor: name, .. } if followed.insert((Kind::Predictor, name.as_str())) => {
                    open.extend(catalog.predictor(name).into_iter().flat_map(predictor_rules));
                }
                Test::Audience { name, .. } if followed.insert((Kind::Audience, name.as_str())) => {
                    open.extend(catalog.audience(name).into_iter().map(|audience| &audience.rule));
                }
                _ => {}
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

    fn add(&mut self, test: &Test) {
        match test {
            Test::Trait { path, comparison } => {
                self.reads_other_facts = true;
                add_dates(&mut self.trait_offsets, path, comparison);
            }
            Test::Current { path, comparison } => add_dates(&mut self.current_offsets, path, comparison),
            Test::Event(EventTest::Measured { measure, comparison }) => {
                self.add_window(&measure.window);
                self.add_measured(measure, comparison);
            }
            Test::Event(EventTest::FirstTime { within, .. }) => self.event_offsets.extend([0, within.millis()]),
            Test::Sequence(sequence) => self.add_sequence(sequence),
            Test::Lifecycle(LifecycleTest::Stopped { active, silent, .. }) => {
                self.event_offsets.extend([0, active.millis(), silent.millis()]);
            }
            Test::Lifecycle(LifecycleTest::Restarted { silent, within, .. }) => {
                self.event_offsets.extend([0, silent.millis(), within.millis()]);
            }
            Test::Lifecycle(LifecycleTest::Regularly { period, of, .. }) => {
                self.event_offsets.extend((0..=i64::from(*of)).map(|index| period.millis().saturating_mul(index)));
            }
            Test::Identity(_) | Test::Consent { .. } | Test::Account { .. } => self.reads_other_facts = true,
            // Followed by the caller, who has the catalog.
            Test::Feature { .. } | Test::Audience { .. } | Test::Cohort { .. } => {}
        }
    }

    fn add_feature(&mut self, feature: &FeatureDefinition) {
        self.add_window(&feature.measure.window);
        self.event_offsets.extend(feature.ttl.map(|ttl| ttl.millis()));
    }

    fn add_window(&mut self, window: &FeatureWindow) {
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

    // The time of an event, compared with the instant of the question, passes a limit at a distance from the event.
    fn add_measured(&mut self, measure: &Measure, comparison: &Comparison) {
        if matches!(measure.aggregate, Aggregate::FirstAt | Aggregate::LastAt) {
            self.event_offsets.extend(length_ms(comparison));
        }
    }

    fn add_sequence(&mut self, sequence: &SequenceTest) {
        self.event_offsets.insert(0);
        self.event_offsets.extend(sequence.within.map(|within| within.millis()));
        // A `not` step is proven when its time is over; several in a row add up.
        let mut waited_ms: i64 = 0;
        for step in &sequence.steps {
            waited_ms = match step.within_previous {
                Some(length) if step.absent => waited_ms.saturating_add(length.millis()),
                _ => 0,
            };
            self.event_offsets.insert(waited_ms);
        }
    }
}

fn length_ms(comparison: &Comparison) -> Option<i64> {
    match comparison.operand {
        Operand::Length(length) => Some(length.millis()),
        _ => None,
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
