//! Features of people.

pub(crate) mod features;
pub(crate) mod wire;
