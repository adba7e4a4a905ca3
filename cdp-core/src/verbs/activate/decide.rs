//! Deciding for a person at request time: a policy over the profile, with consent for its purpose checked first.

use crate::engine::handle::Cdp;
use crate::engine::people::person::Person;
use crate::error::{Error, Result};
use crate::intake;
use crate::privacy::Withheld;
use crate::records::options::options;
use crate::records::{IntoIdentifier, Timestamp, Value};
use crate::rules::ConsentStatus;
use crate::verbs::activate::choose::{Decision, choose};

options! {
    /// The circumstances of a decision.
    pub struct DecideOptions {
        /// A track message, taken as if it had just happened; it is not stored.
        event: optional Value,
        /// The instant of the decision; now without it.
        at: optional Timestamp,
    }
}

impl Cdp {
    /// The choice of a policy for a person.
    ///
    /// `event` is a track message `{event, properties, context}`, taken as if it had happened now and not stored. An
    /// unknown person is an empty profile: nothing is created, nothing raised. Without consent for the policy's purpose
    /// the answer is `otherwise`, with the state of consent as reason.
    ///
    /// Costs tens of microseconds: it reads the events of one person.
    ///
    /// # Errors
    /// `not_found` for an unknown policy, `invalid` for an event that is no track message.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::DecideOptions, define::{Policy, Rule}, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let large_order = Rule::current("properties.amount").gte(100);
    /// db.define(Policy::new("checkout", "service").choose(large_order, "premium").otherwise("standard"))?;
    /// let order = Track::new("Order Completed").property("amount", 120);
    /// let decision = db.decide("checkout", ("user_id", "u1"), &DecideOptions::new().event(order))?;
    /// assert_eq!(decision.choice_as::<String>()?, "premium");
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn decide(&self, policy: &str, identifier: impl IntoIdentifier, options: &DecideOptions) -> Result<Decision> {
        let identifier = identifier.into_identifier()?;
        let at = options.at.unwrap_or_else(|| self.now());
        let event = options.event.as_ref().map(read_event).transpose()?;
        self.read_person(&identifier, None, at, |snapshot, person| {
            let policy = snapshot.catalog.policy(policy)?;
            let known = person.is_some();
            let gate = self.gate(snapshot, &policy.purpose, None);
            let refusal = match &person {
                Some(person) => gate.refusal(person, at)?,
                None => gate.refusal_of(ConsentStatus::Unknown),
            };
            let person = match person {
                Some(person) => person,
                None => Person::new(snapshot, Vec::new(), at)?,
            };
            let person = match &event {
                Some((name, message)) => person.with_hypothetical(message, name, at),
                None => person,
            };
            choose(policy, &person, known, at, refusal.map(reason_of))
        })
    }
}

/// A refusal in words that programs can compare.
fn reason_of(refusal: Withheld) -> &'static str {
    match refusal {
        Withheld::ConsentConflict => "consent_conflict",
        Withheld::ConsentDenied => "consent_denied",
        Withheld::ConsentUnknown => "consent_unknown",
        Withheld::NoIdentifier => "no_identifier",
    }
}

/// The event of a decision: its name and the whole message.
fn read_event(event: &Value) -> Result<(String, Value)> {
    let Value::Object(fields) = event else {
        return Err(Error::invalid(format!("decide: `event` must be a track message, not {}", event.kind()))
            .with_hint("such as {\"event\": \"Order Completed\", \"properties\": {\"amount\": 120}}"));
    };
    let mut fields = fields.clone();
    fields.insert("type".to_owned(), Value::from("track"));
    let read = intake::read_message(fields, intake::MAX_MESSAGE_BYTES)
        .map_err(|reject| Error::invalid(format!("decide: the event is not a track message: {}", reject.detail)))?;
    let name = read.message.event.unwrap_or_default();
    Ok((name, Value::Object(read.message.fields.to_object())))
}
