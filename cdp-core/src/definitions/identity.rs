//! The identity definition: which values identify somebody, how strongly, and how many of them one person may have.

use crate::records::{Duration, Object, Value};

use super::profile_linkage::ProfileLinkage;
use super::reader::{Fields, Node};

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
    /// The earlier links stay (the default).
    KeepFirst,
    /// The value belongs to whoever was linked last, from that instant on.
    LatestLinkWins,
    /// The later link is refused.
    Refuse,
}

/// How a value is normalized before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalize {
    /// White space around it is cut.
    Exact,
    /// Cut and lowercased.
    Email,
    /// Digits with a leading plus.
    Phone,
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
    /// What to do when a value is seen with somebody else.
    pub on_conflict: OnConflict,
    /// How many neighbours of a type one value may link: the hub guard. The type `*` stands for all.
    pub max_links_from: Vec<(String, u32)>,
    /// Further values that never identify anybody, beside the built-in list.
    pub blocked: Vec<String>,
}

/// Which identifiers there are. Without a definition, [`IdentityDefinition::segment`] holds.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentityDefinition {
    /// Its name; one identity definition holds at a time.
    pub name: String,
    /// The types, in the order they were given.
    pub identifiers: Vec<IdentifierType>,
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
    /// The preset `segment`: user_id, email, phone, anonymous_id, and group_id as account.
    pub fn segment() -> IdentityDefinition {
        let week = Duration::parse("7d");
        let mut email = IdentifierType::new("email", Role::Contact, 2, FIVE);
        email.normalize = Normalize::Email;
        let mut phone = IdentifierType::new("phone", Role::Contact, 3, FIVE);
        phone.normalize = Normalize::Phone;
        IdentityDefinition {
            name: "segment".to_owned(),
            identifiers: vec![
                IdentifierType::new("user_id", Role::Person, 1, Some(Limit { n: 1, window: None })),
                email,
                phone,
                IdentifierType::new("anonymous_id", Role::Device, 9, Some(Limit { n: 5, window: week })),
                IdentifierType::new("group_id", Role::Account, 50, None),
            ],
            linkage: None,
        }
    }

    /// The type of this name.
    pub fn identifier(&self, name: &str) -> Option<&IdentifierType> {
        self.identifiers.iter().find(|identifier| identifier.name == name)
    }

    pub(crate) fn read(name: String, fields: &mut Fields<'_>) -> Option<IdentityDefinition> {
        let identifiers = fields.required("identifiers", |node| node.list(read_identifier))?;
        for (index, identifier) in identifiers.iter().enumerate() {
            if identifiers.iter().take(index).any(|earlier| earlier.name == identifier.name) {
                fields.fault(format!("the identifier type `{}` stands twice", identifier.name));
            }
        }
        let is_declared = |name: &str| identifiers.iter().any(|identifier| identifier.name == name);
        let linkage = fields.optional("linkage", |node| ProfileLinkage::read(node, is_declared));
        Some(IdentityDefinition { name, identifiers, linkage })
    }
}

fn read_identifier(node: Node<'_>) -> Option<IdentifierType> {
    let mut fields = node.fields()?;
    let name = fields.required("type", |node| node.text());
    let role = fields.required("role", |node| node.word(&ROLES));
    let priority = fields.required("priority", |node| node.integer(0, 1_000_000));
    let limit = fields.optional("limit", read_limit);
    let normalize = fields.optional("normalize", |node| {
        node.word(&[("exact", Normalize::Exact), ("email", Normalize::Email), ("phone", Normalize::Phone)])
    });
    let on_conflict = fields.optional("on_conflict", |node| {
        node.word(&[
            ("keep_first", OnConflict::KeepFirst),
            ("latest_link_wins", OnConflict::LatestLinkWins),
            ("refuse", OnConflict::Refuse),
        ])
    });
    let max_links_from = fields.optional("max_links_from", |node| {
        node.entries(|_, n| n.integer(1, 1_000_000_000).and_then(|n| u32::try_from(n).ok()))
    });
    let blocked = fields.optional("blocked", |node| node.list(|item| item.text()));
    fields.finish();
    let mut identifier = IdentifierType::new(&name?, role?, u32::try_from(priority?).ok()?, limit);
    identifier.normalize = normalize.unwrap_or(Normalize::Exact);
    identifier.on_conflict = on_conflict.unwrap_or(OnConflict::KeepFirst);
    if let Some(max_links_from) = max_links_from {
        identifier.max_links_from = max_links_from;
    }
    identifier.blocked = blocked.unwrap_or_default();
    Some(identifier)
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
