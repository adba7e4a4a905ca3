//! The partition against a naive model that replays all evidence in order, for any order of arrival.

mod model;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use proptest::prelude::*;

use self::model::Model;
use super::{Decisions, Joined, Link, NodeRules, Partition, PartitionChanges, TypeRules};
use crate::definitions::{IdentifierType, IdentityDefinition, Limit, OnConflict, Role};
use crate::error::Result;
use crate::records::{Decision, DecisionType, Duration, LinkRule, TieOrder, Timestamp};

const NAMES: [&str; 4] = ["user_id", "email", "anonymous_id", "loyalty_card"];

fn type_number(name: &str) -> Option<u32> {
    NAMES.iter().position(|known| *known == name).map(|place| place as u32 + 1)
}

fn limit(n: u32) -> Option<Limit> {
    Some(Limit { n, window: None })
}

fn identifier(name: &str, role: Role, priority: u32, limit: Option<Limit>, hubs: &[(&str, u32)]) -> IdentifierType {
    let mut identifier = IdentifierType::external(name);
    (identifier.role, identifier.priority, identifier.limit) = (role, priority, limit);
    identifier.max_links_from = hubs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
    identifier
}

/// Definitions from the strict to the lax; no definition declares `loyalty_card`.
fn definition(variant: usize) -> IdentityDefinition {
    let window = |n| Some(Limit { n, window: Duration::parse("4ms") });
    let identifiers = match variant {
        0 => vec![
            identifier("user_id", Role::Person, 1, limit(1), &[]),
            identifier("email", Role::Contact, 2, limit(2), &[("*", 2)]),
            identifier("anonymous_id", Role::Device, 9, window(1), &[("user_id", 2), ("*", 3)]),
        ],
        1 => vec![
            identifier("user_id", Role::Person, 1, limit(1), &[]),
            identifier("email", Role::Contact, 2, None, &[]),
            identifier("anonymous_id", Role::Device, 9, window(2), &[]),
        ],
        2 => vec![
            identifier("user_id", Role::Person, 1, window(1), &[("anonymous_id", 1)]),
            identifier("email", Role::Contact, 2, limit(1), &[("user_id", 1)]),
            identifier("anonymous_id", Role::Device, 9, None, &[("*", 4)]),
        ],
        3 => vec![
            identifier("user_id", Role::Person, 1, limit(2), &[("email", 2)]),
            identifier("email", Role::Contact, 2, window(1), &[("user_id", 1)]),
            identifier("anonymous_id", Role::Device, 9, window(1), &[("user_id", 1), ("*", 1)]),
        ],
        4 => vec![
            identifier("user_id", Role::Person, 1, None, &[]),
            identifier("email", Role::Contact, 2, limit(2), &[("*", 2)]),
            IdentifierType {
                on_conflict: OnConflict::Refuse,
                ..identifier("anonymous_id", Role::Device, 9, window(30), &[("user_id", 0), ("*", 3)])
            },
        ],
        _ => vec![
            identifier("user_id", Role::Person, 1, limit(3), &[]),
            identifier("email", Role::Contact, 2, limit(40), &[("*", 20)]),
            identifier("anonymous_id", Role::Device, 9, window(30), &[]),
        ],
    };
    let max_identifiers = (variant == 2).then_some(4);
    IdentityDefinition { name: "default".to_owned(), identifiers, max_identifiers, traits: Vec::new(), linkage: None }
}

#[derive(Clone, Debug)]
struct TestMessage {
    id: String,
    // the first is the message's node
    nodes: Vec<u32>,
    // the node that an alias declares
    alias: Option<u32>,
    occurred_at: Timestamp,
    identifies: bool,
}

/// Nodes and the log: message n has sequence n + 1. Node n is of type n modulo 4.
struct World {
    definition: IdentityDefinition,
    types: TypeRules,
    log: Vec<TestMessage>,
    committed: usize,
    decisions: Decisions,
    n_decisions: u64,
}

impl World {
    fn new(definition: IdentityDefinition) -> World {
        let types = TypeRules::new(&definition, type_number);
        World { definition, types, log: Vec::new(), committed: 0, decisions: Decisions::default(), n_decisions: 0 }
    }

    fn declared(&self, node: u32) -> IdentifierType {
        super::declared_type(&self.definition, NAMES[node as usize % 4])
    }

    fn rank(&self, node: u32) -> (u32, String, String) {
        let declared = self.declared(node);
        // Another order than that of the numbers.
        (declared.priority, declared.name, format!("{:03}", 999 - node))
    }

    fn links(&self, place: usize) -> Vec<Link> {
        let message = &self.log[place];
        let node = message.nodes[0];
        let others = message.nodes[1..].iter();
        let link = |other: &u32| Link {
            node,
            other: *other,
            occurred_at: message.occurred_at,
            sequence: place as u64 + 1,
            rule: if message.alias == Some(*other) { LinkRule::Alias } else { LinkRule::SameMessage },
        };
        others.map(link).collect()
    }

    fn all_links(&self) -> Vec<Link> {
        (0..self.log.len()).flat_map(|place| self.links(place)).collect()
    }

    fn first_identified_among(&self, node: u32, log: &[TestMessage]) -> Option<Timestamp> {
        let naming = log.iter().filter(|message| message.identifies && message.nodes.contains(&node));
        naming.map(|message| message.occurred_at).min()
    }

    fn reidentified(&self) -> BTreeSet<u32> {
        let (before, added) = self.log.split_at(self.committed);
        let nodes: BTreeSet<u32> = added.iter().flat_map(|message| message.nodes.iter().copied()).collect();
        let is_new = |node: &u32| {
            let known = self.first_identified_among(*node, before);
            self.first_identified_among(*node, added).is_some_and(|at| known.is_none_or(|known| at <= known))
        };
        nodes.into_iter().filter(is_new).collect()
    }

    /// Applies a decision as a transaction of its own.
    fn decide(&mut self, partition: &mut Partition, kind: DecisionType, node: u32, other: u32, at: i64) {
        self.n_decisions += 1;
        let occurred_at = Timestamp::from_millis(at);
        self.decisions.take(Decision { number: self.n_decisions, kind, node, other, occurred_at });
        let mut overlay = partition.changes();
        overlay.decide(partition, &[(node, other)], self).unwrap();
        Model::of(self).check(self, overlay.view(partition));
        partition.fold(overlay);
        Model::of(self).check(self, partition.view());
    }

    /// Appends messages, applies them, and commits if `commits`.
    fn transact(&mut self, partition: &mut Partition, messages: &[TestMessage], commits: bool) {
        self.log.extend_from_slice(messages);
        let links: Vec<Link> = (self.committed..self.log.len()).flat_map(|place| self.links(place)).collect();
        let mut overlay = partition.changes();
        overlay.add(partition, &links, &self.reidentified(), self).unwrap();
        if commits {
            Model::of(self).check(self, overlay.view(partition));
            partition.fold(overlay);
            self.committed = self.log.len();
        } else {
            self.log.truncate(self.committed);
        }
        Model::of(self).check(self, partition.view());
    }
}

impl NodeRules for World {
    fn type_of(&self, node: u32) -> u32 {
        node % 4 + 1
    }

    fn types(&self) -> &TypeRules {
        &self.types
    }

    fn type_name(&self, type_number: u32) -> &str {
        NAMES[type_number as usize - 1]
    }

    fn tie_order(&self, sequence: u64) -> Result<TieOrder> {
        if let Some(number) = super::decision_number(sequence) {
            return Ok(TieOrder::behind_messages(format!("{number:03}")));
        }
        Ok(TieOrder::message(0, &self.log[sequence as usize - 1].id, ""))
    }

    fn compare_ranks(&self, left: u32, right: u32) -> Ordering {
        self.rank(left).cmp(&self.rank(right))
    }

    fn first_sequence(&self, node: u32) -> Option<u64> {
        self.log.iter().position(|message| message.nodes[0] == node).map(|place| place as u64 + 1)
    }

    fn committed_sequence(&self) -> u64 {
        self.committed as u64
    }

    fn first_identified(&self, node: u32) -> Result<Option<(Timestamp, Vec<u64>)>> {
        let Some(at) = self.first_identified_among(node, &self.log) else { return Ok(None) };
        let is_first =
            |message: &TestMessage| message.identifies && message.occurred_at == at && message.nodes.contains(&node);
        let places = self.log.iter().enumerate().filter(|(_, message)| is_first(message));
        Ok(Some((at, places.map(|(place, _)| place as u64 + 1).collect())))
    }

    fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    fn evidence(&self, nodes: &[u32]) -> Result<Vec<Link>> {
        let counts = |link: &Link| nodes.contains(&link.node) && !self.decisions.is_cut(link.pair());
        let links = self.all_links().into_iter().filter(counts);
        Ok(links.chain(self.decisions.links_of(nodes)).collect())
    }
}

fn message(world: &World, id: &str, nodes: &[u32], alias: bool, at: i64, identifies: bool) -> TestMessage {
    let mut nodes: Vec<u32> = nodes.iter().copied().collect::<BTreeSet<u32>>().into_iter().collect();
    nodes.sort_by_key(|node| world.rank(*node));
    let alias = nodes.last().copied().filter(|_| alias && nodes.len() > 1);
    TestMessage { id: id.to_owned(), nodes, alias, occurred_at: Timestamp::from_millis(at), identifies }
}

/// Messages over a few nodes, so that pairs repeat and times tie: (id, nodes, alias, event time, identifies).
type RawMessage = (u32, Vec<u32>, bool, i64, bool);

fn raw_messages(n: usize) -> impl Strategy<Value = Vec<RawMessage>> {
    let nodes = prop::collection::vec(0u32..1000, 1..4);
    let one = (any::<u32>(), nodes, prop::bool::weighted(0.1), 0i64..12, any::<bool>());
    prop::collection::vec(one, 1..n)
}

/// A decision: kind, two nodes, instant.
type RawDecision = (u32, u32, u32, i64);

fn raw_decisions() -> impl Strategy<Value = Vec<RawDecision>> {
    prop::collection::vec((0u32..3, 0u32..1000, 0u32..1000, 0i64..12), 0..12)
}

fn check_history(
    variant: usize,
    (n_nodes, n_instants): (u32, i64),
    raw: &[RawMessage],
    decisions: &[RawDecision],
    cuts: &[usize],
    in_time: bool,
) {
    let mut world = World::new(definition(variant));
    let mut messages: Vec<TestMessage> = raw
        .iter()
        .enumerate()
        .map(|(place, (id, nodes, alias, at, identifies))| {
            let nodes: Vec<u32> = nodes.iter().map(|node| node % n_nodes).collect();
            message(&world, &format!("{:02}{place}", id % 50), &nodes, *alias, at % n_instants, *identifies)
        })
        .collect();
    if in_time {
        // Mostly in the order of event time, like live data: links apply at once.
        messages.sort_by_key(|message| message.occurred_at);
    }
    let mut partition = Partition::default();
    let mut rest = messages.as_slice();
    let mut decisions = decisions.iter();
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        for (kind, node, other, at) in decisions.by_ref().take(cut % 3) {
            let kind = [DecisionType::Merge, DecisionType::Unlink, DecisionType::Separate][*kind as usize];
            let (node, other) = (node % n_nodes, other % n_nodes);
            if node != other {
                world.decide(&mut partition, kind, node, other, at % n_instants);
            }
        }
        let (batch, later) = rest.split_at(1 + cut % 7 % rest.len());
        if cut % 5 == 0 {
            world.transact(&mut partition, batch, false);
        }
        world.transact(&mut partition, batch, true);
        rest = later;
    }
    let mut whole = World::new(definition(variant));
    whole.decisions = world.decisions.clone();
    let mut partition = Partition::default();
    let mut overlay = partition.changes();
    overlay.add(&partition, &whole.decisions.links().collect::<Vec<Link>>(), &BTreeSet::new(), &whole).unwrap();
    partition.fold(overlay);
    whole.transact(&mut partition, &messages, true);
    // As an open computes the partition of a prefix, followed by the other messages.
    for n_before in [messages.len(), messages.len() / 2] {
        let (before, later) = messages.split_at(n_before);
        whole.log = before.to_vec();
        whole.committed = n_before;
        let links: Vec<Link> = whole.all_links().into_iter().chain(whole.decisions.links()).collect();
        let identified = before.iter().filter(|message| message.identifies);
        let identified: BTreeSet<u32> = identified.flat_map(|message| message.nodes.iter().copied()).collect();
        let mut partition = Partition::default();
        partition.fold(PartitionChanges::of_all(&links, Joined::of(&links), &identified, &whole).unwrap());
        Model::of(&whole).check(&whole, partition.view());
        whole.transact(&mut partition, later, true);
    }
}

#[test]
fn repeats_at_one_instant_count_by_the_least_message_id_at_a_conflict() {
    // The pair (4, 1) is linked twice, the second time with the lesser id: so two people meet where the device links
    // the card.
    let messages: [RawMessage; 4] = [
        (38, vec![1, 4], false, 0, false),
        (0, vec![4, 1], false, 0, false),
        (0, vec![2, 1], false, 0, false),
        (0, vec![2, 3], false, 0, false),
    ];
    check_history(4, (9, 3), &messages, &[], &[0], false);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_of_arrival_equals_a_naive_replay(
        variant in 0usize..6,
        size in (4u32..13, 2i64..13),
        raw in raw_messages(40),
        decisions in raw_decisions(),
        cuts in prop::collection::vec(0usize..100, 1..6),
        in_time in any::<bool>(),
    ) {
        check_history(variant, size, &raw, &decisions, &cuts, in_time);
    }
}

proptest! {
    // Components with more links than are searched one by one.
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn large_components_equal_a_naive_replay(
        variant in 0usize..6,
        raw in raw_messages(90),
        decisions in raw_decisions(),
        cuts in prop::collection::vec(3usize..100, 1..4),
        in_time in any::<bool>(),
    ) {
        check_history(variant, (40, 12), &raw, &decisions, &cuts, in_time);
    }
}

// Three nodes of each type: the number modulo 4 is the type.
const USER: [u32; 3] = [0, 4, 8];
const EMAIL: [u32; 3] = [1, 5, 9];
const DEVICE: [u32; 5] = [2, 6, 10, 14, 18];

#[test]
fn a_repeat_that_was_not_kept_counts_when_a_late_fact_refuses_the_first() {
    // At most two devices within 4 ms.
    let mut world = World::new(definition(1));
    let mut partition = Partition::default();
    let first = [
        message(&world, "a", &[USER[0], DEVICE[0]], false, 5, false),
        message(&world, "b", &[USER[0], DEVICE[1]], false, 6, false),
        // The repeat lies outside the window of the others.
        message(&world, "c", &[USER[0], DEVICE[1]], false, 20, false),
    ];
    world.transact(&mut partition, &first, true);
    assert_eq!(partition.view().nodes_of(USER[0]), [USER[0], DEVICE[0], DEVICE[1]]);
    assert_eq!(kept_links(&partition), 2);
    assert_eq!(partition.view().joined_at(USER[0], DEVICE[1]), Some(Timestamp::from_millis(6)));
    let late = [message(&world, "d", &[USER[0], DEVICE[2]], false, 4, false)];
    world.transact(&mut partition, &late, true);
    // At 6 there were two devices already; at 20 they are outside the window.
    assert_eq!(partition.view().nodes_of(USER[0]), [USER[0], DEVICE[0], DEVICE[1], DEVICE[2]]);
    assert_eq!(partition.view().joined_at(USER[0], DEVICE[1]), Some(Timestamp::from_millis(20)));
    assert_eq!(partition.view().refused(&world).values().sum::<u64>(), 1);
}

fn kept_links(partition: &Partition) -> usize {
    partition.components.iter().map(|component| component.links().len()).sum()
}

#[test]
fn of_repeats_at_one_instant_the_least_message_id_stands_before_a_hub_guard() {
    // One user at an email.
    let mut world = World::new(definition(2));
    let mut partition = Partition::default();
    let tied = [
        message(&world, "m9", &[USER[0], EMAIL[0]], false, 5, false),
        message(&world, "m1", &[USER[0], EMAIL[0]], false, 5, false),
        message(&world, "m5", &[USER[1], EMAIL[0]], false, 5, false),
    ];
    world.transact(&mut partition, &tied, true);
    assert_eq!(partition.view().nodes_of(EMAIL[0]), [USER[0], EMAIL[0]]);
    // The hub exists now, and yet another link at the same instant comes before.
    let before = [message(&world, "m0", &[USER[1], EMAIL[0]], false, 5, false)];
    world.transact(&mut partition, &before, true);
    assert_eq!(partition.view().nodes_of(EMAIL[0]), [EMAIL[0], USER[1]]);
    let back = [message(&world, "l9", &[USER[0], EMAIL[0]], false, 5, false)];
    world.transact(&mut partition, &back, true);
    assert_eq!(partition.view().nodes_of(EMAIL[0]), [USER[0], EMAIL[0]]);
}

#[test]
fn a_repeat_at_the_instant_of_an_alias_may_come_before_it() {
    let mut world = World::new(definition(1));
    let mut partition = Partition::default();
    let alias = [
        message(&world, "m5", &[USER[0], USER[1]], true, 5, false),
        message(&world, "m9", &[USER[0], USER[1]], false, 5, false),
    ];
    world.transact(&mut partition, &alias, true);
    assert!(partition.view().refused(&world).is_empty());
    let before = [message(&world, "m1", &[USER[0], USER[1]], false, 5, false)];
    world.transact(&mut partition, &before, true);
    let late = [message(&world, "late", &[USER[0], EMAIL[0]], false, 0, false)];
    world.transact(&mut partition, &late, true);
    assert_eq!(partition.view().refused(&world).values().sum::<u64>(), 1);
}

#[test]
fn a_link_past_a_hub_guard_restores_its_parked_repeats() {
    // One device within 4 ms, one user at a device.
    let mut world = World::new(definition(3));
    let mut partition = Partition::default();
    let mut take = |id: &str, user: u32, device: u32, at: i64| {
        let messages = [message(&world, id, &[user, device], false, at, false)];
        world.transact(&mut partition, &messages, true);
        partition.view().nodes_of(user)
    };
    take("a", USER[0], DEVICE[0], 5);
    assert_eq!(take("b", USER[1], DEVICE[0], 8), [USER[1]], "kept out");
    take("c", USER[1], DEVICE[1], 0);
    assert_eq!(take("d", USER[1], DEVICE[2], 2), [USER[1], DEVICE[1]], "refused");
    // A late link: from now on all evidence of this component is in RAM.
    take("e", USER[1], DEVICE[2], 1);
    // It passes the guard, but is refused at 3; the parked repeat passes at 8.
    assert_eq!(take("f", USER[1], DEVICE[0], 3), [DEVICE[0], USER[1], DEVICE[1]]);
}

#[test]
fn a_repeat_changes_nothing_in_ram() {
    let mut world = World::new(definition(1));
    let mut partition = Partition::default();
    let first = [message(&world, "a", &[USER[0], EMAIL[0], DEVICE[0]], false, 0, true)];
    world.transact(&mut partition, &first, true);
    let repeat = message(&world, "b", &[USER[0], EMAIL[0], DEVICE[0]], false, 1, true);
    world.log.push(repeat);
    let mut overlay = partition.changes();
    overlay.add(&partition, &world.links(1), &BTreeSet::new(), &world).unwrap();
    assert!(overlay.components.is_empty() && overlay.component_of.is_empty() && overlay.changed().is_empty());
}

#[test]
fn freed_numbers_of_components_are_used_again() {
    let mut world = World::new(definition(5));
    let mut partition = Partition::default();
    let pairs = [
        message(&world, "a", &[USER[0], EMAIL[0]], false, 0, false),
        message(&world, "b", &[USER[1], EMAIL[1]], false, 1, false),
    ];
    world.transact(&mut partition, &pairs, true);
    let merge = [message(&world, "c", &[EMAIL[0], EMAIL[1]], false, 2, false)];
    world.transact(&mut partition, &merge, true);
    assert_eq!((partition.components.len(), partition.free.len()), (2, 1));
    let another = [message(&world, "d", &[USER[2], EMAIL[2]], false, 3, false)];
    world.transact(&mut partition, &another, true);
    assert_eq!((partition.components.len(), partition.free.len()), (2, 0));
}

#[test]
fn many_repeats_next_to_a_refused_link_are_left_to_the_store() {
    let mut world = World::new(definition(1));
    let mut partition = Partition::default();
    let mut messages = vec![
        message(&world, "a", &[USER[0], EMAIL[0]], false, 1, false),
        message(&world, "b", &[USER[1], EMAIL[0]], false, 2, false),
    ];
    messages.extend((0..1100).map(|n| message(&world, &format!("c{n}"), &[USER[0], EMAIL[0]], false, 9, false)));
    world.transact(&mut partition, &messages, true);
    let late = [message(&world, "late", &[USER[1], EMAIL[0]], false, 0, false)];
    world.transact(&mut partition, &late, true);
    assert_eq!(partition.view().nodes_of(EMAIL[0]), [EMAIL[0], USER[1]]);
    assert_eq!(kept_links(&partition), 2);
}

#[test]
fn merges_are_profiles_that_existed_before_and_were_joined() {
    let mut world = World::new(definition(5));
    let mut partition = Partition::default();
    let merges_of = |world: &mut World, partition: &mut Partition, messages: &[TestMessage]| {
        world.log.extend_from_slice(messages);
        let links: Vec<Link> = (world.committed..world.log.len()).flat_map(|place| world.links(place)).collect();
        let mut overlay = partition.changes();
        overlay.add(partition, &links, &BTreeSet::new(), world).unwrap();
        let merges = overlay.merges();
        partition.fold(overlay);
        world.committed = world.log.len();
        merges
    };
    let attach = [message(&world, "a", &[USER[0], EMAIL[0]], false, 1, false)];
    assert_eq!(merges_of(&mut world, &mut partition, &attach), 0);
    let apart = [
        message(&world, "b", &[DEVICE[0]], false, 2, false),
        message(&world, "c", &[USER[1], DEVICE[1]], false, 3, false),
    ];
    assert_eq!(merges_of(&mut world, &mut partition, &apart), 0);
    let joining = [
        message(&world, "d", &[USER[0], DEVICE[0]], false, 4, false),
        message(&world, "e", &[USER[0], USER[1]], false, 5, false),
    ];
    assert_eq!(merges_of(&mut world, &mut partition, &joining), 2);
    // Late, so by a replay.
    let late = [
        message(&world, "f", &[USER[2]], false, 6, false),
        message(&world, "g", &[USER[2], EMAIL[0]], false, 0, false),
    ];
    assert_eq!(merges_of(&mut world, &mut partition, &late), 0);
}
