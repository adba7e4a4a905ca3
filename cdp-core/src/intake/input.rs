//! Bytes to mapped rows, on a thread of their own where there is a processor for it.
//!
//! It takes the data of one call and leaves chunks of mapped rows, a few ahead of the writer that takes them in. It knows
//! no store; memory stays bounded whatever the size of the input.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::definitions::Format;
use crate::error::{Error, ErrorKind, Result};
use crate::intake;
use crate::intake::{Mapper, ReadOptions, Row, RowOutcome};
use crate::records::{Reject, RejectReason, Timestamp, Value};
use crate::stop::Stop;

/// Where data comes from.
pub enum Data<'a> {
    /// A file, plain or gzip; its name determines the format unless the options do.
    Path(PathBuf),
    /// Bytes in memory, plain or gzip.
    Bytes(&'a [u8]),
    /// Anything that can be read, plain or gzip.
    Reader(Box<dyn Read + Send + 'a>),
    /// Values that are parsed already.
    Values(Box<dyn Iterator<Item = Result<Value>> + Send + 'a>),
}

/// Rows that go from the parser to the writer at once.
const CHUNK_ROWS: usize = 256;

/// The size of a chunk in bytes.
const CHUNK_BYTES: usize = 1024 * 1024;

/// How many chunks the parser may be ahead.
const CHUNKS_AHEAD: usize = 4;
/// How long the writer waits for rows before it asks whether the call goes on.
const WAITED: Duration = Duration::from_millis(50);

/// A mapped row on its way into a transaction.
pub(crate) struct MappedRow {
    pub(crate) row: Row,
    pub(crate) outcome: RowOutcome,
}

/// Some rows in the order of the input.
pub(crate) struct Chunk {
    format: Format,
    rows: Vec<MappedRow>,
    bytes: usize,
}

/// The rows of a call, one after the other.
pub(crate) struct MappedRows<'c> {
    chunks: &'c mut dyn Iterator<Item = Result<Chunk>>,
    waiting: VecDeque<Result<Chunk>>,
    current: std::vec::IntoIter<MappedRow>,
    /// The format of the input, once a row was seen.
    pub(crate) format: Format,
}

impl<'c> MappedRows<'c> {
    pub(crate) fn new(chunks: &'c mut dyn Iterator<Item = Result<Chunk>>) -> MappedRows<'c> {
        MappedRows { chunks, waiting: VecDeque::new(), current: Vec::new().into_iter(), format: Format::Json }
    }

    /// Waits until a number of rows or bytes is there, or the end: up to there rows then come without waiting.
    pub(crate) fn prefetch(&mut self, n_rows: usize, n_bytes: usize) {
        let (mut rows, mut bytes) = (self.current.len(), 0);
        for chunk in self.waiting.iter().flatten() {
            rows += chunk.rows.len();
            bytes += chunk.bytes;
        }
        while rows < n_rows && bytes < n_bytes {
            let Some(chunk) = self.chunks.next() else { return };
            let Ok(ready) = &chunk else {
                self.waiting.push_back(chunk);
                return;
            };
            rows += ready.rows.len();
            bytes += ready.bytes;
            self.waiting.push_back(chunk);
        }
    }
}

impl Iterator for MappedRows<'_> {
    type Item = Result<MappedRow>;

    fn next(&mut self) -> Option<Result<MappedRow>> {
        loop {
            if let Some(row) = self.current.next() {
                return Some(Ok(row));
            }
            match self.waiting.pop_front().or_else(|| self.chunks.next())? {
                Ok(chunk) => {
                    self.format = chunk.format;
                    self.current = chunk.rows.into_iter();
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Where the parser puts its chunks.
pub(crate) struct Parser {
    sender: SyncSender<Result<Chunk>>,
    is_done: Arc<AtomicBool>,
}

impl Parser {
    /// Hands a chunk on; `false` if no reader takes it any more.
    pub(crate) fn emit(&self, chunk: Result<Chunk>) -> bool {
        self.sender.send(chunk).is_ok()
    }

    /// Whether the rows to come are still taken.
    fn is_wanted(&self) -> bool {
        !self.is_done.load(Ordering::Relaxed)
    }
}

/// The chunks as they arrive, until the call is to stop: that is the last thing that comes.
struct Arriving<'s> {
    receiver: Receiver<Result<Chunk>>,
    stop: &'s dyn Stop,
}

impl Iterator for Arriving<'_> {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Result<Chunk>> {
        loop {
            let arrived = self.receiver.recv_timeout(WAITED);
            if let Err(error) = self.stop.look() {
                return Some(Err(error));
            }
            match arrived {
                Ok(chunk) => return Some(chunk),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

/// Runs `parse`, which gives chunks to its argument as long as they are taken, beside `work`, which takes them until `stop`
/// says that it is over.
pub(crate) fn with_chunks<T>(
    parse: impl FnOnce(&Parser) + Send,
    stop: &dyn Stop,
    work: impl FnOnce(&mut dyn Iterator<Item = Result<Chunk>>) -> Result<T>,
) -> Result<T> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(CHUNKS_AHEAD);
        let is_done = Arc::new(AtomicBool::new(false));
        let to = Parser { sender, is_done: is_done.clone() };
        let parser = std::thread::Builder::new().name("cdp-parse".to_owned());
        parser
            .spawn_scoped(scope, move || parse(&to))
            .map_err(|_| Error::new(ErrorKind::Io, "the operating system gives no thread to parse the input"))?;
        let mut arriving = Arriving { receiver, stop };
        let answer = work(&mut arriving);
        // The parser ends at its next row: no reader takes it any more.
        is_done.store(true, Ordering::Relaxed);
        drop(arriving);
        answer
    })
}

/// Reads and maps all rows of the data; an error of the operating system is the last thing that comes.
pub(crate) fn parse_rows(
    data: Data<'_>,
    format: Option<Format>,
    options: ReadOptions,
    mapper: &Mapper,
    now: impl Fn() -> Timestamp,
    to: &Parser,
) {
    let (format, rows) = match open_rows(data, format, options) {
        Ok(opened) => opened,
        Err(error) => {
            to.emit(Err(error));
            return;
        }
    };
    let (mut chunk, mut bytes) = (Vec::with_capacity(CHUNK_ROWS), 0);
    for row in rows {
        if !to.is_wanted() {
            return;
        }
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                if to.emit(Ok(Chunk { format, rows: chunk, bytes })) {
                    to.emit(Err(error));
                }
                return;
            }
        };
        bytes += row.n_bytes();
        let outcome = mapper.map(&row, now());
        chunk.push(MappedRow { row, outcome });
        if chunk.len() >= CHUNK_ROWS || bytes >= CHUNK_BYTES {
            let rows = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_ROWS));
            if !to.emit(Ok(Chunk { format, rows, bytes: std::mem::take(&mut bytes) })) {
                return;
            }
        }
    }
    to.emit(Ok(Chunk { format, rows: chunk, bytes }));
}

type Rows<'a> = Box<dyn Iterator<Item = Result<Row>> + 'a>;

fn open_rows<'a>(data: Data<'a>, format: Option<Format>, options: ReadOptions) -> Result<(Format, Rows<'a>)> {
    let mut name = None;
    let input: Box<dyn Read + 'a> = match data {
        Data::Values(values) => {
            let mut number = options.first_row;
            let rows = values.flat_map(move |value| {
                let values = match value {
                    Ok(value) if options.batches => intake::segment::open_batch(value),
                    Ok(value) => vec![value],
                    Err(error) if error.kind() == ErrorKind::Invalid => {
                        // One value that cannot be stored is a reject of its own; anything else ends the reading.
                        number += 1;
                        let reject = Reject::new(RejectReason::BadValue, error.message());
                        return vec![Ok(Row::broken(number - 1, reject, error.message().as_bytes().to_vec()))];
                    }
                    Err(error) => return vec![Err(error)],
                };
                let rows: Vec<Result<Row>> = values
                    .into_iter()
                    .map(|value| {
                        number += 1;
                        Ok(Row::from_value(number - 1, value))
                    })
                    .collect();
                rows
            });
            return Ok((Format::Json, Box::new(rows)));
        }
        Data::Path(path) => {
            name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            Box::new(open_file(&path)?)
        }
        Data::Bytes(bytes) => Box::new(bytes),
        Data::Reader(reader) => reader,
    };
    let (format, input) = match format {
        Some(format) => (format, input),
        None => {
            let opened = intake::detect_format(name.as_deref(), input)?;
            (opened.format, opened.input)
        }
    };
    Ok((format, Box::new(intake::rows(input, format, options))))
}

fn open_file(path: &std::path::Path) -> Result<File> {
    let io = |what: String| Error::new(ErrorKind::Io, what);
    let file = File::open(path)
        .map_err(|error| io(format!("the input file cannot be opened: {}", error.kind())).with_source(error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(io("the input path is a folder, not a file".to_owned()).with_hint("give the path of one file"));
    }
    Ok(file)
}
