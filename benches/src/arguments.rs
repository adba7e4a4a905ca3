//! The arguments of a bench: `--name value`, each with a default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::world::World;

/// Sizes, repetitions and interpreters.
pub struct Arguments(BTreeMap<String, String>);

impl Arguments {
    /// Reads `--name value` pairs.
    pub fn read(words: &[String]) -> Arguments {
        let mut given = BTreeMap::new();
        for pair in words.chunks(2) {
            match pair {
                [name, value] if name.starts_with("--") => {
                    given.insert(name.trim_start_matches('-').to_owned(), value.clone())
                }
                _ => stop("arguments are given as --name value"),
            };
        }
        Arguments(given)
    }

    /// A text argument.
    pub fn text(&self, name: &str, default: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| default.to_owned())
    }

    /// A text argument that must be there.
    pub fn need(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| stop(&format!("the argument --{name} is missing")))
    }

    /// A path argument that must be there.
    pub fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(self.need(name))
    }

    /// A number argument.
    pub fn number(&self, name: &str, default: u64) -> u64 {
        let Some(text) = self.0.get(name) else { return default };
        text.replace('_', "").parse().unwrap_or_else(|_| stop(&format!("--{name} takes a number")))
    }

    /// The shop that is measured: a million events of a hundred thousand profiles unless the arguments say otherwise.
    pub fn world(&self) -> World {
        let n_events = self.number("events", 1_000_000);
        World { n_events, n_profiles: self.number("profiles", (n_events / 10).max(1)), seed: self.number("seed", 42) }
    }

    /// How often every side runs: five times, above a million events once.
    pub fn repetitions(&self) -> usize {
        let usual = if self.world().n_events > 1_000_000 { 1 } else { 5 };
        self.number("repetitions", usual) as usize
    }

    /// Where input files and stores lie.
    pub fn folder(&self) -> PathBuf {
        self.0.get("folder").map_or_else(|| root().join("build/bench"), PathBuf::from)
    }
}

/// Ends the bench: without its figures there is nothing to report.
pub fn stop(why: &str) -> ! {
    eprintln!("bench: {why}");
    std::process::exit(1)
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
