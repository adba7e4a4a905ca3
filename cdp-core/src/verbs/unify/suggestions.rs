//! Likely pairs of profiles for a person to look at, what was decided about them, and why a model found them likely.
//!
//! It takes the pairs that linkage found and leaves decisions of operators. It never changes what was found.

use crate::engine::handle::Cdp;
use crate::engine::people::query::PageOptions;
use crate::engine::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::linkage::{Evaluation, Labels, Scores};
use crate::records::answer::answer;
use crate::records::options::options;
use crate::records::{Cells, DecisionType, Frame, ProbableLink, Timestamp, Value};
use crate::stop::Never;
use crate::store::hex;
use crate::verbs::unify::decisions::{Decided, OperatorDecision, decide_between};
use crate::verbs::unify::link::link_rows;

options! {
    /// What goes with a review of a suggestion by [`Cdp::review_link`].
    pub struct ReviewOptions {
        /// The reason, kept with the decision.
        reason: optional String,
        /// Change nothing, and report what would change.
        dry_run: flag,
    }
}

answer! {
    /// How well a run of linkage agrees with labels.
    pub struct LinkEvaluation {
        /// The number of compared profiles.
        records: usize,
        /// The number of labels about two of them.
        labels: usize,
        /// The verdict on the model: `green`, `yellow` or `red`.
        verdict: &'static str,
        /// The number of labelled pairs that are one person.
        true_pairs: u64,
        /// The share of them that blocking keeps for comparison.
        kept_recall: f64,
        /// Scores of the pairs within clusters.
        clusters: LinkScores,
        /// B-cubed scores of the clusters.
        b_cubed: LinkScores,
        /// The threshold with the best F1.
        best: ThresholdScores,
        /// Scores by threshold.
        thresholds: Vec<ThresholdScores>,
    }
}

answer! {
    /// Precision, recall and their harmonic mean, from 0 to 1.
    pub struct LinkScores {
        /// The share of found pairs that are right.
        precision: f64,
        /// The share of right pairs that are found.
        recall: f64,
        /// The harmonic mean of both.
        f1: f64,
    }
}

answer! {
    /// Scores of all pairs from a threshold on.
    pub struct ThresholdScores {
        /// The least weight of a pair.
        threshold: f64,
        /// The share of found pairs that are right.
        precision: f64,
        /// The share of right pairs that are found.
        recall: f64,
        /// The harmonic mean of both.
        f1: f64,
    }
}

/// The name of a pair for the outside: the same after every run, whichever node has the smaller number.
fn suggestion_of(snapshot: &Snapshot<'_>, link: &ProbableLink) -> String {
    let mut ends = [snapshot.node_hash(link.node), snapshot.node_hash(link.other)];
    ends.sort_unstable();
    let mut hasher = blake3::Hasher::new_keyed(snapshot.salt);
    ends.iter().for_each(|end| {
        hasher.update(end.as_bytes());
    });
    hex(hasher.finalize().as_bytes().first_chunk::<16>().map_or(&[], |bytes| bytes.as_slice()))
}

/// Whether a pair of profiles is neither decided nor joined.
fn is_open(snapshot: &Snapshot<'_>, link: &ProbableLink) -> bool {
    let [one, other] = [link.node, link.other].map(|node| snapshot.people.partition.members(node));
    let is_decided = || snapshot.people.decisions.between(link.node, link.other).is_some();
    let is_separated = || {
        let apart = one.iter().flat_map(|node| snapshot.people.decisions.separated_from(*node));
        !snapshot.people.decisions.has_no_separations() && apart.into_iter().any(|node| other.contains(node))
    };
    !one.contains(&link.other) && !is_decided() && !is_separated()
}

impl Cdp {
    /// The pairs of profiles that [`Cdp::link`] or a later message found likely and about which nothing is decided, the
    /// likeliest first: `suggestion, weight, probability, model_version`, and of both profiles `a_profile_id, a_ids,
    /// b_profile_id, b_ids` (identifiers as JSON text).
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::PageOptions};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// assert_eq!(db.link_suggestions(&PageOptions::new().limit(20usize))?.n_rows(), 0);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn link_suggestions(&self, page: &PageOptions) -> Result<Frame> {
        let limit = page.limit;
        let after = page.after.as_deref().map(read_cursor).transpose()?;
        self.read_at_length(|snapshot| {
            let mut open = snapshot.facts.probable_links()?;
            open.retain(|link| is_open(snapshot, link));
            let names = |link: &ProbableLink| [snapshot.memory.node(link.node), snapshot.memory.node(link.other)];
            open.sort_by(|left, right| {
                right.weight.total_cmp(&left.weight).then_with(|| names(left).cmp(&names(right)))
            });
            if let Some((weight, suggestion)) = after {
                let place = open.iter().position(|link| suggestion_of(snapshot, link) == suggestion);
                // What was shown last may be decided by now: then the page begins behind its weight.
                let start = place.map_or_else(|| open.partition_point(|link| link.weight >= weight), |place| place + 1);
                open.drain(..start.min(open.len()));
            }
            let limit = limit.unwrap_or(usize::MAX);
            let more = open.len() > limit;
            open.truncate(limit);
            let next =
                open.last().filter(|_| more).map(|link| write_cursor(link.weight, &suggestion_of(snapshot, link)));
            let mut frame = suggestions_frame(snapshot, &open)?;
            frame.next = next;
            Ok(frame)
        })
    }

    /// Decides about a suggestion: accepted, both profiles are one person as by [`Cdp::merge`]; rejected, they are kept
    /// apart as by [`Cdp::separate`], whatever later runs find. The opposite review or [`Cdp::unlink`] takes it back. Gives
    /// what [`Cdp::merge`] gives. Fails with `NotFound` for a suggestion that no run made.
    pub fn review_link(&self, suggestion: &str, accept: bool, options: &ReviewOptions) -> Result<OperatorDecision> {
        let kind = if accept { DecisionType::Merge } else { DecisionType::Separate };
        let occurred_at = self.now();
        let what = Decided { kind, occurred_at, reason: options.reason.clone(), dry_run: options.dry_run };
        self.write_or_try_out(&Never, options.dry_run, |tx| {
            let found = {
                let snapshot = tx.snapshot();
                let pairs = tx.facts.probable_links_ever()?.into_iter();
                pairs.map(|link| (suggestion_of(&snapshot, &link), link)).find(|(name, _)| name == suggestion)
            };
            let Some((_, ProbableLink { node, other, .. })) = found else {
                return Err(Error::not_found("there is no such suggestion")
                    .with_hint("link_suggestions() lists those that are open"));
            };
            decide_between(tx, [node, other], what)
        })
    }

    /// How good a run of [`Cdp::link`] over the facts of now would be, against labels: a list of `{a, b, linked}` with two
    /// identifiers each, or of `{identifier, person}`. Profiles that are one already count as one record.
    /// Stores nothing.
    pub fn evaluate_links(&self, labels: &[Value]) -> Result<LinkEvaluation> {
        let (compared, linkage, _) = self.compared()?;
        let links = link_rows(&compared, &linkage, 0)?.links;
        let row_of = |identifier: &Value| -> Result<Option<String>> {
            let identifier = crate::records::Identifier::from_value(identifier)?;
            let node = self.read(|snapshot| snapshot.node_of(&identifier))?;
            Ok(node.and_then(|node| compared.row_of(node)).map(|row| row.to_string()))
        };
        let (mut pairs, mut persons) = (Vec::new(), Vec::new());
        for label in labels {
            let wrong = || {
                Error::invalid("a label is {a, b, linked} with two identifiers, or {identifier, person}")
                    .with_hint("give labels of one kind in one call")
            };
            let field = |name: &str| label.get(name).ok_or_else(wrong);
            if label.get("person").is_some() {
                let person = field("person")?.as_text().ok_or_else(wrong)?;
                persons.extend(row_of(field("identifier")?)?.map(|row| (row, person.to_owned())));
            } else {
                let linked = field("linked")?.as_bool().ok_or_else(wrong)?;
                let ends = row_of(field("a")?)?.zip(row_of(field("b")?)?).filter(|(a, b)| a != b);
                pairs.extend(ends.map(|(a, b)| (a, b, linked)));
            }
        }
        if !pairs.is_empty() && !persons.is_empty() {
            return Err(Error::invalid("labels of pairs and of persons stand in one list").with_hint("give one kind"));
        }
        let n_labels = pairs.len().max(persons.len());
        let labels = if persons.is_empty() { Labels::Pairs(pairs) } else { Labels::Persons(persons) };
        let verdict = links.quality().verdict.as_str();
        Ok(evaluation_of(&links.evaluate(&labels)?, links.len(), n_labels, verdict))
    }
}

fn evaluation_of(evaluation: &Evaluation, records: usize, labels: usize, verdict: &'static str) -> LinkEvaluation {
    let scores = |scores: &Scores| LinkScores { precision: scores.precision, recall: scores.recall, f1: scores.f1 };
    let at = |(threshold, scores): &(f64, Scores)| ThresholdScores {
        threshold: *threshold,
        precision: scores.precision,
        recall: scores.recall,
        f1: scores.f1,
    };
    LinkEvaluation {
        records,
        labels,
        verdict,
        true_pairs: evaluation.n_true_pairs,
        kept_recall: evaluation.kept_recall,
        clusters: scores(&evaluation.clusters),
        b_cubed: scores(&evaluation.b_cubed),
        best: at(&evaluation.best),
        thresholds: evaluation.thresholds.iter().map(at).collect(),
    }
}

fn write_cursor(weight: f64, suggestion: &str) -> String {
    format!("{:016x}{suggestion}", weight.to_bits())
}

fn read_cursor(text: &str) -> Result<(f64, &str)> {
    let parts = text.split_at_checked(16);
    let read =
        parts.and_then(|(bits, suggestion)| Some((f64::from_bits(u64::from_str_radix(bits, 16).ok()?), suggestion)));
    read.ok_or_else(|| {
        Error::invalid("link_suggestions: `after` is no cursor").with_hint("give `next` of the page before")
    })
}

fn suggestions_frame(snapshot: &Snapshot<'_>, links: &[ProbableLink]) -> Result<Frame> {
    let (mut profiles, mut ids) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for link in links {
        let mut people = Vec::new();
        for node in [link.node, link.other] {
            people.push(snapshot.person(node, Timestamp::MAX)?);
        }
        // The profile that was named first stands first, whichever node has the smaller number.
        people.sort_by_key(|person| person.as_ref().map(|person| person.order()));
        for (place, person) in people.into_iter().enumerate() {
            let id = person.as_ref().map(|person| person.profile_id());
            let named = person.as_ref().map(|person| person.ids_value(Timestamp::MAX).to_json());
            if let (Some(profiles), Some(ids)) = (profiles.get_mut(place), ids.get_mut(place)) {
                profiles.push(id);
                ids.push(named);
            }
        }
    }
    let ([a_profiles, b_profiles], [a_ids, b_ids]) = (profiles, ids);
    Ok(Frame::new(vec![
        ("suggestion", Cells::Text(links.iter().map(|link| Some(suggestion_of(snapshot, link))).collect())),
        ("a_profile_id", Cells::Text(a_profiles)),
        ("a_ids", Cells::Text(a_ids)),
        ("b_profile_id", Cells::Text(b_profiles)),
        ("b_ids", Cells::Text(b_ids)),
        ("weight", Cells::Float64(links.iter().map(|link| Some(link.weight)).collect())),
        ("probability", Cells::Float64(links.iter().map(|link| Some(link.probability)).collect())),
        ("model_version", Cells::Int64(links.iter().map(|link| Some(i64::from(link.model))).collect())),
    ]))
}
