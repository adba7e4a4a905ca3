//! The bytes that every reader takes: how an input is read, its buffer, gzip and the byte order mark.
//!
//! It takes what the caller opened and leaves plain bytes. It knows no format; an error holds no content of the input.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use crate::definitions::{CsvSettings, Records, SourceDefinition};
use crate::error::{Error, ErrorKind, Result};

/// How an input is read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub(crate) struct ReadOptions {
    /// How delimited text is laid out.
    pub csv: CsvSettings,
    /// Where the records lie in JSON.
    pub records: Option<Records>,
    /// Whether an object with `batch` stands for the messages in it: Segment's batch body.
    pub batches: bool,
    /// The number of the first data row, for a caller that splits an input.
    pub first_row: u64,
    /// The largest row in bytes; a larger one is a reject.
    pub max_row_bytes: usize,
    /// The largest JSON document that is not an array, which is read as a whole.
    pub max_document_bytes: usize,
}

impl Default for ReadOptions {
    fn default() -> ReadOptions {
        ReadOptions {
            csv: CsvSettings::default(),
            records: None,
            batches: true,
            first_row: 1,
            max_row_bytes: 1024 * 1024,
            max_document_bytes: 16 * 1024 * 1024,
        }
    }
}

impl ReadOptions {
    /// What a source says about reading.
    pub(crate) fn for_source(source: &SourceDefinition) -> ReadOptions {
        ReadOptions {
            csv: source.csv.clone(),
            records: source.records.clone(),
            batches: source.emits.is_empty() && source.records.is_none(),
            ..ReadOptions::default()
        }
    }

    /// Counts rows from `first_row`.
    #[must_use]
    pub(crate) fn with_first_row(mut self, first_row: u64) -> ReadOptions {
        self.first_row = first_row;
        self
    }
}

/// What rows are read from: bytes that are looked at before they are taken.
pub(super) type Input<'r> = BufReader<Box<dyn Read + 'r>>;

pub(super) const BUFFER_BYTES: usize = 64 * 1024;
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// The bytes of an input, unzipped where they begin as gzip does.
pub(super) fn unzip(input: Box<dyn Read + '_>) -> Result<Input<'_>> {
    let mut input: Input<'_> = BufReader::with_capacity(BUFFER_BYTES, input);
    let head = peek(&mut input, 2)?;
    if head != [0x1f, 0x8b] {
        return Ok(BufReader::with_capacity(BUFFER_BYTES, Box::new(Cursor::new(head).chain(input))));
    }
    let zipped = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(head).chain(input));
    Ok(BufReader::with_capacity(BUFFER_BYTES, Box::new(MultiGzDecoder::new(zipped))))
}

/// Drops a byte order mark.
pub(super) fn skip_bom(input: &mut Input<'_>) -> Result<()> {
    // A buffer that holds fewer bytes than the mark is refilled by the chain that `unzip` built; three bytes of a first
    // pull are there for every input but one that trickles, so the mark is taken byte by byte.
    let starts = input.fill_buf().map_err(io_error)?;
    if starts.starts_with(BOM) {
        input.consume(BOM.len());
    } else if !starts.is_empty() && starts.len() < BOM.len() && BOM.starts_with(starts) {
        let head = peek(input, BOM.len())?;
        if head != BOM {
            let rest = std::mem::replace(input, BufReader::new(Box::new(io::empty())));
            *input = BufReader::with_capacity(BUFFER_BYTES, Box::new(Cursor::new(head).chain(rest)));
        }
    }
    Ok(())
}

/// Takes up to `n` bytes off the front.
fn peek(input: &mut Input<'_>, n: usize) -> Result<Vec<u8>> {
    let mut head = Vec::with_capacity(n);
    input.by_ref().take(n as u64).read_to_end(&mut head).map_err(io_error)?;
    Ok(head)
}

/// The words of the operating system, which hold no content of the file.
pub(super) fn io_error(error: io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::Interrupted { ErrorKind::Interrupted } else { ErrorKind::Io };
    Error::new(kind, format!("the input could not be read: {}", error.kind())).with_source(error)
}
