//! Tables of people: members, previews and the columns that a caller asks for.

use std::cmp::Ordering;

use super::population::{Found, Wanted, Whom};
use super::snapshot::{Person, Snapshot};
use super::somebody::Somebody;
use super::{AsOf, Cdp, Length};
use crate::audiences::is_member;
use crate::definitions::{Rule, nearest};
use crate::error::{Error, Result};
use crate::features;
use crate::records::{Cells, Column, Frame, Number, Object, Path, Timestamp, Value};
use crate::rules::{self, ProfileView, explain};
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

    /// What one pass over the events may tell of everybody.
    fn wanted<'q>(&'q self, snapshot: &'q Snapshot<'_>) -> Result<Option<Wanted<'q>>> {
        Ok(match self {
            PeopleColumn::Feature(name) => Some(Wanted::Feature(snapshot.catalog.feature(name)?)),
            PeopleColumn::Audience(name) => Some(Wanted::Membership(snapshot.catalog.audience(name)?)),
            _ => None,
        })
    }

    /// The value without a timeline, where none is needed.
    fn value_of_somebody(&self, somebody: &Somebody<'_>, at: Timestamp) -> Option<Value> {
        Some(match self {
            PeopleColumn::ProfileId => Value::Text(somebody.profile_id()),
            PeopleColumn::Identifier(name) => somebody.last_id(name, at).map_or(Value::Null, Value::from),
            _ => return None,
        })
    }

    fn value(&self, person: &Person<'_>, at: Timestamp) -> Result<Value> {
        let time = |time: Option<Timestamp>| time.map_or(Value::Null, |time| Value::Text(time.to_string()));
        Ok(match self {
            PeopleColumn::ProfileId | PeopleColumn::Identifier(_) => {
                self.value_of_somebody(person, at).unwrap_or_default()
            }
            PeopleColumn::Trait(path) => person.trait_value(path, at)?.unwrap_or_default(),
            PeopleColumn::Feature(name) => features::value(person.snapshot.catalog.feature(name)?, person, at)?,
            PeopleColumn::Audience(name) => Value::Bool(person.in_audience(name, at)?),
            PeopleColumn::Cohort(name) => {
                person.cohort(name, at)?.map_or(Value::Null, |(cohort, _)| Value::Text(cohort))
            }
            PeopleColumn::Score(name) => {
                person.cohort(name, at)?.map_or(Value::Null, |(_, score)| Value::Number(score))
            }
            PeopleColumn::FirstSeen => time(person.seen(at)?.0),
            PeopleColumn::LastSeen => time(person.seen(at)?.1),
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
        as_of: Option<AsOf>,
        paths: &[Path],
        work: impl FnOnce(&Snapshot<'_>) -> Result<T>,
    ) -> Result<T> {
        self.read_as_of(Length::Long, as_of, |snapshot| {
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

    /// A table of people: `profile_id`, identifiers, and the columns asked for (`traits.x`, `features.x`, `email`, ...).
    pub fn profiles(&self, query: &Query) -> Result<Frame> {
        let rule = query.filter.as_ref().map(Rule::from_value).transpose()?;
        self.read_with_columns(query.as_of, &paths_of(rule.as_ref()), |snapshot| {
            people_table(snapshot, matching(rule.as_ref()), query, self.instant_of(query), None)
        })
    }

    /// One row for each person with the named features, or all.
    pub fn feature_table(&self, names: Option<&[String]>, as_of: Option<AsOf>, filter: Option<Value>) -> Result<Frame> {
        let rule = filter.as_ref().map(Rule::from_value).transpose()?;
        self.read_with_columns(as_of, &paths_of(rule.as_ref()), |snapshot| {
            let columns = match names {
                Some(names) => names.iter().map(|name| format!("features.{name}")).collect(),
                None => snapshot.catalog.features().map(|feature| format!("features.{}", feature.name)).collect(),
            };
            let query = Query { columns: Some(columns), as_of, ..Query::default() };
            people_table(snapshot, matching(rule.as_ref()), &query, self.instant_of(&query), None)
        })
    }

    /// The members of an audience at an instant (default: now), in the order in which they were first seen.
    ///
    /// `about` tells how many members are `known` and `anonymous`. No `limit` means all rows.
    pub fn members(&self, audience: &str, query: &Query) -> Result<Frame> {
        self.read_as_of(Length::Long, query.as_of, |snapshot| {
            let whom = Whom::Members(snapshot.catalog.audience(audience)?);
            people_table(snapshot, whom, query, self.instant_of(query), None)
        })
    }

    fn instant_of(&self, query: &Query) -> Timestamp {
        self.instant(query.as_of.unwrap_or_default())
    }

    /// Who would be in an audience with this rule: `{matched, known, anonymous, total, share, sample}`; nothing is stored.
    pub fn preview(&self, rule: &Value, as_of: Option<AsOf>) -> Result<Value> {
        let parsed = Rule::from_value(rule)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read_with_columns(as_of, &rules::property_paths(&parsed), |snapshot| {
            rules::check_rule(&parsed, snapshot.catalog)?;
            let total = snapshot.n_people(at)?;
            let query = Query { limit: Some(10), ..Query::default() };
            let frame = people_table(snapshot, Whom::Matching(&parsed), &query, at, None)?;
            let sample = (0..frame.n_rows()).map(|row| Value::Object(frame.row(row))).collect();
            let count = |name: &str| frame.about.get(name).and_then(Value::as_number).and_then(Number::as_i64);
            let (known, anonymous) = (count("known").unwrap_or(0), count("anonymous").unwrap_or(0));
            let matched = known + anonymous;
            Ok(Value::object([
                ("matched", Value::integer(matched)),
                ("known", Value::integer(known)),
                ("anonymous", Value::integer(anonymous)),
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
        self.read_person(&identifier, as_of, at, |snapshot, person| {
            let definition = snapshot.catalog.audience(audience)?;
            let Some(person) = person else { return Ok(None) };
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

fn paths_of(rule: Option<&Rule>) -> Vec<Path> {
    rule.map(rules::property_paths).unwrap_or_default()
}

pub(super) fn matching(rule: Option<&Rule>) -> Whom<'_> {
    rule.map_or(Whom::Everybody, Whom::Matching)
}

/// The columns of a table, and which of them one pass over the events may tell.
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
    fn planned<'s>(&'s self, snapshot: &'s Snapshot<'_>) -> Result<(Vec<Wanted<'s>>, Vec<Option<usize>>)> {
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
    fn value(&mut self, column: &PeopleColumn, told: Option<usize>, at: Timestamp) -> Result<Value> {
        if let Some(value) = told.and_then(|place| self.found.told.get_mut(place)).and_then(Option::take) {
            return Ok(value);
        }
        if let Some(value) = column.value_of_somebody(&self.found.somebody, at) {
            return Ok(value);
        }
        let person = match self.person.take() {
            Some(person) => person,
            None => Person::new(self.found.somebody.snapshot, self.found.somebody.nodes.clone(), at)?,
        };
        column.value(self.person.insert(person), at)
    }
}

/// Whether a person stays in a table.
pub(super) type Keep<'k> = &'k mut dyn FnMut(&Person<'_>) -> Result<bool>;

/// A table of the people whom a read means, or a page of it, with how many of all of them are known and anonymous.
pub(super) fn people_table(
    snapshot: &Snapshot<'_>,
    whom: Whom<'_>,
    query: &Query,
    at: Timestamp,
    keep: Option<Keep<'_>>,
) -> Result<Frame> {
    let columns = Columns::resolve(snapshot, query)?;
    let (wanted, places) = columns.planned(snapshot)?;
    let mut people = snapshot.find(whom, &wanted, at)?;
    if let Some(keep) = keep {
        let mut kept = Vec::new();
        for found in people {
            if keep(&Person::new(snapshot, found.somebody.nodes.clone(), at)?)? {
                kept.push(found);
            }
        }
        people = kept;
    }
    let known = people.iter().filter(|found| found.somebody.is_known(at)).count();
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
        let place = last.and_then(|last| people.iter().position(|found| found.somebody.first_node() == last));
        let Some(place) = place else {
            return Err(Error::invalid("the cursor `after` does not belong to this table")
                .with_hint("pass the `next` of the page before, with the same arguments"));
        };
        people.drain(..=place);
    }
    let limit = query.limit.unwrap_or(usize::MAX);
    let more = people.len() > limit;
    people.truncate(limit);
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
    frame.next = if more { people.last().map(|found| found.somebody.profile_id()) } else { None };
    frame.about = Object::from([
        ("known".to_owned(), Value::count(known)),
        ("anonymous".to_owned(), Value::count(anonymous)),
        ("as_of".to_owned(), Value::Text(at.to_string())),
    ]);
    Ok(frame)
}
