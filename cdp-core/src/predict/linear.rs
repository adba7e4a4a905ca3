//! Multinomial logistic regression on sparse rows: which class, and how much each term speaks for it.
//!
//! Takes rows and the number of each row's class; leaves weights by column and class. The objective is scikit-learn's:
//! `sum of class weight * -ln p(class | row) + |weights|² / (2 C)`, intercepts free, and training ends when no entry of
//! its gradient, divided by the total weight, is further from zero than `tol`. The minimum is sought (lbfgs.rs)
//! from the classes' shares, with the diagonal of the Hessian there for scale; that halves the iterations on text.
//!
//! Two classes are trained as a softmax with twice the penalty, which has the same minimum as the one sigmoid that
//! scikit-learn trains. Sums have a fixed order and no function of the platform is called, so equal rows give equal bits.

use super::exponential::softmax;
use super::lbfgs::{LANES, Minimum, Objective, add_scaled, dot, minimize};
use super::sparse::SparseRecords;
use crate::definitions::PredictorDefinition;
use crate::error::{Error, Result};

/// How a linear model is trained.
///
/// With the feature `predict` it also implements linfa's `Fit` for [`SparseRecords`] with targets `0..n`.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseLogistic {
    /// The inverse of the strength of the L2 penalty.
    pub c: f64,
    /// After how many iterations training stops unfinished.
    pub max_iter: u32,
    /// Training ends when no entry of the mean gradient is further from zero.
    pub tol: f64,
    /// Whether every class counts the same: weight `n / (classes * rows of the class)`.
    pub is_balanced: bool,
}

impl Default for SparseLogistic {
    fn default() -> SparseLogistic {
        SparseLogistic::from(&PredictorDefinition::cohort(""))
    }
}

impl From<&PredictorDefinition> for SparseLogistic {
    fn from(definition: &PredictorDefinition) -> SparseLogistic {
        SparseLogistic {
            c: definition.c,
            max_iter: definition.max_iter,
            tol: definition.tol,
            is_balanced: definition.is_balanced,
        }
    }
}

/// What there is to learn from.
#[derive(Clone, Copy, Debug)]
pub struct LabelledRows<'a> {
    /// The rows.
    pub records: &'a SparseRecords,
    /// The class of each row, a number less than `n_classes`.
    pub labels: &'a [u32],
    /// How many classes there are.
    pub n_classes: usize,
    /// How much each row counts; absent: one each.
    pub weights: Option<&'a [f64]>,
}

/// Trained weights and how the training went.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearModel {
    /// How many classes there are.
    pub n_classes: usize,
    /// The weights, all classes of the first column, then of the next.
    pub weights: Vec<f64>,
    /// The intercept of each class; they add up to zero.
    pub intercepts: Vec<f64>,
    /// How many iterations were made.
    pub n_iterations: u32,
    /// How often the objective and its gradient were computed.
    pub n_evaluations: u32,
    /// Whether training ended by its tolerance rather than by `max_iter`.
    pub converged: bool,
    /// The objective at the end, divided by the total weight of the rows.
    pub loss: f64,
}

impl SparseLogistic {
    /// Trains on rows whose classes are numbers less than `n_classes`.
    ///
    /// Fails with `invalid` for no rows, fewer than two classes that occur, labels that do not fit, or settings that
    /// are not positive. Cost: about 30 to 80 passes over the entries, times the number of classes.
    pub fn train(&self, records: &SparseRecords, labels: &[u32], n_classes: usize) -> Result<LinearModel> {
        self.train_from(&LabelledRows { records, labels, n_classes, weights: None }, None)
    }

    /// Trains with a weight for each row, and from the weights of an earlier model: fewer iterations to the same
    /// minimum, within the tolerance.
    ///
    /// Fails also for a weight that is negative or not finite, weights of which none is positive in two classes, and an
    /// earlier model of another shape.
    pub fn train_from(&self, rows: &LabelledRows<'_>, start: Option<&LinearModel>) -> Result<LinearModel> {
        let LabelledRows { records, labels, n_classes, weights } = *rows;
        if records.n_rows() != labels.len() {
            return Err(Error::invalid(format!("{} rows have {} labels", records.n_rows(), labels.len())));
        }
        if labels.iter().any(|label| *label as usize >= n_classes) {
            return Err(Error::invalid(format!("a label is not less than the number of classes, {n_classes}")));
        }
        if let Some(weights) = weights {
            if weights.len() != labels.len() {
                return Err(Error::invalid(format!("{} rows have {} weights", labels.len(), weights.len())));
            }
            if weights.iter().any(|weight| !(0.0..=1e12).contains(weight)) {
                return Err(Error::invalid("a row's weight is not a number from 0 to 1e12"));
            }
        }
        let is_positive = |number: f64| number.is_finite() && number > 0.0;
        if !is_positive(self.c) || !is_positive(self.tol) {
            return Err(Error::invalid("C and tol must be finite and greater than zero"));
        }
        let mut rows_of_class = vec![0u64; n_classes];
        for (label, weight) in labels.iter().zip(each_weight(weights)) {
            if let Some(rows) = rows_of_class.get_mut(*label as usize) {
                *rows += u64::from(weight > 0.0);
            }
        }
        if rows_of_class.iter().filter(|rows| **rows > 0).count() < 2 {
            return Err(
                Error::invalid("the labels are of fewer than two classes").with_hint("label rows of another class")
            );
        }
        let n_weights = records.n_columns() * n_classes;
        if start.is_some_and(|start| start.weights.len() != n_weights || start.intercepts.len() != n_classes) {
            return Err(Error::invalid("the model to start from has other columns or classes"));
        }
        let alpha = if n_classes == 2 { 2.0 / self.c } else { 1.0 / self.c };
        let mut objective = PenalizedLoss::new(rows, &rows_of_class, alpha, self.is_balanced);
        let (start, scale) = (objective.start(start), objective.inverse_curvature());
        let found = minimize(&mut objective, start, &scale, self.tol, self.max_iter);
        Ok(objective.into_model(found))
    }
}

/// The weight of each row, without end.
fn each_weight(weights: Option<&[f64]>) -> impl Iterator<Item = f64> {
    weights.unwrap_or_default().iter().copied().chain(std::iter::repeat(1.0))
}

impl LinearModel {
    /// Writes the logit of each class for one row; columns that training did not have count nothing.
    pub fn logits(&self, columns: &[u32], values: &[f64], logits: &mut Vec<f64>) {
        logits.clear();
        logits.extend_from_slice(&self.intercepts);
        for (column, value) in columns.iter().zip(values) {
            let start = *column as usize * self.n_classes;
            if let Some(weights) = self.weights.get(start..start + self.n_classes) {
                logits.iter_mut().zip(weights).for_each(|(logit, weight)| *logit += value * weight);
            }
        }
    }

    /// The logits of every row, one row after the other.
    pub fn all_logits(&self, records: &SparseRecords) -> Vec<f64> {
        let mut all = Vec::with_capacity(records.n_rows() * self.n_classes);
        let mut logits = Vec::with_capacity(self.n_classes);
        for (columns, values) in records.rows() {
            self.logits(columns, values, &mut logits);
            all.extend_from_slice(&logits);
        }
        all
    }
}

/// The place of the greatest number, the first of equal ones.
pub(super) fn greatest(numbers: &[f64]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (place, number) in numbers.iter().enumerate() {
        if best.is_none_or(|(_, so_far)| *number > so_far) {
            best = Some((place, *number));
        }
    }
    best.map(|(place, _)| place)
}

struct PenalizedLoss<'a> {
    records: &'a SparseRecords,
    labels: &'a [u32],
    // The weight of each row times that of its class.
    row_weights: Vec<f64>,
    // The share of each class, never quite zero.
    shares: Vec<f64>,
    total_weight: f64,
    alpha: f64,
    n_classes: usize,
    stride: usize,
    residual: Vec<f64>,
    n_evaluations: u32,
}

impl<'a> PenalizedLoss<'a> {
    fn new(rows: &LabelledRows<'a>, rows_of_class: &[u64], alpha: f64, is_balanced: bool) -> PenalizedLoss<'a> {
        let LabelledRows { records, labels, n_classes, weights } = *rows;
        let n_rows: u64 = rows_of_class.iter().sum();
        let n_present = rows_of_class.iter().filter(|rows| **rows > 0).count() as f64;
        let class_weight =
            |rows: u64| if is_balanced && rows > 0 { n_rows as f64 / (n_present * rows as f64) } else { 1.0 };
        let class_weights: Vec<f64> = rows_of_class.iter().map(|rows| class_weight(*rows)).collect();
        let of_class = |label: u32| class_weights.get(label as usize).copied().unwrap_or(1.0);
        let row_weights: Vec<f64> =
            labels.iter().zip(each_weight(weights)).map(|(label, weight)| weight * of_class(*label)).collect();
        let mut totals = vec![0.0; n_classes];
        for (label, weight) in labels.iter().zip(&row_weights) {
            if let Some(total) = totals.get_mut(*label as usize) {
                *total += weight;
            }
        }
        let total_weight: f64 = totals.iter().sum();
        let least = 0.5 * total_weight / n_rows.max(1) as f64;
        let shares = totals.iter().map(|total| total.max(least) / total_weight).collect();
        let stride = n_classes.next_multiple_of(LANES);
        PenalizedLoss {
            records,
            labels,
            row_weights,
            shares,
            total_weight,
            alpha,
            n_classes,
            stride,
            residual: vec![0.0; stride],
            n_evaluations: 0,
        }
    }

    fn n_parameters(&self) -> usize {
        (self.records.n_columns() + 1) * self.stride
    }

    /// The weights of an earlier model; or none, and intercepts that give each class its share.
    fn start(&self, earlier: Option<&LinearModel>) -> Vec<f64> {
        let mut point = vec![0.0; self.n_parameters()];
        if let Some(earlier) = earlier {
            let groups = earlier.weights.chunks_exact(self.n_classes).chain([earlier.intercepts.as_slice()]);
            for (to, group) in point.chunks_exact_mut(self.stride).zip(groups) {
                to.iter_mut().zip(group).for_each(|(to, weight)| *to = *weight);
            }
            return point;
        }
        let intercepts = point.rchunks_exact_mut(self.stride).next().unwrap_or_default();
        intercepts.iter_mut().zip(&self.shares).for_each(|(intercept, share)| *intercept = libm::log(*share));
        point
    }

    /// The inverse of the diagonal of the Hessian at the shares of the classes.
    fn inverse_curvature(&self) -> Vec<f64> {
        let mut inverse = vec![0.0; self.n_parameters()];
        let mut squares = vec![0.0; self.records.n_columns()];
        for ((columns, values), row_weight) in self.records.rows().zip(&self.row_weights) {
            for (column, value) in columns.iter().zip(values) {
                if let Some(sum) = squares.get_mut(*column as usize) {
                    *sum += row_weight * value * value;
                }
            }
        }
        // One more column, of ones and without penalty, for the intercepts.
        let columns = squares.iter().map(|squares| (self.alpha, *squares));
        let all = columns.chain(std::iter::once((0.0, self.total_weight)));
        for ((alpha, squares), to) in all.zip(inverse.chunks_exact_mut(self.stride)) {
            for (to, share) in to.iter_mut().zip(&self.shares) {
                // Never quite flat, also where one class has nearly all the weight.
                *to = self.total_weight / (alpha + squares * (share * (1.0 - share)).max(1e-9));
            }
        }
        inverse
    }

    fn into_model(self, found: Minimum) -> LinearModel {
        let unpadded = |padded: &[f64]| -> Vec<f64> {
            padded.chunks_exact(self.stride).flat_map(|group| group.iter().take(self.n_classes).copied()).collect()
        };
        let (weights, intercepts) = found.point.split_at(found.point.len() - self.stride);
        let mut intercepts = unpadded(intercepts);
        let center = intercepts.iter().sum::<f64>() / self.n_classes as f64;
        intercepts.iter_mut().for_each(|intercept| *intercept -= center);
        LinearModel {
            n_classes: self.n_classes,
            weights: unpadded(weights),
            intercepts,
            n_iterations: found.n_iterations,
            n_evaluations: self.n_evaluations,
            converged: found.converged,
            loss: found.value,
        }
    }
}

/// The number of classes that are summed at once, in registers.
const GROUP: usize = 2 * LANES;

/// Writes the logits of one row; all slices have whole groups of [`LANES`] classes.
fn write_logits(weights: &[f64], intercepts: &[f64], columns: &[u32], values: &[f64], logits: &mut [f64]) {
    let stride = logits.len();
    let mut offset = 0;
    let (groups, rest) = logits.as_chunks_mut::<GROUP>();
    for group in groups {
        let mut sums: [f64; GROUP] =
            intercepts.get(offset..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        for (column, value) in columns.iter().zip(values) {
            let start = *column as usize * stride + offset;
            let own: Option<&[f64; GROUP]> = weights.get(start..).and_then(|rest| rest.first_chunk());
            if let Some([a, b, c, d, e, f, g, h]) = own {
                let [k, l, m, n, o, p, q, r] = sums;
                sums = [
                    k + value * a,
                    l + value * b,
                    m + value * c,
                    n + value * d,
                    o + value * e,
                    p + value * f,
                    q + value * g,
                    r + value * h,
                ];
            }
        }
        *group = sums;
        offset += GROUP;
    }
    rest.copy_from_slice(intercepts.get(offset..).unwrap_or_default());
    for (column, value) in columns.iter().zip(values) {
        let start = *column as usize * stride + offset;
        add_scaled(rest, weights.get(start..start + rest.len()).unwrap_or_default(), *value);
    }
}

impl Objective for PenalizedLoss<'_> {
    fn evaluate(&mut self, point: &[f64], gradient: &mut [f64]) -> f64 {
        self.n_evaluations += 1;
        let stride = self.stride;
        let (weights, intercepts) = point.split_at(point.len() - stride);
        gradient.fill(0.0);
        let (of_weights, of_intercepts) = gradient.split_at_mut(gradient.len() - stride);
        let residual = self.residual.as_mut_slice();
        let mut loss = 0.0;
        // Each row is used for the loss and for the gradient while it is at hand. Summing the gradient by columns
        // afterwards took as long (10 to 150 classes, 18 000 rows) and needs a second copy of the entries, transposed,
        // and the residuals of every row.
        for (((columns, values), label), row_weight) in self.records.rows().zip(self.labels).zip(&self.row_weights) {
            write_logits(weights, intercepts, columns, values, residual);
            let own = residual.get(*label as usize).copied().unwrap_or(0.0);
            let (classes, _) = residual.split_at_mut(self.n_classes);
            loss += row_weight * (softmax(classes) - own);
            if let Some(own) = classes.get_mut(*label as usize) {
                *own -= 1.0;
            }
            for (column, value) in columns.iter().zip(values) {
                let start = *column as usize * stride;
                let of_column = of_weights.get_mut(start..start + stride).unwrap_or_default();
                add_scaled(of_column, residual, row_weight * value);
            }
            add_scaled(of_intercepts, residual, *row_weight);
        }
        let mean = 1.0 / self.total_weight;
        of_weights.iter_mut().zip(weights).for_each(|(to, weight)| *to = (*to + self.alpha * weight) * mean);
        of_intercepts.iter_mut().for_each(|to| *to *= mean);
        (loss + 0.5 * self.alpha * dot(weights, weights)) * mean
    }
}

#[cfg(test)]
#[cfg(feature = "predict")]
mod tests {
    use linfa::prelude::*;
    use linfa_logistic::{LogisticRegression, MultiLogisticRegression};
    use ndarray::{Array1, Array2};

    use super::*;
    use crate::predict::calibrate::SplitMix64;

    /// Rows around one center per class, far from separable.
    fn blobs(n_rows: usize, n_columns: usize, n_classes: usize) -> (Vec<Vec<f64>>, Vec<u32>) {
        let mut random = SplitMix64::new(7);
        let mut unit = || random.below(1_000_000) as f64 / 1e6 - 0.5;
        let labels: Vec<u32> = (0..n_rows).map(|row| ((row * row + row / 3) % n_classes) as u32).collect();
        let center = |label: u32, column: usize| if column % n_classes == label as usize { 0.6 } else { 0.0 };
        let rows = labels.iter().map(|label| (0..n_columns).map(|column| center(*label, column) + unit()).collect());
        (rows.collect(), labels.clone())
    }

    fn probabilities(model: &LinearModel, records: &SparseRecords) -> Vec<f64> {
        let mut logits = model.all_logits(records);
        logits.chunks_exact_mut(model.n_classes).for_each(|row| {
            softmax(row);
        });
        logits
    }

    #[test]
    fn three_classes_agree_with_linfa_logistic() {
        let (rows, labels) = blobs(120, 5, 3);
        let records = SparseRecords::from_dense(5, &rows).unwrap();
        let trained = SparseLogistic { c: 2.0, tol: 1e-9, ..SparseLogistic::default() };
        let model = trained.train(&records, &labels, 3).unwrap();
        assert!(model.converged);

        let dense = Array2::from_shape_vec((120, 5), rows.concat()).unwrap();
        let targets: Array1<usize> = labels.iter().map(|label| *label as usize).collect();
        let linfa = MultiLogisticRegression::default().alpha(0.5).gradient_tolerance(1e-7).max_iterations(1000);
        let oracle = linfa.fit(&Dataset::new(dense.clone(), targets)).unwrap();
        let expected = oracle.predict_probabilities(&dense);
        for (ours, theirs) in probabilities(&model, &records).iter().zip(expected.iter()) {
            assert!((ours - theirs).abs() < 1e-6, "{ours} is not {theirs}");
        }
        for (ours, theirs) in model.weights.iter().zip(oracle.params().iter()) {
            assert!((ours - theirs).abs() < 1e-5, "{ours} is not {theirs}");
        }
    }

    #[test]
    fn two_classes_agree_with_the_sigmoid_of_linfa_logistic() {
        let (rows, labels) = blobs(90, 4, 2);
        let records = SparseRecords::from_dense(4, &rows).unwrap();
        let trained = SparseLogistic { c: 4.0, tol: 1e-9, ..SparseLogistic::default() };
        let model = trained.train(&records, &labels, 2).unwrap();

        let dense = Array2::from_shape_vec((90, 4), rows.concat()).unwrap();
        let targets: Array1<usize> = labels.iter().map(|label| *label as usize).collect();
        let linfa = LogisticRegression::default().alpha(0.25).gradient_tolerance(1e-7).max_iterations(1000);
        let oracle = linfa.fit(&Dataset::new(dense.clone(), targets)).unwrap();
        let of_positive = oracle.predict_probabilities(&dense);
        let positive = oracle.labels().pos.class;
        for (ours, theirs) in probabilities(&model, &records).chunks_exact(2).zip(of_positive.iter()) {
            assert!((ours[positive] - theirs).abs() < 1e-6, "{} is not {theirs}", ours[positive]);
        }
    }

    #[test]
    fn balanced_classes_count_as_if_the_rows_of_the_small_one_were_repeated() {
        let (rows, labels) = blobs(60, 4, 3);
        let (mut few_rows, mut few_labels) = (rows.clone(), labels.clone());
        let (mut many_rows, mut many_labels) = (rows.clone(), labels.clone());
        let counts: Vec<usize> = (0..3).map(|class| labels.iter().filter(|label| **label == class).count()).collect();
        // Three copies of class 0 against one, with the penalty in proportion, have the same minimum.
        for (row, label) in rows.iter().zip(&labels) {
            for _ in 0..2 {
                many_rows.push(row.clone());
                many_labels.push(*label);
            }
            if *label == 0 {
                few_rows.push(row.clone());
                few_labels.push(*label);
            }
        }
        assert!(counts.iter().all(|count| *count > 0));
        let balanced = |rows: &[Vec<f64>], labels: &[u32], c: f64| {
            let records = SparseRecords::from_dense(4, rows).unwrap();
            let options = SparseLogistic { c, tol: 1e-10, is_balanced: true, ..SparseLogistic::default() };
            options.train(&records, labels, 3).unwrap()
        };
        let few = balanced(&few_rows, &few_labels, 1.0 / few_labels.len() as f64 * 180.0);
        let many = balanced(&many_rows, &many_labels, 1.0);
        for (left, right) in few.weights.iter().zip(&many.weights) {
            assert!((left - right).abs() < 1e-6, "{left} is not {right}");
        }
    }

    #[test]
    fn training_twice_gives_the_same_bits() {
        let (rows, labels) = blobs(80, 6, 4);
        let records = SparseRecords::from_dense(6, &rows).unwrap();
        let train = || SparseLogistic::default().train(&records, &labels, 4).unwrap();
        assert_eq!(train(), train());
    }

    #[test]
    fn what_cannot_be_learned_is_refused() {
        let records = SparseRecords::from_dense(1, &[vec![1.0], vec![2.0]]).unwrap();
        let train = |labels: &[u32], n_classes| SparseLogistic::default().train(&records, labels, n_classes);
        assert!(train(&[0, 1], 2).is_ok());
        assert!(train(&[0, 0], 2).is_err());
        assert!(train(&[0, 2], 2).is_err());
        assert!(train(&[0], 2).is_err());
        assert!(SparseLogistic { c: 0.0, ..SparseLogistic::default() }.train(&records, &[0, 1], 2).is_err());
        assert!(SparseLogistic::default().train(&SparseRecords::new(3), &[], 2).is_err());
    }

    #[test]
    fn extreme_rows_do_not_break_the_loss() {
        let rows = vec![vec![1e6, 0.0], vec![-1e6, 1e-9], vec![1e-6, 1.0], vec![-1e-6, -1.0]];
        let records = SparseRecords::from_dense(2, &rows).unwrap();
        let model = SparseLogistic::default().train(&records, &[0, 1, 0, 1], 2).unwrap();
        assert!(model.loss.is_finite() && model.weights.iter().all(|weight| weight.is_finite()));
    }
}
