//! The fields of a source: the layout of its bytes, the gates of its rows, and the messages that a row makes.

use super::common::common;
use crate::definitions::schema::{Shape, fields};

fields! {
    /// The layout of the bytes.
    layout {
        FORMAT = "format", Word("format"), Otherwise("recognized by file name and content"), r#""ndjson""#, "The format of the bytes.";
        DELIMITER = "delimiter", Text, Default(r#"",""#), r#"";""#, "CSV: the ASCII character between cells, or the word `whitespace` for a run of blanks and tabs.";
        ENCODING = "encoding", Word("encoding"), Default(r#""utf-8""#), r#""windows-1252""#, "CSV and text: the encoding.";
        COLUMNS = "columns", List(&Text), Otherwise("the first row is the header"), r#"["id", "email", "plan"]"#, "CSV without a header: the names of the columns.";
        SKIP = "skip", Integer(0, 1_000_000), Default("0"), "2", "CSV: the number of lines before the header, or before the first row.";
        NULLS = "nulls", List(&AnyText), Default(r#"[""]"#), r#"["", "NULL", "n/a"]"#, "CSV: the unquoted cells that mean null.";
        DECIMAL = "decimal", Word("decimal"), Default(r#"".""#), r#"",""#, "CSV, text and form: the decimal mark of numbers.";
        PATTERN = "pattern", Pattern, RequiredIf("required for `text`"), r#""^(?P<ip>\\S+) (?P<path>\\S+)$""#, "Text: a pattern whose named groups are the fields of the row.", beside r#""format": "text", "ids": {"anonymous_id": "ip"}"#;
        CONTINUATION = "continuation", Pattern, Optional, r#""^\\s""#, "Text: a line that matches belongs to the line before.", beside r#""format": "text", "pattern": "(?P<ip>\\S+)", "ids": {"anonymous_id": "ip"}"#;
    }
    /// The rows and what is expected of them.
    rows {
        RECORDS = "records", Path, Optional, r#""data.items""#, "JSON: the path of the list of records; empty text if the document is the list. Without it the records are the items of a list, or the document itself.";
        EACH = "each", Path, Optional, r#""order.lines""#, "The path of a list in the record: the record is mapped once for each item, and the path stands for that item.";
        NULL = "null", Word("null_trait"), Default(r#""keep""#), r#""delete""#, "What a null trait means.";
        SKEW = "skew", Boolean, Default("false"), "true", "Corrects times by the difference of `receivedAt` and `sentAt`, against wrong clocks of devices.";
        GATES = "gates", List(&Object("gate")), Default("[]"), r#"[{"expect": "not_null", "field": "id"}]"#, "What is expected of a row before it is mapped.";
    }
    /// The message that a row makes.
    emit {
        WHEN = "when", Object("condition"), Optional, r#"{"field": "status", "op": "eq", "value": "paid"}"#, "The message is made if this condition holds. Without it, always.";
        TYPE = "type", Word("message_type"), Otherwise("`track` with `event`, `group` with `group_id`, else `identify`"), r#""track""#, "The type of the message.";
        MESSAGE_ID = "message_id", Either(&[Expression, List(&Expression)]), Otherwise("the hash of source and row"), r#"["InvoiceNo", {"row": true}]"#, "The message id: a value, or a list of parts. Messages with the same id count once.";
        TIMESTAMP = "timestamp", Expression, Otherwise("`original_timestamp`, else `received_at`, else the instant of receipt"), r#"{"field": "InvoiceDate", "format": "%d.%m.%Y %H:%M", "tz": "Europe/London"}"#, "When it happened.";
        ORIGINAL_TIMESTAMP = "original_timestamp", Expression, Optional, r#""device_time""#, "When it happened by the clock of the device.";
        SENT_AT = "sent_at", Expression, Optional, r#""sent""#, "When the device sent it.";
        RECEIVED_AT = "received_at", Expression, Optional, r#""collected""#, "When a collector received it.";
        EVENT = "event", Expression, Optional, r#"{"const": "Order Completed"}"#, "The name of the event of a track; the name of a page or screen.";
        GROUP_ID = "group_id", Expression, Optional, r#""company_id""#, "The account of a group message.";
        PREVIOUS_ID = "previous_id", Expression, Optional, r#""old_id""#, "The former identifier of an alias.", beside r#""type": "alias""#;
        IDS = "ids", Map("identifier type", &Expression), Default("{}"), r#"{"user_id": {"field": "CustomerID", "as": "integer"}, "email": "mail"}"#, "The identifiers.", beside r#""traits": {"plan": "plan_name"}"#;
        TRAITS = "traits", Either(&[Path, Object("field_map")]), Default("{}"), r#"{"plan": "plan_name"}"#, "The traits.", beside r#""ids": {"user_id": "id"}"#;
        PROPERTIES = "properties", Either(&[Path, Object("field_map")]), Default("{}"), r#"{"revenue": {"mul": ["Quantity", "UnitPrice"]}}"#, "The properties of the event.", beside r#""event": {"const": "Order Completed"}"#;
        CONTEXT = "context", Either(&[Path, Object("field_map")]), Default("{}"), r#"{"page.url": "url"}"#, "The context.", beside r#""ids": {"user_id": "id"}"#;
    }
    /// Several messages.
    emits {
        EMIT = "emit", List(&Object("emit")), Optional, r#"[{"event": {"const": "Signed Up"}}, {"type": "identify", "traits": {"plan": "plan"}}]"#, "Several messages of one row. Each inherits `message_id`, the times, `ids` and `context` of the source; `when`, `type`, `event`, `traits`, `properties`, `group_id` and `previous_id` stand in the items.";
    }
    /// The fields of a map.
    field_map {
        REST = "*", Path, Optional, r#""attributes""#, "The path of an object that is taken as a whole; empty text for the row itself.";
        WITHOUT = "-", List(&Text), Default("[]"), r#"["password"]"#, "The keys of that object that are left out. Only with `*`.", beside r#""*": """#;
    }
    /// A gate.
    gate {
        EXPECT = "expect", Word("expectation"), Required, r#""not_null""#, "What is expected. A null satisfies everything but `not_null`.";
        FIELD = "field", Path, Required, r#""email""#, "The path in the row.";
        SEVERITY = "severity", Word("severity"), Otherwise("`quarantine`; `warn` with `mostly`"), r#""warn""#, "What happens to a row that does not pass.";
        MOSTLY = "mostly", Number(&[("above", "0"), ("at_most", "1")]), Optional, "0.99", "The share of rows of a call that must pass. Rows are mapped in any case; the receipt warns if fewer pass.";
        VALUES = "values", List(&Json), RequiredIf("required for `in_set`"), r#"["DE", "FR"]"#, "The values that are allowed, one at least.", beside r#""expect": "in_set""#;
        REGEX = "regex", Pattern, RequiredIf("required for `match_regex`"), r#""^[^@]+@[^@]+$""#, "The pattern that a text must contain.", beside r#""expect": "match_regex""#;
        MIN = "min", Number(&[]), RequiredIf("`between` and `length_between` need `min`, `max` or both"), "0", "The least number or length, included. A length is an integer from 0.", beside r#""expect": "between""#;
        MAX = "max", Number(&[]), RequiredIf("`between` and `length_between` need `min`, `max` or both"), "100", "The greatest number or length, included.", beside r#""expect": "length_between""#;
        TYPE = "type", Word("gate_type"), RequiredIf("required for `type`"), r#""integer""#, "The type that the value has, or, as text, reads as.", beside r#""expect": "type""#;
    }
}

pub(in crate::definitions) static SOURCE: Shape = Shape {
    name: "source",
    purpose: "How the rows of a file or stream become messages. Without any mapping (`ids`, `event`, `traits`, `emit` ...) the rows of a JSON source are messages already.",
    fields: &[common::ALL, layout::ALL, rows::ALL, emit::ALL, emits::ALL],
    shortest: r#"{"kind": "source", "name": "shop"}"#,
    example: r#"{"kind": "source", "name": "shop_csv", "format": "csv", "message_id": ["InvoiceNo", {"row": true}], "timestamp": {"field": "InvoiceDate", "format": "%d.%m.%Y %H:%M", "tz": "Europe/London"}, "ids": {"user_id": {"field": "CustomerID", "as": "integer"}}, "event": {"if": {"field": "InvoiceNo", "op": "starts_with", "value": "C"}, "then": {"const": "Order Line Cancelled"}, "else": {"const": "Order Line Purchased"}}, "properties": {"product": "Description", "revenue": {"mul": ["Quantity", "UnitPrice"]}}, "gates": [{"expect": "not_null", "field": "InvoiceNo"}]}"#,
    stands_in: r#""$""#,
};

pub(in crate::definitions) static EMIT: Shape = Shape {
    name: "emit",
    purpose: "One of several messages that a row makes.",
    fields: &[emit::ALL],
    shortest: "{}",
    example: r#"{"when": {"field": "status", "op": "eq", "value": "paid"}, "event": {"const": "Order Completed"}, "properties": {"revenue": "total"}}"#,
    stands_in: r#"{"kind": "source", "name": "shop", "ids": {"user_id": "id"}, "emit": ["$"]}"#,
};

pub(in crate::definitions) static FIELD_MAP: Shape = Shape {
    name: "field_map",
    purpose: "The fields of an object that a row fills: any further key is a field, its value an expression. A dot in a key makes an inner object.",
    fields: &[field_map::ALL],
    shortest: "{}",
    example: r#"{"*": "attributes", "-": ["password"], "name": "full_name", "address.city": {"field": "city", "trim": true}}"#,
    stands_in: r#"{"kind": "source", "name": "shop", "ids": {"user_id": "id"}, "traits": "$"}"#,
};

pub(in crate::definitions) static GATE: Shape = Shape {
    name: "gate",
    purpose: "An expectation of one field of a row, tested before the row is mapped.",
    fields: &[gate::ALL],
    shortest: r#"{"expect": "not_null", "field": "email"}"#,
    example: r#"{"expect": "between", "field": "UnitPrice", "min": 0, "max": 10000, "severity": "warn"}"#,
    stands_in: r#"{"kind": "source", "name": "shop", "gates": ["$"]}"#,
};
