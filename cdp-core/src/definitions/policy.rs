//! The policy definition: a choice made at request time, for a stated purpose.
//!
//! It takes the JSON of a policy and leaves its rules in the order in which they are asked. It never decides.

use super::fields::activation::{policy, policy_choice};
use super::reader::{Fields, Node};
use super::rule::Rule;
use crate::records::Value;

/// One choice of a policy: the first whose rule holds is made.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyChoice {
    /// When it is made.
    pub when: Rule,
    /// What is answered.
    pub then: Value,
}

/// A choice made at request time.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyDefinition {
    /// Its name.
    pub name: String,
    /// The use of personal data that consent must allow.
    pub purpose: String,
    /// The choices, in the order in which they are asked.
    pub choose: Vec<PolicyChoice>,
    /// What is answered if no rule holds or consent does not allow it.
    pub otherwise: Value,
}

impl PolicyDefinition {
    pub(crate) fn read(name: String, fields: &mut Fields<'_>) -> Option<PolicyDefinition> {
        let purpose = fields.required(&policy::PURPOSE, |node| node.text());
        let choose = fields.required(&policy::CHOOSE, |node| node.list(read_choice));
        let otherwise = fields.required(&policy::OTHERWISE, |node| Some(node.value.clone()));
        Some(PolicyDefinition { name, purpose: purpose?, choose: choose?, otherwise: otherwise? })
    }
}

fn read_choice(node: Node<'_>) -> Option<PolicyChoice> {
    let mut fields = node.fields()?;
    let when = fields.required(&policy_choice::WHEN, Rule::read_node);
    let then = fields.required(&policy_choice::THEN, |node| Some(node.value.clone()));
    fields.finish();
    Some(PolicyChoice { when: when?, then: then? })
}
