//! Finds the minimum of a smooth function of many numbers: L-BFGS.
//!
//! Takes an objective, a start and the expected curvature of each number; leaves the point where the gradient vanishes,
//! and whether it was reached. Nocedal and Wright, Numerical Optimization, 2nd ed.: the two-loop recursion of algorithm
//! 7.4 over ten pairs, with a diagonal instead of a multiple of one in its middle, and a line search that brackets a
//! step of the Wolfe conditions (3.6). Every sum has a fixed order, so equal objectives end at equal bits.

use std::collections::VecDeque;

/// Vectors are padded with zeros to whole groups of so many, so that the inner loops have a fixed length.
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

/// A step and the change of the gradient along it.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    inverse_product: f64,
}

const MEMORY: usize = 10;
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
    let mut trial = Trial { point: point.clone(), gradient: gradient.clone(), value };
    let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
    let mut direction = gradient.clone();
    let mut n_iterations = 0;
    let mut converged = greatest_magnitude(&gradient) <= tol;
    while !converged && n_iterations < max_iter {
        descend(&pairs, scale, &gradient, &mut direction);
        let mut slope = dot(&direction, &gradient);
        if slope.is_nan() || slope >= 0.0 {
            pairs.clear();
            descend(&pairs, scale, &gradient, &mut direction);
            slope = dot(&direction, &gradient);
        }
        if !line_search(objective, &point, &direction, value, slope, &mut trial) {
            // No step lowers the objective any more: as good as the precision of its sums allows.
            break;
        }
        let mut pair = if pairs.len() == MEMORY { pairs.pop_front() } else { None }.unwrap_or_else(|| Pair {
            step: vec![0.0; point.len()],
            change: vec![0.0; point.len()],
            inverse_product: 0.0,
        });
        subtract(&trial.point, &point, &mut pair.step);
        subtract(&trial.gradient, &gradient, &mut pair.change);
        let product = dot(&pair.step, &pair.change);
        if product > 1e-16 * dot(&pair.change, &pair.change) {
            pair.inverse_product = 1.0 / product;
            pairs.push_back(pair);
        }
        let gain = (value - trial.value) / value.abs().max(trial.value.abs()).max(1.0);
        std::mem::swap(&mut point, &mut trial.point);
        std::mem::swap(&mut gradient, &mut trial.gradient);
        value = trial.value;
        n_iterations += 1;
        converged = greatest_magnitude(&gradient) <= tol || gain <= LEAST_GAIN;
    }
    Minimum { point, value, n_iterations, converged }
}

/// The two-loop recursion: the direction in which the model of the last steps has its minimum.
fn descend(pairs: &VecDeque<Pair>, scale: &[f64], gradient: &[f64], direction: &mut [f64]) {
    direction.copy_from_slice(gradient);
    let mut shares = [0.0; MEMORY];
    for (pair, share) in pairs.iter().rev().zip(shares.iter_mut()) {
        *share = pair.inverse_product * dot(&pair.step, direction);
        add_scaled(direction, &pair.change, -*share);
    }
    let factor = pairs.back().map_or(1.0, |pair| 1.0 / (pair.inverse_product * scaled_square(&pair.change, scale)));
    direction.iter_mut().zip(scale).for_each(|(to, scale)| *to *= factor * scale);
    for (pair, share) in pairs.iter().zip(shares.iter().take(pairs.len()).rev()) {
        let correction = pair.inverse_product * dot(&pair.change, direction);
        add_scaled(direction, &pair.step, share - correction);
    }
    direction.iter_mut().for_each(|to| *to = -*to);
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

/// `to += factor * from`, over whole groups of [`LANES`].
pub(super) fn add_scaled(to: &mut [f64], from: &[f64], factor: f64) {
    let (to, _) = to.as_chunks_mut::<LANES>();
    let (from, _) = from.as_chunks::<LANES>();
    for (to, from) in to.iter_mut().zip(from) {
        for (to, from) in to.iter_mut().zip(from) {
            *to += factor * from;
        }
    }
}

/// The sum of products, in eight partial sums that are always taken in the same order.
pub(super) fn dot(left: &[f64], right: &[f64]) -> f64 {
    let mut sums = [0.0; 2 * LANES];
    let ((left, left_rest), (right, right_rest)) =
        (left.as_chunks::<{ 2 * LANES }>(), right.as_chunks::<{ 2 * LANES }>());
    for (left, right) in left.iter().zip(right) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += left * right;
        }
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f64>() + rest
}

fn scaled_square(vector: &[f64], scale: &[f64]) -> f64 {
    vector.iter().zip(scale).map(|(entry, scale)| entry * entry * scale).sum()
}

fn subtract(left: &[f64], right: &[f64], to: &mut [f64]) {
    to.iter_mut().zip(left).zip(right).for_each(|((to, left), right)| *to = left - right);
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
