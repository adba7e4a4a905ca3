//! Finds the minimum of a smooth function of many numbers: L-BFGS.
//!
//! Takes an objective, a start and the expected curvature of each number; leaves the point where the gradient vanishes,
//! and whether it was reached. Nocedal and Wright, Numerical Optimization, 2nd ed.: the two-loop recursion of algorithm
//! 7.4 over eight pairs, with a diagonal instead of a multiple of one in its middle, and a line search that brackets a
//! step of the Wolfe conditions (3.6). Every sum has a fixed order, so equal objectives end at equal bits.
//!
//! The recursion only ever combines the pairs and the gradient, so it runs on their inner products (Chen, Wang, Zhou,
//! Large-scale L-BFGS using MapReduce, 2014): one pass over the pairs for the products, one for the combination, instead
//! of ten. The pairs are kept in single precision. On 150 classes the search takes three tenths of the time.

use std::collections::VecDeque;

/// Vectors are padded with zeros to whole groups of this size, so that the inner loops have a fixed length.
pub(super) const LANES: usize = 4;

/// A smooth function of many numbers.
pub(super) trait Objective {
    /// The value at a point; writes the gradient there.
    fn evaluate(&mut self, point: &[f64], gradient: &mut [f64]) -> f64;
}

/// Where the search ended.
pub(super) struct Minimum {
    pub(super) point: Vec<f64>,
    pub(super) value: f64,
    pub(super) n_iterations: u32,
    pub(super) converged: bool,
}

/// scipy keeps ten. With the diagonal eight took 38 iterations where ten took 41 (150 classes), 47 for 48 (ten classes) and
/// 19 for 17 (two), for a fifth less room.
const MEMORY: usize = 8;
/// The sufficient decrease and the curvature of the Wolfe conditions (Nocedal and Wright, 3.1).
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// A smaller relative gain is noise of rounding; scikit-learn's choice.
const LEAST_GAIN: f64 = 64.0 * f64::EPSILON;

/// Goes downhill from `start` until no entry of the gradient is further from zero than `tol`, or a step gains nothing
/// that is more than rounding. `scale` is the inverse of the expected curvature along each entry.
pub(super) fn minimize(
    objective: &mut impl Objective,
    start: Vec<f64>,
    scale: &[f64],
    tol: f64,
    max_iter: u32,
) -> Minimum {
    let mut point = start;
    let mut gradient = vec![0.0; point.len()];
    let mut value = objective.evaluate(&point, &mut gradient);
    let mut trial = Trial { point: vec![0.0; point.len()], gradient: vec![0.0; point.len()], value };
    let mut history = History::default();
    let mut direction = vec![0.0; point.len()];
    let mut n_iterations = 0;
    let mut converged = greatest_magnitude(&gradient) <= tol;
    while !converged && n_iterations < max_iter {
        let mut slope = history.descend(scale, &gradient, &mut direction);
        if slope.is_nan() || slope >= 0.0 {
            history.forget();
            slope = history.descend(scale, &gradient, &mut direction);
        }
        if !line_search(objective, &point, &direction, value, slope, &mut trial) {
            // No step lowers the objective any more: as good as the precision of its sums allows.
            break;
        }
        history.learn(&point, &gradient, &trial, scale);
        let gain = (value - trial.value) / value.abs().max(trial.value.abs()).max(1.0);
        std::mem::swap(&mut point, &mut trial.point);
        std::mem::swap(&mut gradient, &mut trial.gradient);
        value = trial.value;
        n_iterations += 1;
        converged = greatest_magnitude(&gradient) <= tol || gain <= LEAST_GAIN;
    }
    Minimum { point, value, n_iterations, converged }
}

/// A step and the change of the gradient along it.
#[derive(Default)]
struct Pair {
    step: Vec<f32>,
    change: Vec<f32>,
}

/// The last pairs, the oldest first, and their inner products; D is the diagonal `scale`.
#[derive(Default)]
struct History {
    pairs: VecDeque<Pair>,
    /// `step_change[i][j]` is step i times change j.
    step_change: [[f64; MEMORY]; MEMORY],
    /// `change_change[i][j]` is change i times D times change j.
    change_change: [[f64; MEMORY]; MEMORY],
    /// Whether the products of the newest pair are still to be made.
    is_newest_unknown: bool,
}

/// A block of the vectors that every pair is multiplied with, in double precision; zero beyond their end.
struct BlockView {
    gradient: [f64; BLOCK],
    scaled_gradient: [f64; BLOCK],
    step: [f64; BLOCK],
    change: [f64; BLOCK],
    scaled_change: [f64; BLOCK],
}

impl Default for BlockView {
    fn default() -> BlockView {
        let zero = [0.0; BLOCK];
        BlockView { gradient: zero, scaled_gradient: zero, step: zero, change: zero, scaled_change: zero }
    }
}

impl BlockView {
    fn fill(&mut self, gradient: &[f64], scale: &[f64], step: &[f32], change: &[f32]) {
        for (to, from) in self.gradient.iter_mut().zip(gradient) {
            *to = *from;
        }
        for ((to, from), scale) in self.scaled_gradient.iter_mut().zip(gradient).zip(scale) {
            *to = from * scale;
        }
        for (to, from) in self.step.iter_mut().zip(step) {
            *to = f64::from(*from);
        }
        for (to, from) in self.change.iter_mut().zip(change) {
            *to = f64::from(*from);
        }
        for ((to, from), scale) in self.scaled_change.iter_mut().zip(change).zip(scale) {
            *to = f64::from(*from) * scale;
        }
    }

    /// Step times gradient, change times D times gradient.
    fn with_gradient(&self, step: &[f32], change: &[f32]) -> [f64; 2] {
        [product(step, &self.gradient), product(change, &self.scaled_gradient)]
    }

    /// Step times the newest change, the newest step times change, change times D times the newest change.
    fn with_newest(&self, step: &[f32], change: &[f32]) -> [f64; 3] {
        [product(step, &self.change), product(change, &self.step), product(change, &self.scaled_change)]
    }
}

/// The sum of products over the length of the left.
fn product(left: &[f32], right: &[f64; BLOCK]) -> f64 {
    sum_of_products(left, right.get(..left.len()).unwrap_or_default())
}

/// The number of entries of every vector that are processed together, while they are in the nearest cache.
const BLOCK: usize = 512;

impl History {
    fn forget(&mut self) {
        self.pairs.clear();
    }

    /// Takes in the step from a point to the trial, unless the gradient did not grow along it.
    fn learn(&mut self, point: &[f64], gradient: &[f64], trial: &Trial, scale: &[f64]) {
        let mut newest = if self.pairs.len() == MEMORY { self.pairs.pop_front() } else { None }.unwrap_or_default();
        let was_full = newest.step.len() == point.len();
        if was_full {
            for products in [&mut self.step_change, &mut self.change_change] {
                products.rotate_left(1);
                products.iter_mut().for_each(|row| row.rotate_left(1));
            }
        }
        subtract(&trial.point, point, &mut newest.step);
        subtract(&trial.gradient, gradient, &mut newest.change);
        let (product, square) = (sum_of_products(&newest.step, &newest.change), scaled_square(&newest.change, scale));
        if product <= 1e-16 * square || square.is_nan() || square <= 0.0 {
            return;
        }
        self.pairs.push_back(newest);
        self.is_newest_unknown = true;
    }

    /// Multiplies every pair with the gradient, and with the newest pair where that is still to be done: one look at each.
    /// Gives step times gradient and change times D times gradient.
    fn multiply(&mut self, scale: &[f64], gradient: &[f64]) -> [[f64; 2]; MEMORY] {
        let mut with_gradient = [[0.0; 2]; MEMORY];
        let mut with_newest = [[0.0; 3]; MEMORY];
        let Some(newest) = self.pairs.back() else { return with_gradient };
        let mut view = BlockView::default();
        for (index, (gradient, scale)) in gradient.chunks(BLOCK).zip(scale.chunks(BLOCK)).enumerate() {
            view.fill(gradient, scale, block(&newest.step, index), block(&newest.change, index));
            let sums = with_gradient.iter_mut().zip(with_newest.iter_mut());
            for (pair, (with_gradient, with_newest)) in self.pairs.iter().zip(sums) {
                let (step, change) = (block(&pair.step, index), block(&pair.change, index));
                let [a, b] = view.with_gradient(step, change);
                let [of_step, of_change] = with_gradient;
                (*of_step, *of_change) = (*of_step + a, *of_change + b);
                if self.is_newest_unknown {
                    let [c, d, e] = view.with_newest(step, change);
                    let [step_new, new_step_change, change_new] = with_newest;
                    (*step_new, *new_step_change, *change_new) = (*step_new + c, *new_step_change + d, *change_new + e);
                }
            }
        }
        if self.is_newest_unknown {
            self.is_newest_unknown = false;
            let (n_pairs, place) = (self.pairs.len(), self.pairs.len() - 1);
            for (other, [step_new, new_step_change, change_new]) in with_newest.iter().take(n_pairs).enumerate() {
                set(&mut self.step_change, other, place, *step_new);
                set(&mut self.step_change, place, other, *new_step_change);
                set(&mut self.change_change, other, place, *change_new);
                set(&mut self.change_change, place, other, *change_new);
            }
        }
        with_gradient
    }

    /// The two-loop recursion: writes the direction in which the model of the last steps has its minimum, and returns
    /// its product with the gradient.
    fn descend(&mut self, scale: &[f64], gradient: &[f64], direction: &mut [f64]) -> f64 {
        let n_pairs = self.pairs.len();
        let with_gradient = self.multiply(scale, gradient);
        let (mut of_steps, mut of_changes) = ([0.0; MEMORY], [0.0; MEMORY]);
        for pair in (0..n_pairs).rev() {
            let [of_step, _] = with_gradient.get(pair).copied().unwrap_or_default();
            let product = of_step
                + (pair + 1..n_pairs)
                    .map(|other| entry(&of_changes, other) * get(&self.step_change, pair, other))
                    .sum::<f64>();
            if let Some(share) = of_changes.get_mut(pair) {
                *share = -product / get(&self.step_change, pair, pair);
            }
        }
        let factor = n_pairs
            .checked_sub(1)
            .map_or(1.0, |newest| get(&self.step_change, newest, newest) / get(&self.change_change, newest, newest));
        for pair in 0..n_pairs {
            let [_, of_change] = with_gradient.get(pair).copied().unwrap_or_default();
            let by_changes: f64 =
                (0..n_pairs).map(|other| entry(&of_changes, other) * get(&self.change_change, pair, other)).sum();
            let by_steps: f64 =
                (0..pair).map(|other| entry(&of_steps, other) * get(&self.step_change, other, pair)).sum();
            let correction = (factor * (of_change + by_changes) + by_steps) / get(&self.step_change, pair, pair);
            let share = -entry(&of_changes, pair);
            if let Some(of_step) = of_steps.get_mut(pair) {
                *of_step = share - correction;
            }
        }
        let mut slope = 0.0;
        let blocks = direction.chunks_mut(BLOCK).zip(gradient.chunks(BLOCK)).zip(scale.chunks(BLOCK));
        for (index, ((direction, gradient), scale)) in blocks.enumerate() {
            direction.copy_from_slice(gradient);
            for (pair, share) in self.pairs.iter().zip(of_changes) {
                add_single(direction, block(&pair.change, index), share);
            }
            direction.iter_mut().zip(scale).for_each(|(to, scale)| *to *= -factor * scale);
            for (pair, share) in self.pairs.iter().zip(of_steps) {
                add_single(direction, block(&pair.step, index), -share);
            }
            slope += dot(direction, gradient);
        }
        slope
    }
}

fn block(vector: &[f32], index: usize) -> &[f32] {
    vector.get(index * BLOCK..vector.len().min((index + 1) * BLOCK)).unwrap_or_default()
}

fn entry(numbers: &[f64; MEMORY], place: usize) -> f64 {
    numbers.get(place).copied().unwrap_or(0.0)
}

fn get(products: &[[f64; MEMORY]; MEMORY], row: usize, column: usize) -> f64 {
    products.get(row).and_then(|row| row.get(column)).copied().unwrap_or(0.0)
}

fn set(products: &mut [[f64; MEMORY]; MEMORY], row: usize, column: usize, value: f64) {
    if let Some(to) = products.get_mut(row).and_then(|row| row.get_mut(column)) {
        *to = value;
    }
}

struct Trial {
    point: Vec<f64>,
    gradient: Vec<f64>,
    value: f64,
}

/// Finds a step that satisfies the Wolfe conditions by bracketing; `false` if none lowers the objective.
fn line_search(
    objective: &mut impl Objective,
    point: &[f64],
    direction: &[f64],
    value: f64,
    slope: f64,
    trial: &mut Trial,
) -> bool {
    let (mut low, mut high, mut step) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..25 {
        trial.point.copy_from_slice(point);
        add_scaled(&mut trial.point, direction, step);
        trial.value = objective.evaluate(&trial.point, &mut trial.gradient);
        let is_enough = trial.value <= value + DECREASE * step * slope;
        if is_enough && dot(direction, &trial.gradient) >= CURVATURE * slope {
            return true;
        }
        if is_enough {
            low = step;
            step = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * step };
        } else {
            high = step;
            // The minimum of the parabola through what is known, unless it hugs an end of the bracket.
            let parabola = -slope * step * step / (2.0 * (trial.value - value - slope * step));
            let inner = (low + 0.1 * (high - low))..(low + 0.9 * (high - low));
            step = if inner.contains(&parabola) { parabola } else { 0.5 * (low + high) };
        }
    }
    trial.value < value
}

// The lanes are written out: a loop over them is unrolled only where the compiler sees through every iterator.

/// `to += factor * from`, over whole groups of [`LANES`].
#[inline]
pub(super) fn add_scaled(to: &mut [f64], from: &[f64], factor: f64) {
    let (to, _) = to.as_chunks_mut::<LANES>();
    let (from, _) = from.as_chunks::<LANES>();
    for ([a, b, c, d], [e, f, g, h]) in to.iter_mut().zip(from) {
        *a += factor * e;
        *b += factor * f;
        *c += factor * g;
        *d += factor * h;
    }
}

/// `to += factor * from`.
fn add_single(to: &mut [f64], from: &[f32], factor: f64) {
    let ((to, to_rest), (from, from_rest)) = (to.as_chunks_mut::<LANES>(), from.as_chunks::<LANES>());
    for ([a, b, c, d], [e, f, g, h]) in to.iter_mut().zip(from) {
        *a += factor * f64::from(*e);
        *b += factor * f64::from(*f);
        *c += factor * f64::from(*g);
        *d += factor * f64::from(*h);
    }
    to_rest.iter_mut().zip(from_rest).for_each(|(to, from)| *to += factor * f64::from(*from));
}

/// The sum of products, in partial sums that are always taken in the same order; each product is of doubles.
#[inline]
fn sum_of_products<L: Copy + Into<f64>, R: Copy + Into<f64>>(left: &[L], right: &[R]) -> f64 {
    let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
    let ((left, left_rest), (right, right_rest)) =
        (left.as_chunks::<{ 2 * LANES }>(), right.as_chunks::<{ 2 * LANES }>());
    for (left, right) in left.iter().zip(right) {
        let [a, b, c, d, e, f, g, h] = *left;
        let [k, l, m, n, o, p, q, r] = *right;
        let [w, x, y, z] = first;
        first = [w + a.into() * k.into(), x + b.into() * l.into(), y + c.into() * m.into(), z + d.into() * n.into()];
        let [w, x, y, z] = second;
        second = [w + e.into() * o.into(), x + f.into() * p.into(), y + g.into() * q.into(), z + h.into() * r.into()];
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(left, right)| (*left).into() * (*right).into()).sum();
    first.iter().sum::<f64>() + second.iter().sum::<f64>() + rest
}

/// The sum of products.
pub(super) fn dot(left: &[f64], right: &[f64]) -> f64 {
    sum_of_products(left, right)
}

fn scaled_square(vector: &[f32], scale: &[f64]) -> f64 {
    vector.iter().zip(scale).map(|(entry, scale)| f64::from(*entry) * f64::from(*entry) * scale).sum()
}

fn subtract(left: &[f64], right: &[f64], to: &mut Vec<f32>) {
    to.clear();
    to.extend(left.iter().zip(right).map(|(left, right)| (left - right) as f32));
}

fn greatest_magnitude(vector: &[f64]) -> f64 {
    vector.iter().fold(0.0, |greatest, entry| if entry.abs() > greatest { entry.abs() } else { greatest })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The curved valley of Rosenbrock (1960), its least value 0 at (1, 1).
    struct Valley;

    impl Objective for Valley {
        fn evaluate(&mut self, point: &[f64], gradient: &mut [f64]) -> f64 {
            let (x, y) = (point[0], point[1]);
            gradient.fill(0.0);
            gradient[0] = -2.0 * (1.0 - x) - 400.0 * x * (y - x * x);
            gradient[1] = 200.0 * (y - x * x);
            (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2)
        }
    }

    #[test]
    fn the_end_of_a_curved_valley_is_found() {
        let found = minimize(&mut Valley, vec![-1.2, 1.0, 0.0, 0.0], &[1e-3; 4], 1e-9, 200);
        assert!(found.converged && found.n_iterations < 100, "{}", found.n_iterations);
        assert!((found.point[0] - 1.0).abs() < 1e-6 && (found.point[1] - 1.0).abs() < 1e-6);
        let early = minimize(&mut Valley, vec![-1.2, 1.0, 0.0, 0.0], &[1e-3; 4], 1e-9, 3);
        assert!(!early.converged && early.n_iterations == 3);
    }
}
