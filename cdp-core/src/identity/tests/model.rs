//! A naive model of the partition: it replays all evidence of a world in order, for any order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Link, NodeRules, PartitionView, declared_type};
use super::{NAMES, World};
use crate::definitions::{OnConflict, Role};
use crate::records::{LinkRule, TieOrder, Timestamp};

/// The expected state, computed from all evidence at once.
#[derive(Debug, Default)]
pub(super) struct Model {
    profile_of: BTreeMap<u32, u32>,
    refused: BTreeSet<(String, (u32, u32))>,
    joins: Vec<(Timestamp, u32, u32)>,
    live: BTreeSet<(u32, u32)>,
    component_of: BTreeMap<u32, u32>,
}

type Key = (Timestamp, TieOrder);

impl Model {
    pub(super) fn of(world: &World) -> Model {
        let mut model = Model::default();
        let key = |link: &Link| -> Key { (link.occurred_at, world.tie_order(link.sequence).unwrap()) };
        let mut links = world.all_links();
        links.retain(|link| !world.decisions.is_cut(link.pair()));
        links.extend(world.decisions.links());
        links.sort_by_key(|link| (key(link), world.rank(link.other)));
        // Limits of one value: the k earliest neighbours of each class.
        let mut hubs: BTreeMap<(u32, String), (u32, BTreeMap<u32, Key>)> = BTreeMap::new();
        let guard = |value: u32, neighbour: u32| {
            let guards = world.declared(value).max_links_from;
            let neighbour_type = world.declared(neighbour).name;
            let named = guards.iter().find(|(name, _)| *name == neighbour_type);
            named.or_else(|| guards.iter().find(|(name, _)| name == "*")).cloned()
        };
        for link in links.iter().filter(|link| link.rule == LinkRule::SameMessage) {
            for (value, neighbour) in [(link.node, link.other), (link.other, link.node)] {
                if let Some((class, n)) = guard(value, neighbour) {
                    let hub = hubs.entry((value, class)).or_insert((n, BTreeMap::new()));
                    hub.1.entry(neighbour).or_insert_with(|| key(link));
                }
            }
        }
        let kept_out: BTreeSet<(u32, u32)> = hubs
            .iter()
            .flat_map(|((value, _), (n, neighbours))| {
                let mut in_order: Vec<u32> = neighbours.keys().copied().collect();
                in_order.sort_by_key(|neighbour| (neighbours[neighbour].clone(), world.rank(*neighbour)));
                in_order.into_iter().skip(*n as usize).map(|neighbour| (*value, neighbour)).collect::<Vec<_>>()
            })
            .collect();
        for (value, neighbour) in &kept_out {
            let reason = format!("link_limit_exceeded:{}", world.declared(*value).name);
            model.refused.insert((reason, (*value.min(neighbour), *value.max(neighbour))));
        }
        let passes = |link: &Link| {
            link.rule != LinkRule::SameMessage
                || !(kept_out.contains(&(link.node, link.other)) || kept_out.contains(&(link.other, link.node)))
        };
        links.retain(passes);
        // Limits of a profile, in order. Components are disjoint, so all links can be replayed together.
        let mut first_live_at: BTreeMap<u32, Timestamp> = BTreeMap::new();
        for link in &links {
            let (left, right) = (of(&model.component_of, link.node), of(&model.component_of, link.other));
            unite(&mut model.component_of, left, right, [link.node, link.other]);
            let (left, right) = (of(&model.profile_of, link.node), of(&model.profile_of, link.other));
            if left != right {
                if let Some(reason) = model.refusal(world, link, &first_live_at) {
                    model.refused.insert((reason, link.pair()));
                    continue;
                }
                model.joins.push((link.occurred_at, link.node, link.other));
                unite(&mut model.profile_of, left, right, [link.node, link.other]);
            }
            model.live.insert(link.pair());
            for node in [link.node, link.other] {
                first_live_at.entry(node).or_insert(link.occurred_at);
            }
        }
        model
    }

    fn members(&self, node: u32) -> Vec<u32> {
        let label = of(&self.profile_of, node);
        let mut members: BTreeSet<u32> =
            self.profile_of.iter().filter(|(_, of)| **of == label).map(|(node, _)| *node).collect();
        members.insert(node);
        members.into_iter().collect()
    }

    fn refusal(&self, world: &World, link: &Link, first_live_at: &BTreeMap<u32, Timestamp>) -> Option<String> {
        let [left, right] = [link.node, link.other].map(|node| self.members(node));
        let is_apart = |node: &u32| world.decisions.separated_from(*node).iter().any(|other| right.contains(other));
        if left.iter().any(is_apart) {
            return Some("separated".to_owned());
        }
        if link.rule == LinkRule::Operator {
            return None;
        }
        if link.rule == LinkRule::Alias {
            let key = |place: usize| (world.log[place].occurred_at, world.log[place].id.clone());
            let this = key(link.sequence as usize - 1);
            let is_identified = |node: u32| {
                let names = |place: &usize| world.log[*place].identifies && world.log[*place].nodes.contains(&node);
                world.declared(node).role == Role::Person
                    && (0..world.log.len()).filter(names).map(key).any(|found| found <= this)
            };
            let refused = is_identified(link.node) && is_identified(link.other);
            return refused.then(|| "merge_refused_identified".to_owned());
        }
        let refusing = [link.node, link.other].map(|node| world.declared(node));
        let refusing = refusing.iter().filter(|declared| declared.on_conflict == OnConflict::Refuse);
        let has_person = |nodes: &[u32]| nodes.iter().any(|node| world.declared(*node).role == Role::Person);
        if let Some(name) = refusing.map(|declared| &declared.name).min()
            && has_person(&left)
            && has_person(&right)
        {
            return Some(format!("conflict_refused:{name}"));
        }
        if world.definition.max_identifiers.is_some_and(|most| left.len() + right.len() > most as usize) {
            return Some("profile_size_exceeded".to_owned());
        }
        let mut reasons = BTreeMap::new();
        for name in NAMES {
            let declared = declared_type(&world.definition, name);
            let Some(limit) = declared.limit else { continue };
            let count = |node: u32| {
                let counts = |node: &&u32| {
                    let first = first_live_at.get(node).copied().unwrap_or(link.occurred_at);
                    world.declared(**node).name == name
                        && limit.window.is_none_or(|window| link.occurred_at.since(first) < window.millis())
                };
                self.members(node).iter().filter(counts).count() as u32
            };
            let (left, right) = (count(link.node), count(link.other));
            if left > 0 && right > 0 && left + right > limit.n {
                let kind = if limit.window.is_some() { "window_limit_exceeded" } else { "limit_exceeded" };
                reasons.insert(name, format!("{kind}:{name}"));
            }
        }
        reasons.into_values().next()
    }

    fn members_at(&self, node: u32, at: Timestamp) -> Vec<u32> {
        let mut profile_of = BTreeMap::new();
        for (_, left, right) in self.joins.iter().filter(|(joined_at, ..)| *joined_at <= at) {
            let labels = (of(&profile_of, *left), of(&profile_of, *right));
            unite(&mut profile_of, labels.0, labels.1, [*left, *right]);
        }
        Model { profile_of, ..Model::default() }.members(node)
    }

    pub(super) fn check(&self, world: &World, view: PartitionView<'_>) {
        let merged = world.decisions.links().flat_map(|link| [link.node, link.other]);
        let named = world.log.iter().flat_map(|message| message.nodes.iter().copied());
        let n_nodes = named.chain(merged).max().map_or(1, |node| node + 2);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (reason, _) in &self.refused {
            *counts.entry(reason.clone()).or_default() += 1;
        }
        if view.overlay.is_none() {
            assert_eq!(view.refused(world), counts);
        }
        let mut seen = Vec::new();
        for (members, stands) in view.profiles(n_nodes, Timestamp::from_millis(5)) {
            assert!(members.contains(&view.profile_of(members[0])));
            assert_eq!(stands, view.stands_since(members[0], Timestamp::from_millis(5)));
            seen.extend(members.iter().copied());
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..n_nodes).collect::<Vec<u32>>(), "every node stands in one profile");
        // From the last instant backwards, then forward again over the cached profiles.
        for at in (-1..14).rev().chain(-1..14).map(Timestamp::from_millis) {
            let profiles = view.profiles_at(n_nodes, at);
            let number_of = profiles.number_of();
            let mut n_nodes_of_all = 0;
            for (number, nodes) in (0u32..).zip(profiles.iter()) {
                assert_eq!(nodes, self.members_at(nodes[0], at), "at {at}");
                assert!(nodes.iter().all(|node| number_of[*node as usize] == number));
                n_nodes_of_all += nodes.len();
            }
            assert_eq!((n_nodes_of_all, profiles.iter().count()), (n_nodes as usize, profiles.len()), "at {at}");
        }
        for node in 0..n_nodes {
            let members = self.members(node);
            assert_eq!(view.nodes_of(node), members, "node {node}");
            for at in -1..14 {
                let at = Timestamp::from_millis(at);
                assert_eq!(view.nodes_of_at(node, at), self.members_at(node, at), "node {node} at {at}");
            }
            let component = of(&self.component_of, node);
            let around = self.joins.iter().filter(|(_, left, _)| of(&self.component_of, *left) == component);
            let from = Timestamp::from_millis(3);
            let to = Timestamp::from_millis(9);
            let joins = around.map(|(at, ..)| *at).filter(|at| *at > from && *at <= to).collect();
            assert_eq!(view.joins_around(node, from, to), joins, "node {node}");
            let live: BTreeSet<(u32, u32)> =
                view.live_links_around(node, world).unwrap().iter().map(Link::pair).collect();
            let expected = self.live.iter().filter(|(left, _)| of(&self.component_of, *left) == component);
            assert_eq!(live, expected.copied().collect(), "node {node}");
            for other in members.into_iter().filter(|other| *other != node) {
                let instants = (-1..30).map(Timestamp::from_millis);
                let joined = instants.into_iter().find(|at| self.members_at(node, *at).contains(&other));
                assert_eq!(view.joined_at(node, other), joined, "nodes {node} and {other}");
            }
        }
    }
}

fn of(labels: &BTreeMap<u32, u32>, node: u32) -> u32 {
    labels.get(&node).copied().unwrap_or(node)
}

fn unite(labels: &mut BTreeMap<u32, u32>, left: u32, right: u32, nodes: [u32; 2]) {
    for node in nodes {
        labels.entry(node).or_insert(node);
    }
    for label in labels.values_mut() {
        if *label == right {
            *label = left;
        }
    }
}
