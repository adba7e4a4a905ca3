//! A row of the verb table: what a verb is called, what it takes, what it gives, and the function behind it.
//!
//! Each verb module lists its rows in its file `wire.rs`; [`crate::wire`] joins them. The bindings read every fact about a
//! verb from its row, so that none of them repeats a list of names. A row holds no logic: it reads arguments, calls one
//! method of [`Cdp`] and hands its result on.

use crate::engine::handle::Cdp;
use crate::error::Result;
use crate::records::answer::Field;
use crate::records::{Frame, Value};
use crate::verbs::parameter::{Parameter, takes_message};
use crate::verbs::request::Request;

/// Whether a verb changes the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads.
    Read,
    /// It takes the write lock and returns when the change is durable.
    Write,
}

impl Access {
    /// `read` or `write`.
    pub fn as_str(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write => "write",
        }
    }
}

/// How long a verb may take, which decides whether a binding moves the call to a thread that can be interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// One message, one profile or one definition: microseconds to milliseconds, shorter than starting a thread is worth.
    Point,
    /// A scan, a bulk load or a training run: up to minutes.
    Long,
}

/// Whose names the fields of an answer are, so that a binding knows which of them it may write in its own case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Field names of this library, except below one of [`crate::wire::USER_KEYED_FIELDS`].
    Fields,
    /// Names that the user chose, at every depth.
    Verbatim,
    /// Binary data as base64 text.
    Bytes,
}

/// A verb of the public API.
#[derive(Clone, Copy)]
pub struct Verb {
    /// Its name in Rust, Python and JSON; Node writes it in camelCase.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// Whether it writes.
    pub access: Access,
    /// How long it may take.
    pub effort: Effort,
    /// Its parameters in order. A verb that takes a whole message has the one parameter `message`.
    pub parameters: &'static [Parameter],
    /// Whose names its answer holds.
    pub answer: Answer,
    /// Whether it may call a scorer that the host has registered.
    pub asks_scorer: bool,
    pub(crate) run: Run,
}

/// The function behind a verb.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Calls the handle.
    Call(fn(&Cdp, &Request<'_>) -> Result<Response>),
    /// Makes the message that the verb sends; the answer is its receipt.
    Send(fn(&Request<'_>) -> Result<Value>),
}

impl Verb {
    /// A verb that reads.
    pub(in crate::verbs) const fn read(
        name: &'static str,
        doc: &'static str,
        parameters: &'static [Parameter],
        run: fn(&Cdp, &Request<'_>) -> Result<Response>,
    ) -> Verb {
        Verb::new(name, doc, Access::Read, parameters, Run::Call(run))
    }

    /// A verb that writes.
    pub(in crate::verbs) const fn write(
        name: &'static str,
        doc: &'static str,
        parameters: &'static [Parameter],
        run: fn(&Cdp, &Request<'_>) -> Result<Response>,
    ) -> Verb {
        Verb::new(name, doc, Access::Write, parameters, Run::Call(run))
    }

    /// A verb that writes one message.
    pub(in crate::verbs) const fn send(
        name: &'static str,
        doc: &'static str,
        parameters: &'static [Parameter],
        message: fn(&Request<'_>) -> Result<Value>,
    ) -> Verb {
        Verb::new(name, doc, Access::Write, parameters, Run::Send(message)).point()
    }

    const fn new(
        name: &'static str,
        doc: &'static str,
        access: Access,
        parameters: &'static [Parameter],
        run: Run,
    ) -> Verb {
        let (effort, answer) = (Effort::Long, Answer::Fields);
        Verb { name, doc, access, effort, parameters, answer, asks_scorer: false, run }
    }

    /// The verb as one that takes no longer than a point read.
    pub(in crate::verbs) const fn point(mut self) -> Verb {
        self.effort = Effort::Point;
        self
    }

    /// The verb as one whose answer holds names that the user chose.
    pub(in crate::verbs) const fn verbatim(mut self) -> Verb {
        self.answer = Answer::Verbatim;
        self
    }

    /// The verb as one whose answer is binary data.
    pub(in crate::verbs) const fn bytes(mut self) -> Verb {
        self.answer = Answer::Bytes;
        self
    }

    /// The verb as one that may call a registered scorer.
    pub(in crate::verbs) const fn asking_scorer(mut self) -> Verb {
        self.asks_scorer = true;
        self
    }

    /// Whether the verb writes one message, so that [`crate::wire::queue_json`] takes it.
    pub fn sends_message(&self) -> bool {
        matches!(self.run, Run::Send(_))
    }

    /// Whether the request as a whole is a Segment message.
    pub fn takes_message(&self) -> bool {
        takes_message(self.parameters)
    }

    /// The names of its parameters, in order.
    pub fn parameter_names(&self) -> impl Iterator<Item = &'static str> {
        self.parameters.iter().map(|parameter| parameter.name)
    }

    /// The row as JSON: `{name, doc, access, effort, answer, asks_scorer, sends_message, takes_message, parameters:
    /// [{name, type, required, positional, doc}]}`.
    pub fn to_value(&self) -> Value {
        let parameter = |parameter: &Parameter| {
            Value::object([
                ("name", Value::from(parameter.name)),
                ("type", Value::from(parameter.parameter_type.as_str())),
                ("required", Value::Bool(parameter.is_required)),
                ("positional", Value::Bool(parameter.is_positional)),
                ("doc", Value::from(parameter.doc)),
            ])
        };
        let effort = match self.effort {
            Effort::Point => "point",
            Effort::Long => "long",
        };
        let answer = match self.answer {
            Answer::Fields => "fields",
            Answer::Verbatim => "verbatim",
            Answer::Bytes => "bytes",
        };
        Value::object([
            ("name", Value::from(self.name)),
            ("doc", Value::from(self.doc)),
            ("access", Value::from(self.access.as_str())),
            ("effort", Value::from(effort)),
            ("answer", Value::from(answer)),
            ("asks_scorer", Value::Bool(self.asks_scorer)),
            ("sends_message", Value::Bool(self.sends_message())),
            ("takes_message", Value::Bool(self.takes_message())),
            ("parameters", Value::List(self.parameters.iter().map(parameter).collect())),
        ])
    }
}

impl std::fmt::Debug for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", self.name, self.parameter_names().collect::<Vec<_>>().join(", "))
    }
}

/// The answer of a verb.
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

    /// The response of a verb that gives nothing.
    pub(in crate::verbs) fn none() -> Result<Response> {
        Ok(Response::Value(Value::Null))
    }

    /// The response of a verb that gives an answer.
    pub(in crate::verbs) fn of(answer: impl Field) -> Result<Response> {
        Ok(Response::Value(answer.into_value()))
    }

    /// The response of a look-up: null where nothing was found.
    pub(in crate::verbs) fn maybe(found: Option<impl Field>) -> Result<Response> {
        Response::of(found)
    }
}

impl From<Frame> for Response {
    fn from(frame: Frame) -> Response {
        Response::Frame(frame)
    }
}
