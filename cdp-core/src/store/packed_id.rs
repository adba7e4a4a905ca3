//! Message ids that are a UUID or a hash in hex, packed as bytes: half as long as their text, and in one form only.

use smallvec::SmallVec;

use super::random::hex;

/// The length of a UUID as bytes, and as text.
pub(super) const UUID_BYTES: usize = 16;
const UUID_TEXT: usize = 36;
/// The places of the bytes of a UUID in its text.
const UUID_PLACES: [usize; UUID_BYTES] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// Packs a UUID into 16 bytes and a hash in hex into its bytes; `None` for any other id, which is stored as text.
pub(super) fn packed_id(message_id: &str) -> Option<SmallVec<[u8; 32]>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let is_uuid = message_id.len() == 36;
    if !is_uuid && message_id.len() != 64 {
        return None;
    }
    let mut packed = SmallVec::new();
    let mut bytes = message_id.bytes();
    while let Some(high) = bytes.next() {
        packed.push(digit(high)? << 4 | digit(bytes.next()?)?);
        if is_uuid && matches!(packed.len(), 4 | 6 | 8 | 10) && bytes.next() != Some(b'-') {
            return None;
        }
    }
    Some(packed)
}

/// The id that [`packed_id`] packed.
pub(super) fn unpacked_id(packed: &[u8]) -> String {
    match packed.first_chunk() {
        Some(uuid) if packed.len() == UUID_BYTES => uuid_text(uuid).iter().copied().map(char::from).collect(),
        _ => hex(packed),
    }
}

/// The text of a UUID.
pub(super) fn uuid_text(packed: &[u8; UUID_BYTES]) -> [u8; UUID_TEXT] {
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    let mut text = [b'-'; UUID_TEXT];
    for (byte, place) in packed.iter().zip(UUID_PLACES) {
        if let Some([high, low]) = text.get_mut(place..place + 2) {
            (*high, *low) = (digit(byte >> 4), digit(byte & 15));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_usual_form_are_packed() {
        for id in ["01234567-89ab-cdef-0123-456789abcdef", &"0f".repeat(32)] {
            assert_eq!(unpacked_id(&packed_id(id).unwrap()), id);
        }
        for id in
            ["", "x", "01234567-89AB-cdef-0123-456789abcdef", "0123456789abcdef0123456789abcdef----", &"0g".repeat(32)]
        {
            assert_eq!(packed_id(id), None, "{id}");
        }
    }
}
