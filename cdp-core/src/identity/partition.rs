//! The partition of nodes into people: union-find over evidence, with limits, the same for every order of arrival.
//!
//! Links are kept by *evidence component*: the nodes that any link joins, live or refused. Within one, links are applied
//! greedily in the order of (event time, message id); a link later than all others there is applied at once, otherwise
//! the component is replayed. Only the limits of one value (the hub guard) decide before that which links count at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::hub::{Hub, hub_of};
use super::labels::Labels;
use super::links::{Link, NodeRules, Violation, sort_links};
use crate::error::Result;
use crate::records::Timestamp;

/// Nodes that evidence joins.
#[derive(Clone, Debug, Default)]
struct Component {
    nodes: Vec<u32>,
    links: Vec<Link>,
    labels: Labels,
}

impl Component {
    fn replay(&mut self, rules: &dyn NodeRules) -> Result<()> {
        sort_links(&mut self.links, rules)?;
        let mut labels = Labels::default();
        for link in &self.links {
            labels.apply(link, rules)?;
        }
        self.labels = labels;
        Ok(())
    }
}

/// The partition of the last commit.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    component_of: HashMap<u32, u32>,
    components: HashMap<u32, Arc<Component>>,
    hubs: HashMap<(u32, String), Arc<Hub>>,
    // links of pairs that a hub guard keeps out, until an earlier link of the pair lets them in
    parked: HashMap<(u32, u32), Vec<Link>>,
    next_component: u32,
}

/// What one transaction changes.
#[derive(Debug, Default)]
pub(crate) struct PartitionOverlay {
    component_of: HashMap<u32, u32>,
    components: HashMap<u32, Option<Arc<Component>>>,
    hubs: HashMap<(u32, String), Arc<Hub>>,
    parked: HashMap<(u32, u32), Vec<Link>>,
    next_component: u32,
    // component -> profiles that existed before and were joined into another
    merges: BTreeMap<u32, u64>,
    /// Nodes whose profile has changed.
    pub(crate) changed: BTreeSet<u32>,
}

impl Partition {
    /// An overlay for a transaction that starts from this partition.
    pub(crate) fn overlay(&self) -> PartitionOverlay {
        PartitionOverlay { next_component: self.next_component, ..PartitionOverlay::default() }
    }

    /// Takes in what a committed transaction has changed.
    pub(crate) fn fold(&mut self, overlay: PartitionOverlay) {
        self.component_of.extend(overlay.component_of);
        for (id, component) in overlay.components {
            match component {
                Some(component) => {
                    self.components.insert(id, component);
                }
                None => {
                    self.components.remove(&id);
                }
            }
        }
        self.hubs.extend(overlay.hubs);
        self.parked.extend(overlay.parked);
        self.parked.retain(|_, links| !links.is_empty());
        self.next_component = overlay.next_component;
    }

    /// This partition without changes.
    pub(crate) fn view(&self) -> PartitionView<'_> {
        PartitionView { base: self, overlay: None }
    }
}

impl PartitionOverlay {
    /// Takes in the links of a transaction. `reidentified`: nodes that an identify message now names earlier than before.
    pub(crate) fn add(
        &mut self,
        base: &Partition,
        links: &[Link],
        reidentified: &BTreeSet<u32>,
        rules: &dyn NodeRules,
    ) -> Result<()> {
        let mut to_replay = BTreeSet::new();
        let mut links = links.to_vec();
        for star in links.chunk_by_mut(|left, right| left.sequence == right.sequence) {
            star.sort_by_cached_key(|link| rules.rank(link.other));
        }
        for link in &links {
            // An alias is exempt from limits.
            let displaced = if link.alias { Vec::new() } else { self.count_at_hubs(base, link, rules)? };
            for pair in displaced {
                self.park(base, pair, &mut to_replay);
            }
            if !link.alias && !self.passes_hubs(base, link, rules) {
                self.parked_of(base, link.pair()).push(*link);
                continue;
            }
            if !link.alias {
                for parked in std::mem::take(self.parked_of(base, link.pair())) {
                    self.join_components(base, &parked, rules, &mut to_replay)?;
                }
            }
            self.join_components(base, link, rules, &mut to_replay)?;
        }
        for node in reidentified {
            let Some(id) = self.component_id(base, *node) else { continue };
            let names_it = |link: &Link| link.alias && (link.node == *node || link.other == *node);
            if self.component(base, id).is_some_and(|component| component.links.iter().any(names_it)) {
                to_replay.insert(id);
            }
        }
        for id in to_replay {
            self.replay(base, id, rules)?;
        }
        Ok(())
    }

    fn component_id(&self, base: &Partition, node: u32) -> Option<u32> {
        self.component_of.get(&node).or_else(|| base.component_of.get(&node)).copied()
    }

    fn component<'a>(&'a self, base: &'a Partition, id: u32) -> Option<&'a Component> {
        match self.components.get(&id) {
            Some(changed) => changed.as_deref(),
            None => base.components.get(&id).map(AsRef::as_ref),
        }
    }

    fn take_component(&mut self, base: &Partition, id: u32) -> Component {
        let arc = match self.components.insert(id, None) {
            Some(changed) => changed,
            None => base.components.get(&id).cloned(),
        };
        arc.map(|arc| Arc::try_unwrap(arc).unwrap_or_else(|shared| (*shared).clone())).unwrap_or_default()
    }

    fn join_components(
        &mut self,
        base: &Partition,
        link: &Link,
        rules: &dyn NodeRules,
        to_replay: &mut BTreeSet<u32>,
    ) -> Result<()> {
        let ids: BTreeSet<u32> =
            [link.node, link.other].iter().filter_map(|node| self.component_id(base, *node)).collect();
        let mut components: Vec<(u32, Component)> =
            ids.iter().map(|id| (*id, self.take_component(base, *id))).collect();
        components.sort_by_key(|(_, component)| std::cmp::Reverse(component.nodes.len()));
        let mut components = components.into_iter();
        let (id, mut component) = components.next().unwrap_or_else(|| {
            self.next_component += 1;
            (self.next_component, Component::default())
        });
        let mut replay = to_replay.contains(&id) || !component.labels.is_next(link);
        for (absorbed_id, absorbed) in components {
            replay |= to_replay.remove(&absorbed_id) || !absorbed.labels.is_next(link);
            for node in &absorbed.nodes {
                self.component_of.insert(*node, id);
            }
            component.nodes.extend(absorbed.nodes);
            component.links.extend(absorbed.links);
            component.labels.root_of.extend(absorbed.labels.root_of);
            component.labels.members.extend(absorbed.labels.members);
            component.labels.first_live_at.extend(absorbed.labels.first_live_at);
            component.labels.violations.extend(absorbed.labels.violations);
            component.labels.last = component.labels.last.max(absorbed.labels.last);
            component.labels.joins.extend(absorbed.labels.joins);
            if let Some(merges) = self.merges.remove(&absorbed_id) {
                *self.merges.entry(id).or_default() += merges;
            }
        }
        for node in [link.node, link.other] {
            if self.component_id(base, node) != Some(id) {
                self.component_of.insert(node, id);
                component.nodes.push(node);
            }
        }
        component.links.push(*link);
        if !replay {
            let sides = [link.node, link.other].map(|node| component.labels.members_with(node));
            if let Some(kept) = component.labels.apply(link, rules)? {
                self.changed.extend(component.labels.members(kept));
                let [left, right] = &sides;
                *self.merges.entry(id).or_default() += merges_of(link, (left, right), rules);
            }
        } else {
            to_replay.insert(id);
        }
        self.components.insert(id, Some(Arc::new(component)));
        Ok(())
    }

    /// Counts a link at the hub guards of both ends, each for itself. Gives the pairs that it displaces.
    fn count_at_hubs(&mut self, base: &Partition, link: &Link, rules: &dyn NodeRules) -> Result<Vec<(u32, u32)>> {
        let mut displaced = Vec::new();
        for (value, neighbour) in [(link.node, link.other), (link.other, link.node)] {
            let Some((key, limit)) = hub_of(value, neighbour, rules) else { continue };
            if !self.hubs.contains_key(&key) {
                self.hubs.insert(key.clone(), base.hubs.get(&key).cloned().unwrap_or_default());
            }
            let Some(hub) = self.hubs.get_mut(&key) else { continue };
            let gone = Arc::make_mut(hub).count(value, neighbour, limit, link, rules)?;
            displaced.extend(gone.map(|gone| (value.min(gone), value.max(gone))));
        }
        Ok(displaced)
    }

    /// Whether each end counts the other among its live neighbours.
    fn passes_hubs(&self, base: &Partition, link: &Link, rules: &dyn NodeRules) -> bool {
        [(link.node, link.other), (link.other, link.node)].into_iter().all(|(value, neighbour)| {
            let Some((key, _)) = hub_of(value, neighbour, rules) else { return true };
            let hub = self.hubs.get(&key).or_else(|| base.hubs.get(&key));
            hub.is_some_and(|hub| hub.live.contains_key(&neighbour))
        })
    }

    fn parked_of(&mut self, base: &Partition, pair: (u32, u32)) -> &mut Vec<Link> {
        self.parked.entry(pair).or_insert_with(|| base.parked.get(&pair).cloned().unwrap_or_default())
    }

    /// Takes the links of a pair out of its component, which may fall apart; aliases stay.
    fn park(&mut self, base: &Partition, pair: (u32, u32), to_replay: &mut BTreeSet<u32>) {
        let Some(id) = self.component_id(base, pair.0) else { return };
        let is_parked = |link: &Link| !link.alias && link.pair() == pair;
        if !self.component(base, id).is_some_and(|component| component.links.iter().any(is_parked)) {
            return;
        }
        let mut component = self.take_component(base, id);
        let (parked, links) = component.links.into_iter().partition(is_parked);
        component.links = links;
        self.parked_of(base, pair).extend::<Vec<Link>>(parked);
        to_replay.remove(&id);
        self.merges.remove(&id);
        self.changed.extend(component.nodes.iter().copied());
        let mut parts: BTreeMap<u32, Component> = BTreeMap::new();
        let roots = connected(&component.nodes, &component.links);
        for node in &component.nodes {
            parts.entry(root_in(&roots, *node)).or_default().nodes.push(*node);
        }
        for link in &component.links {
            parts.entry(root_in(&roots, link.node)).or_default().links.push(*link);
        }
        for part in parts.into_values() {
            self.next_component += 1;
            let part_id = self.next_component;
            for node in &part.nodes {
                self.component_of.insert(*node, part_id);
            }
            self.components.insert(part_id, Some(Arc::new(part)));
            to_replay.insert(part_id);
        }
    }

    fn replay(&mut self, base: &Partition, id: u32, rules: &dyn NodeRules) -> Result<()> {
        let mut component = self.take_component(base, id);
        component.replay(rules)?;
        // Profiles of the last commit that stand together now and did not then.
        let before = PartitionView { base, overlay: None };
        let mut merges = 0;
        for members in component.labels.members.values() {
            let profiles_before: BTreeSet<u32> = members
                .iter()
                .filter(|node| rules.first_sequence(**node).is_some_and(|first| first <= rules.committed_sequence()))
                .map(|node| before.profile_of(*node))
                .collect();
            merges += (profiles_before.len() as u64).saturating_sub(1);
        }
        self.merges.insert(id, merges);
        self.changed.extend(component.nodes.iter().copied());
        self.components.insert(id, Some(Arc::new(component)));
        Ok(())
    }

    /// Profiles that existed before and were joined into another.
    pub(crate) fn merges(&self) -> u64 {
        self.merges.values().sum()
    }

    /// The partition with these changes.
    pub(crate) fn view<'a>(&'a self, base: &'a Partition) -> PartitionView<'a> {
        PartitionView { base, overlay: Some(self) }
    }
}

/// Both sides had a message before this one: then it is a merge, else an attachment of a new identifier. The star of a
/// message joins one identifier after the other to its node, so the other side is `other` and what it brought along.
fn merges_of(link: &Link, labels_before: (&[u32], &[u32]), rules: &dyn NodeRules) -> u64 {
    let existed =
        |nodes: &[u32]| nodes.iter().any(|node| rules.first_sequence(*node).is_some_and(|first| first < link.sequence));
    u64::from(existed(labels_before.0) && existed(labels_before.1))
}

fn connected(nodes: &[u32], links: &[Link]) -> HashMap<u32, u32> {
    let mut parent: HashMap<u32, u32> = nodes.iter().map(|node| (*node, *node)).collect();
    for link in links {
        let (left, right) = (root_in(&parent, link.node), root_in(&parent, link.other));
        parent.insert(left.max(right), left.min(right));
    }
    nodes.iter().map(|node| (*node, root_in(&parent, *node))).collect()
}

fn root_in(parent: &HashMap<u32, u32>, node: u32) -> u32 {
    let mut at = node;
    while let Some(next) = parent.get(&at)
        && *next != at
    {
        at = *next;
    }
    at
}

/// The partition as one transaction sees it.
#[derive(Clone, Copy)]
pub(crate) struct PartitionView<'a> {
    base: &'a Partition,
    overlay: Option<&'a PartitionOverlay>,
}

impl<'a> PartitionView<'a> {
    fn component(&self, node: u32) -> Option<&'a Component> {
        let changed = self.overlay.and_then(|overlay| overlay.component_of.get(&node));
        let id = changed.or_else(|| self.base.component_of.get(&node))?;
        match self.overlay.and_then(|overlay| overlay.components.get(id)) {
            Some(changed) => changed.as_deref(),
            None => self.base.components.get(id).map(AsRef::as_ref),
        }
    }

    /// The label of the profile that a node belongs to: one of its nodes, stable within a transaction only.
    pub(crate) fn profile_of(&self, node: u32) -> u32 {
        self.component(node).map_or(node, |component| component.labels.root(node))
    }

    /// The nodes of the profile that a node belongs to, in the order of their numbers.
    pub(crate) fn nodes_of(&self, node: u32) -> Vec<u32> {
        let Some(component) = self.component(node) else { return vec![node] };
        let mut nodes = component.labels.members(component.labels.root(node)).to_vec();
        if nodes.is_empty() {
            nodes.push(node);
        }
        nodes.sort_unstable();
        nodes
    }

    /// The nodes of the profile that a node belonged to at a past event time.
    pub(crate) fn nodes_of_at(&self, node: u32, at: Timestamp, rules: &dyn NodeRules) -> Result<Vec<u32>> {
        let Some(component) = self.component(node) else { return Ok(vec![node]) };
        if component.labels.joins.iter().all(|joined_at| *joined_at <= at) {
            return Ok(self.nodes_of(node));
        }
        let mut past = Component {
            nodes: component.nodes.clone(),
            links: component.links.iter().filter(|link| link.occurred_at <= at).copied().collect(),
            labels: Labels::default(),
        };
        past.replay(rules)?;
        let mut nodes = past.labels.members(past.labels.root(node)).to_vec();
        if nodes.is_empty() {
            nodes.push(node);
        }
        nodes.sort_unstable();
        Ok(nodes)
    }

    /// When profiles joined among the nodes that evidence joins with this one, in `(from, to]`.
    pub(crate) fn joins_around(&self, node: u32, from: Timestamp, to: Timestamp) -> BTreeSet<Timestamp> {
        let joins = self.component(node).map_or(&[][..], |component| component.labels.joins.as_slice());
        joins.iter().copied().filter(|joined_at| *joined_at > from && *joined_at <= to).collect()
    }

    /// When two nodes became one profile: the event time of the link that joined what they belonged to.
    pub(crate) fn joined_at(&self, left: u32, right: u32, rules: &dyn NodeRules) -> Result<Option<Timestamp>> {
        let mut links = self.links_around(left).to_vec();
        sort_links(&mut links, rules)?;
        let mut labels = Labels::default();
        for link in &links {
            labels.apply(link, rules)?;
            if labels.root(left) == labels.root(right) {
                return Ok(Some(link.occurred_at));
            }
        }
        Ok(None)
    }

    /// The links that hold among the nodes that evidence joins with this one; a refused link explains nothing.
    pub(crate) fn live_links_around(&self, node: u32, rules: &dyn NodeRules) -> Result<Vec<Link>> {
        let mut links = self.links_around(node).to_vec();
        sort_links(&mut links, rules)?;
        let mut labels = Labels::default();
        let mut live = Vec::with_capacity(links.len());
        for link in links {
            labels.apply(&link, rules)?;
            if labels.root(link.node) == labels.root(link.other) {
                live.push(link);
            }
        }
        Ok(live)
    }

    /// The links of evidence among the nodes that evidence joins with this one.
    fn links_around(&self, node: u32) -> &'a [Link] {
        self.component(node).map_or(&[], |component| component.links.as_slice())
    }

    /// Every refused link, in the order of reason and pair; one for each pair.
    pub(crate) fn violations(&self) -> BTreeSet<Violation> {
        // Only reports read this, and they run on the committed partition.
        let components = self.base.components.values().flat_map(|component| component.labels.violations.iter());
        let hubs = self.base.hubs.values().flat_map(|hub| hub.violations.iter());
        components.chain(hubs).cloned().collect()
    }
}
