//! Group commit: callers that send single messages at the same time share one durable transaction.
//!
//! Each puts its message where the others wait; one of them leads, takes in everything that waits, commits once, and gives
//! each its own answer. It never answers before the message is durable. What a commit does with the messages is the affair of
//! the verb `send`; here stands who leads and who waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::records::{Message, Receipt};
use crate::sync::lock;

/// Who wants to know what became of a message. Tells exactly once, whatever happens; a panic of who is told is theirs, and
/// the others of the transaction are told all the same.
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

/// A message that was read, and who waits for it.
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
    /// Somebody has committed.
    pub(crate) committed: Condvar,
    /// As many have come as the one who commits waits for.
    pub(crate) joined: Condvar,
}

#[derive(Default)]
pub(in crate::engine) struct GroupState {
    pub(crate) waiting: Vec<Waiting>,
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

impl Group {
    pub(crate) fn put(&self, messages: Vec<Waiting>) {
        let mut state = lock(&self.state);
        state.waiting.extend(messages);
        // Waking who waits for each of them would cost as much as taking it in.
        if state.awaits_company && !state.is_short() {
            self.joined.notify_one();
        }
    }

    /// Waits for the leader, and leads with `commit` where there is none, until it is done.
    pub(crate) fn lead_until(&self, is_done: impl Fn() -> bool, commit: impl Fn(Vec<Waiting>)) {
        let group = self;
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
            commit(messages);
            drop(led);
            state = lock(&group.state);
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
