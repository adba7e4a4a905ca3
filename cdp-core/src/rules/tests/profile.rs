//! A profile in memory: what a rule can be asked about, without a store.

use super::super::{ConsentStatus, ProfileView, TimelineEvent, evaluate};
use std::borrow::Cow;

use crate::definitions::{Catalog, Definition, Population};
use crate::error::Result;
use crate::records::{Number, Path, TieOrder, Timestamp, Value};

/// An event as it was recorded; its place in the list is its sequence.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) at: i64,
    pub(crate) event: String,
    pub(crate) message_id: String,
    pub(crate) properties: Value,
}

pub(crate) fn recorded(at: i64, event: &str, message_id: &str, properties: &str) -> Recorded {
    Recorded { at, event: event.to_owned(), message_id: message_id.to_owned(), properties: json(properties) }
}

pub(crate) fn json(text: &str) -> Value {
    Value::parse(text.as_bytes()).unwrap()
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn catalog(definitions: &[&str]) -> Catalog {
    let mut catalog = Catalog::default();
    for text in definitions {
        catalog.insert(1, std::sync::Arc::new(Definition::parse(text).unwrap()));
    }
    catalog
}

pub(crate) struct MemoryProfile<'a> {
    catalog: &'a Catalog,
    recorded: &'a [Recorded],
    /// Event names, each in the place of its number.
    names: Vec<&'a str>,
    timeline: Vec<TimelineEvent>,
    /// The traits that hold from an instant on, in the order of time.
    pub(crate) traits: Vec<(i64, Value)>,
    /// Since when it holds an email address.
    pub(crate) known_from: Option<i64>,
    pub(crate) cohort: Option<(String, Number)>,
    pub(crate) consent: Option<ConsentStatus>,
    pub(crate) current: Value,
    /// The type and value of its first node.
    pub(crate) first_node: Option<(String, String)>,
}

impl<'a> MemoryProfile<'a> {
    pub(crate) fn new(catalog: &'a Catalog, recorded: &'a [Recorded]) -> MemoryProfile<'a> {
        let mut names: Vec<&str> = recorded.iter().map(|fact| fact.event.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let number = |name: &str| names.iter().position(|known| *known == name).unwrap() as u32;
        let mut timeline: Vec<TimelineEvent> = recorded
            .iter()
            .enumerate()
            .map(|(sequence, fact)| TimelineEvent {
                occurred_at: at(fact.at),
                sequence: sequence as u64,
                event: number(&fact.event),
                row: sequence as u64,
            })
            .collect();
        timeline.sort_by_key(|event| (event.occurred_at, event.sequence));
        MemoryProfile {
            catalog,
            recorded,
            names,
            timeline,
            traits: Vec::new(),
            known_from: None,
            cohort: None,
            consent: None,
            current: Value::Null,
            first_node: None,
        }
    }
}

impl ProfileView for MemoryProfile<'_> {
    fn trait_value(&self, path: &Path, at: Timestamp) -> Result<Option<Value>> {
        let holding = self.traits.iter().rev().find(|(from, _)| *from <= at.millis());
        Ok(holding.and_then(|(_, traits)| path.find(traits)).filter(|value| !value.is_null()))
    }

    fn events(&self) -> &[TimelineEvent] {
        &self.timeline
    }

    fn event_number(&self, name: &str) -> Option<u32> {
        self.names.iter().position(|known| *known == name).map(|place| place as u32)
    }

    fn property(&self, event: &TimelineEvent, path: &Path) -> Option<Cow<'_, Value>> {
        let value = path.find(&self.recorded[event.row as usize].properties);
        value.filter(|value| !value.is_null()).map(Cow::Owned)
    }

    fn tie_order(&self, sequence: u64) -> Result<TieOrder> {
        Ok(TieOrder::message(0, &self.recorded[sequence as usize].message_id, ""))
    }

    fn feature(&self, name: &str, at: Timestamp) -> Result<Value> {
        crate::rules::feature_value(self.catalog.feature(name)?, self, at)
    }

    fn in_audience(&self, name: &str, at: Timestamp) -> Result<bool> {
        let audience = self.catalog.audience(name)?;
        let counts = audience.population == Population::Everybody || self.is_known(at);
        Ok(counts && evaluate(&audience.rule, self, at)?)
    }

    fn cohort(&self, _predictor: &str, _at: Timestamp) -> Result<Option<(String, Number)>> {
        Ok(self.cohort.clone())
    }

    fn consent(&self, _purpose: &str, _channel: Option<&str>, _at: Timestamp) -> Result<ConsentStatus> {
        Ok(self.consent.unwrap_or(ConsentStatus::Unknown))
    }

    fn has_identifier(&self, identifier_type: &str, at: Timestamp) -> bool {
        identifier_type == "email" && self.is_known(at)
    }

    fn is_known(&self, at: Timestamp) -> bool {
        self.known_from.is_some_and(|from| from <= at.millis())
    }

    fn first_identifier(&self) -> Option<(&str, &str)> {
        self.first_node.as_ref().map(|(identifier_type, value)| (identifier_type.as_str(), value.as_str()))
    }

    fn in_account(&self, account_type: &str, account: &str, at: Timestamp) -> Result<bool> {
        Ok(account_type == "group_id" && account == "acme" && self.is_known(at))
    }

    fn current(&self, path: &Path) -> Option<Value> {
        path.find(&self.current).filter(|value| !value.is_null())
    }

    fn other_changes(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Timestamp>> {
        let changes = self.traits.iter().map(|(from, _)| *from).chain(self.known_from);
        Ok(changes.map(at).filter(|time| *time > from && *time <= to).collect())
    }
}
