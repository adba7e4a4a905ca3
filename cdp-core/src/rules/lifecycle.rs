//! Whether a habit ended, began again or holds.
//!
//! It takes the windows of a lifecycle leaf, all looking back from the instant of the question, and leaves true or
//! false. It keeps no state between questions.

use super::ProfileView;
use super::timeline::{Selector, part};
use crate::definitions::{EventSelection, LifecycleTest};
use crate::records::Timestamp;

/// Whether a lifecycle leaf holds at an instant.
pub(crate) fn holds(test: &LifecycleTest, view: &dyn ProfileView, at: Timestamp) -> bool {
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
