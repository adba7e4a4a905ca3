//! What leaves the store: decisions, exports and tables.

pub(crate) mod choose;
pub(crate) mod decide;
pub(crate) mod export;
pub(crate) mod file;
pub(crate) mod table;
pub(crate) mod wire;
