//! The verbs of the public API, one room for each group of them. Rooms never name each other.

pub(crate) mod activate;
pub(crate) mod aggregate;
pub(crate) mod collect;
pub(crate) mod define;
pub(crate) mod govern;
pub(crate) mod inspect;
pub(crate) mod predict;
pub(crate) mod segment;
pub(crate) mod unify;
