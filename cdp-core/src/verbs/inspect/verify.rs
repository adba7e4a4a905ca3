//! A check of the file against itself: messages against their hashes, what is derived against a rebuild. Reads only.

use crate::engine::handle::Cdp;
use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::records::Timestamp;
use crate::records::answer::answer;
use crate::store::Gathered;
use crate::verbs::inspect::hash::{SetHash, hash_of};

answer! {
    /// The result of a check of the file against itself.
    pub struct Verification {
        /// Whether no fault was found.
        ok: bool,
        /// The number of messages that were checked.
        messages: u64,
        /// The faults, in words that hold no personal value.
        faults: Vec<String>,
    }
}

impl Cdp {
    /// Checks the file against itself: SQLite's own check, every message against its hash and its key, the derived
    /// partition and memberships against a rebuild. Reads only; cost grows with the store.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.track(Track::new("Visited").user_id("u1"))?;
    /// let verification = db.verify()?;
    /// assert!(verification.ok, "{:?}", verification.faults);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn verify(&self) -> Result<Verification> {
        self.read_at_length(|snapshot| {
            let mut faults = snapshot.facts.integrity_faults()?;
            let mut messages = 0u64;
            let mut logged = SetHash::default();
            snapshot.facts.visit_messages(0, snapshot.memory.sequence(), |row| {
                let message = row.read(&snapshot.memory)?;
                messages += 1;
                faults.extend(message_fault(snapshot, &message)?);
                logged.add(&timeline_hash(message.node, message.occurred_at, message.sequence, message.event));
                Ok(())
            })?;
            if logged != timelines_hash(snapshot)? {
                faults.push("the timelines differ from the log".to_owned());
            }
            if messages != snapshot.memory.sequence() {
                faults.push(format!(
                    "the log has {messages} messages and its sequence stands at {}",
                    snapshot.memory.sequence()
                ));
            }
            self.with_rebuilt(snapshot, |rebuilt| {
                for check in self.checks() {
                    faults.extend(check(snapshot, rebuilt)?);
                }
                Ok(())
            })?;
            Ok(Verification { ok: faults.is_empty(), messages, faults })
        })
    }
}

/// One message of a timeline.
fn timeline_hash(node: u32, occurred_at: Timestamp, sequence: u64, event: Option<u32>) -> [u8; 32] {
    hash_of(&[
        &node.to_le_bytes(),
        &occurred_at.millis().to_le_bytes(),
        &sequence.to_le_bytes(),
        &event.map_or(u64::MAX, u64::from).to_le_bytes(),
    ])
}

/// The messages of all timelines, as runs and RAM have them.
fn timelines_hash(snapshot: &Snapshot<'_>) -> Result<SetHash> {
    let mut kept = SetHash::default();
    for node in 0..snapshot.memory.n_nodes() {
        let mut gathered = Gathered::default();
        snapshot.memory.gather(snapshot.facts, node, &mut gathered)?;
        for event in &gathered.timeline {
            kept.add(&timeline_hash(node, event.occurred_at, event.sequence, Some(event.event)));
        }
        for (occurred_at, sequence) in
            snapshot.memory.annexes(&gathered)?.into_iter().flat_map(|(_, facts)| facts.others)
        {
            kept.add(&timeline_hash(node, occurred_at, sequence, None));
        }
    }
    Ok(kept)
}

fn message_fault(snapshot: &Snapshot<'_>, message: &crate::store::StoredMessage) -> Result<Option<String>> {
    let sequence = message.sequence;
    if !message.is_whole() {
        return Ok(Some(format!("message {sequence}: its payload does not match its checksum")));
    }
    let candidates = snapshot.memory.message_candidates(snapshot.facts, message.source, &message.message_id)?;
    if !candidates.contains(&sequence) {
        return Ok(Some(format!("message {sequence}: it is not in the dedupe map")));
    }
    Ok(None)
}

/// Where the partition differs from its rebuild.
pub(crate) fn partition_faults(snapshot: &Snapshot<'_>, rebuilt: &Snapshot<'_>) -> Result<Vec<String>> {
    let nodes = 0..snapshot.memory.n_nodes();
    let differs =
        nodes.filter(|node| snapshot.people.partition.nodes_of(*node) != rebuilt.people.partition.nodes_of(*node));
    Ok(differs.map(|node| format!("node {node}: the partition differs from its rebuild")).collect())
}

/// Where the blocks of the file differ from what they are made of.
pub(crate) fn block_faults(snapshot: &Snapshot<'_>, _: &Snapshot<'_>) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    if !snapshot.memory.beginnings_are_right(snapshot.facts)? {
        faults.push("the beginnings of nodes differ from the timelines".to_owned());
    }
    if !snapshot.facts.node_blocks_are_right()? {
        faults.push("the blocks of identifiers differ from the identifiers".to_owned());
    }
    if !snapshot.facts.link_blocks_are_right(snapshot.memory.sequence())? {
        faults.push("the blocks of links differ from the links".to_owned());
    }
    Ok(faults)
}
