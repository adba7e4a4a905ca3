//! A destination: which audience leaves, for which purpose, over which channel, with which columns.

use super::fields::activation::destination;
use super::reader::Fields;

/// A way out for an audience.
#[derive(Clone, Debug, PartialEq)]
pub struct DestinationDefinition {
    /// Its name.
    pub name: String,
    /// The audience whose members leave.
    pub audience: String,
    /// What the data will be used for.
    pub purpose: String,
    /// Over which channel the people will be reached.
    pub channel: Option<String>,
    /// Header -> column, in the order of the headers.
    pub columns: Vec<(String, String)>,
}

impl DestinationDefinition {
    pub(crate) fn read(name: String, fields: &mut Fields<'_>) -> Option<DestinationDefinition> {
        let audience = fields.required(&destination::AUDIENCE, |node| node.text());
        let purpose = fields.required(&destination::PURPOSE, |node| node.text());
        let channel = fields.optional(&destination::CHANNEL, |node| node.text());
        let columns = fields.optional(&destination::COLUMNS, |node| node.entries(|_, column| column.text()));
        Some(DestinationDefinition {
            name,
            audience: audience?,
            purpose: purpose?,
            channel,
            columns: columns.unwrap_or_default(),
        })
    }
}
