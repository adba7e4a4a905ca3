//! Accepting a message: its time, its identifiers, whether the log has it already. Everything that enters the log enters here.

use std::sync::Arc;

use crate::engine::handle::Cdp;
use crate::engine::transaction::Transaction;
use crate::error::{Error, Result};
use crate::records::{Message, Receipt, Reject, RejectReason, Timestamp, Value};
use crate::{identity, intake};

/// The source of data that names none.
pub(super) const DEFAULT_SOURCE: &str = "default";

/// What became of one message.
pub(crate) enum Acceptance {
    Accepted,
    Duplicate { conflicting: bool },
    Rejected(Reject),
}

impl Acceptance {
    pub(crate) fn count(&self, receipt: &mut Receipt) {
        match self {
            Acceptance::Accepted => receipt.accepted += 1,
            Acceptance::Duplicate { conflicting } => {
                receipt.duplicates += 1;
                receipt.conflicting += u64::from(*conflicting);
            }
            Acceptance::Rejected(_) => receipt.rejected += 1,
        }
    }
}

/// Appends a message, which has an id, unless the log has it. `apply_skew`: whether the sender's clock may be corrected.
pub(crate) fn accept(
    tx: &mut Transaction<'_>,
    source: &str,
    mut message: Message,
    apply_skew: bool,
) -> Result<Acceptance> {
    let occurred_at = intake::occurred_at(&message, tx.now, apply_skew);
    let no_id = || Error::internal("a message without id came to the log");
    let message_id = message.message_id.take().ok_or_else(no_id)?;
    let catalog = tx.changes.catalog.clone();
    let identified = match identity::identify(catalog.identity(), &message) {
        Ok(identified) => identified,
        Err(reject) => return Ok(Acceptance::Rejected(reject)),
    };
    if Timestamp::checked_from_millis(occurred_at.millis()).is_err() {
        let detail = "the corrected time lies outside the years 1900 to 2200";
        return Ok(Acceptance::Rejected(Reject::at(RejectReason::BadTimestamp, "timestamp", detail)));
    }
    let source_id = tx.name(source)?;
    let candidates = tx.memory().message_candidates(tx.facts, source_id, &message_id)?;
    for candidate in candidates {
        if tx.facts.message_key(candidate)? == Some((source_id, message_id.clone())) {
            let recorded = tx.facts.message(candidate, &tx.memory())?;
            let conflicting = intake::content_hash(&recorded.fields) != intake::content_hash(&message.fields);
            return Ok(Acceptance::Duplicate { conflicting });
        }
    }
    tx.append_message(source_id, message_id, &message, occurred_at, &identified)?;
    Ok(Acceptance::Accepted)
}

pub(super) fn invalid_message(reject: Reject) -> Error {
    let place = reject.field.map_or(String::new(), |field| format!("`{field}`: "));
    Error::invalid(format!("the message was not accepted ({}): {place}{}", reject.reason.as_str(), reject.detail))
}

impl Cdp {
    /// Reads a message that its sender gives on its own, with what is odd about it; one without id gets a random one.
    pub(crate) fn read_message(&self, message: &Value) -> Result<(Message, Vec<String>)> {
        let Value::Object(fields) = message else {
            return Err(Error::invalid(format!("a message must be an object, not {}", message.kind())));
        };
        let read = intake::read_message(fields.clone(), self.max_message_bytes()).map_err(invalid_message)?;
        let warnings = read.warnings;
        let mut message = read.message;
        if message.message_id.is_none() {
            let message_id = crate::store::random_message_id()?;
            message.fields = Arc::new(message.fields.with_text("messageId", &message_id));
            message.message_id = Some(message_id);
        }
        Ok((message, warnings))
    }
}
