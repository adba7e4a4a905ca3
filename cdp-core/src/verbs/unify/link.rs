//! A run of probabilistic linkage over the profiles of the store: train, compare, suggest, and link where the definition
//! allows it and the model may be trusted.
//!
//! It takes the known profiles of a snapshot and leaves a model, suggestions and probable links, which replace those found
//! before, and what single profiles are compared with from then on. It never outranks an operator, and never links with a model that is not judged green.

use std::collections::BTreeMap;

use crate::definitions::ProfileLinkage;
use crate::engine::handle::Cdp;
use crate::engine::live_linkage::LiveLinkage;
use crate::engine::transaction::Transaction;
use crate::error::{Error, ErrorKind, Result};
use crate::linkage::profiles::{ComparedProfiles, compared_name};
use crate::linkage::{
    Band, Links, Reading, RecordBytes, Verdict, link_deciding, probability_of, rule_of_stored, stored_keys,
};
use crate::records::answer::{Field, answer_by_hand};
use crate::records::options::options;
use crate::records::{Object, ProbableLink, Timestamp, Value};
use crate::stop::Stop;
use crate::store::{StoredLinkageModel, hex};
use crate::verbs::unify::live::compare_nodes;
use crate::verbs::unify::pairs::{Rows, apply_rows, no_linkage, parts_of, put_pair, replace_pair};

options! {
    /// How profiles are linked by [`Cdp::link`].
    pub struct LinkOptions {
        /// The seed of random choices of the training; the same seed gives the same model.
        seed: value u64,
        /// Change nothing, and report what would change.
        dry_run: flag,
    }
}

/// A run of probabilistic linkage.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct LinkReport {
    /// The version of the model.
    pub model_version: u32,
    /// A hash of the model's bytes.
    pub content_hash: String,
    /// The number of open suggestions.
    pub suggestions: usize,
    /// The number of probable links.
    pub links: usize,
    /// The number of pairs that the run before did not have.
    pub added: usize,
    /// The number of pairs that only the run before had.
    pub removed: usize,
    /// Figures about the records and the model: `verdict`, `reasons`, `records`, `columns`, `quality` and others.
    pub quality: Object,
}

/// The figures about records and model stand beside the counts.
impl Field for LinkReport {
    fn into_value(self) -> Value {
        let mut report = self.quality;
        report.extend([
            ("model_version".to_owned(), Value::integer(self.model_version)),
            ("content_hash".to_owned(), Value::Text(self.content_hash)),
            ("suggestions".to_owned(), Value::count(self.suggestions)),
            ("links".to_owned(), Value::count(self.links)),
            ("added".to_owned(), Value::count(self.added)),
            ("removed".to_owned(), Value::count(self.removed)),
        ]);
        Value::Object(report)
    }

    fn write_shape(&self, out: &mut String) {
        out.push_str("LinkReport");
    }
}

answer_by_hand!(LinkReport);

impl std::fmt::Debug for LinkReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LinkReport({} suggestions, {} links)", self.suggestions, self.links)
    }
}

/// What a run found, before it is written.
struct Found<'r> {
    pub(crate) run: &'r Run,
    pub(crate) compared: &'r ComparedProfiles,
    pub(crate) links: Vec<(ProbableLink, String)>,
    pub(crate) model: StoredLinkageModel,
    pub(crate) bytes: Vec<u8>,
    pub(crate) report: Object,
    pub(crate) definitions: i64,
}

/// The rows of profiles linked, and how the profiles became rows.
pub(crate) struct Run {
    pub(crate) links: Links,
    reading: Reading,
}

impl Cdp {
    /// Finds profiles that are probably one person by what their traits and identifiers say, as the `linkage` part of the
    /// identity definition has it: trains a model without labels, scores, and keeps pairs from the review threshold on as
    /// suggestions. With `auto_link`, and if the model is judged green, pairs from the auto threshold on become links of
    /// class `probable`, within the limits of profiles. What was found before is replaced; a run over the same facts
    /// changes nothing.
    ///
    /// Unless the definition says `"live": false`, the run leaves its records and blocking keys in the file, and from then on
    /// each transaction compares the profiles that it changes, with the model of this run.
    ///
    /// Trains
    /// without any lock; cost grows with profiles and with pairs that share something. Fails with `Invalid` without a
    /// `linkage`, and with `Conflict` if definitions change meanwhile.
    ///
    /// Source of the method: [`linkage::link`](crate::linkage::link).
    pub fn link(&self, options: &LinkOptions) -> Result<LinkReport> {
        let call = self.interruptible();
        let (compared, linkage, definitions) = self.compared()?;
        call.check()?;
        let run = link_rows(&compared, &linkage, options.seed)?;
        call.check()?;
        let found = found(&compared, &run, &linkage, definitions)?;
        self.write_or_try_out(&call, options.dry_run, |tx| keep_found(tx, &found))
    }
}

/// Links the rows of profiles under what operators decided.
pub(super) fn link_rows(compared: &ComparedProfiles, linkage: &ProfileLinkage, seed: u64) -> Result<Run> {
    let (records, roles) = compared.records()?;
    let links = link_deciding(&[&records], &[&roles], &linkage.of_rows(), &compared.decisions(), seed)?;
    let reading = Reading::new(&records, links.recognized().first().map_or(&[], Vec::as_slice));
    Ok(Run { links, reading })
}

fn found<'r>(
    compared: &'r ComparedProfiles,
    run: &'r Run,
    linkage: &ProfileLinkage,
    definitions: i64,
) -> Result<Found<'r>> {
    let links = &run.links;
    let may_link = linkage.auto_link && links.quality().verdict == Verdict::Green;
    let label = |row: u32| links.labels().get(row as usize);
    let explain = links.explainer();
    let mut pairs = Vec::new();
    for (left, right, weight) in links.pair_weights() {
        let (left, right) = (*left.min(right), *left.max(right));
        let band = links.band(*weight);
        if band == Band::Reject || compared.apart.binary_search(&(left, right)).is_ok() {
            continue;
        }
        let (one, other) = (compared.profile(left)?, compared.profile(right)?);
        let link = ProbableLink {
            number: 0,
            // The earlier node first, as in live comparison.
            node: one.node.min(other.node),
            other: one.node.max(other.node),
            occurred_at: one.since.max(other.since),
            weight: *weight,
            probability: probability_of(*weight),
            model: 0,
            // Where operators keep people apart, not every likely pair can be linked.
            is_link: may_link && band == Band::Auto && label(left) == label(right),
        };
        pairs.push(((left, right), (link, parts_of(&explain(left, right)))));
    }
    pairs.sort_unstable_by_key(|(rows, _)| *rows);
    let columns = compared.columns.iter().map(|(value, role)| (compared_name(value), Value::from(role.as_str())));
    let mut report = links.quality().to_object();
    report.insert("columns".to_owned(), Value::Object(columns.collect()));
    let bytes = links.model().to_bytes();
    let model = StoredLinkageModel {
        version: 0,
        sequence: compared.sequence,
        recorded_at: Timestamp::MAX,
        content_hash: blake3::hash(&bytes).as_bytes().to_vec(),
        report: Value::Object(report.clone()).to_json(),
    };
    let pairs = pairs.into_iter().map(|(_, link)| link).collect();
    Ok(Found { run, compared, links: pairs, model, bytes, report, definitions })
}

/// Keeps what a run found instead of what was found before.
fn keep_found(tx: &mut Transaction<'_>, found: &Found<'_>) -> Result<LinkReport> {
    if tx.meta.definitions != found.definitions {
        return Err(Error::new(ErrorKind::Conflict, "the definitions have changed while profiles were compared")
            .with_hint("link again"));
    }
    let version = linkage_model_version(tx, found)?;
    let before = tx.facts.probable_links()?;
    let mut before: BTreeMap<(u32, u32), ProbableLink> = before.into_iter().map(|link| (link.pair(), link)).collect();
    let mut rows = Rows::default();
    for (link, parts) in &found.links {
        let link = ProbableLink { model: version, ..*link };
        if before.get(&link.pair()).is_some_and(|kept| kept.says_the_same(&link)) {
            before.remove(&link.pair());
            continue;
        }
        put_pair(tx, link, parts.clone(), &mut rows)?;
    }
    for gone in before.into_values() {
        replace_pair(tx, gone, &mut rows)?;
    }
    let (added, removed) = rows.counts();
    apply_rows(tx, rows)?;
    leave_records(tx, found, version)?;
    let n_links = found.links.iter().filter(|(link, _)| link.is_link).count();
    Ok(LinkReport {
        model_version: version,
        content_hash: hex(&found.model.content_hash),
        suggestions: found.links.len() - n_links,
        links: n_links,
        added,
        removed,
        quality: found.report.clone(),
    })
}

/// Leaves the records and keys of all profiles for those to come, and compares those that were touched while the run
/// took its time.
fn leave_records(tx: &mut Transaction<'_>, found: &Found<'_>, version: u32) -> Result<()> {
    let (compared, links) = (found.compared, &found.run.links);
    tx.is_compared = true;
    tx.facts.clear_linkage_live()?;
    let linkage = tx.changes.catalog.identity().linkage.clone().ok_or_else(no_linkage)?;
    if !linkage.live {
        tx.changes.people.live = None;
        return Ok(());
    }
    let columns = compared.record_columns();
    let stored = LiveLinkage::stored(version, links.quality().verdict, &columns, &found.run.reading);
    tx.facts.put_linkage_live(&stored)?;
    // Other processes read it again.
    tx.meta.linkage_runs += 1;
    tx.changes.people.live = LiveLinkage::load(tx.facts, &tx.changes.catalog, tx.changes.people.live.take())?;
    let Some(live) = tx.changes.people.live.clone() else { return Ok(()) };
    let resolver = live.resolver(tx.facts, &tx.changes.catalog)?;
    let table = links.table();
    let mut in_order: Vec<(u32, usize)> =
        compared.profiles.iter().enumerate().map(|(row, profile)| (profile.node, row)).collect();
    in_order.sort_unstable();
    let tables = tx.facts.linkage_tables()?;
    let mut keys: Vec<(i64, u32)> = Vec::new();
    for (node, row) in in_order {
        let Some(profile) = compared.profiles.get(row) else { continue };
        let record = table.row(row as u32);
        tables.put_record(node, profile.since, &RecordBytes::of(&record).0)?;
        keys.extend(stored_keys(&record).into_iter().map(|key| (key, node)));
    }
    // In the order of the table of keys: every page of it is written once.
    keys.sort_unstable();
    tables.append_keys(&keys, |key| resolver.most(rule_of_stored(key)))?;
    drop((tables, keys));
    let touched = touched_since(tx, compared.sequence, compared.decision_sequence)?;
    let mut rows = Rows::default();
    compare_nodes(tx, &live, touched, &mut rows)?;
    apply_rows(tx, rows)
}

/// The nodes that messages and decisions after these have touched, each with the sequence of its message.
fn touched_since(tx: &mut Transaction<'_>, sequence: u64, decision_sequence: u64) -> Result<Vec<(u64, u32)>> {
    let mut touched = Vec::new();
    for link in tx.facts.links_after(sequence, tx.meta.log_sequence)? {
        touched.extend([(link.sequence, link.node), (link.sequence, link.other)]);
    }
    let memory = tx.memory();
    tx.facts.visit_messages(sequence, tx.meta.log_sequence, |row| {
        let message = row.read(&memory)?;
        touched.push((message.sequence, message.node));
        Ok(())
    })?;
    for stored in tx.facts.decisions_after(decision_sequence)? {
        let (node, other) = (stored.decision.node, stored.decision.other);
        tx.decided.extend([node, other]);
        touched.extend([(u64::MAX, node), (u64::MAX, other)]);
    }
    Ok(touched)
}

/// The version of the model that a run trained, which is a new one only if its content is.
fn linkage_model_version(tx: &mut Transaction<'_>, found: &Found<'_>) -> Result<u32> {
    let latest = tx.facts.linkage_model()?;
    if let Some(latest) = latest.as_ref().filter(|latest| latest.content_hash == found.model.content_hash) {
        return Ok(latest.version);
    }
    let version = latest.map_or(0, |latest| latest.version) + 1;
    let model = StoredLinkageModel { version, recorded_at: tx.meta.recorded_at, ..found.model.clone() };
    tx.facts.put_linkage_model(&model, &found.bytes)?;
    Ok(version)
}
