//! What RAM mirrors of a message: the same reading for a message that arrives and for one that is loaded.

use crate::definitions::IdentityDefinition;
use crate::identity::accounts;
use crate::records::{Json, JsonObject, MessageType};
use crate::store::{EventProperties, Observation, StoredMessage};
use crate::{intake, privacy};

/// Reads a logged message. `named`: the nodes it is linked to.
pub(crate) fn observe<'m>(
    message: &StoredMessage,
    fields: &'m JsonObject,
    named: Vec<u32>,
    identity: &'m IdentityDefinition,
) -> Observation<'m> {
    // A group's traits belong to the account; a track's are written only where a source mapped them.
    let writes_traits = matches!(message.kind, MessageType::Identify | MessageType::Track);
    let traits = fields.get("traits").and_then(Json::members).filter(|_| writes_traits);
    Observation {
        sequence: message.sequence,
        node: message.node,
        occurred_at: message.occurred_at,
        event: message.event,
        properties: event_properties(message.kind, fields),
        traits: traits.into_iter().flatten().map(|(name, value)| (name, value.to_value())).collect(),
        consents: privacy::choices(message.kind, fields),
        accounts: accounts(identity, fields),
        named,
        identifies: message.kind == MessageType::Identify,
    }
}

/// The properties of an event as rules see them.
pub(crate) fn event_properties(kind: MessageType, fields: &JsonObject) -> EventProperties<'_> {
    match kind {
        MessageType::Track => fields.get("properties").map_or(EventProperties::None, EventProperties::Borrowed),
        MessageType::Page | MessageType::Screen => {
            EventProperties::Owned(JsonObject::of(&intake::event_properties(fields, kind)))
        }
        _ => EventProperties::None,
    }
}
