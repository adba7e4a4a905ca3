//! A decision: the first choice of a policy whose rule holds for a person, with its reasons.

use serde::de::DeserializeOwned;

use crate::definitions::PolicyDefinition;
use crate::error::Result;
use crate::records::answer::answer;
use crate::records::{Timestamp, Value, from_value_ref};
use crate::rules::{ProfileView, explain};

answer! {
    /// The choice of a policy for a person, and its reasons.
    pub struct Decision {
        /// The choice as the policy has it.
        choice: Value,
        /// The number of the rule that matched, counted from zero; `None` for `otherwise`.
        matched: Option<usize>,
        /// Whether the person has a profile.
        known: bool,
        /// The reasons, in words that programs can compare.
        reasons: Vec<String>,
        /// Every rule that was evaluated, as a tree with the values that were found.
        evaluated: Vec<Value>,
    }
}

impl Decision {
    /// The choice as a type of the application.
    ///
    /// # Errors
    /// `invalid` with the path of the field where the choice does not fit the type.
    pub fn choice_as<T: DeserializeOwned>(&self) -> Result<T> {
        from_value_ref(&self.choice)
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
