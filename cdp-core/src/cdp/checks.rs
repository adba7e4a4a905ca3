//! Trust: one hash of what holds, a check of the file against itself, and the store's size in figures.

use super::memberships::{Members, MembershipChanges, Memberships};
use super::snapshot::Snapshot;
use super::state::State;
use super::{AsOf, Cdp, Length};
use crate::error::{Error, Result};
use crate::intake;
use crate::records::{Object, Timestamp, Value};
use crate::rules::ProfileView;
use crate::store::{CountedTable, Gathered, SCHEMA_VERSION, hex, sqlite_version};

/// A hash of a set: the order of its elements does not matter, how often each stands in it does.
#[derive(Default, PartialEq)]
struct SetHash {
    lanes: [u64; 4],
    count: u64,
}

impl SetHash {
    fn add(&mut self, element: &[u8; 32]) {
        for (lane, bytes) in self.lanes.iter_mut().zip(element.chunks_exact(8)) {
            let word = bytes.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            *lane = lane.wrapping_add(word);
        }
        self.count += 1;
    }

    fn finish(&self, name: &str, into: &mut blake3::Hasher) {
        into.update(name.as_bytes());
        for word in self.lanes.iter().chain([&self.count]) {
            into.update(&word.to_le_bytes());
        }
    }
}

fn hash_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

impl Cdp {
    /// One hash of everything that must not depend on order, batching, repeats, restarts or language (law 2): the sets
    /// of facts and rejects, and people with their traits, features, memberships, consents and scores as of an instant.
    ///
    /// `as_of` defaults to the greatest occurred_at in the store, never the wall clock. Cost grows with the store.
    pub fn fingerprint(&self, as_of: Option<AsOf>) -> Result<String> {
        self.read_as_of(Length::Long, as_of, |snapshot| {
            let at = as_of
                .and_then(|as_of| as_of.valid)
                .or_else(|| snapshot.memory.greatest_occurred_at())
                .unwrap_or_default();
            let mut facts = SetHash::default();
            snapshot.facts.visit_messages(0, snapshot.memory.sequence(), |row| {
                let message = row.read(&snapshot.memory)?;
                let source = snapshot.memory.name(message.source);
                let occurred_at = message.occurred_at.millis().to_le_bytes();
                let (ordinal, content) = (message.ordinal.to_le_bytes(), intake::content_hash(&message.fields));
                let mut parts: Vec<&[u8]> = vec![source.as_bytes(), message.message_id.as_bytes(), &occurred_at];
                // A message with a time of its own has none.
                if message.ordinal > 0 {
                    parts.push(&ordinal);
                }
                parts.push(&content);
                facts.add(&hash_of(&parts));
                Ok(())
            })?;
            let mut rejects = SetHash::default();
            let known = as_of.and_then(|as_of| as_of.known);
            let mut recorded = snapshot.facts.rejects(None, None, 0, usize::MAX)?;
            recorded.retain(|reject| known.is_none_or(|known| reject.recorded_at <= known));
            for reject in recorded {
                let source = snapshot.memory.name(reject.source);
                rejects.add(&hash_of(&[source.as_bytes(), &reject.content_hash, reject.reason.as_bytes()]));
            }
            let mut people = SetHash::default();
            for person in snapshot.people(at)? {
                people.add(&hash_of(&[self.person_text(&person, at)?.as_bytes()]));
            }
            let mut hasher = blake3::Hasher::new();
            facts.finish("facts", &mut hasher);
            rejects.finish("rejects", &mut hasher);
            people.finish("people", &mut hasher);
            Ok(hex(hasher.finalize().as_bytes()))
        })
    }

    /// What holds of a person at an instant, without any salted id.
    fn person_text(&self, person: &super::snapshot::Person<'_>, at: Timestamp) -> Result<String> {
        let mut ids: Vec<Value> = Vec::new();
        for (kind, values) in person.ids(at) {
            let mut values: Vec<&str> = values;
            values.sort_unstable();
            ids.extend(values.into_iter().map(|value| Value::List(vec![Value::from(kind), Value::from(value)])));
        }
        let mut scores = Object::new();
        for predictor in person.snapshot.catalog.predictors() {
            if let Some((cohort, score)) = person.cohort(&predictor.name, at)? {
                scores.insert(predictor.name.clone(), Value::List(vec![Value::Text(cohort), Value::Number(score)]));
            }
        }
        let holds = Value::object([
            ("ids", Value::List(ids)),
            ("traits", Value::Object(person.traits(at)?)),
            ("features", Value::Object(super::unify::feature_values(person, None, at)?)),
            ("audiences", Value::List(Cdp::audiences_of(person, at)?)),
            ("consents", Value::Object(self.consents_of(person, at)?)),
            ("scores", Value::Object(scores)),
        ]);
        Ok(holds.to_json())
    }

    /// Checks the file against itself: SQLite's own check, every message against its hash and its key, the derived
    /// partition and memberships against a rebuild. Gives `{ok, faults: [...], messages, ...}`; reads only.
    pub fn verify(&self) -> Result<Value> {
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
            faults.extend(self.derived_faults(snapshot)?);
            Ok(Value::object([
                ("ok", Value::Bool(faults.is_empty())),
                ("messages", Value::integer(i64::try_from(messages).unwrap_or(i64::MAX))),
                ("faults", Value::List(faults.into_iter().map(Value::Text).collect())),
            ]))
        })
    }

    /// Incremental equals rebuilt: the state in RAM against one that is loaded anew.
    fn derived_faults(&self, snapshot: &Snapshot<'_>) -> Result<Vec<String>> {
        let rebuilt = State::load(snapshot.facts, None, self.inner.memory_options)?;
        let rebuilt = Snapshot::of_state(snapshot.facts, &rebuilt);
        let mut faults = Vec::new();
        for node in 0..snapshot.memory.n_nodes() {
            if snapshot.partition.nodes_of(node) != rebuilt.partition.nodes_of(node) {
                faults.push(format!("node {node}: the partition differs from its rebuild"));
            }
        }
        faults.extend(snapshot.record_faults()?);
        if !snapshot.memory.beginnings_are_right(snapshot.facts)? {
            faults.push("the beginnings of nodes differ from the timelines".to_owned());
        }
        if !snapshot.facts.node_blocks_are_right()? {
            faults.push("the blocks of identifiers differ from the identifiers".to_owned());
        }
        if !snapshot.facts.link_blocks_are_right(snapshot.memory.sequence())? {
            faults.push("the blocks of links differ from the links".to_owned());
        }
        faults.extend(snapshot.unfindable()?);
        let Some(at) = snapshot.facts.meta()?.advanced_to else { return Ok(faults) };
        let (stored, unchanged) = (Memberships::load(snapshot.facts)?, MembershipChanges::default());
        for audience in snapshot.catalog.audiences() {
            let mut members = std::collections::BTreeSet::new();
            for person in rebuilt.people(at)? {
                if crate::audiences::is_member(audience, &person, at)? {
                    members.insert(person.first_node());
                }
            }
            if members != Members::of(&audience.name, &stored, &unchanged).nodes() {
                faults.push(format!("audience `{}`: the memberships differ from their rebuild", audience.name));
            }
        }
        Ok(faults)
    }

    /// The store in figures, as an object or (`format: "prometheus"`) as text.
    pub fn stats(&self, format: Option<&str>) -> Result<Value> {
        let wal_bytes = self.inner.store.wal_bytes();
        let stats = self.read(|snapshot| {
            let meta = snapshot.facts.meta()?;
            let at = meta.advanced_to.unwrap_or_default();
            let count =
                |table| snapshot.facts.count(table).map(|n| Value::integer(i64::try_from(n).unwrap_or(i64::MAX)));
            let time = |time: Option<Timestamp>| time.map_or(Value::Null, |time| Value::Text(time.to_string()));
            Ok(Object::from([
                ("messages".to_owned(), count(CountedTable::Messages)?),
                ("profiles".to_owned(), Value::count(snapshot.n_people(Timestamp::MAX)?)),
                ("identifiers".to_owned(), count(CountedTable::Nodes)?),
                ("links".to_owned(), count(CountedTable::Links)?),
                ("rejects".to_owned(), count(CountedTable::Rejects)?),
                ("audience_changes".to_owned(), count(CountedTable::Changes)?),
                ("models".to_owned(), count(CountedTable::Models)?),
                ("definitions".to_owned(), Value::count(snapshot.catalog.iter().count())),
                (
                    "file_bytes".to_owned(),
                    Value::integer(i64::try_from(snapshot.facts.file_bytes()?).unwrap_or(i64::MAX)),
                ),
                ("wal_bytes".to_owned(), Value::integer(i64::try_from(wal_bytes).unwrap_or(i64::MAX))),
                ("log_sequence".to_owned(), Value::integer(i64::try_from(meta.log_sequence).unwrap_or(i64::MAX))),
                ("advanced_to".to_owned(), time(meta.advanced_to.map(|_| at))),
                ("greatest_occurred_at".to_owned(), time(snapshot.memory.greatest_occurred_at())),
            ]))
        })?;
        match format {
            None | Some("json") => Ok(Value::Object(stats)),
            Some("prometheus") => {
                let lines = stats.iter().filter_map(|(name, value)| {
                    value.as_number().map(|number| format!("# TYPE cdp_{name} gauge\ncdp_{name} {number}\n"))
                });
                Ok(Value::Text(lines.collect()))
            }
            Some(other) => {
                Err(Error::invalid(format!("stats: unknown format `{other}`")).with_hint("formats: json, prometheus"))
            }
        }
    }

    /// The versions of the library, the file schema, the definition format and SQLite.
    pub fn version() -> Value {
        Value::object([
            ("version", Value::from(env!("CARGO_PKG_VERSION"))),
            ("schema_version", Value::integer(SCHEMA_VERSION)),
            ("definition_format", Value::integer(1)),
            ("sqlite_version", Value::from(sqlite_version())),
        ])
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
