//! One hash of everything that must not depend on order, batching, repeats, restarts or language.

use crate::engine::handle::Cdp;
use crate::engine::people::consent::consents_of;
use crate::engine::people::person::Person;
use crate::engine::people::values::{audiences_of, feature_values};
use crate::engine::read::Length;
use crate::error::Result;
use crate::intake;
use crate::records::answer::Field;
use crate::records::{AsOf, Object, Timestamp, Value};
use crate::rules::ProfileView;
use crate::store::hex;
use crate::verbs::inspect::hash::{SetHash, hash_of};

impl Cdp {
    /// One hash of everything that must not depend on order, batching, repeats, restarts or language (law 2): the sets
    /// of facts and rejects, and people with their traits, features, memberships, consents and scores as of an instant.
    ///
    /// `as_of` defaults to the greatest occurred_at in the store, never the wall clock. Cost grows with the store.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::{AsOf, Track}};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.track(Track::new("Visited").user_id("u1").message_id("m1"))?;
    /// assert_eq!(db.fingerprint(AsOf::default())?.len(), 64);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn fingerprint(&self, as_of: impl Into<AsOf>) -> Result<String> {
        let as_of = Some(as_of.into());
        self.read_as_of(Length::Long, as_of, |snapshot| {
            let at = as_of
                .and_then(|as_of| as_of.valid)
                .or_else(|| snapshot.memory.greatest_occurred_at())
                .unwrap_or_default();
            let mut facts = SetHash::default();
            snapshot.facts.visit_messages(0, snapshot.memory.sequence(), |row| {
                let message = row.read(&snapshot.memory)?;
                let source = snapshot.memory.name(message.source);
                let occurred_at = message.occurred_at.millis().to_le_bytes();
                let (ordinal, content) = (message.ordinal.to_le_bytes(), intake::content_hash(&message.fields));
                let mut parts: Vec<&[u8]> = vec![source.as_bytes(), message.message_id.as_bytes(), &occurred_at];
                // A message with a time of its own has none.
                if message.ordinal > 0 {
                    parts.push(&ordinal);
                }
                parts.push(&content);
                facts.add(&hash_of(&parts));
                Ok(())
            })?;
            let mut rejects = SetHash::default();
            let known = as_of.and_then(|as_of| as_of.known);
            let mut recorded = snapshot.facts.rejects(None, None, 0, usize::MAX)?;
            recorded.retain(|reject| known.is_none_or(|known| reject.recorded_at <= known));
            for reject in recorded {
                let source = snapshot.memory.name(reject.source);
                rejects.add(&hash_of(&[source.as_bytes(), &reject.content_hash, reject.reason.as_bytes()]));
            }
            let mut people = SetHash::default();
            for person in snapshot.people(at)? {
                people.add(&hash_of(&[self.person_text(&person, at)?.as_bytes()]));
            }
            let mut hasher = blake3::Hasher::new();
            facts.finish("facts", &mut hasher);
            rejects.finish("rejects", &mut hasher);
            people.finish("people", &mut hasher);
            Ok(hex(hasher.finalize().as_bytes()))
        })
    }

    /// What holds of a person at an instant, without any salted id.
    fn person_text(&self, person: &Person<'_>, at: Timestamp) -> Result<String> {
        let mut ids: Vec<Value> = Vec::new();
        for (kind, values) in person.ids(at) {
            let mut values: Vec<&str> = values;
            values.sort_unstable();
            ids.extend(values.into_iter().map(|value| Value::List(vec![Value::from(kind), Value::from(value)])));
        }
        let mut scores = Object::new();
        for predictor in person.snapshot.catalog.predictors() {
            if let Some((cohort, score)) = person.cohort(&predictor.name, at)? {
                scores.insert(predictor.name.clone(), Value::List(vec![Value::Text(cohort), Value::Number(score)]));
            }
        }
        let holds = Value::object([
            ("ids", Value::List(ids)),
            ("traits", Value::Object(person.traits(at)?)),
            ("features", Value::Object(feature_values(person, at)?)),
            ("audiences", Value::from(audiences_of(person, at)?)),
            ("consents", consents_of(self, person, at)?.into_value()),
            ("scores", Value::Object(scores)),
        ]);
        Ok(holds.to_json())
    }
}
