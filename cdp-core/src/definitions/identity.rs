//! The identity definition: which values identify somebody, how strongly, and how many of them one person may have.

mod presets;
mod traits;

pub use traits::TraitStrategy;

use regex::Regex;

use super::profile_linkage::ProfileLinkage;
use super::reader::{Fields, Node};
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

/// What to do when a value is seen with somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The earlier links stay, and limits decide about the later ones (the default).
    KeepFirst,
    /// The value belongs to whoever was linked last, from that instant on.
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
    /// The same, and all spellings of one mailbox are one: no `+tag`, and no dots where the provider ignores them.
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
    /// What to do when a value is seen with somebody else.
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

const ROLES: [(&str, Role); 4] =
    [("person", Role::Person), ("contact", Role::Contact), ("device", Role::Device), ("account", Role::Account)];

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

    pub(crate) fn read(name: String, fields: &mut Fields<'_>) -> Option<IdentityDefinition> {
        let has_preset = fields.has("preset");
        let preset = fields.optional("preset", |node| node.word(&presets::PRESETS));
        let given = match has_preset {
            true => fields.optional("identifiers", |node| node.list(read_identifier)).unwrap_or_default(),
            false => fields.required("identifiers", |node| node.list(read_identifier))?,
        };
        let max_identifiers = fields.optional("max_identifiers", |node| node.integer(2, 1_000_000_000));
        let traits = fields.optional("traits", |node| node.entries(|_, strategy| traits::read(strategy)));
        let mut identifiers = given;
        for (index, identifier) in identifiers.iter().enumerate() {
            if identifiers.iter().take(index).any(|earlier| earlier.name == identifier.name) {
                fields.fault(format!("the identifier type `{}` stands twice", identifier.name));
            }
        }
        if let Some(preset) = preset {
            // What is given takes the place of the preset's type of that name.
            let mut of_preset = preset().identifiers;
            of_preset.retain(|identifier| !identifiers.iter().any(|given| given.name == identifier.name));
            identifiers.splice(0..0, of_preset);
        }
        let max_identifiers = max_identifiers.and_then(|n| u32::try_from(n).ok());
        let is_declared = |name: &str| identifiers.iter().any(|identifier| identifier.name == name);
        let linkage = fields.optional("linkage", |node| ProfileLinkage::read(node, is_declared));
        Some(IdentityDefinition { name, identifiers, max_identifiers, traits: traits.unwrap_or_default(), linkage })
    }
}

fn read_identifier(node: Node<'_>) -> Option<IdentifierType> {
    let mut fields = node.fields()?;
    let name = fields.required("type", |node| node.text());
    let role = fields.required("role", |node| node.word(&ROLES));
    let priority = fields.required("priority", |node| node.integer(0, 1_000_000));
    let limit = fields.optional("limit", read_limit);
    let normalize = fields.optional("normalize", |node| {
        node.word(&[
            ("exact", Normalize::Exact),
            ("email", Normalize::Email),
            ("email_canonical", Normalize::EmailCanonical),
            ("phone", Normalize::Phone),
        ])
    });
    let default_region = fields.optional("default_region", read_region);
    let on_conflict = fields.optional("on_conflict", |node| {
        node.word(&[
            ("keep_first", OnConflict::KeepFirst),
            ("latest_link_wins", OnConflict::LatestLinkWins),
            ("refuse", OnConflict::Refuse),
        ])
    });
    let max_links_from = fields.optional("max_links_from", |node| {
        node.entries(|_, n| n.integer(0, 1_000_000_000).and_then(|n| u32::try_from(n).ok()))
    });
    let blocked = fields.optional("blocked", |node| node.list(read_blocked));
    fields.finish();
    let mut identifier = IdentifierType::new(&name?, role?, u32::try_from(priority?).ok()?, limit);
    identifier.normalize = normalize.unwrap_or(Normalize::Exact);
    identifier.default_region = default_region;
    identifier.on_conflict = on_conflict.unwrap_or(OnConflict::KeepFirst);
    if let Some(max_links_from) = max_links_from {
        identifier.max_links_from = max_links_from;
    }
    identifier.blocked = blocked.unwrap_or_default();
    Some(identifier)
}

fn read_region(node: Node<'_>) -> Option<String> {
    let region = node.text()?;
    if region.parse::<phonenumber::country::Id>().is_err() {
        node.fault("not a region; give its two letters as ISO 3166 has them, such as \"DE\"");
        return None;
    }
    Some(region)
}

fn read_blocked(node: Node<'_>) -> Option<Blocked> {
    if !matches!(node.value, Value::Object(_)) {
        return node.text().map(Blocked::Value);
    }
    let mut fields = node.fields()?;
    let pattern = fields.required("pattern", |node| {
        let text = node.text()?;
        Regex::new(&text).map_err(|_| node.fault("not a regular expression")).ok()
    });
    fields.finish();
    pattern.map(Blocked::Pattern)
}

fn read_limit(node: Node<'_>) -> Option<Limit> {
    let count = |node: Node<'_>| node.integer(1, 1_000_000_000).and_then(|n| u32::try_from(n).ok());
    if !matches!(node.value, Value::Object(_)) {
        return count(node).map(|n| Limit { n, window: None });
    }
    let mut fields = node.fields()?;
    let n = fields.required("n", count);
    let window = fields.optional("window", |node| node.duration());
    fields.finish();
    Some(Limit { n: n?, window })
}

/// The canonical form of an identity definition that nobody wrote, for `definitions()`.
pub(crate) fn describe_preset() -> Object {
    Object::from([
        ("kind".to_owned(), Value::from("identity")),
        ("name".to_owned(), Value::from("segment")),
        ("preset".to_owned(), Value::Bool(true)),
    ])
}
