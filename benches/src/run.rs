//! Runs one side of a bench as a process of its own and reads what it says about itself.
//!
//! The sides take turns, so that a machine that gets slower gets slower for all of them. A side says one JSON object on its
//! last line. Threads are pinned on both sides: a process bound to one processor, and the peers' own thread settings.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cdp_core::records::{Number, Value};

use crate::arguments::{Arguments, stop};
use crate::measure::wall_now;

/// A command of one side, with arguments as `--name value`.
pub struct Side {
    command: Command,
    what: String,
}

impl Side {
    /// A worker of this program.
    pub fn ours(worker: &str) -> Side {
        let mut command = Command::new(std::env::current_exe().expect("a running program has a path"));
        command.arg("work").arg(worker);
        Side { command, what: format!("ours ({worker})") }
    }

    /// A script under benches/peers, in Python.
    pub fn python(arguments: &Arguments, script: &str) -> Side {
        Side::script(arguments.text("python", "python3"), script)
    }

    /// A script under benches/peers, in Node.
    pub fn node(arguments: &Arguments, script: &str) -> Side {
        Side::script(arguments.text("node", "node"), script)
    }

    fn script(interpreter: String, script: &str) -> Side {
        let mut command = Command::new(interpreter);
        command.arg(peers_folder().join(script));
        Side { command, what: script.to_owned() }
    }

    /// The same with an argument.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Side {
        self.command.arg(format!("--{name}")).arg(value);
        self
    }

    /// The same on so many threads, and processors.
    #[must_use]
    pub fn on_threads(mut self, threads: usize) -> Side {
        let count = threads.to_string();
        for variable in ["POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
            self.command.env(variable, &count);
        }
        self.with("threads", count)
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Value {
        let output = self.command.stderr(Stdio::inherit()).output();
        let output = output.unwrap_or_else(|error| stop(&format!("{} cannot be started: {error}", self.what)));
        let text = String::from_utf8_lossy(&output.stdout);
        let said = text.lines().last().and_then(|line| Value::parse(line.as_bytes()).ok());
        match said {
            Some(said) => said,
            None => stop(&format!("{} ended with {} and said nothing", self.what, output.status)),
        }
    }

    /// Runs it to its end if that comes within so many seconds; ends it otherwise.
    pub fn run_within(mut self, seconds: u64) -> Option<Value> {
        let child = self.command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut child = child.unwrap_or_else(|error| stop(&format!("{} cannot be started: {error}", self.what)));
        let start = wall_now();
        while child.try_wait().expect("a child can be asked").is_none() {
            if start.elapsed().as_secs() >= seconds {
                child.kill().expect("a child can be ended");
                child.wait().expect("an ended child is waited for");
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let output = child.wait_with_output().expect("what was said can be read");
        let text = String::from_utf8_lossy(&output.stdout);
        let said = text.lines().last().and_then(|line| Value::parse(line.as_bytes()).ok());
        Some(said.unwrap_or_else(|| stop(&format!("{} ended with {} and said nothing", self.what, output.status))))
    }

    /// Starts it without waiting.
    pub fn start(mut self) -> Child {
        let child = self.command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn();
        child.unwrap_or_else(|error| stop(&format!("{} cannot be started: {error}", self.what)))
    }
}

/// Where the peers' scripts are.
pub fn peers_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// A number that a run said; 0 if it said none.
pub fn number(run: &Value, name: &str) -> f64 {
    run.get(name).and_then(Value::as_number).map_or(0.0, Number::to_f64)
}

/// Checks that two sides found the same, and ends the bench if not.
pub fn expect_equal(what: &str, left: (&str, &Value), right: (&str, &Value)) {
    let ((left_name, left), (right_name, right)) = (left, right);
    if left != right {
        let short = |value: &Value| value.to_json().chars().take(300).collect::<String>();
        stop(&format!("{what} differ: {left_name} {}, {right_name} {}", short(left), short(right)));
    }
}
