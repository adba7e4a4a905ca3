//! Reads: work runs on one moment of the store, the file first, then RAM at that sequence.
//!
//! A short read holds the lock of RAM; a long one takes a copy of its parts, so that a commit need not wait for it. A read of
//! one person need not load all profiles; a read with a known time sees the state that the facts recorded by then give under
//! the definitions that hold now.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLockReadGuard};

use crate::engine::handle::Cdp;
use crate::engine::nearby::Lookup;
use crate::engine::people::person::Person;
use crate::engine::snapshot::Snapshot;
use crate::engine::state::{Standing, State};
use crate::error::{Error, Result};
use crate::records::{AsOf, Identifier, Path, Timestamp};
use crate::store::{ExtraColumns, Facts};

/// After this many single lookups (or one per [`NODES_HELD_PER_FOUND`] identifiers, if more) a read-only process loads all
/// profiles: by then the lookups have cost as much.
const MOST_FOUND_NEARBY: u32 = 64;

const NODES_HELD_PER_FOUND: u32 = 128;

/// How long a read needs RAM.
#[derive(Clone, Copy)]
pub(crate) enum Length {
    Moment,
    Long,
}

impl Cdp {
    /// Runs `work`, which is over in a moment, on one snapshot: the file's first, then RAM at that sequence. A commit of this
    /// process waits for it.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Snapshot<'_>) -> Result<T>) -> Result<T> {
        self.read_for(Length::Moment, work)
    }

    /// Runs `work` that grows with the store on one snapshot. No commit waits for it where the store is a file: it changes copies
    /// of the parts of RAM that it touches. A store in memory has one connection, for which a commit waits.
    pub(crate) fn read_at_length<T>(&self, work: impl FnOnce(&Snapshot<'_>) -> Result<T>) -> Result<T> {
        self.read_for(Length::Long, work)
    }

    fn read_for<T>(&self, length: Length, work: impl FnOnce(&Snapshot<'_>) -> Result<T>) -> Result<T> {
        let mut work = Some(work);
        self.read_level(true, |facts, state| {
            let mut work = |snapshot: Snapshot<'_>| {
                let snapshot = Snapshot { store: Some(&self.inner.store), ..snapshot };
                work.take().map(|work| work(&snapshot)).transpose()
            };
            match length {
                Length::Moment => {
                    let snapshot = state.snapshot(facts);
                    work(snapshot.with_memory(snapshot.memory.looking_up()))
                }
                Length::Long => {
                    self.inner.store.check_file()?;
                    let shared = state.clone();
                    drop(state);
                    work(shared.snapshot(facts))
                }
            }
        })
    }

    /// Runs `work` on the person with this identifier at `at`, `None` if there is none. It reads no other profile, so that RAM
    /// need not hold all of them.
    pub(crate) fn read_person<T>(
        &self,
        identifier: &Identifier,
        as_of: Option<AsOf>,
        at: Timestamp,
        work: impl FnOnce(&Snapshot<'_>, Option<Person<'_>>) -> Result<T>,
    ) -> Result<T> {
        let mut work = Some(work);
        let is_of_now = as_of.is_none_or(|as_of| as_of.known.is_none());
        let nearby = if is_of_now { self.read_nearby(identifier, at, &mut work)? } else { None };
        if let Some(answer) = nearby {
            return Ok(answer);
        }
        let work = work.ok_or_else(|| Error::internal("a read was answered twice"))?;
        self.read_as_of(Length::Moment, as_of, |snapshot| {
            let node = snapshot.node_of(identifier)?;
            let person = node.map(|node| snapshot.person(node, at)).transpose()?.flatten();
            work(snapshot, person)
        })
    }

    /// Runs `work` on one person read from the file where RAM does not hold all profiles; `None`, with `work` not run, where it
    /// does or where loading all is cheaper.
    fn read_nearby<T>(
        &self,
        identifier: &Identifier,
        at: Timestamp,
        work: &mut Option<impl FnOnce(&Snapshot<'_>, Option<Person<'_>>) -> Result<T>>,
    ) -> Result<Option<T>> {
        if self.state().holds_all_profiles {
            return Ok(None);
        }
        self.read_level(false, |facts, state| {
            let n_found = self.inner.n_found_nearby.fetch_add(1, Ordering::Relaxed);
            if state.holds_all_profiles || n_found >= MOST_FOUND_NEARBY.max(facts.n_nodes()? / NODES_HELD_PER_FOUND) {
                return Ok(Some(None));
            }
            let mut work = |snapshot: &Snapshot<'_>, person| work.take().map(|work| work(snapshot, person)).transpose();
            let answer = match state.find_nearby(facts, identifier)? {
                Lookup::Beyond => None,
                Lookup::Unknown => work(&state.snapshot(facts), None)?,
                Lookup::Known(node, nearby) => {
                    let snapshot = nearby.snapshot(facts, &state);
                    work(&snapshot, snapshot.person(node, at)?)?
                }
            };
            Ok(Some(answer))
        })
    }

    /// Runs `work` on a snapshot of the file and RAM that agrees with it; again while it gives nothing. `everybody`: RAM loads
    /// all profiles first, and keeps them.
    fn read_level<T>(
        &self,
        everybody: bool,
        mut work: impl FnMut(Facts<'_>, RwLockReadGuard<'_, State>) -> Result<Option<T>>,
    ) -> Result<T> {
        self.check_open()?;
        loop {
            let answer = self.inner.store.read(|facts, revision| {
                let standing = self.state().standing(revision);
                if let Standing::Behind = standing {
                    self.state_mut().catch_up(facts, &facts.meta()?)?;
                }
                if everybody && !self.state().holds_all_profiles {
                    self.state_mut().load_all_profiles(facts, &self.inner.store)?;
                }
                let state = self.state();
                if !matches!(state.standing(revision), Standing::Level) {
                    // This process committed between the snapshot and the look at RAM: take a newer snapshot.
                    return Ok(None);
                }
                work(facts, state)
            })?;
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
    }
}

impl Cdp {
    /// Runs `work` on the snapshot that a read asks about. A known time that was not asked for last costs a pass over the
    /// log, and RAM for what it says.
    pub(crate) fn read_as_of<T>(
        &self,
        length: Length,
        as_of: Option<AsOf>,
        work: impl FnOnce(&Snapshot<'_>) -> Result<T>,
    ) -> Result<T> {
        let Some(known) = as_of.and_then(|as_of| as_of.known) else { return self.read_for(length, work) };
        self.check_open()?;
        self.inner.store.read(|facts, revision| {
            let mut past = self.inner.past.0.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = past.as_ref().filter(|(of, at, _)| (*of, *at) == (revision, known));
            let state = match kept {
                Some((.., state)) => state.clone(),
                None => Arc::new(State::load_known(facts, self.inner.memory_options, known)?),
            };
            *past = Some((revision, known, state.clone()));
            drop(past);
            work(&state.snapshot(facts))
        })
    }
}

impl Cdp {
    /// Runs `work` on a snapshot that has a column for each of these properties. Those that no definition keeps are read
    /// from the log, once: cost grows with the store.
    pub(crate) fn read_with_columns<T>(
        &self,
        as_of: Option<AsOf>,
        paths: &[Path],
        work: impl FnOnce(&Snapshot<'_>) -> Result<T>,
    ) -> Result<T> {
        self.read_as_of(Length::Long, as_of, |snapshot| {
            let missing = snapshot.memory.missing_columns(paths);
            if missing.is_empty() {
                return work(snapshot);
            }
            let mut extra = ExtraColumns::new(missing);
            snapshot.facts.visit_messages(0, snapshot.memory.sequence(), |row| {
                let message = row.read(&snapshot.memory)?;
                if message.event.is_some() {
                    extra.push(
                        message.sequence,
                        &crate::engine::observe::event_properties(message.kind, &message.fields),
                    );
                }
                Ok(())
            })?;
            let extended = snapshot.with_memory(snapshot.memory.with_extra(&extra));
            work(&extended)
        })
    }
}

impl Cdp {
    /// What the facts up to a sequence of the log give, with the decisions that were recorded by `known`. Costs a pass over the
    /// log and memory for its state.
    pub(crate) fn state_up_to(&self, snapshot: &Snapshot<'_>, up_to: u64, known: Timestamp) -> Result<State> {
        State::load_up_to(snapshot.facts, self.inner.memory_options, up_to, known)
    }

    /// Runs `work` on what a rebuild from the file gives, at the sequence of a snapshot.
    pub(crate) fn with_rebuilt<T>(
        &self,
        snapshot: &Snapshot<'_>,
        work: impl FnOnce(&Snapshot<'_>) -> Result<T>,
    ) -> Result<T> {
        let rebuilt = State::load(snapshot.facts, None, self.inner.memory_options)?;
        work(&rebuilt.snapshot(snapshot.facts))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::Cdp;
    use crate::cdp::{Data, IngestOptions, LinkOptions, OpenOptions};
    use crate::engine::people::find::{Filter, Projection};
    use crate::engine::people::person::Person;
    use crate::records::Value;

    const DEFINITIONS: [&str; 4] = [
        r#"{"kind": "identity", "name": "people", "linkage": {"auto_link": true}, "identifiers": [
            {"type": "user_id", "role": "person", "priority": 1}, {"type": "email", "role": "contact", "priority": 2},
            {"type": "anonymous_id", "role": "device", "priority": 9}]}"#,
        r#"{"kind": "feature", "name": "spend", "event": "Bought", "agg": "sum", "property": "price"}"#,
        r#"{"kind": "audience", "name": "buyers", "rule": {"event": "Bought", "count": {"gte": 3}, "within": "9d"}}"#,
        r#"{"kind": "feature", "name": "weight", "event": "Bought", "agg": "max", "property": "weight"}"#,
    ];

    /// Messages that name new people and old ones, set traits, and join devices with people.
    fn messages(numbers: std::ops::Range<u64>) -> String {
        let message = |n: u64| {
            let (person, at) = (n * 37 % 90, 1_700_000_000_000 + n * 1_000);
            let head = format!(r#""messageId": "m{n}", "anonymousId": "a{person}", "timestamp": {at}"#);
            match n % 5 {
                0 => format!(
                    r#"{{"type": "identify", {head}, "userId": "u{}", "traits": {{"plan": "p{n}", "email": "e{}@x.org"}}}}"#,
                    person % 40,
                    n % 60
                ),
                _ => format!(
                    r#"{{"type": "track", {head}, "event": "Bought", "properties": {{"price": {n}.5, "weight": {n}}}}}"#
                ),
            }
        };
        numbers.map(|n| message(n) + "\n").collect()
    }

    fn ingest(db: &Cdp, numbers: std::ops::Range<u64>) {
        let receipt = db.ingest(Data::Bytes(messages(numbers).as_bytes()), &IngestOptions::default(), None).unwrap();
        assert_eq!(receipt.rejected, 0);
    }

    /// Everything that a snapshot holds of all profiles.
    fn said(snapshot: &Snapshot<'_>) -> Vec<String> {
        let at = Timestamp::from_millis(1_700_000_900_000);
        let audience = snapshot.catalog.audience("buyers").unwrap();
        let mut wanted: Vec<Projection<'_>> = snapshot.catalog.features().map(Projection::Feature).collect();
        wanted.push(Projection::Membership(audience));
        let found = snapshot.find(Filter::All, &wanted, at).unwrap();
        let values = found.iter().map(|found| {
            let values = found.values.iter().map(|values| values.as_ref().map_or_else(String::new, Value::to_json));
            format!("{:?} {}", found.profile.nodes, values.collect::<Vec<String>>().join(" "))
        });
        let people = snapshot.people(at).unwrap();
        let plan = |person: &Person<'_>| person.trait_named("plan", at).unwrap().map(|plan| plan.to_json());
        let traits = people.iter().map(plan);
        let n_messages = snapshot.memory.sequence().to_string();
        values.chain(traits.map(Option::unwrap_or_default)).chain([n_messages]).collect()
    }

    #[test]
    fn no_commit_waits_for_a_long_read_and_the_read_sees_none_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions { flush_messages: 60, ..OpenOptions::file(folder.path().join("store.db")) };
        let db = Cdp::open(options).unwrap();
        let definitions: Vec<Value> = DEFINITIONS.iter().map(|text| Value::parse(text.as_bytes()).unwrap()).collect();
        db.define(&definitions[..3]).unwrap();
        ingest(&db, 0..200);
        let (work, orders) = mpsc::channel::<u64>();
        let (done, answers) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in orders {
                    match round {
                        3 => drop(db.link(&LinkOptions::default()).unwrap()),
                        // A property that had no column.
                        4 => drop(db.define(&definitions[3..]).unwrap()),
                        5 => db.write_runs().unwrap(),
                        _ => ingest(&db, 200 + round * 70..270 + round * 70),
                    }
                    done.send(db.read(|snapshot| Ok(snapshot.memory.sequence())).unwrap()).unwrap();
                }
            });
            let (outer, inner) = db
                .read_at_length(|snapshot| {
                    let before = said(snapshot);
                    for round in 0..8 {
                        work.send(round).unwrap();
                        answers.recv_timeout(Duration::from_secs(60)).expect("a commit waits for a long read");
                        assert_eq!(said(snapshot), before, "round {round}");
                        // A second one in the middle sees what was committed before it, and no more.
                        let later = db.read_at_length(|later| Ok(said(later))).unwrap();
                        assert!(later != before || round == 5, "round {round}");
                    }
                    Ok((before, snapshot.memory.sequence()))
                })
                .unwrap();
            drop(work);
            assert_eq!((outer.last().cloned(), inner), (Some("200".to_owned()), 200));
        });
        assert_eq!(db.read(|snapshot| Ok(snapshot.memory.sequence())).unwrap(), 200 + 5 * 70);
        let verified = db.verify().unwrap();
        assert!(verified.ok, "{:?}", verified.faults);
    }
}
