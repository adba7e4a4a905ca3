//! Definitions in, one transaction, free in order; equal is unchanged, other is a new version with its backfill.

use crate::definitions::{Kind, describe_preset, parse_definitions};
use crate::engine::handle::Cdp;
use crate::error::{Error, Result};
use crate::records::Value;
use crate::verbs::define::people_after::people_after;
use crate::verbs::define::plan::{DefineResult, plan, put_definitions, take_out_definition};

impl Cdp {
    /// Makes definitions hold, all or none. They may refer to each other in any order. With `dry_run` nothing changes
    /// and the result shows what would; for an identity definition that costs a pass over the log under the write lock.
    ///
    /// Every fault of every definition is reported at once, each with its JSON pointer.
    pub fn define(&self, definitions: &[Value], dry_run: bool) -> Result<Vec<DefineResult>> {
        let definitions = parse_definitions(definitions)?;
        if dry_run {
            let mut results = self.read(|snapshot| plan(snapshot.catalog, &definitions).map(|(results, _)| results))?;
            let identity =
                results.iter_mut().find(|result| result.kind == Kind::Identity && result.status != "unchanged");
            if let Some(identity) = identity {
                identity.people = Some(self.try_out(&self.interruptible(), |tx| people_after(tx, definitions))?);
            }
            return Ok(results);
        }
        self.write_until(&self.interruptible(), |tx| put_definitions(tx, definitions))
    }

    /// Every definition that holds: the JSON as it was given, with its `version`.
    pub fn definitions(&self) -> Result<Value> {
        self.read(|snapshot| {
            let mut listed: Vec<Value> = snapshot
                .catalog
                .iter()
                .map(|held| {
                    let mut object = crate::definitions::describe(&held.definition);
                    object.insert("version".to_owned(), Value::integer(held.version));
                    Value::Object(object)
                })
                .collect();
            if !snapshot.catalog.iter().any(|held| held.definition.kind() == Kind::Identity) {
                listed.insert(0, Value::Object(describe_preset()));
            }
            Ok(Value::List(listed))
        })
    }

    /// Takes a definition out, unless another refers to it. Facts stay.
    pub fn drop_definition(&self, kind: &str, name: &str) -> Result<()> {
        let kind = Kind::parse(kind).ok_or_else(|| {
            let kinds: Vec<&str> = Kind::ALL.iter().map(|(word, _)| *word).collect();
            Error::invalid(format!("unknown kind of definition `{kind}`"))
                .with_hint(format!("kinds: {}", kinds.join(", ")))
        })?;
        self.write_until(&self.interruptible(), |tx| take_out_definition(tx, kind, name))
    }
}
