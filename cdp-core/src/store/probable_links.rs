//! Probable pairs of nodes that linkage found, and the linkage models, in the file.
//!
//! A row is a fact of its time: it is appended, and marked as replaced when it no longer holds, so that a read as of an
//! earlier known time still sees it.

use rusqlite::{OptionalExtension, params};

use super::facts::{Facts, sql_integer, time};
use super::sqlite::sql_error;
use crate::error::Result;
use crate::records::{ProbableLink, Timestamp};

/// A pair with the parts of its weight.
#[derive(Clone, Debug)]
pub(crate) struct StoredProbableLink {
    pub(crate) link: ProbableLink,
    pub(crate) parts: String,
    pub(crate) recorded_at: Timestamp,
}

/// A trained linkage model without its bytes.
#[derive(Clone, Debug)]
pub(crate) struct StoredLinkageModel {
    pub(crate) version: u32,
    pub(crate) sequence: u64,
    pub(crate) recorded_at: Timestamp,
    pub(crate) content_hash: Vec<u8>,
    pub(crate) report: String,
}

const COLUMNS: &str = "number, node, other, occurred_at, weight, probability, model, is_link";

fn read_link(row: &rusqlite::Row<'_>) -> rusqlite::Result<ProbableLink> {
    Ok(ProbableLink {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        node: row.get(1)?,
        other: row.get(2)?,
        occurred_at: time(row.get(3)?),
        weight: row.get(4)?,
        probability: row.get(5)?,
        model: row.get(6)?,
        is_link: row.get(7)?,
    })
}

impl Facts<'_> {
    /// The current pairs, by number.
    pub(crate) fn probable_links(&self) -> Result<Vec<ProbableLink>> {
        let sql = format!("SELECT {COLUMNS} FROM probable_links WHERE replaced_at IS NULL ORDER BY number");
        self.collect(&sql, [], read_link)
    }

    /// The pairs that were current at a known time.
    pub(crate) fn probable_links_known_at(&self, known: Timestamp) -> Result<Vec<ProbableLink>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM probable_links WHERE recorded_at <= ?1 AND (replaced_at IS NULL OR replaced_at > ?1)
             ORDER BY number"
        );
        self.collect(&sql, [known.millis()], read_link)
    }

    /// The current pairs of a node, by number.
    pub(crate) fn probable_links_of(&self, node: u32) -> Result<Vec<ProbableLink>> {
        let mut links = Vec::new();
        // Sorted here: for a sorted result SQLite would scan all pairs by number.
        for end in ["node", "other"] {
            let sql = format!("SELECT {COLUMNS} FROM probable_links WHERE {end} = ?1 AND replaced_at IS NULL");
            links.extend(self.collect(&sql, [node], read_link)?);
        }
        links.sort_unstable_by_key(|link: &ProbableLink| link.number);
        Ok(links)
    }

    /// The current links with a number above `after`, by number.
    pub(crate) fn probable_links_after(&self, after: u64) -> Result<Vec<ProbableLink>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM probable_links WHERE number > ?1 AND is_link AND replaced_at IS NULL ORDER BY number"
        );
        self.collect(&sql, [sql_integer(after)], read_link)
    }

    /// The numbers of the links that changes after `run` replaced.
    pub(crate) fn probable_links_gone_after(&self, run: u64) -> Result<Vec<u64>> {
        let sql = "SELECT number FROM probable_links WHERE replaced_run > ?1 AND is_link ORDER BY number";
        self.collect(sql, [sql_integer(run)], |row| row.get::<_, i64>(0).map(i64::unsigned_abs))
    }

    /// Every pair that was ever found, the latest first.
    pub(crate) fn probable_links_ever(&self) -> Result<Vec<ProbableLink>> {
        self.collect(&format!("SELECT {COLUMNS} FROM probable_links ORDER BY number DESC"), [], read_link)
    }

    /// The parts of a pair's weight, as JSON.
    pub(crate) fn probable_link_parts(&self, number: u64) -> Result<Option<String>> {
        self.0
            .prepare_cached("SELECT parts FROM probable_links WHERE number = ?1")
            .and_then(|mut statement| statement.query_row([sql_integer(number)], |row| row.get(0)).optional())
            .map_err(sql_error)
    }

    /// The greatest number of a pair.
    pub(crate) fn last_probable_link(&self) -> Result<u64> {
        self.0
            .prepare_cached("SELECT COALESCE(MAX(number), 0) FROM probable_links")
            .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)))
            .map(i64::unsigned_abs)
            .map_err(sql_error)
    }

    pub(crate) fn put_probable_link(&self, stored: &StoredProbableLink) -> Result<()> {
        let link = &stored.link;
        self.execute(
            "INSERT INTO probable_links (number, node, other, occurred_at, weight, probability, model, is_link, parts, recorded_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                sql_integer(link.number),
                link.node,
                link.other,
                link.occurred_at.millis(),
                link.weight,
                link.probability,
                link.model,
                link.is_link,
                stored.parts,
                stored.recorded_at.millis(),
            ],
        )
    }

    /// Marks a pair as replaced by change `run`.
    pub(crate) fn replace_probable_link(&self, number: u64, at: Timestamp, run: u64) -> Result<()> {
        self.execute(
            "UPDATE probable_links SET replaced_at = ?2, replaced_run = ?3 WHERE number = ?1",
            params![sql_integer(number), at.millis(), sql_integer(run)],
        )
    }

    pub(crate) fn put_linkage_model(&self, model: &StoredLinkageModel, bytes: &[u8]) -> Result<()> {
        self.execute(
            "INSERT INTO linkage_models (version, sequence, recorded_at, content_hash, report, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                model.version,
                sql_integer(model.sequence),
                model.recorded_at.millis(),
                model.content_hash,
                model.report,
                bytes
            ],
        )
    }

    /// The bytes of a linkage model.
    pub(crate) fn linkage_model_bytes(&self, version: u32) -> Result<Option<Vec<u8>>> {
        self.0
            .prepare_cached("SELECT bytes FROM linkage_models WHERE version = ?1")
            .and_then(|mut statement| statement.query_row([version], |row| row.get(0)).optional())
            .map_err(sql_error)
    }

    /// The latest linkage model.
    pub(crate) fn linkage_model(&self) -> Result<Option<StoredLinkageModel>> {
        let sql = "SELECT version, sequence, recorded_at, content_hash, report FROM linkage_models
                   ORDER BY version DESC LIMIT 1";
        let models = self.collect(sql, [], |row| {
            Ok(StoredLinkageModel {
                version: row.get(0)?,
                sequence: row.get::<_, i64>(1)?.unsigned_abs(),
                recorded_at: time(row.get(2)?),
                content_hash: row.get(3)?,
                report: row.get(4)?,
            })
        })?;
        Ok(models.into_iter().next())
    }
}
