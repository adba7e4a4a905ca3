//! What a run of linkage leaves so that single profiles are compared as they come: a model at work, and how profiles become the
//! records that it was trained on. Read from the file with the state; the model itself only when the first profile asks.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::definitions::{Catalog, ColumnRole, ComparedValue, ProfileLinkage};
use crate::error::{Error, ErrorKind, Result};
use crate::linkage::profiles::{Column, ComparedProfile, FoundRoles, Roles, compared_name};
use crate::linkage::{LinkageModel, Reading, RecordBytes, Resolver, Verdict};
use crate::records::Value;
use crate::store::{Facts, StoredLive};

/// How single profiles are compared.
pub(crate) struct LiveLinkage {
    stored: StoredLive,
    columns: Vec<Column>,
    reading: Reading,
    verdict: Verdict,
    resolver: OnceLock<Resolver>,
    found_roles: Mutex<FoundRoles>,
}

// Input with ever new names of traits must not fill the memory.
const MOST_ROLES: usize = 10_000;

impl LiveLinkage {
    /// As the file has it; `known` if that is the same. `None` where the definition or a run that is yet to come says so.
    pub(crate) fn load(
        facts: Facts<'_>,
        catalog: &Catalog,
        known: Option<Arc<LiveLinkage>>,
    ) -> Result<Option<Arc<LiveLinkage>>> {
        if !catalog.identity().linkage.as_ref().is_some_and(|linkage| linkage.live) {
            return Ok(None);
        }
        let Some(stored) = facts.linkage_live()? else { return Ok(None) };
        if let Some(known) = known.filter(|known| known.stored == stored) {
            return Ok(Some(known));
        }
        let damaged =
            || Error::new(ErrorKind::Corrupt, "what a run of linkage left is not readable").with_hint("link again");
        let written = Value::parse(stored.reading.as_bytes()).map_err(|_| damaged())?;
        let columns = written.get("columns").and_then(Value::as_list).ok_or_else(damaged)?;
        let columns: Option<Vec<Column>> = columns.iter().map(read_column).collect();
        let columns = columns.ok_or_else(damaged)?;
        let is_month_first = written.get("month_first").and_then(Value::as_bool).ok_or_else(damaged)?;
        Ok(Some(Arc::new(LiveLinkage {
            reading: Reading::of_columns(columns.iter().map(|(role, _)| *role), is_month_first),
            columns,
            verdict: Verdict::parse(&stored.verdict).ok_or_else(damaged)?,
            stored,
            resolver: OnceLock::new(),
            found_roles: Mutex::default(),
        })))
    }

    /// What a run leaves in the file.
    pub(crate) fn stored(model: u32, verdict: Verdict, columns: &[&Column], reading: &Reading) -> StoredLive {
        let columns = columns.iter().map(|(role, value)| {
            let value = value.as_ref().map_or(Value::Null, |value| Value::Text(compared_name(value)));
            Value::object([("role", Value::from(role.as_str())), ("value", value)])
        });
        let reading = Value::object([
            ("columns", Value::List(columns.collect())),
            ("month_first", Value::Bool(reading.is_month_first())),
        ]);
        StoredLive { model, verdict: verdict.as_str().to_owned(), reading: reading.to_json() }
    }

    /// The version of the model.
    pub(crate) fn model(&self) -> u32 {
        self.stored.model
    }

    /// What the model may be used for.
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The model at work. Read once for all transactions of this process.
    pub(crate) fn resolver(&self, facts: Facts<'_>, catalog: &Catalog) -> Result<&Resolver> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let missing = || Error::new(ErrorKind::Corrupt, "the model of linkage is not there").with_hint("link again");
        let linkage = catalog.identity().linkage.as_ref().ok_or_else(missing)?.of_rows();
        let bytes = facts.linkage_model_bytes(self.stored.model)?.ok_or_else(missing)?;
        let model = LinkageModel::from_bytes(&bytes)?;
        Ok(self.resolver.get_or_init(|| Resolver::new(model, self.verdict, &linkage)))
    }

    /// Which values are compared as what, with what earlier transactions found; [`LiveLinkage::keep_roles`] takes them back.
    pub(crate) fn roles<'d>(&self, linkage: &'d ProfileLinkage) -> Roles<'d> {
        let mut found = self.found_roles.lock().unwrap_or_else(PoisonError::into_inner);
        Roles::knowing(linkage, std::mem::take(&mut *found))
    }

    pub(crate) fn keep_roles(&self, roles: Roles<'_>) {
        let found = roles.into_found();
        if found.len() <= MOST_ROLES {
            *self.found_roles.lock().unwrap_or_else(PoisonError::into_inner) = found;
        }
    }

    /// A profile as the model reads it. What no profile of the run had is not compared until the next one.
    pub(crate) fn record(&self, profile: &ComparedProfile) -> RecordBytes {
        let text = |place: usize| self.columns.get(place).map_or("", |column| profile.text(column));
        RecordBytes::of(&self.reading.parse_texts(text))
    }
}

fn read_column(written: &Value) -> Option<Column> {
    let role = ColumnRole::parse(written.get("role")?.as_text()?)?;
    let value = written.get("value")?.as_text().map(|name| match name.strip_prefix("traits.") {
        Some(path) => ComparedValue::Trait(path.to_owned()),
        None => ComparedValue::Identifier(name.to_owned()),
    });
    Some((role, value))
}
