//! The fields that every definition has.

use crate::definitions::schema::fields;

fields! {
    /// The fields of every kind.
    common {
        KIND = "kind", Word("kind"), Required, r#""feature""#, "The kind of the definition; it decides which other fields there are.";
        NAME = "name", Text, Required, r#""orders_30d""#, "The name, unique within its kind. A definition with the same kind and name is a new version.";
        DESCRIPTION = "description", Text, Optional, r#""Orders of the last 30 days""#, "A sentence for the people who maintain the definition; it changes no result.";
        OWNER = "owner", Text, Optional, r#""growth team""#, "The person or team responsible; it changes no result.";
        TAGS = "tags", List(&Text), Optional, r#"["orders", "lifecycle"]"#, "Labels for search and grouping; they change no result.";
    }
}
