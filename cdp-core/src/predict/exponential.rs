//! The exponential of many numbers at once, with the same bits on every machine.
//!
//! Takes logits; leaves probabilities. A training step on many classes takes millions of exponentials, and a call of
//! libm per number cannot use the processor's vector units. Reduction by ln 2 in two parts (Cody and Waite, Software
//! Manual for the Elementary Functions, 1980, chapter 6) and the Taylor polynomial of degree 12: products and sums only, so
//! no platform's own function and no fused operation can change a bit.

/// Below this the result is less than 1e-304, which is nothing beside a probability.
const LEAST: f64 = -700.0;
/// Adding it leaves the nearest integer in the lowest bits of the sum.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1/n! for n from 12 down to 0.
const TAYLOR: [f64; 13] = [
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// `e^x` for x from -700 to 700, and as for the nearer of them beyond; a NaN counts as -700.
#[inline(always)]
#[expect(clippy::manual_clamp, reason = "clamp lets a NaN through")]
pub(super) fn exponential(x: f64) -> f64 {
    let x = x.max(LEAST).min(-LEAST);
    let shifted = x * std::f64::consts::LOG2_E + ROUNDER;
    let whole = shifted - ROUNDER;
    let rest = (x - whole * LN_2_HIGH) - whole * LN_2_LOW;
    let [a, b, c, d, e, f, g, h, i, j, k, l, m] = TAYLOR;
    // Two halves side by side: a chain of twelve sums would be waited for one by one.
    let square = rest * rest;
    let even = ((((((a * square + c) * square + e) * square + g) * square + i) * square + k) * square) + m;
    let odd = ((((b * square + d) * square + f) * square + h) * square + j) * square + l;
    let sum = even + odd * rest;
    // The lowest bits of `shifted` are the power of two; moved up they are the exponent of a float.
    sum * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

/// Turns logits into probabilities and returns the logarithm of the sum of their exponentials.
///
/// The greatest of *this row* is taken off first: with the greatest of all rows, a row far below it would underflow.
pub(super) fn softmax(logits: &mut [f64]) -> f64 {
    let larger = |left: f64, right: f64| if right > left { right } else { left };
    let mut lanes = [f64::NEG_INFINITY; 4];
    let (groups, rest) = logits.as_chunks::<4>();
    for [a, b, c, d] in groups {
        let [w, x, y, z] = lanes;
        lanes = [larger(w, *a), larger(x, *b), larger(y, *c), larger(z, *d)];
    }
    let greatest = lanes.iter().chain(rest).copied().fold(f64::NEG_INFINITY, larger);
    let mut sums = [0.0; 4];
    let (groups, rest) = logits.as_chunks_mut::<4>();
    for group in groups {
        let [a, b, c, d] = *group;
        let shares = [
            exponential(a - greatest),
            exponential(b - greatest),
            exponential(c - greatest),
            exponential(d - greatest),
        ];
        let ([w, x, y, z], [a, b, c, d]) = (sums, shares);
        sums = [w + a, x + b, y + c, z + d];
        *group = shares;
    }
    let mut sum: f64 = sums.iter().sum();
    for logit in rest {
        *logit = exponential(*logit - greatest);
        sum += *logit;
    }
    let inverse = 1.0 / sum;
    logits.iter_mut().for_each(|share| *share *= inverse);
    libm::log(sum) + greatest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential_to_the_last_digits() {
        for step in -70_000..=70_000 {
            let x = f64::from(step) / 100.0;
            let (found, expected) = (exponential(x), libm::exp(x));
            assert!((found - expected).abs() <= 1e-15 * expected, "e^{x}: {found} is not {expected}");
        }
        assert_eq!(exponential(0.0), 1.0);
        assert!(exponential(f64::NEG_INFINITY) < 1e-300 && exponential(f64::NAN) < 1e-300);
    }

    #[test]
    fn probabilities_add_up_to_one_however_far_the_logits_lie_apart() {
        for mut logits in [vec![0.0; 7], vec![1e300, -1e300, 0.0], vec![-1e9, -1e9 + 1.0], vec![700.0; 9]] {
            let n = logits.len();
            softmax(&mut logits);
            assert!((logits.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert_eq!(logits.len(), n);
        }
        let mut logits = vec![1.0, 2.0, 3.0, 4.0, 5.0];
        let expected = (1..=5).map(|x| f64::from(x).exp()).sum::<f64>().ln();
        assert!((softmax(&mut logits) - expected).abs() < 1e-14);
    }
}
