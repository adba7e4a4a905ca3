//! The fields that choose events and turn them into a value: in features, event leaves, sequences and lifecycle leaves.

use super::common::common;
use super::comparison::comparison;
use crate::definitions::schema::{Shape, fields};

fields! {
    /// The events of a feature.
    any_event {
        EVENT = "event", Either(&[Text, List(&Text)]), Default(r#""*""#), r#""Order Completed""#, "The name of the event, or a list of names; `*` means any event.";
    }
    /// The events of a leaf, which must be named.
    named_event {
        EVENT = "event", Either(&[Text, List(&Text)]), Required, r#"["Order Completed", "Order Updated"]"#, "The name of the event, or a list of names; `*` means any event.";
    }
    /// Conditions on properties.
    filtered {
        WHERE = "where", List(&Object("property_filter")), Default("[]"), r#"[{"property": "revenue", "op": "gte", "value": 100}]"#, "Conditions on the properties of an event; an event counts if all of them hold.";
    }
    /// A condition on a property.
    property_filter {
        PROPERTY = "property", Path, Required, r#""products.*.category""#, "The path of the property.";
    }
    /// The windows of time. One at most may be given.
    window {
        WITHIN = "within", Duration, Optional, r#""30d""#, "Events in `(t - within, t]`.";
        BETWEEN_AGO = "between_ago", List(&Duration), Optional, r#"["40d", "20d"]"#, "Events in `(t - a, t - b]`: two durations, the longer first.";
        SINCE = "since", Time, Optional, r#""2024-01-01T00:00:00Z""#, "Events at this instant or later.";
        BETWEEN = "between", List(&Time), Optional, r#"["2024-01-01T00:00:00Z", "2024-12-31T23:59:59Z"]"#, "Events between two instants, both included, the earlier first.";
    }
    /// An aggregate over events.
    measure {
        AGG = "agg", Word("aggregate"), Required, r#""sum""#, "How the events become a value.", beside r#""property": "revenue""#;
        PROPERTY = "property", Path, RequiredIf("required with an aggregate over a property; refused with others"), r#""revenue""#, "The path of the property that is aggregated.", beside r#""agg": "avg""#;
    }
    /// What a feature adds to a measure.
    feature {
        DEFAULT = "default", Json, Optional, "0", "The value where no event contributes. Without it the feature is null.";
        TTL = "ttl", Duration, Optional, r#""90d""#, "How long the value holds after the latest event that contributed; then it is the default again.";
    }
    /// The leaf `event`.
    event {
        EVENT = "event", Either(&[Text, List(&Text)]), Required, r#""Order Completed""#, "The name of the event, or a list of names; `*` means any event.";
        FIRST_TIME_WITHIN = "first_time_within", Duration, Optional, r#""7d""#, "Holds if the first such event ever lies in `(t - first_time_within, t]`. It stands without a window, `count` and `agg`.";
        COUNT = "count", Map("numeric operator", &Operand), Default(r#"{"gte": 1}"#), r#"{"between": [2, 5]}"#, "The number of events: one operator that takes a number, and its value. It excludes `agg`.";
        AGG = "agg", Word("aggregate"), RequiredIf("required with `op`"), r#""sum""#, "An aggregate in place of the count.", beside r#""property": "revenue", "op": "gte", "value": 500"#;
        PROPERTY = "property", Path, RequiredIf("required with an aggregate over a property; refused with others"), r#""revenue""#, "The path of the property that is aggregated.", beside r#""agg": "sum", "op": "gte", "value": 500"#;
        OP = "op", Word("operator"), RequiredIf("required with `agg`"), r#""gte""#, "How the aggregate is compared.", beside r#""agg": "distinct_days", "value": 3"#;
        VALUE = "value", Operand, RequiredIf("required with `agg`, if the operator takes a value"), "3", "What the aggregate is compared with.", beside r#""agg": "distinct_days", "op": "gte""#;
    }
    /// The leaf `sequence`.
    sequence {
        SEQUENCE = "sequence", List(&Object("sequence_step")), Required, r#"[{"event": "Product Added"}, {"event": "Order Completed", "within_previous": "1d"}]"#, "The steps in order, 1 to 16.";
        WITHIN = "within", Duration, Optional, r#""30d""#, "All events of the sequence lie in `(t - within, t]`.";
    }
    /// A step of a sequence.
    step {
        NOT = "not", Object("event_selection"), RequiredIf("required without `event`"), r#"{"event": "Order Completed"}"#, "The step is that no such event happens within `within_previous` of the step before. The first step cannot be one.", beside r#""event": null, "within_previous": "1d""#;
        EVENT = "event", Either(&[Text, List(&Text)]), RequiredIf("required without `not`"), r#""Order Completed""#, "The name of the event, or a list of names; `*` means any event.";
        WITHIN_PREVIOUS = "within_previous", Duration, RequiredIf("required with `not`; refused in the first step"), r#""1d""#, "The step comes less than this after the end of the step before. A `not` step ends when this time is over.";
        SAME = "same", List(&Path), Default("[]"), r#"["cart_id"]"#, "Properties that have the same value as in the event before. Not in the first step.";
    }
    /// The leaf `stopped`.
    stopped {
        ACTIVE = "active", Duration, Required, r#""90d""#, "Events happened in `(t - active, t - silent]`. Longer than `silent`.";
        SILENT = "silent", Duration, Required, r#""30d""#, "No event happened in `(t - silent, t]`.";
    }
    /// The leaf `restarted`.
    restarted {
        SILENT = "silent", Duration, Required, r#""90d""#, "No event happened in `(t - silent, t - within]`. Longer than `within`.";
        WITHIN = "within", Duration, Required, r#""7d""#, "Events happened in `(t - within, t]`.";
    }
    /// The leaf `regularly`.
    regularly {
        PERIOD = "period", Duration, Required, r#""7d""#, "The length of a period; the last one ends at t.";
        MIN_COUNT = "min_count", Integer(1, 1_000_000), Default("1"), "2", "The number of events that make a period count.";
        MIN_PERIODS = "min_periods", Integer(1, 400), Required, "3", "The number of periods that must count. At most `of`.";
        OF = "of", Integer(1, 400), Required, "4", "The number of periods that are examined.";
    }
}

pub(in crate::definitions) static FEATURE: Shape = Shape {
    name: "feature",
    purpose: "A value computed from the events of a profile, at any instant.",
    fields: &[common::ALL, any_event::ALL, filtered::ALL, window::ALL, measure::ALL, feature::ALL],
    shortest: r#"{"kind": "feature", "name": "events", "agg": "count"}"#,
    example: r#"{"kind": "feature", "name": "total_spend", "description": "Revenue of the last year", "event": "Order Completed", "where": [{"property": "currency", "op": "eq", "value": "EUR"}], "within": "365d", "agg": "sum", "property": "revenue", "default": 0}"#,
    stands_in: r#""$""#,
};

pub(in crate::definitions) static PROPERTY_FILTER: Shape = Shape {
    name: "property_filter",
    purpose: "A condition on a property of an event. Operators that look from the instant of the question (`within_last` and its siblings) are not allowed.",
    fields: &[property_filter::ALL, comparison::ALL],
    shortest: r#"{"property": "revenue", "op": "exists"}"#,
    example: r#"{"property": "products.*.category", "op": "contains", "value": "shoes"}"#,
    stands_in: r#"{"kind": "feature", "name": "orders", "event": "Order Completed", "agg": "count", "where": ["$"]}"#,
};

pub(in crate::definitions) static EVENT_SELECTION: Shape = Shape {
    name: "event_selection",
    purpose: "The events that must not happen in a `not` step.",
    fields: &[named_event::ALL, filtered::ALL],
    shortest: r#"{"event": "Order Completed"}"#,
    example: r#"{"event": "Order Completed", "where": [{"property": "revenue", "op": "gt", "value": 0}]}"#,
    stands_in: r#"{"kind": "audience", "name": "a", "rule": {"sequence": [{"event": "Product Added"}, {"not": "$", "within_previous": "1d"}]}}"#,
};

pub(in crate::definitions) static SEQUENCE_STEP: Shape = Shape {
    name: "sequence_step",
    purpose: "One step of a sequence: an event, or its absence for a length of time.",
    fields: &[step::ALL, filtered::ALL],
    shortest: r#"{"event": "Order Completed"}"#,
    example: r#"{"event": "Order Completed", "where": [{"property": "revenue", "op": "gt", "value": 0}], "within_previous": "1d", "same": ["cart_id"]}"#,
    stands_in: r#"{"kind": "audience", "name": "a", "rule": {"sequence": [{"event": "Product Added"}, "$"]}}"#,
};

pub(in crate::definitions) static STOPPED_HABIT: Shape = Shape {
    name: "stopped_habit",
    purpose: "Events that happened and then ceased.",
    fields: &[named_event::ALL, filtered::ALL, stopped::ALL],
    shortest: r#"{"event": "*", "active": "90d", "silent": "30d"}"#,
    example: r#"{"event": "Order Completed", "active": "90d", "silent": "30d"}"#,
    stands_in: r#"{"kind": "audience", "name": "a", "rule": {"stopped": "$"}}"#,
};

pub(in crate::definitions) static RESTARTED_HABIT: Shape = Shape {
    name: "restarted_habit",
    purpose: "Events that happened before, ceased, and happen again.",
    fields: &[named_event::ALL, filtered::ALL, restarted::ALL],
    shortest: r#"{"event": "*", "silent": "90d", "within": "7d"}"#,
    example: r#"{"event": "Order Completed", "silent": "90d", "within": "7d"}"#,
    stands_in: r#"{"kind": "audience", "name": "a", "rule": {"restarted": "$"}}"#,
};

pub(in crate::definitions) static REGULAR_HABIT: Shape = Shape {
    name: "regular_habit",
    purpose: "Events that happen in most periods of equal length.",
    fields: &[named_event::ALL, filtered::ALL, regularly::ALL],
    shortest: r#"{"event": "*", "period": "7d", "min_periods": 1, "of": 4}"#,
    example: r#"{"event": "Order Completed", "period": "7d", "min_count": 1, "min_periods": 3, "of": 4}"#,
    stands_in: r#"{"kind": "audience", "name": "a", "rule": {"regularly": "$"}}"#,
};
