//! RAM as the last committed state: identifiers, the directory of runs, and the facts that are in no run yet.
//!
//! [`Memory`] mirrors the log up to one sequence. A transaction adds to [`MemoryChanges`] and reads both through a
//! [`MemoryView`]; [`Memory::fold`] adds the changes after COMMIT. Everything here can be rebuilt from the log.

mod few;
mod view;

pub(crate) use few::Few;
pub(crate) use view::{ExtraColumns, MemoryView};

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;

use super::columns::Columns;
use super::dictionary::Dictionary;
use super::facts::Facts;
use super::firsts::Firsts;
use super::flat_map::{FlatMapOptions, FlatMapOverlay, KeyStep};
use super::message_keys::MessageKeys;
use super::node_blocks::write_block;
use super::node_facts::{EventEntry, Observation};
use super::nodes::{CHUNK, NodeTable};
use super::runs::{BlockLimits, Build, BuildStep, MergeCursor, Runs, RunsOptions, TailCursor};
use super::tail::{Frozen, NodeFacts, Tail};
use super::time_index::TimeIndex;
use super::words::{Candidates, MOST_WORDS, may_be_word};
use crate::error::Result;
use crate::records::{Path, Timestamp, Value};

/// Options of timelines, message keys and blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryOptions {
    /// A tail of this many messages is written as a run; messages with more facts than an event fill it earlier.
    pub(crate) flush_messages: u64,
    /// Layout of the runs, and their cache.
    pub(crate) runs: RunsOptions,
    /// Sizes of the index of message keys.
    pub(crate) keys: FlatMapOptions,
    /// The bits of a key's hash that are used.
    pub(crate) key_mask: u64,
    /// The number of further nodes that must have named a text before it becomes a word.
    pub(crate) word_after: u8,
    /// From this number of identifiers on, a thread of its own reads them.
    pub(crate) many_nodes: u32,
    /// Sizes of the blocks of identifiers and links that the next open reads.
    pub(crate) blocks: BlockSizes,
}

/// The number of identifiers in a block, and of messages whose links are in a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockSizes {
    pub(crate) nodes: u32,
    pub(crate) messages: u64,
}

impl MemoryOptions {
    /// Writes runs after this many messages. Below the default every other size is small as well, so that a test with a
    /// few hundred messages sees runs of many blocks, several steps for each, and compactions.
    pub(crate) fn with_flush_messages(flush_messages: u64) -> MemoryOptions {
        let default = MemoryOptions::default();
        if flush_messages >= 10_000 {
            return MemoryOptions { flush_messages, ..default };
        }
        let limits = BlockLimits { enough_rows: 3, max_rows: 5 };
        let runs = RunsOptions { cache_bytes: 16 * 1024, limits, fan_in: 2, max_runs: 4 };
        let keys = FlatMapOptions { flush_keys: flush_messages as usize, block_keys: 4 };
        // Some hundred messages then share hashes, as they never would with 64 bits.
        let blocks = BlockSizes { nodes: 3, messages: 4 };
        MemoryOptions {
            flush_messages,
            runs,
            keys,
            key_mask: 0x3f00_0000_0000_001f,
            word_after: 1,
            many_nodes: 3,
            blocks,
        }
    }
}

impl Default for MemoryOptions {
    fn default() -> MemoryOptions {
        MemoryOptions {
            flush_messages: 250_000,
            runs: RunsOptions::default(),
            keys: FlatMapOptions::default(),
            key_mask: u64::MAX,
            word_after: 6,
            many_nodes: 50_000,
            blocks: BlockSizes { nodes: CHUNK as u32, messages: 1024 },
        }
    }
}

/// Steps of a flush and a compaction that a transaction has written; folded in after COMMIT.
#[derive(Default)]
pub(crate) struct RunSteps {
    // The inner `None`: the build is to be started again, because its ground in the file has changed.
    flush: Option<Option<BuildStep<TailCursor<Frozen>>>>,
    compaction: Option<Option<BuildStep<MergeCursor>>>,
}

impl RunSteps {
    /// Whether a run became visible with these steps.
    pub(crate) fn publishes(&self) -> bool {
        self.flush.iter().flatten().any(BuildStep::publishes)
            || self.compaction.iter().flatten().any(BuildStep::publishes)
    }
}

/// The committed state. A clone shares every part that grows with the store, until one of the two changes it.
#[derive(Clone)]
pub(crate) struct Memory {
    /// The sequence of the last mirrored message.
    pub(crate) sequence: u64,
    options: MemoryOptions,
    names: Arc<Dictionary>,
    words: Arc<Dictionary>,
    candidates: Arc<Candidates>,
    nodes: Arc<NodeTable>,
    firsts: Arc<Vec<Firsts>>,
    keys: Arc<MessageKeys>,
    runs: Runs,
    // The runs of the file have another version: all facts are in RAM, and no run may be written beside them.
    leaves_runs: bool,
    flush: Option<Build<TailCursor<Frozen>>>,
    // Another process has removed blocks of a flush: the next attempt is one transaction.
    flush_was_lost: bool,
    compaction: Option<Build<MergeCursor>>,
    frozen: Option<Arc<Frozen>>,
    // The last message whose facts are frozen or in a run.
    frozen_to: u64,
    tail: Arc<Tail>,
    // The number of rows that the tail adds to a run.
    tail_rows: u64,
    // Needed by writes alone; `None` before the first transaction that writes.
    times: Option<Arc<TimeIndex>>,
    greatest_occurred_at: Option<Timestamp>,
}

/// Additions of one transaction.
pub(crate) struct MemoryChanges {
    names: Dictionary,
    words: Dictionary,
    nodes: NodeTable,
    keys: FlatMapOverlay,
    tail: Tail,
    tail_rows: u64,
    sequence: u64,
    greatest_occurred_at: Option<Timestamp>,
}

impl Memory {
    /// The state up to the last run of the file, without the `n_nodes` identifiers; the caller observes the messages
    /// after it. `None` if the runs lack a column for a path: the caller then starts from [`Memory::empty`] and
    /// observes the whole log.
    pub(crate) fn load(
        facts: Facts<'_>,
        n_nodes: u32,
        paths: &[Path],
        options: MemoryOptions,
    ) -> Result<Option<Memory>> {
        let Some(mut memory) = Memory::load_without_profiles(facts, paths, options)? else { return Ok(None) };
        let firsts = Arc::make_mut(&mut memory.firsts);
        firsts.resize(n_nodes as usize, Firsts::default());
        memory.runs.read_beginnings(facts.0, firsts, &mut memory.greatest_occurred_at)?;
        Ok(Some(memory))
    }

    /// As [`Memory::load`], without identifiers and their beginnings: single nodes are read from the file, see [`Few`].
    pub(crate) fn load_without_profiles(
        facts: Facts<'_>,
        paths: &[Path],
        options: MemoryOptions,
    ) -> Result<Option<Memory>> {
        let runs = Runs::load(facts.0, options.runs)?;
        let columns: Arc<[Path]> = match runs.runs().first() {
            None => Arc::from(paths.to_vec()),
            Some(run) => run.columns.clone(),
        };
        if !paths.iter().all(|path| columns.contains(path)) {
            return Ok(None);
        }
        let keys = MessageKeys::load(facts, options.keys, options.key_mask, runs.last_sequence())?;
        let mut memory = Memory::with_runs(runs, keys, columns, options);
        memory.sequence = memory.frozen_to;
        let (names, words) = (Arc::make_mut(&mut memory.names), Arc::make_mut(&mut memory.words));
        for (_, name) in facts.names_after(0)? {
            names.push(Arc::from(name));
        }
        for word in facts.words_after(0)? {
            words.push(Arc::from(word));
        }
        Ok(Some(memory))
    }

    /// Sets the identifiers of the file.
    pub(crate) fn set_nodes(&mut self, nodes: NodeTable) {
        Arc::make_mut(&mut self.firsts).resize(nodes.len() as usize, Firsts::default());
        self.nodes = Arc::new(nodes);
    }

    /// An empty state with columns for these paths, over a file whose runs this transaction drops. With
    /// `has_new_identifiers` the message keys are dropped as well, because messages name other identifiers than before.
    pub(crate) fn empty(
        facts: Facts<'_>,
        paths: &[Path],
        options: MemoryOptions,
        has_new_identifiers: bool,
    ) -> Result<Memory> {
        Runs::clear(facts.0)?;
        let keys = match has_new_identifiers {
            true => MessageKeys::empty(facts, options.keys, options.key_mask)?,
            false => MessageKeys::load(facts, options.keys, options.key_mask, 0)?,
        };
        Ok(Memory::with_runs(Runs::load(facts.0, options.runs)?, keys, Arc::from(paths.to_vec()), options))
    }

    /// An empty state that leaves the runs of the file as they are and does not read them.
    pub(crate) fn without_runs(facts: Facts<'_>, paths: &[Path], options: MemoryOptions) -> Result<Memory> {
        let keys = MessageKeys::load(facts, options.keys, options.key_mask, 0)?;
        let memory = Memory::with_runs(Runs::none(options.runs), keys, Arc::from(paths.to_vec()), options);
        Ok(Memory { leaves_runs: true, ..memory })
    }

    /// Whether the file has runs that this state leaves unread, so that no transaction may write from it.
    pub(crate) fn leaves_runs(&self) -> bool {
        self.leaves_runs
    }

    fn with_runs(runs: Runs, keys: MessageKeys, columns: Arc<[Path]>, options: MemoryOptions) -> Memory {
        Memory {
            sequence: 0,
            options,
            names: Arc::default(),
            words: Arc::default(),
            candidates: Arc::default(),
            nodes: Arc::default(),
            firsts: Arc::default(),
            frozen_to: runs.last_sequence(),
            keys: Arc::new(keys),
            runs,
            leaves_runs: false,
            flush: None,
            flush_was_lost: false,
            compaction: None,
            frozen: None,
            tail: Arc::new(Tail::new(Columns::new(columns))),
            tail_rows: 0,
            times: None,
            greatest_occurred_at: None,
        }
    }

    /// Whether the index of times has been read.
    pub(crate) fn has_times(&self) -> bool {
        self.times.is_some()
    }

    /// Reads the index of times. Messages before `horizon` are in no window any more and are left out. Audiences are
    /// current up to `reached`: of messages that are no events only later ones come due.
    pub(crate) fn read_times(
        &self,
        facts: Facts<'_>,
        horizon: Option<Timestamp>,
        reached: Option<Timestamp>,
    ) -> Result<TimeIndex> {
        let mut times = TimeIndex::default();
        if let Some(horizon) = horizon {
            times.forget_before(horizon);
        }
        let since_ms = times.kept_since().filter(|_| self.greatest_occurred_at <= reached).map(Timestamp::millis);
        for run in self.runs.runs() {
            self.runs.scan(facts.0, run, 0..=u32::MAX, since_ms, |_, block| {
                match since_ms {
                    Some(since_ms) => {
                        block.visit_events_since(since_ms, |node, occurred_at, event| {
                            times.insert(occurred_at, node, event);
                        });
                    }
                    None => {
                        block.visit_messages(|node, occurred_at, _, event| times.insert(occurred_at, node, event))?
                    }
                }
                Ok(())
            })?;
        }
        if let Some(frozen) = &self.frozen {
            insert_times(&mut times, frozen.events(), frozen.other_times());
        }
        insert_times(&mut times, self.tail.events(), self.tail.other_times());
        Ok(times)
    }

    /// Sets the index of times.
    pub(crate) fn set_times(&mut self, times: TimeIndex) {
        self.times = Some(Arc::new(times));
    }

    /// Drops the hours that no window reaches any more from the index of times.
    pub(crate) fn forget_times_before(&mut self, horizon: Timestamp) {
        if let Some(times) = &mut self.times
            && times.reaches_before(horizon)
        {
            Arc::make_mut(times).forget_before(horizon);
        }
    }

    /// Empty changes for a transaction that starts from this state.
    pub(crate) fn changes(&self) -> MemoryChanges {
        MemoryChanges {
            names: Dictionary::behind(&self.names),
            words: Dictionary::behind(&self.words),
            nodes: NodeTable::default(),
            keys: FlatMapOverlay::default(),
            tail: Tail::new(Columns::new(self.tail.columns.paths().clone())),
            tail_rows: 0,
            sequence: self.sequence,
            greatest_occurred_at: None,
        }
    }

    /// Adds the changes of a committed transaction.
    pub(crate) fn fold(&mut self, overlay: MemoryChanges) {
        // An unchanged part stays shared.
        if overlay.names.len() > 0 {
            Arc::make_mut(&mut self.names).append(overlay.names);
        }
        if overlay.words.len() > 0 {
            Arc::make_mut(&mut self.words).append(overlay.words);
        }
        if overlay.nodes.len() > 0 {
            let (nodes, firsts) = (Arc::make_mut(&mut self.nodes), Arc::make_mut(&mut self.firsts));
            for (identifier_type, value) in overlay.nodes.iter() {
                nodes.push(identifier_type, value);
                firsts.push(Firsts::default());
            }
        }
        self.sequence = overlay.sequence;
        self.greatest_occurred_at = self.greatest_occurred_at.max(overlay.greatest_occurred_at);
        if overlay.tail.is_empty() {
            return;
        }
        let (firsts, times) = (Arc::make_mut(&mut self.firsts), self.times.as_mut().map(Arc::make_mut));
        if let Some(times) = times {
            insert_times(times, overlay.tail.events(), overlay.tail.other_times());
        }
        for (node, added) in overlay.tail.nodes() {
            if let Some(firsts) = firsts.get_mut(node as usize) {
                added.include_in(firsts);
            }
        }
        Arc::make_mut(&mut self.keys).fold(overlay.keys);
        Arc::make_mut(&mut self.tail).append(overlay.tail);
        self.tail_rows += overlay.tail_rows;
    }

    /// Freezes a tail that is long enough, so that the following transactions write it out; with `all` a tail of any
    /// length.
    pub(crate) fn plan_runs(&mut self, all: bool) {
        if all {
            // A close does not wait for a compaction; the blocks already written are removed later.
            self.compaction = None;
            Arc::make_mut(&mut self.keys).freeze();
        } else if self.compaction.is_none() {
            self.compaction = self.runs.begin_compaction();
        }
        if self.flush.is_none() && if all { self.sequence > self.frozen_to } else { self.is_tail_full() } {
            let columns = self.tail.columns.paths().clone();
            let tail = std::mem::replace(&mut self.tail, Arc::new(Tail::new(Columns::new(columns))));
            let named_before =
                |node: u32, at| self.firsts.get(node as usize).is_some_and(|firsts| firsts.were_before(at));
            self.frozen = Some(Arc::new(Arc::unwrap_or_clone(tail).freeze(named_before)));
            self.frozen_to = self.sequence;
            self.tail_rows = 0;
            self.begin_flush();
        }
    }

    /// Whether the tail is to be written as a run. A trait counts as half an event: about its share of the tail's RAM,
    /// and of the time that an open after a crash needs to observe it again.
    pub(crate) fn is_tail_full(&self) -> bool {
        let n_messages = self.sequence - self.frozen_to;
        n_messages.midpoint(self.tail_rows) >= self.options.flush_messages.max(1)
    }

    fn begin_flush(&mut self) {
        let (columns, first) = (self.tail.columns.paths().clone(), self.runs.last_sequence() + 1);
        let begin = |frozen: &Arc<Frozen>| self.runs.begin_flush(frozen.clone(), columns, first, self.frozen_to);
        self.flush = self.frozen.as_ref().map(begin);
    }

    /// Writes the next blocks of the runs under way, in proportion to the rows that the transaction adds, so that no
    /// transaction takes long; with `all` every block.
    pub(crate) fn step_runs(&self, facts: Facts<'_>, overlay: &MemoryChanges, all: bool) -> Result<RunSteps> {
        let added = usize::try_from(overlay.tail_rows).unwrap_or(usize::MAX);
        let limits = self.options.runs.limits;
        let share = added.saturating_mul(4) / limits.enough_rows.max(1);
        let max_blocks = if all { usize::MAX } else { share + 1 };
        let mut steps = RunSteps::default();
        if let Some(build) = &self.flush {
            let max_blocks = if self.flush_was_lost { usize::MAX } else { max_blocks };
            steps.flush = Some(self.runs.step(facts.0, build, max_blocks)?);
        }
        if let Some(build) = &self.compaction {
            steps.compaction = Some(self.runs.step(facts.0, build, max_blocks)?);
        }
        Ok(steps)
    }

    /// Writes the next blocks of the message keys, in proportion to the messages that the transaction adds; with `all`
    /// every block.
    pub(crate) fn step_keys(&self, facts: Facts<'_>, overlay: &MemoryChanges, all: bool) -> Result<Option<KeyStep>> {
        let added = usize::try_from(overlay.sequence - self.sequence).unwrap_or(usize::MAX);
        let per_step = added.saturating_mul(9) / self.options.keys.block_keys.max(1) + 1;
        self.keys.step(facts, if all { usize::MAX } else { per_step })
    }

    /// Writes the blocks of identifiers and links that the transaction has filled; with `all_links` those of all
    /// messages.
    pub(crate) fn put_blocks(&self, facts: Facts<'_>, overlay: &MemoryChanges, all_links: bool) -> Result<()> {
        let BlockSizes { nodes, messages } = self.options.blocks;
        let view = overlay.view(self);
        for block in self.n_nodes() / nodes..view.n_nodes() / nodes {
            let numbers = block * nodes..(block + 1) * nodes;
            facts.put_node_block(numbers.start, &write_block(numbers.filter_map(|node| view.identifier(node))))?;
        }
        let first = if all_links { 0 } else { self.sequence / messages };
        for block in first..overlay.sequence / messages {
            facts.put_link_block(block * messages + 1, (block + 1) * messages)?;
        }
        Ok(())
    }

    /// Adds a step of the keys after COMMIT.
    pub(crate) fn fold_key_step(&mut self, step: KeyStep) {
        Arc::make_mut(&mut self.keys).fold_step(step);
    }

    /// Loads the keys that another process wrote.
    pub(crate) fn refresh_keys(&mut self, facts: Facts<'_>) -> Result<()> {
        Arc::make_mut(&mut self.keys).refresh(facts)
    }

    /// Whether a message that was not observed yet may be the first to name a node.
    pub(crate) fn may_be_new(&self, node: u32) -> bool {
        self.keys.may_be_new(node)
    }

    /// The options of this state.
    pub(crate) fn options(&self) -> MemoryOptions {
        self.options
    }

    /// Whether facts are in no visible run, or the tail of keys is long.
    pub(crate) fn has_unwritten_facts(&self) -> bool {
        self.frozen.is_some() || self.sequence > self.frozen_to || self.keys.has_long_tail()
    }

    /// Adds steps of runs after COMMIT.
    pub(crate) fn fold_runs(&mut self, steps: RunSteps) {
        let is_lost = matches!(steps.flush, Some(None));
        if let (Some(build), Some(Some(step))) = (&mut self.flush, steps.flush)
            && self.runs.fold(build, step)
        {
            (self.flush, self.flush_was_lost, self.frozen) = (None, false, None);
        }
        if is_lost {
            self.flush_was_lost = true;
            self.begin_flush();
        }
        if let (Some(build), Some(step)) = (&mut self.compaction, steps.compaction)
            && step.is_none_or(|step| self.runs.fold(build, step))
        {
            self.compaction = None;
        }
    }

    /// Writes all facts in RAM as a run, and a long tail of keys, in the transaction under way.
    pub(crate) fn write_run(&mut self, facts: Facts<'_>) -> Result<()> {
        Arc::make_mut(&mut self.keys).write(facts)?;
        self.plan_runs(true);
        while self.flush.is_some() {
            let steps = self.step_runs(facts, &self.changes(), true)?;
            self.fold_runs(steps);
        }
        Ok(())
    }
    /// The number of names; the next name gets the number after it.
    pub(crate) fn n_names(&self) -> u32 {
        self.names.len()
    }

    /// The number of words; the next word gets the number after it.
    pub(crate) fn n_words(&self) -> u32 {
        self.words.len()
    }

    /// The number of nodes, which is the number of the next node.
    pub(crate) fn n_nodes(&self) -> u32 {
        self.nodes.len()
    }
}

fn insert_times(
    times: &mut TimeIndex,
    events: impl Iterator<Item = (u32, EventEntry)>,
    others: impl Iterator<Item = (u32, Timestamp)>,
) {
    for (node, event) in events {
        times.insert(event.occurred_at, node, event.event);
    }
    for (node, occurred_at) in others {
        times.insert(occurred_at, node, 0);
    }
}

impl MemoryChanges {
    /// The number of a name, new or known; `true` if it is new.
    pub(crate) fn name(&mut self, base: &Memory, name: &str) -> (u32, bool) {
        match base.names.id(name).or_else(|| self.names.id(name)) {
            Some(id) => (id, false),
            None => (self.names.push(Arc::from(name)), true),
        }
    }

    /// The number of a node, new or known; `true` if it is new.
    pub(crate) fn node(&mut self, base: &Memory, identifier_type: u32, value: &str) -> (u32, bool) {
        if let Some(node) = base.nodes.find(identifier_type, value) {
            return (node, false);
        }
        if let Some(place) = self.nodes.find(identifier_type, value) {
            return (base.n_nodes() + place, false);
        }
        (base.n_nodes() + self.nodes.push(identifier_type, value), true)
    }

    /// The number of a text in a message of `node`, if it is a word or becomes one with this message.
    pub(super) fn word(&mut self, base: &Memory, text: &str, node: u32) -> Option<u32> {
        if !may_be_word(text) {
            return None;
        }
        let known = base.words.id(text).or_else(|| if self.words.len() > 0 { self.words.id(text) } else { None });
        if known.is_some()
            || !base.candidates.note(text, node, base.options.word_after)
            || self.words.last() >= MOST_WORDS
        {
            return known;
        }
        Some(self.words.push(Arc::from(text)))
    }

    /// Adds a word that is not in the dictionary.
    pub(crate) fn add_word(&mut self, word: &str) {
        self.words.push(Arc::from(word));
    }

    /// The words that this transaction has added after the first `n` of them, with their numbers.
    pub(super) fn words_behind(&self, n: u32) -> impl Iterator<Item = (u32, &str)> {
        self.words.skip(n)
    }

    /// The number of words that this transaction has added.
    pub(super) fn n_new_words(&self) -> u32 {
        self.words.len()
    }

    /// Adds the key of an accepted message.
    pub(crate) fn enter_key(&mut self, base: &Memory, source: u32, message_id: &str, sequence: u64) {
        base.keys.insert(&mut self.keys, source, message_id, sequence);
    }

    /// Adds keys for the identifiers that an accepted message names for the first time, or links. Repeated keys do no
    /// harm. Identifiers that are not in RAM are read from the file.
    pub(crate) fn enter_named(
        &mut self,
        base: &Memory,
        facts: Facts<'_>,
        mut nodes: SmallVec<[u32; 8]>,
        sequence: u64,
    ) -> Result<()> {
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            let in_ram = match node.checked_sub(base.n_nodes()) {
                None => base.nodes.get(node),
                Some(place) => self.nodes.get(place),
            };
            match in_ram {
                Some(identifier) => base.keys.insert_identifier(&mut self.keys, identifier, sequence),
                None => {
                    let (identifier_type, value) = facts.known_node(node)?;
                    base.keys.insert_identifier(&mut self.keys, (identifier_type, &value), sequence);
                }
            }
        }
        Ok(())
    }

    /// Adds the facts of an accepted message.
    pub(crate) fn observe(&mut self, base: &Memory, observation: Observation<'_>) {
        self.sequence = self.sequence.max(observation.sequence);
        self.tail_rows += observation.n_rows();
        self.greatest_occurred_at = self.greatest_occurred_at.max(Some(observation.occurred_at));
        let writes_traits = !observation.traits.is_empty();
        let committed = writes_traits.then(|| base.tail.get(observation.node, 0)?.rest).flatten();
        self.tail.observe(observation, committed);
    }

    /// The nodes that have a message in this transaction or are named by one, by number.
    pub(crate) fn touched(&self) -> Vec<u32> {
        let mut touched: Vec<u32> = self.tail.node_numbers().collect();
        touched.sort_unstable();
        touched
    }

    /// The nodes whose traits or first naming this transaction has changed, in no order, each with the sequence of such
    /// a message, or `u64::MAX` if none is known. `counts` selects traits by name and value.
    pub(crate) fn rewritten(&self, base: &Memory, mut counts: impl FnMut(&str, &Value) -> bool) -> Vec<(u64, u32)> {
        let mut rewritten = Vec::new();
        for (node, added) in self.tail.nodes() {
            let writes = added.rest.iter().flat_map(|rest| &rest.traits);
            let first = writes.filter(|write| counts(&write.name, &write.value)).map(|write| write.sequence).min();
            let named_at = base.view().firsts(node).named_at();
            let is_named_earlier = added.first_named_at.is_some_and(|at| named_at.is_none_or(|named_at| at < named_at));
            if first.is_some() || is_named_earlier {
                rewritten.push((first.or(added.first_sequence).unwrap_or(u64::MAX), node));
            }
        }
        rewritten
    }

    /// The nodes that an identify message of this transaction names.
    pub(crate) fn identified(&self) -> BTreeSet<u32> {
        let is_identified = |added: &NodeFacts<'_>| added.rest.is_some_and(|rest| rest.first_identified.is_some());
        let identified = self.tail.nodes().filter(|(_, added)| is_identified(added));
        identified.map(|(node, _)| node).collect()
    }
}
