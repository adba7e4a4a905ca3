//! What leaves the store: decisions and exports.

pub(crate) mod export;
