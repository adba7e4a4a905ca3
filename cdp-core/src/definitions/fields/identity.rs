//! The fields of an identity definition: identifier types, limits, blocked values and the merge of traits.

use super::common::common;
use crate::definitions::schema::{Shape, fields};

fields! {
    /// An identity definition.
    identity {
        PRESET = "preset", Word("preset"), Optional, r#""segment""#, "A set of identifier types to start from. A type in `identifiers` replaces the type of that name.";
        IDENTIFIERS = "identifiers", List(&Object("identifier_type")), RequiredIf("required without `preset`"), r#"[{"type": "user_id", "role": "person", "priority": 1, "limit": 1}]"#, "The types of identifier. A message with an undeclared type is refused, except in `context.externalIds`.";
        MAX_IDENTIFIERS = "max_identifiers", Integer(2, 1_000_000_000), Optional, "200", "The number of identifiers one profile may hold. A link that would exceed it is refused. Without it there is no limit.";
        TRAITS = "traits", Map("trait", &Either(&[Word("trait_strategy"), Object("source_priority")])), Default("{}"), r#"{"plan": "newest", "visits": "sum"}"#, "How the values that messages give a trait become one value. Traits that are not named take the newest.";
        LINKAGE = "linkage", Object("profile_linkage"), Optional, r#"{"auto_link": false}"#, "Links profiles by probability. Without it nothing is compared; `{}` compares with every default.";
    }
    /// One identifier type.
    identifier_type {
        TYPE = "type", Text, Required, r#""email""#, "The name of the type, as messages and other definitions use it.";
        ROLE = "role", Word("role"), Required, r#""contact""#, "What the identifier stands for. A profile with a `person` or `contact` identifier is known, any other anonymous.";
        PRIORITY = "priority", Integer(0, 1_000_000), Required, "2", "The strength: of the identifiers of a message, the one with the smallest number decides to which profile the message belongs.";
        LIMIT = "limit", Either(&[Integer(1, 1_000_000_000), Object("limit")]), Optional, r#"{"n": 5, "window": "7d"}"#, "The number of values of the type one profile may hold. A link that would exceed it is refused. Without it there is no limit.";
        NORMALIZE = "normalize", Word("normalize"), Default(r#""exact""#), r#""email""#, "How values are normalized before they are compared.";
        DEFAULT_REGION = "default_region", Text, Optional, r#""DE""#, "The region of national telephone numbers, two letters of ISO 3166. Without it a national number stays as its digits.", beside r#""normalize": "phone""#;
        ON_CONFLICT = "on_conflict", Word("on_conflict"), Default(r#""keep_first""#), r#""latest_link_wins""#, "What happens when a value is seen with a second profile.";
        MAX_LINKS_FROM = "max_links_from", Map("identifier type, or `*` for any", &Integer(0, 1_000_000_000)), Otherwise(r#"`{"*": 100}` for `contact` and `device`, else no bound"#), r#"{"user_id": 1}"#, "The number of neighbours of a type one value may link. It stops shared values, such as the address of a help desk, from joining many people; 0 keeps the value apart.";
        BLOCKED = "blocked", List(&Either(&[Text, Object("blocked_pattern")])), Default("[]"), r#"["n/a", {"pattern": "@example\\.com$"}]"#, "Values that identify no one, in addition to the built-in list.";
    }
    /// A limit with a window.
    limit {
        N = "n", Integer(1, 1_000_000_000), Required, "5", "The number of values.";
        WINDOW = "window", Duration, Optional, r#""7d""#, "Links in `(t - window, t]` are counted. Without it links of all time are.";
    }
    /// A blocked pattern.
    blocked_pattern {
        PATTERN = "pattern", Pattern, Required, r#""@example\\.com$""#, "Every value in which the pattern is found is blocked.";
    }
    /// The trait strategy that ranks sources.
    source_priority {
        SOURCE_PRIORITY = "source_priority", List(&Text), Required, r#"["crm", "shop"]"#, "Sources, the most trusted first. The newest value of the first source that gave one counts; sources that are not named rank last.";
    }
    /// Linkage by probability.
    profile_linkage {
        COLUMNS = "columns", Map("trait as `traits.<path>`, or a declared identifier type", &Word("column_role")), Default("{}"), r#"{"traits.nick": "given_name"}"#, "The role of a trait or identifier type in the comparison. Usual names such as `firstName` and `birthday` are recognized.";
        BLOCKING = "blocking", Object("blocking"), Default("{}"), r#"{"max_block": 500}"#, "How many pairs are proposed for comparison.";
        THRESHOLDS = "thresholds", Object("thresholds"), Default("{}"), r#"{"auto": 0.995}"#, "The probabilities at which a pair is kept, suggested and linked.";
        AUTO_LINK = "auto_link", Boolean, Default("false"), "true", "Links pairs of the band `auto` if the verdict on the model is green. Otherwise every pair is a suggestion.";
        LIVE = "live", Boolean, Default("true"), "false", "Compares a profile in the transaction that changes it, from the first `link` on.";
    }
}

const IN_IDENTIFIERS: &str = r#"{"kind": "identity", "name": "default", "identifiers": ["$"]}"#;

pub(in crate::definitions) static IDENTITY: Shape = Shape {
    name: "identity",
    purpose: "The identifier types by which messages become profiles, and the limits that keep different people apart. One identity definition holds at a time; without one, the preset `segment` does.",
    fields: &[common::ALL, identity::ALL],
    shortest: r#"{"kind": "identity", "name": "default", "identifiers": []}"#,
    example: r#"{"kind": "identity", "name": "default", "preset": "segment", "identifiers": [{"type": "email", "role": "contact", "priority": 2, "limit": 5, "normalize": "email_canonical", "blocked": ["info@example.com"]}, {"type": "loyalty_card", "role": "person", "priority": 4, "limit": {"n": 2, "window": "365d"}}], "max_identifiers": 200, "traits": {"plan": {"source_priority": ["crm", "shop"]}, "interests": "union"}}"#,
    stands_in: r#""$""#,
};

pub(in crate::definitions) static IDENTIFIER_TYPE: Shape = Shape {
    name: "identifier_type",
    purpose: "One type of identifier.",
    fields: &[identifier_type::ALL],
    shortest: r#"{"type": "user_id", "role": "person", "priority": 1}"#,
    example: r#"{"type": "phone", "role": "contact", "priority": 3, "limit": 5, "normalize": "phone", "default_region": "DE", "max_links_from": {"user_id": 2}}"#,
    stands_in: IN_IDENTIFIERS,
};

pub(in crate::definitions) static LIMIT: Shape = Shape {
    name: "limit",
    purpose: "The number of values of one type in a profile, over a window of time. An integer alone is a limit over all time.",
    fields: &[limit::ALL],
    shortest: r#"{"n": 5}"#,
    example: r#"{"n": 5, "window": "7d"}"#,
    stands_in: r#"{"kind": "identity", "name": "default", "identifiers": [{"type": "anonymous_id", "role": "device", "priority": 9, "limit": "$"}]}"#,
};

pub(in crate::definitions) static BLOCKED_PATTERN: Shape = Shape {
    name: "blocked_pattern",
    purpose: "A pattern of values that identify no one.",
    fields: &[blocked_pattern::ALL],
    shortest: r#"{"pattern": "^test"}"#,
    example: r#"{"pattern": "@example\\.com$"}"#,
    stands_in: r#"{"kind": "identity", "name": "default", "identifiers": [{"type": "email", "role": "contact", "priority": 2, "blocked": ["$"]}]}"#,
};

pub(in crate::definitions) static SOURCE_PRIORITY: Shape = Shape {
    name: "source_priority",
    purpose: "A trait strategy that ranks sources.",
    fields: &[source_priority::ALL],
    shortest: r#"{"source_priority": ["crm"]}"#,
    example: r#"{"source_priority": ["crm", "shop"]}"#,
    stands_in: r#"{"kind": "identity", "name": "default", "preset": "segment", "traits": {"plan": "$"}}"#,
};

pub(in crate::definitions) static PROFILE_LINKAGE: Shape = Shape {
    name: "profile_linkage",
    purpose: "Linkage of profiles by probability, for people who share no identifier.",
    fields: &[profile_linkage::ALL],
    shortest: "{}",
    example: r#"{"columns": {"traits.nick": "given_name", "email": "email"}, "auto_link": true, "thresholds": {"auto": 0.995}, "live": true}"#,
    stands_in: r#"{"kind": "identity", "name": "default", "preset": "segment", "linkage": "$"}"#,
};
