//! The fields of event schemas and consent policies.

use super::common::common;
use crate::definitions::schema::{Shape, fields};

fields! {
    /// An event schema.
    event_schema {
        EVENT = "event", Text, Required, r#""Order Completed""#, "The name of the event.";
        PROPERTIES = "properties", Map("property", &Object("property_schema")), Required, r#"{"revenue": {"type": "number", "required": true}}"#, "The properties of the event. Properties that are not named are allowed.";
    }
    /// One property.
    property_schema {
        TYPE = "type", Word("property_type"), Required, r#""number""#, "The type of the value.";
        REQUIRED = "required", Boolean, Default("false"), "true", "Whether the event must have the property.";
    }
    /// A consent policy.
    consent_policy {
        PURPOSES = "purposes", Map("purpose", &Object("purpose_policy")), Required, r#"{"marketing": {"unknown": "deny"}}"#, "The purposes and what unknown consent means for each. Purposes that are not named keep their default; a purpose without default is denied.";
    }
    /// One purpose.
    purpose_policy {
        UNKNOWN = "unknown", Word("unknown_consent"), Required, r#""deny""#, "What holds for a person without a choice for the purpose.";
    }
}

pub(in crate::definitions) static EVENT_SCHEMA: Shape = Shape {
    name: "event_schema",
    purpose: "The properties of an event and their types. Messages that do not fit are stored and reported as warnings.",
    fields: &[common::ALL, event_schema::ALL],
    shortest: r#"{"kind": "event_schema", "name": "order_completed", "event": "Order Completed", "properties": {}}"#,
    example: r#"{"kind": "event_schema", "name": "order_completed", "event": "Order Completed", "properties": {"order_id": {"type": "text", "required": true}, "revenue": {"type": "number", "required": true}, "products": {"type": "list"}}}"#,
    stands_in: r#""$""#,
};

pub(in crate::definitions) static PROPERTY_SCHEMA: Shape = Shape {
    name: "property_schema",
    purpose: "The type of one property.",
    fields: &[property_schema::ALL],
    shortest: r#"{"type": "text"}"#,
    example: r#"{"type": "number", "required": true}"#,
    stands_in: r#"{"kind": "event_schema", "name": "order_completed", "event": "Order Completed", "properties": {"revenue": "$"}}"#,
};

pub(in crate::definitions) static CONSENT_POLICY: Shape = Shape {
    name: "consent_policy",
    purpose: "What may be done with personal data of a person who has made no choice. One consent policy holds at a time. Without one, `analytics`, `ml_training` and `service` are allowed; `advertising`, `marketing`, `personalization` and `sale_share` are denied.",
    fields: &[common::ALL, consent_policy::ALL],
    shortest: r#"{"kind": "consent_policy", "name": "default", "purposes": {}}"#,
    example: r#"{"kind": "consent_policy", "name": "default", "purposes": {"marketing": {"unknown": "deny"}, "analytics": {"unknown": "allow"}}}"#,
    stands_in: r#""$""#,
};

pub(in crate::definitions) static PURPOSE_POLICY: Shape = Shape {
    name: "purpose_policy",
    purpose: "What unknown consent means for one purpose.",
    fields: &[purpose_policy::ALL],
    shortest: r#"{"unknown": "allow"}"#,
    example: r#"{"unknown": "deny"}"#,
    stands_in: r#"{"kind": "consent_policy", "name": "default", "purposes": {"marketing": "$"}}"#,
};
