//! Profiles as plain data that linkage compares: which values count as what, and one record for each profile.

use std::collections::{BTreeMap, HashMap};

use crate::definitions::{ColumnRole, ComparedValue, ProfileLinkage};
use crate::error::{Error, Result};
use crate::linkage::{ColumnRoles, Decisions, Records, usual_role};
use crate::records::{Timestamp, Value};

/// A column of the records; only of some roles a person has several.
pub(crate) type Column = (ColumnRole, Option<ComparedValue>);

/// One profile as it is compared.
pub(crate) struct ComparedProfile {
    /// The node that stands for it in a link: its strongest identifier.
    pub(crate) node: u32,
    /// Since when all that is compared holds.
    pub(crate) since: Timestamp,
    pub(crate) values: BTreeMap<Column, String>,
}

/// All that a run of linkage compares.
pub(crate) struct ComparedProfiles {
    pub(crate) profiles: Vec<ComparedProfile>,
    /// What was compared, and as what.
    pub(crate) columns: BTreeMap<ComparedValue, ColumnRole>,
    /// The pairs of rows that operators said are two people.
    pub(crate) apart: Vec<(u32, u32)>,
    pub(crate) sequence: u64,
    /// The last decision of an operator that was known.
    pub(crate) decision_sequence: u64,
    pub(crate) row_of: HashMap<u32, u32>,
}

/// Of each value that was asked about, as what it is compared, if it is.
pub(crate) type FoundRoles = HashMap<ComparedValue, Option<ColumnRole>>;

/// Which values are compared as what: what the definition says, then the usual names.
pub(crate) struct Roles<'d> {
    pub(crate) linkage: &'d ProfileLinkage,
    pub(crate) found: FoundRoles,
}

impl<'d> Roles<'d> {
    pub(crate) fn of(linkage: &'d ProfileLinkage) -> Roles<'d> {
        Roles { linkage, found: HashMap::new() }
    }

    /// The profiles where some were found before.
    pub(crate) fn knowing(linkage: &'d ProfileLinkage, found: FoundRoles) -> Roles<'d> {
        Roles { linkage, found }
    }

    /// What was found.
    pub(crate) fn into_found(self) -> FoundRoles {
        self.found
    }

    pub(crate) fn role(&mut self, value: &ComparedValue) -> Option<ColumnRole> {
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
    pub(crate) fn compare_trait(&mut self, name: &str, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Object(parts) => {
                parts.keys().any(|part| self.role(&ComparedValue::Trait(format!("{name}.{part}"))).is_some())
            }
            _ => self.role(&ComparedValue::Trait(name.to_owned())).is_some(),
        }
    }

    /// Whether the definition names a value, so that it goes before one with a usual name.
    pub(crate) fn is_given(&self, value: &ComparedValue) -> bool {
        self.linkage.columns.contains_key(value)
    }
}

/// A value in a definition: `traits.first_name`, `email`.
pub(crate) fn compared_name(value: &ComparedValue) -> String {
    match value {
        ComparedValue::Trait(path) => format!("traits.{path}"),
        ComparedValue::Identifier(identifier_type) => identifier_type.clone(),
    }
}

impl ComparedProfile {
    /// The text of a column; empty if it is missing.
    pub(crate) fn text(&self, column: &Column) -> &str {
        self.values.get(column).map_or("", String::as_str)
    }
}

impl ComparedProfiles {
    /// The rows, named by their numbers, and what their columns are.
    pub(crate) fn records(&self) -> Result<(Records, ColumnRoles)> {
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
    pub(crate) fn record_columns(&self) -> Vec<&Column> {
        let mut columns: Vec<&Column> = self.profiles.iter().flat_map(|profile| profile.values.keys()).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// What operators decided, by the names of the rows.
    pub(crate) fn decisions(&self) -> Decisions {
        let cannot = self.apart.iter().map(|(left, right)| (left.to_string(), right.to_string()));
        Decisions { must_link: Vec::new(), cannot_link: cannot.collect() }
    }

    pub(crate) fn profile(&self, row: u32) -> Result<&ComparedProfile> {
        self.profiles.get(row as usize).ok_or_else(|| Error::internal("a linked row is no profile"))
    }

    /// The row of a profile, by any of its nodes.
    pub(crate) fn row_of(&self, node: u32) -> Option<u32> {
        self.row_of.get(&node).copied()
    }
}
