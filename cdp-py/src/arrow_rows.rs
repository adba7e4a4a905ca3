//! Any Arrow producer (pyarrow, pandas, polars, DuckDB) as rows for `ingest`, read batch by batch without the GIL.
//!
//! A missing value and a float NaN are null, as DataFrames mean them; times are RFC 3339 text in UTC. Must never guess:
//! a column type without a plain meaning is an error that names the column. The only module with `unsafe`.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::types as t;
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::{ArrowError, DataType, IntervalUnit, Schema, TimeUnit};
use cdp_core::records::{Number, NumberFault, Object, Timestamp, Value};
use cdp_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

/// The rows of an Arrow producer.
pub(crate) struct ArrowRows {
    batches: Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + Send>,
    batch: RecordBatch,
    row: usize,
}

impl ArrowRows {
    /// The rows of this object, or `None` if it speaks no Arrow.
    pub(crate) fn from_python(object: &Bound<'_, PyAny>) -> PyResult<Option<ArrowRows>> {
        let batches: Box<dyn Iterator<Item = _> + Send> = if object.hasattr("__arrow_c_stream__")? {
            Box::new(stream(&object.call_method0("__arrow_c_stream__")?.cast_into::<PyCapsule>()?)?)
        } else if object.hasattr("__arrow_c_array__")? {
            Box::new(std::iter::once(Ok(array(&object.call_method0("__arrow_c_array__")?.cast_into::<PyTuple>()?)?)))
        } else {
            return Ok(None);
        };
        Ok(Some(ArrowRows { batches, batch: RecordBatch::new_empty(Arc::new(Schema::empty())), row: 0 }))
    }
}

impl ArrowRows {
    /// The batches themselves, for who reads by columns.
    pub(crate) fn into_batches(self) -> impl Iterator<Item = Result<RecordBatch>> {
        self.batches.map(|batch| batch.map_err(|error| Error::new(ErrorKind::Io, unreadable(&error).message())))
    }
}

#[expect(unsafe_code, reason = "the Arrow C stream interface passes a pointer")]
fn stream(capsule: &Bound<'_, PyCapsule>) -> PyResult<RecordBatchStreamReader> {
    let pointer = capsule.pointer_checked(Some(c"arrow_array_stream"))?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: by the PyCapsule protocol a capsule of this name points to a valid ArrowArrayStream that lives as long as
    // the capsule; `from_raw` moves it out and leaves a released one behind, which the capsule's destructor accepts.
    unsafe { RecordBatchStreamReader::from_raw(pointer.as_ptr()) }.map_err(from_arrow)
}

#[expect(unsafe_code, reason = "the Arrow C data interface passes two pointers")]
fn array(capsules: &Bound<'_, PyTuple>) -> PyResult<RecordBatch> {
    let schema = capsules
        .get_item(0)?
        .cast_into::<PyCapsule>()?
        .pointer_checked(Some(c"arrow_schema"))?
        .cast::<FFI_ArrowSchema>();
    let array =
        capsules.get_item(1)?.cast_into::<PyCapsule>()?.pointer_checked(Some(c"arrow_array"))?.cast::<FFI_ArrowArray>();
    // SAFETY: by the PyCapsule protocol capsules of these names point to a valid schema and array that belong together
    // and live as long as the capsules; the schema is borrowed, the array is moved out and a released one left behind.
    let data = unsafe { from_ffi(FFI_ArrowArray::from_raw(array.as_ptr()), schema.as_ref()) }.map_err(from_arrow)?;
    match data.data_type() {
        DataType::Struct(_) => Ok(RecordBatch::from(StructArray::from(data))),
        _ => Err(crate::door::to_exception(Error::invalid(
            "a single Arrow array has no columns; give a table or record batch",
        ))),
    }
}

fn from_arrow(error: ArrowError) -> PyErr {
    crate::door::to_exception(unreadable(&error))
}

// The text of a foreign error may quote data, so only its kind is told.
fn unreadable(_: &ArrowError) -> Error {
    Error::invalid("the Arrow data cannot be read").with_hint("check that the producer's columns are of plain types")
}

impl Iterator for ArrowRows {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Result<Value>> {
        // Row by row: a DataFrame may be one batch of millions, and as values it would need many times its memory.
        while self.row >= self.batch.num_rows() {
            match self.batches.next()? {
                Ok(batch) => (self.batch, self.row) = (batch, 0),
                Err(error) => return Some(Err(Error::new(ErrorKind::Io, unreadable(&error).message()))),
            }
        }
        self.row += 1;
        Some(row(&self.batch, self.row - 1))
    }
}

fn row(batch: &RecordBatch, row: usize) -> Result<Value> {
    let mut object = Object::new();
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let value =
            cell(column.as_ref(), row).map_err(|what| Error::invalid(format!("column `{}`: {what}", field.name())))?;
        object.insert(field.name().clone(), value);
    }
    Ok(Value::Object(object))
}

type Cell = std::result::Result<Value, String>;

pub(crate) fn cell(array: &dyn Array, row: usize) -> Cell {
    use DataType as D;
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    macro_rules! integer {
        ($type:ty) => {
            number(Number::parse(&array.as_primitive::<$type>().value(row).to_string()))
        };
    }
    macro_rules! float {
        ($type:ty) => {{
            // By its shortest text in its own width: a float32 of 0.1 means 0.1.
            let float = array.as_primitive::<$type>().value(row);
            if float.is_nan() { Ok(Value::Null) } else { number(Number::parse(&float.to_string())) }
        }};
    }
    macro_rules! time {
        ($type:ty, $per_second:expr) => {{
            let time = i128::from(array.as_primitive::<$type>().value(row));
            instant((time * 1000).div_euclid($per_second))
        }};
    }
    match array.data_type() {
        D::Null => Ok(Value::Null),
        D::Boolean => Ok(Value::Bool(array.as_boolean().value(row))),
        D::Int8 => integer!(t::Int8Type),
        D::Int16 => integer!(t::Int16Type),
        D::Int32 => integer!(t::Int32Type),
        D::Int64 => integer!(t::Int64Type),
        D::UInt8 => integer!(t::UInt8Type),
        D::UInt16 => integer!(t::UInt16Type),
        D::UInt32 => integer!(t::UInt32Type),
        D::UInt64 => integer!(t::UInt64Type),
        D::Float16 => float!(t::Float16Type),
        D::Float32 => float!(t::Float32Type),
        D::Float64 => float!(t::Float64Type),
        D::Decimal128(..) => number(Number::parse(&array.as_primitive::<t::Decimal128Type>().value_as_string(row))),
        D::Decimal256(..) => number(Number::parse(&array.as_primitive::<t::Decimal256Type>().value_as_string(row))),
        D::Utf8 => Ok(Value::from(array.as_string::<i32>().value(row))),
        D::LargeUtf8 => Ok(Value::from(array.as_string::<i64>().value(row))),
        D::Utf8View => Ok(Value::from(array.as_string_view().value(row))),
        D::Timestamp(TimeUnit::Second, _) => time!(t::TimestampSecondType, 1),
        D::Timestamp(TimeUnit::Millisecond, _) => time!(t::TimestampMillisecondType, 1_000),
        D::Timestamp(TimeUnit::Microsecond, _) => time!(t::TimestampMicrosecondType, 1_000_000),
        D::Timestamp(TimeUnit::Nanosecond, _) => time!(t::TimestampNanosecondType, 1_000_000_000),
        D::Date32 => instant(i128::from(array.as_primitive::<t::Date32Type>().value(row)) * 86_400_000),
        D::Date64 => instant(i128::from(array.as_primitive::<t::Date64Type>().value(row))),
        D::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = cell(dictionary.keys(), row)?;
            let key = key.as_number().and_then(Number::as_i64).and_then(|key| usize::try_from(key).ok());
            key.map_or(Ok(Value::Null), |key| cell(dictionary.values().as_ref(), key))
        }
        D::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let object = columns.map(|(field, column)| Ok((field.name().clone(), cell(column.as_ref(), row)?)));
            Ok(Value::Object(object.collect::<std::result::Result<_, String>>()?))
        }
        D::List(_) => list(array.as_list::<i32>().value(row).as_ref()),
        D::LargeList(_) => list(array.as_list::<i64>().value(row).as_ref()),
        D::FixedSizeList(..) => list(array.as_fixed_size_list().value(row).as_ref()),
        D::Interval(IntervalUnit::MonthDayNano) | D::Duration(_) => {
            Err("a duration cannot be stored; convert it to a number".to_owned())
        }
        D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => {
            Err("bytes cannot be stored; decode them to text".to_owned())
        }
        other => Err(format!("a value of Arrow type {other} cannot be stored; convert it to text or a number")),
    }
}

fn list(items: &dyn Array) -> Cell {
    Ok(Value::List((0..items.len()).map(|item| cell(items, item)).collect::<std::result::Result<_, _>>()?))
}

fn number(parsed: std::result::Result<Number, NumberFault>) -> Cell {
    parsed
        .map(Value::Number)
        .map_err(|_| "a number that is not finite or lies further from zero than 1e20 cannot be stored".to_owned())
}

fn instant(millis: i128) -> Cell {
    let time = i64::try_from(millis).ok().and_then(|millis| Timestamp::checked_from_millis(millis).ok());
    time.map(|time| Value::Text(time.to_string()))
        .ok_or_else(|| "a time outside the years 1900 to 2200 cannot be stored".to_owned())
}
