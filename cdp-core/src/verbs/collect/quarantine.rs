//! The quarantine: rows that were not accepted, each with its reason, and driving them again once their source is mended.

use crate::definitions::Format;
use crate::engine::handle::Cdp;
use crate::engine::tables::rejects::rejects_table;
use crate::engine::transaction::Transaction;
use crate::error::{Error, ErrorKind, Result};
use crate::intake::{Mapper, Row};
use crate::records::options::options;
use crate::records::{Frame, Receipt, RejectReason, Value};
use crate::stop::Stop;
use crate::verbs::collect::rows::{BATCH_ROWS, SourceOf, quarantine, take_row};

options! {
    /// Which rejects are read.
    pub struct RejectsQuery {
        /// Only rejects of this source.
        source: optional String,
        /// Only rejects with this reason.
        reason: optional String,
        /// The `next` of the page before.
        after: optional i64,
        /// The largest number of rows; all without it.
        limit: optional usize,
    }
}

impl Cdp {
    /// The quarantine: `reject_id, source, row, reason, field, detail, raw, recorded_at`, in the order of arrival.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::{Data, IngestOptions, RejectsQuery}};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let rows = br#"{"type": "track", "event": "Visited"}"#;
    /// let receipt = db.ingest(Data::Bytes(rows), &IngestOptions::default(), None)?;
    /// assert_eq!(receipt.rejected, 1);
    /// let rejects = db.rejects(&RejectsQuery::new().reason("no_identifier"))?;
    /// assert_eq!(rejects.n_rows(), 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn rejects(&self, query: &RejectsQuery) -> Result<Frame> {
        let RejectsQuery { source, reason, after, limit } = query;
        let (source, reason, after, limit) = (source.as_deref(), reason.as_deref(), *after, *limit);
        if let Some(reason) = reason {
            let known = RejectReason::ALL.map(RejectReason::as_str);
            if !known.contains(&reason) {
                return Err(Error::invalid(format!("rejects: unknown reason `{reason}`"))
                    .with_hint(format!("reasons: {}", known.join(", "))));
            }
        }
        self.read(|snapshot| rejects_table(snapshot, source, reason, after, limit))
    }

    /// Maps quarantined rows again, after their source definition was mended. What is accepted leaves the quarantine.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let receipt = db.redrive(None, None)?;
    /// assert_eq!(receipt.rows, 0);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn redrive(&self, source: Option<&str>, reason: Option<&str>) -> Result<Receipt> {
        let mut receipt = Receipt::default();
        let mut after = 0;
        let call = self.interruptible();
        loop {
            call.check()?;
            let (part, last) = self.write_until(&call, |tx| redrive_batch(tx, source, reason, after))?;
            receipt.add(part);
            match last {
                Some(last) => after = last,
                None => return Ok(receipt),
            }
        }
    }
}

/// Drives the next rejects again. Gives the last id looked at, or `None` at the end.
fn redrive_batch(
    tx: &mut Transaction<'_>,
    source: Option<&str>,
    reason: Option<&str>,
    after: i64,
) -> Result<(Receipt, Option<i64>)> {
    let mut receipt = Receipt::default();
    let source_id = match source {
        Some(name) => match tx.snapshot().memory.name_id(name) {
            Some(id) => Some(id),
            None => return Ok((receipt, None)),
        },
        None => None,
    };
    let rejects = tx.facts.rejects(source_id, reason, after, BATCH_ROWS)?;
    let last = rejects.last().map(|reject| reject.reject_id);
    let catalog = tx.changes.catalog.clone();
    for stored in rejects {
        tx.stop.check()?;
        let name = tx.snapshot().memory.name(stored.source).to_owned();
        let definition = catalog.source(&name).ok();
        let mapper = definition.map_or_else(Mapper::segment, Mapper::new);
        let mapper = mapper.with_max_message_bytes(tx.max_message_bytes());
        let number = stored.row.unwrap_or(1);
        let Ok(value) = Value::parse(&stored.raw) else {
            // What could not be read before cannot be read now.
            receipt.rows += 1;
            receipt.messages += 1;
            receipt.rejected += 1;
            continue;
        };
        let row = Row::from_value(number, value);
        let outcome = mapper.map(&row, tx.now);
        let of = SourceOf {
            name: &name,
            definition,
            format: Format::parse(&stored.format).ok_or_else(|| {
                Error::new(ErrorKind::Corrupt, "a rejected row of the store is of an unknown format")
                    .with_hint("restore the store from a backup")
            })?,
            apply_skew: definition.is_some_and(|definition| definition.skew),
        };
        receipt.rows += 1;
        receipt.ignored += outcome.ignored;
        receipt.messages += outcome.ignored;
        match take_row(tx, &of, outcome.messages, &mut receipt)? {
            Ok(()) => tx.facts.delete_reject(stored.reject_id)?,
            Err(reject) => {
                receipt.messages += 1;
                receipt.rejected += 1;
                if reject.reason.as_str() != stored.reason {
                    tx.facts.delete_reject(stored.reject_id)?;
                    quarantine(tx, &of, &row, &reject)?;
                }
            }
        }
    }
    tx.derive()?;
    tx.complete(&mut receipt);
    Ok((receipt, last))
}
