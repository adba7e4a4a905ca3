//! Everything declarative: JSON in, checked types out. This module knows no SQL, no store and no clock.
//!
//! A definition is data: one JSON object with a `kind` and a `name`. Reading it reports every fault at once with its
//! JSON pointer. The canonical JSON is what is stored, hashed and compared; equal definitions are the same version.

mod aggregate;
mod audience;
pub mod builders;
mod catalog;
mod consent_policy;
mod destination;
mod event_schema;
mod feature;
mod fields;
mod identity;
mod linkage;
mod policy;
mod predictor;
mod profile_linkage;
mod reader;
mod reference;
mod rule;
mod schema;
mod source;
mod window;

pub use aggregate::Aggregate;
pub use audience::{AudienceDefinition, Population};
pub use catalog::Catalog;
pub use consent_policy::{ConsentPolicyDefinition, UnknownConsent};
pub use destination::DestinationDefinition;
pub use event_schema::EventSchemaDefinition;
pub use feature::FeatureDefinition;
pub use identity::{Blocked, IdentifierType, IdentityDefinition, Limit, Normalize, OnConflict, Role, TraitStrategy};
pub use linkage::{BlockingLimits, ColumnRole, LinkageDefinition, LinkageThresholds};
pub use policy::{PolicyChoice, PolicyDefinition};
pub use predictor::{
    Analyzer, DescribedCohort, OUTSIDE, PredictorDefinition, PredictorLabel, PredictorTask, RuleCohort, Similarity,
    TextField,
};
pub use profile_linkage::{ComparedValue, ProfileLinkage};
pub use reference::reference;
pub use rule::*;
pub use source::*;
pub use window::FeatureWindow;

pub(crate) use identity::{describe_preset, national_number};
pub(crate) use reader::{Faults, Node, near_or_all, nearest};
pub use reader::{MAX_DEFINITION_DEPTH, MAX_DEFINITION_NODES};

use fields::common::common;
use reader::too_large;
use schema::Words;

use crate::error::{Error, Fault, Result};
use crate::records::{Object, Value};

const KIND_ROWS: [(&str, Kind, &str); 9] = [
    ("identity", Kind::Identity, "Identifier types and limits."),
    ("source", Kind::Source, "How foreign rows become messages."),
    ("event_schema", Kind::EventSchema, "The properties of an event."),
    ("consent_policy", Kind::ConsentPolicy, "What unknown consent means."),
    ("feature", Kind::Feature, "A value computed from the events of a profile."),
    ("audience", Kind::Audience, "A set of profiles by a rule."),
    ("predictor", Kind::Predictor, "A learned class or likelihood."),
    ("policy", Kind::Policy, "A choice made at request time."),
    ("destination", Kind::Destination, "An export of an audience."),
];

/// The kinds as words of a definition.
static KINDS: Words<Kind> = Words { name: "kind", rows: &KIND_ROWS };

/// The kinds of definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Which identifiers there are.
    Identity,
    /// How foreign rows become messages.
    Source,
    /// What an event must look like.
    EventSchema,
    /// What may be done with personal data of a person who has made no choice.
    ConsentPolicy,
    /// A value computed from a profile's events.
    Feature,
    /// A set of profiles by a rule.
    Audience,
    /// A learned class or likelihood.
    Predictor,
    /// A choice made at request time.
    Policy,
    /// A way out.
    Destination,
}

impl Kind {
    /// Every kind with its word.
    pub const ALL: [(&'static str, Kind); 9] = schema::pairs(&KIND_ROWS);

    /// The word in the `kind` field.
    pub fn as_str(self) -> &'static str {
        Kind::ALL.into_iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|(candidate, _)| *candidate == word).map(|(_, kind)| kind)
    }
}

/// What a definition says, by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Which identifiers there are.
    Identity(IdentityDefinition),
    /// How foreign rows become messages.
    Source(SourceDefinition),
    /// What an event must look like.
    EventSchema(EventSchemaDefinition),
    /// What may be done with personal data of a person who has made no choice.
    ConsentPolicy(ConsentPolicyDefinition),
    /// A value computed from a profile's events.
    Feature(FeatureDefinition),
    /// A set of profiles by a rule.
    Audience(AudienceDefinition),
    /// A learned class or likelihood.
    Predictor(PredictorDefinition),
    /// A choice made at request time.
    Policy(PolicyDefinition),
    /// A way out.
    Destination(DestinationDefinition),
}

/// A checked definition.
///
/// ```
/// use cdp_core::definitions::Definition;
/// let text = r#"{"kind": "feature", "name": "orders", "event": "Order Completed", "agg": "count", "within": "30d"}"#;
/// let definition = Definition::parse(text)?;
/// assert_eq!(definition.name, "orders");
/// let error = Definition::parse(r#"{"kind": "feature", "name": "orders", "agg": "cuont", "within": "30x"}"#).unwrap_err();
/// assert!(error.faults().iter().any(|fault| fault.pointer == "/within"));
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Unique within its kind.
    pub name: String,
    /// What it says.
    pub body: Body,
    /// The whole definition as it was given.
    pub json: Value,
}

impl Definition {
    /// Reads one definition from JSON text.
    pub fn parse(text: &str) -> Result<Definition> {
        let value =
            Value::parse(text.as_bytes()).map_err(|fault| Error::invalid(format!("the definition is {fault}")))?;
        Definition::from_value(&value)
    }

    /// Reads one definition from a JSON value; every fault is reported at once.
    pub fn from_value(value: &Value) -> Result<Definition> {
        let (definition, faults) = Definition::read(value);
        match definition {
            Some(definition) if faults.is_empty() => Ok(definition),
            _ => {
                let name = value.get("name").and_then(Value::as_text).unwrap_or("without name");
                Err(Error::from_faults(&format!("the definition `{name}`"), faults))
            }
        }
    }

    fn read(value: &Value) -> (Option<Definition>, Vec<Fault>) {
        let faults = Faults::default();
        if let Some(message) = too_large(value) {
            faults.add("", message);
            return (None, faults.into_vec());
        }
        let definition = read_definition(Node::root(value, &faults)).map(|(name, body)| Definition {
            name,
            body,
            json: value.clone(),
        });
        (definition, faults.into_vec())
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        match self.body {
            Body::Identity(_) => Kind::Identity,
            Body::Source(_) => Kind::Source,
            Body::EventSchema(_) => Kind::EventSchema,
            Body::ConsentPolicy(_) => Kind::ConsentPolicy,
            Body::Feature(_) => Kind::Feature,
            Body::Audience(_) => Kind::Audience,
            Body::Predictor(_) => Kind::Predictor,
            Body::Policy(_) => Kind::Policy,
            Body::Destination(_) => Kind::Destination,
        }
    }

    /// The canonical JSON text.
    pub fn to_json(&self) -> String {
        self.json.to_json()
    }

    /// BLAKE3 of the canonical JSON: equal definitions have equal hashes, whatever the order of their fields.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(self.to_json().as_bytes()).as_bytes()
    }
}

/// The JSON of the definition.
impl serde::Serialize for Definition {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

/// A definition from its JSON; every fault is reported at once.
impl<'de> serde::Deserialize<'de> for Definition {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Definition, D::Error> {
        let json = Value::deserialize(deserializer)?;
        Definition::from_value(&json).map_err(serde::de::Error::custom)
    }
}

fn read_definition(node: Node<'_>) -> Option<(String, Body)> {
    let mut fields = node.fields()?;
    let kind = fields.required(&common::KIND, |node| node.word(&KINDS));
    let name = fields.required(&common::NAME, |node| node.text());
    fields.optional(&common::DESCRIPTION, |node| node.text());
    fields.optional(&common::OWNER, |node| node.text());
    fields.optional(&common::TAGS, |node| node.list(|tag| tag.text()));
    // Without a usable name the rest is still read, so that all faults are reported.
    let named = name.clone().unwrap_or_default();
    let body = match kind? {
        Kind::Identity => IdentityDefinition::read(named, &mut fields).map(Body::Identity),
        Kind::Source => SourceDefinition::read(named, &mut fields).map(Body::Source),
        Kind::EventSchema => EventSchemaDefinition::read(named, &mut fields).map(Body::EventSchema),
        Kind::ConsentPolicy => ConsentPolicyDefinition::read(named, &mut fields).map(Body::ConsentPolicy),
        Kind::Feature => FeatureDefinition::read(named, &mut fields).map(Body::Feature),
        Kind::Audience => AudienceDefinition::read(named, &mut fields).map(Body::Audience),
        Kind::Predictor => PredictorDefinition::read(named, &mut fields).map(Body::Predictor),
        Kind::Policy => PolicyDefinition::read(named, &mut fields).map(Body::Policy),
        Kind::Destination => DestinationDefinition::read(named, &mut fields).map(Body::Destination),
    };
    fields.finish();
    Some((name?, body?))
}

/// Reads a list of definitions; faults carry the index of the definition in their pointer.
pub fn parse_definitions(values: &[Value]) -> Result<Vec<Definition>> {
    let mut definitions = Vec::with_capacity(values.len());
    let mut faults = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let (definition, found) = Definition::read(value);
        faults.extend(found.into_iter().map(|fault| Fault {
            pointer: match fault.pointer.as_str() {
                _ if values.len() == 1 => fault.pointer,
                "/" => format!("/{index}"),
                within => format!("/{index}{within}"),
            },
            message: fault.message,
        }));
        definitions.extend(definition);
    }
    if faults.is_empty() {
        return Ok(definitions);
    }
    let what = match values {
        [only] => format!("the definition `{}`", only.get("name").and_then(Value::as_text).unwrap_or("without name")),
        _ => "the list of definitions".to_owned(),
    };
    Err(Error::from_faults(&what, faults))
}

/// A definition's fields without the words that every kind has, for messages and listings.
pub fn describe(definition: &Definition) -> Object {
    definition.json.as_object().cloned().unwrap_or_default()
}

impl crate::records::answer::Field for Kind {
    fn into_value(self) -> Value {
        Value::from(self.as_str())
    }

    fn write_shape(&self, out: &mut String) {
        out.push_str(self.as_str());
    }
}
