//! The linkage definition: the columns that identify a person, the limits of blocking, and the thresholds of decision.
//!
//! The defaults need no configuration for records of people. It never holds a weight: weights are learned from the data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schema::{Words, pairs};
use crate::error::{Error, Result};

/// What a column says about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnRole {
    /// First name or names.
    GivenName,
    /// Last name.
    Surname,
    /// A second given name or its initial.
    MiddleName,
    /// The whole name in one column, `Jane Doe` or `Doe, Jane`.
    FullName,
    /// Date of birth in any common form.
    BirthDate,
    /// The year of birth, where the date comes in three columns.
    BirthYear,
    /// The month of birth.
    BirthMonth,
    /// The day of birth.
    BirthDay,
    /// A place of birth.
    BirthPlace,
    /// Email address.
    Email,
    /// Telephone number.
    Phone,
    /// A number that a state or an employer gave to one person.
    NationalId,
    /// A device or browser, which people of one household may share.
    Device,
    /// House number.
    StreetNumber,
    /// Street, with or without the house number.
    Address,
    /// Part of a town.
    Suburb,
    /// Town.
    City,
    /// Postal code.
    Postcode,
    /// State, province or region.
    State,
    /// One of a few values: gender, occupation, party.
    Category,
    /// Free text that describes the record, compared word by word.
    Text,
    /// A column that is not compared.
    Ignore,
}

const COLUMN_ROLE_ROWS: [(&str, ColumnRole, &str); 22] = [
    ("given_name", ColumnRole::GivenName, "First name or names."),
    ("surname", ColumnRole::Surname, "Last name."),
    ("middle_name", ColumnRole::MiddleName, "A second given name or its initial."),
    ("full_name", ColumnRole::FullName, "The whole name in one column, `Jane Doe` or `Doe, Jane`."),
    ("birth_date", ColumnRole::BirthDate, "Date of birth in any common form."),
    ("birth_year", ColumnRole::BirthYear, "The year of birth, where the date comes in three columns."),
    ("birth_month", ColumnRole::BirthMonth, "The month of birth."),
    ("birth_day", ColumnRole::BirthDay, "The day of birth."),
    ("birth_place", ColumnRole::BirthPlace, "The place of birth."),
    ("email", ColumnRole::Email, "Email address."),
    ("phone", ColumnRole::Phone, "Telephone number."),
    ("national_id", ColumnRole::NationalId, "A number that a state or an employer gave to one person."),
    ("device", ColumnRole::Device, "A device or browser, which people of one household may share."),
    ("street_number", ColumnRole::StreetNumber, "House number."),
    ("address", ColumnRole::Address, "Street, with or without the house number."),
    ("suburb", ColumnRole::Suburb, "Part of a town."),
    ("city", ColumnRole::City, "Town."),
    ("postcode", ColumnRole::Postcode, "Postal code."),
    ("state", ColumnRole::State, "State, province or region."),
    ("category", ColumnRole::Category, "One of a few values: gender, occupation, party."),
    ("text", ColumnRole::Text, "Free text that describes the record, compared word by word."),
    ("ignore", ColumnRole::Ignore, "A column that is not compared."),
];

/// The roles as words of a definition.
pub(super) static COLUMN_ROLES: Words<ColumnRole> = Words { name: "column_role", rows: &COLUMN_ROLE_ROWS };

impl ColumnRole {
    /// Every role with its word.
    pub const ALL: [(&'static str, ColumnRole); 22] = pairs(&COLUMN_ROLE_ROWS);

    /// The word of this role in a definition.
    pub fn as_str(self) -> &'static str {
        ColumnRole::ALL.into_iter().find(|(_, role)| *role == self).map_or("", |(word, _)| word)
    }

    /// The role of this word.
    pub fn parse(word: &str) -> Option<ColumnRole> {
        ColumnRole::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, role)| role)
    }
}

/// How many pairs blocking may propose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlockingLimits {
    /// A key shared by more records than this proposes nothing.
    pub max_block: u32,
    /// Of each rule, at most so many pairs for each record, of rules that strangers share easily a quarter; the largest blocks
    /// are left out first.
    pub pairs_per_record: f64,
    /// A rule may propose so many pairs however few the records are.
    pub least_pairs: u64,
}

impl Default for BlockingLimits {
    fn default() -> BlockingLimits {
        BlockingLimits { max_block: 1_000, pairs_per_record: 2.0, least_pairs: 400_000 }
    }
}

/// Probabilities from which on pairs are linked or shown for review.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkageThresholds {
    /// From here on a pair is in the band `auto`.
    pub auto: f64,
    /// From here on `review`; below it `reject`.
    pub review: f64,
    /// Records form a cluster where the average weight between them stands for at least this probability.
    pub cluster: f64,
    /// Pairs below this probability are not kept at all.
    pub keep: f64,
}

impl Default for LinkageThresholds {
    fn default() -> LinkageThresholds {
        LinkageThresholds { auto: 0.99, review: 0.5, cluster: 0.5, keep: 0.1 }
    }
}

/// How records of people are linked. [`LinkageDefinition::default`] needs no configuration.
///
/// ```
/// use cdp_core::definitions::LinkageDefinition;
/// let linkage = LinkageDefinition::from_json(r#"{"thresholds": {"auto": 0.999}}"#)?;
/// assert_eq!(linkage.thresholds.review, 0.5);
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkageDefinition {
    /// Roles of columns by name; the roles of other columns are recognized.
    pub columns: BTreeMap<String, ColumnRole>,
    /// How many pairs blocking may propose.
    pub blocking: BlockingLimits,
    /// The bands of decision.
    pub thresholds: LinkageThresholds,
}

impl LinkageDefinition {
    /// Reads a definition. Fails with `Invalid` at an unknown field or role, and where thresholds are out of order.
    pub fn from_json(json: &str) -> Result<LinkageDefinition> {
        let read: LinkageDefinition = serde_json::from_str(json).map_err(|error| {
            Error::invalid(format!("the linkage definition cannot be read: {error}"))
                .with_hint("fields: columns, blocking, thresholds")
        })?;
        read.check()?;
        Ok(read)
    }

    /// The definition as JSON, which [`LinkageDefinition::from_json`] reads back.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|_| Error::internal("a linkage definition cannot be written"))
    }

    /// Whether the thresholds are probabilities in order and the limits allow pairs at all.
    pub fn check(&self) -> Result<()> {
        let t = self.thresholds;
        let in_order = 0.0 < t.keep && t.keep <= t.review && t.review <= t.auto && t.auto < 1.0;
        if !(in_order && 0.0 < t.cluster && t.cluster < 1.0) {
            return Err(Error::invalid("thresholds must be 0 < keep <= review <= auto < 1, and 0 < cluster < 1"));
        }
        let per_record = self.blocking.pairs_per_record;
        if self.blocking.max_block < 2 || per_record.is_nan() || per_record <= 0.0 {
            return Err(Error::invalid("max_block must be at least 2 and pairs_per_record above 0"));
        }
        Ok(())
    }
}
