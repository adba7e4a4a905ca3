//! The tables of fields: every field that a reader asks for, with its type, default, meaning and an example.
//!
//! They are data and name nothing but the schema. How a new field is added is described in `cdp-core/docs/contributing.md`.

pub(super) mod activation;
pub(super) mod behavior;
pub(super) mod collection;
pub(super) mod common;
pub(super) mod comparison;
pub(super) mod expression;
pub(super) mod identity;
pub(super) mod leaf;
pub(super) mod linkage;
pub(super) mod predictor;
pub(super) mod rule;
pub(super) mod source;
