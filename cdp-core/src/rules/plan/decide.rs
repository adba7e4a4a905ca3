//! Decides the trees of a plan over what was gathered, in three-valued logic, and gives the values of its features.
//!
//! It takes filled [`Tallies`] and leaves true, false or unknown for each profile. It never guesses: what was not
//! gathered is unknown, and so is whatever depends on it.

use super::tally::{MOST_SUMMANDS, OVERFLOWN, Tallies, Tally};
use super::{Compared, GatheredValue, Node, PlannedFeature, PlannedRule};
use crate::records::{Number, Timestamp, Value};
use crate::rules::measure::Measured;
use crate::rules::operators::{matches, matches_instant};

/// What the events say of every rule of a plan.
pub struct Verdicts(Vec<Vec<Option<bool>>>);

/// What a measure found for one profile, before it becomes a value.
enum Found {
    Nothing,
    Number(Number),
    Time(Timestamp),
    Something,
}

impl Verdicts {
    /// For each profile whether the rule holds; `None` where events alone do not say it.
    pub fn of(&self, rule: PlannedRule) -> &[Option<bool>] {
        self.0.get(rule.0).map_or(&[], Vec::as_slice)
    }
}

impl Tallies<'_> {
    /// Decides every rule of the plan for every profile, as far as events say it. A profile without events is decided
    /// like any other.
    pub fn verdicts(&self) -> Verdicts {
        let mut verdicts = Verdicts(Vec::with_capacity(self.plan.trees.len()));
        for tree in &self.plan.trees {
            let verdict = (0..self.n_profiles).map(|profile| self.truth(tree, profile, &verdicts)).collect();
            verdicts.0.push(verdict);
        }
        verdicts
    }

    /// The value of a feature for a profile; `None` if the profile must be asked, for a sum may have left 128 bits.
    pub fn feature(&self, feature: PlannedFeature, profile: u32) -> Option<Value> {
        let (definition, gathered) = self.plan.features.get(feature.0)?;
        let profile = profile as usize;
        let value = match self.found(gathered.value, profile)? {
            Found::Nothing => None,
            Found::Number(number) => Some(Value::Number(number)),
            Found::Time(time) => Some(Value::Text(time.to_string())),
            Found::Something => Some(Value::Bool(true)),
        };
        let latest = gathered.latest.and_then(|tally| self.time(tally, profile)).filter(|_| value.is_some());
        Some(Measured { value, latest }.in_feature(definition, self.plan.at))
    }

    fn truth(&self, node: &Node<'_>, profile: usize, decided: &Verdicts) -> Option<bool> {
        let truth = |node: &Node<'_>| self.truth(node, profile, decided);
        match node {
            Node::All(nodes) => all(nodes.iter().map(truth)),
            Node::Any(nodes) => all(nodes.iter().map(|node| truth(node).map(|holds| !holds))).map(|none| !none),
            Node::Not(node) => truth(node).map(|holds| !holds),
            Node::AtLeast { n, of } => {
                let (mut held, mut open) = (0, 0);
                for node in of {
                    match truth(node) {
                        Some(holds) => held += usize::from(holds),
                        None => open += 1,
                    }
                }
                if held >= *n { Some(true) } else { (held + open < *n).then_some(false) }
            }
            Node::Tree(tree) => *decided.0.get(*tree)?.get(profile)?,
            Node::Compared(compared) => self.compare(compared, profile),
            Node::FirstAfter { earliest, after_ms } => {
                Some(self.time(*earliest, profile).is_some_and(|first| first.millis() > *after_ms))
            }
            Node::Happened(count) => Some(self.count(*count, profile)? > 0),
            Node::Unknown => None,
        }
    }

    fn compare(&self, compared: &Compared<'_>, profile: usize) -> Option<bool> {
        let Compared { gathered, fresh_after_ms, comparison, of_nothing } = compared;
        if let (Some(fresh_after_ms), Some(latest)) = (fresh_after_ms, gathered.latest)
            && self.time(latest, profile).is_some_and(|latest| latest.millis() <= *fresh_after_ms)
        {
            return Some(*of_nothing);
        }
        Some(match self.found(gathered.value, profile)? {
            Found::Nothing => *of_nothing,
            Found::Number(number) => matches(comparison, Some(&Value::Number(number)), self.plan.at),
            Found::Time(time) => matches_instant(comparison, time, self.plan.at),
            Found::Something => matches(comparison, Some(&Value::Bool(true)), self.plan.at),
        })
    }

    /// The value of a measure; `None` if the pass cannot decide it.
    fn found(&self, value: GatheredValue, profile: usize) -> Option<Found> {
        let some = |n: u32, found: Option<Number>| if n == 0 { Some(Found::Nothing) } else { found.map(Found::Number) };
        match value {
            GatheredValue::Count(count) => {
                let n = self.count(count, profile)?;
                some(n, Some(Number::from_i64(i64::from(n))))
            }
            GatheredValue::Sum { count, total } => {
                let n = self.count(count, profile)?;
                some(n, self.total(total, n, profile))
            }
            GatheredValue::Average { count, total } => {
                let n = self.count(count, profile)?;
                some(n, self.total(total, n, profile).and_then(|total| total.divide_by_count(u64::from(n))))
            }
            GatheredValue::Extreme(tally) => {
                let (nanos, nothing) = match self.tallies.get(tally)? {
                    Tally::Least(least) => (*least.get(profile)?, i128::MAX),
                    Tally::Greatest(greatest) => (*greatest.get(profile)?, i128::MIN),
                    _ => return None,
                };
                Some(if nanos == nothing { Found::Nothing } else { Found::Number(Number::from_nanos(nanos)) })
            }
            GatheredValue::Time(tally) => Some(self.time(tally, profile).map_or(Found::Nothing, Found::Time)),
            GatheredValue::Exists(count) => {
                Some(if self.count(count, profile)? > 0 { Found::Something } else { Found::Nothing })
            }
        }
    }

    // A count that has reached the greatest number may be greater.
    fn count(&self, tally: usize, profile: usize) -> Option<u32> {
        let Some(Tally::Counts(counts)) = self.tallies.get(tally) else { return None };
        counts.get(profile).copied().filter(|n| *n < u32::MAX)
    }

    /// The sum of `n` numbers.
    fn total(&self, tally: usize, n: u32, profile: usize) -> Option<Number> {
        let Some(Tally::Totals(totals)) = self.tallies.get(tally) else { return None };
        let total = totals.get(profile).copied().filter(|total| *total != OVERFLOWN && n <= MOST_SUMMANDS);
        total.map(Number::from_nanos)
    }

    fn time(&self, tally: usize, profile: usize) -> Option<Timestamp> {
        let (time_ms, nothing) = match self.tallies.get(tally)? {
            Tally::Earliest(earliest) => (*earliest.get(profile)?, i64::MAX),
            Tally::Latest(latest) => (*latest.get(profile)?, i64::MIN),
            _ => return None,
        };
        (time_ms != nothing).then(|| Timestamp::from_millis(time_ms))
    }
}

/// Whether all hold: one that does not decides, one that is unknown leaves it open.
fn all(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = Some(true);
    for truth in truths {
        match truth {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = None,
        }
    }
    known
}
