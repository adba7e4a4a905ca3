//! Which identifiers are one person: profiles, links, and what operators decide about them.

pub(crate) mod compared;
pub(crate) mod decisions;
pub(crate) mod explain;
pub(crate) mod link;
pub(crate) mod live;
pub(crate) mod live_check;
pub(crate) mod pairs;
pub(crate) mod profile;
pub(crate) mod report;
pub(crate) mod suggestions;
pub(crate) mod wire;
