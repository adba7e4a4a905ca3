//! Hashes of sets: the order of the elements does not matter, how often each stands in the set does.

/// A hash of a set: the order of its elements does not matter, how often each stands in it does.
#[derive(Default, PartialEq)]
pub(super) struct SetHash {
    pub(crate) lanes: [u64; 4],
    pub(crate) count: u64,
}

pub(crate) fn hash_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

impl SetHash {
    pub(crate) fn add(&mut self, element: &[u8; 32]) {
        for (lane, bytes) in self.lanes.iter_mut().zip(element.chunks_exact(8)) {
            let word = bytes.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            *lane = lane.wrapping_add(word);
        }
        self.count += 1;
    }

    pub(crate) fn finish(&self, name: &str, into: &mut blake3::Hasher) {
        into.update(name.as_bytes());
        for word in self.lanes.iter().chain([&self.count]) {
            into.update(&word.to_le_bytes());
        }
    }
}
