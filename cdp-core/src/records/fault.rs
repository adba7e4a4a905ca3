//! The fault of one field on its way into or out of a [`Value`](super::Value): where, and what was allowed.
//!
//! It collects the path while the call returns through lists and objects. It never holds a value.

use std::fmt;

use super::{MAX_DEPTH, NumberFault};
use crate::error::{Error, Fault};

/// What was wrong with a field.
#[derive(Debug)]
pub(super) struct FieldFault {
    /// The names and indexes that lead to the field, the innermost first.
    steps: Vec<String>,
    message: String,
}

impl FieldFault {
    pub(super) fn new(message: impl Into<String>) -> FieldFault {
        FieldFault { steps: Vec::new(), message: message.into() }
    }

    pub(super) fn too_deep() -> FieldFault {
        FieldFault::new(format!("nested deeper than {MAX_DEPTH} levels"))
    }

    pub(super) fn number(fault: NumberFault) -> FieldFault {
        FieldFault::new(match fault {
            NumberFault::NotANumber => "a number that is not finite".to_owned(),
            NumberFault::TooLarge => fault.to_string(),
        })
    }

    /// The fault seen from the list or object around its place.
    pub(super) fn within(mut self, step: &str) -> FieldFault {
        self.steps.push(step.to_owned());
        self
    }

    /// The fault as an error about `what`.
    pub(super) fn into_error(self, what: &str) -> Error {
        if self.steps.is_empty() {
            return Error::invalid(format!("{what}: {}", self.message));
        }
        let steps: Vec<&str> = self.steps.iter().rev().map(String::as_str).collect();
        let escaped = steps.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")));
        let fault = Fault { pointer: escaped.collect(), message: self.message };
        Error::of_field(format!("the field `{}` of {what}: {}", steps.join("."), fault.message), fault)
    }
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FieldFault {}
