//! The handle, and the order of the flow: collect -> unify -> aggregate -> segment -> predict -> decide -> export.

pub use crate::engine::as_of::AsOf;
pub(crate) use crate::engine::as_of::timestamp_from;
pub(crate) use crate::engine::group_commit::message_of_type;
pub use crate::engine::handle::Cdp;
pub use crate::engine::open::OpenOptions;
pub use crate::engine::people::table::Query;
pub use crate::verbs::activate::export::ExportRequest;
pub(crate) use crate::verbs::activate::export::consent_message;
pub use crate::verbs::collect::ingest::{Data, IngestOptions, Progress};
pub use crate::verbs::define::definitions::{DefineResult, PeopleChange};
pub use crate::verbs::unify::decisions::DecisionOptions;
pub use crate::verbs::unify::link::LinkOptions;
pub use crate::verbs::unify::profile::Identifier;
pub use crate::verbs::unify::suggestions::ReviewOptions;
