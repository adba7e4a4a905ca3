//! Who is in an audience, who would be, and why a person is or is not.

use crate::audiences::is_member;
use crate::definitions::Rule;
use crate::engine::handle::Cdp;
use crate::engine::people::find::Filter;
use crate::engine::people::query::Query;
use crate::engine::people::table::people_table;
use crate::engine::read::Length;
use crate::error::Result;
use crate::records::{AsOf, Frame, Number, Object, Value};
use crate::rules;
use crate::rules::explain;

impl Cdp {
    /// The members of an audience at an instant (default: now), in the order in which they were first seen.
    ///
    /// `about` tells how many members are `known` and `anonymous`. No `limit` means all rows.
    pub fn members(&self, audience: &str, query: &Query) -> Result<Frame> {
        self.read_as_of(Length::Long, query.as_of, |snapshot| {
            let filter = Filter::Members(snapshot.catalog.audience(audience)?);
            people_table(snapshot, filter, query, self.instant(query.as_of.unwrap_or_default()), None)
        })
    }

    /// Who would be in an audience with this rule: `{matched, known, anonymous, total, share, sample}`; nothing is stored.
    pub fn preview(&self, rule: &Value, as_of: Option<AsOf>) -> Result<Value> {
        let parsed = Rule::from_value(rule)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read_with_columns(as_of, &rules::property_paths(&parsed), |snapshot| {
            rules::check_rule(&parsed, snapshot.catalog)?;
            let total = snapshot.n_people(at)?;
            let query = Query { limit: Some(10), ..Query::default() };
            let frame = people_table(snapshot, Filter::Matching(&parsed), &query, at, None)?;
            let sample = (0..frame.n_rows()).map(|row| Value::Object(frame.row(row))).collect();
            let count = |name: &str| frame.about.get(name).and_then(Value::as_number).and_then(Number::as_i64);
            let (known, anonymous) = (count("known").unwrap_or(0), count("anonymous").unwrap_or(0));
            let matched = known + anonymous;
            Ok(Value::object([
                ("matched", Value::integer(matched)),
                ("known", Value::integer(known)),
                ("anonymous", Value::integer(anonymous)),
                ("total", Value::count(total)),
                ("share", if total == 0 { Value::Null } else { Value::float(matched as f64 / total as f64) }),
                ("sample", Value::List(sample)),
            ]))
        })
    }

    /// Why a person is in an audience or not: the rule as a tree, each node with `matched` and what was found.
    pub fn explain_member(&self, audience: &str, identifier: &Value, as_of: Option<AsOf>) -> Result<Option<Value>> {
        let identifier = crate::records::Identifier::from_value(identifier)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read_person(&identifier, as_of, at, |snapshot, person| {
            let definition = snapshot.catalog.audience(audience)?;
            let Some(person) = person else { return Ok(None) };
            let mut explained = Object::from([
                ("audience".to_owned(), Value::from(audience)),
                ("member".to_owned(), Value::Bool(is_member(definition, &person, at)?)),
                ("known".to_owned(), Value::Bool(person.is_known(at))),
                ("as_of".to_owned(), Value::Text(at.to_string())),
            ]);
            explained.insert("rule".to_owned(), explain(&definition.rule, &person, at)?);
            Ok(Some(Value::Object(explained)))
        })
    }
}
