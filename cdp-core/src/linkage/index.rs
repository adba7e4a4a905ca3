//! Records in memory that say, for one record, which of them may be the same person: blocking, candidates and weights live.
//!
//! It holds texts once, rows of numbers and one sorted set of packed blocking keys; records come and go one at a time. It
//! reads and writes no store and decides nothing: the caller acts on the bands.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;

use rustc_hash::FxHashMap;

use super::blocking::keys_of;
use super::explain::PairExplanation;
use super::live::LiveRecord;
use super::model::LinkageModel;
#[cfg(test)]
use super::parsed::Slot;
use super::quality::Verdict;
use super::resolve::{Asked, Candidate, GroupCandidate, Resolver};
use super::table::Table;
use crate::definitions::LinkageDefinition;

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
    resolver: Resolver,
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

impl LinkageIndex {
    /// No records yet. Under a red verdict nothing is in the band `auto`.
    pub fn new(model: LinkageModel, verdict: Verdict, linkage: &LinkageDefinition) -> LinkageIndex {
        LinkageIndex {
            resolver: Resolver::new(model, verdict, linkage),
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
        self.resolver.model()
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
        let of_key = |_: u8, key: u64, most: usize, rows: &mut Vec<u32>| {
            let start = rows.len();
            let of_key = self.keys.range(packed(key, 0)..=packed(key, ROW_MASK as u32));
            rows.extend(of_key.take(most + 1).map(|key| (key & ROW_MASK) as u32));
            Ok::<bool, Infallible>(rows.len() - start <= most)
        };
        let Ok(rows) = self.resolver.sharing(&record.0, of_key);
        let asked = self.asked(record);
        let id = |row: u32| self.ids.get(row as usize).copied().unwrap_or_default();
        self.resolver.candidates(rows.into_iter().map(|row| (id(row), self.weight(record, &asked, row))))
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
        let weight_of =
            |id: u64| Ok::<Option<f64>, Infallible>(self.rows.get(&id).map(|row| self.weight(record, &asked, *row)));
        let Ok(found) = self.resolver.groups(&self.candidates(record), group_of, members_of, weight_of);
        found
    }

    /// Why a record and one of the index are or are not one person; `None` if the latter is not there.
    pub fn explain(&self, record: &LiveRecord, id: u64) -> Option<PairExplanation> {
        let other = self.table.row(*self.rows.get(&id)?);
        let numbers = self.table.numbers_of_record(&record.0);
        Some(self.resolver.explain(&self.table.row_of(&record.0, &numbers), &other))
    }

    /// How many keys and how many bytes of text are held.
    #[cfg(test)]
    pub(crate) fn n_left(&self) -> (usize, usize) {
        (self.keys.len(), Slot::ALL.iter().map(|slot| self.table.dictionary(*slot).n_letters()).sum())
    }

    /// What is looked up once for a question: the numbers of its texts here, and what they add.
    fn asked(&self, record: &LiveRecord) -> (Vec<u32>, Asked) {
        (self.table.numbers_of_record(&record.0), self.resolver.ask(&record.0))
    }

    fn weight(&self, record: &LiveRecord, (numbers, asked): &(Vec<u32>, Asked), row: u32) -> f64 {
        self.resolver.weight(&self.table.row_of(&record.0, numbers), asked, &self.table.row(row))
    }
}

fn packed(key: u64, row: u32) -> u64 {
    key & !ROW_MASK | u64::from(row) & ROW_MASK
}
