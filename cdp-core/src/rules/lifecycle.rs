//! Whether a habit ended, began again or holds.
//!
//! It takes the windows of a lifecycle leaf, all looking back from the instant of the question, and leaves true or
//! false. It keeps no state between questions.

use super::ProfileView;
use super::timeline::{part, selects};
use crate::definitions::{EventSelection, LifecycleTest};
use crate::records::Timestamp;

/// Whether a lifecycle leaf holds at an instant.
pub(crate) fn holds(test: &LifecycleTest, view: &dyn ProfileView, at: Timestamp) -> bool {
    // How many selected events lie in (t - from, t - to], counted up to `enough`.
    let count = |selection: &EventSelection, from_ms: i64, to_ms: i64, enough: usize| {
        let after = if from_ms == i64::MAX { i64::MIN } else { at.plus_millis(-from_ms).millis() };
        let events = part(view.events(), after, at.plus_millis(-to_ms).millis());
        events.iter().filter(|event| selects(selection, event)).take(enough).count()
    };
    let any = |selection: &EventSelection, from_ms: i64, to_ms: i64| count(selection, from_ms, to_ms, 1) > 0;
    match test {
        LifecycleTest::Stopped { selection, active, silent } => {
            !any(selection, silent.millis(), 0) && any(selection, active.millis(), silent.millis())
        }
        LifecycleTest::Restarted { selection, silent, within } => {
            any(selection, within.millis(), 0)
                && !any(selection, silent.millis(), within.millis())
                && any(selection, i64::MAX, silent.millis())
        }
        LifecycleTest::Regularly { selection, period, min_count, min_periods, of } => {
            let enough = usize::try_from(*min_count).unwrap_or(usize::MAX);
            let busy = (0..i64::from(*of)).filter(|index| {
                let newest_ms = period.millis().saturating_mul(*index);
                count(selection, newest_ms.saturating_add(period.millis()), newest_ms, enough) >= enough
            });
            busy.take(*min_periods as usize).count() >= *min_periods as usize
        }
    }
}
