//! Profiles compared as they come: in the transaction that changes what linkage compares of a profile, its record and keys in the
//! file are replaced, profiles with a common key are scored with the model of the last run, and likely pairs become suggestions or
//! links as a run would make them.
//!
//! A profile is compared as it stands without any probable link, and only what its own facts touch is looked at. It never outranks
//! an operator, makes no link with a model that is not judged green, and costs nothing where no run has left a model.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;

use crate::engine::live_linkage::LiveLinkage;
use crate::engine::load::may_link;
use crate::engine::people::person::Person;
use crate::engine::snapshot::Snapshot;
use crate::engine::transaction::Transaction;
use crate::error::Result;
use crate::identity::{ButForProbable, PartitionChanges, ProbableView};
use crate::linkage::profiles::ComparedProfile;
use crate::linkage::{
    Anchors, Asked, Band, Candidate, MEMBERS_SCORED, Mean, RecordBytes, Resolver, Texts, Verdict, probability_of,
    rule_of_stored, stored_keys,
};
use crate::records::{ProbableLink, Timestamp};
use crate::store::{KeyNodes, LinkageTables};
use crate::verbs::unify::compared::{compared, standing_for};
use crate::verbs::unify::pairs::{Rows, apply_rows, linkage_of, no_linkage, parts_of, put_pair, replace_pair};

/// Where evidence joins more nodes than this, profiles wait for a run.
pub(crate) const MOST_NODES: usize = 1_000;

/// A profile that may be another one for linkage than before.
struct Anew {
    pub(crate) nodes: Vec<u32>,
    pub(crate) profile: Option<ComparedProfile>,
}

/// One record that is compared with those of the file.
struct Question<'q, 't> {
    resolver: &'q Resolver,
    tables: &'q mut LinkageTables<'t>,
    own: Texts<'q>,
    asked: Asked,
    /// Of each node that was looked at: the weight, and since when its record holds.
    weighed: BTreeMap<u32, Option<(f64, Timestamp)>>,
}

impl Question<'_, '_> {
    fn weigh(&mut self, node: u32) -> Result<Option<(f64, Timestamp)>> {
        if let Some(known) = self.weighed.get(&node) {
            return Ok(*known);
        }
        let (resolver, own, asked) = (self.resolver, &self.own, &self.asked);
        let weighed =
            self.tables.record(node, |since, bytes| Ok((resolver.weight(own, asked, &Texts::read(bytes)?), since)))?;
        self.weighed.insert(node, weighed);
        Ok(weighed)
    }
}

/// Compares the profiles of these nodes, which messages of these sequences have linked anew, and of all others of which
/// the transaction has changed what is compared.
fn compare_again(tx: &mut Transaction<'_>, mut touched: Vec<(u64, u32)>) -> Result<()> {
    let Some(live) = tx.changes.people.live.clone() else { return Ok(()) };
    let catalog = tx.changes.catalog.clone();
    let mut roles = live.roles(catalog.identity().linkage.as_ref().ok_or_else(no_linkage)?);
    touched.extend(tx.rewritten_traits(|name, value| roles.compare_trait(name, value)));
    live.keep_roles(roles);
    touched.extend(tx.changes.people.partition.changed().into_iter().map(|node| (u64::MAX, node)));
    let mut rows = Rows::default();
    compare_nodes(tx, &live, touched, &mut rows)?;
    apply_rows(tx, rows)
}

/// Compares the profiles of these nodes in the order of the messages that touched them.
pub(super) fn compare_nodes(
    tx: &mut Transaction<'_>,
    live: &LiveLinkage,
    mut touched: Vec<(u64, u32)>,
    rows: &mut Rows,
) -> Result<()> {
    if touched.is_empty() {
        return Ok(());
    }
    {
        let snapshot = tx.snapshot();
        if !snapshot.people.partition.holds_nothing() {
            let holders = |(sequence, node): &(u64, u32)| {
                let sequence = *sequence;
                snapshot.people.partition.holders_of(*node).into_iter().map(move |holder| (sequence, holder))
            };
            let holders: Vec<(u64, u32)> = touched.iter().flat_map(holders).collect();
            touched.extend(holders);
        }
    }
    touched.sort_unstable_by_key(|(sequence, node)| (*node, *sequence));
    touched.dedup_by_key(|(_, node)| *node);
    touched.sort_unstable();
    let catalog = tx.changes.catalog.clone();
    let resolver = live.resolver(tx.facts, &catalog)?;
    let anew = profiles_of(tx, live, &touched)?;
    let tables = &mut tx.facts.linkage_tables()?;
    let n_committed = tx.committed().committed_nodes;
    let mut is_joined = Vec::with_capacity(anew.len());
    for Anew { nodes, profile } in &anew {
        let standing = profile.as_ref().map(|profile| profile.node);
        let mut n_gone = 0;
        // A node of this transaction has no record yet.
        for node in nodes.iter().filter(|node| Some(**node) != standing && **node < n_committed) {
            n_gone += usize::from(forget_record(tx, tables, *node, rows)?);
        }
        is_joined.push(n_gone > 0);
    }
    let decided: FxHashSet<u32> = tx.decided.iter().copied().collect();
    for (Anew { nodes, profile }, is_joined) in anew.iter().zip(is_joined) {
        let Some(profile) = profile else { continue };
        let bytes = live.record(profile);
        let before = record_of(tables, profile.node)?;
        let is_same = before.as_ref().is_some_and(|(since, known)| (*since, known) == (profile.since, &bytes));
        if !is_same || is_joined || nodes.iter().any(|node| decided.contains(node)) {
            let before = before.map(|(_, known)| known);
            resolve(tx, live, (resolver, tables), (profile, nodes), &bytes, before, rows)?;
        }
    }
    Ok(())
}

/// The profiles of these nodes as they stand without any probable link, each once.
fn profiles_of(tx: &Transaction<'_>, live: &LiveLinkage, touched: &[(u64, u32)]) -> Result<Vec<Anew>> {
    let snapshot = tx.snapshot();
    let mut roles = live.roles(linkage_of(&snapshot)?);
    let mut but_for_probable = ProfilesBut::new(&snapshot);
    let mut seen: FxHashSet<u32> = FxHashSet::default();
    let mut anew = Vec::new();
    for (_, node) in touched {
        if seen.contains(node) {
            continue;
        }
        let nodes = but_for_probable.nodes_with(tx, *node)?;
        let profile = match &nodes {
            Some(nodes) => {
                let person = Person::new(&snapshot, nodes.clone(), Timestamp::MAX)?;
                compared(&person, &mut roles, Timestamp::MAX)?
            }
            None => None,
        };
        let nodes = nodes.unwrap_or_else(|| vec![*node]);
        seen.extend(nodes.iter().copied());
        anew.push(Anew { nodes, profile });
    }
    live.keep_roles(roles);
    Ok(anew)
}

/// Removes the record, keys and pairs of a node without a profile; returns whether there was one.
fn forget_record(tx: &mut Transaction<'_>, tables: &mut LinkageTables<'_>, node: u32, rows: &mut Rows) -> Result<bool> {
    let Some((_, bytes)) = record_of(tables, node)? else {
        return Ok(false);
    };
    for key in stored_keys(&bytes.texts()?) {
        tables.delete_key(key, node)?;
    }
    tables.delete_record(node)?;
    for link in tx.facts.probable_links_of(node)? {
        replace_pair(tx, link, rows)?;
    }
    Ok(true)
}

/// Finds the likely pairs of a profile, writes them, and replaces its record.
fn resolve(
    tx: &mut Transaction<'_>,
    live: &LiveLinkage,
    (resolver, tables): (&Resolver, &mut LinkageTables<'_>),
    (profile, nodes): (&ComparedProfile, &[u32]),
    bytes: &RecordBytes,
    before: Option<RecordBytes>,
    rows: &mut Rows,
) -> Result<()> {
    let (facts, node, own) = (tx.facts, profile.node, bytes.texts()?);
    let anchors = Anchors::of(&own);
    let mut sizes: BTreeMap<i64, KeyNodes> = BTreeMap::new();
    let mut others = resolver.sharing(&own, |rule, key, most, found| {
        let key = anchors.stored_key(rule, key);
        let size = tables.key_nodes(key, most, found)?;
        sizes.insert(key, size);
        Ok::<bool, crate::Error>(size != KeyNodes::TooMany)
    })?;
    let known = facts.probable_links_of(node)?;
    others.extend(known.iter().map(|link| link.neighbour(node)));
    others.sort_unstable();
    others.dedup();
    let apart = standing_apart_from(tx, nodes)?;
    others.retain(|other| *other != node && !apart.contains(other));
    let asked = resolver.ask(&own);
    let mut question = Question { resolver, tables, own, asked, weighed: BTreeMap::new() };
    let mut weighed = Vec::with_capacity(others.len());
    for other in others {
        weighed.extend(question.weigh(other)?.map(|(weight, _)| (u64::from(other), weight)));
    }
    let mut candidates = resolver.candidates(weighed);
    candidates.retain(|candidate| candidate.band != Band::Reject);
    let joined = match may_link(&tx.changes.catalog) && live.verdict() == Verdict::Green {
        true => joined(tx, node, &apart, &candidates, &mut question)?,
        false => BTreeSet::new(),
    };
    let mut known: BTreeMap<u32, ProbableLink> = known.into_iter().map(|link| (link.neighbour(node), link)).collect();
    for candidate in candidates {
        let other = u32::try_from(candidate.id).unwrap_or(u32::MAX);
        let Some((_, since)) = question.weigh(other)? else { continue };
        let link = ProbableLink {
            number: 0,
            node: node.min(other),
            other: node.max(other),
            occurred_at: profile.since.max(since),
            weight: candidate.weight,
            probability: probability_of(candidate.weight),
            model: live.model(),
            is_link: candidate.band == Band::Auto && joined.contains(&other),
        };
        match known.remove(&other) {
            Some(known) if known.says_the_same(&link) => continue,
            Some(known) => replace_pair(tx, known, rows)?,
            None => {}
        }
        let own = &question.own;
        let explained = question.tables.record(other, |_, bytes| Ok(resolver.explain(own, &Texts::read(bytes)?)))?;
        put_pair(tx, link, explained.map(|explained| parts_of(&explained)).unwrap_or_default(), rows)?;
    }
    for gone in known.into_values() {
        replace_pair(tx, gone, rows)?;
    }
    put_record((resolver, tables), profile, bytes, before, &sizes)
}

/// The records that are one person with the one asked about: those of the groups of probable links in which it is sure of
/// one record and fits them all in the mean as clusters do, the best first, each with those before.
fn joined(
    tx: &Transaction<'_>,
    node: u32,
    apart: &BTreeSet<u32>,
    candidates: &[Candidate],
    question: &mut Question<'_, '_>,
) -> Result<BTreeSet<u32>> {
    let probable = tx.snapshot().people.probable;
    let mut group_of: BTreeMap<u64, u64> = BTreeMap::new();
    let mut groups: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let sure: Vec<Candidate> = candidates.iter().filter(|of| of.band == Band::Auto).copied().collect();
    for candidate in &sure {
        if !group_of.contains_key(&candidate.id) {
            let members = group_with(probable, candidate.id as u32, node);
            group_of.extend(members.iter().map(|member| (*member, candidate.id)));
            groups.insert(candidate.id, members);
        }
    }
    let resolver = question.resolver;
    let group_of = |id: u64| group_of.get(&id).copied().unwrap_or(id);
    let members_of = |group: u64| groups.get(&group).map_or(&[][..], Vec::as_slice);
    let weight_of = |id: u64| Ok::<_, crate::Error>(question.weigh(id as u32)?.map(|(weight, _)| weight));
    let found = resolver.groups(&sure, group_of, members_of, weight_of)?;
    let mut joined: BTreeSet<u32> = BTreeSet::new();
    let mut apart = apart.clone();
    for group in found.into_iter().filter(|group| resolver.is_cluster(group.weight)) {
        let members: BTreeSet<u32> = members_of(group.group).iter().map(|id| *id as u32).collect();
        if !apart.is_disjoint(&members) || !fits(&joined, &members, question)? {
            continue;
        }
        if tx.changes.people.decisions.keep_some_apart() {
            for member in &members {
                apart.extend(standing_apart_from(tx, &nodes_behind(tx, *member)?)?);
            }
        }
        joined.extend(members);
    }
    Ok(joined)
}

/// Whether the record asked about together with those that it has joined fits a further group in the mean.
fn fits(joined: &BTreeSet<u32>, group: &BTreeSet<u32>, question: &mut Question<'_, '_>) -> Result<bool> {
    if joined.is_empty() {
        return Ok(true);
    }
    let (mut mean, mut others) = (Mean::default(), Vec::new());
    for node in group.iter().take(MEMBERS_SCORED) {
        question.weigh(*node)?.into_iter().for_each(|(weight, _)| mean.add(weight));
        others.extend(record_of(question.tables, *node)?.map(|(_, bytes)| bytes));
    }
    for node in joined.iter().take(MEMBERS_SCORED) {
        let Some((_, bytes)) = record_of(question.tables, *node)? else { continue };
        let own = bytes.texts()?;
        let asked = question.resolver.ask(&own);
        for other in &others {
            mean.add(question.resolver.weight(&own, &asked, &other.texts()?));
        }
    }
    Ok(mean.of().is_some_and(|mean| question.resolver.is_cluster(mean)))
}

/// The nodes that stand for the profiles which operators keep apart from one of these nodes.
fn standing_apart_from(tx: &Transaction<'_>, nodes: &[u32]) -> Result<BTreeSet<u32>> {
    let mut standing = BTreeSet::new();
    for other in nodes.iter().flat_map(|node| tx.changes.people.decisions.apart_from(*node)) {
        let nodes = nodes_behind(tx, other)?;
        standing.extend(standing_for(&tx.snapshot(), &nodes));
    }
    Ok(standing)
}

/// The nodes of the profile that a node stands for; the node alone where that is not clear at once.
fn nodes_behind(tx: &Transaction<'_>, node: u32) -> Result<Vec<u32>> {
    let snapshot = tx.snapshot();
    let nodes = ProfilesBut::new(&snapshot).nodes_with(tx, node)?;
    Ok(nodes.unwrap_or_else(|| vec![node]))
}

/// The partition without probable links, a few profiles at a time.
struct ProfilesBut<'s> {
    without: Snapshot<'s>,
    probable: ProbableView<'s>,
    /// The partition without the links of the components that were asked for, where only a replay decides.
    replayed: Option<PartitionChanges>,
    is_replayed: FxHashSet<u32>,
}

impl<'s> ProfilesBut<'s> {
    fn new(snapshot: &Snapshot<'s>) -> ProfilesBut<'s> {
        let without = snapshot.without_probable();
        ProfilesBut { without, probable: snapshot.people.probable, replayed: None, is_replayed: FxHashSet::default() }
    }

    /// The nodes of the profile of a node, in order; `None` where they are too many.
    fn nodes_with(&mut self, tx: &Transaction<'_>, node: u32) -> Result<Option<Vec<u32>>> {
        match self.without.people.partition.nodes_but_for_probable(node, MOST_NODES, &self.without) {
            ButForProbable::Nodes(nodes) => Ok(Some(nodes)),
            ButForProbable::TooMany => Ok(None),
            ButForProbable::Unclear => {
                let base = tx.committed_partition();
                let replayed = self.replayed.get_or_insert_with(|| tx.changes.people.partition.clone());
                if !self.is_replayed.contains(&node) {
                    let component = self.without.people.partition.component_nodes(node);
                    self.is_replayed.extend(component.iter().copied());
                    let links = component.iter().flat_map(|node| self.probable.of_node(*node));
                    let pairs: Vec<(u32, u32)> = links.map(ProbableLink::pair).collect();
                    replayed.decide(base, &pairs, &self.without)?;
                }
                Ok(Some(replayed.view(base).nodes_of(node)))
            }
        }
    }
}

/// Puts a record in the place of the one before; of its keys, only what differs. `sizes`: how many others each of its keys has.
fn put_record(
    (resolver, tables): (&Resolver, &mut LinkageTables<'_>),
    profile: &ComparedProfile,
    bytes: &RecordBytes,
    before: Option<RecordBytes>,
    sizes: &BTreeMap<i64, KeyNodes>,
) -> Result<()> {
    let before = before.map_or(Ok(Vec::new()), |before| Ok::<_, crate::Error>(stored_keys(&before.texts()?)))?;
    for key in before.iter().filter(|key| !sizes.contains_key(key)) {
        tables.delete_key(*key, profile.node)?;
    }
    for (key, size) in sizes.iter().filter(|(key, _)| before.binary_search(key).is_err()) {
        match size {
            KeyNodes::TooMany => {}
            KeyNodes::Some(n) if *n >= resolver.most(rule_of_stored(*key)) => tables.close_key(*key)?,
            KeyNodes::Some(_) => tables.add_key(*key, profile.node)?,
        }
    }
    tables.put_record(profile.node, profile.since, &bytes.0)
}

/// The record of a node, and since when it holds.
pub(super) fn record_of(tables: &mut LinkageTables<'_>, node: u32) -> Result<Option<(Timestamp, RecordBytes)>> {
    tables.record(node, |since, bytes| Ok((since, RecordBytes(bytes.to_vec()))))
}

/// The records that probable links join with one, but for the links of `without`; in order.
fn group_with(probable: ProbableView<'_>, start: u32, without: u32) -> Vec<u64> {
    let mut members: BTreeSet<u32> = BTreeSet::from([start]);
    let mut rest = vec![start];
    while let Some(node) = rest.pop() {
        for other in probable.of_node(node).map(|link| link.neighbour(node)) {
            if other != without && members.insert(other) {
                rest.push(other);
            }
        }
    }
    members.into_iter().map(u64::from).collect()
}

/// Applies the links of a transaction to the partition and compares the profiles that they change.
pub(crate) fn unify(tx: &mut Transaction<'_>) -> Result<()> {
    let newly_linked = tx.apply_links()?;
    // A run of linkage has compared all profiles.
    if tx.is_compared { Ok(()) } else { compare_again(tx, newly_linked) }
}
