//! What RAM mirrors of a message: the same reading for a message that arrives and for one that is loaded.

use std::borrow::Cow;

use crate::intake;
use crate::privacy;
use crate::records::{MessageType, Object, Value};
use crate::store::{Observation, StoredMessage};

/// Reads a logged message. `named`: the nodes it is linked to.
pub(super) fn observe<'m>(message: &StoredMessage, fields: &'m Object, named: Vec<u32>) -> Observation<'m> {
    let properties = match message.kind {
        MessageType::Track => fields.get("properties").map(Cow::Borrowed),
        MessageType::Page | MessageType::Screen => {
            Some(Cow::Owned(Value::Object(intake::event_properties(fields, message.kind))))
        }
        _ => None,
    };
    // A group's traits belong to the account; a track's are written only where a source mapped them.
    let writes_traits = matches!(message.kind, MessageType::Identify | MessageType::Track);
    let traits = fields.get("traits").and_then(Value::as_object).filter(|_| writes_traits);
    Observation {
        sequence: message.sequence,
        node: message.node,
        occurred_at: message.occurred_at,
        event: message.event,
        properties,
        traits: traits.into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect(),
        consents: privacy::choices(message.kind, fields),
        named,
        identifies: message.kind == MessageType::Identify,
    }
}
