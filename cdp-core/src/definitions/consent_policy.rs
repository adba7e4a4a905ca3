//! The consent policy: what may be done with personal data when a person has said nothing.

use super::fields::collection::{consent_policy, purpose_policy};
use super::reader::{Fields, Node};
use super::schema::Words;

/// What unknown consent means for a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownConsent {
    /// The use is allowed until the person objects.
    Allow,
    /// The use needs a choice first.
    Deny,
}

pub(super) static UNKNOWN: Words<UnknownConsent> = Words {
    name: "unknown_consent",
    rows: &[
        ("allow", UnknownConsent::Allow, "The use is allowed until the person objects."),
        ("deny", UnknownConsent::Deny, "The use needs a choice first."),
    ],
};

/// What unknown consent means, per purpose.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsentPolicyDefinition {
    /// Its name; one consent policy holds at a time.
    pub name: String,
    /// The purposes it names, in the order of their names.
    pub purposes: Vec<(String, UnknownConsent)>,
}

/// The purposes that are known without a definition, and what unknown means for them.
pub(crate) const DEFAULT_PURPOSES: [(&str, UnknownConsent); 7] = [
    ("advertising", UnknownConsent::Deny),
    ("analytics", UnknownConsent::Allow),
    ("marketing", UnknownConsent::Deny),
    ("ml_training", UnknownConsent::Allow),
    ("personalization", UnknownConsent::Deny),
    ("sale_share", UnknownConsent::Deny),
    ("service", UnknownConsent::Allow),
];

impl ConsentPolicyDefinition {
    /// What unknown means for a purpose: by this policy, else by the defaults, else deny.
    pub fn unknown(policy: Option<&ConsentPolicyDefinition>, purpose: &str) -> UnknownConsent {
        let defined = policy
            .and_then(|policy| policy.purposes.iter().find(|(name, _)| name == purpose))
            .map(|(_, unknown)| *unknown);
        let default = || DEFAULT_PURPOSES.iter().find(|(name, _)| *name == purpose).map(|(_, unknown)| *unknown);
        defined.or_else(default).unwrap_or(UnknownConsent::Deny)
    }

    pub(crate) fn read(name: String, fields: &mut Fields<'_>) -> Option<ConsentPolicyDefinition> {
        let purposes =
            fields.required(&consent_policy::PURPOSES, |node| node.entries(|_, purpose| read_purpose(purpose)))?;
        Some(ConsentPolicyDefinition { name, purposes })
    }
}

fn read_purpose(node: Node<'_>) -> Option<UnknownConsent> {
    let mut fields = node.fields()?;
    let unknown = fields.required(&purpose_policy::UNKNOWN, |node| node.word(&UNKNOWN));
    fields.finish();
    unknown
}
