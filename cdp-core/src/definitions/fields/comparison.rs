//! The fields of a comparison: an operator and what it compares with.

use crate::definitions::schema::fields;

fields! {
    /// A comparison.
    comparison {
        OP = "op", Word("operator"), Required, r#""exists""#, "How the value is compared.", beside r#""value": null"#;
        VALUE = "value", Operand, RequiredIf("required if the operator takes a value; refused otherwise"), "100", "What the value is compared with; the operator decides which type it takes.", beside r#""op": "gte""#;
    }
}
