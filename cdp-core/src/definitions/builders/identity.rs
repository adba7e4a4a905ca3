//! The builders of an identity definition: identifier types, the merge of traits, and linkage by probability.

use super::parts::{ObjectFields, builder, definition, named, word};
use crate::definitions::identity::read::{CONFLICTS, NORMALIZATIONS, ROLES};
use crate::definitions::identity::traits::STRATEGIES;
use crate::definitions::{ColumnRole, Normalize, OnConflict, Role, TraitStrategy};
use crate::records::{Object, Value};

/// The identifier types by which messages become profiles, and the limits that keep different people apart.
///
/// One identity definition holds at a time; without one, the preset `segment` does.
///
/// ```
/// use cdp_core::define::{IdentifierType, Identity};
/// use cdp_core::definitions::{Definition, Normalize, Role, TraitStrategy};
/// use cdp_core::records::Value;
/// let identity = Identity::segment("default")
///     .identifier(IdentifierType::new("email", Role::Contact, 2).limit(5).normalize(Normalize::EmailCanonical))
///     .identifier(IdentifierType::new("loyalty_card", Role::Person, 4).limit_within(2, "365d"))
///     .max_identifiers(200)
///     .trait_("interests", TraitStrategy::Union)
///     .trait_("plan", TraitStrategy::SourcePriority(vec!["crm".to_owned(), "shop".to_owned()]));
/// assert_eq!(Definition::from_value(&Value::from(identity))?.name, "default");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "an identity definition holds when it is defined"]
pub struct Identity(ObjectFields);

definition!(Identity);

impl Identity {
    /// No identifier type but those that [`Identity::identifier`] adds.
    pub fn new(name: impl Into<String>) -> Identity {
        Identity(named("identity", name).with("identifiers", Value::List(Vec::new())))
    }

    fn preset(name: impl Into<String>, preset: &str) -> Identity {
        Identity(named("identity", name).with("preset", preset))
    }

    /// The preset `segment`: `user_id`, `email`, `phone`, `anonymous_id`, and `group_id` as account.
    pub fn segment(name: impl Into<String>) -> Identity {
        Identity::preset(name, "segment")
    }

    /// The preset `isolation`: as `segment`, but an `anonymous_id` never joins profiles.
    pub fn isolation(name: impl Into<String>) -> Identity {
        Identity::preset(name, "isolation")
    }

    /// The preset `crm`: `crm_id` is the strongest type, one to a profile, and a profile may hold five `user_id`s.
    pub fn crm(name: impl Into<String>) -> Identity {
        Identity::preset(name, "crm")
    }

    /// One more identifier type; it replaces the preset's type of that name.
    pub fn identifier(self, identifier_type: IdentifierType) -> Identity {
        Identity(self.0.push("identifiers", identifier_type))
    }

    /// The number of identifiers one profile may hold; a link that would exceed it is refused.
    pub fn max_identifiers(self, n: u32) -> Identity {
        Identity(self.0.with("max_identifiers", n))
    }

    /// How the values that messages give a trait become one; traits that are not named take the newest.
    pub fn trait_(self, name: impl Into<String>, strategy: TraitStrategy) -> Identity {
        let value = match strategy {
            TraitStrategy::SourcePriority(sources) => Value::object([("source_priority", Value::from(sources))]),
            strategy => Value::from(word(&STRATEGIES, &strategy)),
        };
        Identity(self.0.insert("traits", name, value))
    }

    /// Links profiles by probability; without this nothing is compared.
    pub fn linkage(self, linkage: Linkage) -> Identity {
        Identity(self.0.with("linkage", linkage))
    }
}

/// One type of identifier.
///
/// ```
/// use cdp_core::define::{IdentifierType, Identity};
/// use cdp_core::definitions::{Definition, Normalize, Role};
/// use cdp_core::records::Value;
/// let phone = IdentifierType::new("phone", Role::Contact, 3)
///     .limit(5)
///     .normalize(Normalize::Phone)
///     .default_region("DE")
///     .max_links_from("user_id", 2)
///     .blocked("+490000000");
/// let identity = Identity::new("default").identifier(phone);
/// assert_eq!(Definition::from_value(&Value::from(identity))?.name, "default");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "an identifier type is a part of an identity definition"]
pub struct IdentifierType(ObjectFields);

builder!(IdentifierType);

impl IdentifierType {
    /// A type of a name, what it stands for, and its strength: the smallest number decides to which profile a message
    /// belongs.
    pub fn new(name: impl Into<String>, role: Role, priority: u32) -> IdentifierType {
        let parts = ObjectFields::new().with("type", name.into()).with("role", word(&ROLES, &role));
        IdentifierType(parts.with("priority", priority))
    }

    /// The number of values one profile may hold over all time; a link that would exceed it is refused.
    pub fn limit(self, n: u32) -> IdentifierType {
        IdentifierType(self.0.with("limit", n))
    }

    /// The number of values one profile may hold, counted over the links in `(t - window, t]`.
    pub fn limit_within(self, n: u32, window: impl Into<Value>) -> IdentifierType {
        IdentifierType(self.0.with("limit", ObjectFields::new().with("n", n).with("window", window)))
    }

    /// How values are normalized before they are compared; without this they are compared as they are.
    pub fn normalize(self, normalize: Normalize) -> IdentifierType {
        IdentifierType(self.0.with("normalize", word(&NORMALIZATIONS, &normalize)))
    }

    /// The region of national telephone numbers, two letters of ISO 3166: `DE`.
    pub fn default_region(self, region: impl Into<String>) -> IdentifierType {
        IdentifierType(self.0.with("default_region", region.into()))
    }

    /// What happens when a value is seen with a second profile; without this the first keeps it.
    pub fn on_conflict(self, on_conflict: OnConflict) -> IdentifierType {
        IdentifierType(self.0.with("on_conflict", word(&CONFLICTS, &on_conflict)))
    }

    /// The number of neighbours of a type (`*` for any) that one value may link; 0 keeps the value apart.
    pub fn max_links_from(self, identifier_type: impl Into<String>, n: u32) -> IdentifierType {
        IdentifierType(self.0.insert("max_links_from", identifier_type, n))
    }

    /// One more value that identifies no one.
    pub fn blocked(self, value: impl Into<String>) -> IdentifierType {
        IdentifierType(self.0.push("blocked", value.into()))
    }

    /// One more pattern; a value in which it is found identifies no one.
    pub fn blocked_pattern(self, pattern: impl Into<String>) -> IdentifierType {
        IdentifierType(self.0.push("blocked", ObjectFields::new().with("pattern", pattern.into())))
    }
}

/// The linkage of profiles by probability, for people who share no identifier.
///
/// ```
/// use cdp_core::define::{Identity, Linkage};
/// use cdp_core::definitions::{ColumnRole, Definition};
/// use cdp_core::records::Value;
/// let linkage = Linkage::new().column("traits.nick", ColumnRole::GivenName).auto(0.995).auto_link(true);
/// let identity = Identity::segment("default").linkage(linkage);
/// assert_eq!(Definition::from_value(&Value::from(identity))?.name, "default");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "linkage is a part of an identity definition"]
pub struct Linkage(ObjectFields);

builder!(Linkage);

impl Default for Linkage {
    fn default() -> Linkage {
        Linkage::new()
    }
}

impl Linkage {
    /// Linkage with every default: it suggests and links nothing by itself.
    pub fn new() -> Linkage {
        Linkage(ObjectFields(Object::new()))
    }

    /// The role of a trait, as `traits.<path>`, or of an identifier type; usual names are recognized without this.
    pub fn column(self, name: impl Into<String>, role: ColumnRole) -> Linkage {
        Linkage(self.0.insert("columns", name, role.as_str()))
    }

    /// A key that more profiles than this share proposes no pairs; without this 1,000.
    pub fn max_block(self, profiles: u32) -> Linkage {
        Linkage(self.0.insert("blocking", "max_block", profiles))
    }

    /// The number of pairs each rule of blocking may propose for each profile; without this 2.
    pub fn pairs_per_record(self, pairs: f64) -> Linkage {
        Linkage(self.0.insert("blocking", "pairs_per_record", pairs))
    }

    /// The number of pairs a rule of blocking may propose however few the profiles are; without this 400,000.
    pub fn least_pairs(self, pairs: u64) -> Linkage {
        Linkage(self.0.insert("blocking", "least_pairs", pairs))
    }

    /// From this probability on, a pair is in the band `auto`; without this 0.99.
    pub fn auto(self, probability: f64) -> Linkage {
        Linkage(self.0.insert("thresholds", "auto", probability))
    }

    /// From this probability on, a pair is shown for review; without this 0.5.
    pub fn review(self, probability: f64) -> Linkage {
        Linkage(self.0.insert("thresholds", "review", probability))
    }

    /// Profiles form a cluster where the average weight between them stands for at least this; without this 0.5.
    pub fn cluster(self, probability: f64) -> Linkage {
        Linkage(self.0.insert("thresholds", "cluster", probability))
    }

    /// Pairs below this probability are not kept; without this 0.1.
    pub fn keep(self, probability: f64) -> Linkage {
        Linkage(self.0.insert("thresholds", "keep", probability))
    }

    /// Whether pairs of the band `auto` are linked when the verdict on the model is green; otherwise they are suggestions.
    pub fn auto_link(self, is_on: bool) -> Linkage {
        Linkage(self.0.with("auto_link", is_on))
    }

    /// Whether a profile is compared in the transaction that changes it, from the first `link` on; without this it is.
    pub fn live(self, is_on: bool) -> Linkage {
        Linkage(self.0.with("live", is_on))
    }
}
