//! One JSON value a line, and what every JSON reader does with a record once its bytes are known.

use std::collections::VecDeque;
use std::io::{self, BufRead};
use std::sync::Arc;

use crate::definitions::Records;
use crate::error::Result;
use crate::records::{JsonFault, JsonObject, Path, Reject, RejectReason, Value};

use super::bytes::{Input, ReadOptions, io_error};
use super::{Found, Row, RowValues, find_in};

/// Bytes taken off the input, and whether there were more than may be kept.
#[derive(Default)]
pub(super) struct Captured {
    pub(super) bytes: Vec<u8>,
    pub(super) oversized: bool,
    pub(super) complete: bool,
}

impl Captured {
    pub(super) fn keep(&mut self, chunk: &[u8], max: usize) {
        let room = max.saturating_sub(self.bytes.len()).min(chunk.len());
        self.oversized |= room < chunk.len();
        self.bytes.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
    }
}

/// What a parsed record becomes: numbered rows, waiting to be handed out.
pub(super) struct Queue {
    pub(super) rows: VecDeque<Row>,
    next_number: u64,
    pub(super) options: ReadOptions,
}

impl Queue {
    pub(super) fn new(options: ReadOptions) -> Queue {
        Queue { rows: VecDeque::new(), next_number: options.first_row, options }
    }

    pub(super) fn push(&mut self, values: std::result::Result<RowValues, Reject>, raw: Option<Vec<u8>>) {
        let number = self.next_number;
        self.next_number += 1;
        self.rows.push_back(match values {
            Ok(values) => Row::parsed(number, values, raw),
            Err(reject) => Row::broken(number, reject, raw.unwrap_or_default()),
        });
    }

    /// Adds one record. An unreadable one is given back: what it means for the rest, the caller knows.
    pub(super) fn record(&mut self, captured: Captured, max: usize) -> std::result::Result<(), (Reject, Vec<u8>)> {
        let Captured { bytes, oversized, .. } = captured;
        if oversized {
            let reject = Reject::new(RejectReason::TooLarge, format!("a record larger than {max} bytes"));
            self.push(Err(reject), Some(bytes));
            return Ok(());
        }
        if self.options.batches
            && let Some(message) = JsonObject::parse(&bytes)
            && message.get("batch").is_none()
        {
            self.push(Ok(RowValues::Message(Arc::new(message))), Some(bytes));
            return Ok(());
        }
        match Value::parse(&bytes) {
            Ok(value) => self.value(value, bytes),
            Err(fault @ JsonFault::Unreadable { .. }) => return Err((reject_of(fault), bytes)),
            Err(fault) => self.push(Err(reject_of(fault)), Some(bytes)),
        }
        Ok(())
    }

    fn value(&mut self, value: Value, raw: Vec<u8>) {
        if !self.options.batches || !matches!(value.get("batch"), Some(Value::List(_))) {
            self.push(Ok(RowValues::Json(value)), Some(raw));
            return;
        }
        for message in super::segment::open_batch(value) {
            self.push(Ok(RowValues::Json(message)), None);
        }
    }
}

fn reject_of(fault: JsonFault) -> Reject {
    let reason = match fault {
        JsonFault::Unreadable { .. } => RejectReason::Unreadable,
        JsonFault::TooDeep => RejectReason::TooDeep,
        JsonFault::BadNumber => RejectReason::BadNumber,
    };
    Reject::new(reason, fault.to_string())
}

/// One value a line.
pub(super) struct NdjsonRows<'r> {
    input: Input<'r>,
    queue: Queue,
}

impl<'r> NdjsonRows<'r> {
    pub(super) fn new(input: Input<'r>, options: ReadOptions) -> NdjsonRows<'r> {
        NdjsonRows { input, queue: Queue::new(options) }
    }

    fn line(&mut self, captured: Captured) {
        let max = self.queue.options.max_row_bytes;
        let Some(Records::At(path)) = self.queue.options.records.clone() else {
            if let Err((reject, raw)) = self.queue.record(captured, max) {
                self.queue.push(Err(reject), Some(raw));
            }
            return;
        };
        // With `records`, each line is a document whose array holds the rows.
        match Value::parse(&captured.bytes) {
            Ok(value) if !captured.oversized => match find_list(&value, &path) {
                Some(items) => items.into_iter().for_each(|item| self.queue.push(Ok(RowValues::Json(item)), None)),
                None => self.queue.push(Err(no_list(&path)), Some(captured.bytes)),
            },
            _ => {
                if let Err((reject, raw)) = self.queue.record(captured, max) {
                    self.queue.push(Err(reject), Some(raw));
                }
            }
        }
    }
}

fn find_list(value: &Value, path: &Path) -> Option<Vec<Value>> {
    match find_in(value, path) {
        Found::Value(Value::List(items)) => Some(items.clone()),
        Found::Owned(Value::List(items)) => Some(items),
        _ => None,
    }
}

pub(super) fn no_list(path: &Path) -> Reject {
    Reject::at(RejectReason::Unreadable, path.as_str(), "there is no list of records at this path")
}

impl Iterator for NdjsonRows<'_> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        loop {
            if let Some(row) = self.queue.rows.pop_front() {
                return Some(Ok(row));
            }
            match read_line(&mut self.input, self.queue.options.max_row_bytes) {
                Err(error) => return Some(Err(io_error(error))),
                Ok(None) => return None,
                Ok(Some(line)) if line.bytes.iter().all(u8::is_ascii_whitespace) && !line.oversized => {}
                Ok(Some(line)) => self.line(line),
            }
        }
    }
}

fn read_line(input: &mut Input<'_>, max: usize) -> io::Result<Option<Captured>> {
    let mut line = Captured::default();
    let mut any = false;
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return Ok(any.then_some(line));
        }
        any = true;
        let end = memchr::memchr(b'\n', chunk);
        let used = end.unwrap_or(chunk.len());
        line.keep(chunk.get(..used).unwrap_or(chunk), max);
        input.consume(used + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}
