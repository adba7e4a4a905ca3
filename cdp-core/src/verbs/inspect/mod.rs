//! The store about itself: one hash of what holds, a check of the file, its size in figures.

pub(crate) mod backup;
pub(crate) mod fingerprint;
pub(crate) mod hash;
pub(crate) mod schema;
pub(crate) mod stats;
pub(crate) mod verify;
pub(crate) mod wire;
