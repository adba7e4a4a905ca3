//! The audience definition: a set of profiles by a rule.
//!
//! It takes the JSON of an audience and leaves a checked rule. It never evaluates it.

use super::fields::activation::audience;
use super::reader::Fields;
use super::rule::Rule;
use super::schema::Words;

/// The profiles that an audience is drawn from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Population {
    /// All profiles, anonymous ones included.
    #[default]
    Everybody,
    /// Profiles with a person or contact identifier.
    Known,
}

pub(super) static POPULATIONS: Words<Population> = Words {
    name: "population",
    rows: &[
        ("everybody", Population::Everybody, "All profiles, anonymous ones included."),
        ("known", Population::Known, "Profiles with a person or contact identifier."),
    ],
};

/// A set of profiles by a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct AudienceDefinition {
    /// Its name.
    pub name: String,
    /// The rule that members match.
    pub rule: Rule,
    /// The profiles that the audience is drawn from.
    pub population: Population,
}

impl AudienceDefinition {
    pub(crate) fn read(name: String, fields: &mut Fields<'_>) -> Option<AudienceDefinition> {
        let rule = fields.required(&audience::RULE, |node| {
            let rule = Rule::read_node(node)?;
            rule.refuse_current(node);
            Some(rule)
        });
        let population = fields.optional(&audience::POPULATION, |node| node.word(&POPULATIONS));
        Some(AudienceDefinition { name, rule: rule?, population: population.unwrap_or_default() })
    }
}
