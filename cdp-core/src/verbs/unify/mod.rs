//! Who is who: profiles, links, and what operators decide about them.

pub(crate) mod compared;
pub(crate) mod decisions;
pub(crate) mod link;
pub(crate) mod live;
pub(crate) mod profile;
pub(crate) mod suggestions;
