//! JSON in bounded memory: a scanner finds where each record starts and ends, the parser of `records` reads it.
//!
//! The scanner follows strings, escapes and brackets only, and counts brackets instead of nesting; a record larger than
//! the limit is passed over without being kept. What the parser then finds unreadable inside an array ends the array:
//! nothing behind it can be trusted to be where it seems.

use std::io::{self, BufRead};

use crate::definitions::Records;
use crate::error::Result;
use crate::records::{Path, Reject, RejectReason, Value};

use super::Row;
use super::bytes::{Input, ReadOptions, io_error};
use super::ndjson::{Captured, Queue, no_list};

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
        // One byte is kept to distinguish an absent value from a present one.
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

#[cfg(test)]
mod tests {
    use super::super::testing::{all_rows, describe, shared, skipped};
    use super::*;
    use crate::definitions::Format;
    use crate::records::JsonFault;

    fn json(text: &str) -> Vec<String> {
        describe(&all_rows(text.as_bytes(), Format::Json, ReadOptions::default()))
    }

    fn ndjson(text: &str) -> Vec<String> {
        describe(&all_rows(text.as_bytes(), Format::Ndjson, ReadOptions::default()))
    }

    const REST: &str = "unreadable: not valid JSON from here on; the rest was not read";

    #[test]
    fn a_broken_line_is_one_reject_and_the_next_is_read() {
        let text = "{\"a\":1}\r\n\n   \n{\"a\":\n{\"a\":1e99}\n{\"a\":3}";
        let expected = [
            r#"1 {"a":1}"#,
            "2 unreadable: not valid JSON at line 1, column 5",
            "3 bad_number: a number further from zero than 1e20",
            r#"4 {"a":3}"#,
        ];
        assert_eq!(ndjson(text), expected);
    }

    #[test]
    fn a_broken_array_ends_in_one_reject_for_the_rest() {
        for (text, good) in [
            (r#"[{"a":1},{"a":},{"a":3}]"#, 1),
            (r#"[{"a":1},{"a":2]"#, 1),
            (r#"[{"a":1} {"a":2}]"#, 1),
            (r#"[{"a":1},]"#, 1),
            (r#"[{"a":1},{"a":2}"#, 2),
            (r#"[{"a":1},"#, 1),
            (r#"[,]"#, 0),
            (r#"[{"a":1}] rubbish"#, 1),
            (r#"[{"a":1}] ]"#, 1),
            ("[{\"a\":1},{\"a\":\"\u{1}\"}]", 1),
        ] {
            let found = json(text);
            assert_eq!(found.len(), good + 1, "{text}: {found:?}");
            assert_eq!(found.last().unwrap(), &format!("{} {REST}", good + 1), "{text}");
        }
    }

    #[test]
    fn ten_thousand_brackets_are_too_deep_and_the_next_item_is_read() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let expected = [r#"1 {"a":1}"#, "2 too_deep: nested deeper than 64 levels", r#"3 {"a":3}"#];
        assert_eq!(json(&format!(r#"[{{"a":1}},{deep},{{"a":3}}]"#)), expected);
        assert_eq!(ndjson(&format!("{{\"a\":1}}\n{deep}\n{{\"a\":3}}")), expected);
        assert_eq!(json(&"[".repeat(10_000)), [format!("1 {REST}")]);
    }

    #[test]
    fn a_record_beyond_the_limit_is_passed_over_without_being_kept() {
        let large = format!(r#"{{"a":"{}"}}"#, "]\\\"".repeat(10_000));
        let options = ReadOptions { max_row_bytes: 1000, ..ReadOptions::default() };
        let expected = ["1 too_large: a record larger than 1000 bytes", r#"2 {"a":3}"#];
        let rows = all_rows(format!(r#"[{large},{{"a":3}}]"#).as_bytes(), Format::Json, options.clone());
        assert_eq!(describe(&rows), expected);
        assert_eq!(rows[0].raw().len(), 1000);
        let rows = all_rows(format!("{large}\n{{\"a\":3}}").as_bytes(), Format::Ndjson, options);
        assert_eq!(describe(&rows), expected);
    }

    #[test]
    fn documents_may_stand_one_after_the_other() {
        let expected = [r#"1 {"a":1}"#, r#"2 {"a":2}"#, r#"3 {"a":3}"#, "4 5", "5 true"];
        assert_eq!(json(" {\"a\":1}\n{\"a\":2} [ {\"a\":3} , 5,true]\n[]"), expected);
        assert_eq!(json(""), Vec::<String>::new());
    }

    #[test]
    fn a_batch_body_stands_for_its_messages() {
        let text = r#"{"batch":[{"type":"track","context":{"ip":"1"}},{"type":"page","sentAt":"x"}],"sentAt":"s","context":{"ip":"0","os":"l"}}"#;
        let expected = [
            r#"1 {"context":{"ip":"1","os":"l"},"sentAt":"s","type":"track"}"#,
            r#"2 {"context":{"ip":"0","os":"l"},"sentAt":"x","type":"page"}"#,
        ];
        assert_eq!(json(text), expected);
        assert_eq!(ndjson(text), expected);
    }

    #[test]
    fn the_records_of_a_document_are_found_by_path() {
        let options = ReadOptions {
            records: Some(Records::At(Path::parse("data.items").unwrap())),
            batches: false,
            ..ReadOptions::default()
        };
        let read = |text: &str, format| describe(&all_rows(text.as_bytes(), format, options.clone()));
        let text = r#"{"x":[{"items":[9]}],"data":{"items":"no"},"y":1}"#;
        assert_eq!(read(text, Format::Json), ["1 unreadable: there is no list of records at this path"]);
        let text = r#"{"x":[{"items":[9]}],"data":{"n":{"}":"]"},"items":[{"a":1},{"a":2}],"m":0},"y":1} {"data":{"items":[{"a":3}]}}"#;
        let expected = [r#"1 {"a":1}"#, r#"2 {"a":2}"#, r#"3 {"a":3}"#];
        assert_eq!(read(text, Format::Json), expected);
        assert_eq!(read(&text.replace("} {", "}\n{"), Format::Ndjson), expected);
        let cut = r#"{"data":{"items":[{"a":1}],"m":"#;
        assert_eq!(read(cut, Format::Json), [r#"1 {"a":1}"#.to_owned(), format!("2 {REST}")]);
        assert_eq!(read("[1]", Format::Json).len(), 1);
    }

    #[test]
    fn every_text_is_read_the_same_from_an_array_and_never_panics() {
        let alphabet = [b'[', b']', b'{', b'}', b'"', b'\\', b',', b':', b'1', b' '];
        for seed in 0..10usize.pow(5) {
            let text: Vec<u8> = (0..5).map(|place| alphabet[seed / 10usize.pow(place) % 10]).collect();
            let wrapped = [b"[".as_slice(), &text, b"]"].concat();
            let rows = all_rows(&wrapped, Format::Json, ReadOptions::default());
            if let Ok(Value::List(items)) = Value::parse(&wrapped) {
                let read: Vec<Value> = rows.into_iter().map(|row| row.values.unwrap().to_value()).collect();
                assert!(read == items, "{}", String::from_utf8_lossy(&wrapped));
            } else {
                // What is no single value is a reject, or several values one after the other.
                let mut values = serde_json::Deserializer::from_slice(&wrapped).into_iter::<serde_json::Value>();
                let sequence = values.all(|value| value.is_ok());
                let sound = rows.iter().all(|row| row.values.is_ok());
                assert_eq!(sound, sequence, "{}", String::from_utf8_lossy(&wrapped));
            }
        }
    }

    const BEYOND_1E20: [&str; 5] = [
        "y_number.json",
        "y_number_real_capital_e.json",
        "y_number_real_exponent.json",
        "y_number_real_fraction_exponent.json",
        "y_object_extreme_numbers.json",
    ];

    #[test]
    fn the_json_test_suite_is_accepted_and_refused_as_published() {
        let Some(folder) = shared("messy/json-test-suite/test_parsing") else { return skipped("JSONTestSuite") };
        let mut judged = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let bytes = std::fs::read(&path).unwrap();
            let parsed = Value::parse(&bytes);
            all_rows(&bytes, Format::Json, ReadOptions::default());
            all_rows(&bytes, Format::Ndjson, ReadOptions::default());
            match name.split('_').next() {
                // Numbers beyond 1e20 are JSON and no fact: they are refused by name.
                Some("y") if BEYOND_1E20.contains(&name.as_str()) => {
                    assert_eq!(parsed, Err(JsonFault::BadNumber), "{name}")
                }
                Some("y") => assert!(parsed.is_ok(), "{name}"),
                Some("n") => assert!(parsed.is_err(), "{name}"),
                _ => continue,
            }
            judged += 1;
        }
        assert!(judged > 250, "{judged}");
    }
}
