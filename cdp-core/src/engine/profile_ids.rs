//! The way back from a profile id to the node that it is the keyed hash of.
//!
//! A table of node numbers that begins with the first question and grows with the nodes: the first question hashes every
//! node once, about 0.2 us each, and the table takes 5 to 10 bytes for each. A store that is never asked by profile id has
//! none.

use std::sync::{Mutex, PoisonError};

use hashbrown::HashTable;

/// The first 16 bytes of the keyed hash of a node.
pub(in crate::engine) type ProfileId = u128;

/// Reads the text of a profile id: 32 digits in lower case.
pub(in crate::engine) fn read_profile_id(text: &str) -> Option<ProfileId> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 32 || !text.bytes().all(is_digit) {
        return None;
    }
    ProfileId::from_str_radix(text, 16).ok()
}

/// The nodes of a store by their ids.
#[derive(Default)]
pub(crate) struct ProfileIds(Mutex<Table>);

#[derive(Default)]
struct Table {
    nodes: HashTable<u32>,
    /// The nodes before this one are in the table.
    up_to: u32,
}

// The id is a keyed hash, so any part of it serves as one.
fn hash_of(id: ProfileId) -> u64 {
    id as u64
}

impl ProfileIds {
    /// The node of this id among the first `n_nodes`, the first if there were two.
    pub(crate) fn find(&self, wanted: ProfileId, n_nodes: u32, id_of: &dyn Fn(u32) -> ProfileId) -> Option<u32> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hasher = |node: &u32| hash_of(id_of(*node));
        let from = table.up_to;
        if from < n_nodes {
            table.nodes.reserve((n_nodes - from) as usize, hasher);
            for node in from..n_nodes {
                table.nodes.insert_unique(hash_of(id_of(node)), node, hasher);
            }
            table.up_to = n_nodes;
        }
        table.nodes.find(hash_of(wanted), |node| id_of(*node) == wanted).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_is_found_however_the_table_grew_and_no_other() {
        let ids = ProfileIds::default();
        // Ten nodes share each hash.
        let id_of = |node: u32| ProfileId::from(node) << 64 | ProfileId::from(node / 10);
        for n_nodes in [0, 1, 50, 1_000] {
            for node in 0..1_100 {
                assert_eq!(ids.find(id_of(node), n_nodes.max(1), &id_of), (node < n_nodes.max(1)).then_some(node));
            }
        }
        assert_eq!(ids.find(1 << 100, 1_000, &id_of), None);
    }

    #[test]
    fn an_id_is_32_digits_in_lower_case() {
        assert_eq!(read_profile_id("000000000000000000000000000000ff"), Some(255));
        for text in [
            "",
            "ff",
            "000000000000000000000000000000FF",
            "+00000000000000000000000000000ff",
            "0000000000000000000000000000000g",
        ] {
            assert_eq!(read_profile_id(text), None, "{text}");
        }
    }
}
