//! What people allow.

pub(crate) mod consent;
pub(crate) mod wire;
