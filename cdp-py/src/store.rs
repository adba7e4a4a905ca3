//! The handle: one door through which every call goes, with the GIL released, panics caught and errors translated.
//!
//! The verbs are the core's table; this file knows none of them by name except the long ones, which it runs so that
//! Ctrl-C is heard. Must never hold a rule, and never let a panic or a forked handle reach the store.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use cdp_core::records::Value;
use cdp_core::wire::{self, Effort, Response};
use cdp_core::{Cdp, Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::data::{Input, Raised};
use crate::door::{enter, guarded, to_exception, value};
use crate::frame::Frame;
use crate::ml::{Callable, patience};
use crate::values;

// How often a long call looks whether the person pressed Ctrl-C.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// An open store.
#[pyclass(frozen, module = "cdp._native")]
pub(crate) struct Store {
    cdp: Cdp,
    pid: u32,
}

#[pymethods]
impl Store {
    /// Opens a store; the request's keys are the core's options.
    #[new]
    fn open(py: Python<'_>, request: &Bound<'_, PyDict>) -> PyResult<Store> {
        let request = value(request.as_any())?;
        let cdp = enter(py, || wire::open(&request))?;
        Ok(Store { cdp, pid: std::process::id() })
    }

    /// Runs one verb of the table.
    fn call<'py>(&self, py: Python<'py>, verb: &str, request: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        let cdp = self.cdp()?;
        let request = value(request.as_any())?;
        let response = if is_long(verb) && on_main_thread(py)? && !cdp.is_reporting() {
            self.call_watching_signals(py, verb, &request)?
        } else {
            enter(py, || wire::call(cdp, verb, &request))?
        };
        match response {
            Response::Value(value) => values::to_python(py, &value),
            Response::Frame(frame) => Ok(Bound::new(py, Frame::new(frame))?.into_any()),
        }
    }

    /// Takes data in any of its forms and returns the receipt as a dict.
    ///
    /// `progress(rows, stage)` is called now and then; returning False interrupts. It may call the store between batches, so
    /// in the middle of one only signals are heard; of an atomic call there is nothing else than the middle.
    fn ingest<'py>(
        &self,
        py: Python<'py>,
        data: &Bound<'py, PyAny>,
        options: &Bound<'py, PyDict>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let cdp = self.cdp()?;
        let options = value(options.as_any())?;
        let raised = Raised::default();
        let mut input = Input::from_python(data, &raised)?;
        let is_atomic = options.get("atomic").and_then(Value::as_bool).unwrap_or(false);
        let mut report = |rows: u64, stage: &str| {
            Python::attach(|py| {
                let is_asked = is_atomic || !cdp.is_reporting();
                let go_on = py.check_signals().and_then(|()| match &progress {
                    Some(progress) if is_asked => {
                        progress.call1(py, (rows, stage)).map(|answer| !matches!(answer.extract::<bool>(py), Ok(false)))
                    }
                    _ => Ok(true),
                });
                go_on.unwrap_or_else(|error| raised.put(error))
            })
        };
        let receipt = enter(py, || wire::ingest(cdp, input.data(), &options, Some(&mut report)));
        // What Python code raised inside the call (Ctrl-C, the iterator, the callback) is the cause to show.
        match (receipt, raised.take()) {
            (Err(_), Some(raised)) => Err(raised),
            (receipt, _) => values::to_python(py, &receipt?.to_value()),
        }
    }

    /// Lets a callable speak for the described cohorts of a predictor; None takes it away.
    fn register_scorer(
        &self,
        py: Python<'_>,
        predictor: &str,
        scorer: Option<Py<PyAny>>,
        method: String,
        attempts: u32,
        pause_seconds: f64,
    ) -> PyResult<()> {
        let cdp = self.cdp()?;
        let patience = patience(attempts, pause_seconds)?;
        let scorer = scorer.map(|callable| (Arc::new(Callable { callable, method }) as Arc<_>, patience));
        enter(py, || cdp.register_scorer(predictor, scorer))
    }

    /// Closes the store; closing twice is fine.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let cdp = self.cdp()?;
        enter(py, || cdp.close())
    }

    /// Whether the store was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.cdp.is_closed()
    }

    /// Ends the running calls of this store, from another thread.
    fn interrupt(&self) -> PyResult<()> {
        self.cdp()?.interrupt();
        Ok(())
    }
}

impl Store {
    fn cdp(&self) -> PyResult<&Cdp> {
        if self.pid == std::process::id() {
            return Ok(&self.cdp);
        }
        let error = Error::new(
            ErrorKind::Closed,
            "this store was opened before the process forked and cannot be used in the child",
        );
        Err(to_exception(error.with_hint("open the store again in the child process")))
    }

    // The main thread waits and listens for signals while another one works: Python runs handlers only on the main thread.
    fn call_watching_signals(&self, py: Python<'_>, verb: &str, request: &Value) -> PyResult<Response> {
        let cdp = &self.cdp;
        let mut raised = None;
        let response = enter(py, || {
            std::thread::scope(|scope| {
                let (done, wait) = sync_channel(1);
                scope.spawn(move || done.send(guarded(|| wire::call(cdp, verb, request))));
                loop {
                    match wait.recv_timeout(SIGNALS_EVERY) {
                        Ok(response) => return response,
                        Err(RecvTimeoutError::Disconnected) => {
                            return Err(Error::internal("the call ended without an answer"));
                        }
                        Err(RecvTimeoutError::Timeout) => {
                            if let Err(error) = Python::attach(|py| py.check_signals()) {
                                raised = Some(error);
                            }
                            // Again and again: the other thread may not have begun yet when the signal comes.
                            if raised.is_some() {
                                cdp.interrupt();
                            }
                        }
                    }
                }
            })
        });
        // Even a call that finished before it heard the signal raises: that is what the person asked for.
        raised.map_or(response, Err)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.pid != std::process::id() {
            // Closing SQLite in a forked child would disturb the parent's locks; a handle that is never dropped keeps it open.
            std::mem::forget(self.cdp.clone());
        }
    }
}

// A thread costs tens of microseconds, too much for a point read.
fn is_long(verb: &str) -> bool {
    wire::verb(verb).is_some_and(|row| row.effort == Effort::Long)
}

fn on_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    Ok(threading.call_method0("current_thread")?.is(&threading.call_method0("main_thread")?))
}
