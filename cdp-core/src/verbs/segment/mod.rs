//! Audiences: kept current, listed, explained.

pub(crate) mod upkeep;
