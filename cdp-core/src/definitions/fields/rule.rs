//! The fields of the nodes of a rule, which join other rules.

use crate::definitions::schema::{Shape, fields};

fields! {
    /// The node `all`.
    all {
        ALL_OF = "all", List(&Rule), Required, r#"[{"audience": "vip"}, {"identity": "known"}]"#, "The rules, every one of which must hold. An empty list holds.";
    }
    /// The node `any`.
    any {
        ANY_OF = "any", List(&Rule), Required, r#"[{"audience": "vip"}, {"identity": "known"}]"#, "The rules, of which one at least must hold. An empty list does not hold.";
    }
    /// The node `not`.
    not {
        NOT = "not", Rule, Required, r#"{"audience": "vip"}"#, "The rule that must not hold.";
    }
    /// The node `at_least`.
    at_least {
        AT_LEAST = "at_least", Object("minimum"), Required, r#"{"n": 1, "of": [{"audience": "vip"}, {"identity": "known"}]}"#, "The rules and the number of them that must hold.";
    }
    /// A number of rules.
    minimum {
        N = "n", Integer(0, 256), Required, "1", "The number of rules that must hold. At most the number of rules in `of`.";
        OF = "of", List(&Rule), Required, r#"[{"audience": "vip"}, {"identity": "known"}]"#, "The rules.";
    }
}

const IN_RULE: &str = r#"{"kind": "audience", "name": "a", "rule": "$"}"#;

pub(in crate::definitions) static ALL: Shape = Shape {
    name: "all",
    purpose: "Holds if every rule of a list holds.",
    fields: &[all::ALL],
    shortest: r#"{"all": []}"#,
    example: r#"{"all": [{"trait": "plan", "op": "eq", "value": "pro"}, {"event": "Order Completed", "within": "30d"}]}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static ANY: Shape = Shape {
    name: "any",
    purpose: "Holds if one rule of a list holds at least.",
    fields: &[any::ALL],
    shortest: r#"{"any": []}"#,
    example: r#"{"any": [{"trait": "plan", "op": "eq", "value": "pro"}, {"feature": "total_spend", "op": "gte", "value": 1000}]}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static NOT: Shape = Shape {
    name: "not",
    purpose: "Holds if a rule does not hold.",
    fields: &[not::ALL],
    shortest: r#"{"not": {"audience": "vip"}}"#,
    example: r#"{"not": {"event": "Order Completed", "within": "90d"}}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static AT_LEAST: Shape = Shape {
    name: "at_least",
    purpose: "Holds if a number of rules of a list hold.",
    fields: &[at_least::ALL],
    shortest: r#"{"at_least": {"n": 0, "of": []}}"#,
    example: r#"{"at_least": {"n": 2, "of": [{"audience": "vip"}, {"identity": "known"}, {"event": "App Opened", "within": "7d"}]}}"#,
    stands_in: IN_RULE,
};

pub(in crate::definitions) static MINIMUM: Shape = Shape {
    name: "minimum",
    purpose: "A list of rules and the number of them that must hold.",
    fields: &[minimum::ALL],
    shortest: r#"{"n": 0, "of": [{"audience": "vip"}]}"#,
    example: r#"{"n": 2, "of": [{"audience": "vip"}, {"identity": "known"}, {"event": "App Opened", "within": "7d"}]}"#,
    stands_in: r#"{"kind": "audience", "name": "a", "rule": {"at_least": "$"}}"#,
};
