//! Collecting: whole inputs of any size in batches that each commit on their own.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use super::interruption::{Stop, Watched};
use super::parse::{MappedRow, MappedRows, Parser, parse_rows, with_chunks};
use super::write::{Acceptance, Writing};
use super::{Cdp, Snapshot};
use crate::definitions::{Format, SourceDefinition};
use crate::error::{Error, ErrorKind, Result};
use crate::identity;
use crate::intake::{self, GateTally, Mapper, ReadOptions, Row};
use crate::records::{Cells, FIRST_REJECTS, Frame, Message, Receipt, Reject, RejectReason, RejectSample, Value};
use crate::store::StoredReject;

/// The source of data that names none.
pub(super) const DEFAULT_SOURCE: &str = "default";
/// Rows in one transaction, unless the caller says otherwise.
const BATCH_ROWS: usize = 10_000;
/// A batch ends early when its rows hold this many bytes, so that memory stays bounded.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Where data comes from.
pub enum Data<'a> {
    /// A file, plain or gzip; its name tells the format unless the options do.
    Path(PathBuf),
    /// Bytes in memory, plain or gzip.
    Bytes(&'a [u8]),
    /// Anything that can be read, plain or gzip.
    Reader(Box<dyn Read + Send + 'a>),
    /// Values that are parsed already.
    Values(Box<dyn Iterator<Item = Result<Value>> + Send + 'a>),
}

/// How data is taken in.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct IngestOptions {
    /// The source definition that maps the rows; `None`: they are Segment messages.
    pub source: Option<String>,
    /// The format, where neither the source nor the file name tells it.
    pub format: Option<Format>,
    /// The number of the first data row, for a caller who splits an input; 1 by default.
    pub first_row: Option<u64>,
    /// Kept with the last batch, in the same transaction.
    pub checkpoint: Option<String>,
    /// One transaction for everything.
    pub atomic: bool,
    /// Rows in one transaction; 10,000 by default.
    pub batch_rows: Option<usize>,
}

impl IngestOptions {
    /// Data of a defined source.
    pub fn from_source(name: impl Into<String>) -> IngestOptions {
        IngestOptions { source: Some(name.into()), ..IngestOptions::default() }
    }

    /// The same, counting rows from `first_row`.
    #[must_use]
    pub fn with_first_row(mut self, first_row: u64) -> IngestOptions {
        self.first_row = Some(first_row);
        self
    }

    /// The same with a checkpoint that commits with the last batch.
    #[must_use]
    pub fn with_checkpoint(mut self, checkpoint: impl Into<String>) -> IngestOptions {
        self.checkpoint = Some(checkpoint.into());
        self
    }

    /// The same with another number of rows in one transaction.
    #[must_use]
    pub fn with_batch_rows(mut self, batch_rows: usize) -> IngestOptions {
        self.batch_rows = Some(batch_rows);
        self
    }

    /// Reads the options of the verb `ingest` from JSON.
    pub fn from_value(value: &Value) -> Result<IngestOptions> {
        let mut options = IngestOptions::default();
        for (name, value) in value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            let wrong = |what: &str| Error::invalid(format!("ingest: `{name}` must be {what}, not {}", value.kind()));
            let text = || value.as_text().map(str::to_owned).ok_or_else(|| wrong("text"));
            let count = || {
                let integer = value.as_number().and_then(crate::records::Number::as_i64);
                integer
                    .and_then(|n| u64::try_from(n).ok())
                    .filter(|n| *n > 0)
                    .ok_or_else(|| wrong("a positive integer"))
            };
            match name.as_str() {
                "source" => options.source = Some(text()?),
                "format" => {
                    let word = text()?;
                    let format = Format::parse(&word);
                    options.format = Some(format.ok_or_else(|| {
                        Error::invalid(format!("ingest: unknown format `{word}`"))
                            .with_hint("formats: json, ndjson, csv")
                    })?);
                }
                "first_row" => options.first_row = Some(count()?),
                "checkpoint" => options.checkpoint = Some(text()?),
                "atomic" => options.atomic = value.as_bool().ok_or_else(|| wrong("true or false"))?,
                "batch_rows" => options.batch_rows = Some(usize::try_from(count()?).unwrap_or(usize::MAX)),
                _ => {
                    return Err(Error::invalid(format!("ingest: unknown option `{name}`"))
                        .with_hint("options: source, format, first_row, checkpoint, atomic, batch_rows"));
                }
            }
        }
        Ok(options)
    }
}

/// Told a few times a second how many rows are done, and at the end; `false` interrupts the call.
///
/// It is also called in the middle of a transaction, where rows are done and not committed and a call of the store fails
/// with `invalid`; [`Cdp::is_reporting`] says so.
pub type Progress<'p> = &'p mut dyn FnMut(u64, &str) -> bool;

/// What a call knows about its source.
struct SourceOf<'s> {
    name: &'s str,
    definition: Option<&'s SourceDefinition>,
    format: Format,
    apply_skew: bool,
}

impl Cdp {
    /// Reads a message that its sender gives on its own, with what is odd about it; one without id gets a random one.
    pub(super) fn read_message(&self, message: &Value) -> Result<(Message, Vec<String>)> {
        let Value::Object(fields) = message else {
            return Err(Error::invalid(format!("a message must be an object, not {}", message.kind())));
        };
        let read = intake::read_message(fields.clone(), self.inner.max_message_bytes).map_err(invalid_message)?;
        let warnings = read.warnings;
        let mut message = read.message;
        if message.message_id.is_none() {
            let message_id = crate::store::random_message_id()?;
            message.fields = Arc::new(message.fields.with_text("messageId", &message_id));
            message.message_id = Some(message_id);
        }
        Ok((message, warnings))
    }

    /// Takes in a whole input. A bad row never stops it: it is kept with its reason, see [`Cdp::rejects`].
    ///
    /// Each batch is one durable transaction, so after a crash the same call may simply be repeated: what was taken in
    /// counts as duplicates. Memory is bounded whatever the size of the input.
    ///
    /// [`Cdp::interrupt`], or `progress` that gives `false`, stops it within a moment with an `interrupted` error: whole
    /// batches that were committed before are kept, of an `atomic` call nothing.
    pub fn ingest(&self, data: Data<'_>, options: &IngestOptions, progress: Option<Progress<'_>>) -> Result<Receipt> {
        let definition = match &options.source {
            Some(name) => Some(self.read(|snapshot| snapshot.catalog.source(name).cloned())?),
            None => None,
        };
        let mapper = definition.as_ref().map_or_else(Mapper::segment, Mapper::new);
        let mapper = mapper.with_max_message_bytes(self.inner.max_message_bytes);
        let watched = Watched::new(self, options.atomic, progress);
        let mut read_options = definition.as_ref().map_or_else(ReadOptions::default, ReadOptions::for_source);
        read_options = read_options.with_first_row(options.first_row.unwrap_or(1));
        let given_format = options.format.or_else(|| definition.as_ref().and_then(|definition| definition.format));
        // A reader may be slow, and nobody should wait for it with the lock in hand.
        let prefetches = matches!(data, Data::Reader(_) | Data::Values(_));
        let parse = |to: &Parser| parse_rows(data, given_format, read_options, &mapper, || self.now(), to);
        with_chunks(parse, &watched, |chunks| {
            let mut rows = MappedRows::new(chunks);
            self.ingest_rows(&mut rows, prefetches, options, definition.as_ref(), &watched)
        })
    }

    fn ingest_rows(
        &self,
        rows: &mut MappedRows<'_>,
        prefetches: bool,
        options: &IngestOptions,
        definition: Option<&SourceDefinition>,
        watched: &Watched<'_, '_>,
    ) -> Result<Receipt> {
        let batch_rows = if options.atomic { usize::MAX } else { options.batch_rows.unwrap_or(BATCH_ROWS).max(1) };
        let batch_bytes = if options.atomic { usize::MAX } else { BATCH_BYTES };
        let mut receipt = Receipt::default();
        let mut tally = GateTally::default();
        loop {
            watched.look()?;
            if prefetches {
                rows.prefetch(batch_rows, batch_bytes);
            }
            let first = rows.next().transpose()?;
            let mut ended = first.is_none();
            if ended && options.checkpoint.is_none() {
                break;
            }
            let source = SourceOf {
                name: options.source.as_deref().unwrap_or(DEFAULT_SOURCE),
                definition,
                format: rows.format,
                apply_skew: definition.is_some_and(|definition| definition.skew),
            };
            // Rows are taken as they are mapped, inside the transaction, so that memory holds a few and not a batch.
            let done = receipt.rows;
            let work = |writing: &mut Writing<'_>| {
                let mut batch = Batch { receipt: Receipt::default(), rows: 0, bytes: 0 };
                let mut next = first.map(Ok);
                while let Some(row) = next.take() {
                    let row: MappedRow = row?;
                    watched.check()?;
                    tally.note(&row.outcome);
                    batch.take(writing, &source, row)?;
                    watched.note_rows(done + batch.receipt.rows);
                    if batch.rows >= batch_rows || batch.bytes >= batch_bytes {
                        break;
                    }
                    next = rows.next();
                    ended = next.is_none();
                }
                if let Some(checkpoint) = options.checkpoint.as_deref().filter(|_| ended) {
                    writing.put_checkpoint(source.name, checkpoint)?;
                }
                let receipt = batch.finish(writing)?;
                if options.atomic {
                    watched.tell_the_end()?;
                }
                Ok(receipt)
            };
            receipt.add(watched.in_transaction(|| self.write_until(watched, work))?);
            if ended {
                break;
            }
        }
        // The end is told always: also a quick input is heard of once, and can be interrupted. All or nothing is told it
        // before it is committed.
        if receipt.rows > 0 && !options.atomic {
            watched.tell_the_end()?;
        }
        if let Some(definition) = definition {
            receipt.add(Receipt { warnings: tally.warnings(definition), ..Receipt::default() });
        }
        Ok(receipt)
    }

    /// The quarantine: `reject_id, source, row, reason, field, detail, raw, recorded_at`, in the order of arrival.
    pub fn rejects(
        &self,
        source: Option<&str>,
        reason: Option<&str>,
        after: Option<i64>,
        limit: Option<usize>,
    ) -> Result<Frame> {
        if let Some(reason) = reason {
            let known = RejectReason::ALL.map(RejectReason::as_str);
            if !known.contains(&reason) {
                return Err(Error::invalid(format!("rejects: unknown reason `{reason}`"))
                    .with_hint(format!("reasons: {}", known.join(", "))));
            }
        }
        self.read(|snapshot| {
            let source_id = match source {
                Some(name) => match snapshot.memory.name_id(name) {
                    Some(id) => Some(id),
                    None => return Ok(rejects_frame(snapshot, &[], None)),
                },
                None => None,
            };
            let wanted = limit.unwrap_or(usize::MAX);
            let mut rejects =
                snapshot.facts.rejects(source_id, reason, after.unwrap_or(0), wanted.saturating_add(1))?;
            let more = rejects.len() > wanted;
            rejects.truncate(wanted);
            let next = if more { rejects.last().map(|reject| reject.reject_id.to_string()) } else { None };
            Ok(rejects_frame(snapshot, &rejects, next))
        })
    }

    /// Maps quarantined rows again, after their source definition was mended. What is accepted leaves the quarantine.
    pub fn redrive(&self, source: Option<&str>, reason: Option<&str>) -> Result<Receipt> {
        let mut receipt = Receipt::default();
        let mut after = 0;
        let call = self.interruptible();
        loop {
            call.check()?;
            let (part, last) = self.write_until(&call, |writing| writing.redrive_batch(source, reason, after))?;
            receipt.add(part);
            match last {
                Some(last) => after = last,
                None => return Ok(receipt),
            }
        }
    }

    /// How far each source was read, as its caller said with the last batch.
    pub fn checkpoints(&self) -> Result<Value> {
        self.read(|snapshot| {
            let checkpoints = snapshot.facts.checkpoints()?.into_iter();
            Ok(Value::Object(
                checkpoints
                    .map(|(source, checkpoint)| (snapshot.memory.name(source).to_owned(), Value::Text(checkpoint)))
                    .collect(),
            ))
        })
    }
}

fn rejects_frame(snapshot: &Snapshot<'_>, rejects: &[StoredReject], next: Option<String>) -> Frame {
    let text = |value: &dyn Fn(&StoredReject) -> Option<String>| Cells::Text(rejects.iter().map(value).collect());
    let mut frame = Frame::new(vec![
        ("reject_id", Cells::Int64(rejects.iter().map(|reject| Some(reject.reject_id)).collect())),
        ("source", text(&|reject| Some(snapshot.memory.name(reject.source).to_owned()))),
        (
            "row",
            Cells::Int64(rejects.iter().map(|reject| reject.row.and_then(|row| i64::try_from(row).ok())).collect()),
        ),
        ("reason", text(&|reject| Some(reject.reason.clone()))),
        ("field", text(&|reject| reject.field.clone())),
        ("detail", text(&|reject| Some(reject.detail.clone()))),
        ("raw", text(&|reject| Some(String::from_utf8_lossy(&reject.raw).into_owned()))),
        ("recorded_at", Cells::Timestamp(rejects.iter().map(|reject| Some(reject.recorded_at)).collect())),
    ]);
    frame.next = next;
    frame
}

pub(super) fn invalid_message(reject: Reject) -> Error {
    let place = reject.field.map_or(String::new(), |field| format!("`{field}`: "));
    Error::invalid(format!("the message was not accepted ({}): {place}{}", reject.reason.as_str(), reject.detail))
}

impl Acceptance {
    pub(super) fn count(&self, receipt: &mut Receipt) {
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

/// The rows of one transaction.
struct Batch {
    receipt: Receipt,
    rows: usize,
    bytes: usize,
}

impl Batch {
    fn take(&mut self, writing: &mut Writing<'_>, source: &SourceOf<'_>, mapped: MappedRow) -> Result<()> {
        let MappedRow { row, outcome } = mapped;
        let receipt = &mut self.receipt;
        self.rows += 1;
        self.bytes += row.n_bytes();
        receipt.rows += 1;
        receipt.ignored += outcome.ignored;
        receipt.messages += outcome.ignored;
        if !outcome.warnings.is_empty() {
            receipt.add(Receipt { warnings: outcome.warnings, ..Receipt::default() });
        }
        if let Err(reject) = writing.take_row(source, outcome.messages, receipt)? {
            writing.quarantine(source, &row, &reject)?;
            receipt.messages += 1;
            receipt.rejected += 1;
            if receipt.first_rejects.len() < FIRST_REJECTS {
                receipt.first_rejects.push(RejectSample { row: Some(row.number), reject });
            }
        }
        Ok(())
    }

    fn finish(mut self, writing: &mut Writing<'_>) -> Result<Receipt> {
        writing.derive()?;
        writing.complete(&mut self.receipt);
        Ok(self.receipt)
    }
}

impl Writing<'_> {
    fn put_checkpoint(&mut self, source: &str, checkpoint: &str) -> Result<()> {
        let id = self.name(source)?;
        self.facts.put_checkpoint(id, checkpoint)
    }

    /// A row is atomic: all its messages are taken in, or it is a reject.
    fn take_row(
        &mut self,
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
                if let Err(reject) = identity::identify(self.catalog.identity(), message) {
                    return Ok(Err(reject));
                }
            }
        }
        for message in messages {
            match self.accept(source.name, message, source.apply_skew)? {
                Acceptance::Rejected(reject) => return Ok(Err(reject)),
                acceptance => {
                    receipt.messages += 1;
                    acceptance.count(receipt);
                }
            }
        }
        Ok(Ok(()))
    }

    fn quarantine(&mut self, source: &SourceOf<'_>, row: &Row, reject: &Reject) -> Result<()> {
        let stored = StoredReject {
            reject_id: 0,
            source: self.name(source.name)?,
            row: Some(row.number),
            reason: reject.reason.as_str().to_owned(),
            field: reject.field.clone(),
            detail: reject.detail.clone(),
            raw: row.raw().into_owned(),
            format: source.format.as_str().to_owned(),
            content_hash: intake::reject_hash(source.definition, row).to_vec(),
            recorded_at: self.meta.recorded_at,
        };
        self.facts.put_reject(&stored)?;
        Ok(())
    }

    /// Drives the next rejects again. Gives the last id looked at, or `None` at the end.
    fn redrive_batch(
        &mut self,
        source: Option<&str>,
        reason: Option<&str>,
        after: i64,
    ) -> Result<(Receipt, Option<i64>)> {
        let mut receipt = Receipt::default();
        let source_id = match source {
            Some(name) => match self.snapshot().memory.name_id(name) {
                Some(id) => Some(id),
                None => return Ok((receipt, None)),
            },
            None => None,
        };
        let rejects = self.facts.rejects(source_id, reason, after, BATCH_ROWS)?;
        let last = rejects.last().map(|reject| reject.reject_id);
        let catalog = self.catalog.clone();
        for stored in rejects {
            self.stop.check()?;
            let name = self.snapshot().memory.name(stored.source).to_owned();
            let definition = catalog.source(&name).ok();
            let mapper = definition.map_or_else(Mapper::segment, Mapper::new);
            let mapper = mapper.with_max_message_bytes(self.cdp.inner.max_message_bytes);
            let number = stored.row.unwrap_or(1);
            let Ok(value) = Value::parse(&stored.raw) else {
                // What could not be read before cannot be read now.
                receipt.rows += 1;
                receipt.messages += 1;
                receipt.rejected += 1;
                continue;
            };
            let row = Row::from_value(number, value);
            let outcome = mapper.map(&row, self.now);
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
            match self.take_row(&of, outcome.messages, &mut receipt)? {
                Ok(()) => self.facts.delete_reject(stored.reject_id)?,
                Err(reject) => {
                    receipt.messages += 1;
                    receipt.rejected += 1;
                    if reject.reason.as_str() != stored.reason {
                        self.facts.delete_reject(stored.reject_id)?;
                        self.quarantine(&of, &row, &reject)?;
                    }
                }
            }
        }
        self.derive()?;
        self.complete(&mut receipt);
        Ok((receipt, last))
    }
}
