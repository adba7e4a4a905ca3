//! Group commit: callers that send single messages at the same time share one durable transaction.
//!
//! Each puts its message into a queue and waits for its turn; who has the turn takes in everything that waits, commits
//! once, and leaves each of the others its own answer. A caller alone pays for nobody else. It never answers before the
//! message is durable, and a message that is refused does not touch the others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Cdp;
use super::collect::{DEFAULT_SOURCE, invalid_message};
use super::snapshot::Person;
use super::write::{Acceptance, Writing};
use crate::error::{Error, Result};
use crate::records::{Message, Receipt};

type Answer = Arc<Mutex<Option<Result<Receipt>>>>;

/// A message that was read, and where its sender looks for the answer.
struct Waiting {
    message: Message,
    warnings: Vec<String>,
    answer: Answer,
}

/// The messages that wait for a transaction.
#[derive(Default)]
pub(super) struct Group {
    waiting: Mutex<Vec<Waiting>>,
    turn: Mutex<()>,
}

// Nothing panics while it holds one of these; should it ever, what they guard is whole between two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cdp {
    /// Takes in a message that was read, together with those that others send meanwhile.
    pub(super) fn send_in_group(&self, message: Message, warnings: Vec<String>) -> Result<Receipt> {
        self.check_open()?;
        let group = &self.inner.group;
        let answer = Answer::default();
        lock(&group.waiting).push(Waiting { message, warnings, answer: answer.clone() });
        let _turn = lock(&group.turn);
        if lock(&answer).is_none() {
            // Nobody before has taken it along: the own message is among those that wait.
            self.commit_group(std::mem::take(&mut *lock(&group.waiting)));
        }
        lock(&answer).take().unwrap_or_else(|| Err(Error::internal("a message of a group got no answer")))
    }

    fn commit_group(&self, group: Vec<Waiting>) {
        let answers: Vec<Answer> = group.iter().map(|waiting| waiting.answer.clone()).collect();
        let given = match self.write(|writing| writing.take_group(group)) {
            Ok(receipts) => receipts,
            Err(error) => answers.iter().map(|_| Err(error.clone())).collect(),
        };
        for (answer, given) in answers.iter().zip(given) {
            *lock(answer) = Some(given);
        }
    }
}

impl Writing<'_> {
    /// The answer to each message. What the transaction as a whole has merged and made is counted in the first receipt.
    fn take_group(&mut self, group: Vec<Waiting>) -> Result<Vec<Result<Receipt>>> {
        let mut answers = Vec::with_capacity(group.len());
        for Waiting { message, warnings, .. } in group {
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
                        let person = Person::new(&snapshot, snapshot.partition.nodes_of(node))?;
                        receipt.profile_id = Some(person.profile_id());
                    }
                    Ok(receipt)
                }
            });
        }
        Ok(finished)
    }
}
