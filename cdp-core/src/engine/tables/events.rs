//! Messages as a table. A message is taken apart as it comes, so that only what the table shows stays in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::definitions::Rule;
use crate::engine::people::table::matching;
use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::identity::{Span, is_within};
use crate::records::{Cells, Frame, Timestamp};
use crate::store::StoredMessage;

/// The profiles of a value over time: its spans, each with a profile id.
pub(in crate::engine) type HeldBy = (Vec<Span>, Arc<str>);

pub(crate) fn events_table(snapshot: &Snapshot<'_>, rule: Option<&Rule>, at: Timestamp) -> Result<Frame> {
    let mut profile_of: Vec<Option<Arc<str>>> = vec![None; snapshot.memory.n_nodes() as usize];
    let mut held: BTreeMap<u32, Vec<HeldBy>> = BTreeMap::new();
    for found in snapshot.find(matching(rule), &[], at)? {
        let id: Arc<str> = Arc::from(found.profile.profile_id());
        for node in &found.profile.nodes {
            if let Some(place) = profile_of.get_mut(*node as usize) {
                *place = Some(id.clone());
            }
        }
        for (value, spans) in &found.profile.held {
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
pub(crate) struct EventsTable {
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
    pub(crate) fn push(&mut self, snapshot: &Snapshot<'_>, message: StoredMessage, profile_id: Option<&str>) {
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

    pub(crate) fn into_frame(self) -> Frame {
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
