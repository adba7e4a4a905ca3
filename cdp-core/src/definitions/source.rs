//! The source definition: how the rows of a file or stream become messages.
//!
//! It takes the JSON of a definition and leaves a checked tree: expressions compiled, patterns and time zones resolved,
//! every fault reported at once. It reads no row; the intake module does that. One emit may stand at the top level; an
//! `emit` list shares the top level's `message_id`, times, `ids` and `context`.

mod expression;
mod gate;
mod settings;

use std::collections::BTreeSet;

use crate::records::{MessageType, Path, Value};

use super::fields::source::{emit, emits, layout, rows};
use super::reader::{Fields, Node};
use super::schema::Words;

pub use expression::{
    Arithmetic, Condition, ConditionOp, Conversion, Expression, FieldExpression, Otherwise, Pattern, TimeForm,
    TimeFormat,
};
pub use gate::{Expectation, Gate, GateType, Severity};
pub use settings::{CsvSettings, Delimiter, Encoding, Format, TextSettings};

pub(super) use expression::{CONDITION_OPERATORS, CONVERSIONS, FORMS, OTHERWISE};
pub(super) use gate::{EXPECTATIONS, GATE_TYPES, SEVERITIES};
pub(super) use settings::{DECIMAL_MARKS, ENCODINGS, FORMATS};

use expression::{read_condition, read_expression, read_time_expression};

/// Where the records lie in a JSON document.
#[derive(Clone, Debug, PartialEq)]
pub enum Records {
    /// The document itself is the array.
    TopLevel,
    /// An array inside it.
    At(Path),
}

/// What a null trait means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NullTrait {
    /// Nothing: the person keeps the value (the default).
    Keep,
    /// The trait is deleted.
    Delete,
}

pub(super) static NULL_TRAITS: Words<NullTrait> = Words {
    name: "null_trait",
    rows: &[
        ("keep", NullTrait::Keep, "The profile keeps the value it has."),
        ("delete", NullTrait::Delete, "The trait is deleted."),
    ],
};

pub(super) static MESSAGE_TYPES: Words<MessageType> = Words {
    name: "message_type",
    rows: &[
        ("identify", MessageType::Identify, "Identifiers and traits of a person."),
        ("track", MessageType::Track, "An event."),
        ("page", MessageType::Page, "A page view."),
        ("screen", MessageType::Screen, "A screen view of an app."),
        ("group", MessageType::Group, "Membership in an account."),
        ("alias", MessageType::Alias, "A former and a present identifier of one person."),
        ("consent", MessageType::Consent, "A choice about a use of personal data."),
    ],
};

/// How a message id is made.
#[derive(Clone, Debug, PartialEq)]
pub enum MessageIdRule {
    /// The value as text.
    One(Expression),
    /// The JSON array of the parts as text.
    Parts(Vec<Expression>),
}

/// The fields of an object that a row fills: the rest of an object of the row, and single fields over it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldMap {
    /// The object that is taken whole, without some keys.
    pub rest: Option<Expression>,
    /// The single fields; a dot in a name makes an inner object.
    pub fields: Vec<(Vec<String>, Expression)>,
}

impl FieldMap {
    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.rest.is_none() && self.fields.is_empty()
    }
}

/// One message that a row makes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Emit {
    /// The message is made only if this holds.
    pub when: Option<Condition>,
    /// The type; without it `event` means track, `group_id` group, else identify.
    pub kind: Option<MessageType>,
    /// The message id; without it the hash of source and row.
    pub message_id: Option<MessageIdRule>,
    /// When it happened.
    pub timestamp: Option<Expression>,
    /// When it happened by the clock of the device.
    pub original_timestamp: Option<Expression>,
    /// When it was sent.
    pub sent_at: Option<Expression>,
    /// When a collector received it.
    pub received_at: Option<Expression>,
    /// The event name of a track; the name of a page or screen.
    pub event: Option<Expression>,
    /// The account of a group message.
    pub group_id: Option<Expression>,
    /// The former id of an alias.
    pub previous_id: Option<Expression>,
    /// Identifiers by type.
    pub ids: Vec<(String, Expression)>,
    /// Traits.
    pub traits: FieldMap,
    /// Properties.
    pub properties: FieldMap,
    /// Context.
    pub context: FieldMap,
}

impl Emit {
    /// The type of the message, given or implied.
    pub fn message_type(&self) -> MessageType {
        match self.kind {
            Some(kind) => kind,
            None if self.event.is_some() => MessageType::Track,
            None if self.group_id.is_some() => MessageType::Group,
            None => MessageType::Identify,
        }
    }

    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let id = match &self.message_id {
            Some(MessageIdRule::One(one)) => std::slice::from_ref(one),
            Some(MessageIdRule::Parts(parts)) => parts.as_slice(),
            None => &[],
        };
        let single = [&self.timestamp, &self.original_timestamp, &self.sent_at, &self.received_at]
            .into_iter()
            .chain([&self.event, &self.group_id, &self.previous_id])
            .flatten();
        let maps = [&self.traits, &self.properties, &self.context]
            .into_iter()
            .flat_map(|map| map.rest.iter().chain(map.fields.iter().map(|(_, expression)| expression)));
        id.iter().chain(single).chain(self.ids.iter().map(|(_, expression)| expression)).chain(maps)
    }
}

/// How foreign rows become messages.
///
/// Without any mapping (`ids`, `event`, `traits`, ...) the rows of a JSON source are Segment messages already.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceDefinition {
    /// Its name: message ids are unique within it.
    pub name: String,
    /// How the bytes are laid out; without it, file name and content tell.
    pub format: Option<Format>,
    /// How delimited text is read.
    pub csv: CsvSettings,
    /// How lines of text are read.
    pub text: TextSettings,
    /// Where the records lie in a JSON document.
    pub records: Option<Records>,
    /// A path to a list: the record is mapped once for each item, and the path stands for that item.
    pub each: Option<Path>,
    /// What a null trait means.
    pub null: NullTrait,
    /// Whether times are corrected by the difference of receivedAt and sentAt.
    pub skew: bool,
    /// What is expected of a row before it is mapped.
    pub gates: Vec<Gate>,
    /// The messages a row makes; empty if rows are Segment messages.
    pub emits: Vec<Emit>,
}

const OF_ONE_EMIT: [&str; 8] = ["when", "type", "event", "traits", "properties", "group_id", "previous_id", "emit"];
const OF_ANY_EMIT: [&str; 7] =
    ["message_id", "timestamp", "original_timestamp", "sent_at", "received_at", "ids", "context"];

impl SourceDefinition {
    pub(crate) fn read(name: String, fields: &mut Fields<'_>) -> Option<SourceDefinition> {
        let format = fields.optional(&layout::FORMAT, |node| node.word(&settings::FORMATS));
        let csv = settings::read_csv_settings(fields);
        let text = settings::read_text_settings(fields);
        let records = fields.optional(&rows::RECORDS, |node| match node.value {
            Value::Text(path) if path.is_empty() => Some(Records::TopLevel),
            _ => node.path().map(Records::At),
        });
        let each = fields.optional(&rows::EACH, |node| node.path());
        let null = fields.optional(&rows::NULL, |node| node.word(&NULL_TRAITS));
        let skew = fields.optional(&rows::SKEW, |node| node.boolean());
        let gates = fields.optional(&rows::GATES, |node| node.list(gate::read_gate)).unwrap_or_default();
        let present: BTreeSet<&str> = fields.names().collect();
        let maps_rows = OF_ONE_EMIT.iter().chain(&OF_ANY_EMIT).any(|field| present.contains(field));
        let shared = read_emit(fields);
        let listed = fields.optional(&emits::EMIT, |node| {
            node.list(|item| {
                let mut inner = item.fields()?;
                let emit = read_emit(&mut inner);
                inner.finish();
                Some(emit)
            })
        });
        let emits = match listed {
            Some(listed) => {
                for field in OF_ONE_EMIT.iter().filter(|field| **field != "emit" && present.contains(*field)) {
                    fields.fault(format!("`{field}` stands beside `emit`; put it into each emit that needs it"));
                }
                if listed.is_empty() {
                    fields.fault("`emit` is empty; give at least one message");
                }
                listed.into_iter().map(|emit| inherit(emit, &shared)).collect()
            }
            None if maps_rows => vec![shared],
            None => Vec::new(),
        };
        check_format(format, &present, emits.is_empty(), fields);
        Some(SourceDefinition {
            name,
            format,
            csv,
            text,
            records,
            each,
            null: null.unwrap_or(NullTrait::Keep),
            skew: skew.unwrap_or(false),
            gates,
            emits,
        })
    }

    /// The names of the row's fields that the definition reads, sorted: paths as written, and `row` where the row number
    /// is used. An empty name stands for the row as a whole.
    pub fn fields_read(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        for gate in &self.gates {
            names.insert(gate.path.as_str().to_owned());
        }
        if let Some(each) = &self.each {
            names.insert(each.as_str().to_owned());
        }
        for emit in &self.emits {
            if let Some(when) = &emit.when {
                names.insert(when.path.as_str().to_owned());
            }
            for expression in emit.expressions() {
                expression.collect_fields(&mut names);
            }
        }
        if self.emits.is_empty() {
            names.insert(String::new());
        }
        names.into_iter().collect()
    }

    /// Whether an expression asks for the number of the row.
    pub fn reads_row_number(&self) -> bool {
        self.emits.iter().flat_map(Emit::expressions).any(Expression::reads_row_number)
    }
}

fn check_format(format: Option<Format>, present: &BTreeSet<&str>, no_mapping: bool, fields: &Fields<'_>) {
    let Some(format) = format else { return };
    let own: [(&str, &[Format]); 9] = [
        ("delimiter", &[Format::Csv]),
        ("columns", &[Format::Csv]),
        ("skip", &[Format::Csv]),
        ("nulls", &[Format::Csv]),
        ("encoding", &[Format::Csv, Format::Text]),
        ("decimal", &[Format::Csv, Format::Text, Format::Form]),
        ("pattern", &[Format::Text]),
        ("continuation", &[Format::Text]),
        ("records", &[Format::Json, Format::Ndjson]),
    ];
    for (field, formats) in own {
        if present.contains(field) && !formats.contains(&format) {
            fields.fault(format!("`{field}` says nothing about the format {}", format.as_str()));
        }
    }
    if format == Format::Text && !present.contains("pattern") {
        fields.fault("the format text needs a `pattern` with named groups");
    }
    if no_mapping && matches!(format, Format::Csv | Format::Text | Format::Form) {
        fields.fault("nothing is mapped; give at least `ids`, and `event`, `traits` or `properties`");
    }
}

fn read_emit(fields: &mut Fields<'_>) -> Emit {
    Emit {
        when: fields.optional(&emit::WHEN, read_condition),
        kind: fields.optional(&emit::TYPE, |node| node.word(&MESSAGE_TYPES)),
        message_id: fields.optional(&emit::MESSAGE_ID, |node| match node.value {
            Value::List(parts) if parts.is_empty() => {
                node.fault("expected at least one part");
                None
            }
            Value::List(_) => node.list(read_expression).map(MessageIdRule::Parts),
            _ => read_expression(node).map(MessageIdRule::One),
        }),
        timestamp: fields.optional(&emit::TIMESTAMP, read_time_expression),
        original_timestamp: fields.optional(&emit::ORIGINAL_TIMESTAMP, read_time_expression),
        sent_at: fields.optional(&emit::SENT_AT, read_time_expression),
        received_at: fields.optional(&emit::RECEIVED_AT, read_time_expression),
        event: fields.optional(&emit::EVENT, read_expression),
        group_id: fields.optional(&emit::GROUP_ID, read_expression),
        previous_id: fields.optional(&emit::PREVIOUS_ID, read_expression),
        ids: fields
            .optional(&emit::IDS, |node| node.entries(|_, expression| read_expression(expression)))
            .unwrap_or_default(),
        traits: fields.optional(&emit::TRAITS, read_field_map).unwrap_or_default(),
        properties: fields.optional(&emit::PROPERTIES, read_field_map).unwrap_or_default(),
        context: fields.optional(&emit::CONTEXT, read_field_map).unwrap_or_default(),
    }
}

/// A path to an object, or an object of fields, with `*` (and `-`) for the rest of an object.
fn read_field_map(node: Node<'_>) -> Option<FieldMap> {
    if node.value.as_text().is_some() {
        let rest = node.path().map(|path| Expression::Rest { path: Some(path), without: Vec::new() })?;
        return Some(FieldMap { rest: Some(rest), fields: Vec::new() });
    }
    let rest = match node.value.get("*") {
        Some(_) => Some(expression::read_rest(node)?),
        None => None,
    };
    let skip_rest = rest.is_some();
    let entries = node.entries(|name, value| {
        if skip_rest && (name == "*" || name == "-") {
            return Some(None);
        }
        let steps: Vec<String> = name.split('.').map(str::to_owned).collect();
        if steps.iter().any(String::is_empty) || steps.len() > 8 {
            value.fault("expected a field name; dots join the names of inner objects, at most eight");
            return None;
        }
        read_expression(value).map(|expression| Some((steps, expression)))
    })?;
    Some(FieldMap { rest, fields: entries.into_iter().filter_map(|(_, entry)| entry).collect() })
}

fn inherit(mut emit: Emit, shared: &Emit) -> Emit {
    emit.message_id = emit.message_id.or_else(|| shared.message_id.clone());
    emit.timestamp = emit.timestamp.or_else(|| shared.timestamp.clone());
    emit.original_timestamp = emit.original_timestamp.or_else(|| shared.original_timestamp.clone());
    emit.sent_at = emit.sent_at.or_else(|| shared.sent_at.clone());
    emit.received_at = emit.received_at.or_else(|| shared.received_at.clone());
    for (identifier_type, expression) in &shared.ids {
        if !emit.ids.iter().any(|(own, _)| own == identifier_type) {
            emit.ids.push((identifier_type.clone(), expression.clone()));
        }
    }
    if emit.context.is_empty() {
        emit.context = shared.context.clone();
    }
    emit
}

#[cfg(test)]
mod tests {
    use crate::definitions::{Body, Definition, SourceDefinition};

    fn source(text: &str) -> SourceDefinition {
        match Definition::parse(text).unwrap().body {
            Body::Source(source) => source,
            _ => panic!("not a source"),
        }
    }

    fn pointers(text: &str) -> Vec<String> {
        Definition::parse(text).unwrap_err().faults().iter().map(|fault| fault.pointer.clone()).collect()
    }

    #[test]
    fn the_fields_that_are_read_are_known_by_name() {
        let definition = source(
            r#"{"kind":"source","name":"shop","format":"csv","message_id":["InvoiceNo",{"row":true}],
            "event":{"if":{"field":"Kind","op":"starts_with","value":"C"},"then":{"const":"A"},"else":{"const":"B"}},
            "ids":{"user_id":{"field":"CustomerID","as":"integer"}},"properties":{"revenue":{"mul":["Quantity","UnitPrice"]}},
            "gates":[{"expect":"not_null","field":"Country"}]}"#,
        );
        let expected = ["Country", "CustomerID", "InvoiceNo", "Kind", "Quantity", "UnitPrice", "row"];
        assert_eq!(definition.fields_read(), expected);
    }

    #[test]
    fn three_faults_are_reported_at_once() {
        let found = pointers(
            r#"{"kind":"source","name":"x","format":"csv","timestamp":{"field":"at","format":"%Q","tz":"Mars/Base"},
            "ids":{"user_id":{"fild":"id"}},"gates":[{"expect":"positive","field":"n"}]}"#,
        );
        for pointer in ["/timestamp/format", "/timestamp/tz", "/ids/user_id", "/gates/0/expect"] {
            assert!(found.iter().any(|have| have.starts_with(pointer)), "{pointer} in {found:?}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let cases = [
            (r#""format":"ndjson","delimiter":";","ids":{"user_id":"id"}"#, "/"),
            (r#""format":"csv""#, "/"),
            (r#""format":"csv","emit":[{"event":"a"}],"event":"b""#, "/"),
            (r#""ids":{"user_id":{"field":"a","else":"ignore"}}"#, "/ids/user_id"),
            (r#""ids":{"user_id":{"field":"a","extract":"("}}"#, "/ids/user_id/extract"),
            (r#""ids":{"user_id":{"const":1,"field":"a"}}"#, "/ids/user_id"),
            (r#""ids":{"user_id":{"row":false}}"#, "/ids/user_id/row"),
            (r#""timestamp":{"field":"a","format":"%H:%M"}"#, "/timestamp/format"),
            (r#""ids":{},"gates":[{"expect":"between","field":"n","min":3,"max":1}]"#, "/gates/0"),
        ];
        for (fields, pointer) in cases {
            let found = pointers(&format!(r#"{{"kind":"source","name":"x",{fields}}}"#));
            assert_eq!(found, [pointer], "{fields}");
        }
    }
}
