//! Deciding for a person at request time: a policy over the profile, with consent for its purpose checked first.

use crate::engine::handle::Cdp;
use crate::engine::people::person::Person;
use crate::error::{Error, Result};
use crate::intake;
use crate::privacy::Withheld;
use crate::records::{Identifier, Timestamp, Value};
use crate::rules::ConsentStatus;
use crate::verbs::activate::choose::choose;

impl Cdp {
    /// Decides for a person: `{choice, matched, known, reasons[], evaluated[]}`.
    ///
    /// `event` is a track message `{event, properties, context}`, taken as if it had happened now and not stored. An
    /// unknown person is an empty profile: nothing is created, nothing raised. Without consent for the policy's purpose
    /// the answer is `otherwise`, with the state of consent as reason.
    pub fn decide(
        &self,
        policy: &str,
        identifier: &Value,
        event: Option<&Value>,
        at: Option<Timestamp>,
    ) -> Result<Value> {
        let identifier = Identifier::from_value(identifier)?;
        let at = at.unwrap_or_else(|| self.now());
        let event = event.map(read_event).transpose()?;
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
            Ok(choose(policy, &person, known, at, refusal.map(reason_of))?.to_value())
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
