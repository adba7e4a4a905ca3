//! One record at a time with a trained model: parse it, give its blocking keys, score it against another one.

use std::fmt;

use super::blocking::keys_of;
use super::compare::{Comparison, pattern_of};
use super::model::{LinkageModel, Weights};
use super::parsed::{Parsed, Reading, Slots};
use super::records::Records;
use super::roles::RecognizedColumn;

/// A parsed record.
#[derive(Clone)]
pub struct LiveRecord(Parsed);

/// Never shows a value.
impl fmt::Debug for LiveRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveRecord")
    }
}

impl LiveRecord {
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
/// The weight of a pair is the same to the bit as in the table that the model was trained on.
#[derive(Clone, Debug)]
pub struct Linker<'m> {
    model: &'m LinkageModel,
    weights: Weights<'m>,
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
        let bits = |slot| self.model.live_bits(&left.0, &right.0, slot);
        self.weights.parts(pattern, bits, |_, _| {})
    }
}
