//! Distances of texts: those of the rapidfuzz crate, which is part of the feature `linkage`.
//!
//! A build without the feature compares nothing: training, models and definitions of linkage are refused with an error, so
//! that no pair is ever judged without a distance.

use crate::error::Result;

/// Fails with `invalid` in a build without the feature `linkage`.
pub(crate) fn check_available() -> Result<()> {
    #[cfg(feature = "linkage")]
    return Ok(());
    #[cfg(not(feature = "linkage"))]
    Err(crate::error::Error::invalid("this build cannot compare records")
        .with_hint("build cdp-core with the feature `linkage`"))
}

/// The Jaro-Winkler similarity in `[0, 1]`.
#[cfg(feature = "linkage")]
pub(super) fn jaro_winkler<L, R, T>(left: L, right: R) -> f64
where
    L: IntoIterator<Item = T>,
    R: IntoIterator<Item = T>,
    L::IntoIter: Clone + DoubleEndedIterator,
    R::IntoIter: Clone + DoubleEndedIterator,
    T: PartialEq + rapidfuzz::HashableChar + Copy,
{
    rapidfuzz::distance::jaro_winkler::similarity(left, right)
}

/// The optimal string alignment distance; `None` beyond the limit.
#[cfg(feature = "linkage")]
pub(super) fn edits<L, R, T>(left: L, right: R, limit: usize) -> Option<usize>
where
    L: IntoIterator<Item = T>,
    R: IntoIterator<Item = T>,
    L::IntoIter: Clone + DoubleEndedIterator,
    R::IntoIter: Clone + DoubleEndedIterator,
    T: PartialEq + rapidfuzz::HashableChar + Copy,
{
    let within = rapidfuzz::distance::osa::Args::default().score_cutoff(limit);
    rapidfuzz::distance::osa::distance_with_args(left, right, &within)
}

/// No similarity: [`check_available`] has refused before.
#[cfg(not(feature = "linkage"))]
pub(super) fn jaro_winkler<T>(_: impl IntoIterator<Item = T>, _: impl IntoIterator<Item = T>) -> f64 {
    0.0
}

/// No distance: [`check_available`] has refused before.
#[cfg(not(feature = "linkage"))]
pub(super) fn edits<T>(_: impl IntoIterator<Item = T>, _: impl IntoIterator<Item = T>, _: usize) -> Option<usize> {
    None
}

#[cfg(test)]
#[cfg(not(feature = "linkage"))]
mod tests {
    use crate::definitions::{Definition, LinkageDefinition};
    use crate::linkage::{ColumnRoles, Records, link};
    use crate::records::Value;

    #[test]
    fn a_build_without_distances_refuses_tables_and_definitions() {
        let mut records = Records::new(["email"]);
        records.push("1", ["ann@example.com"]).unwrap();
        let error = link(&records, &ColumnRoles::new(), &LinkageDefinition::default(), 0).unwrap_err();
        assert!(error.hint().unwrap().contains("`linkage`"));
        let identity = br#"{"kind": "identity", "name": "default", "preset": "segment", "linkage": {}}"#;
        let error = Definition::from_value(&Value::parse(identity).unwrap()).unwrap_err();
        assert!(error.message().contains("feature `linkage`"), "{}", error.message());
    }
}
