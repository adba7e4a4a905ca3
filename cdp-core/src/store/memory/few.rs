//! A few nodes of a store whose nodes are not in RAM: their identifiers and beginnings, read from the file.
//!
//! It takes single nodes as they are read from the file, and serves them to a [`super::MemoryView`] that has no other
//! nodes. It does not hold the number of nodes of the store.

use rustc_hash::FxHashMap;

use crate::store::firsts::Firsts;

/// Some nodes, by number.
#[derive(Default)]
pub(crate) struct Few {
    nodes: FxHashMap<u32, FewNode>,
}

struct FewNode {
    identifier_type: u32,
    value: String,
    firsts: Firsts,
}

impl Few {
    /// Adds a node: the number of its type's name, its value, its beginnings.
    pub(crate) fn insert(&mut self, node: u32, (identifier_type, value): (u32, String), firsts: Firsts) {
        self.nodes.insert(node, FewNode { identifier_type, value, firsts });
    }

    pub(crate) fn contains(&self, node: u32) -> bool {
        self.nodes.contains_key(&node)
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The numbers of all nodes, ascending.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.nodes.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    pub(super) fn identifier(&self, node: u32) -> Option<(u32, &str)> {
        self.nodes.get(&node).map(|few| (few.identifier_type, few.value.as_str()))
    }

    pub(super) fn firsts(&self, node: u32) -> Option<Firsts> {
        self.nodes.get(&node).map(|few| few.firsts)
    }
}
