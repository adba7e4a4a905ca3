//! The predictor definition: which texts or features of a profile it reads, what it learns from, and how.
//!
//! A `cohort` predictor gives each profile one class of many: rules first, then a model of its texts or, where nothing is
//! labelled, the likeness of its texts to described cohorts. A `propensity` predictor gives the likelihood that an event
//! follows within a horizon. Names and defaults are scikit-learn's, except
//! for `C`, which is 10: it was better than 1 on all eight text collections that were measured.

use std::collections::BTreeMap;

use crate::records::{Duration, Number, Path};

use super::fields::predictor::{
    cohort, cohort_label, described_cohort, predictor, propensity, propensity_label, rule_cohort, text_field,
};
use super::reader::{Fields, Node};
use super::rule::Rule;
use super::schema::{Words, pairs};

/// What a predictor answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PredictorTask {
    /// Which class a profile belongs to.
    Cohort,
    /// How likely an event is within a horizon.
    Propensity,
}

/// One source of text of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextField {
    /// A trait: text, or a list of texts.
    Trait(Path),
    /// A property of every event of a name.
    Event {
        /// The event's name.
        event: String,
        /// The property that holds text.
        property: Path,
    },
}

/// What a term of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Analyzer {
    /// One word or several in a row.
    Word,
    /// Characters in a row within a word that is padded with a space on both sides (scikit-learn's `char_wb`).
    Character,
    /// Characters in a row, across words; white space counts as one space (scikit-learn's `char`).
    CharacterRun,
}

impl Analyzer {
    /// The names in definitions, scikit-learn's.
    pub const NAMES: [(&'static str, Analyzer); 3] = pairs(&ANALYZER_ROWS);
}

/// What a predictor learns to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PredictorLabel {
    /// The class that stands in a trait.
    Trait(Path),
    /// The people of each class, each by identifier type and value.
    List(BTreeMap<String, Vec<(String, String)>>),
    /// Whether the profile is in an audience: its name is the class of members, [`OUTSIDE`] that of all other profiles.
    Audience(String),
    /// Whether an event follows in `(t, t + horizon]`.
    Event {
        /// The event's name.
        event: String,
        /// How far the label looks ahead of t.
        horizon: Duration,
    },
}

/// The class of profiles outside the audience that a predictor learns from.
pub const OUTSIDE: &str = "other";

/// A cohort that is recognized by its description, without labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedCohort {
    /// Its name, which counts as a text too.
    pub cohort: String,
    /// What its people are about, in a sentence.
    pub description: String,
    /// Words that speak for it.
    pub keywords: Vec<String>,
}

/// How texts are compared with described cohorts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Similarity {
    /// By the pieces of words they share; needs no training.
    #[default]
    Lexical,
    /// By latent semantic analysis: words count as alike that occur in the same profiles of the store. Before the first
    /// training lexical.
    LatentSemantic,
}

/// A class that follows from a rule, with score 1, before any model is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleCohort {
    /// The class.
    pub cohort: String,
    /// When it holds; the first rule that does decides.
    pub when: Rule,
}

/// A learned class or likelihood.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictorDefinition {
    /// Its name.
    pub name: String,
    /// What it answers.
    pub task: PredictorTask,
    /// The texts of a cohort predictor, in the order they are read.
    pub text: Vec<TextField>,
    /// The features of a propensity predictor, in column order.
    pub features: Vec<String>,
    /// What it learns from; absent if rules alone decide.
    pub label: Option<PredictorLabel>,
    /// Classes that follow from rules, the first that holds wins.
    pub rules: Vec<RuleCohort>,
    /// Cohorts by description, in place of a label.
    pub cohorts: Vec<DescribedCohort>,
    /// How texts are compared with them.
    pub similarity: Similarity,
    /// Below this score a profile is unassigned.
    pub threshold: f64,
    /// The inverse of the strength of the L2 penalty.
    pub c: f64,
    /// After how many iterations training stops unfinished.
    pub max_iter: u32,
    /// Training ends when no entry of the mean gradient is further from zero.
    pub tol: f64,
    /// Whether every class counts the same, however many rows it has.
    pub is_balanced: bool,
    /// How many of five folds are held out in turn to calibrate the probabilities; 0 for none. Absent: as many as it
    /// takes to hold out a thousand rows.
    pub temperature_folds: Option<u32>,
    /// How many terms the vocabulary may have: those that occur most often.
    pub max_features: Option<u32>,
    /// In how many documents a term must occur.
    pub min_df: u32,
    /// In which share of the documents a term may occur at most.
    pub max_df: f64,
    /// The least and the greatest number of words (or characters) in a term.
    pub ngram_range: (u32, u32),
    /// Whether terms are words or pieces of them.
    pub analyzer: Analyzer,
    /// Whether the n-th repetition of a term counts less than the first: `1 + ln(count)`.
    pub sublinear_tf: bool,
    /// Words that are left out, in lower case.
    pub stop_words: Vec<String>,
}

/// The default of `C`; see the head of this file.
const DEFAULT_C: f64 = 10.0;
/// The longest term, in words or characters: far beyond what has been found useful, and a bound on memory.
const LONGEST_NGRAM: i64 = 10;
pub(super) static TASKS: Words<PredictorTask> = Words {
    name: "predictor_task",
    rows: &[
        ("cohort", PredictorTask::Cohort, "Which class of many a profile belongs to."),
        ("propensity", PredictorTask::Propensity, "How likely an event is within a horizon."),
    ],
};

pub(super) static CLASS_WEIGHTS: Words<bool> =
    Words { name: "class_weight", rows: &[("balanced", true, "Every class has the same weight.")] };

pub(super) static SIMILARITIES: Words<Similarity> = Words {
    name: "similarity",
    rows: &[
        ("lexical", Similarity::Lexical, "By the pieces of words they share; needs no training."),
        (
            "lsa",
            Similarity::LatentSemantic,
            "By latent semantic analysis: words are alike that occur in the same profiles. Lexical before the first training.",
        ),
    ],
};

const ANALYZER_ROWS: [(&str, Analyzer, &str); 3] = [
    ("word", Analyzer::Word, "Words, one or several in a row."),
    ("char_wb", Analyzer::Character, "Characters in a row within a word, padded with a space on both sides."),
    ("char", Analyzer::CharacterRun, "Characters in a row, across words; white space counts as one space."),
];

pub(super) static ANALYZERS: Words<Analyzer> = Words { name: "analyzer", rows: &ANALYZER_ROWS };

impl PredictorDefinition {
    /// The event properties that its texts are read from.
    pub fn property_paths(&self) -> Vec<Path> {
        let property = |field: &TextField| match field {
            TextField::Event { property, .. } => Some(property.clone()),
            TextField::Trait(_) => None,
        };
        self.text.iter().filter_map(property).collect()
    }

    /// A cohort predictor of this name with every setting at its default, reading no text yet.
    pub fn cohort(name: impl Into<String>) -> PredictorDefinition {
        PredictorDefinition {
            name: name.into(),
            task: PredictorTask::Cohort,
            text: Vec::new(),
            features: Vec::new(),
            label: None,
            rules: Vec::new(),
            cohorts: Vec::new(),
            similarity: Similarity::default(),
            threshold: 0.0,
            c: DEFAULT_C,
            max_iter: 1000,
            tol: 1e-4,
            is_balanced: false,
            temperature_folds: None,
            max_features: None,
            min_df: 1,
            max_df: 1.0,
            ngram_range: (1, 1),
            analyzer: Analyzer::Word,
            sublinear_tf: false,
            stop_words: Vec::new(),
        }
    }

    pub(crate) fn read(name: String, fields: &mut Fields<'_>) -> Option<PredictorDefinition> {
        let task = fields.required(&predictor::TASK, |node| node.word(&TASKS));
        let label = fields.optional(&predictor::LABEL, |node| read_label(node, task));
        let mut definition = PredictorDefinition::cohort(name);
        if let Some(c) = fields.optional(&predictor::C, |node| number(node, 1e-9, 1e9)) {
            definition.c = c;
        }
        if let Some(max_iter) = fields.optional(&predictor::MAX_ITER, |node| count(node, 1, 1_000_000)) {
            definition.max_iter = max_iter;
        }
        if let Some(tol) = fields.optional(&predictor::TOL, |node| number(node, 1e-9, 1.0)) {
            definition.tol = tol;
        }
        definition.is_balanced = fields.optional(&predictor::CLASS_WEIGHT, |node| node.word(&CLASS_WEIGHTS)).is_some();
        if task == Some(PredictorTask::Propensity) {
            for field in cohort::ALL {
                fields.optional(*field, |node| {
                    node.fault("belongs to the task `cohort`; a propensity predictor reads `features`");
                    Some(())
                });
            }
            let features = fields.required(&propensity::FEATURES, |node| {
                let features = node.list(|item| item.text())?;
                no_repetition(node, &features)
            });
            if !fields.has("label") {
                fields.fault("the field `label` is missing: {\"event\": \"Order Completed\", \"horizon\": \"7d\"}");
            }
            definition.task = PredictorTask::Propensity;
            // scikit-learn's default: the figures for C = 10 were measured on text.
            if !fields.has("C") {
                definition.c = 1.0;
            }
            definition.features = features?;
            definition.label = Some(label?);
            return Some(definition);
        }
        fields.optional(&propensity::FEATURES, |node| {
            node.fault("belongs to the task `propensity`; a cohort predictor reads `text`");
            Some(())
        });
        let text = fields.optional(&cohort::TEXT, |node| node.list(read_text_field));
        let rules = fields.optional(&cohort::RULES, |node| node.list(read_rule_cohort));
        let cohorts = fields.optional(&cohort::COHORTS, read_cohorts);
        let similarity = fields.optional(&cohort::SIMILARITY, |node| node.word(&SIMILARITIES));
        read_text_settings(&mut definition, fields);
        let is_described = fields.has("cohorts");
        if !fields.has("text") && !fields.has("rules") && !is_described {
            fields.fault("a cohort predictor needs `text` with a `label` or with described `cohorts`, or `rules`");
        }
        if fields.has("text") && !fields.has("label") && !is_described {
            fields.fault(
                "the field `label` is missing: the classes to learn, {\"trait\": \"cohort\"}; or describe `cohorts`",
            );
        }
        if (fields.has("label") || is_described) && !fields.has("text") {
            fields.fault("the field `text` is missing: what tells the classes apart, [{\"trait\": \"interests\"}]");
        }
        if fields.has("label") && is_described {
            fields.fault("`label` and `cohorts` exclude each other: classes are either learned or described");
        }
        if fields.has("similarity") && !is_described {
            fields.fault("`similarity` belongs to described `cohorts`");
        }
        definition.text = text.unwrap_or_default();
        definition.rules = rules.unwrap_or_default();
        definition.cohorts = cohorts.unwrap_or_default();
        definition.similarity = similarity.unwrap_or_default();
        definition.label = label;
        task.map(|_| definition)
    }
}

fn read_text_settings(definition: &mut PredictorDefinition, fields: &mut Fields<'_>) {
    definition.max_features = fields.optional(&cohort::MAX_FEATURES, |node| count(node, 1, 10_000_000));
    if let Some(min_df) = fields.optional(&cohort::MIN_DF, |node| count(node, 1, 1_000_000_000)) {
        definition.min_df = min_df;
    }
    if let Some(max_df) = fields.optional(&cohort::MAX_DF, |node| number(node, 1e-9, 1.0)) {
        definition.max_df = max_df;
    }
    if let Some(ngram_range) = fields.optional(&cohort::NGRAM_RANGE, read_ngram_range) {
        definition.ngram_range = ngram_range;
    }
    if let Some(analyzer) = fields.optional(&cohort::ANALYZER, |node| node.word(&ANALYZERS)) {
        definition.analyzer = analyzer;
    }
    if let Some(sublinear_tf) = fields.optional(&cohort::SUBLINEAR_TF, |node| node.boolean()) {
        definition.sublinear_tf = sublinear_tf;
    }
    if let Some(stop_words) = fields.optional(&cohort::STOP_WORDS, |node| node.list(|word| word.text())) {
        definition.stop_words = stop_words.iter().map(|word| word.to_lowercase()).collect();
    }
    if let Some(threshold) = fields.optional(&cohort::THRESHOLD, |node| number(node, 0.0, 1.0)) {
        definition.threshold = threshold;
    }
    definition.temperature_folds = fields.optional(&cohort::TEMPERATURE_FOLDS, |node| count(node, 0, 5));
}

fn read_text_field(node: Node<'_>) -> Option<TextField> {
    let mut fields = node.fields()?;
    let path = fields.optional(&text_field::TRAIT, |node| node.path());
    let event = fields.optional(&text_field::EVENT, |node| node.text());
    let property = fields.optional(&text_field::PROPERTY, |node| node.path());
    let field = match (fields.has("trait"), fields.has("event"), fields.has("property")) {
        (true, false, false) => path.map(TextField::Trait),
        (false, true, true) => event.zip(property).map(|(event, property)| TextField::Event { event, property }),
        _ => {
            fields.fault("expected {\"trait\": path} or {\"event\": name, \"property\": path}");
            None
        }
    };
    fields.finish();
    field
}

fn read_label(node: Node<'_>, task: Option<PredictorTask>) -> Option<PredictorLabel> {
    let mut fields = node.fields()?;
    let path = fields.optional(&cohort_label::TRAIT, |node| node.path());
    let list = fields.optional(&cohort_label::LIST, read_labelled_people);
    let audience = fields.optional(&cohort_label::AUDIENCE, |node| node.text());
    let event = fields.optional(&propensity_label::EVENT, |node| node.text());
    let horizon = fields.optional(&propensity_label::HORIZON, |node| node.duration());
    let given: Vec<&str> =
        ["trait", "list", "audience", "event", "horizon"].into_iter().filter(|name| fields.has(name)).collect();
    let label = match (task, given.as_slice()) {
        (None | Some(PredictorTask::Cohort), ["trait"]) => path.map(PredictorLabel::Trait),
        (None | Some(PredictorTask::Cohort), ["list"]) => list.map(PredictorLabel::List),
        (None | Some(PredictorTask::Cohort), ["audience"]) => audience.map(PredictorLabel::Audience),
        (None | Some(PredictorTask::Propensity), ["event", "horizon"]) => {
            event.zip(horizon).map(|(event, horizon)| PredictorLabel::Event { event, horizon })
        }
        (Some(PredictorTask::Propensity), _) => {
            fields.fault("the label of a propensity predictor is {\"event\": name, \"horizon\": duration}");
            None
        }
        _ => {
            fields.fault(
                "the label of a cohort predictor is {\"trait\": path}, {\"list\": {class: [identifier]}} or {\"audience\": name}",
            );
            None
        }
    };
    fields.finish();
    label
}

/// Class -> list of identifiers, each an object of one type.
fn read_labelled_people(node: Node<'_>) -> Option<BTreeMap<String, Vec<(String, String)>>> {
    let people = node.entries(|_, people| {
        people.list(|identifier| {
            let mut named = identifier.entries(|_, value| value.text())?.into_iter();
            match (named.next(), named.next()) {
                (Some(identifier), None) => Some(identifier),
                _ => {
                    identifier.fault("expected an identifier: {\"user_id\": \"u1\"}");
                    None
                }
            }
        })
    })?;
    if people.len() < 2 || people.iter().any(|(class, _)| class.is_empty()) {
        node.fault("expected at least two classes, each with a name and a list of identifiers");
        return None;
    }
    Some(people.into_iter().collect())
}

fn read_cohorts(node: Node<'_>) -> Option<Vec<DescribedCohort>> {
    let cohorts = node.list(|item| {
        let mut fields = item.fields()?;
        let cohort = fields.required(&described_cohort::COHORT, |node| node.text());
        let description = fields.optional(&described_cohort::DESCRIPTION, |node| node.text());
        let keywords = fields.optional(&described_cohort::KEYWORDS, |node| node.list(|word| word.text()));
        fields.finish();
        Some(DescribedCohort {
            cohort: cohort?,
            description: description.unwrap_or_default(),
            keywords: keywords.unwrap_or_default(),
        })
    })?;
    if cohorts.is_empty() {
        node.fault("expected at least one cohort: [{\"cohort\": name, \"description\": \"what it is about\"}]");
        return None;
    }
    let mut names: Vec<&str> = cohorts.iter().map(|cohort| cohort.cohort.as_str()).collect();
    names.sort_unstable();
    if let Some((name, _)) = names.iter().zip(names.iter().skip(1)).find(|(left, right)| left == right) {
        node.fault(format!("the cohort `{name}` is described twice"));
        return None;
    }
    Some(cohorts)
}

fn read_rule_cohort(node: Node<'_>) -> Option<RuleCohort> {
    let mut fields = node.fields()?;
    let cohort = fields.required(&rule_cohort::COHORT, |node| node.text());
    let when = fields.required(&rule_cohort::WHEN, |node| {
        let rule = Rule::read_node(node);
        rule.iter().for_each(|rule| rule.refuse_current(node));
        rule
    });
    fields.finish();
    Some(RuleCohort { cohort: cohort?, when: when? })
}

fn read_ngram_range(node: Node<'_>) -> Option<(u32, u32)> {
    let bounds = node.list(|item| count(item, 1, LONGEST_NGRAM))?;
    match bounds.as_slice() {
        [least, greatest] if least <= greatest => Some((*least, *greatest)),
        _ => {
            node.fault("expected two numbers, the least and the greatest: [1, 2]");
            None
        }
    }
}

fn no_repetition(node: Node<'_>, names: &[String]) -> Option<Vec<String>> {
    if names.is_empty() {
        node.fault("expected at least one feature");
        return None;
    }
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort();
    let repeated = sorted.iter().zip(sorted.iter().skip(1)).find(|(left, right)| left == right);
    if let Some((name, _)) = repeated {
        node.fault(format!("the feature `{name}` stands twice"));
        return None;
    }
    Some(names.to_vec())
}

fn count(node: Node<'_>, least: i64, greatest: i64) -> Option<u32> {
    node.integer(least, greatest).and_then(|n| u32::try_from(n).ok())
}

fn number(node: Node<'_>, least: f64, greatest: f64) -> Option<f64> {
    let number = node.number().map(Number::to_f64)?;
    if !(least..=greatest).contains(&number) {
        node.fault(format!("expected a number from {least} to {greatest}"));
        return None;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use crate::definitions::{
        Analyzer, Body, Definition, PredictorDefinition, PredictorLabel, PredictorTask, TextField,
    };

    fn predictor(text: &str) -> PredictorDefinition {
        match Definition::parse(text).unwrap().body {
            Body::Predictor(predictor) => predictor,
            _ => panic!("not a predictor"),
        }
    }

    fn faults(text: &str) -> Vec<String> {
        let error = Definition::parse(text).unwrap_err();
        error.faults().iter().map(|fault| fault.pointer.clone()).collect()
    }

    #[test]
    fn a_cohort_predictor_is_read_with_its_defaults() {
        let read = predictor(
            r#"{"kind": "predictor", "name": "interest_cohort", "task": "cohort",
                "text": [{"trait": "interests"}, {"event": "Order Line Purchased", "property": "name"}],
                "label": {"trait": "cohort"}, "max_features": 20000, "ngram_range": [1, 2], "stop_words": ["The"],
                "analyzer": "char_wb", "class_weight": "balanced", "tol": 1e-5}"#,
        );
        assert_eq!((read.task, read.c, read.max_iter, read.tol), (PredictorTask::Cohort, 10.0, 1000, 1e-5));
        assert_eq!((read.max_features, read.ngram_range), (Some(20000), (1, 2)));
        assert_eq!((read.analyzer, read.is_balanced, read.sublinear_tf), (Analyzer::Character, true, false));
        assert_eq!(read.stop_words, ["the"]);
        assert!(matches!(read.text.as_slice(), [TextField::Trait(_), TextField::Event { .. }]));
        assert!(matches!(read.label, Some(PredictorLabel::Trait(_))));
    }

    #[test]
    fn a_propensity_predictor_is_read() {
        let read = predictor(
            r#"{"kind": "predictor", "name": "buys_soon", "task": "propensity", "features": ["total_spend"],
                "label": {"event": "Order Completed", "horizon": "7d"}}"#,
        );
        assert_eq!((read.task, read.c), (PredictorTask::Propensity, 1.0));
        assert_eq!(read.features, ["total_spend"]);
        assert!(matches!(read.label, Some(PredictorLabel::Event { .. })));
    }

    #[test]
    fn every_fault_is_reported_at_its_place() {
        let found = faults(
            r#"{"kind": "predictor", "name": "p", "task": "cohort", "text": [{"trait": "a", "event": "b"}],
                "label": {"event": "Order Completed", "horizon": "7d"}, "C": 0, "ngram_range": [2, 1], "features": ["x"],
                "max_df": 2, "maxfeatures": 3}"#,
        );
        assert_eq!(found, ["/label", "/C", "/features", "/text/0", "/max_df", "/ngram_range", "/maxfeatures"]);
        let found =
            faults(r#"{"kind": "predictor", "name": "p", "task": "propensity", "features": ["x", "x"], "text": []}"#);
        assert_eq!(found, ["/text", "/features", "/"]);
        assert_eq!(faults(r#"{"kind": "predictor", "name": "p", "task": "cohort"}"#), ["/"]);
    }
}
