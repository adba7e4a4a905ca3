//! Group commit: callers that send single messages at the same time share one durable transaction.
//!
//! Each caller puts its message into the group. One caller leads: it takes all waiting messages, commits once, and gives each
//! message its own answer. An answer never comes before the message is durable. What a commit does with the messages is up to
//! the verb `send`; this file chooses the leader and wakes the others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::records::{Message, Receipt};
use crate::sync::lock;

/// The callback that receives the outcome of a message. It is called exactly once, whatever happens; a panic in it does not
/// affect the other messages of the transaction.
pub(crate) struct Answer(Option<Box<dyn FnOnce(Result<Receipt>) + Send>>);

impl Answer {
    pub(crate) fn new(tell: impl FnOnce(Result<Receipt>) + Send + 'static) -> Answer {
        Answer(Some(Box::new(tell)))
    }

    pub(crate) fn give(mut self, outcome: Result<Receipt>) {
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

/// A message that was read, with the callback that waits for its outcome.
pub(crate) struct Waiting {
    pub(crate) message: Message,
    pub(crate) warnings: Vec<String>,
    pub(crate) answer: Answer,
}

/// How long the leader waits for the group to reach its previous size: a fraction of one durable commit.
const COMPANIONS_AWAITED: Duration = Duration::from_micros(300);

/// The messages that wait for a transaction.
#[derive(Default)]
pub(crate) struct Group {
    state: Mutex<GroupState>,
    /// Signals the end of a commit.
    pub(crate) committed: Condvar,
    /// Signals that the group has reached its previous size.
    pub(crate) joined: Condvar,
}

#[derive(Default)]
pub(in crate::engine) struct GroupState {
    pub(crate) waiting: Vec<Waiting>,
    /// Whether a leader commits now.
    is_led: bool,
    /// The number of messages in the last transaction.
    last_size: usize,
    /// Whether the leader waits for the group to reach its previous size.
    awaits_company: bool,
}

impl GroupState {
    /// Whether the group is smaller than the last transaction.
    fn is_short(&self) -> bool {
        self.waiting.len() < self.last_size
    }
}

impl Group {
    pub(crate) fn put(&self, messages: Vec<Waiting>) {
        let mut state = lock(&self.state);
        state.waiting.extend(messages);
        // To wake the leader for each message would cost as much as to append it.
        if state.awaits_company && !state.is_short() {
            self.joined.notify_one();
        }
    }

    /// Waits for the leader, and leads with `commit` where there is none, until it is done.
    pub(crate) fn lead_until(&self, is_done: impl Fn() -> bool, commit: impl Fn(Vec<Waiting>)) {
        let mut state = lock(&self.state);
        while !is_done() {
            if state.is_led {
                state = self.committed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.is_led = true;
            // Callers that were answered together return one after the other; the first of them should not commit alone.
            state.awaits_company = true;
            let awaited = self.joined.wait_timeout_while(state, COMPANIONS_AWAITED, |state| state.is_short());
            state = awaited.unwrap_or_else(PoisonError::into_inner).0;
            state.awaits_company = false;
            let messages = std::mem::take(&mut state.waiting);
            state.last_size = messages.len();
            drop(state);
            // The lead is given back even if the commit panics.
            let led = Led(self);
            commit(messages);
            drop(led);
            state = lock(&self.state);
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
