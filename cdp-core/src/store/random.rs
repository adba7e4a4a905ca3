//! The only door to the operating system's random source: salts and message ids.

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
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
