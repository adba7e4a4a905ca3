//! An open store: what RAM knows of it, a moment to read, a transaction to write, and the people in it.
//!
//! Only here is a transaction begun, derived, finished and folded into RAM. Verbs act over it; it names none of them.

pub(crate) mod append;
pub(crate) mod close;
pub(crate) mod evidence;
pub(crate) mod group_commit;
pub(crate) mod handle;
pub(crate) mod interruption;
pub(crate) mod live_linkage;
pub(crate) mod load;
pub(crate) mod nearby;
pub(crate) mod observe;
pub(crate) mod open;
pub(crate) mod paging;
pub(crate) mod partition_rules;
pub(crate) mod parts;
pub(crate) mod past;
pub(crate) mod people;
pub(crate) mod profile_ids;
pub(crate) mod queue;
pub(crate) mod read;
pub(crate) mod snapshot;
pub(crate) mod state;
pub(crate) mod tables;
pub(crate) mod transaction;
pub(crate) mod write;

#[cfg(test)]
mod tests;
