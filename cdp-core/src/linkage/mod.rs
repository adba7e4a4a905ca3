//! Probabilistic record linkage: which rows are the same person, learned from the rows themselves.
//!
//! Columns get roles, rows become parsed records, blocking proposes pairs, a Fellegi-Sunter model is trained on them without
//! labels, scores them, and clusters are cut from what is likely. It takes no store and no clock; for a seed the result is
//! the same to the bit. It never links anything automatically with a model that is judged red.
//!
//! The parts also serve one record at a time: [`Linker`] parses a record, gives its blocking keys and scores it against others.

mod blocking;
mod cluster;
mod comparators;
mod compare;
mod dates;
mod distance;
mod evaluate;
mod explain;
mod index;
#[cfg(test)]
mod index_tests;
mod links;
mod live;
mod model;
mod nicknames;
mod normalize;
mod parsed;
pub(crate) mod profiles;
mod quality;
mod record_bytes;
mod records;
mod resolve;
mod roles;
mod stored;
mod table;
#[cfg(test)]
mod tests;
mod train;
#[cfg(test)]
mod variants;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

pub(crate) use blocking::{Anchors, rule_of_stored, stored_keys};
pub use cluster::Components;
pub use evaluate::{Evaluation, Labels, Scores};
pub use explain::{PairExplanation, WeightPart};
pub use index::LinkageIndex;
pub use links::{Band, BlockingReport, Links, Side};
pub use live::{Linker, LiveRecord};
pub use model::LinkageModel;
pub(crate) use model::probability as probability_of;
pub(crate) use parsed::Reading;
pub use quality::{ModelQuality, Verdict};
pub(crate) use record_bytes::{RecordBytes, Texts};
pub use records::Records;
pub(crate) use resolve::{Asked, MEMBERS_SCORED, Mean, Resolver};
pub use resolve::{Candidate, GroupCandidate};
pub(crate) use roles::by_name as usual_role;
pub use roles::{FoundBy, RecognizedColumn};

use crate::definitions::{ColumnRole, LinkageDefinition};
use crate::error::{Error, Result};
use cluster::Constraints;
use compare::Comparison;
use model::{Base, Scorer, probability, weight_of};
use quality::{Measured, Verdict as V, judge};
use table::Table;

/// Roles of columns by name that the caller knows better.
pub type ColumnRoles = BTreeMap<String, ColumnRole>;

/// Decisions of people about pairs of record identifiers, which hold whatever the weights say. Of two tables the first
/// identifier of a pair is of the left one and the second of the right one.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// Pairs that are one person.
    pub must_link: Vec<(String, String)>,
    /// Pairs that are not.
    pub cannot_link: Vec<(String, String)>,
}

/// Finds the rows of one table that are the same person.
///
/// Roles of columns that neither `columns` nor the definition gives are recognized by name and content. Empty tables and
/// tables without a usable column give every row a cluster of its own. Fails with `Invalid` for an unknown column, a wrong
/// definition or a repeated record identifier. Cost grows with rows and proposed pairs: about thirty CPU seconds and 0.6
/// gigabytes for a million made-up people on a busy machine.
///
/// Source of the method: Fellegi and Sunter, "A Theory for Record Linkage" (1969); EM by Winkler (1988), with the share of
/// matches over all pairs.
///
/// ```
/// use cdp_core::linkage::{ColumnRoles, Records, link};
/// use cdp_core::definitions::LinkageDefinition;
/// let mut records = Records::new(["first_name", "surname", "dob", "email"]);
/// records.push("1", ["Robert", "Allen", "1971-05-24", "roberta25@smith.net"])?;
/// records.push("2", ["Rob", "Alen", "1971-05-24", "roberta25@smith.net"])?;
/// records.push("3", ["Jane", "Doe", "1980-01-30", "jane@e.com"])?;
/// let links = link(&records, &ColumnRoles::new(), &LinkageDefinition::default(), 0)?;
/// assert_eq!(links.labels(), [0, 0, 2]);
/// # Ok::<(), cdp_core::Error>(())
/// ```
pub fn link(records: &Records, columns: &ColumnRoles, linkage: &LinkageDefinition, seed: u64) -> Result<Links> {
    link_deciding(&[records], &[columns], linkage, &Decisions::default(), seed)
}

/// Finds the rows of two tables that are the same person, at most one row of each: for tables without duplicates.
///
/// The columns of the tables may have different names; each has its own roles. Otherwise as [`link`].
pub fn link_two(
    left: &Records,
    right: &Records,
    columns: (&ColumnRoles, &ColumnRoles),
    linkage: &LinkageDefinition,
    seed: u64,
) -> Result<Links> {
    link_deciding(&[left, right], &[columns.0, columns.1], linkage, &Decisions::default(), seed)
}

/// [`link`] (one source) or [`link_two`] (two sources) under decisions that people made before.
///
/// Fails with `Invalid` also if a decision names an unknown record or contradicts another one.
pub fn link_deciding(
    sources: &[&Records],
    columns: &[&ColumnRoles],
    linkage: &LinkageDefinition,
    decisions: &Decisions,
    seed: u64,
) -> Result<Links> {
    distance::check_available()?;
    linkage.check()?;
    let mut table = Table::new();
    let mut recognized = Vec::new();
    let mut ids = Vec::new();
    for (source, records) in sources.iter().enumerate() {
        let mut given: ColumnRoles = linkage
            .columns
            .iter()
            .filter(|(name, _)| records.columns().contains(name))
            .map(|(n, r)| (n.clone(), *r))
            .collect();
        given.extend(
            columns.get(source).into_iter().flat_map(|given| given.iter()).map(|(name, role)| (name.clone(), *role)),
        );
        let roles = roles::recognize(records, &given)?;
        table.append(records, &Reading::new(records, &roles));
        recognized.push(roles);
        if source == 0 {
            table.second_source = table.len() as u32;
        }
        ids.push(records.ids_only()?);
    }
    table.finish_reading();
    let comparisons: Vec<Comparison> = Comparison::of_table(&table);
    let (pairs, reports) = blocking::pairs(&table, &linkage.blocking);
    let (patterns, of_pairs) = distinct_patterns(&comparisons, &table, &pairs);
    let model = train::train(&table, &comparisons, &train::in_order(&patterns), seed);
    let scorer = Scorer::new(&model, &table);
    let least = Links::least_weight(&linkage.thresholds);
    let mut kept: Vec<(u32, u32, f64)> = Vec::new();
    let bases: Vec<Base> =
        patterns.iter().map(|(pattern, _)| scorer.weights.base(&model, *pattern, |_, _| {})).collect();
    for (pair, pattern) in pairs.iter().zip(&of_pairs) {
        let (left, right) = ((pair >> 32) as u32, *pair as u32);
        let Some(base) = bases.get(*pattern as usize) else { continue };
        if base.most() >= least {
            let weight = scorer.weight_from(base, left, right);
            if weight >= least {
                kept.push((left, right, weight));
            }
        }
    }
    let n_pairs_compared = pairs.len() as u64;
    drop((pairs, of_pairs, bases));
    let mut measured = measure(&kept, &scorer, linkage);
    measured.n_pairs_compared = n_pairs_compared;
    let quality = judge(&model, &patterns, measured);
    let rules =
        blocking::RULES.iter().zip(&reports).filter(|(_, report)| report.n_pairs > 0 || report.n_blocks_left_out > 0);
    let blocking = rules
        .map(|(rule, report)| BlockingReport {
            rule,
            n_pairs: report.n_pairs,
            n_blocks_left_out: report.n_blocks_left_out,
            largest_block_used: report.largest_block_used,
        })
        .collect();
    let n = table.len();
    let mut links = Links {
        ids,
        table,
        model,
        quality,
        recognized,
        blocking,
        thresholds: linkage.thresholds,
        limits: linkage.blocking,
        pairs: kept,
        labels: Vec::new(),
    };
    let constraints = constraints(&links, decisions)?;
    // With a model that cannot be trusted only what people decided is linked.
    let edges = if links.quality.verdict == V::Red { &[] } else { links.pairs.as_slice() };
    let scorer = Scorer::new(&links.model, &links.table);
    let labels = cluster::clusters(
        n,
        edges,
        weight_of(linkage.thresholds.cluster),
        &constraints,
        |left, right| scorer.weight(left, right),
        |left, right| links.table.may_match(left, right),
    );
    let mut sizes = vec![0_u64; n];
    labels.iter().filter_map(|label| sizes.get_mut(*label as usize).map(|size| *size += 1)).for_each(drop);
    links.quality.largest_cluster = sizes.into_iter().max().unwrap_or(0);
    links.labels = labels;
    Ok(links)
}

/// Every pattern that occurs with how often, and for each pair the place of its pattern: far fewer than pairs.
fn distinct_patterns(comparisons: &[Comparison], table: &Table, pairs: &[u64]) -> (train::Counted, Vec<u32>) {
    let mut places: FxHashMap<compare::Pattern, u32> = FxHashMap::default();
    let mut patterns: train::Counted = Vec::new();
    let mut of_pairs: Vec<u32> = Vec::with_capacity(pairs.len());
    compare::patterns_of(comparisons, table, pairs, |pattern| {
        let place = *places.entry(pattern).or_insert(patterns.len() as u32);
        match patterns.get_mut(place as usize) {
            Some((_, n)) => *n += 1.0,
            None => patterns.push((pattern, 1.0)),
        }
        of_pairs.push(place);
    });
    (patterns, of_pairs)
}

/// Expected precision of the automatic links, coherence of components, and expected recall of blocking.
fn measure(kept: &[(u32, u32, f64)], scorer: &Scorer<'_>, linkage: &LinkageDefinition) -> Measured {
    let auto = weight_of(linkage.thresholds.auto);
    let (mut n, mut right) = (0_u64, 0.0);
    for (_, _, weight) in kept.iter().filter(|(_, _, weight)| *weight >= auto) {
        n += 1;
        right += probability(*weight);
    }
    // Over two-step paths of likely links: is the closing pair likely too? Neighbours in row order are a fixed sample.
    let mut ends: Vec<(u32, u32)> = kept
        .iter()
        .filter(|(_, _, weight)| *weight >= 0.0)
        .flat_map(|(left, right, _)| [(*left, *right), (*right, *left)])
        .collect();
    ends.sort_unstable();
    let (mut paths, mut closed) = (0_u64, 0_u64);
    let step = (ends.len() / 200_000).max(1);
    for (one, two) in ends.iter().zip(ends.iter().skip(1)).step_by(step) {
        if one.0 == two.0 {
            paths += 1;
            closed += u64::from(scorer.weight(one.1, two.1) >= 0.0);
        }
    }
    Measured {
        n_pairs_compared: 0,
        expected_precision: if n > 0 { right / n as f64 } else { 1.0 },
        coherence: if paths > 0 { closed as f64 / paths as f64 } else { 1.0 },
        n_coherence: paths,
        recall: expected_recall(kept, scorer),
        n_pairs: scorer.table.n_pairs(),
        full_agreement: full_agreement(scorer),
    }
}

/// The most that a record weighs against itself, among a fixed sample.
fn full_agreement(scorer: &Scorer<'_>) -> f64 {
    let step = (scorer.table.len() / 1_000).max(1);
    let rows = (0..scorer.table.len()).step_by(step);
    rows.map(|row| scorer.weight_without_texts(row as u32)).fold(f64::NEG_INFINITY, f64::max)
}

/// Two halves of the rules as two independent searches: what one found of what the other found (Lincoln and Petersen).
fn expected_recall(kept: &[(u32, u32, f64)], scorer: &Scorer<'_>) -> f64 {
    let (mut first, mut second, mut both) = (0.0, 0.0, 0.0);
    let step = (kept.len() / 20_000).max(1);
    for (left, right, _) in kept.iter().filter(|(_, _, weight)| *weight >= 0.0).step_by(step) {
        let mut keys = Vec::new();
        blocking::keys_of(&scorer.table.row(*left), |rule, key| keys.push((rule, key)));
        let (mut even, mut odd) = (false, false);
        blocking::keys_of(&scorer.table.row(*right), |rule, key| {
            if keys.contains(&(rule, key)) {
                even |= rule % 2 == 0;
                odd |= rule % 2 == 1;
            }
        });
        first += f64::from(even);
        second += f64::from(odd);
        both += f64::from(even && odd);
    }
    if both == 0.0 {
        return 1.0;
    }
    let all = first * second / both;
    ((first + second - both) / all).min(1.0)
}

fn constraints(links: &Links, decisions: &Decisions) -> Result<Constraints> {
    if decisions.must_link.is_empty() && decisions.cannot_link.is_empty() {
        return Ok(Constraints::default());
    }
    let rows = links.rows_by_id();
    let pair = |(left, right): &(String, String)| match rows.pair(left, right) {
        Some((left, right)) if left != right => Ok((left.min(right), left.max(right))),
        Some(_) => Err(Error::invalid("a decision names one record twice")),
        None => Err(Error::invalid("a decision names a record that is not there")),
    };
    let must: Vec<(u32, u32)> = decisions.must_link.iter().map(pair).collect::<Result<_>>()?;
    let cannot: Vec<(u32, u32)> = decisions.cannot_link.iter().map(pair).collect::<Result<_>>()?;
    let mut linked = Components::new(links.table.len());
    must.iter().for_each(|(left, right)| {
        linked.link(*left, *right);
    });
    if cannot.iter().any(|(left, right)| linked.find(*left) == linked.find(*right)) {
        return Err(
            Error::invalid("two records must and must not be linked").with_hint("take one of the decisions back")
        );
    }
    Ok(Constraints { must, cannot })
}
