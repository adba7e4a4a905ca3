//! Union-find over a handful of nodes: who stands together by some links, and which links brought that about.

use rustc_hash::FxHashMap;

/// Nodes that were joined so far; a node that was not is alone.
#[derive(Debug, Default)]
pub(super) struct Forest {
    parent: FxHashMap<u32, u32>,
}

impl Forest {
    pub(super) fn root(&mut self, node: u32) -> u32 {
        let mut at = node;
        while let Some(next) = self.parent.get(&at).copied() {
            // Halve the path for those who come later.
            if let Some(after) = self.parent.get(&next).copied() {
                self.parent.insert(at, after);
            }
            at = next;
        }
        at
    }

    /// Whether the two stood apart until now.
    pub(super) fn join(&mut self, left: u32, right: u32) -> bool {
        let (left, right) = (self.root(left), self.root(right));
        if left == right {
            return false;
        }
        self.parent.insert(left.max(right), left.min(right));
        true
    }
}
