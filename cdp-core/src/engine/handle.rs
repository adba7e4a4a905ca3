//! The handle of an open store: its fields, its clock, and whether it is open. A handle is cheap to clone and shared
//! between threads; what it does stands in `read`, `write`, `close` and in the verb modules.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::clock::Clock;
use crate::engine::group_commit::Group;
use crate::engine::past::Past;
use crate::engine::queue::Queue;
use crate::engine::state::State;
use crate::engine::transaction::{Check, Flow};
use crate::error::{Error, ErrorKind, Result};
use crate::predict::scorers::Scorers;
use crate::records::{AsOf, Timestamp};
use crate::store::Store;

/// An open customer data platform: a cheap handle that can be cloned and shared between threads.
///
/// ```
/// use cdp_core::define::Feature;
/// use cdp_core::records::{AsOf, Track};
/// use cdp_core::{Cdp, OpenOptions};
///
/// let db = Cdp::open(OpenOptions::in_memory())?;
/// db.define(Feature::sum("spend", "Order Completed", "revenue").default(0))?;
/// db.track(Track::new("Order Completed").user_id("u1").property("revenue", 12.5))?;
/// let profile = db.profile(("user_id", "u1"), AsOf::NOW)?;
/// assert_eq!(profile.map(|profile| profile.features["spend"].clone()), Some(12.5.into()));
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Cdp {
    pub(in crate::engine) inner: Arc<Inner>,
    // Shared by the clones of one open; a second open of the same path has its own.
    pub(in crate::engine) handle: Arc<Handle>,
}

/// One open of a store. The store closes with the last of them.
#[derive(Default)]
pub(in crate::engine) struct Handle {
    pub(in crate::engine) closed: AtomicBool,
}

pub(in crate::engine) struct Inner {
    pub(in crate::engine) store: Store,
    pub(in crate::engine) state: RwLock<State>,
    pub(in crate::engine) clock: Clock,
    pub(in crate::engine) group: Group,
    pub(in crate::engine) queue: Queue,
    pub(in crate::engine) scorers: Scorers,
    pub(in crate::engine) flow: &'static Flow,
    pub(in crate::engine) strict_consent: bool,
    // How many requests to stop there have been.
    pub(in crate::engine) interrupts: AtomicU64,
    pub(in crate::engine) open_handles: AtomicUsize,
    pub(in crate::engine) max_message_bytes: usize,
    pub(in crate::engine) memory_options: crate::store::MemoryOptions,
    pub(in crate::engine) past: Past,
    // The number of single look-ups in the file while RAM did not hold all profiles.
    pub(in crate::engine) n_found_nearby: AtomicU32,
}

impl std::fmt::Debug for Cdp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cdp")
    }
}

/// What verbs need of the handle besides a read or a write.
impl Cdp {
    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(crate) fn group_commit(&self) -> &Group {
        &self.inner.group
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.inner.queue
    }

    pub(crate) fn scorers(&self) -> &Scorers {
        &self.inner.scorers
    }

    /// Whether unknown consent denies every purpose.
    pub(crate) fn is_consent_strict(&self) -> bool {
        self.inner.strict_consent
    }

    /// The largest message, as canonical JSON.
    pub(crate) fn max_message_bytes(&self) -> usize {
        self.inner.max_message_bytes
    }

    /// The checks of what is derived, each against a rebuild.
    pub(crate) fn checks(&self) -> &'static [Check] {
        self.inner.flow.checks
    }
}

impl Cdp {
    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.inner.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::engine) fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.inner.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present instant, by the store's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }
}

impl Cdp {
    pub(crate) fn instant(&self, as_of: AsOf) -> Timestamp {
        as_of.valid.unwrap_or_else(|| self.now())
    }
}

impl Cdp {
    pub(in crate::engine) fn of(inner: Arc<Inner>) -> Cdp {
        inner.open_handles.fetch_add(1, Ordering::AcqRel);
        Cdp { inner, handle: Arc::default() }
    }

    /// Whether the handle was closed.
    pub fn is_closed(&self) -> bool {
        self.handle.closed.load(Ordering::Acquire)
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() {
            return Err(Error::new(ErrorKind::Closed, "the store is closed").with_hint("open it again"));
        }
        self.check_not_reporting()
    }
}
