//! Lower and upper bounds of each counted rule leaf, per profile and audience, so that upkeep need not read timelines.
//!
//! It takes what upkeep found and followed. It is in RAM alone and may forget everything at any time: then profiles are
//! looked at once more.

use std::collections::{BTreeMap, HashMap};
use std::ops;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::rules::{MAX_WATCHED, Range, Ranges};

/// What all audiences together may take, in bytes.
const MOST_BYTES: usize = 64 << 20;
/// So many neighbouring nodes share a piece of memory: whoever follows a few people pays for these, not for everybody.
const NODES_PER_PIECE: usize = 256;

/// Audience -> the least node of a profile -> its ranges.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds(BTreeMap<String, AudienceBounds>);

/// The ranges of one audience.
#[derive(Clone, Debug, Default)]
struct AudienceBounds {
    n_leaves: usize,
    // By node; none where nothing is known of any.
    pieces: Vec<Option<Arc<[Kept]>>>,
    n_bytes: usize,
}

/// A range as it is kept: all zeros say that nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kept {
    least: u8,
    below_many: u8,
}

impl Kept {
    fn of(range: Range) -> Kept {
        Kept { least: range.least, below_many: u8::MAX - range.greatest }
    }

    fn range(self) -> Range {
        Range { least: self.least, greatest: u8::MAX - self.below_many }
    }
}

/// What a transaction changes of them.
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
    /// Of an audience of whose rule so many leaves are watched.
    pub(crate) fn of(audience: &str, n_leaves: usize, committed: &'t Bounds, changes: &'t mut BoundsChanges) -> Self {
        // What was kept for another version of the rule says nothing about this one.
        let committed = committed.0.get(audience).filter(|bounds| bounds.n_leaves == n_leaves);
        let (_, changes) = changes.0.entry(audience.to_owned()).or_insert_with(|| (n_leaves, HashMap::default()));
        BoundsView { committed, changes }
    }

    /// What is known of the profile with this least node.
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

    /// Keeps what is known of a profile.
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

    fn of(&self, node: u32) -> &[Kept] {
        let (piece, places) = self.place(node);
        self.pieces.get(piece).and_then(Option::as_ref).and_then(|piece| piece.get(places)).unwrap_or_default()
    }

    /// The same to write to; empty where that takes more than `most_bytes`.
    fn of_mut(&mut self, node: u32, most_bytes: usize) -> &mut [Kept] {
        let (piece, places) = self.place(node);
        if self.pieces.get(piece).is_none_or(Option::is_none) {
            let n_new = (piece + 1).saturating_sub(self.pieces.len());
            let n_kept = NODES_PER_PIECE * self.n_leaves;
            let n_bytes = self.n_bytes + n_new * size_of::<Option<Arc<[Kept]>>>() + n_kept * size_of::<Kept>();
            if n_bytes > most_bytes {
                return &mut [];
            }
            self.n_bytes = n_bytes;
            self.pieces.resize(self.pieces.len() + n_new, None);
            if let Some(piece) = self.pieces.get_mut(piece) {
                *piece = Some(Arc::from(vec![Kept::default(); n_kept]));
            }
        }
        let piece = self.pieces.get_mut(piece).and_then(Option::as_mut).map(Arc::make_mut);
        piece.and_then(|piece| piece.get_mut(places)).unwrap_or_default()
    }
}

impl Bounds {
    /// Takes in what a transaction has found; behind what RAM may take, nothing is kept.
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
                kept.iter_mut().zip(ranges).for_each(|(kept, range)| *kept = Kept::of(range));
            }
            n_bytes += bounds.n_bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_followed_is_known_afterwards_and_nothing_else() {
        let mut ranges = [Range::UNKNOWN; MAX_WATCHED];
        ranges[1] = Range { least: 2, greatest: 7 };
        let mut bounds = Bounds::default();
        let mut changes = BoundsChanges::default();
        let mut known = BoundsView::of("a", 2, &bounds, &mut changes);
        known.set(5, ranges);
        known.set(6, [Range::UNKNOWN; MAX_WATCHED]);
        assert_eq!((known.get(5), known.changes.len()), (ranges, 1));
        bounds.fold(changes);
        // More than RAM may take: forgotten, and nothing else with it.
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
