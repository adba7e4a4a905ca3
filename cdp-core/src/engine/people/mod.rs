//! People: a profile by its nodes, a person with the timeline, and how they are found and shown.

pub(crate) mod consent;
pub(crate) mod find;
pub(crate) mod pages;
pub(crate) mod person;
pub(crate) mod prediction;
pub(crate) mod profile;
pub(crate) mod query;
pub(crate) mod table;
pub(crate) mod traits;
pub(crate) mod values;
pub(crate) mod view;
