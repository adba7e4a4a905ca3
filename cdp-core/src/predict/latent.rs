//! Latent semantic analysis: words that occur in the same profiles count as alike, so a text can be like a cohort with
//! which it shares no word.
//!
//! Takes documents and what they are to be compared with; leaves a space of a few hundred dimensions, learned from the store
//! itself (Deerwester and others, Indexing by Latent Semantic Analysis, 1990). The space is the span of the first right
//! singular vectors of the TF-IDF rows, found by block power iteration from a fixed start; cosines do not depend on the
//! basis of that span, so none is turned into singular vectors. It must never depend on the order of documents or on chance.

use super::bytes::{Reader, Writer, corrupt};
use super::calibrate::SplitMix64;
use super::sparse::SparseRecords;
use super::text::{Vectorizer, VectorizerOptions};
use super::tokens::Document;
use crate::error::Result;

/// As many as were measured on topical texts.
const DIMENSIONS: usize = 200;
/// The least number of documents or terms for one dimension: with one for each, every word would be alike only to itself.
const PER_DIMENSION: usize = 4;
/// A round multiplies what lies outside the span by the squared ratio of its singular value to those inside.
const ROUNDS: usize = 6;
const TERMS: u32 = 20_000;
/// A direction whose rest is shorter than this share of the longest is noise.
const LEAST_PIVOT: f64 = 1e-12;

/// Terms with their place in the space.
#[derive(Clone, Debug)]
pub(super) struct LatentSpace {
    vectorizer: Vectorizer,
    n_dimensions: usize,
    // All dimensions of the first term, then of the next.
    basis: Vec<f32>,
}

impl LatentSpace {
    /// The space of these documents, with `least_dimensions` or more if there is so much to span. Cost grows with the words
    /// times the dimensions, at most [`DIMENSIONS`], and with the terms times their square.
    ///
    /// Fails with `invalid` if no term is left.
    pub(super) fn learn<D: Document>(
        options: &VectorizerOptions,
        documents: &[D],
        least_dimensions: usize,
    ) -> Result<LatentSpace> {
        let options = VectorizerOptions { max_features: options.max_features.or(Some(TERMS)), ..options.clone() };
        let (vectorizer, counts) = Vectorizer::fit(&options, documents)?;
        let records = vectorizer.weigh(&counts)?;
        let n_terms = vectorizer.terms().len();
        let most = n_terms.min(documents.len());
        let n_dimensions = (most / PER_DIMENSION).max(least_dimensions).min(most).clamp(1, DIMENSIONS);
        let mut random = SplitMix64::new(0);
        let mut basis: Vec<f64> =
            (0..n_terms * n_dimensions).map(|_| random.below(1 << 32) as f64 / f64::from(1u32 << 31) - 1.0).collect();
        orthonormalize(&mut basis, n_dimensions);
        for _ in 0..ROUNDS {
            basis = multiplied(&records, &basis, n_dimensions);
            // Twice: what rounding left over the first time is gone after the second.
            orthonormalize(&mut basis, n_dimensions);
            orthonormalize(&mut basis, n_dimensions);
        }
        Ok(LatentSpace { vectorizer, n_dimensions, basis: basis.iter().map(|number| *number as f32).collect() })
    }

    /// A document's place in the space, of length one; `None` if no term of it is known.
    pub(super) fn place(&self, document: &(impl Document + ?Sized)) -> Option<Vec<f64>> {
        let mut place = vec![0.0; self.n_dimensions];
        for (column, value) in self.vectorizer.transform(document) {
            let of_term = self.of_term(column);
            place.iter_mut().zip(of_term).for_each(|(sum, number)| *sum += value * f64::from(*number));
        }
        let length = dot(&place, &place).sqrt();
        if length <= 0.0 {
            return None;
        }
        place.iter_mut().for_each(|number| *number /= length);
        Some(place)
    }

    /// What each known term of a document adds to its cosine with a place.
    pub(super) fn explain(&self, document: &(impl Document + ?Sized), other: &[f64]) -> Vec<(String, f64)> {
        let row = self.vectorizer.transform(document);
        let mut sum = vec![0.0; self.n_dimensions];
        let mut parts = Vec::with_capacity(row.len());
        for (column, value) in row {
            let of_term: Vec<f64> = self.of_term(column).iter().map(|number| value * f64::from(*number)).collect();
            sum.iter_mut().zip(&of_term).for_each(|(sum, number)| *sum += number);
            let term = self.vectorizer.terms().get(column as usize).map_or_else(String::new, |term| term.to_string());
            parts.push((term, dot(&of_term, other)));
        }
        let length = dot(&sum, &sum).sqrt();
        if length <= 0.0 {
            return Vec::new();
        }
        parts.into_iter().map(|(term, part)| (term, part / length)).collect()
    }

    fn of_term(&self, column: u32) -> &[f32] {
        let start = column as usize * self.n_dimensions;
        self.basis.get(start..start + self.n_dimensions).unwrap_or_default()
    }

    pub(super) fn vectorizer(&self) -> &Vectorizer {
        &self.vectorizer
    }

    /// The space without the terms of fewer than `least` documents; `None` if none is left.
    pub(super) fn without_rare_terms(&self, least: u32) -> Option<LatentSpace> {
        let (vectorizer, kept) = self.vectorizer.without_rare_terms(least)?;
        let basis = kept.iter().flat_map(|column| self.of_term(*column)).copied().collect();
        Some(LatentSpace { vectorizer, n_dimensions: self.n_dimensions, basis })
    }

    pub(super) fn write(&self, out: &mut Writer) {
        self.vectorizer.write(out);
        out.count(self.n_dimensions);
        self.basis.iter().for_each(|number| out.f32(*number));
    }

    pub(super) fn read(content: &mut Reader<'_>) -> Result<LatentSpace> {
        let vectorizer = Vectorizer::read(content)?;
        let n_dimensions = content.u32()? as usize;
        if !(1..=DIMENSIONS).contains(&n_dimensions) {
            return Err(corrupt("holding numbers that do not fit each other"));
        }
        let n_numbers = vectorizer.terms().len().checked_mul(n_dimensions).ok_or_else(|| corrupt("cut off"))?;
        let basis = content.f32s(n_numbers)?;
        Ok(LatentSpace { vectorizer, n_dimensions, basis })
    }
}

/// The cosine of two places of length one, none counted as less than 0.
pub(super) fn cosine(left: &[f64], right: &[f64]) -> f64 {
    dot(left, right).clamp(0.0, 1.0)
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// The rows' own products with the basis, brought back to the terms: one round of power iteration.
fn multiplied(records: &SparseRecords, basis: &[f64], width: usize) -> Vec<f64> {
    let mut product = vec![0.0; basis.len()];
    let mut place = vec![0.0; width];
    let range = |column: &u32| *column as usize * width..(*column as usize + 1) * width;
    for (columns, values) in records.rows() {
        place.iter_mut().for_each(|number| *number = 0.0);
        for (column, value) in columns.iter().zip(values) {
            let of_term = basis.get(range(column)).unwrap_or_default();
            place.iter_mut().zip(of_term).for_each(|(sum, number)| *sum += value * number);
        }
        for (column, value) in columns.iter().zip(values) {
            let of_term = product.get_mut(range(column)).unwrap_or_default();
            of_term.iter_mut().zip(&place).for_each(|(sum, number)| *sum += value * number);
        }
    }
    product
}

/// Makes the columns of a matrix (given by rows) orthonormal by the Cholesky factor of their products; a column that
/// depends on those before becomes zero.
fn orthonormalize(rows: &mut [f64], width: usize) {
    if width == 0 {
        return;
    }
    let mut products = vec![0.0; width * width];
    for row in rows.chunks_exact(width) {
        for (left, of_left) in row.iter().zip(products.chunks_exact_mut(width)) {
            of_left.iter_mut().zip(row).for_each(|(sum, right)| *sum += left * right);
        }
    }
    let at = |matrix: &[f64], row: usize, column: usize| matrix.get(row * width + column).copied().unwrap_or(0.0);
    let greatest = (0..width).map(|place| at(&products, place, place)).fold(0.0, f64::max);
    // The lower factor, row by row.
    let mut factor = vec![0.0; width * width];
    for row in 0..width {
        for column in 0..=row {
            let known: f64 = (0..column).map(|place| at(&factor, row, place) * at(&factor, column, place)).sum();
            let rest = at(&products, row, column) - known;
            let pivot = at(&factor, column, column);
            let value = match row == column {
                true if rest > LEAST_PIVOT * greatest => rest.sqrt(),
                true => 0.0,
                false if pivot > 0.0 => rest / pivot,
                false => 0.0,
            };
            if let Some(to) = factor.get_mut(row * width + column) {
                *to = value;
            }
        }
    }
    let mut solved = vec![0.0; width];
    for row in rows.chunks_exact_mut(width) {
        for (place, of_factor) in factor.chunks_exact(width).enumerate() {
            let known: f64 = of_factor.iter().zip(&solved).take(place).map(|(left, right)| left * right).sum();
            let pivot = of_factor.get(place).copied().unwrap_or(0.0);
            let value = row.get(place).copied().unwrap_or(0.0) - known;
            if let Some(to) = solved.get_mut(place) {
                *to = if pivot > 0.0 { value / pivot } else { 0.0 };
            }
        }
        row.copy_from_slice(&solved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(texts: &[&str]) -> Vec<Vec<String>> {
        texts.iter().map(|text| vec![(*text).to_owned()]).collect()
    }

    #[test]
    fn words_that_share_profiles_become_alike() {
        let mut texts = Vec::new();
        for _ in 0..20 {
            texts.extend(["espresso beans grinder", "grinder coffee filter", "violin bow rosin", "rosin cello string"]);
        }
        let space = LatentSpace::learn(&VectorizerOptions::default(), &documents(&texts), 2).unwrap();
        let of = |text: &str| space.place(text).unwrap();
        // Espresso and coffee stand in no document together, but both beside a grinder.
        assert!(cosine(&of("espresso"), &of("coffee")) > 0.9);
        assert!(cosine(&of("espresso"), &of("violin")) < 0.1);
        assert!(space.place("unknown words").is_none());
        let explained: f64 = space.explain("espresso grinder", &of("coffee")).iter().map(|(_, part)| part).sum();
        assert!((explained - dot(&of("espresso grinder"), &of("coffee"))).abs() < 1e-12);
    }

    #[test]
    fn a_basis_is_orthonormal_and_what_depends_on_others_is_dropped() {
        let mut rows = vec![1.0, 2.0, 2.0, 0.0, 1.0, 0.0, 1.0, 0.0, 2.0, 3.0, 1.0, 6.0];
        orthonormalize(&mut rows, 3);
        let column = |place: usize| -> Vec<f64> { rows.iter().skip(place).step_by(3).copied().collect() };
        for left in 0..2 {
            for right in 0..2 {
                let expected = if left == right { 1.0 } else { 0.0 };
                assert!((dot(&column(left), &column(right)) - expected).abs() < 1e-12);
            }
        }
        // The third is twice the first.
        assert!(column(2).iter().all(|number| *number == 0.0));
    }

    #[test]
    fn the_span_is_that_of_the_first_singular_vectors() {
        // Two blocks of different weight: one dimension finds the heavier.
        let records =
            SparseRecords::from_dense(3, &[vec![3.0, 3.0, 0.0], vec![3.0, 3.0, 0.0], vec![0.0, 0.0, 1.0]]).unwrap();
        let mut basis = vec![0.3, -0.2, 0.9];
        for _ in 0..ROUNDS {
            basis = multiplied(&records, &basis, 1);
            orthonormalize(&mut basis, 1);
        }
        let expected = 0.5f64.sqrt();
        assert!((basis[0].abs() - expected).abs() < 1e-6 && (basis[1].abs() - expected).abs() < 1e-6, "{basis:?}");
    }
}
