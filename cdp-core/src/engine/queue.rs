//! The queue of messages whose senders do not wait: what waits, what was answered, and whether a thread drains it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::engine::group_commit::Answer;
use crate::error::Result;
use crate::records::Value;
use crate::sync::lock;

/// The most messages that share a transaction: more would keep other writers waiting and save little.
pub(crate) const MAX_MESSAGES: usize = 500;

pub(crate) type Make = Box<dyn FnOnce() -> Result<Value> + Send>;

#[derive(Default)]
pub(crate) struct Entries {
    pub(crate) waiting: VecDeque<(Make, Answer)>,
    /// How many ever came, and how many of them were answered.
    pub(crate) entered: u64,
    pub(crate) answered: u64,
    pub(crate) is_draining: bool,
}

/// The messages whose senders do not wait.
#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) entries: Mutex<Entries>,
    pub(crate) progress: Condvar,
}

impl Queue {
    /// Returns when everything that is in the queue now was answered.
    pub(in crate::engine) fn await_answers(&self) {
        let queue = self;
        let mut entries = lock(&queue.entries);
        let last = entries.entered;
        while entries.answered < last {
            entries = queue.progress.wait(entries).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
