//! What the tests of all modules share: where the shared data lies, and JSON without ceremony.

pub mod arrows;
pub mod history;
pub mod linkage;
pub mod reference_page;
pub mod tokens;

use std::path::{Path, PathBuf};

use cdp_core::records::Value;

/// The root of the repository.
pub fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// On how many histories a law is run: `CDP_CASES`, or few enough for every run.
pub fn number_of_cases(few: u32) -> u32 {
    std::env::var("CDP_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(few)
}

/// A file of the shared data: below `$SHARED`, else below `../shared` beside the repository. Says what is skipped where
/// it is not there.
pub fn shared_data(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SHARED").map(PathBuf::from).unwrap_or_else(|| repository().join("../shared"));
    let file = root.join("data").join(path);
    if file.exists() {
        return Some(file);
    }
    #[expect(clippy::print_stderr, reason = "a skipped test must say so")]
    {
        eprintln!("skipped: the shared data `{path}` is not there; set SHARED to its folder");
    }
    None
}

/// JSON text as a value.
///
/// # Panics
///
/// On text that is not JSON: a defect of the test.
pub fn json(text: &str) -> Value {
    #[expect(clippy::expect_used, reason = "a defect of the test")]
    Value::parse(text.as_bytes()).expect("the test gives valid JSON")
}

/// The source of the UCI Online Retail file, as the contract writes it.
pub const SHOP_CSV: &str = include_str!("../../examples/online_retail/definitions/shop_csv.json");
/// What the retail file is known to give.
pub const SHOP_EXPECTED: &str = include_str!("../../examples/online_retail/expected.json");
/// The features and the audience of the retail figures.
pub const SHOP_DEFINITIONS: &str = include_str!("../../examples/online_retail/definitions/measures.json");
