//! Definitions come, change and go.

pub(crate) mod definitions;
