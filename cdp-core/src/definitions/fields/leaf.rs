//! The fields of the leaves of a rule, each of which tests one thing.

use super::behavior::{event, filtered, sequence, window};
use super::comparison::comparison;
use crate::definitions::schema::{Shape, fields};

fields! {
    /// The leaf `trait`.
    trait_ {
        TRAIT = "trait", Path, Required, r#""address.city""#, "The path of the trait.";
    }
    /// The leaf `current`.
    current {
        CURRENT = "current", Path, Required, r#""properties.amount""#, "The path of the value in the message that is decided about.";
    }
    /// The leaf `feature`.
    feature {
        FEATURE = "feature", Text, Required, r#""total_spend""#, "The name of the feature.";
    }
    /// The leaf `stopped`.
    stopped {
        STOPPED = "stopped", Object("stopped_habit"), Required, r#"{"event": "Order Completed", "active": "90d", "silent": "30d"}"#, "The events and the two lengths of time.";
    }
    /// The leaf `restarted`.
    restarted {
        RESTARTED = "restarted", Object("restarted_habit"), Required, r#"{"event": "Order Completed", "silent": "90d", "within": "7d"}"#, "The events and the two lengths of time.";
    }
    /// The leaf `regularly`.
    regularly {
        REGULARLY = "regularly", Object("regular_habit"), Required, r#"{"event": "Order Completed", "period": "7d", "min_periods": 3, "of": 4}"#, "The events and the periods.";
    }
    /// The leaf `audience`.
    audience {
        AUDIENCE = "audience", Text, Required, r#""vip""#, "The name of the audience.";
        IN = "in", Boolean, Default("true"), "false", "Whether the profile must be a member, or must not be.";
    }
    /// The leaf `cohort`.
    cohort {
        COHORT = "cohort", Text, Required, r#""interest_cohort""#, "The name of the predictor.";
        IS = "is", Text, Optional, r#""sports""#, "The class. Without it any class will do.";
        SCORE = "score", Map("numeric operator", &Operand), Optional, r#"{"gte": 0.8}"#, "The score: one operator that takes a number, and its value. Without it any score will do.";
    }
    /// The leaf `identity`.
    identity {
        IDENTITY = "identity", Word("identity_test"), Required, r#""known""#, "What is tested.";
        TYPE = "type", Text, RequiredIf("required with `has`; refused otherwise"), r#""email""#, "The identifier type.", beside r#""identity": "has""#;
    }
    /// The leaf `consent`.
    consent {
        CONSENT = "consent", Text, Required, r#""marketing""#, "The purpose.";
        CHANNEL = "channel", Text, Optional, r#""email""#, "The channel. Without it consent for all channels is tested.";
        STATUS = "status", Word("consent_status"), Default(r#""granted""#), r#""denied""#, "The state that consent must have.";
    }
    /// The leaf `account`.
    account {
        ACCOUNT = "account", Text, Required, r#""acme""#, "The identifier of the account.";
        TYPE = "type", Text, Default(r#""group_id""#), r#""household_id""#, "The identifier type of the account.";
    }
    /// The leaf `bucket`.
    bucket {
        BUCKET = "bucket", Object("bucket_range"), Required, r#"{"seed": "spring_test", "from": 0, "to": 1000}"#, "The drawing and the buckets.";
    }
    /// A range of buckets.
    bucket_range {
        SEED = "seed", Text, Required, r#""spring_test""#, "The name of the drawing. Drawings of different seeds are independent.";
        FROM = "from", Integer(0, 10_000), Required, "0", "The first bucket. There are 10,000 buckets, numbered from 0.";
        TO = "to", Integer(0, 10_000), Required, "1000", "The bucket after the last one. Greater than `from`.";
    }
}

const IN_RULE: &str = r#"{"kind": "audience", "name": "a", "rule": "$"}"#;
const IN_POLICY: &str =
    r#"{"kind": "policy", "name": "p", "purpose": "service", "choose": [{"when": "$", "then": 1}], "otherwise": 0}"#;

pub(in crate::definitions) static TRAIT: Shape = Shape {
    name: "trait",
    purpose: "Compares a trait of the profile.",
    fields: &[trait_::ALL, comparison::ALL],
    shortest: r#"{"trait": "plan", "op": "exists"}"#,
    example: r#"{"trait": "address.city", "op": "in", "value": ["Berlin", "Hamburg"]}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static FEATURE: Shape = Shape {
    name: "feature",
    purpose: "Compares the value of a feature at the instant of the question.",
    fields: &[feature::ALL, comparison::ALL],
    shortest: r#"{"feature": "total_spend", "op": "exists"}"#,
    example: r#"{"feature": "total_spend", "op": "gte", "value": 1000}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static EVENT: Shape = Shape {
    name: "event",
    purpose: "Tests what happened: how often in a window, an aggregate over the events, or when it happened first.",
    fields: &[event::ALL, filtered::ALL, window::ALL],
    shortest: r#"{"event": "*"}"#,
    example: r#"{"event": "Order Completed", "where": [{"property": "revenue", "op": "gte", "value": 100}], "count": {"gte": 2}, "within": "30d"}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static SEQUENCE: Shape = Shape {
    name: "sequence",
    purpose: "Tests whether events happened one after the other.",
    fields: &[sequence::ALL],
    shortest: r#"{"sequence": [{"event": "Product Added"}]}"#,
    example: r#"{"sequence": [{"event": "Product Added"}, {"not": {"event": "Order Completed"}, "within_previous": "1d"}], "within": "7d"}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static STOPPED: Shape = Shape {
    name: "stopped",
    purpose: "Tests whether events happened and then ceased.",
    fields: &[stopped::ALL],
    shortest: r#"{"stopped": {"event": "*", "active": "90d", "silent": "30d"}}"#,
    example: r#"{"stopped": {"event": "Order Completed", "active": "90d", "silent": "30d"}}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static RESTARTED: Shape = Shape {
    name: "restarted",
    purpose: "Tests whether events ceased and happen again.",
    fields: &[restarted::ALL],
    shortest: r#"{"restarted": {"event": "*", "silent": "90d", "within": "7d"}}"#,
    example: r#"{"restarted": {"event": "Order Completed", "silent": "90d", "within": "7d"}}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static REGULARLY: Shape = Shape {
    name: "regularly",
    purpose: "Tests whether events happened in enough of the last periods.",
    fields: &[regularly::ALL],
    shortest: r#"{"regularly": {"event": "*", "period": "7d", "min_periods": 1, "of": 4}}"#,
    example: r#"{"regularly": {"event": "Order Completed", "period": "7d", "min_periods": 3, "of": 4}}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static AUDIENCE: Shape = Shape {
    name: "audience",
    purpose: "Tests membership in another audience.",
    fields: &[audience::ALL],
    shortest: r#"{"audience": "vip"}"#,
    example: r#"{"audience": "vip", "in": false}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static COHORT: Shape = Shape {
    name: "cohort",
    purpose: "Tests the class or score that a predictor gives the profile.",
    fields: &[cohort::ALL],
    shortest: r#"{"cohort": "interest_cohort"}"#,
    example: r#"{"cohort": "interest_cohort", "is": "sports", "score": {"gte": 0.8}}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static IDENTITY: Shape = Shape {
    name: "identity",
    purpose: "Tests which identifiers the profile holds.",
    fields: &[identity::ALL],
    shortest: r#"{"identity": "known"}"#,
    example: r#"{"identity": "has", "type": "email"}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static CONSENT: Shape = Shape {
    name: "consent",
    purpose: "Tests the state of consent for a purpose.",
    fields: &[consent::ALL],
    shortest: r#"{"consent": "marketing"}"#,
    example: r#"{"consent": "marketing", "channel": "email", "status": "granted"}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static ACCOUNT: Shape = Shape {
    name: "account",
    purpose: "Tests whether the profile belongs to an account, such as a company or household.",
    fields: &[account::ALL],
    shortest: r#"{"account": "acme"}"#,
    example: r#"{"account": "acme", "type": "group_id"}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static CURRENT: Shape = Shape {
    name: "current",
    purpose: "Compares a value of the message that a decision is about. Only the choices of a policy may use it.",
    fields: &[current::ALL, comparison::ALL],
    shortest: r#"{"current": "properties.amount", "op": "exists"}"#,
    example: r#"{"current": "properties.amount", "op": "gte", "value": 100}"#,
    stands_in: IN_POLICY,
};

pub(in crate::definitions) static BUCKET: Shape = Shape {
    name: "bucket",
    purpose: "Tests whether the profile belongs to a random share of all profiles, as for an experiment.",
    fields: &[bucket::ALL],
    shortest: r#"{"bucket": {"seed": "spring_test", "from": 0, "to": 1000}}"#,
    example: r#"{"bucket": {"seed": "spring_test", "from": 0, "to": 5000}}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static BUCKET_RANGE: Shape = Shape {
    name: "bucket_range",
    purpose: "A share of all profiles: 1,000 of 10,000 buckets are a tenth.",
    fields: &[bucket_range::ALL],
    shortest: r#"{"seed": "spring_test", "from": 0, "to": 10000}"#,
    example: r#"{"seed": "spring_test", "from": 0, "to": 1000}"#,
    stands_in: r#"{"kind": "audience", "name": "a", "rule": {"bucket": "$"}}"#,
};
