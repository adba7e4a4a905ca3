//! The demo and the quickstart print what their golden files say. `UPDATE_GOLDEN=1` renews the files.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An example that cargo built beside this test.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(built.exists(), "{name} is not built: run `cargo test -p cdp-examples` or `cargo build --examples` first");
    built
}

fn check(name: &str, arguments: &[&Path], golden: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(golden);
    let output = Command::new(example(name)).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut printed = String::from_utf8(output.stdout).unwrap();
    // A folder has another path on every machine.
    for folder in arguments {
        printed = printed.replace(&folder.display().to_string(), "FOLDER");
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &printed).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    for (number, (printed, expected)) in printed.lines().zip(expected.lines()).enumerate() {
        assert_eq!(printed, expected, "{}:{}", golden.display(), number + 1);
    }
    assert_eq!(printed.lines().count(), expected.lines().count(), "{}", golden.display());
    let widest = printed.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= cdp_examples::WIDTH, "a line of {name} has {widest} characters");
}

#[test]
fn the_demo_prints_its_golden_output() {
    let folder = tempfile::tempdir().unwrap();
    check("demo", &[folder.path()], "demo/golden.txt");
}

#[test]
fn the_quickstart_prints_its_golden_output() {
    check("quickstart", &[], "quickstart.golden.txt");
}
