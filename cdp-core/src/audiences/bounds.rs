//! Lower and upper bounds of each counted rule leaf, per profile and audience, so that upkeep need not read timelines.
//!
//! It takes the bounds that upkeep has computed or followed. It is in RAM alone and may drop any of them at any time:
//! upkeep then reads the timeline once more.

use std::collections::{BTreeMap, HashMap};
use std::ops;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::rules::{MAX_WATCHED, Range, Ranges};

/// The RAM budget of all audiences together, in bytes.
const MOST_BYTES: usize = 64 << 20;
/// The number of neighbouring nodes in a piece of memory, so that bounds of a few profiles take RAM for their pieces
/// alone.
const NODES_PER_PIECE: usize = 256;

/// Audience -> the least node of a profile -> its ranges.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds(BTreeMap<String, AudienceBounds>);

/// The ranges of one audience.
#[derive(Clone, Debug, Default)]
struct AudienceBounds {
    n_leaves: usize,
    // By node; `None` where no range is known.
    pieces: Vec<Option<Arc<[StoredRange]>>>,
    n_bytes: usize,
}

/// A stored range; all zeros mean an unknown one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct StoredRange {
    least: u8,
    below_many: u8,
}

impl StoredRange {
    fn of(range: Range) -> StoredRange {
        StoredRange { least: range.least, below_many: u8::MAX - range.greatest }
    }

    fn range(self) -> Range {
        Range { least: self.least, greatest: u8::MAX - self.below_many }
    }
}

/// The changes of a transaction.
#[derive(Debug, Default)]
pub(crate) struct BoundsChanges(BTreeMap<String, (usize, HashMap<u32, Ranges, FxBuildHasher>)>);

impl BoundsChanges {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.values().all(|(_, changes)| changes.is_empty())
    }
}

/// The ranges of one audience as a transaction sees them.
pub(crate) struct BoundsView<'t> {
    committed: Option<&'t AudienceBounds>,
    changes: &'t mut HashMap<u32, Ranges, FxBuildHasher>,
}

impl<'t> BoundsView<'t> {
    /// The bounds of an audience whose rule has `n_leaves` watched leaves.
    pub(crate) fn of(audience: &str, n_leaves: usize, committed: &'t Bounds, changes: &'t mut BoundsChanges) -> Self {
        // Bounds of another version of the rule are not valid for this one.
        let committed = committed.0.get(audience).filter(|bounds| bounds.n_leaves == n_leaves);
        let (_, changes) = changes.0.entry(audience.to_owned()).or_insert_with(|| (n_leaves, HashMap::default()));
        BoundsView { committed, changes }
    }

    /// The known ranges of the profile with this least node.
    pub(crate) fn get(&self, node: u32) -> Ranges {
        if let Some(changed) = self.changes.get(&node) {
            return *changed;
        }
        let mut ranges = [Range::UNKNOWN; MAX_WATCHED];
        if let Some(bounds) = self.committed {
            ranges.iter_mut().zip(bounds.of(node)).for_each(|(range, kept)| *range = kept.range());
        }
        ranges
    }

    /// Sets the ranges of a profile.
    pub(crate) fn set(&mut self, node: u32, ranges: Ranges) {
        if self.get(node) != ranges {
            self.changes.insert(node, ranges);
        }
    }
}

impl AudienceBounds {
    fn place(&self, node: u32) -> (usize, ops::Range<usize>) {
        let start = node as usize % NODES_PER_PIECE * self.n_leaves;
        (node as usize / NODES_PER_PIECE, start..start + self.n_leaves)
    }

    fn of(&self, node: u32) -> &[StoredRange] {
        let (piece, places) = self.place(node);
        self.pieces.get(piece).and_then(Option::as_ref).and_then(|piece| piece.get(places)).unwrap_or_default()
    }

    /// The ranges of a node for writing; empty if that would take more than `most_bytes`.
    fn of_mut(&mut self, node: u32, most_bytes: usize) -> &mut [StoredRange] {
        let (piece, places) = self.place(node);
        if self.pieces.get(piece).is_none_or(Option::is_none) {
            let n_new = (piece + 1).saturating_sub(self.pieces.len());
            let n_kept = NODES_PER_PIECE * self.n_leaves;
            let n_bytes =
                self.n_bytes + n_new * size_of::<Option<Arc<[StoredRange]>>>() + n_kept * size_of::<StoredRange>();
            if n_bytes > most_bytes {
                return &mut [];
            }
            self.n_bytes = n_bytes;
            self.pieces.resize(self.pieces.len() + n_new, None);
            if let Some(piece) = self.pieces.get_mut(piece) {
                *piece = Some(Arc::from(vec![StoredRange::default(); n_kept]));
            }
        }
        let piece = self.pieces.get_mut(piece).and_then(Option::as_mut).map(Arc::make_mut);
        piece.and_then(|piece| piece.get_mut(places)).unwrap_or_default()
    }
}

impl Bounds {
    /// Adds the changes of a transaction; beyond the RAM budget ranges are dropped.
    pub(crate) fn fold(&mut self, changes: BoundsChanges) {
        let mut n_bytes: usize = self.0.values().map(|bounds| bounds.n_bytes).sum();
        for (audience, (n_leaves, changes)) in changes.0 {
            let bounds = self.0.entry(audience).or_default();
            n_bytes -= bounds.n_bytes;
            if bounds.n_leaves != n_leaves {
                *bounds = AudienceBounds { n_leaves, ..AudienceBounds::default() };
            }
            let most_bytes = MOST_BYTES.saturating_sub(n_bytes);
            for (node, ranges) in changes {
                let kept = bounds.of_mut(node, most_bytes);
                kept.iter_mut().zip(ranges).for_each(|(kept, range)| *kept = StoredRange::of(range));
            }
            n_bytes += bounds.n_bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn followed_ranges_are_kept_and_no_others() {
        let mut ranges = [Range::UNKNOWN; MAX_WATCHED];
        ranges[1] = Range { least: 2, greatest: 7 };
        let mut bounds = Bounds::default();
        let mut changes = BoundsChanges::default();
        let mut known = BoundsView::of("a", 2, &bounds, &mut changes);
        known.set(5, ranges);
        known.set(6, [Range::UNKNOWN; MAX_WATCHED]);
        assert_eq!((known.get(5), known.changes.len()), (ranges, 1));
        bounds.fold(changes);
        // More than the RAM budget: these ranges are dropped, and no others.
        let mut changes = BoundsChanges::default();
        BoundsView::of("a", 2, &bounds, &mut changes).set(u32::MAX, ranges);
        bounds.fold(changes);
        let mut changes = BoundsChanges::default();
        for (audience, n_leaves, node, expected) in [
            ("a", 2, 5, ranges),
            ("a", 2, 4, [Range::UNKNOWN; MAX_WATCHED]),
            ("a", 2, 5 + NODES_PER_PIECE as u32, [Range::UNKNOWN; MAX_WATCHED]),
            ("a", 2, u32::MAX, [Range::UNKNOWN; MAX_WATCHED]),
            ("a", 3, 5, [Range::UNKNOWN; MAX_WATCHED]),
            ("b", 2, 5, [Range::UNKNOWN; MAX_WATCHED]),
        ] {
            assert_eq!(BoundsView::of(audience, n_leaves, &bounds, &mut changes).get(node), expected, "{audience}");
        }
    }
}
