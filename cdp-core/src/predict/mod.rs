//! Learns classes from texts and likelihoods from features, and says how sure it is and why.
//!
//! Takes the texts or numbers of profiles with their labels and a predictor definition; leaves a model as bytes that
//! are equal for equal inputs, and predictions. It knows no store, no clock and no thread; what it must never do is
//! panic on a model's bytes, answer with a class where it knows none of the words, or give probabilities in an order
//! that depends on anything but the classes' names.
//!
//! Reading order: [`text`] turns documents into rows of a sparse matrix ([`sparse`]), [`linear`] learns from it,
//! [`calibrate`] makes the probabilities honest, [`model`] is what is kept. [`dense`] does the same for a few
//! standardized numbers; [`metrics`] judges both.

mod bytes;
pub mod calibrate;
pub mod dense;
mod exponential;
mod lbfgs;
pub mod linear;
pub mod metrics;
pub mod model;
pub mod sparse;
pub mod text;
mod tokens;
mod training;

pub use dense::{PropensityModel, Solver};
pub use linear::{LabelledRows, LinearModel, SparseLogistic};
pub use metrics::{BinaryMetrics, ClassMetrics, Metrics, evaluate, evaluate_binary};
pub use model::{CohortModel, Contribution, Explanation, HeldOut, Prediction, TrainingReport};
pub use sparse::SparseRecords;
pub use text::{Vectorizer, VectorizerOptions};
pub use tokens::{Analyzer, Document};
pub use training::{TrainingOptions, TrainingTexts, train};

#[cfg(test)]
mod tests;
