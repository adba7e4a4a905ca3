//! The store as tables, for those who bring their own engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::link_tables::{link_decisions_table, links_table};
use super::segment::matching;
use super::snapshot::{Person, Snapshot};
use super::{AsOf, Cdp};
use crate::definitions::{Rule, nearest};
use crate::error::{Error, Result};
use crate::identity::{Span, is_within};
use crate::records::{Cells, Column, Frame, Timestamp, Value};
use crate::rules;
use crate::store::StoredMessage;

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

impl Cdp {
    /// The names of the tables.
    pub fn tables(&self) -> Vec<&'static str> {
        TABLES.to_vec()
    }

    /// A table as a frame: all rows, or the rows of the people that match a rule, as of an instant (default: now).
    ///
    /// `events` has every message: `source, message_id, type, event, profile_id, occurred_at, recorded_at, seq` and
    /// `properties, traits, context` as JSON text. `links` has the earliest evidence of each pair of identifiers with its
    /// `status` (`live`, `refused`, `unlinked`) and the `reason` of a refusal, `link_decisions` what operators decided;
    /// both as they stand now, and without a rule.
    pub fn table(
        &self,
        name: &str,
        columns: Option<&[String]>,
        filter: Option<&Value>,
        as_of: Option<AsOf>,
        limit: Option<usize>,
    ) -> Result<Frame> {
        if !TABLES.contains(&name) {
            let hint = match nearest(name, TABLES.into_iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("tables: {}", TABLES.join(", ")),
            };
            return Err(Error::not_found(format!("there is no table `{name}`")).with_hint(hint));
        }
        let rule = filter.map(Rule::from_value).transpose()?;
        let paths = rule.as_ref().map(rules::property_paths).unwrap_or_default();
        let at = self.instant(as_of.unwrap_or_default());
        let whole = match name {
            "rejects" => Some(self.rejects(None, None, None, None)?),
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
            _ => self.people_table(snapshot, name, rule.as_ref(), at),
        })?;
        select(frame, columns, limit)
    }

    fn people_table(&self, snapshot: &Snapshot<'_>, name: &str, rule: Option<&Rule>, at: Timestamp) -> Result<Frame> {
        let mut rows: Rows = Rows::of(match name {
            "profiles" => &["profile_id", "user_id", "email", "first_seen", "last_seen", "n_messages"],
            "identifiers" => &["profile_id", "type", "value"],
            "traits" => &["profile_id", "name", "value"],
            "features" => &["profile_id", "name", "value"],
            "memberships" => &["profile_id", "audience"],
            "cohort_scores" => &["profile_id", "predictor", "cohort", "score", "method", "model_version"],
            "accounts" => &["profile_id", "account_type", "account"],
            _ => &["profile_id", "purpose", "status", "effective", "since"],
        });
        for found in snapshot.find(matching(rule), &[], at)? {
            let person = Person::of(found.somebody)?;
            let id = Value::Text(person.profile_id());
            let json = |value: Value| match value {
                Value::Null => Value::Null,
                other => Value::Text(other.to_json()),
            };
            match name {
                "profiles" => {
                    let last = |kind: &str| person.last_id(kind, at).map_or(Value::Null, Value::from);
                    let time = |time: Option<Timestamp>| time.map_or(Value::Null, |time| Value::Text(time.to_string()));
                    let (first, latest) = person.seen(at)?;
                    let messages = person.messages()?.into_iter().filter(|(occurred_at, _)| *occurred_at <= at).count();
                    rows.push([id, last("user_id"), last("email"), time(first), time(latest), Value::count(messages)]);
                }
                "identifiers" => {
                    for (kind, values) in person.ids(at) {
                        for value in values {
                            rows.push([id.clone(), Value::from(kind), Value::from(value)]);
                        }
                    }
                }
                "traits" => {
                    for (trait_name, value) in person.traits(at)? {
                        rows.push([id.clone(), Value::Text(trait_name), json(value)]);
                    }
                }
                "features" => {
                    for (feature, value) in super::unify::feature_values(&person, None, at)? {
                        rows.push([id.clone(), Value::Text(feature), json(value)]);
                    }
                }
                "memberships" => {
                    for audience in Cdp::audiences_of(&person, at)? {
                        rows.push([id.clone(), audience]);
                    }
                }
                "cohort_scores" => {
                    for predictor in snapshot.catalog.predictors() {
                        let Some((prediction, method)) = person.predicted(&predictor.name, at)? else { continue };
                        let cohort = prediction.cohort.map_or(Value::Null, Value::Text);
                        rows.push([
                            id.clone(),
                            Value::from(predictor.name.as_str()),
                            cohort,
                            Value::float(prediction.score),
                            Value::from(method),
                            snapshot.model_version(&predictor.name, method).map_or(Value::Null, Value::integer),
                        ]);
                    }
                }
                "accounts" => {
                    let accounts: BTreeSet<(&str, &str)> = person.accounts(at)?.collect();
                    for (account_type, account) in accounts {
                        rows.push([id.clone(), Value::from(account_type), Value::from(account)]);
                    }
                }
                _ => {
                    for (purpose, consent) in self.consents_of(&person, at)? {
                        let field = |field: &str| consent.get(field).cloned().unwrap_or_default();
                        rows.push([
                            id.clone(),
                            Value::Text(purpose),
                            field("status"),
                            field("effective"),
                            field("since"),
                        ]);
                    }
                }
            }
        }
        Ok(rows.into_frame())
    }
}

/// Who has a value for a time: the spans, and the profile's id.
type HeldBy = (Vec<Span>, Arc<str>);

fn events_table(snapshot: &Snapshot<'_>, rule: Option<&Rule>, at: Timestamp) -> Result<Frame> {
    let mut profile_of: Vec<Option<Arc<str>>> = vec![None; snapshot.memory.n_nodes() as usize];
    let mut held: BTreeMap<u32, Vec<HeldBy>> = BTreeMap::new();
    for found in snapshot.find(matching(rule), &[], at)? {
        let id: Arc<str> = Arc::from(found.somebody.profile_id());
        for node in &found.somebody.nodes {
            if let Some(place) = profile_of.get_mut(*node as usize) {
                *place = Some(id.clone());
            }
        }
        for (value, spans) in &found.somebody.held {
            let of_value = held.entry(*value).or_default();
            of_value.push((spans.clone(), id.clone()));
        }
    }
    let holder = |node: u32, at: Timestamp| {
        let of_value = held.get(&node)?;
        of_value.iter().find(|(spans, _)| is_within(spans, at)).map(|(_, id)| id)
    };
    let mut table = EventsTable { profile_ids: Some(Vec::new()), ..EventsTable::default() };
    snapshot.facts.visit_messages(0, snapshot.memory.sequence(), |row| {
        let profile_id = profile_of.get(row.node as usize).and_then(Option::as_ref);
        let profile_id = profile_id.or_else(|| holder(row.node, row.occurred_at));
        if let Some(profile_id) = profile_id.filter(|_| row.occurred_at <= at) {
            table.push(snapshot, row.read(&snapshot.memory)?, Some(profile_id));
        }
        Ok(())
    })?;
    Ok(table.into_frame())
}

/// Messages as columns. A message is taken apart as it comes, so that only what the table shows stays in memory.
#[derive(Default)]
pub(super) struct EventsTable {
    sources: Vec<Option<String>>,
    message_ids: Vec<Option<String>>,
    types: Vec<Option<String>>,
    events: Vec<Option<String>>,
    profile_ids: Option<Vec<Option<String>>>,
    occurred_at: Vec<Option<Timestamp>>,
    recorded_at: Vec<Option<Timestamp>>,
    sequences: Vec<Option<i64>>,
    properties: Vec<Option<String>>,
    traits: Vec<Option<String>>,
    contexts: Vec<Option<String>>,
}

impl EventsTable {
    pub(super) fn push(&mut self, snapshot: &Snapshot<'_>, message: StoredMessage, profile_id: Option<&str>) {
        let part =
            |name: &str| message.fields.get(name).filter(|value| !value.is_null()).map(|value| value.text().to_owned());
        let (properties, traits, context) = (part("properties"), part("traits"), part("context"));
        self.sources.push(Some(snapshot.memory.name(message.source).to_owned()));
        self.message_ids.push(Some(message.message_id));
        self.types.push(Some(message.kind.as_str().to_owned()));
        self.events.push(message.event.map(|event| snapshot.memory.name(event).to_owned()));
        if let Some(profile_ids) = &mut self.profile_ids {
            profile_ids.push(profile_id.map(str::to_owned));
        }
        self.occurred_at.push(Some(message.occurred_at));
        self.recorded_at.push(Some(message.recorded_at));
        self.sequences.push(i64::try_from(message.sequence).ok());
        self.properties.push(properties);
        self.traits.push(traits);
        self.contexts.push(context);
    }

    pub(super) fn into_frame(self) -> Frame {
        let mut columns = vec![
            ("source", Cells::Text(self.sources)),
            ("message_id", Cells::Text(self.message_ids)),
            ("type", Cells::Text(self.types)),
            ("event", Cells::Text(self.events)),
        ];
        columns.extend(self.profile_ids.map(|ids| ("profile_id", Cells::Text(ids))));
        columns.extend([
            ("occurred_at", Cells::Timestamp(self.occurred_at)),
            ("recorded_at", Cells::Timestamp(self.recorded_at)),
            ("seq", Cells::Int64(self.sequences)),
            ("properties", Cells::Text(self.properties)),
            ("traits", Cells::Text(self.traits)),
            ("context", Cells::Text(self.contexts)),
        ]);
        Frame::new(columns)
    }
}

/// A table that grows by rows.
struct Rows {
    names: &'static [&'static str],
    columns: Vec<Vec<Value>>,
}

impl Rows {
    fn of(names: &'static [&'static str]) -> Rows {
        Rows { names, columns: vec![Vec::new(); names.len()] }
    }

    fn push<const N: usize>(&mut self, row: [Value; N]) {
        for (column, value) in self.columns.iter_mut().zip(row) {
            column.push(value);
        }
    }

    fn into_frame(self) -> Frame {
        let columns = self.names.iter().zip(self.columns).map(|(name, values)| {
            let cells = match *name {
                "first_seen" | "last_seen" | "since" => Cells::Timestamp(
                    values.iter().map(|value| value.as_text().and_then(|text| Timestamp::parse(text).ok())).collect(),
                ),
                "score" => Cells::Float64(
                    values.iter().map(|value| value.as_number().map(crate::records::Number::to_f64)).collect(),
                ),
                "effective" => Cells::Bool(values.iter().map(Value::as_bool).collect()),
                "n_messages" => Cells::Int64(
                    values.iter().map(|value| value.as_number().and_then(crate::records::Number::as_i64)).collect(),
                ),
                _ => Cells::Text(
                    values
                        .into_iter()
                        .map(|value| match value {
                            Value::Text(text) => Some(text),
                            _ => None,
                        })
                        .collect(),
                ),
            };
            Column { name: (*name).to_owned(), cells }
        });
        Frame { columns: columns.collect(), ..Frame::default() }
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
                    let hint = match nearest(name, known.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("columns: {}", known.join(", ")),
                    };
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
