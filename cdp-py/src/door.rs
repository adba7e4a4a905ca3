//! The door between Python and the core: a call without the GIL, a Python object as a value, an error as an exception.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cdp_core::records::Value;
use cdp_core::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::values;

/// The one way into the core: without the GIL, panics as `internal` errors, errors as exceptions.
pub(crate) fn enter<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    py.detach(|| guarded(work)).map_err(to_exception)
}

/// Runs `work`; a panic becomes an `internal` error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::internal("the library panicked")))
}

/// The object as a value, or the exception that says why not.
pub(crate) fn value(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    values::from_python(object).map_err(|refusal| refusal.into_error().map_or_else(|raised| raised, to_exception))
}

/// The exception of this error's kind.
pub(crate) fn to_exception(error: Error) -> PyErr {
    Python::attach(|py| {
        let build = || {
            let faults = error.faults().iter().map(|fault| (fault.pointer.as_str(), fault.message.as_str()));
            let parts =
                (error.kind().as_str(), error.message(), error.hint(), error.pointer(), PyTuple::new(py, faults)?);
            py.import("cdp._errors")?.getattr("from_parts")?.call1(parts)
        };
        build().map_or_else(|raised| raised, PyErr::from_value)
    })
}
