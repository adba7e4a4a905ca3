//! Tables on the terminal, and the same as JSON in benches/results, free of anything that names a machine.

use cdp_core::Cdp;
use cdp_core::records::Value;

use crate::arguments::{Arguments, root};
use crate::measure::Spread;
use crate::run::number;

/// One side of a table: what it is, what it did in each repetition, and what a reader must know.
pub struct Line {
    /// What it is.
    pub name: String,
    /// What each run said.
    pub runs: Vec<Value>,
    /// What a reader must know about it.
    pub note: String,
}

impl Line {
    /// A line without runs.
    pub fn new(name: &str, note: &str) -> Line {
        Line { name: name.to_owned(), runs: Vec::new(), note: note.to_owned() }
    }

    /// Over the repetitions, of a figure of each run.
    pub fn spread(&self, figure: impl Fn(&Value) -> f64) -> Spread {
        Spread::of(self.runs.iter().map(figure))
    }

    /// Over the repetitions, of our figure by the peer's in the same repetition.
    pub fn ratio(&self, peer: &Line, figure: impl Fn(&Value) -> f64) -> Spread {
        Spread::of(self.runs.iter().zip(&peer.runs).map(|(ours, theirs)| figure(ours) / figure(theirs).max(1e-12)))
    }
}

/// Rows per CPU second of a run.
pub fn rate(run: &Value) -> f64 {
    number(run, "rows") / number(run, "cpu_seconds").max(1e-9)
}

/// A spread in a short form.
pub fn show(spread: Spread) -> String {
    let digits = match spread.median {
        median if median >= 100.0 => 0,
        median if median >= 10.0 => 1,
        median if median >= 0.1 => 2,
        _ => 4,
    };
    if (spread.greatest - spread.least).abs() < 1e-9 {
        return format!("{:.digits$}", spread.median);
    }
    format!("{:.digits$} [{:.digits$}-{:.digits$}]", spread.median, spread.least, spread.greatest)
}

/// Prints rows of cells as a table with aligned columns; the first row is the head.
pub fn print_table(title: &str, rows: &[Vec<String>]) {
    println!("\n{title}");
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..n_columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("  {}", cells.join("  ").trim_end());
    }
}

/// A report that grows table by table and is written at its end.
pub struct Report {
    name: &'static str,
    fields: Vec<(String, Value)>,
    label: String,
}

impl Report {
    /// A report about a bench with these arguments.
    pub fn new(name: &'static str, arguments: &Arguments) -> Report {
        let world = arguments.world();
        let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let fields = vec![
            ("bench".to_owned(), Value::from(name)),
            ("events".to_owned(), Value::count(world.n_events as usize)),
            ("profiles".to_owned(), Value::count(world.n_profiles as usize)),
            ("seed".to_owned(), Value::count(world.seed as usize)),
            ("repetitions".to_owned(), Value::count(arguments.repetitions())),
            ("processors".to_owned(), Value::count(processors)),
            ("optimized".to_owned(), Value::Bool(!cfg!(debug_assertions))),
            ("version".to_owned(), Cdp::version().into()),
            ("peers".to_owned(), Value::List(peer_versions())),
        ];
        Report { name, fields, label: size_label(world.n_events) }
    }

    /// Adds a field.
    pub fn put(&mut self, name: &str, value: Value) {
        self.fields.push((name.to_owned(), value));
    }

    /// Adds the lines of a table with all runs, and the ratio of our rate (the first line's) to each.
    pub fn put_lines(&mut self, name: &str, lines: &[Line]) {
        let ours = lines.first();
        let sides = lines.iter().map(|line| {
            let ratio = ours.map_or(Value::Null, |ours| ours.ratio(line, rate).to_value());
            Value::object([
                ("side", Value::from(line.name.as_str())),
                ("note", Value::from(line.note.as_str())),
                ("rows_per_cpu_second", line.spread(rate).to_value()),
                ("our_rate_to_this", ratio),
                ("runs", Value::List(line.runs.clone())),
            ])
        });
        let sides = Value::List(sides.collect());
        self.put(name, sides);
    }

    /// Writes benches/results/<bench>-<size>.json.
    pub fn write(self) {
        let folder = root().join("benches/results");
        std::fs::create_dir_all(&folder).expect("benches/results can be written");
        let file = format!("{}-{}.json", self.name, self.label);
        let report = Value::Object(self.fields.into_iter().collect());
        std::fs::write(folder.join(&file), report.to_json() + "\n").expect("benches/results can be written");
        println!("\nwritten: benches/results/{file}");
    }
}

/// What the peers' environment is made of.
fn peer_versions() -> Vec<Value> {
    let pinned = std::fs::read_to_string(root().join("benches/requirements.txt")).unwrap_or_default();
    pinned.lines().filter(|line| line.contains("==")).map(Value::from).collect()
}

/// `1m`, `50k`.
fn size_label(events: u64) -> String {
    match events {
        n if n >= 1_000_000 && n.is_multiple_of(1_000_000) => format!("{}m", n / 1_000_000),
        n if n >= 1_000 && n.is_multiple_of(1_000) => format!("{}k", n / 1_000),
        n => n.to_string(),
    }
}
