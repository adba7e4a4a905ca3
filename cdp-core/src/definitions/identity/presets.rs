//! Sets of identifier types that suit most: what Segment does, one that never joins a browser to a person, and one for
//! people who come from a customer register.

use super::{FIVE, IdentifierType, IdentityDefinition, Limit, Normalize, Role};
use crate::definitions::schema::Words;
use crate::records::Duration;

/// Makes the identity definition of a preset.
pub(in crate::definitions) type Preset = fn() -> IdentityDefinition;

/// The presets by their words.
pub(in crate::definitions) static PRESETS: Words<Preset> = Words {
    name: "preset",
    rows: &[
        (
            "segment",
            IdentityDefinition::segment,
            "`user_id`, `email`, `phone` and `anonymous_id`, and `group_id` as account.",
        ),
        (
            "isolation",
            IdentityDefinition::isolation,
            "As `segment`, but an `anonymous_id` never joins profiles: what happened without a login stays apart.",
        ),
        (
            "crm",
            IdentityDefinition::crm,
            "`crm_id` is the strongest, one to a profile; five `user_id`s to a profile; all spellings of one mailbox are one `email`.",
        ),
    ],
};

const ONE: Option<Limit> = Some(Limit { n: 1, window: None });

impl IdentityDefinition {
    fn of(name: &str, identifiers: Vec<IdentifierType>) -> IdentityDefinition {
        IdentityDefinition {
            name: name.to_owned(),
            identifiers,
            max_identifiers: None,
            traits: Vec::new(),
            linkage: None,
        }
    }

    /// The preset `segment`: user_id, email, phone, anonymous_id, and group_id as account.
    pub fn segment() -> IdentityDefinition {
        IdentityDefinition::of(
            "segment",
            vec![
                IdentifierType::new("user_id", Role::Person, 1, ONE),
                email(2, Normalize::Email),
                phone(3),
                device(),
                IdentifierType::new("group_id", Role::Account, 50, None),
            ],
        )
    }

    /// The preset `isolation`: as `segment`, but an anonymous id never joins profiles, so that events before a login
    /// stay apart from the known profile.
    pub fn isolation() -> IdentityDefinition {
        let mut definition = IdentityDefinition::segment();
        "isolation".clone_into(&mut definition.name);
        for identifier in definition.identifiers.iter_mut().filter(|identifier| identifier.role == Role::Device) {
            identifier.max_links_from = vec![("*".to_owned(), 0)];
        }
        definition
    }

    /// The preset `crm`: crm_id is the strongest, one to a person; a person may have five logins; all spellings of one
    /// mailbox are one.
    pub fn crm() -> IdentityDefinition {
        IdentityDefinition::of(
            "crm",
            vec![
                IdentifierType::new("crm_id", Role::Person, 1, ONE),
                IdentifierType::new("user_id", Role::Person, 2, FIVE),
                email(3, Normalize::EmailCanonical),
                phone(4),
                device(),
                IdentifierType::new("group_id", Role::Account, 50, None),
            ],
        )
    }
}

fn email(priority: u32, normalize: Normalize) -> IdentifierType {
    IdentifierType { normalize, ..IdentifierType::new("email", Role::Contact, priority, FIVE) }
}

fn phone(priority: u32) -> IdentifierType {
    IdentifierType { normalize: Normalize::Phone, ..IdentifierType::new("phone", Role::Contact, priority, FIVE) }
}

fn device() -> IdentifierType {
    let limit = Limit { n: 5, window: Duration::parse("7d") };
    IdentifierType::new("anonymous_id", Role::Device, 9, Some(limit))
}
