//! The verb table: name -> (parameters, read or write), JSON in, JSON or a table out, one error envelope.
//!
//! This is what the bindings call; it holds no logic. A request is an object of the verb's parameters in snake_case; the
//! verbs that take a Segment message take it as it is. An unknown parameter is an error with the nearest name.

use crate::cdp::{
    AsOf, Cdp, DecisionOptions, ExportRequest, LinkOptions, OpenOptions, Query, ReviewOptions, TrainOptions,
    consent_message, message_of_type, timestamp_from,
};
use crate::definitions::nearest;
use crate::error::{Error, ErrorKind, Result};
use crate::records::{Frame, MessageType, Number, Object, Receipt, Timestamp, Value};

pub use crate::cdp::{Data, IngestOptions, Progress};
use crate::records::base64;

/// Whether a verb changes the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads.
    Read,
    /// It writes: it takes the write lock, and returns when what it did is durable.
    Write,
}

/// A verb of the public API.
#[derive(Clone, Copy)]
pub struct Verb {
    /// Its name in Rust, Python and JSON; Node writes it in camelCase.
    pub name: &'static str,
    /// Whether it writes.
    pub access: Access,
    /// Its parameters in order. Those that take a whole message have the one parameter `message`.
    pub parameters: &'static [&'static str],
    run: Run,
}

/// How a verb does its work.
#[derive(Clone, Copy)]
enum Run {
    Call(fn(&Cdp, &Request<'_>) -> Result<Response>),
    /// It sends this message, and answers with its receipt.
    Send(fn(&Request<'_>) -> Result<Value>),
}

impl Verb {
    /// Whether it writes one message, so that [`queue_json`] takes it.
    pub fn sends_message(&self) -> bool {
        matches!(self.run, Run::Send(_))
    }
}

impl std::fmt::Debug for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", self.name, self.parameters.join(", "))
    }
}

/// What a verb gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// A value.
    Value(Value),
    /// A table.
    Frame(Frame),
}

impl Response {
    /// The response as JSON: a frame is `{rows, next, ...}`.
    pub fn into_value(self) -> Value {
        match self {
            Response::Value(value) => value,
            Response::Frame(frame) => frame.to_value(),
        }
    }
}

/// The arguments of a call.
struct Request<'r> {
    verb: &'static str,
    object: &'r Object,
    whole: &'r Value,
}

impl<'r> Request<'r> {
    fn get(&self, name: &str) -> Option<&'r Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn need(&self, name: &str) -> Result<&'r Value> {
        self.get(name).ok_or_else(|| Error::invalid(format!("{}: the argument `{name}` is missing", self.verb)))
    }

    fn wrong(&self, name: &str, what: &str, found: &Value) -> Error {
        Error::invalid(format!("{}: `{name}` must be {what}, not {}", self.verb, found.kind()))
    }

    fn text(&self, name: &str) -> Result<Option<&'r str>> {
        self.get(name).map(|value| value.as_text().ok_or_else(|| self.wrong(name, "text", value))).transpose()
    }

    fn need_text(&self, name: &str) -> Result<&'r str> {
        let value = self.need(name)?;
        value.as_text().ok_or_else(|| self.wrong(name, "text", value))
    }

    fn truth(&self, name: &str) -> Result<bool> {
        let truth = self.get(name).map(|value| value.as_bool().ok_or_else(|| self.wrong(name, "true or false", value)));
        Ok(truth.transpose()?.unwrap_or(false))
    }

    fn decision(&self) -> Result<DecisionOptions> {
        Ok(DecisionOptions {
            timestamp: self.time("timestamp")?,
            reason: self.text("reason")?.map(str::to_owned),
            dry_run: self.truth("dry_run")?,
        })
    }

    /// A count; cursors may be text.
    fn count(&self, name: &str) -> Result<Option<u64>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let integer = match value {
            Value::Text(text) => text.parse().ok(),
            other => other.as_number().and_then(Number::as_i64).and_then(|n| u64::try_from(n).ok()),
        };
        integer
            .map(Some)
            .ok_or_else(|| Error::invalid(format!("{}: `{name}` must be an integer of at least 0", self.verb)))
    }

    fn size(&self, name: &str) -> Result<Option<usize>> {
        Ok(self.count(name)?.map(|count| usize::try_from(count).unwrap_or(usize::MAX)))
    }

    fn cursor(&self, name: &str) -> Result<Option<i64>> {
        Ok(self.count(name)?.map(|count| i64::try_from(count).unwrap_or(i64::MAX)))
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let wrong = || self.wrong(name, "a list of texts", value);
        let items = value.as_list().ok_or_else(wrong)?;
        items.iter().map(|item| item.as_text().map(str::to_owned).ok_or_else(wrong)).collect::<Result<_>>().map(Some)
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>> {
        self.get(name).map(timestamp_from).transpose()
    }

    fn version(&self) -> Result<Option<u32>> {
        Ok(self.count("version")?.map(|version| u32::try_from(version).unwrap_or(u32::MAX)))
    }

    fn as_of(&self) -> Result<Option<AsOf>> {
        self.get("as_of").map(|value| AsOf::from_value(Some(value))).transpose()
    }

    fn query(&self) -> Result<Query> {
        Ok(Query {
            columns: self.texts("columns")?,
            filter: self.get("where").cloned(),
            order_by: self.text("order_by")?.map(str::to_owned),
            limit: self.size("limit")?,
            after: self.text("after")?.map(str::to_owned),
            as_of: self.as_of()?,
        })
    }
}

fn value(value: Value) -> Result<Response> {
    Ok(Response::Value(value))
}

fn optional(found: Option<Value>) -> Result<Response> {
    value(found.unwrap_or_default())
}

fn receipt(receipt: Receipt) -> Result<Response> {
    value(receipt.to_value())
}

const fn read(
    name: &'static str,
    parameters: &'static [&'static str],
    run: fn(&Cdp, &Request<'_>) -> Result<Response>,
) -> Verb {
    Verb { name, access: Access::Read, parameters, run: Run::Call(run) }
}

const fn write(
    name: &'static str,
    parameters: &'static [&'static str],
    run: fn(&Cdp, &Request<'_>) -> Result<Response>,
) -> Verb {
    Verb { name, access: Access::Write, parameters, run: Run::Call(run) }
}

const fn send(
    name: &'static str,
    parameters: &'static [&'static str],
    message: fn(&Request<'_>) -> Result<Value>,
) -> Verb {
    Verb { name, access: Access::Write, parameters, run: Run::Send(message) }
}

/// The verbs, in the order of the flow. `open` stands outside: it makes the handle.
pub static VERBS: &[Verb] = &[
    write("define", &["definitions", "dry_run"], |cdp, request| {
        let given = request.need("definitions")?;
        let dry_run = request.truth("dry_run")?;
        let results = match given {
            // A path is read here and not by a binding, for here it is known which files must not be opened.
            Value::Text(path) => cdp.define_path(path, dry_run)?,
            Value::List(list) => cdp.define(list, dry_run)?,
            one => cdp.define(std::slice::from_ref(one), dry_run)?,
        };
        value(Value::List(results.iter().map(crate::cdp::DefineResult::to_value).collect()))
    }),
    read("definitions", &[], |cdp, _| value(cdp.definitions()?)),
    write("drop_definition", &["kind", "name"], |cdp, request| {
        cdp.drop_definition(request.need_text("kind")?, request.need_text("name")?)?;
        value(Value::Null)
    }),
    read("schema", &[], |cdp, _| value(cdp.schema()?)),
    send("identify", &["message"], |request| message_of_type(MessageType::Identify, request.whole)),
    send("track", &["message"], |request| message_of_type(MessageType::Track, request.whole)),
    send("page", &["message"], |request| message_of_type(MessageType::Page, request.whole)),
    send("screen", &["message"], |request| message_of_type(MessageType::Screen, request.whole)),
    send("group", &["message"], |request| message_of_type(MessageType::Group, request.whole)),
    send("alias", &["message"], |request| message_of_type(MessageType::Alias, request.whole)),
    write(
        "ingest",
        &["data", "source", "format", "first_row", "checkpoint", "atomic", "batch_rows"],
        |cdp, request| {
            let mut options = request.object.clone();
            let data = options.remove("data").filter(|data| !data.is_null());
            let values = match data {
                Some(Value::List(list)) => list,
                Some(Value::Text(path)) => {
                    return receipt(cdp.ingest(
                        Data::Path(path.into()),
                        &IngestOptions::from_value(&Value::Object(options))?,
                        None,
                    )?);
                }
                Some(one) => vec![one],
                None => {
                    return Err(Error::invalid("ingest: the argument `data` is missing")
                        .with_hint("give a path, a message, or a list of them"));
                }
            };
            let values = Data::Values(Box::new(values.into_iter().map(Ok)));
            receipt(cdp.ingest(values, &IngestOptions::from_value(&Value::Object(options))?, None)?)
        },
    ),
    read("rejects", &["source", "reason", "limit", "after"], |cdp, request| {
        let (source, reason) = (request.text("source")?, request.text("reason")?);
        Ok(Response::Frame(cdp.rejects(source, reason, request.cursor("after")?, request.size("limit")?)?))
    }),
    write("redrive", &["source", "reason"], |cdp, request| {
        receipt(cdp.redrive(request.text("source")?, request.text("reason")?)?)
    }),
    read("checkpoints", &[], |cdp, _| value(cdp.checkpoints()?)),
    write("advance", &["to"], |cdp, request| value(cdp.advance(request.time("to")?)?)),
    read("profile", &["identifier", "as_of"], |cdp, request| {
        optional(cdp.profile(request.need("identifier")?, request.as_of()?)?)
    }),
    read("profiles", &["where", "order_by", "columns", "limit", "after", "as_of"], |cdp, request| {
        Ok(Response::Frame(cdp.profiles(&request.query()?)?))
    }),
    read("events", &["identifier", "event", "limit", "after", "as_of"], |cdp, request| {
        let (after, limit) = (request.size("after")?, request.size("limit")?);
        Ok(Response::Frame(cdp.events(
            request.need("identifier")?,
            request.text("event")?,
            after,
            limit,
            request.as_of()?,
        )?))
    }),
    read("resolve", &["profile_ids"], |cdp, request| {
        let ids = request.texts("profile_ids")?;
        value(cdp.resolve(&ids.ok_or_else(|| Error::invalid("resolve: the argument `profile_ids` is missing"))?)?)
    }),
    read("explain_link", &["a", "b"], |cdp, request| value(cdp.explain_link(request.need("a")?, request.need("b")?)?)),
    write("merge", &["a", "b", "timestamp", "reason", "dry_run"], |cdp, request| {
        value(cdp.merge(request.need("a")?, request.need("b")?, &request.decision()?)?)
    }),
    write("unlink", &["a", "b", "timestamp", "reason", "dry_run"], |cdp, request| {
        value(cdp.unlink(request.need("a")?, request.need("b")?, &request.decision()?)?)
    }),
    write("separate", &["a", "b", "timestamp", "reason", "dry_run"], |cdp, request| {
        value(cdp.separate(request.need("a")?, request.need("b")?, &request.decision()?)?)
    }),
    write("link", &["seed", "dry_run"], |cdp, request| {
        let seed = request.count("seed")?.unwrap_or(0);
        value(cdp.link(&LinkOptions { seed, dry_run: request.truth("dry_run")? })?)
    }),
    read("link_suggestions", &["limit", "after"], |cdp, request| {
        Ok(Response::Frame(cdp.link_suggestions(request.size("limit")?, request.text("after")?)?))
    }),
    write("review_link", &["suggestion", "accept", "reason", "dry_run"], |cdp, request| {
        let reason = request.text("reason")?.map(str::to_owned);
        let options = ReviewOptions { reason, dry_run: request.truth("dry_run")? };
        request.need("accept")?;
        value(cdp.review_link(request.need_text("suggestion")?, request.truth("accept")?, &options)?)
    }),
    read("evaluate_links", &["labels"], |cdp, request| {
        let labels = request.need("labels")?;
        value(cdp.evaluate_links(labels.as_list().ok_or_else(|| request.wrong("labels", "a list", labels))?)?)
    }),
    read("identity_report", &[], |cdp, _| value(cdp.identity_report()?)),
    read("features", &["identifier", "names", "as_of"], |cdp, request| {
        optional(cdp.features(request.need("identifier")?, request.texts("names")?.as_deref(), request.as_of()?)?)
    }),
    read("feature_table", &["names", "as_of", "where"], |cdp, request| {
        let names = request.texts("names")?;
        Ok(Response::Frame(cdp.feature_table(names.as_deref(), request.as_of()?, request.get("where").cloned())?))
    }),
    read("members", &["audience", "as_of", "columns", "order_by", "limit", "after"], |cdp, request| {
        Ok(Response::Frame(cdp.members(request.need_text("audience")?, &request.query()?)?))
    }),
    read("preview", &["rule", "as_of"], |cdp, request| value(cdp.preview(request.need("rule")?, request.as_of()?)?)),
    read("explain_member", &["audience", "identifier", "as_of"], |cdp, request| {
        optional(cdp.explain_member(request.need_text("audience")?, request.need("identifier")?, request.as_of()?)?)
    }),
    read("audience_changes", &["audience", "after", "limit"], |cdp, request| {
        Ok(Response::Frame(cdp.audience_changes(
            request.text("audience")?,
            request.cursor("after")?,
            request.size("limit")?,
        )?))
    }),
    write("rebuild", &["audience"], |cdp, request| value(cdp.rebuild(request.text("audience")?)?)),
    write("train", &["predictor", "until", "known"], |cdp, request| {
        let options = TrainOptions { until: request.time("until")?, known: request.time("known")? };
        value(cdp.train_with(request.need_text("predictor")?, options)?)
    }),
    read("predict", &["predictor", "identifier", "text", "top_k"], |cdp, request| {
        let (identifier, text) = (request.get("identifier"), request.text("text")?);
        optional(cdp.predict(request.need_text("predictor")?, identifier, text, request.size("top_k")?)?)
    }),
    read("cohort_members", &["predictor", "cohort", "limit", "after"], |cdp, request| {
        let (predictor, cohort) = (request.need_text("predictor")?, request.need_text("cohort")?);
        Ok(Response::Frame(cdp.cohort_members(predictor, cohort, request.size("limit")?, request.text("after")?)?))
    }),
    read("models", &["predictor"], |cdp, request| value(cdp.models(request.text("predictor")?)?)),
    read("evaluate", &["predictor", "folds", "split"], |cdp, request| {
        value(cdp.evaluate(request.need_text("predictor")?, request.size("folds")?, request.text("split")?)?)
    }),
    read("explain_prediction", &["predictor", "identifier", "text", "cohort", "top_k"], |cdp, request| {
        let (identifier, text) = (request.get("identifier"), request.text("text")?);
        let (cohort, top_k) = (request.text("cohort")?, request.size("top_k")?);
        optional(cdp.explain_prediction(request.need_text("predictor")?, identifier, text, cohort, top_k)?)
    }),
    read("drift", &["predictor"], |cdp, request| value(cdp.drift(request.need_text("predictor")?)?)),
    read("similar", &["identifiers", "k", "predictor", "embedding"], |cdp, request| {
        let identifiers = request.need("identifiers")?;
        let identifiers = identifiers.as_list().ok_or_else(|| request.wrong("identifiers", "a list", identifiers))?;
        let (predictor, embedding) = (request.text("predictor")?, request.text("embedding")?);
        Ok(Response::Frame(cdp.similar(identifiers, request.size("k")?, predictor, embedding)?))
    }),
    write("activate_model", &["predictor", "version"], |cdp, request| {
        value(cdp.activate_model(request.need_text("predictor")?, request.version()?)?)
    }),
    read("export_model", &["predictor", "version", "min_df"], |cdp, request| {
        let min_df = request.count("min_df")?.map(|least| u32::try_from(least).unwrap_or(u32::MAX));
        let bytes = cdp.export_model(request.need_text("predictor")?, request.version()?, min_df)?;
        value(Value::Text(base64::encode(&bytes)))
    }),
    write("import_model", &["predictor", "data"], |cdp, request| {
        let bytes = base64::decode(request.need_text("data")?).ok_or_else(|| {
            Error::invalid("import_model: `data` is not base64").with_hint("give what export_model gave")
        })?;
        value(cdp.import_model(request.need_text("predictor")?, &bytes)?)
    }),
    read("decide", &["policy", "identifier", "event", "as_of"], |cdp, request| {
        let as_of = request.as_of()?.unwrap_or_default();
        if as_of.known.is_some() {
            return Err(Error::invalid("decide: a decision knows everything that the store knows")
                .with_hint("leave `known` out of `as_of`"));
        }
        let at = as_of.valid;
        value(cdp.decide(request.need_text("policy")?, request.need("identifier")?, request.get("event"), at)?)
    }),
    read("export", &["audience", "destination", "path", "format", "purpose", "channel", "columns"], |cdp, request| {
        let text = |name| request.text(name).map(|text| text.map(str::to_owned));
        value(cdp.export(&ExportRequest {
            audience: text("audience")?,
            destination: text("destination")?,
            path: request.need_text("path")?.to_owned(),
            format: text("format")?,
            purpose: text("purpose")?,
            channel: text("channel")?,
            columns: request.texts("columns")?,
        })?)
    }),
    read("tables", &[], |cdp, _| value(Value::List(cdp.tables().into_iter().map(Value::from).collect()))),
    read("table", &["name", "columns", "where", "as_of", "limit"], |cdp, request| {
        let (name, columns) = (request.need_text("name")?, request.texts("columns")?);
        let frame =
            cdp.table(name, columns.as_deref(), request.get("where"), request.as_of()?, request.size("limit")?)?;
        Ok(Response::Frame(frame))
    }),
    send("consent", &["identifier", "purpose", "channel", "status", "timestamp", "message_id"], |request| {
        let (purpose, status) = (request.need_text("purpose")?, request.need_text("status")?);
        let (channel, timestamp, id) =
            (request.text("channel")?, request.get("timestamp"), request.text("message_id")?);
        consent_message(request.need("identifier")?, purpose, channel, status, timestamp, id)
    }),
    read("consents", &["identifier", "as_of"], |cdp, request| {
        optional(cdp.consents(request.need("identifier")?, request.as_of()?)?)
    }),
    read("fingerprint", &["as_of"], |cdp, request| value(Value::Text(cdp.fingerprint(request.as_of()?)?))),
    read("verify", &[], |cdp, _| value(cdp.verify()?)),
    read("stats", &["format"], |cdp, request| value(cdp.stats(request.text("format")?)?)),
    read("backup", &["path"], |cdp, request| {
        cdp.backup(std::path::Path::new(request.need_text("path")?))?;
        value(Value::Null)
    }),
    read("version", &[], |_, _| value(Cdp::version())),
    write("close", &[], |cdp, _| {
        cdp.close()?;
        value(Value::Null)
    }),
];

/// Opens a store with the options of DESIGN section 9 as an object.
pub fn open(request: &Value) -> Result<Cdp> {
    Cdp::open(OpenOptions::from_value(request)?)
}

/// Calls a verb by name with an object of its parameters.
pub fn call(cdp: &Cdp, verb: &str, request: &Value) -> Result<Response> {
    let found = find(verb)?;
    let request = checked(found, request)?;
    match found.run {
        Run::Call(run) => run(cdp, &request),
        Run::Send(message) => receipt(cdp.send(&message(&request)?)?),
    }
}

fn find(verb: &str) -> Result<&'static Verb> {
    VERBS.iter().find(|candidate| candidate.name == verb).ok_or_else(|| {
        let error = Error::not_found(format!("there is no verb `{verb}`"));
        match nearest(verb, VERBS.iter().map(|verb| verb.name)) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

/// The arguments of a call, if the verb knows all of them.
fn checked<'r>(found: &Verb, request: &'r Value) -> Result<Request<'r>> {
    static EMPTY: Object = Object::new();
    let verb = found.name;
    let object = match request {
        Value::Null => &EMPTY,
        Value::Object(object) => object,
        other => return Err(Error::invalid(format!("{verb} takes an object of arguments, not {}", other.kind()))),
    };
    let takes_message = found.parameters == ["message"];
    if !takes_message && let Some(unknown) = object.keys().find(|name| !found.parameters.contains(&name.as_str())) {
        let error = Error::invalid(format!("{verb}: unknown argument `{unknown}`"));
        return Err(match nearest(unknown, found.parameters.iter().copied()) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None if found.parameters.is_empty() => error.with_hint("it takes no arguments"),
            None => error.with_hint(format!("arguments: {}", found.parameters.join(", "))),
        });
    }
    Ok(Request { verb, object, whole: request })
}

/// The same with JSON text in and out: `{"ok": ...}` or `{"error": {kind, message, hint, pointer, faults}}`.
pub fn call_json(cdp: &Cdp, verb: &str, request_json: &str) -> String {
    let answer = parsed(verb, request_json).and_then(|request| call(cdp, verb, &request)).map(Response::into_value);
    envelope(answer)
}

/// The same for a verb that [sends a message](Verb::sends_message), without waiting: everything but the look at the
/// handle happens on the queue's thread, and `on_done` gets the answer; see [`Cdp::send_queued`]. `is_wanted` is asked
/// right before the message is read: `false` makes it an `interrupted` error, and nothing is kept.
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
        message(&checked(found, &parsed(&verb, &request_json)?)?)
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
