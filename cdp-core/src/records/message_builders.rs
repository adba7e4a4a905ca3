//! Messages of the Segment dialect by their parts: what an application collects, without a word of JSON.
//!
//! It takes texts, values and `Serialize` types, and leaves the message as a [`Value`] in Segment's camelCase form. It checks
//! nothing: intake reports each fault with its field. A builder never shows a value in `Debug`.

use serde::Serialize;

use super::object_fields::{ObjectFields, builder};
use super::{MessageType, Timestamp, Value, to_value};
use crate::error::{Error, Result};

/// The fields that a message of a type begins with.
fn message_of(kind: MessageType) -> ObjectFields {
    ObjectFields::new().with("type", kind.as_str())
}

/// The message with all fields of a struct or map in an object of it.
fn with_all<T: Serialize + ?Sized>(message: ObjectFields, object: &str, fields: &T) -> Result<ObjectFields> {
    let given = to_value(fields)?;
    let kind = given.kind();
    let Some(fields) = given.into_object() else {
        return Err(Error::invalid(format!("`{object}` must be an object, not {kind}"))
            .with_hint("give a struct or a map with text keys"));
    };
    Ok(fields.into_iter().fold(message, |message, (name, value)| message.insert(object, name, value)))
}

/// Declares the builder of one type of message, with the fields that every message may have.
macro_rules! message {
    ($(#[$doc:meta])+ $name:ident $($more:ident)*) => {
        $(#[$doc])+
        #[derive(Clone, PartialEq)]
        #[must_use = "a message is collected when it is given to the store"]
        pub struct $name(ObjectFields);

        impl $name {
            /// The login: `userId`.
            pub fn user_id(self, user_id: impl Into<String>) -> Self {
                $name(self.0.with("userId", user_id.into()))
            }

            /// The browser or app installation: `anonymousId`.
            pub fn anonymous_id(self, anonymous_id: impl Into<String>) -> Self {
                $name(self.0.with("anonymousId", anonymous_id.into()))
            }

            /// An identifier of any type, such as `email` or `phone`.
            pub fn id(self, identifier_type: impl Into<String>, value: impl Into<String>) -> Self {
                $name(self.0.insert("ids", identifier_type, Value::Text(value.into())))
            }

            /// When it happened; without it, when it is received. Years 1900 to 2200.
            pub fn timestamp(self, time: impl Into<Timestamp>) -> Self {
                $name(self.0.with("timestamp", time.into()))
            }

            /// The id under which the message counts once for ever within its source; at most 1,024 bytes.
            pub fn message_id(self, message_id: impl Into<String>) -> Self {
                $name(self.0.with("messageId", message_id.into()))
            }

            /// One field of the context: `page`, `locale`, `campaign`, ...
            pub fn context(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
                $name(self.0.insert("context", name, value.into()))
            }

            /// Any other top-level field, which the log keeps as it is; a field of the same name is replaced.
            pub fn field(self, name: &str, value: impl Into<Value>) -> Self {
                $name(self.0.with(name, value))
            }

            $(message!(@$more $name);)*
        }

        builder!($name);
    };
    (@properties $name:ident) => {
        /// One property. A float that is not finite is kept as text, see [`Value`].
        pub fn property(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
            $name(self.0.insert("properties", name, value.into()))
        }

        /// Every field of a struct or map as a property, beside those that are there.
        ///
        /// # Errors
        /// `invalid`, with the path of the field, if it is no object or a value cannot be held, see [`to_value`].
        pub fn properties<T: Serialize + ?Sized>(self, properties: &T) -> Result<Self> {
            with_all(self.0, "properties", properties).map($name)
        }
    };
    (@traits $name:ident) => {
        /// One trait. A float that is not finite is kept as text, see [`Value`].
        pub fn trait_(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
            $name(self.0.insert("traits", name, value.into()))
        }

        /// Every field of a struct or map as a trait, beside those that are there.
        ///
        /// # Errors
        /// `invalid`, with the path of the field, if it is no object or a value cannot be held, see [`to_value`].
        pub fn traits<T: Serialize + ?Sized>(self, traits: &T) -> Result<Self> {
            with_all(self.0, "traits", traits).map($name)
        }
    };
    (@names $name:ident) => {
        /// Its name.
        pub fn name(self, name: impl Into<String>) -> Self {
            $name(self.0.with("name", name.into()))
        }

        /// The category it belongs to.
        pub fn category(self, category: impl Into<String>) -> Self {
            $name(self.0.with("category", category.into()))
        }
    };
}

message! {
    /// An event of a person: an order, a click, a sign-up.
    ///
    /// ```
    /// use cdp_core::records::{Timestamp, Track, Value};
    ///
    /// #[derive(serde::Serialize)]
    /// struct Order {
    ///     revenue: f64,
    ///     coupon: Option<String>,
    /// }
    /// let message = Track::new("Order Completed")
    ///     .user_id("u1")
    ///     .properties(&Order { revenue: 12.5, coupon: None })?
    ///     .property("currency", "EUR")
    ///     .timestamp("2024-01-31T09:30:00Z".parse::<Timestamp>()?)
    ///     .message_id("order-1");
    /// assert_eq!(format!("{message:?}"),
    ///     r#"Track with fields ["event", "messageId", "properties", "timestamp", "type", "userId"]"#);
    /// let json = Value::from(message).to_json();
    /// assert!(json.contains(r#""properties":{"coupon":null,"currency":"EUR","revenue":12.5}"#));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    Track properties
}

message! {
    /// The traits of a person.
    ///
    /// ```
    /// use cdp_core::records::{Identify, Value};
    /// let message = Identify::user("u1").trait_("email", "jane@example.com");
    /// assert_eq!(Value::from(message).to_json(), r#"{"traits":{"email":"jane@example.com"},"type":"identify","userId":"u1"}"#);
    /// ```
    Identify traits
}

message! {
    /// A view of a page of a web site; rules know it as the event `Page Viewed`.
    ///
    /// ```
    /// use cdp_core::records::{Page, Value};
    /// let message = Page::new("Home").anonymous_id("a1").property("url", "/");
    /// let json = r#"{"anonymousId":"a1","name":"Home","properties":{"url":"/"},"type":"page"}"#;
    /// assert_eq!(Value::from(message).to_json(), json);
    /// ```
    Page properties names
}

message! {
    /// A view of a screen of an app; rules know it as the event `Screen Viewed`.
    ///
    /// ```
    /// use cdp_core::records::{Screen, Value};
    /// let message = Screen::new("Cart").user_id("u1").category("Shop");
    /// let json = r#"{"category":"Shop","name":"Cart","type":"screen","userId":"u1"}"#;
    /// assert_eq!(Value::from(message).to_json(), json);
    /// ```
    Screen properties names
}

message! {
    /// The account of a person, a company or a household, and its traits.
    ///
    /// ```
    /// use cdp_core::records::{Group, Value};
    /// let message = Group::new("acme").user_id("u1").trait_("industry", "retail");
    /// let json = r#"{"groupId":"acme","traits":{"industry":"retail"},"type":"group","userId":"u1"}"#;
    /// assert_eq!(Value::from(message).to_json(), json);
    /// ```
    Group traits
}

message! {
    /// The statement that two ids belong to one person.
    ///
    /// ```
    /// use cdp_core::records::{Alias, Value};
    /// let message = Alias::new("a1", "u1");
    /// assert_eq!(Value::from(message).to_json(), r#"{"previousId":"a1","type":"alias","userId":"u1"}"#);
    /// ```
    Alias
}

message! {
    /// A choice of a person about one use of their data.
    ///
    /// ```
    /// use cdp_core::records::{Consent, Value};
    /// let message = Consent::denied("marketing").channel("email").user_id("u1");
    /// let json = r#"{"channel":"email","purpose":"marketing","status":"denied","type":"consent","userId":"u1"}"#;
    /// assert_eq!(Value::from(message).to_json(), json);
    /// ```
    Consent
}

impl Track {
    /// An event of this name.
    pub fn new(event: impl Into<String>) -> Track {
        Track(message_of(MessageType::Track).with("event", event.into()))
    }
}

impl Identify {
    /// A person by login.
    pub fn user(user_id: impl Into<String>) -> Identify {
        Identify(message_of(MessageType::Identify)).user_id(user_id)
    }

    /// A person by browser or app installation.
    pub fn anonymous(anonymous_id: impl Into<String>) -> Identify {
        Identify(message_of(MessageType::Identify)).anonymous_id(anonymous_id)
    }
}

impl Page {
    /// A page of this name.
    pub fn new(name: impl Into<String>) -> Page {
        Page(message_of(MessageType::Page)).name(name)
    }
}

impl Screen {
    /// A screen of this name.
    pub fn new(name: impl Into<String>) -> Screen {
        Screen(message_of(MessageType::Screen)).name(name)
    }
}

impl Group {
    /// The account of this id.
    pub fn new(group_id: impl Into<String>) -> Group {
        Group(message_of(MessageType::Group).with("groupId", group_id.into()))
    }
}

impl Alias {
    /// The former id and the login that takes its place.
    pub fn new(previous_id: impl Into<String>, user_id: impl Into<String>) -> Alias {
        Alias(message_of(MessageType::Alias).with("previousId", previous_id.into())).user_id(user_id)
    }
}

impl Consent {
    /// The use is allowed: `marketing`, `analytics`, ...
    pub fn granted(purpose: impl Into<String>) -> Consent {
        Consent::of(purpose.into(), "granted")
    }

    /// The use is forbidden.
    pub fn denied(purpose: impl Into<String>) -> Consent {
        Consent::of(purpose.into(), "denied")
    }

    fn of(purpose: String, status: &str) -> Consent {
        Consent(message_of(MessageType::Consent).with("purpose", purpose).with("status", status))
    }

    /// The choice is about this channel alone: `email`, `sms`, ...
    pub fn channel(self, channel: impl Into<String>) -> Consent {
        Consent(self.0.with("channel", channel.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_builder_shows_a_personal_value() {
        let shown = [
            format!("{:?}", Track::new("jane").user_id("jane").property("a", "jane").context("b", "jane")),
            format!("{:?}", Identify::anonymous("jane").trait_("a", "jane").id("email", "jane")),
            format!("{:?}", Page::new("jane").category("jane")),
            format!("{:?}", Screen::new("jane").field("c", "jane")),
            format!("{:?}", Group::new("jane").message_id("jane")),
            format!("{:?}", Alias::new("jane", "jane")),
            format!("{:?}", Consent::granted("jane").channel("jane")),
        ];
        for text in shown {
            assert!(text.contains("\"type\"") && !text.contains("jane"), "{text}");
        }
    }

    #[test]
    fn properties_that_are_no_object_are_refused() {
        let error = Track::new("a").properties(&[1]).unwrap_err();
        assert_eq!(error.message(), "`properties` must be an object, not list");
        let error = Identify::user("u").traits(&std::collections::BTreeMap::from([("age", f64::NAN)])).unwrap_err();
        assert!(error.message().contains("`age`"));
    }
}
