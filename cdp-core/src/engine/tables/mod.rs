//! What a store holds, as tables.

pub(crate) mod events;
pub(crate) mod links;
pub(crate) mod people;
pub(crate) mod rejects;
