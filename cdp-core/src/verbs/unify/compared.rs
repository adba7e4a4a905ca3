//! Known profiles as records that linkage compares: one for each, of the traits and identifiers that identify a person.
//!
//! It takes people as they stand without any probable link, so that a run never compares what an earlier run has joined, and
//! leaves rows in the order of their first nodes. It never looks at events.

use std::collections::{BTreeMap, HashMap};

use crate::definitions::{ColumnRole, ComparedValue, OnConflict, ProfileLinkage, Role};
use crate::engine::handle::Cdp;
use crate::engine::people::person::Person;
use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::identity::declared_type;
use crate::linkage::profiles::{ComparedProfile, ComparedProfiles, Roles};
use crate::records::{Timestamp, Value};
use crate::verbs::unify::pairs::linkage_of;

/// The known profiles as they stand without any probable link, after every fact and decision.
pub(super) fn compared_profiles(snapshot: &Snapshot<'_>, linkage: &ProfileLinkage) -> Result<ComparedProfiles> {
    let without = snapshot.without_probable();
    let overlay = snapshot.people.partition.deciding(&snapshot.people.probable.pairs(), &without)?;
    let apart = without.with_partition(snapshot.people.partition.with(&overlay));
    gather_profiles(&apart, linkage)
}

/// The node that stands for a profile in a link: the strongest that joins people, by priority, type and value.
pub(super) fn standing_for(snapshot: &Snapshot<'_>, nodes: &[u32]) -> Option<u32> {
    let joins = |node: &u32| {
        let declared = declared_type(snapshot.catalog.identity(), snapshot.memory.node(*node).0);
        declared.on_conflict != OnConflict::LatestLinkWins
    };
    let rank = |node: &u32| (snapshot.type_rule(*node).priority, snapshot.memory.node(*node));
    nodes.iter().copied().filter(joins).min_by_key(rank)
}

fn gather_profiles(snapshot: &Snapshot<'_>, linkage: &ProfileLinkage) -> Result<ComparedProfiles> {
    // A merge of now holds later than the latest fact.
    let at = Timestamp::MAX;
    let mut roles = Roles::of(linkage);
    let mut rows = Vec::new();
    for nodes in snapshot.profiles_at(at).iter() {
        let person = Person::new(snapshot, nodes.to_vec(), at)?;
        if let Some(profile) = compared(&person, &mut roles, at)? {
            rows.push((person.order(), profile, person.nodes.clone()));
        }
    }
    rows.sort_by_key(|(order, ..)| *order);
    let (mut profiles, mut row_of) = (Vec::with_capacity(rows.len()), HashMap::new());
    for (row, (_, profile, members)) in (0u32..).zip(rows) {
        row_of.extend(members.into_iter().map(|node| (node, row)));
        profiles.push(profile);
    }
    let rows_of = |(node, other): (u32, u32)| Some((*row_of.get(&node)?, *row_of.get(&other)?));
    let mut apart: Vec<(u32, u32)> = snapshot
        .people
        .decisions
        .pairs_apart()
        .filter_map(rows_of)
        .filter(|(left, right)| left != right)
        .map(|(left, right)| (left.min(right), left.max(right)))
        .collect();
    apart.sort_unstable();
    apart.dedup();
    let columns = roles.found.into_iter().filter_map(|(value, role)| Some((value, role?))).collect();
    let (sequence, decision_sequence) = (snapshot.memory.sequence(), snapshot.facts.meta()?.decision_sequence);
    Ok(ComparedProfiles { profiles, columns, apart, sequence, decision_sequence, row_of })
}

/// The compared values of a person at an instant; `None` for an anonymous person or one without such values.
pub(crate) fn compared(person: &Person<'_>, roles: &mut Roles<'_>, at: Timestamp) -> Result<Option<ComparedProfile>> {
    if !person.exists_at(at)? || !person.is_known(at) {
        return Ok(None);
    }
    let mut found: Vec<(ComparedValue, ColumnRole, String, Option<Timestamp>)> = Vec::new();
    for node in person.nodes_named_by(at) {
        let (identifier_type, text) = person.snapshot.memory.node(node);
        let value = ComparedValue::Identifier(identifier_type.to_owned());
        // A login differs between any two profiles: it says nothing about whether they are one person.
        if person.snapshot.type_rule(node).role == Role::Contact || roles.is_given(&value) {
            let named_at = person.snapshot.memory.firsts(node).named_at();
            found.extend(roles.role(&value).map(|role| (value, role, text.to_owned(), named_at)));
        }
    }
    for (name, value) in person.traits(at)? {
        let since = person.trait_since(&name, at)?;
        let mut compare = |path: String, value: &Value| {
            let compared = ComparedValue::Trait(path);
            if let (Some(role), Some(text)) = (roles.role(&compared), text_of(value)) {
                found.push((compared, role, text, since));
            }
        };
        match &value {
            Value::Object(parts) => parts.iter().for_each(|(part, value)| compare(format!("{name}.{part}"), value)),
            value => compare(name, value),
        }
    }
    let is_identifier = |value: &ComparedValue| matches!(value, ComparedValue::Identifier(_));
    // Of several values of one role the first counts: what the definition names, then identifiers, then traits. The
    // sort is stable, so that of several identifiers of one type the one named first counts.
    found.sort_by(|(left, ..), (right, ..)| {
        let rank = |value: &ComparedValue| (!roles.is_given(value), !is_identifier(value));
        rank(left).cmp(&rank(right)).then_with(|| left.cmp(right))
    });
    let mut values = BTreeMap::new();
    let mut since = None;
    for (value, role, text, of) in found {
        let has_several = matches!(role, ColumnRole::Category | ColumnRole::Text);
        values.entry((role, has_several.then_some(value))).or_insert_with(|| {
            since = since.max(of);
            text
        });
    }
    let Some((since, node)) = since.zip(standing_for(person.snapshot, &person.nodes)) else { return Ok(None) };
    let named_at = person.snapshot.memory.firsts(node).named_at();
    Ok(Some(ComparedProfile { node, since: since.max(named_at.unwrap_or(since)), values }))
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl Cdp {
    /// The profiles that linkage compares, its definition, and at which state of the definitions.
    pub(crate) fn compared(&self) -> Result<(ComparedProfiles, ProfileLinkage, i64)> {
        self.read_at_length(|snapshot| {
            let linkage = linkage_of(snapshot)?.clone();
            let compared = compared_profiles(snapshot, &linkage)?;
            Ok((compared, linkage, snapshot.facts.meta()?.definitions))
        })
    }
}
