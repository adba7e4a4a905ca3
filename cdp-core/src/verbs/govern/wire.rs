//! The rows of the verb table for consent.

use crate::error::Error;
use crate::records::Identifier;
use crate::verbs::govern::consent::consent_message;
use crate::verbs::parameter::{AS_OF, IDENTIFIER, Parameter, ParameterType};
use crate::verbs::verb::{Response, Verb};

pub(crate) const ROWS: &[Verb] = &[
    Verb::send(
        "consent",
        "Records a choice about the use of a person's data.",
        &[
            IDENTIFIER,
            Parameter::required("purpose", ParameterType::Text, "The purpose of use, such as `marketing`."),
            Parameter::optional("channel", ParameterType::Text, "The channel, such as `email`; all by default."),
            Parameter::required("status", ParameterType::Text, "`granted` or `denied`."),
            Parameter::optional("timestamp", ParameterType::Time, "When the choice was made; now by default."),
            Parameter::optional("message_id", ParameterType::Text, "Makes a repeated call count once."),
        ],
        |request| {
            let identifier = Identifier::from_value(request.need("identifier")?)?;
            let granted = match request.need_text("status")? {
                "granted" => true,
                "denied" => false,
                _ => return Err(Error::invalid("consent: `status` must be \"granted\" or \"denied\"")),
            };
            let (purpose, timestamp) = (request.need_text("purpose")?, request.get("timestamp").cloned());
            let (channel, id) = (request.text("channel")?, request.text("message_id")?);
            consent_message(identifier, purpose, granted, channel, timestamp, id)
        },
    ),
    Verb::read(
        "consents",
        "The consent of one person by purpose; null if there is no such person.",
        &[IDENTIFIER, AS_OF],
        |cdp, request| Response::maybe(cdp.consents(request.need("identifier")?, request.as_of()?)?),
    )
    .point()
    .verbatim(),
];
