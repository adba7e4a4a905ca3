//! Known profiles as records that linkage compares: one for each, of the traits and identifiers that say who somebody is.
//!
//! It takes people as they stand without any probable link, so that a run never compares what an earlier run has joined, and
//! leaves rows in the order of their first nodes. It never looks at events.

use std::collections::{BTreeMap, HashMap};

use super::snapshot::{Person, Snapshot};
use crate::definitions::{ColumnRole, ComparedValue, OnConflict, ProfileLinkage, Role};
use crate::error::{Error, Result};
use crate::identity::{ProbableView, declared_type};
use crate::linkage::{ColumnRoles, Decisions, Records, usual_role};
use crate::records::{Timestamp, Value};

/// A column of the records; only of some roles a person has several.
pub(super) type Column = (ColumnRole, Option<ComparedValue>);

/// One profile as it is compared.
pub(super) struct ComparedProfile {
    /// The node that stands for it in a link: its strongest identifier.
    pub(super) node: u32,
    /// Since when all that is compared holds.
    pub(super) since: Timestamp,
    values: BTreeMap<Column, String>,
}

/// All that a run of linkage compares.
pub(super) struct ComparedProfiles {
    pub(super) profiles: Vec<ComparedProfile>,
    /// What was compared, and as what.
    pub(super) columns: BTreeMap<ComparedValue, ColumnRole>,
    /// The pairs of rows that operators said are two people.
    pub(super) apart: Vec<(u32, u32)>,
    pub(super) sequence: u64,
    /// The last decision of an operator that was known.
    pub(super) decision_sequence: u64,
    row_of: HashMap<u32, u32>,
}

/// Of each value that was asked about, as what it is compared, if it is.
pub(super) type FoundRoles = HashMap<ComparedValue, Option<ColumnRole>>;

/// Which values are compared as what: what the definition says, then the usual names.
pub(super) struct Roles<'d> {
    linkage: &'d ProfileLinkage,
    found: FoundRoles,
}

impl<'d> Roles<'d> {
    pub(super) fn of(linkage: &'d ProfileLinkage) -> Roles<'d> {
        Roles { linkage, found: HashMap::new() }
    }

    /// The same where some were found before.
    pub(super) fn knowing(linkage: &'d ProfileLinkage, found: FoundRoles) -> Roles<'d> {
        Roles { linkage, found }
    }

    /// What was found.
    pub(super) fn into_found(self) -> FoundRoles {
        self.found
    }

    pub(super) fn role(&mut self, value: &ComparedValue) -> Option<ColumnRole> {
        if let Some(known) = self.found.get(value) {
            return *known;
        }
        let name = match value {
            ComparedValue::Trait(name) | ComparedValue::Identifier(name) => name,
        };
        let role = self.linkage.columns.get(value).copied().or_else(|| usual_role(name));
        let role = role.filter(|role| *role != ColumnRole::Ignore);
        self.found.insert(value.clone(), role);
        role
    }

    /// Whether a trait of this name and value is compared; where it is taken back, whether it may have been.
    pub(super) fn compare_trait(&mut self, name: &str, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Object(parts) => {
                parts.keys().any(|part| self.role(&ComparedValue::Trait(format!("{name}.{part}"))).is_some())
            }
            _ => self.role(&ComparedValue::Trait(name.to_owned())).is_some(),
        }
    }

    /// Whether the definition names a value, so that it goes before one with a usual name.
    fn is_given(&self, value: &ComparedValue) -> bool {
        self.linkage.columns.contains_key(value)
    }
}

/// A value in a definition: `traits.first_name`, `email`.
pub(super) fn compared_name(value: &ComparedValue) -> String {
    match value {
        ComparedValue::Trait(path) => format!("traits.{path}"),
        ComparedValue::Identifier(identifier_type) => identifier_type.clone(),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl<'a> Snapshot<'a> {
    /// The known profiles as they stand without any probable link, after every fact and decision.
    pub(super) fn compared_profiles(&self, linkage: &ProfileLinkage) -> Result<ComparedProfiles> {
        let without = Snapshot { probable: ProbableView::default(), ..*self };
        let overlay = self.partition.deciding(&self.probable.pairs(), &without)?;
        let apart = Snapshot { partition: self.partition.with(&overlay), ..without };
        apart.gather_profiles(linkage)
    }

    fn gather_profiles(&self, linkage: &ProfileLinkage) -> Result<ComparedProfiles> {
        // A merge of now holds later than the latest fact.
        let at = Timestamp::MAX;
        let mut roles = Roles::of(linkage);
        let mut rows = Vec::new();
        for nodes in self.profiles_at(at).iter() {
            let person = Person::new(self, nodes.to_vec(), at)?;
            if let Some(profile) = person.compared(&mut roles, at)? {
                rows.push((person.order(), profile, person.nodes.clone()));
            }
        }
        rows.sort_by_key(|(order, ..)| *order);
        let (mut profiles, mut row_of) = (Vec::with_capacity(rows.len()), HashMap::new());
        for (row, (_, profile, members)) in (0u32..).zip(rows) {
            row_of.extend(members.into_iter().map(|node| (node, row)));
            profiles.push(profile);
        }
        let rows_of = |(node, other): (u32, u32)| Some((*row_of.get(&node)?, *row_of.get(&other)?));
        let mut apart: Vec<(u32, u32)> = self
            .decisions
            .pairs_apart()
            .filter_map(rows_of)
            .filter(|(left, right)| left != right)
            .map(|(left, right)| (left.min(right), left.max(right)))
            .collect();
        apart.sort_unstable();
        apart.dedup();
        let columns = roles.found.into_iter().filter_map(|(value, role)| Some((value, role?))).collect();
        let (sequence, decision_sequence) = (self.memory.sequence(), self.facts.meta()?.decision_sequence);
        Ok(ComparedProfiles { profiles, columns, apart, sequence, decision_sequence, row_of })
    }

    /// The node that stands for a profile in a link: the strongest that joins people, by priority, type and value.
    pub(super) fn standing_for(&self, nodes: &[u32]) -> Option<u32> {
        let joins = |node: &u32| {
            let declared = declared_type(self.catalog.identity(), self.memory.node(*node).0);
            declared.on_conflict != OnConflict::LatestLinkWins
        };
        let rank = |node: &u32| (self.type_rule(*node).priority, self.memory.node(*node));
        nodes.iter().copied().filter(joins).min_by_key(rank)
    }
}

impl Person<'_> {
    /// What of this person is compared at an instant; `None` of somebody anonymous, or of whom nothing is known.
    pub(super) fn compared(&self, roles: &mut Roles<'_>, at: Timestamp) -> Result<Option<ComparedProfile>> {
        if !self.exists_at(at)? || !self.is_known(at) {
            return Ok(None);
        }
        let mut found: Vec<(ComparedValue, ColumnRole, String, Option<Timestamp>)> = Vec::new();
        for node in self.nodes_named_by(at) {
            let (identifier_type, text) = self.snapshot.memory.node(node);
            let value = ComparedValue::Identifier(identifier_type.to_owned());
            // A login differs between any two profiles: it says nothing about whether they are one person.
            if self.snapshot.type_rule(node).role == Role::Contact || roles.is_given(&value) {
                let named_at = self.snapshot.memory.firsts(node).named_at();
                found.extend(roles.role(&value).map(|role| (value, role, text.to_owned(), named_at)));
            }
        }
        for (name, value) in self.traits(at)? {
            let since = self.trait_since(&name, at)?;
            let mut compare = |path: String, value: &Value| {
                let compared = ComparedValue::Trait(path);
                if let (Some(role), Some(text)) = (roles.role(&compared), text_of(value)) {
                    found.push((compared, role, text, since));
                }
            };
            match &value {
                Value::Object(parts) => parts.iter().for_each(|(part, value)| compare(format!("{name}.{part}"), value)),
                value => compare(name, value),
            }
        }
        let is_identifier = |value: &ComparedValue| matches!(value, ComparedValue::Identifier(_));
        // Of several values of one role the first counts: what the definition names, then identifiers, then traits. The
        // sort is stable, so that of several identifiers of one type the one named first counts.
        found.sort_by(|(left, ..), (right, ..)| {
            let rank = |value: &ComparedValue| (!roles.is_given(value), !is_identifier(value));
            rank(left).cmp(&rank(right)).then_with(|| left.cmp(right))
        });
        let mut values = BTreeMap::new();
        let mut since = None;
        for (value, role, text, of) in found {
            let has_several = matches!(role, ColumnRole::Category | ColumnRole::Text);
            values.entry((role, has_several.then_some(value))).or_insert_with(|| {
                since = since.max(of);
                text
            });
        }
        let Some((since, node)) = since.zip(self.snapshot.standing_for(&self.nodes)) else { return Ok(None) };
        let named_at = self.snapshot.memory.firsts(node).named_at();
        Ok(Some(ComparedProfile { node, since: since.max(named_at.unwrap_or(since)), values }))
    }
}

impl ComparedProfile {
    /// The text of a column; empty if it is missing.
    pub(super) fn text(&self, column: &Column) -> &str {
        self.values.get(column).map_or("", String::as_str)
    }
}

impl ComparedProfiles {
    /// The rows, named by their numbers, and what their columns are.
    pub(super) fn records(&self) -> Result<(Records, ColumnRoles)> {
        let columns = self.record_columns();
        let name = |(role, value): &Column| match value {
            Some(value) => format!("{} {}", role.as_str(), compared_name(value)),
            None => role.as_str().to_owned(),
        };
        let roles = columns.iter().map(|column| (name(column), column.0)).collect();
        let mut records = Records::new(columns.iter().map(|column| name(column)));
        for (row, profile) in self.profiles.iter().enumerate() {
            records.push(&row.to_string(), columns.iter().map(|column| profile.text(column)))?;
        }
        Ok((records, roles))
    }

    /// The columns of the records, in order.
    pub(super) fn record_columns(&self) -> Vec<&Column> {
        let mut columns: Vec<&Column> = self.profiles.iter().flat_map(|profile| profile.values.keys()).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// What operators decided, by the names of the rows.
    pub(super) fn decisions(&self) -> Decisions {
        let cannot = self.apart.iter().map(|(left, right)| (left.to_string(), right.to_string()));
        Decisions { must_link: Vec::new(), cannot_link: cannot.collect() }
    }

    pub(super) fn profile(&self, row: u32) -> Result<&ComparedProfile> {
        self.profiles.get(row as usize).ok_or_else(|| Error::internal("a linked row is no profile"))
    }

    /// The row of a profile, by any of its nodes.
    pub(super) fn row_of(&self, node: u32) -> Option<u32> {
        self.row_of.get(&node).copied()
    }
}
