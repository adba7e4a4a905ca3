//! Reads the partition: the profile of a node now or at a past instant, and the refused links.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::component::{Component, Members, Repeat};
use super::forest::Forest;
use super::hub::{Hub, HubKey};
use super::labels::{Labels, Verdict};
use super::limits::{Reason, may_conflict};
use super::links::{Link, pair};
use super::node_rules::{NodeRules, sort_links};
use super::partition::{NO_COMPONENT, PartitionView};
use super::profiles::Profiles;
use crate::error::Result;
use crate::records::{LinkRule, Timestamp};

/// The profile of a node without probable links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ButForProbable {
    /// Its nodes, by number.
    Nodes(Vec<u32>),
    /// A limit refused a link: only a replay of the evidence can decide.
    Unclear,
    /// The component has more nodes than the caller permits.
    TooMany,
}

/// One step of a path of evidence, and the reason if it does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hindrance {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) reason: Option<String>,
}

impl<'a> PartitionView<'a> {
    pub(super) fn component_id(&self, node: u32) -> Option<u32> {
        let id = match (node as usize).checked_sub(self.base.component_of.len()) {
            Some(place) => self.overlay?.component_of_new.get(place),
            None => {
                let changed = self.overlay.and_then(|overlay| overlay.component_of.get(&node));
                changed.or_else(|| self.base.component_of.get(node as usize))
            }
        };
        id.copied().filter(|id| *id != NO_COMPONENT)
    }

    pub(super) fn component(&self, id: u32) -> Option<&'a Component> {
        match (id as usize).checked_sub(self.base.components.len()) {
            Some(place) => self.overlay?.components_new.get(place),
            None => {
                let changed = self.overlay.and_then(|overlay| overlay.components.get(&id));
                changed.or_else(|| self.base.components.get(id as usize))
            }
        }
    }

    fn component_with(&self, node: u32) -> Option<&'a Component> {
        self.component(self.component_id(node)?)
    }

    pub(super) fn hub(&self, key: HubKey) -> Option<&'a Hub> {
        self.overlay.and_then(|overlay| overlay.hubs.get(&key)).or_else(|| self.base.hubs.get(&key))
    }

    pub(super) fn is_parked(&self, pair: (u32, u32)) -> bool {
        let changed = self.overlay.and_then(|overlay| overlay.parked.get(&pair)).copied();
        changed.unwrap_or_else(|| self.base.parked.contains(&pair))
    }

    /// Whether a link of evidence belongs to the component of its ends: no hub guard keeps it out.
    pub(super) fn counts(&self, link: &Link) -> bool {
        (!link.is_guarded() || !self.is_parked(link.pair()))
            && self.component_id(link.node) == self.component_id(link.other)
    }

    /// Whether a link repeats an earlier one, so that it changes nothing.
    pub(crate) fn is_said(&self, link: &Link) -> bool {
        self.repeats(link) == Repeat::Later
    }

    /// The relation of a link to the earliest one of its pair.
    pub(super) fn repeats(&self, link: &Link) -> Repeat {
        self.component_with(link.node).map_or(Repeat::No, |component| component.repeats(link))
    }

    /// The label of a node's profile: one of its nodes, stable within a transaction only.
    pub(crate) fn profile_of(&self, node: u32) -> u32 {
        self.component_with(node).map_or(node, |component| component.root(node))
    }

    /// The nodes of a node's profile, in no order.
    pub(crate) fn members(&self, node: u32) -> Members<'a> {
        match self.component_with(node).map_or(&[][..], |component| component.members(node)) {
            [] => Members::Alone(node),
            nodes => Members::Together(nodes),
        }
    }

    /// The nodes that any evidence joins with a node, in no order; empty if it is alone.
    pub(crate) fn component_nodes(&self, node: u32) -> &'a [u32] {
        self.component_with(node).map_or(&[], |component| component.nodes.as_slice())
    }

    /// The profile of a node without probable links, if its component has at most `most` nodes.
    pub(crate) fn nodes_but_for_probable(&self, node: u32, most: usize, rules: &dyn NodeRules) -> ButForProbable {
        let Some(component) = self.component_with(node) else { return ButForProbable::Nodes(vec![node]) };
        if component.nodes.len() > most {
            return ButForProbable::TooMany;
        }
        let is_probable = |rule: LinkRule| rule == LinkRule::Probable;
        if !component.links().iter().any(|link| is_probable(link.rule())) {
            return ButForProbable::Nodes(self.nodes_of(node));
        }
        // With fewer links no limit refuses a further one, and the earliest link of each pair decides which nodes are
        // joined. But a value that joins no two people may have linked two of them while they were one by the model.
        if component.has_refused() || may_conflict(&component.nodes, rules) {
            return ButForProbable::Unclear;
        }
        let mut forest = Forest::default();
        component.links().iter().filter(|link| !is_probable(link.rule())).for_each(|link| {
            forest.join(link.node, link.other);
        });
        let root = forest.root(node);
        let mut nodes: Vec<u32> = component.nodes.iter().copied().filter(|other| forest.root(*other) == root).collect();
        nodes.sort_unstable();
        ButForProbable::Nodes(nodes)
    }

    /// The nodes of a node's profile, by number.
    pub(crate) fn nodes_of(&self, node: u32) -> Vec<u32> {
        let mut nodes = self.members(node).to_vec();
        nodes.sort_unstable();
        nodes
    }

    /// Every profile of the nodes with a number below `n_nodes` once, in no order, and whether it has not changed since
    /// a past event time; a value under `latest_link_wins` has no profile.
    pub(super) fn profiles(self, n_nodes: u32, at: Timestamp) -> impl Iterator<Item = (Members<'a>, bool)> {
        let holds_nothing = self.holds_nothing();
        let is_alone = move |node: &u32| {
            self.component_id(*node).is_none() && (holds_nothing || !self.is_held_at(*node, Timestamp::MAX))
        };
        let alone = (0..n_nodes).filter(is_alone).map(|node| (Members::Alone(node), true));
        // Component by component, as they lie in memory: by node each step would jump.
        let added = self.overlay.map_or(0, |overlay| overlay.components_new.len());
        let components = (0..(self.base.components.len() + added) as u32).filter_map(move |id| self.component(id));
        alone.chain(components.flat_map(move |component| {
            let stands = component.stands_since(at);
            component.profiles().map(move |members| (members, stands))
        }))
    }

    /// Whether a node's profile has not changed since a past event time.
    pub(crate) fn stands_since(&self, node: u32, at: Timestamp) -> bool {
        self.component_with(node).is_none_or(|component| component.stands_since(at))
    }

    /// The nodes of a node's profile at a past event time, by number.
    pub(crate) fn nodes_of_at(&self, node: u32, at: Timestamp) -> Vec<u32> {
        let Some(component) = self.component_with(node) else { return vec![node] };
        if component.stands_since(at) {
            return self.nodes_of(node);
        }
        let mut forest = Forest::default();
        for join in component.joins().into_iter().take_while(|join| join.at <= at) {
            forest.join(join.left, join.right);
        }
        let root = forest.root(node);
        let mut nodes: Vec<u32> =
            component.members(node).iter().copied().filter(|member| forest.root(*member) == root).collect();
        if nodes.is_empty() {
            nodes.push(node);
        }
        nodes.sort_unstable();
        nodes
    }

    /// The instants in `(from, to]` at which profiles joined among the nodes that evidence joins with this one.
    pub(crate) fn joins_around(&self, node: u32, from: Timestamp, to: Timestamp) -> BTreeSet<Timestamp> {
        let Some(component) = self.component_with(node).filter(|component| !component.stands_since(from)) else {
            return BTreeSet::new();
        };
        component.joins().into_iter().map(|join| join.at).filter(|at| *at > from && *at <= to).collect()
    }

    /// The event time of the link that joined the profiles of two nodes; `None` if they are apart.
    pub(crate) fn joined_at(&self, left: u32, right: u32) -> Option<Timestamp> {
        let mut forest = Forest::default();
        self.component_with(left)?.joins().into_iter().find_map(|join| {
            forest.join(join.left, join.right);
            (forest.root(left) == forest.root(right)).then_some(join.at)
        })
    }

    /// The live links among the nodes that evidence joins with this one; refused links are left out, and later repeats
    /// may be.
    pub(crate) fn live_links_around(&self, node: u32, rules: &dyn NodeRules) -> Result<Vec<Link>> {
        let Some(component) = self.component_with(node) else { return Ok(Vec::new()) };
        let kept = || component.links().iter().map(|link| link.link()).collect::<Vec<Link>>();
        if !component.has_refused() {
            return Ok(kept());
        }
        let mut links = if component.is_complete() { kept() } else { rules.evidence(&component.nodes)? };
        links.retain(|link| self.counts(link));
        sort_links(&mut links, rules)?;
        let mut labels = Labels::default();
        let mut live = Vec::with_capacity(links.len());
        for link in links {
            let verdict = labels.verdict(&link, rules)?;
            labels.apply(&link, verdict, rules);
            if !matches!(verdict, Verdict::Refused(_)) {
                live.push(link);
            }
        }
        Ok(live)
    }

    /// Every pair of nodes whose evidence a limit or an operator refuses, with the reason, by nodes. Only reports read
    /// this, and they run on the committed partition.
    pub(crate) fn refused_pairs(&self, rules: &dyn NodeRules) -> Vec<((u32, u32), String)> {
        let mut refused: Vec<((u32, u32), String)> =
            self.refused_by(rules).into_iter().map(|(reason, pair)| (pair, reason.text(rules))).collect();
        refused.sort();
        refused
    }

    /// The links of all components, the earliest of each pair and rule, by sequence.
    pub(crate) fn kept_links(&self) -> Vec<Link> {
        let links = self.base.components.iter().flat_map(Component::links);
        let mut links: Vec<Link> = links.map(|link| link.link()).collect();
        links.sort_unstable_by_key(|link| (link.sequence, link.other));
        links
    }

    fn refused_by(&self, rules: &dyn NodeRules) -> Vec<(Reason, (u32, u32))> {
        let labels = self.base.components.iter().filter_map(Component::labels);
        let mut refused: Vec<(Reason, (u32, u32))> = labels.flat_map(|labels| labels.refused.iter().copied()).collect();
        refused.extend(self.base.parked.iter().flat_map(|pair| self.guards_against(*pair, rules)));
        refused.sort_unstable();
        refused.dedup();
        refused
    }

    /// The guards that keep a parked pair out.
    fn guards_against(&self, pair: (u32, u32), rules: &dyn NodeRules) -> Vec<(Reason, (u32, u32))> {
        let mut found = Vec::new();
        for (value, neighbour) in [pair, (pair.1, pair.0)] {
            let type_number = rules.type_of(value);
            let guard = rules.types().rule(type_number).hub_guard(rules.type_of(neighbour));
            let hub = guard.and_then(|(class, _)| self.hub((value, class)));
            if hub.is_some_and(|hub| !hub.is_live(neighbour)) {
                found.push((Reason::LinkLimit(type_number), pair));
            }
        }
        found
    }

    /// The number of refused links by reason; one for each pair.
    pub(crate) fn refused(&self, rules: &dyn NodeRules) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (reason, _) in self.refused_by(rules) {
            *counts.entry(reason.text(rules)).or_default() += 1;
        }
        counts
    }

    /// The values with more neighbours than their guard permits: node, live neighbours, neighbours kept out.
    pub(crate) fn hubs(&self) -> Vec<(u32, usize, usize)> {
        let mut of_value: BTreeMap<u32, Vec<&Hub>> = BTreeMap::new();
        for ((value, _), hub) in &self.base.hubs {
            of_value.entry(*value).or_default().push(hub);
        }
        let mut kept_out: BTreeMap<u32, usize> = BTreeMap::new();
        for (left, right) in &self.base.parked {
            for (value, neighbour) in [(*left, *right), (*right, *left)] {
                if of_value.get(&value).is_some_and(|hubs| !hubs.iter().any(|hub| hub.is_live(neighbour))) {
                    *kept_out.entry(value).or_default() += 1;
                }
            }
        }
        let n_live = |value: u32| of_value.get(&value).into_iter().flatten().map(|hub| hub.n_live()).sum();
        kept_out.into_iter().map(|(value, kept_out)| (value, n_live(value), kept_out)).collect()
    }

    /// The shortest path from one node to another over all evidence, including evidence that does not count.
    pub(crate) fn path_of_any_evidence(&self, from: u32, to: u32, rules: &dyn NodeRules) -> Vec<Hindrance> {
        let mut neighbours: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        let note = |neighbours: &mut BTreeMap<u32, BTreeSet<u32>>, (left, right): (u32, u32)| {
            neighbours.entry(left).or_default().insert(right);
            neighbours.entry(right).or_default().insert(left);
        };
        let not_in_components = self.base.parked.iter().copied().chain(rules.decisions().cut_pairs());
        not_in_components.for_each(|pair| note(&mut neighbours, pair));
        let mut came_from: BTreeMap<u32, u32> = BTreeMap::new();
        let mut queue = VecDeque::from([from]);
        let mut known = BTreeSet::new();
        while let Some(node) = queue.pop_front().filter(|_| !came_from.contains_key(&to)) {
            if let Some(id) = self.component_id(node)
                && known.insert(id)
            {
                let links = self.component(id).into_iter().flat_map(Component::links);
                links.for_each(|link| note(&mut neighbours, link.pair()));
            }
            for next in neighbours.get(&node).into_iter().flatten() {
                if *next != from && !came_from.contains_key(next) {
                    came_from.insert(*next, node);
                    queue.push_back(*next);
                }
            }
        }
        let mut path = Vec::new();
        let mut at = to;
        while let Some(before) = came_from.get(&at).copied().filter(|_| at != from) {
            path.push(Hindrance { from: before, to: at, reason: self.hindrance(before, at, rules) });
            at = before;
        }
        path.reverse();
        path
    }

    /// The reason why evidence between two nodes does not count; `None` if they are one profile.
    fn hindrance(&self, node: u32, other: u32, rules: &dyn NodeRules) -> Option<String> {
        if self.profile_of(node) == self.profile_of(other) {
            return None;
        }
        let pair = pair(node, other);
        if rules.decisions().is_cut(pair) {
            return Some("unlinked".to_owned());
        }
        let labels = self.component_with(node).and_then(Component::labels);
        let refused = labels.into_iter().flat_map(|labels| labels.refused.iter());
        let refused = refused.filter(|(_, of)| *of == pair).map(|(reason, _)| *reason);
        let guards = self.guards_against(pair, rules).into_iter().map(|(reason, _)| reason);
        refused.chain(guards).min().map(|reason| reason.text(rules))
    }
}

impl PartitionView<'_> {
    /// The profiles of the nodes with a number below `n_nodes` as they stood at `at`; some may have had no message by
    /// then. The cost grows with the number of nodes, unless the list is cached: a call for an earlier instant has
    /// computed it, no profile has joined since, and no commit has changed the partition.
    pub(crate) fn profiles_at(&self, n_nodes: u32, at: Timestamp) -> Arc<Profiles> {
        let standing = self.overlay.is_none_or(|overlay| overlay.is_empty()).then_some(&self.base.standing);
        if let Some(profiles) = standing.and_then(|standing| standing.find(n_nodes, at)) {
            return profiles;
        }
        let mut profiles = Profiles::empty(n_nodes);
        let mut all_stand = self.holds_nothing();
        for (members, stands) in self.profiles(n_nodes, at) {
            if stands {
                profiles.push(&members);
                continue;
            }
            all_stand = false;
            let mut rest = members.to_vec();
            // Nodes that are together today may have been several profiles at `at`.
            while let Some(node) = rest.first().copied() {
                let nodes = self.nodes_of_at(node, at);
                rest.retain(|member| nodes.binary_search(member).is_err());
                profiles.push(&nodes);
            }
        }
        for value in self.not_yet_held(at) {
            profiles.push(&[value]);
        }
        let profiles = Arc::new(profiles);
        if let Some(standing) = standing.filter(|_| all_stand) {
            standing.keep(at, &profiles);
        }
        profiles
    }
}
