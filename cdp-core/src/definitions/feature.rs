//! The feature definition: a value computed from a profile's events.
//!
//! It takes the JSON of a feature and leaves a [`Measure`](super::Measure) with a default and a life time. It never
//! computes: that is the module `rules`.

use super::fields::behavior::{any_event, feature};
use super::reader::Fields;
use super::rule::{EventSelection, Measure};
use super::window::FeatureWindow;
use crate::records::{Duration, Value};

/// A value computed from a profile's events.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureDefinition {
    /// Its name.
    pub name: String,
    /// Which events, in which window, and how they become a value.
    pub measure: Measure,
    /// The value when no event contributes.
    pub default: Option<Value>,
    /// How long after the latest event that contributed the value holds; then it is the default again.
    pub ttl: Option<Duration>,
}

impl FeatureDefinition {
    pub(crate) fn read(name: String, fields: &mut Fields<'_>) -> Option<FeatureDefinition> {
        let selection = EventSelection::read(fields, &any_event::EVENT);
        let window = FeatureWindow::read(fields);
        let aggregate = Measure::read_aggregate(fields);
        let default = fields.optional(&feature::DEFAULT, |node| Some(node.value.clone()));
        let limited = fields.has("ttl");
        let ttl = fields.optional(&feature::TTL, |node| node.duration());
        let ((aggregate, property), selection, window) = (aggregate?, selection?, window?);
        if limited && ttl.is_none() {
            return None;
        }
        Some(FeatureDefinition { name, measure: Measure { selection, window, aggregate, property }, default, ttl })
    }
}
