//! Operator decisions about pairs of nodes in the file. A decision is a fact: it is appended and never changed; a later
//! decision about the pair replaces it.

use rusqlite::params;

use super::facts::{Facts, sql_integer, time};
use crate::error::{Error, ErrorKind, Result};
use crate::records::{Decision, DecisionType, Timestamp};

/// A decision with its recorded time and reason.
#[derive(Clone, Debug)]
pub(crate) struct StoredDecision {
    pub(crate) decision: Decision,
    pub(crate) recorded_at: Timestamp,
    pub(crate) reason: Option<String>,
}

impl Facts<'_> {
    pub(crate) fn put_decision(&self, stored: &StoredDecision) -> Result<()> {
        let decision = &stored.decision;
        self.execute(
            "INSERT INTO decisions (decision, type, node, other, occurred_at, recorded_at, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                sql_integer(decision.number),
                decision.kind.as_str(),
                decision.node,
                decision.other,
                decision.occurred_at.millis(),
                stored.recorded_at.millis(),
                stored.reason,
            ],
        )
    }

    /// The decisions with a number above `after`, by number.
    pub(crate) fn decisions_after(&self, after: u64) -> Result<Vec<StoredDecision>> {
        let sql = "SELECT decision, type, node, other, occurred_at, recorded_at, reason FROM decisions
                   WHERE decision > ?1 ORDER BY decision";
        let read = |row: &rusqlite::Row<'_>| {
            let Some(kind) = DecisionType::parse(row.get_ref(1)?.as_str().unwrap_or("")) else { return Ok(None) };
            let number = row.get::<_, i64>(0)?.unsigned_abs();
            let (node, other, occurred_at) = (row.get(2)?, row.get(3)?, time(row.get(4)?));
            let decision = Decision { number, kind, node, other, occurred_at };
            Ok(Some(StoredDecision { decision, recorded_at: time(row.get(5)?), reason: row.get(6)? }))
        };
        let decisions: Option<Vec<StoredDecision>> =
            self.collect(sql, [sql_integer(after)], read)?.into_iter().collect();
        decisions.ok_or_else(|| {
            Error::new(ErrorKind::Incompatible, "a decision of the store is not understood")
                .with_hint("it may have been written by a newer version of the library")
        })
    }
}
