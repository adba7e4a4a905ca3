//! Features: of one person, or as a table of all people.

use crate::definitions::Rule;
use crate::engine::handle::Cdp;
use crate::engine::people::query::Query;
use crate::engine::people::table::{matching, paths_of, people_table};
use crate::engine::people::values::feature_values;
use crate::error::Result;
use crate::records::{AsOf, Frame, Identifier, Value};

impl Cdp {
    /// The features of one person: all, or the named ones.
    pub fn features(&self, identifier: &Value, names: Option<&[String]>, as_of: Option<AsOf>) -> Result<Option<Value>> {
        let identifier = Identifier::from_value(identifier)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read_person(&identifier, as_of, at, |_, person| {
            let Some(person) = person else { return Ok(None) };
            Ok(Some(Value::Object(feature_values(&person, names, at)?)))
        })
    }
}

impl Cdp {
    /// One row for each person with the named features, or all.
    pub fn feature_table(&self, names: Option<&[String]>, as_of: Option<AsOf>, filter: Option<Value>) -> Result<Frame> {
        let rule = filter.as_ref().map(Rule::from_value).transpose()?;
        self.read_with_columns(as_of, &paths_of(rule.as_ref()), |snapshot| {
            let columns = match names {
                Some(names) => names.iter().map(|name| format!("features.{name}")).collect(),
                None => snapshot.catalog.features().map(|feature| format!("features.{}", feature.name)).collect(),
            };
            let query = Query { columns: Some(columns), as_of, ..Query::default() };
            people_table(snapshot, matching(rule.as_ref()), &query, self.instant(query.as_of.unwrap_or_default()), None)
        })
    }
}
