//! Feature values: what a profile's events add up to at an instant.
//!
//! It takes a feature definition and a [`ProfileView`] and leaves the value; it keeps nothing, so a value is the same
//! whether it was computed yesterday for today or today.

use crate::definitions::FeatureDefinition;
use crate::error::Result;
use crate::records::{Timestamp, Value};
use crate::rules::{Measurer, ProfileView};

/// The value of a feature for a profile at an instant.
///
/// Without events that contribute it is the feature's `default`; without a default it is 0 for counts, false for
/// `exists`, else null. With a `ttl`, the same holds once the latest contributing event is `ttl` old: it counts in `(t-ttl, t]`.
pub(crate) fn value(feature: &FeatureDefinition, view: &dyn ProfileView, at: Timestamp) -> Result<Value> {
    value_by(feature, &mut Measurer::new(view, at), at)
}

/// The same for one of several features of a profile, which share a measurer.
pub(crate) fn value_by<'v>(
    feature: &'v FeatureDefinition,
    measurer: &mut Measurer<'v>,
    at: Timestamp,
) -> Result<Value> {
    Ok(measurer.measure(&feature.measure)?.in_feature(feature, at))
}
