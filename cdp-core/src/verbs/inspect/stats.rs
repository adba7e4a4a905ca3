//! The store in figures, and the versions of what it is made of.

use crate::engine::handle::Cdp;
use crate::error::Result;
use crate::records::answer::answer;
use crate::records::{Timestamp, Value};
use crate::store::{CountedTable, SCHEMA_VERSION, sqlite_version};

answer! {
    /// The store in figures.
    pub struct Stats {
        /// Accepted messages.
        messages: u64,
        /// Profiles.
        profiles: usize,
        /// Identifiers.
        identifiers: u64,
        /// Links between identifiers.
        links: u64,
        /// Rows in quarantine.
        rejects: u64,
        /// Recorded changes of audiences.
        audience_changes: u64,
        /// Trained models.
        models: u64,
        /// Definitions that hold.
        definitions: usize,
        /// The size of the file in bytes.
        file_bytes: u64,
        /// The size of the write-ahead log in bytes.
        wal_bytes: u64,
        /// The sequence of the last message.
        log_sequence: u64,
        /// The instant up to which audience changes are recorded.
        advanced_to: Option<Timestamp>,
        /// The latest event time of the store.
        greatest_occurred_at: Option<Timestamp>,
    }
}

impl Stats {
    /// The figures in the text format of Prometheus, one gauge each.
    pub fn to_prometheus(&self) -> String {
        let fields = Value::from(self.clone()).into_object().unwrap_or_default();
        let lines = fields.iter().filter_map(|(name, value)| {
            value.as_number().map(|number| format!("# TYPE cdp_{name} gauge\ncdp_{name} {number}\n"))
        });
        lines.collect()
    }
}

answer! {
    /// The versions of a library and of what it is made of.
    pub struct Versions {
        /// The version of this library.
        version: &'static str,
        /// The version of the file schema.
        schema_version: i64,
        /// The version of the format of definitions.
        definition_format: u32,
        /// The version of SQLite.
        sqlite_version: &'static str,
    }
}

impl Cdp {
    /// The store in figures. Costs a few counts; it reads no message.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.track(Track::new("Visited").user_id("u1"))?;
    /// assert_eq!(db.stats()?.messages, 1);
    /// assert!(db.stats()?.to_prometheus().contains("cdp_messages 1"));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn stats(&self) -> Result<Stats> {
        let wal_bytes = self.store().wal_bytes();
        self.read(|snapshot| {
            let meta = snapshot.facts.meta()?;
            let count = |table| snapshot.facts.count(table);
            Ok(Stats {
                messages: count(CountedTable::Messages)?,
                profiles: snapshot.n_people(Timestamp::MAX)?,
                identifiers: count(CountedTable::Nodes)?,
                links: count(CountedTable::Links)?,
                rejects: count(CountedTable::Rejects)?,
                audience_changes: count(CountedTable::Changes)?,
                models: count(CountedTable::Models)?,
                definitions: snapshot.catalog.iter().count(),
                file_bytes: snapshot.facts.file_bytes()?,
                wal_bytes,
                log_sequence: meta.log_sequence,
                advanced_to: meta.advanced_to,
                greatest_occurred_at: snapshot.memory.greatest_occurred_at(),
            })
        })
    }

    /// The versions of the library, the file schema, the definition format and SQLite.
    ///
    /// ```
    /// assert_eq!(cdp_core::Cdp::version().definition_format, 1);
    /// ```
    pub fn version() -> Versions {
        Versions {
            version: env!("CARGO_PKG_VERSION"),
            schema_version: SCHEMA_VERSION,
            definition_format: 1,
            sqlite_version: sqlite_version(),
        }
    }
}
