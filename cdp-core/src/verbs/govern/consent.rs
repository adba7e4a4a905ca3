//! Consent: recording a choice of a person, and reading what holds for each purpose.

use std::collections::BTreeMap;

use crate::engine::handle::Cdp;
use crate::engine::people::consent::{PurposeConsent, consents_of};
use crate::error::{Error, Result};
use crate::records::options::options;
use crate::records::{AsOf, Identifier, IntoIdentifier, Object, Receipt, Timestamp, Value};

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

options! {
    /// What goes with a choice about consent.
    pub struct ConsentOptions {
        /// The channel that the choice is about, such as `email`; all channels without it.
        channel: optional String,
        /// When the choice was made; now without it.
        timestamp: optional Timestamp,
        /// Makes a repeated call count once; random without it.
        message_id: optional String,
    }
}

impl Cdp {
    /// Records a choice of a person about the use of their data for a purpose.
    ///
    /// # Errors
    /// `invalid` for an empty purpose or an identifier type that is not declared.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::ConsentOptions, records::AsOf};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.consent(("user_id", "u1"), "marketing", true, &ConsentOptions::new().channel("email"))?;
    /// let consents = db.consents(("user_id", "u1"), AsOf::NOW)?.unwrap_or_default();
    /// assert_eq!(consents["marketing"].channels["email"], "granted");
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn consent(
        &self,
        identifier: impl IntoIdentifier,
        purpose: &str,
        granted: bool,
        options: &ConsentOptions,
    ) -> Result<Receipt> {
        let identifier = Value::from(identifier.into_identifier()?);
        let timestamp = options.timestamp.map(Value::from);
        let (channel, id) = (options.channel.as_deref(), options.message_id.as_deref());
        let status = if granted { "granted" } else { "denied" };
        self.send(consent_message(&identifier, purpose, channel, status, timestamp.as_ref(), id)?)
    }

    /// The consent of one person by purpose; `None` if there is no such person.
    ///
    /// The purposes are those that the consent policy or a choice of the person names.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::ConsentOptions, records::AsOf};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.consent(("user_id", "u1"), "marketing", false, &ConsentOptions::new())?;
    /// let consents = db.consents(("user_id", "u1"), AsOf::NOW)?.unwrap_or_default();
    /// assert_eq!((consents["marketing"].status, consents["marketing"].effective), ("denied", false));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn consents(
        &self,
        identifier: impl IntoIdentifier,
        as_of: impl Into<AsOf>,
    ) -> Result<Option<BTreeMap<String, PurposeConsent>>> {
        let (identifier, as_of) = (identifier.into_identifier()?, as_of.into());
        let at = self.instant(as_of);
        self.read_person(&identifier, Some(as_of), at, |_, person| {
            person.map(|person| consents_of(self, &person, at)).transpose()
        })
    }
}
