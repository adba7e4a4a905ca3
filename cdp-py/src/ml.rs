//! The learned half without a store: texts and labels in, a model out, arrays as bytes.
//!
//! Holds a [`CohortModel`] of the core for the estimators in `cdp.ml`. Arrays cross as the bytes of little-endian numbers,
//! which numpy reads without a copy and `array` reads without numpy; no third-party package is needed here.

use cdp_core::definitions::{Body, Definition};
use cdp_core::predict::zero_shot::{DescribedCohort, LexicalScorer, Patience, Scorer, assign};
use cdp_core::predict::{CohortModel, Document, TrainingOptions, TrainingTexts};
use cdp_core::records::Value;
use cdp_core::{Error, Result};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::door::{enter, to_exception, value};
use crate::values;

/// Terms with what each contributes.
type Terms = Vec<(String, f64)>;

/// A trained model.
#[pyclass(frozen, module = "cdp._native")]
pub(crate) struct TextModel {
    model: CohortModel,
}

/// One text, or several that no term spans.
enum Texts {
    One(PyBackedStr),
    Many(Vec<PyBackedStr>),
}

impl Document for Texts {
    fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = match self {
            Texts::One(text) => std::slice::from_ref(text),
            Texts::Many(texts) => texts.as_slice(),
        };
        texts.iter().map(|text| &**text)
    }
}

fn documents(texts: &Bound<'_, PyAny>) -> PyResult<Vec<Texts>> {
    if texts.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err("expected a list of texts, not one text"));
    }
    texts.try_iter()?.map(|text| document(&text?)).collect()
}

fn document(text: &Bound<'_, PyAny>) -> PyResult<Texts> {
    if let Ok(text) = text.cast::<PyString>() {
        return Ok(Texts::One(text.clone().try_into()?));
    }
    let wrong = |_| PyTypeError::new_err("a document is a text or a list of texts");
    Ok(Texts::Many(text.extract().map_err(wrong)?))
}

/// The definition of a cohort predictor with these settings.
fn options(settings: &Bound<'_, PyDict>) -> PyResult<TrainingOptions> {
    let mut settings = value(settings.as_any())?;
    if let Value::Object(object) = &mut settings {
        for (name, text) in [("kind", "predictor"), ("name", "estimator"), ("task", "cohort")] {
            object.insert(name.to_owned(), Value::from(text));
        }
        let field = Value::object([("trait", Value::from("text"))]);
        object.insert("label".to_owned(), field.clone());
        object.insert("text".to_owned(), Value::List(vec![field]));
    }
    match Definition::parse(&settings.to_json()).map_err(to_exception)?.body {
        Body::Predictor(definition) => Ok(TrainingOptions::from(&definition)),
        _ => Err(to_exception(Error::internal("the settings are of another definition"))),
    }
}

#[pymethods]
impl TextModel {
    /// Trains on texts and their classes; `settings` are the fields of a predictor definition.
    #[staticmethod]
    #[pyo3(signature = (texts, labels, settings, weights, earlier))]
    fn fit(
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        labels: Vec<String>,
        settings: &Bound<'_, PyDict>,
        weights: Option<Vec<f64>>,
        earlier: Option<PyRef<'_, TextModel>>,
    ) -> PyResult<TextModel> {
        let (options, documents) = (options(settings)?, documents(texts)?);
        let earlier = earlier.as_ref().map(|earlier| &earlier.model);
        let model = enter(py, || {
            let texts = TrainingTexts { documents: &documents, labels: &labels, weights: weights.as_deref() };
            CohortModel::train(&options, &texts, earlier)
        })?;
        Ok(TextModel { model })
    }

    /// The model in these bytes.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, bytes: &[u8]) -> PyResult<TextModel> {
        let bytes = bytes.to_vec();
        enter(py, || CohortModel::from_bytes(&bytes)).map(|model| TextModel { model })
    }

    /// The bytes that name and keep the model.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = enter(py, || Ok(self.model.to_bytes()))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The hash of the bytes as hexadecimal text.
    fn content_hash(&self) -> String {
        self.model.content_hash().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// float64 probabilities, a row for each text.
    fn probabilities<'py>(&self, py: Python<'py>, texts: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        self.numbers(py, texts, |documents| self.model.all_probabilities(documents))
    }

    /// float64 logits, a row for each text.
    fn logits<'py>(&self, py: Python<'py>, texts: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        self.numbers(py, texts, |documents| self.model.all_logits(documents))
    }

    /// The place of the most probable class of each text, as uint32.
    fn places<'py>(&self, py: Python<'py>, texts: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let documents = documents(texts)?;
        let places = enter(py, || self.model.places(&documents))?;
        Ok(PyBytes::new(py, &places.iter().flat_map(|place| place.to_le_bytes()).collect::<Vec<u8>>()))
    }

    /// TF-IDF values in compressed rows: row ends (uint64, with a leading 0), columns (uint32), values (float64).
    fn transform<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let documents = documents(texts)?;
        let records = enter(py, || self.model.vectorizer().transform_all(&documents))?;
        let mut starts = vec![0u64];
        let (mut all_columns, mut all_values) = (Vec::new(), Vec::new());
        for (columns, values) in records.rows() {
            columns.iter().for_each(|column| all_columns.extend_from_slice(&column.to_le_bytes()));
            values.iter().for_each(|value| all_values.extend_from_slice(&value.to_le_bytes()));
            starts.push((all_columns.len() / 4) as u64);
        }
        let starts: Vec<u8> = starts.iter().flat_map(|start| start.to_le_bytes()).collect();
        Ok((PyBytes::new(py, &starts), PyBytes::new(py, &all_columns), PyBytes::new(py, &all_values)))
    }

    /// Why a text has its logit for a class: intercept, [(term, contribution)], logit.
    fn explain(&self, text: &Bound<'_, PyAny>, label: &str) -> PyResult<(f64, Terms, f64)> {
        let explanation = self.model.explain(&document(text)?, label).map_err(to_exception)?;
        let contributions = explanation.contributions.into_iter().map(|part| (part.term, part.logit)).collect();
        Ok((explanation.intercept, contributions, explanation.logit))
    }

    /// The classes, sorted.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.model.classes().to_vec()
    }

    /// The terms, sorted.
    #[getter]
    fn terms(&self) -> Vec<&str> {
        self.model.vectorizer().terms().iter().map(|term| &**term).collect()
    }

    /// The smooth inverse document frequency of each term, as float64.
    #[getter]
    fn idf<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &little_endian(self.model.vectorizer().idf()))
    }

    /// The weights, all classes of the first term, then of the next, and the intercepts, as float32.
    #[getter]
    fn weights<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
        let bytes = |numbers: &[f32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        let (weights, intercepts) = self.model.weights();
        (PyBytes::new(py, &bytes(weights)), PyBytes::new(py, &bytes(intercepts)))
    }

    /// How the training went.
    #[getter]
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        values::to_python(py, &self.model.report().to_value(self.model.temperature()))
    }
}

impl TextModel {
    fn numbers<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        ask: impl FnOnce(&[Texts]) -> Result<Vec<f64>> + Send,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let documents = documents(texts)?;
        let numbers = enter(py, || ask(&documents))?;
        PyBytes::new_with(py, numbers.len() * 8, |bytes| {
            let (chunks, _) = bytes.as_chunks_mut::<8>();
            chunks.iter_mut().zip(&numbers).for_each(|(chunk, number)| *chunk = number.to_le_bytes());
            Ok(())
        })
    }
}

fn little_endian(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Assigns texts to described cohorts: name, description and keywords of each; by likeness, or by a scorer.
#[pyfunction]
#[pyo3(signature = (cohorts, texts, least_score, scorer, method, attempts, pause_seconds))]
#[expect(clippy::too_many_arguments, reason = "the arguments of one call of the package, which names them")]
pub(crate) fn assign_cohorts<'py>(
    py: Python<'py>,
    cohorts: Vec<(String, String, Vec<String>)>,
    texts: Vec<String>,
    least_score: f64,
    scorer: Option<Py<PyAny>>,
    method: String,
    attempts: u32,
    pause_seconds: f64,
) -> PyResult<Bound<'py, PyAny>> {
    let cohorts: Vec<DescribedCohort> = cohorts
        .into_iter()
        .map(|(cohort, description, keywords)| DescribedCohort { cohort, description, keywords })
        .collect();
    let scorer = scorer.map(|callable| Callable { callable, method });
    let patience = patience(attempts, pause_seconds)?;
    let assignments = enter(py, || {
        let lexical = LexicalScorer::new(&cohorts, least_score)?;
        let scorer = scorer.as_ref().map(|scorer| scorer as &dyn Scorer);
        Ok(assign(&lexical, scorer, &texts, patience))
    })?;
    values::to_python(py, &assignments.to_value())
}

pub(crate) fn patience(attempts: u32, pause_seconds: f64) -> PyResult<Patience> {
    let first_pause = std::time::Duration::try_from_secs_f64(pause_seconds)
        .map_err(|_| to_exception(Error::invalid("the pause is not a number of seconds of at least 0")))?;
    Ok(Patience { attempts, first_pause, ..Patience::default() })
}

/// A scorer in Python: called with the texts and the cohorts as dicts.
pub(crate) struct Callable {
    pub(crate) callable: Py<PyAny>,
    pub(crate) method: String,
}

impl Scorer for Callable {
    fn method(&self) -> String {
        self.method.clone()
    }

    fn score(&self, texts: &[String], cohorts: &[DescribedCohort]) -> std::result::Result<Value, String> {
        Python::attach(|py| {
            let cohorts = cohorts.iter().map(|cohort| {
                let described = PyDict::new(py);
                described.set_item("cohort", &cohort.cohort)?;
                described.set_item("description", &cohort.description)?;
                described.set_item("keywords", &cohort.keywords)?;
                Ok(described)
            });
            let ask = || -> PyResult<Bound<'_, PyAny>> {
                self.callable.bind(py).call1((texts, cohorts.collect::<PyResult<Vec<_>>>()?))
            };
            // Only the kind of what was raised: its message may hold a text of a person.
            let answer = ask().map_err(|raised| format!("the scorer raised {}", kind_of(py, &raised)))?;
            match answer.extract::<PyBackedStr>() {
                Ok(json) => Value::parse(json.as_bytes()).map_err(|_| "the answer is not JSON".to_owned()),
                Err(_) => {
                    values::from_python(&answer).map_err(|_| "the answer is not a list of plain values".to_owned())
                }
            }
        })
    }
}

fn kind_of(py: Python<'_>, raised: &PyErr) -> String {
    raised.get_type(py).qualname().map_or_else(|_| "an exception".to_owned(), |name| name.to_string())
}
