//! The fields of a definition that is being made, and what every kind of definition may say.

use crate::definitions::schema::Words;
pub(super) use crate::records::object_fields::{ObjectFields, builder};

/// A definition of a kind with a name.
pub(super) fn named(kind: &str, name: impl Into<String>) -> ObjectFields {
    ObjectFields::new().with("kind", kind).with("name", name.into())
}

/// The first word of a list that stands for a value.
pub(super) fn word<T: PartialEq>(words: &Words<T>, value: &T) -> &'static str {
    words.rows.iter().find(|(_, known, _)| known == value).map_or("", |(word, ..)| word)
}

/// Gives the builder of a whole definition what every kind may say.
macro_rules! definition {
    ($name:ident) => {
        builder!($name);

        impl $name {
            /// What the definition is for, in a sentence.
            pub fn description(self, description: impl Into<String>) -> Self {
                $name(self.0.with("description", description.into()))
            }

            /// The team or person that answers for it.
            pub fn owner(self, owner: impl Into<String>) -> Self {
                $name(self.0.with("owner", owner.into()))
            }

            /// One more tag.
            pub fn tag(self, tag: impl Into<String>) -> Self {
                $name(self.0.push("tags", tag.into()))
            }
        }
    };
}

/// Gives a builder the fields that choose events and their window of time.
macro_rules! selects_events {
    ($name:ident) => {
        impl $name {
            /// Only events whose property compares like this; several conditions must all hold.
            pub fn filter(self, condition: impl Into<Value>) -> Self {
                $name(self.0.push("where", condition))
            }

            /// Events in `(t - length, t]`; a length is a text such as `24h` or `30d`.
            pub fn within(self, length: impl Into<Value>) -> Self {
                $name(self.0.with("within", length))
            }

            /// Events in `(t - longer, t - shorter]`.
            pub fn between_ago(self, longer: impl Into<Value>, shorter: impl Into<Value>) -> Self {
                $name(self.0.with("between_ago", [longer.into(), shorter.into()]))
            }

            /// Events at this instant or later.
            pub fn since(self, time: impl Into<Value>) -> Self {
                $name(self.0.with("since", time))
            }

            /// Events between two instants, both included.
            pub fn between(self, first: impl Into<Value>, last: impl Into<Value>) -> Self {
                $name(self.0.with("between", [first.into(), last.into()]))
            }
        }
    };
}

pub(super) use {definition, selects_events};
