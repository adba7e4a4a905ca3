//! Why two identifiers belong to one person, or why they do not: paths of evidence, step by step.

use std::collections::BTreeSet;

use crate::engine::handle::Cdp;
use crate::engine::load::stored_json;
use crate::engine::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::identity::{Link, NodeRules, PathStep, decision_number, evidence_paths, probable_number};
use crate::records::{Identifier, Timestamp, Value};

/// How many further ways `explain_link` shows.
const SHOWN_ALTERNATIVES: usize = 5;

/// Two identifiers as nodes, of which the store may not know one yet.
pub(crate) struct Pair {
    pub(crate) a: Identifier,
    pub(crate) b: Identifier,
}

impl Pair {
    pub(crate) fn read(a: &Value, b: &Value) -> Result<Pair> {
        Ok(Pair { a: Identifier::from_value(a)?, b: Identifier::from_value(b)? })
    }

    pub(crate) fn known(&self, snapshot: &Snapshot<'_>) -> Result<[Option<u32>; 2]> {
        Ok([snapshot.node_of(&self.a)?, snapshot.node_of(&self.b)?])
    }
}

impl Cdp {
    /// Why two identifiers belong to one person, or why they do not.
    ///
    /// `{linked, path, weakest, alternatives, refused}`: `path` is the shortest path of evidence as steps `{from, to,
    /// message_id, source, rule, class, occurred_at, messages}`, `weakest` its step with the fewest messages behind it,
    /// `alternatives` up to five further paths of which no two share a link. If they are not linked, `refused` is the
    /// shortest path over all evidence, with a `reason` at each step that does not count; it is empty if nothing joins
    /// them at all. Cost grows with the number of links around them.
    pub fn explain_link(&self, a: &Value, b: &Value) -> Result<Value> {
        let pair = Pair::read(a, b)?;
        self.read(|snapshot| {
            let [Some(from), Some(to)] = pair.known(snapshot)? else {
                return Ok(explanation(Vec::new(), Vec::new(), false));
            };
            let now = self.now();
            if !are_linked(snapshot, from, to, now)? {
                let mut refused = Vec::new();
                for step in snapshot.people.partition.path_of_any_evidence(from, to, snapshot) {
                    refused.push(Value::object([
                        ("from", snapshot.identifier(step.from)),
                        ("to", snapshot.identifier(step.to)),
                        ("reason", step.reason.map_or(Value::Null, Value::Text)),
                    ]));
                }
                return Ok(explanation(Vec::new(), refused, false));
            }
            let mut paths = Vec::new();
            for path in paths_between(snapshot, from, to, now, 1 + SHOWN_ALTERNATIVES)? {
                paths.push(steps_of(snapshot, &path)?);
            }
            Ok(explanation(paths, Vec::new(), true))
        })
    }
}

fn explanation(paths: Vec<Vec<Value>>, refused: Vec<Value>, linked: bool) -> Value {
    let mut paths = paths.into_iter();
    let path = paths.next().unwrap_or_default();
    let support = |step: &Value| step.get("messages").and_then(Value::as_number);
    let weakest = path.iter().min_by_key(|step| support(step)).cloned().unwrap_or_default();
    Value::object([
        ("linked", Value::Bool(linked)),
        ("path", Value::List(path)),
        ("weakest", weakest),
        ("alternatives", Value::List(paths.map(Value::List).collect())),
        ("refused", Value::List(refused)),
    ])
}

/// Whether two nodes belong to one person; a value that belongs to whoever was linked last does so at `now`.
pub(super) fn are_linked(snapshot: &Snapshot<'_>, from: u32, to: u32, now: Timestamp) -> Result<bool> {
    let [from, to] = [
        snapshot.people.partition.holder_at(from, now, snapshot)?,
        snapshot.people.partition.holder_at(to, now, snapshot)?,
    ];
    Ok(snapshot.people.partition.members(from).contains(&to))
}

pub(super) fn paths_between(
    snapshot: &Snapshot<'_>,
    from: u32,
    to: u32,
    now: Timestamp,
    n: usize,
) -> Result<Vec<Vec<PathStep>>> {
    let person = snapshot.people.partition.holder_at(from, now, snapshot)?;
    let nodes = snapshot.people.partition.nodes_of(person);
    let held = snapshot.people.partition.links_of_held_at(&nodes, now, snapshot)?;
    let profile: BTreeSet<u32> = nodes.iter().copied().chain(held.iter().map(|link| link.other)).collect();
    let mut links: Vec<Link> = snapshot.people.partition.live_links_around(person, snapshot)?;
    links.extend(held);
    Ok(evidence_paths(&links, &profile, from, to, n))
}

pub(super) fn steps_of(snapshot: &Snapshot<'_>, path: &[PathStep]) -> Result<Vec<Value>> {
    let mut steps = Vec::with_capacity(path.len());
    for PathStep { from, to, link } in path {
        let is_of_no_message = decision_number(link.sequence).or_else(|| probable_number(link.sequence)).is_some();
        let (message_id, source, messages) = match is_of_no_message {
            true => (Value::Null, Value::Null, 0),
            false => {
                let message = snapshot.facts.message(link.sequence, &snapshot.memory)?;
                let evidence = snapshot.evidence(&[*from, *to])?;
                let says = |found: &&Link| {
                    found.rule.class() == "exact" && [(*from, *to), (*to, *from)].contains(&(found.node, found.other))
                };
                let source = Value::from(snapshot.memory.name(message.source));
                (Value::Text(message.message_id), source, evidence.iter().filter(says).count())
            }
        };
        let mut step = vec![
            ("from", snapshot.identifier(*from)),
            ("to", snapshot.identifier(*to)),
            ("message_id", message_id),
            ("source", source),
            ("decision", decision_number(link.sequence).map_or(Value::Null, |number| Value::count(number as usize))),
            ("rule", Value::from(link.rule.as_str())),
            ("class", Value::from(link.rule.class())),
            ("occurred_at", Value::Text(link.occurred_at.to_string())),
            ("messages", Value::count(messages)),
        ];
        if let Some(number) = probable_number(link.sequence) {
            step.extend(why_probable(snapshot, number)?);
        }
        steps.push(Value::Object(step.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
    }
    Ok(steps)
}

/// What a probable step of a path rests on: the model, and the parts of its weight, which add up to it.
fn why_probable(snapshot: &Snapshot<'_>, number: u64) -> Result<Vec<(&'static str, Value)>> {
    let Some(link) = snapshot.people.probable.get(number) else { return Ok(Vec::new()) };
    let parts = snapshot.facts.probable_link_parts(number)?;
    let parts = parts.ok_or_else(|| Error::internal("a probable link is not in the file"))?;
    Ok(vec![
        ("model_version", Value::integer(link.model)),
        ("weight", Value::float(link.weight)),
        ("probability", Value::float(link.probability)),
        ("parts", stored_json(&parts)?),
    ])
}
