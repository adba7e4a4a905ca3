//! The fields of audiences, policies and destinations.

use super::common::common;
use crate::definitions::schema::{Shape, fields};

fields! {
    /// An audience.
    audience {
        RULE = "rule", Rule, Required, r#"{"trait": "plan", "op": "eq", "value": "pro"}"#, "The condition for membership. The leaf `current` is not allowed.";
        POPULATION = "population", Word("population"), Default(r#""everybody""#), r#""known""#, "The profiles that the audience is drawn from.";
    }
    /// A policy.
    policy {
        PURPOSE = "purpose", Text, Required, r#""personalization""#, "The use of personal data. Where consent does not allow it, the answer is `otherwise`.";
        CHOOSE = "choose", List(&Object("policy_choice")), Required, r#"[{"when": {"audience": "vip"}, "then": {"experience": "premium"}}]"#, "The choices, in the order in which they are tried.";
        OTHERWISE = "otherwise", Json, Required, r#"{"experience": "control"}"#, "The answer where no choice holds or consent does not allow one. It must not be null.";
    }
    /// One choice.
    policy_choice {
        WHEN = "when", Rule, Required, r#"{"current": "properties.amount", "op": "gte", "value": 100}"#, "The condition of the choice. The first choice whose condition holds is made.";
        THEN = "then", Json, Required, r#"{"experience": "premium"}"#, "The answer of the choice. It must not be null.";
    }
    /// A destination.
    destination {
        AUDIENCE = "audience", Text, Required, r#""high_value_30d""#, "The name of the audience whose members are exported.";
        PURPOSE = "purpose", Text, Required, r#""marketing""#, "What the data is used for. Members whose consent does not allow it are withheld.";
        CHANNEL = "channel", Text, Optional, r#""email""#, "The channel over which people are reached; consent on that channel decides as well.";
        COLUMNS = "columns", Map("header of the exported column", &Text), Default("{}"), r#"{"Email": "email", "Spend": "features.total_spend"}"#, "The columns that are exported, ordered by header: `profile_id`, `first_seen`, `last_seen`, an identifier type, `traits.<path>`, `features.<name>` or `audiences.<name>`. Without any: `profile_id`, `user_id` and `email`.";
    }
}

pub(in crate::definitions) static AUDIENCE: Shape = Shape {
    name: "audience",
    purpose: "A set of profiles by a rule, kept up to date with each message and as time passes.",
    fields: &[common::ALL, audience::ALL],
    shortest: r#"{"kind": "audience", "name": "pro_customers", "rule": {"trait": "plan", "op": "eq", "value": "pro"}}"#,
    example: r#"{"kind": "audience", "name": "high_value_30d", "population": "known", "rule": {"all": [{"feature": "total_spend", "op": "gte", "value": 1000}, {"event": "Order Completed", "count": {"gte": 1}, "within": "30d"}, {"not": {"event": "Order Refunded", "within": "30d"}}]}}"#,
    stands_in: r#""$""#,
};

pub(in crate::definitions) static POLICY: Shape = Shape {
    name: "policy",
    purpose: "A choice made at request time: the answer of the first condition that holds for the profile and the current message.",
    fields: &[common::ALL, policy::ALL],
    shortest: r#"{"kind": "policy", "name": "checkout", "purpose": "personalization", "choose": [], "otherwise": "control"}"#,
    example: r#"{"kind": "policy", "name": "checkout", "purpose": "personalization", "choose": [{"when": {"all": [{"audience": "high_value_30d"}, {"current": "properties.amount", "op": "gte", "value": 100}]}, "then": {"experience": "premium"}}], "otherwise": {"experience": "control"}}"#,
    stands_in: r#""$""#,
};

pub(in crate::definitions) static POLICY_CHOICE: Shape = Shape {
    name: "policy_choice",
    purpose: "One choice of a policy.",
    fields: &[policy_choice::ALL],
    shortest: r#"{"when": {"audience": "vip"}, "then": "premium"}"#,
    example: r#"{"when": {"current": "properties.amount", "op": "gte", "value": 100}, "then": {"experience": "premium"}}"#,
    stands_in: r#"{"kind": "policy", "name": "checkout", "purpose": "personalization", "choose": ["$"], "otherwise": "control"}"#,
};

pub(in crate::definitions) static DESTINATION: Shape = Shape {
    name: "destination",
    purpose: "An export of an audience: for which purpose, over which channel, with which columns. Consent is checked on every export.",
    fields: &[common::ALL, destination::ALL],
    shortest: r#"{"kind": "destination", "name": "crm_csv", "audience": "high_value_30d", "purpose": "marketing"}"#,
    example: r#"{"kind": "destination", "name": "crm_csv", "audience": "high_value_30d", "purpose": "marketing", "channel": "email", "columns": {"Email": "email", "Plan": "traits.plan", "Spend": "features.total_spend"}}"#,
    stands_in: r#""$""#,
};
