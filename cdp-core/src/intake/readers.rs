//! From bytes to rows: finds the format of an input and streams its rows in bounded memory.
//!
//! A row that cannot be read is a row with a reject; only the operating system can end the reading with an error.

use std::io::{BufRead, Cursor, Read};

use crate::definitions::Format;
use crate::error::{Error, Result};

use super::Row;
use super::bytes::{BOM, BUFFER_BYTES, ReadOptions, io_error, skip_bom, unzip};
use super::csv::CsvRows;
use super::json::JsonRows;
use super::ndjson::NdjsonRows;

/// An input whose format is known.
pub(crate) struct Open<'r> {
    /// Its format.
    pub format: Format,
    /// All its bytes, unzipped.
    pub input: Box<dyn Read + 'r>,
}

/// Finds out the format of an input by its file name, else by its first bytes.
///
/// The ending of the name determines it (`.csv`, `.tsv`, `.ndjson`, `.jsonl`, `.json`, each also with `.gz`). Without one, a text
/// that starts with `[` is JSON; one that starts with `{` is NDJSON if its first line is a whole value; else it is CSV.
pub(crate) fn detect_format<'r>(name: Option<&str>, input: Box<dyn Read + 'r>) -> Result<Open<'r>> {
    let mut input = unzip(input)?;
    if let Some(format) = name.and_then(format_of_name) {
        return Ok(Open { format, input: Box::new(input) });
    }
    // One pull may return few bytes; a first line longer than the buffer decides for JSON.
    let mut head = Vec::new();
    while head.len() < BUFFER_BYTES {
        let chunk = input.fill_buf().map_err(io_error)?;
        if chunk.is_empty() {
            break;
        }
        head.extend_from_slice(chunk);
        let taken = chunk.len();
        input.consume(taken);
        if head.contains(&b'\n') {
            break;
        }
    }
    let format = format_of_head(&head);
    Ok(Open { format, input: Box::new(Cursor::new(head).chain(input)) })
}

fn format_of_name(name: &str) -> Option<Format> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "csv" | "tsv" => Some(Format::Csv),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "json" => Some(Format::Json),
        _ => None,
    }
}

fn format_of_head(head: &[u8]) -> Format {
    let head = head.strip_prefix(BOM).unwrap_or(head).trim_ascii_start();
    match head.first() {
        Some(b'[') => Format::Json,
        Some(b'{') => {
            let line = head.split(|byte| *byte == b'\n').next().unwrap_or(head);
            if crate::records::Value::parse(line).is_ok() { Format::Ndjson } else { Format::Json }
        }
        _ => Format::Csv,
    }
}

/// Streams the rows of an input; gzip is recognized by its first bytes, a byte order mark is dropped.
///
/// An `Err` is an I/O failure, a file that is no gzip after all, or a CSV without readable header: the reading ends with
/// it. A bad row is a [`Row`] whose values are a reject. Memory is bounded by the options, whatever the input.
pub(crate) fn rows<'r>(
    input: Box<dyn Read + 'r>,
    format: Format,
    options: ReadOptions,
) -> impl Iterator<Item = Result<Row>> + 'r {
    let (rows, failed) = match open(input, format, options) {
        Ok(rows) => (Some(rows), None),
        Err(error) => (None, Some(error)),
    };
    // After an error nothing more comes: a reader that failed is not asked again.
    let mut ended = false;
    failed.map(Err).into_iter().chain(rows.into_iter().flatten()).take_while(move |row| {
        let before = ended;
        ended |= row.is_err();
        !before
    })
}

fn open<'r>(
    input: Box<dyn Read + 'r>,
    format: Format,
    options: ReadOptions,
) -> Result<Box<dyn Iterator<Item = Result<Row>> + 'r>> {
    if matches!(format, Format::Form | Format::Text) {
        return Err(Error::invalid(format!("reading the format {} is not available yet", format.as_str()))
            .with_hint("available: json, ndjson, csv"));
    }
    let mut input = unzip(input)?;
    skip_bom(&mut input)?;
    Ok(match format {
        Format::Csv => Box::new(CsvRows::new(input, options.csv, options.first_row, options.max_row_bytes)),
        Format::Ndjson => Box::new(NdjsonRows::new(input, options)),
        Format::Json | Format::Form | Format::Text => Box::new(JsonRows::new(input, options)),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use super::super::testing::{all_rows, describe};
    use super::*;
    use crate::error::ErrorKind;

    /// Hands out one byte at a time, as a slow pipe does.
    struct Trickle<'b>(&'b [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = buffer.len().min(1);
            self.0.read(&mut buffer[..n])
        }
    }

    fn zipped(parts: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for part in parts {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(part).unwrap();
            out.extend(encoder.finish().unwrap());
        }
        out
    }

    #[test]
    fn gzip_is_recognized_by_its_bytes_even_in_several_members() {
        let bytes = zipped(&[b"a,b\n1,2\n", b"3,4\n"]);
        let rows = all_rows(&bytes, Format::Csv, ReadOptions::default());
        assert_eq!(describe(&rows), [r#"1 {"a":"1","b":"2"}"#, r#"2 {"a":"3","b":"4"}"#]);
        let broken: Vec<_> = super::rows(Box::new(&bytes[..20]), Format::Csv, ReadOptions::default()).collect();
        assert_eq!(broken.last().unwrap().as_ref().unwrap_err().kind(), ErrorKind::Io);
    }

    #[test]
    fn rows_are_numbered_from_the_first_row_the_caller_names() {
        let rows = all_rows(b"a\n7\n8\n", Format::Csv, ReadOptions::default().with_first_row(1001));
        assert_eq!(describe(&rows), [r#"1001 {"a":"7"}"#, r#"1002 {"a":"8"}"#]);
        let rows = all_rows(b"[7,8]", Format::Json, ReadOptions::default().with_first_row(1001));
        assert_eq!(describe(&rows), ["1001 7", "1002 8"]);
    }

    #[test]
    fn an_input_that_trickles_is_read_the_same() {
        let cases: [(&[u8], Format); 4] = [
            (b"\xef\xbb\xbfa,b\r\n1,\"2\r\n\"\"x\"\r\n", Format::Csv),
            (b"\xef\xbb\xbf[{\"a\": \"\\\"]\"}, 1 ]", Format::Json),
            (b"\xef\xbb\xbf{\"a\":1}\n{\"b\":2}", Format::Ndjson),
            (b"\xef", Format::Csv),
        ];
        for (bytes, format) in cases {
            let describe = |rows: Vec<Result<Row>>| {
                rows.into_iter()
                    .map(|row| row.map_or_else(|error| error.to_string(), |row| describe(&[row])[0].clone()))
                    .collect::<Vec<_>>()
            };
            let whole = describe(super::rows(Box::new(bytes), format, ReadOptions::default()).collect());
            let slow = describe(super::rows(Box::new(Trickle(bytes)), format, ReadOptions::default()).collect());
            assert_eq!(whole, slow);
            assert!(!whole.is_empty());
        }
    }

    #[test]
    fn the_format_follows_from_the_name_or_the_first_bytes() {
        let detect = |name: Option<&str>, bytes: &[u8]| {
            let open = detect_format(name, Box::new(bytes)).map(|open| {
                let mut all = Vec::new();
                let mut input = open.input;
                input.read_to_end(&mut all).unwrap();
                (open.format, all)
            });
            open.unwrap()
        };
        assert_eq!(detect(Some("Orders.CSV.gz"), b"[1]"), (Format::Csv, b"[1]".to_vec()));
        assert_eq!(detect(Some("a.jsonl"), b"").0, Format::Ndjson);
        assert_eq!(detect(Some("a.json"), b"").0, Format::Json);
        assert_eq!(detect(None, b" [1]"), (Format::Json, b" [1]".to_vec()));
        assert_eq!(detect(None, b"{\"a\":1}\n{\"a\":2}").0, Format::Ndjson);
        assert_eq!(detect(Some("data"), b"{\n\"a\":1}").0, Format::Json);
        assert_eq!(detect(None, b"a,b\n1,2").0, Format::Csv);
        assert_eq!(detect(None, &zipped(&[b"{\"a\":1}\n"])), (Format::Ndjson, b"{\"a\":1}\n".to_vec()));
        assert_eq!(detect(None, b"").0, Format::Csv);
    }

    #[test]
    fn a_format_without_reader_is_refused_once() {
        let mut rows = super::rows(Box::new(&b"a=1"[..]), Format::Form, ReadOptions::default());
        let error = rows.next().unwrap().unwrap_err();
        assert_eq!(error.message(), "reading the format form is not available yet");
        assert!(rows.next().is_none());
    }
}
