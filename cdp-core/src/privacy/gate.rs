//! The gate: whether the data of a person may be used for a purpose, over a channel.
//!
//! It takes a purpose, a channel and the consent policy, and returns a decision for each person. Exports, decisions and
//! training use this gate and no other. An explicit denial always counts, and it must never guess a grant.

use crate::definitions::ConsentPolicyDefinition;
use crate::error::Result;
use crate::privacy::effective;
use crate::records::Timestamp;
use crate::rules::{ConsentStatus, ProfileView};

/// One use of personal data.
#[derive(Clone, Copy)]
pub(crate) struct Gate<'g> {
    purpose: &'g str,
    channel: Option<&'g str>,
    policy: Option<&'g ConsentPolicyDefinition>,
    /// Whether unknown consent denies every purpose, against the policy.
    is_strict: bool,
}

/// The reason why the data of a person is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    ConsentUnknown,
    ConsentDenied,
    ConsentConflict,
    /// The person lacks the identifier that the channel needs.
    NoIdentifier,
}

impl<'g> Gate<'g> {
    pub(crate) fn new(
        purpose: &'g str,
        channel: Option<&'g str>,
        policy: Option<&'g ConsentPolicyDefinition>,
        is_strict: bool,
    ) -> Gate<'g> {
        Gate { purpose, channel, policy, is_strict }
    }

    /// The reason why a state of consent does not allow the use; `None` if it does.
    pub(crate) fn refusal_of(&self, status: ConsentStatus) -> Option<Withheld> {
        if effective(status, self.policy, self.purpose, self.is_strict) {
            return None;
        }
        Some(match status {
            ConsentStatus::Conflict => Withheld::ConsentConflict,
            ConsentStatus::Denied => Withheld::ConsentDenied,
            ConsentStatus::Granted | ConsentStatus::Unknown => Withheld::ConsentUnknown,
        })
    }

    /// The reason why the consent of a person does not allow the use; `None` if it does.
    pub(crate) fn refusal(&self, profile: &dyn ProfileView, at: Timestamp) -> Result<Option<Withheld>> {
        Ok(self.refusal_of(profile.consent(self.purpose, self.channel, at)?))
    }

    /// The reason why the data of a person does not leave: consent first, then the identifier that the channel needs.
    pub(crate) fn withholds(&self, profile: &dyn ProfileView, at: Timestamp) -> Result<Option<Withheld>> {
        if let Some(refusal) = self.refusal(profile, at)? {
            return Ok(Some(refusal));
        }
        let needed = self.channel.and_then(channel_identifier);
        let lacks = needed.filter(|identifier_type| !profile.has_identifier(identifier_type, at));
        Ok(lacks.map(|_| Withheld::NoIdentifier))
    }
}

/// The identifier type that a channel needs.
fn channel_identifier(channel: &str) -> Option<&'static str> {
    match channel {
        "email" => Some("email"),
        "sms" | "whatsapp" | "call" | "phone" => Some("phone"),
        _ => None,
    }
}
