//! The reference of all definitions as one value: kinds, objects, rules, operators, aggregates, windows, source expressions.
//!
//! It joins the tables of `fields/` and the words of the readers, the same data by which definitions are read. It reads no
//! definition and holds no rule of its own. `docs/definitions.md` is made from it.

use super::fields::behavior::window;
use super::fields::common::common;
use super::fields::{activation, behavior, collection, expression, identity, leaf, linkage, predictor, rule, source};
use super::rule::{Operator, Place};
use super::schema::{Field, Presence, Shape, Type, WordList};
use super::{Aggregate, KINDS, Kind};
use crate::records::{Object, Value};

impl Kind {
    /// The fields of the kind; a new kind does not compile without them.
    fn shape(self) -> &'static Shape {
        match self {
            Kind::Identity => &identity::IDENTITY,
            Kind::Source => &source::SOURCE,
            Kind::EventSchema => &collection::EVENT_SCHEMA,
            Kind::ConsentPolicy => &collection::CONSENT_POLICY,
            Kind::Feature => &behavior::FEATURE,
            Kind::Audience => &activation::AUDIENCE,
            Kind::Predictor => &predictor::PREDICTOR,
            Kind::Policy => &activation::POLICY,
            Kind::Destination => &activation::DESTINATION,
        }
    }
}

/// The objects that stand inside definitions, each with the kind (or part of the reference) that it is shown with.
static OBJECTS: [(&str, &Shape); 28] = [
    ("identity", &identity::IDENTIFIER_TYPE),
    ("identity", &identity::LIMIT),
    ("identity", &identity::BLOCKED_PATTERN),
    ("identity", &identity::SOURCE_PRIORITY),
    ("identity", &identity::PROFILE_LINKAGE),
    ("identity", &linkage::BLOCKING),
    ("identity", &linkage::THRESHOLDS),
    ("source", &source::EMIT),
    ("source", &source::FIELD_MAP),
    ("source", &source::GATE),
    ("source", &expression::CONDITION),
    ("event_schema", &collection::PROPERTY_SCHEMA),
    ("consent_policy", &collection::PURPOSE_POLICY),
    ("feature", &behavior::PROPERTY_FILTER),
    ("predictor", &predictor::TEXT_FIELD),
    ("predictor", &predictor::COHORT_LABEL),
    ("predictor", &predictor::PROPENSITY_LABEL),
    ("predictor", &predictor::RULE_COHORT),
    ("predictor", &predictor::DESCRIBED_COHORT),
    ("policy", &activation::POLICY_CHOICE),
    ("rule", &rule::MINIMUM),
    ("rule", &behavior::SEQUENCE_STEP),
    ("rule", &behavior::EVENT_SELECTION),
    ("rule", &behavior::STOPPED_HABIT),
    ("rule", &behavior::RESTARTED_HABIT),
    ("rule", &behavior::REGULAR_HABIT),
    ("rule", &leaf::BUCKET_RANGE),
    ("tables", &linkage::LINKAGE),
];

/// The words of every enumeration.
fn word_lists() -> Vec<WordList> {
    use super::{
        audience, consent_policy, event_schema, identity as identities, linkage as roles, predictor as predictors,
        rule as rules, source as sources,
    };
    let aggregates = Aggregate::rows().map(|(word, _, meaning)| (word, meaning.trim())).collect();
    vec![
        KINDS.list(),
        identities::presets::PRESETS.list(),
        identities::read::ROLES.list(),
        identities::read::NORMALIZATIONS.list(),
        identities::read::CONFLICTS.list(),
        identities::traits::STRATEGIES.list(),
        roles::COLUMN_ROLES.list(),
        sources::FORMATS.list(),
        sources::ENCODINGS.list(),
        sources::DECIMAL_MARKS.list(),
        sources::NULL_TRAITS.list(),
        sources::MESSAGE_TYPES.list(),
        sources::EXPECTATIONS.list(),
        sources::SEVERITIES.list(),
        sources::GATE_TYPES.list(),
        sources::CONVERSIONS.list(),
        sources::OTHERWISE.list(),
        sources::CONDITION_OPERATORS.list(),
        event_schema::PROPERTY_TYPES.list(),
        consent_policy::UNKNOWN.list(),
        WordList { name: "aggregate", words: aggregates },
        rules::OPERATORS.list(),
        rules::IDENTITY_TESTS.list(),
        rules::CONSENT_STATUSES.list(),
        audience::POPULATIONS.list(),
        predictors::TASKS.list(),
        predictors::CLASS_WEIGHTS.list(),
        predictors::SIMILARITIES.list(),
        predictors::ANALYZERS.list(),
    ]
}

/// Everything that a definition may contain, as data.
///
/// The value has these fields:
///
/// | field | what |
/// |---|---|
/// | `common` | the fields that every kind has |
/// | `kinds` | an object description for each kind of definition, its common fields included |
/// | `objects` | an object description for each object inside definitions; `of` names the kind or part it belongs to |
/// | `nodes`, `leaves` | an object description for each node and leaf of a rule |
/// | `operators` | `{name, meaning, value, numeric, property}`: the type of `value` (null for none), whether counts and scores take it, whether properties of events do |
/// | `windows` | the fields that limit events in time, one of which may be given |
/// | `aggregates` | `{name, meaning, needs_property, gives}`; `gives` is `number`, `time` or `value` |
/// | `expressions` | an object description for each form of a source expression; a text alone is a path |
/// | `words` | for each enumeration its words as `[{word, meaning}]`, in the order in which an error lists them |
///
/// An **object description** is `{name, purpose, fields, shortest, example, stands_in}`: `shortest` is the least that reads,
/// `example` a complete one, and `stands_in` a definition with the text `$` in the place of the object.
///
/// A **field** is `{name, type, required, meaning, example}`, with `default` (the value an absent field is read as),
/// `absent` (text, where that depends on other fields) or `required_if` (text), and with `beside`: the fields that must stand
/// beside the example in `shortest`, null for a field to take away.
///
/// A **type** is `{type}` with more by its word: `integer` (`at_least`, `at_most`), `number` (`above`, `at_least`, `below`,
/// `at_most`), `word` (`words`: the name of a list), `object` (`object`: its name), `list` (`items`), `map` (`keys`,
/// `values`), `either` (`of`). Alone stand `text` (not empty), `any_text`, `boolean`, `true`, `json`, `duration`, `time`,
/// `path`, `pattern`, `rule`, `expression` and `operand` (the type that the operator takes).
///
/// Cost: the value is built on each call, about 150 kB of JSON, in less than the time of opening a store.
///
/// ```
/// use cdp_core::definitions::reference;
/// use cdp_core::records::Value;
/// let reference = reference();
/// let kinds = reference.get("kinds").and_then(Value::as_list).unwrap_or_default();
/// let audience = kinds.iter().find(|kind| kind.get("name") == Some(&Value::from("audience"))).unwrap();
/// let fields = audience.get("fields").and_then(Value::as_list).unwrap_or_default();
/// assert!(fields.iter().any(|field| field.get("name") == Some(&Value::from("rule"))));
/// ```
pub fn reference() -> Value {
    let shapes = |shapes: &mut dyn Iterator<Item = &'static Shape>| Value::List(shapes.map(describe_shape).collect());
    let objects = OBJECTS.iter().map(|(of, shape)| {
        let mut object = shape_fields(shape);
        object.insert("of".to_owned(), Value::from(*of));
        Value::Object(object)
    });
    let words = word_lists().into_iter().map(|list| {
        let words = list
            .words
            .into_iter()
            .map(|(word, meaning)| Value::object([("word", Value::from(word)), ("meaning", Value::from(meaning))]));
        (list.name.to_owned(), Value::List(words.collect()))
    });
    Value::object([
        ("common", describe_fields(&[common::ALL])),
        ("kinds", shapes(&mut Kind::ALL.into_iter().map(|(_, kind)| kind.shape()))),
        ("objects", Value::List(objects.collect())),
        ("nodes", shapes(&mut super::rule::NODES.into_iter())),
        ("leaves", shapes(&mut super::rule::LEAVES.iter().map(|(leaf, _)| *leaf))),
        ("operators", Value::List(super::rule::OPERATORS.rows.iter().map(describe_operator).collect())),
        ("windows", describe_fields(&[window::ALL])),
        ("aggregates", Value::List(Aggregate::rows().map(describe_aggregate).collect())),
        ("expressions", shapes(&mut super::source::FORMS.into_iter())),
        ("words", Value::Object(words.collect())),
    ])
}

fn describe_operator((word, operator, meaning): &(&'static str, Operator, &'static str)) -> Value {
    Value::object([
        ("name", Value::from(*word)),
        ("meaning", Value::from(*meaning)),
        ("value", operator.operand_type().map_or(Value::Null, |operand| describe_type(&operand))),
        ("numeric", Value::Bool(Place::Number.takes(*operator))),
        ("property", Value::Bool(Place::Where.takes(*operator))),
    ])
}

fn describe_aggregate((word, aggregate, meaning): (&'static str, Aggregate, &'static str)) -> Value {
    let gives = match (aggregate.is_numeric(), aggregate.is_time()) {
        (true, _) => "number",
        (_, true) => "time",
        _ => "value",
    };
    Value::object([
        ("name", Value::from(word)),
        ("meaning", Value::from(meaning.trim())),
        ("needs_property", Value::Bool(aggregate.needs_property())),
        ("gives", Value::from(gives)),
    ])
}

fn describe_shape(shape: &Shape) -> Value {
    Value::Object(shape_fields(shape))
}

fn shape_fields(shape: &Shape) -> Object {
    Object::from([
        ("name".to_owned(), Value::from(shape.name)),
        ("purpose".to_owned(), Value::from(shape.purpose)),
        ("fields".to_owned(), describe_fields(shape.fields)),
        ("shortest".to_owned(), json(shape.shortest)),
        ("example".to_owned(), json(shape.example)),
        ("stands_in".to_owned(), json(shape.stands_in)),
    ])
}

fn describe_fields(groups: &[&[&Field]]) -> Value {
    Value::List(groups.iter().flat_map(|group| group.iter()).map(|field| describe_field(field)).collect())
}

fn describe_field(field: &Field) -> Value {
    let mut described = Object::from([
        ("name".to_owned(), Value::from(field.name)),
        ("type".to_owned(), describe_type(&field.value)),
        ("required".to_owned(), Value::Bool(matches!(field.presence, Presence::Required))),
        ("meaning".to_owned(), Value::from(field.meaning)),
        ("example".to_owned(), json(field.example)),
        ("beside".to_owned(), json(field.beside)),
    ]);
    let absence = match field.presence {
        Presence::Required | Presence::Optional => None,
        Presence::RequiredIf(text) => Some(("required_if", Value::from(text))),
        Presence::Default(value) => Some(("default", json(value))),
        Presence::Otherwise(text) => Some(("absent", Value::from(text))),
    };
    described.extend(absence.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(described)
}

fn describe_type(described: &Type) -> Value {
    let of = |word: &str, more: Vec<(&str, Value)>| {
        let fields = [("type", Value::from(word))].into_iter().chain(more);
        Value::Object(fields.map(|(name, value)| (name.to_owned(), value)).collect())
    };
    match described {
        Type::Text => of("text", vec![]),
        Type::AnyText => of("any_text", vec![]),
        Type::Boolean => of("boolean", vec![]),
        Type::True => of("true", vec![]),
        Type::Json => of("json", vec![]),
        Type::Number(bounds) => of("number", bounds.iter().map(|(word, bound)| (*word, json(bound))).collect()),
        Type::Integer(least, greatest) => {
            of("integer", vec![("at_least", json(&least.to_string())), ("at_most", json(&greatest.to_string()))])
        }
        Type::Duration => of("duration", vec![]),
        Type::Time => of("time", vec![]),
        Type::Path => of("path", vec![]),
        Type::Pattern => of("pattern", vec![]),
        Type::Word(words) => of("word", vec![("words", Value::from(*words))]),
        Type::Object(object) => of("object", vec![("object", Value::from(*object))]),
        Type::Rule => of("rule", vec![]),
        Type::Expression => of("expression", vec![]),
        Type::Operand => of("operand", vec![]),
        Type::List(items) => of("list", vec![("items", describe_type(items))]),
        Type::Map(keys, values) => of("map", vec![("keys", Value::from(*keys)), ("values", describe_type(values))]),
        Type::Either(types) => of("either", vec![("of", Value::List(types.iter().map(describe_type).collect()))]),
    }
}

/// Text of the tables, which a test reads whole: null would be a defect of a table.
fn json(text: &str) -> Value {
    Value::parse(text.as_bytes()).unwrap_or(Value::Null)
}
