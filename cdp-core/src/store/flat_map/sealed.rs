//! Seals every blob of the flat map with a checksum that includes the place of the blob.
//!
//! A lost bit in a filter or a block would make a known message look new without an error. So a blob that was changed,
//! or lies in the place of another, is an [`ErrorKind::Corrupt`] error before any byte of it is used. This protects
//! against damage, not against forgery.

use crate::error::{Error, ErrorKind, Result};

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The error of a damaged index.
pub(super) fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the index of message ids is damaged: {what}"))
        .with_hint("restore a backup; the file was left as it is")
}

/// Appends the checksum of `blob` at `place`.
pub(super) fn seal(place: u64, blob: &mut Vec<u8>) {
    let sum = checksum(place, blob);
    blob.extend_from_slice(&sum.to_le_bytes());
}

/// The blob without its checksum.
pub(super) fn open(place: u64, blob: &[u8]) -> Result<&[u8]> {
    match blob.split_last_chunk::<8>() {
        Some((body, sum)) if checksum(place, body) == u64::from_le_bytes(*sum) => Ok(body),
        _ => Err(damaged("a checksum does not fit")),
    }
}

// Four lanes, because one chain of multiplications would cost more than the decoding. Every step is a bijection of its
// lane, so a change within one word is found for certain.
fn checksum(place: u64, bytes: &[u8]) -> u64 {
    let mut lanes = [place, place ^ MULTIPLIER, place.rotate_left(17), !place];
    let (groups, rest) = bytes.as_chunks::<32>();
    for group in groups {
        for (lane, word) in lanes.iter_mut().zip(group.as_chunks::<8>().0) {
            *lane = mix(*lane ^ u64::from_le_bytes(*word));
        }
    }
    let mut sum = mix(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    for chunk in rest.chunks(8) {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        sum = mix(sum ^ u64::from_le_bytes(word));
    }
    lanes.iter().fold(sum, |sum, lane| mix(sum ^ lane))
}

fn mix(word: u64) -> u64 {
    word.wrapping_mul(MULTIPLIER).rotate_left(29)
}
