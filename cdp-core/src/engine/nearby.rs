//! One person of a store whose people are not in RAM, read from the file: what a process that only reads does until it is
//! asked about everybody, or about enough single people that holding all costs less.
//!
//! It takes an identifier and leaves the nodes that any evidence joins with it, and who they are: by the flat map from a node
//! to the messages that link it, from these to their other ends, until no end is new. The partition of these alone is that of
//! everybody, for no evidence joins them with anybody else. It never decides what a link means.

use std::collections::BTreeSet;

use crate::engine::evidence::link_of;
use crate::engine::snapshot::Snapshot;
use crate::engine::state::State;
use crate::error::Result;
use crate::identity::{Link, PartitionChanges};
use crate::records::Identifier;
use crate::store::{Facts, Few};

/// Above this many identifiers or messages the read falls back to loading all profiles.
const MOST_JOINED: usize = 1000;

/// The nodes around one person, and their partition.
pub(in crate::engine) struct Nearby {
    few: Few,
    partition: PartitionChanges,
}

/// Where an identifier leads in the file.
pub(in crate::engine) enum Lookup {
    Unknown,
    Known(u32, Box<Nearby>),
    /// Only a state that holds all profiles can answer.
    Beyond,
}

impl Nearby {
    /// What a read of this person sees; of anybody else it knows nothing.
    pub(crate) fn snapshot<'a>(&'a self, facts: Facts<'a>, state: &'a State) -> Snapshot<'a> {
        let whole = state.snapshot(facts);
        let few = whole.with_memory(whole.memory.looking_up().of_few(&self.few));
        few.with_partition(whole.people.partition.with(&self.partition))
    }
}

impl State {
    /// Finds the profile of an identifier. An undeclared type that was never seen is an error.
    pub(in crate::engine) fn find_nearby(&self, facts: Facts<'_>, identifier: &Identifier) -> Result<Lookup> {
        let snapshot = self.snapshot(facts);
        if identifier.is_profile_id() {
            return Ok(Lookup::Beyond);
        }
        snapshot.check_type(identifier)?;
        let type_number = snapshot.memory.name_id(&identifier.identifier_type);
        let value = snapshot.normalized(&identifier.identifier_type, &identifier.value);
        let (Some(type_number), Some(value)) = (type_number, value) else { return Ok(Lookup::Unknown) };
        let Some(node) = snapshot.node_in_file((type_number, &value))? else { return Ok(Lookup::Unknown) };
        let Some((few, mut links)) = snapshot.joined_in_file(node)? else { return Ok(Lookup::Beyond) };
        // Decisions hold for whatever evidence comes, in the order of their instants.
        let people = &self.parts.people;
        let mut decided: Vec<Link> = people.decisions.links_of(&few.numbers()).collect();
        decided.sort_unstable_by_key(|link| (link.occurred_at, link.sequence));
        links.extend(decided);
        let mut partition = people.partition.changes();
        let rules = snapshot.with_memory(snapshot.memory.looking_up().of_few(&few));
        partition.add(&people.partition, &links, &BTreeSet::new(), &rules)?;
        Ok(Lookup::Known(node, Box::new(Nearby { few, partition })))
    }
}

impl Snapshot<'_> {
    /// The node of an identifier, by the messages that may have named it first.
    fn node_in_file(&self, (type_number, value): (u32, &str)) -> Result<Option<u32>> {
        let is_it = |node: u32| -> Result<bool> {
            let found = self.facts.node(node)?;
            Ok(found.is_some_and(|(found_type, found)| found_type == type_number && found == value))
        };
        for sequence in self.memory.messages_naming(self.facts, (type_number, value))? {
            let links = self.facts.links_after(sequence.saturating_sub(1), sequence)?;
            let linked = links.iter().flat_map(|link| [link.node, link.other]);
            for node in self.facts.message_node(sequence)?.into_iter().chain(linked) {
                if is_it(node)? {
                    return Ok(Some(node));
                }
            }
        }
        // What an operator named before any message did is in no message.
        for node in self.people.decisions.nodes().collect::<BTreeSet<u32>>() {
            if is_it(node)? {
                return Ok(Some(node));
            }
        }
        Ok(None)
    }

    /// Every node that links or decisions join with this one, live or not, and these links in the order of the log; `None` if
    /// they are too many.
    fn joined_in_file(&self, node: u32) -> Result<Option<(Few, Vec<Link>)>> {
        let (mut few, mut links) = (Few::default(), Vec::new());
        let mut rest = vec![node];
        while let Some(node) = rest.pop() {
            if few.contains(node) {
                continue;
            }
            let Some((type_number, value)) = self.facts.node(node)? else { continue };
            let naming = self.memory.messages_naming(self.facts, (type_number, &value))?;
            if few.len() >= MOST_JOINED || naming.len() > MOST_JOINED {
                return Ok(None);
            }
            for sequence in naming {
                for link in self.facts.links_after(sequence.saturating_sub(1), sequence)? {
                    if link.node == node || link.other == node {
                        rest.extend([link.node, link.other]);
                        links.push(link_of(&link));
                    }
                }
            }
            rest.extend(self.people.decisions.merged_with(node));
            few.insert(node, (type_number, value), self.memory.read_firsts(self.facts, node)?);
        }
        links.sort_unstable_by_key(|link| (link.sequence, link.other));
        links.dedup_by_key(|link| (link.sequence, link.other));
        Ok(Some((few, links)))
    }

    /// The nodes that the flat map does not lead to, and the links that it does not lead to from both ends.
    pub(crate) fn unfindable(&self) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        let naming = |node: u32| -> Result<Vec<u64>> {
            let identifier = self.facts.known_node(node)?;
            self.memory.messages_naming(self.facts, (identifier.0, &identifier.1))
        };
        for link in self.facts.links_after(0, self.memory.sequence())? {
            for node in [link.node, link.other] {
                if !naming(node)?.contains(&link.sequence) {
                    faults.push(format!(
                        "message {}: the flat map does not know that it links node {node}",
                        link.sequence
                    ));
                }
            }
        }
        for node in 0..self.memory.n_nodes() {
            let Some(identifier) = self.facts.node(node)? else { continue };
            let has_message = self.memory.firsts(node).sequence().is_some();
            if has_message && self.node_in_file((identifier.0, &identifier.1))? != Some(node) {
                faults.push(format!("node {node}: the flat map does not lead to it"));
            }
        }
        Ok(faults)
    }
}
