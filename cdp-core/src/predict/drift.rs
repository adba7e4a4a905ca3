//! Says whether what a model sees has moved away from what it learned from.
//!
//! Takes a reference that was kept with the model and what is there now; leaves a figure for each, the test that made it
//! and whether it is beyond its limit. Up to a thousand rows a test of significance is asked (Kolmogorov-Smirnov, chi-square),
//! beyond it a distance (Wasserstein by the reference's spread, Jensen-Shannon), because with many rows every trifle is
//! significant: the choice that Evidently makes. It must never keep a value of a person: a reference has quantiles and counts.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// Up to this number of reference rows a test of significance decides, beyond it a distance.
const FEW_ROWS: u64 = 1000;
/// A number with no more different values is a category.
const FEW_VALUES: usize = 5;
/// How many quantiles a reference keeps at most.
const QUANTILES: usize = 1001;
/// The bins of the population stability index.
const BINS: usize = 10;
/// A share of nothing would make the index infinite.
const LEAST_SHARE: f64 = 1e-4;

/// A distribution of numbers as quantiles, the least and the greatest among them.
#[derive(Clone, Debug, PartialEq)]
pub struct NumbersReference {
    /// How many numbers there were.
    pub rows: u64,
    /// The numbers themselves, sorted, or 1001 of them evenly spread.
    pub quantiles: Vec<f64>,
}

/// How often each category occurred.
pub type CategoriesReference = BTreeMap<String, u64>;

/// How a drift was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftTest {
    /// The greatest distance of the cumulative shares; drifted if it is improbable (p < 0.05).
    KolmogorovSmirnov,
    /// Pearson's test of counts; drifted if it is improbable (p < 0.05).
    ChiSquare,
    /// The area between the cumulative shares, in standard deviations of the reference; drifted from 0.1.
    Wasserstein,
    /// The square root of the Jensen-Shannon divergence to base 2; drifted from 0.1.
    JensenShannon,
}

/// How far something has moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// The test that decides.
    pub test: DriftTest,
    /// Its figure: a distance, or the statistic of a test.
    pub statistic: f64,
    /// How probable so much is by chance; for tests of significance.
    pub p_value: Option<f64>,
    /// Whether it is beyond the limit.
    pub is_drifted: bool,
    /// The population stability index: by convention little below 0.1 and much from 0.25.
    pub psi: f64,
    /// How many rows are compared with the reference.
    pub rows: u64,
}

const SIGNIFICANT: f64 = 0.05;
const FAR: f64 = 0.1;
/// With fewer a count is too small for its distribution to be known.
const LEAST_EXPECTED: f64 = 5.0;

impl NumbersReference {
    /// The reference of these numbers; those that are not finite are left out.
    pub fn of(numbers: &[f64]) -> NumbersReference {
        let mut sorted: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let rows = sorted.len() as u64;
        if sorted.len() > QUANTILES {
            let last = (sorted.len() - 1) as f64;
            let place = |quantile: usize| (quantile as f64 / (QUANTILES - 1) as f64 * last).round() as usize;
            sorted = (0..QUANTILES).filter_map(|quantile| sorted.get(place(quantile)).copied()).collect();
        }
        NumbersReference { rows, quantiles: sorted }
    }

    /// How far other numbers have moved from this reference.
    ///
    /// Fails with `invalid` if there is no finite number on one of the sides.
    pub fn drift(&self, numbers: &[f64]) -> Result<Drift> {
        let current = NumbersReference::of(numbers);
        if self.quantiles.is_empty() || current.quantiles.is_empty() {
            return Err(Error::invalid("there are no numbers to compare").with_hint("give at least one row"));
        }
        let mut distinct = self.quantiles.clone();
        distinct.dedup();
        if distinct.len() <= FEW_VALUES {
            let category = |numbers: &[f64]| {
                let mut counts = CategoriesReference::new();
                numbers.iter().for_each(|number| *counts.entry(format!("{number:e}")).or_default() += 1);
                counts
            };
            return categories_drift(&category(&self.quantiles), &category(&current.quantiles));
        }
        let psi = self.psi(&current);
        let (test, statistic, p_value) = if self.rows <= FEW_ROWS {
            let statistic = kolmogorov_smirnov(&self.quantiles, &current.quantiles);
            (DriftTest::KolmogorovSmirnov, statistic, Some(kolmogorov_p(statistic, self.rows, current.rows)))
        } else {
            let spread = deviation(&self.quantiles);
            let distance = wasserstein(&self.quantiles, &current.quantiles);
            (DriftTest::Wasserstein, if spread > 0.0 { distance / spread } else { distance }, None)
        };
        Ok(Drift { test, statistic, p_value, is_drifted: is_beyond(statistic, p_value), psi, rows: current.rows })
    }

    /// Shares in the reference's tenths, compared.
    fn psi(&self, current: &NumbersReference) -> f64 {
        let mut borders: Vec<f64> =
            (1..BINS).filter_map(|bin| self.quantiles.get(self.quantiles.len() * bin / BINS).copied()).collect();
        borders.dedup();
        let shares = |numbers: &[f64]| {
            let mut counts = vec![0u64; borders.len() + 1];
            for number in numbers {
                if let Some(count) = counts.get_mut(borders.partition_point(|border| border <= number)) {
                    *count += 1;
                }
            }
            counts
        };
        stability_index(&shares(&self.quantiles), &shares(&current.quantiles))
    }
}

/// How far counts have moved from a reference; categories that only one side has count too.
///
/// Fails with `invalid` if one of the sides has no rows.
pub fn categories_drift(reference: &CategoriesReference, current: &CategoriesReference) -> Result<Drift> {
    let mut names: Vec<&String> = reference.keys().chain(current.keys()).collect();
    names.sort();
    names.dedup();
    let counts = |of: &CategoriesReference| -> Vec<u64> {
        names.iter().map(|name| of.get(*name).copied().unwrap_or(0)).collect()
    };
    counts_drift(&counts(reference), &counts(current))
}

/// The drift of counts that stand in one order.
pub fn counts_drift(reference: &[u64], current: &[u64]) -> Result<Drift> {
    let (before, now) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
    if before == 0 || now == 0 || reference.len() != current.len() {
        return Err(Error::invalid("there are no rows to compare").with_hint("give at least one row"));
    }
    let psi = stability_index(reference, current);
    let (test, statistic, p_value) = if before <= FEW_ROWS {
        let (statistic, freedom) = chi_square(reference, current);
        (DriftTest::ChiSquare, statistic, Some(chi_square_p(statistic, freedom)))
    } else {
        (DriftTest::JensenShannon, jensen_shannon(reference, current), None)
    };
    Ok(Drift { test, statistic, p_value, is_drifted: is_beyond(statistic, p_value), psi, rows: now })
}

/// How far the words of texts have moved: the Jensen-Shannon distance of counts of terms, less what chance may put between
/// two samples of this size.
///
/// Two samples of one distribution differ by about `(k - 1) / (8 ln 2) * (1/n + 1/m)` bits for k terms, because the
/// divergence is then a multiple of a chi-square; the mean and three standard deviations of it are taken off. Terms of which
/// fewer than five are expected count as one (Cochran's rule). Never a test of significance: terms of one document
/// are no independent draws, so that it would find drift in any vocabulary.
///
/// Fails with `invalid` if one of the sides has no terms.
pub fn vocabulary_drift(reference: &[u64], current: &[u64]) -> Result<Drift> {
    let (before, now) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
    if before == 0 || now == 0 || reference.len() != current.len() {
        return Err(
            Error::invalid("there are no terms to compare").with_hint("give at least one text with known words")
        );
    }
    let (mut left, mut right, mut rare) = (Vec::new(), Vec::new(), (0, 0));
    for (count, other) in reference.iter().zip(current) {
        if *count as f64 / before as f64 * now as f64 >= LEAST_EXPECTED {
            left.push(*count);
            right.push(*other);
        } else {
            rare = (rare.0 + count, rare.1 + other);
        }
    }
    left.push(rare.0);
    right.push(rare.1);
    let freedom = (left.len() as f64 - 1.0).max(1.0);
    let mean = freedom / (8.0 * std::f64::consts::LN_2) * (1.0 / before as f64 + 1.0 / now as f64);
    let chance = mean * (1.0 + 3.0 * (2.0 / freedom).sqrt());
    let distance = jensen_shannon(&left, &right);
    let statistic = (distance * distance - chance).max(0.0).sqrt();
    let psi = stability_index(&left, &right);
    let test = DriftTest::JensenShannon;
    Ok(Drift { test, statistic, p_value: None, is_drifted: is_beyond(statistic, None), psi, rows: now })
}

fn is_beyond(statistic: f64, p_value: Option<f64>) -> bool {
    p_value.map_or(statistic >= FAR, |p_value| p_value < SIGNIFICANT)
}

impl DriftTest {
    /// The word for this test.
    pub fn as_str(self) -> &'static str {
        match self {
            DriftTest::KolmogorovSmirnov => "kolmogorov_smirnov",
            DriftTest::ChiSquare => "chi_square",
            DriftTest::Wasserstein => "wasserstein",
            DriftTest::JensenShannon => "jensen_shannon",
        }
    }
}

/// The sum of `(now - before) * ln(now / before)` over shares, none counted as less than one in ten thousand.
pub fn stability_index(reference: &[u64], current: &[u64]) -> f64 {
    shares(reference)
        .zip(shares(current))
        .map(|(before, now)| (before.max(LEAST_SHARE), now.max(LEAST_SHARE)))
        .map(|(before, now)| (now - before) * libm::log(now / before))
        .sum()
}

/// The distance of Jensen and Shannon to base 2, from 0 to 1.
pub fn jensen_shannon(reference: &[u64], current: &[u64]) -> f64 {
    let divergence: f64 = shares(reference)
        .zip(shares(current))
        .map(|(before, now)| {
            let middle = (before + now) / 2.0;
            let part = |share: f64| if share > 0.0 { share * libm::log2(share / middle) } else { 0.0 };
            (part(before) + part(now)) / 2.0
        })
        .sum();
    divergence.max(0.0).sqrt()
}

fn shares(counts: &[u64]) -> impl Iterator<Item = f64> {
    let total = counts.iter().sum::<u64>().max(1) as f64;
    counts.iter().map(move |count| *count as f64 / total)
}

/// The statistic of Pearson and its degrees of freedom, for two rows of counts.
fn chi_square(reference: &[u64], current: &[u64]) -> (f64, f64) {
    let (before, now) = (reference.iter().sum::<u64>() as f64, current.iter().sum::<u64>() as f64);
    let mut statistic = 0.0;
    let mut n_categories = 0.0;
    for (left, right) in reference.iter().zip(current) {
        let both = (left + right) as f64;
        if both == 0.0 {
            continue;
        }
        n_categories += 1.0;
        for (count, total) in [(*left, before), (*right, now)] {
            let expected = both * total / (before + now);
            statistic += (count as f64 - expected) * (count as f64 - expected) / expected;
        }
    }
    (statistic, n_categories - 1.0)
}

/// The chance of so great a statistic: the upper incomplete gamma function (Press and others, Numerical Recipes, 6.2).
fn chi_square_p(statistic: f64, freedom: f64) -> f64 {
    if freedom < 1.0 || statistic <= 0.0 {
        return 1.0;
    }
    let (shape, x) = (freedom / 2.0, statistic / 2.0);
    let front = libm::exp(shape * libm::log(x) - x - libm::lgamma(shape));
    if x < shape + 1.0 {
        let (mut term, mut sum) = (1.0 / shape, 1.0 / shape);
        for step in 1..1000 {
            term *= x / (shape + f64::from(step));
            sum += term;
        }
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    // The continued fraction, by Lentz.
    let mut b = x + 1.0 - shape;
    let (mut c, mut d) = (1e300, 1.0 / b);
    let mut fraction = d;
    for step in 1..1000 {
        let step = f64::from(step);
        let a = -step * (step - shape);
        b += 2.0;
        d = 1.0 / (a * d + b);
        c = b + a / c;
        fraction *= c * d;
    }
    (front * fraction).clamp(0.0, 1.0)
}

/// The greatest distance of the cumulative shares of two sorted lists.
fn kolmogorov_smirnov(left: &[f64], right: &[f64]) -> f64 {
    cumulative(left, right).fold(0.0, |greatest, (_, _, left, right)| f64::max(greatest, (left - right).abs()))
}

/// The area between the cumulative shares of two sorted lists.
fn wasserstein(left: &[f64], right: &[f64]) -> f64 {
    cumulative(left, right).map(|(from, to, left, right)| (to - from) * (left - right).abs()).sum()
}

/// From each value to the next: the shares of both lists up to it.
fn cumulative(left: &[f64], right: &[f64]) -> impl Iterator<Item = (f64, f64, f64, f64)> {
    let mut values: Vec<f64> = left.iter().chain(right).copied().collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let ends: Vec<f64> = values.iter().skip(1).copied().chain(values.last().copied()).collect();
    let up_to = |list: &[f64], value: f64| list.partition_point(|other| *other <= value) as f64 / list.len() as f64;
    let steps: Vec<(f64, f64, f64, f64)> =
        values.iter().zip(ends).map(|(from, to)| (*from, to, up_to(left, *from), up_to(right, *from))).collect();
    steps.into_iter()
}

/// The chance of so great a distance, by the asymptotic series of Kolmogorov.
fn kolmogorov_p(statistic: f64, left: u64, right: u64) -> f64 {
    let rows = (left as f64 * right as f64 / (left + right) as f64).sqrt();
    let lambda = (rows + 0.12 + 0.11 / rows) * statistic;
    if lambda < 0.3 {
        return 1.0;
    }
    let mut sum = 0.0;
    for term in 1..=100 {
        let term_number = f64::from(term);
        let sign = if term % 2 == 1 { 1.0 } else { -1.0 };
        sum += sign * libm::exp(-2.0 * term_number * term_number * lambda * lambda);
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

fn deviation(numbers: &[f64]) -> f64 {
    let n = numbers.len().max(1) as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    (numbers.iter().map(|number| (number - mean) * (number - mean)).sum::<f64>() / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::calibrate::SplitMix64;

    fn numbers(seed: u64, n: usize, shift: f64) -> Vec<f64> {
        let mut random = SplitMix64::new(seed);
        (0..n).map(|_| random.below(1 << 30) as f64 / f64::from(1 << 30) + shift).collect()
    }

    #[test]
    fn figures_are_those_of_scipy() {
        // scipy.stats.ks_2samp([1, 2, 3, 4], [3, 4, 5, 6]).statistic, wasserstein_distance, chi2.sf(5.0, 3), chi2.sf(0.5, 2)
        assert!((kolmogorov_smirnov(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]) - 0.5).abs() < 1e-12);
        assert!((wasserstein(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]) - 2.0).abs() < 1e-12);
        assert!((chi_square_p(5.0, 3.0) - 0.171_797_144_296_733_4).abs() < 1e-10);
        assert!((chi_square_p(0.5, 2.0) - 0.778_800_783_071_404_9).abs() < 1e-10);
        // kstwobign.sf(1.0) and kstwobign.sf(1.36)
        assert!((kolmogorov_p(1.0 / 1e4, 200_000_000, 200_000_000) - 0.27).abs() < 1e-3);
        // Of two shares that have nothing in common the distance is 1; of half and half against one, 0.5579...
        assert!((jensen_shannon(&[1, 0], &[0, 1]) - 1.0).abs() < 1e-12);
        assert!((jensen_shannon(&[1, 1], &[2, 0]) - 0.311_278_124_459_132_8f64.sqrt()).abs() < 1e-12);
        // 0.3 * ln(0.8 / 0.5) - 0.3 * ln(0.2 / 0.5)
        let expected = 0.3 * (0.8f64 / 0.5).ln() - 0.3 * (0.2f64 / 0.5).ln();
        assert!((stability_index(&[5, 5], &[8, 2]) - expected).abs() < 1e-12);
    }

    #[test]
    fn what_did_not_move_is_not_drifted_and_what_moved_is() {
        for (n, test) in [(600, DriftTest::KolmogorovSmirnov), (5000, DriftTest::Wasserstein)] {
            let reference = NumbersReference::of(&numbers(1, n, 0.0));
            let same = reference.drift(&numbers(2, n, 0.0)).unwrap();
            assert_eq!((same.test, same.is_drifted), (test, false), "{same:?}");
            assert!(same.psi < 0.1);
            let moved = reference.drift(&numbers(2, n, 0.3)).unwrap();
            assert!(moved.is_drifted && moved.psi > 0.25, "{moved:?}");
        }
        assert_eq!(NumbersReference::of(&numbers(1, 5000, 0.0)).quantiles.len(), QUANTILES);
    }

    #[test]
    fn few_different_numbers_are_categories() {
        let reference = NumbersReference::of(&[0.0, 1.0, 1.0, 0.0, 1.0, 0.0].repeat(50));
        let drift = reference.drift(&[1.0, 1.0, 1.0, 0.0].repeat(50)).unwrap();
        assert_eq!((drift.test, drift.is_drifted), (DriftTest::ChiSquare, true));
        let many = [(String::from("a"), 1000), (String::from("b"), 1000)].into();
        let drift = categories_drift(&many, &[(String::from("c"), 10)].into()).unwrap();
        assert_eq!(drift.test, DriftTest::JensenShannon);
        assert!((drift.statistic - 1.0).abs() < 1e-12 && drift.is_drifted);
    }

    #[test]
    fn a_sample_of_the_same_words_is_no_drift_however_small_and_other_words_are() {
        let mut random = SplitMix64::new(8);
        // Zipf's law over a hundred terms, by rejection.
        let mut sample = |n: u64, shift: usize| {
            let mut counts = vec![0u64; 100];
            for _ in 0..n {
                let rank = loop {
                    let rank = random.below(100);
                    if random.below(rank + 1) == 0 {
                        break rank as usize;
                    }
                };
                counts[(rank + shift) % 100] += 1;
            }
            counts
        };
        let reference = sample(20_000, 0);
        for n in [50, 500, 20_000] {
            let same = vocabulary_drift(&reference, &sample(n, 0)).unwrap();
            assert!(!same.is_drifted, "{n}: {same:?}");
            let moved = vocabulary_drift(&reference, &sample(n, 5)).unwrap();
            assert!(moved.is_drifted && moved.statistic > 0.2, "{n}: {moved:?}");
        }
        assert!(vocabulary_drift(&reference, &[0; 100]).is_err() && vocabulary_drift(&[1], &[1, 2]).is_err());
    }

    #[test]
    fn nothing_to_compare_is_an_error_and_no_number_breaks_it() {
        let reference = NumbersReference::of(&[1.0, 2.0, f64::NAN, f64::INFINITY]);
        assert_eq!(reference.rows, 2);
        assert!(reference.drift(&[]).is_err() && reference.drift(&[f64::NAN]).is_err());
        assert!(NumbersReference::of(&[]).drift(&[1.0]).is_err());
        assert!(counts_drift(&[0, 0], &[1, 2]).is_err());
        let drift = NumbersReference::of(&numbers(3, 2000, 1e300)).drift(&[-1e300, 1e-300]).unwrap();
        assert!(!drift.psi.is_nan());
    }
}
