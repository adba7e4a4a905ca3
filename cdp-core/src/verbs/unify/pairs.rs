//! Rows of likely pairs of profiles: written with what their weight is made of, replaced, and brought to the partition.

use std::collections::BTreeMap;

use crate::definitions::ProfileLinkage;
use crate::engine::snapshot::Snapshot;
use crate::engine::transaction::Transaction;
use crate::error::{Error, Result};
use crate::identity::probable_evidence;
use crate::linkage::{PairExplanation, WeightPart};
use crate::records::{ProbableLink, Value};
use crate::store::StoredProbableLink;

/// Which rows of probable links a step has replaced and written.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) gone: Vec<ProbableLink>,
    // by number
    pub(crate) new: BTreeMap<u64, ProbableLink>,
}

impl Rows {
    /// How many pairs were written, and how many do not hold any more.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.new.len(), self.gone.len())
    }
}

pub(super) fn no_linkage() -> Error {
    Error::invalid("the identity definition does not say that profiles are linked by probability")
        .with_hint("add \"linkage\": {} to it")
}

/// What a weight is made of, as JSON.
pub(crate) fn parts_of(explained: &PairExplanation) -> String {
    Value::List(explained.parts.iter().map(part_value).collect()).to_json()
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

/// How the identity definition links profiles; an error without a `linkage`.
pub(super) fn linkage_of<'a>(snapshot: &Snapshot<'a>) -> Result<&'a ProfileLinkage> {
    snapshot.catalog.identity().linkage.as_ref().ok_or_else(no_linkage)
}

/// Marks a pair as one that does not hold any more.
pub(super) fn replace_pair(tx: &mut Transaction<'_>, link: ProbableLink, rows: &mut Rows) -> Result<()> {
    tx.facts.replace_probable_link(link.number, tx.meta.recorded_at, tx.meta.linkage_runs + 1)?;
    tx.changes.people.probable.remove(link.number);
    if rows.new.remove(&link.number).is_none() {
        rows.gone.push(link);
    }
    Ok(())
}

/// Writes a pair with what its weight is made of.
pub(super) fn put_pair(tx: &mut Transaction<'_>, link: ProbableLink, parts: String, rows: &mut Rows) -> Result<()> {
    let link = ProbableLink { number: tx.facts.last_probable_link()? + 1, ..link };
    tx.facts.put_probable_link(&StoredProbableLink { link, parts, recorded_at: tx.meta.recorded_at })?;
    tx.changes.people.probable.add(link);
    rows.new.insert(link.number, link);
    Ok(())
}

/// Brings the partition to the rows of a step.
pub(super) fn apply_rows(tx: &mut Transaction<'_>, rows: Rows) -> Result<()> {
    if rows.gone.is_empty() && rows.new.is_empty() {
        return Ok(());
    }
    tx.meta.linkage_runs += 1;
    let gone: Vec<(u32, u32)> = rows.gone.iter().filter(|link| link.is_link).map(ProbableLink::pair).collect();
    let new: Vec<_> = rows.new.values().filter(|link| link.is_link).map(probable_evidence).collect();
    if gone.is_empty() && new.is_empty() {
        return Ok(());
    }
    tx.repartition(|partition, base, snapshot| partition.relink(base, &gone, &new, snapshot))
}
