//! A run of probabilistic linkage over the profiles of the store: train, compare, suggest, and link where the definition
//! allows it and the model may be trusted.
//!
//! It takes the known profiles of a snapshot and leaves a model, suggestions and probable links, which replace those of the
//! run before. It never outranks an operator, and never links with a model that is not judged green.

use std::collections::BTreeMap;

use super::Cdp;
use super::compare_profiles::{ComparedProfiles, compared_name};
use super::snapshot::Snapshot;
use super::state::load_probable;
use super::write::Writing;
use crate::definitions::ProfileLinkage;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::linkage::{Band, Links, Verdict, WeightPart, link_deciding, probability_of};
use crate::records::{Object, Timestamp, Value};
use crate::store::{ProbableLink, StoredLinkageModel, StoredProbableLink, hex};

/// How profiles are linked by [`Cdp::link`].
#[derive(Clone, Debug, Default)]
pub struct LinkOptions {
    /// Where random choices of the training begin; the same seed gives the same model.
    pub seed: u64,
    /// Change nothing, only tell what would.
    pub dry_run: bool,
}

/// What a run found, before it is written.
struct Found {
    links: Vec<(ProbableLink, String)>,
    model: StoredLinkageModel,
    bytes: Vec<u8>,
    report: Object,
    definitions: i64,
}

pub(super) fn no_linkage() -> Error {
    Error::invalid("the identity definition does not say that profiles are linked by probability")
        .with_hint("add \"linkage\": {} to it")
}

impl Snapshot<'_> {
    pub(super) fn linkage(&self) -> Result<&ProfileLinkage> {
        self.catalog.identity().linkage.as_ref().ok_or_else(no_linkage)
    }
}

impl Cdp {
    /// Finds profiles that are probably one person by what their traits and identifiers say, as the `linkage` part of the
    /// identity definition has it: trains a model without labels, scores, and keeps pairs from the review threshold on as
    /// suggestions. With `auto_link`, and if the model is judged green, pairs from the auto threshold on become links of
    /// class `probable`, within the limits of profiles. What an earlier run found is replaced; a run over the same facts
    /// changes nothing.
    ///
    /// Gives `{model_version, verdict, reasons, records, suggestions, links, added, removed, columns, quality}`. Trains
    /// without any lock; cost grows with profiles and with pairs that share something. Fails with `Invalid` without a
    /// `linkage`, and with `Conflict` if definitions change meanwhile.
    ///
    /// Source of the method: [`linkage::link`](crate::linkage::link).
    pub fn link(&self, options: &LinkOptions) -> Result<Value> {
        let (compared, linkage, definitions) = self.compared()?;
        let links = link_rows(&compared, &linkage, options.seed)?;
        let found = found(&compared, &links, &linkage, definitions)?;
        self.write_or_try_out(options.dry_run, |writing| writing.keep_found(&found))
    }

    /// The profiles that linkage compares, its definition, and at which state of the definitions.
    pub(super) fn compared(&self) -> Result<(ComparedProfiles, ProfileLinkage, i64)> {
        self.read(|snapshot| {
            let linkage = snapshot.linkage()?.clone();
            let compared = snapshot.compared_profiles(&linkage)?;
            Ok((compared, linkage, snapshot.facts.meta()?.definitions))
        })
    }
}

/// Links the rows of profiles under what operators decided.
pub(super) fn link_rows(compared: &ComparedProfiles, linkage: &ProfileLinkage, seed: u64) -> Result<Links> {
    let (records, roles) = compared.records()?;
    link_deciding(&[&records], &[&roles], &linkage.of_rows(), &compared.decisions(), seed)
}

fn found(compared: &ComparedProfiles, links: &Links, linkage: &ProfileLinkage, definitions: i64) -> Result<Found> {
    let may_link = linkage.auto_link && links.quality().verdict == Verdict::Green;
    let label = |row: u32| links.labels().get(row as usize);
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
            node: one.node,
            other: other.node,
            occurred_at: one.since.max(other.since),
            weight: *weight,
            probability: probability_of(*weight),
            model: 0,
            // Where operators keep somebody apart, not every likely pair can stand together.
            is_link: may_link && band == Band::Auto && label(left) == label(right),
        };
        let explained = links.explain_rows(left, right);
        let parts = Value::List(explained.parts.iter().map(part_value).collect());
        pairs.push(((left, right), (link, parts.to_json())));
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
    Ok(Found { links: pairs.into_iter().map(|(_, link)| link).collect(), model, bytes, report, definitions })
}

fn part_value(part: &WeightPart) -> Value {
    let optional = |share: Option<f64>| share.map_or(Value::Null, Value::float);
    Value::object([
        ("part", Value::from(part.part.as_str())),
        ("level", part.level.map_or(Value::Null, Value::from)),
        ("m", optional(part.m)),
        ("u", optional(part.u)),
        ("weight", Value::float(part.weight)),
    ])
}

impl Writing<'_> {
    /// Keeps what a run found instead of what the one before did.
    fn keep_found(&mut self, found: &Found) -> Result<Value> {
        if self.meta.definitions != found.definitions {
            return Err(Error::new(ErrorKind::Conflict, "the definitions have changed while profiles were compared")
                .with_hint("link again"));
        }
        let version = self.linkage_model_version(found)?;
        let before = self.facts.probable_links()?;
        let mut before: BTreeMap<(u32, u32), ProbableLink> =
            before.into_iter().map(|link| ((link.node, link.other), link)).collect();
        let mut number = self.facts.last_probable_link()?;
        let mut added = 0;
        for (link, parts) in &found.links {
            let link = ProbableLink { model: version, ..*link };
            let pair = (link.node, link.other);
            if before.get(&pair).is_some_and(|kept| kept.says_the_same(&link)) {
                before.remove(&pair);
                continue;
            }
            number += 1;
            added += 1;
            let link = ProbableLink { number, ..link };
            let stored = StoredProbableLink { link, parts: parts.clone(), recorded_at: self.meta.recorded_at };
            self.facts.put_probable_link(&stored)?;
        }
        for gone in before.values() {
            self.facts.replace_probable_link(gone.number, self.meta.recorded_at)?;
        }
        if added > 0 || !before.is_empty() {
            self.meta.linkage_runs += 1;
            let probable = load_probable(self.facts, &self.catalog, Timestamp::MAX)?;
            self.link_probably(probable)?;
        }
        let n_links = found.links.iter().filter(|(link, _)| link.is_link).count();
        let mut report = found.report.clone();
        for (name, value) in [
            ("model_version", Value::integer(version)),
            ("content_hash", Value::Text(hex(&found.model.content_hash))),
            ("suggestions", Value::count(found.links.len() - n_links)),
            ("links", Value::count(n_links)),
            ("added", Value::count(added)),
            ("removed", Value::count(before.len())),
        ] {
            report.insert(name.to_owned(), value);
        }
        Ok(Value::Object(report))
    }

    /// The version of the model that a run trained, which is a new one only if its content is.
    fn linkage_model_version(&mut self, found: &Found) -> Result<u32> {
        let latest = self.facts.linkage_model()?;
        if let Some(latest) = latest.as_ref().filter(|latest| latest.content_hash == found.model.content_hash) {
            return Ok(latest.version);
        }
        let version = latest.map_or(0, |latest| latest.version) + 1;
        let model = StoredLinkageModel { version, recorded_at: self.meta.recorded_at, ..found.model.clone() };
        self.facts.put_linkage_model(&model, &found.bytes)?;
        Ok(version)
    }
}
