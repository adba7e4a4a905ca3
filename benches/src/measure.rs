//! What a process used: CPU seconds, wall, peak memory, bytes written; and the median with its spread over repetitions.
//!
//! The figures of a run are taken by the process itself from the moment its work begins to the moment everything is on disk
//! and closed, so that the start of an interpreter counts for nobody. On a shared machine CPU seconds are the ones to trust.

use std::time::Instant;

use cdp_core::records::Value;
use rustix::time::{ClockId, clock_gettime};

/// CPU seconds, user and system, of all threads of this process.
pub fn process_cpu_seconds() -> f64 {
    seconds(ClockId::ProcessCPUTime)
}

/// CPU seconds of the calling thread.
pub fn thread_cpu_seconds() -> f64 {
    seconds(ClockId::ThreadCPUTime)
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The wall clock of a bench.
#[expect(clippy::disallowed_methods, reason = "a bench measures the time that passes")]
pub fn wall_now() -> Instant {
    Instant::now()
}

/// A line of a file under /proc/self that begins with `name`, its first number.
fn proc_number(file: &str, name: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).expect("benches need Linux's /proc");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
    line.split_whitespace().find_map(|word| word.trim_start_matches(':').parse().ok()).unwrap_or(0.0)
}

/// Megabytes of memory that this process holds now.
pub fn resident_megabytes() -> f64 {
    proc_number("status", "VmRSS:") / 1024.0
}

/// The busiest thread so far, in CPU seconds: what bounds the wall clock when threads have a processor each.
pub fn busiest_thread_cpu_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("benches need Linux's /proc");
    let nanoseconds = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanoseconds.fold(0.0, f64::max) / 1e9
}

/// Binds this process to so many of the processors it may use, before it starts any thread.
///
/// With one, a library that asks how many there are works on one thread.
pub fn pin_to_processors(count: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let allowed = sched_getaffinity(None).expect("the processors of a process can be read");
    let mut chosen = CpuSet::new();
    for processor in (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor)).take(count) {
        chosen.set(processor);
    }
    sched_setaffinity(None, &chosen).expect("a process may give up processors");
}

/// Measures a stretch of work.
pub struct Meter {
    wall: Instant,
    cpu: f64,
    written: f64,
    to_disk: f64,
}

/// What a stretch of work used.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User and system, all threads.
    pub cpu_seconds: f64,
    /// On the wall.
    pub wall_seconds: f64,
    /// Bytes given to write calls.
    pub written_bytes: f64,
    /// Bytes that went to a disk.
    pub disk_bytes: f64,
}

impl Meter {
    /// Starts to measure.
    pub fn start() -> Meter {
        Meter {
            wall: wall_now(),
            cpu: process_cpu_seconds(),
            written: proc_number("io", "wchar:"),
            to_disk: proc_number("io", "write_bytes:"),
        }
    }

    /// What was used since the start.
    pub fn stop(&self) -> Usage {
        Usage {
            cpu_seconds: process_cpu_seconds() - self.cpu,
            wall_seconds: self.wall.elapsed().as_secs_f64(),
            written_bytes: proc_number("io", "wchar:") - self.written,
            disk_bytes: proc_number("io", "write_bytes:") - self.to_disk,
        }
    }
}

impl Usage {
    /// The fields that every run reports, the peers' too.
    pub fn fields(&self) -> Vec<(String, Value)> {
        [
            ("cpu_seconds", self.cpu_seconds),
            ("wall_seconds", self.wall_seconds),
            ("written_bytes", self.written_bytes),
            ("disk_bytes", self.disk_bytes),
            ("peak_megabytes", proc_number("status", "VmHWM:") / 1024.0),
        ]
        .map(|(name, value)| (name.to_owned(), Value::float(value)))
        .to_vec()
    }
}

/// The value below which `share` of the values lie; 0 of none.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    values.get(place).copied().unwrap_or(0.0)
}

/// A median with the least and greatest value.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The middle value.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
}

impl Spread {
    /// Of these values; all zero if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (least, greatest) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0));
        // Of an even number of values, the middle between the two middle ones.
        let middle = |place: usize| values.get(place).copied().unwrap_or(0.0);
        let median = (middle(values.len().saturating_sub(1) / 2) + middle(values.len() / 2)) / 2.0;
        Spread { median, least, greatest }
    }

    /// As JSON.
    pub fn to_value(self) -> Value {
        let number = |value: f64| Value::float((value * 1e4).round() / 1e4);
        Value::object([
            ("median", number(self.median)),
            ("least", number(self.least)),
            ("greatest", number(self.greatest)),
        ])
    }
}

/// The latencies of single calls in microseconds.
#[derive(Default)]
pub struct Latencies {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Latencies {
    /// Runs and measures one call.
    pub fn measure<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let (wall, cpu) = (wall_now(), thread_cpu_seconds());
        let answer = call();
        self.cpu.push((thread_cpu_seconds() - cpu) * 1e6);
        self.wall.push(wall.elapsed().as_nanos() as f64 / 1e3);
        answer
    }

    /// Takes over the latencies of another thread.
    pub fn join(&mut self, other: Latencies) {
        self.wall.extend(other.wall);
        self.cpu.extend(other.cpu);
    }

    /// p50 and p99, of the thread's CPU and of the wall.
    pub fn into_value(mut self) -> Value {
        let calls = Value::count(self.wall.len());
        let mut of =
            |values: fn(&mut Latencies) -> &mut Vec<f64>, share| Value::float(percentile(values(&mut self), share));
        Value::object([
            ("calls", calls),
            ("cpu_p50_us", of(|latencies| &mut latencies.cpu, 0.5)),
            ("cpu_p99_us", of(|latencies| &mut latencies.cpu, 0.99)),
            ("wall_p50_us", of(|latencies| &mut latencies.wall, 0.5)),
            ("wall_p99_us", of(|latencies| &mut latencies.wall, 0.99)),
        ])
    }
}
