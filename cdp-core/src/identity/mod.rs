//! Identity resolution: identifiers of messages, the partition of identifiers into profiles, and its explanation.
//!
//! A message belongs to the node of its strongest kept identifier, which follows from the message and the identity
//! definition alone. Links are evidence; the partition of nodes into profiles is derived from all of it, in event-time
//! order, so that the order of arrival does not matter. Merging moves no message. This module uses no SQL and never
//! drops a fact.

mod at_once;
mod chunked;
mod component;
mod decisions;
mod explain;
mod extract;
mod forest;
mod holders;
mod hub;
mod labels;
mod limits;
mod links;
#[cfg(feature = "measured")]
pub mod measured;
mod node_rules;
mod normalize;
mod overlay;
mod partition;
mod probable;
mod profiles;
mod spans;
#[cfg(test)]
mod tests;
mod traits;
mod types;
mod view;

pub(crate) use at_once::Joined;
pub(crate) use decisions::{Decisions, decision_number};
pub(crate) use explain::{PathStep, evidence_paths};
pub(crate) use extract::{Identified, accounts, identify};
pub(crate) use links::Link;
pub(crate) use node_rules::NodeRules;
pub(crate) use normalize::normalize;
pub(crate) use partition::{Partition, PartitionChanges, PartitionView};
pub(crate) use probable::{
    ProbableChanges, ProbableLinks, ProbableView, link_of as probable_evidence, probable_number,
};
pub(crate) use profiles::Profiles;
pub(crate) use spans::{Span, is_within, reach_back};
pub(crate) use traits::settle;
pub(crate) use types::{TypeRule, TypeRules, declared_type};
pub(crate) use view::ButForProbable;
