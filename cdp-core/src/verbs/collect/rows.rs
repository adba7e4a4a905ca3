//! Rows of a source on their way into a transaction: each is taken in whole, or kept with the reason why not.

use crate::definitions::{Format, SourceDefinition};
use crate::engine::transaction::Transaction;
use crate::error::Result;
use crate::intake::Row;
use crate::records::{Receipt, Reject};
use crate::store::StoredReject;
use crate::verbs::collect::accept::{Acceptance, accept};
use crate::{identity, intake};

/// Rows in one transaction, unless the caller says otherwise.
pub(super) const BATCH_ROWS: usize = 10_000;

/// What a call knows about its source.
pub(super) struct SourceOf<'s> {
    pub(crate) name: &'s str,
    pub(crate) definition: Option<&'s SourceDefinition>,
    pub(crate) format: Format,
    pub(crate) apply_skew: bool,
}

/// A row is atomic: all its messages are taken in, or it is a reject.
pub(super) fn take_row(
    tx: &mut Transaction<'_>,
    source: &SourceOf<'_>,
    messages: std::result::Result<Vec<crate::records::Message>, Reject>,
    receipt: &mut Receipt,
) -> Result<std::result::Result<(), Reject>> {
    let messages = match messages {
        Ok(messages) => messages,
        Err(reject) => return Ok(Err(reject)),
    };
    if messages.len() > 1 {
        for message in &messages {
            if let Err(reject) = identity::identify(tx.changes.catalog.identity(), message) {
                return Ok(Err(reject));
            }
        }
    }
    for message in messages {
        match accept(tx, source.name, message, source.apply_skew)? {
            Acceptance::Rejected(reject) => return Ok(Err(reject)),
            acceptance => {
                receipt.messages += 1;
                acceptance.count(receipt);
            }
        }
    }
    Ok(Ok(()))
}

pub(super) fn quarantine(tx: &mut Transaction<'_>, source: &SourceOf<'_>, row: &Row, reject: &Reject) -> Result<()> {
    let stored = StoredReject {
        reject_id: 0,
        source: tx.name(source.name)?,
        row: Some(row.number),
        reason: reject.reason.as_str().to_owned(),
        field: reject.field.clone(),
        detail: reject.detail.clone(),
        raw: row.raw().into_owned(),
        format: source.format.as_str().to_owned(),
        content_hash: intake::reject_hash(source.definition, row).to_vec(),
        recorded_at: tx.meta.recorded_at,
    };
    tx.facts.put_reject(&stored)?;
    Ok(())
}
