//! The fields of source expressions and conditions.

use crate::definitions::schema::{Shape, fields};

fields! {
    /// A constant.
    constant {
        CONST = "const", Json, Required, r#""EUR""#, "The value, the same for every row.";
    }
    /// A converted field.
    field {
        FIELD = "field", Path, Required, r#""CustomerID""#, "The path in the row.";
        AS = "as", Word("conversion"), Optional, r#""integer""#, "The type the value is converted to. Without it the value keeps its type; with `format` or `tz`, and where an instant is expected, it is read as `timestamp`.";
        FORMAT = "format", Text, Optional, r#""%d.%m.%Y %H:%M""#, "How a time is written: `rfc3339`, `epoch_s`, `epoch_ms`, or a strptime format that names a day. Without it common forms are recognized; a number counts milliseconds.";
        TZ = "tz", Text, Default(r#""UTC""#), r#""Europe/Berlin""#, "The time zone of times without an offset, by its IANA name.", beside r#""as": "timestamp""#;
        SPLIT = "split", Text, Optional, r#"";""#, "Makes a list of a text: the separator between its items.";
        TRIM = "trim", Boolean, Default("false"), "true", "Removes white space around a text.";
        STRIP_PREFIX = "strip_prefix", Text, Optional, r#""cus_""#, "Removes this text at the beginning.";
        EXTRACT = "extract", Pattern, Optional, r#""^(\\w+)@""#, "Takes the first group of the pattern, or the whole match if it has none; null without a match.";
        MAP = "map", Map("text", &Json), Optional, r#"{"f": "female", "m": "male"}"#, "Replaces texts by other values.";
        ELSE = "else", Word("otherwise"), Default(r#""keep""#), r#""reject""#, "What happens to a value that `map` does not name. Only with `map`.", beside r#""map": {"f": "female"}"#;
        DEFAULT = "default", Json, Optional, "0", "The value in place of null.";
    }
    /// The first value.
    first {
        FIRST = "first", List(&Expression), Required, r#"["email", "contact.email"]"#, "The expressions, one at least.";
    }
    /// Joined texts.
    concat {
        CONCAT = "concat", List(&Expression), Required, r#"["first_name", {"const": " "}, "last_name"]"#, "The expressions, one at least.";
    }
    /// A sum.
    add {
        ADD = "add", List(&Expression), Required, r#"["net", "tax"]"#, "The expressions, two at least.";
    }
    /// A difference.
    sub {
        SUB = "sub", List(&Expression), Required, r#"["gross", "discount"]"#, "The expressions, two at least; the others are taken from the first.";
    }
    /// A product.
    mul {
        MUL = "mul", List(&Expression), Required, r#"["Quantity", "UnitPrice"]"#, "The expressions, two at least.";
    }
    /// One of two values.
    if_ {
        IF = "if", Object("condition"), Required, r#"{"field": "InvoiceNo", "op": "starts_with", "value": "C"}"#, "The condition.";
        THEN = "then", Expression, Required, r#"{"const": "Order Cancelled"}"#, "The value if the condition holds.";
        ELSE = "else", Expression, Optional, r#"{"const": "Order Completed"}"#, "The value otherwise. Without it null.";
    }
    /// The rest of an object.
    rest {
        OBJECT = "*", Path, Required, r#""attributes""#, "The path of the object; empty text for the row itself.";
        WITHOUT = "-", List(&Text), Default("[]"), r#"["password"]"#, "The keys that are left out.";
    }
    /// The row number.
    row {
        ROW = "row", True, Required, "true", "Marks the form.";
    }
    /// The item number.
    each {
        EACH = "each", True, Required, "true", "Marks the form.";
    }
    /// The instant of receipt.
    received {
        RECEIVED = "received", True, Required, "true", "Marks the form.";
    }
    /// The hash of the row.
    content_hash {
        CONTENT_HASH = "content_hash", True, Required, "true", "Marks the form.";
    }
    /// A condition.
    condition {
        FIELD = "field", Path, Required, r#""Country""#, "The path in the row.";
        OP = "op", Word("condition_operator"), Required, r#""exists""#, "How the value is tested.", beside r#""value": null"#;
        VALUE = "value", Operand, RequiredIf("required except with `exists` and `not_exists`"), r#""C""#, "What the value is compared with.", beside r#""op": "starts_with""#;
    }
}

const IN_IDS: &str = r#"{"kind": "source", "name": "shop", "ids": {"user_id": "$"}}"#;
const IN_PROPERTIES: &str =
    r#"{"kind": "source", "name": "shop", "ids": {"user_id": "id"}, "properties": {"value": "$"}}"#;

pub(in crate::definitions) static CONST: Shape = Shape {
    name: "const",
    purpose: "A constant.",
    fields: &[constant::ALL],
    shortest: r#"{"const": "EUR"}"#,
    example: r#"{"const": "EUR"}"#,
    stands_in: IN_PROPERTIES,
};

pub(in crate::definitions) static FIELD: Shape = Shape {
    name: "field",
    purpose: "A field of the row, converted in this order: `trim`, `strip_prefix`, `extract`, `split`, `map`, `as`; a null becomes `default`.",
    fields: &[field::ALL],
    shortest: r#"{"field": "CustomerID"}"#,
    example: r#"{"field": "InvoiceDate", "trim": true, "as": "timestamp", "format": "%d.%m.%Y %H:%M", "tz": "Europe/London"}"#,
    stands_in: IN_PROPERTIES,
};

pub(in crate::definitions) static FIRST: Shape = Shape {
    name: "first",
    purpose: "The first value that is not null.",
    fields: &[first::ALL],
    shortest: r#"{"first": ["email"]}"#,
    example: r#"{"first": ["email", "contact.email", {"const": "unknown"}]}"#,
    stands_in: IN_PROPERTIES,
};

pub(in crate::definitions) static CONCAT: Shape = Shape {
    name: "concat",
    purpose: "Texts one after the other. A null counts as empty; null if all are.",
    fields: &[concat::ALL],
    shortest: r#"{"concat": ["first_name"]}"#,
    example: r#"{"concat": ["first_name", {"const": " "}, "last_name"]}"#,
    stands_in: IN_PROPERTIES,
};

pub(in crate::definitions) static ADD: Shape = Shape {
    name: "add",
    purpose: "The sum of numbers; null if one is null.",
    fields: &[add::ALL],
    shortest: r#"{"add": ["net", "tax"]}"#,
    example: r#"{"add": ["net", "tax", "shipping"]}"#,
    stands_in: IN_PROPERTIES,
};

pub(in crate::definitions) static SUB: Shape = Shape {
    name: "sub",
    purpose: "The first number less the others; null if one is null.",
    fields: &[sub::ALL],
    shortest: r#"{"sub": ["gross", "discount"]}"#,
    example: r#"{"sub": ["gross", {"field": "discount", "default": 0}]}"#,
    stands_in: IN_PROPERTIES,
};

pub(in crate::definitions) static MUL: Shape = Shape {
    name: "mul",
    purpose: "The product of numbers; null if one is null.",
    fields: &[mul::ALL],
    shortest: r#"{"mul": ["Quantity", "UnitPrice"]}"#,
    example: r#"{"mul": ["Quantity", {"field": "UnitPrice", "as": "number"}]}"#,
    stands_in: IN_PROPERTIES,
};

pub(in crate::definitions) static IF: Shape = Shape {
    name: "if",
    purpose: "One of two values, by a condition on the row.",
    fields: &[if_::ALL],
    shortest: r#"{"if": {"field": "InvoiceNo", "op": "exists"}, "then": "InvoiceNo"}"#,
    example: r#"{"if": {"field": "InvoiceNo", "op": "starts_with", "value": "C"}, "then": {"const": "Order Cancelled"}, "else": {"const": "Order Completed"}}"#,
    stands_in: IN_PROPERTIES,
};

pub(in crate::definitions) static REST: Shape = Shape {
    name: "*",
    purpose: "An object of the row as a whole, without some keys.",
    fields: &[rest::ALL],
    shortest: r#"{"*": ""}"#,
    example: r#"{"*": "attributes", "-": ["password"]}"#,
    stands_in: IN_PROPERTIES,
};

pub(in crate::definitions) static ROW: Shape = Shape {
    name: "row",
    purpose: "The number of the row, counted from 1.",
    fields: &[row::ALL],
    shortest: r#"{"row": true}"#,
    example: r#"{"row": true}"#,
    stands_in: IN_IDS,
};

pub(in crate::definitions) static EACH: Shape = Shape {
    name: "each",
    purpose: "The number of the item of `each`, counted from 1.",
    fields: &[each::ALL],
    shortest: r#"{"each": true}"#,
    example: r#"{"each": true}"#,
    stands_in: IN_IDS,
};

pub(in crate::definitions) static RECEIVED: Shape = Shape {
    name: "received",
    purpose: "The instant at which the row is received.",
    fields: &[received::ALL],
    shortest: r#"{"received": true}"#,
    example: r#"{"received": true}"#,
    stands_in: r#"{"kind": "source", "name": "shop", "ids": {"user_id": "id"}, "timestamp": "$"}"#,
};

pub(in crate::definitions) static CONTENT_HASH: Shape = Shape {
    name: "content_hash",
    purpose: "The hash of the row, 32 hexadecimal digits.",
    fields: &[content_hash::ALL],
    shortest: r#"{"content_hash": true}"#,
    example: r#"{"content_hash": true}"#,
    stands_in: IN_IDS,
};

pub(in crate::definitions) static CONDITION: Shape = Shape {
    name: "condition",
    purpose: "A test of one field of the row.",
    fields: &[condition::ALL],
    shortest: r#"{"field": "Country", "op": "exists"}"#,
    example: r#"{"field": "InvoiceNo", "op": "starts_with", "value": "C"}"#,
    stands_in: r#"{"kind": "source", "name": "shop", "ids": {"user_id": "id"}, "when": "$"}"#,
};
