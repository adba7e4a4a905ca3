//! The training data of a cohort predictor: texts and labels of people who allow it.
//!
//! Takes the people of a snapshot; leaves documents with their classes. A person who denied the purpose `ml_training` must
//! never be among them, and is only counted (SEMANTICS, Consent).

use std::collections::BTreeMap;

use crate::definitions::{OUTSIDE, PredictorDefinition, PredictorLabel};
use crate::engine::handle::Cdp;
use crate::engine::people::person::Person;
use crate::engine::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::records::{Path, Timestamp, Value};
use crate::rules::ProfileView;

/// The purpose that a person must allow before a model learns from them.
const PURPOSE: &str = "ml_training";

/// Documents, the class of each, and when its person was first seen.
#[derive(Default)]
pub(super) struct LabelledTexts {
    pub(crate) documents: Vec<Vec<String>>,
    pub(crate) labels: Vec<String>,
    pub(crate) first_seen: Vec<i64>,
    /// How many were left out because they do not allow it.
    pub(crate) withheld: u64,
}

/// Where the class of a person is found.
pub(crate) enum Labels<'a> {
    Trait(&'a Path),
    List(BTreeMap<u32, &'a str>),
    Audience(&'a str),
}

impl Labels<'_> {
    /// The class that a person is labelled with.
    pub(crate) fn of(&self, person: &Person<'_>, at: Timestamp) -> Result<Option<String>> {
        match self {
            Labels::Trait(path) => match person.trait_value(path, at)? {
                Some(Value::Text(class)) if !class.is_empty() => Ok(Some(class)),
                _ => Ok(None),
            },
            // A person under two classes, because two people became one, has the first in order.
            Labels::List(classes) => {
                let own = person.nodes.iter().filter_map(|node| classes.get(node)).min();
                Ok(own.map(|class| (*class).to_owned()))
            }
            Labels::Audience(name) => {
                let class = if person.in_audience(name, at)? { name } else { OUTSIDE };
                Ok(Some(class.to_owned()))
            }
        }
    }
}

impl Cdp {
    /// Whether a model may learn from a person.
    pub(super) fn may_learn_from(&self, person: &Person<'_>, at: Timestamp) -> Result<bool> {
        Ok(self.gate(person.snapshot, PURPOSE, None).refusal(person, at)?.is_none())
    }

    /// The people that have both the texts and the label of a cohort predictor.
    pub(super) fn labelled_texts<'a>(
        &self,
        snapshot: &'a Snapshot<'a>,
        definition: &'a PredictorDefinition,
        at: Timestamp,
    ) -> Result<LabelledTexts> {
        let labels = labels(snapshot, definition)?.ok_or_else(|| {
            let error = Error::invalid(format!("the predictor `{}` has no label to learn from", definition.name));
            error.with_hint("give it \"label\": {\"trait\": \"...\"}")
        })?;
        let mut texts = LabelledTexts::default();
        for person in snapshot.people(at)? {
            let Some(class) = labels.of(&person, at)? else { continue };
            let document = person.document(&definition.text, at)?;
            if document.is_empty() {
                continue;
            }
            if !self.may_learn_from(&person, at)? {
                texts.withheld += 1;
                continue;
            }
            texts.documents.push(document);
            texts.labels.push(class);
            texts.first_seen.push(person.seen(at)?.0.map_or(0, Timestamp::millis));
        }
        Ok(texts)
    }

    /// The texts of all people, without labels.
    pub(super) fn all_texts(
        &self,
        snapshot: &Snapshot<'_>,
        definition: &PredictorDefinition,
        at: Timestamp,
    ) -> Result<LabelledTexts> {
        let mut texts = LabelledTexts::default();
        for person in snapshot.people(at)? {
            let document = person.document(&definition.text, at)?;
            if document.is_empty() {
                continue;
            }
            if self.may_learn_from(&person, at)? {
                texts.documents.push(document);
            } else {
                texts.withheld += 1;
            }
        }
        Ok(texts)
    }
}

/// Where the labels of a cohort predictor are; `None` if it has none. A list may name people who are
/// not in the store yet.
pub(crate) fn labels<'d>(snapshot: &Snapshot<'_>, definition: &'d PredictorDefinition) -> Result<Option<Labels<'d>>> {
    Ok(match &definition.label {
        Some(PredictorLabel::Trait(path)) => Some(Labels::Trait(path)),
        Some(PredictorLabel::Audience(name)) => Some(Labels::Audience(name)),
        Some(PredictorLabel::List(people)) => {
            let mut classes = BTreeMap::new();
            for (class, identifiers) in people {
                for (identifier_type, value) in identifiers {
                    let node = match identifier_type.as_str() {
                        "profile_id" => snapshot.find_profile_id(value),
                        _ => snapshot.find_node(identifier_type, value),
                    };
                    node.map(|node| classes.entry(node).or_insert(class.as_str()));
                }
            }
            Some(Labels::List(classes))
        }
        Some(PredictorLabel::Event { .. }) | None => None,
    })
}
