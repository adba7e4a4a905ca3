//! Says whether a rule holds for one profile at an instant.
//!
//! It takes a checked rule and a [`ProfileView`] and leaves true or false. It never writes and never reads a clock.

use super::{ProfileView, leaves};
use crate::definitions::Rule;
use crate::error::Result;
use crate::records::Timestamp;

/// Whether a rule holds for a profile at an instant. Facts that happened after it do not count.
///
/// Fails with what the view fails with: an unknown feature or audience, a store that cannot be read.
pub fn evaluate(rule: &Rule, view: &dyn ProfileView, at: Timestamp) -> Result<bool> {
    match rule {
        Rule::All(rules) => {
            for rule in rules {
                if !evaluate(rule, view, at)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Rule::Any(rules) => {
            for rule in rules {
                if evaluate(rule, view, at)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Rule::Not(rule) => Ok(!evaluate(rule, view, at)?),
        Rule::AtLeast { n, of } => {
            let mut held = 0;
            for rule in of {
                if held >= *n {
                    break;
                }
                held += usize::from(evaluate(rule, view, at)?);
            }
            Ok(held >= *n)
        }
        Rule::Leaf(leaf) => Ok(leaves::test(leaf, view, at)?.matched),
    }
}
