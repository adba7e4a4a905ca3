//! Makes the stores that `tests/same_bytes.py` compares: every vector, the retail orders, the clickstream.
//!
//! The same source is built against two commits of the core, so it uses the public surface that both have: `Cdp::open`
//! and the verb table. Everything that could differ between two runs is fixed: the clock, the seed of profile ids, and the
//! id of every message that a vector leaves to chance. It writes the stores and, beside each, the answers of its calls.
#![expect(clippy::print_stdout, reason = "the comparison reads what this process reports")]

use std::fs;
use std::path::{Path, PathBuf};

use cdp_core::records::{Object, Value};
use cdp_core::wire::{self, Data};
use cdp_core::{Cdp, OpenOptions};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A store is written out as runs after this many messages, so that small inputs too make runs and compact them.
const FLUSH_VECTOR: u64 = 3;
const FLUSH_CLICKSTREAM: u64 = 4000;
const FLUSH_RETAIL: u64 = 15_000;

const CLICKSTREAM: &str = r#"[
  {"kind": "source", "name": "clicks", "format": "csv", "message_id": ["session_id", {"row": true}],
   "timestamp": {"field": "timestamp", "format": "%Y-%m-%d %H:%M:%S", "tz": "UTC"},
   "event": "event", "ids": {"user_id": "user_id", "anonymous_id": "session_id"},
   "traits": {"cohort": "user_cohort", "lifecycle": "user_lifecycle"},
   "properties": {"platform": "platform", "channel": "acquisition_channel"}},
  {"kind": "feature", "name": "views", "agg": "count", "event": "product_view"},
  {"kind": "feature", "name": "recent_views", "agg": "count", "event": "product_view", "within": "30d"},
  {"kind": "audience", "name": "lookers", "rule": {"feature": "views", "op": "gte", "value": 3}},
  {"kind": "audience", "name": "recent", "rule": {"event": "home", "within": "300d", "count": {"gte": 2}}}
]"#;

fn parse(text: &str) -> Outcome<Value> {
    Value::parse(text.as_bytes()).map_err(|fault| fault.to_string().into())
}

fn open(path: &Path, settings: Value, flush_messages: u64) -> Outcome<Cdp> {
    let mut options = OpenOptions::from_value(&settings)?;
    options.path = Some(path.to_owned());
    options.unshared = true;
    options.flush_messages = flush_messages;
    Ok(Cdp::open(options)?)
}

fn settings(clock: &str) -> Value {
    let fixed = [("clock", clock), ("id_seed", "same bytes"), ("durability", "relaxed")];
    Value::object(fixed.map(|(name, value)| (name, Value::from(value))))
}

/// The answer of a call in one line, an error as the envelope that the bindings get.
fn answer(db: &Cdp, verb: &str, request: &Value) -> String {
    let answer = wire::call(db, verb, request).map(wire::Response::into_value);
    format!("{verb} {}", answer.unwrap_or_else(|error| wire::error_value(&error)).to_json())
}

/// Closes the store and leaves its fingerprint and the answers of its calls beside it.
fn finish(db: &Cdp, path: &Path, mut answers: Vec<String>) -> Outcome<()> {
    answers.push(format!("fingerprint {}", db.fingerprint(None)?));
    db.close()?;
    fs::write(path.with_extension("answers"), answers.join("\n") + "\n")?;
    println!("{}", path.display());
    Ok(())
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_text).unwrap_or("")
}

fn list<'v>(value: Option<&'v Value>, name: &str) -> &'v [Value] {
    value.and_then(|value| value.get(name)).and_then(Value::as_list).unwrap_or_default()
}

/// The request of a step. A message without id gets one made of its place, for a random id would differ in every run.
fn request(step: &Value, place: usize) -> Value {
    let mut request = step.get("with").cloned().unwrap_or_else(|| Value::Object(Object::new()));
    let id_field = match text(step, "call") {
        "identify" | "track" | "page" | "screen" | "group" | "alias" => Some("messageId"),
        "consent" => Some("message_id"),
        _ => None,
    };
    if let Value::Object(fields) = &mut request {
        if let Some(name) = id_field
            && !["messageId", "message_id"].iter().any(|name| fields.contains_key(*name))
        {
            fields.insert(name.to_owned(), Value::from(format!("step-{place}").as_str()));
        }
        if let Some(repeat) = fields.get("data").and_then(|data| data.get("$repeat")).cloned() {
            let n = repeat.get("n").map(Value::to_json).and_then(|n| n.parse().ok()).unwrap_or(0);
            let template = repeat.get("template").unwrap_or(&Value::Null);
            fields.insert("data".to_owned(), Value::List((0..n).map(|i| numbered(template, i)).collect()));
        }
    }
    request
}

/// A template of a vector with `{i}` filled in.
fn numbered(template: &Value, i: usize) -> Value {
    match template {
        Value::Text(text) => Value::Text(text.replace("{i}", &i.to_string())),
        Value::List(items) => Value::List(items.iter().map(|item| numbered(item, i)).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, field)| (name.clone(), numbered(field, i))).collect())
        }
        other => other.clone(),
    }
}

fn vector(given: Option<&Value>, vector: &Value, path: &Path) -> Outcome<()> {
    let mut fixed = settings("2024-01-01T00:00:00Z");
    if let Value::Object(fixed) = &mut fixed {
        for name in ["clock", "id_seed"] {
            let setting = vector.get(name).or_else(|| given.and_then(|given| given.get(name)));
            fixed.extend(setting.map(|setting| (name.to_owned(), setting.clone())));
        }
    }
    let db = open(path, fixed, FLUSH_VECTOR)?;
    let definitions = [list(given, "definitions"), list(Some(vector), "definitions")].concat();
    let mut answers = vec![answer(&db, "define", &Value::object([("definitions", Value::List(definitions))]))];
    for (place, step) in list(given, "steps").iter().chain(list(Some(vector), "steps")).enumerate() {
        let request = request(step, place);
        answers.push(match step.get("input").and_then(Value::as_text) {
            Some(input) => match wire::ingest(&db, Data::Bytes(input.as_bytes()), &request, None) {
                Ok(receipt) => format!("ingest {}", receipt.to_value().to_json()),
                Err(error) => format!("ingest {}", wire::error_value(&error).to_json()),
            },
            None => answer(&db, text(step, "call"), &request),
        });
    }
    finish(&db, path, answers)
}

fn vectors(data: &Path, out: &Path) -> Outcome<()> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(data.join("tests/vectors"))?.map(|entry| Ok(entry?.path())).collect::<Outcome<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    for file in files {
        let parsed = parse(&fs::read_to_string(&file)?)?;
        if parsed.get("vectors_format").is_none() {
            continue;
        }
        let folder = out.join("vectors").join(file.file_stem().unwrap_or_default());
        fs::create_dir_all(&folder)?;
        for (number, of_file) in list(Some(&parsed), "vectors").iter().enumerate() {
            let path = folder.join(format!("{number:03}.db"));
            vector(parsed.get("given"), of_file, &path)?;
        }
    }
    Ok(())
}

/// A source's file, its reads, then the whole once more by a second open: what an open reads must lead to the same bytes.
fn stream(path: &Path, definitions: Value, input: &Path, source: &str, clock: &str, flush: u64) -> Outcome<()> {
    let ingest = parse(&format!(r#"{{"source": "{source}", "checkpoint": "end"}}"#))?;
    let mut answers = Vec::new();
    for is_last in [false, true] {
        let db = open(path, settings(clock), flush)?;
        let call = |verb: &str, request: &str| -> Outcome<String> { Ok(answer(&db, verb, &parse(request)?)) };
        let define = Value::object([("definitions", definitions.clone())]);
        answers.push(wire::call(&db, "define", &define)?.into_value().to_json());
        answers.push(wire::ingest(&db, Data::Path(input.into()), &ingest, None)?.to_value().to_json());
        for (verb, request) in [("advance", "{}"), ("feature_table", "{}"), ("identity_report", "{}"), ("stats", "{}")]
        {
            answers.push(call(verb, request)?);
        }
        answers.push(call("audience_changes", r#"{"limit": 1000}"#)?);
        if is_last {
            answers.push(call("rebuild", "{}")?);
            return finish(&db, path, answers);
        }
        db.close()?;
    }
    Ok(())
}

fn retail(data: &Path, input: &Path, out: &Path) -> Outcome<()> {
    let folder = data.join("examples/online_retail/definitions");
    let mut definitions = parse(&fs::read_to_string(folder.join("measures.json"))?)?;
    let source = parse(&fs::read_to_string(folder.join("shop_csv.json"))?)?;
    if let Value::List(list) = &mut definitions {
        list.push(source);
    }
    stream(&out.join("retail.db"), definitions, input, "shop_csv", "2012-01-01T00:00:00Z", FLUSH_RETAIL)
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [job, data, out, rest @ ..] = arguments.as_slice() else {
        return Err("usage: same_bytes_worker vectors|retail|clickstream DATA OUT [INPUT]".into());
    };
    let (data, out) = (Path::new(data), Path::new(out));
    let input = rest.first().map(Path::new).unwrap_or(data);
    match job.as_str() {
        "vectors" => vectors(data, out),
        "retail" => retail(data, input, out),
        "clickstream" => {
            let definitions = parse(CLICKSTREAM)?;
            stream(&out.join("clickstream.db"), definitions, input, "clicks", "2025-01-01T00:00:00Z", FLUSH_CLICKSTREAM)
        }
        _ => Err("the job must be vectors, retail or clickstream".into()),
    }
}
