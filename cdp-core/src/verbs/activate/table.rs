//! The store as tables for other engines: the verb `table`.

use crate::definitions::{Rule, near_or_all};
use crate::engine::handle::Cdp;
use crate::engine::tables::events::events_table;
use crate::engine::tables::links::{link_decisions_table, links_table};
use crate::engine::tables::people::table_of_people;
use crate::engine::tables::rejects::rejects_table;
use crate::error::{Error, Result};
use crate::records::options::options;
use crate::records::{AsOf, Frame, Value};
use crate::rules;

/// The tables there are.
const TABLES: [&str; 12] = [
    "events",
    "profiles",
    "identifiers",
    "traits",
    "features",
    "memberships",
    "cohort_scores",
    "consents",
    "accounts",
    "links",
    "link_decisions",
    "rejects",
];

options! {
    /// Which part of a table is read.
    pub struct TableQuery {
        /// The columns; all without it.
        columns: list,
        /// A rule that the people of the rows must match.
        filter: optional Value,
        /// The instant asked about; now without it.
        as_of: optional AsOf,
        /// The largest number of rows; all without it.
        limit: optional usize,
    }
}

impl Cdp {
    /// The names of the tables.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// assert!(db.tables().contains(&"events"));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn tables(&self) -> Vec<&'static str> {
        TABLES.to_vec()
    }

    /// A table as a frame: all rows, or the rows of the people that match a rule, as of an instant (default: now).
    ///
    /// `events` has every message: `source, message_id, type, event, profile_id, occurred_at, recorded_at, seq` and
    /// `properties, traits, context` as JSON text. `links` has the earliest evidence of each pair of identifiers with its
    /// `status` (`live`, `refused`, `unlinked`) and the `reason` of a refusal, `link_decisions` what operators decided;
    /// both as they stand now, and without a rule.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::TableQuery, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.track(Track::new("Visited").user_id("u1"))?;
    /// let events = db.table("events", &TableQuery::new().columns(["event", "occurred_at"]))?;
    /// assert_eq!(events.n_rows(), 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn table(&self, name: &str, query: &TableQuery) -> Result<Frame> {
        let TableQuery { columns, filter, as_of, limit } = query;
        let (columns, as_of, limit) = (columns.as_deref(), *as_of, *limit);
        if !TABLES.contains(&name) {
            let hint = near_or_all(name, "tables", &TABLES);
            return Err(Error::not_found(format!("there is no table `{name}`")).with_hint(hint));
        }
        let rule = filter.as_ref().map(Rule::from_value).transpose()?;
        let paths = rule.as_ref().map(rules::property_paths).unwrap_or_default();
        let at = self.instant(as_of.unwrap_or_default());
        let whole = match name {
            "rejects" => Some(self.read(|snapshot| rejects_table(snapshot, None, None, None, None))?),
            "links" => Some(self.read_at_length(links_table)?),
            "link_decisions" => Some(self.read_at_length(link_decisions_table)?),
            _ => None,
        };
        if let Some(whole) = whole {
            if rule.is_some() {
                return Err(Error::invalid(format!("the table `{name}` takes no `where`"))
                    .with_hint("leave `where` out: its rows are not people"));
            }
            return select(whole, columns, limit);
        }
        let frame = self.read_with_columns(as_of, &paths, |snapshot| match name {
            "events" => events_table(snapshot, rule.as_ref(), at),
            _ => table_of_people(self, snapshot, name, rule.as_ref(), at),
        })?;
        select(frame, columns, limit)
    }
}

/// The wanted columns and rows of a frame.
fn select(frame: Frame, columns: Option<&[String]>, limit: Option<usize>) -> Result<Frame> {
    let mut selected = match columns {
        None => frame,
        Some(names) => {
            let mut selected = Frame { columns: Vec::new(), ..frame.clone() };
            for name in names {
                let Some(column) = frame.columns.iter().find(|column| column.name == *name) else {
                    let known: Vec<&str> = frame.columns.iter().map(|column| column.name.as_str()).collect();
                    let hint = near_or_all(name, "columns", &known);
                    return Err(Error::invalid(format!("unknown column `{name}`")).with_hint(hint));
                };
                selected.columns.push(column.clone());
            }
            selected
        }
    };
    if let Some(limit) = limit {
        for column in &mut selected.columns {
            column.cells.truncate(limit);
        }
    }
    Ok(selected)
}
