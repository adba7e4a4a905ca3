//! Answers rules and features for a whole population from columns of events, without a timeline for anybody.
//!
//! A [`Plan`] takes rules and features and lists what has to be counted, summed or dated for each profile. One pass over
//! blocks of events fills the [`Tallies`]; the trees of the rules are then decided over them in three-valued logic, for
//! what depends on traits, identity, consent, scores or the order of events is not known here. A profile whose answer
//! stays unknown is asked [`evaluate`](super::evaluate). An answer that is given equals the one of `evaluate`, always
//! (law 7).

mod block;
mod choice;
mod decide;
mod tally;

pub use block::{EventBlock, LARGE_NUMBER, NO_NUMBER, NOBODY};
pub use decide::Verdicts;
pub use tally::Tallies;

use std::collections::BTreeMap;

use super::operators::matches;
use super::timeline::bounds;
use super::{aggregates, leaves};
use crate::definitions::{
    AudienceDefinition, Catalog, Comparison, EventSelection, FeatureDefinition, FeatureWindow, Measure, Population,
    Rule,
};
use crate::error::{Error, Result};
use crate::records::{Duration, Path, Timestamp, Value};

/// What has to be gathered for some rules and features at one instant.
pub struct Plan<'c> {
    catalog: &'c Catalog,
    at: Timestamp,
    columns: Vec<Path>,
    selections: Vec<Selection<'c>>,
    tallies: Vec<AskedTally>,
    /// A tree refers only to trees before it.
    trees: Vec<Node<'c>>,
    audiences: BTreeMap<&'c str, AudienceState>,
    features: Vec<(&'c FeatureDefinition, Gathered)>,
}

/// A rule of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedRule(usize);

/// A feature of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedFeature(usize);

#[derive(Clone, Copy)]
enum AudienceState {
    Open,
    Planned(usize),
}

/// The events that some tallies look at: those of a selection in `(after, until]`.
#[derive(PartialEq)]
struct Selection<'c> {
    asked: &'c EventSelection,
    after_ms: i64,
    until_ms: i64,
    /// The column of each filter.
    columns: Vec<usize>,
}

/// What a pass keeps for each profile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TallyKind {
    Count,
    Total,
    Least,
    Greatest,
    Earliest,
    Latest,
}

/// One value for each profile; with a column, over the numbers in it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct AskedTally {
    selection: usize,
    column: Option<usize>,
    kind: TallyKind,
}

/// Where the value of a measure stands in the tallies.
#[derive(Clone, Copy)]
struct Gathered {
    value: GatheredValue,
    /// The time of the latest event that contributed, where it is needed.
    latest: Option<usize>,
}

/// How a value is read from its tallies.
#[derive(Clone, Copy)]
pub(crate) enum GatheredValue {
    Count(usize),
    Sum { count: usize, total: usize },
    Average { count: usize, total: usize },
    Extreme(usize),
    Time(usize),
    Exists(usize),
}

/// What a pass over columns says of a part of a rule.
pub(crate) enum Node<'c> {
    All(Vec<Node<'c>>),
    Any(Vec<Node<'c>>),
    Not(Box<Node<'c>>),
    AtLeast {
        n: usize,
        of: Vec<Node<'c>>,
    },
    /// The outcome of another tree.
    Tree(usize),
    Compared(Compared<'c>),
    /// The time in a tally lies after this one.
    FirstAfter {
        earliest: usize,
        after_ms: i64,
    },
    /// A count is not zero.
    Happened(usize),
    /// Events alone do not say it.
    Unknown,
}

/// A comparison with what was gathered.
pub(crate) struct Compared<'c> {
    gathered: Gathered,
    /// An event before or at this time is too old to count.
    fresh_after_ms: Option<i64>,
    comparison: &'c Comparison,
    /// The outcome where no event contributed, or none that is fresh.
    of_nothing: bool,
}

impl<'c> Plan<'c> {
    /// A plan for the instant `at`, with nothing in it.
    pub fn new(catalog: &'c Catalog, at: Timestamp) -> Plan<'c> {
        Plan {
            catalog,
            at,
            columns: Vec::new(),
            selections: Vec::new(),
            tallies: Vec::new(),
            trees: Vec::new(),
            audiences: BTreeMap::new(),
            features: Vec::new(),
        }
    }

    /// Adds a rule. Fails with `NotFound` if a feature or audience that it names is not defined.
    pub fn add_rule(&mut self, rule: &'c Rule) -> Result<PlannedRule> {
        let node = self.node(rule)?;
        Ok(PlannedRule(self.add_tree(node)))
    }

    /// Adds an audience: its rule, and its population.
    pub fn add_audience(&mut self, audience: &'c AudienceDefinition) -> Result<PlannedRule> {
        self.audience(audience).map(PlannedRule)
    }

    /// Adds a feature; `None` if its value cannot be gathered by a pass and each profile must be asked.
    pub fn add_feature(&mut self, feature: &'c FeatureDefinition) -> Option<PlannedFeature> {
        let gathered = self.gather(&feature.measure, feature.ttl.is_some())?;
        self.features.push((feature, gathered));
        Some(PlannedFeature(self.features.len() - 1))
    }

    /// The properties that a pass reads; a block is asked for them by their places in this list.
    pub fn columns(&self) -> &[Path] {
        &self.columns
    }

    /// UTC milliseconds before which no event counts for any selection; `None` if one reaches back for ever.
    pub fn since_ms(&self) -> Option<i64> {
        let first = self.selections.iter().map(|selection| selection.after_ms).min()?;
        (first != i64::MIN).then(|| first.saturating_add(1))
    }

    /// Whether a pass over the events can decide anything.
    pub fn reads_events(&self) -> bool {
        !self.tallies.is_empty()
    }

    /// Begins a pass over the events of `n_profiles` profiles; `number` gives the number of an event name.
    ///
    /// Takes 4 to 16 bytes for each profile and tally.
    pub fn start<'p>(&'p self, n_profiles: usize, number: &dyn Fn(&str) -> Option<u32>) -> Tallies<'p> {
        Tallies::new(self, n_profiles, number)
    }

    fn add_tree(&mut self, node: Node<'c>) -> usize {
        self.trees.push(node);
        self.trees.len() - 1
    }

    fn audience(&mut self, audience: &'c AudienceDefinition) -> Result<usize> {
        match self.audiences.insert(&audience.name, AudienceState::Open) {
            Some(AudienceState::Planned(tree)) => {
                self.audiences.insert(&audience.name, AudienceState::Planned(tree));
                return Ok(tree);
            }
            Some(AudienceState::Open) => return Err(Error::internal("an audience refers to itself")),
            None => {}
        }
        let rule = self.node(&audience.rule)?;
        let node = match audience.population {
            Population::Everybody => rule,
            Population::Known => Node::All(vec![rule, Node::Unknown]),
        };
        // Each audience is decided once for each profile, however often others refer to it.
        let tree = self.add_tree(node);
        self.audiences.insert(&audience.name, AudienceState::Planned(tree));
        Ok(tree)
    }

    fn node(&mut self, rule: &'c Rule) -> Result<Node<'c>> {
        Ok(match rule {
            Rule::All(rules) => Node::All(self.nodes(rules)?),
            Rule::Any(rules) => Node::Any(self.nodes(rules)?),
            Rule::Not(rule) => Node::Not(Box::new(self.node(rule)?)),
            Rule::AtLeast { n, of } => Node::AtLeast { n: *n, of: self.nodes(of)? },
            Rule::Leaf(leaf) => leaves::of(leaf).plan(self)?,
        })
    }

    fn nodes(&mut self, rules: &'c [Rule]) -> Result<Vec<Node<'c>>> {
        rules.iter().map(|rule| self.node(rule)).collect()
    }

    /// The definitions to which rules refer.
    pub(super) fn catalog(&self) -> &'c Catalog {
        self.catalog
    }

    /// The instant of the plan.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether the profile is in an audience.
    pub(super) fn node_of_audience(&mut self, audience: &'c AudienceDefinition) -> Result<Node<'c>> {
        Ok(Node::Tree(self.audience(audience)?))
    }

    /// Whether the first event of a selection lies in `(t - within, t]`.
    pub(super) fn first_within(&mut self, selection: &'c EventSelection, within: Duration) -> Node<'c> {
        let selected = self.selection(selection, bounds(&FeatureWindow::Ever, self.at));
        let earliest = self.tally(selected, None, TallyKind::Earliest);
        Node::FirstAfter { earliest, after_ms: self.at.plus_millis(-within.millis()).millis() }
    }

    /// Whether there is an event in `(t - from, t - to]`; without `from`, ever until `t - to`.
    pub(super) fn happened(&mut self, selection: &'c EventSelection, from_ms: Option<i64>, to_ms: i64) -> Node<'c> {
        let ago = |length_ms: i64| self.at.plus_millis(-length_ms).millis();
        let window = (from_ms.map_or(i64::MIN, ago), ago(to_ms));
        let selection = self.selection(selection, window);
        Node::Happened(self.tally(selection, None, TallyKind::Count))
    }

    /// How what a measure gives compares; `absent` is the value that is compared where no event contributed, or none within
    /// `ttl`.
    pub(super) fn compared(
        &mut self,
        measure: &'c Measure,
        comparison: &'c Comparison,
        ttl: Option<Duration>,
        absent: &Value,
    ) -> Node<'c> {
        let fresh_after_ms = ttl.map(|ttl| self.at.plus_millis(-ttl.millis()).millis());
        let Some(gathered) = self.gather(measure, fresh_after_ms.is_some()) else { return Node::Unknown };
        let of_nothing = matches(comparison, Some(absent), self.at);
        Node::Compared(Compared { gathered, fresh_after_ms, comparison, of_nothing })
    }

    fn gather(&mut self, measure: &'c Measure, needs_latest: bool) -> Option<Gathered> {
        let aggregate = aggregates::of(measure.aggregate);
        // A measure that columns cannot give asks for no tally, and then no column is read for it.
        let mut events = None;
        let mut tally = |kind| {
            let (selection, column) = *events.get_or_insert_with(|| {
                let selection = self.selection(&measure.selection, bounds(&measure.window, self.at));
                (selection, measure.property.as_ref().map(|property| self.column(property)))
            });
            self.tally(selection, column, kind)
        };
        let value = aggregate.gather(&mut tally)?;
        Some(Gathered { value, latest: needs_latest.then(|| tally(aggregate.latest_event())) })
    }

    fn column(&mut self, path: &Path) -> usize {
        place_or_push(&mut self.columns, path.clone())
    }

    fn selection(&mut self, asked: &'c EventSelection, (after_ms, until_ms): (i64, i64)) -> usize {
        let columns = asked.filters.iter().map(|filter| self.column(&filter.property)).collect();
        place_or_push(&mut self.selections, Selection { asked, after_ms, until_ms, columns })
    }

    fn tally(&mut self, selection: usize, column: Option<usize>, kind: TallyKind) -> usize {
        place_or_push(&mut self.tallies, AskedTally { selection, column, kind })
    }
}

fn place_or_push<T: PartialEq>(items: &mut Vec<T>, item: T) -> usize {
    items.iter().position(|known| *known == item).unwrap_or_else(|| {
        items.push(item);
        items.len() - 1
    })
}
