//! Group commit: callers that send single messages at the same time share one durable transaction.
//!
//! Each puts its message where the others wait; where nobody commits, one of them takes in everything that waits, commits
//! once, and gives each its own answer. A caller alone pays for nobody else. It never answers before the message
//! is durable, and a message that is refused does not touch the others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Cdp;
use super::collect::{DEFAULT_SOURCE, invalid_message};
use super::interruption::Never;
use super::somebody::Somebody;
use super::write::{Acceptance, Writing};
use crate::error::{Error, Result};
use crate::records::{Message, MessageType, Receipt, Timestamp, Value};

/// Who wants to know what became of a message. Tells exactly once, whatever happens; a panic of who is told is theirs, and
/// the others of the transaction are told all the same.
pub(super) struct Answer(Option<Box<dyn FnOnce(Result<Receipt>) + Send>>);

impl Answer {
    pub(super) fn new(tell: impl FnOnce(Result<Receipt>) + Send + 'static) -> Answer {
        Answer(Some(Box::new(tell)))
    }

    pub(super) fn give(mut self, outcome: Result<Receipt>) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Result<Receipt>) {
        if let Some(tell) = self.0.take() {
            let _ = catch_unwind(AssertUnwindSafe(|| tell(outcome)));
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.tell(Err(Error::internal("a message got no answer")));
    }
}

/// A message that was read, and who waits for it.
pub(super) struct Waiting {
    pub(super) message: Message,
    pub(super) warnings: Vec<String>,
    pub(super) answer: Answer,
}

/// How long who commits waits for as many as the last time, a fraction of what a durable commit takes.
const COMPANIONS_AWAITED: Duration = Duration::from_micros(300);

/// The messages that wait for a transaction.
#[derive(Default)]
pub(super) struct Group {
    state: Mutex<GroupState>,
    /// Somebody has committed.
    committed: Condvar,
    /// As many have come as the one who commits waits for.
    joined: Condvar,
}

#[derive(Default)]
struct GroupState {
    waiting: Vec<Waiting>,
    /// Whether somebody commits.
    is_led: bool,
    /// So many messages were in the last transaction.
    last_size: usize,
    /// Whether who commits waits for as many again.
    awaits_company: bool,
}

impl GroupState {
    /// Whether fewer wait than were in the last transaction.
    fn is_short(&self) -> bool {
        self.waiting.len() < self.last_size
    }
}

// Nothing panics while it holds one of these; should it ever, what they guard is whole between two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The message that a verb of this type sends: its fields, with the type.
pub(crate) fn message_of_type(kind: MessageType, message: &Value) -> Result<Value> {
    let mut fields = message
        .as_object()
        .cloned()
        .ok_or_else(|| Error::invalid(format!("{} takes a message object, not {}", kind.as_str(), message.kind())))?;
    if let Some(other) = fields.get("type").and_then(Value::as_text).filter(|word| *word != kind.as_str()) {
        return Err(Error::invalid(format!("{} was given a message of type `{other}`", kind.as_str())));
    }
    fields.insert("type".to_owned(), Value::from(kind.as_str()));
    Ok(Value::Object(fields))
}

impl Cdp {
    /// Takes in one Segment message (`type`, ids, `event`, `properties`, `traits`, ...; both casings). Durable on return;
    /// callers on several threads share transactions.
    ///
    /// A bad message is an `invalid` error and nothing is kept. The receipt has the `message_id`, random if the message
    /// brought none, and the `profile_id`; what a shared transaction merged and made is counted in one of its receipts.
    pub fn send(&self, message: &Value) -> Result<Receipt> {
        let (message, warnings) = self.read_message(message)?;
        self.check_open()?;
        // In a child process after fork() whoever led the group is not there to hand the lead on.
        self.inner.store.check_process()?;
        let given = Arc::new(Mutex::new(None));
        let place = given.clone();
        let answer = Answer::new(move |outcome| *lock(&place) = Some(outcome));
        self.put_in_group(vec![Waiting { message, warnings, answer }]);
        self.lead_group_until(|| lock(&given).is_some());
        lock(&given).take().unwrap_or_else(|| Err(Error::internal("a message of a group got no answer")))
    }

    /// Takes in a message of one type: what the verbs `identify`, `track`, `page`, `screen`, `group`, `alias` do.
    pub fn send_as(&self, kind: MessageType, message: &Value) -> Result<Receipt> {
        self.send(&message_of_type(kind, message)?)
    }

    pub(super) fn put_in_group(&self, messages: Vec<Waiting>) {
        let mut state = lock(&self.inner.group.state);
        state.waiting.extend(messages);
        // Waking who waits for each of them would cost as much as taking it in.
        if state.awaits_company && !state.is_short() {
            self.inner.group.joined.notify_one();
        }
    }

    /// Waits for who commits, and commits when nobody does, until it is done.
    pub(super) fn lead_group_until(&self, is_done: impl Fn() -> bool) {
        let group = &self.inner.group;
        let mut state = lock(&group.state);
        while !is_done() {
            if state.is_led {
                state = group.committed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.is_led = true;
            // Those who were answered together come back one after the other, and should not wait for the first of them.
            state.awaits_company = true;
            let awaited = group.joined.wait_timeout_while(state, COMPANIONS_AWAITED, |state| state.is_short());
            state = awaited.unwrap_or_else(PoisonError::into_inner).0;
            state.awaits_company = false;
            let messages = std::mem::take(&mut state.waiting);
            state.last_size = messages.len();
            drop(state);
            // Whatever happens, somebody else may lead afterwards.
            let led = Led(group);
            self.commit_group(messages);
            drop(led);
            state = lock(&group.state);
        }
    }

    fn commit_group(&self, group: Vec<Waiting>) {
        let (mut messages, mut answers) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        for Waiting { message, warnings, answer } in group {
            messages.push((message, warnings));
            answers.push(answer);
        }
        if messages.is_empty() {
            return;
        }
        // Each was let in while its handle was open, and is taken in even if that closes meanwhile.
        match self.write_open(&Never, |writing| writing.take_group(messages)) {
            Ok(outcomes) => answers.into_iter().zip(outcomes).for_each(|(answer, outcome)| answer.give(outcome)),
            Err(error) => answers.into_iter().for_each(|answer| answer.give(Err(error.clone()))),
        }
    }
}

/// Gives the lead back.
struct Led<'g>(&'g Group);

impl Drop for Led<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).is_led = false;
        self.0.committed.notify_all();
    }
}

impl Writing<'_> {
    /// The answer to each message. What the transaction as a whole has merged and made is counted in the first receipt.
    fn take_group(&mut self, group: Vec<(Message, Vec<String>)>) -> Result<Vec<Result<Receipt>>> {
        let mut answers = Vec::with_capacity(group.len());
        for (message, warnings) in group {
            let message_id = message.message_id.clone();
            let mut receipt = Receipt { rows: 1, messages: 1, warnings, message_id, ..Receipt::default() };
            self.last_node = None;
            answers.push(match self.accept(DEFAULT_SOURCE, message, true)? {
                Acceptance::Rejected(reject) => Err(invalid_message(reject)),
                acceptance => {
                    acceptance.count(&mut receipt);
                    Ok((receipt, self.last_node))
                }
            });
        }
        if let [Err(refused)] = answers.as_slice() {
            // Alone: nothing is written at all.
            return Err(refused.clone());
        }
        self.derive()?;
        let mut is_first = true;
        let mut finished = Vec::with_capacity(answers.len());
        for answer in answers {
            finished.push(match answer {
                Err(error) => Err(error),
                Ok((mut receipt, node)) => {
                    if std::mem::take(&mut is_first) {
                        self.complete(&mut receipt);
                    }
                    if let Some(node) = node {
                        let snapshot = self.snapshot();
                        let node = snapshot.partition.holder_at(node, Timestamp::MAX, &snapshot)?;
                        let somebody = Somebody::new(&snapshot, snapshot.partition.nodes_of(node), Timestamp::MAX)?;
                        receipt.profile_id = Some(somebody.profile_id());
                    }
                    Ok(receipt)
                }
            });
        }
        Ok(finished)
    }
}
