//! What the store has seen: event names, identifier types and traits.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::handle::Cdp;
use crate::error::Result;
use crate::records::answer::answer;
use crate::store::Gathered;

answer! {
    /// The names that the store has seen.
    pub struct StoreSchema {
        /// The number of events by name.
        events: BTreeMap<String, u64>,
        /// The number of identifiers by type.
        identifiers: BTreeMap<String, u64>,
        /// The names of traits.
        traits: Vec<String>,
    }
}

impl Cdp {
    /// What the store has seen: event names and identifier types with their numbers of messages and values.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.track(Track::new("Visited").user_id("u1"))?;
    /// assert_eq!(db.schema()?.events["Visited"], 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn schema(&self) -> Result<StoreSchema> {
        self.read(|snapshot| {
            let mut events = BTreeMap::<String, u64>::new();
            let mut traits = BTreeSet::new();
            let mut identifiers = BTreeMap::<String, u64>::new();
            for node in 0..snapshot.memory.n_nodes() {
                *identifiers.entry(snapshot.memory.node(node).0.to_owned()).or_default() += 1;
                let mut gathered = Gathered::default();
                snapshot.memory.gather(snapshot.facts, node, &mut gathered)?;
                for event in &gathered.timeline {
                    *events.entry(snapshot.memory.name(event.event).to_owned()).or_default() += 1;
                }
                for (_, facts) in snapshot.memory.annexes(&gathered)? {
                    traits.extend(facts.traits.iter().map(|write| write.name.to_string()));
                }
            }
            Ok(StoreSchema { events, identifiers, traits: traits.into_iter().collect() })
        })
    }
}
