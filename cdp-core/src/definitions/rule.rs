//! The rule tree: a statement about one profile that is true or false at an instant.
//!
//! It takes the JSON of a rule and leaves it typed and checked: nodes (`all`, `any`, `not`, `at_least`) over leaves.
//! A rule never holds a profile and never looks anything up; names of features and audiences are checked against
//! their definitions by `rules::check`.

mod behavior;
mod comparison;
mod leaf;

pub use behavior::{EventSelection, EventTest, LifecycleTest, Measure, PropertyFilter, SequenceStep, SequenceTest};
pub use comparison::{Comparison, Operand, Operator, SearchPattern, Version};
pub use leaf::*;

pub(super) use comparison::{OPERATORS, Place};
pub(super) use leaf::{CONSENT_STATUSES, IDENTITY_TESTS, LEAVES};

use super::fields::rule as nodes;
use super::reader::{Faults, Node, nearest, too_large};
use super::schema::Shape;
use crate::error::{Error, Result};
use crate::records::Value;

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
    /// At least this number of rules holds.
    AtLeast {
        /// How many.
        n: usize,
        /// Of these.
        of: Vec<Rule>,
    },
    /// A statement without parts.
    Leaf(Leaf),
}

/// The fields that make an object a node over other rules.
pub(super) const NODES: [&Shape; 4] = [&nodes::ALL, &nodes::ANY, &nodes::NOT, &nodes::AT_LEAST];

/// Every field that says which node or leaf an object is.
fn all_heads() -> impl Iterator<Item = &'static str> {
    NODES.into_iter().map(|node| node.name).chain(leaf::words())
}

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
        let heads: Vec<&str> = all_heads().filter(|head| fields.has(head)).collect();
        let head = match heads.as_slice() {
            [head] => *head,
            [] => {
                let near = fields.names().find_map(|name| nearest(name, all_heads()));
                let hint = near.map_or_else(
                    || format!("one of {}", all_heads().collect::<Vec<_>>().join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
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
            "all" => fields.required(&nodes::all::ALL_OF, |node| node.list(Rule::read_node)).map(Rule::All),
            "any" => fields.required(&nodes::any::ANY_OF, |node| node.list(Rule::read_node)).map(Rule::Any),
            "not" => fields.required(&nodes::not::NOT, Rule::read_node).map(|rule| Rule::Not(Box::new(rule))),
            "at_least" => fields.required(&nodes::at_least::AT_LEAST, read_at_least),
            leaf => Test::read(leaf, &mut fields).map(|test| Rule::Leaf(Leaf { test, json: node.value.clone() })),
        };
        fields.finish();
        rule
    }

    /// Notes a fault for each leaf that only a decision can answer.
    pub(crate) fn refuse_current(&self, node: Node<'_>) {
        for (pointer, leaf) in self.leaves(node.pointer()) {
            if matches!(leaf.test, Test::Current(_)) {
                node.faults
                    .add(&pointer, "`current` reads the message of a decision; only the rules of a policy have one");
            }
        }
    }
}

fn read_at_least(node: Node<'_>) -> Option<Rule> {
    let mut fields = node.fields()?;
    let n = fields.required(&nodes::minimum::N, |node| node.integer(0, 256).and_then(|n| usize::try_from(n).ok()));
    let of = fields.required(&nodes::minimum::OF, |node| node.list(Rule::read_node));
    fields.finish();
    let (n, of) = (n?, of?);
    if n > of.len() {
        node.fault(format!("`n` is {n}, but there are {} rules in `of`: it could never hold", of.len()));
        return None;
    }
    Some(Rule::AtLeast { n, of })
}
