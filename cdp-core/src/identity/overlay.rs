//! Changes of the partition by one transaction: applies links and lists the profiles that have changed.
//!
//! Links are kept by *evidence component*: the nodes that any link joins, live or refused. Within a component, links
//! are applied greedily in the order of (event time, ordinal, message id); a link later than all others is applied at
//! once, otherwise the component is replayed. Only the limits of one value (the hub guard) decide before that which
//! links count at all.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::component::{Component, Repeat, parts, verdict_between};
use super::hub::{Hub, HubEffect, HubKey};
use super::labels::Verdict;
use super::limits::Side;
use super::links::{KeptLink, Link, pair};
use super::node_rules::{NodeRules, sort_links};
use super::partition::{NO_COMPONENT, Partition, PartitionChanges, PartitionView};
use super::spans::held_end;
use crate::error::Result;
use crate::records::LinkRule;

/// The changed nodes of a profile up to this size are recorded at once.
const FEW_NODES: usize = 16;

impl PartitionChanges {
    /// Applies the links of a transaction, given in log order. `reidentified` has the nodes that an identify message
    /// names earlier than before.
    pub(crate) fn add(
        &mut self,
        base: &Partition,
        links: &[Link],
        reidentified: &BTreeSet<u32>,
        rules: &dyn NodeRules,
    ) -> Result<()> {
        let mut to_replay = FxHashSet::default();
        for star in links.chunk_by(|left, right| left.sequence == right.sequence) {
            if let [link] = star {
                self.add_link(base, link, rules, &mut to_replay)?;
                continue;
            }
            let view = self.view(base);
            if star.iter().all(|link| view.repeats(link) == Repeat::Later) {
                continue;
            }
            let mut star: SmallVec<[Link; 8]> = SmallVec::from_slice(star);
            star.sort_by(|left, right| rules.compare_ranks(left.other, right.other));
            for link in &star {
                self.add_link(base, link, rules, &mut to_replay)?;
            }
        }
        for node in reidentified {
            let view = self.view(base);
            let Some(id) = view.component_id(*node) else { continue };
            if view.component(id).is_some_and(|component| component.has_alias_of(*node)) {
                to_replay.insert(id);
            }
        }
        self.replay(base, to_replay, rules)?;
        self.record_grown(base);
        Ok(())
    }

    fn add_link(
        &mut self,
        base: &Partition,
        link: &Link,
        rules: &dyn NodeRules,
        to_replay: &mut FxHashSet<u32>,
    ) -> Result<()> {
        if self.view(base).repeats(link) == Repeat::Later {
            return Ok(());
        }
        if link.rule != LinkRule::Operator && rules.decisions().is_cut(link.pair()) {
            return Ok(());
        }
        if rules.types().have_latest_link_wins()
            && let Some((value, holder)) = held_end(link, rules)
        {
            // A model does not decide which profile such a value belongs to.
            if link.rule != LinkRule::Probable {
                self.hold(base, link, value, holder);
            }
            return Ok(());
        }
        let mut waited = false;
        if link.is_guarded() {
            if !self.pass_hubs(base, link, rules, to_replay)? {
                return Ok(());
            }
            // Once live, the link is the earliest of its pair; the later ones, which the guard kept out, are in the
            // store.
            waited = self.view(base).is_parked(link.pair());
            if waited {
                self.parked.insert(link.pair(), false);
                self.mark_incomplete(base, link);
            }
        }
        if self.view(base).repeats(link) == Repeat::Tied {
            self.tie(base, link, rules, to_replay);
            return Ok(());
        }
        self.join(base, link, waited, rules, to_replay)
    }

    /// Applies changed operator decisions about these pairs, or the removal of probable links between them: splits the
    /// components of both ends and applies their evidence again, in order.
    pub(crate) fn decide(&mut self, base: &Partition, pairs: &[(u32, u32)], rules: &dyn NodeRules) -> Result<()> {
        let ends: BTreeSet<u32> = pairs.iter().flat_map(|(node, other)| [*node, *other]).collect();
        let mut apart: FxHashSet<u32> = ends.iter().copied().collect();
        for end in &ends {
            let Some(id) = self.view(base).component_id(*end) else { continue };
            for node in self.take_component(base, id).nodes {
                self.set_component_of(base, node, NO_COMPONENT);
                apart.insert(node);
            }
            self.merges.remove(&id);
        }
        // Cut evidence counts at no guard: the guards of both ends count again, and links that were kept out may pass.
        let hubs: Vec<HubKey> =
            base.hubs.keys().chain(self.hubs.keys()).filter(|(value, _)| ends.contains(value)).copied().collect();
        self.hubs.extend(hubs.into_iter().map(|key| (key, Hub::default())));
        let waiting: Vec<(u32, u32)> = base
            .parked
            .iter()
            .chain(self.parked.keys())
            .filter(|(left, right)| ends.contains(left) || ends.contains(right))
            .copied()
            .collect();
        let mut nodes: Vec<u32> = apart.iter().copied().collect();
        for pair in waiting {
            self.parked.insert(pair, false);
            nodes.extend([pair.0, pair.1]);
        }
        for end in &ends {
            nodes.extend(self.release(base, *end));
        }
        nodes.sort_unstable();
        nodes.dedup();
        let mut links = rules.evidence(&nodes)?;
        links.retain(|link| apart.contains(&link.node) || apart.contains(&link.other));
        sort_links(&mut links, rules)?;
        // Nodes that are joined again were together before: that is no merge.
        let merges = std::mem::take(&mut self.merges);
        self.add(base, &links, &BTreeSet::new(), rules)?;
        self.merges = merges;
        self.changed.extend(apart);
        Ok(())
    }

    /// Removes probable links, given by their pairs, and adds new ones. Profiles that these join count as merged,
    /// unless they were one profile before.
    pub(crate) fn relink(
        &mut self,
        base: &Partition,
        gone: &[(u32, u32)],
        new: &[Link],
        rules: &dyn NodeRules,
    ) -> Result<()> {
        let view = self.view(base);
        let ends = gone.iter().flat_map(|(node, other)| [*node, *other]);
        let nodes: Vec<u32> = ends.flat_map(|end| view.component_nodes(end).to_vec()).collect();
        if !gone.is_empty() {
            self.decide(base, gone, rules)?;
        }
        self.add(base, new, &BTreeSet::new(), rules)?;
        let parts: BTreeSet<u32> = nodes.iter().filter_map(|node| self.view(base).component_id(*node)).collect();
        parts.into_iter().for_each(|id| self.count_merges(base, id, rules));
        Ok(())
    }

    /// Counts the merges of a component: profiles of the last commit that are one profile now.
    fn count_merges(&mut self, base: &Partition, id: u32, rules: &dyn NodeRules) {
        let Some(component) = self.view(base).component(id) else { return };
        let merges = match component.labels() {
            Some(labels) => labels.profiles().map(|nodes| merges_since_commit(base, nodes, rules)).sum(),
            None => merges_since_commit(base, &component.nodes, rules),
        };
        self.merges.insert(id, merges);
    }

    /// Records that another message repeats a link at the same instant.
    fn tie(&mut self, base: &Partition, link: &Link, rules: &dyn NodeRules, to_replay: &mut FxHashSet<u32>) {
        let view = self.view(base);
        let Some(id) = view.component_id(link.node) else { return };
        let Some(component) = view.component(id) else { return };
        let is_known = component.earliest(link.pair(), link.rule).is_some_and(KeptLink::is_tied);
        if component.depends_on_order(rules) {
            to_replay.insert(id);
        }
        if !is_known && let Some(component) = self.component_mut(base, id) {
            component.keep(link);
        }
    }

    fn mark_incomplete(&mut self, base: &Partition, link: &Link) {
        for node in [link.node, link.other] {
            if let Some(id) = self.view(base).component_id(node)
                && let Some(component) = self.component_mut(base, id)
            {
                component.mark_incomplete();
            }
        }
    }

    fn join(
        &mut self,
        base: &Partition,
        link: &Link,
        must_replay: bool,
        rules: &dyn NodeRules,
        to_replay: &mut FxHashSet<u32>,
    ) -> Result<()> {
        let view = self.view(base);
        let ids = [link.node, link.other].map(|node| view.component_id(node));
        let [left, right] = ids.map(|id| id.and_then(|id| view.component(id)));
        let components = || left.into_iter().chain(right);
        let in_order = !must_replay
            && ids.iter().flatten().all(|id| !to_replay.contains(id))
            && components().all(|component| component.is_next(link));
        let mut verdict = None;
        let mut merges = 0;
        if in_order {
            let left_side = left.map_or(Side::Alone(link.node), |component| component.side(link.node));
            let right_side = right.map_or(Side::Alone(link.other), |component| component.side(link.other));
            let [left_id, right_id] = ids;
            let found = match left.filter(|_| left_id == right_id) {
                Some(component) => component.verdict(link, rules)?,
                None => verdict_between(link, [&left_side, &right_side], rules)?,
            };
            if found == Verdict::Joins {
                merges = merges_of(link, left_side.nodes(), right_side.nodes(), rules);
            }
            verdict = Some(found);
        }
        let needs_details =
            components().any(|component| component.labels().is_some()) || matches!(verdict, Some(Verdict::Refused(_)));
        let id = self.unite(base, link, ids, needs_details, rules, to_replay);
        if merges > 0 {
            *self.merges.entry(id).or_default() += merges;
        }
        let Some(component) = self.component_mut(base, id) else { return Ok(()) };
        match verdict {
            None => {
                component.keep(link);
                to_replay.insert(id);
            }
            Some(verdict) => {
                component.apply(link, verdict, rules);
                if verdict == Verdict::Joins {
                    self.has_grown(base, id, link.node);
                }
            }
        }
        Ok(())
    }

    /// Brings both ends of a link into one component, the smaller into the larger. Returns its number.
    fn unite(
        &mut self,
        base: &Partition,
        link: &Link,
        ids: [Option<u32>; 2],
        needs_details: bool,
        rules: &dyn NodeRules,
        to_replay: &mut FxHashSet<u32>,
    ) -> u32 {
        let (id, absorbed) = match ids {
            [Some(left), Some(right)] if left == right => (left, None),
            [Some(left), Some(right)] => {
                let size = |id| self.view(base).component(id).map_or(0, |component| component.nodes.len());
                if size(left) >= size(right) { (left, Some(right)) } else { (right, Some(left)) }
            }
            [Some(id), None] | [None, Some(id)] => (id, None),
            [None, None] => (self.new_component(base), None),
        };
        let absorbed = absorbed.map(|absorbed_id| {
            let mut absorbed = self.take_component(base, absorbed_id);
            if needs_details {
                absorbed.create_details(rules);
            }
            for node in &absorbed.nodes {
                self.set_component_of(base, *node, id);
            }
            if to_replay.remove(&absorbed_id) {
                to_replay.insert(id);
            }
            if let Some(merges) = self.merges.remove(&absorbed_id) {
                *self.merges.entry(id).or_default() += merges;
            }
            absorbed
        });
        for (node, of) in [link.node, link.other].into_iter().zip(ids) {
            if of.is_none() {
                self.set_component_of(base, node, id);
            }
        }
        if let Some(component) = self.component_mut(base, id) {
            if needs_details {
                component.create_details(rules);
            }
            let fresh = [link.node, link.other].into_iter().zip(ids).filter(|(_, of)| of.is_none());
            component.nodes.extend(fresh.map(|(node, _)| node));
            if let Some(absorbed) = absorbed {
                component.take_in(absorbed);
            }
        }
        id
    }

    fn set_component_of(&mut self, base: &Partition, node: u32, id: u32) {
        let n_base = base.component_of.len();
        let Some(place) = (node as usize).checked_sub(n_base) else {
            self.component_of.insert(node, id);
            return;
        };
        while self.component_of_new.len() <= place {
            self.component_of_new.push(NO_COMPONENT);
        }
        if let Some(of) = self.component_of_new.get_mut(place) {
            *of = id;
        }
    }

    /// The number of a new, empty component.
    fn new_component(&mut self, base: &Partition) -> u32 {
        if let Some(id) = self.freed.pop() {
            return id;
        }
        if let Some(id) = base.free.iter().rev().nth(self.n_taken) {
            self.n_taken += 1;
            return *id;
        }
        let id = base.components.len() + self.components_new.len();
        self.components_new.push(Component::default());
        id as u32
    }

    fn component_mut(&mut self, base: &Partition, id: u32) -> Option<&mut Component> {
        if let Some(place) = (id as usize).checked_sub(base.components.len()) {
            return self.components_new.get_mut(place);
        }
        let copy = || base.components.get(id as usize).cloned().unwrap_or_default();
        Some(self.components.entry(id).or_insert_with(copy))
    }

    fn take_component(&mut self, base: &Partition, id: u32) -> Component {
        self.freed.push(id);
        if let Some(place) = (id as usize).checked_sub(base.components.len()) {
            return self.components_new.get_mut(place).map(std::mem::take).unwrap_or_default();
        }
        let changed = self.components.insert(id, Component::default());
        changed.or_else(|| base.components.get(id as usize).cloned()).unwrap_or_default()
    }

    /// Counts a link at the hub guards of both ends independently, and parks the pairs that it displaces. Returns
    /// whether each end counts the other among its live neighbours; if not, the pair is parked.
    fn pass_hubs(
        &mut self,
        base: &Partition,
        link: &Link,
        rules: &dyn NodeRules,
        to_replay: &mut FxHashSet<u32>,
    ) -> Result<bool> {
        let ends = [(link.node, link.other), (link.other, link.node)];
        let mut passes = true;
        for (value, neighbour) in ends {
            match self.count_at_hub(base, value, neighbour, link, rules)? {
                HubEffect::KeptOut => passes = false,
                HubEffect::Enters { displaced: Some(gone) } => self.park(base, pair(value, gone), rules, to_replay)?,
                HubEffect::Live | HubEffect::Enters { displaced: None } => {}
            }
        }
        if !passes && !self.view(base).is_parked(link.pair()) {
            // The end that counts the other as live needs a hub, since no component has the link.
            for (value, neighbour) in ends {
                self.open_hub(base, value, neighbour, rules)?;
                self.count_at_hub(base, value, neighbour, link, rules)?;
            }
            self.parked.insert(link.pair(), true);
        }
        Ok(passes)
    }

    fn count_at_hub(
        &mut self,
        base: &Partition,
        value: u32,
        neighbour: u32,
        link: &Link,
        rules: &dyn NodeRules,
    ) -> Result<HubEffect> {
        let view = self.view(base);
        let types = rules.types();
        let Some((class, limit)) = types.rule(rules.type_of(value)).hub_guard(rules.type_of(neighbour)) else {
            return Ok(HubEffect::Live);
        };
        if limit == 0 {
            return Ok(HubEffect::KeptOut);
        }
        let key = (value, class);
        if view.hub(key).is_none() {
            let component = view.component_id(value).and_then(|id| view.component(id));
            let Some(component) = component.filter(|component| component.neighbours_at_most(value) >= limit as usize)
            else {
                return Ok(HubEffect::Live);
            };
            let neighbours: FxHashSet<u32> =
                neighbours_of(component.links(), key, rules).map(|(neighbour, _)| neighbour).collect();
            if neighbours.contains(&neighbour) || neighbours.len() < limit as usize {
                return Ok(HubEffect::Live);
            }
            self.open_hub(base, value, neighbour, rules)?;
        }
        let Some(hub) = self.view(base).hub(key) else { return Ok(HubEffect::Live) };
        let counted = hub.judge(neighbour, limit, link, rules)?;
        if let HubEffect::Enters { displaced } = counted {
            let hub = self.hubs.entry(key).or_insert_with(|| base.hubs.get(&key).cloned().unwrap_or_default());
            hub.enter(neighbour, (link.occurred_at, link.sequence), displaced, rules)?;
        }
        Ok(counted)
    }

    /// Creates the hub of a value that counts this neighbour, unless it exists or the value has no guard.
    fn open_hub(&mut self, base: &Partition, value: u32, neighbour: u32, rules: &dyn NodeRules) -> Result<()> {
        let view = self.view(base);
        let guard = rules.types().rule(rules.type_of(value)).hub_guard(rules.type_of(neighbour));
        let Some(key) = guard.map(|(class, _)| (value, class)).filter(|key| view.hub(*key).is_none()) else {
            return Ok(());
        };
        let mut live: Vec<Link> = Vec::new();
        let component = view.component_id(value).and_then(|id| view.component(id));
        let links = component.map_or(&[][..], Component::links);
        let mut tied = Vec::new();
        for (neighbour, kept) in neighbours_of(links, key, rules) {
            live.push(kept.link());
            if kept.is_tied() {
                tied.extend([value, neighbour]);
            }
        }
        if !tied.is_empty() {
            // At one instant the message id decides which link is the earliest of its pair.
            tied.sort_unstable();
            tied.dedup();
            let known: FxHashSet<(u32, u32)> = live.iter().map(Link::pair).collect();
            let further = rules.evidence(&tied)?;
            live.extend(further.into_iter().filter(|link| link.is_guarded() && known.contains(&link.pair())));
        }
        let mut hub = Hub::default();
        for link in &live {
            let neighbour = if link.node == value { link.other } else { link.node };
            hub.meet(neighbour, (link.occurred_at, link.sequence), rules)?;
        }
        self.hubs.insert(key, hub);
        Ok(())
    }

    /// Removes the links of a pair that a guard counts from its component, which may fall apart.
    fn park(
        &mut self,
        base: &Partition,
        pair: (u32, u32),
        rules: &dyn NodeRules,
        to_replay: &mut FxHashSet<u32>,
    ) -> Result<()> {
        self.open_hub(base, pair.0, pair.1, rules)?;
        self.open_hub(base, pair.1, pair.0, rules)?;
        self.parked.insert(pair, true);
        let view = self.view(base);
        let Some(id) = view.component_id(pair.0) else { return Ok(()) };
        if view.component(id).is_none_or(|component| component.earliest(pair, LinkRule::SameMessage).is_none()) {
            return Ok(());
        }
        let (nodes, links) = self.take_component(base, id).without(pair);
        to_replay.remove(&id);
        self.merges.remove(&id);
        self.changed.extend(nodes.iter().copied());
        let (parts, alone) = parts(&nodes, &links);
        for node in alone {
            self.set_component_of(base, node, NO_COMPONENT);
        }
        for part in parts {
            let id = self.new_component(base);
            for node in &part.nodes {
                self.set_component_of(base, *node, id);
            }
            if let Some(place) = self.component_mut(base, id) {
                *place = part;
            }
            to_replay.insert(id);
        }
        Ok(())
    }

    fn replay(&mut self, base: &Partition, to_replay: FxHashSet<u32>, rules: &dyn NodeRules) -> Result<()> {
        let mut uncertain: Vec<u32> = Vec::new();
        for id in &to_replay {
            let Some(component) = self.component_mut(base, *id) else { continue };
            if !component.replay(rules)? {
                uncertain.push(*id);
            }
        }
        self.replay_evidence(base, &uncertain, rules)?;
        for id in to_replay {
            let Some(component) = self.view(base).component(id) else { continue };
            let nodes = component.nodes.clone();
            self.changed.extend(nodes);
            self.count_merges(base, id, rules);
        }
        Ok(())
    }

    /// Replays components for which their earliest links do not suffice, with all evidence of the store.
    fn replay_evidence(&mut self, base: &Partition, ids: &[u32], rules: &dyn NodeRules) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let view = self.view(base);
        let nodes: Vec<u32> = ids
            .iter()
            .filter_map(|id| view.component(*id))
            .flat_map(|component| component.nodes.iter().copied())
            .collect();
        let mut evidence: FxHashMap<u32, Vec<Link>> = ids.iter().map(|id| (*id, Vec::new())).collect();
        for link in rules.evidence(&nodes)? {
            let id = view.component_id(link.node).filter(|_| view.counts(&link));
            if let Some(links) = id.and_then(|id| evidence.get_mut(&id)) {
                links.push(link);
            }
        }
        for (id, links) in evidence {
            if let Some(component) = self.component_mut(base, id) {
                component.replay_all(links, rules)?;
            }
        }
        Ok(())
    }

    fn has_grown(&mut self, base: &Partition, id: u32, node: u32) {
        let members = match self.components_new.get((id as usize).wrapping_sub(base.components.len())) {
            Some(component) => component.members(node),
            None => self.components.get(&id).map_or(&[][..], |component| component.members(node)),
        };
        if members.len() <= FEW_NODES {
            self.changed.extend_from_slice(members);
        } else {
            self.grown.push(node);
        }
    }

    /// Larger profiles are recorded once, not with each node that they gain.
    fn record_grown(&mut self, base: &Partition) {
        let mut grown = std::mem::take(&mut self.grown);
        grown.sort_unstable();
        grown.dedup();
        let mut roots = FxHashSet::default();
        for node in grown {
            let view = self.view(base);
            if roots.insert(view.profile_of(node)) {
                let members = view.nodes_of(node);
                self.changed.extend(members);
            }
        }
    }

    /// The nodes whose profile has changed, by number.
    pub(crate) fn changed(&self) -> Vec<u32> {
        let mut changed = self.changed.clone();
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// The number of earlier profiles that were joined into another.
    pub(crate) fn merges(&self) -> u64 {
        self.merges.values().sum()
    }
}

impl PartitionView<'_> {
    /// The changes that other decisions or probable links about these pairs would make; `rules` has the hypothetical
    /// state.
    pub(crate) fn deciding(&self, pairs: &[(u32, u32)], rules: &dyn NodeRules) -> Result<PartitionChanges> {
        let mut overlay = self.base.changes();
        overlay.decide(self.base, pairs, rules)?;
        Ok(overlay)
    }
}

/// The neighbours of a hub's value that its guard counts, each with a link to it.
fn neighbours_of<'l>(
    links: &'l [KeptLink],
    (value, class): HubKey,
    rules: &'l dyn NodeRules,
) -> impl Iterator<Item = (u32, KeptLink)> + 'l {
    let rule = rules.types().rule(rules.type_of(value));
    let touching = links.iter().filter(move |link| link.is_guarded() && link.touches(value));
    let neighbours = touching.map(move |link| (link.neighbour(value), *link));
    neighbours.filter(move |(neighbour, _)| {
        rule.hub_guard(rules.type_of(*neighbour)).is_some_and(|(of_class, _)| of_class == class)
    })
}

/// The number of merges by a link, 0 or 1: it is a merge if both sides had a message before this one, else it attaches
/// a new identifier. The star of a message joins one identifier after the other to its node, so the other side is
/// `other` and the nodes joined with it.
fn merges_of(link: &Link, left: &[u32], right: &[u32], rules: &dyn NodeRules) -> u64 {
    // A probable link belongs to no message: a profile that is new in this transaction did not exist before.
    let last_before = match link.rule {
        LinkRule::Probable => rules.committed_sequence(),
        _ => link.sequence.saturating_sub(1),
    };
    let existed =
        |nodes: &[u32]| nodes.iter().any(|node| rules.first_sequence(*node).is_some_and(|first| first <= last_before));
    u64::from(existed(left) && existed(right))
}

/// The number of profiles of the last commit that these nodes come from, minus one.
fn merges_since_commit(base: &Partition, nodes: &[u32], rules: &dyn NodeRules) -> u64 {
    let existed = |node: &&u32| rules.first_sequence(**node).is_some_and(|first| first <= rules.committed_sequence());
    let mut profiles: SmallVec<[u32; 8]> =
        nodes.iter().filter(existed).map(|node| base.view().profile_of(*node)).collect();
    profiles.sort_unstable();
    profiles.dedup();
    (profiles.len() as u64).saturating_sub(1)
}
