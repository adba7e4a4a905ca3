//! One comparison of a rule: an operator and what it compares with, checked to fit each other when the rule is read.
//!
//! It takes `op` and `value` of a leaf and leaves them typed (numbers, instants, compiled patterns), so that nothing
//! is parsed or can fail while a person's data is compared. It never compares: that is `rules::operators`.

use std::cmp::Ordering;
use std::fmt;

use regex::{Regex, RegexBuilder};

use super::super::aggregate::Aggregate;
use super::super::fields::comparison::comparison;
use super::super::reader::{Fields, Node};
use super::super::schema::{Type, Words};
use crate::records::{Duration, Number, Timestamp, Value};

/// How a value is compared. Null is absent; absent satisfies only the operators that deny something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// Equal, without conversion.
    Eq,
    /// Not equal; true when absent.
    Ne,
    /// Equal text, whatever its case.
    EqCi,
    /// Equal to one of a list, without conversion.
    In,
    /// Equal to none of a list; true when absent.
    NotIn,
    /// A smaller number; decimal text is a number.
    Lt,
    /// A smaller or equal number.
    Lte,
    /// A greater number.
    Gt,
    /// A greater or equal number.
    Gte,
    /// A number or time between two, both included.
    Between,
    /// A list with this item, or text with this part.
    Contains,
    /// Not so; true when absent.
    NotContains,
    /// Text with this beginning.
    StartsWith,
    /// Text with this end.
    EndsWith,
    /// Text in which this pattern is found.
    Regex,
    /// Not so; true when absent.
    NotRegex,
    /// There is a value.
    Exists,
    /// There is none.
    NotExists,
    /// Absent, or a text, list or object with nothing in it.
    IsEmpty,
    /// True, the boolean.
    IsTrue,
    /// False, the boolean.
    IsFalse,
    /// A list with all of these items.
    All,
    /// A list with one of these items at least.
    AnyOf,
    /// A list with none of these items; true when absent.
    NoneOf,
    /// Strictly earlier than an instant.
    Before,
    /// Strictly later than an instant.
    After,
    /// On the UTC day of an instant.
    OnDay,
    /// In `(t - d, t]`.
    WithinLast,
    /// In `(t, t + d]`.
    WithinNext,
    /// At `t - d` or earlier.
    BeforeLast,
    /// Later than `t + d`.
    AfterNext,
    /// Equal to this version.
    SemverEq,
    /// A later version.
    SemverGt,
    /// This version or a later one.
    SemverGte,
    /// An earlier version.
    SemverLt,
    /// This version or an earlier one.
    SemverLte,
}

pub(in crate::definitions) static OPERATORS: Words<Operator> = Words {
    name: "operator",
    rows: &[
        ("eq", Operator::Eq, "Equal, without conversion."),
        ("ne", Operator::Ne, "Not equal; true when absent."),
        ("eq_ci", Operator::EqCi, "Equal text, whatever its case."),
        ("in", Operator::In, "Equal to one of a list, without conversion."),
        ("not_in", Operator::NotIn, "Equal to none of a list; true when absent."),
        ("lt", Operator::Lt, "A smaller number; decimal text is a number."),
        ("lte", Operator::Lte, "A smaller or equal number."),
        ("gt", Operator::Gt, "A greater number."),
        ("gte", Operator::Gte, "A greater or equal number."),
        ("between", Operator::Between, "A number or time between two, both included."),
        ("contains", Operator::Contains, "A list with this item, or text with this part."),
        (
            "not_contains",
            Operator::NotContains,
            "No list with this item, and no text with this part; true when absent.",
        ),
        ("starts_with", Operator::StartsWith, "Text with this beginning."),
        ("ends_with", Operator::EndsWith, "Text with this end."),
        ("regex", Operator::Regex, "Text in which the pattern is found."),
        ("not_regex", Operator::NotRegex, "No text in which the pattern is found; true when absent."),
        ("exists", Operator::Exists, "There is a value."),
        ("not_exists", Operator::NotExists, "There is no value."),
        ("is_empty", Operator::IsEmpty, "Absent, or a text, list or object with nothing in it."),
        ("is_true", Operator::IsTrue, "True, the boolean."),
        ("is_false", Operator::IsFalse, "False, the boolean."),
        ("all", Operator::All, "A list with all of these items."),
        ("any_of", Operator::AnyOf, "A list with one of these items at least."),
        ("none_of", Operator::NoneOf, "A list with none of these items; true when absent."),
        ("before", Operator::Before, "Strictly earlier than an instant."),
        ("after", Operator::After, "Strictly later than an instant."),
        ("on_day", Operator::OnDay, "On the UTC day of an instant."),
        ("within_last", Operator::WithinLast, "In `(t - d, t]`."),
        ("within_next", Operator::WithinNext, "In `(t, t + d]`."),
        ("before_last", Operator::BeforeLast, "At `t - d` or earlier."),
        ("after_next", Operator::AfterNext, "Later than `t + d`."),
        ("semver_eq", Operator::SemverEq, "An equal version, by Semantic Versioning."),
        ("semver_gt", Operator::SemverGt, "A later version."),
        ("semver_gte", Operator::SemverGte, "An equal or later version."),
        ("semver_lt", Operator::SemverLt, "An earlier version."),
        ("semver_lte", Operator::SemverLte, "An equal or earlier version."),
        ("contains_any", Operator::AnyOf, "Another word for `any_of`."),
    ],
};

impl Operator {
    /// The word of this operator in a rule.
    pub fn as_str(self) -> &'static str {
        OPERATORS.rows.iter().find(|(_, operator, _)| *operator == self).map_or("", |(word, ..)| word)
    }

    /// Whether the outcome depends on the instant at which it is asked.
    pub fn is_relative(self) -> bool {
        use Operator::*;
        matches!(self, WithinLast | WithinNext | BeforeLast | AfterNext)
    }

    /// Whether this operator denies another: true when the value is absent.
    pub fn denies(self) -> bool {
        use Operator::*;
        matches!(self, Ne | NotIn | NotContains | NotRegex | NoneOf | NotExists)
    }

    /// Whether this operator looks at a list as a whole.
    pub fn is_of_lists(self) -> bool {
        use Operator::*;
        matches!(self, Contains | NotContains | All | AnyOf | NoneOf | Exists | NotExists | IsEmpty)
    }

    /// The type of the operand, as the reference states it; `None` for an operator that stands alone.
    pub(in crate::definitions) fn operand_type(self) -> Option<Type> {
        use Operator::*;
        match self {
            Exists | NotExists | IsEmpty | IsTrue | IsFalse => None,
            Eq | Ne | Contains | NotContains => Some(Type::Json),
            In | NotIn | All | AnyOf | NoneOf => Some(Type::List(&Type::Json)),
            EqCi | StartsWith | EndsWith => Some(Type::Text),
            Lt | Lte | Gt | Gte => Some(Type::Number(&[])),
            Between => Some(Type::Either(&[Type::List(&Type::Number(&[])), Type::List(&Type::Time)])),
            Before | After | OnDay => Some(Type::Time),
            WithinLast | WithinNext | BeforeLast | AfterNext => Some(Type::Duration),
            Regex | NotRegex => Some(Type::Pattern),
            SemverEq | SemverGt | SemverGte | SemverLt | SemverLte => Some(Type::Text),
        }
    }

    fn is_numeric(self) -> bool {
        use Operator::*;
        matches!(self, Eq | Ne | In | NotIn | Lt | Lte | Gt | Gte | Between | Exists | NotExists)
    }
}

/// What a value is compared with.
#[derive(Clone, PartialEq)]
pub enum Operand {
    /// Nothing: the operator stands alone.
    Nothing,
    /// A value of any kind.
    Value(Value),
    /// Values of any kind.
    Values(Vec<Value>),
    /// Text.
    Text(String),
    /// A number.
    Number(Number),
    /// Two numbers, both included.
    Numbers(Number, Number),
    /// An instant.
    Time(Timestamp),
    /// Two instants, both included.
    Times(Timestamp, Timestamp),
    /// A length of time from the instant of the question.
    Length(Duration),
    /// A regular expression.
    Pattern(SearchPattern),
    /// A version.
    Version(Version),
}

/// Shows the kind and nothing of the content: a rule may name a person.
impl fmt::Debug for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operand::Nothing => "nothing",
            Operand::Value(value) => value.kind(),
            Operand::Values(_) => "values",
            Operand::Text(_) => "text",
            Operand::Number(_) => "number",
            Operand::Numbers(..) => "two numbers",
            Operand::Time(_) => "time",
            Operand::Times(..) => "two times",
            Operand::Length(_) => "duration",
            Operand::Pattern(_) => "pattern",
            Operand::Version(_) => "version",
        })
    }
}

/// An operator and its operand, which fit each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// How a value is compared.
    pub operator: Operator,
    /// What it is compared with.
    pub operand: Operand,
}

/// A compiled regular expression; two are equal if their texts are.
#[derive(Clone)]
pub struct SearchPattern(Regex);

impl fmt::Debug for SearchPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pattern")
    }
}

impl SearchPattern {
    /// Compiles a pattern of bounded size; `None` if it is no regular expression or too large.
    pub fn compile(text: &str) -> Option<SearchPattern> {
        RegexBuilder::new(text)
            .size_limit(1 << 20)
            .dfa_size_limit(1 << 20)
            .nest_limit(50)
            .build()
            .ok()
            .map(SearchPattern)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the pattern is found anywhere in the text.
    pub fn is_found_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for SearchPattern {
    fn eq(&self, other: &SearchPattern) -> bool {
        self.as_str() == other.as_str()
    }
}

/// A version by the precedence of Semantic Versioning 2.0.0, section 11; missing parts are zero, a leading `v` is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    numbers: [u64; 3],
    pre_release: Vec<PreRelease>,
}

// The order of the variants is the order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PreRelease {
    Number(u64),
    Text(String),
}

impl Version {
    /// Parses `2.10.0`, `2.10`, `v2.0.0-rc.1+build`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Version> {
        let text = text.trim_ascii();
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (core, pre_release) = match text.split_once('-') {
            Some((core, pre_release)) => {
                (core, pre_release.split('.').map(PreRelease::parse).collect::<Option<Vec<_>>>()?)
            }
            None => (text, Vec::new()),
        };
        let mut numbers = [0; 3];
        let parts: Vec<&str> = core.split('.').collect();
        if parts.len() > numbers.len() {
            return None;
        }
        for (number, part) in numbers.iter_mut().zip(parts) {
            *number = digits(part)?;
        }
        Some(Version { numbers, pre_release })
    }
}

impl PreRelease {
    fn parse(text: &str) -> Option<PreRelease> {
        let sound = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        sound.then(|| digits(text).map_or_else(|| PreRelease::Text(text.to_owned()), PreRelease::Number))
    }
}

fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        // A version without pre-release comes after all of its pre-releases.
        let released = self.pre_release.is_empty().cmp(&other.pre_release.is_empty());
        self.numbers.cmp(&other.numbers).then(released).then_with(|| self.pre_release.cmp(&other.pre_release))
    }
}

/// Where a comparison stands: it decides which operators make sense.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// A trait, feature or value of the current message: every operator.
    Any,
    /// A property of an event: nothing that depends on the instant of the question.
    Where,
    /// A count or score: always a number.
    Number,
    /// The value of a measure over events.
    Measure(Aggregate),
}

impl Place {
    fn refusal(self, operator: Operator) -> Option<String> {
        let word = operator.as_str();
        match self {
            Place::Any => None,
            Place::Measure(aggregate) if aggregate.is_time() => None,
            Place::Measure(aggregate) if aggregate.is_numeric() && !operator.is_numeric() => {
                Some(format!("`{word}` does not fit a number; use eq, ne, in, not_in, lt, lte, gt, gte or between"))
            }
            Place::Number if !operator.is_numeric() => {
                Some(format!("`{word}` does not fit a number; use eq, ne, in, not_in, lt, lte, gt, gte or between"))
            }
            Place::Where | Place::Measure(_) if operator.is_relative() => Some(format!(
                "`{word}` looks from the instant of the question and does not fit the property of an event; use `within` or before and after"
            )),
            _ => None,
        }
    }

    /// Whether an operator makes sense here.
    pub(in crate::definitions) fn takes(self, operator: Operator) -> bool {
        self.refusal(operator).is_none()
    }

    fn wants_number(self) -> bool {
        match self {
            Place::Number => true,
            Place::Measure(aggregate) => aggregate.is_numeric(),
            Place::Any | Place::Where => false,
        }
    }
}

impl Comparison {
    /// Reads `op` and `value` out of a leaf.
    pub(crate) fn read(fields: &mut Fields<'_>, place: Place) -> Option<Comparison> {
        let operator = fields.required(&comparison::OP, |node| {
            let operator = node.word(&OPERATORS)?;
            let refusal = place.refusal(operator);
            if let Some(message) = &refusal {
                node.fault(message);
            }
            refusal.is_none().then_some(operator)
        });
        let Some(operator) = operator else {
            // The field is known, but without an operator there is nothing to check it against.
            fields.optional(&comparison::VALUE, |_| Some(()));
            return None;
        };
        if is_alone(operator) {
            let stands_alone = fields.optional(&comparison::VALUE, |node| {
                node.fault(format!("`{}` takes no value", operator.as_str()));
                Some(())
            });
            return stands_alone.is_none().then_some(Comparison { operator, operand: Operand::Nothing });
        }
        let operand = fields.required(&comparison::VALUE, |node| read_operand(node, operator, place))?;
        Some(Comparison { operator, operand })
    }

    /// Reads the short form `{"gte": 2}`: one operator over a number.
    pub(crate) fn read_short(node: Node<'_>, place: Place) -> Option<Comparison> {
        let read = node.entries(|word, value| {
            let found = OPERATORS.find(word).filter(|operator| operator.is_numeric() && !is_alone(*operator));
            let Some(operator) = found else {
                value.fault("unknown operator; allowed: eq, ne, in, not_in, lt, lte, gt, gte, between");
                return None;
            };
            read_operand(value, operator, place).map(|operand| Comparison { operator, operand })
        })?;
        match <[(String, Comparison); 1]>::try_from(read) {
            Ok([(_, comparison)]) => Some(comparison),
            Err(_) => {
                node.fault("expected exactly one operator, such as {\"gte\": 2}");
                None
            }
        }
    }
}

fn is_alone(operator: Operator) -> bool {
    use Operator::*;
    matches!(operator, Exists | NotExists | IsEmpty | IsTrue | IsFalse)
}

fn read_operand(node: Node<'_>, operator: Operator, place: Place) -> Option<Operand> {
    use Operator::*;
    match operator {
        Exists | NotExists | IsEmpty | IsTrue | IsFalse => Some(Operand::Nothing),
        Eq | Ne => read_value(node, place).map(Operand::Value),
        In | NotIn => node.list(|item| read_value(item, place)).map(Operand::Values),
        All | AnyOf | NoneOf => node.list(|item| read_value(item, Place::Any)).map(Operand::Values),
        Contains | NotContains => read_value(node, Place::Any).map(Operand::Value),
        EqCi | StartsWith | EndsWith => node.text().map(Operand::Text),
        Lt | Lte | Gt | Gte => read_number(node).map(Operand::Number),
        Between => read_between(node, place),
        Before | After | OnDay => node.timestamp().map(Operand::Time),
        WithinLast | WithinNext | BeforeLast | AfterNext => node.duration().map(Operand::Length),
        Regex | NotRegex => {
            let text = node.text()?;
            let pattern = SearchPattern::compile(&text);
            if pattern.is_none() {
                node.fault("expected a regular expression (syntax of the Rust crate `regex`, no look-around) of less than 1 MiB when compiled");
            }
            pattern.map(Operand::Pattern)
        }
        SemverEq | SemverGt | SemverGte | SemverLt | SemverLte => {
            let version = node.value.as_text().and_then(Version::parse);
            if version.is_none() {
                node.fault("expected a version such as 2.10.0");
            }
            version.map(Operand::Version)
        }
    }
}

fn read_value(node: Node<'_>, place: Place) -> Option<Value> {
    if place.wants_number() {
        return node.number().map(Value::Number);
    }
    if node.value.is_null() {
        node.fault("null is absent; use exists or not_exists");
        return None;
    }
    Some(node.value.clone())
}

fn read_number(node: Node<'_>) -> Option<Number> {
    let number = as_decimal(node.value);
    if number.is_none() {
        node.fault("expected a number; for times use before and after");
    }
    number
}

fn as_decimal(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => Number::parse(text).ok(),
        _ => None,
    }
}

fn read_between(node: Node<'_>, place: Place) -> Option<Operand> {
    let Some([low, high]) = node.value.as_list() else {
        node.fault("expected a list of two: the least and the greatest, both included");
        return None;
    };
    let in_order = match (as_decimal(low), as_decimal(high)) {
        (Some(low), Some(high)) => (low <= high).then_some(Operand::Numbers(low, high)),
        _ if place.wants_number() => {
            node.fault("expected two numbers");
            return None;
        }
        _ => {
            let times = node.list(|item| item.timestamp())?;
            match times.as_slice() {
                [low, high] => (low <= high).then_some(Operand::Times(*low, *high)),
                _ => None,
            }
        }
    };
    if in_order.is_none() {
        node.fault("expected the least first and the greatest second");
    }
    in_order
}
