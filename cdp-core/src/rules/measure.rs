//! Measures the events of a profile: selects those that a [`Measure`] means and hands them to its aggregate.
//!
//! It takes a measure and leaves the value together with the instant of the latest event behind it; an event without the
//! property contributes nothing. How events are folded is said by the aggregates; what the value is when nothing
//! contributed is for the caller to say.

use super::aggregates::{self, Totals};
use super::timeline::{SelectedEvents, Selector, bounds, part};
use super::{ProfileView, TimelineEvent};
use crate::definitions::{Aggregate, FeatureDefinition, Measure};
use crate::error::{Error, Result};
use crate::records::{Path, Timestamp, Value};

/// What a measure found.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The value; `None` if no event contributed.
    pub value: Option<Value>,
    /// When the latest event that contributed happened.
    pub latest: Option<Timestamp>,
}

pub(crate) const NOTHING: Measured = Measured { value: None, latest: None };

impl Measured {
    /// The value that an event leaf compares: where no event contributed, no events are 0 events and sum to 0.
    pub(crate) fn in_comparison(self, aggregate: Aggregate) -> Value {
        self.value.unwrap_or_else(|| aggregates::of(aggregate).of_nothing_in_comparison())
    }

    /// The value of a feature with this measure: its default where no event contributed or the latest one is too old.
    pub(crate) fn in_feature(self, feature: &FeatureDefinition, at: Timestamp) -> Value {
        let is_fresh = match (feature.ttl, self.latest) {
            (Some(ttl), Some(latest)) => latest > at.plus_millis(-ttl.millis()),
            _ => true,
        };
        let of_nothing = || aggregates::of(feature.measure.aggregate).of_nothing();
        self.value.filter(|_| is_fresh).or_else(|| feature.default.clone()).unwrap_or_else(of_nothing)
    }
}

/// Measures the events of a profile at an instant. Fails only if a sum leaves 128 bits or a message id cannot be read.
pub fn measure(measure: &Measure, view: &dyn ProfileView, at: Timestamp) -> Result<Measured> {
    Measurer::new(view, at).measure(measure)
}

/// The value of a feature for a profile at an instant.
///
/// Without events that contribute it is the feature's `default`; without a default it is 0 for counts, false for
/// `exists`, else null. With a `ttl`, the same holds once the latest contributing event is `ttl` old: it counts in
/// `(t-ttl, t]`.
pub(crate) fn feature_value(feature: &FeatureDefinition, view: &dyn ProfileView, at: Timestamp) -> Result<Value> {
    Measurer::new(view, at).feature(feature)
}

/// A profile with fewer events is looked through as quickly as a part of it is made.
const FEW_EVENTS: usize = 8;

/// Measures one profile at one instant again and again: what a measure shares with the one before it is not done twice.
pub struct Measurer<'v> {
    view: &'v dyn ProfileView,
    at: Timestamp,
    // The events with the names that the last measure asked for.
    named: Option<(&'v [String], Vec<TimelineEvent>)>,
    // The numbers that it found.
    totals: Option<(&'v Measure, Totals)>,
}

impl<'v> Measurer<'v> {
    /// For a profile as seen from an instant.
    pub fn new(view: &'v dyn ProfileView, at: Timestamp) -> Measurer<'v> {
        Measurer { view, at, named: None, totals: None }
    }

    /// What [`measure`] gives.
    pub fn measure(&mut self, measure: &'v Measure) -> Result<Measured> {
        aggregates::of(measure.aggregate).fold(Measuring { measurer: self, measure })
    }

    /// What [`feature_value`] gives.
    pub(crate) fn feature(&mut self, feature: &'v FeatureDefinition) -> Result<Value> {
        let at = self.at;
        Ok(self.measure(&feature.measure)?.in_feature(feature, at))
    }
}

/// One measure of one profile: what an aggregate can ask for. Nothing is looked up that it does not ask for.
pub(crate) struct Measuring<'m, 'v> {
    measurer: &'m mut Measurer<'v>,
    measure: &'v Measure,
}

impl<'v> Measuring<'_, 'v> {
    /// The profile.
    pub(crate) fn view(&self) -> &'v dyn ProfileView {
        self.measurer.view
    }

    /// The property that is aggregated. A definition without one is refused when it is read.
    pub(crate) fn property(&self) -> Result<&'v Path> {
        let property = self.measure.property.as_ref();
        property.ok_or_else(|| Error::internal("a measure that needs a property has none"))
    }

    /// The events that the measure selects, in the order of (occurred_at, sequence).
    pub(crate) fn events(&mut self) -> SelectedEvents<'_> {
        let Measurer { view, at, named, .. } = &mut *self.measurer;
        let view = *view;
        let selector = Selector::new(&self.measure.selection, view);
        let events = match self.measure.selection.events.as_slice() {
            names if names.is_empty() || view.events().len() < FEW_EVENTS => view.events(),
            names => {
                if named.as_ref().is_none_or(|(last, _)| *last != names) {
                    let events = view.events().iter().filter(|event| selector.names(event)).copied().collect();
                    *named = Some((names, events));
                }
                named.as_ref().map_or(&[][..], |(_, events)| events)
            }
        };
        let (after, until) = bounds(&self.measure.window, *at);
        selector.select(part(events, after, until))
    }

    /// What the numbers of the property add up to.
    pub(crate) fn totals(&mut self) -> Result<&Totals> {
        let measure = self.measure;
        let is_known = self.measurer.totals.as_ref().is_some_and(|(last, _)| has_same_numbers(last, measure));
        if !is_known {
            let (property, view) = (self.property()?, self.view());
            let totals = Totals::of(self.events(), property, view)?;
            self.measurer.totals = Some((measure, totals));
        }
        let totals = self.measurer.totals.as_ref().map(|(_, totals)| totals);
        totals.ok_or_else(|| Error::internal("the totals of a measure are lost"))
    }
}

/// Whether two measures aggregate the same numbers, each in its way.
fn has_same_numbers(left: &Measure, right: &Measure) -> bool {
    left.window == right.window && left.property == right.property && left.selection == right.selection
}
