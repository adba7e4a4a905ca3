//! Probable linkage in an identity definition: which values of a profile are compared, and from which probability on two
//! profiles are shown for review or linked.
//!
//! It takes the fields of the definition and leaves checked settings. It never holds a weight: those are learned.

use std::collections::BTreeMap;

use super::fields::identity::profile_linkage;
use super::fields::linkage::{blocking, thresholds};
use super::linkage::{BlockingLimits, COLUMN_ROLES, ColumnRole, LinkageDefinition, LinkageThresholds};
use super::reader::{Fields, Node};
use super::schema::Field;
use crate::records::Number;

/// What of a profile is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComparedValue {
    /// A trait by its path: `traits.first_name`, `traits.address.city`.
    Trait(String),
    /// The first identifier of a type.
    Identifier(String),
}

/// How profiles are linked by probability. By default it only suggests.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileLinkage {
    /// What each value says about a person; values that are not named here are recognized by their usual names.
    pub columns: BTreeMap<ComparedValue, ColumnRole>,
    /// How many pairs blocking may propose.
    pub blocking: BlockingLimits,
    /// Probabilities from which on pairs are shown for review or linked.
    pub thresholds: LinkageThresholds,
    /// Whether pairs of the band `auto` are linked when the model is judged green; otherwise they are suggestions.
    pub auto_link: bool,
    /// Whether a profile is compared in the transaction that changes it, from the first run on; by default it is.
    pub live: bool,
}

impl ProfileLinkage {
    /// The linkage definition of rows that have already been read: roles are given with the rows.
    pub fn of_rows(&self) -> LinkageDefinition {
        LinkageDefinition { columns: BTreeMap::new(), blocking: self.blocking, thresholds: self.thresholds }
    }

    /// `is_declared`: whether there is an identifier type of a name.
    pub(super) fn read(node: Node<'_>, is_declared: impl Fn(&str) -> bool) -> Option<ProfileLinkage> {
        let mut fields = node.fields()?;
        let columns = fields.optional(&profile_linkage::COLUMNS, |node| {
            node.entries(|name, role| {
                let compared = match name.strip_prefix("traits.") {
                    Some(path) if !path.is_empty() => Some(ComparedValue::Trait(path.to_owned())),
                    _ if is_declared(name) => Some(ComparedValue::Identifier(name.to_owned())),
                    _ => {
                        role.fault("expected a trait, such as traits.first_name, or a declared identifier type");
                        None
                    }
                };
                compared.zip(role.word(&COLUMN_ROLES))
            })
        });
        let blocking = fields.optional(&profile_linkage::BLOCKING, read_blocking);
        let thresholds = fields.optional(&profile_linkage::THRESHOLDS, read_thresholds);
        let auto_link = fields.optional(&profile_linkage::AUTO_LINK, |node| node.boolean());
        let live = fields.optional(&profile_linkage::LIVE, |node| node.boolean());
        fields.finish();
        Some(ProfileLinkage {
            columns: columns.unwrap_or_default().into_iter().map(|(_, column)| column).collect(),
            blocking: blocking.unwrap_or_default(),
            thresholds: thresholds.unwrap_or_default(),
            auto_link: auto_link.unwrap_or(false),
            live: live.unwrap_or(true),
        })
    }
}

fn read_blocking(node: Node<'_>) -> Option<BlockingLimits> {
    let mut fields = node.fields()?;
    let default = BlockingLimits::default();
    let max_block = fields.optional(&blocking::MAX_BLOCK, |node| node.integer(2, 1_000_000_000));
    let pairs_per_record = fields.optional(&blocking::PAIRS_PER_RECORD, |node| {
        let number = node.number().map(Number::to_f64);
        if number.is_some_and(|number| number <= 0.0) {
            node.fault("expected a number above 0");
        }
        number
    });
    let least_pairs = fields.optional(&blocking::LEAST_PAIRS, |node| node.integer(0, i64::MAX));
    fields.finish();
    Some(BlockingLimits {
        max_block: max_block.and_then(|n| u32::try_from(n).ok()).unwrap_or(default.max_block),
        pairs_per_record: pairs_per_record.unwrap_or(default.pairs_per_record),
        least_pairs: least_pairs.map_or(default.least_pairs, i64::unsigned_abs),
    })
}

fn read_thresholds(node: Node<'_>) -> Option<LinkageThresholds> {
    let mut fields = node.fields()?;
    let default = LinkageThresholds::default();
    let auto = probability(&mut fields, &thresholds::AUTO, default.auto);
    let review = probability(&mut fields, &thresholds::REVIEW, default.review);
    let cluster = probability(&mut fields, &thresholds::CLUSTER, default.cluster);
    // Without a threshold of its own, keeping begins no later than showing.
    let keep = probability(&mut fields, &thresholds::KEEP, default.keep.min(review));
    fields.finish();
    if !(keep <= review && review <= auto) {
        node.fault("expected keep <= review <= auto");
    }
    Some(LinkageThresholds { auto, review, cluster, keep })
}

fn probability(fields: &mut Fields<'_>, field: &'static Field, default: f64) -> f64 {
    let read = fields.optional(field, |node| {
        let number = node.number().map(Number::to_f64).filter(|number| 0.0 < *number && *number < 1.0);
        if number.is_none() {
            node.fault("expected a probability between 0 and 1, both excluded");
        }
        number
    });
    read.unwrap_or(default)
}
