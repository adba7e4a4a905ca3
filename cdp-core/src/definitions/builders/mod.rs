//! Definitions by typed builders: each becomes the JSON that a person would write by hand.
//!
//! A builder checks nothing: the readers report every fault at once with its JSON pointer, whatever wrote the definition. A
//! length of time is a text such as `24h`, or a [`Duration`](crate::records::Duration); an instant is a
//! [`Timestamp`](crate::records::Timestamp), or RFC 3339 text.

mod expression;
mod feature;
mod identity;
mod parts;
mod predictor;
mod rule;
mod small;
mod source;
#[cfg(test)]
mod tests;

pub use expression::{Condition, Expr, FieldMap};
pub use feature::Feature;
pub use identity::{IdentifierType, Identity, Linkage};
pub use predictor::{DescribedCohort, Predictor};
pub use rule::{Compared, Rule, Step};
pub use small::{Audience, ConsentPolicy, Destination, EventSchema, Policy};
pub use source::{Emit, Gate, Source};

use crate::error::{Error, Result};
use crate::records::Value;

/// What can be defined: one builder or JSON value, a list of them, a tuple of different ones, or a JSON text of one
/// definition or a list.
///
/// ```
/// use cdp_core::define::{Feature, IntoDefinitions};
/// let orders = Feature::count("orders", "Order Completed");
/// let text = r#"{"kind": "consent_policy", "name": "eu", "purposes": {}}"#;
/// assert_eq!(orders.clone().into_definitions()?.len(), 1);
/// assert_eq!([orders.clone(), orders.clone()].into_definitions()?.len(), 2);
/// assert_eq!((orders, text).into_definitions()?.len(), 2);
/// # Ok::<(), cdp_core::Error>(())
/// ```
pub trait IntoDefinitions {
    /// The definitions as JSON values, in their order.
    ///
    /// # Errors
    /// `invalid` where a text is not JSON.
    fn into_definitions(self) -> Result<Vec<Value>>;
}

impl<T> IntoDefinitions for T
where
    Value: From<T>,
{
    fn into_definitions(self) -> Result<Vec<Value>> {
        match Value::from(self) {
            Value::List(items) => Ok(items),
            Value::Text(text) => {
                let parsed = Value::parse(text.as_bytes())
                    .map_err(|fault| Error::invalid(format!("the definitions are {fault}")))?;
                Ok(match parsed {
                    Value::List(items) => items,
                    one => vec![one],
                })
            }
            one => Ok(vec![one]),
        }
    }
}

macro_rules! tuples {
    ($(($($name:ident $member:ident),+))+) => {$(
        impl<$($name: IntoDefinitions),+> IntoDefinitions for ($($name,)+) {
            fn into_definitions(self) -> Result<Vec<Value>> {
                let ($($member,)+) = self;
                let mut definitions = Vec::new();
                $(definitions.extend($member.into_definitions()?);)+
                Ok(definitions)
            }
        }
    )+};
}

tuples! {
    (A a, B b)
    (A a, B b, C c)
    (A a, B b, C c, D d)
    (A a, B b, C c, D d, E e)
    (A a, B b, C c, D d, E e, F f)
    (A a, B b, C c, D d, E e, F f, G g)
    (A a, B b, C c, D d, E e, F f, G g, H h)
}
