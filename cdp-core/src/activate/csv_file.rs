//! Writes a frame to a CSV or NDJSON file: private, atomic, safe to open in a spreadsheet.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::{Error, Result};
use crate::records::{Cells, Frame, Value};
use crate::store::{PartialFile, unwritable};

/// The file formats of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    Csv,
    NdJson,
}

impl ExportFormat {
    /// The format of this word, or of a file name where there is no word.
    pub(crate) fn parse(word: Option<&str>, path: &Path) -> Result<ExportFormat> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("csv");
        match word.unwrap_or(extension) {
            "csv" => Ok(ExportFormat::Csv),
            "ndjson" | "jsonl" => Ok(ExportFormat::NdJson),
            other => Err(Error::invalid(format!("unknown export format `{other}`")).with_hint("formats: csv, ndjson")),
        }
    }
}

/// Writes the frame to a new file beside the target and puts it in the target's place when it is complete.
pub(crate) fn write_file(frame: &Frame, path: &Path, format: ExportFormat) -> Result<()> {
    let (partial, file) = PartialFile::replacing(path)?;
    let file = write_frame(frame, file, format)?;
    partial.put_in_place(file)
}

fn write_frame(frame: &Frame, file: File, format: ExportFormat) -> Result<File> {
    let mut out = BufWriter::new(file);
    match format {
        ExportFormat::Csv => write_csv(frame, &mut out)?,
        ExportFormat::NdJson => {
            for row in 0..frame.n_rows() {
                writeln!(out, "{}", Value::Object(frame.row(row)).to_json()).map_err(unwritable)?;
            }
        }
    }
    out.into_inner().map_err(|error| unwritable(error.into_error()))
}

fn write_csv(frame: &Frame, out: impl Write) -> Result<()> {
    let csv_error = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => unwritable(error),
        _ => Error::internal("a CSV record could not be written"),
    };
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(frame.columns.iter().map(|column| neutralize(&column.name))).map_err(csv_error)?;
    for row in 0..frame.n_rows() {
        let cells = frame.columns.iter().map(|column| match (&column.cells, column.cells.value(row)) {
            (_, Value::Null) => String::new(),
            // Only text can hold a formula: a negative number stays a number.
            (Cells::Text(_), Value::Text(text)) => neutralize(&text),
            (_, Value::Text(text)) => text,
            (_, other) => other.to_json(),
        });
        writer.write_record(cells).map_err(csv_error)?;
    }
    writer.flush().map_err(unwritable)
}

/// Puts a quote before text that a spreadsheet would run as a formula (OWASP, CSV injection), full-width forms included.
fn neutralize(text: &str) -> String {
    let live = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if live { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::records::Number;

    #[test]
    fn formulas_are_neutralized_and_numbers_stay_numbers() {
        let text = |values: &[&str]| Cells::Text(values.iter().map(|value| Some((*value).to_owned())).collect());
        let frame = Frame::new(vec![
            ("name", text(&["=1+1", "@x", "plain", "-5", "＝1"])),
            ("spend", Cells::Decimal(["-5.5", "1", "2", "3", "4"].iter().map(|n| Number::parse(n).ok()).collect())),
        ]);
        let mut out = Vec::new();
        write_csv(&frame, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "name,spend\n'=1+1,-5.5\n'@x,1\nplain,2\n'-5,3\n'＝1,4\n");
    }

    #[test]
    fn an_export_is_private_and_replaces_the_file_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vip.csv");
        std::fs::write(&path, "before").unwrap();
        let frame = Frame::new(vec![("n", Cells::Int64(vec![Some(1)]))]);
        write_file(&frame, &path, ExportFormat::Csv).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "n\n1\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777,
            0o600
        );
        let missing = write_file(&frame, &folder.path().join("no/vip.csv"), ExportFormat::Csv).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::Io);
    }
}
