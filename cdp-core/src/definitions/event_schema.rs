//! An event schema: which properties an event has and of which type.

use super::reader::{Fields, Node};

/// The type of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyType {
    /// Text.
    Text,
    /// Any number.
    Number,
    /// A number without fraction.
    Integer,
    /// True or false.
    Boolean,
    /// RFC 3339 text.
    Timestamp,
    /// An array.
    List,
    /// An object.
    Object,
}

/// One property of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct PropertySchema {
    /// Its type.
    pub property_type: PropertyType,
    /// Whether it must be there.
    pub required: bool,
}

/// What an event must look like; messages that do not are kept and warned about.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSchemaDefinition {
    /// Its name.
    pub name: String,
    /// The event it speaks of.
    pub event: String,
    /// The properties, in the order of their names.
    pub properties: Vec<(String, PropertySchema)>,
}

impl EventSchemaDefinition {
    pub(crate) fn read(name: String, fields: &mut Fields<'_>) -> Option<EventSchemaDefinition> {
        let event = fields.required("event", |node| node.text());
        let properties = fields.required("properties", |node| node.entries(|_, property| read_property(property)));
        Some(EventSchemaDefinition { name, event: event?, properties: properties? })
    }
}

fn read_property(node: Node<'_>) -> Option<PropertySchema> {
    let mut fields = node.fields()?;
    let property_type = fields.required("type", |node| {
        node.word(&[
            ("text", PropertyType::Text),
            ("number", PropertyType::Number),
            ("integer", PropertyType::Integer),
            ("boolean", PropertyType::Boolean),
            ("timestamp", PropertyType::Timestamp),
            ("list", PropertyType::List),
            ("object", PropertyType::Object),
        ])
    });
    let required = fields.optional("required", |node| node.boolean());
    fields.finish();
    Some(PropertySchema { property_type: property_type?, required: required.unwrap_or(false) })
}
