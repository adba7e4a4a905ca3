//! Runs against a brute-force oracle: a node reads the same after any sequence of commits, writes, rollbacks, merges
//! and reopens.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::records::{Number, Path, Timestamp, Value};
use crate::store::node_facts::{AccountWrite, Annex, ConsentWrite, EventEntry, TraitWrite, least};

const SCHEMA: &str = include_str!("../schema.sql");
const N_COLUMNS: usize = 3;
const N_NODES: u32 = 14;

#[derive(Clone, Debug)]
struct Fact {
    node: u32,
    occurred_at: i64,
    event: Option<u32>,
    cells: Vec<Value>,
    traits: Vec<(String, Value)>,
    consents: Vec<(Option<String>, Option<String>, bool)>,
    account: Option<String>,
    named: Vec<u32>,
    identifies: bool,
}

/// The facts of a node in the oracle.
#[derive(Clone, Default)]
struct OracleNode {
    node: u32,
    events: Vec<EventEntry>,
    annex: Annex,
}

/// A tail as the store has it, and the oracle: facts of nodes in RAM.
#[derive(Clone, Default)]
struct OracleTail {
    nodes: Vec<OracleNode>,
    cells: Vec<Vec<Value>>,
}

impl FrozenTail for OracleTail {
    fn node(&self, index: usize) -> Option<FrozenFacts<'_>> {
        self.nodes.get(index).map(|known| FrozenFacts {
            node: known.node,
            events: &known.events,
            first_named_at: known.annex.first_named_at,
            first_sequence: known.annex.first_sequence,
            rest: Some(&known.annex),
        })
    }
    fn cell(&self, column: usize, row: u32) -> Option<Cow<'_, Value>> {
        self.cells.get(row as usize)?.get(column).map(Cow::Borrowed)
    }
}

impl OracleTail {
    fn of(log: &[Fact], after: u64) -> OracleTail {
        let mut nodes: BTreeMap<u32, OracleNode> = BTreeMap::new();
        let mut cells = Vec::new();
        for (fact, sequence) in log.iter().zip(1u64..).filter(|(_, sequence)| *sequence > after) {
            let occurred_at = Timestamp::from_millis(fact.occurred_at);
            for named in fact.named.iter().chain([&fact.node]) {
                let annex = &mut nodes.entry(*named).or_default().annex;
                annex.first_named_at = least(annex.first_named_at, Some(occurred_at));
                if fact.identifies {
                    annex.identify(occurred_at, vec![sequence]);
                }
            }
            let facts = nodes.entry(fact.node).or_default();
            facts.annex.first_sequence = least(facts.annex.first_sequence, Some(sequence));
            match fact.event {
                Some(event) => {
                    facts.events.push(EventEntry { occurred_at, sequence, event, row: cells.len() as u32 });
                    cells.push(fact.cells.clone());
                }
                None => facts.annex.others.push((occurred_at, sequence)),
            }
            for (name, value) in &fact.traits {
                let (name, value) = (Arc::from(name.as_str()), Arc::new(value.clone()));
                facts.annex.traits.push(TraitWrite { occurred_at, sequence, name, value });
            }
            for (purpose, channel, granted) in &fact.consents {
                let text = |text: &Option<String>| text.as_deref().map(Arc::from);
                let (purpose, channel, granted) = (text(purpose), text(channel), *granted);
                facts.annex.consents.push(ConsentWrite { occurred_at, sequence, purpose, channel, granted });
            }
            if let Some(account) = &fact.account {
                let (account_type, account) = (Arc::from("group_id"), Arc::from(account.as_str()));
                facts.annex.accounts.push(AccountWrite { occurred_at, sequence, account_type, account });
            }
        }
        for (node, facts) in &mut nodes {
            facts.node = *node;
            facts.events.sort_by_key(|event| (event.occurred_at, event.sequence));
        }
        OracleTail { nodes: nodes.into_values().collect(), cells }
    }

    fn flat(&self, node: u32) -> Flat {
        let Some(facts) = self.nodes.iter().find(|known| known.node == node) else { return Flat::default() };
        let event = |event: &EventEntry| {
            let cells = (0..N_COLUMNS).map(|column| self.cells[event.row as usize][column].to_json()).collect();
            (event.occurred_at, event.sequence, event.event, cells)
        };
        Flat { events: facts.events.iter().map(event).collect(), annex: annex_text(facts.annex.clone()) }
    }
}

#[derive(Clone, Default, PartialEq, Debug)]
struct Flat {
    events: Vec<(Timestamp, u64, u32, Vec<String>)>,
    annex: Vec<String>,
}

fn annex_text(mut annex: Annex) -> Vec<String> {
    annex.sort();
    let mut text = Vec::new();
    text.extend(annex.others.iter().map(|other| format!("other {other:?}")));
    for write in annex.traits {
        text.push(format!("{} {} {} {}", write.occurred_at, write.sequence, write.name, write.value.to_json()));
    }
    text.extend(annex.consents.iter().map(|write| format!("{write:?}")));
    text.extend(annex.accounts.iter().map(|write| format!("{write:?}")));
    text.extend(annex.first_named_at.map(|at| format!("named {at}")));
    text.extend(annex.first_sequence.map(|sequence| format!("sequence {sequence}")));
    text.extend(annex.first_identified.map(|(at, mut tied)| {
        tied.sort_unstable();
        format!("identified {at} {tied:?}")
    }));
    text
}

fn flat_of_runs(runs: &Runs, connection: &Connection, node: u32, since_ms: Option<i64>) -> Result<Flat> {
    flat_of_slices(&runs.read(connection, node, since_ms)?)
}

fn flat_of_slices(slices: &NodeSlices) -> Result<Flat> {
    let facts = slices.facts()?;
    let events = facts.events.iter().map(|event| {
        let cell = |column| {
            let value = slices.value(column, event.properties);
            let number = value.as_deref().and_then(Value::as_number).map(Number::nanos);
            assert_eq!(slices.number(column, event.properties), number);
            value.as_deref().unwrap_or(&Value::Null).to_json()
        };
        (event.occurred_at, event.sequence, event.event, (0..N_COLUMNS).map(cell).collect())
    });
    Ok(Flat { events: events.collect(), annex: annex_text(facts.annex) })
}

fn tiny() -> RunsOptions {
    let limits = BlockLimits { enough_rows: 3, max_rows: 4 };
    RunsOptions { cache_bytes: 40_000, limits, fan_in: 2, max_runs: 3 }
}

fn columns() -> Arc<[Path]> {
    ["price", "products.*.sku", "kind"].iter().map(|path| Path::parse(path).unwrap()).collect()
}

/// A store as its writer drives it.
struct Harness {
    connection: Connection,
    path: std::path::PathBuf,
    _folder: tempfile::TempDir,
    options: RunsOptions,
    runs: Runs,
    log: Vec<Fact>,
    flush: Option<Build<TailCursor<OracleTail>>>,
    compaction: Option<Build<MergeCursor>>,
}

impl Harness {
    fn new(options: RunsOptions) -> Harness {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let connection = open(&path);
        connection.execute_batch(SCHEMA).unwrap();
        let runs = Runs::load(&connection, options).unwrap();
        Harness { connection, path, _folder: folder, options, runs, log: Vec::new(), flush: None, compaction: None }
    }

    fn begin_flush(&mut self) {
        let (covered, last) = (self.runs.last_sequence(), self.log.len() as u64);
        if self.flush.is_none() && last > covered {
            let tail = Arc::new(OracleTail::of(&self.log, covered));
            self.flush = Some(self.runs.begin_flush(tail, columns(), covered + 1, last));
        }
    }

    fn begin_compaction(&mut self) {
        if self.compaction.is_none() {
            self.compaction = self.runs.begin_compaction();
        }
    }

    /// One transaction with a step of each build; returns whether a build is still under way.
    fn step(&mut self, max_blocks: usize, commits: bool) -> bool {
        self.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let flush =
            self.flush.as_ref().map(|build| self.runs.step(&self.connection, build, max_blocks).unwrap().unwrap());
        let merge =
            self.compaction.as_ref().map(|build| self.runs.step(&self.connection, build, max_blocks).unwrap().unwrap());
        assert!(flush.iter().all(|step| step.n_blocks() <= max_blocks));
        if !commits {
            self.connection.execute_batch("ROLLBACK").unwrap();
            return true;
        }
        self.connection.execute_batch("COMMIT").unwrap();
        if let (Some(build), Some(step)) = (&mut self.flush, flush)
            && self.runs.fold(build, step)
        {
            self.flush = None;
        }
        if let (Some(build), Some(step)) = (&mut self.compaction, merge)
            && self.runs.fold(build, step)
        {
            self.compaction = None;
        }
        self.flush.is_some() || self.compaction.is_some()
    }

    fn write_all(&mut self) {
        self.begin_flush();
        while self.step(50, true) {}
        loop {
            self.begin_compaction();
            if self.compaction.is_none() {
                break;
            }
            while self.step(50, true) {}
        }
    }

    /// The state after a kill, opened again.
    fn reopen(&mut self) {
        (self.flush, self.compaction) = (None, None);
        self.connection = open(&self.path);
        self.runs = Runs::load(&self.connection, self.options).unwrap();
    }

    fn check(&self) {
        let oracle = OracleTail::of(&self.log, 0);
        let covered = OracleTail::of(&self.log[..self.runs.last_sequence() as usize], 0);
        for node in 0..N_NODES + 1 {
            let of_runs = flat_of_runs(&self.runs, &self.connection, node, None).unwrap();
            assert_eq!(of_runs, covered.flat(node), "node {node}");
            // The first read, the second, and the cached one.
            for _ in 0..3 {
                let slices = self.runs.look_up(&self.connection, node).unwrap();
                assert_eq!(flat_of_slices(&slices).unwrap(), of_runs, "node {node}");
            }
            let tail = OracleTail::of(&self.log, self.runs.last_sequence()).flat(node);
            let mut events = [of_runs.events.clone(), tail.events].concat();
            events.sort();
            assert_eq!(events, oracle.flat(node).events);
            let step = of_runs.events.len() / 20 + 1;
            for since in of_runs.events.iter().map(|event| event.0.millis()).step_by(step) {
                let expected: Vec<_> =
                    of_runs.events.iter().filter(|event| event.0.millis() >= since).cloned().collect();
                let read = flat_of_runs(&self.runs, &self.connection, node, Some(since)).unwrap();
                assert_eq!(read, Flat { events: expected, annex: Vec::new() });
            }
        }
        for run in self.runs.runs() {
            let mut last = None;
            let ascends = |_: &Fence, block: &Block| {
                for place in 0..block.n_nodes() {
                    for row in block.rows(place) {
                        let sequence = block.sequences().get(row).unwrap().cast_unsigned();
                        let key = Some((block.node(place), block.occurred_at().get(row), sequence));
                        assert!(last < key, "the events of a node ascend through the blocks of a run");
                        last = key;
                    }
                }
                Ok(())
            };
            self.runs.scan(&self.connection, run, 0..=u32::MAX, None, ascends).unwrap();
        }
        let n_events: u64 = self.runs.runs().iter().map(|run| run.n_events).sum();
        assert_eq!(n_events, covered.nodes.iter().map(|facts| facts.events.len() as u64).sum::<u64>());
    }

    fn n_blocks(&self) -> usize {
        self.connection.query_row("SELECT COUNT(*) FROM run_blocks", [], |row| row.get::<_, i64>(0)).unwrap() as usize
    }

    fn n_fences(&self) -> usize {
        self.runs.runs().iter().map(|run| run.fences.len()).sum()
    }
}

fn open(path: &std::path::Path) -> Connection {
    #[expect(clippy::disallowed_methods, reason = "a test of the module that opens SQLite")]
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;").unwrap();
    connection
}

fn numbers() -> impl Strategy<Value = Value> {
    let nanos = prop_oneof![
        (-40_000..40_000i128).prop_map(|cents| cents * 10_000_000),
        any::<i64>().prop_map(i128::from),
        (-100_000_000_000_000_000_000i128..=100_000_000_000_000_000_000).prop_map(|whole| whole * 1_000_000_000),
        -100_000_000_000_000_000_000_000_000_000i128..=100_000_000_000_000_000_000_000_000_000,
        Just(0),
    ];
    nanos.prop_map(|nanos| Value::Number(Number::from_nanos(nanos)))
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        2 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        4 => numbers(),
        3 => "[a-c\"\\\\{é]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
            prop::collection::btree_map("[a-b]", inner, 0..3).prop_map(Value::Object),
        ]
    })
}

fn cells() -> impl Strategy<Value = Vec<Value>> {
    let mostly_number = prop_oneof![5 => numbers(), 1 => Just(Value::Null)];
    let cents = (0..9_999i64).prop_map(|cents| Value::Number(Number::from_nanos(i128::from(cents) * 10_000_000)));
    (prop_oneof![mostly_number, cents], values(), values()).prop_map(|(a, b, c)| vec![a, b, c])
}

fn instants() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0..40i64, 4 => 1_700_000_000_000..1_707_000_000_000i64, 1 => any::<i64>()]
}

fn facts() -> impl Strategy<Value = Fact> {
    let few = |n| prop::collection::vec(("[a-c]{1,3}", values()), 0..n);
    let text = || prop::option::of("[a-b]{1,2}");
    (
        prop_oneof![0..N_NODES, Just(5)],
        instants(),
        prop_oneof![1 => Just(None), 5 => prop_oneof![0..4u32, any::<u32>()].prop_map(Some)],
        cells(),
        prop_oneof![4 => Just(Vec::new()).boxed(), 1 => few(7).boxed()],
        prop_oneof![6 => Just(Vec::new()).boxed(), 1 => prop::collection::vec((text(), text(), any::<bool>()), 1..4).boxed()],
        prop::option::weighted(0.2, "[a-c]{1,2}"),
        prop_oneof![3 => Just(Vec::new()).boxed(), 1 => prop::collection::vec(0..N_NODES, 1..3).boxed()],
        prop::bool::weighted(0.2),
    )
        .prop_map(|(node, occurred_at, event, cells, traits, consents, account, named, identifies)| Fact {
            node,
            occurred_at,
            event,
            cells,
            traits,
            consents,
            account,
            named,
            identifies,
        })
}

#[derive(Clone, Debug)]
enum Act {
    Commit(Vec<Fact>),
    Flush,
    Compact,
    Step(usize, bool),
    Reload,
    Kill,
    Clear,
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => prop::collection::vec(facts(), 1..24).prop_map(Act::Commit),
        4 => Just(Act::Flush),
        4 => Just(Act::Compact),
        12 => (1..9usize, prop::bool::weighted(0.8)).prop_map(|(max_blocks, commits)| Act::Step(max_blocks, commits)),
        1 => Just(Act::Reload),
        1 => Just(Act::Kill),
        1 => Just(Act::Clear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_node_reads_the_same_whatever_happened(acts in prop::collection::vec(acts(), 1..60)) {
        let mut harness = Harness::new(tiny());
        for (index, act) in acts.into_iter().enumerate() {
            match act {
                Act::Commit(facts) => harness.log.extend(facts),
                Act::Flush => harness.begin_flush(),
                Act::Compact => harness.begin_compaction(),
                Act::Step(max_blocks, commits) => { harness.step(max_blocks, commits); }
                Act::Reload => harness.runs.reload(&harness.connection).unwrap(),
                Act::Kill => harness.reopen(),
                Act::Clear if index % 3 == 0 => {
                    (harness.flush, harness.compaction) = (None, None);
                    Runs::clear(&harness.connection).unwrap();
                    harness.runs.reload(&harness.connection).unwrap();
                }
                Act::Clear => {}
            }
            if index % 5 == 4 {
                harness.check();
            }
        }
        harness.write_all();
        harness.check();
        prop_assert!(harness.runs.runs().len() <= 3);
        while harness.runs.remove_orphans(&harness.connection, 7).unwrap() > 0 {}
        prop_assert_eq!(harness.n_blocks(), harness.n_fences());
        harness.reopen();
        harness.check();
        prop_assert!(harness.runs.cached_bytes() <= 40_000);
    }

    #[test]
    fn a_damaged_block_is_corrupt_and_never_a_panic(
        log in prop::collection::vec(facts(), 1..40),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut harness = Harness::new(RunsOptions::default());
        harness.log = log;
        harness.write_all();
        let data: Vec<u8> = harness.connection.query_row("SELECT data FROM run_blocks", [], |row| row.get(0)).unwrap();
        let mut damaged = data.clone();
        for (at, byte) in &damage {
            damaged[at.index(data.len())] = *byte;
        }
        if let Some(cut) = cut {
            damaged.truncate(cut.index(data.len()));
        }
        if damaged != data {
            prop_assert_eq!(Block::open(damaged.clone()).map(|_| ()).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        // With the right checksum over the wrong bytes only the absence of panics is guaranteed.
        if damaged.len() > 8 {
            let sum = crate::store::bytes::checksum(&damaged[8..]);
            damaged[..8].copy_from_slice(&sum.to_le_bytes());
            if let Ok(block) = Block::open(damaged) {
                for place in 0..block.n_nodes() {
                    let _ = block.annex(place);
                    for row in block.rows(place) {
                        block.event(row);
                        for column in 0..block.n_columns() {
                            block.value(column, row);
                            block.number(column, row);
                        }
                    }
                }
            }
        }
    }
}

fn plain(node: u32, occurred_at: i64) -> Fact {
    let price = Value::Number(Number::from_nanos(i128::from(occurred_at % 977) * 10_000_000));
    Fact {
        node,
        occurred_at,
        event: Some((occurred_at % 3) as u32 + 1),
        cells: vec![price, Value::Null, Value::from("shoes")],
        traits: Vec::new(),
        consents: Vec::new(),
        account: None,
        named: Vec::new(),
        identifies: false,
    }
}

#[test]
fn a_whale_fills_many_blocks_and_is_read_whole() {
    for options in [tiny(), RunsOptions { fan_in: 2, ..RunsOptions::default() }] {
        let mut harness = Harness::new(options);
        let n_facts = if options.limits.max_rows < 10 { 300 } else { 10_000 };
        for flush in 0..3 {
            for index in 0..n_facts {
                // Late, early and tied instants; the neighbours share the first and last block of the whale.
                let occurred_at = (i64::from(index) * 7919) % 5000 + i64::from(flush) * 1000;
                harness.log.push(plain(if index % 17 == 0 { index as u32 % N_NODES } else { 5 }, occurred_at));
            }
            let mut setter = plain(5, 77);
            setter.traits = (0..n_facts).map(|index| ("name".to_owned(), Value::integer(index % 40))).collect();
            harness.log.push(setter);
            harness.write_all();
        }
        harness.check();
        let whale_blocks = harness.runs.runs().iter().map(|run| run.fences_of(5).count()).max().unwrap();
        assert!(whale_blocks > 20);
    }
}

#[test]
fn a_scan_visits_what_point_reads_find_and_leaves_the_cache() {
    let mut harness = Harness::new(tiny());
    for index in 0..200 {
        harness.log.push(plain((index * 7 % 13) as u32, index * 100));
        if index % 60 == 0 {
            harness.begin_flush();
            while harness.step(3, true) {}
        }
    }
    harness.begin_flush();
    while harness.step(3, true) {}
    harness.runs = Runs::load(&harness.connection, harness.options).unwrap();
    for (nodes, since) in [(0..=u32::MAX, None), (3..=7, None), (3..=7, Some(9_000)), (20..=30, None)] {
        let mut scanned = 0;
        let mut expected = 0;
        for run in harness.runs.runs() {
            let count = |fence: &Fence, block: &Block| {
                assert_eq!(block.node(0), Some(fence.first_node));
                for place in (0..block.n_nodes()).filter(|place| nodes.contains(&block.node(*place).unwrap())) {
                    let rows = block.rows(place);
                    scanned += rows
                        .filter(|row| since.is_none_or(|since| block.occurred_at().get(*row) >= Some(since)))
                        .count();
                }
                Ok(())
            };
            harness.runs.scan(&harness.connection, run, nodes.clone(), since, count).unwrap();
        }
        assert_eq!(harness.runs.cached_bytes(), 0);
        for node in (0..13).filter(|node| nodes.contains(node)) {
            let flat = OracleTail::of(&harness.log, 0).flat(node);
            expected += flat.events.iter().filter(|event| since.is_none_or(|since| event.0.millis() >= since)).count();
        }
        assert_eq!(scanned, expected);
    }
}

#[test]
fn a_build_whose_ground_has_moved_is_dropped() {
    let mut harness = Harness::new(tiny());
    harness.log = (0..40).map(|index| plain(index as u32 % 9, index)).collect();
    harness.begin_flush();
    harness.step(2, true);
    // Another process writes the same messages.
    let other_connection = open(&harness.path);
    let mut other = Runs::load(&other_connection, tiny()).unwrap();
    let mut build = other.begin_flush(Arc::new(OracleTail::of(&harness.log, 0)), columns(), 1, 40);
    loop {
        let step = other.step(&other_connection, &build, 100).unwrap().unwrap();
        if other.fold(&mut build, step) {
            break;
        }
    }
    let build = harness.flush.take().unwrap();
    assert!(harness.runs.step(&harness.connection, &build, 5).unwrap().is_none());
    drop(build);
    harness.runs.reload(&harness.connection).unwrap();
    harness.check();
    assert_eq!(harness.n_blocks(), harness.n_fences());
}

#[test]
fn a_build_whose_blocks_another_process_removed_is_dropped() {
    let mut harness = Harness::new(tiny());
    for _ in 0..2 {
        harness.log.extend((0..40).map(|index| plain(index as u32 % 9, index)));
        harness.begin_flush();
        while harness.step(50, true) {}
    }
    harness.begin_compaction();
    assert!(harness.step(5, true));
    let other_connection = open(&harness.path);
    let other = Runs::load(&other_connection, tiny()).unwrap();
    assert_eq!(other.remove_orphans(&other_connection, 2).unwrap(), 2);
    let build = harness.compaction.take().unwrap();
    assert!(harness.runs.step(&harness.connection, &build, 5).unwrap().is_none());
    drop(build);
    harness.runs.reload(&harness.connection).unwrap();
    harness.write_all();
    harness.check();
    while harness.runs.remove_orphans(&harness.connection, 7).unwrap() > 0 {}
    assert_eq!(harness.n_blocks(), harness.n_fences());
}

#[test]
fn a_repeated_read_merges_the_parts_of_a_node_until_the_runs_change() {
    let mut harness = Harness::new(RunsOptions { cache_bytes: 1 << 20, ..tiny() });
    let n_slices = |harness: &Harness, node| {
        let slices = harness.runs.look_up(&harness.connection, node).unwrap();
        (slices.slices.len(), slices.n_events())
    };
    for round in 1..=2 {
        harness.log.extend((0..40).map(|index| plain(index as u32 % 4, index)));
        harness.begin_flush();
        while harness.step(50, true) {}
        let (n_parts, n_events) = n_slices(&harness, 2);
        // A node that was read before the runs changed counts as repeated at once.
        assert_eq!((n_parts == 1, n_events), (round == 2, round * 10));
        assert_eq!([n_slices(&harness, 2), n_slices(&harness, 2)], [(1, n_events), (1, n_events)]);
    }
    // A node that is in no run costs nothing.
    assert_eq!(n_slices(&harness, 9), (0, 0));
}

#[test]
fn a_missing_or_foreign_block_is_corrupt() {
    let mut harness = Harness::new(tiny());
    harness.log = (0..40).map(|index| plain(index as u32 % 9, index)).collect();
    harness.write_all();
    let swap = "UPDATE run_blocks SET data = (SELECT data FROM run_blocks WHERE block = 2) WHERE block = 1";
    for damage in [swap, "DELETE FROM run_blocks WHERE block = 1"] {
        harness.connection.execute(damage, []).unwrap();
        harness.reopen();
        let run = harness.runs.runs()[0].clone();
        let node = run.fences[0].first_node;
        let read = harness.runs.read(&harness.connection, node, None).map(|_| ()).unwrap_err();
        assert_eq!(read.kind(), ErrorKind::Corrupt);
        let scan = harness.runs.scan(&harness.connection, &run, 0..=9, None, |_, _| Ok(())).unwrap_err();
        assert_eq!(scan.kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn threads_share_runs_and_their_blocks() {
    let mut harness = Harness::new(tiny());
    harness.log = (0..400).map(|index| plain(index as u32 % 9, index)).collect();
    harness.write_all();
    let (runs, path) = (&harness.runs, &harness.path);
    let expected: Vec<Flat> = (0..9).map(|node| OracleTail::of(&harness.log, 0).flat(node)).collect();
    let expected = &expected;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let connection = open(path);
                for round in 0..200 {
                    let node = (round * 5 + thread) % 9;
                    let read = flat_of_runs(runs, &connection, node, None).unwrap();
                    assert_eq!(read, expected[node as usize]);
                }
            });
        }
    });
    assert!(harness.runs.cached_bytes() <= 40_000);
}
