//! One record against many with a trained model, wherever those lie: which keys are followed, weights, bands and groups.
//!
//! The index in memory and the store share it, so that both give equal answers. It holds the model and no record; the caller brings
//! the records under a key and their texts. It decides nothing: the caller acts on the bands.

use std::cmp::Reverse;

use super::blocking::{RULES, is_weak, keys_of};
use super::cluster::MOST;
use super::compare::{Comparison, pattern_of};
use super::explain::{PairExplanation, explanation};
use super::links::{Band, Links, band_of};
use super::model::{Frequencies, LinkageModel, Weights, probability, weight_of};
use super::parsed::{Slot, Slots};
use super::quality::Verdict;
use crate::definitions::{LinkageDefinition, LinkageThresholds};

/// A record that may be the same person as the one asked about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The number that the caller gave the record.
    pub id: u64,
    /// log2 of the odds that both are one person.
    pub weight: f64,
    /// The weight as a probability.
    pub probability: f64,
    /// What is to be done with the pair.
    pub band: Band,
}

/// A group of records that are one person, and how well a record fits it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupCandidate {
    /// The number that the caller gave the group.
    pub group: u64,
    /// The mean weight between the record and the records of the group, in bits.
    pub weight: f64,
    /// The weight as a probability.
    pub probability: f64,
    /// What is to be done: `auto` only if both the mean and the best record of the group are.
    pub band: Band,
    /// The record of the group with the highest weight.
    pub best: Candidate,
}

// What a question may look at: by rules that few strangers share, and by others.
const MOST_OF_STRONG: usize = 100;
const MOST_OF_WEAK: usize = 40;
// The number of records that are scored for a question.
const MOST_SCORED: usize = 24;
// What a key adds to the chance of a record, over the number of records that share it.
const KEY_SHARE: u64 = 1 << 20;
/// The number of records by which a group is judged.
pub(crate) const MEMBERS_SCORED: usize = 20;

/// A model at work on single records.
pub(crate) struct Resolver {
    model: LinkageModel,
    weights: Weights,
    comparisons: Vec<Comparison>,
    thresholds: LinkageThresholds,
    verdict: Verdict,
    /// The most records that a key may have, by rule.
    most: Vec<usize>,
}

/// What the texts of the record asked about add where another has them too: looked up once for a question.
pub(crate) struct Asked(Vec<(Slot, f64)>);

impl Resolver {
    /// Under a red verdict nothing is in the band `auto`.
    pub(crate) fn new(model: LinkageModel, verdict: Verdict, linkage: &LinkageDefinition) -> Resolver {
        let most = |rule: u8| if is_weak(rule) { MOST_OF_WEAK } else { MOST_OF_STRONG };
        Resolver {
            weights: model.weights(),
            comparisons: model.comparisons(),
            model,
            thresholds: linkage.thresholds,
            verdict,
            most: (0..RULES.len() as u8).map(|rule| most(rule).min(linkage.blocking.max_block as usize)).collect(),
        }
    }

    pub(crate) fn model(&self) -> &LinkageModel {
        &self.model
    }

    /// The most records that a key of a rule may have to be followed.
    pub(crate) fn most(&self, rule: u8) -> usize {
        self.most.get(usize::from(rule)).copied().unwrap_or(MOST_OF_WEAK)
    }

    /// Of the records that share a key with this one those that are worth scoring, in order: records that share many keys that few
    /// others share comes first, equal ones by number (the weighting ARCS of meta-blocking: Papadakis et al. 2014).
    ///
    /// `of_key(rule, key, most, records)` adds the records of a key; `false` if they are more than `most`, and the key is
    /// not followed.
    pub(crate) fn sharing<S: Slots, E>(
        &self,
        record: &S,
        mut of_key: impl FnMut(u8, u64, usize, &mut Vec<u32>) -> Result<bool, E>,
    ) -> Result<Vec<u32>, E> {
        let mut keys: Vec<(u8, u64)> = Vec::new();
        keys_of(record, |rule, key| keys.push((rule, key)));
        let mut of_one: Vec<u32> = Vec::new();
        let mut found: Vec<(u32, u64)> = Vec::new();
        for (rule, key) in keys {
            of_one.clear();
            if of_key(rule, key, self.most(rule), &mut of_one)? {
                let share = KEY_SHARE / of_one.len().max(1) as u64;
                found.extend(of_one.iter().map(|record| (*record, share)));
            }
        }
        found.sort_unstable();
        found.dedup_by(|(record, share), (kept, shares)| {
            let is_same = record == kept;
            *shares += if is_same { *share } else { 0 };
            is_same
        });
        if found.len() > MOST_SCORED {
            found.select_nth_unstable_by_key(MOST_SCORED, |(record, shares)| (Reverse(*shares), *record));
            found.truncate(MOST_SCORED);
        }
        let mut chosen: Vec<u32> = found.into_iter().map(|(record, _)| record).collect();
        chosen.sort_unstable();
        Ok(chosen)
    }

    /// What is looked up once for a record.
    pub(crate) fn ask<S: Slots>(&self, record: &S) -> Asked {
        let bits = |known: &Frequencies| (known.slot, self.model.live_bits(record, record, known.slot));
        Asked(self.model.frequencies.iter().map(bits).collect())
    }

    /// log2 of the odds that the record asked about and another are one person.
    pub(crate) fn weight<S: Slots>(&self, own: &S, asked: &Asked, other: &S) -> f64 {
        let pattern = pattern_of(&self.comparisons, own, other);
        let bits = |slot: Slot| match asked.0.iter().find(|(known, _)| *known == slot) {
            Some((_, bits)) if own.is_same(other, slot) => *bits,
            _ => self.model.live_bits(own, other, slot),
        };
        self.weights.parts(&self.model, pattern, bits, |_, _| {})
    }

    /// Why two records are or are not one person: the parts add up to the weight to the bit.
    pub(crate) fn explain<S: Slots>(&self, own: &S, other: &S) -> PairExplanation {
        let pattern = pattern_of(&self.comparisons, own, other);
        explanation(&self.model, own, other, |show| {
            self.weights.parts(&self.model, pattern, |slot| self.model.live_bits(own, other, slot), show)
        })
    }

    /// The band of a weight.
    pub(crate) fn band(&self, weight: f64) -> Band {
        band_of(weight, &self.thresholds, self.verdict)
    }

    /// Whether records of this mean weight to each other are one cluster.
    pub(crate) fn is_cluster(&self, mean: f64) -> bool {
        mean >= weight_of(self.thresholds.cluster)
    }

    /// Those of these records, given with their weights, that are not clearly refused: the likeliest first, equal ones by
    /// number.
    pub(crate) fn candidates(&self, weighed: impl IntoIterator<Item = (u64, f64)>) -> Vec<Candidate> {
        let least = Links::least_weight(&self.thresholds);
        let likely = weighed.into_iter().filter(|(_, weight)| *weight >= least);
        let candidate =
            |(id, weight)| Candidate { id, weight, probability: probability(weight), band: self.band(weight) };
        let mut found: Vec<Candidate> = likely.map(candidate).collect();
        found.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.id.cmp(&b.id)));
        found
    }

    /// The groups of these candidates, the best first: by the mean weight to the records of a group, of which the first
    /// twenty count.
    ///
    /// `weight_of` gives the weight to a record; `None` if there is no such one.
    pub(crate) fn groups<M: AsRef<[u64]>, E>(
        &self,
        candidates: &[Candidate],
        group_of: impl Fn(u64) -> u64,
        members_of: impl Fn(u64) -> M,
        mut weight_of: impl FnMut(u64) -> Result<Option<f64>, E>,
    ) -> Result<Vec<GroupCandidate>, E> {
        let mut found: Vec<GroupCandidate> = Vec::new();
        for best in candidates {
            let group = group_of(best.id);
            if found.iter().any(|known| known.group == group) {
                continue;
            }
            let mut mean = Mean::default();
            for id in members_of(group).as_ref() {
                if mean.n < MEMBERS_SCORED as f64
                    && let Some(weight) = weight_of(*id)?
                {
                    mean.add(weight);
                }
            }
            let weight = mean.of().unwrap_or(best.weight);
            let band = match (self.band(weight), best.band) {
                (Band::Auto, Band::Auto) => Band::Auto,
                (Band::Reject, _) => Band::Reject,
                _ => Band::Review,
            };
            found.push(GroupCandidate { group, weight, probability: probability(weight), band, best: *best });
        }
        found.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.group.cmp(&b.group)));
        Ok(found)
    }
}

/// The mean weight between records, none of them counting beyond what clusters count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    sum: f64,
    n: f64,
}

impl Mean {
    pub(crate) fn add(&mut self, weight: f64) {
        self.sum += weight.clamp(-MOST, MOST);
        self.n += 1.0;
    }

    /// `None` of none.
    pub(crate) fn of(self) -> Option<f64> {
        (self.n > 0.0).then(|| self.sum / self.n)
    }
}
