//! The fields of record linkage that profiles of a store and plain tables share.

use crate::definitions::schema::{Shape, fields};

fields! {
    /// The linkage of plain tables.
    linkage {
        COLUMNS = "columns", Map("column", &Word("column_role")), Default("{}"), r#"{"dob": "birth_date"}"#, "The role of a column; the roles of other columns are recognized by name and content.";
        BLOCKING = "blocking", Object("blocking"), Default("{}"), r#"{"max_block": 500}"#, "How many pairs are proposed for comparison.";
        THRESHOLDS = "thresholds", Object("thresholds"), Default("{}"), r#"{"auto": 0.999}"#, "The probabilities at which a pair is kept, sent to review and linked.";
    }
    /// The limits of blocking.
    blocking {
        MAX_BLOCK = "max_block", Integer(2, 1_000_000_000), Default("1000"), "500", "A key shared by more records than this proposes no pairs.";
        PAIRS_PER_RECORD = "pairs_per_record", Number(&[("above", "0")]), Default("2"), "4.5", "The number of pairs each rule may propose per record; rules that strangers often satisfy may propose a quarter. The largest blocks are left out first.";
        LEAST_PAIRS = "least_pairs", Integer(0, i64::MAX), Default("400000"), "100000", "The number of pairs a rule may propose however few the records are.";
    }
    /// The bands of decision.
    thresholds {
        AUTO = "auto", Number(&[("above", "0"), ("below", "1")]), Default("0.99"), "0.995", "From this probability on, a pair is in the band `auto`.";
        REVIEW = "review", Number(&[("above", "0"), ("below", "1")]), Default("0.5"), "0.6", "From this probability on, a pair is in the band `review`; below it, `reject`. At most `auto`.";
        CLUSTER = "cluster", Number(&[("above", "0"), ("below", "1")]), Default("0.5"), "0.7", "Records form a cluster where the average weight between them stands for at least this probability.";
        KEEP = "keep", Number(&[("above", "0"), ("below", "1")]), Otherwise("0.1, or `review` if that is less"), "0.2", "Pairs below this probability are not kept. At most `review`.";
    }
}

/// Reads as settings of `link`, not as a definition of a store.
pub(in crate::definitions) static LINKAGE: Shape = Shape {
    name: "linkage",
    purpose: "The settings of `link` for plain tables, without a store. It is no definition and has neither `kind` nor `name`; every field may be left out.",
    fields: &[linkage::ALL],
    shortest: "{}",
    example: r#"{"columns": {"dob": "birth_date", "rec_id": "ignore"}, "blocking": {"max_block": 500}, "thresholds": {"auto": 0.999, "review": 0.6}}"#,
    stands_in: r#""$""#,
};

pub(in crate::definitions) static BLOCKING: Shape = Shape {
    name: "blocking",
    purpose: "How many pairs of records are proposed for comparison.",
    fields: &[blocking::ALL],
    shortest: "{}",
    example: r#"{"max_block": 500, "pairs_per_record": 4, "least_pairs": 100000}"#,
    stands_in: r#"{"kind": "identity", "name": "default", "preset": "segment", "linkage": {"blocking": "$"}}"#,
};

pub(in crate::definitions) static THRESHOLDS: Shape = Shape {
    name: "thresholds",
    purpose: "The probabilities that divide pairs of records into bands. `keep`, `review` and `auto` must not decrease in this order.",
    fields: &[thresholds::ALL],
    shortest: "{}",
    example: r#"{"auto": 0.995, "review": 0.6, "cluster": 0.5, "keep": 0.2}"#,
    stands_in: r#"{"kind": "identity", "name": "default", "preset": "segment", "linkage": {"thresholds": "$"}}"#,
};
