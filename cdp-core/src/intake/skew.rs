//! When a message happened: its own time, corrected by how far the sender's clock was off.
//!
//! The rules are Segment's, with the guards of PostHog and one of ours: a small difference is transport, not a wrong clock.

use crate::records::{Message, Timestamp};

/// A difference up to this is the way through the network, not a wrong clock.
const TOLERANCE_MS: i64 = 2_000;
/// A corrected time further than this behind the receipt shows that the correction is wrong (PostHog's 23 hours).
const FURTHEST_AHEAD_MS: i64 = 23 * 60 * 60 * 1000;

/// The instant at which the message happened; it is fixed at first acceptance.
///
/// With both `timestamp` and `originalTimestamp`, `timestamp` is corrected already. Without any time the message happened
/// when it was received: its own `receivedAt`, else `now`. The difference of receivedAt and sentAt is added if the message
/// carries its own receivedAt or `apply_skew` is set, unless it is at most two seconds or leads more than 23 hours past the
/// receipt.
pub fn occurred_at(message: &Message, now: Timestamp, apply_skew: bool) -> Timestamp {
    let received_at = message.received_at.unwrap_or(now);
    let given = match (message.timestamp, message.original_timestamp) {
        (Some(timestamp), Some(_)) => return timestamp,
        (Some(given), None) | (None, Some(given)) => given,
        (None, None) => return received_at,
    };
    let Some(sent_at) = message.sent_at.filter(|_| apply_skew || message.received_at.is_some()) else {
        return given;
    };
    let skew_ms = received_at.since(sent_at);
    if skew_ms.saturating_abs() <= TOLERANCE_MS {
        return given;
    }
    let corrected = given.plus_millis(skew_ms);
    let plausible = corrected.since(received_at) <= FURTHEST_AHEAD_MS
        && Timestamp::checked_from_millis(corrected.millis()).is_ok();
    if plausible { corrected } else { given }
}
