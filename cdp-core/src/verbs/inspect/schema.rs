//! What the store has seen: event names, identifier types and traits.

use std::collections::BTreeSet;

use crate::engine::handle::Cdp;
use crate::error::Result;
use crate::records::{Object, Value};
use crate::store::Gathered;

impl Cdp {
    /// What the store has seen: event names and identifier types with their numbers of messages and values.
    pub fn schema(&self) -> Result<Value> {
        self.read(|snapshot| {
            let mut events = std::collections::BTreeMap::<String, i64>::new();
            let mut traits = BTreeSet::new();
            let mut identifiers = std::collections::BTreeMap::<String, i64>::new();
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
            let counted = |counts: std::collections::BTreeMap<String, i64>| {
                Value::Object(counts.into_iter().map(|(name, n)| (name, Value::integer(n))).collect())
            };
            Ok(Value::Object(Object::from([
                ("events".to_owned(), counted(events)),
                ("identifiers".to_owned(), counted(identifiers)),
                ("traits".to_owned(), Value::List(traits.into_iter().map(Value::from).collect())),
            ])))
        })
    }
}
