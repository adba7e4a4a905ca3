//! One record at a time with a trained model: parse it, give its blocking keys, score and explain it against another one.

use std::fmt;

use super::blocking::keys_of;
use super::compare::{Comparison, pattern_of};
use super::explain::{PairExplanation, explanation};
use super::model::{LinkageModel, Weights};
use super::parsed::{Parsed, Reading};
use super::records::Records;
use super::roles::RecognizedColumn;
use crate::definitions::ColumnRole;

/// A parsed record.
#[derive(Clone)]
pub struct LiveRecord(pub(crate) Parsed);

/// Never shows a value.
impl fmt::Debug for LiveRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveRecord")
    }
}

impl LiveRecord {
    /// A record from its values with their roles; an empty value is missing. Of a role that a person has one of, the last
    /// value counts. A date like `01/02/1980` is read with the day first.
    pub fn new<'v>(values: impl IntoIterator<Item = (ColumnRole, &'v str)>) -> LiveRecord {
        let (roles, texts): (Vec<ColumnRole>, Vec<&str>) = values.into_iter().unzip();
        let reading = Reading::of_roles(roles.into_iter());
        LiveRecord(reading.parse_texts(|column| texts.get(column).copied().unwrap_or("")))
    }

    /// The blocking keys, sorted: records that share one are worth scoring.
    pub fn keys(&self) -> Vec<u64> {
        let mut keys = Vec::new();
        keys_of(&self.0, |_, key| keys.push(key));
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// Scores single records with a trained model.
///
/// The weight of a pair is the same to the bit as in the table that the model was trained on, and the same in both directions.
#[derive(Clone, Debug)]
pub struct Linker<'m> {
    model: &'m LinkageModel,
    weights: Weights,
    comparisons: Vec<Comparison>,
}

impl<'m> Linker<'m> {
    /// For this model.
    pub fn new(model: &'m LinkageModel) -> Linker<'m> {
        Linker { model, weights: model.weights(), comparisons: model.comparisons() }
    }

    /// Parses the rows of a table whose columns have these roles.
    pub fn parse(&self, records: &Records, roles: &[RecognizedColumn]) -> Vec<LiveRecord> {
        let reading = Reading::new(records, roles);
        (0..records.len()).map(|row| LiveRecord(reading.parse(records, row))).collect()
    }

    /// log2 of the odds that both are one person.
    pub fn weight(&self, left: &LiveRecord, right: &LiveRecord) -> f64 {
        let pattern = pattern_of(&self.comparisons, &left.0, &right.0);
        self.weights.parts(self.model, pattern, |slot| self.model.live_bits(&left.0, &right.0, slot), |_, _| {})
    }

    /// Why two records are or are not one person: the parts add up to [`Linker::weight`] to the bit.
    pub fn explain(&self, left: &LiveRecord, right: &LiveRecord) -> PairExplanation {
        let pattern = pattern_of(&self.comparisons, &left.0, &right.0);
        explanation(self.model, &left.0, &right.0, |show| {
            self.weights.parts(self.model, pattern, |slot| self.model.live_bits(&left.0, &right.0, slot), show)
        })
    }
}
