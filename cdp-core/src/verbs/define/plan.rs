//! What a call of `define` would make hold: each definition with its next version, checked against all others, and written in
//! one transaction.

use std::sync::Arc;

use crate::definitions::{Catalog, Definition, Kind};
use crate::engine::transaction::Transaction;
use crate::error::{Error, ErrorKind, Result};

use crate::records::answer::answer;
use crate::rules;
use crate::store::StoredDefinition;
use crate::verbs::define::rederive::apply_catalog;

answer! {
    /// What became of one definition.
    pub struct DefineResult {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// The version that holds now.
        version: u32,
        /// `created`, `updated` or `unchanged`.
        status: &'static str,
        /// Remarks about a definition that holds.
        warnings: Vec<String>,
        /// In a dry run of an identity definition: its effect on the profiles of the store.
        people: Option<PeopleChange>,
    }
}

answer! {
    /// The effect of another identity definition on the profiles of the store.
    #[derive(Copy, Eq, Default)]
    pub struct PeopleChange {
        /// The number of profiles now.
        profiles_before: u64,
        /// The number of profiles under the new definition.
        profiles_after: u64,
        /// How many of the new profiles consist of several of the present ones, or of parts of them.
        joined: u64,
        /// How many of the present profiles would be several.
        split: u64,
    }
}

/// The results of a define, and the catalog that would hold.
pub(crate) fn plan(catalog: &Catalog, definitions: &[Definition]) -> Result<(Vec<DefineResult>, Catalog)> {
    let mut planned = catalog.clone();
    let mut results = Vec::with_capacity(definitions.len());
    for definition in definitions {
        let kind = definition.kind();
        only_one(&planned, definition)?;
        let held = planned.get(kind, &definition.name);
        let (version, status) = match held {
            Some(held) if held.definition.json == definition.json => (held.version, "unchanged"),
            Some(held) => (held.version + 1, "updated"),
            None => (1, "created"),
        };
        planned.insert(version, Arc::new(definition.clone()));
        results.push(DefineResult {
            kind,
            name: definition.name.clone(),
            version,
            status,
            warnings: Vec::new(),
            people: None,
        });
    }
    let faults = rules::check(&planned);
    if let Some((kind, name, _)) = faults.first() {
        let what = format!("the {} `{name}`", kind.as_str());
        return Err(Error::from_faults(&what, faults.into_iter().map(|(_, _, fault)| fault).collect()));
    }
    Ok((results, planned))
}

/// There is one identity definition and one consent policy at a time.
fn only_one(catalog: &Catalog, definition: &Definition) -> Result<()> {
    let kind = definition.kind();
    if !matches!(kind, Kind::Identity | Kind::ConsentPolicy) {
        return Ok(());
    }
    let other = catalog.iter().find(|held| held.definition.kind() == kind && held.definition.name != definition.name);
    match other {
        Some(other) => Err(Error::invalid(format!(
            "there is a {} `{}` already, and only one may hold",
            kind.as_str(),
            other.definition.name
        ))
        .with_hint(format!("give it the name `{}` to replace it, or drop that one first", other.definition.name))),
        None => Ok(()),
    }
}

pub(super) fn put_definitions(tx: &mut Transaction<'_>, definitions: Vec<Definition>) -> Result<Vec<DefineResult>> {
    let (mut results, _) = plan(&tx.changes.catalog, &definitions)?;
    let mut catalog = (*tx.changes.catalog).clone();
    let latest = tx.facts.latest_definitions()?;
    for (definition, result) in definitions.into_iter().zip(&mut results) {
        if result.status == "unchanged" {
            continue;
        }
        let kind = definition.kind().as_str();
        // Versions go on counting after a drop.
        let before = latest.iter().find(|stored| stored.kind == kind && stored.name == definition.name);
        result.version = before.map_or(0, |stored| stored.version) + 1;
        let stored = StoredDefinition {
            kind: kind.to_owned(),
            name: definition.name.clone(),
            version: result.version,
            json: Some(definition.to_json()),
        };
        tx.facts.put_definition(&stored, tx.meta.recorded_at)?;
        catalog.insert(result.version, Arc::new(definition));
    }
    if results.iter().all(|result| result.status == "unchanged") {
        return Ok(results);
    }
    apply_catalog(tx, catalog)?;
    Ok(results)
}

pub(super) fn take_out_definition(tx: &mut Transaction<'_>, kind: Kind, name: &str) -> Result<()> {
    let mut catalog = (*tx.changes.catalog).clone();
    let Some(held) = catalog.remove(kind, name) else {
        return Err(Error::not_found(format!("no {} named `{name}` is defined", kind.as_str())));
    };
    if let Some((of_kind, of_name, fault)) = rules::check(&catalog).into_iter().next() {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("the {} `{of_name}` refers to it: {}", of_kind.as_str(), fault.message),
        )
        .with_hint("drop or change that one first"));
    }
    let stored = StoredDefinition {
        kind: kind.as_str().to_owned(),
        name: name.to_owned(),
        version: held.version + 1,
        json: None,
    };
    tx.facts.put_definition(&stored, tx.meta.recorded_at)?;
    if kind == Kind::Audience {
        tx.drop_audience(name)?;
    }
    apply_catalog(tx, catalog)
}
