//! Reading people: one profile, tables of profiles, their events, and under which id each lives today.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::definitions::Rule;
use crate::engine::handle::Cdp;
use crate::engine::people::consent::{PurposeConsent, consents_of};
use crate::engine::people::pages::Pages;
use crate::engine::people::person::Person;
use crate::engine::people::query::Query;
use crate::engine::people::table::{matching, paths_of, people_table};
use crate::engine::people::values::{CohortScore, audiences_of, cohorts_of, feature_values};
use crate::engine::tables::events::EventsTable;
use crate::error::Result;
use crate::records::answer::answer;
use crate::records::options::options;
use crate::records::{AsOf, Frame, Identifier, IntoIdentifier, Object, Timestamp, Value, from_value};

answer! {
    /// A person as the store knows them at one instant.
    pub struct Profile {
        /// The profile id: a keyed hash that resolves for ever.
        id: String,
        /// The identifiers by type, each list in the order in which they were first seen.
        ids: BTreeMap<String, Vec<String>>,
        /// The traits by name.
        traits: Object,
        /// The features by name; every defined one is there.
        features: Object,
        /// The names of the audiences that the person is in.
        audiences: Vec<String>,
        /// The cohort by predictor.
        cohorts: BTreeMap<String, CohortScore>,
        /// The consent by purpose.
        consents: BTreeMap<String, PurposeConsent>,
        /// The time of the earliest message.
        first_seen: Option<Timestamp>,
        /// The time of the latest message.
        last_seen: Option<Timestamp>,
        /// The profile ids that were joined into this one.
        merged_from: Vec<String>,
    }
}

impl Profile {
    /// The features as a type of the application.
    ///
    /// # Errors
    /// `invalid` with the name of the feature where a value does not fit its field.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, define::Feature, records::{AsOf, Track}};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Features {
    ///     spend: f64,
    /// }
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(Feature::sum("spend", "Order Completed", "revenue").default(0))?;
    /// db.send(Track::new("Order Completed").user_id("u1").property("revenue", 12.5))?;
    /// if let Some(profile) = db.profile(("user_id", "u1"), AsOf::NOW)? {
    ///     let features: Features = profile.features_as()?;
    ///     assert_eq!(features.spend, 12.5);
    /// }
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn features_as<T: DeserializeOwned>(&self) -> Result<T> {
        from_value(Value::Object(self.features.clone()))
    }

    /// The traits as a type of the application.
    ///
    /// # Errors
    /// `invalid` with the name of the trait where a value does not fit its field.
    pub fn traits_as<T: DeserializeOwned>(&self) -> Result<T> {
        from_value(Value::Object(self.traits.clone()))
    }
}

options! {
    /// Which events of a person are read.
    pub struct EventsQuery {
        /// Only events of this name.
        event: optional String,
        /// The largest number of rows; all without it.
        limit: optional usize,
        /// The number of events to skip: the `next` of the page before.
        after: optional usize,
        /// The instant asked about; now without it.
        as_of: optional AsOf,
    }
}

impl Cdp {
    /// The profile of the person with this identifier, as of an instant of event time; `None` if there is no such person.
    ///
    /// Costs tens of microseconds: it reads the events of one person, whatever the size of the store.
    ///
    /// # Errors
    /// `invalid` for an identifier type that is not declared.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::{AsOf, Identify}};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.send(Identify::user("u1").trait_("country", "France"))?;
    /// let profile = db.profile(("user_id", "u1"), AsOf::NOW)?;
    /// assert_eq!(profile.and_then(|profile| profile.traits.get("country").cloned()), Some("France".into()));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn profile(&self, identifier: impl IntoIdentifier, as_of: impl Into<AsOf>) -> Result<Option<Profile>> {
        let (identifier, as_of) = (identifier.into_identifier()?, as_of.into());
        let at = self.instant(as_of);
        self.read_person(&identifier, Some(as_of), at, |_, person| {
            person.map(|person| self.profile_of(&person, at)).transpose()
        })
    }

    fn profile_of(&self, person: &Person<'_>, at: Timestamp) -> Result<Profile> {
        let snapshot = person.snapshot;
        let first_node = person.first_node();
        let mut merged: Vec<u32> = person.nodes.iter().copied().filter(|node| *node != first_node).collect();
        merged.sort_by_cached_key(|node| {
            let (time, priority, kind, value) = snapshot.node_order(*node);
            (time, priority, kind.to_owned(), value.to_owned())
        });
        let (first_seen, last_seen) = person.seen(at)?;
        Ok(Profile {
            id: snapshot.node_hash(first_node),
            ids: person.owned_ids(at),
            traits: person.traits(at)?,
            features: feature_values(person, at)?,
            audiences: audiences_of(person, at)?,
            cohorts: cohorts_of(person, at)?,
            consents: consents_of(self, person, at)?,
            first_seen,
            last_seen,
            merged_from: merged.into_iter().map(|node| snapshot.node_hash(node)).collect(),
        })
    }

    /// The events of one person in event-time order: `message_id, source, type, event, occurred_at, recorded_at, properties`.
    ///
    /// An identifier without a person gives an empty table. Costs a read of the person's messages.
    ///
    /// # Errors
    /// `invalid` for an identifier type that is not declared.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::EventsQuery, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.send(Track::new("Order Completed").user_id("u1"))?;
    /// let events = db.events(("user_id", "u1"), &EventsQuery::new().event("Order Completed"))?;
    /// assert_eq!(events.n_rows(), 1);
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn events(&self, identifier: impl IntoIdentifier, query: &EventsQuery) -> Result<Frame> {
        let identifier = identifier.into_identifier()?;
        let EventsQuery { event, after, limit, as_of } = query;
        let (event, as_of) = (event.as_deref(), *as_of);
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

    /// The present profile id of each of these profile ids; `None` for one that never belonged to a profile.
    ///
    /// Profile ids resolve for ever, also after merges.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, records::{AsOf, Identify}};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.identify(Identify::user("u1"))?;
    /// if let Some(profile) = db.profile(("user_id", "u1"), AsOf::NOW)? {
    ///     assert_eq!(db.resolve(&[&profile.id])?[&profile.id], Some(profile.id.clone()));
    /// }
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn resolve(&self, profile_ids: &[impl AsRef<str>]) -> Result<BTreeMap<String, Option<String>>> {
        let at = self.now();
        self.read(|snapshot| {
            let mut found = BTreeMap::new();
            for id in profile_ids.iter().map(AsRef::as_ref) {
                let person = snapshot.find_person(&Identifier::profile_id(id), at)?;
                found.insert(id.to_owned(), person.map(|person| person.profile_id()));
            }
            Ok(found)
        })
    }
}

impl Cdp {
    /// A table of people: `profile_id`, identifiers, and the columns asked for (`traits.x`, `features.x`, `email`, ...).
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::Query, records::Identify};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// for user in ["u1", "u2"] {
    ///     db.identify(Identify::user(user).trait_("country", "France"))?;
    /// }
    /// let people = db.profiles(&Query::new().columns(["user_id", "traits.country"]).limit(1usize))?;
    /// assert_eq!(people.rows().next().map(|row| row.get::<String>("user_id")).transpose()?.as_deref(), Some("u1"));
    /// assert!(people.next.is_some());
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn profiles(&self, query: &Query) -> Result<Frame> {
        let rule = query.filter.as_ref().map(Rule::from_value).transpose()?;
        self.read_with_columns(query.as_of, &paths_of(rule.as_ref()), |snapshot| {
            people_table(snapshot, matching(rule.as_ref()), query, self.instant(query.as_of.unwrap_or_default()), None)
        })
    }

    /// A table of people page by page, each page of `query.limit` rows (1,000 without it).
    ///
    /// Each page is a read of its own; `as_of` pins the instant.
    pub fn profiles_pages(&self, query: Query) -> Pages<'_> {
        Pages::new(query.after.clone(), query.limit, move |after, limit| {
            self.profiles(&Query { after, limit: Some(limit), ..query.clone() })
        })
    }
}
