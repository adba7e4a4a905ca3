//! An event schema: which properties an event has and of which type.

use super::fields::collection::{event_schema, property_schema};
use super::reader::{Fields, Node};
use super::schema::Words;

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

pub(super) static PROPERTY_TYPES: Words<PropertyType> = Words {
    name: "property_type",
    rows: &[
        ("text", PropertyType::Text, "Text."),
        ("number", PropertyType::Number, "Any number."),
        ("integer", PropertyType::Integer, "A number without fraction."),
        ("boolean", PropertyType::Boolean, "True or false."),
        ("timestamp", PropertyType::Timestamp, "RFC 3339 text."),
        ("list", PropertyType::List, "A list."),
        ("object", PropertyType::Object, "An object."),
    ],
};

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
        let event = fields.required(&event_schema::EVENT, |node| node.text());
        let properties =
            fields.required(&event_schema::PROPERTIES, |node| node.entries(|_, property| read_property(property)));
        Some(EventSchemaDefinition { name, event: event?, properties: properties? })
    }
}

fn read_property(node: Node<'_>) -> Option<PropertySchema> {
    let mut fields = node.fields()?;
    let property_type = fields.required(&property_schema::TYPE, |node| node.word(&PROPERTY_TYPES));
    let required = fields.optional(&property_schema::REQUIRED, |node| node.boolean());
    fields.finish();
    Some(PropertySchema { property_type: property_type?, required: required.unwrap_or(false) })
}
