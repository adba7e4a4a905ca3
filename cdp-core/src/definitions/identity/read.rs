//! Reads an identity definition: a preset, the types given beside it, limits, guards and blocked values.

use regex::Regex;

use super::{
    Blocked, IdentifierType, IdentityDefinition, Limit, Normalize, OnConflict, Role, presets, telephone, traits,
};
use crate::definitions::fields::identity::{blocked_pattern, identifier_type, identity, limit};
use crate::definitions::profile_linkage::ProfileLinkage;
use crate::definitions::reader::{Fields, Node};
use crate::definitions::schema::Words;
use crate::records::Value;

pub(in crate::definitions) static ROLES: Words<Role> = Words {
    name: "role",
    rows: &[
        ("person", Role::Person, "A login or customer number: identifies one person."),
        ("contact", Role::Contact, "A way to reach a person, such as an email address or telephone number."),
        ("device", Role::Device, "A browser or an app installation."),
        ("account", Role::Account, "A company or household: links people and never merges them."),
    ],
};

pub(in crate::definitions) static NORMALIZATIONS: Words<Normalize> = Words {
    name: "normalize",
    rows: &[
        ("exact", Normalize::Exact, "The value as it is."),
        ("email", Normalize::Email, "Without white space around it, in lower case."),
        (
            "email_canonical",
            Normalize::EmailCanonical,
            "As `email`; all spellings of one mailbox are one value: without `+tag`, and without dots where the provider ignores them.",
        ),
        ("phone", Normalize::Phone, "E.164, digits with a leading plus."),
    ],
};

pub(in crate::definitions) static CONFLICTS: Words<OnConflict> = Words {
    name: "on_conflict",
    rows: &[
        ("keep_first", OnConflict::KeepFirst, "Earlier links stay; limits decide about later ones."),
        (
            "latest_link_wins",
            OnConflict::LatestLinkWins,
            "The value belongs to the profile that was linked last, from that instant on.",
        ),
        (
            "refuse",
            OnConflict::Refuse,
            "The value never joins two profiles that both have an identifier with the role `person`.",
        ),
    ],
};

impl IdentityDefinition {
    pub(crate) fn read(name: String, fields: &mut Fields<'_>) -> Option<IdentityDefinition> {
        let has_preset = fields.has("preset");
        let preset = fields.optional(&identity::PRESET, |node| node.word(&presets::PRESETS));
        let given = match has_preset {
            true => fields.optional(&identity::IDENTIFIERS, |node| node.list(read_identifier)).unwrap_or_default(),
            false => fields.required(&identity::IDENTIFIERS, |node| node.list(read_identifier))?,
        };
        let max_identifiers = fields.optional(&identity::MAX_IDENTIFIERS, |node| node.integer(2, 1_000_000_000));
        let traits = fields.optional(&identity::TRAITS, |node| node.entries(|_, strategy| traits::read(strategy)));
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
        let linkage = fields.optional(&identity::LINKAGE, |node| {
            if cfg!(not(feature = "linkage")) {
                node.fault("this build cannot compare profiles; build cdp-core with the feature `linkage`");
            }
            ProfileLinkage::read(node, is_declared)
        });
        Some(IdentityDefinition { name, identifiers, max_identifiers, traits: traits.unwrap_or_default(), linkage })
    }
}

fn read_identifier(node: Node<'_>) -> Option<IdentifierType> {
    let mut fields = node.fields()?;
    let name = fields.required(&identifier_type::TYPE, |node| node.text());
    let role = fields.required(&identifier_type::ROLE, |node| node.word(&ROLES));
    let priority = fields.required(&identifier_type::PRIORITY, |node| node.integer(0, 1_000_000));
    let limit = fields.optional(&identifier_type::LIMIT, read_limit);
    let normalize = fields.optional(&identifier_type::NORMALIZE, |node| node.word(&NORMALIZATIONS));
    let default_region = fields.optional(&identifier_type::DEFAULT_REGION, read_region);
    let on_conflict = fields.optional(&identifier_type::ON_CONFLICT, |node| node.word(&CONFLICTS));
    let max_links_from = fields.optional(&identifier_type::MAX_LINKS_FROM, |node| {
        node.entries(|_, n| n.integer(0, 1_000_000_000).and_then(|n| u32::try_from(n).ok()))
    });
    let blocked = fields.optional(&identifier_type::BLOCKED, |node| node.list(read_blocked));
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
    if let Err(fault) = telephone::check_region(&region) {
        node.fault(fault);
        return None;
    }
    Some(region)
}

fn read_blocked(node: Node<'_>) -> Option<Blocked> {
    if !matches!(node.value, Value::Object(_)) {
        return node.text().map(Blocked::Value);
    }
    let mut fields = node.fields()?;
    let pattern = fields.required(&blocked_pattern::PATTERN, |node| {
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
    let n = fields.required(&limit::N, count);
    let window = fields.optional(&limit::WINDOW, |node| node.duration());
    fields.finish();
    Some(Limit { n: n?, window })
}
