//! Consent: recording a choice of a person, and reading what holds for each purpose.

use std::collections::BTreeMap;

use crate::engine::handle::Cdp;
use crate::engine::people::consent::{PurposeConsent, consents_of};
use crate::error::{Error, Result};
use crate::records::options::options;
use crate::records::{AsOf, Consent, Identifier, IntoIdentifier, Receipt, Timestamp, Value};

/// The message that records a choice. The time is as the caller wrote it: intake reads it as that of any message.
pub(crate) fn consent_message(
    identifier: Identifier,
    purpose: &str,
    granted: bool,
    channel: Option<&str>,
    timestamp: Option<Value>,
    message_id: Option<&str>,
) -> Result<Value> {
    if purpose.is_empty() {
        return Err(Error::invalid("consent: `purpose` must not be empty")
            .with_hint("purposes: marketing, advertising, personalization, analytics, ... or your own"));
    }
    let mut message = if granted { Consent::granted(purpose) } else { Consent::denied(purpose) };
    message = message.id(identifier.identifier_type, identifier.value);
    if let Some(channel) = channel {
        message = message.channel(channel);
    }
    if let Some(timestamp) = timestamp {
        message = message.field("timestamp", timestamp);
    }
    if let Some(message_id) = message_id {
        message = message.message_id(message_id);
    }
    Ok(message.into())
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
        let (identifier, timestamp) = (identifier.into_identifier()?, options.timestamp.map(Value::from));
        let (channel, id) = (options.channel.as_deref(), options.message_id.as_deref());
        self.send(consent_message(identifier, purpose, granted, channel, timestamp, id)?)
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
