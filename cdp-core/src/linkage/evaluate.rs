//! How good links are, measured against labels.
//!
//! Pair figures count all true pairs, also those that blocking never proposed. Labels name the person of each record, or for
//! single pairs whether they match; in the second case only labelled pairs are counted.

use rustc_hash::FxHashMap;

use super::blocking;
use super::explain::PairExplanation;
use super::links::{Links, Side};
use super::model::weight_of;
use crate::error::{Error, Result};

/// What is known to be true.
#[derive(Clone, Debug)]
pub enum Labels {
    /// Record identifier and the name of the person it is of. Fails where both of two tables have the identifier.
    Persons(Vec<(String, String)>),
    /// A record, with its table where that is known.
    PersonsOf(Vec<(Option<Side>, String, String)>),
    /// Two record identifiers and whether they are one person; of two tables, the first of the left one and the second of
    /// the right one.
    Pairs(Vec<(String, String, bool)>),
}

/// Precision, recall and their harmonic mean; 1 where there was nothing to find or nothing found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Share of what was found that is true.
    pub precision: f64,
    /// Share of what is true that was found.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

impl Scores {
    fn of(true_found: f64, found: f64, truth: f64) -> Scores {
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 1.0 };
        Scores::from_shares(share(true_found, found), share(true_found, truth))
    }

    fn from_shares(precision: f64, recall: f64) -> Scores {
        let sum = precision + recall;
        Scores { precision, recall, f1: if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 } }
    }
}

/// The figures of an evaluation.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// How many labelled true pairs there are.
    pub n_true_pairs: u64,
    /// Share of the true pairs that some blocking rule proposed: no model can find more.
    pub blocking_recall: f64,
    /// Share of the true pairs that were kept, because they were proposed and not clearly refused.
    pub kept_recall: f64,
    /// Pairs at probability thresholds: threshold and scores.
    pub thresholds: Vec<(f64, Scores)>,
    /// The threshold with the best F1 among those measured.
    pub best: (f64, Scores),
    /// Pairs of records in one cluster.
    pub clusters: Scores,
    /// Averages over records (Bagga and Baldwin 1998); equal to the clusters' scores where labels are of pairs.
    pub b_cubed: Scores,
    /// The most records in a cluster that were labelled, found and true.
    pub largest_clusters: (u64, u64),
    /// The likeliest false links: identifiers of both records and why they were linked.
    pub worst: Vec<(String, String, PairExplanation)>,
}

const THRESHOLDS: [f64; 11] = [0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999];
const WORST: usize = 20;

impl Links {
    /// How good the links are against labels. Fails with `Invalid` if a label names an unknown record.
    pub fn evaluate(&self, labels: &Labels) -> Result<Evaluation> {
        evaluate(self, labels)
    }
}

fn evaluate(links: &Links, labels: &Labels) -> Result<Evaluation> {
    let rows = links.rows_by_id();
    let unknown = || {
        Error::invalid("a label names a record that was not linked").with_hint("labels carry the record identifiers")
    };
    let truth_of = |persons: &mut dyn Iterator<Item = (Option<Side>, &str, &str)>| -> Result<Vec<Option<u32>>> {
        let mut names: FxHashMap<String, u32> = FxHashMap::default();
        let mut truth: Vec<Option<u32>> = vec![None; links.len()];
        for (side, id, person) in persons {
            let next = names.len() as u32;
            let person = *names.entry(person.to_owned()).or_insert(next);
            let row = rows.row(side, id)?.ok_or_else(unknown)?;
            truth.get_mut(row as usize).into_iter().for_each(|place| *place = Some(person));
        }
        Ok(truth)
    };
    match labels {
        Labels::Persons(persons) => {
            let mut persons = persons.iter().map(|(id, person)| (None, id.as_str(), person.as_str()));
            Ok(of_persons(links, &truth_of(&mut persons)?))
        }
        Labels::PersonsOf(persons) => {
            let mut persons = persons.iter().map(|(side, id, person)| (*side, id.as_str(), person.as_str()));
            Ok(of_persons(links, &truth_of(&mut persons)?))
        }
        Labels::Pairs(pairs) => {
            let mut labelled: FxHashMap<(u32, u32), bool> = FxHashMap::default();
            for (left, right, is_match) in pairs {
                let (left, right) = rows.pair(left, right).ok_or_else(unknown)?;
                labelled.insert((left.min(right), left.max(right)), *is_match);
            }
            Ok(of_pairs(links, &labelled))
        }
    }
}

fn of_persons(links: &Links, truth: &[Option<u32>]) -> Evaluation {
    let person = |row: u32| truth.get(row as usize).copied().flatten();
    let label = |left: u32, right: u32| person(left).zip(person(right)).map(|(left, right)| left == right);
    let mut joint: FxHashMap<(u32, u32), f64> = FxHashMap::default();
    let (mut found, mut true_ones): (FxHashMap<u32, f64>, FxHashMap<u32, f64>) =
        (FxHashMap::default(), FxHashMap::default());
    // Between two sources, only pairs across them can be true.
    let mut across: FxHashMap<u32, [f64; 2]> = FxHashMap::default();
    let labelled = || {
        links
            .labels()
            .iter()
            .zip(truth)
            .enumerate()
            .filter_map(|(row, (cluster, person))| Some((row as u32, *cluster, (*person)?)))
    };
    for (row, cluster, person) in labelled() {
        *joint.entry((cluster, person)).or_default() += 1.0;
        *found.entry(cluster).or_default() += 1.0;
        *true_ones.entry(person).or_default() += 1.0;
        let side = usize::from(row >= links.second_source());
        across.entry(person).or_default().get_mut(side).into_iter().for_each(|n| *n += 1.0);
    }
    // Counts are whole numbers, so the order of a map does not change their sum.
    let pairs = |sizes: &mut dyn Iterator<Item = f64>| sizes.map(|n| n * (n - 1.0) / 2.0).sum::<f64>();
    let n_found = pairs(&mut found.values().copied());
    let n_joint = pairs(&mut joint.values().copied());
    let one_source = links.second_source() as usize >= links.len();
    let n_true =
        if one_source { pairs(&mut true_ones.values().copied()) } else { across.values().map(|[a, b]| a * b).sum() };
    let (mut precision, mut recall, mut n) = (0.0, 0.0, 0.0);
    for (_, cluster, person) in labelled() {
        let both = joint.get(&(cluster, person)).copied().unwrap_or(1.0);
        precision += both / found.get(&cluster).copied().unwrap_or(1.0);
        recall += both / true_ones.get(&person).copied().unwrap_or(1.0);
        n += 1.0;
    }
    let b_cubed = if n > 0.0 { Scores::from_shares(precision / n, recall / n) } else { Scores::of(0.0, 0.0, 0.0) };
    let most = |sizes: &FxHashMap<u32, f64>| sizes.values().fold(0.0_f64, |most, n| most.max(*n)) as u64;
    let largest = (most(&found), most(&true_ones));
    finish(links, n_true, label, Scores::of(n_joint, n_found, n_true), Some(b_cubed), largest)
}

fn of_pairs(links: &Links, labelled: &FxHashMap<(u32, u32), bool>) -> Evaluation {
    let label = |left: u32, right: u32| labelled.get(&(left, right)).copied();
    let cluster = |row: u32| links.labels().get(row as usize).copied();
    let linked = |pair: &(u32, u32)| cluster(pair.0) == cluster(pair.1);
    let count =
        |test: &dyn Fn(&(u32, u32), bool) -> bool| labelled.iter().filter(|(pair, is)| test(pair, **is)).count() as f64;
    let n_true = count(&|_, is| is);
    let clusters = Scores::of(count(&|pair, is| is && linked(pair)), count(&|pair, _| linked(pair)), n_true);
    let mut sizes: FxHashMap<u32, u64> = FxHashMap::default();
    links.labels().iter().for_each(|label| *sizes.entry(*label).or_default() += 1);
    finish(links, n_true, label, clusters, None, (sizes.values().copied().max().unwrap_or(0), 0))
}

fn finish(
    links: &Links,
    n_true: f64,
    label: impl Fn(u32, u32) -> Option<bool>,
    clusters: Scores,
    b_cubed: Option<Scores>,
    largest_clusters: (u64, u64),
) -> Evaluation {
    let mut judged: Vec<(f64, bool, u32, u32)> = links
        .pair_weights()
        .iter()
        .filter_map(|(left, right, weight)| Some((*weight, label(*left, *right)?, *left, *right)))
        .collect();
    judged.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.2, a.3).cmp(&(b.2, b.3))));
    let at = |threshold: f64| {
        let from = weight_of(threshold);
        let (mut n, mut good) = (0.0, 0.0);
        for (_, is_match, ..) in judged.iter().take_while(|(weight, ..)| *weight >= from) {
            n += 1.0;
            good += if *is_match { 1.0 } else { 0.0 };
        }
        (threshold, Scores::of(good, n, n_true))
    };
    let thresholds: Vec<(f64, Scores)> = THRESHOLDS.into_iter().map(at).collect();
    let best = thresholds
        .iter()
        .copied()
        .fold((0.5, Scores::of(0.0, 1.0, 1.0)), |best, of| if of.1.f1 > best.1.f1 { of } else { best });
    let (proposed, _) = blocking::pairs(&links.table, &links.limits);
    let proposed =
        proposed.iter().filter(|pair| label((*pair >> 32) as u32, **pair as u32) == Some(true)).count() as f64;
    let kept = judged.iter().filter(|(_, is_match, ..)| *is_match).count() as f64;
    let wrong = judged.iter().filter(|(_, is_match, ..)| !is_match).take(WORST);
    let worst = wrong.map(|(_, _, left, right)| (links.id(*left), links.id(*right), links.explain_rows(*left, *right)));
    Evaluation {
        n_true_pairs: n_true as u64,
        blocking_recall: if n_true > 0.0 { proposed / n_true } else { 1.0 },
        kept_recall: if n_true > 0.0 { kept / n_true } else { 1.0 },
        thresholds,
        best,
        clusters,
        b_cubed: b_cubed.unwrap_or(clusters),
        largest_clusters,
        worst: worst.collect(),
    }
}
