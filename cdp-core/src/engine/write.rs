//! Writes: work runs in one transaction; what is derived is brought up to date, then COMMIT, then RAM takes the result in.
//!
//! A dry run is a write that is rolled back. Must never change RAM before the file has committed.

use std::sync::RwLockWriteGuard;

use crate::engine::handle::{Cdp, Inner};
use crate::engine::state::{Standing, State};
use crate::engine::transaction::{Change, Context, Transaction};
use crate::error::{Error, ErrorKind, Result};
use crate::stop::{Never, Stop};
use crate::store::Facts;

impl Cdp {
    /// Runs `work` in one write transaction, brings what is derived up to date, commits, folds into RAM.
    pub(crate) fn write<T>(&self, work: impl FnOnce(&mut Transaction<'_>) -> Result<T>) -> Result<T> {
        self.write_until(&Never, work)
    }

    /// Runs `work` of a long call in a write transaction, which is rolled back when the call is asked to stop.
    pub(crate) fn write_until<T>(
        &self,
        stop: &dyn Stop,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        self.check_open()?;
        self.write_open(stop, work)
    }

    /// Runs `work` in a write transaction that is rolled back, so that a dry run reports what a real one would do.
    pub(crate) fn try_out<T>(
        &self,
        stop: &dyn Stop,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut answer = None;
        let outcome: Result<()> = self.write_until(stop, |tx| {
            answer = Some(work(tx)?);
            Err(Error::new(ErrorKind::Interrupted, "a dry run changes nothing"))
        });
        match (answer, outcome) {
            (Some(answer), _) => Ok(answer),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Error::internal("a dry run was committed")),
        }
    }

    /// Runs `work` in a write transaction, which a dry run rolls back.
    pub(crate) fn write_or_try_out<T>(
        &self,
        stop: &dyn Stop,
        dry_run: bool,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        if dry_run { self.try_out(stop, work) } else { self.write_until(stop, work) }
    }

    pub(crate) fn write_open<T>(
        &self,
        stop: &dyn Stop,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        if self.state().parts.memory.leaves_runs() {
            let replace = |facts: Facts<'_>| Ok(((), State::replace_runs(facts, self.inner.memory_options)?));
            self.inner.store.write(replace, || self.state_mut(), |mut state, replaced| *state = replaced)?;
        }
        let work = |facts: Facts<'_>| {
            let standing = self.state().standing(facts.revision()?);
            if !matches!(standing, Standing::Level) {
                self.state_mut().catch_up(facts, &facts.meta()?)?;
            }
            if self.state().parts.memory.leaves_runs() {
                let what = "another version of the library has written to the store at this moment";
                return Err(Error::new(ErrorKind::Busy, what).with_hint("call again"));
            }
            // Apart from the look at RAM that follows: while the times are read, others may look as well.
            let times = self.state().missing_times(facts)?;
            if let Some(times) = times {
                self.state_mut().parts.memory.set_times(times);
            }
            let state = self.state();
            let mut tx = Transaction::new(self.context(stop), facts, &state);
            let answer = work(&mut tx)?;
            let change = tx.finish()?;
            // The last opportunity: behind COMMIT everything is kept.
            stop.check()?;
            Ok((answer, change))
        };
        let fold = |mut state: RwLockWriteGuard<'_, State>, change: Change| change.fold_into(&mut state);
        self.inner.store.write(work, || self.state_mut(), fold)
    }

    /// Writes everything in RAM out as runs, so that the next open is quick.
    pub(in crate::engine) fn write_runs(&self) -> Result<()> {
        // One transaction freezes the tail and one writes it; another process that writes meanwhile costs a few more.
        for _ in 0..8 {
            if !self.state().parts.memory.has_unwritten_facts() {
                break;
            }
            self.write_open(&Never, |tx| {
                tx.flush_all();
                Ok(())
            })?;
        }
        Ok(())
    }

    fn context<'c>(&'c self, stop: &'c dyn Stop) -> Context<'c> {
        let Inner { store, flow, max_message_bytes, .. } = &*self.inner;
        Context { store, flow, stop, now: self.now(), max_message_bytes: *max_message_bytes }
    }
}
