//! The store in figures, and the versions of what it is made of.

use crate::engine::handle::Cdp;
use crate::error::{Error, Result};
use crate::records::{Object, Timestamp, Value};
use crate::store::{CountedTable, SCHEMA_VERSION, sqlite_version};

impl Cdp {
    /// The store in figures, as an object or (`format: "prometheus"`) as text.
    pub fn stats(&self, format: Option<&str>) -> Result<Value> {
        let wal_bytes = self.store().wal_bytes();
        let stats = self.read(|snapshot| {
            let meta = snapshot.facts.meta()?;
            let at = meta.advanced_to.unwrap_or_default();
            let count =
                |table| snapshot.facts.count(table).map(|n| Value::integer(i64::try_from(n).unwrap_or(i64::MAX)));
            Ok(Object::from([
                ("messages".to_owned(), count(CountedTable::Messages)?),
                ("profiles".to_owned(), Value::count(snapshot.n_people(Timestamp::MAX)?)),
                ("identifiers".to_owned(), count(CountedTable::Nodes)?),
                ("links".to_owned(), count(CountedTable::Links)?),
                ("rejects".to_owned(), count(CountedTable::Rejects)?),
                ("audience_changes".to_owned(), count(CountedTable::Changes)?),
                ("models".to_owned(), count(CountedTable::Models)?),
                ("definitions".to_owned(), Value::count(snapshot.catalog.iter().count())),
                (
                    "file_bytes".to_owned(),
                    Value::integer(i64::try_from(snapshot.facts.file_bytes()?).unwrap_or(i64::MAX)),
                ),
                ("wal_bytes".to_owned(), Value::integer(i64::try_from(wal_bytes).unwrap_or(i64::MAX))),
                ("log_sequence".to_owned(), Value::integer(i64::try_from(meta.log_sequence).unwrap_or(i64::MAX))),
                ("advanced_to".to_owned(), Value::time_or_null(meta.advanced_to.map(|_| at))),
                ("greatest_occurred_at".to_owned(), Value::time_or_null(snapshot.memory.greatest_occurred_at())),
            ]))
        })?;
        match format {
            None | Some("json") => Ok(Value::Object(stats)),
            Some("prometheus") => {
                let lines = stats.iter().filter_map(|(name, value)| {
                    value.as_number().map(|number| format!("# TYPE cdp_{name} gauge\ncdp_{name} {number}\n"))
                });
                Ok(Value::Text(lines.collect()))
            }
            Some(other) => {
                Err(Error::invalid(format!("stats: unknown format `{other}`")).with_hint("formats: json, prometheus"))
            }
        }
    }

    /// The versions of the library, the file schema, the definition format and SQLite.
    pub fn version() -> Value {
        Value::object([
            ("version", Value::from(env!("CARGO_PKG_VERSION"))),
            ("schema_version", Value::integer(SCHEMA_VERSION)),
            ("definition_format", Value::integer(1)),
            ("sqlite_version", Value::from(sqlite_version())),
        ])
    }
}
