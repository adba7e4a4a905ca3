//! The identity definition as the partition reads it: one small rule for each identifier type, by the number of the
//! type's name, so that reading a node's rule compares no text.

use crate::definitions::{IdentifierType, IdentityDefinition, Limit, OnConflict, Role};

/// The number of every neighbour type that a hub guard does not name; names begin at 1.
const ALL_TYPES: u32 = 0;

/// The rule of an identifier type.
#[derive(Clone, Debug)]
pub(crate) struct TypeRule {
    pub(crate) priority: u32,
    pub(crate) role: Role,
    pub(crate) limit: Option<Limit>,
    pub(super) refuses_conflicts: bool,
    pub(super) latest_link_wins: bool,
    // neighbour type (or ALL_TYPES) -> the number of such neighbours that one value may link
    hub_limits: Vec<(u32, u32)>,
}

impl TypeRule {
    fn new(identifier: &IdentifierType, name_number: &impl Fn(&str) -> Option<u32>) -> TypeRule {
        let number = |name: &str| if name == "*" { Some(ALL_TYPES) } else { name_number(name) };
        let hub_limits = identifier.max_links_from.iter();
        TypeRule {
            priority: identifier.priority,
            role: identifier.role,
            limit: identifier.limit,
            refuses_conflicts: identifier.on_conflict == OnConflict::Refuse,
            latest_link_wins: identifier.on_conflict == OnConflict::LatestLinkWins,
            // No node has a type whose name has no number.
            hub_limits: hub_limits.filter_map(|(name, limit)| Some((number(name)?, *limit))).collect(),
        }
    }

    /// The class of neighbours to which the hub guard of a value assigns this type, and the number of them that may be
    /// live.
    pub(super) fn hub_guard(&self, neighbour_type: u32) -> Option<(u32, u32)> {
        let of = |wanted: u32| self.hub_limits.iter().find(|(class, _)| *class == wanted).copied();
        of(neighbour_type).or_else(|| of(ALL_TYPES))
    }

    /// The smallest hub limit of this type; `None` if it has no guard.
    pub(super) fn least_hub_limit(&self) -> Option<u32> {
        self.hub_limits.iter().map(|(_, limit)| *limit).min()
    }
}

/// The rules of all identifier types; an undeclared type is an external id.
#[derive(Clone, Debug)]
pub(crate) struct TypeRules {
    // Apart from the rules, so that a search stays within a cache line.
    numbers: Vec<u32>,
    rules: Vec<TypeRule>,
    external: TypeRule,
    max_identifiers: Option<u32>,
    refuse_conflicts: bool,
    have_latest_link_wins: bool,
    have_guards: bool,
}

impl TypeRules {
    /// `name_number` returns the number of a name, if it has one. The rules are valid until a name gets a new number.
    pub(crate) fn new(definition: &IdentityDefinition, name_number: impl Fn(&str) -> Option<u32>) -> TypeRules {
        let any = |what| definition.identifiers.iter().any(|identifier| identifier.on_conflict == what);
        let mut rules = TypeRules {
            numbers: Vec::new(),
            rules: Vec::new(),
            external: TypeRule::new(&IdentifierType::external(""), &name_number),
            max_identifiers: definition.max_identifiers,
            refuse_conflicts: any(OnConflict::Refuse),
            have_latest_link_wins: any(OnConflict::LatestLinkWins),
            have_guards: definition.identifiers.iter().any(|identifier| !identifier.max_links_from.is_empty()),
        };
        for identifier in &definition.identifiers {
            if let Some(number) = name_number(&identifier.name) {
                rules.numbers.push(number);
                rules.rules.push(TypeRule::new(identifier, &name_number));
            }
        }
        rules
    }

    /// The greatest number of identifiers of one person.
    pub(super) fn max_identifiers(&self) -> Option<u32> {
        self.max_identifiers
    }

    /// Whether any type refuses to join two people.
    pub(super) fn refuse_conflicts(&self) -> bool {
        self.refuse_conflicts
    }

    /// Whether any type has `latest_link_wins`.
    pub(super) fn have_latest_link_wins(&self) -> bool {
        self.have_latest_link_wins
    }

    /// Whether a value of any type may be kept out of a component, by a hub guard or `latest_link_wins`.
    pub(super) fn have_guards(&self) -> bool {
        self.have_guards || self.have_latest_link_wins
    }

    /// The rule of the type whose name has this number.
    pub(crate) fn rule(&self, type_number: u32) -> &TypeRule {
        let place = self.numbers.iter().position(|number| *number == type_number);
        place.and_then(|place| self.rules.get(place)).unwrap_or(&self.external)
    }
}

/// The type of a node by definition; an undeclared type is an external id.
pub(crate) fn declared_type(definition: &IdentityDefinition, name: &str) -> IdentifierType {
    definition.identifier(name).cloned().unwrap_or_else(|| IdentifierType::external(name))
}
