//! The store looks at itself: one hash of what holds, a check of the file, its size in figures.

pub(crate) mod verify;
