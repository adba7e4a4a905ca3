//! Audiences: kept current, listed, explained.

pub(crate) mod changes;
pub(crate) mod due;
pub(crate) mod members;
pub(crate) mod rebuild;
pub(crate) mod upkeep;
pub(crate) mod wire;
