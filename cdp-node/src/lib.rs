//! The core's verbs for Node: JSON text in, JSON text out. What leaves the event loop is a task of the pool, or a message in
//! the queue of the store.
//!
//! Private to `lib/index.js`, which is the public face. Answers, errors included, are the core's envelope
//! (`{"ok": ...}` or `{"error": ...}`). Must never hold a rule, never let a panic reach Node, and never make JavaScript
//! objects out of bulk data: a path or a buffer goes to the core as it is.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cdp_core::predict::zero_shot::{Patience, Scorer};
use cdp_core::records::{JsonFault, Value};
use cdp_core::wire::{self, Data};
use cdp_core::{Cdp, Error, ErrorKind, Fault, Result};
use napi::bindgen_prelude::{AsyncTask, Buffer, External, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, Task};
use napi_derive::napi;

mod scorer;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What JavaScript and a running call tell each other: stop, and how far it is.
#[derive(Default)]
pub struct Watch {
    stopped: AtomicBool,
    /// Whether a verb is at work, which only the store can interrupt; an ingest asks `stopped` itself.
    in_verb: AtomicBool,
    rows: AtomicU64,
}

/// Answers to queued messages on their way to JavaScript, which takes many at a time.
pub struct Outbox {
    answers: Mutex<VecDeque<(u32, String)>>,
    ring: ThreadsafeFunction<(), (), (), Status, false, true>,
}

impl Outbox {
    fn answers(&self) -> MutexGuard<'_, VecDeque<(u32, String)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, number: u32, answer: String) {
        let is_first = {
            let mut answers = self.answers();
            answers.push_back((number, answer));
            answers.len() == 1
        };
        if is_first {
            // It fails only where the event loop has ended, and then nobody waits.
            self.ring.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

/// Data as it crosses the border.
enum Input {
    Path(PathBuf),
    Bytes(Buffer),
    /// One JSON text per line, or `!` and the fault of a row that cannot be stored, so that it is only its own.
    Lines(String),
}

enum Work {
    Verb { name: String, request: String },
    Ingest { input: Input, options: String },
}

/// One call, for the event loop's thread or for the pool.
pub struct Job {
    cdp: Cdp,
    work: Work,
    watch: Arc<Watch>,
}

impl Job {
    fn run(&self) -> String {
        guarded(|| {
            if self.watch.stopped.load(Ordering::Acquire) {
                return Err(Error::new(ErrorKind::Interrupted, "the call was aborted before it began"));
            }
            match &self.work {
                Work::Verb { name, request } => {
                    self.watch.in_verb.store(true, Ordering::Release);
                    // Whoever stopped it before this line did not see that a verb is at work.
                    if self.watch.stopped.load(Ordering::Acquire) {
                        return Err(Error::new(ErrorKind::Interrupted, "the call was aborted before it began"));
                    }
                    let answer = wire::call_json(&self.cdp, name, request);
                    self.watch.in_verb.store(false, Ordering::Release);
                    Ok(answer)
                }
                Work::Ingest { input, options } => self.ingest(input, options),
            }
        })
    }

    fn ingest(&self, input: &Input, options: &str) -> Result<String> {
        let options = parse(options)?;
        let mut progress = |rows: u64, _stage: &str| {
            self.watch.rows.store(rows, Ordering::Release);
            !self.watch.stopped.load(Ordering::Acquire)
        };
        let data = match input {
            Input::Path(path) => Data::Path(path.clone()),
            Input::Bytes(bytes) => Data::Bytes(bytes),
            Input::Lines(lines) => Data::Values(Box::new(lines.lines().map(row))),
        };
        let receipt = wire::ingest(&self.cdp, data, &options, Some(&mut progress))?;
        self.watch.rows.store(receipt.rows, Ordering::Release);
        Ok(wire::envelope(Ok(receipt.to_value())))
    }
}

impl Task for Job {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> napi::Result<String> {
        Ok(self.run())
    }

    fn resolve(&mut self, _env: Env, output: String) -> napi::Result<String> {
        Ok(output)
    }
}

/// The verb table as JSON: `{verbs, user_keyed_fields}`; see `cdp_core::wire::table`.
#[napi]
pub fn verb_table() -> String {
    wire::table().to_json()
}

/// Opens a store. The message of a failure is the error envelope.
#[napi]
pub fn open(request: String) -> napi::Result<External<Cdp>> {
    let mut opened = None;
    let answer = guarded(|| {
        opened = Some(wire::open(&parse(&request)?)?);
        Ok(String::new())
    });
    opened.map(External::new).ok_or_else(|| napi::Error::from_reason(answer))
}

/// Runs one verb on this thread.
#[napi]
pub fn call(cdp: &External<Cdp>, verb: String, request: String) -> String {
    job(cdp, Work::Verb { name: verb, request }, None).run()
}

/// Runs one verb on the pool.
#[napi]
pub fn call_async(cdp: &External<Cdp>, verb: String, request: String, watch: &External<Arc<Watch>>) -> AsyncTask<Job> {
    AsyncTask::new(job(cdp, Work::Verb { name: verb, request }, Some(watch)))
}

/// Where the answers to queued messages are put; `ring` is called when the first one lies there.
#[napi]
pub fn outbox(ring: Function<'_, (), ()>) -> napi::Result<External<Arc<Outbox>>> {
    // Weak: whoever waits for an answer keeps the process alive, not the place where it will be put.
    let ring = ring.build_threadsafe_function().weak::<true>().build()?;
    Ok(External::new(Arc::new(Outbox { answers: Mutex::default(), ring })))
}

/// Runs a verb that sends a message through the queue of the store, which no thread of the pool waits for. The answer is
/// put into the outbox under `number`.
#[napi]
pub fn send_queued(
    cdp: &External<Cdp>,
    outbox: &External<Arc<Outbox>>,
    number: u32,
    verb: String,
    request: String,
    watch: Option<&External<Arc<Watch>>>,
) {
    let watch = watch.map(|watch| Arc::clone(watch));
    let outbox = Arc::clone(outbox);
    let is_wanted = move || !watch.is_some_and(|watch| watch.stopped.load(Ordering::Acquire));
    wire::queue_json(cdp, &verb, request, is_wanted, move |answer| outbox.put(number, answer));
}

/// The next answers as JSON: `[[number, answer], ...]`. Who gets `most` of them must ask again.
#[napi]
pub fn take_answers(outbox: &External<Arc<Outbox>>, most: u32) -> String {
    let mut answers = outbox.answers();
    let n = answers.len().min(most as usize);
    let taken: Vec<String> = answers.drain(..n).map(|(number, answer)| format!("[{number},{answer}]")).collect();
    format!("[{}]", taken.join(","))
}

/// Takes in a file on this thread.
#[napi]
pub fn ingest_path(cdp: &External<Cdp>, path: String, options: String, watch: &External<Arc<Watch>>) -> String {
    ingest(cdp, Input::Path(path.into()), options, watch).run()
}

/// Takes in a file on the pool.
#[napi]
pub fn ingest_path_async(
    cdp: &External<Cdp>,
    path: String,
    options: String,
    watch: &External<Arc<Watch>>,
) -> AsyncTask<Job> {
    AsyncTask::new(ingest(cdp, Input::Path(path.into()), options, watch))
}

/// Takes in the bytes of a file on this thread.
#[napi]
pub fn ingest_bytes(cdp: &External<Cdp>, bytes: Buffer, options: String, watch: &External<Arc<Watch>>) -> String {
    ingest(cdp, Input::Bytes(bytes), options, watch).run()
}

/// Takes in the bytes of a file on the pool.
#[napi]
pub fn ingest_bytes_async(
    cdp: &External<Cdp>,
    bytes: Buffer,
    options: String,
    watch: &External<Arc<Watch>>,
) -> AsyncTask<Job> {
    AsyncTask::new(ingest(cdp, Input::Bytes(bytes), options, watch))
}

/// Takes in rows, one JSON text per line, on this thread.
#[napi]
pub fn ingest_lines(cdp: &External<Cdp>, lines: String, options: String, watch: &External<Arc<Watch>>) -> String {
    ingest(cdp, Input::Lines(lines), options, watch).run()
}

/// Takes in rows, one JSON text per line, on the pool.
#[napi]
pub fn ingest_lines_async(
    cdp: &External<Cdp>,
    lines: String,
    options: String,
    watch: &External<Arc<Watch>>,
) -> AsyncTask<Job> {
    AsyncTask::new(ingest(cdp, Input::Lines(lines), options, watch))
}

/// Lets a JavaScript function speak for the described cohorts of a predictor; none takes it away. The function is called
/// with the JSON text of `[number, texts, cohorts]`, and answers by `scorer_answered`.
#[napi]
pub fn register_scorer(
    cdp: &External<Cdp>,
    predictor: String,
    ask: Option<Function<'_, String, ()>>,
    method: String,
    attempts: u32,
    pause_ms: u32,
) -> napi::Result<String> {
    let scorer = match ask {
        Some(ask) => {
            let ask = ask.build_threadsafe_function().weak::<true>().build()?;
            let patience =
                Patience { attempts, first_pause: Duration::from_millis(pause_ms.into()), ..Patience::default() };
            let scorer = scorer::JavaScriptScorer::new(method, ask);
            Some((Arc::new(scorer) as Arc<dyn Scorer + Send + Sync>, patience))
        }
        None => None,
    };
    Ok(guarded(|| cdp.register_scorer(&predictor, scorer).map(|()| wire::envelope(Ok(Value::Null)))))
}

/// Hands on what a scorer said: `{"ok": answer}`, or `{"error": name}` of what it threw.
#[napi]
pub fn scorer_answered(number: u32, answer: String) {
    scorer::answered(number, &answer);
}

/// Something to watch a call with.
#[napi]
pub fn watch() -> External<Arc<Watch>> {
    External::new(Arc::default())
}

/// Tells the watched call to stop. A verb that waits for the pool never begins, one at work is interrupted.
#[napi]
pub fn stop(cdp: &External<Cdp>, watch: &External<Arc<Watch>>) {
    watch.stopped.store(true, Ordering::Release);
    if watch.in_verb.load(Ordering::Acquire) {
        cdp.interrupt();
    }
}

/// How many rows the watched call has done.
#[napi]
pub fn rows_done(watch: &External<Arc<Watch>>) -> f64 {
    watch.rows.load(Ordering::Acquire) as f64
}

/// Closes the store; closing twice is fine.
#[napi]
pub fn close(cdp: &External<Cdp>) -> String {
    guarded(|| cdp.close().map(|()| wire::envelope(Ok(Value::Null))))
}

/// Whether the store was closed.
#[napi]
pub fn is_closed(cdp: &External<Cdp>) -> bool {
    cdp.is_closed()
}

fn job(cdp: &External<Cdp>, work: Work, watch: Option<&External<Arc<Watch>>>) -> Job {
    Job { cdp: Cdp::clone(cdp), work, watch: watch.map(|watch| Arc::clone(watch)).unwrap_or_default() }
}

fn ingest(cdp: &External<Cdp>, input: Input, options: String, watch: &External<Arc<Watch>>) -> Job {
    job(cdp, Work::Ingest { input, options }, Some(watch))
}

fn row(line: &str) -> Result<Value> {
    let Some(fault) = line.strip_prefix('!') else { return parse(line) };
    let fault = parse(fault)?;
    let text = |key: &str| fault.get(key).and_then(Value::as_text).unwrap_or_default().to_owned();
    Err(Error::from_faults("the value", vec![Fault { pointer: text("pointer"), message: text("message") }]))
}

fn parse(json: &str) -> Result<Value> {
    Value::parse(json.as_bytes()).map_err(|fault| {
        Error::invalid(match fault {
            // The wrapper wrote this text, so only half of a surrogate pair can make it unreadable.
            JsonFault::Unreadable { .. } => {
                "text with half of a surrogate pair is not Unicode and cannot be stored".to_owned()
            }
            fault => fault.to_string(),
        })
    })
}

fn guarded(work: impl FnOnce() -> Result<String>) -> String {
    let answer = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::internal("the library panicked")));
    answer.unwrap_or_else(|error| wire::envelope(Err(error)))
}
