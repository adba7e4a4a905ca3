//! One moment of the store: facts, timelines, partition and definitions that agree with each other.
//!
//! Everything that a read needs, at one sequence of the log; of a transaction, with what it has added. It changes nothing.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use crate::engine::parts::PartsView;
use crate::engine::profile_ids::{ProfileId, read_profile_id};
use crate::error::{Error, Result};
use crate::identity::{PartitionView, ProbableView, Profiles, TypeRule, declared_type};
use crate::records::{Identifier, Timestamp, Value};
use crate::store::{Facts, MemoryView, Store, hex};

/// Everything that a read needs, at one sequence of the log.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot<'a> {
    pub(crate) facts: Facts<'a>,
    /// Gives connections to further threads of a scan; without it there are none.
    pub(crate) store: Option<&'a Store>,
    /// Every part of RAM; the moment derefs to them, so that `snapshot.memory` is a part.
    pub(crate) parts: PartsView<'a>,
    pub(crate) salt: &'a [u8; 32],
    pub(crate) links_to: u64,
    pub(crate) committed_sequence: u64,
    pub(crate) committed_nodes: u32,
}

impl<'a> Deref for Snapshot<'a> {
    type Target = PartsView<'a>;

    fn deref(&self) -> &PartsView<'a> {
        &self.parts
    }
}

impl<'a> Snapshot<'a> {
    /// The moment with another view of identifiers and timelines.
    pub(crate) fn with_memory(mut self, memory: MemoryView<'a>) -> Snapshot<'a> {
        self.parts.memory = memory;
        self
    }

    /// The moment with another partition.
    pub(crate) fn with_partition(mut self, partition: PartitionView<'a>) -> Snapshot<'a> {
        self.parts.people.partition = partition;
        self
    }

    /// The moment without probable links as evidence; its partition stays.
    pub(crate) fn without_probable(mut self) -> Snapshot<'a> {
        self.parts.people.probable = ProbableView::default();
        self
    }

    /// The id of a node for the outside: a keyed hash that reveals nothing and resolves for ever.
    pub(crate) fn node_hash(&self, node: u32) -> String {
        hex(&self.id_of(node).to_be_bytes())
    }

    pub(in crate::engine) fn id_of(&self, node: u32) -> ProfileId {
        let (identifier_type, value) = self.memory.node(node);
        let mut hasher = blake3::Hasher::new_keyed(self.salt);
        hasher.update(identifier_type.as_bytes());
        hasher.update(&[0]);
        hasher.update(value.as_bytes());
        ProfileId::from_be_bytes(hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default())
    }

    /// The first of the nodes of a person: the one named earliest, then by priority, then by value.
    pub(crate) fn first_node(&self, nodes: &[u32]) -> u32 {
        match nodes {
            [only] => *only,
            nodes => nodes.iter().copied().min_by_key(|node| self.node_order(*node)).unwrap_or(0),
        }
    }

    /// What orders people and nodes: (first named at, priority, type, value).
    pub(crate) fn node_order(&self, node: u32) -> (Timestamp, u32, &'a str, &'a str) {
        let (identifier_type, value) = self.memory.node(node);
        let first_named_at = self.memory.firsts(node).named_at();
        let priority = self.type_rule(node).priority;
        // A node that only a decision names comes last.
        (first_named_at.unwrap_or(Timestamp::MAX), priority, identifier_type, value)
    }

    pub(crate) fn type_rule(&self, node: u32) -> &'a TypeRule {
        self.people.types.rule(self.memory.node_type(node))
    }

    /// The node of a normalized or raw identifier.
    pub(crate) fn find_node(&self, identifier_type: &str, raw: &str) -> Option<u32> {
        self.memory.node_id(identifier_type, &self.normalized(identifier_type, raw)?)
    }

    /// A value as the store keeps it; `None` if it is no value of its type.
    pub(crate) fn normalized<'v>(&self, identifier_type: &str, raw: &'v str) -> Option<Cow<'v, str>> {
        let declared = declared_type(self.catalog.identity(), identifier_type);
        crate::identity::normalize(&declared, Cow::Borrowed(raw))
    }

    /// The node whose hash is this profile id.
    pub(crate) fn find_profile_id(&self, profile_id: &str) -> Option<u32> {
        let wanted = read_profile_id(profile_id)?;
        let found = self.people.profile_ids.find(wanted, self.committed_nodes, &|node| self.id_of(node));
        // What the transaction that is under way has added is in no index.
        found.or_else(|| (self.committed_nodes..self.memory.n_nodes()).find(|node| self.id_of(*node) == wanted))
    }

    /// The profiles as they stood at `at`, in no order; some may have had no message by then.
    pub(crate) fn profiles_at(&self, at: Timestamp) -> Arc<Profiles> {
        self.people.partition.profiles_at(self.memory.n_nodes(), at)
    }
}

impl Snapshot<'_> {
    /// The node of an identifier; `None` if there is none. An undeclared type that was never seen is an error.
    pub(crate) fn node_of(&self, identifier: &Identifier) -> Result<Option<u32>> {
        if identifier.is_profile_id() {
            return Ok(self.find_profile_id(&identifier.value));
        }
        self.check_type(identifier)?;
        Ok(self.find_node(&identifier.identifier_type, &identifier.value))
    }

    /// An undeclared type that was never seen is an error.
    pub(in crate::engine) fn check_type(&self, identifier: &Identifier) -> Result<()> {
        let identifier_type = &identifier.identifier_type;
        if self.catalog.identity().identifier(identifier_type).is_none()
            && self.memory.name_id(identifier_type).is_none()
        {
            let declared: Vec<&str> =
                self.catalog.identity().identifiers.iter().map(|declared| declared.name.as_str()).collect();
            return Err(Error::invalid(format!("the identifier type `{identifier_type}` is not declared"))
                .with_hint(format!("declared: {}, profile_id", declared.join(", "))));
        }
        Ok(())
    }
}

impl Snapshot<'_> {
    /// A node as callers name it: `{type: value}`.
    pub(crate) fn identifier(&self, node: u32) -> Value {
        let (identifier_type, value) = self.memory.node(node);
        Value::object([(identifier_type, Value::from(value))])
    }
}
