//! Everything that a store holds, as tables.

pub(crate) mod links;
pub(crate) mod table;
