//! Union-find over a handful of nodes: the components that some links form, and the links that joined them.

use rustc_hash::FxHashMap;

/// The nodes joined so far; any other node is alone.
#[derive(Debug, Default)]
pub(super) struct Forest {
    parent: FxHashMap<u32, u32>,
}

impl Forest {
    pub(super) fn root(&mut self, node: u32) -> u32 {
        let mut at = node;
        while let Some(next) = self.parent.get(&at).copied() {
            // Halve the path for later searches.
            if let Some(after) = self.parent.get(&next).copied() {
                self.parent.insert(at, after);
            }
            at = next;
        }
        at
    }

    /// Joins two nodes; returns whether they were apart.
    pub(super) fn join(&mut self, left: u32, right: u32) -> bool {
        let (left, right) = (self.root(left), self.root(right));
        if left == right {
            return false;
        }
        self.parent.insert(left.max(right), left.min(right));
        true
    }
}
