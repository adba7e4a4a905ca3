//! Interruption of long calls: the requests to stop, and the points inside a transaction that check for them.
//!
//! Takes [`Cdp::interrupt`] and the answers of a progress callback; leaves an `interrupted` error, upon which the transaction
//! under way is rolled back. A request must never reach a call that began after it, nor be taken away by another call.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::clock::Stopwatch;
use crate::engine::handle::Cdp;
use crate::error::{Error, ErrorKind, Result};
use crate::stop::Stop;

/// How often, at most, a progress callback is asked: every 100 ms.
const PROGRESS_MS: u128 = 100;
/// After how many rows the time is looked at.
const ROWS_BETWEEN_LOOKS: u32 = 64;

/// Told a few times a second how many rows are done, and at the end; `false` interrupts the call.
///
/// It is also called in the middle of a transaction, where rows are done and not committed and a call of the store fails
/// with `invalid`; [`Cdp::is_reporting`] says so.
pub type Progress<'p> = &'p mut dyn FnMut(u64, &str) -> bool;

thread_local! {
    /// The store inside whose transaction this thread asks a progress callback, as the address of its parts; 0: none.
    static REPORTING: Cell<usize> = const { Cell::new(0) };
}

/// A call that [`Cdp::interrupt`] stops.
pub(crate) struct Interruptible<'c> {
    cdp: &'c Cdp,
    /// How many requests there had been when the call began: those were not meant for it.
    begun_at: u64,
}

impl Interruptible<'_> {
    fn is_interrupted(&self) -> bool {
        self.cdp.inner.interrupts.load(Ordering::Relaxed) != self.begun_at
    }
}

impl Stop for Interruptible<'_> {
    fn check(&self) -> Result<()> {
        if !self.is_interrupted() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Interrupted, "the call was interrupted")
            .with_hint("what it had acknowledged is kept; call again to continue"))
    }
}

/// An ingest: stopped by [`Cdp::interrupt`], and by a progress callback that answers `false`.
pub(crate) struct Watched<'c, 'p> {
    call: Interruptible<'c>,
    progress: RefCell<Option<Progress<'p>>>,
    is_atomic: bool,
    watch: RefCell<Stopwatch>,
    n_checks: Cell<u32>,
    rows: Cell<u64>,
    told: Cell<Option<u64>>,
    /// Whether the callback has answered `false`: that is not taken back.
    is_refused: Cell<bool>,
    /// Whether a transaction is under way, in which the callback cannot call the store.
    in_transaction: Cell<bool>,
}

impl<'c, 'p> Watched<'c, 'p> {
    pub(crate) fn new(cdp: &'c Cdp, is_atomic: bool, progress: Option<Progress<'p>>) -> Watched<'c, 'p> {
        Watched {
            call: cdp.interruptible(),
            progress: RefCell::new(progress),
            is_atomic,
            watch: RefCell::new(Stopwatch::start()),
            n_checks: Cell::new(0),
            rows: Cell::new(0),
            told: Cell::new(None),
            is_refused: Cell::new(false),
            in_transaction: Cell::new(false),
        }
    }

    /// Notes how many rows are done, those of the transaction under way included.
    pub(crate) fn note_rows(&self, rows: u64) {
        self.rows.set(rows);
    }

    /// Runs a transaction.
    pub(crate) fn in_transaction<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.in_transaction.set(true);
        let answer = work();
        self.in_transaction.set(false);
        answer
    }

    /// Asks the callback, unless it knows of these rows.
    pub(crate) fn tell_the_end(&self) -> Result<()> {
        if self.told.get() == Some(self.rows.get()) { self.check() } else { self.tell() }
    }

    /// Says how many rows are done, and hears whether to go on.
    fn tell(&self) -> Result<()> {
        *self.watch.borrow_mut() = Stopwatch::start();
        self.told.set(Some(self.rows.get()));
        let reporting = self.in_transaction.get().then(|| Reporting::begin(self.call.cdp));
        let go_on = self.progress.borrow_mut().as_mut().is_none_or(|progress| progress(self.rows.get(), "ingest"));
        drop(reporting);
        if !go_on {
            self.is_refused.set(true);
        }
        self.check()
    }
}

impl Stop for Watched<'_, '_> {
    fn check(&self) -> Result<()> {
        let n_checks = self.n_checks.get().wrapping_add(1);
        self.n_checks.set(n_checks);
        if !self.is_refused.get() && !self.call.is_interrupted() {
            return if n_checks.is_multiple_of(ROWS_BETWEEN_LOOKS) { self.look() } else { Ok(()) };
        }
        let error = Error::new(ErrorKind::Interrupted, "the ingest was interrupted");
        Err(error.with_hint(match self.is_atomic {
            true => "nothing of it was kept; ingest the same input again",
            false => "its committed batches are kept; ingest the same input again to continue",
        }))
    }

    fn look(&self) -> Result<()> {
        if self.watch.borrow().elapsed_ms() >= PROGRESS_MS {
            return self.tell();
        }
        match self.is_refused.get() || self.call.is_interrupted() {
            true => self.check(),
            false => Ok(()),
        }
    }
}

/// Marks this thread while it asks a callback inside a transaction.
struct Reporting {
    before: usize,
}

impl Reporting {
    fn begin(cdp: &Cdp) -> Reporting {
        Reporting { before: REPORTING.replace(cdp.address()) }
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        REPORTING.set(self.before);
    }
}

impl Cdp {
    /// Asks the long calls that run now to stop: within a moment, and with the transaction under way rolled back; what they
    /// had committed stays.
    pub fn interrupt(&self) {
        self.inner.interrupts.fetch_add(1, Ordering::Relaxed);
        self.inner.store.interrupt();
    }

    /// A call that requests from now on stop.
    pub(crate) fn interruptible(&self) -> Interruptible<'_> {
        Interruptible { cdp: self, begun_at: self.inner.interrupts.load(Ordering::Relaxed) }
    }

    /// Whether this thread is inside a progress callback that is asked in the middle of a transaction: the callback cannot
    /// call the store then, for which it would wait for ever.
    pub fn is_reporting(&self) -> bool {
        REPORTING.get() == self.address()
    }

    /// Fails inside such a callback.
    pub(in crate::engine) fn check_not_reporting(&self) -> Result<()> {
        if !self.is_reporting() {
            return Ok(());
        }
        Err(Error::invalid("a progress callback cannot call the store in the middle of a transaction")
            .with_hint("note what it needs, and call the store when ingest has returned"))
    }

    fn address(&self) -> usize {
        Arc::as_ptr(&self.inner).addr()
    }
}
