//! Record linkage for Python: frames in, a result that answers questions out. No store is needed.
//!
//! Arrow columns go in as text without becoming Python objects. Must never hold a rule of linkage, and never show a value.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use cdp_core::definitions::{ColumnRole, LinkageDefinition};
use cdp_core::linkage::{
    ColumnRoles, Decisions, Evaluation, Labels, Links as Linked, PairExplanation, Records, Scores, Side, link_deciding,
};
use cdp_core::records::{Cells, Frame as Table, Object, Value};
use cdp_core::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrow_rows::{ArrowRows, cell};
use crate::data::{Input, Raised};
use crate::door::{enter, to_exception, value};
use crate::frame::Frame;
use crate::values;

/// What linking found.
#[pyclass(frozen, module = "cdp._native")]
pub(crate) struct Links {
    links: Linked,
    integers: bool,
}

struct Source {
    records: Records,
    integers: bool,
}

/// A value as the text that linkage compares; empty if it is missing.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.clone(),
        other => other.to_json(),
    }
}

fn records_of_rows(rows: Vec<Object>, id: Option<&str>) -> Result<Source> {
    // The first row's columns first, then those that only later rows have.
    let mut columns: Vec<String> = Vec::new();
    for row in &rows {
        for column in row.keys().filter(|column| Some(column.as_str()) != id) {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
    }
    let mut records = Records::new(columns.iter().cloned());
    let mut integers = true;
    for (number, row) in rows.iter().enumerate() {
        let name = match id {
            None => number.to_string(),
            Some(id) => {
                let name = row.get(id).ok_or_else(|| missing_id(id, &columns))?;
                integers &= name.as_number().is_some();
                text_of(name)
            }
        };
        let texts: Vec<String> =
            columns.iter().map(|column| row.get(column).map(text_of).unwrap_or_default()).collect();
        records.push(&name, texts.iter().map(String::as_str))?;
    }
    Ok(Source { records, integers })
}

fn missing_id(id: &str, columns: &[String]) -> Error {
    Error::invalid(format!("no column named `{id}` for the record identifiers"))
        .with_hint(format!("columns: {}", columns.join(", ")))
}

/// A column of a batch as texts; plain text is borrowed.
fn texts<'b>(batch: &'b RecordBatch, column: usize) -> Result<Vec<std::borrow::Cow<'b, str>>> {
    use std::borrow::Cow;
    let array: &'b dyn Array = batch.column(column).as_ref();
    let n = array.len();
    fn borrowed<'b>(n: usize, array: &'b dyn Array, get: impl Fn(usize) -> &'b str) -> Vec<Cow<'b, str>> {
        (0..n).map(|row| Cow::Borrowed(if array.is_null(row) { "" } else { get(row) })).collect()
    }
    match array.data_type() {
        DataType::Utf8 => {
            let text = array.as_string::<i32>();
            Ok(borrowed(n, array, |row| text.value(row)))
        }
        DataType::LargeUtf8 => {
            let text = array.as_string::<i64>();
            Ok(borrowed(n, array, |row| text.value(row)))
        }
        DataType::Utf8View => {
            let text = array.as_string_view();
            Ok(borrowed(n, array, |row| text.value(row)))
        }
        _ => (0..n)
            .map(|row| match cell(array, row) {
                Ok(value) => Ok(Cow::Owned(text_of(&value))),
                Err(what) => {
                    Err(Error::invalid(format!("column `{}`: {what}", batch.schema_ref().field(column).name())))
                }
            })
            .collect(),
    }
}

fn records_of_arrow(rows: ArrowRows, id: Option<&str>) -> Result<Source> {
    let mut made: Option<(Records, Vec<usize>, Option<usize>)> = None;
    let mut integers = true;
    let mut number = 0_usize;
    let batches = rows.into_batches().collect::<Result<Vec<RecordBatch>>>()?;
    if let Some(schema) = batches.first().map(RecordBatch::schema) {
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let place =
            id.map(|id| names.iter().position(|name| name == id).ok_or_else(|| missing_id(id, &names))).transpose()?;
        let kept: Vec<usize> = (0..names.len()).filter(|column| Some(*column) != place).collect();
        integers = place.is_none_or(|place| schema.field(place).data_type().is_integer());
        let columns = kept.iter().filter_map(|column| names.get(*column).cloned());
        made = Some((Records::new(columns), kept, place));
    }
    let Some((mut records, kept, place)) = made else { return Ok(Source { records: Records::default(), integers }) };
    for batch in &batches {
        let columns = kept.iter().map(|column| texts(batch, *column)).collect::<Result<Vec<_>>>()?;
        let ids = place.map(|place| texts(batch, place)).transpose()?;
        for row in 0..batch.num_rows() {
            let name = match &ids {
                Some(ids) => ids.get(row).map(|id| id.to_string()).unwrap_or_default(),
                None => number.to_string(),
            };
            records.push(&name, columns.iter().map(|column| column.get(row).map_or("", |text| text)))?;
            number += 1;
        }
    }
    Ok(Source { records, integers })
}

fn source(py: Python<'_>, data: &Bound<'_, PyAny>, id: Option<&str>) -> PyResult<Source> {
    if let Some(rows) = ArrowRows::from_python(data)? {
        return enter(py, || records_of_arrow(rows, id));
    }
    let raised = Raised::default();
    let Input::Rows(rows) = Input::from_python(data, &raised)? else {
        let error = Error::invalid("records to link are a DataFrame, an Arrow table or dicts");
        return Err(to_exception(error.with_hint("read a file into a DataFrame first")));
    };
    let read: Result<Vec<Object>> = rows
        .map(|row| match row? {
            Value::Object(row) => Ok(row),
            _ => Err(Error::invalid("a record is a dict from column to value")),
        })
        .collect();
    match (read, raised.take()) {
        (Err(_), Some(raised)) => Err(raised),
        (read, _) => enter(py, || records_of_rows(read?, id)),
    }
}

fn roles(given: BTreeMap<String, String>) -> Result<ColumnRoles> {
    let role = |(column, word): (String, String)| match ColumnRole::parse(&word) {
        Some(role) => Ok((column, role)),
        None => {
            let known = ColumnRole::ALL.map(|(word, _)| word).join(", ");
            Err(Error::invalid(format!("column `{column}` has an unknown role: {word}"))
                .with_hint(format!("roles: {known}")))
        }
    };
    given.into_iter().map(role).collect()
}

fn object<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::object(pairs)
}

fn scores(of: &Scores) -> Value {
    object([
        ("precision", Value::float(of.precision)),
        ("recall", Value::float(of.recall)),
        ("f1", Value::float(of.f1)),
    ])
}

fn explanation(of: &PairExplanation, band: &str) -> Value {
    let parts = of.parts.iter().map(|part| {
        object([
            ("part", Value::from(part.part.as_str())),
            ("level", part.level.map_or(Value::Null, Value::from)),
            ("m", part.m.map_or(Value::Null, Value::float)),
            ("u", part.u.map_or(Value::Null, Value::float)),
            ("weight", Value::float(part.weight)),
        ])
    });
    object([
        ("weight", Value::float(of.weight)),
        ("probability", Value::float(of.probability)),
        ("band", Value::from(band)),
        ("parts", Value::List(parts.collect())),
        ("rules", Value::List(of.rules.iter().map(|rule| Value::from(*rule)).collect())),
    ])
}

/// The columns of identifiers of both sources, and the roles of columns of both.
type Naming = ((Option<String>, Option<String>), [BTreeMap<String, String>; 2]);
/// Pairs that must and pairs that must not be linked.
type Decided = (Vec<(String, String)>, Vec<(String, String)>);

#[pymethods]
impl Links {
    /// Links one source, or two.
    #[new]
    #[pyo3(signature = (left, right, naming, linkage, decisions, seed))]
    fn link(
        py: Python<'_>,
        left: &Bound<'_, PyAny>,
        right: Option<&Bound<'_, PyAny>>,
        naming: Naming,
        linkage: Option<&Bound<'_, PyAny>>,
        decisions: Decided,
        seed: u64,
    ) -> PyResult<Links> {
        let (record_id, [of_left, of_right]) = naming;
        let linkage = linkage.map(value).transpose()?;
        let left = source(py, left, record_id.0.as_deref())?;
        let right = right.map(|right| source(py, right, record_id.1.as_deref())).transpose()?;
        let integers = left.integers && right.as_ref().is_none_or(|right| right.integers);
        let links = enter(py, || {
            let linkage = linkage
                .map_or_else(|| Ok(LinkageDefinition::default()), |of| LinkageDefinition::from_json(&of.to_json()))?;
            let (one, two) = (roles(of_left)?, roles(of_right)?);
            let sources: Vec<&Records> =
                [Some(&left.records), right.as_ref().map(|right| &right.records)].into_iter().flatten().collect();
            let decisions = Decisions { must_link: decisions.0, cannot_link: decisions.1 };
            link_deciding(&sources, &[&one, &two], &linkage, &decisions, seed)
        })?;
        Ok(Links { links, integers })
    }

    fn __len__(&self) -> usize {
        self.links.len()
    }

    /// `record_id`, `cluster_id`; of two sources also `source`.
    fn clusters(&self, py: Python<'_>) -> PyResult<Frame> {
        enter(py, || Ok(self.frame(self.links.clusters_frame())))
    }

    /// `left`, `right`, `weight`, `probability`, `band`, `linked`.
    fn pairs(&self, py: Python<'_>) -> PyResult<Frame> {
        enter(py, || Ok(self.frame(self.links.pairs_frame())))
    }

    /// The stored form of the model.
    fn model_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.links.model().to_bytes())
    }

    /// The model in words.
    fn model_lines(&self) -> Vec<String> {
        self.links.model().describe()
    }

    /// The verdict, what was recognized, what blocking did.
    fn quality<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let recognized = self.links.recognized().iter().map(|columns| {
            let columns = columns.iter().map(|of| {
                object([
                    ("column", Value::from(of.column.as_str())),
                    ("role", Value::from(of.role.as_str())),
                    ("found_by", Value::from(of.found_by.as_str())),
                ])
            });
            Value::List(columns.collect())
        });
        let blocking = self.links.blocking().iter().map(|rule| {
            object([
                ("rule", Value::from(rule.rule)),
                ("pairs", Value::count(rule.n_pairs as usize)),
                ("blocks_left_out", Value::count(rule.n_blocks_left_out as usize)),
                ("largest_block_used", Value::count(rule.largest_block_used as usize)),
            ])
        });
        let mut told = self.links.quality().to_object();
        told.insert("blocking".to_owned(), Value::List(blocking.collect()));
        told.insert("recognized".to_owned(), Value::List(recognized.collect()));
        Ok(values::object_to_python(py, &told)?.into_any())
    }

    /// The parts of a pair's weight.
    fn explain<'py>(&self, py: Python<'py>, left: &str, right: &str) -> PyResult<Bound<'py, PyAny>> {
        let why = enter(py, || self.links.explain(left, right))?;
        let told = explanation(&why, self.links.band(why.weight).as_str());
        let told = values::to_python(py, &told)?;
        // Exact floats, so that the parts add up to the weight to the bit.
        told.set_item("weight", why.weight)?;
        told.set_item("probability", why.probability)?;
        let parts = told.get_item("parts")?;
        for (place, part) in why.parts.iter().enumerate() {
            parts.get_item(place)?.set_item("weight", part.weight)?;
        }
        Ok(told)
    }

    /// How good the links are against labels; those of persons may say whether the record is of the `left` or the `right`.
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        persons: Option<Vec<(Option<String>, String, String)>>,
        pairs: Option<Vec<(String, String, bool)>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let found = enter(py, || {
            let labels = match pairs {
                Some(pairs) => Labels::Pairs(pairs),
                None => {
                    let persons = persons.unwrap_or_default().into_iter().map(|label| self.sided(label));
                    Labels::PersonsOf(persons.collect::<Result<_>>()?)
                }
            };
            self.links.evaluate(&labels)
        })?;
        values::to_python(py, &self.evaluation(&found))
    }
}

impl Links {
    /// A label of a person with its side; records of one source have none.
    fn sided(&self, label: (Option<String>, String, String)) -> Result<(Option<Side>, String, String)> {
        let (side, id, person) = label;
        let side = side.filter(|_| self.links.is_of_two()).map(|word| {
            Side::parse(&word).ok_or_else(|| {
                Error::invalid("the `source` of a label is neither \"left\" nor \"right\"")
                    .with_hint("give the frame that the record stands in, as `clusters` does")
            })
        });
        Ok((side.transpose()?, id, person))
    }

    fn evaluation(&self, found: &Evaluation) -> Value {
        let at = |(threshold, of): &(f64, Scores)| {
            object([
                ("probability", Value::float(*threshold)),
                ("precision", Value::float(of.precision)),
                ("recall", Value::float(of.recall)),
                ("f1", Value::float(of.f1)),
            ])
        };
        let worst = found.worst.iter().map(|(left, right, why)| {
            object([
                ("left", Value::from(left.as_str())),
                ("right", Value::from(right.as_str())),
                ("explanation", explanation(why, self.links.band(why.weight).as_str())),
            ])
        });
        object([
            ("true_pairs", Value::count(found.n_true_pairs as usize)),
            ("blocking_recall", Value::float(found.blocking_recall)),
            ("kept_recall", Value::float(found.kept_recall)),
            ("thresholds", Value::List(found.thresholds.iter().map(at).collect())),
            ("best", at(&found.best)),
            ("clusters", scores(&found.clusters)),
            ("b_cubed", scores(&found.b_cubed)),
            ("largest_cluster", Value::count(found.largest_clusters.0 as usize)),
            ("largest_true_cluster", Value::count(found.largest_clusters.1 as usize)),
            ("worst", Value::List(worst.collect())),
        ])
    }

    // Identifiers that came as integers leave as integers. Clusters of two sources keep their side, which takes text.
    fn frame(&self, mut table: Table) -> Frame {
        if self.integers {
            for column in &mut table.columns {
                let is_id = match column.name.as_str() {
                    "cluster_id" => !self.links.is_of_two(),
                    name => ["record_id", "left", "right"].contains(&name),
                };
                if let Cells::Text(texts) = &column.cells
                    && is_id
                {
                    let numbers: Vec<Option<i64>> = texts.iter().map(|text| text.as_deref()?.parse().ok()).collect();
                    if numbers.iter().all(Option::is_some) {
                        column.cells = Cells::Int64(numbers);
                    }
                }
            }
        }
        Frame::new(table)
    }
}
