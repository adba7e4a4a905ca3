//! What operators say about who is who: two identifiers merged, cut apart or kept apart, each explained, tried out before
//! it is done, and undone by the next decision. It takes two identifiers and leaves a decision; it never touches a message.

use std::collections::BTreeSet;

use super::Cdp;
use super::interruption::Never;
use super::snapshot::Snapshot;
use super::unify::Identifier;
use super::write::Writing;
use crate::definitions::Role;
use crate::error::{Error, Result};
use crate::identity::{
    self, Link, NodeRules, PathStep, decision_number, declared_type, evidence_paths, probable_number,
};
use crate::records::{Decision, DecisionType, Timestamp, Value};

/// How many further ways `explain_link` shows.
const SHOWN_ALTERNATIVES: usize = 5;

/// What goes with a decision of an operator.
#[derive(Clone, Debug, Default)]
pub struct DecisionOptions {
    /// From when on a merge holds, and which of several decisions about a pair comes last; `None` is now.
    pub timestamp: Option<Timestamp>,
    /// Why, for whoever reads the decisions later.
    pub reason: Option<String>,
    /// Change nothing, only tell what would.
    pub dry_run: bool,
}

/// A decision about two nodes that is yet to be written.
pub(super) struct Decided {
    pub(super) kind: DecisionType,
    pub(super) occurred_at: Timestamp,
    pub(super) reason: Option<String>,
    pub(super) dry_run: bool,
}

/// Two identifiers as nodes, of which the store may not know one yet.
struct Pair {
    a: Identifier,
    b: Identifier,
}

impl Pair {
    fn read(a: &Value, b: &Value) -> Result<Pair> {
        Ok(Pair { a: Identifier::from_value(a)?, b: Identifier::from_value(b)? })
    }

    fn known(&self, snapshot: &Snapshot<'_>) -> Result<[Option<u32>; 2]> {
        Ok([snapshot.node_of(&self.a)?, snapshot.node_of(&self.b)?])
    }
}

impl Cdp {
    /// Makes two identifiers one person from `timestamp` on, whatever the limits say; only [`Cdp::separate`] outranks it.
    ///
    /// Gives `{decision, type, linked, before, after, path}`: the number of the decision (null in a dry run), whether they
    /// are one person now, and the profiles `{profile_id, ids}` of both before and after. [`Cdp::unlink`] of the same two
    /// identifiers takes it back exactly. Of several decisions about one pair the one with the latest timestamp holds.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::DecisionOptions, records::Value};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// for user in ["u1", "u2"] {
    ///     db.send(&Value::object([("type", "track".into()), ("event", "Visited".into()), ("userId", user.into())]))?;
    /// }
    /// let (a, b) = (Value::object([("user_id", "u1".into())]), Value::object([("user_id", "u2".into())]));
    /// let merged = db.merge(&a, &b, &DecisionOptions::default())?;
    /// assert_eq!(merged.get("linked"), Some(&Value::Bool(true)));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn merge(&self, a: &Value, b: &Value, options: &DecisionOptions) -> Result<Value> {
        self.decide_about(DecisionType::Merge, a, b, options)
    }

    /// Cuts the direct evidence between two identifiers, past and future, and takes a merge of the two back. Where another
    /// path still joins them, `linked` stays true and `path` shows it. The same result as [`Cdp::merge`].
    pub fn unlink(&self, a: &Value, b: &Value, options: &DecisionOptions) -> Result<Value> {
        self.decide_about(DecisionType::Unlink, a, b, options)
    }

    /// Keeps two people apart whatever the path between them: a link that would join them is refused, the earliest ones
    /// first let in. The same result as [`Cdp::merge`].
    pub fn separate(&self, a: &Value, b: &Value, options: &DecisionOptions) -> Result<Value> {
        self.decide_about(DecisionType::Separate, a, b, options)
    }

    fn decide_about(&self, kind: DecisionType, a: &Value, b: &Value, options: &DecisionOptions) -> Result<Value> {
        let pair = Pair::read(a, b)?;
        let occurred_at = options.timestamp.unwrap_or_else(|| self.now());
        let what = Decided { kind, occurred_at, reason: options.reason.clone(), dry_run: options.dry_run };
        self.write_or_try_out(&Never, options.dry_run, |writing| {
            let nodes = [writing.node_named(&pair.a)?, writing.node_named(&pair.b)?];
            check_pair(nodes)?;
            writing.decide_between(nodes, what)
        })
    }

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
                for step in snapshot.partition.path_of_any_evidence(from, to, snapshot) {
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

fn check_pair([node, other]: [u32; 2]) -> Result<()> {
    if node != other {
        return Ok(());
    }
    Err(Error::invalid("both identifiers are the same")
        .with_hint("give two different identifiers of the people you mean"))
}

impl Writing<'_> {
    /// Decides about two nodes and tells what became of their people; in a dry run the decision has no number.
    pub(super) fn decide_between(&mut self, [node, other]: [u32; 2], decided: Decided) -> Result<Value> {
        let Decided { kind, occurred_at, reason, dry_run } = decided;
        let before = profiles_of(&self.snapshot(), &[node, other])?;
        let number = self.meta.decision_sequence + 1;
        self.decide(Decision { number, kind, node, other, occurred_at }, reason)?;
        // What is told is what holds once those whom it concerns are compared anew.
        self.derive()?;
        outcome(&self.snapshot(), kind, (!dry_run).then_some(number), [node, other], before)
    }

    /// The node that a caller names, entered if it is new: a decision may precede the evidence that it speaks of.
    fn node_named(&mut self, named: &Identifier) -> Result<u32> {
        if let Some(node) = self.snapshot().node_of(named)? {
            return Ok(node);
        }
        let Identifier { identifier_type, value } = named;
        if identifier_type == "profile_id" {
            return Err(Error::not_found("no profile has this profile_id").with_hint("give an identifier instead"));
        }
        let declared = declared_type(self.catalog.identity(), identifier_type);
        if declared.role == Role::Account {
            return Err(Error::invalid(format!("`{identifier_type}` names an account, not a person"))
                .with_hint("accounts link people and never merge them"));
        }
        match identity::normalize(&declared, std::borrow::Cow::Borrowed(value)) {
            Some(value) => self.node(identifier_type, &value),
            None => {
                Err(Error::invalid(format!("the value of `{identifier_type}` is a placeholder: it identifies nobody")))
            }
        }
    }
}

fn outcome(
    snapshot: &Snapshot<'_>,
    kind: DecisionType,
    number: Option<u64>,
    [node, other]: [u32; 2],
    before: Vec<Value>,
) -> Result<Value> {
    let linked = are_linked(snapshot, node, other, Timestamp::MAX)?;
    let path = match linked && kind != DecisionType::Merge {
        true => paths_between(snapshot, node, other, Timestamp::MAX, 1)?.into_iter().next(),
        false => None,
    };
    let path = steps_of(snapshot, &path.unwrap_or_default())?;
    Ok(Value::object([
        ("decision", number.map_or(Value::Null, |number| Value::count(number as usize))),
        ("type", Value::from(kind.as_str())),
        ("linked", Value::Bool(linked)),
        ("before", Value::List(before)),
        ("after", Value::List(profiles_of(snapshot, &[node, other])?)),
        ("path", Value::List(path)),
    ]))
}

/// The profiles of these nodes, each once: `{profile_id, ids}`. One that no message belongs to is none.
fn profiles_of(snapshot: &Snapshot<'_>, nodes: &[u32]) -> Result<Vec<Value>> {
    let (mut profiles, mut seen) = (Vec::new(), BTreeSet::new());
    for node in nodes {
        let node = snapshot.partition.holder_at(*node, Timestamp::MAX, snapshot)?;
        if !seen.insert(snapshot.partition.profile_of(node)) {
            continue;
        }
        let Some(person) = snapshot.person(node, Timestamp::MAX)? else { continue };
        profiles.push(Value::object([
            ("profile_id", Value::Text(person.profile_id())),
            ("ids", person.ids_value(Timestamp::MAX)),
        ]));
    }
    Ok(profiles)
}

/// Whether two nodes belong to one person; a value that belongs to whoever was linked last does so at `now`.
fn are_linked(snapshot: &Snapshot<'_>, from: u32, to: u32, now: Timestamp) -> Result<bool> {
    let [from, to] =
        [snapshot.partition.holder_at(from, now, snapshot)?, snapshot.partition.holder_at(to, now, snapshot)?];
    Ok(snapshot.partition.members(from).contains(&to))
}

fn paths_between(snapshot: &Snapshot<'_>, from: u32, to: u32, now: Timestamp, n: usize) -> Result<Vec<Vec<PathStep>>> {
    let person = snapshot.partition.holder_at(from, now, snapshot)?;
    let nodes = snapshot.partition.nodes_of(person);
    let held = snapshot.partition.links_of_held_at(&nodes, now, snapshot)?;
    let profile: BTreeSet<u32> = nodes.iter().copied().chain(held.iter().map(|link| link.other)).collect();
    let mut links: Vec<Link> = snapshot.partition.live_links_around(person, snapshot)?;
    links.extend(held);
    Ok(evidence_paths(&links, &profile, from, to, n))
}

fn steps_of(snapshot: &Snapshot<'_>, path: &[PathStep]) -> Result<Vec<Value>> {
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
            step.extend(snapshot.why_probable(number)?);
        }
        steps.push(Value::Object(step.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
    }
    Ok(steps)
}

impl Snapshot<'_> {
    /// A node as callers name it: `{type: value}`.
    pub(super) fn identifier(&self, node: u32) -> Value {
        let (identifier_type, value) = self.memory.node(node);
        Value::object([(identifier_type, Value::from(value))])
    }
}
