//! Consent: recording a choice of a person, and reading what holds for each purpose.

use crate::engine::handle::Cdp;
use crate::engine::people::consent::consents_of;
use crate::error::{Error, Result};
use crate::records::{AsOf, Identifier, Object, Receipt, Value};

/// The message that records a choice.
pub(crate) fn consent_message(
    identifier: &Value,
    purpose: &str,
    channel: Option<&str>,
    status: &str,
    timestamp: Option<&Value>,
    message_id: Option<&str>,
) -> Result<Value> {
    let identifier = Identifier::from_value(identifier)?;
    if !matches!(status, "granted" | "denied") {
        return Err(Error::invalid("consent: `status` must be \"granted\" or \"denied\""));
    }
    if purpose.is_empty() {
        return Err(Error::invalid("consent: `purpose` must not be empty")
            .with_hint("purposes: marketing, advertising, personalization, analytics, ... or your own"));
    }
    let mut message = Object::from([
        ("type".to_owned(), Value::from("consent")),
        (
            "ids".to_owned(),
            Value::object([(identifier.identifier_type.as_str(), Value::from(identifier.value.as_str()))]),
        ),
        ("purpose".to_owned(), Value::from(purpose)),
        ("status".to_owned(), Value::from(status)),
    ]);
    let optional = [
        ("channel", channel.map(Value::from)),
        ("timestamp", timestamp.cloned()),
        ("messageId", message_id.map(Value::from)),
    ];
    message.extend(optional.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))));
    Ok(Value::Object(message))
}

impl Cdp {
    /// Records a choice about the use of a person's data: `purpose`, perhaps a `channel`, `status` `granted` or `denied`.
    pub fn consent(
        &self,
        identifier: &Value,
        purpose: &str,
        channel: Option<&str>,
        status: &str,
        timestamp: Option<&Value>,
        message_id: Option<&str>,
    ) -> Result<Receipt> {
        self.send(&consent_message(identifier, purpose, channel, status, timestamp, message_id)?)
    }

    /// Purpose -> `{effective, status, channels, since}` for one person.
    pub fn consents(&self, identifier: &Value, as_of: Option<AsOf>) -> Result<Option<Value>> {
        let identifier = Identifier::from_value(identifier)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read_person(&identifier, as_of, at, |_, person| {
            let Some(person) = person else { return Ok(None) };
            Ok(Some(Value::Object(consents_of(self, &person, at)?)))
        })
    }
}
