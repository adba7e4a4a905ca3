//! What linking found: clusters, weighted pairs, the model and its verdict, and the answers to questions about them.

use std::fmt;

use rustc_hash::FxHashMap;

use super::explain::{PairExplanation, explain};
use super::model::{LinkageModel, Scorer, probability, weight_of};
use super::quality::{ModelQuality, Verdict};
use super::records::Records;
use super::roles::RecognizedColumn;
use super::table::Table;
use crate::definitions::{BlockingLimits, LinkageThresholds};
use crate::error::{Error, Result};
use crate::records::{Cells, Frame};

/// What is to be done with a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// Sure enough to link without a person looking.
    Auto,
    /// A person should look.
    Review,
    /// Not linked.
    Reject,
}

impl Band {
    /// `auto`, `review` or `reject`.
    pub fn as_str(self) -> &'static str {
        match self {
            Band::Auto => "auto",
            Band::Review => "review",
            Band::Reject => "reject",
        }
    }
}

/// What one blocking rule did.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockingReport {
    /// The rule, in words.
    pub rule: &'static str,
    /// How many pairs it proposed, also those that others proposed too.
    pub n_pairs: u64,
    /// How many of its blocks were too large.
    pub n_blocks_left_out: u64,
    /// The most records of a block that was used.
    pub largest_block_used: u32,
}

/// The result of [`link`](super::link).
pub struct Links {
    pub(crate) ids: Vec<Records>,
    pub(crate) table: Table,
    pub(crate) model: LinkageModel,
    pub(crate) quality: ModelQuality,
    pub(crate) recognized: Vec<Vec<RecognizedColumn>>,
    pub(crate) blocking: Vec<BlockingReport>,
    pub(crate) thresholds: LinkageThresholds,
    pub(crate) limits: BlockingLimits,
    pub(crate) pairs: Vec<(u32, u32, f64)>,
    pub(crate) labels: Vec<u32>,
}

/// What a `cluster_id` begins with where the cluster has no record of the left table.
const RIGHT_MARK: &str = "right:";

/// One of two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first table; of one table, that one.
    Left,
    /// The second table.
    Right,
}

impl Side {
    /// Reads `left` or `right`.
    pub fn parse(word: &str) -> Option<Side> {
        match word {
            "left" => Some(Side::Left),
            "right" => Some(Side::Right),
            _ => None,
        }
    }
}

/// The row of each identifier, for each table: equal identifiers of two tables are different records.
pub(crate) struct RowsById<'l> {
    of_sources: Vec<FxHashMap<&'l str, u32>>,
}

fn rows_of(records: &Records, start: u32) -> FxHashMap<&str, u32> {
    (0..records.len()).map(|place| (records.id(place), start + place as u32)).collect()
}

impl RowsById<'_> {
    fn find(&self, source: usize, id: &str) -> Option<u32> {
        self.of_sources.get(source)?.get(id).copied()
    }

    /// The row of an identifier of one table, or of the only table that has it; `None` if there is no such record.
    pub(crate) fn row(&self, side: Option<Side>, id: &str) -> Result<Option<u32>> {
        match (side, self.find(0, id), self.find(1, id)) {
            (None, Some(_), Some(_)) => Err(Error::invalid("both tables have a record with the identifier of a label")
                .with_hint("give each label its `source` (left or right), or labels of pairs: left, right, match")),
            (Some(Side::Left), row, _) | (Some(Side::Right), _, row) => Ok(row),
            (None, left, right) => Ok(left.or(right)),
        }
    }

    /// The rows of a pair: the first identifier is of the left table and the second of the right one, wherever those
    /// tables have them; else of whichever table has it.
    pub(crate) fn pair(&self, left: &str, right: &str) -> Option<(u32, u32)> {
        let in_sources = |(one, two): (usize, usize)| self.find(one, left).zip(self.find(two, right));
        [(0, 1), (1, 0), (0, 0), (1, 1)].into_iter().find_map(in_sources)
    }
}

/// Shows sizes, never a value.
impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Links({} records, {} pairs)", self.labels.len(), self.pairs.len())
    }
}

impl Links {
    /// How many records were linked, of both sources.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there were no records.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// For each record, in order of rows, the first record of its cluster.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The parsed records, by rows.
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// The pairs that were kept with their weights, by rows.
    pub fn pair_weights(&self) -> &[(u32, u32, f64)] {
        &self.pairs
    }

    /// The row from which the second source begins; the number of records if there is one source.
    pub fn second_source(&self) -> u32 {
        self.table.second_source
    }

    /// The trained model.
    pub fn model(&self) -> &LinkageModel {
        &self.model
    }

    /// Whether the model may be trusted.
    pub fn quality(&self) -> &ModelQuality {
        &self.quality
    }

    /// The roles of the columns, for each source.
    pub fn recognized(&self) -> &[Vec<RecognizedColumn>] {
        &self.recognized
    }

    /// What each blocking rule did.
    pub fn blocking(&self) -> &[BlockingReport] {
        &self.blocking
    }

    /// The identifier of a row.
    pub fn id(&self, row: u32) -> String {
        let second = self.table.second_source;
        let (source, row) = if row >= second { (1, row - second) } else { (0, row) };
        self.ids.get(source).map(|records| records.id(row as usize).to_owned()).unwrap_or_default()
    }

    /// The band of a weight. Nothing is `auto` under a red verdict.
    pub fn band(&self, weight: f64) -> Band {
        band_of(weight, &self.thresholds, self.quality.verdict)
    }

    /// Every record with its cluster: columns `record_id` and `cluster_id`, and `source` (`left` or `right`) where two
    /// tables were linked. In order of rows.
    ///
    /// The `cluster_id` is the identifier of the first record of the cluster. Identifiers of two tables may be equal, so a
    /// cluster that has records of the right table alone is named `right:` and the identifier: no two clusters share a
    /// `cluster_id`.
    pub fn clusters_frame(&self) -> Frame {
        let rows = 0..self.len() as u32;
        let ids = rows.clone().map(|row| Some(self.id(row))).collect();
        let mark = self.right_mark();
        let cluster_id = |label: u32| match label < self.second_source() {
            true => self.id(label),
            false => format!("{mark}{}", self.id(label)),
        };
        let clusters = self.labels.iter().map(|label| Some(cluster_id(*label))).collect();
        let mut columns = vec![("record_id", Cells::Text(ids)), ("cluster_id", Cells::Text(clusters))];
        if self.is_of_two() {
            let source = |row: u32| Some(if row < self.second_source() { "left" } else { "right" }.to_owned());
            columns.push(("source", Cells::Text(rows.map(source).collect())));
        }
        Frame::new(columns)
    }

    /// Whether two tables were linked.
    pub fn is_of_two(&self) -> bool {
        self.ids.len() > 1
    }

    /// `right:`, repeated until no identifier of the left table begins with it.
    fn right_mark(&self) -> String {
        let mut mark = RIGHT_MARK.to_owned();
        let left = self.ids.first();
        while left.is_some_and(|left| (0..left.len()).any(|row| left.id(row).starts_with(&mark))) {
            mark.push_str(RIGHT_MARK);
        }
        mark
    }

    /// The pairs that are likely enough to be kept: `left`, `right`, `weight`, `probability`, `band` and whether both are in
    /// one cluster (`linked`). The likeliest first.
    pub fn pairs_frame(&self) -> Frame {
        let mut order: Vec<&(u32, u32, f64)> = self.pairs.iter().collect();
        order.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
        let label = |row: u32| self.labels.get(row as usize).copied();
        Frame::new(vec![
            ("left", Cells::Text(order.iter().map(|pair| Some(self.id(pair.0))).collect())),
            ("right", Cells::Text(order.iter().map(|pair| Some(self.id(pair.1))).collect())),
            ("weight", Cells::Float64(order.iter().map(|pair| Some(pair.2)).collect())),
            ("probability", Cells::Float64(order.iter().map(|pair| Some(probability(pair.2))).collect())),
            ("band", Cells::Text(order.iter().map(|pair| Some(self.band(pair.2).as_str().to_owned())).collect())),
            ("linked", Cells::Bool(order.iter().map(|pair| Some(label(pair.0) == label(pair.1))).collect())),
        ])
    }

    pub(crate) fn rows_by_id(&self) -> RowsById<'_> {
        let mut start = 0;
        let of_source = |records| {
            let rows = rows_of(records, start);
            start += records.len() as u32;
            rows
        };
        RowsById { of_sources: self.ids.iter().map(of_source).collect() }
    }

    /// The row of an identifier. Where both sources use it, `source` says which: 0 left, 1 right.
    pub fn row_of(&self, id: &str, source: usize) -> Result<u32> {
        let start: usize = self.ids.iter().take(source).map(Records::len).sum();
        let records = self.ids.get(source);
        let row = records.and_then(|records| (0..records.len()).find(|row| records.id(*row) == id));
        row.map(|row| (start + row) as u32).ok_or_else(|| {
            Error::not_found("no record with this identifier was linked").with_hint("give identifiers as in `clusters`")
        })
    }

    /// Why two records are or are not one person; fails with `NotFound` for an unknown identifier.
    ///
    /// Of two sources, the first identifier is looked for in the left one and the second in the right one.
    pub fn explain(&self, left: &str, right: &str) -> Result<PairExplanation> {
        let (left, right) = (self.row_of(left, 0)?, self.row_of(right, self.ids.len().saturating_sub(1))?);
        Ok(self.explain_rows(left, right))
    }

    pub(crate) fn explain_rows(&self, left: u32, right: u32) -> PairExplanation {
        self.explainer()(left, right)
    }

    /// Explains pairs of rows: what that needs is worked out once for many.
    pub(crate) fn explainer(&self) -> impl Fn(u32, u32) -> PairExplanation + '_ {
        let scorer = Scorer::new(&self.model, &self.table);
        move |left, right| explain(&scorer, left, right)
    }

    pub(crate) fn least_weight(thresholds: &LinkageThresholds) -> f64 {
        weight_of(thresholds.keep).min(weight_of(thresholds.cluster))
    }
}

pub(crate) fn band_of(weight: f64, thresholds: &LinkageThresholds, verdict: Verdict) -> Band {
    let chance = probability(weight);
    match () {
        () if chance >= thresholds.auto && verdict != Verdict::Red => Band::Auto,
        () if chance >= thresholds.review => Band::Review,
        () => Band::Reject,
    }
}
