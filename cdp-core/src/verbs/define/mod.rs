//! Definitions come, change and go.

pub(crate) mod definitions;
pub(crate) mod files;
pub(crate) mod people_after;
pub(crate) mod plan;
pub(crate) mod rederive;
pub(crate) mod wire;
