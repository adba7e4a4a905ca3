//! linfa's traits for the sparse trainer, so that it stands where a linfa estimator does.
//!
//! Part of the feature `predict`. Takes linfa's data sets and leaves models of this library; it holds no rule of its own.

use linfa::dataset::{DatasetBase, Records};
use linfa::traits::{Fit, PredictInplace};
use ndarray::Array1;

use super::linear::{LinearModel, SparseLogistic, greatest};
use super::sparse::SparseRecords;
use crate::error::{Error, Result};

impl Records for SparseRecords {
    type Elem = f64;

    fn nsamples(&self) -> usize {
        self.n_rows()
    }

    fn nfeatures(&self) -> usize {
        self.n_columns()
    }
}

impl From<linfa::Error> for Error {
    fn from(error: linfa::Error) -> Error {
        Error::invalid(format!("linfa: {error}"))
    }
}

/// Targets are `0..n`.
///
/// ```
/// use cdp_core::predict::{SparseLogistic, SparseRecords};
/// use linfa::traits::{Fit, PredictInplace};
/// use linfa::dataset::DatasetBase;
/// use ndarray::{Array1, array};
///
/// let rows = SparseRecords::from_dense(2, &[vec![1.0, 0.0], vec![0.9, 0.0], vec![0.0, 1.0], vec![0.0, 0.8]])?;
/// let targets: Array1<usize> = array![0, 0, 1, 1];
/// let model = SparseLogistic::default().fit(&DatasetBase::new(rows.clone(), targets.clone()))?;
/// let mut predicted = model.default_target(&rows);
/// model.predict_inplace(&rows, &mut predicted);
/// assert_eq!(predicted, targets);
/// # Ok::<(), cdp_core::Error>(())
/// ```
impl Fit<SparseRecords, Array1<usize>, Error> for SparseLogistic {
    type Object = LinearModel;

    fn fit(&self, dataset: &DatasetBase<SparseRecords, Array1<usize>>) -> Result<LinearModel> {
        let labels: Option<Vec<u32>> = dataset.targets.iter().map(|label| u32::try_from(*label).ok()).collect();
        let labels = labels.ok_or_else(|| Error::invalid("a label is not less than 2^32"))?;
        let n_classes = labels.iter().max().map_or(0, |label| *label as usize + 1);
        if n_classes > labels.len() {
            return Err(Error::invalid("labels are the numbers of classes, counted from zero without gaps"));
        }
        self.train(&dataset.records, &labels, n_classes)
    }
}

impl PredictInplace<SparseRecords, Array1<usize>> for LinearModel {
    fn predict_inplace(&self, records: &SparseRecords, classes: &mut Array1<usize>) {
        let mut logits = Vec::new();
        for ((columns, values), class) in records.rows().zip(classes.iter_mut()) {
            self.logits(columns, values, &mut logits);
            *class = greatest(&logits).unwrap_or(0);
        }
    }

    fn default_target(&self, records: &SparseRecords) -> Array1<usize> {
        Array1::zeros(records.n_rows())
    }
}
