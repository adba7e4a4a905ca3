//! Features: of one person, or as a table of all people.

use serde::de::DeserializeOwned;

use crate::definitions::Rule;
use crate::engine::handle::Cdp;
use crate::engine::people::query::Query;
use crate::engine::people::table::{matching, paths_of, people_table};
use crate::engine::people::values::{feature_values, named_feature_values};
use crate::error::Result;
use crate::records::options::options;
use crate::records::{AsOf, Frame, IntoIdentifier, Object, Value, from_value};

options! {
    /// Which features a table has, and for which people.
    pub struct FeatureQuery {
        /// Names of features; all without it.
        names: list,
        /// The instant asked about; now without it.
        as_of: optional AsOf,
        /// A rule that people must match.
        filter: optional Value,
    }
}

impl Cdp {
    /// All features of one person by name; `None` if there is no such person.
    ///
    /// Costs ten to twenty microseconds: it reads the events of one person, whatever the size of the store.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, define::Feature, records::{AsOf, Track}};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(Feature::count("orders", "Order Completed"))?;
    /// db.track(Track::new("Order Completed").user_id("u1"))?;
    /// let features = db.features(("user_id", "u1"), AsOf::NOW)?.unwrap_or_default();
    /// assert_eq!(features["orders"], 1.into());
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn features(&self, identifier: impl IntoIdentifier, as_of: impl Into<AsOf>) -> Result<Option<Object>> {
        let (identifier, as_of) = (identifier.into_identifier()?, as_of.into());
        let at = self.instant(as_of);
        self.read_person(&identifier, Some(as_of), at, |_, person| {
            person.map(|person| feature_values(&person, at)).transpose()
        })
    }

    /// The named features of one person; `None` if there is no such person.
    ///
    /// # Errors
    /// `not_found` with the nearest name for a feature that is not defined.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, define::Feature, records::{AsOf, Track}};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define([Feature::count("orders", "Order Completed"), Feature::count("visits", "Visited")])?;
    /// db.track(Track::new("Visited").user_id("u1"))?;
    /// let features = db.features_named(("user_id", "u1"), &["visits"], AsOf::NOW)?.unwrap_or_default();
    /// assert_eq!((features.len(), &features["visits"]), (1, &1.into()));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn features_named(
        &self,
        identifier: impl IntoIdentifier,
        names: &[impl AsRef<str>],
        as_of: impl Into<AsOf>,
    ) -> Result<Option<Object>> {
        let (identifier, as_of) = (identifier.into_identifier()?, as_of.into());
        let at = self.instant(as_of);
        self.read_person(&identifier, Some(as_of), at, |_, person| {
            person.map(|person| named_feature_values(&person, names, at)).transpose()
        })
    }

    /// All features of one person as a type of the application; `None` if there is no such person.
    ///
    /// # Errors
    /// `invalid` with the name of the feature where a value does not fit its field.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, define::Feature, records::{AsOf, Track}};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Features {
    ///     orders: u64,
    /// }
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(Feature::count("orders", "Order Completed"))?;
    /// db.send(Track::new("Order Completed").user_id("u1"))?;
    /// let features = db.features_as::<Features>(("user_id", "u1"), AsOf::NOW)?;
    /// assert_eq!(features.map(|features| features.orders), Some(1));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn features_as<T: DeserializeOwned>(
        &self,
        identifier: impl IntoIdentifier,
        as_of: impl Into<AsOf>,
    ) -> Result<Option<T>> {
        let features = self.features(identifier, as_of)?;
        features.map(|features| from_value(Value::Object(features))).transpose()
    }

    /// A table of features with one row per person: `profile_id, user_id, email`, then the features.
    ///
    /// Cost grows with the store.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::FeatureQuery, define::Feature, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(Feature::count("orders", "Order Completed"))?;
    /// db.track(Track::new("Order Completed").user_id("u1"))?;
    /// let table = db.feature_table(&FeatureQuery::new().names(["orders"]))?;
    /// assert_eq!(table.rows().next().map(|row| row.get::<u32>("features.orders")).transpose()?, Some(1));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn feature_table(&self, query: &FeatureQuery) -> Result<Frame> {
        let rule = query.filter.as_ref().map(Rule::from_value).transpose()?;
        self.read_with_columns(query.as_of, &paths_of(rule.as_ref()), |snapshot| {
            let columns = match &query.names {
                Some(names) => names.iter().map(|name| format!("features.{name}")).collect(),
                None => snapshot.catalog.features().map(|feature| format!("features.{}", feature.name)).collect(),
            };
            let query = Query { columns: Some(columns), as_of: query.as_of, ..Query::default() };
            people_table(snapshot, matching(rule.as_ref()), &query, self.instant(query.as_of.unwrap_or_default()), None)
        })
    }
}
