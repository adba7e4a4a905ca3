//! The flat map against a plain map: two processes on one file, tiny runs, crowded hashes, rollbacks, kills and damage.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::error::ErrorKind;

const SCHEMA: &str = include_str!("../schema.sql");
const TINY: FlatMapOptions = FlatMapOptions { flush_keys: 8, block_keys: 4 };

type Plain = BTreeMap<u64, Vec<u64>>;

fn empty_file() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(error) => error.kind(),
    }
}

/// The log that the map is derived from.
#[derive(Default)]
struct Log(Vec<(u64, u64)>);

impl Log {
    fn last_sequence(&self) -> u64 {
        self.0.last().map_or(0, |&(_, sequence)| sequence)
    }

    fn plain(&self) -> Plain {
        let mut plain = Plain::new();
        for &(hash, sequence) in &self.0 {
            plain.entry(hash).or_default().push(sequence);
        }
        plain
    }
}

struct Process {
    map: FlatMap,
    last_sequence: u64,
}

impl Process {
    fn start(connection: &Connection, log: &Log) -> Result<Process> {
        let mut process = Process { map: FlatMap::load(connection, TINY)?, last_sequence: 0 };
        process.replay(log);
        Ok(process)
    }

    fn replay(&mut self, log: &Log) {
        let from = self.last_sequence.max(self.map.watermark());
        // In several parts, as a caller with bounded memory replays it.
        let missing: Vec<_> = log.0.iter().filter(|&&(_, sequence)| sequence > from).collect();
        for part in missing.chunks(5) {
            let mut overlay = FlatMapOverlay::default();
            for &&(hash, sequence) in part {
                overlay.insert(hash, sequence);
            }
            self.map.fold(overlay);
        }
        self.last_sequence = log.last_sequence();
    }

    fn check(&self, connection: &Connection, overlay: Option<&FlatMapOverlay>, plain: &Plain) -> Result<()> {
        for hash in plain.keys().flat_map(|&hash| [hash, hash.wrapping_add(1), !hash]).collect::<BTreeSet<_>>() {
            let expected = plain.get(&hash).cloned().unwrap_or_default();
            assert_eq!(self.map.candidates(connection, overlay, hash)?, expected, "hash {hash}");
        }
        Ok(())
    }

    /// Steps until nothing is due.
    fn settle(&mut self, connection: &Connection, budget: usize) -> Result<()> {
        while let Some(step) = self.map.step(connection, budget)? {
            self.map.fold_step(step);
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Action {
    Transaction { process: usize, hashes: Vec<u64>, budget: Option<usize>, step_first: bool, commit: bool },
    Kill { process: usize },
    Freeze { process: usize },
}

fn a_hash() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0..8_u64).prop_map(|low| low << 61),
        3 => any::<u64>(),
        2 => 0..8_u64,
        1 => (0..3_u64).prop_map(|low| u64::MAX - low),
    ]
}

fn an_action() -> impl Strategy<Value = Action> {
    let transaction = (
        0..2_usize,
        prop::collection::vec(a_hash(), 0..12),
        prop::option::weighted(0.8, 1..6_usize),
        any::<bool>(),
        prop::bool::weighted(0.8),
    );
    prop_oneof![
        20 => transaction.prop_map(|(process, hashes, budget, step_first, commit)| {
            Action::Transaction { process, hashes, budget, step_first, commit }
        }),
        1 => (0..2_usize).prop_map(|process| Action::Kill { process }),
        1 => (0..2_usize).prop_map(|process| Action::Freeze { process }),
    ]
}

fn run_action(connection: &Connection, log: &mut Log, processes: &mut [Process], action: Action) -> Result<()> {
    match action {
        Action::Kill { process } => processes[process] = Process::start(connection, log)?,
        Action::Freeze { process } => {
            processes[process].map.freeze();
        }
        Action::Transaction { process, hashes, budget, step_first, commit } => {
            let process = &mut processes[process];
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            process.map.refresh(connection)?;
            process.replay(log);
            let mut plain = log.plain();
            let mut overlay = FlatMapOverlay::default();
            let mut step = None;
            if let Some(budget) = budget.filter(|_| step_first) {
                step = process.map.step(connection, budget)?;
            }
            let mut sequence = log.last_sequence();
            for &hash in &hashes {
                sequence += 1;
                overlay.insert(hash, sequence);
                plain.entry(hash).or_default().push(sequence);
            }
            process.check(connection, Some(&overlay), &plain)?;
            if let Some(budget) = budget.filter(|_| !step_first) {
                step = process.map.step(connection, budget)?;
                process.check(connection, Some(&overlay), &plain)?;
            }
            if commit {
                connection.execute_batch("COMMIT").unwrap();
                let first = log.last_sequence() + 1;
                log.0.extend(hashes.iter().copied().zip(first..));
                process.map.fold(overlay);
                if let Some(step) = step {
                    process.map.fold_step(step);
                }
                process.last_sequence = log.last_sequence();
            } else {
                connection.execute_batch("ROLLBACK").unwrap();
            }
            process.check(connection, None, &log.plain())?;
        }
    }
    Ok(())
}

fn count_blocks(connection: &Connection) -> i64 {
    connection.query_row("SELECT COUNT(*) FROM map_blocks", [], |row| row.get(0)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn two_processes_find_what_a_plain_map_finds(actions in prop::collection::vec(an_action(), 1..60)) {
        let connection = empty_file();
        let mut log = Log::default();
        let mut processes = [Process::start(&connection, &log).unwrap(), Process::start(&connection, &log).unwrap()];
        for action in actions {
            run_action(&connection, &mut log, &mut processes, action).unwrap();
        }

        let mut last = Process::start(&connection, &log).unwrap();
        last.settle(&connection, 3).unwrap();
        while last.map.freeze() {
            last.settle(&connection, 3).unwrap();
        }
        last.check(&connection, None, &log.plain()).unwrap();
        let size = last.map.size();
        prop_assert_eq!(size.tail_keys, 0);
        prop_assert_eq!(size.keys, u64::try_from(log.0.len()).unwrap());
        prop_assert!(size.runs <= MOST_RUNS);
        prop_assert_eq!(last.map.watermark(), log.last_sequence());
        // Each block belongs to a run or is known to be garbage, and no key is left to replay.
        let runs = last.map.runs.iter().flat_map(|run| run.places.stretches());
        let known: u64 = runs.chain(&last.map.garbage).map(|stretch| stretch.count).sum();
        prop_assert!(count_blocks(&connection) <= i64::try_from(known).unwrap());
        let next = Process::start(&connection, &log).unwrap();
        prop_assert!(next.map.step(&connection, 1).unwrap().is_none());
        next.check(&connection, None, &log.plain()).unwrap();
    }
}

/// A file with runs of several sizes, a merge under way and a tail.
fn used_file(keys: u64) -> (Connection, Log, Process) {
    let connection = empty_file();
    let mut log = Log::default();
    let mut processes = [Process::start(&connection, &log).unwrap()];
    let mut hash: u64 = 1;
    for _ in 0..keys / 4 {
        let mut hashes = Vec::new();
        for _ in 0..4 {
            hash = hash.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            hashes.push(hash ^ hash >> 29);
        }
        let action = Action::Transaction { process: 0, hashes, budget: Some(3), step_first: false, commit: true };
        run_action(&connection, &mut log, &mut processes, action).unwrap();
    }
    let [process] = processes;
    (connection, log, process)
}

#[test]
fn a_step_writes_and_deletes_no_more_than_its_budget() {
    let (connection, _, mut process) = used_file(400);
    process.map.freeze();
    let mut steps = 0;
    loop {
        let before: BTreeSet<i64> = blocks(&connection);
        let Some(step) = process.map.step(&connection, 2).unwrap() else { break };
        process.map.fold_step(step);
        let after = blocks(&connection);
        assert!(after.difference(&before).count() <= 2);
        assert!(before.difference(&after).count() <= 2);
        steps += 1;
    }
    assert!(steps > 3);
}

fn blocks(connection: &Connection) -> BTreeSet<i64> {
    let mut select = connection.prepare("SELECT block FROM map_blocks").unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn a_killed_flush_leaves_nothing_behind() {
    let connection = empty_file();
    let mut log = Log::default();
    let mut process = Process::start(&connection, &log).unwrap();
    log.0.extend((1..=40).map(|sequence: u64| (sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15), sequence)));
    process.replay(&log);
    let step = process.map.step(&connection, 1).unwrap().unwrap();
    process.map.fold_step(step);
    assert_eq!(count_blocks(&connection), 1);

    let mut next = Process::start(&connection, &log).unwrap();
    assert_eq!(next.map.size().runs, 0);
    let step = next.map.step(&connection, 1).unwrap().unwrap();
    next.map.fold_step(step);
    assert!(!blocks(&connection).contains(&1), "the block of the killed flush is gone");
    next.settle(&connection, 1).unwrap();
    next.check(&connection, None, &log.plain()).unwrap();
}

#[test]
fn a_process_that_did_not_refresh_cannot_write() {
    let (connection, log, mut process) = used_file(100);
    let mut other = Process::start(&connection, &log).unwrap();
    other.map.freeze();
    process.map.freeze();
    let step = other.map.step(&connection, 1).unwrap().unwrap();
    other.map.fold_step(step);
    assert_eq!(kind(process.map.step(&connection, 1)), ErrorKind::Internal);
    process.map.refresh(&connection).unwrap();
    process.map.freeze();
    process.settle(&connection, 2).unwrap();
    process.check(&connection, None, &log.plain()).unwrap();
}

#[test]
fn a_step_of_another_state_is_not_taken_in() {
    let (connection, log, mut process) = used_file(100);
    process.map.freeze();
    connection.execute_batch("BEGIN").unwrap();
    let rolled_back = process.map.step(&connection, 1).unwrap().unwrap();
    connection.execute_batch("ROLLBACK").unwrap();
    process.settle(&connection, 2).unwrap();
    process.map.fold_step(rolled_back);
    process.check(&connection, None, &log.plain()).unwrap();
    assert!(process.map.step(&connection, 1).unwrap().is_none());
}

#[test]
fn damage_is_an_error_or_makes_no_difference() {
    let (connection, log, _) = used_file(200);
    let runs: i64 = connection.query_row("SELECT COUNT(*) FROM map_runs", [], |row| row.get(0)).unwrap();
    assert!(runs > 1);
    let damages =
        ["x'00'", "x''", "zeroblob(200)", "CAST(substr(@, 1, length(@) - 1) AS BLOB)", "CAST(@ || x'00' AS BLOB)"];
    let flips = (0..24).map(|at| format!("CAST(substr(@, 1, {at}) || x'5a' || substr(@, {at} + 2) AS BLOB)"));
    let mut refused = 0;
    for damage in damages.iter().map(|&damage| damage.to_owned()).chain(flips) {
        let directory = damage.replace('@', "directory");
        refuses(
            &connection,
            &log,
            &format!("UPDATE map_runs SET directory = {directory} WHERE run = (SELECT MIN(run) FROM map_runs)"),
        );
        let data = damage.replace('@', "data");
        for block in blocks(&connection) {
            let update = format!("UPDATE map_blocks SET data = {data} WHERE block = {block}");
            refused += u32::from(outcome_of_damage(&connection, &log, &update).is_err());
        }
    }
    // The blocks of runs; those of work under way do not count.
    assert!(refused > 500, "{refused}");
    for statement in [
        "UPDATE map_runs SET keys = keys * 1000",
        "UPDATE map_runs SET keys = -1",
        "UPDATE map_runs SET greatest = -1",
        "UPDATE map_runs SET run = run + 1000 WHERE run = (SELECT MIN(run) FROM map_runs)",
        "UPDATE map_state SET next_block = 3",
        "UPDATE map_state SET next_block = -1",
        "DELETE FROM map_state",
        "DELETE FROM map_blocks",
        "UPDATE map_blocks SET data = (SELECT other.data FROM map_blocks AS other WHERE other.block <> map_blocks.block)",
    ] {
        refuses(&connection, &log, statement);
    }
}

fn refuses(connection: &Connection, log: &Log, statement: &str) {
    assert!(outcome_of_damage(connection, log, statement).is_err(), "{statement}");
}

/// Whether a process works on a file after `statement`: correctly, or with an error.
fn outcome_of_damage(connection: &Connection, log: &Log, statement: &str) -> Result<()> {
    connection.execute_batch("SAVEPOINT damage").unwrap();
    connection.execute_batch(statement).unwrap();
    let outcome = Process::start(connection, log).and_then(|mut process| {
        let plain = log.plain();
        process.check(connection, None, &plain)?;
        process.settle(connection, 3)?;
        process.check(connection, None, &plain)
    });
    connection.execute_batch("ROLLBACK TO damage; RELEASE damage").unwrap();
    if let Err(error) = &outcome {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{statement}: {error}");
    }
    outcome
}

#[test]
fn a_merge_that_a_flush_interrupts_becomes_a_run_in_several_places() {
    let connection = empty_file();
    let mut log = Log::default();
    let mut process = Process::start(&connection, &log).unwrap();
    let mut most_stretches = 0;
    for _ in 0..80 {
        let first = log.last_sequence() + 1;
        log.0.extend((first..first + 8).map(|sequence| (sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15), sequence)));
        process.replay(&log);
        for _ in 0..5 {
            if let Some(step) = process.map.step(&connection, 2).unwrap() {
                process.map.fold_step(step);
            }
        }
        process.check(&connection, None, &log.plain()).unwrap();
        most_stretches =
            process.map.runs.iter().map(|run| run.places.stretches().len()).fold(most_stretches, usize::max);
    }
    assert!(most_stretches > 1);
    let next = Process::start(&connection, &log).unwrap();
    next.check(&connection, None, &log.plain()).unwrap();
}
