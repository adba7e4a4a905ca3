//! The leaves `stopped`, `restarted` and `regularly`: a habit ended, began again or holds.
//!
//! It takes the windows of a lifecycle leaf, all looking back from the instant of the question, and leaves true or
//! false. It keeps no state between questions.

use super::{LeafRule, Outcome, ProfileView, Reads};
use crate::definitions::{Catalog, EventSelection, LifecycleTest};
use crate::error::Result;
use crate::records::Timestamp;
use crate::rules::dependencies::Lookbacks;
use crate::rules::plan::{Node, Plan};
use crate::rules::timeline::{Selector, part};

impl LeafRule for LifecycleTest {
    fn test(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
        Ok(Outcome::of(holds(self, view, at)))
    }

    fn reads<'r>(&'r self, reads: &mut Reads<'r>) {
        reads.add_selection(selection(self));
    }

    fn add_lookbacks(&self, _catalog: &Catalog, found: &mut Lookbacks) -> Result<()> {
        match self {
            LifecycleTest::Stopped { active, silent, .. } => {
                found.event_offsets.extend([0, active.millis(), silent.millis()]);
            }
            LifecycleTest::Restarted { silent, within, .. } => {
                found.event_offsets.extend([0, silent.millis(), within.millis()]);
            }
            LifecycleTest::Regularly { period, of, .. } => {
                let ends = (0..=i64::from(*of)).map(|index| period.millis().saturating_mul(index));
                found.event_offsets.extend(ends);
            }
        }
        Ok(())
    }

    fn plan<'c>(&'c self, plan: &mut Plan<'c>) -> Result<Node<'c>> {
        Ok(match self {
            LifecycleTest::Stopped { selection, active, silent } => Node::All(vec![
                Node::Not(Box::new(plan.happened(selection, Some(silent.millis()), 0))),
                plan.happened(selection, Some(active.millis()), silent.millis()),
            ]),
            LifecycleTest::Restarted { selection, silent, within } => Node::All(vec![
                plan.happened(selection, Some(within.millis()), 0),
                Node::Not(Box::new(plan.happened(selection, Some(silent.millis()), within.millis()))),
                plan.happened(selection, None, silent.millis()),
            ]),
            LifecycleTest::Regularly { .. } => Node::Unknown,
        })
    }
}

fn holds(test: &LifecycleTest, view: &dyn ProfileView, at: Timestamp) -> bool {
    // How many selected events lie in (t - from, t - to], counted up to `enough`.
    let selector = Selector::new(selection(test), view);
    let count = |from_ms: i64, to_ms: i64, enough: usize| {
        let after = if from_ms == i64::MAX { i64::MIN } else { at.plus_millis(-from_ms).millis() };
        let events = part(view.events(), after, at.plus_millis(-to_ms).millis());
        events.iter().filter(|event| selector.selects(event)).take(enough).count()
    };
    let any = |from_ms: i64, to_ms: i64| count(from_ms, to_ms, 1) > 0;
    match test {
        LifecycleTest::Stopped { active, silent, .. } => {
            !any(silent.millis(), 0) && any(active.millis(), silent.millis())
        }
        LifecycleTest::Restarted { silent, within, .. } => {
            any(within.millis(), 0) && !any(silent.millis(), within.millis()) && any(i64::MAX, silent.millis())
        }
        LifecycleTest::Regularly { period, min_count, min_periods, of, .. } => {
            let enough = usize::try_from(*min_count).unwrap_or(usize::MAX);
            let busy = (0..i64::from(*of)).filter(|index| {
                let newest_ms = period.millis().saturating_mul(*index);
                count(newest_ms.saturating_add(period.millis()), newest_ms, enough) >= enough
            });
            busy.take(*min_periods as usize).count() >= *min_periods as usize
        }
    }
}

fn selection(test: &LifecycleTest) -> &EventSelection {
    match test {
        LifecycleTest::Stopped { selection, .. }
        | LifecycleTest::Restarted { selection, .. }
        | LifecycleTest::Regularly { selection, .. } => selection,
    }
}
