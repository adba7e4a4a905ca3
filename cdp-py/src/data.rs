//! What `ingest` accepts from Python: a path, bytes, a file object, Arrow data, or dicts from any iterable.
//!
//! Rows are pulled as the core asks for them, so that a generator of any length needs no memory. Must never drop what
//! Python code raised on the way: it is kept and raised again when the call ends.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cdp_core::records::Value;
use cdp_core::wire::Data;
use cdp_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyIterator, PyList, PyMemoryView, PyString};

use crate::arrow_rows::ArrowRows;
use crate::door::to_exception;
use crate::values;

// How many rows or bytes are pulled for one acquisition of the GIL.
const ROWS_AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 1 << 18;

/// Where the exception that Python code raised inside a call waits for its end.
#[derive(Clone, Default)]
pub(crate) struct Raised(Arc<Mutex<Option<PyErr>>>);

impl Raised {
    /// Keeps the first exception; false, as the answer of a progress callback that stops.
    pub(crate) fn put(&self, raised: PyErr) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(raised);
        false
    }

    /// The exception, if one was raised.
    pub(crate) fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Data in one of its forms.
pub(crate) enum Input {
    Path(PathBuf),
    Bytes(PyBackedBytes),
    Reader(FileObject),
    Arrow(ArrowRows),
    Rows(Rows),
}

impl Input {
    /// Recognizes the form of `data`; what its Python code raises later goes to `raised`.
    pub(crate) fn from_python(data: &Bound<'_, PyAny>, raised: &Raised) -> PyResult<Input> {
        let py = data.py();
        if data.is_instance_of::<PyString>() || data.hasattr("__fspath__")? {
            return Ok(Input::Path(data.extract()?));
        }
        if data.is_instance_of::<PyBytes>() {
            return Ok(Input::Bytes(data.extract()?));
        }
        if data.is_instance_of::<PyByteArray>() || data.is_instance_of::<PyMemoryView>() {
            return Ok(Input::Bytes(py.get_type::<PyBytes>().call1((data,))?.extract()?));
        }
        if let Some(rows) = ArrowRows::from_python(data)? {
            return Ok(Input::Arrow(rows));
        }
        if data.hasattr("read")? {
            return Ok(Input::Reader(FileObject {
                file: data.clone().unbind(),
                buffer: VecDeque::new(),
                raised: raised.clone(),
            }));
        }
        let iterator =
            if data.is_instance_of::<PyDict>() { PyList::new(py, [data])?.try_iter() } else { data.try_iter() };
        let Ok(iterator) = iterator else {
            let error = Error::invalid(format!("cannot ingest a value of type {}", data.get_type().name()?));
            return Err(to_exception(
                error.with_hint("give a path, bytes, a file object, a DataFrame or Arrow stream, or dicts"),
            ));
        };
        Ok(Input::Rows(Rows {
            iterator: iterator.unbind(),
            pulled: VecDeque::new(),
            ended: false,
            raised: raised.clone(),
        }))
    }

    /// The form that the core reads; bytes are borrowed, never copied.
    pub(crate) fn data(&mut self) -> Data<'_> {
        match self {
            Input::Path(path) => Data::Path(path.clone()),
            Input::Bytes(bytes) => Data::Bytes(bytes),
            Input::Reader(file) => Data::Reader(Box::new(file)),
            Input::Arrow(rows) => Data::Values(Box::new(rows)),
            Input::Rows(rows) => Data::Values(Box::new(rows)),
        }
    }
}

/// A Python file object, binary or text.
pub(crate) struct FileObject {
    file: Py<PyAny>,
    buffer: VecDeque<u8>,
    raised: Raised,
}

impl Read for FileObject {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.buffer.is_empty() {
            let chunk = Python::attach(|py| -> PyResult<Vec<u8>> {
                let chunk = self.file.bind(py).call_method1("read", (BYTES_AT_ONCE,))?;
                if let Ok(text) = chunk.cast::<PyString>() {
                    Ok(text.to_str()?.as_bytes().to_vec())
                } else {
                    chunk.extract()
                }
            });
            match chunk {
                Ok(chunk) => self.buffer = chunk.into(),
                Err(error) => {
                    self.raised.put(error);
                    return Err(io::Error::other("the file object raised an exception"));
                }
            }
        }
        self.buffer.read(into)
    }
}

/// Dicts from any iterable.
pub(crate) struct Rows {
    iterator: Py<PyIterator>,
    pulled: VecDeque<Result<Value>>,
    ended: bool,
    raised: Raised,
}

impl Rows {
    fn pull(&mut self, py: Python<'_>) {
        let mut iterator = self.iterator.bind(py).clone();
        while !self.ended && self.pulled.len() < ROWS_AT_ONCE {
            let Some(row) = iterator.next() else {
                self.ended = true;
                return;
            };
            let row = row.map_err(values::Refusal::from).and_then(|row| values::from_python(&row));
            // A row that cannot be stored is that row's fault; an exception of the iterable ends the call.
            let row = row.map_err(|refusal| {
                refusal.into_error().unwrap_or_else(|raised| {
                    self.ended = true;
                    self.raised.put(raised);
                    Error::new(ErrorKind::Interrupted, "the iterable raised an exception")
                })
            });
            self.pulled.push_back(row);
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Result<Value>> {
        if self.pulled.is_empty() && !self.ended {
            Python::attach(|py| self.pull(py));
        }
        self.pulled.pop_front()
    }
}
