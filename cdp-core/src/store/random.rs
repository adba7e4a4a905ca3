//! Random bytes from the operating system, for salts and message ids.

use crate::error::{Error, ErrorKind, Result};

/// `N` random bytes.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    #[expect(clippy::disallowed_methods, reason = "this is the one place that draws random bytes")]
    getrandom::fill(&mut bytes).map_err(|_| Error::new(ErrorKind::Io, "the operating system gave no random bytes"))?;
    Ok(bytes)
}

/// A random message id: 128 bits as 32 hexadecimal digits.
pub(crate) fn random_message_id() -> Result<String> {
    Ok(hex(&random_bytes::<16>()?))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(if half < 10 { b'0' + half } else { b'a' + half - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
