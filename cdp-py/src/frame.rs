//! A table of the core as Arrow, through the PyCapsule stream protocol that pyarrow, pandas, polars and DuckDB read.
//!
//! Columns go out in one batch without becoming Python objects. Must never change a value: an amount is the nearest
//! float64, or decimal128 with nine places where the caller asked for exact numbers.

use std::sync::Arc;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, PrimitiveArray, RecordBatch,
    RecordBatchIterator, RecordBatchOptions, StringArray,
};
use arrow_schema::{ArrowError, Field, Schema};
use cdp_core::Error;
use cdp_core::records::{Cells, Frame as Table, Number, Timestamp};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList};

use crate::door::enter;
use crate::values;

/// A table of results.
#[pyclass(frozen, module = "cdp._native")]
pub(crate) struct Frame {
    table: Arc<Table>,
    exact: bool,
}

impl Frame {
    pub(crate) fn new(table: Table) -> Frame {
        Frame { table: Arc::new(table), exact: false }
    }
}

#[pymethods]
impl Frame {
    /// The same table with amounts as exact decimals instead of floats.
    fn exact(&self) -> Frame {
        Frame { table: Arc::clone(&self.table), exact: true }
    }

    fn __len__(&self) -> usize {
        self.table.n_rows()
    }

    /// The names of the columns.
    #[getter]
    fn columns(&self) -> Vec<&str> {
        self.table.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// The cursor of the next page, or None.
    #[getter]
    fn next(&self) -> Option<&str> {
        self.table.next.as_deref()
    }

    /// Facts about the table as a whole.
    #[getter]
    fn about<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        values::object_to_python(py, &self.table.about)
    }

    /// One row as a dict; instants are datetimes in UTC.
    fn row<'py>(&self, py: Python<'py>, row: usize) -> PyResult<Bound<'py, PyDict>> {
        if row >= self.table.n_rows() {
            return Err(PyIndexError::new_err("row out of range"));
        }
        let dict = PyDict::new(py);
        for column in &self.table.columns {
            dict.set_item(&column.name, self.cell(py, &column.cells, row)?)?;
        }
        Ok(dict)
    }

    /// One column as a list.
    fn column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyList>>> {
        let Some(cells) = self.table.column(name) else { return Ok(None) };
        let list = PyList::empty(py);
        for row in 0..cells.len() {
            list.append(self.cell(py, cells, row)?)?;
        }
        Ok(Some(list))
    }

    /// The table as an Arrow stream of one batch.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The protocol lets a producer ignore the wish and leaves the cast to the consumer.
        let _ = requested_schema;
        let stream = enter(py, || {
            let batch = batch(&self.table, self.exact)
                .map_err(|error| Error::internal(format!("cannot lay out the table: {error}")))?;
            let schema = batch.schema();
            Ok(FFI_ArrowArrayStream::new(Box::new(RecordBatchIterator::new([Ok(batch)], schema))))
        })?;
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }
}

impl Frame {
    fn cell<'py>(&self, py: Python<'py>, cells: &Cells, row: usize) -> PyResult<Bound<'py, PyAny>> {
        match cells {
            Cells::Timestamp(times) => match times.get(row).copied().flatten() {
                Some(time) => values::millis_to_python(py, time.millis()),
                None => Ok(py.None().into_bound(py)),
            },
            Cells::Decimal(numbers) => match numbers.get(row).copied().flatten() {
                Some(number) if self.exact => values::number_to_decimal(py, number),
                Some(number) => Ok(number.to_f64().into_pyobject(py)?.into_any()),
                None => Ok(py.None().into_bound(py)),
            },
            Cells::Float64(floats) => Ok(floats.get(row).copied().flatten().into_pyobject(py)?),
            cells => values::to_python(py, &cells.value(row)),
        }
    }
}

fn batch(table: &Table, exact: bool) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(table.columns.len());
    let mut arrays = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let array = array(&column.cells, exact)?;
        fields.push(Field::new(&column.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(table.n_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
}

fn array(cells: &Cells, exact: bool) -> Result<ArrayRef, ArrowError> {
    Ok(match cells {
        Cells::Bool(cells) => Arc::new(BooleanArray::from_iter(cells.iter().copied())),
        Cells::Int64(cells) => Arc::new(Int64Array::from_iter(cells.iter().copied())),
        Cells::Decimal(cells) if exact => {
            let nanos = cells.iter().map(|cell| cell.map(Number::nanos));
            Arc::new(Decimal128Array::from_iter(nanos).with_precision_and_scale(38, 9)?)
        }
        Cells::Decimal(cells) => Arc::new(Float64Array::from_iter(cells.iter().map(|cell| cell.map(Number::to_f64)))),
        Cells::Float64(cells) => Arc::new(Float64Array::from_iter(cells.iter().copied())),
        Cells::Text(cells) => Arc::new(StringArray::from_iter(cells.iter().map(Option::as_deref))),
        Cells::Timestamp(cells) => {
            let millis = cells.iter().map(|cell| cell.map(Timestamp::millis));
            Arc::new(PrimitiveArray::<TimestampMillisecondType>::from_iter(millis).with_timezone("UTC"))
        }
    })
}
