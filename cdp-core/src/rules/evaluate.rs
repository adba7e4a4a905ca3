//! Says whether a rule holds for one profile at an instant.
//!
//! It takes a checked rule and a [`ProfileView`] and leaves true or false; what a leaf saw on the way is kept for
//! `explain`, so that both can never disagree. It never writes and never reads a clock.

use super::operators::{matches, matches_at};
use super::timeline::{Selector, in_window};
use super::{ProfileView, lifecycle, measure, sequence};
use crate::definitions::{EventTest, FeatureWindow, IdentityTest, Leaf, Rule, Test};
use crate::error::Result;
use crate::records::{Timestamp, Value};

/// What a leaf found, and whether it holds.
pub(crate) struct Outcome {
    /// Whether the leaf holds.
    pub(crate) matched: bool,
    /// The value it looked at, where it looks at one; null where that is absent.
    pub(crate) found: Option<Value>,
}

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
        Rule::Leaf(leaf) => Ok(test(leaf, view, at)?.matched),
    }
}

/// Tests one leaf.
pub(crate) fn test(leaf: &Leaf, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
    let without_value = |matched| Outcome { matched, found: None };
    Ok(match &leaf.test {
        Test::Trait { path, comparison } => {
            let value = view.trait_value(path, at)?;
            let matched = matches_at(path, comparison, value.as_ref(), at);
            Outcome { matched, found: Some(value.unwrap_or_default()) }
        }
        Test::Current { path, comparison } => {
            let value = view.current(path);
            let matched = matches_at(path, comparison, value.as_ref(), at);
            Outcome { matched, found: Some(value.unwrap_or_default()) }
        }
        Test::Feature { name, comparison } => {
            let value = view.feature(name, at)?;
            Outcome { matched: matches(comparison, Some(&value), at), found: Some(value) }
        }
        Test::Event(EventTest::Measured { measure: asked, comparison }) => {
            let value = measure::measure(asked, view, at)?.in_comparison(asked.aggregate);
            Outcome { matched: matches(comparison, Some(&value), at), found: Some(value) }
        }
        Test::Event(EventTest::FirstTime { selection, within }) => {
            let selector = Selector::new(selection, view);
            let mut events = in_window(view, &FeatureWindow::Ever, at).iter();
            let first = events.find(|event| selector.selects(event)).map(|event| event.occurred_at);
            let matched = first.is_some_and(|first| first > at.plus_millis(-within.millis()));
            Outcome { matched, found: Some(first.map_or(Value::Null, |first| Value::Text(first.to_string()))) }
        }
        Test::Sequence(asked) => without_value(sequence::has_happened(asked, view, at)?),
        Test::Lifecycle(asked) => without_value(lifecycle::holds(asked, view, at)),
        Test::Audience { name, inside } => {
            let is_in = view.in_audience(name, at)?;
            Outcome { matched: is_in == *inside, found: Some(Value::Bool(is_in)) }
        }
        Test::Cohort { predictor, class, score } => match view.cohort(predictor, at)? {
            None => Outcome { matched: false, found: Some(Value::Null) },
            Some((assigned, value)) => {
                let value = Value::Number(value);
                let matched = class.as_ref().is_none_or(|class| *class == assigned)
                    && score.as_ref().is_none_or(|score| matches(score, Some(&value), at));
                Outcome { matched, found: Some(Value::object([("cohort", Value::Text(assigned)), ("score", value)])) }
            }
        },
        Test::Identity(IdentityTest::Has(identifier_type)) => without_value(view.has_identifier(identifier_type, at)),
        Test::Identity(IdentityTest::Known) => without_value(view.is_known(at)),
        Test::Identity(IdentityTest::Anonymous) => without_value(!view.is_known(at)),
        Test::Account { account, account_type } => without_value(view.in_account(account_type, account, at)?),
        Test::Consent { purpose, channel, status } => {
            let found = view.consent(purpose, channel.as_deref(), at)?;
            Outcome { matched: found == *status, found: Some(Value::from(found.as_str())) }
        }
    })
}
