//! The rule tree: a statement about one profile that is true or false at an instant.
//!
//! It takes the JSON of a rule and leaves it typed and checked: nodes (`all`, `any`, `not`, `at_least`) over leaves.
//! A rule never holds a profile and never looks anything up; names of features and audiences are checked against
//! their definitions by `rules::check`.

mod behavior;
mod comparison;

pub use behavior::{EventSelection, EventTest, LifecycleTest, Measure, PropertyFilter, SequenceStep, SequenceTest};
pub use comparison::{Comparison, Operand, Operator, SearchPattern, Version};

use comparison::Place;

use super::reader::{Faults, Fields, Node, nearest, too_large};
use crate::error::{Error, Result};
use crate::records::{Path, Value};

/// A statement about one profile.
///
/// ```
/// use cdp_core::definitions::Rule;
/// use cdp_core::records::Value;
/// let json = Value::parse(br#"{"all": [{"trait": "plan", "op": "eq", "value": "pro"},
///     {"event": "Order Completed", "count": {"gte": 2}, "within": "30d"}]}"#).unwrap();
/// let rule = Rule::from_value(&json)?;
/// assert_eq!(rule.to_value(), json);
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// Every one holds; true when empty.
    All(Vec<Rule>),
    /// One holds at least; false when empty.
    Any(Vec<Rule>),
    /// It does not hold.
    Not(Box<Rule>),
    /// So many hold at least.
    AtLeast {
        /// How many.
        n: usize,
        /// Of these.
        of: Vec<Rule>,
    },
    /// A statement without parts.
    Leaf(Leaf),
}

/// A statement without parts, and its JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// What is tested.
    pub test: Test,
    /// The leaf as it was written.
    pub json: Value,
}

/// What a leaf tests.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A trait compares like this.
    Trait {
        /// Where it is in the traits.
        path: Path,
        /// What it is compared with.
        comparison: Comparison,
    },
    /// A feature compares like this.
    Feature {
        /// Its name.
        name: String,
        /// What it is compared with.
        comparison: Comparison,
    },
    /// Something was done, or not.
    Event(EventTest),
    /// Things were done one after the other.
    Sequence(SequenceTest),
    /// A habit began, ended or holds.
    Lifecycle(LifecycleTest),
    /// The profile is in an audience, or not.
    Audience {
        /// Its name.
        name: String,
        /// Whether it must be in.
        inside: bool,
    },
    /// A predictor puts the profile into a class with a score.
    Cohort {
        /// The predictor's name.
        predictor: String,
        /// The class; any class if absent.
        class: Option<String>,
        /// What the score is compared with.
        score: Option<Comparison>,
    },
    /// What is known about who it is.
    Identity(IdentityTest),
    /// The state of consent.
    Consent {
        /// For which use.
        purpose: String,
        /// On which channel; on all if absent.
        channel: Option<String>,
        /// The state it must have.
        status: ConsentStatus,
    },
    /// The profile belongs to an account: a company, a household.
    Account {
        /// The account's identifier.
        account: String,
        /// Its type; `group_id` if absent.
        account_type: String,
    },
    /// A value of the message that a decision is about.
    Current {
        /// Where it is in the message.
        path: Path,
        /// What it is compared with.
        comparison: Comparison,
    },
}

/// The leaf `identity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityTest {
    /// The profile holds an identifier of this type.
    Has(String),
    /// The profile holds a person or contact identifier.
    Known,
    /// It holds none.
    Anonymous,
}

/// The state of a person's consent for a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentStatus {
    /// The latest choice allows it.
    Granted,
    /// The latest choice forbids it.
    Denied,
    /// There is no choice.
    Unknown,
    /// Joined profiles disagree, and nobody has chosen since.
    Conflict,
}

impl ConsentStatus {
    /// The word for this state.
    pub fn as_str(self) -> &'static str {
        match self {
            ConsentStatus::Granted => "granted",
            ConsentStatus::Denied => "denied",
            ConsentStatus::Unknown => "unknown",
            ConsentStatus::Conflict => "conflict",
        }
    }
}

// The fields that say which node or leaf an object is.
const HEADS: [&str; 20] = [
    "all",
    "any",
    "not",
    "at_least",
    "trait",
    "feature",
    "event",
    "sequence",
    "stopped",
    "restarted",
    "regularly",
    "audience",
    "cohort",
    "identity",
    "consent",
    "account",
    "current",
    "list",
    "top",
    "bucket",
];

impl Rule {
    /// Reads a rule that stands alone; every fault is reported at once.
    pub fn from_value(value: &Value) -> Result<Rule> {
        let faults = Faults::default();
        let rule = match too_large(value) {
            Some(message) => {
                faults.add("", message);
                None
            }
            None => Rule::read_node(Node::root(value, &faults)),
        };
        match rule {
            Some(rule) if faults.is_empty() => Ok(rule),
            _ => Err(Error::from_faults("the rule", faults.into_vec())),
        }
    }

    /// The JSON of this rule.
    pub fn to_value(&self) -> Value {
        let list = |rules: &[Rule]| Value::List(rules.iter().map(Rule::to_value).collect());
        match self {
            Rule::All(rules) => Value::object([("all", list(rules))]),
            Rule::Any(rules) => Value::object([("any", list(rules))]),
            Rule::Not(rule) => Value::object([("not", rule.to_value())]),
            Rule::AtLeast { n, of } => {
                Value::object([("at_least", Value::object([("n", Value::count(*n)), ("of", list(of))]))])
            }
            Rule::Leaf(leaf) => leaf.json.clone(),
        }
    }

    /// Every leaf with its JSON pointer below `pointer`, in the order of the document.
    pub fn leaves(&self, pointer: &str) -> Vec<(String, &Leaf)> {
        let mut leaves = Vec::new();
        self.collect_leaves(pointer.to_owned(), &mut leaves);
        leaves
    }

    fn collect_leaves<'r>(&'r self, pointer: String, leaves: &mut Vec<(String, &'r Leaf)>) {
        let (word, rules) = match self {
            Rule::All(rules) => ("all", rules),
            Rule::Any(rules) => ("any", rules),
            Rule::AtLeast { of, .. } => ("at_least/of", of),
            Rule::Not(rule) => return rule.collect_leaves(format!("{pointer}/not"), leaves),
            Rule::Leaf(leaf) => return leaves.push((pointer, leaf)),
        };
        for (index, rule) in rules.iter().enumerate() {
            rule.collect_leaves(format!("{pointer}/{word}/{index}"), leaves);
        }
    }

    /// Reads a rule; every fault is noted.
    pub(crate) fn read_node(node: Node<'_>) -> Option<Rule> {
        let mut fields = node.fields()?;
        let heads: Vec<&str> = HEADS.into_iter().filter(|head| fields.has(head)).collect();
        let head = match heads.as_slice() {
            [head] => *head,
            [] => {
                let near = fields.names().find_map(|name| nearest(name, HEADS.into_iter()));
                let hint = near
                    .map_or_else(|| format!("one of {}", HEADS.join(", ")), |near| format!("did you mean `{near}`?"));
                node.fault(format!("not a rule: no field says what it tests; {hint}"));
                return None;
            }
            several => {
                node.fault(format!(
                    "{} cannot stand in one object; join them with `all` or `any`",
                    several.join(" and ")
                ));
                return None;
            }
        };
        let rule = match head {
            "all" => fields.required("all", |node| node.list(Rule::read_node)).map(Rule::All),
            "any" => fields.required("any", |node| node.list(Rule::read_node)).map(Rule::Any),
            "not" => fields.required("not", Rule::read_node).map(|rule| Rule::Not(Box::new(rule))),
            "at_least" => fields.required("at_least", read_at_least),
            leaf => read_leaf(leaf, &mut fields).map(|test| Rule::Leaf(Leaf { test, json: node.value.clone() })),
        };
        fields.finish();
        rule
    }

    /// Notes a fault for each leaf that only a decision can answer.
    pub(crate) fn refuse_current(&self, node: Node<'_>) {
        for (pointer, leaf) in self.leaves(node.pointer()) {
            if matches!(leaf.test, Test::Current { .. }) {
                node.faults
                    .add(&pointer, "`current` reads the message of a decision; only the rules of a policy have one");
            }
        }
    }
}

fn read_at_least(node: Node<'_>) -> Option<Rule> {
    let mut fields = node.fields()?;
    let n = fields.required("n", |node| node.integer(0, 256).and_then(|n| usize::try_from(n).ok()));
    let of = fields.required("of", |node| node.list(Rule::read_node));
    fields.finish();
    let (n, of) = (n?, of?);
    if n > of.len() {
        node.fault(format!("`n` is {n}, but there are {} rules in `of`: it could never hold", of.len()));
        return None;
    }
    Some(Rule::AtLeast { n, of })
}

fn read_leaf(head: &str, fields: &mut Fields<'_>) -> Option<Test> {
    match head {
        "trait" => {
            let path = fields.required("trait", |node| node.path());
            let comparison = Comparison::read(fields, Place::Any);
            Some(Test::Trait { path: path?, comparison: comparison? })
        }
        "current" => {
            let path = fields.required("current", |node| node.path());
            let comparison = Comparison::read(fields, Place::Any);
            Some(Test::Current { path: path?, comparison: comparison? })
        }
        "feature" => {
            let name = fields.required("feature", |node| node.text());
            let comparison = Comparison::read(fields, Place::Any);
            Some(Test::Feature { name: name?, comparison: comparison? })
        }
        "event" => EventTest::read(fields).map(Test::Event),
        "sequence" => SequenceTest::read(fields).map(Test::Sequence),
        "stopped" => fields.required("stopped", LifecycleTest::read_stopped).map(Test::Lifecycle),
        "restarted" => fields.required("restarted", LifecycleTest::read_restarted).map(Test::Lifecycle),
        "regularly" => fields.required("regularly", LifecycleTest::read_regularly).map(Test::Lifecycle),
        "audience" => {
            let name = fields.required("audience", |node| node.text());
            let said = fields.has("in");
            let inside = fields.optional("in", |node| node.boolean());
            Some(Test::Audience { name: name?, inside: if said { inside? } else { true } })
        }
        "cohort" => read_cohort(fields),
        "identity" => read_identity(fields),
        "consent" => read_consent(fields),
        "account" => read_account(fields),
        // What remains of the heads. A rule with such a leaf is refused when it is defined, not when it is asked.
        _ => {
            for word in ["list", "top", "bucket"] {
                fields.optional(word, |node| {
                    node.fault(format!("the leaf `{word}` is not available yet"));
                    Some(())
                });
            }
            fields.optional("in", |_| Some(()));
            None
        }
    }
}

fn read_cohort(fields: &mut Fields<'_>) -> Option<Test> {
    let predictor = fields.required("cohort", |node| node.text());
    let (classed, scored) = (fields.has("is"), fields.has("score"));
    let class = fields.optional("is", |node| node.text());
    let score = fields.optional("score", |node| Comparison::read_short(node, Place::Number));
    if class.is_some() != classed || score.is_some() != scored {
        return None;
    }
    Some(Test::Cohort { predictor: predictor?, class, score })
}

fn read_identity(fields: &mut Fields<'_>) -> Option<Test> {
    #[derive(Clone, Copy, PartialEq)]
    enum Word {
        Has,
        Known,
        Anonymous,
    }
    let word = fields.required("identity", |node| {
        node.word(&[("has", Word::Has), ("known", Word::Known), ("anonymous", Word::Anonymous)])
    });
    if word == Some(Word::Has) {
        let identifier_type = fields.required("type", |node| node.text());
        return identifier_type.map(|identifier_type| Test::Identity(IdentityTest::Has(identifier_type)));
    }
    let superfluous = fields.optional("type", |node| {
        if word.is_some() {
            node.fault("`type` belongs to `\"identity\": \"has\"`");
        }
        Some(())
    });
    let test = if word? == Word::Known { IdentityTest::Known } else { IdentityTest::Anonymous };
    superfluous.is_none().then_some(Test::Identity(test))
}

fn read_account(fields: &mut Fields<'_>) -> Option<Test> {
    let account = fields.required("account", |node| node.text());
    let is_typed = fields.has("type");
    let account_type = fields.optional("type", |node| node.text());
    if account_type.is_some() != is_typed {
        return None;
    }
    Some(Test::Account { account: account?, account_type: account_type.unwrap_or_else(|| "group_id".to_owned()) })
}

fn read_consent(fields: &mut Fields<'_>) -> Option<Test> {
    let purpose = fields.required("consent", |node| node.text());
    let (on_channel, said) = (fields.has("channel"), fields.has("status"));
    let channel = fields.optional("channel", |node| node.text());
    let status = fields.optional("status", |node| {
        let statuses = [ConsentStatus::Granted, ConsentStatus::Denied, ConsentStatus::Unknown, ConsentStatus::Conflict];
        node.word(&statuses.map(|status| (status.as_str(), status)))
    });
    if channel.is_some() != on_channel || status.is_some() != said {
        return None;
    }
    Some(Test::Consent { purpose: purpose?, channel, status: status.unwrap_or(ConsentStatus::Granted) })
}
