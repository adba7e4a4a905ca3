//! JSON in bounded memory: a scanner finds where each record starts and ends, the parser of `records` reads it.
//!
//! The scanner follows strings, escapes and brackets only, and counts brackets instead of nesting; a record larger than
//! the limit is passed over without being kept. What the parser then finds unreadable inside an array ends the array:
//! nothing behind it can be trusted to be where it seems.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use crate::definitions::Records;
use crate::error::Result;
use crate::records::{JsonFault, Path, Reject, RejectReason, Value};

use super::readers::{Input, ReadOptions, io_error};
use super::{Found, Row, RowValues, find_in};

/// Bytes taken off the input, and whether there were more than may be kept.
#[derive(Default)]
struct Captured {
    bytes: Vec<u8>,
    oversized: bool,
    complete: bool,
}

impl Captured {
    fn keep(&mut self, chunk: &[u8], max: usize) {
        let room = max.saturating_sub(self.bytes.len()).min(chunk.len());
        self.oversized |= room < chunk.len();
        self.bytes.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
    }
}

/// What a parsed record becomes: numbered rows, waiting to be handed out.
struct Queue {
    rows: VecDeque<Row>,
    next_number: u64,
    options: ReadOptions,
}

impl Queue {
    fn new(options: ReadOptions) -> Queue {
        Queue { rows: VecDeque::new(), next_number: options.first_row, options }
    }

    fn push(&mut self, values: std::result::Result<Value, Reject>, raw: Option<Vec<u8>>) {
        let number = self.next_number;
        self.next_number += 1;
        self.rows.push_back(match values {
            Ok(value) => Row::parsed(number, RowValues::Json(value), raw),
            Err(reject) => Row::broken(number, reject, raw.unwrap_or_default()),
        });
    }

    /// Adds one record. An unreadable one is given back: what it means for the rest, the caller knows.
    fn record(&mut self, captured: Captured, max: usize) -> std::result::Result<(), (Reject, Vec<u8>)> {
        let Captured { bytes, oversized, .. } = captured;
        if oversized {
            let reject = Reject::new(RejectReason::TooLarge, format!("a record larger than {max} bytes"));
            self.push(Err(reject), Some(bytes));
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
            self.push(Ok(value), Some(raw));
            return;
        }
        for message in super::segment::open_batch(value) {
            self.push(Ok(message), None);
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
                Some(items) => items.into_iter().for_each(|item| self.queue.push(Ok(item), None)),
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

fn no_list(path: &Path) -> Reject {
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
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let used = end.unwrap_or(chunk.len());
        line.keep(chunk.get(..used).unwrap_or(chunk), max);
        input.consume(used + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

/// Where the scanner stands in a document.
enum Place {
    /// Between top-level values.
    Top,
    /// Before an item of the array; `first` if none has come yet.
    Items { first: bool },
    /// Behind the array, inside the objects around it.
    Behind,
    /// Nothing more can be read.
    End,
}

/// One document, or several one after the other: the items of arrays, and objects as a whole.
pub(super) struct JsonRows<'r> {
    input: Input<'r>,
    queue: Queue,
    place: Place,
    /// How many objects around the array are open.
    open_objects: usize,
}

/// The scanner met bytes that are not JSON; what it had taken of them.
enum Stop {
    Io(io::Error),
    Broken(Vec<u8>),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Io(error)
    }
}

impl<'r> JsonRows<'r> {
    pub(super) fn new(input: Input<'r>, options: ReadOptions) -> JsonRows<'r> {
        JsonRows { input, queue: Queue::new(options), place: Place::Top, open_objects: 0 }
    }

    fn step(&mut self) -> std::result::Result<(), Stop> {
        match self.place {
            Place::Top => self.top(),
            Place::Items { first } => self.item(first),
            Place::Behind => self.behind(),
            Place::End => Ok(()),
        }
    }

    fn top(&mut self) -> std::result::Result<(), Stop> {
        let Some(byte) = self.skip_blank()? else {
            self.place = Place::End;
            return Ok(());
        };
        if byte == b'[' && !matches!(self.queue.options.records, Some(Records::At(_))) {
            self.input.consume(1);
            self.place = Place::Items { first: true };
            return Ok(());
        }
        if let Some(Records::At(path)) = self.queue.options.records.clone() {
            return self.descend(&path);
        }
        let max = self.queue.options.max_document_bytes;
        let captured = self.capture(max)?;
        if !captured.complete {
            return Err(Stop::Broken(captured.bytes));
        }
        self.queue.record(captured, max).map_err(|(_, raw)| Stop::Broken(raw))
    }

    fn item(&mut self, first: bool) -> std::result::Result<(), Stop> {
        let mut byte = self.skip_blank()?;
        if byte == Some(b']') {
            self.input.consume(1);
            self.place = if self.open_objects > 0 { Place::Behind } else { Place::Top };
            return Ok(());
        }
        if !first {
            if byte != Some(b',') {
                return Err(Stop::Broken(Vec::new()));
            }
            self.input.consume(1);
            byte = self.skip_blank()?;
        }
        if byte.is_none() {
            return Err(Stop::Broken(Vec::new()));
        }
        let max = self.queue.options.max_row_bytes;
        let captured = self.capture(max)?;
        if !captured.complete || captured.bytes.is_empty() {
            return Err(Stop::Broken(captured.bytes));
        }
        self.queue.record(captured, max).map_err(|(_, raw)| Stop::Broken(raw))?;
        self.place = Place::Items { first: false };
        Ok(())
    }

    /// Goes down the keys of `records` to the array; what stands beside them is passed over.
    fn descend(&mut self, path: &Path) -> std::result::Result<(), Stop> {
        for step in path.as_str().split('.') {
            if self.skip_blank()? != Some(b'{') {
                return self.no_records(path);
            }
            self.input.consume(1);
            self.open_objects += 1;
            let mut first = true;
            loop {
                match self.key(first)? {
                    None => return self.no_records(path),
                    Some(key) if key == step => break,
                    Some(_) => self.pass_over()?,
                }
                first = false;
            }
        }
        if self.skip_blank()? != Some(b'[') {
            return self.no_records(path);
        }
        self.input.consume(1);
        self.place = Place::Items { first: true };
        Ok(())
    }

    fn no_records(&mut self, path: &Path) -> std::result::Result<(), Stop> {
        self.queue.push(Err(no_list(path)), None);
        self.place = Place::End;
        Ok(())
    }

    fn behind(&mut self) -> std::result::Result<(), Stop> {
        while self.open_objects > 0 {
            while self.key(false)?.is_some() {
                self.pass_over()?;
            }
            self.open_objects -= 1;
        }
        self.place = Place::Top;
        Ok(())
    }

    /// The next key of an object, with its colon; `None` at the object's end.
    fn key(&mut self, first: bool) -> std::result::Result<Option<String>, Stop> {
        let mut byte = self.skip_blank()?;
        if byte == Some(b'}') {
            self.input.consume(1);
            return Ok(None);
        }
        if !first {
            if byte != Some(b',') {
                return Err(Stop::Broken(Vec::new()));
            }
            self.input.consume(1);
            byte = self.skip_blank()?;
        }
        if byte != Some(b'"') {
            return Err(Stop::Broken(Vec::new()));
        }
        let captured = self.capture(self.queue.options.max_row_bytes)?;
        let key = match Value::parse(&captured.bytes) {
            Ok(Value::Text(key)) => key,
            // A key beyond the limit is not one of the path's.
            _ if captured.oversized => String::new(),
            _ => return Err(Stop::Broken(captured.bytes)),
        };
        if self.skip_blank()? != Some(b':') {
            return Err(Stop::Broken(Vec::new()));
        }
        self.input.consume(1);
        Ok(Some(key))
    }

    fn pass_over(&mut self) -> std::result::Result<(), Stop> {
        self.skip_blank()?;
        // One byte is kept to tell an absent value from a present one.
        let captured = self.capture(1)?;
        if captured.complete && !captured.bytes.is_empty() { Ok(()) } else { Err(Stop::Broken(captured.bytes)) }
    }

    /// Passes white space over and looks at the next byte.
    fn skip_blank(&mut self) -> io::Result<Option<u8>> {
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let blank = chunk.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
            let found = chunk.get(blank).copied();
            self.input.consume(blank);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Takes one value: to the end of its brackets or quotes, or of a bare word.
    fn capture(&mut self, max: usize) -> io::Result<Captured> {
        let mut captured = Captured::default();
        let (mut depth, mut in_text, mut escaped, mut bare, mut any) = (0u64, false, false, false, false);
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                captured.complete = bare;
                return Ok(captured);
            }
            let mut used = None;
            for (at, &byte) in chunk.iter().enumerate() {
                if in_text {
                    if escaped {
                        escaped = false;
                    } else if byte == b'\\' {
                        escaped = true;
                    } else if byte == b'"' {
                        in_text = false;
                        if depth == 0 {
                            used = Some(at + 1);
                            break;
                        }
                    }
                    continue;
                }
                match byte {
                    b'"' if !bare => in_text = true,
                    b'{' | b'[' if !bare => depth += 1,
                    b'}' | b']' if depth > 0 => {
                        depth -= 1;
                        if depth == 0 {
                            used = Some(at + 1);
                            break;
                        }
                    }
                    _ if depth > 0 => {}
                    b',' | b'}' | b']' | b':' | b'"' | b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n' => {
                        used = Some(at);
                        break;
                    }
                    _ => bare = true,
                }
                any = true;
            }
            let taken = used.unwrap_or(chunk.len());
            captured.keep(chunk.get(..taken).unwrap_or(chunk), max);
            self.input.consume(taken);
            if used.is_some() {
                captured.complete = any || !captured.bytes.is_empty();
                return Ok(captured);
            }
        }
    }

    /// One reject for all that is left; as much of it is kept as of any row.
    fn reject_rest(&mut self, mut kept: Vec<u8>) -> io::Result<()> {
        let max = self.queue.options.max_row_bytes;
        while kept.len() < max {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            let taken = chunk.len().min(max - kept.len());
            kept.extend_from_slice(chunk.get(..taken).unwrap_or(chunk));
            self.input.consume(taken);
        }
        let reject = Reject::new(RejectReason::Unreadable, "not valid JSON from here on; the rest was not read");
        self.queue.push(Err(reject), Some(kept));
        self.place = Place::End;
        Ok(())
    }
}

impl Iterator for JsonRows<'_> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        loop {
            if let Some(row) = self.queue.rows.pop_front() {
                return Some(Ok(row));
            }
            if matches!(self.place, Place::End) {
                return None;
            }
            let stepped = match self.step() {
                Err(Stop::Broken(kept)) => self.reject_rest(kept).map_err(Stop::Io),
                other => other,
            };
            if let Err(Stop::Io(error)) = stepped {
                self.place = Place::End;
                return Some(Err(io_error(error)));
            }
        }
    }
}
