//! What the log says about one node, as far as it is in RAM, and how two parts of it become one.
//!
//! It takes what messages say and keeps it in the order that reads need; it never decides what a fact means.

use std::borrow::Cow;
use std::num::NonZeroU64;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::records::{Json, JsonObject, Timestamp, Value};

/// An event on a node's timeline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventEntry {
    pub(crate) occurred_at: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) event: u32,
    pub(crate) row: u32,
}

/// A trait that a message set; null is a tombstone.
#[derive(Clone, Debug)]
pub(crate) struct TraitWrite {
    pub(crate) occurred_at: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) name: Arc<str>,
    pub(crate) value: Arc<Value>,
}

/// A choice about the use of personal data. Without purpose: every purpose that is known is denied.
#[derive(Clone, Debug)]
pub(crate) struct ConsentWrite {
    pub(crate) occurred_at: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) purpose: Option<Arc<str>>,
    pub(crate) channel: Option<Arc<str>>,
    pub(crate) granted: bool,
}

/// A message that names an account: the person belongs to it from then on.
#[derive(Clone, Debug)]
pub(crate) struct AccountWrite {
    pub(crate) occurred_at: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) account_type: Arc<str>,
    pub(crate) account: Arc<str>,
}

/// What the log says about one node. Small, because there is one for every node of a tail, and a batch finds them at
/// random.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeFacts {
    /// Tracks, pages and screens; in the base sorted by (occurred_at, sequence).
    pub(crate) events: SmallVec<[EventEntry; 2]>,
    /// The least occurred_at of a message that names the node.
    pub(crate) first_named_at: Option<Timestamp>,
    /// The least sequence of a message of its own.
    pub(crate) first_sequence: Option<NonZeroU64>,
    /// Everything else, which most nodes have nothing of. Its beginnings are not set.
    pub(crate) rest: Option<Box<Annex>>,
}

/// What the log says about a node besides its events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Annex {
    /// Messages that are no events.
    pub(crate) others: Vec<(Timestamp, u64)>,
    /// Traits that messages of the node set, in log order.
    pub(crate) traits: Vec<TraitWrite>,
    /// Choices that messages of the node made, in log order.
    pub(crate) consents: Vec<ConsentWrite>,
    /// Accounts that messages of the node name, in log order; one that says nothing new may be left out.
    pub(crate) accounts: Vec<AccountWrite>,
    /// The least occurred_at of a message that names the node.
    pub(crate) first_named_at: Option<Timestamp>,
    /// The least sequence of a message of its own.
    pub(crate) first_sequence: Option<u64>,
    /// When an identify message first named the node, and the sequences of all that did so at that instant.
    pub(crate) first_identified: Option<(Timestamp, Vec<u64>)>,
}

impl NodeFacts {
    /// Adds what a later part of the log says.
    pub(super) fn add(&mut self, other: NodeFacts) {
        self.events.extend(other.events);
        sort_if_needed(&mut self.events, |entry| (entry.occurred_at, entry.sequence));
        self.first_named_at = least(self.first_named_at, other.first_named_at);
        self.first_sequence = least(self.first_sequence, other.first_sequence);
        match (&mut self.rest, other.rest) {
            (Some(rest), Some(more)) => rest.add(*more),
            (rest @ None, more) => *rest = more,
            (Some(_), None) => {}
        }
    }

    /// A message names the node; `identified_by` is its sequence if it is an identify message.
    pub(super) fn name(&mut self, at: Timestamp, identified_by: Option<u64>) {
        self.first_named_at = least(self.first_named_at, Some(at));
        if let Some(sequence) = identified_by {
            self.rest_mut().identify(at, vec![sequence]);
        }
    }

    /// Notes a message of the node's own.
    pub(super) fn own(&mut self, sequence: u64) {
        self.first_sequence = least(self.first_sequence, NonZeroU64::new(sequence));
    }

    pub(super) fn rest_mut(&mut self) -> &mut Annex {
        self.rest.get_or_insert_default()
    }

    /// The least sequence of a message of its own.
    pub(super) fn first_sequence(&self) -> Option<u64> {
        self.first_sequence.map(NonZeroU64::get)
    }

    /// Adds everything but the events to what is known of the node.
    pub(super) fn add_rest_to(&self, annex: &mut Annex) {
        annex.first_named_at = least(annex.first_named_at, self.first_named_at);
        annex.first_sequence = least(annex.first_sequence, self.first_sequence());
        if let Some(rest) = &self.rest {
            annex.add(rest.as_ref().clone());
        }
    }

    /// When messages of its own that are no events happened.
    pub(super) fn others(&self) -> &[(Timestamp, u64)] {
        self.rest.as_ref().map_or(&[], |rest| &rest.others)
    }
}

impl Annex {
    /// Joins what two parts of the log say of one node.
    pub(crate) fn add(&mut self, other: Annex) {
        self.others.extend(other.others);
        self.traits.extend(other.traits);
        self.consents.extend(other.consents);
        self.accounts.extend(other.accounts);
        self.first_named_at = least(self.first_named_at, other.first_named_at);
        self.first_sequence = least(self.first_sequence, other.first_sequence);
        if let Some((at, sequences)) = other.first_identified {
            self.identify(at, sequences);
        }
    }

    /// An identify message names the node; `identified_by` holds the sequences of all that did so at that instant.
    pub(super) fn identify(&mut self, at: Timestamp, identified_by: Vec<u64>) {
        match &mut self.first_identified {
            Some((first, _)) if *first < at => {}
            Some((first, tied)) if *first == at => {
                let comes_later = tied.last() < identified_by.first();
                tied.extend(identified_by);
                if !comes_later {
                    tied.sort_unstable();
                    tied.dedup();
                }
            }
            first => *first = Some((at, identified_by)),
        }
    }

    /// Puts everything into log order.
    pub(crate) fn sort(&mut self) {
        sort_if_needed(&mut self.others, |other| other.1);
        sort_if_needed(&mut self.traits, |write| write.sequence);
        sort_if_needed(&mut self.consents, |write| write.sequence);
        sort_if_needed(&mut self.accounts, |write| write.sequence);
    }

    /// How many rows of a block this counts for.
    pub(super) fn weight(&self) -> usize {
        self.others.len() + self.traits.len() + self.consents.len() + self.accounts.len()
    }
}

/// The lesser of two, where there are two.
pub(super) fn least<T: Ord>(left: Option<T>, right: Option<T>) -> Option<T> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}

/// Sorts, and costs one look where all is in order, as it nearly always is.
pub(super) fn sort_if_needed<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    if !items.is_sorted_by_key(&key) {
        items.sort_by_key(key);
    }
}

/// The properties of an event as rules see them.
pub(crate) enum EventProperties<'m> {
    /// There are none.
    None,
    /// As they stand in the message.
    Borrowed(Json<'m>),
    /// Made for the purpose: a page's name is one of them.
    Owned(JsonObject),
}

impl EventProperties<'_> {
    pub(super) fn json(&self) -> Option<Json<'_>> {
        match self {
            EventProperties::None => None,
            EventProperties::Borrowed(properties) => Some(*properties),
            EventProperties::Owned(properties) => Some(Json::from_canonical(properties.text())),
        }
    }
}

/// A choice as a message states it: purpose, channel, granted.
pub(crate) type StatedChoice<'m> = (Option<Cow<'m, str>>, Option<Cow<'m, str>>, bool);

/// What a message says, as far as RAM mirrors it.
pub(crate) struct Observation<'m> {
    pub(crate) sequence: u64,
    pub(crate) node: u32,
    pub(crate) occurred_at: Timestamp,
    /// The event name's number, for tracks, pages and screens.
    pub(crate) event: Option<u32>,
    /// The event's properties.
    pub(crate) properties: EventProperties<'m>,
    /// The traits it sets on its profile.
    pub(crate) traits: Vec<(Cow<'m, str>, Value)>,
    /// The choices it makes: purpose, channel, granted.
    pub(crate) consents: Vec<StatedChoice<'m>>,
    /// The accounts it names: type, value.
    pub(crate) accounts: Vec<(Cow<'m, str>, Cow<'m, str>)>,
    /// Further nodes that it names.
    pub(crate) named: Vec<u32>,
    /// Whether it is an identify message.
    pub(crate) identifies: bool,
}

impl Observation<'_> {
    /// How many rows of a run it makes.
    pub(super) fn n_rows(&self) -> u64 {
        (1 + self.traits.len() + self.consents.len() + self.accounts.len()) as u64
    }
}
