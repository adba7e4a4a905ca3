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
pub(crate) fn occurred_at(message: &Message, now: Timestamp, apply_skew: bool) -> Timestamp {
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
    let plausible =
        corrected.since(received_at) <= FURTHEST_AHEAD_MS && Timestamp::checked_from_millis(corrected.millis()).is_ok();
    if plausible { corrected } else { given }
}

#[cfg(test)]
mod tests {
    use super::super::read_message;
    use super::*;
    use crate::records::Value;

    fn occurred(fields: &str, apply_skew: bool) -> String {
        let text = format!(r#"{{"type":"identify","userId":"u"{fields}}}"#);
        let Value::Object(fields) = Value::parse(text.as_bytes()).unwrap() else { panic!("not an object") };
        let message = read_message(fields, 10_000).unwrap().message;
        occurred_at(&message, Timestamp::parse("2021-10-30T00:00:00Z").unwrap(), apply_skew).to_string()
    }

    #[test]
    fn the_clock_of_the_sender_is_corrected_where_that_is_sound() {
        let cases = [
            // Nothing given: received, by the message or by the clock.
            ("", true, "2021-10-30T00:00:00.000Z"),
            (r#","receivedAt":"2021-10-29T00:00:00Z""#, true, "2021-10-29T00:00:00.000Z"),
            // Given without sentAt: as given.
            (r#","timestamp":"2021-10-29T01:44:00Z""#, true, "2021-10-29T01:44:00.000Z"),
            // The device is two hours behind: 01:00 + (00:00 - 22:00 of the day before).
            (
                r#","timestamp":"2021-10-29T01:00:00Z","sentAt":"2021-10-29T22:00:00Z""#,
                true,
                "2021-10-29T03:00:00.000Z",
            ),
            // The same through ingest, where nothing says when it was received.
            (
                r#","timestamp":"2021-10-29T01:00:00Z","sentAt":"2021-10-29T22:00:00Z""#,
                false,
                "2021-10-29T01:00:00.000Z",
            ),
            // The message says when: received 05:00, sent 04:00, so an hour is added.
            (
                r#","originalTimestamp":"2021-10-29T01:00:00Z","sentAt":"2021-10-29T04:00:00Z","receivedAt":"2021-10-29T05:00:00Z""#,
                false,
                "2021-10-29T02:00:00.000Z",
            ),
            // Both times: timestamp is corrected already.
            (
                r#","timestamp":"2021-10-29T03:00:00Z","originalTimestamp":"2021-10-29T01:00:00Z","sentAt":"2021-10-29T04:00:00Z","receivedAt":"2021-10-29T05:00:00Z""#,
                true,
                "2021-10-29T03:00:00.000Z",
            ),
            // Two seconds are the network; 2001 ms are not.
            (
                r#","timestamp":"2021-10-29T01:00:00Z","sentAt":"2021-10-29T23:59:58Z""#,
                true,
                "2021-10-29T01:00:00.000Z",
            ),
            (
                r#","timestamp":"2021-10-29T01:00:00Z","sentAt":"2021-10-29T23:59:57.999Z""#,
                true,
                "2021-10-29T01:00:02.001Z",
            ),
            // sentAt that is no time is ignored (PostHog: "sent_at invalid").
            (r#","timestamp":"2021-10-29T01:44:00Z","sentAt":"invalid""#, true, "2021-10-29T01:44:00.000Z"),
            // Exactly 23 hours after the receipt stands; more falls back to the given time (PostHog: future timestamps).
            (
                r#","timestamp":"2021-10-29T23:00:00Z","sentAt":"2021-10-29T00:00:00Z""#,
                true,
                "2021-10-30T23:00:00.000Z",
            ),
            (
                r#","timestamp":"2021-10-29T23:00:00.001Z","sentAt":"2021-10-29T00:00:00Z""#,
                true,
                "2021-10-29T23:00:00.001Z",
            ),
            // A correction out of the years a fact may lie in.
            (r#","timestamp":"1900-01-01","sentAt":"2021-10-31T00:00:00Z""#, true, "1900-01-01T00:00:00.000Z"),
        ];
        for (fields, apply_skew, expected) in cases {
            assert_eq!(occurred(fields, apply_skew), expected, "{fields}");
        }
    }
}
