//! Tables of people: the columns that a caller asks for, in the order and page that was asked.

use std::cmp::Ordering;

use crate::definitions::{Rule, near_or_all};
use crate::engine::paging;
use crate::engine::people::find::{Filter, Found, Projection};
use crate::engine::people::person::Person;
use crate::engine::people::profile::Profile;
use crate::engine::people::query::Query;
use crate::engine::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::records::{Cells, Column, Frame, Object, Path, Timestamp, Value};
use crate::rules;
use crate::rules::ProfileView;

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

/// The columns of a table of people for which a caller names none.
pub(crate) const DEFAULT_COLUMNS: [&str; 3] = ["profile_id", "user_id", "email"];

/// The default columns of these people at `at`, in their order.
pub(crate) fn default_columns(people: &[&Person<'_>], at: Timestamp) -> Vec<(&'static str, Cells)> {
    let cell = |person: &Person<'_>, column: &str| match column {
        "profile_id" => Some(person.profile_id()),
        identifier_type => person.last_id(identifier_type, at).map(str::to_owned),
    };
    let column = |name| (name, Cells::Text(people.iter().map(|person| cell(person, name)).collect()));
    DEFAULT_COLUMNS.map(column).into()
}

impl PeopleColumn {
    pub(crate) fn resolve(snapshot: &Snapshot<'_>, name: &str) -> Result<PeopleColumn> {
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
        known.push("traits.<name>".to_owned());
        let hint = near_or_all(name, "columns", &known);
        Err(Error::invalid(format!("unknown column `{name}`")).with_hint(hint))
    }

    /// The columns that one pass over the events may fill for all people.
    pub(crate) fn wanted<'q>(&'q self, snapshot: &'q Snapshot<'_>) -> Result<Option<Projection<'q>>> {
        Ok(match self {
            PeopleColumn::Feature(name) => Some(Projection::Feature(snapshot.catalog.feature(name)?)),
            PeopleColumn::Audience(name) => Some(Projection::Membership(snapshot.catalog.audience(name)?)),
            _ => None,
        })
    }

    /// The value without a timeline, where none is needed.
    fn value_of_profile(&self, profile: &Profile<'_>, at: Timestamp) -> Option<Value> {
        Some(match self {
            PeopleColumn::ProfileId => Value::Text(profile.profile_id()),
            PeopleColumn::Identifier(name) => profile.last_id(name, at).map_or(Value::Null, Value::from),
            _ => return None,
        })
    }

    pub(crate) fn value(&self, person: &Person<'_>, at: Timestamp) -> Result<Value> {
        Ok(match self {
            PeopleColumn::ProfileId | PeopleColumn::Identifier(_) => {
                self.value_of_profile(person, at).unwrap_or_default()
            }
            PeopleColumn::Trait(path) => person.trait_value(path, at)?.unwrap_or_default(),
            PeopleColumn::Feature(name) => rules::feature_value(person.snapshot.catalog.feature(name)?, person, at)?,
            PeopleColumn::Audience(name) => Value::Bool(person.in_audience(name, at)?),
            PeopleColumn::Cohort(name) => {
                person.cohort(name, at)?.map_or(Value::Null, |(cohort, _)| Value::Text(cohort))
            }
            PeopleColumn::Score(name) => {
                person.cohort(name, at)?.map_or(Value::Null, |(_, score)| Value::Number(score))
            }
            PeopleColumn::FirstSeen => Value::from(person.seen(at)?.0),
            PeopleColumn::LastSeen => Value::from(person.seen(at)?.1),
        })
    }

    pub(crate) fn cells(&self, values: Vec<Value>) -> Cells {
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

pub(crate) fn matching(rule: Option<&Rule>) -> Filter<'_> {
    rule.map_or(Filter::All, Filter::Matching)
}

/// The columns of a table, and which of them one pass over the events may fill.
struct Columns<'q> {
    names: Vec<String>,
    columns: Vec<PeopleColumn>,
    /// The place of the column by which the table is ordered, behind those that it shows, and whether it descends.
    order_by: Option<(usize, bool)>,
    query: &'q Query,
}

impl<'q> Columns<'q> {
    fn resolve(snapshot: &Snapshot<'_>, query: &'q Query) -> Result<Columns<'q>> {
        let names: Vec<String> = match &query.columns {
            Some(names) => names.clone(),
            None => DEFAULT_COLUMNS.map(str::to_owned).to_vec(),
        };
        let mut columns: Vec<PeopleColumn> =
            names.iter().map(|name| PeopleColumn::resolve(snapshot, name)).collect::<Result<_>>()?;
        let mut order_by = None;
        if let Some(name) = &query.order_by {
            let (name, descending) = match name.strip_prefix('-') {
                Some(name) => (name, true),
                None => (name.as_str(), false),
            };
            order_by = Some((columns.len(), descending));
            columns.push(PeopleColumn::resolve(snapshot, name)?);
        }
        Ok(Columns { names, columns, order_by, query })
    }

    /// What is worth a pass over all events: what orders the table, and what it shows unless that is one page.
    fn planned<'s>(&'s self, snapshot: &'s Snapshot<'_>) -> Result<(Vec<Projection<'s>>, Vec<Option<usize>>)> {
        let (mut wanted, mut places) = (Vec::new(), Vec::new());
        for (place, column) in self.columns.iter().enumerate() {
            let is_for_all = self.query.limit.is_none() || self.order_by.is_some_and(|(order, _)| order == place);
            let wish = if is_for_all { column.wanted(snapshot)? } else { None };
            places.push(wish.is_some().then_some(wanted.len()));
            wanted.extend(wish);
        }
        Ok((wanted, places))
    }
}

/// A row in the making: its timeline is read when a column needs it.
struct Row<'r, 'a> {
    found: &'r mut Found<'a>,
    person: Option<Person<'a>>,
}

impl<'a> Row<'_, 'a> {
    fn value(&mut self, column: &PeopleColumn, values: Option<usize>, at: Timestamp) -> Result<Value> {
        if let Some(value) = values.and_then(|place| self.found.values.get_mut(place)).and_then(Option::take) {
            return Ok(value);
        }
        if let Some(value) = column.value_of_profile(&self.found.profile, at) {
            return Ok(value);
        }
        let person = match self.person.take() {
            Some(person) => person,
            None => Person::new(self.found.profile.snapshot, self.found.profile.nodes.clone(), at)?,
        };
        column.value(self.person.insert(person), at)
    }
}

/// Whether a person stays in a table.
pub(in crate::engine) type Predicate<'k> = &'k mut dyn FnMut(&Person<'_>) -> Result<bool>;

/// A table of the people of a read, or one page of it, with the numbers of known and anonymous people.
pub(crate) fn people_table(
    snapshot: &Snapshot<'_>,
    filter: Filter<'_>,
    query: &Query,
    at: Timestamp,
    keep: Option<Predicate<'_>>,
) -> Result<Frame> {
    let columns = Columns::resolve(snapshot, query)?;
    let (wanted, places) = columns.planned(snapshot)?;
    let mut people = snapshot.find(filter, &wanted, at)?;
    if let Some(keep) = keep {
        let mut kept = Vec::new();
        for found in people {
            if keep(&Person::new(snapshot, found.profile.nodes.clone(), at)?)? {
                kept.push(found);
            }
        }
        people = kept;
    }
    let known = people.iter().filter(|found| found.profile.is_known(at)).count();
    let anonymous = people.len() - known;
    if let Some((order, descending)) = columns.order_by
        && let (Some(column), Some(place)) = (columns.columns.get(order), places.get(order))
    {
        let mut keyed: Vec<(Value, Found<'_>)> = Vec::with_capacity(people.len());
        for mut found in people {
            keyed.push((Row { found: &mut found, person: None }.value(column, *place, at)?, found));
        }
        // Stable: people with equal values stay in the order of their first nodes.
        keyed.sort_by(|(left, _), (right, _)| match (left.is_null(), right.is_null()) {
            (false, false) if descending => compare_values(right, left),
            _ => compare_values(left, right),
        });
        people = keyed.into_iter().map(|(_, found)| found).collect();
    }
    if let Some(after) = &query.after {
        let last = snapshot.find_profile_id(after);
        let place = last.and_then(|last| people.iter().position(|found| found.profile.first_node() == last));
        paging::skip_to(&mut people, place)?;
    }
    let more = paging::cut(&mut people, query.limit);
    let mut values: Vec<Vec<Value>> = columns.names.iter().map(|_| Vec::with_capacity(people.len())).collect();
    for found in &mut people {
        let mut row = Row { found, person: None };
        for ((column, place), values) in columns.columns.iter().zip(&places).zip(&mut values) {
            values.push(row.value(column, *place, at)?);
        }
    }
    let mut frame = Frame::default();
    for ((name, column), values) in columns.names.into_iter().zip(&columns.columns).zip(values) {
        frame.columns.push(Column { name, cells: column.cells(values) });
    }
    frame.next = if more { people.last().map(|found| found.profile.profile_id()) } else { None };
    frame.about = Object::from([
        ("known".to_owned(), Value::count(known)),
        ("anonymous".to_owned(), Value::count(anonymous)),
        ("as_of".to_owned(), Value::Text(at.to_string())),
    ]);
    Ok(frame)
}

pub(crate) fn paths_of(rule: Option<&Rule>) -> Vec<Path> {
    rule.map(rules::property_paths).unwrap_or_default()
}
