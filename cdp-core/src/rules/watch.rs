//! What of a rule can be followed as events come and leave its windows, so that most profiles need no look at their timeline.
//!
//! It takes a rule and the definitions it refers to and leaves its watched leaves: counts, and what stays as it is while no
//! event of certain names comes. For each of them a profile has a [`Range`] of what may be; from these the rule is decided
//! in three-valued logic. It errs towards not knowing, never towards a wrong answer.

use super::measure::{Measured, NOTHING};
use super::operators::{is_timeless, matches};
use super::{ProfileView, aggregates, leaves};
use crate::definitions::{Catalog, Comparison, EventSelection, FeatureWindow, Leaf, Measure, Operand, Rule};
use crate::error::Result;
use crate::records::{Number, Timestamp, Value};

/// How many leaves of a rule are watched; of further ones nothing is known.
pub const MAX_WATCHED: usize = 8;
/// The count from which on numbers are treated as equal.
const MANY: u8 = u8::MAX;

/// What a watched leaf may be for one profile: a count between two ends, or for a leaf that stands still 0 for false and 1
/// for true. Ends of 255 mean that count or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// It is no less.
    pub least: u8,
    /// It is no more.
    pub greatest: u8,
}

/// What the watched leaves of a rule may be for one profile, in their order.
pub type Ranges = [Range; MAX_WATCHED];

impl Range {
    /// Nothing is known.
    pub const UNKNOWN: Range = Range { least: 0, greatest: MANY };
    /// Nothing has happened.
    pub const NONE: Range = Range { least: 0, greatest: 0 };

    fn exactly(count: u64) -> Range {
        let count = u8::try_from(count).unwrap_or(MANY);
        Range { least: count, greatest: count }
    }

    /// The bounds with more events: some that count for certain, and some that may.
    #[must_use]
    pub fn plus(self, certain: usize, possible: usize) -> Range {
        let add = |end: u8, n: usize| u8::try_from(usize::from(end).saturating_add(n)).unwrap_or(MANY);
        Range { least: add(self.least, certain), greatest: add(self.greatest, certain.saturating_add(possible)) }
    }

    /// The bounds with fewer events; `certain`: whether each of them was counted.
    #[must_use]
    pub fn minus(self, n: usize, certain: bool) -> Range {
        let n = u8::try_from(n).unwrap_or(MANY);
        let greatest = match self.greatest {
            MANY => MANY,
            greatest if certain => greatest.saturating_sub(n),
            greatest => greatest,
        };
        Range { least: self.least.saturating_sub(n).min(greatest), greatest }
    }

    /// The counts of two together.
    #[must_use]
    pub fn and(self, other: Range) -> Range {
        Range { least: self.least.saturating_add(other.least), greatest: self.greatest.saturating_add(other.greatest) }
    }

    /// From the least to the greatest of two.
    #[must_use]
    pub fn or(self, other: Range) -> Range {
        Range { least: self.least.min(other.least), greatest: self.greatest.max(other.greatest) }
    }
}

/// How a watched leaf follows events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// It counts the events of its selection, those of the last milliseconds or all.
    Count {
        /// The length of the window.
        window_ms: Option<i64>,
    },
    /// Its outcome is the same until an event of its names comes.
    Still,
}

/// A leaf that is watched.
#[derive(Clone, Debug)]
pub struct WatchedLeaf {
    /// Which events matter to it.
    pub selection: EventSelection,
    /// How it follows them.
    pub follows: Follows,
    leaf: Leaf,
    outcomes: Outcomes,
}

/// What a comparison says of each count.
#[derive(Clone, Debug)]
struct Outcomes {
    /// For how many counts below each it holds.
    n_true_below: [u16; MANY as usize + 1],
    /// What it says of all that are larger, if that is one answer.
    of_many: Option<bool>,
}

impl Outcomes {
    fn of(holds: impl Fn(u64) -> bool, of_many: Option<bool>) -> Outcomes {
        let (mut n_true_below, mut n_true) = ([0; MANY as usize + 1], 0);
        for (count, below) in (0..).zip(&mut n_true_below) {
            *below = n_true;
            n_true += u16::from(holds(count));
        }
        Outcomes { n_true_below, of_many }
    }

    fn decide(&self, range: Range) -> Option<bool> {
        // The counts of the range that differ; then all larger ones.
        let (from, to) = (usize::from(range.least), usize::from(range.greatest));
        let end = if range.greatest == MANY { to } else { to + 1 };
        let below = |place: usize| self.n_true_below.get(place).copied().map(usize::from);
        let (n_true, n) = (below(end)? - below(from)?, end - from);
        let of_few = match n_true {
            0 => Some(false),
            n_true if n_true == n => Some(true),
            _ => None,
        };
        match range.greatest {
            MANY if n == 0 => self.of_many,
            MANY => of_few.filter(|of_few| self.of_many == Some(*of_few)),
            _ => of_few,
        }
    }
}

/// The rule over its watched leaves.
#[derive(Clone, Debug)]
enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
    AtLeast(usize, Vec<Tree>),
    // The place of a watched leaf.
    Leaf(usize),
    Unknown,
}

/// What can be followed of a rule.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The watched leaves.
    pub leaves: Vec<WatchedLeaf>,
    tree: Tree,
}

impl Watch {
    /// What can be followed of a rule. Fails with `NotFound` if a feature that it names is not defined.
    pub fn of(rule: &Rule, catalog: &Catalog) -> Result<Watch> {
        let mut leaves = Vec::new();
        let tree = Tree::of(rule, catalog, &mut leaves)?;
        Ok(Watch { leaves, tree })
    }

    /// Whether the rule holds where its leaves lie in these ranges; `None` if they do not decide it.
    pub fn decide(&self, ranges: &Ranges) -> Option<bool> {
        self.tree.decide(&self.leaves, ranges)
    }

    /// What the leaves are for a profile at an instant.
    pub fn ranges(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Ranges> {
        let mut ranges = [Range::UNKNOWN; MAX_WATCHED];
        for (leaf, range) in self.leaves.iter().zip(&mut ranges) {
            *range = leaf.range(view, at)?;
        }
        Ok(ranges)
    }

    /// The bounds of two profiles that become one.
    pub fn sum(&self, left: &Ranges, right: &Ranges) -> Ranges {
        let mut ranges = [Range::UNKNOWN; MAX_WATCHED];
        for (place, (leaf, range)) in self.leaves.iter().zip(&mut ranges).enumerate() {
            if let (Follows::Count { .. }, Some(left), Some(right)) = (leaf.follows, left.get(place), right.get(place))
            {
                *range = left.and(*right);
            }
        }
        ranges
    }

    /// The bounds of a profile without events.
    pub fn ranges_without_events(&self) -> Ranges {
        let mut ranges = [Range::UNKNOWN; MAX_WATCHED];
        for (leaf, range) in self.leaves.iter().zip(&mut ranges) {
            if matches!(leaf.follows, Follows::Count { .. }) {
                *range = Range::NONE;
            }
        }
        ranges
    }
}

impl WatchedLeaf {
    fn range(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Range> {
        match self.follows {
            Follows::Still => Ok(Range::exactly(u64::from(leaves::test(&self.leaf, view, at)?.matched))),
            Follows::Count { .. } => {
                let outcome = leaves::test(&self.leaf, view, at)?;
                Ok(match outcome.found {
                    Some(Value::Number(number)) => match number.as_i64().and_then(|count| u64::try_from(count).ok()) {
                        Some(count) => Range::exactly(count),
                        None => Range::UNKNOWN,
                    },
                    _ => Range::UNKNOWN,
                })
            }
        }
    }
}

impl Tree {
    fn of(rule: &Rule, catalog: &Catalog, watched: &mut Vec<WatchedLeaf>) -> Result<Tree> {
        let mut all = |rules: &[Rule]| -> Result<Vec<Tree>> {
            rules.iter().map(|rule| Tree::of(rule, catalog, watched)).collect()
        };
        Ok(match rule {
            Rule::All(rules) => Tree::All(all(rules)?),
            Rule::Any(rules) => Tree::Any(all(rules)?),
            Rule::AtLeast { n, of } => Tree::AtLeast(*n, all(of)?),
            Rule::Not(rule) => Tree::Not(Box::new(Tree::of(rule, catalog, watched)?)),
            Rule::Leaf(leaf) => match leaves::of(leaf).follow(catalog)? {
                Some(Followed { selection, follows, outcomes }) if watched.len() < MAX_WATCHED => {
                    watched.push(WatchedLeaf { selection, follows, leaf: leaf.clone(), outcomes });
                    Tree::Leaf(watched.len() - 1)
                }
                _ => Tree::Unknown,
            },
        })
    }

    fn decide(&self, leaves: &[WatchedLeaf], ranges: &Ranges) -> Option<bool> {
        match self {
            Tree::Unknown => None,
            Tree::Leaf(place) => leaves.get(*place)?.outcomes.decide(*ranges.get(*place)?),
            Tree::Not(tree) => tree.decide(leaves, ranges).map(|holds| !holds),
            Tree::All(trees) => at_least(trees.len(), trees, leaves, ranges),
            Tree::Any(trees) => at_least(1, trees, leaves, ranges),
            Tree::AtLeast(n, trees) => at_least(*n, trees, leaves, ranges),
        }
    }
}

/// Whether at least this number holds.
fn at_least(n: usize, trees: &[Tree], leaves: &[WatchedLeaf], ranges: &Ranges) -> Option<bool> {
    let (mut n_true, mut n_open) = (0, trees.len());
    for tree in trees {
        if n_true >= n || n_true + n_open < n {
            break;
        }
        match tree.decide(leaves, ranges) {
            Some(true) => (n_true, n_open) = (n_true + 1, n_open - 1),
            Some(false) => n_open -= 1,
            None => {}
        }
    }
    match n_true {
        n_true if n_true >= n => Some(true),
        n_true if n_true + n_open < n => Some(false),
        _ => None,
    }
}

/// How a leaf can be followed as events come and leave windows.
pub(crate) struct Followed {
    selection: EventSelection,
    follows: Follows,
    outcomes: Outcomes,
}

/// How a comparison of a measure can be followed. `is_count_shown`: whether a count of events is the value that is compared,
/// and nothing else stands for a count of zero.
pub(super) fn follow_measure(measure: &Measure, comparison: &Comparison, is_count_shown: bool) -> Option<Followed> {
    let followed = |follows, outcomes| Some(Followed { selection: measure.selection.clone(), follows, outcomes });
    let of_counts = if is_count_shown { outcomes_of_counts(measure, comparison) } else { None };
    let is_fixed = match measure.window {
        FeatureWindow::Ever | FeatureWindow::Since(_) | FeatureWindow::Between(..) => true,
        FeatureWindow::Within(_) | FeatureWindow::BetweenAgo(..) => false,
    };
    match (of_counts, &measure.window) {
        (Some(outcomes), FeatureWindow::Ever) => followed(Follows::Count { window_ms: None }, outcomes),
        (Some(outcomes), FeatureWindow::Within(length)) => {
            followed(Follows::Count { window_ms: Some(length.millis()) }, outcomes)
        }
        _ if is_fixed && is_timeless(comparison) => {
            followed(Follows::Still, Outcomes::of(|outcome| outcome == 1, None))
        }
        _ => None,
    }
}

/// What a comparison says of each count, if the measure counts events.
fn outcomes_of_counts(measure: &Measure, comparison: &Comparison) -> Option<Outcomes> {
    if !aggregates::of(measure.aggregate).counts_events() {
        return None;
    }
    let greatest_bound = match &comparison.operand {
        Operand::Number(number) | Operand::Value(Value::Number(number)) => *number,
        Operand::Numbers(low, high) => *low.max(high),
        _ => return None,
    };
    let holds = |count: u64| {
        let value = usize::try_from(count).ok().filter(|count| *count > 0).map(Value::count);
        let found = match value {
            Some(value) => Measured { value: Some(value), latest: None },
            None => NOTHING,
        };
        matches(comparison, Some(&found.in_comparison(measure.aggregate)), Timestamp::default())
    };
    // Behind all bounds every count has the same answer.
    let of_many = (greatest_bound < Number::from_i64(i64::from(MANY))).then(|| holds(u64::from(MANY)));
    Some(Outcomes::of(holds, of_many))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::definitions::Definition;

    fn watch(rule: &str) -> Watch {
        let feature = r#"{"kind":"feature","name":"spend","event":"Paid","agg":"sum","property":"amount","default":0}"#;
        let mut catalog = Catalog::default();
        catalog.insert(1, Arc::new(Definition::parse(feature).unwrap()));
        let rule = Rule::from_value(&Value::parse(rule.as_bytes()).unwrap()).unwrap();
        Watch::of(&rule, &catalog).unwrap()
    }

    fn ranges(of: &[(u8, u8)]) -> Ranges {
        let mut ranges = [Range::UNKNOWN; MAX_WATCHED];
        for (range, (least, greatest)) in ranges.iter_mut().zip(of) {
            *range = Range { least: *least, greatest: *greatest };
        }
        ranges
    }

    #[test]
    fn a_count_is_decided_where_all_of_its_range_agrees() {
        let watch = watch(r#"{"event":"A","count":{"gte":3},"within":"7d"}"#);
        let decide = |least, greatest| watch.decide(&ranges(&[(least, greatest)]));
        assert_eq!(watch.leaves[0].follows, Follows::Count { window_ms: Some(7 * 86_400_000) });
        assert_eq!((decide(0, 2), decide(3, 3), decide(2, 3)), (Some(false), Some(true), None));
        assert_eq!((decide(0, 255), decide(3, 255), decide(255, 255)), (None, Some(true), Some(true)));
    }

    #[test]
    fn every_operator_is_decided_as_the_counts_are_compared() {
        for (operator, wanted) in [("eq", "2"), ("ne", "2"), ("lt", "1"), ("lte", "0"), ("gt", "253"), ("gte", "300")] {
            let watch = watch(&format!(r#"{{"event":"A","count":{{"{operator}":{wanted}}}}}"#));
            let limit: u64 = wanted.parse().unwrap();
            let holds = |count: u64| match operator {
                "eq" => count == limit,
                "ne" => count != limit,
                "lt" => count < limit,
                "lte" => count <= limit,
                "gt" => count > limit,
                _ => count >= limit,
            };
            for least in 0..=255u8 {
                for greatest in [least, least.saturating_add(1), 254, 255] {
                    if greatest < least {
                        continue;
                    }
                    let last = if greatest == 255 { 1_000 } else { u64::from(greatest) };
                    let n = (u64::from(least)..=last).filter(|count| holds(*count)).count() as u64;
                    let decided = watch.decide(&ranges(&[(least, greatest)]));
                    match decided {
                        Some(true) => assert_eq!(n, last + 1 - u64::from(least), "{operator} {least} {greatest}"),
                        Some(false) => assert_eq!(n, 0, "{operator} {least} {greatest}"),
                        // Only counts that differ need an answer.
                        None => assert!(limit > 254 || (n > 0 && n < last + 1 - u64::from(least))),
                    }
                }
            }
        }
    }

    #[test]
    fn a_rule_is_decided_by_what_is_known_of_it() {
        let watch = watch(
            r#"{"all":[{"feature":"spend","op":"gte","value":100},{"not":{"event":"B"}},{"trait":"plan","op":"eq","value":"x"}]}"#,
        );
        assert_eq!(watch.leaves[0].follows, Follows::Still);
        let decide = |spend, bought| watch.decide(&ranges(&[spend, bought]));
        assert_eq!((decide((0, 0), (0, 255)), decide((1, 1), (1, 3))), (Some(false), Some(false)));
        assert_eq!((decide((1, 1), (0, 0)), decide((0, 255), (0, 0))), (None, None));
    }

    #[test]
    fn ranges_follow_what_comes_and_leaves() {
        let range = Range { least: 2, greatest: 3 };
        assert_eq!(range.plus(2, 1), Range { least: 4, greatest: 6 });
        assert_eq!(range.minus(1, true), Range { least: 1, greatest: 2 });
        assert_eq!(range.minus(1, false), Range { least: 1, greatest: 3 });
        assert_eq!(Range::NONE.minus(2, true), Range::NONE);
        assert_eq!(Range::UNKNOWN.minus(2, true), Range::UNKNOWN);
        assert_eq!(Range { least: 250, greatest: 254 }.plus(9, 0), Range { least: 255, greatest: 255 });
        assert_eq!(range.and(range), Range { least: 4, greatest: 6 });
        assert_eq!(range.and(Range::UNKNOWN), Range { least: 2, greatest: 255 });
        assert_eq!(range.or(Range::NONE), Range { least: 0, greatest: 3 });
    }
}
