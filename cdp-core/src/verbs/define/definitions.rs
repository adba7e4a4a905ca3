//! Definitions in, one transaction, free in order; equal is unchanged, other is a new version with its backfill.

use crate::definitions::builders::IntoDefinitions;
use crate::definitions::{Kind, describe_preset, parse_definitions};
use crate::engine::handle::Cdp;
use crate::error::{Error, Result};
use crate::records::Value;
use crate::verbs::define::people_after::people_after;
use crate::verbs::define::plan::{DefineResult, plan, put_definitions, take_out_definition};

impl Cdp {
    /// Stores definitions in one transaction, all of them or none. They may refer to each other in any order.
    ///
    /// Takes builders, JSON values, JSON text, and lists or tuples of them. An equal definition is `unchanged`, another one
    /// is a new version; what follows from it is derived before the call returns, so that its cost grows with the store.
    ///
    /// # Errors
    /// `invalid` with every fault of every definition at once, each with its JSON pointer.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, define::{Audience, Feature, Rule}};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let results = db.define((
    ///     Feature::sum("total_spend", "Order Completed", "revenue").default(0),
    ///     Audience::new("vip", Rule::feature("total_spend").gte(1000)),
    /// ))?;
    /// assert_eq!(results[1].status, "created");
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn define(&self, definitions: impl IntoDefinitions) -> Result<Vec<DefineResult>> {
        let definitions = parse_definitions(&definitions.into_definitions()?)?;
        self.write_until(&self.interruptible(), |tx| put_definitions(tx, definitions))
    }

    /// The results that [`Cdp::define`] would give; nothing is stored.
    ///
    /// For an identity definition they show its effect on the profiles, which costs a pass over the log under the write lock.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, define::Feature};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// let results = db.define_dry_run(Feature::count("orders", "Order Completed"))?;
    /// assert_eq!(results[0].status, "created");
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn define_dry_run(&self, definitions: impl IntoDefinitions) -> Result<Vec<DefineResult>> {
        let definitions = parse_definitions(&definitions.into_definitions()?)?;
        let mut results = self.read(|snapshot| plan(snapshot.catalog, &definitions).map(|(results, _)| results))?;
        let identity = results.iter_mut().find(|result| result.kind == Kind::Identity && result.status != "unchanged");
        if let Some(identity) = identity {
            identity.people = Some(self.try_out(&self.interruptible(), |tx| people_after(tx, definitions))?);
        }
        Ok(results)
    }

    /// Every definition that holds: the JSON as it was given, with its `version`.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, define::Feature};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(Feature::count("orders", "Order Completed"))?;
    /// assert!(db.definitions()?.iter().any(|definition| definition.get("name") == Some(&"orders".into())));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn definitions(&self) -> Result<Vec<Value>> {
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
            Ok(listed)
        })
    }

    /// Takes a definition out, unless another refers to it. Facts stay.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, define::Feature};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(Feature::count("orders", "Order Completed"))?;
    /// db.drop_definition("feature", "orders")?;
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn drop_definition(&self, kind: &str, name: &str) -> Result<()> {
        let kind = Kind::parse(kind).ok_or_else(|| {
            let kinds: Vec<&str> = Kind::ALL.iter().map(|(word, _)| *word).collect();
            Error::invalid(format!("unknown kind of definition `{kind}`"))
                .with_hint(format!("kinds: {}", kinds.join(", ")))
        })?;
        self.write_until(&self.interruptible(), |tx| take_out_definition(tx, kind, name))
    }
}
