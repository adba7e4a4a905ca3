//! Tables of people: members, previews and the columns that a caller asks for.

use std::cmp::Ordering;

use super::snapshot::{Person, Snapshot};
use super::{AsOf, Cdp};
use crate::audiences::is_member;
use crate::definitions::{Rule, nearest};
use crate::error::{Error, Result};
use crate::features;
use crate::records::{Cells, Column, Frame, Object, Path, Timestamp, Value};
use crate::rules::{self, ProfileView, evaluate, explain};
use crate::store::ExtraColumns;

/// What a caller asks of a table of people.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Columns; `None`: `profile_id, user_id, email`.
    pub columns: Option<Vec<String>>,
    /// A rule that people must match.
    pub filter: Option<Value>,
    /// A column, or `-column` for descending; missing values come last.
    pub order_by: Option<String>,
    /// At most so many rows; all without it.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// The instant asked about; now without it.
    pub as_of: Option<AsOf>,
}

/// A column of people, resolved.
enum PeopleColumn {
    ProfileId,
    Identifier(String),
    Trait(Path),
    Feature(String),
    Audience(String),
    Cohort(String),
    Score(String),
    FirstSeen,
    LastSeen,
}

const DEFAULT_COLUMNS: [&str; 3] = ["profile_id", "user_id", "email"];

impl PeopleColumn {
    fn resolve(snapshot: &Snapshot<'_>, name: &str) -> Result<PeopleColumn> {
        let catalog = snapshot.catalog;
        match name.split_once('.') {
            Some(("traits", path)) => {
                if let Some(path) = Path::parse(path) {
                    return Ok(PeopleColumn::Trait(path));
                }
            }
            Some(("features", feature)) => {
                return catalog.feature(feature).map(|_| PeopleColumn::Feature(feature.to_owned()));
            }
            Some(("audiences", audience)) => {
                return catalog.audience(audience).map(|_| PeopleColumn::Audience(audience.to_owned()));
            }
            Some(("cohorts", predictor)) => {
                return catalog.predictor(predictor).map(|_| PeopleColumn::Cohort(predictor.to_owned()));
            }
            Some(("scores", predictor)) => {
                return catalog.predictor(predictor).map(|_| PeopleColumn::Score(predictor.to_owned()));
            }
            _ => {}
        }
        match name {
            "profile_id" => return Ok(PeopleColumn::ProfileId),
            "first_seen" => return Ok(PeopleColumn::FirstSeen),
            "last_seen" => return Ok(PeopleColumn::LastSeen),
            _ => {}
        }
        let declared = catalog.identity().identifier(name).is_some();
        if declared || DEFAULT_COLUMNS.contains(&name) || snapshot.memory.node_types().contains(name) {
            return Ok(PeopleColumn::Identifier(name.to_owned()));
        }
        let mut known: Vec<String> = vec!["profile_id".into(), "first_seen".into(), "last_seen".into()];
        known.extend(catalog.identity().identifiers.iter().map(|identifier| identifier.name.clone()));
        known.extend(catalog.features().map(|feature| format!("features.{}", feature.name)));
        known.extend(catalog.audiences().map(|audience| format!("audiences.{}", audience.name)));
        let hint = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("columns: {}, traits.<name>", known.join(", ")),
        };
        Err(Error::invalid(format!("unknown column `{name}`")).with_hint(hint))
    }

    fn value(&self, person: &Person<'_>, at: Timestamp) -> Result<Value> {
        let time = |time: Option<Timestamp>| time.map_or(Value::Null, |time| Value::Text(time.to_string()));
        Ok(match self {
            PeopleColumn::ProfileId => Value::Text(person.profile_id()),
            // A single-valued column shows the value named last.
            PeopleColumn::Identifier(name) => person
                .ids(at)
                .get(name.as_str())
                .and_then(|values| values.last())
                .map_or(Value::Null, |value| Value::from(*value)),
            PeopleColumn::Trait(path) => person.trait_value(path, at)?.unwrap_or_default(),
            PeopleColumn::Feature(name) => features::value(person.snapshot.catalog.feature(name)?, person, at)?,
            PeopleColumn::Audience(name) => Value::Bool(person.in_audience(name, at)?),
            PeopleColumn::Cohort(name) => {
                person.cohort(name, at)?.map_or(Value::Null, |(cohort, _)| Value::Text(cohort))
            }
            PeopleColumn::Score(name) => {
                person.cohort(name, at)?.map_or(Value::Null, |(_, score)| Value::Number(score))
            }
            PeopleColumn::FirstSeen => time(person.seen(at).0),
            PeopleColumn::LastSeen => time(person.seen(at).1),
        })
    }

    fn cells(&self, values: Vec<Value>) -> Cells {
        let text = |value: &Value| value.as_text().map(str::to_owned);
        match self {
            PeopleColumn::FirstSeen | PeopleColumn::LastSeen => Cells::Timestamp(
                values.iter().map(|value| value.as_text().and_then(|text| Timestamp::parse(text).ok())).collect(),
            ),
            PeopleColumn::ProfileId | PeopleColumn::Identifier(_) => Cells::Text(values.iter().map(text).collect()),
            _ => Cells::from_values(values),
        }
    }
}

/// The order of values in a column: numbers, then text, then others by their JSON; null last.
fn compare_values(left: &Value, right: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Number(_) => 0,
        Value::Text(_) => 1,
        Value::Null => 3,
        _ => 2,
    };
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        _ => rank(left).cmp(&rank(right)).then_with(|| left.to_json().cmp(&right.to_json())),
    }
}

impl Cdp {
    /// Runs `work` on a snapshot that has a column for each of these properties. Those that no definition keeps are read
    /// from the log, once: cost grows with the store.
    pub(super) fn read_with_columns<T>(
        &self,
        paths: &[Path],
        work: impl FnOnce(&Snapshot<'_>) -> Result<T>,
    ) -> Result<T> {
        self.read(|snapshot| {
            let missing = snapshot.memory.missing_columns(paths);
            if missing.is_empty() {
                return work(snapshot);
            }
            let mut extra = ExtraColumns::new(missing);
            snapshot.facts.visit_messages(0, snapshot.memory.sequence(), |row| {
                let message = row.read(&snapshot.memory)?;
                if message.event.is_some() {
                    extra.push(message.sequence, &super::observe::event_properties(message.kind, &message.fields));
                }
                Ok(())
            })?;
            let extended = Snapshot { memory: snapshot.memory.with_extra(&extra), ..*snapshot };
            work(&extended)
        })
    }

    /// A table of the people for whom `keep` holds.
    pub(super) fn people_frame(
        &self,
        query: &Query,
        keep: impl Fn(&Person<'_>, Timestamp) -> Result<bool>,
        rule: Option<&Rule>,
    ) -> Result<Frame> {
        let at = self.instant(query.as_of.unwrap_or_default());
        let paths = rule.map(rules::property_paths).unwrap_or_default();
        self.read_with_columns(&paths, |snapshot| {
            let mut people = Vec::new();
            for person in snapshot.people(at)? {
                if keep(&person, at)? {
                    people.push(person);
                }
            }
            counted_page_of(snapshot, people, query, at)
        })
    }

    /// The members of an audience at an instant (default: now), in the order in which they were first seen.
    ///
    /// `about` tells how many members are `known` and `anonymous`. No `limit` means all rows.
    pub fn members(&self, audience: &str, query: &Query) -> Result<Frame> {
        let at = self.instant(query.as_of.unwrap_or_default());
        self.read(|snapshot| {
            let people = snapshot.members_at(snapshot.catalog.audience(audience)?, at)?;
            counted_page_of(snapshot, people, query, at)
        })
    }

    /// Who would be in an audience with this rule: `{matched, known, anonymous, total, share, sample}`; nothing is stored.
    pub fn preview(&self, rule: &Value, as_of: Option<AsOf>) -> Result<Value> {
        let parsed = Rule::from_value(rule)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read_with_columns(&rules::property_paths(&parsed), |snapshot| {
            rules::check_rule(&parsed, snapshot.catalog)?;
            let (mut people, mut total) = (Vec::new(), 0);
            for person in snapshot.people(at)? {
                total += 1;
                if evaluate(&parsed, &person, at)? {
                    people.push(person);
                }
            }
            let matched = people.len();
            let query = Query { limit: Some(10), ..Query::default() };
            let frame = counted_page_of(snapshot, people, &query, at)?;
            let sample = (0..frame.n_rows()).map(|row| Value::Object(frame.row(row))).collect();
            let about = |name: &str| frame.about.get(name).cloned().unwrap_or_default();
            Ok(Value::object([
                ("matched", Value::count(matched)),
                ("known", about("known")),
                ("anonymous", about("anonymous")),
                ("total", Value::count(total)),
                ("share", if total == 0 { Value::Null } else { Value::float(matched as f64 / total as f64) }),
                ("sample", Value::List(sample)),
            ]))
        })
    }

    /// Why a person is in an audience or not: the rule as a tree, each node with `matched` and what was found.
    pub fn explain_member(&self, audience: &str, identifier: &Value, as_of: Option<AsOf>) -> Result<Option<Value>> {
        let identifier = super::Identifier::from_value(identifier)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read(|snapshot| {
            let definition = snapshot.catalog.audience(audience)?;
            let Some(node) = snapshot.node_of(&identifier)? else { return Ok(None) };
            let Some(person) = snapshot.person(node, at)? else { return Ok(None) };
            let mut explained = Object::from([
                ("audience".to_owned(), Value::from(audience)),
                ("member".to_owned(), Value::Bool(is_member(definition, &person, at)?)),
                ("known".to_owned(), Value::Bool(person.is_known(at))),
                ("as_of".to_owned(), Value::Text(at.to_string())),
            ]);
            explained.insert("rule".to_owned(), explain(&definition.rule, &person, at)?);
            Ok(Some(Value::Object(explained)))
        })
    }
}

/// A page of people, with how many of all of them are known and anonymous.
fn counted_page_of(snapshot: &Snapshot<'_>, people: Vec<Person<'_>>, query: &Query, at: Timestamp) -> Result<Frame> {
    let known = people.iter().filter(|person| person.is_known(at)).count();
    let anonymous = people.len() - known;
    let mut frame = page_of(snapshot, people, query, at)?;
    frame.about = Object::from([
        ("known".to_owned(), Value::count(known)),
        ("anonymous".to_owned(), Value::count(anonymous)),
        ("as_of".to_owned(), Value::Text(at.to_string())),
    ]);
    Ok(frame)
}

fn page_of(snapshot: &Snapshot<'_>, mut people: Vec<Person<'_>>, query: &Query, at: Timestamp) -> Result<Frame> {
    let names: Vec<String> = match &query.columns {
        Some(names) => names.clone(),
        None => DEFAULT_COLUMNS.map(str::to_owned).to_vec(),
    };
    let columns: Vec<PeopleColumn> =
        names.iter().map(|name| PeopleColumn::resolve(snapshot, name)).collect::<Result<_>>()?;
    if let Some(order_by) = &query.order_by {
        let (name, descending) = match order_by.strip_prefix('-') {
            Some(name) => (name, true),
            None => (order_by.as_str(), false),
        };
        let column = PeopleColumn::resolve(snapshot, name)?;
        let mut keyed: Vec<(Value, Person<'_>)> = Vec::with_capacity(people.len());
        for person in people {
            keyed.push((column.value(&person, at)?, person));
        }
        // Stable: people with equal values stay in the order of their first nodes.
        keyed.sort_by(|(left, _), (right, _)| match (left.is_null(), right.is_null()) {
            (false, false) if descending => compare_values(right, left),
            _ => compare_values(left, right),
        });
        people = keyed.into_iter().map(|(_, person)| person).collect();
    }
    if let Some(after) = &query.after {
        let place = people.iter().position(|person| person.profile_id() == *after);
        let Some(place) = place else {
            return Err(Error::invalid("the cursor `after` does not belong to this table")
                .with_hint("pass the `next` of the page before, with the same arguments"));
        };
        people.drain(..=place);
    }
    let limit = query.limit.unwrap_or(usize::MAX);
    let more = people.len() > limit;
    people.truncate(limit);
    let mut frame = Frame::default();
    for (name, column) in names.into_iter().zip(columns) {
        let values = people.iter().map(|person| column.value(person, at)).collect::<Result<Vec<Value>>>()?;
        frame.columns.push(Column { name, cells: column.cells(values) });
    }
    frame.next = if more { people.last().map(Person::profile_id) } else { None };
    Ok(frame)
}
