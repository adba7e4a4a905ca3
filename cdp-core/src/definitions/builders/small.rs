//! The builders of the kinds with few fields: audience, policy, consent policy, destination and event schema.

use super::parts::{ObjectFields, builder, definition, named};
use super::rule::Rule;
use crate::definitions::{Population, UnknownConsent};
use crate::records::Value;

/// A set of profiles by a rule.
///
/// ```
/// use cdp_core::define::{Audience, Rule};
/// use cdp_core::definitions::Definition;
/// use cdp_core::records::Value;
/// let rule = Rule::all([
///     Rule::feature("total_spend").gte(1000),
///     Rule::event("Order Completed").at_least(1).within("30d"),
/// ]);
/// let audience = Value::from(Audience::new("big", rule).description("Spent much, and lately"));
/// assert_eq!(Definition::from_value(&audience)?.name, "big");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "an audience exists when it is defined"]
pub struct Audience(ObjectFields);

definition!(Audience);

impl Audience {
    /// The profiles for which a rule holds.
    pub fn new(name: impl Into<String>, rule: impl Into<Rule>) -> Audience {
        Audience(named("audience", name).with("rule", rule.into()))
    }

    /// The profiles that the audience is drawn from: all, or those with a person or contact identifier.
    pub fn population(self, population: Population) -> Audience {
        let word = match population {
            Population::Everybody => "everybody",
            Population::Known => "known",
        };
        Audience(self.0.with("population", word))
    }
}

/// A choice that is made at request time, for a stated purpose.
///
/// ```
/// use cdp_core::define::{Policy, Rule};
/// use cdp_core::definitions::Definition;
/// use cdp_core::records::Value;
/// let policy = Policy::new("checkout", "personalization")
///     .choose(Rule::trait_("country").eq("FR"), serde_json::json!({"banner": "fr"}))
///     .otherwise(serde_json::json!({"banner": "en"}));
/// assert_eq!(Definition::from_value(&Value::from(policy))?.name, "checkout");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a policy exists when it is defined"]
pub struct Policy(ObjectFields);

definition!(Policy);

impl Policy {
    /// A policy without a choice yet; `purpose` is the use of personal data that consent must allow.
    pub fn new(name: impl Into<String>, purpose: impl Into<String>) -> Policy {
        Policy(named("policy", name).with("purpose", purpose.into()).with("choose", Value::List(Vec::new())))
    }

    /// One more choice; the first whose rule holds is made.
    pub fn choose(self, when: impl Into<Rule>, then: impl Into<Value>) -> Policy {
        Policy(self.0.push("choose", Value::object([("when", Value::from(when.into())), ("then", then.into())])))
    }

    /// The answer if no rule holds or consent does not allow the purpose.
    pub fn otherwise(self, answer: impl Into<Value>) -> Policy {
        Policy(self.0.with("otherwise", answer))
    }
}

/// What unknown consent means, by purpose.
///
/// ```
/// use cdp_core::define::ConsentPolicy;
/// use cdp_core::definitions::{Definition, UnknownConsent};
/// use cdp_core::records::Value;
/// let policy = ConsentPolicy::new("eu").purpose("analytics", UnknownConsent::Deny);
/// assert_eq!(Definition::from_value(&Value::from(policy))?.name, "eu");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a consent policy holds when it is defined"]
pub struct ConsentPolicy(ObjectFields);

definition!(ConsentPolicy);

impl ConsentPolicy {
    /// A consent policy that names no purpose yet.
    pub fn new(name: impl Into<String>) -> ConsentPolicy {
        ConsentPolicy(named("consent_policy", name).with("purposes", Value::object::<String, 0>([])))
    }

    /// What it means for a purpose that a person has made no choice.
    pub fn purpose(self, purpose: impl Into<String>, unknown: UnknownConsent) -> ConsentPolicy {
        let word = match unknown {
            UnknownConsent::Allow => "allow",
            UnknownConsent::Deny => "deny",
        };
        ConsentPolicy(self.0.insert("purposes", purpose, Value::object([("unknown", Value::from(word))])))
    }
}

/// A way out for an audience.
///
/// ```
/// use cdp_core::define::Destination;
/// use cdp_core::definitions::Definition;
/// use cdp_core::records::Value;
/// let destination = Destination::new("newsletter", "big", "marketing").channel("email").column("E-mail", "email");
/// assert_eq!(Definition::from_value(&Value::from(destination))?.name, "newsletter");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a destination exists when it is defined"]
pub struct Destination(ObjectFields);

definition!(Destination);

impl Destination {
    /// The members of an audience leave for a purpose.
    pub fn new(name: impl Into<String>, audience: impl Into<String>, purpose: impl Into<String>) -> Destination {
        let parts = named("destination", name);
        Destination(parts.with("audience", audience.into()).with("purpose", purpose.into()))
    }

    /// The channel over which people will be reached: `email`, `sms`, ...
    pub fn channel(self, channel: impl Into<String>) -> Destination {
        Destination(self.0.with("channel", channel.into()))
    }

    /// One more column: its header in the export, and what it holds.
    pub fn column(self, header: impl Into<String>, column: impl Into<String>) -> Destination {
        Destination(self.0.insert("columns", header, column.into()))
    }
}

/// The properties that an event must have; messages without them are kept and warned about.
///
/// A type is `text`, `number`, `integer`, `boolean`, `timestamp`, `list` or `object`.
///
/// ```
/// use cdp_core::define::EventSchema;
/// use cdp_core::definitions::Definition;
/// use cdp_core::records::Value;
/// let schema = EventSchema::new("order", "Order Completed").required("revenue", "number").optional("coupon", "text");
/// assert_eq!(Definition::from_value(&Value::from(schema))?.name, "order");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a schema holds when it is defined"]
pub struct EventSchema(ObjectFields);

definition!(EventSchema);

impl EventSchema {
    /// A schema of an event, without a property yet.
    pub fn new(name: impl Into<String>, event: impl Into<String>) -> EventSchema {
        let parts = named("event_schema", name).with("event", event.into());
        EventSchema(parts.with("properties", Value::object::<String, 0>([])))
    }

    /// A property that must be there, and its type.
    pub fn required(self, property: impl Into<String>, property_type: impl Into<String>) -> EventSchema {
        let schema = ObjectFields::new().with("type", property_type.into()).with("required", true);
        EventSchema(self.0.insert("properties", property, schema))
    }

    /// A property that may be absent, and its type.
    pub fn optional(self, property: impl Into<String>, property_type: impl Into<String>) -> EventSchema {
        EventSchema(self.0.insert("properties", property, ObjectFields::new().with("type", property_type.into())))
    }
}
