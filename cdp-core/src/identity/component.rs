//! Nodes that evidence joins, live or refused, and the earliest link of each pair of them.
//!
//! While nothing was refused they are one person, and a later repeat of a link says nothing new: it is not kept. Only a
//! component with a refused link, or with many links, carries labels; where a limit makes the repeats matter they come
//! from the store.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::ops::Deref;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::forest::Forest;
use super::labels::{Join, Labels, Verdict};
use super::limits::{Side, cannot_refuse, may_conflict, refusal};
use super::links::{Kept, Link};
use super::node_rules::{NodeRules, sort_links};
use crate::error::Result;
use crate::records::{LinkRule, Timestamp};

/// The nodes of one profile, in no order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Members<'a> {
    /// A node that no live link touches.
    Alone(u32),
    /// Several.
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

/// Up to this many links a search goes through them all.
pub(super) const FEW_LINKS: usize = 16;
/// Up to this many links a component with refusals keeps all evidence, lest every late link asks the store again.
const REMEMBERED_LINKS: usize = 1024;

/// Nodes that evidence joins.
#[derive(Clone, Debug, Default)]
pub(super) struct Component {
    pub(super) nodes: SmallVec<[u32; 4]>,
    // In no order; without labels none is refused.
    links: SmallVec<[Kept; 2]>,
    books: Option<Box<Books>>,
}

/// What a component with refusals or many links knows beside its links.
#[derive(Clone, Debug, Default)]
struct Books {
    labels: Labels,
    // of many links
    index: Option<Box<Index>>,
    // whether the links are all the evidence there is, not the earliest of each pair
    is_complete: bool,
}

/// Finds links without a search through them all.
#[derive(Clone, Debug, Default)]
struct Index {
    n_links: usize,
    // pair and rule -> the place of its earliest link
    places: FxHashMap<((u32, u32), LinkRule), u32>,
    // how many neighbours a node has by links that a hub guard counts
    n_neighbours: FxHashMap<u32, u32>,
    has_alias: bool,
}

/// How a link stands to the earliest of its pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It says something new, or must be looked at.
    No,
    Later,
    /// At the same instant: it may be the earliest by its message id.
    Tied,
}

impl Index {
    /// Takes in the links behind those that it knows.
    fn catch_up(&mut self, links: &[Kept]) {
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
    /// A component whose order of links is yet to be applied.
    pub(super) fn unapplied(nodes: impl IntoIterator<Item = u32>, links: impl IntoIterator<Item = Kept>) -> Component {
        Component { nodes: nodes.into_iter().collect(), links: links.into_iter().collect(), books: None }
    }

    pub(super) fn links(&self) -> &[Kept] {
        &self.links
    }

    pub(super) fn labels(&self) -> Option<&Labels> {
        self.books.as_ref().map(|books| &books.labels)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.books.as_ref().is_some_and(|books| books.is_complete)
    }

    /// Whether a link was refused.
    pub(super) fn has_refused(&self) -> bool {
        self.labels().is_some_and(|labels| !labels.refused.is_empty())
    }

    fn index(&self) -> Option<&Index> {
        self.books.as_ref()?.index.as_deref()
    }

    /// Lets the index know of links that were added.
    fn index_links(&mut self) {
        if let Some(books) = &mut self.books
            && (books.index.is_some() || self.links.len() > FEW_LINKS)
        {
            books.index.get_or_insert_default().catch_up(&self.links);
        }
    }

    fn has_alias(&self) -> bool {
        self.index().map_or_else(|| self.links.iter().any(|link| link.is_alias()), |index| index.has_alias)
    }

    /// Whether it matters which of several messages of one instant comes first.
    pub(super) fn hangs_on_order(&self, rules: &dyn NodeRules) -> bool {
        self.has_refused() || self.has_alias() || may_conflict(&self.nodes, rules)
    }

    fn place_of(&self, pair: (u32, u32), rule: LinkRule) -> Option<usize> {
        match self.index() {
            Some(index) => index.places.get(&(pair, rule)).map(|place| *place as usize),
            None => self.links.iter().position(|link| link.rule() == rule && link.pair() == pair),
        }
    }

    /// The earliest link of this pair and rule.
    pub(super) fn earliest(&self, pair: (u32, u32), rule: LinkRule) -> Option<Kept> {
        self.links.get(self.place_of(pair, rule)?).copied()
    }

    /// Whether a link comes later than another of its pair within one profile: then it changes nothing here.
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

    /// The number of different neighbours of a node, or more, at little cost.
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

    /// The nodes of the profile that a node belongs to; empty if it is alone.
    pub(super) fn members(&self, node: u32) -> &[u32] {
        self.labels().map_or(self.nodes.as_slice(), |labels| labels.members(node))
    }

    /// Every profile of these nodes once, in the order of their labels' places here.
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

    /// Whether a link comes after all that were applied. Links of one message come by the rank of their other ends.
    pub(super) fn is_next(&self, link: &Link) -> bool {
        let last = match self.labels() {
            Some(labels) => labels.last,
            None => self.links.iter().map(|kept| kept.order()).max(),
        };
        last.is_none_or(|(at, sequence)| at < link.occurred_at || (at == link.occurred_at && sequence == link.sequence))
    }

    /// What the next link in order does, both of whose ends are here.
    pub(super) fn verdict(&self, link: &Link, rules: &dyn NodeRules) -> Result<Verdict> {
        self.labels().map_or(Ok(Verdict::Within), |labels| labels.verdict(link, rules))
    }

    /// Keeps a link unless it is a later repeat.
    pub(super) fn keep(&mut self, link: &Link) {
        let new = Kept::new(link);
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

    fn push(&mut self, link: Kept) {
        self.links.push(link);
        self.index_links();
        if self.is_complete() && self.links.len() > REMEMBERED_LINKS {
            self.forget_repeats();
        }
    }

    /// Keeps the earliest link of each pair only.
    fn forget_repeats(&mut self) {
        let links = std::mem::take(&mut self.links);
        let mut reduced = Component::default();
        let mut books = self.books.take().unwrap_or_default();
        (books.index, books.is_complete) = (None, false);
        reduced.books = Some(books);
        for link in links {
            reduced.keep(&link.link());
        }
        (self.links, self.books) = (reduced.links, reduced.books);
    }

    /// Applies the next link in order and keeps it.
    pub(super) fn apply(&mut self, link: &Link, verdict: Verdict, rules: &dyn NodeRules) {
        if let Some(books) = &mut self.books {
            books.labels.apply(link, verdict, rules);
        }
        self.keep(link);
        if self.books.is_none() && self.links.len() > FEW_LINKS {
            self.open_books(rules);
        }
    }

    /// Says that the store knows links of these nodes that are not kept.
    pub(super) fn forget_completeness(&mut self) {
        if let Some(books) = &mut self.books {
            books.is_complete = false;
        }
    }

    /// Gives a component that has none its own labels: up to now its nodes are one profile.
    pub(super) fn open_books(&mut self, rules: &dyn NodeRules) {
        if self.books.is_none() {
            let labels = Labels::of_whole(&self.nodes, &self.links, rules);
            self.set_labels(labels, false);
        }
    }

    fn set_labels(&mut self, labels: Labels, is_complete: bool) {
        self.books = Some(Box::new(Books { labels, index: None, is_complete }));
        self.index_links();
    }

    /// Takes in the nodes and links of another, which evidence has now joined with these. Either both have books or none.
    pub(super) fn take_in(&mut self, other: Component) {
        self.nodes.extend(other.nodes);
        if let Some(books) = &mut self.books {
            let other = other.books.unwrap_or_default();
            books.is_complete &= other.is_complete;
            books.labels.take_in(other.labels);
        }
        self.links.extend(other.links);
        self.index_links();
    }

    /// Takes out the links of a pair that a hub guard counts.
    pub(super) fn without(self, pair: (u32, u32)) -> (SmallVec<[u32; 4]>, Vec<Kept>) {
        let links = self.links.into_iter().filter(|link| !link.is_guarded() || link.pair() != pair);
        (self.nodes, links.collect())
    }

    /// Whether an alias names this node.
    pub(super) fn has_alias_of(&self, node: u32) -> bool {
        self.has_alias() && self.links.iter().any(|link| link.is_alias() && link.touches(node))
    }

    /// Applies all links in order. `false` if the earliest links of the pairs do not suffice for that: a limit refuses
    /// one, or it hangs on a message id which link comes first; then [`Component::replay_all`] must follow.
    pub(super) fn replay(&mut self, rules: &dyn NodeRules) -> Result<bool> {
        let is_complete = self.is_complete();
        if cannot_refuse(&self.nodes, &self.links, rules) {
            self.settle(None, rules);
            return Ok(true);
        }
        let mut links: Vec<Link> = self.links.iter().map(|link| link.link()).collect();
        sort_links(&mut links, rules)?;
        let labels = Labels::replay(&links, rules)?;
        let hangs_on_message_id =
            (self.has_alias() || may_conflict(&self.nodes, rules)) && self.links.iter().any(|link| link.is_tied());
        let is_certain = is_complete || (labels.refused.is_empty() && !hangs_on_message_id);
        self.settle(Some(labels).filter(|labels| !labels.refused.is_empty()), rules);
        Ok(is_certain)
    }

    /// Applies all evidence in order, repeats included.
    pub(super) fn replay_all(&mut self, mut links: Vec<Link>, rules: &dyn NodeRules) -> Result<()> {
        sort_links(&mut links, rules)?;
        let labels = Labels::replay(&links, rules)?;
        self.links = links.iter().map(Kept::new).collect();
        self.set_labels(Labels::default(), true);
        self.settle(Some(labels).filter(|labels| !labels.refused.is_empty()), rules);
        Ok(())
    }

    /// Stands with these labels, or as one profile. Evidence beyond the earliest links stays only where it may matter.
    fn settle(&mut self, labels: Option<Labels>, rules: &dyn NodeRules) {
        if self.is_complete() && (labels.is_none() || self.links.len() > REMEMBERED_LINKS) {
            self.forget_repeats();
        }
        let is_complete = self.is_complete();
        self.books = None;
        match labels {
            Some(labels) => self.set_labels(labels, is_complete),
            None if self.links.len() > FEW_LINKS => self.open_books(rules),
            None => {}
        }
    }

    /// When profiles joined here, and a node of each: in order.
    pub(super) fn joins(&self) -> Vec<Join> {
        if let Some(labels) = self.labels() {
            let mut joins = labels.joins.clone();
            joins.sort_by_key(|join| join.at);
            return joins;
        }
        let mut in_order: SmallVec<[Kept; FEW_LINKS]> = self.links.iter().copied().collect();
        in_order.sort_by_key(|link| link.order());
        let mut forest = Forest::default();
        let joining = in_order.into_iter().filter(|link| forest.join(link.node, link.other));
        joining.map(|link| Join { at: link.occurred_at, left: link.node, right: link.other }).collect()
    }

    /// Whether every profile stands together since an instant or before.
    pub(super) fn stands_since(&self, at: Timestamp) -> bool {
        match self.labels() {
            Some(labels) => labels.joins.iter().all(|join| join.at <= at),
            None => self.links.iter().all(|link| link.occurred_at <= at),
        }
    }
}

/// What a link does that joins two components, or nodes without one.
pub(super) fn verdict_between(link: &Link, sides: [&Side<'_>; 2], rules: &dyn NodeRules) -> Result<Verdict> {
    Ok(refusal(link, sides, rules)?.map_or(Verdict::Joins, Verdict::Refused))
}

/// The parts into which nodes fall without further links, those of a single node last.
pub(super) fn parts(nodes: &[u32], links: &[Kept]) -> (Vec<Component>, Vec<u32>) {
    let mut forest = Forest::default();
    for link in links {
        forest.join(link.node, link.other);
    }
    let mut places: FxHashMap<u32, usize> = FxHashMap::default();
    let mut parts: Vec<(Vec<u32>, Vec<Kept>)> = Vec::new();
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
