//! How a caller names a person: one identifier type and a value. Shows the type in debug output, never the value.

use crate::error::{Error, Result};
use crate::records::Value;

/// How a caller names a person: `{type: value}` with one key, or `{profile_id: ...}`.
///
/// ```
/// use cdp_core::records::Identifier;
/// assert_eq!(Identifier::user_id("u1"), Identifier::from(("user_id", "u1")));
/// assert_eq!(format!("{:?}", Identifier::email("jane@example.com")), "Identifier(email: ***)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Identifier {
    /// The identifier type, or `profile_id`.
    pub identifier_type: String,
    /// The value as the caller wrote it.
    pub value: String,
}

/// Shows the type, never the value.
impl std::fmt::Debug for Identifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identifier({}: ***)", self.identifier_type)
    }
}

impl Identifier {
    /// An identifier of a type.
    pub fn new(identifier_type: impl Into<String>, value: impl Into<String>) -> Identifier {
        Identifier { identifier_type: identifier_type.into(), value: value.into() }
    }

    /// A login: the identifier type `user_id`.
    pub fn user_id(value: impl Into<String>) -> Identifier {
        Identifier::new("user_id", value)
    }

    /// An email address: the identifier type `email`.
    pub fn email(value: impl Into<String>) -> Identifier {
        Identifier::new("email", value)
    }

    /// A browser or an app installation: the identifier type `anonymous_id`.
    pub fn anonymous_id(value: impl Into<String>) -> Identifier {
        Identifier::new("anonymous_id", value)
    }

    /// The id that the store itself gave a profile.
    pub fn profile_id(value: impl Into<String>) -> Identifier {
        Identifier::new("profile_id", value)
    }

    pub(crate) fn is_profile_id(&self) -> bool {
        self.identifier_type == "profile_id"
    }

    /// Reads `{type: value}`; the value is text or a number.
    pub fn from_value(value: &Value) -> Result<Identifier> {
        let hint = "give one, such as {\"user_id\": \"u1\"}";
        let one = value.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
        let Some((identifier_type, value)) = one else {
            return Err(Error::invalid("an identifier is an object with one key: its type").with_hint(hint));
        };
        match value {
            Value::Text(text) => Ok(Identifier::new(identifier_type, text)),
            Value::Number(number) => Ok(Identifier::new(identifier_type, number.to_string())),
            other => {
                Err(Error::invalid(format!("the value of `{identifier_type}` must be text, not {}", other.kind()))
                    .with_hint(hint))
            }
        }
    }
}

/// An identifier of a type: `("user_id", "u1")`.
impl<T: Into<String>, V: Into<String>> From<(T, V)> for Identifier {
    fn from((identifier_type, value): (T, V)) -> Identifier {
        Identifier::new(identifier_type, value)
    }
}

/// `{type: value}`, which [`Identifier::from_value`] reads back.
/// What names a person in a call: an [`Identifier`], a pair of type and value, or a JSON object `{type: value}`.
///
/// ```
/// use cdp_core::{Cdp, OpenOptions, records::{AsOf, Identifier}};
///
/// let db = Cdp::open(OpenOptions::in_memory())?;
/// assert_eq!(db.profile(("user_id", "u1"), AsOf::NOW)?, None);
/// assert_eq!(db.profile(Identifier::user_id("u1"), AsOf::NOW)?, None);
/// # Ok::<(), cdp_core::Error>(())
/// ```
pub trait IntoIdentifier {
    /// The identifier; `invalid` if it is a JSON value of another shape.
    fn into_identifier(self) -> Result<Identifier>;
}

impl IntoIdentifier for Identifier {
    fn into_identifier(self) -> Result<Identifier> {
        Ok(self)
    }
}

impl IntoIdentifier for &Identifier {
    fn into_identifier(self) -> Result<Identifier> {
        Ok(self.clone())
    }
}

impl<T: Into<String>, V: Into<String>> IntoIdentifier for (T, V) {
    fn into_identifier(self) -> Result<Identifier> {
        Ok(Identifier::from(self))
    }
}

impl IntoIdentifier for &Value {
    fn into_identifier(self) -> Result<Identifier> {
        Identifier::from_value(self)
    }
}

impl From<Identifier> for Value {
    fn from(identifier: Identifier) -> Value {
        Value::object([(identifier.identifier_type, Value::Text(identifier.value))])
    }
}
