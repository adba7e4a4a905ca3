//! A decision: the first choice of a policy whose rule holds for a person, with its reasons.

use crate::definitions::PolicyDefinition;
use crate::error::Result;
use crate::records::{Object, Timestamp, Value};
use crate::rules::{ProfileView, explain};

/// What was decided and why.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    /// What the caller should do.
    pub(crate) choice: Value,
    /// The number of the choice that matched, counted from zero; `None` for `otherwise`.
    pub(crate) matched: Option<usize>,
    /// Whether the person has a profile.
    pub(crate) known: bool,
    /// Why, in words that programs can compare.
    pub(crate) reasons: Vec<String>,
    /// Every rule that was looked at, as a tree with what was found.
    evaluated: Vec<Value>,
}

impl Decision {
    pub(crate) fn to_value(&self) -> Value {
        let reasons = self.reasons.iter().map(|reason| Value::from(reason.as_str())).collect();
        Value::Object(Object::from([
            ("choice".to_owned(), self.choice.clone()),
            ("matched".to_owned(), self.matched.map_or(Value::Null, Value::count)),
            ("known".to_owned(), Value::Bool(self.known)),
            ("reasons".to_owned(), Value::List(reasons)),
            ("evaluated".to_owned(), Value::List(self.evaluated.clone())),
        ]))
    }
}

/// Chooses for a person at an instant. `consent_refusal` names the state of consent where the policy's purpose is not
/// allowed: then it is `otherwise`, whatever the rules say, and no rule is evaluated.
pub(crate) fn choose(
    policy: &PolicyDefinition,
    profile: &dyn ProfileView,
    known: bool,
    at: Timestamp,
    consent_refusal: Option<&str>,
) -> Result<Decision> {
    let mut decision =
        Decision { choice: policy.otherwise.clone(), matched: None, known, reasons: Vec::new(), evaluated: Vec::new() };
    if let Some(refusal) = consent_refusal {
        decision.reasons.push(refusal.to_owned());
        return Ok(decision);
    }
    for (index, choice) in policy.choose.iter().enumerate() {
        let explained = explain(&choice.when, profile, at)?;
        let holds = explained.get("matched").and_then(Value::as_bool) == Some(true);
        decision.evaluated.push(explained);
        if holds {
            decision.choice = choice.then.clone();
            decision.matched = Some(index);
            decision.reasons.push(format!("choose[{index}] holds"));
            return Ok(decision);
        }
    }
    decision.reasons.push("no choice holds".to_owned());
    Ok(decision)
}
