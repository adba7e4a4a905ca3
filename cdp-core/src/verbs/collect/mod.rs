//! Messages and rows come in.

pub(crate) mod accept;
pub(crate) mod ingest;
pub(crate) mod quarantine;
pub(crate) mod queue;
pub(crate) mod rows;
pub(crate) mod send;
pub(crate) mod wire;
