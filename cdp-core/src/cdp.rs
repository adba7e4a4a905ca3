//! The handle, and the order of the flow: collect -> unify -> aggregate -> segment -> predict -> decide -> export.
//!
//! This is the only file (with its parts in `cdp/`) that knows all rooms. A write runs in one transaction: messages
//! are mapped and checked, get their node, are appended, observed, linked; then the touched profiles are evaluated and
//! the meta row is written. RAM takes the result in after COMMIT, and only then.

mod as_of;
mod checks;
mod collect;
mod compare_profiles;
mod concern;
mod define;
mod evidence;
mod group;
mod interruption;
mod learn;
mod link;
mod link_profiles;
mod link_tables;
mod live_linkage;
mod live_links;
mod memberships;
mod models;
mod nearby;
mod observe;
mod open;
mod parse;
mod population;
mod profile_ids;
mod queue;
mod release;
mod score;
mod segment;
mod similar;
mod snapshot;
mod somebody;
mod state;
mod suggestions;
mod tables;
mod tallies;
mod training_rows;
mod training_set;
mod traits;
mod unify;
mod upkeep;
mod write;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use as_of::AsOf;
pub(crate) use as_of::timestamp_from;
pub use collect::{Data, IngestOptions, Progress};
pub use define::{DefineResult, PeopleChange};
pub(crate) use group::message_of_type;
pub use link::DecisionOptions;
pub use link_profiles::LinkOptions;
pub use open::OpenOptions;
pub use release::ExportRequest;
pub(crate) use release::consent_message;
pub use segment::Query;
pub use suggestions::ReviewOptions;
pub use training_rows::TrainOptions;
pub use unify::Identifier;

use interruption::{Never, Stop};
use nearby::Found;
use observe::observe;
use snapshot::{Person, Snapshot};
use state::{Standing, State};
use write::{Change, Writing};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::records::Timestamp;
use crate::store::{Facts, Store};

/// An open customer data platform: a cheap handle that can be cloned and shared between threads.
///
/// ```
/// use cdp_core::{Cdp, records::Value};
///
/// let db = Cdp::open(cdp_core::OpenOptions::in_memory())?;
/// db.define(&[Value::parse(br#"{"kind": "feature", "name": "spend", "event": "Order Completed", "agg": "sum", "property": "revenue"}"#).unwrap()], false)?;
/// db.send(&Value::parse(br#"{"type": "track", "event": "Order Completed", "userId": "u1", "properties": {"revenue": 12.5}}"#).unwrap())?;
/// let profile = db.profile(&Value::parse(br#"{"user_id": "u1"}"#).unwrap(), None)?.expect("u1 was seen");
/// assert_eq!(profile.get("features").unwrap().to_json(), r#"{"spend":12.5}"#);
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Cdp {
    inner: Arc<Inner>,
    // Shared by the clones of one open; a second open of the same path has its own.
    handle: Arc<Handle>,
}

/// One open of a store. The store closes with the last of them.
#[derive(Default)]
struct Handle {
    closed: AtomicBool,
}

struct Inner {
    store: Store,
    state: RwLock<State>,
    clock: Clock,
    group: group::Group,
    queue: queue::Queue,
    scorers: score::Scorers,
    strict_consent: bool,
    // How many requests to stop there have been.
    interrupts: AtomicU64,
    open_handles: AtomicUsize,
    max_message_bytes: usize,
    memory_options: crate::store::MemoryOptions,
    past: as_of::Past,
    // How many people were looked for in the file, because RAM did not hold everybody.
    n_found_nearby: AtomicU32,
}

/// A process that only reads takes everybody into RAM when it has looked for so many people in the file, or for one in so many
/// identifiers if these are more: about then the looks have cost what holding everybody does.
const MOST_FOUND_NEARBY: u32 = 64;
const NODES_HELD_PER_FOUND: u32 = 128;

/// How long a read needs RAM.
#[derive(Clone, Copy)]
enum Length {
    Moment,
    Long,
}

impl std::fmt::Debug for Cdp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cdp")
    }
}

impl Cdp {
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.inner.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.inner.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present instant, by the store's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Runs `work`, which is over in a moment, on one snapshot: the file's first, then RAM at that sequence. A commit of this
    /// process waits for it.
    fn read<T>(&self, work: impl FnOnce(&Snapshot<'_>) -> Result<T>) -> Result<T> {
        self.read_for(Length::Moment, work)
    }

    /// The same for work that grows with the store. Where that is a file nobody waits for it: a commit meanwhile changes copies
    /// of the parts of RAM that it touches. A store in memory has one connection, for which a commit waits.
    fn read_at_length<T>(&self, work: impl FnOnce(&Snapshot<'_>) -> Result<T>) -> Result<T> {
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
                    let snapshot = Snapshot::of_state(facts, &state);
                    work(Snapshot { memory: snapshot.memory.looking_up(), ..snapshot })
                }
                Length::Long => {
                    self.inner.store.check_file()?;
                    let shared = state.clone();
                    drop(state);
                    work(Snapshot::of_state(facts, &shared))
                }
            }
        })
    }

    /// Runs `work` on the person with this identifier at `at`, `None` if there is nobody; it looks at nobody else, so that RAM
    /// need not hold everybody.
    fn read_person<T>(
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

    /// The same where RAM does not hold everybody; `None`, with the work undone, if it does or if that is better.
    fn read_nearby<T>(
        &self,
        identifier: &Identifier,
        at: Timestamp,
        work: &mut Option<impl FnOnce(&Snapshot<'_>, Option<Person<'_>>) -> Result<T>>,
    ) -> Result<Option<T>> {
        if self.state().holds_everybody {
            return Ok(None);
        }
        self.read_level(false, |facts, state| {
            let n_found = self.inner.n_found_nearby.fetch_add(1, Ordering::Relaxed);
            if state.holds_everybody || n_found >= MOST_FOUND_NEARBY.max(facts.n_nodes()? / NODES_HELD_PER_FOUND) {
                return Ok(Some(None));
            }
            let mut work = |snapshot: &Snapshot<'_>, person| work.take().map(|work| work(snapshot, person)).transpose();
            let answer = match state.find_nearby(facts, identifier)? {
                Found::Beyond => None,
                Found::Nobody => work(&Snapshot::of_state(facts, &state), None)?,
                Found::Somebody(node, nearby) => {
                    let snapshot = nearby.snapshot(facts, &state);
                    work(&snapshot, snapshot.person(node, at)?)?
                }
            };
            Ok(Some(answer))
        })
    }

    /// Runs `work` on a snapshot of the file and RAM that agrees with it; again while it gives nothing. `everybody`: RAM holds
    /// everybody then, and from then on.
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
                if everybody && !self.state().holds_everybody {
                    self.state_mut().take_in_everybody(facts, &self.inner.store)?;
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

    /// Runs `work` in one write transaction, brings what is derived up to date, commits, folds into RAM.
    fn write<T>(&self, work: impl FnOnce(&mut Writing<'_>) -> Result<T>) -> Result<T> {
        self.write_until(&Never, work)
    }

    /// The same for a long call, which is rolled back when it is asked to stop.
    fn write_until<T>(&self, stop: &dyn Stop, work: impl FnOnce(&mut Writing<'_>) -> Result<T>) -> Result<T> {
        self.check_open()?;
        self.write_open(stop, work)
    }

    /// Runs `work` in a write transaction that is rolled back: what a dry run tells is what would be.
    fn try_out<T>(&self, stop: &dyn Stop, work: impl FnOnce(&mut Writing<'_>) -> Result<T>) -> Result<T> {
        let mut answer = None;
        let outcome: Result<()> = self.write_until(stop, |writing| {
            answer = Some(work(writing)?);
            Err(Error::new(ErrorKind::Interrupted, "a dry run changes nothing"))
        });
        match (answer, outcome) {
            (Some(answer), _) => Ok(answer),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Error::internal("a dry run was committed")),
        }
    }

    /// Runs `work` in a write transaction, which a dry run rolls back.
    fn write_or_try_out<T>(
        &self,
        stop: &dyn Stop,
        dry_run: bool,
        work: impl FnOnce(&mut Writing<'_>) -> Result<T>,
    ) -> Result<T> {
        if dry_run { self.try_out(stop, work) } else { self.write_until(stop, work) }
    }

    fn write_open<T>(&self, stop: &dyn Stop, work: impl FnOnce(&mut Writing<'_>) -> Result<T>) -> Result<T> {
        if self.state().memory.leaves_runs() {
            let replace = |facts: Facts<'_>| Ok(((), State::replace_runs(facts, self.inner.memory_options)?));
            self.inner.store.write(replace, || self.state_mut(), |mut state, replaced| *state = replaced)?;
        }
        let work = |facts: Facts<'_>| {
            let standing = self.state().standing(facts.revision()?);
            if !matches!(standing, Standing::Level) {
                self.state_mut().catch_up(facts, &facts.meta()?)?;
            }
            if self.state().memory.leaves_runs() {
                let what = "another version of the library has written to the store at this moment";
                return Err(Error::new(ErrorKind::Busy, what).with_hint("call again"));
            }
            // Apart from the look at RAM that follows: while the times are read, others may look as well.
            let times = self.state().missing_times(facts)?;
            if let Some(times) = times {
                self.state_mut().memory.set_times(times);
            }
            let state = self.state();
            let mut writing = Writing::new(self, facts, &state, stop);
            let answer = work(&mut writing)?;
            let change = writing.finish()?;
            // The last opportunity: behind COMMIT everything is kept.
            stop.check()?;
            Ok((answer, change))
        };
        let fold = |mut state: RwLockWriteGuard<'_, State>, change: Change| change.fold_into(&mut state);
        self.inner.store.write(work, || self.state_mut(), fold)
    }

    fn of(inner: Arc<Inner>) -> Cdp {
        inner.open_handles.fetch_add(1, Ordering::AcqRel);
        Cdp { inner, handle: Arc::default() }
    }

    /// Closes the handle: calls on it and on its clones fail from then on; closing twice is fine. What was queued before
    /// is taken in first. The store closes with the last handle of this process; that waits for no other process.
    pub fn close(&self) -> Result<()> {
        self.check_not_reporting()?;
        if self.handle.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // In a child process after fork() nobody drains what the parent had queued.
        if self.inner.store.check_process().is_ok() {
            self.await_queue();
        }
        if self.inner.open_handles.fetch_sub(1, Ordering::AcqRel) > 1 {
            return Ok(());
        }
        if !self.inner.store.is_read_only() && !self.inner.store.is_in_memory() {
            // What stays unwritten, if only because another process writes at the moment, is in the log, and the next open
            // reads it from there: only slower.
            let _ = self.inner.store.hurry().and_then(|()| self.write_runs());
        }
        // A scorer may hold the host's own objects, this handle among them.
        self.inner.scorers.clear();
        self.inner.store.close()
    }

    /// Writes everything in RAM out as runs, so that the next open is quick.
    fn write_runs(&self) -> Result<()> {
        // One transaction freezes the tail and one writes it; another process that writes meanwhile costs a few more.
        for _ in 0..8 {
            if !self.state().memory.has_unwritten_facts() {
                break;
            }
            self.write_open(&Never, |writing| {
                writing.flush_all();
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Whether the handle was closed.
    pub fn is_closed(&self) -> bool {
        self.handle.closed.load(Ordering::Acquire)
    }

    fn check_open(&self) -> Result<()> {
        if self.is_closed() {
            return Err(Error::new(ErrorKind::Closed, "the store is closed").with_hint("open it again"));
        }
        self.check_not_reporting()
    }

    /// Copies the store to a new file that only its owner can read, while others go on reading and writing. The copy has its
    /// name when it is whole: a backup that fails leaves nothing, and one that is killed no store.
    ///
    /// Fails with `conflict` if there is a file at the path, and with `invalid` where that is a file of an open store.
    pub fn backup(&self, path: &Path) -> Result<()> {
        self.check_open()?;
        self.inner.store.backup(path)
    }
}

#[cfg(test)]
mod tests;
