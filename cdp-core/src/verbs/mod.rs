//! The verbs of the public API, one module for each group of them. Modules never name each other.

pub(crate) mod activate;
pub(crate) mod aggregate;
pub(crate) mod collect;
pub(crate) mod define;
pub(crate) mod govern;
pub(crate) mod inspect;
pub(crate) mod parameter;
pub(crate) mod predict;
pub(crate) mod request;
pub(crate) mod segment;
pub(crate) mod unify;
pub(crate) mod verb;
