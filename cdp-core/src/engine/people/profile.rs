//! A profile without its events: identifiers and when each was first seen.
//!
//! RAM has all of that, so a table of all people reads a timeline only where a column shows it.

use std::collections::BTreeMap;

use crate::definitions::Role;
use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::identity::{Span, is_within, reach_back};
use crate::records::{Timestamp, Value};

/// The nodes of one person.
pub(crate) struct Profile<'a> {
    pub(crate) snapshot: &'a Snapshot<'a>,
    /// In the order of their numbers.
    pub(crate) nodes: Vec<u32>,
    /// Values that are theirs for a time, each with its spans.
    pub(crate) held: Vec<(u32, Vec<Span>)>,
}

impl<'a> Profile<'a> {
    /// The person of these nodes at `at`, with what they hold for a time.
    pub(crate) fn new(snapshot: &'a Snapshot<'a>, nodes: Vec<u32>, at: Timestamp) -> Result<Profile<'a>> {
        let held = snapshot.people.partition.held_with(&nodes, at, snapshot)?;
        Ok(Profile { snapshot, nodes, held })
    }

    /// Every node whose memberships are theirs: their own, and the values that they held first.
    pub(crate) fn absorbed(&self) -> impl Iterator<Item = u32> {
        let held = self.held.iter().filter(|(_, spans)| reach_back(spans)).map(|(value, _)| *value);
        self.nodes.iter().copied().chain(held)
    }

    /// The first node: the one named earliest, then by priority, then by value.
    pub(crate) fn first_node(&self) -> u32 {
        self.snapshot.first_node(&self.nodes)
    }

    /// The node that names the person to the outside at `at`: the first of those named by then.
    pub(crate) fn profile_id(&self) -> String {
        self.snapshot.node_hash(self.first_node())
    }

    /// What orders people: their first nodes.
    pub(crate) fn order(&self) -> (Timestamp, u32, &'a str, &'a str) {
        self.snapshot.node_order(self.first_node())
    }

    /// Whether a message of these nodes had happened by `at`; `None` if only the timeline decides.
    pub(in crate::engine) fn existed_at(&self, at: Timestamp) -> Option<bool> {
        if !self.held.is_empty() {
            return None;
        }
        let memory = &self.snapshot.memory;
        let own = || self.nodes.iter().map(|node| memory.firsts(*node)).filter(|firsts| firsts.sequence().is_some());
        if own().next().is_none() {
            return Some(false);
        }
        if memory.greatest_occurred_at().is_none_or(|greatest| greatest <= at) {
            return Some(true);
        }
        // A message names its own node: none was before the first naming, but that may have been by another's message.
        let may_have = own().any(|firsts| firsts.named_at().is_some_and(|named_at| named_at <= at));
        if may_have { None } else { Some(false) }
    }

    /// The nodes named by `at`, by first naming, then value.
    pub(crate) fn nodes_named_by(&self, at: Timestamp) -> Vec<u32> {
        let mut named: Vec<(Timestamp, &str, u32)> = Vec::new();
        let held = self.held.iter().filter(|(_, spans)| is_within(spans, at)).map(|(value, _)| value);
        for node in self.nodes.iter().chain(held) {
            let first = self.snapshot.memory.firsts(*node).named_at();
            if let Some(first) = first.filter(|first| *first <= at) {
                named.push((first, self.snapshot.memory.node(*node).1, *node));
            }
        }
        named.sort_unstable();
        named.into_iter().map(|(_, _, node)| node).collect()
    }

    /// Identifier type -> values, ordered by first event time, then value.
    pub(crate) fn ids(&self, at: Timestamp) -> BTreeMap<&'a str, Vec<&'a str>> {
        let mut ids: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for node in self.nodes_named_by(at) {
            let (identifier_type, value) = self.snapshot.memory.node(node);
            ids.entry(identifier_type).or_default().push(value);
        }
        ids
    }

    /// The identifiers by type, as owned texts.
    pub(crate) fn owned_ids(&self, at: Timestamp) -> BTreeMap<String, Vec<String>> {
        let owned = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect();
        self.ids(at).into_iter().map(|(kind, values)| (kind.to_owned(), owned(values))).collect()
    }

    /// The identifiers by type, as an object of lists.
    pub(crate) fn ids_value(&self, at: Timestamp) -> Value {
        let values = |values: Vec<&str>| Value::List(values.into_iter().map(Value::from).collect());
        Value::Object(self.ids(at).into_iter().map(|(kind, found)| (kind.to_owned(), values(found))).collect())
    }

    /// The value of a type that was named last, which a single-valued column shows.
    pub(crate) fn last_id(&self, identifier_type: &str, at: Timestamp) -> Option<&'a str> {
        let mut named = self.nodes_named_by(at).into_iter().rev().map(|node| self.snapshot.memory.node(node));
        named.find(|(found, _)| *found == identifier_type).map(|(_, value)| value)
    }

    /// Whether an identifier of a person or a contact was named by `at`.
    pub(crate) fn is_known(&self, at: Timestamp) -> bool {
        self.nodes_named_by(at)
            .into_iter()
            .any(|node| matches!(self.snapshot.type_rule(node).role, Role::Person | Role::Contact))
    }
}
