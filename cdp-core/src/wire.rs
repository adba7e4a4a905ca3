//! The verb table, and calls by name: JSON in, JSON or a table out, one error envelope.
//!
//! The bindings call this module. It holds no logic: each verb module lists its own rows, and this file joins them. A
//! request is an object of the verb's parameters in snake_case; a verb that takes a Segment message takes it as it is. An
//! unknown argument is an error with the nearest name.

use crate::cdp::{Cdp, OpenOptions};
use crate::definitions::nearest;
use crate::error::{Error, ErrorKind, Result};
use crate::records::{Receipt, Value};
use crate::verbs::request::Request;
use crate::verbs::verb::Run;
use crate::verbs::{activate, aggregate, collect, define, govern, inspect, predict, segment, unify};

pub use crate::cdp::{Data, IngestOptions, Progress};
pub use crate::verbs::parameter::{Parameter, ParameterType};
pub use crate::verbs::verb::{Access, Answer, Effort, Response, Verb};

/// The rows of each verb module, in the order of the flow. `open` stands outside: it makes the handle.
static ROWS: [&[Verb]; 9] = [
    define::wire::ROWS,
    collect::wire::ROWS,
    unify::wire::ROWS,
    aggregate::wire::ROWS,
    segment::wire::ROWS,
    predict::wire::ROWS,
    activate::wire::ROWS,
    govern::wire::ROWS,
    inspect::wire::ROWS,
];

/// Every verb of the public API, in the order of the flow.
///
/// ```
/// let profile = cdp_core::wire::verb("profile").unwrap();
/// assert_eq!(profile.parameter_names().collect::<Vec<_>>(), ["identifier", "as_of"]);
/// ```
pub fn verbs() -> impl Iterator<Item = &'static Verb> {
    ROWS.into_iter().flatten()
}

/// Fields of answers whose content is keyed or written by the user: names of traits, columns, audiences and rules.
///
/// A binding that writes field names in its own case leaves everything below these fields as it is, and everything below
/// a field that begins with `by_`.
pub const USER_KEYED_FIELDS: &[&str] = &[
    "audiences",
    "cohorts",
    "choice",
    "columns",
    "consents",
    "context",
    "current",
    "definition",
    "definitions",
    "features",
    "found",
    "from",
    "identifier",
    "identifiers",
    "ids",
    "integrations",
    "labels",
    "otherwise",
    "parameters",
    "profile_sizes",
    "properties",
    "raw",
    "refused_links",
    "rows",
    "rule",
    "sample",
    "scores",
    "then",
    "to",
    "traits",
    "value",
    "values",
    "when",
    "where",
];

/// The verb table as JSON for the bindings: `{verbs: [row], user_keyed_fields}`; see [`Verb::to_value`].
pub fn table() -> Value {
    let fields = USER_KEYED_FIELDS.iter().map(|field| Value::from(*field));
    Value::object([
        ("verbs", Value::List(verbs().map(Verb::to_value).collect())),
        ("user_keyed_fields", Value::List(fields.collect())),
    ])
}

/// Opens a store with the options of DESIGN section 9 as an object.
pub fn open(request: &Value) -> Result<Cdp> {
    Cdp::open(OpenOptions::from_value(request)?)
}

/// Calls a verb by name with an object of its parameters.
pub fn call(cdp: &Cdp, verb: &str, request: &Value) -> Result<Response> {
    let found = find(verb)?;
    let request = Request::checked(found.name, found.parameters, request)?;
    match found.run {
        Run::Call(run) => run(cdp, &request),
        Run::Send(message) => Ok(Response::Value(cdp.send(message(&request)?)?.into())),
    }
}

/// The row of a verb.
pub fn verb(name: &str) -> Option<&'static Verb> {
    verbs().find(|verb| verb.name == name)
}

fn find(name: &str) -> Result<&'static Verb> {
    verb(name).ok_or_else(|| {
        let error = Error::not_found(format!("there is no verb `{name}`"));
        match nearest(name, verbs().map(|verb| verb.name)) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

/// Calls a verb with JSON text in and out; the answer is the envelope `{"ok": ...}` or `{"error": {kind, message, hint, pointer, faults}}`.
pub fn call_json(cdp: &Cdp, verb: &str, request_json: &str) -> String {
    let answer = parsed(verb, request_json).and_then(|request| call(cdp, verb, &request)).map(Response::into_value);
    envelope(answer)
}

/// Calls a verb that [sends a message](Verb::sends_message) without waiting for it.
///
/// Everything but the check of the handle happens on the thread of the queue, and `on_done` gets the envelope; see
/// [`Cdp::send_queued`]. `is_wanted` is called right before the message is read: `false` makes the answer an
/// `interrupted` error, and nothing is stored.
pub fn queue_json(
    cdp: &Cdp,
    verb: &str,
    request_json: String,
    is_wanted: impl FnOnce() -> bool + Send + 'static,
    on_done: impl FnOnce(String) + Send + 'static,
) {
    let verb = verb.to_owned();
    let make = move || {
        if !is_wanted() {
            return Err(Error::new(ErrorKind::Interrupted, "the call was aborted before it began"));
        }
        let found = find(&verb)?;
        let Run::Send(message) = found.run else {
            return Err(Error::invalid(format!("{verb} sends no message and cannot be queued")));
        };
        message(&Request::checked(found.name, found.parameters, &parsed(&verb, &request_json)?)?)
    };
    cdp.send_made(make, |receipt| on_done(envelope(receipt.map(|receipt| receipt.to_value()))));
}

fn parsed(verb: &str, request_json: &str) -> Result<Value> {
    if request_json.trim().is_empty() {
        return Ok(Value::Null);
    }
    Value::parse(request_json.as_bytes()).map_err(|fault| Error::invalid(format!("{verb}: the request is {fault}")))
}

/// `{"ok": ...}` or `{"error": ...}` as JSON text.
pub fn envelope(answer: Result<Value>) -> String {
    match answer {
        Ok(value) => Value::object([("ok", value)]).to_json(),
        Err(error) => Value::object([("error", error_value(&error))]).to_json(),
    }
}

/// An error as JSON: `{kind, message, hint, pointer, faults: [{pointer, message}]}`.
pub fn error_value(error: &Error) -> Value {
    let optional = |text: Option<&str>| text.map_or(Value::Null, Value::from);
    let faults = error.faults().iter().map(|fault| {
        Value::object([
            ("pointer", Value::from(fault.pointer.as_str())),
            ("message", Value::from(fault.message.as_str())),
        ])
    });
    Value::object([
        ("kind", Value::from(error.kind().as_str())),
        ("message", Value::from(error.message())),
        ("hint", optional(error.hint())),
        ("pointer", optional(error.pointer())),
        ("faults", Value::List(faults.collect())),
    ])
}

/// Takes in data of any kind with options as an object; see [`Cdp::ingest`].
pub fn ingest(cdp: &Cdp, data: Data<'_>, options: &Value, progress: Option<Progress<'_>>) -> Result<Receipt> {
    cdp.ingest(data, &IngestOptions::from_value(options)?, progress)
}
