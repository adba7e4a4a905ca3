//! Says why a rule holds or not: the rule's own tree, with what was found at each leaf.
//!
//! It takes what `evaluate` takes and leaves a value for a person to read; every branch is evaluated, also those that
//! no longer decide. It holds personal values and is returned only to the caller who asked.

use super::{ProfileView, leaves};
use crate::definitions::Rule;
use crate::error::Result;
use crate::records::{Object, Timestamp, Value};

/// The tree of a rule as it holds for one profile at an instant: `{rule, matched, found?, children?}` at each node.
pub fn explain(rule: &Rule, view: &dyn ProfileView, at: Timestamp) -> Result<Value> {
    explain_node(rule, view, at).map(|(_, explained)| explained)
}

fn explain_node(rule: &Rule, view: &dyn ProfileView, at: Timestamp) -> Result<(bool, Value)> {
    let parts: &[Rule] = match rule {
        Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => rules,
        Rule::Not(rule) => std::slice::from_ref(rule),
        Rule::Leaf(leaf) => {
            let outcome = leaves::test(leaf, view, at)?;
            let mut explained = node(rule, outcome.matched);
            if let Some(found) = outcome.found {
                explained.insert("found".to_owned(), found);
            }
            return Ok((outcome.matched, Value::Object(explained)));
        }
    };
    let mut held = 0;
    let mut children = Vec::with_capacity(parts.len());
    for part in parts {
        let (matched, child) = explain_node(part, view, at)?;
        held += usize::from(matched);
        children.push(child);
    }
    let matched = match rule {
        Rule::All(rules) => held == rules.len(),
        Rule::Any(_) => held > 0,
        Rule::Not(_) => held == 0,
        Rule::AtLeast { n, .. } => held >= *n,
        Rule::Leaf(_) => false,
    };
    let mut explained = node(rule, matched);
    explained.insert("children".to_owned(), Value::List(children));
    Ok((matched, Value::Object(explained)))
}

fn node(rule: &Rule, matched: bool) -> Object {
    Object::from([("rule".to_owned(), rule.to_value()), ("matched".to_owned(), Value::Bool(matched))])
}
