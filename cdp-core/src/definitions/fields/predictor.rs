//! The fields of a predictor: what it reads, what it learns from, and the settings of training.

use super::common::common;
use crate::definitions::schema::{Shape, fields};

fields! {
    /// Fields of both tasks.
    predictor {
        TASK = "task", Word("predictor_task"), Required, r#""cohort""#, "What the predictor answers.", beside r#""label": {"trait": "cohort"}, "text": [{"trait": "interests"}]"#;
        LABEL = "label", Either(&[Object("cohort_label"), Object("propensity_label")]), RequiredIf("required for `propensity`, and for `cohort` with `text` and without `cohorts`"), r#"{"trait": "cohort"}"#, "What is learned.", beside r#""text": [{"trait": "interests"}], "rules": null"#;
        C = "C", Number(&[("at_least", "0.000000001"), ("at_most", "1000000000")]), Otherwise("10 for `cohort`, 1 for `propensity`"), "0.5", "The inverse of the strength of the L2 penalty, as in scikit-learn.";
        MAX_ITER = "max_iter", Integer(1, 1_000_000), Default("1000"), "200", "The number of iterations after which training stops unfinished.";
        TOL = "tol", Number(&[("at_least", "0.000000001"), ("at_most", "1")]), Default("0.0001"), "0.001", "Training ends when no entry of the mean gradient is further from zero.";
        CLASS_WEIGHT = "class_weight", Word("class_weight"), Optional, r#""balanced""#, "Gives every class the same weight, however many rows it has. Without it every row has the same weight.";
    }
    /// Fields of the task `propensity`.
    propensity {
        FEATURES = "features", List(&Text), RequiredIf("required for `propensity`; refused for `cohort`"), r#"["total_spend", "orders_30d"]"#, "The names of the features that are read, without repetition.", beside r#""task": "propensity", "rules": null, "label": {"event": "Order Completed", "horizon": "7d"}"#;
    }
    /// Fields of the task `cohort`.
    cohort {
        TEXT = "text", List(&Object("text_field")), RequiredIf("required with `label` or `cohorts`; only for `cohort`"), r#"[{"trait": "interests"}, {"event": "Product Viewed", "property": "name"}]"#, "The texts of a profile that are read.", beside r#""label": {"trait": "cohort"}, "rules": null"#;
        RULES = "rules", List(&Object("rule_cohort")), Default("[]"), r#"[{"cohort": "vip", "when": {"audience": "vip"}}]"#, "Classes that follow from rules, with score 1, before a model is asked. The first rule that holds decides. Only for `cohort`.", beside r#""label": {"trait": "cohort"}, "text": [{"trait": "interests"}]"#;
        COHORTS = "cohorts", List(&Object("described_cohort")), RequiredIf("required with `text` and without `label`; refused with `label`"), r#"[{"cohort": "sports", "keywords": ["running", "football"]}, {"cohort": "books"}]"#, "Cohorts that are described in place of a `label`: a profile belongs to the one its texts are most like. Only for `cohort`.", beside r#""text": [{"trait": "interests"}], "rules": null"#;
        SIMILARITY = "similarity", Word("similarity"), Default(r#""lexical""#), r#""lsa""#, "How texts are compared with described `cohorts`. Only with them.", beside r#""text": [{"trait": "interests"}], "rules": null, "cohorts": [{"cohort": "sports"}, {"cohort": "books"}]"#;
        MAX_FEATURES = "max_features", Integer(1, 10_000_000), Optional, "20000", "The size of the vocabulary; the terms that occur most often are kept. Without it there is no limit. Only for `cohort`.";
        MIN_DF = "min_df", Integer(1, 1_000_000_000), Default("1"), "2", "The number of documents in which a term must occur. Only for `cohort`.";
        MAX_DF = "max_df", Number(&[("at_least", "0.000000001"), ("at_most", "1")]), Default("1"), "0.8", "The greatest share of documents in which a term may occur. Only for `cohort`.";
        NGRAM_RANGE = "ngram_range", List(&Integer(1, 10)), Default("[1, 1]"), "[1, 2]", "The least and the greatest number of words (or characters) in a term. Only for `cohort`.";
        ANALYZER = "analyzer", Word("analyzer"), Default(r#""word""#), r#""char_wb""#, "What a term is made of. Only for `cohort`.";
        SUBLINEAR_TF = "sublinear_tf", Boolean, Default("false"), "true", "Counts repetitions of a term as `1 + ln(count)`. Only for `cohort`.";
        STOP_WORDS = "stop_words", List(&Text), Default("[]"), r#"["the", "and"]"#, "Words that are left out, whatever their case. Only for `cohort`.";
        THRESHOLD = "threshold", Number(&[("at_least", "0"), ("at_most", "1")]), Default("0"), "0.3", "Below this score a profile has no class. Only for `cohort`.";
        TEMPERATURE_FOLDS = "temperature_folds", Integer(0, 5), Otherwise("as many as it takes to hold out a thousand rows"), "5", "How many of five folds are held out in turn to calibrate the probabilities; 0 for no calibration. Only for `cohort`.";
    }
    /// A source of text.
    text_field {
        TRAIT = "trait", Path, RequiredIf("required without `event`"), r#""interests""#, "The path of a trait that holds a text or a list of texts.";
        EVENT = "event", Text, RequiredIf("required without `trait`, with `property`"), r#""Product Viewed""#, "The name of the events that are read.", beside r#""trait": null, "property": "name""#;
        PROPERTY = "property", Path, RequiredIf("required with `event`"), r#""name""#, "The path of the property that holds text.", beside r#""trait": null, "event": "Product Viewed""#;
    }
    /// The label of a cohort predictor. One field of the three is given.
    cohort_label {
        TRAIT = "trait", Path, RequiredIf("one of `trait`, `list` and `audience`"), r#""cohort""#, "The path of the trait that holds the class.";
        LIST = "list", Map("class", &List(&Map("identifier type", &Text))), RequiredIf("one of `trait`, `list` and `audience`"), r#"{"sports": [{"user_id": "u1"}], "books": [{"email": "b@example.com"}]}"#, "The people of each class, two classes at least; each person is one identifier.", beside r#""trait": null"#;
        AUDIENCE = "audience", Text, RequiredIf("one of `trait`, `list` and `audience`"), r#""vip""#, "An audience. The class of its members is its name, that of others `other`.", beside r#""trait": null"#;
    }
    /// The label of a propensity predictor.
    propensity_label {
        EVENT = "event", Text, Required, r#""Order Completed""#, "The event that is predicted.";
        HORIZON = "horizon", Duration, Required, r#""7d""#, "The event follows in `(t, t + horizon]`.";
    }
    /// A class by a rule.
    rule_cohort {
        COHORT = "cohort", Text, Required, r#""vip""#, "The class.";
        WHEN = "when", Rule, Required, r#"{"feature": "total_spend", "op": "gte", "value": 1000}"#, "The condition of the class. The leaf `current` is not allowed.";
    }
    /// A described cohort.
    described_cohort {
        COHORT = "cohort", Text, Required, r#""sports""#, "The name of the cohort, which counts as a text too. No two cohorts share a name.";
        DESCRIPTION = "description", Text, Optional, r#""People who run, cycle or play football""#, "What the people of the cohort are about, in a sentence.";
        KEYWORDS = "keywords", List(&Text), Default("[]"), r#"["running", "football"]"#, "Words that are typical of the cohort.";
    }
}

const IN_RULES: &str = r#"{"kind": "predictor", "name": "p", "task": "cohort", "rules": ["$"]}"#;

pub(in crate::definitions) static PREDICTOR: Shape = Shape {
    name: "predictor",
    purpose: "A class of many for each profile (`cohort`), or the likelihood that an event follows (`propensity`). Names and defaults of the settings are those of scikit-learn, except for `C` of cohorts.",
    fields: &[common::ALL, predictor::ALL, propensity::ALL, cohort::ALL],
    shortest: r#"{"kind": "predictor", "name": "p", "task": "cohort", "rules": []}"#,
    example: r#"{"kind": "predictor", "name": "interest_cohort", "task": "cohort", "text": [{"trait": "interests"}, {"event": "Order Completed", "property": "products.*.name"}], "label": {"trait": "cohort"}, "max_features": 20000, "ngram_range": [1, 2], "threshold": 0.3}"#,
    stands_in: r#""$""#,
};

pub(in crate::definitions) static TEXT_FIELD: Shape = Shape {
    name: "text_field",
    purpose: "A source of text: a trait, or a property of events.",
    fields: &[text_field::ALL],
    shortest: r#"{"trait": "interests"}"#,
    example: r#"{"event": "Order Completed", "property": "products.*.name"}"#,
    stands_in: r#"{"kind": "predictor", "name": "p", "task": "cohort", "label": {"trait": "cohort"}, "text": ["$"]}"#,
};

pub(in crate::definitions) static COHORT_LABEL: Shape = Shape {
    name: "cohort_label",
    purpose: "What a cohort predictor learns: the classes of a trait, of a list of people, or of an audience.",
    fields: &[cohort_label::ALL],
    shortest: r#"{"trait": "cohort"}"#,
    example: r#"{"list": {"sports": [{"user_id": "u1"}, {"user_id": "u2"}], "books": [{"email": "b@example.com"}]}}"#,
    stands_in: r#"{"kind": "predictor", "name": "p", "task": "cohort", "text": [{"trait": "interests"}], "label": "$"}"#,
};

pub(in crate::definitions) static PROPENSITY_LABEL: Shape = Shape {
    name: "propensity_label",
    purpose: "What a propensity predictor learns: whether an event follows within a horizon.",
    fields: &[propensity_label::ALL],
    shortest: r#"{"event": "Order Completed", "horizon": "7d"}"#,
    example: r#"{"event": "Order Completed", "horizon": "7d"}"#,
    stands_in: r#"{"kind": "predictor", "name": "p", "task": "propensity", "features": ["total_spend"], "label": "$"}"#,
};

pub(in crate::definitions) static RULE_COHORT: Shape = Shape {
    name: "rule_cohort",
    purpose: "A class that follows from a rule.",
    fields: &[rule_cohort::ALL],
    shortest: r#"{"cohort": "vip", "when": {"audience": "vip"}}"#,
    example: r#"{"cohort": "big spender", "when": {"feature": "total_spend", "op": "gte", "value": 1000}}"#,
    stands_in: IN_RULES,
};

pub(in crate::definitions) static DESCRIBED_COHORT: Shape = Shape {
    name: "described_cohort",
    purpose: "A cohort by a description, without labels.",
    fields: &[described_cohort::ALL],
    shortest: r#"{"cohort": "sports"}"#,
    example: r#"{"cohort": "sports", "description": "People who run, cycle or play football", "keywords": ["marathon", "bike"]}"#,
    stands_in: r#"{"kind": "predictor", "name": "p", "task": "cohort", "text": [{"trait": "interests"}], "cohorts": ["$"]}"#,
};
