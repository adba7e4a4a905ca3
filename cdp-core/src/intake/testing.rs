//! What the tests of this room share: reading all rows, showing them, and finding the test data that is not in the project.

use std::path::PathBuf;

use super::{ReadOptions, Row, rows};
use crate::definitions::{Body, Definition, Format, SourceDefinition};

/// The source definition of this text.
pub(super) fn source(text: &str) -> SourceDefinition {
    match Definition::parse(text).unwrap().body {
        Body::Source(source) => source,
        _ => panic!("not a source"),
    }
}

/// All rows of some bytes.
pub(super) fn all_rows(bytes: &[u8], format: Format, options: ReadOptions) -> Vec<Row> {
    rows(Box::new(bytes), format, options).collect::<Result<_, _>>().unwrap()
}

/// Each row as its number and JSON, or its number, reason and detail.
pub(super) fn describe(rows: &[Row]) -> Vec<String> {
    let describe = |row: &Row| match &row.values {
        Ok(values) => format!("{} {}", row.number, values.to_json()),
        Err(reject) => format!("{} {}: {}", row.number, reject.reason.as_str(), reject.detail),
    };
    rows.iter().map(describe).collect()
}

/// Test data outside the project: in the folder SHARED, else in `shared` beside the project.
pub(super) fn shared(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    Some(folder.join("data").join(path)).filter(|path| path.exists())
}

/// Says that a test did not run.
pub(super) fn skipped(what: &str) {
    println!("skipped: the test data {what} is not there; set SHARED to the folder that holds data/");
}
