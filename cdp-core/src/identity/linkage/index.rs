//! Records in memory that say, for one record, which of them may be the same person: blocking, candidates and weights live.
//!
//! It holds texts once, rows of numbers and one sorted set of packed blocking keys; records come and go one at a time. It
//! reads and writes no store and decides nothing: the caller acts on the bands.

use std::collections::BTreeSet;
use std::fmt;

use rustc_hash::FxHashMap;

use super::blocking::{RULES, is_weak, keys_of};
use super::compare::{Comparison, pattern_of};
use super::explain::{PairExplanation, explanation};
use super::links::{Band, Links, band_of};
use super::live::LiveRecord;
use super::model::{LinkageModel, Weights, probability};
use super::parsed::{Slot, Slots};
use super::quality::Verdict;
use super::table::{Row, Table};
use crate::definitions::{LinkageDefinition, LinkageThresholds};

/// A record that may be the same person as the one asked about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The number that the caller gave the record.
    pub id: u64,
    /// log2 of the odds that both are one person.
    pub weight: f64,
    /// The same as a probability.
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
    /// The same as a probability.
    pub probability: f64,
    /// What is to be done: `auto` only if both the mean and the best record of the group are.
    pub band: Band,
    /// The record of the group with the highest weight.
    pub best: Candidate,
}

/// Records by blocking key, for one record at a time.
///
/// A million records take about 0.4 gigabytes. Asking costs tens of microseconds, inserting and removing about twenty.
///
/// ```
/// use cdp_core::definitions::{ColumnRole, LinkageDefinition};
/// use cdp_core::linkage::{ColumnRoles, LinkageIndex, LiveRecord, Records, link};
/// let mut records = Records::new(["first_name", "surname", "dob", "email"]);
/// records.push("1", ["Robert", "Allen", "1971-05-24", "roberta25@smith.net"])?;
/// records.push("2", ["Rob", "Alen", "1971-05-24", "roberta25@smith.net"])?;
/// records.push("3", ["Jane", "Doe", "1980-01-30", "jane@e.com"])?;
/// let linkage = LinkageDefinition::default();
/// let links = link(&records, &ColumnRoles::new(), &linkage, 0)?;
/// let mut index = LinkageIndex::new(links.model().clone(), links.quality().verdict, &linkage);
/// index.insert(7, &LiveRecord::new([(ColumnRole::GivenName, "Robert"), (ColumnRole::Email, "roberta25@smith.net")]));
/// let asked = LiveRecord::new([(ColumnRole::GivenName, "Rob"), (ColumnRole::Email, "RobertA25@smith.net")]);
/// assert_eq!(index.candidates(&asked).first().map(|found| found.id), Some(7));
/// assert!(index.remove(7) && index.is_empty());
/// # Ok::<(), cdp_core::Error>(())
/// ```
pub struct LinkageIndex {
    model: LinkageModel,
    weights: Weights,
    comparisons: Vec<Comparison>,
    thresholds: LinkageThresholds,
    verdict: Verdict,
    /// The most records that a key may have, by rule.
    most: Vec<usize>,
    table: Table,
    keys: BTreeSet<u64>,
    rows: FxHashMap<u64, u32>,
    ids: Vec<u64>,
    free: Vec<u32>,
}

/// Shows sizes, never a value.
impl fmt::Debug for LinkageIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkageIndex({} records, {} keys)", self.len(), self.keys.len())
    }
}

// The lower bits of a packed key are the row: 268 million records, and keys that meet by chance once in thousands of questions.
const ROW_BITS: u32 = 28;
const ROW_MASK: u64 = (1 << ROW_BITS) - 1;
// What a question may look at: by rules that few strangers share, and by others.
const MOST_OF_STRONG: usize = 100;
const MOST_OF_WEAK: usize = 40;
// So many records are scored for a question, unless one key alone has more.
const ENOUGH: usize = 64;
// A group is judged by so many of its records.
const MEMBERS_SCORED: usize = 20;

impl LinkageIndex {
    /// No records yet. Under a red verdict nothing is in the band `auto`.
    pub fn new(model: LinkageModel, verdict: Verdict, linkage: &LinkageDefinition) -> LinkageIndex {
        let most = |rule: u8| if is_weak(rule) { MOST_OF_WEAK } else { MOST_OF_STRONG };
        LinkageIndex {
            weights: model.weights(),
            comparisons: model.comparisons(),
            model,
            thresholds: linkage.thresholds,
            verdict,
            most: (0..RULES.len() as u8).map(|rule| most(rule).min(linkage.blocking.max_block as usize)).collect(),
            table: Table::new(),
            keys: BTreeSet::new(),
            rows: FxHashMap::default(),
            ids: Vec::new(),
            free: Vec::new(),
        }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a record of this number is there.
    pub fn contains(&self, id: u64) -> bool {
        self.rows.contains_key(&id)
    }

    /// The model that scores.
    pub fn model(&self) -> &LinkageModel {
        &self.model
    }

    /// Adds a record, in place of one of the same number; whether there was one.
    pub fn insert(&mut self, id: u64, record: &LiveRecord) -> bool {
        let was_there = self.remove(id);
        let row = match self.free.pop() {
            Some(row) => {
                self.table.put(row, &record.0);
                self.ids.get_mut(row as usize).into_iter().for_each(|place| *place = id);
                row
            }
            None => {
                self.table.push(&record.0, self.ids.len() + 1);
                self.ids.push(id);
                self.ids.len() as u32 - 1
            }
        };
        self.rows.insert(id, row);
        let keys = &mut self.keys;
        keys_of(&record.0, |_, key| {
            keys.insert(packed(key, row));
        });
        was_there
    }

    /// Takes a record out, its texts with it; whether it was there.
    pub fn remove(&mut self, id: u64) -> bool {
        let Some(row) = self.rows.remove(&id) else { return false };
        let keys = &mut self.keys;
        keys_of(&self.table.row(row), |_, key| {
            keys.remove(&packed(key, row));
        });
        self.table.clear(row);
        self.free.push(row);
        true
    }

    /// The records that may be the same person as this one and are not clearly refused, the likeliest first, equal ones by
    /// number. Keys that too many records share are not followed.
    pub fn candidates(&self, record: &LiveRecord) -> Vec<Candidate> {
        let rows = self.rows_sharing(record);
        let least = Links::least_weight(&self.thresholds);
        let asked = self.asked(record);
        let found = rows.into_iter().filter_map(|row| {
            let weight = self.weight(record, &asked, row);
            (weight >= least).then(|| self.candidate(row, weight))
        });
        let mut found: Vec<Candidate> = found.collect();
        found.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.id.cmp(&b.id)));
        found
    }

    /// The rows that share a key with this record: the rarest keys first, until they are enough.
    fn rows_sharing(&self, record: &LiveRecord) -> Vec<u32> {
        let mut rows: Vec<u32> = Vec::new();
        let mut blocks: Vec<(usize, usize)> = Vec::new();
        keys_of(&record.0, |rule, key| {
            let most = self.most.get(usize::from(rule)).copied().unwrap_or(MOST_OF_WEAK);
            let start = rows.len();
            let of_key = self.keys.range(packed(key, 0)..=packed(key, ROW_MASK as u32));
            rows.extend(of_key.take(most + 1).map(|key| (key & ROW_MASK) as u32));
            if rows.len() - start > most {
                rows.truncate(start);
            } else if rows.len() > start {
                blocks.push((rows.len() - start, start));
            }
        });
        blocks.sort_unstable();
        let mut chosen: Vec<u32> = Vec::new();
        for (n, start) in blocks {
            if chosen.len() + n > ENOUGH && !chosen.is_empty() {
                chosen.sort_unstable();
                chosen.dedup();
                if chosen.len() + n > ENOUGH {
                    break;
                }
            }
            chosen.extend_from_slice(rows.get(start..start + n).unwrap_or_default());
        }
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    /// The groups that this record may belong to, the best first, as clusters are made of a whole table: by the mean weight to
    /// the records of a group, of which the first twenty count.
    ///
    /// `group_of` gives the group of a record, `members_of` the records of a group.
    pub fn groups<M: AsRef<[u64]>>(
        &self,
        record: &LiveRecord,
        group_of: impl Fn(u64) -> u64,
        members_of: impl Fn(u64) -> M,
    ) -> Vec<GroupCandidate> {
        let asked = self.asked(record);
        let mut found: Vec<GroupCandidate> = Vec::new();
        for best in self.candidates(record) {
            let group = group_of(best.id);
            if found.iter().any(|known| known.group == group) {
                continue;
            }
            let members = members_of(group);
            let rows = members.as_ref().iter().filter_map(|id| self.rows.get(id)).take(MEMBERS_SCORED);
            let (mut sum, mut n) = (0.0, 0.0);
            for row in rows {
                sum += self.weight(record, &asked, *row).clamp(-super::cluster::MOST, super::cluster::MOST);
                n += 1.0;
            }
            let weight = if n > 0.0 { sum / n } else { best.weight };
            let band = match (band_of(weight, &self.thresholds, self.verdict), best.band) {
                (Band::Auto, Band::Auto) => Band::Auto,
                (Band::Reject, _) => Band::Reject,
                _ => Band::Review,
            };
            found.push(GroupCandidate { group, weight, probability: probability(weight), band, best });
        }
        found.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.group.cmp(&b.group)));
        found
    }

    /// Why a record and one of the index are or are not one person; `None` if the latter is not there.
    pub fn explain(&self, record: &LiveRecord, id: u64) -> Option<PairExplanation> {
        let other = self.table.row(*self.rows.get(&id)?);
        let asked = self.asked(record);
        let own = self.table.row_of(&record.0, &asked.numbers);
        let pattern = pattern_of(&self.comparisons, &own, &other);
        Some(explanation(&self.model, &own, &other, |show| {
            self.weights.parts(&self.model, pattern, |slot| self.model.live_bits(&own, &other, slot), show)
        }))
    }

    /// How many keys and how many bytes of text are held.
    #[cfg(test)]
    pub(crate) fn n_left(&self) -> (usize, usize) {
        (self.keys.len(), Slot::ALL.iter().map(|slot| self.table.dictionary(*slot).n_letters()).sum())
    }

    fn asked(&self, record: &LiveRecord) -> Asked {
        let numbers = self.table.numbers_of_record(&record.0);
        let bits =
            |known: &super::model::Frequencies| (known.slot, self.model.live_bits(&record.0, &record.0, known.slot));
        Asked { numbers, bits: self.model.frequencies.iter().map(bits).collect() }
    }

    fn weight(&self, record: &LiveRecord, asked: &Asked, row: u32) -> f64 {
        let own = self.table.row_of(&record.0, &asked.numbers);
        let other = self.table.row(row);
        let pattern = pattern_of(&self.comparisons, &own, &other);
        let bits =
            |slot: Slot| asked.bits_of(slot, &own, &other).unwrap_or_else(|| self.model.live_bits(&own, &other, slot));
        self.weights.parts(&self.model, pattern, bits, |_, _| {})
    }

    fn candidate(&self, row: u32, weight: f64) -> Candidate {
        let id = self.ids.get(row as usize).copied().unwrap_or_default();
        Candidate {
            id,
            weight,
            probability: probability(weight),
            band: band_of(weight, &self.thresholds, self.verdict),
        }
    }
}

fn packed(key: u64, row: u32) -> u64 {
    key & !ROW_MASK | u64::from(row) & ROW_MASK
}

/// What is looked up once for a question.
struct Asked {
    numbers: Vec<u32>,
    bits: Vec<(Slot, f64)>,
}

impl Asked {
    /// What the text that both have adds; `None` where they are not equal.
    fn bits_of(&self, slot: Slot, own: &Row<'_>, other: &Row<'_>) -> Option<f64> {
        let known = self.bits.iter().find(|(known, _)| *known == slot).filter(|_| own.is_same(other, slot));
        known.map(|(_, bits)| *bits)
    }
}
