//! People: a profile by its nodes, a person with the timeline, and how they are found and shown.

pub(crate) mod find;
pub(crate) mod profile;
pub(crate) mod table;
pub(crate) mod traits;
