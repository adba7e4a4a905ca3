//! Computes the partition of all evidence at once, for an open: equal to applying the links one by one, in less time.
//!
//! Most components are simple: no limit, guard, alias or operator decision can refuse one of their links in any order.
//! A simple component is one profile, with the earliest link of each pair. The links of other components are applied in
//! order.

use std::collections::BTreeSet;

use super::chunked::Chunked;
use super::component::{Component, FEW_LINKS};
use super::limits::cannot_refuse;
use super::links::Link;
use super::node_rules::NodeRules;
use super::partition::{NO_COMPONENT, Partition, PartitionChanges};
use crate::error::Result;
use crate::records::LinkRule;

/// The components of nodes that links join, before any limit applies.
#[derive(Default)]
pub(crate) struct Joined {
    // By node: the number of its component, or `NO_COMPONENT`.
    component_of: Vec<u32>,
    components: Chunked<Component>,
}

/// Nodes as a forest: each points towards the root of its tree, which points to itself.
struct Trees(Vec<u32>);

impl Trees {
    fn root(&mut self, node: u32) -> u32 {
        let parent = |trees: &Trees, of: u32| trees.0.get(of as usize).copied().unwrap_or(of);
        let mut at = node;
        loop {
            let next = parent(self, at);
            if next == at {
                return at;
            }
            // Halve the path for later searches.
            let after = parent(self, next);
            if let Some(place) = self.0.get_mut(at as usize) {
                *place = after;
            }
            at = after;
        }
    }

    fn join(&mut self, left: u32, right: u32) {
        let (left, right) = (self.root(left), self.root(right));
        if let Some(place) = self.0.get_mut(left.max(right) as usize) {
            *place = left.min(right);
        }
    }
}

impl Joined {
    /// The components of all links of a store, given in log order.
    pub(crate) fn of(links: &[Link]) -> Joined {
        let n_nodes = links.iter().map(|link| link.node.max(link.other)).max().map_or(0, |greatest| greatest + 1);
        let mut trees = Trees((0..n_nodes).collect());
        links.iter().for_each(|link| trees.join(link.node, link.other));
        let mut component_of = vec![NO_COMPONENT; n_nodes as usize];
        let mut components: Chunked<Component> = Chunked::default();
        for link in links {
            let root = trees.root(link.node) as usize;
            let id = match component_of.get(root).copied().unwrap_or(NO_COMPONENT) {
                NO_COMPONENT => {
                    components.push(Component::default());
                    components.len() as u32 - 1
                }
                known => known,
            };
            let Some(component) = components.get_mut(id as usize) else { continue };
            for node in [root as u32, link.node, link.other] {
                if let Some(place) = component_of.get_mut(node as usize)
                    && *place == NO_COMPONENT
                {
                    *place = id;
                    component.nodes.push(node);
                }
            }
            // Links beyond those of a simple component are only counted.
            if component.links().len() <= FEW_LINKS {
                component.keep(link);
            }
        }
        Joined { component_of, components }
    }
}

impl PartitionChanges {
    /// The partition of all links of a store, from which `joined` was made. `reidentified` has the nodes that an
    /// identify message names.
    pub(crate) fn of_all(
        links: &[Link],
        joined: Joined,
        reidentified: &BTreeSet<u32>,
        rules: &dyn NodeRules,
    ) -> Result<PartitionChanges> {
        let Joined { component_of, mut components } = joined;
        let is_left: Vec<bool> = components.iter().map(|component| !is_simple(component, rules)).collect();
        let is_left = |id: u32| is_left.get(id as usize).copied().unwrap_or(false);
        let is_of_left = |link: &&Link| component_of.get(link.node as usize).is_some_and(|id| is_left(*id));
        let left: Vec<Link> = links.iter().filter(is_of_left).copied().collect();
        let mut overlay = PartitionChanges::default();
        for id in (0..components.len() as u32).filter(|id| is_left(*id)) {
            if let Some(component) = components.get_mut(id as usize) {
                *component = Component::default();
                overlay.freed.push(id);
            }
        }
        overlay.components_new = components;
        let of_simple = |id: u32| if is_left(id) { NO_COMPONENT } else { id };
        overlay.component_of_new = component_of.into_iter().map(of_simple).collect();
        overlay.add(&Partition::default(), &left, reidentified, rules)?;
        Ok(overlay)
    }
}

/// Whether a component is one profile in any order of its links, and no guard counts more neighbours than its limit.
fn is_simple(component: &Component, rules: &dyn NodeRules) -> bool {
    let (links, decisions) = (component.links(), rules.decisions());
    let passes_guards = |node: &u32| {
        let rule = rules.types().rule(rules.type_of(*node));
        let n_neighbours = || links.iter().filter(|link| link.touches(*node)).count();
        !rule.latest_link_wins && rule.least_hub_limit().is_none_or(|most| n_neighbours() <= most as usize)
    };
    let is_decided = |node: &u32| decisions.apart_from(*node).next().is_some();
    links.len() <= FEW_LINKS
        && links.iter().all(|link| link.rule() == LinkRule::SameMessage)
        && (!rules.types().have_guards() || component.nodes.iter().all(passes_guards))
        && (!decisions.keep_some_apart() || !component.nodes.iter().any(is_decided))
        && cannot_refuse(&component.nodes, links, rules)
}
