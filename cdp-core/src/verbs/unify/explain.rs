//! Why two identifiers belong to one person, or why they do not: paths of evidence, step by step.

use std::collections::BTreeSet;

use crate::engine::handle::Cdp;
use crate::engine::load::stored_json;
use crate::engine::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::identity::{Link, NodeRules, PathStep, decision_number, evidence_paths, probable_number};
use crate::records::answer::{Field, answer, answer_by_hand};
use crate::records::{Identifier, IntoIdentifier, Object, Timestamp, Value};

/// How many further ways `explain_link` shows.
const SHOWN_ALTERNATIVES: usize = 5;

/// Two identifiers as nodes, of which the store may not know one yet.
pub(crate) struct Pair {
    pub(crate) a: Identifier,
    pub(crate) b: Identifier,
}

impl Pair {
    pub(crate) fn read(a: impl IntoIdentifier, b: impl IntoIdentifier) -> Result<Pair> {
        Ok(Pair { a: a.into_identifier()?, b: b.into_identifier()? })
    }

    pub(crate) fn known(&self, snapshot: &Snapshot<'_>) -> Result<[Option<u32>; 2]> {
        Ok([snapshot.node_of(&self.a)?, snapshot.node_of(&self.b)?])
    }
}

answer! {
    /// Why two identifiers belong to one person, or why they do not.
    pub struct LinkExplanation {
        /// Whether they belong to one person.
        linked: bool,
        /// The shortest path of evidence between them.
        path: Vec<EvidenceStep>,
        /// The step of the path with the fewest messages behind it.
        weakest: Option<EvidenceStep>,
        /// Up to five further paths; no two share a link.
        alternatives: Vec<Vec<EvidenceStep>>,
        /// If they are not linked: the shortest path over all evidence, empty if no evidence joins them at all.
        refused: Vec<RefusedStep>,
    }
}

answer! {
    /// A step of a path over all evidence.
    pub struct RefusedStep {
        /// The identifier at the start of the step, `{type: value}`.
        from: Value,
        /// The identifier at its end.
        to: Value,
        /// Why the evidence does not count; `None` where it does.
        reason: Option<String>,
    }
}

/// Evidence that joins two identifiers: a message, a decision of an operator, or a probable link.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct EvidenceStep {
    /// The identifier at the start of the step, `{type: value}`.
    pub from: Value,
    /// The identifier at its end.
    pub to: Value,
    /// The message that linked the two first.
    pub message_id: Option<String>,
    /// The source of that message.
    pub source: Option<String>,
    /// The number of the decision that links them.
    pub decision: Option<u64>,
    /// The rule of the link, such as `shared_message`.
    pub rule: &'static str,
    /// `exact`, `probable` or `operator`.
    pub class: &'static str,
    /// When the link was made.
    pub occurred_at: Timestamp,
    /// The number of messages that say it.
    pub messages: u64,
    /// The model behind a probable link.
    pub probable: Option<ProbableEvidence>,
}

answer! {
    /// The model behind a probable link; the parts of the weight add up to it.
    pub struct ProbableEvidence {
        /// The version of the model.
        model_version: u32,
        /// The weight of the pair: the sum of its parts.
        weight: f64,
        /// The probability that the pair is one person.
        probability: f64,
        /// The parts of the weight by column.
        parts: Value,
    }
}

/// The fields of a probable link stand beside the others.
impl Field for EvidenceStep {
    fn into_value(self) -> Value {
        let mut fields = Object::from([
            ("from".to_owned(), self.from),
            ("to".to_owned(), self.to),
            ("message_id".to_owned(), self.message_id.into_value()),
            ("source".to_owned(), self.source.into_value()),
            ("decision".to_owned(), self.decision.into_value()),
            ("rule".to_owned(), Value::from(self.rule)),
            ("class".to_owned(), Value::from(self.class)),
            ("occurred_at".to_owned(), self.occurred_at.into_value()),
            ("messages".to_owned(), self.messages.into_value()),
        ]);
        fields.extend(self.probable.and_then(|probable| Value::from(probable).into_object()).into_iter().flatten());
        Value::Object(fields)
    }

    fn write_shape(&self, out: &mut String) {
        out.push_str("EvidenceStep");
    }
}

answer_by_hand!(EvidenceStep);

/// Shows the kind of evidence, never the identifiers.
impl std::fmt::Debug for EvidenceStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EvidenceStep({} by {})", self.class, self.rule)
    }
}

impl Cdp {
    /// Why two identifiers belong to one person, or why they do not.
    ///
    /// Cost grows with the number of links around them.
    ///
    /// # Errors
    /// `invalid` for an identifier type that is not declared.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::Identify};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.send(Identify::user("u1").id("email", "ann@example.com"))?;
    /// let explanation = db.explain_link(("user_id", "u1"), ("email", "ann@example.com"))?;
    /// assert!(explanation.linked);
    /// assert_eq!(explanation.path[0].class, "exact");
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn explain_link(&self, a: impl IntoIdentifier, b: impl IntoIdentifier) -> Result<LinkExplanation> {
        let pair = Pair::read(a, b)?;
        self.read(|snapshot| {
            let [Some(from), Some(to)] = pair.known(snapshot)? else {
                return Ok(explanation(Vec::new(), Vec::new(), false));
            };
            let now = self.now();
            if !are_linked(snapshot, from, to, now)? {
                let path = snapshot.people.partition.path_of_any_evidence(from, to, snapshot).into_iter();
                let refused = path.map(|step| RefusedStep {
                    from: snapshot.identifier(step.from),
                    to: snapshot.identifier(step.to),
                    reason: step.reason,
                });
                return Ok(explanation(Vec::new(), refused.collect(), false));
            }
            let mut paths = Vec::new();
            for path in paths_between(snapshot, from, to, now, 1 + SHOWN_ALTERNATIVES)? {
                paths.push(steps_of(snapshot, &path)?);
            }
            Ok(explanation(paths, Vec::new(), true))
        })
    }
}

fn explanation(paths: Vec<Vec<EvidenceStep>>, refused: Vec<RefusedStep>, linked: bool) -> LinkExplanation {
    let mut paths = paths.into_iter();
    let path = paths.next().unwrap_or_default();
    let weakest = path.iter().min_by_key(|step| step.messages).cloned();
    LinkExplanation { linked, path, weakest, alternatives: paths.collect(), refused }
}

/// Whether two nodes belong to one person; a `latest_link_wins` value belongs to its holder at `now`.
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

pub(super) fn steps_of(snapshot: &Snapshot<'_>, path: &[PathStep]) -> Result<Vec<EvidenceStep>> {
    let mut steps = Vec::with_capacity(path.len());
    for PathStep { from, to, link } in path {
        let decision = decision_number(link.sequence);
        let probable = probable_number(link.sequence);
        let (message_id, source, messages) = if decision.or(probable).is_some() {
            (None, None, 0)
        } else {
            let message = snapshot.facts.message(link.sequence, &snapshot.memory)?;
            let evidence = snapshot.evidence(&[*from, *to])?;
            let is_of_pair = |found: &&Link| {
                found.rule.class() == "exact" && [(*from, *to), (*to, *from)].contains(&(found.node, found.other))
            };
            let source = snapshot.memory.name(message.source).to_owned();
            (Some(message.message_id), Some(source), evidence.iter().filter(is_of_pair).count() as u64)
        };
        steps.push(EvidenceStep {
            from: snapshot.identifier(*from),
            to: snapshot.identifier(*to),
            message_id,
            source,
            decision,
            rule: link.rule.as_str(),
            class: link.rule.class(),
            occurred_at: link.occurred_at,
            messages,
            probable: probable.map(|number| probable_evidence(snapshot, number)).transpose()?.flatten(),
        });
    }
    Ok(steps)
}

/// The model behind a probable step of a path.
fn probable_evidence(snapshot: &Snapshot<'_>, number: u64) -> Result<Option<ProbableEvidence>> {
    let Some(link) = snapshot.people.probable.get(number) else { return Ok(None) };
    let parts = snapshot.facts.probable_link_parts(number)?;
    let parts = parts.ok_or_else(|| Error::internal("a probable link is not in the file"))?;
    let (weight, probability) = (link.weight, link.probability);
    Ok(Some(ProbableEvidence { model_version: link.model, weight, probability, parts: stored_json(&parts)? }))
}
