//! The input files of the benches: written once for their parameters, kept between runs, the same bytes on every machine.
//!
//! Every order of arrival holds the same lines. Beside the messages lie columns of numbers for the peers that want a table
//! (with the truth about who is who, so that they need no identity resolution) and for the raw insert.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use cdp_core::records::Value;

use crate::messages::{Told, write_track, write_traits};
use crate::world::{DAY_MS, HOUR_MS, SPAN_MS, Truth, World, mix};

/// Raised when the same parameters make other bytes.
const FORMAT: u32 = 1;
/// One message of so many is delivered again after everything else.
const REDELIVERED_OF: u64 = 100;

/// In which order the messages arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// By time, with an hour of jitter.
    InOrder,
    /// The same, but one in five comes up to 30 days late.
    Late,
    /// In no order.
    Shuffled,
    /// The latest first.
    Reversed,
}

impl Arrival {
    /// All of them.
    pub const ALL: [Arrival; 4] = [Arrival::InOrder, Arrival::Late, Arrival::Shuffled, Arrival::Reversed];

    /// The word for it, in file names and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Arrival::InOrder => "in_order",
            Arrival::Late => "late",
            Arrival::Shuffled => "shuffled",
            Arrival::Reversed => "reversed",
        }
    }
}

/// A folder of input files for one world.
pub struct Dataset {
    /// What the files tell about.
    pub world: World,
    folder: PathBuf,
}

impl Dataset {
    /// The files of this world below `bench_folder`.
    pub fn new(bench_folder: &Path, world: World) -> Dataset {
        let name = format!("data-{}-{}-{}-v{FORMAT}", world.n_events, world.n_profiles, world.seed);
        let folder = bench_folder.join(name);
        std::fs::create_dir_all(&folder).expect("the bench folder can be written");
        Dataset { world, folder }
    }

    /// A file of this dataset, made by `write` unless it is there.
    fn kept(&self, name: &str, write: impl FnOnce(&mut BufWriter<File>)) -> PathBuf {
        let path = self.folder.join(name);
        if !path.exists() {
            eprintln!("making {name} for {} events", self.world.n_events);
            let part = path.with_extension("part");
            let mut out =
                BufWriter::with_capacity(1 << 20, File::create(&part).expect("the bench folder can be written"));
            write(&mut out);
            out.into_inner()
                .map_err(|_| "unwritten bytes")
                .and_then(|file| file.sync_all().map_err(|_| "sync"))
                .expect("the disk has room");
            std::fs::rename(&part, &path).expect("the bench folder can be written");
        }
        path
    }

    /// The messages, one a line.
    pub fn messages(&self, arrival: Arrival, with_context: bool) -> PathBuf {
        let name = format!("{}.{}.ndjson", arrival.as_str(), if with_context { "context" } else { "bare" });
        self.kept(&name, |out| {
            let mut text = String::new();
            let mut write = |line: u64| {
                text.clear();
                let event = self.world.event(self.world.event_of_line(line));
                write_track(&self.world, &event, with_context, Told::Time, &mut text);
                out.write_all(text.as_bytes()).expect("the disk has room");
            };
            match arrival {
                Arrival::InOrder => (0..self.world.n_events).for_each(&mut write),
                Arrival::Reversed => (0..self.world.n_events).rev().for_each(&mut write),
                Arrival::Late | Arrival::Shuffled => {
                    let mut lines: Vec<(u64, u32)> = (0..self.world.n_events)
                        .map(|line| {
                            (self.arrives_at(arrival, line), u32::try_from(line).expect("below 4 billion lines"))
                        })
                        .collect();
                    lines.sort_unstable();
                    lines.iter().for_each(|(_, line)| write(u64::from(*line)));
                }
            }
        })
    }

    fn arrives_at(&self, arrival: Arrival, line: u64) -> u64 {
        let chance = mix(line ^ self.world.seed.rotate_left(3));
        if arrival == Arrival::Shuffled {
            return chance;
        }
        let on_time = (line as f64 / self.world.n_events as f64 * SPAN_MS as f64) as u64;
        if chance.is_multiple_of(5) { on_time + (chance >> 8) % (30 * DAY_MS as u64) } else { on_time }
    }

    /// The first lines of a file as a file of their own; the file itself if it has no more.
    pub fn first_lines(&self, whole: &Path, lines: u64) -> PathBuf {
        if lines >= self.world.n_events {
            return whole.to_owned();
        }
        let stem = whole.file_stem().and_then(|stem| stem.to_str()).expect("dataset files have plain names");
        self.kept(&format!("{stem}.first_{lines}.ndjson"), |out| {
            let mut input = BufReader::with_capacity(1 << 20, File::open(whole).expect("the file was made"));
            let mut line = Vec::new();
            for _ in 0..lines {
                line.clear();
                input.read_until(b'\n', &mut line).expect("the file can be read");
                out.write_all(&line).expect("the disk has room");
            }
        })
    }

    /// A hundredth of the messages once more, of any age: half as they were, a quarter with another time, a quarter without.
    pub fn redelivery(&self, with_context: bool) -> (PathBuf, u64) {
        let lines = (self.world.n_events / REDELIVERED_OF).max(1);
        let name = format!("redelivery.{}.ndjson", if with_context { "context" } else { "bare" });
        let path = self.kept(&name, |out| {
            let mut text = String::new();
            for number in 0..lines {
                let chance = mix(number ^ self.world.seed.rotate_left(11));
                let event = self.world.event(self.world.event_of_line(chance % self.world.n_events));
                let told = match number % 4 {
                    0 | 1 => Told::Time,
                    2 => Told::OtherTime(
                        event.occurred_at_ms + (chance >> 20) as i64 % (20 * DAY_MS) - 10 * DAY_MS + HOUR_MS,
                    ),
                    _ => Told::Nothing,
                };
                text.clear();
                write_track(&self.world, &event, with_context, told, &mut text);
                out.write_all(text.as_bytes()).expect("the disk has room");
            }
        });
        (path, lines)
    }

    /// Ten traits of every user.
    pub fn traits(&self) -> PathBuf {
        self.kept("traits.ndjson", |out| {
            let mut text = String::new();
            let people = Truth::of(&self.world).people();
            for (person, _) in people.into_iter().filter(|(person, _)| person.is_known()) {
                text.clear();
                write_traits(&self.world, person, &mut text);
                out.write_all(text.as_bytes()).expect("the disk has room");
            }
        })
    }

    /// What the raw insert adds to each line in order: message id, person, kind, time; 29 bytes a line.
    pub fn raw_columns(&self) -> PathBuf {
        self.kept("raw.bin", |out| {
            let truth = Truth::of(&self.world);
            for line in 0..self.world.n_events {
                let event = self.world.event(self.world.event_of_line(line));
                let mut row = Vec::with_capacity(29);
                row.extend_from_slice(&event.message_id.to_be_bytes());
                row.extend_from_slice(&truth.person(&event).0.to_le_bytes());
                row.push(event.kind);
                row.extend_from_slice(&event.occurred_at_ms.to_le_bytes());
                out.write_all(&row).expect("the disk has room");
            }
        })
    }

    /// The events as columns in order of time, without redeliveries: `pid.u32`, `ts.i64`, `kind.u8`, `cents.i64`.
    pub fn columns(&self) -> PathBuf {
        let truth = (!self.folder.join("cents.i64").exists()).then(|| Truth::of(&self.world));
        type Column = fn(&World, Option<&Truth>, u64) -> Vec<u8>;
        let columns: [(&str, Column); 4] = [
            ("pid.u32", |world, truth, line| {
                truth.map_or(0, |truth| truth.person(&world.event(line)).0).to_le_bytes().to_vec()
            }),
            ("ts.i64", |world, _, line| world.event(line).occurred_at_ms.to_le_bytes().to_vec()),
            ("kind.u8", |world, _, line| vec![world.event(line).kind]),
            ("cents.i64", |world, _, line| world.event(line).cents.to_le_bytes().to_vec()),
        ];
        for (name, column) in columns {
            self.kept(name, |out| {
                for line in (0..self.world.n_events).filter(|line| self.world.is_first_delivery(*line)) {
                    out.write_all(&column(&self.world, truth.as_ref(), line)).expect("the disk has room");
                }
            });
        }
        self.folder.clone()
    }

    /// People to ask for, drawn from all with equal chance: `[[type, value, person number], ...]`.
    pub fn sample(&self, size: u64) -> PathBuf {
        self.kept(&format!("sample-{size}.json"), |out| {
            let people = Truth::of(&self.world).people();
            let drawn = (0..size).map(|draw| {
                let (person, _) = people[(mix(draw ^ self.world.seed.rotate_left(5)) % people.len() as u64) as usize];
                let (kind, value) = self.world.identifier(person);
                Value::List(vec![Value::from(kind), Value::Text(value), Value::integer(person.0)])
            });
            let list = Value::List(drawn.collect());
            out.write_all(list.to_json().as_bytes()).expect("the disk has room");
        })
    }

    /// A place for what a run leaves, such as a store; removed first if `fresh`.
    pub fn scratch(&self, name: &str, fresh: bool) -> PathBuf {
        let path = self.folder.join(name);
        if fresh {
            remove_store(&path);
        }
        path
    }
}

/// Removes a database file with its companions, or a folder.
pub fn remove_store(path: &Path) {
    let _ = std::fs::remove_dir_all(path);
    for suffix in ["", "-wal", "-shm", ".wal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = std::fs::remove_file(name);
    }
}

/// Copies a database file with its log, as it stands.
pub fn copy_store(from: &Path, to: &Path) {
    remove_store(to);
    for suffix in ["", "-wal"] {
        let (mut source, mut target) = (from.as_os_str().to_owned(), to.as_os_str().to_owned());
        source.push(suffix);
        target.push(suffix);
        if Path::new(&source).exists() {
            std::fs::copy(source, target).expect("the disk has room");
        }
    }
}

/// Bytes of a database file with its logs, or of all files of a folder.
pub fn stored_bytes(path: &Path) -> u64 {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).expect("a folder that is there can be read");
        return entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|metadata| metadata.len()).sum();
    }
    let size = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(name).map_or(0, |metadata| metadata.len())
    };
    size("") + size("-wal") + size(".wal")
}
