//! Consent on two axes, purpose and channel (SEMANTICS, Consent).

use std::cmp::Ordering;

use crate::definitions::{ConsentPolicyDefinition, UnknownConsent};
use crate::error::Result;
use crate::records::{Json, JsonObject, MessageType, Timestamp};
use crate::rules::ConsentStatus;
use crate::store::StatedChoice;

/// A choice that counts for one purpose (and channel), with its node and instant.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) node: u32,
    pub(crate) occurred_at: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) granted: bool,
    /// Whether it is about one channel alone.
    pub(crate) is_of_channel: bool,
}

/// The state of consent for a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConsentState {
    pub(crate) status: ConsentStatus,
    pub(crate) since: Option<Timestamp>,
}

/// The choices of a message: (purpose, channel, granted). A choice without purpose is about every known one.
///
/// `context.consent.categoryPreferences` maps purposes to true or false; an empty object denies every purpose; a
/// message of type `consent` names one purpose, perhaps a channel, and `status`.
pub(crate) fn choices(kind: MessageType, fields: &JsonObject) -> Vec<StatedChoice<'_>> {
    let mut choices = Vec::new();
    if kind == MessageType::Consent {
        let text = |field: &str| fields.get(field).and_then(Json::as_text);
        if let Some(purpose) = text("purpose") {
            choices.push((Some(purpose), text("channel"), text("status").as_deref() == Some("granted")));
        }
    }
    let consent = fields.get("context").and_then(|context| context.get("consent"));
    let preferences = consent.and_then(|consent| consent.get("categoryPreferences"));
    let Some(mut preferences) = preferences.and_then(Json::members).map(Iterator::peekable) else { return choices };
    if preferences.peek().is_none() {
        choices.push((None, None, false));
    }
    // Any value except `true` is a denial.
    choices.extend(preferences.map(|(purpose, value)| (Some(purpose), None, value.is_true())));
    choices
}

/// Resolves the choices on a profile's nodes about one purpose, or about one channel of it.
///
/// A channel that was denied by itself stays denied until it is granted by itself, in spite of choices about the
/// purpose; else the latest choice holds, about the purpose or the channel. At one (occurred_at, ordinal) a denial
/// counts. `ordinal` is called where choices share an instant; `joined_at` returns the instant at which two nodes
/// became one profile. Nodes whose latest choices differ are in conflict unless the latest choice of all was made at or
/// after the link that joined them.
pub(crate) fn resolve(
    choices: &[Choice],
    ordinal: &dyn Fn(u64) -> Result<u64>,
    joined_at: &dyn Fn(u32, u32) -> Result<Option<Timestamp>>,
) -> Result<ConsentState> {
    let of_channel = choices.iter().filter(|choice| choice.is_of_channel);
    let by_itself = resolve_latest(of_channel, ordinal, joined_at)?;
    match by_itself.status {
        ConsentStatus::Denied | ConsentStatus::Conflict => Ok(by_itself),
        ConsentStatus::Granted | ConsentStatus::Unknown => resolve_latest(choices.iter(), ordinal, joined_at),
    }
}

fn resolve_latest<'c>(
    choices: impl Iterator<Item = &'c Choice>,
    ordinal: &dyn Fn(u64) -> Result<u64>,
    joined_at: &dyn Fn(u32, u32) -> Result<Option<Timestamp>>,
) -> Result<ConsentState> {
    let mut latest_by_node: Vec<&Choice> = Vec::new();
    for choice in choices {
        match latest_by_node.iter_mut().find(|latest| latest.node == choice.node) {
            Some(latest) => {
                if outweighs(choice, latest, ordinal)? {
                    *latest = choice;
                }
            }
            None => latest_by_node.push(choice),
        }
    }
    let mut latest: Option<&Choice> = None;
    for choice in &latest_by_node {
        let counts = match latest {
            Some(latest) => outweighs(choice, latest, ordinal)?,
            None => true,
        };
        if counts {
            latest = Some(choice);
        }
    }
    let Some(latest) = latest else { return Ok(ConsentState { status: ConsentStatus::Unknown, since: None }) };
    let mut in_conflict = false;
    for choice in latest_by_node.iter().filter(|choice| choice.granted != latest.granted) {
        in_conflict |= joined_at(choice.node, latest.node)?.is_none_or(|joined| latest.occurred_at < joined);
    }
    let status = match (in_conflict, latest.granted) {
        (true, _) => ConsentStatus::Conflict,
        (false, true) => ConsentStatus::Granted,
        (false, false) => ConsentStatus::Denied,
    };
    Ok(ConsentState { status, since: Some(latest.occurred_at) })
}

/// Whether a choice takes precedence over another: it is later by (occurred_at, ordinal), or it is the denial in a tie.
/// The message id does not count.
fn outweighs(choice: &Choice, other: &Choice, ordinal: &dyn Fn(u64) -> Result<u64>) -> Result<bool> {
    if choice.occurred_at != other.occurred_at {
        return Ok(choice.occurred_at > other.occurred_at);
    }
    if choice.granted == other.granted {
        return Ok(false);
    }
    let is_of_one_message = choice.sequence == other.sequence;
    let order =
        if is_of_one_message { Ordering::Equal } else { ordinal(choice.sequence)?.cmp(&ordinal(other.sequence)?) };
    Ok(order.is_gt() || (order.is_eq() && !choice.granted))
}

/// Whether a use is allowed: by the choice, or for unknown consent by the policy.
pub(crate) fn effective(
    status: ConsentStatus,
    policy: Option<&ConsentPolicyDefinition>,
    purpose: &str,
    strict: bool,
) -> bool {
    match status {
        ConsentStatus::Granted => true,
        ConsentStatus::Denied | ConsentStatus::Conflict => false,
        ConsentStatus::Unknown => !strict && ConsentPolicyDefinition::unknown(policy, purpose) == UnknownConsent::Allow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(node: u32, at: i64, granted: bool) -> Choice {
        Choice {
            node,
            occurred_at: Timestamp::from_millis(at),
            sequence: at.unsigned_abs(),
            granted,
            is_of_channel: false,
        }
    }

    fn status(choices: &[Choice], joined: Option<i64>) -> ConsentStatus {
        let joined_at = |_: u32, _: u32| Ok(joined.map(Timestamp::from_millis));
        resolve(choices, &|_| Ok(0), &joined_at).unwrap().status
    }

    #[test]
    fn joined_profiles_that_disagree_are_in_conflict_until_a_new_choice() {
        let disagreeing = [choice(1, 10, true), choice(2, 20, false)];
        assert_eq!(status(&disagreeing, Some(30)), ConsentStatus::Conflict);
        let mut chosen_again = disagreeing.to_vec();
        chosen_again.push(choice(2, 40, true));
        assert_eq!(status(&chosen_again, Some(30)), ConsentStatus::Granted);
    }

    #[test]
    fn one_node_may_change_its_mind() {
        assert_eq!(status(&[choice(1, 10, true), choice(1, 20, false)], None), ConsentStatus::Denied);
        assert_eq!(status(&[], None), ConsentStatus::Unknown);
    }

    #[test]
    fn an_empty_object_denies_every_purpose() {
        let message = JsonObject::parse(br#"{"context": {"consent": {"categoryPreferences": {}}}}"#).unwrap();
        assert_eq!(choices(MessageType::Track, &message), [(None, None, false)]);
        let absent = JsonObject::parse(br#"{"context": {}}"#).unwrap();
        assert!(choices(MessageType::Track, &absent).is_empty());
    }

    #[test]
    fn the_policy_decides_unknown_consent_and_strict_denies_it() {
        assert!(effective(ConsentStatus::Unknown, None, "analytics", false));
        assert!(!effective(ConsentStatus::Unknown, None, "analytics", true));
        assert!(!effective(ConsentStatus::Unknown, None, "marketing", false));
        assert!(!effective(ConsentStatus::Unknown, None, "something_new", false));
        assert!(!effective(ConsentStatus::Conflict, None, "analytics", false));
    }
}
