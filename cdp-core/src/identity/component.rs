//! A component: nodes that evidence joins, whether a limit refuses it or not, with the earliest link of each pair.
//!
//! Without refused links the component is one profile, and later repeats of a link are not kept. Only a component with
//! a refused link, or with many links, has labels; where a limit makes the repeats matter they are read from the store.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::ops::Deref;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::forest::Forest;
use super::labels::{Join, Labels, Verdict};
use super::limits::{Side, cannot_refuse, may_conflict, refusal};
use super::links::{KeptLink, Link};
use super::node_rules::{NodeRules, sort_links};
use crate::error::Result;
use crate::records::{LinkRule, Timestamp};

/// The nodes of one profile, in no order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Members<'a> {
    /// A node without live links.
    Alone(u32),
    /// Several nodes.
    Together(&'a [u32]),
}

impl Deref for Members<'_> {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match self {
            Members::Alone(node) => std::slice::from_ref(node),
            Members::Together(nodes) => nodes,
        }
    }
}

/// Up to this number of links a search reads them all.
pub(super) const FEW_LINKS: usize = 16;
/// Up to this number of links a component with refusals keeps all evidence, so that a late link needs no read of the
/// store.
const REMEMBERED_LINKS: usize = 1024;

/// A component of nodes, its links, and its labels if it has any.
#[derive(Clone, Debug, Default)]
pub(super) struct Component {
    pub(super) nodes: SmallVec<[u32; 4]>,
    // In no order; without labels no link is refused.
    links: SmallVec<[KeptLink; 2]>,
    details: Option<Box<Details>>,
}

/// Labels and index of a component with refusals or many links.
#[derive(Clone, Debug, Default)]
struct Details {
    labels: Labels,
    // only with many links
    index: Option<Box<Index>>,
    // whether the links are all evidence, not the earliest of each pair alone
    is_complete: bool,
}

/// An index of links, for components in which a search would be slow.
#[derive(Clone, Debug, Default)]
struct Index {
    n_links: usize,
    // pair and rule -> the place of its earliest link
    places: FxHashMap<((u32, u32), LinkRule), u32>,
    // node -> the number of its neighbours by links that a hub guard counts
    n_neighbours: FxHashMap<u32, u32>,
    has_alias: bool,
}

/// The relation of a link to the earliest one of its pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// The link is new, or must be applied.
    No,
    Later,
    /// At the same instant: its message id decides whether it is the earliest.
    Tied,
}

impl Index {
    /// Adds the links that are not indexed yet.
    fn catch_up(&mut self, links: &[KeptLink]) {
        for (place, link) in links.iter().enumerate().skip(self.n_links) {
            if let Entry::Vacant(vacant) = self.places.entry((link.pair(), link.rule())) {
                vacant.insert(place as u32);
                self.has_alias |= link.is_alias();
                if link.is_guarded() {
                    *self.n_neighbours.entry(link.node).or_default() += 1;
                    *self.n_neighbours.entry(link.other).or_default() += 1;
                }
            }
        }
        self.n_links = links.len();
    }
}

impl Component {
    /// A component whose links are not applied yet.
    pub(super) fn unapplied(
        nodes: impl IntoIterator<Item = u32>,
        links: impl IntoIterator<Item = KeptLink>,
    ) -> Component {
        Component { nodes: nodes.into_iter().collect(), links: links.into_iter().collect(), details: None }
    }

    pub(super) fn links(&self) -> &[KeptLink] {
        &self.links
    }

    pub(super) fn labels(&self) -> Option<&Labels> {
        self.details.as_ref().map(|details| &details.labels)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.details.as_ref().is_some_and(|details| details.is_complete)
    }

    /// Whether a link was refused.
    pub(super) fn has_refused(&self) -> bool {
        self.labels().is_some_and(|labels| !labels.refused.is_empty())
    }

    fn index(&self) -> Option<&Index> {
        self.details.as_ref()?.index.as_deref()
    }

    /// Adds new links to the index.
    fn index_links(&mut self) {
        if let Some(details) = &mut self.details
            && (details.index.is_some() || self.links.len() > FEW_LINKS)
        {
            details.index.get_or_insert_default().catch_up(&self.links);
        }
    }

    fn has_alias(&self) -> bool {
        self.index().map_or_else(|| self.links.iter().any(|link| link.is_alias()), |index| index.has_alias)
    }

    /// Whether the order of messages at one instant can change the result.
    pub(super) fn depends_on_order(&self, rules: &dyn NodeRules) -> bool {
        self.has_refused() || self.has_alias() || may_conflict(&self.nodes, rules)
    }

    fn place_of(&self, pair: (u32, u32), rule: LinkRule) -> Option<usize> {
        match self.index() {
            Some(index) => index.places.get(&(pair, rule)).map(|place| *place as usize),
            None => self.links.iter().position(|link| link.rule() == rule && link.pair() == pair),
        }
    }

    /// The earliest link of this pair and rule.
    pub(super) fn earliest(&self, pair: (u32, u32), rule: LinkRule) -> Option<KeptLink> {
        self.links.get(self.place_of(pair, rule)?).copied()
    }

    /// Compares a link with the earliest one of its pair; a later link within one profile changes nothing.
    pub(super) fn repeats(&self, link: &Link) -> Repeat {
        let Some(found) = self.earliest(link.pair(), link.rule) else { return Repeat::No };
        let is_within = self.labels().is_none_or(|labels| labels.root(link.node) == labels.root(link.other));
        if self.is_complete() || !is_within {
            return Repeat::No;
        }
        match found.occurred_at.cmp(&link.occurred_at) {
            Ordering::Less => Repeat::Later,
            Ordering::Equal if found.sequence() == link.sequence => Repeat::Later,
            Ordering::Equal => Repeat::Tied,
            Ordering::Greater => Repeat::No,
        }
    }

    /// An upper bound of the number of different neighbours of a node, at little cost.
    pub(super) fn neighbours_at_most(&self, node: u32) -> usize {
        match self.index() {
            Some(index) => index.n_neighbours.get(&node).map_or(0, |n| *n as usize),
            None => self.links.len(),
        }
    }

    /// The label of a node's profile: one of its nodes.
    pub(super) fn root(&self, node: u32) -> u32 {
        match self.labels() {
            Some(labels) => labels.root(node),
            None => self.nodes.first().copied().unwrap_or(node),
        }
    }

    /// The nodes of a node's profile; empty if the node is alone.
    pub(super) fn members(&self, node: u32) -> &[u32] {
        self.labels().map_or(self.nodes.as_slice(), |labels| labels.members(node))
    }

    /// Every profile of these nodes once, in the order of their labels in `nodes`.
    pub(super) fn profiles(&self) -> impl Iterator<Item = Members<'_>> {
        let whole = (self.labels().is_none() && !self.nodes.is_empty()).then_some(Members::Together(&self.nodes));
        let of_labels = self.labels().into_iter().flat_map(move |labels| {
            let roots = self.nodes.iter().filter(move |node| labels.root(**node) == **node);
            roots.map(move |root| match labels.members(*root) {
                [] => Members::Alone(*root),
                nodes => Members::Together(nodes),
            })
        });
        whole.into_iter().chain(of_labels)
    }

    pub(super) fn side(&self, node: u32) -> Side<'_> {
        self.labels().map_or(Side::Whole(&self.nodes, &self.links), |labels| labels.side(node))
    }

    /// Whether a link comes after all applied links. Links of one message are ordered by the rank of their other ends.
    pub(super) fn is_next(&self, link: &Link) -> bool {
        let last = match self.labels() {
            Some(labels) => labels.last,
            None => self.links.iter().map(|kept| kept.order()).max(),
        };
        last.is_none_or(|(at, sequence)| at < link.occurred_at || (at == link.occurred_at && sequence == link.sequence))
    }

    /// The effect of the next link in order, whose ends are both in this component.
    pub(super) fn verdict(&self, link: &Link, rules: &dyn NodeRules) -> Result<Verdict> {
        self.labels().map_or(Ok(Verdict::Within), |labels| labels.verdict(link, rules))
    }

    /// Keeps a link unless it is a later repeat.
    pub(super) fn keep(&mut self, link: &Link) {
        let new = KeptLink::new(link);
        let is_complete = self.is_complete();
        let place = self.place_of(new.pair(), new.rule());
        let Some(found) = place.and_then(|place| self.links.get_mut(place)) else { return self.push(new) };
        if is_complete {
            self.push(new);
        } else if new.order() < found.order() {
            let was_at = std::mem::replace(found, new).occurred_at;
            if was_at == new.occurred_at {
                found.tie();
            }
        } else if new.occurred_at == found.occurred_at && new.sequence() != found.sequence() {
            found.tie();
        }
    }

    fn push(&mut self, link: KeptLink) {
        self.links.push(link);
        self.index_links();
        if self.is_complete() && self.links.len() > REMEMBERED_LINKS {
            self.forget_repeats();
        }
    }

    /// Keeps only the earliest link of each pair.
    fn forget_repeats(&mut self) {
        let links = std::mem::take(&mut self.links);
        let mut reduced = Component::default();
        let mut details = self.details.take().unwrap_or_default();
        (details.index, details.is_complete) = (None, false);
        reduced.details = Some(details);
        for link in links {
            reduced.keep(&link.link());
        }
        (self.links, self.details) = (reduced.links, reduced.details);
    }

    /// Applies the next link in order and keeps it.
    pub(super) fn apply(&mut self, link: &Link, verdict: Verdict, rules: &dyn NodeRules) {
        if let Some(details) = &mut self.details {
            details.labels.apply(link, verdict, rules);
        }
        self.keep(link);
        if self.details.is_none() && self.links.len() > FEW_LINKS {
            self.create_details(rules);
        }
    }

    /// Records that the store has links of these nodes that are not kept.
    pub(super) fn mark_incomplete(&mut self) {
        if let Some(details) = &mut self.details {
            details.is_complete = false;
        }
    }

    /// Creates the labels of a component without any, whose nodes are one profile.
    pub(super) fn create_details(&mut self, rules: &dyn NodeRules) {
        if self.details.is_none() {
            let labels = Labels::of_whole(&self.nodes, &self.links, rules);
            self.set_labels(labels, false);
        }
    }

    fn set_labels(&mut self, labels: Labels, is_complete: bool) {
        self.details = Some(Box::new(Details { labels, index: None, is_complete }));
        self.index_links();
    }

    /// Adds the nodes and links of another component, which evidence has joined with this one. Both must have labels,
    /// or neither.
    pub(super) fn take_in(&mut self, other: Component) {
        self.nodes.extend(other.nodes);
        if let Some(details) = &mut self.details {
            let other = other.details.unwrap_or_default();
            details.is_complete &= other.is_complete;
            details.labels.take_in(other.labels);
        }
        self.links.extend(other.links);
        self.index_links();
    }

    /// The nodes and links without the links of a pair that a hub guard counts.
    pub(super) fn without(self, pair: (u32, u32)) -> (SmallVec<[u32; 4]>, Vec<KeptLink>) {
        let links = self.links.into_iter().filter(|link| !link.is_guarded() || link.pair() != pair);
        (self.nodes, links.collect())
    }

    /// Whether an alias names this node.
    pub(super) fn has_alias_of(&self, node: u32) -> bool {
        self.has_alias() && self.links.iter().any(|link| link.is_alias() && link.touches(node))
    }

    /// Applies all links in order. Returns `false` if the earliest links of the pairs do not suffice, because a limit
    /// refuses one or a message id decides which link comes first; [`Component::replay_all`] must follow then.
    pub(super) fn replay(&mut self, rules: &dyn NodeRules) -> Result<bool> {
        let is_complete = self.is_complete();
        if cannot_refuse(&self.nodes, &self.links, rules) {
            self.settle(None, rules);
            return Ok(true);
        }
        let mut links: Vec<Link> = self.links.iter().map(|link| link.link()).collect();
        sort_links(&mut links, rules)?;
        let labels = Labels::replay(&links, rules)?;
        let depends_on_message_id =
            (self.has_alias() || may_conflict(&self.nodes, rules)) && self.links.iter().any(|link| link.is_tied());
        let is_certain = is_complete || (labels.refused.is_empty() && !depends_on_message_id);
        self.settle(Some(labels).filter(|labels| !labels.refused.is_empty()), rules);
        Ok(is_certain)
    }

    /// Applies all evidence in order, repeats included.
    pub(super) fn replay_all(&mut self, mut links: Vec<Link>, rules: &dyn NodeRules) -> Result<()> {
        sort_links(&mut links, rules)?;
        let labels = Labels::replay(&links, rules)?;
        self.links = links.iter().map(KeptLink::new).collect();
        self.set_labels(Labels::default(), true);
        self.settle(Some(labels).filter(|labels| !labels.refused.is_empty()), rules);
        Ok(())
    }

    /// Sets these labels, or makes the component one profile. Repeats stay only where they may matter.
    fn settle(&mut self, labels: Option<Labels>, rules: &dyn NodeRules) {
        if self.is_complete() && (labels.is_none() || self.links.len() > REMEMBERED_LINKS) {
            self.forget_repeats();
        }
        let is_complete = self.is_complete();
        self.details = None;
        match labels {
            Some(labels) => self.set_labels(labels, is_complete),
            None if self.links.len() > FEW_LINKS => self.create_details(rules),
            None => {}
        }
    }

    /// The joins of profiles, in order, with a node of each.
    pub(super) fn joins(&self) -> Vec<Join> {
        if let Some(labels) = self.labels() {
            let mut joins = labels.joins.clone();
            joins.sort_by_key(|join| join.at);
            return joins;
        }
        let mut in_order: SmallVec<[KeptLink; FEW_LINKS]> = self.links.iter().copied().collect();
        in_order.sort_by_key(|link| link.order());
        let mut forest = Forest::default();
        let joining = in_order.into_iter().filter(|link| forest.join(link.node, link.other));
        joining.map(|link| Join { at: link.occurred_at, left: link.node, right: link.other }).collect()
    }

    /// Whether no profile has changed since an instant.
    pub(super) fn stands_since(&self, at: Timestamp) -> bool {
        match self.labels() {
            Some(labels) => labels.joins.iter().all(|join| join.at <= at),
            None => self.links.iter().all(|link| link.occurred_at <= at),
        }
    }
}

/// The effect of a link between two components, or nodes without one.
pub(super) fn verdict_between(link: &Link, sides: [&Side<'_>; 2], rules: &dyn NodeRules) -> Result<Verdict> {
    Ok(refusal(link, sides, rules)?.map_or(Verdict::Joins, Verdict::Refused))
}

/// The components of some nodes by these links alone, and the nodes that are alone.
pub(super) fn parts(nodes: &[u32], links: &[KeptLink]) -> (Vec<Component>, Vec<u32>) {
    let mut forest = Forest::default();
    for link in links {
        forest.join(link.node, link.other);
    }
    let mut places: FxHashMap<u32, usize> = FxHashMap::default();
    let mut parts: Vec<(Vec<u32>, Vec<KeptLink>)> = Vec::new();
    let mut alone = Vec::new();
    let linked: FxHashSet<u32> = links.iter().flat_map(|link| [link.node, link.other]).collect();
    for node in nodes {
        if !linked.contains(node) {
            alone.push(*node);
            continue;
        }
        let place = *places.entry(forest.root(*node)).or_insert_with(|| {
            parts.push(Default::default());
            parts.len() - 1
        });
        if let Some((nodes, _)) = parts.get_mut(place) {
            nodes.push(*node);
        }
    }
    for link in links {
        let place = places.get(&forest.root(link.node)).copied();
        if let Some((_, links)) = place.and_then(|place| parts.get_mut(place)) {
            links.push(*link);
        }
    }
    (parts.into_iter().map(|(nodes, links)| Component::unapplied(nodes, links)).collect(), alone)
}
