//! The consent of a person: choices out of messages, and the state that follows from them for a purpose and a channel.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::handle::Cdp;
use crate::engine::people::person::Person;
use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::privacy;
use crate::privacy::{Choice, ConsentState, Gate};
use crate::records::Timestamp;
use crate::records::answer::answer;
use crate::rules::ProfileView;
use crate::store::ConsentWrite;

answer! {
    /// The consent of one person for one purpose.
    pub struct PurposeConsent {
        /// Whether the purpose is allowed now, under the policy of the store.
        effective: bool,
        /// `granted`, `denied`, `unknown` or `conflict`.
        status: &'static str,
        /// The status of each channel that a choice of the person names.
        channels: BTreeMap<String, &'static str>,
        /// The time of the choice that holds; `None` without one.
        since: Option<Timestamp>,
    }
}

impl Person<'_> {
    /// The purposes that a choice of this person names by `at`.
    pub(crate) fn purposes(&self, at: Timestamp) -> Result<BTreeSet<&str>> {
        Ok(self.consent_writes(at)?.filter_map(|(_, write)| write.purpose.as_deref()).collect())
    }

    /// The channels that a choice about a purpose names by `at`.
    fn channels(&self, purpose: &str, at: Timestamp) -> Result<BTreeSet<&str>> {
        let about = self.consent_writes(at)?.filter(|(_, write)| write.purpose.as_deref() == Some(purpose));
        Ok(about.filter_map(|(_, write)| write.channel.as_deref()).collect())
    }

    fn consent_writes(&self, at: Timestamp) -> Result<impl Iterator<Item = (u32, &ConsentWrite)>> {
        let writes = self.facts()?.flat_map(|(node, facts)| facts.consents.iter().map(move |write| (node, write)));
        Ok(writes.filter(move |(_, write)| write.occurred_at <= at))
    }

    /// The state of consent for a purpose on one channel, or on all.
    pub(crate) fn consent_state(&self, purpose: &str, channel: Option<&str>, at: Timestamp) -> Result<ConsentState> {
        // An empty object denies every purpose "known to policy or profile".
        let policy = self.snapshot.catalog.consent_policy();
        let in_policy = policy.is_some_and(|policy| policy.purposes.iter().any(|(name, _)| name == purpose));
        let is_known = in_policy || self.purposes(at)?.contains(purpose);
        let mut choices = Vec::new();
        for (node, write) in self.consent_writes(at)? {
            let about_purpose = match write.purpose.as_deref() {
                Some(name) => name == purpose,
                None => is_known,
            };
            let about_channel = write.channel.is_none() || write.channel.as_deref() == channel;
            if about_purpose && about_channel {
                choices.push(Choice {
                    node,
                    occurred_at: write.occurred_at,
                    sequence: write.sequence,
                    granted: write.granted,
                    is_of_channel: write.channel.is_some(),
                });
            }
        }
        let joined_at = |left: u32, right: u32| Ok(self.snapshot.people.partition.joined_at(left, right));
        let ordinal = |sequence| Ok(ProfileView::tie_order(self, sequence)?.ordinal);
        privacy::resolve(&choices, &ordinal, &joined_at)
    }
}

/// The consent of a person for each purpose that the policy or a choice of the person names.
pub(crate) fn consents_of(cdp: &Cdp, person: &Person<'_>, at: Timestamp) -> Result<BTreeMap<String, PurposeConsent>> {
    let policy = person.snapshot.catalog.consent_policy();
    let mut purposes: BTreeSet<&str> = person.purposes(at)?;
    purposes.extend(policy.into_iter().flat_map(|policy| policy.purposes.iter().map(|(name, _)| name.as_str())));
    let mut consents = BTreeMap::new();
    for purpose in purposes {
        let state = person.consent_state(purpose, None, at)?;
        let effective = privacy::effective(state.status, policy, purpose, cdp.is_consent_strict());
        let mut channels = BTreeMap::new();
        for channel in person.channels(purpose, at)? {
            let state = person.consent_state(purpose, Some(channel), at)?;
            channels.insert(channel.to_owned(), state.status.as_str());
        }
        let consent = PurposeConsent { effective, status: state.status.as_str(), channels, since: state.since };
        consents.insert(purpose.to_owned(), consent);
    }
    Ok(consents)
}

impl Cdp {
    /// The gate that the data of people passes for a purpose, over a channel.
    pub(crate) fn gate<'g>(&self, snapshot: &Snapshot<'g>, purpose: &'g str, channel: Option<&'g str>) -> Gate<'g> {
        Gate::new(purpose, channel, snapshot.catalog.consent_policy(), self.is_consent_strict())
    }
}
