//! A person as rules see one: traits, events, features, audiences, cohorts, consent.

use std::borrow::Cow;

use crate::audiences;
use crate::engine::people::person::{HYPOTHETICAL_NAME, HYPOTHETICAL_ROW, HYPOTHETICAL_SEQUENCE, Person};
use crate::error::{Error, Result};
use crate::identity::NodeRules;
use crate::predict::Prediction;
use crate::records::{Number, Path, TieOrder, Timestamp, Value};
use crate::rules::feature_value;
use crate::rules::{ConsentStatus, ProfileView, TimelineEvent};

impl ProfileView for Person<'_> {
    fn trait_value(&self, path: &Path, at: Timestamp) -> Result<Option<Value>> {
        if let Some(whole) = self.trait_named(path.as_str(), at)? {
            return Ok(Some(whole.into_owned()));
        }
        let Some((name, _)) = path.as_str().split_once('.') else { return Ok(None) };
        let Some(value) = self.trait_named(name, at)? else { return Ok(None) };
        let holder = Value::object([(name, value.into_owned())]);
        Ok(path.find(&holder).filter(|found| !found.is_null()))
    }

    fn events(&self) -> &[TimelineEvent] {
        &self.facts.timeline
    }

    fn event_number(&self, name: &str) -> Option<u32> {
        let is_hypothetical = || self.hypothetical.as_ref().is_some_and(|current| current.event == name);
        self.snapshot.memory.name_id(name).or_else(|| is_hypothetical().then_some(HYPOTHETICAL_NAME))
    }

    fn property(&self, event: &TimelineEvent, path: &Path) -> Option<Cow<'_, Value>> {
        if event.row != HYPOTHETICAL_ROW {
            return self.snapshot.memory.property(&self.facts, event, path);
        }
        let properties = self.hypothetical.as_ref()?.message.get("properties")?;
        if path.is_multiple() {
            return path.find(properties).map(Cow::Owned);
        }
        path.find_one(properties).filter(|value| !value.is_null()).map(Cow::Borrowed)
    }

    fn other_changes(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Timestamp>> {
        self.instants_of_other_facts(from, to)
    }

    fn tie_order(&self, sequence: u64) -> Result<TieOrder> {
        // A hypothetical event is no message of the log: it sorts behind every other.
        if sequence == HYPOTHETICAL_SEQUENCE {
            Ok(TieOrder::behind_messages("\u{10ffff}".to_owned()))
        } else {
            NodeRules::tie_order(self.snapshot, sequence)
        }
    }

    fn feature(&self, name: &str, at: Timestamp) -> Result<Value> {
        feature_value(self.snapshot.catalog.feature(name)?, self, at)
    }

    fn in_audience(&self, name: &str, at: Timestamp) -> Result<bool> {
        audiences::is_member(self.snapshot.catalog.audience(name)?, self, at)
    }

    fn cohort(&self, predictor: &str, at: Timestamp) -> Result<Option<(String, Number)>> {
        let predicted = self.predicted(predictor, at)?;
        let Some((Prediction { cohort: Some(cohort), score, .. }, _)) = predicted else { return Ok(None) };
        let score = Number::from_f64(score).map_err(|_| Error::internal("a score is no number"))?;
        Ok(Some((cohort, score)))
    }

    fn consent(&self, purpose: &str, channel: Option<&str>, at: Timestamp) -> Result<ConsentStatus> {
        Ok(self.consent_state(purpose, channel, at)?.status)
    }

    fn has_identifier(&self, identifier_type: &str, at: Timestamp) -> bool {
        self.profile.nodes_named_by(at).into_iter().any(|node| self.snapshot.memory.node(node).0 == identifier_type)
    }

    fn is_known(&self, at: Timestamp) -> bool {
        self.profile.is_known(at)
    }

    fn first_identifier(&self) -> Option<(&str, &str)> {
        (!self.nodes.is_empty()).then(|| self.snapshot.memory.node(self.profile.first_node()))
    }

    fn in_account(&self, account_type: &str, account: &str, at: Timestamp) -> Result<bool> {
        Ok(self.accounts(at)?.any(|found| found == (account_type, account)))
    }

    fn current(&self, path: &Path) -> Option<Value> {
        path.find(self.hypothetical.as_ref()?.message).filter(|value| !value.is_null())
    }
}
