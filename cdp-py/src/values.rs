//! Python objects to [`Value`] and back, without JSON text in between.
//!
//! Strict on the way in: what cannot be stored as it is (bytes, NaN, a key that is no text) is an `invalid` error with
//! the pointer to the place, never a silent change. Must never hold a rule of the product, nor put a value in an error.

use cdp_core::records::{MAX_DEPTH, Number, NumberFault, Object, Value};
use cdp_core::{Error, Fault};
use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple, PyType};

/// Why an object is not a [`Value`]: it cannot be stored (with the JSON pointer to it), or its own code raised.
pub(crate) enum Refusal {
    Fault { pointer: String, message: String },
    Raised(PyErr),
}

impl Refusal {
    fn new(message: impl Into<String>) -> Refusal {
        Refusal::Fault { pointer: String::new(), message: message.into() }
    }

    fn below(self, key: &str) -> Refusal {
        match self {
            Refusal::Fault { pointer, message } => {
                Refusal::Fault { pointer: format!("/{}{pointer}", key.replace('~', "~0").replace('/', "~1")), message }
            }
            raised => raised,
        }
    }

    /// The error of the core that says the same, unless Python code raised.
    pub(crate) fn into_error(self) -> Result<Error, PyErr> {
        match self {
            Refusal::Fault { pointer, message } => {
                Ok(Error::from_faults("the value", vec![Fault { pointer, message }]))
            }
            Refusal::Raised(raised) => Err(raised),
        }
    }
}

impl From<PyErr> for Refusal {
    fn from(raised: PyErr) -> Refusal {
        Refusal::Raised(raised)
    }
}

type Walked = Result<Value, Refusal>;

/// The object as a value.
pub(crate) fn from_python(object: &Bound<'_, PyAny>) -> Walked {
    walk(object, 0)
}

fn walk(object: &Bound<'_, PyAny>, depth: usize) -> Walked {
    if object.is_none() {
        Ok(Value::Null)
    } else if let Ok(text) = object.cast::<PyString>() {
        Ok(Value::Text(text_of(text)?))
    } else if let Ok(truth) = object.cast::<PyBool>() {
        // Before int, because True is one.
        Ok(Value::Bool(truth.is_true()))
    } else if let Ok(integer) = object.cast::<PyInt>() {
        match integer.extract::<i64>() {
            Ok(integer) => Ok(Value::integer(integer)),
            Err(_) => integer_beyond_64_bits(integer),
        }
    } else if let Ok(float) = object.cast::<PyFloat>() {
        Ok(Value::Number(Number::from_f64(float.value()).map_err(number_fault)?))
    } else if let Ok(object) = object.cast::<PyDict>() {
        let mut fields = Fields::new(depth)?;
        for (key, value) in object {
            fields.add(&key, &value)?;
        }
        Ok(Value::Object(fields.object))
    } else if let Ok(list) = object.cast::<PyList>() {
        items(list.iter(), depth)
    } else if let Ok(tuple) = object.cast::<PyTuple>() {
        items(tuple.iter(), depth)
    } else {
        walk_other(object, depth)
    }
}

// Types that JSON does not know.
fn walk_other(object: &Bound<'_, PyAny>, depth: usize) -> Walked {
    static PLAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static UNSTORABLE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = object.py();
    if object.is_instance(decimal(py)?)? {
        return Ok(Value::Number(Number::parse(object.str()?.to_str()?).map_err(number_fault)?));
    }
    if object.is_instance_of::<PySet>() || object.is_instance_of::<PyFrozenSet>() {
        let mut list = items(object.try_iter()?.collect::<PyResult<Vec<_>>>()?.into_iter(), depth)?;
        if let Value::List(items) = &mut list {
            // A set has no order of its own, and the same facts must hash alike in every process.
            items.sort_by_cached_key(Value::to_json);
        }
        return Ok(list);
    }
    match PLAIN.import(py, "cdp._values", "plain")?.call1((object,)) {
        Ok(plain) => walk(&plain, depth),
        Err(raised) if raised.is_instance(py, UNSTORABLE.import(py, "cdp._values", "Unstorable")?) => {
            Err(Refusal::new(raised.value(py).to_string()))
        }
        Err(raised) => Err(raised.into()),
    }
}

fn decimal(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static DECIMAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    DECIMAL.import(py, "decimal", "Decimal")
}

struct Fields {
    object: Object,
    depth: usize,
}

impl Fields {
    fn new(depth: usize) -> Result<Fields, Refusal> {
        check_depth(depth)?;
        Ok(Fields { object: Object::new(), depth })
    }

    fn add(&mut self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> Result<(), Refusal> {
        let Ok(key) = key.cast::<PyString>() else {
            return Err(Refusal::new(format!("a key must be text, not {}", key.get_type().name()?)));
        };
        let key = text_of(key)?;
        let value = walk(value, self.depth + 1).map_err(|refusal| refusal.below(&key))?;
        self.object.insert(key, value);
        Ok(())
    }
}

fn items<'py>(items: impl Iterator<Item = Bound<'py, PyAny>>, depth: usize) -> Walked {
    check_depth(depth)?;
    let walked =
        items.enumerate().map(|(at, item)| walk(&item, depth + 1).map_err(|refusal| refusal.below(&at.to_string())));
    Ok(Value::List(walked.collect::<Result<_, _>>()?))
}

fn check_depth(depth: usize) -> Result<(), Refusal> {
    if depth < MAX_DEPTH { Ok(()) } else { Err(Refusal::new(format!("nested deeper than {MAX_DEPTH} levels"))) }
}

fn text_of(text: &Bound<'_, PyString>) -> Result<String, Refusal> {
    match text.to_str() {
        Ok(text) => Ok(text.to_owned()),
        Err(raised) if raised.is_instance_of::<PyUnicodeEncodeError>(text.py()) => {
            Err(Refusal::new("text with half of a surrogate pair is not Unicode and cannot be stored"))
        }
        Err(raised) => Err(raised.into()),
    }
}

fn integer_beyond_64_bits(integer: &Bound<'_, PyInt>) -> Walked {
    match integer.extract::<i128>() {
        Ok(integer) => Ok(Value::Number(Number::parse(&integer.to_string()).map_err(number_fault)?)),
        Err(_) => Err(number_fault(NumberFault::TooLarge)),
    }
}

fn number_fault(fault: NumberFault) -> Refusal {
    Refusal::new(match fault {
        NumberFault::TooLarge => "a number further from zero than 1e20 cannot be stored",
        NumberFault::NotANumber => "a number that is not finite cannot be stored; use None where it is missing",
    })
}

/// The value as Python sees it: whole numbers as `int`, others as the nearest `float`.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(truth) => PyBool::new(py, *truth).to_owned().into_any(),
        Value::Number(number) => number_to_python(py, *number)?,
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::List(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(object) => object_to_python(py, object)?.into_any(),
    })
}

/// An object as a dict.
pub(crate) fn object_to_python<'py>(py: Python<'py>, object: &Object) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in object {
        dict.set_item(key, to_python(py, value)?)?;
    }
    Ok(dict)
}

fn number_to_python(py: Python<'_>, number: Number) -> PyResult<Bound<'_, PyAny>> {
    const NANO: i128 = 1_000_000_000;
    Ok(match number.as_i64() {
        Some(integer) => integer.into_pyobject(py)?.into_any(),
        None if number.nanos() % NANO == 0 => (number.nanos() / NANO).into_pyobject(py)?.into_any(),
        None => number.to_f64().into_pyobject(py)?.into_any(),
    })
}

/// The exact decimal as `decimal.Decimal`.
pub(crate) fn number_to_decimal(py: Python<'_>, number: Number) -> PyResult<Bound<'_, PyAny>> {
    decimal(py)?.call1((number.to_string(),))
}

/// An instant as a `datetime` in UTC.
pub(crate) fn millis_to_python(py: Python<'_>, millis: i64) -> PyResult<Bound<'_, PyAny>> {
    static FROM_MILLISECONDS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    FROM_MILLISECONDS.import(py, "cdp._values", "from_milliseconds")?.call1((millis,))
}
