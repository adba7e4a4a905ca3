//! The identity definition: the types of values that identify a person, their strength, and how many of each one person may have.

pub(super) mod presets;
pub(super) mod read;
mod telephone;
pub(super) mod traits;

pub(crate) use telephone::national_number;
pub use traits::TraitStrategy;

use regex::Regex;

use super::profile_linkage::ProfileLinkage;
use crate::records::{Duration, Object, Value};

/// What a type of identifier stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A login: identifies a person.
    Person,
    /// A way to reach a person: email, phone.
    Contact,
    /// A browser or an app installation.
    Device,
    /// A company or household: links people, never merges them.
    Account,
}

/// The effect of a value that is seen with another person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The earlier links stay, and limits decide about the later ones (the default).
    KeepFirst,
    /// The value belongs to the profile that was linked last, from that instant on.
    LatestLinkWins,
    /// The value never joins two people who both have an identifier with the role `person`.
    Refuse,
}

/// How a value is normalized before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalize {
    /// As it is.
    Exact,
    /// Cut and lowercased.
    Email,
    /// As `email`, and all spellings of one mailbox are one: no `+tag`, and no dots where the provider ignores them.
    EmailCanonical,
    /// E.164: digits with a leading plus. Without a default region a national number stays as its digits.
    Phone,
}

/// A value that never identifies anybody.
#[derive(Clone, Debug)]
pub enum Blocked {
    /// This one.
    Value(String),
    /// All in which the pattern is found.
    Pattern(Regex),
}

/// Patterns are the same if their texts are.
impl PartialEq for Blocked {
    fn eq(&self, other: &Blocked) -> bool {
        match (self, other) {
            (Blocked::Value(left), Blocked::Value(right)) => left == right,
            (Blocked::Pattern(left), Blocked::Pattern(right)) => left.as_str() == right.as_str(),
            _ => false,
        }
    }
}

/// How many values of one type a profile may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The number of values.
    pub n: u32,
    /// Counted over links in `(t - window, t]`; over all time without a window.
    pub window: Option<Duration>,
}

/// One type of identifier.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentifierType {
    /// Its name: `user_id`, `email`, ...
    pub name: String,
    /// What it stands for.
    pub role: Role,
    /// Its strength: the smallest number names a message's node.
    pub priority: u32,
    /// How many of its values one profile may hold.
    pub limit: Option<Limit>,
    /// How a value is normalized.
    pub normalize: Normalize,
    /// Where a national telephone number is at home, as ISO 3166 writes it: `DE`.
    pub default_region: Option<String>,
    /// The effect of a value that is seen with another person.
    pub on_conflict: OnConflict,
    /// How many neighbours of a type one value may link: the hub guard, and what keeps each email at k user ids. The type
    /// `*` stands for all; 0 keeps the value by itself.
    pub max_links_from: Vec<(String, u32)>,
    /// Further values that never identify anybody, beside the built-in list.
    pub blocked: Vec<Blocked>,
}

/// Which identifiers there are. Without a definition, [`IdentityDefinition::segment`] holds.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentityDefinition {
    /// Its name; one identity definition holds at a time.
    pub name: String,
    /// The types, in the order they were given.
    pub identifiers: Vec<IdentifierType>,
    /// How many identifiers one person may have: a link that would join more is refused.
    pub max_identifiers: Option<u32>,
    /// How the values of a trait become one; by default the newest counts.
    pub traits: Vec<(String, TraitStrategy)>,
    /// How profiles are linked by probability, if at all.
    pub linkage: Option<ProfileLinkage>,
}

const FIVE: Option<Limit> = Some(Limit { n: 5, window: None });

impl IdentifierType {
    fn new(name: &str, role: Role, priority: u32, limit: Option<Limit>) -> IdentifierType {
        let hub_guard = matches!(role, Role::Contact | Role::Device);
        IdentifierType {
            name: name.to_owned(),
            role,
            priority,
            limit,
            normalize: Normalize::Exact,
            default_region: None,
            on_conflict: OnConflict::KeepFirst,
            max_links_from: if hub_guard { vec![("*".to_owned(), 100)] } else { Vec::new() },
            blocked: Vec::new(),
        }
    }

    /// What an undeclared type of `context.externalIds` is taken for.
    pub fn external(name: &str) -> IdentifierType {
        IdentifierType::new(name, Role::Person, 99, FIVE)
    }
}

impl IdentityDefinition {
    /// The type of this name.
    pub fn identifier(&self, name: &str) -> Option<&IdentifierType> {
        self.identifiers.iter().find(|identifier| identifier.name == name)
    }
}

/// The canonical form of the identity definition that holds by default, for `definitions()`.
pub(crate) fn describe_preset() -> Object {
    Object::from([
        ("kind".to_owned(), Value::from("identity")),
        ("name".to_owned(), Value::from("segment")),
        ("preset".to_owned(), Value::Bool(true)),
    ])
}
