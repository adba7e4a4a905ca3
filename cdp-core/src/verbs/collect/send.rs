//! Sending single messages: durable on return, in a transaction that callers on several threads share.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use crate::engine::group_commit::{Answer, Waiting};
use crate::engine::handle::Cdp;
use crate::engine::people::profile::Profile;
use crate::engine::transaction::Transaction;
use crate::error::{Error, Result};
use crate::records::{Message, MessageType, Receipt, Timestamp, Value};
use crate::stop::Never;
use crate::sync::lock;
use crate::verbs::collect::accept::{Acceptance, DEFAULT_SOURCE, accept, invalid_message};

/// The message that a verb of this type sends: its fields, with the type.
pub(crate) fn message_of_type(kind: MessageType, message: Cow<'_, Value>) -> Result<Value> {
    let mut fields = match message.into_owned() {
        Value::Object(fields) => fields,
        other => {
            let found = other.kind();
            return Err(Error::invalid(format!("{} takes a message object, not {found}", kind.as_str())));
        }
    };
    if let Some(other) = fields.get("type").and_then(Value::as_text).filter(|word| *word != kind.as_str()) {
        return Err(Error::invalid(format!("{} was given a message of type `{other}`", kind.as_str())));
    }
    fields.insert("type".to_owned(), Value::from(kind.as_str()));
    Ok(Value::Object(fields))
}

/// What can be sent: a message as JSON, borrowed or owned, or a builder such as [`Track`](crate::records::Track).
pub trait IntoMessage<'m> {
    /// The message as JSON.
    fn into_message(self) -> Cow<'m, Value>;
}

impl<'m> IntoMessage<'m> for &'m Value {
    fn into_message(self) -> Cow<'m, Value> {
        Cow::Borrowed(self)
    }
}

impl<T: Into<Value>> IntoMessage<'static> for T {
    fn into_message(self) -> Cow<'static, Value> {
        Cow::Owned(self.into())
    }
}

impl Cdp {
    /// Takes in one Segment message (`type`, ids, `event`, `properties`, `traits`, ...; both casings). Durable on return;
    /// callers on several threads share transactions.
    ///
    /// A bad message is an `invalid` error and nothing is kept. The receipt has the `message_id`, random if the message
    /// brought none, and the `profile_id`; what a shared transaction merged and made is counted in one of its receipts.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let receipt = db.send(Track::new("Order Completed").user_id("u1").property("revenue", 12.5))?;
    /// assert_eq!(receipt.accepted, 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn send<'m>(&self, message: impl IntoMessage<'m>) -> Result<Receipt> {
        let (message, warnings) = self.read_message(&message.into_message())?;
        self.check_open()?;
        // In a child process after fork() the leader of the group is not there to hand the lead on.
        self.store().check_process()?;
        let given = Arc::new(Mutex::new(None));
        let place = given.clone();
        let answer = Answer::new(move |outcome| *lock(&place) = Some(outcome));
        self.group_commit().put(vec![Waiting { message, warnings, answer }]);
        self.group_commit().lead_until(|| lock(&given).is_some(), |messages| self.commit_group(messages));
        lock(&given).take().unwrap_or_else(|| Err(Error::internal("a message of a group got no answer")))
    }

    /// Takes in a message of one type; a message without `type` gets it. Otherwise as [`Cdp::send`].
    pub fn send_as<'m>(&self, kind: MessageType, message: impl IntoMessage<'m>) -> Result<Receipt> {
        self.send(message_of_type(kind, message.into_message())?)
    }

    /// Records identifiers that belong to one person, and traits; see [`Cdp::send`].
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::Identify};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let receipt = db.identify(Identify::user("u1").trait_("plan", "business"))?;
    /// assert_eq!(receipt.new_profiles, 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn identify<'m>(&self, message: impl IntoMessage<'m>) -> Result<Receipt> {
        self.send_as(MessageType::Identify, message)
    }

    /// Records an event of a person; see [`Cdp::send`].
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let receipt = db.track(Track::new("Order Completed").user_id("u1").property("revenue", 12.5))?;
    /// assert!(receipt.profile_id.is_some());
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn track<'m>(&self, message: impl IntoMessage<'m>) -> Result<Receipt> {
        self.send_as(MessageType::Track, message)
    }

    /// Records a page view; see [`Cdp::send`].
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::Page};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// assert_eq!(db.page(Page::new("Home").user_id("u1"))?.accepted, 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn page<'m>(&self, message: impl IntoMessage<'m>) -> Result<Receipt> {
        self.send_as(MessageType::Page, message)
    }

    /// Records a view of a screen in an app; see [`Cdp::send`].
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::Screen};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// assert_eq!(db.screen(Screen::new("Cart").user_id("u1"))?.accepted, 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn screen<'m>(&self, message: impl IntoMessage<'m>) -> Result<Receipt> {
        self.send_as(MessageType::Screen, message)
    }

    /// Records that a person belongs to an account, and traits of the account; see [`Cdp::send`].
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::Group};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// assert_eq!(db.group(Group::new("acme").user_id("u1").trait_("plan", "business"))?.accepted, 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn group<'m>(&self, message: impl IntoMessage<'m>) -> Result<Receipt> {
        self.send_as(MessageType::Group, message)
    }

    /// Records that two identifiers belong to one person; see [`Cdp::send`].
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::Alias};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// assert_eq!(db.alias(Alias::new("browser-1", "u1"))?.accepted, 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn alias<'m>(&self, message: impl IntoMessage<'m>) -> Result<Receipt> {
        self.send_as(MessageType::Alias, message)
    }

    pub(super) fn commit_group(&self, group: Vec<Waiting>) {
        let (mut messages, mut answers) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        for Waiting { message, warnings, answer } in group {
            messages.push((message, warnings));
            answers.push(answer);
        }
        if messages.is_empty() {
            return;
        }
        // Each was let in while its handle was open, and is taken in even if that closes meanwhile.
        match self.write_open(&Never, |tx| take_group(tx, messages)) {
            Ok(outcomes) => answers.into_iter().zip(outcomes).for_each(|(answer, outcome)| answer.give(outcome)),
            Err(error) => answers.into_iter().for_each(|answer| answer.give(Err(error.clone()))),
        }
    }
}

/// The answer to each message. What the transaction as a whole has merged and made is counted in the first receipt.
fn take_group(tx: &mut Transaction<'_>, group: Vec<(Message, Vec<String>)>) -> Result<Vec<Result<Receipt>>> {
    let mut answers = Vec::with_capacity(group.len());
    for (message, warnings) in group {
        let message_id = message.message_id.clone();
        let mut receipt = Receipt { rows: 1, messages: 1, warnings, message_id, ..Receipt::default() };
        tx.last_node = None;
        answers.push(match accept(tx, DEFAULT_SOURCE, message, true)? {
            Acceptance::Rejected(reject) => Err(invalid_message(reject)),
            acceptance => {
                acceptance.count(&mut receipt);
                Ok((receipt, tx.last_node))
            }
        });
    }
    if let [Err(refused)] = answers.as_slice() {
        // Alone: nothing is written at all.
        return Err(refused.clone());
    }
    tx.derive()?;
    let mut is_first = true;
    let mut finished = Vec::with_capacity(answers.len());
    for answer in answers {
        finished.push(match answer {
            Err(error) => Err(error),
            Ok((mut receipt, node)) => {
                if std::mem::take(&mut is_first) {
                    tx.complete(&mut receipt);
                }
                if let Some(node) = node {
                    let snapshot = tx.snapshot();
                    let node = snapshot.people.partition.holder_at(node, Timestamp::MAX, &snapshot)?;
                    let profile = Profile::new(&snapshot, snapshot.people.partition.nodes_of(node), Timestamp::MAX)?;
                    receipt.profile_id = Some(profile.profile_id());
                }
                Ok(receipt)
            }
        });
    }
    Ok(finished)
}
