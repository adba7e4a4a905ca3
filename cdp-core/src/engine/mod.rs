//! An open store: what RAM knows of it, a moment to read, a transaction to write, and the people in it.

pub(crate) mod as_of;
pub(crate) mod evidence;
pub(crate) mod group_commit;
pub(crate) mod handle;
pub(crate) mod live_linkage;
pub(crate) mod nearby;
pub(crate) mod observe;
pub(crate) mod open;
pub(crate) mod people;
pub(crate) mod profile_ids;
pub(crate) mod snapshot;
pub(crate) mod state;
pub(crate) mod tables;
pub(crate) mod transaction;
pub(crate) mod triggers;
