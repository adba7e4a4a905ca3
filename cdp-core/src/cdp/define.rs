//! Definitions in, one transaction, free in order; equal is unchanged, other is a new version with its backfill.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Cdp;
use super::snapshot::Snapshot;
use super::state::State;
use super::write::Writing;
use crate::definitions::{Catalog, Definition, Kind, describe_preset, parse_definitions};
use crate::error::{Error, ErrorKind, Result};
use crate::identity;
use crate::intake;
use crate::records::{Object, Timestamp, Value};
use crate::rules;
use crate::store::{Gathered, StoredDefinition};

/// What became of one definition.
#[derive(Clone, Debug, PartialEq)]
pub struct DefineResult {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The version that holds now.
    pub version: u32,
    /// `created`, `updated` or `unchanged`.
    pub status: &'static str,
    /// What a person should know although the definition holds.
    pub warnings: Vec<String>,
    /// In a dry run of an identity definition: what it would make of the people there are.
    pub people: Option<PeopleChange>,
}

/// What another identity definition makes of the people there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PeopleChange {
    /// How many profiles there are.
    pub profiles_before: u64,
    /// How many there would be.
    pub profiles_after: u64,
    /// How many of the profiles to come consist of several of today's, or of parts of them.
    pub joined: u64,
    /// How many of today's profiles would be several.
    pub split: u64,
}

impl DefineResult {
    /// `{kind, name, version, status, warnings}`, and `people` if it is known.
    pub fn to_value(&self) -> Value {
        let people = self.people.map(|people| {
            let count = |n: u64| Value::integer(i64::try_from(n).unwrap_or(i64::MAX));
            let people = Value::object([
                ("profiles_before", count(people.profiles_before)),
                ("profiles_after", count(people.profiles_after)),
                ("joined", count(people.joined)),
                ("split", count(people.split)),
            ]);
            ("people".to_owned(), people)
        });
        let mut object = Object::from([
            ("kind".to_owned(), Value::from(self.kind.as_str())),
            ("name".to_owned(), Value::from(self.name.as_str())),
            ("version".to_owned(), Value::integer(self.version)),
            ("status".to_owned(), Value::from(self.status)),
            (
                "warnings".to_owned(),
                Value::List(self.warnings.iter().map(|warning| Value::from(warning.as_str())).collect()),
            ),
        ]);
        object.extend(people);
        Value::Object(object)
    }
}

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
                identity.people =
                    Some(self.try_out(&self.interruptible(), |writing| writing.people_after(definitions))?);
            }
            return Ok(results);
        }
        self.write_until(&self.interruptible(), |writing| writing.define(definitions))
    }

    /// The same with definitions from a `.json` file (one definition or a list), or from every such file of a folder.
    ///
    /// Fails with `not_found` if there is no such file, and with `invalid` if one is not JSON.
    pub fn define_path(&self, path: impl AsRef<Path>, dry_run: bool) -> Result<Vec<DefineResult>> {
        let path = path.as_ref();
        let mut files = Vec::new();
        find_json(path, &mut files)?;
        if files.is_empty() {
            return Err(Error::not_found(format!("no .json file in the folder {}", path.display())));
        }
        files.sort();
        let mut definitions = Vec::new();
        for file in files {
            crate::store::refuse_input(&file)?;
            match Value::parse(&std::fs::read(&file).map_err(|error| unreadable(&file, &error))?) {
                Ok(Value::List(list)) => definitions.extend(list),
                Ok(one) => definitions.push(one),
                Err(fault) => return Err(Error::invalid(format!("{}: {fault}", file.display()))),
            }
        }
        self.define(&definitions, dry_run)
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
        self.write_until(&self.interruptible(), |writing| writing.drop_definition(kind, name))
    }

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

/// Gathers a file as it is, or the `.json` files of a folder and the folders in it.
fn find_json(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
        let entry = entry.map_err(|error| unreadable(path, &error))?.path();
        if entry.is_dir() || entry.extension().is_some_and(|extension| extension == "json") {
            find_json(&entry, files)?;
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Io,
    };
    Error::new(kind, format!("the definitions {} cannot be read: {}", path.display(), error.kind()))
        .with_hint("give a .json file or a folder of them")
}

/// The results of a define, and the catalog that would hold.
fn plan(catalog: &Catalog, definitions: &[Definition]) -> Result<(Vec<DefineResult>, Catalog)> {
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

impl Writing<'_> {
    /// What these definitions would make of the people there are.
    fn people_after(&mut self, definitions: Vec<Definition>) -> Result<PeopleChange> {
        self.define(definitions)?;
        let after = State::rebuild(self.facts, self.state.memory.options(), false)?;
        let (before, after) = (Snapshot::of_state(self.facts, self.state), Snapshot::of_state(self.facts, &after));
        let profile_of = |snapshot: &Snapshot<'_>| -> Result<BTreeMap<u32, u32>> {
            let people = snapshot.people(Timestamp::MAX)?;
            let numbered = (0u32..).zip(&people);
            Ok(numbered
                .flat_map(|(number, person)| person.absorbed().map(move |node| (node, number)).collect::<Vec<_>>())
                .collect())
        };
        let (before_of, after_of) = (profile_of(&before)?, profile_of(&after)?);
        let several = |from: &BTreeMap<u32, u32>, to: &BTreeMap<u32, u32>| {
            let mut parts: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
            for (node, number) in from {
                parts.entry(*number).or_default().extend(to.get(node));
            }
            parts.values().filter(|parts| parts.len() > 1).count() as u64
        };
        let n_profiles = |of: &BTreeMap<u32, u32>| of.values().collect::<BTreeSet<&u32>>().len() as u64;
        Ok(PeopleChange {
            profiles_before: n_profiles(&before_of),
            profiles_after: n_profiles(&after_of),
            joined: several(&after_of, &before_of),
            split: several(&before_of, &after_of),
        })
    }

    fn define(&mut self, definitions: Vec<Definition>) -> Result<Vec<DefineResult>> {
        let (mut results, _) = plan(&self.catalog, &definitions)?;
        let mut catalog = (*self.catalog).clone();
        let latest = self.facts.latest_definitions()?;
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
            self.facts.put_definition(&stored, self.meta.recorded_at)?;
            catalog.insert(result.version, Arc::new(definition));
        }
        if results.iter().all(|result| result.status == "unchanged") {
            return Ok(results);
        }
        self.apply_catalog(catalog)?;
        Ok(results)
    }

    fn drop_definition(&mut self, kind: Kind, name: &str) -> Result<()> {
        let mut catalog = (*self.catalog).clone();
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
        self.facts.put_definition(&stored, self.meta.recorded_at)?;
        if kind == Kind::Audience {
            self.drop_audience(name)?;
        }
        self.apply_catalog(catalog)
    }

    /// Makes another catalog hold: re-derives what depends on the definitions that changed.
    fn apply_catalog(&mut self, catalog: Catalog) -> Result<()> {
        let identity_changed = catalog.identity() != self.catalog.identity();
        self.meta.definitions += 1;
        self.catalog = Arc::new(catalog);
        if identity_changed {
            // Records were read, and stand under nodes, as the definition before had it: the next run makes them anew.
            self.facts.clear_linkage_live()?;
            self.live = None;
            self.resolve_types();
            self.rederive_identity()?;
        }
        self.reload_at_the_end(identity_changed);
        Ok(())
    }

    /// Derives every message's node and links again, under the identity definition that holds now.
    fn rederive_identity(&mut self) -> Result<()> {
        self.facts.clear_evidence()?;
        let catalog = self.catalog.clone();
        let (facts, last) = (self.facts, self.meta.log_sequence);
        self.meta.links_to = last;
        facts.visit_messages(0, last, |row| {
            let stored = row.read(&self.memory.view(&self.state.memory))?;
            let Ok(read) = intake::read_message(stored.fields.to_object(), usize::MAX) else { return Ok(()) };
            // A message that the new definition gives no identifier stays where it was.
            let Ok(identified) = identity::identify(catalog.identity(), &read.message) else { return Ok(()) };
            self.relink(&stored, &identified)
        })
    }

    fn relink(&mut self, stored: &crate::store::StoredMessage, identified: &identity::Identified<'_>) -> Result<()> {
        let evidence = self.evidence_of(stored.sequence, stored.occurred_at, identified, &stored.fields)?;
        for link in &evidence.links {
            self.log()?.put_link(link)?;
        }
        let node = evidence.node;
        if node != stored.node {
            self.facts.set_message_node(stored.sequence, node)?;
        }
        Ok(())
    }
}
