//! From a row to its messages, as a source definition says. A row is atomic: all its messages, or one reject.

use crate::definitions::{Emit, Expression, FieldMap, MessageIdRule, Severity, SourceDefinition};
use crate::records::{Message, MessageType, Object, Path, Reject, RejectReason, Timestamp, Value};

use super::expression::{Evaluated, Item, Scope, Stop, insert_at, name_of, text_of};
use super::segment::{check_required, check_size, event_name, id_text};
use super::times::rfc3339;
use super::{Found, MAX_MESSAGE_BYTES, Row, RowOutcome, gates, hash, segment};

/// Maps the rows of one source, or Segment messages where there is none.
///
/// ```
/// use cdp_core::definitions::{Body, Definition};
/// use cdp_core::intake::{Mapper, Row};
/// use cdp_core::records::{Timestamp, Value};
/// let text = r#"{"kind": "source", "name": "shop", "message_id": "id", "event": {"const": "Order Completed"},
///     "ids": {"user_id": "customer"}, "properties": {"total": {"mul": ["n", "price"]}}}"#;
/// let Body::Source(source) = Definition::parse(text)?.body else { unreachable!() };
/// let row = Row::from_value(1, Value::parse(br#"{"id": 7, "customer": "u1", "n": "6.0", "price": "2.55"}"#).unwrap());
/// let messages = Mapper::new(&source).map(&row, Timestamp::from_millis(0)).messages.unwrap();
/// assert_eq!(messages[0].message_id.as_deref(), Some("7"));
/// assert_eq!(messages[0].object("properties").unwrap()["total"].to_json(), "15.3");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mapper {
    source: Option<SourceDefinition>,
    /// The paths that lead into an item of `each`, by their full text, sorted.
    inner: Vec<(String, Path)>,
    max_message_bytes: usize,
}

impl Mapper {
    /// A mapper for a source.
    pub fn new(source: &SourceDefinition) -> Mapper {
        let mut inner = Vec::new();
        if let Some(each) = &source.each {
            for name in source.fields_read() {
                let within = name.strip_prefix(each.as_str()).and_then(|rest| rest.strip_prefix('.'));
                if let Some(path) = within.and_then(Path::parse) {
                    inner.push((name, path));
                }
            }
        }
        inner.sort_by(|left, right| left.0.cmp(&right.0));
        Mapper { source: Some(source.clone()), inner, max_message_bytes: MAX_MESSAGE_BYTES }
    }

    /// A mapper for rows that are Segment messages.
    pub fn segment() -> Mapper {
        Mapper { source: None, inner: Vec::new(), max_message_bytes: MAX_MESSAGE_BYTES }
    }

    /// The same with another limit for a message, in bytes of canonical JSON.
    #[must_use]
    pub fn with_max_message_bytes(mut self, max_message_bytes: usize) -> Mapper {
        self.max_message_bytes = max_message_bytes;
        self
    }

    /// The messages of a row, or why there are none.
    ///
    /// `received_at` is the instant of receipt that `{"received": true}` stands for. A Segment message without messageId
    /// gets none here from [`Mapper::segment`] and the hash of (source, row) from a named source.
    pub fn map(&self, row: &Row, received_at: Timestamp) -> RowOutcome {
        let Some(source) = &self.source else {
            return self.name_segment(segment::read_row(row, self.max_message_bytes), "default", row);
        };
        let values = match &row.values {
            Ok(values) => values,
            Err(reject) => return RowOutcome::reject(reject.clone()),
        };
        let (mut warnings, mut missed) = (Vec::new(), Vec::new());
        for (index, gate) in source.gates.iter().enumerate() {
            if gates::passes(&values.find(&gate.path), &gate.expectation) {
                continue;
            }
            if gate.mostly.is_some() {
                missed.push(index);
            } else if gate.severity == Severity::Quarantine {
                return RowOutcome::reject(Reject::at(RejectReason::Gate, gate.path.as_str(), gates::describe(gate)));
            } else {
                warnings.push(format!("`{}` does not pass the gate {}", gate.path, gates::describe(gate)));
            }
        }
        if source.emits.is_empty() {
            let mut outcome = self.name_segment(segment::read_row(row, self.max_message_bytes), &source.name, row);
            outcome.warnings.extend(warnings);
            outcome.missed = missed;
            return outcome;
        }
        let scope = Scope { source, row, values, received_at, item: None };
        let mut made = Made { messages: Vec::with_capacity(source.emits.len()), ignored: 0, place: 0 };
        match self.map_items(&scope, &mut made) {
            Ok(()) => {
                let ignored = if made.messages.is_empty() { made.ignored.max(1) } else { made.ignored };
                RowOutcome { messages: Ok(made.messages), ignored, warnings, missed }
            }
            Err(reject) => RowOutcome { messages: Err(reject), ignored: 0, warnings, missed },
        }
    }

    /// Gives Segment messages without id the hash of source and row, so that equal rows are one event.
    fn name_segment(&self, mut outcome: RowOutcome, source: &str, row: &Row) -> RowOutcome {
        if let (Ok(messages), Ok(values)) = (&mut outcome.messages, &row.values) {
            for message in messages.iter_mut().filter(|message| message.message_id.is_none()) {
                let id = hash::row_hash(Some(source), values);
                message.fields.insert("messageId".to_owned(), Value::from(id.as_str()));
                message.message_id = Some(id);
            }
        }
        outcome
    }

    fn map_items(&self, scope: &Scope<'_>, made: &mut Made) -> Result<(), Reject> {
        let Some(each) = &scope.source.each else { return self.map_emits(scope, made) };
        // What is no list counts as its only item; a null is a list without items.
        let list = scope.values.find(each);
        let single;
        let items: &[Value] = match &list {
            Found::Null => return Ok(()),
            Found::Value(Value::List(items)) => items,
            Found::Owned(Value::List(items)) => items,
            other => {
                single = [other.clone().into_value()];
                &single
            }
        };
        for (index, value) in items.iter().enumerate() {
            let item = Item { number: index as u64 + 1, value, each, inner: &self.inner };
            let Scope { source, row, values, received_at, .. } = *scope;
            self.map_emits(&Scope { source, row, values, received_at, item: Some(item) }, made)?;
        }
        Ok(())
    }

    fn map_emits(&self, scope: &Scope<'_>, made: &mut Made) -> Result<(), Reject> {
        for emit in &scope.source.emits {
            made.place += 1;
            if emit.when.as_ref().is_some_and(|when| !scope.holds(when)) {
                continue;
            }
            match self.message(scope, emit, made) {
                Ok(message) => made.messages.push(message),
                Err(Stop::Ignore) => made.ignored += 1,
                Err(Stop::Reject(reject)) => return Err(reject),
            }
        }
        Ok(())
    }

    fn message(&self, scope: &Scope<'_>, emit: &Emit, made: &Made) -> Evaluated<Message> {
        let kind = emit.message_type();
        let mut fields = Object::new();
        fields.insert("type".to_owned(), Value::from(kind.as_str()));
        if let Some(event) = &emit.event {
            let name = match scope.evaluate(event)? {
                Value::Number(number) => Value::Text(number.to_string()),
                other => other,
            };
            // What a track calls its event is the name of a page or screen.
            let field = if matches!(kind, MessageType::Page | MessageType::Screen) { "name" } else { "event" };
            insert_present(&mut fields, field, name);
        }
        let ids = read_ids(scope, emit, &mut fields)?;
        for (field, expression) in [("groupId", &emit.group_id), ("previousId", &emit.previous_id)] {
            if let Some(expression) = expression {
                let id = id_text(&scope.evaluate(expression)?, column(expression, field))?;
                insert_present(&mut fields, field, id.map_or(Value::Null, Value::Text));
            }
        }
        check_required(kind, &fields).map_err(|mut reject| {
            // The reject names the column where the definition names one.
            let source = match reject.field.as_deref() {
                Some("event") => emit.event.as_ref(),
                Some("groupId") => emit.group_id.as_ref(),
                _ => emit.previous_id.as_ref(),
            };
            if let Some(name) = source.map(name_of).filter(|name| !name.is_empty()) {
                reject.field = Some(name.to_owned());
            }
            reject
        })?;
        for (name, map) in [("traits", &emit.traits), ("properties", &emit.properties), ("context", &emit.context)] {
            if !map.is_empty() {
                let keeps_null = name == "traits" && scope.null_deletes();
                let object = fill(scope, map, keeps_null)?;
                if !object.is_empty() {
                    fields.insert(name.to_owned(), Value::Object(object));
                }
            }
        }
        let mut instant = |field: &str, expression: &Option<Expression>| -> Evaluated<Option<Timestamp>> {
            let Some(expression) = expression else { return Ok(None) };
            let time = scope.time(expression, field)?;
            if let Some(time) = time {
                fields.insert(field.to_owned(), Value::Text(rfc3339(time)));
            }
            Ok(time)
        };
        let timestamp = instant("timestamp", &emit.timestamp)?;
        let original_timestamp = instant("originalTimestamp", &emit.original_timestamp)?;
        let sent_at = instant("sentAt", &emit.sent_at)?;
        let received_at = instant("receivedAt", &emit.received_at)?;
        let message_id = message_id(scope, emit, made)?;
        fields.insert("messageId".to_owned(), Value::from(message_id.as_str()));
        check_size(&fields, self.max_message_bytes)?;
        let event = event_name(kind, &fields);
        let message_id = Some(message_id);
        Ok(Message { kind, message_id, event, timestamp, original_timestamp, sent_at, received_at, ids, fields })
    }
}

/// What a row has made so far.
struct Made {
    messages: Vec<Message>,
    ignored: u64,
    /// Which (item, emit) of the row is at work, counted from one.
    place: u64,
}

fn insert_present(fields: &mut Object, name: &str, value: Value) {
    if !value.is_null() {
        fields.insert(name.to_owned(), value);
    }
}

fn column<'e>(expression: &'e Expression, field: &'e str) -> &'e str {
    match name_of(expression) {
        "" => field,
        name => name,
    }
}

fn read_ids(scope: &Scope<'_>, emit: &Emit, fields: &mut Object) -> Evaluated<Vec<(String, String)>> {
    let (mut ids, mut others) = (Vec::new(), Object::new());
    for (identifier_type, expression) in &emit.ids {
        let value = scope.evaluate(expression)?;
        let Some(text) = id_text(&value, column(expression, identifier_type))? else { continue };
        match identifier_type.as_str() {
            "user_id" => fields.insert("userId".to_owned(), Value::Text(text)),
            "anonymous_id" => fields.insert("anonymousId".to_owned(), Value::Text(text)),
            "group_id" => fields.insert("groupId".to_owned(), Value::Text(text)),
            _ => {
                ids.push((identifier_type.clone(), text.clone()));
                others.insert(identifier_type.clone(), Value::Text(text))
            }
        };
    }
    if !others.is_empty() {
        fields.insert("ids".to_owned(), Value::Object(others));
    }
    Ok(ids)
}

fn fill(scope: &Scope<'_>, map: &FieldMap, keeps_null: bool) -> Evaluated<Object> {
    let mut object = match &map.rest {
        None => Object::new(),
        Some(rest) => match scope.evaluate(rest)? {
            Value::Object(object) => object,
            _ => Object::new(),
        },
    };
    for (steps, expression) in &map.fields {
        insert_at(&mut object, steps, scope.evaluate(expression)?);
    }
    if !keeps_null {
        object.retain(|_, value| !value.is_null());
    }
    Ok(object)
}

fn message_id(scope: &Scope<'_>, emit: &Emit, made: &Made) -> Evaluated<String> {
    let missing = |expression: Option<&Expression>| {
        let name = expression.map_or("messageId", |expression| column(expression, "messageId"));
        Reject::at(RejectReason::MissingField, name, "the message id is null")
    };
    let id = match &emit.message_id {
        None => hash::row_hash(Some(&scope.source.name), scope.values),
        Some(MessageIdRule::One(expression)) => {
            let text = text_of(scope.evaluate(expression)?).filter(|text| !text.is_empty());
            text.ok_or_else(|| missing(Some(expression)))?
        }
        Some(MessageIdRule::Parts(parts)) => {
            let mut texts = Vec::with_capacity(parts.len() + 1);
            for part in parts {
                texts.push(text_of(scope.evaluate(part)?).map_or(Value::Null, Value::Text));
            }
            if texts.iter().all(Value::is_null) {
                return Err(missing(parts.first()).into());
            }
            Value::List(texts).to_json()
        }
    };
    if id.len() > 1024 {
        return Err(Reject::at(RejectReason::TooLarge, "messageId", "a message id longer than 1024 bytes").into());
    }
    // Two messages of one row are two events: where the definition gives them one id, the later carries its place.
    if made.messages.iter().any(|earlier| earlier.message_id.as_deref() == Some(id.as_str())) {
        return Ok(Value::List(vec![Value::Text(id), Value::Text(made.place.to_string())]).to_json());
    }
    Ok(id)
}

/// Counts over one call how many rows missed each gate with `mostly`.
#[derive(Clone, Debug, Default)]
pub struct GateTally {
    rows: u64,
    missed: Vec<u64>,
}

impl GateTally {
    /// Takes a row into account.
    pub fn note(&mut self, outcome: &RowOutcome) {
        self.rows += 1;
        for &index in &outcome.missed {
            if self.missed.len() <= index {
                self.missed.resize(index + 1, 0);
            }
            if let Some(count) = self.missed.get_mut(index) {
                *count += 1;
            }
        }
    }

    /// The warnings of the gates that too few rows passed.
    pub fn warnings(&self, source: &SourceDefinition) -> Vec<String> {
        let mut warnings = Vec::new();
        for (gate, missed) in source.gates.iter().zip(&self.missed) {
            let Some(mostly) = gate.mostly.filter(|_| *missed > 0) else { continue };
            // passed / rows < mostly, in whole numbers; shares have nine places.
            let passed = i128::from(self.rows - missed.min(&self.rows));
            if passed * 1_000_000_000 < mostly.nanos() * i128::from(self.rows) {
                let what = gates::describe(gate);
                warnings.push(format!("`{}` misses the gate {what} in {missed} of {} rows; mostly {mostly}", gate.path, self.rows));
            }
        }
        warnings
    }
}
