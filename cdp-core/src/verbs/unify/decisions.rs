//! Decisions of operators about identity: two identifiers merged, cut apart or kept apart, with a dry run, and
//! undone by the next decision. It takes two identifiers and leaves a decision; it never touches a message.

use std::collections::{BTreeMap, BTreeSet};

use crate::definitions::Role;
use crate::engine::handle::Cdp;
use crate::engine::snapshot::Snapshot;
use crate::engine::transaction::Transaction;
use crate::error::{Error, Result};
use crate::identity;
use crate::identity::declared_type;
use crate::records::answer::answer;
use crate::records::options::options;
use crate::records::{Decision, DecisionType, Identifier, IntoIdentifier, Timestamp};
use crate::stop::Never;
use crate::verbs::unify::explain::{EvidenceStep, Pair, are_linked, paths_between, steps_of};

options! {
    /// What goes with a decision of an operator.
    pub struct DecisionOptions {
        /// The instant from which a merge holds; of several decisions about a pair the latest counts. Now without it.
        timestamp: optional Timestamp,
        /// The reason, kept with the decision.
        reason: optional String,
        /// Change nothing, and report what would change.
        dry_run: flag,
    }
}

answer! {
    /// A decision of an operator about two identifiers, and its effect.
    pub struct OperatorDecision {
        /// The number of the decision; `None` in a dry run.
        decision: Option<u64>,
        /// `merge`, `unlink` or `separate`.
        decision_type as "type": &'static str,
        /// Whether the two identifiers belong to one person now.
        linked: bool,
        /// The profiles of both before the decision.
        before: Vec<ProfileIds>,
        /// The profiles of both after it.
        after: Vec<ProfileIds>,
        /// The evidence that still joins the two after an `unlink` or a `separate`.
        path: Vec<EvidenceStep>,
    }
}

answer! {
    /// A profile by its identifiers.
    pub struct ProfileIds {
        /// The profile id.
        profile_id: String,
        /// The identifiers by type.
        ids: BTreeMap<String, Vec<String>>,
    }
}

/// A decision about two nodes that is yet to be written.
pub(super) struct Decided {
    pub(crate) kind: DecisionType,
    pub(crate) occurred_at: Timestamp,
    pub(crate) reason: Option<String>,
    pub(crate) dry_run: bool,
}

impl Cdp {
    /// Makes two identifiers one person from `timestamp` on, whatever the limits say.
    ///
    /// [`Cdp::unlink`] of the same two identifiers takes it back exactly. Of several decisions about one pair the one with
    /// the latest timestamp holds.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::DecisionOptions, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// for user in ["u1", "u2"] {
    ///     db.send(Track::new("Visited").user_id(user))?;
    /// }
    /// let merged = db.merge(("user_id", "u1"), ("user_id", "u2"), &DecisionOptions::new())?;
    /// assert!(merged.linked);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn merge(
        &self,
        a: impl IntoIdentifier,
        b: impl IntoIdentifier,
        options: &DecisionOptions,
    ) -> Result<OperatorDecision> {
        self.decide_about(DecisionType::Merge, Pair::read(a, b)?, options)
    }

    /// Cuts the direct evidence between two identifiers, past and future, and takes a merge of the two back. Where another
    /// path still joins them, `linked` stays true and `path` shows it. The same result as [`Cdp::merge`].
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::DecisionOptions, records::Identify};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.identify(Identify::user("u1").anonymous_id("browser-1"))?;
    /// let (user, browser) = (("user_id", "u1"), ("anonymous_id", "browser-1"));
    /// assert!(!db.unlink(user, browser, &DecisionOptions::new().reason("a shared computer"))?.linked);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn unlink(
        &self,
        a: impl IntoIdentifier,
        b: impl IntoIdentifier,
        options: &DecisionOptions,
    ) -> Result<OperatorDecision> {
        self.decide_about(DecisionType::Unlink, Pair::read(a, b)?, options)
    }

    /// Keeps two people apart whatever the path between them: a link that would join them is refused, the earliest ones
    /// first let in. The same result as [`Cdp::merge`].
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::DecisionOptions, records::Identify};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.identify(Identify::user("u1").anonymous_id("browser-1"))?;
    /// let decision = db.separate(("user_id", "u1"), ("anonymous_id", "browser-1"), &DecisionOptions::new().dry_run(true))?;
    /// assert_eq!((decision.linked, decision.decision), (false, None));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn separate(
        &self,
        a: impl IntoIdentifier,
        b: impl IntoIdentifier,
        options: &DecisionOptions,
    ) -> Result<OperatorDecision> {
        self.decide_about(DecisionType::Separate, Pair::read(a, b)?, options)
    }

    fn decide_about(&self, kind: DecisionType, pair: Pair, options: &DecisionOptions) -> Result<OperatorDecision> {
        let occurred_at = options.timestamp.unwrap_or_else(|| self.now());
        let what = Decided { kind, occurred_at, reason: options.reason.clone(), dry_run: options.dry_run };
        self.write_or_try_out(&Never, options.dry_run, |tx| {
            let nodes = [node_named(tx, &pair.a)?, node_named(tx, &pair.b)?];
            check_pair(nodes)?;
            decide_between(tx, nodes, what)
        })
    }
}

fn check_pair([node, other]: [u32; 2]) -> Result<()> {
    if node != other {
        return Ok(());
    }
    Err(Error::invalid("both identifiers are the same")
        .with_hint("give two different identifiers of the people you mean"))
}

/// Decides about two nodes and returns the effect on their profiles; in a dry run the decision has no number.
pub(super) fn decide_between(
    tx: &mut Transaction<'_>,
    [node, other]: [u32; 2],
    decided: Decided,
) -> Result<OperatorDecision> {
    let Decided { kind, occurred_at, reason, dry_run } = decided;
    let before = profiles_of(&tx.snapshot(), &[node, other])?;
    let number = tx.meta.decision_sequence + 1;
    tx.decide(Decision { number, kind, node, other, occurred_at }, reason)?;
    // The answer is read after live comparison has seen the changed profiles.
    tx.derive()?;
    outcome(&tx.snapshot(), kind, (!dry_run).then_some(number), [node, other], before)
}

/// The node that a caller names, entered if it is new: a decision may precede the evidence that it speaks of.
fn node_named(tx: &mut Transaction<'_>, named: &Identifier) -> Result<u32> {
    if let Some(node) = tx.snapshot().node_of(named)? {
        return Ok(node);
    }
    let Identifier { identifier_type, value } = named;
    if identifier_type == "profile_id" {
        return Err(Error::not_found("no profile has this profile_id").with_hint("give an identifier instead"));
    }
    let declared = declared_type(tx.changes.catalog.identity(), identifier_type);
    if declared.role == Role::Account {
        return Err(Error::invalid(format!("`{identifier_type}` names an account, not a person"))
            .with_hint("accounts link people and never merge them"));
    }
    match identity::normalize(&declared, std::borrow::Cow::Borrowed(value)) {
        Some(value) => tx.node(identifier_type, &value),
        None => Err(Error::invalid(format!("the value of `{identifier_type}` is a placeholder: it identifies nobody"))),
    }
}

fn outcome(
    snapshot: &Snapshot<'_>,
    kind: DecisionType,
    number: Option<u64>,
    [node, other]: [u32; 2],
    before: Vec<ProfileIds>,
) -> Result<OperatorDecision> {
    let linked = are_linked(snapshot, node, other, Timestamp::MAX)?;
    let path = match linked && kind != DecisionType::Merge {
        true => paths_between(snapshot, node, other, Timestamp::MAX, 1)?.into_iter().next(),
        false => None,
    };
    let path = steps_of(snapshot, &path.unwrap_or_default())?;
    let after = profiles_of(snapshot, &[node, other])?;
    Ok(OperatorDecision { decision: number, decision_type: kind.as_str(), linked, before, after, path })
}

/// The profiles of these nodes, each once: `{profile_id, ids}`. One that no message belongs to is none.
fn profiles_of(snapshot: &Snapshot<'_>, nodes: &[u32]) -> Result<Vec<ProfileIds>> {
    let (mut profiles, mut seen) = (Vec::new(), BTreeSet::new());
    for node in nodes {
        let node = snapshot.people.partition.holder_at(*node, Timestamp::MAX, snapshot)?;
        if !seen.insert(snapshot.people.partition.profile_of(node)) {
            continue;
        }
        let Some(person) = snapshot.person(node, Timestamp::MAX)? else { continue };
        profiles.push(ProfileIds { profile_id: person.profile_id(), ids: person.owned_ids(Timestamp::MAX) });
    }
    Ok(profiles)
}
