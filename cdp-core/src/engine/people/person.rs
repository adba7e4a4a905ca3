//! One person: a profile with its timeline, read from the file, as rules see it.
//!
//! An event may be added as if it had happened, for a decision; nothing of it is stored.

use std::cell::OnceCell;
use std::ops::Deref;

use crate::engine::people::profile::Profile;
use crate::engine::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::identity::is_within;
use crate::records::{Identifier, Timestamp, Value};
use crate::rules::TimelineEvent;
use crate::store::{Annex, Gathered};

/// The message that a decision is about: an event that is taken as if it had happened.
pub(in crate::engine) struct Hypothetical<'a> {
    pub(crate) message: &'a Value,
    pub(crate) event: &'a str,
}

// What stands for the hypothetical event where stored ones have the numbers of the store; it sorts behind all others.
pub(in crate::engine) const HYPOTHETICAL_SEQUENCE: u64 = u64::MAX;

pub(in crate::engine) const HYPOTHETICAL_ROW: u64 = u64::MAX;

pub(in crate::engine) const HYPOTHETICAL_NAME: u32 = u32::MAX;

/// One person: nodes and their timeline, as rules see it.
pub(crate) struct Person<'a> {
    pub(crate) profile: Profile<'a>,
    pub(crate) facts: Gathered,
    // Everything but events, by node; most rules never ask.
    annexes: OnceCell<Result<Vec<(u32, Annex)>>>,
    pub(in crate::engine) hypothetical: Option<Hypothetical<'a>>,
}

impl<'a> Deref for Person<'a> {
    type Target = Profile<'a>;

    fn deref(&self) -> &Profile<'a> {
        &self.profile
    }
}

impl<'a> Person<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot<'a>, nodes: Vec<u32>, at: Timestamp) -> Result<Person<'a>> {
        Person::of(Profile::new(snapshot, nodes, at)?)
    }

    /// Reads the timeline of a profile.
    pub(crate) fn of(profile: Profile<'a>) -> Result<Person<'a>> {
        let mut facts = Gathered::default();
        for node in &profile.nodes {
            profile.snapshot.memory.gather(profile.snapshot.facts, *node, &mut facts)?;
        }
        for (value, spans) in &profile.held {
            let n_before = facts.timeline.len();
            profile.snapshot.memory.gather(profile.snapshot.facts, *value, &mut facts)?;
            let own = facts.timeline.split_off(n_before);
            facts.timeline.extend(own.into_iter().filter(|event| is_within(spans, event.occurred_at)));
        }
        facts.sort();
        Ok(Person { profile, facts, annexes: OnceCell::new(), hypothetical: None })
    }

    /// The person without the timeline.
    pub(in crate::engine) fn into_profile(self) -> Profile<'a> {
        self.profile
    }

    /// The person with an event that is taken as if it had happened.
    pub(crate) fn with_hypothetical(mut self, message: &'a Value, event: &'a str, at: Timestamp) -> Person<'a> {
        self.facts.timeline.push(TimelineEvent {
            occurred_at: at,
            sequence: HYPOTHETICAL_SEQUENCE,
            event: self.snapshot.memory.name_id(event).unwrap_or(HYPOTHETICAL_NAME),
            row: HYPOTHETICAL_ROW,
        });
        self.facts.sort();
        self.hypothetical = Some(Hypothetical { message, event });
        self
    }

    /// Everything but events, by node. One that cannot be read is an error: without it a denial would be no denial.
    pub(crate) fn facts(&self) -> Result<impl Iterator<Item = (u32, &Annex)>> {
        let annexes = self.annexes.get_or_init(|| self.read_annexes()).as_ref().map_err(Error::clone)?;
        Ok(annexes.iter().map(|(node, facts)| (*node, facts)))
    }

    fn read_annexes(&self) -> Result<Vec<(u32, Annex)>> {
        let mut annexes = self.snapshot.memory.annexes(&self.facts)?;
        // What is held for a time was gathered last.
        for ((_, annex), (_, spans)) in annexes.iter_mut().skip(self.nodes.len()).zip(&self.held) {
            annex.others.retain(|(occurred_at, _)| is_within(spans, *occurred_at));
            annex.traits.retain(|write| is_within(spans, write.occurred_at));
            annex.consents.retain(|write| is_within(spans, write.occurred_at));
            annex.accounts.retain(|write| is_within(spans, write.occurred_at));
        }
        Ok(annexes)
    }

    /// Whether a message of this person had happened by `at`.
    pub(crate) fn exists_at(&self, at: Timestamp) -> Result<bool> {
        let has_event = self.facts.timeline.first().is_some_and(|event| event.occurred_at <= at);
        let is_other = |facts: &Annex| facts.others.iter().any(|(occurred_at, _)| *occurred_at <= at);
        Ok(has_event || self.facts()?.any(|(_, facts)| is_other(facts)))
    }

    /// Every message of this person: (occurred_at, sequence), in no order.
    pub(crate) fn messages(&self) -> Result<Vec<(Timestamp, u64)>> {
        let others = self.facts()?.flat_map(|(_, facts)| facts.others.iter().copied());
        Ok(self.facts.timeline.iter().map(|event| (event.occurred_at, event.sequence)).chain(others).collect())
    }

    /// When traits, identifiers and consents changed in `(since, to]`.
    pub(in crate::engine) fn instants_of_other_facts(&self, since: Timestamp, to: Timestamp) -> Result<Vec<Timestamp>> {
        let mut instants: Vec<Timestamp> = Vec::new();
        for (_, facts) in self.facts()? {
            instants.extend(facts.others.iter().map(|(occurred_at, _)| *occurred_at));
            instants.extend(facts.traits.iter().map(|write| write.occurred_at));
            instants.extend(facts.consents.iter().map(|write| write.occurred_at));
            instants.extend(facts.accounts.iter().map(|write| write.occurred_at));
            instants.extend(facts.first_named_at);
        }
        instants.retain(|instant| *instant > since && *instant <= to);
        instants.sort_unstable();
        instants.dedup();
        Ok(instants)
    }

    /// The first and last instant of a message by `at`.
    pub(crate) fn seen(&self, at: Timestamp) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
        let others = self.facts()?.flat_map(|(_, facts)| facts.others.iter().map(|(occurred_at, _)| *occurred_at));
        let all = self.facts.timeline.iter().map(|event| event.occurred_at).chain(others);
        Ok(all.filter(|occurred_at| *occurred_at <= at).fold(
            (None, None),
            |(first, last): (Option<Timestamp>, _), time| {
                (Some(first.map_or(time, |first| first.min(time))), last.max(Some(time)))
            },
        ))
    }

    /// When the first message of this person happened, if that was in `(since, to]`.
    pub(crate) fn first_seen_in(&self, since: Timestamp, to: Timestamp) -> Result<Option<Timestamp>> {
        // Whose first event was before it needs no further look.
        let was_seen = self.facts.timeline.first().is_some_and(|event| event.occurred_at <= since);
        Ok(if was_seen { None } else { self.seen(to)?.0.filter(|first_seen| *first_seen > since) })
    }

    /// The accounts that messages of this person name by `at`: (type, account), some of them more than once.
    pub(crate) fn accounts(&self, at: Timestamp) -> Result<impl Iterator<Item = (&str, &str)>> {
        let writes = self.facts()?.flat_map(|(_, facts)| facts.accounts.iter());
        let writes = writes.filter(move |write| write.occurred_at <= at);
        Ok(writes.map(|write| (write.account_type.as_ref(), write.account.as_ref())))
    }
}

impl<'a> Snapshot<'a> {
    /// The person that a node belongs to at `at`; `None` if no message of theirs happened by then.
    pub(crate) fn person(&'a self, node: u32, at: Timestamp) -> Result<Option<Person<'a>>> {
        let node = self.people.partition.holder_at(node, at, self)?;
        let person = Person::new(self, self.people.partition.nodes_of_at(node, at), at)?;
        Ok(if person.exists_at(at)? { Some(person) } else { None })
    }

    /// The person with this identifier at `at`; `None` if no message of theirs happened by then. An undeclared type that was
    /// never seen is an error.
    pub(crate) fn find_person(&'a self, identifier: &Identifier, at: Timestamp) -> Result<Option<Person<'a>>> {
        match self.node_of(identifier)? {
            Some(node) => self.person(node, at),
            None => Ok(None),
        }
    }

    /// All people at `at`, in the order of their first nodes.
    pub(crate) fn people(&'a self, at: Timestamp) -> Result<Vec<Person<'a>>> {
        let mut people = Vec::new();
        for nodes in self.profiles_at(at).iter() {
            let person = Person::new(self, nodes.to_vec(), at)?;
            if person.exists_at(at)? {
                people.push(person);
            }
        }
        people.sort_by_cached_key(|person| person.order());
        Ok(people)
    }
}
