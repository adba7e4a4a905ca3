//! The leaf `bucket`: the profile belongs to a share of all profiles that is drawn at random, for experiments and holdouts.
//!
//! The bucket is a hash of the seed and the first node of the profile, so it needs no state, is the same on every machine
//! and does not depend on the salt of a store. Profiles that are joined take the bucket of the first node of all of them.

use super::{LeafRule, Outcome, ProfileView, Reads};
use crate::definitions::{BucketTest, Catalog};
use crate::error::Result;
use crate::records::{Timestamp, Value};
use crate::rules::dependencies::Lookbacks;

impl LeafRule for BucketTest {
    fn test(&self, view: &dyn ProfileView, _at: Timestamp) -> Result<Outcome> {
        // A profile without identifiers is in no bucket.
        let Some((identifier_type, value)) = view.first_identifier() else {
            return Ok(Outcome::with(false, Value::Null));
        };
        let bucket = bucket(&self.seed, identifier_type, value);
        Ok(Outcome::with((self.from..self.to).contains(&bucket), Value::integer(i64::from(bucket))))
    }

    fn reads<'r>(&'r self, _reads: &mut Reads<'r>) {
        // Identifiers are no property, trait or definition.
    }

    fn add_lookbacks(&self, _catalog: &Catalog, found: &mut Lookbacks) -> Result<()> {
        // Another node can become the first where identifiers change.
        found.reads_other_facts = true;
        Ok(())
    }
}

/// BLAKE3 of seed, NUL, type, NUL, value: its first eight bytes, little-endian, modulo the number of buckets.
fn bucket(seed: &str, identifier_type: &str, value: &str) -> u16 {
    let mut hasher = blake3::Hasher::new();
    for (place, part) in [seed, identifier_type, value].into_iter().enumerate() {
        if place > 0 {
            hasher.update(&[0]);
        }
        hasher.update(part.as_bytes());
    }
    let first = hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default();
    // The remainder is less than the number of buckets, which fits.
    u16::try_from(u64::from_le_bytes(first) % u64::from(BucketTest::COUNT)).unwrap_or_default()
}
