//! The partition step of merges, without any other cost of a message: for benchmarks alone.
//!
//! It takes a number of pairs of profiles and merges them, transaction by transaction. It reads and writes no file.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::decisions::Decisions;
use super::links::Link;
use super::node_rules::NodeRules;
use super::partition::Partition;
use super::types::TypeRules;
use crate::definitions::IdentityDefinition;
use crate::error::Result;
use crate::records::{LinkRule, TieOrder, Timestamp};

const NAMES: [&str; 3] = ["user_id", "email", "anonymous_id"];
/// The identifiers of a pair, by the place of their type in [`NAMES`]: a user with an address and a device, and the
/// address and device of an anonymous profile.
const TYPES_OF_PAIR: [usize; 5] = [0, 1, 2, 1, 2];
const NODES_OF_PAIR: u32 = TYPES_OF_PAIR.len() as u32;
/// The links of a pair before the merge: node and other end.
const LINKS_OF_PAIR: [(u32, u32); 3] = [(0, 1), (0, 2), (3, 4)];
/// The link that merges a pair: the user is seen on the device of the anonymous profile.
const MERGE: (u32, u32) = (0, 4);

/// Pairs of profiles under the preset `segment`, and the partition of all of them.
pub struct PairsOfProfiles {
    rules: PairRules,
    partition: Partition,
    n_pairs: u32,
}

struct PairRules {
    types: TypeRules,
    decisions: Decisions,
    committed: u64,
}

impl PairsOfProfiles {
    /// Creates `n_pairs` unmerged pairs, whose links are repeated `n_repeats` times. Fails as a transaction may.
    pub fn new(n_pairs: u32, n_repeats: u32) -> Result<PairsOfProfiles> {
        let number = |name: &str| NAMES.iter().position(|known| *known == name).map(|place| place as u32 + 1);
        let types = TypeRules::new(&IdentityDefinition::segment(), number);
        let rules = PairRules { types, decisions: Decisions::default(), committed: 0 };
        let mut pairs = PairsOfProfiles { rules, partition: Partition::default(), n_pairs };
        for _ in 0..n_repeats {
            let links = (0..n_pairs).flat_map(|pair| LINKS_OF_PAIR.map(|link| (pair, link)));
            pairs.transact(&links.collect::<Vec<_>>())?;
        }
        Ok(pairs)
    }

    /// Merges `n_merges` pairs in one transaction, spread over all pairs; `first` is the number of pairs merged before.
    /// Returns the number of merged profiles.
    pub fn merge(&mut self, first: u32, n_merges: u32) -> Result<u64> {
        // A step that shares no divisor with the number of pairs visits each once.
        let step = (0..).map(|n| self.n_pairs / 3 * 2 + 1 + n).find(|step| gcd(*step, self.n_pairs) == 1).unwrap_or(1);
        let pair = |place: u32| (u64::from(place) * u64::from(step) % u64::from(self.n_pairs)) as u32;
        let links: Vec<(u32, (u32, u32))> = (first..first + n_merges).map(|place| (pair(place), MERGE)).collect();
        self.transact(&links)
    }

    fn transact(&mut self, links: &[(u32, (u32, u32))]) -> Result<u64> {
        let first = self.rules.committed + 1;
        let links: Vec<Link> = (first..)
            .zip(links)
            .map(|(sequence, (pair, (node, other)))| {
                let base = pair * NODES_OF_PAIR;
                let occurred_at = Timestamp::from_millis(sequence.cast_signed());
                Link { node: base + node, other: base + other, occurred_at, sequence, rule: LinkRule::SameMessage }
            })
            .collect();
        let mut overlay = self.partition.changes();
        overlay.add(&self.partition, &links, &BTreeSet::new(), &self.rules)?;
        let n_merges = overlay.merges();
        self.partition.fold(overlay);
        self.rules.committed += links.len() as u64;
        Ok(n_merges)
    }
}

fn gcd(left: u32, right: u32) -> u32 {
    if right == 0 { left } else { gcd(right, left % right) }
}

impl NodeRules for PairRules {
    fn type_of(&self, node: u32) -> u32 {
        TYPES_OF_PAIR.get((node % NODES_OF_PAIR) as usize).map_or(0, |place| *place as u32 + 1)
    }

    fn types(&self) -> &TypeRules {
        &self.types
    }

    fn type_name(&self, type_number: u32) -> &str {
        NAMES.get(type_number as usize - 1).copied().unwrap_or_default()
    }

    fn tie_order(&self, sequence: u64) -> Result<TieOrder> {
        Ok(TieOrder::message(0, &format!("{sequence:020}"), ""))
    }

    fn compare_ranks(&self, left: u32, right: u32) -> Ordering {
        (self.type_of(left), left).cmp(&(self.type_of(right), right))
    }

    fn first_sequence(&self, node: u32) -> Option<u64> {
        Some(u64::from(node / NODES_OF_PAIR) + 1)
    }

    fn committed_sequence(&self) -> u64 {
        self.committed
    }

    fn first_identified(&self, _: u32) -> Result<Option<(Timestamp, Vec<u64>)>> {
        Ok(None)
    }

    fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    fn evidence(&self, _: &[u32]) -> Result<Vec<Link>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_merged_once() {
        let mut pairs = PairsOfProfiles::new(300, 2).unwrap();
        let before = pairs.partition.view().profiles_at(1500, Timestamp::MAX).len();
        let merged: u64 = [(0, 100), (100, 200)].map(|(first, n)| pairs.merge(first, n).unwrap()).iter().sum();
        let after = pairs.partition.view().profiles_at(1500, Timestamp::MAX).len();
        assert_eq!((before, merged, after), (600, 300, 300));
    }
}
