//! Reading people: one profile, tables of profiles, their events, and under which id each lives today.

use crate::definitions::Rule;
use crate::engine::handle::Cdp;
use crate::engine::people::consent::consents_of;
use crate::engine::people::person::Person;
use crate::engine::people::query::Query;
use crate::engine::people::table::{matching, paths_of, people_table};
use crate::engine::people::values::{audiences_of, cohorts_of, feature_values};
use crate::engine::tables::events::EventsTable;
use crate::error::Result;
use crate::records::{AsOf, Frame, Identifier, Object, Timestamp, Value};

impl Cdp {
    /// The profile of the person with this identifier, `{type: value}`; `None` if nobody matches.
    ///
    /// `{id, ids: type -> values, traits, features, audiences, cohorts, consents, first_seen, last_seen, merged_from}`,
    /// as of an instant of event time (default: now).
    pub fn profile(&self, identifier: &Value, as_of: Option<AsOf>) -> Result<Option<Value>> {
        let identifier = Identifier::from_value(identifier)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read_person(&identifier, as_of, at, |_, person| {
            let Some(person) = person else { return Ok(None) };
            Ok(Some(self.profile_value(&person, at)?))
        })
    }

    fn profile_value(&self, person: &Person<'_>, at: Timestamp) -> Result<Value> {
        let snapshot = person.snapshot;
        let first_node = person.first_node();
        let mut merged: Vec<u32> = person.nodes.iter().copied().filter(|node| *node != first_node).collect();
        merged.sort_by_cached_key(|node| {
            let (time, priority, kind, value) = snapshot.node_order(*node);
            (time, priority, kind.to_owned(), value.to_owned())
        });
        let (first_seen, last_seen) = person.seen(at)?;
        Ok(Value::Object(Object::from([
            ("id".to_owned(), Value::Text(snapshot.node_hash(first_node))),
            ("ids".to_owned(), person.ids_value(at)),
            ("traits".to_owned(), Value::Object(person.traits(at)?)),
            ("features".to_owned(), Value::Object(feature_values(person, None, at)?)),
            ("audiences".to_owned(), Value::List(audiences_of(person, at)?)),
            ("cohorts".to_owned(), Value::Object(cohorts_of(person, at)?)),
            ("consents".to_owned(), Value::Object(consents_of(self, person, at)?)),
            ("first_seen".to_owned(), Value::time_or_null(first_seen)),
            ("last_seen".to_owned(), Value::time_or_null(last_seen)),
            (
                "merged_from".to_owned(),
                Value::List(merged.into_iter().map(|node| Value::Text(snapshot.node_hash(node))).collect()),
            ),
        ])))
    }

    /// The events of one person in event-time order: `message_id, source, type, event, occurred_at, recorded_at, properties`.
    pub fn events(
        &self,
        identifier: &Value,
        event: Option<&str>,
        after: Option<usize>,
        limit: Option<usize>,
        as_of: Option<AsOf>,
    ) -> Result<Frame> {
        let identifier = Identifier::from_value(identifier)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read_person(&identifier, as_of, at, |snapshot, person| {
            let mut rows = Vec::new();
            for (occurred_at, sequence) in person.as_ref().map(Person::messages).transpose()?.into_iter().flatten() {
                if occurred_at <= at {
                    let message = snapshot.facts.message(sequence, &snapshot.memory)?;
                    let name = message.event.map(|event| snapshot.memory.name(event));
                    if event.is_none() || name == event {
                        rows.push(message);
                    }
                }
            }
            rows.sort_by(|left, right| {
                (left.occurred_at, left.ordinal, &left.message_id).cmp(&(
                    right.occurred_at,
                    right.ordinal,
                    &right.message_id,
                ))
            });
            let from = after.unwrap_or(0).min(rows.len());
            let to = limit.map_or(rows.len(), |limit| from.saturating_add(limit).min(rows.len()));
            let more = to < rows.len();
            let mut table = EventsTable::default();
            for message in rows.drain(from..to) {
                table.push(snapshot, message, None);
            }
            let mut frame = table.into_frame();
            frame.next = more.then(|| to.to_string());
            Ok(frame)
        })
    }

    /// The ids under which profiles live today: profile id -> present profile id, null if it never was one.
    pub fn resolve(&self, profile_ids: &[String]) -> Result<Value> {
        let at = self.now();
        self.read(|snapshot| {
            let mut found = Object::new();
            for id in profile_ids {
                let person = match snapshot.find_profile_id(id) {
                    Some(node) => snapshot.person(node, at)?,
                    None => None,
                };
                found.insert(id.clone(), person.map_or(Value::Null, |person| Value::Text(person.profile_id())));
            }
            Ok(Value::Object(found))
        })
    }
}

impl Cdp {
    /// A table of people: `profile_id`, identifiers, and the columns asked for (`traits.x`, `features.x`, `email`, ...).
    pub fn profiles(&self, query: &Query) -> Result<Frame> {
        let rule = query.filter.as_ref().map(Rule::from_value).transpose()?;
        self.read_with_columns(query.as_of, &paths_of(rule.as_ref()), |snapshot| {
            people_table(snapshot, matching(rule.as_ref()), query, self.instant(query.as_of.unwrap_or_default()), None)
        })
    }
}
