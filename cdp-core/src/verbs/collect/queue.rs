//! Queued sending: messages whose senders do not wait, taken in by one thread that shares a transaction among many.
//!
//! The thread lives as long as there is something to do. It reads the messages, which costs their senders nothing, and joins
//! the group commit of waiting callers. Every message is answered once. Must never reorder messages, and never leave one
//! behind when a handle closes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::engine::group_commit::{Answer, Waiting};
use crate::engine::handle::Cdp;
use crate::engine::queue::{MAX_MESSAGES, Make};
use crate::error::Result;
use crate::records::{Receipt, Value};
use crate::sync::lock;

impl Cdp {
    /// Takes in one message like [`Cdp::send`], but returns at once: `on_done` is called when the message is durable, or
    /// what was wrong with it. All messages that wait share durable transactions, in the order in which they came.
    ///
    /// `on_done` runs on a thread of the library, or on that of another sender, and before the next transaction begins: it
    /// should hand the receipt on and return, and must not call the store. [`Cdp::close`] waits for it. Nothing bounds
    /// how many messages wait; a caller that sends faster than the disk writes must count.
    ///
    /// ```
    /// use cdp_core::{Cdp, records::Value};
    ///
    /// let db = Cdp::open(cdp_core::OpenOptions::in_memory())?;
    /// let (sender, receipts) = std::sync::mpsc::channel();
    /// for _ in 0..1_000 {
    ///     let sender = sender.clone();
    ///     let message = Value::parse(br#"{"type": "track", "event": "Product Viewed", "userId": "u1"}"#).unwrap();
    ///     db.send_queued(message, move |receipt| sender.send(receipt).unwrap());
    /// }
    /// for receipt in receipts.iter().take(1_000) {
    ///     assert_eq!(receipt?.accepted, 1);
    /// }
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn send_queued(&self, message: impl Into<Value>, on_done: impl FnOnce(Result<Receipt>) + Send + 'static) {
        let message = message.into();
        self.send_made(|| Ok(message), on_done);
    }

    /// Queues a message that is made on the thread of the queue.
    pub(crate) fn send_made(
        &self,
        make: impl FnOnce() -> Result<Value> + Send + 'static,
        on_done: impl FnOnce(Result<Receipt>) + Send + 'static,
    ) {
        let answer = Answer::new(on_done);
        if let Err(error) = self.store().check_process() {
            return answer.give(Err(error));
        }
        {
            // Whether the handle is open is asked under the lock under which `close` counts earlier messages.
            let mut entries = lock(&self.queue().entries);
            if let Err(error) = self.check_open() {
                drop(entries);
                return answer.give(Err(error));
            }
            entries.waiting.push_back((Box::new(make), answer));
            entries.entered += 1;
            if std::mem::replace(&mut entries.is_draining, true) {
                return;
            }
        }
        let cdp = self.clone();
        let thread = std::thread::Builder::new().name("cdp-queue".to_owned());
        if thread.spawn(move || cdp.drain()).is_err() {
            // No thread to be had: the sender waits after all.
            self.drain();
        }
    }

    /// Takes in everything that waits in the queue.
    pub(crate) fn drain(&self) {
        let queue = self.queue();
        loop {
            let part: Vec<(Make, Answer)> = {
                let mut entries = lock(&queue.entries);
                let n = entries.waiting.len().min(MAX_MESSAGES);
                entries.is_draining = n > 0;
                entries.waiting.drain(..n).collect()
            };
            if part.is_empty() {
                return;
            }
            let n = part.len() as u64;
            // A defect must not leave the queue without its thread: its senders get the error of a dropped answer.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let n_left = Arc::new(AtomicUsize::new(0));
                let mut messages = Vec::with_capacity(part.len());
                for (make, answer) in part {
                    match make().and_then(|message| self.read_message(&message)) {
                        Ok((message, warnings)) => {
                            let n_left = n_left.clone();
                            let answer = Answer::new(move |outcome| {
                                answer.give(outcome);
                                n_left.fetch_sub(1, Ordering::AcqRel);
                            });
                            messages.push(Waiting { message, warnings, answer });
                        }
                        Err(error) => answer.give(Err(error)),
                    }
                }
                n_left.store(messages.len(), Ordering::Release);
                self.group_commit().put(messages);
                let is_done = || n_left.load(Ordering::Acquire) == 0;
                self.group_commit().lead_until(is_done, |messages| self.commit_group(messages));
            }));
            lock(&queue.entries).answered += n;
            queue.progress.notify_all();
        }
    }
}
