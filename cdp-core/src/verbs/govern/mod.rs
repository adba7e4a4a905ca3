//! What people allow.

pub(crate) mod consent;
