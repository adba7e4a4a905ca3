//! A scorer in JavaScript, asked from a thread of the pool.
//!
//! Takes texts and cohorts; leaves a question on the event loop and waits until `scorerAnswered` brings the answer, which a
//! function that returns a promise may give much later. It must never wait on the thread that would have to answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use cdp_core::predict::zero_shot::{DescribedCohort, Scorer};
use cdp_core::records::Value;
use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};

type Answer = Result<Value, String>;

// Questions that wait for their answer; numbers are those of the process, so that an answer needs no handle.
static WAITING: Mutex<BTreeMap<u32, SyncSender<Answer>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU32 = AtomicU32::new(0);

fn waiting() -> MutexGuard<'static, BTreeMap<u32, SyncSender<Answer>>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A function of JavaScript.
pub(crate) struct JavaScriptScorer {
    method: String,
    ask: ThreadsafeFunction<String, (), String, Status, false, true>,
    home: ThreadId,
}

impl JavaScriptScorer {
    /// A scorer that lives on this thread.
    pub(crate) fn new(
        method: String,
        ask: ThreadsafeFunction<String, (), String, Status, false, true>,
    ) -> JavaScriptScorer {
        JavaScriptScorer { method, ask, home: std::thread::current().id() }
    }

    fn is_at_home(&self) -> bool {
        std::thread::current().id() == self.home
    }
}

impl Scorer for JavaScriptScorer {
    fn method(&self) -> String {
        self.method.clone()
    }

    fn score(&self, texts: &[String], cohorts: &[DescribedCohort]) -> Answer {
        if self.is_at_home() {
            return Err("a scorer cannot be asked by a synchronous call".to_owned());
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let list = |texts: &[String]| Value::List(texts.iter().map(|text| Value::from(text.as_str())).collect());
        let cohorts = cohorts.iter().map(|cohort| {
            Value::object([
                ("cohort", Value::from(cohort.cohort.as_str())),
                ("description", Value::from(cohort.description.as_str())),
                ("keywords", list(&cohort.keywords)),
            ])
        });
        let question = Value::List(vec![Value::integer(number), list(texts), Value::List(cohorts.collect())]);
        let (sender, receiver) = sync_channel(1);
        waiting().insert(number, sender);
        let status = self.ask.call(question.to_json(), ThreadsafeFunctionCallMode::NonBlocking);
        if status != Status::Ok {
            waiting().remove(&number);
            return Err("the event loop of the scorer has ended".to_owned());
        }
        receiver.recv().unwrap_or_else(|_| Err("the scorer gave no answer".to_owned()))
    }

    fn pause(&self, how_long: Duration) {
        if !self.is_at_home() {
            std::thread::sleep(how_long);
        }
    }
}

/// Wakes whoever asked question `number`.
pub(crate) fn answered(number: u32, answer: &str) {
    let Some(sender) = waiting().remove(&number) else { return };
    let read = || {
        let answer = Value::parse(answer.as_bytes()).map_err(|_| "the answer is not JSON".to_owned())?;
        if let Some(error) = answer.get("error").and_then(Value::as_text) {
            // Only the name of what was thrown: its message may hold a text of a person.
            return Err(format!("the scorer threw {error}"));
        }
        match answer.get("ok") {
            Some(Value::Text(json)) => Value::parse(json.as_bytes()).map_err(|_| "the answer is not JSON".to_owned()),
            Some(answer) => Ok(answer.clone()),
            None => Err("the scorer answered nothing".to_owned()),
        }
    };
    // Nobody waits any more where the call has ended.
    let _ = sender.send(read());
}
