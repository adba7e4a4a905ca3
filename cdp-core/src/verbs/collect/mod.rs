//! Messages and rows come in.

pub(crate) mod ingest;
pub(crate) mod input;
pub(crate) mod queue;
