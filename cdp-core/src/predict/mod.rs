//! Learns classes from texts and likelihoods from features, and says how sure it is and why.
//!
//! Takes the texts or numbers of profiles with their labels and a predictor definition; leaves a model as bytes that
//! are equal for equal inputs, and predictions. It knows no store, no clock and no thread; what it must never do is
//! panic on a model's bytes, answer with a class where it knows none of the words, or give probabilities in an order
//! that depends on anything but the classes' names.
//!
//! Reading order: [`text`] turns documents into rows of a sparse matrix ([`sparse`]), [`linear`] learns from it,
//! [`calibrate`] makes the probabilities honest, training.rs puts them together, [`model`] is what is kept. [`dense`] does
//! the same for a few standardized numbers, [`propensity`] with time in view; [`metrics`] judges both, [`drift`] says when
//! they are out of date. [`zero_shot`] needs no labels; [`described`] keeps what it and a latent space (latent.rs) say.

mod bytes;
pub mod calibrate;
pub mod dense;
pub mod described;
pub mod drift;
mod exponential;
mod latent;
mod lbfgs;
pub mod linear;
#[cfg(feature = "predict")]
mod linfa_traits;
pub mod metrics;
pub mod model;
pub(crate) mod models;
pub mod propensity;
pub(crate) mod reports;
pub(crate) mod scorers;
mod solver;
pub mod sparse;
pub mod text;
mod tokens;
mod trained;
mod training;
pub mod zero_shot;

pub use dense::{PropensityModel, Solver};
pub use described::{DescribedModel, DescribedTraining};
pub use drift::{Drift, DriftTest, NumbersReference};
pub use linear::{LabelledRows, LinearModel, SparseLogistic};
pub use metrics::{BinaryMetrics, ClassMetrics, Found, Metrics, ReliabilityBin, evaluate, evaluate_binary};
pub use model::{CohortModel, Contribution, Explanation, HeldOut, Prediction, TextReference, TrainingReport};
pub use propensity::{PropensityTraining, TimedRow, hash_of_rows, train_propensity};
pub use sparse::SparseRecords;
pub use text::{Vectorizer, VectorizerOptions};
pub use tokens::{Analyzer, Document};
pub use trained::TrainedModel;
pub use training::{Folds, TrainingOptions, TrainingTexts, cross_validate, hash_of_texts, train};

#[cfg(test)]
mod described_tests;
#[cfg(test)]
mod tests;
