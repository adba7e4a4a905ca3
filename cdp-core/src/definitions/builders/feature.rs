//! The builder of a feature: one value of a profile, computed from its events.

use super::parts::{ObjectFields, builder, definition, named, selects_events};
use crate::definitions::Aggregate;
use crate::records::Value;

/// A value that is computed from the events of a profile.
///
/// An event is one name, a list of names, or `*` for any event. Nothing is checked here: `define` reports every fault at its
/// JSON pointer.
///
/// ```
/// use cdp_core::define::Feature;
/// use cdp_core::definitions::Definition;
/// use cdp_core::records::Value;
/// let feature = Value::from(Feature::sum("total_spend", "Order Completed", "revenue").within("30d").default(0));
/// let json = r#"{"agg":"sum","default":0,"event":"Order Completed","kind":"feature","name":"total_spend","property":"revenue","within":"30d"}"#;
/// assert_eq!(feature.to_json(), json);
/// assert_eq!(Definition::from_value(&feature)?.name, "total_spend");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a feature exists when it is defined"]
pub struct Feature(ObjectFields);

definition!(Feature);
selects_events!(Feature);

/// Declares a constructor for each aggregate.
macro_rules! aggregates {
    ($($(#[$doc:meta])+ $name:ident = $aggregate:ident ($($property:ident)?);)+) => {
        impl Feature {
            $(
                $(#[$doc])+
                pub fn $name(name: impl Into<String>, event: impl Into<Value> $(, $property: impl Into<String>)?) -> Feature {
                    let feature = Feature::of(name, event, Aggregate::$aggregate);
                    $(let feature = feature.property($property);)?
                    feature
                }
            )+
        }
    };
}

aggregates! {
    /// How many events.
    count = Count();
    /// How many different values of a property.
    count_distinct = CountDistinct(property);
    /// On how many UTC days there are events.
    distinct_days = DistinctDays();
    /// The sum of a property.
    sum = Sum(property);
    /// The mean of a property, rounded half-even to nine places.
    avg = Avg(property);
    /// The least number of a property.
    min = Min(property);
    /// The greatest number of a property.
    max = Max(property);
    /// The sample standard deviation of a property; null below two numbers.
    stddev = Stddev(property);
    /// The value of a property in the earliest event that has one.
    first = First(property);
    /// The value of a property in the latest event that has one.
    last = Last(property);
    /// When the earliest event happened.
    first_at = FirstAt();
    /// When the latest event happened.
    last_at = LastAt();
    /// Whether there is any event.
    exists = Exists();
}

impl Feature {
    /// A feature by its aggregate.
    pub fn of(name: impl Into<String>, event: impl Into<Value>, aggregate: Aggregate) -> Feature {
        Feature(named("feature", name).with("event", event).with("agg", aggregate.as_str()))
    }

    /// The property that is aggregated: a path such as `revenue` or `products.*.price`.
    pub fn property(self, path: impl Into<String>) -> Feature {
        Feature(self.0.with("property", path.into()))
    }

    /// The value when no event contributes.
    pub fn default(self, value: impl Into<Value>) -> Feature {
        Feature(self.0.with("default", value))
    }

    /// How long after the latest event that contributed the value holds; then it is the default again.
    pub fn ttl(self, length: impl Into<Value>) -> Feature {
        Feature(self.0.with("ttl", length))
    }
}
