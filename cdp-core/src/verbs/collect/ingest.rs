//! Ingest: whole inputs of any size in batches that each commit on their own.

use std::collections::BTreeMap;

use crate::definitions::{Format, SourceDefinition};
use crate::engine::handle::Cdp;
use crate::engine::interruption::{Progress, Watched};
use crate::engine::transaction::Transaction;
use crate::error::{Error, Result};
use crate::intake::input::{Data, MappedRow, MappedRows, Parser, parse_rows, with_chunks};
use crate::intake::{GateTally, Mapper, ReadOptions};
use crate::records::{FIRST_REJECTS, Receipt, RejectSample, Value};
use crate::stop::Stop;
use crate::store::refuse_input;
use crate::verbs::collect::accept::DEFAULT_SOURCE;
use crate::verbs::collect::rows::{BATCH_ROWS, SourceOf, quarantine, take_row};

/// A batch ends early when its rows hold this many bytes, so that memory stays bounded.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// How data is taken in.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct IngestOptions {
    /// The source definition that maps the rows; `None`: they are Segment messages.
    pub source: Option<String>,
    /// The format, where neither the source nor the file name determines it.
    pub format: Option<Format>,
    /// The number of the first data row, for a caller that splits an input; 1 by default.
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

    /// Counts rows from `first_row`.
    #[must_use]
    pub fn first_row(mut self, first_row: u64) -> IngestOptions {
        self.first_row = Some(first_row);
        self
    }

    /// A checkpoint that commits with the last batch.
    #[must_use]
    pub fn checkpoint(mut self, checkpoint: impl Into<String>) -> IngestOptions {
        self.checkpoint = Some(checkpoint.into());
        self
    }

    /// Another number of rows in one transaction.
    #[must_use]
    pub fn batch_rows(mut self, batch_rows: usize) -> IngestOptions {
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

impl Cdp {
    /// Takes in a whole input. A bad row never stops it: it is kept with its reason, see [`Cdp::rejects`].
    ///
    /// Each batch is one durable transaction, so after a crash the same call may simply be repeated: what was taken in
    /// counts as duplicates. Memory is bounded whatever the size of the input.
    ///
    /// [`Cdp::interrupt`], or `progress` that gives `false`, stops it within a moment with an `interrupted` error: whole
    /// batches that were committed before are kept, of an `atomic` call nothing.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::{Data, IngestOptions}};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let rows = br#"{"type": "track", "event": "Visited", "userId": "u1", "messageId": "m1"}"#;
    /// let receipt = db.ingest(Data::Bytes(rows), &IngestOptions::default(), None)?;
    /// assert_eq!((receipt.rows, receipt.accepted), (1, 1));
    /// assert_eq!(db.ingest(Data::Bytes(rows), &IngestOptions::default(), None)?.duplicates, 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn ingest(&self, data: Data<'_>, options: &IngestOptions, progress: Option<Progress<'_>>) -> Result<Receipt> {
        let definition = match &options.source {
            Some(name) => Some(self.read(|snapshot| snapshot.catalog.source(name).cloned())?),
            None => None,
        };
        let mapper = definition.as_ref().map_or_else(Mapper::segment, Mapper::new);
        let mapper = mapper.with_max_message_bytes(self.max_message_bytes());
        let watched = Watched::new(self, options.atomic, progress);
        let mut read_options = definition.as_ref().map_or_else(ReadOptions::default, ReadOptions::for_source);
        read_options = read_options.with_first_row(options.first_row.unwrap_or(1));
        let given_format = options.format.or_else(|| definition.as_ref().and_then(|definition| definition.format));
        // A reader may be slow: no lock is held while it works.
        let prefetches = matches!(data, Data::Reader(_) | Data::Values(_));
        let parse = |to: &Parser| {
            // A file that SQLite holds must not be opened beside it.
            if let Data::Path(path) = &data
                && let Err(error) = refuse_input(path)
            {
                to.emit(Err(error));
                return;
            }
            parse_rows(data, given_format, read_options, &mapper, || self.now(), to);
        };
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
            let work = |tx: &mut Transaction<'_>| {
                let mut batch = Batch { receipt: Receipt::default(), rows: 0, bytes: 0 };
                let mut next = first.map(Ok);
                while let Some(row) = next.take() {
                    let row: MappedRow = row?;
                    watched.check()?;
                    tally.note(&row.outcome);
                    batch.take(tx, &source, row)?;
                    watched.note_rows(done + batch.receipt.rows);
                    if batch.rows >= batch_rows || batch.bytes >= batch_bytes {
                        break;
                    }
                    next = rows.next();
                    ended = next.is_none();
                }
                if let Some(checkpoint) = options.checkpoint.as_deref().filter(|_| ended) {
                    put_checkpoint(tx, source.name, checkpoint)?;
                }
                let receipt = batch.finish(tx)?;
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

    /// The checkpoint that came with the last batch of each source.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::{Data, IngestOptions}};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let rows = br#"{"type": "track", "event": "Visited", "userId": "u1"}"#;
    /// db.ingest(Data::Bytes(rows), &IngestOptions::default().checkpoint("offset 61"), None)?;
    /// assert_eq!(db.checkpoints()?["default"], "offset 61");
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn checkpoints(&self) -> Result<BTreeMap<String, String>> {
        self.read(|snapshot| {
            let checkpoints = snapshot.facts.checkpoints()?.into_iter();
            Ok(checkpoints.map(|(source, checkpoint)| (snapshot.memory.name(source).to_owned(), checkpoint)).collect())
        })
    }
}

/// The rows of one transaction.
struct Batch {
    pub(crate) receipt: Receipt,
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

impl Batch {
    pub(crate) fn take(&mut self, tx: &mut Transaction<'_>, source: &SourceOf<'_>, mapped: MappedRow) -> Result<()> {
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
        if let Err(reject) = take_row(tx, source, outcome.messages, receipt)? {
            quarantine(tx, source, &row, &reject)?;
            receipt.messages += 1;
            receipt.rejected += 1;
            if receipt.first_rejects.len() < FIRST_REJECTS {
                receipt.first_rejects.push(RejectSample { row: Some(row.number), reject });
            }
        }
        Ok(())
    }

    pub(crate) fn finish(mut self, tx: &mut Transaction<'_>) -> Result<Receipt> {
        tx.derive()?;
        tx.complete(&mut self.receipt);
        Ok(self.receipt)
    }
}

pub(crate) fn put_checkpoint(tx: &mut Transaction<'_>, source: &str, checkpoint: &str) -> Result<()> {
    let id = tx.name(source)?;
    tx.facts.put_checkpoint(id, checkpoint)
}
