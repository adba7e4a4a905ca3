//! The exact set of nodes in a run: most runs have no facts of most nodes, and need not be read for them.
//!
//! One bit for each node. In the file the nodes of each stretch of [`CHUNK`] numbers are a list where they are few,
//! else bits: never more than two bytes for each node. The set grows while a run is built, and never shrinks.

use crate::error::Result;
use crate::store::bytes::{Reader, corrupt, seal, unsealed};

/// The number of nodes in a word of bits.
pub(super) const NODES_A_WORD: u32 = u64::BITS;
/// The number of words in a chunk of the file, and the number of nodes that is.
const CHUNK_WORDS: usize = 64;
const CHUNK: usize = CHUNK_WORDS * NODES_A_WORD as usize;
/// From this number of nodes on, the bits of a chunk are no longer than a list of its nodes.
const MANY: usize = CHUNK_WORDS * 8 / 2;

/// Numbers of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeSet {
    words: Vec<u64>,
}

fn bits_of(word: u64) -> impl Iterator<Item = u32> {
    (0..NODES_A_WORD).filter(move |bit| word >> bit & 1 == 1)
}

impl NodeSet {
    /// The bits of every [`NODES_A_WORD`] nodes, with the first of these.
    pub(super) fn words(&self) -> impl Iterator<Item = (u32, u64)> {
        (0..).step_by(NODES_A_WORD as usize).zip(self.words.iter().copied())
    }

    /// Adds nodes.
    pub(super) fn extend(&mut self, nodes: &[u32]) {
        let Some(greatest) = nodes.iter().max() else { return };
        let n_words = (greatest / NODES_A_WORD) as usize + 1;
        if self.words.len() < n_words {
            self.words.resize(n_words, 0);
        }
        for node in nodes {
            if let Some(word) = self.words.get_mut((node / NODES_A_WORD) as usize) {
                *word |= 1 << (node % NODES_A_WORD);
            }
        }
    }

    /// The set as bytes: a checksum, then for each chunk the number of its nodes, and the nodes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = unsealed(0);
        for chunk in self.words.chunks(CHUNK_WORDS) {
            let n_nodes: usize = chunk.iter().map(|word| word.count_ones() as usize).sum();
            out.extend_from_slice(&(n_nodes as u16).to_le_bytes());
            if n_nodes >= MANY {
                let padding = std::iter::repeat_n(&0, CHUNK_WORDS - chunk.len());
                chunk.iter().chain(padding).for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
                continue;
            }
            for (place, word) in chunk.iter().enumerate() {
                for bit in bits_of(*word) {
                    out.extend_from_slice(&(place as u16 * NODES_A_WORD as u16 + bit as u16).to_le_bytes());
                }
            }
        }
        seal(&mut out);
        out
    }

    /// Decodes the bytes of [`NodeSet::to_bytes`]; fails with `corrupt` on other bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<NodeSet> {
        let mut reader = Reader::of_sealed(bytes, "the nodes of a run have the wrong checksum")?;
        let mut words = Vec::new();
        while !reader.is_at_end() {
            let n_nodes = usize::from(reader.u16()?);
            if n_nodes > CHUNK {
                return Err(corrupt("a run has too many nodes"));
            }
            let mut chunk = [0; CHUNK_WORDS];
            if n_nodes >= MANY {
                for word in &mut chunk {
                    *word = reader.u64()?;
                }
            } else {
                for _ in 0..n_nodes {
                    let node = u32::from(reader.u16()?);
                    let word = chunk.get_mut((node / NODES_A_WORD) as usize);
                    *word.ok_or_else(|| corrupt("a node of a run is out of place"))? |= 1 << (node % NODES_A_WORD);
                }
            }
            words.extend_from_slice(&chunk);
        }
        Ok(NodeSet { words })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn set(nodes: &[u32]) -> NodeSet {
        let mut set = NodeSet::default();
        set.extend(nodes);
        set
    }

    #[test]
    fn a_set_has_what_was_added_and_nothing_else() {
        let dense: Vec<u32> = (9_000..13_000).filter(|node| node % 3 != 0).collect();
        for nodes in [vec![], vec![0], vec![63, 64, 4095, 4096], vec![1 << 20, 5], dense] {
            let read = NodeSet::from_bytes(&set(&nodes).to_bytes()).unwrap();
            let mut sorted = nodes.clone();
            sorted.sort_unstable();
            for set in [read, set(&nodes)] {
                let found = set.words().flat_map(|(first, bits)| bits_of(bits).map(move |bit| first + bit));
                assert_eq!(found.collect::<Vec<u32>>(), sorted);
            }
        }
    }

    #[test]
    fn a_set_is_short_whether_nodes_are_few_or_many() {
        let few: Vec<u32> = (0..1_000_000).step_by(1_000).collect();
        assert!(set(&few).to_bytes().len() < 2 * few.len() + 2 * 1_000_000 / CHUNK + 16);
        let many: Vec<u32> = (0..1_000_000).collect();
        assert!(set(&many).to_bytes().len() < 1_000_000 / 8 + 1_000);
    }

    #[test]
    fn damage_is_detected() {
        let bytes = set(&[1, 5_000, 70_000]).to_bytes();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(NodeSet::from_bytes(&damaged).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        assert_eq!(NodeSet::from_bytes(&[]).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
