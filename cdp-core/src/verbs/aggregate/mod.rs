//! Features of people.

pub(crate) mod features;
