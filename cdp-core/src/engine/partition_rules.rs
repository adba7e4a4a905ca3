//! What the partition asks of a moment: the types of nodes, the order of evidence, and the links that messages, operators
//! and models give.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::engine::evidence::link_of;
use crate::engine::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::identity::{Decisions, Link, NodeRules, TypeRules, decision_number, probable_number};
use crate::records::{StoredLink, TieOrder, Timestamp};
use crate::store::Gathered;

/// The number of consecutive messages that take as long to read as one look-up, about.
const MESSAGES_PER_LOOK_UP: u64 = 8;

impl NodeRules for Snapshot<'_> {
    fn type_of(&self, node: u32) -> u32 {
        self.memory.node_type(node)
    }

    fn types(&self) -> &TypeRules {
        self.people.types
    }

    fn type_name(&self, type_number: u32) -> &str {
        self.memory.name(type_number)
    }

    fn tie_order(&self, sequence: u64) -> Result<TieOrder> {
        // A decision comes after every message of its instant.
        if let Some(number) = decision_number(sequence) {
            return Ok(TieOrder::behind_messages(format!("\u{10ffff}{number:020}")));
        }
        if let Some(number) = probable_number(sequence) {
            return Ok(TieOrder::behind_messages(self.probable_order(number)));
        }
        let found = self.facts.message_order(sequence)?;
        found
            .map(|(source, message_id, ordinal)| TieOrder::message(ordinal, &message_id, self.memory.name(source)))
            .ok_or_else(|| Error::internal("a sequence of the timeline is not in the log"))
    }

    fn first_sequence(&self, node: u32) -> Option<u64> {
        self.memory.firsts(node).sequence()
    }

    fn committed_sequence(&self) -> u64 {
        self.committed_sequence
    }

    fn first_identified(&self, node: u32) -> Result<Option<(Timestamp, Vec<u64>)>> {
        let mut gathered = Gathered::default();
        self.memory.gather(self.facts, node, &mut gathered)?;
        Ok(self.memory.annexes(&gathered)?.pop().and_then(|(_, facts)| facts.first_identified))
    }

    fn decisions(&self) -> &Decisions {
        self.people.decisions
    }

    fn compare_ranks(&self, left: u32, right: u32) -> Ordering {
        let rank = |node: u32| (self.type_rule(node).priority, self.memory.node(node));
        rank(left).cmp(&rank(right))
    }

    /// The only place that knows where the evidence of a message lies.
    fn evidence(&self, nodes: &[u32]) -> Result<Vec<Link>> {
        let mut gathered = Gathered::default();
        for node in nodes {
            self.memory.gather(self.facts, *node, &mut gathered)?;
        }
        let annexes = self.memory.annexes(&gathered)?;
        let others = annexes.iter().flat_map(|(_, facts)| facts.others.iter().map(|(_, sequence)| *sequence));
        let sequences: Vec<u64> = gathered.timeline.iter().map(|event| event.sequence).chain(others).collect();
        let n_messages = sequences.len();
        let mut evidence = Vec::new();
        if n_messages as u64 > self.memory.sequence() / MESSAGES_PER_LOOK_UP {
            let wanted: BTreeSet<u32> = nodes.iter().copied().collect();
            let mut visit = |link: StoredLink| {
                if wanted.contains(&link.node) {
                    evidence.push(link_of(&link));
                }
            };
            self.facts.visit_links(0, self.memory.sequence(), &mut visit)?;
            self.facts.visit_own_links(self.links_to, self.memory.sequence(), &mut visit)?;
        } else {
            for sequence in sequences {
                let mut visit = |link: StoredLink| evidence.push(link_of(&link));
                self.facts.visit_links(sequence.saturating_sub(1), sequence, &mut visit)?;
                if sequence > self.links_to {
                    self.facts.visit_own_links(sequence.saturating_sub(1), sequence, &mut visit)?;
                }
            }
        }
        // The table has links that stand in the columns of their messages too, and says of them by which rule they are; it was
        // read first, and equals stay in order.
        evidence.sort_by_key(|link| (link.sequence, link.other));
        evidence.dedup_by_key(|link| (link.sequence, link.other));
        evidence.extend(self.people.probable.links_of(nodes));
        evidence.retain(|link| !self.people.decisions.is_cut(link.pair()));
        evidence.extend(self.people.decisions.links_of(nodes));
        Ok(evidence)
    }
}

impl Snapshot<'_> {
    /// What orders a probable link among the evidence of its instant: after every message, before every decision, by
    /// its identifiers whatever their numbers.
    fn probable_order(&self, number: u64) -> String {
        let Some(link) = self.people.probable.get(number) else { return format!("\u{10fffe}{number:020}") };
        let mut ends = [self.memory.node(link.node), self.memory.node(link.other)];
        ends.sort_unstable();
        let [(left_type, left), (right_type, right)] = ends;
        format!("\u{10fffe}{left_type}\0{left}\0{right_type}\0{right}")
    }
}
