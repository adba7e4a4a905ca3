//! The facts of one node from its messages, and how the facts of two parts of the log are merged.
//!
//! It stores the content of messages in the order that reads need; it never decides what a fact means.

use std::borrow::Cow;
use std::sync::Arc;

use crate::records::{Json, JsonObject, Timestamp, Value};

/// How many of a node's last trait writes are searched for one with an equal name.
const REMEMBERED_TRAITS: usize = 32;

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

/// A consent choice of a message. Without purpose: every known purpose is denied.
#[derive(Clone, Debug)]
pub(crate) struct ConsentWrite {
    pub(crate) occurred_at: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) purpose: Option<Arc<str>>,
    pub(crate) channel: Option<Arc<str>>,
    pub(crate) granted: bool,
}

/// An account that a message names: the person belongs to it from then on.
#[derive(Clone, Debug)]
pub(crate) struct AccountWrite {
    pub(crate) occurred_at: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) account_type: Arc<str>,
    pub(crate) account: Arc<str>,
}

/// The facts of a node besides its events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Annex {
    /// Messages that are no events.
    pub(crate) others: Vec<(Timestamp, u64)>,
    /// Traits that messages of the node set, in log order.
    pub(crate) traits: Vec<TraitWrite>,
    /// Choices that messages of the node made, in log order.
    pub(crate) consents: Vec<ConsentWrite>,
    /// Accounts that messages of the node name, in log order; one that repeats a known account may be left out.
    pub(crate) accounts: Vec<AccountWrite>,
    /// The least `occurred_at` of a message that names the node.
    pub(crate) first_named_at: Option<Timestamp>,
    /// The least sequence of a message of the node.
    pub(crate) first_sequence: Option<u64>,
    /// When an identify message first named the node, and the sequences of all such messages at that instant.
    pub(crate) first_identified: Option<(Timestamp, Vec<u64>)>,
}

impl Annex {
    /// Adds the traits, choices and accounts of a message. `committed` has the known facts of the node, `names` the
    /// trait names of the last message.
    pub(super) fn take_writes(
        &mut self,
        (sequence, occurred_at): (u64, Timestamp),
        (traits, consents, accounts): Writes<'_>,
        committed: Option<&Annex>,
        names: &mut Vec<Arc<str>>,
    ) {
        self.traits.reserve(traits.len());
        for (place, (name, value)) in traits.into_iter().enumerate() {
            // A source that repeats a trait on every row costs no copy of its name and value.
            let before =
                self.traits.iter().rev().chain(committed.into_iter().flat_map(|annex| annex.traits.iter().rev()));
            let (name, value) = match before.take(REMEMBERED_TRAITS).find(|write| *write.name == *name) {
                Some(write) if *write.value == value => (write.name.clone(), write.value.clone()),
                Some(write) => (write.name.clone(), Arc::new(value)),
                None => (shared_name(names, place, &name), Arc::new(value)),
            };
            self.traits.push(TraitWrite { occurred_at, sequence, name, value });
        }
        for (purpose, channel, granted) in consents {
            let (purpose, channel) = (purpose.map(Arc::from), channel.map(Arc::from));
            self.consents.push(ConsentWrite { occurred_at, sequence, purpose, channel, granted });
        }
        for (account_type, account) in accounts {
            let known = self.accounts.iter().chain(committed.into_iter().flat_map(|annex| annex.accounts.iter()));
            let is_equal = |write: &&AccountWrite| *write.account_type == *account_type && *write.account == *account;
            let mut known = known.filter(is_equal);
            if known.all(|write| write.occurred_at > occurred_at) {
                let (account_type, account) = (Arc::from(account_type), Arc::from(account));
                self.accounts.push(AccountWrite { occurred_at, sequence, account_type, account });
            }
        }
    }

    /// Merges the facts of another part of the log into these.
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

    /// Records that an identify message names the node; `identified_by` has the sequences of all such messages at that
    /// instant.
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

    /// Sorts everything by sequence.
    pub(crate) fn sort(&mut self) {
        sort_if_needed(&mut self.others, |other| other.1);
        sort_if_needed(&mut self.traits, |write| write.sequence);
        sort_if_needed(&mut self.consents, |write| write.sequence);
        sort_if_needed(&mut self.accounts, |write| write.sequence);
    }

    /// The number of block rows that these facts count for.
    pub(super) fn weight(&self) -> usize {
        self.others.len() + self.traits.len() + self.consents.len() + self.accounts.len()
    }
}

/// The name at this place of the last message if it is equal, else a new one.
fn shared_name(names: &mut Vec<Arc<str>>, place: usize, name: &str) -> Arc<str> {
    match names.get_mut(place) {
        Some(known) if **known == *name => known.clone(),
        Some(known) => {
            *known = Arc::from(name);
            known.clone()
        }
        None => {
            let name: Arc<str> = Arc::from(name);
            names.push(name.clone());
            name
        }
    }
}

/// The lesser of the values that are present.
pub(super) fn least<T: Ord>(left: Option<T>, right: Option<T>) -> Option<T> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}

/// Sorts by a key; one pass without a sort when the items are in order, as they nearly always are.
pub(super) fn sort_if_needed<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    if !items.is_sorted_by_key(&key) {
        items.sort_by_key(key);
    }
}

/// The properties of an event as rules see them.
pub(crate) enum EventProperties<'m> {
    /// The event has none.
    None,
    /// As they stand in the message.
    Borrowed(Json<'m>),
    /// Built for the rules: a page's name is one of them.
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

/// The traits, choices and accounts of a message.
pub(super) type Writes<'m> = (Vec<(Cow<'m, str>, Value)>, Vec<StatedChoice<'m>>, Vec<(Cow<'m, str>, Cow<'m, str>)>);

/// The content of a message, as far as RAM mirrors it.
pub(crate) struct Observation<'m> {
    pub(crate) sequence: u64,
    pub(crate) node: u32,
    pub(crate) occurred_at: Timestamp,
    /// The event name's number, for tracks, pages and screens.
    pub(crate) event: Option<u32>,
    /// The event's properties.
    pub(crate) properties: EventProperties<'m>,
    /// The traits that it sets.
    pub(crate) traits: Vec<(Cow<'m, str>, Value)>,
    /// The consent choices that it makes: purpose, channel, granted.
    pub(crate) consents: Vec<StatedChoice<'m>>,
    /// The accounts that it names: type, value.
    pub(crate) accounts: Vec<(Cow<'m, str>, Cow<'m, str>)>,
    /// The further nodes that it names.
    pub(crate) named: Vec<u32>,
    /// Whether it is an identify message.
    pub(crate) identifies: bool,
}

impl Observation<'_> {
    /// The number of run rows that it adds.
    pub(super) fn n_rows(&self) -> u64 {
        (1 + self.traits.len() + self.consents.len() + self.accounts.len()) as u64
    }
}
