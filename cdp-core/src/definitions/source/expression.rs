//! The expressions of a source: where a value of the message comes from in the row, and how it is converted.
//!
//! A bare text is always a path; a constant is `{"const": ...}`. Patterns, time zones and time formats are compiled here,
//! so that a definition that reads is one that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::DateTime;
use chrono::format::{Item, Parsed, StrftimeItems};
use chrono_tz::Tz;
use regex::Regex;

use super::super::fields::expression as forms;
use super::super::reader::{Fields, Node, nearest};
use super::super::schema::{Field, Shape, Words};
use crate::records::{Number, Path, Value};

/// A compiled regular expression; two are equal if their text is.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// The compiled expression.
    pub fn regex(&self) -> &Regex {
        &self.0
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.0.as_str())
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// The value at a path of the row.
    Path(Path),
    /// A constant: one value for every row.
    Constant(Value),
    /// A field of the row, converted.
    Field(Box<FieldExpression>),
    /// The first value that is not null.
    First(Vec<Expression>),
    /// The texts one after the other; a null counts as empty, null if all are.
    Concat(Vec<Expression>),
    /// A number from numbers; null if an operand is.
    Arithmetic(Arithmetic, Vec<Expression>),
    /// One of two.
    If {
        /// What decides.
        condition: Condition,
        /// If it holds.
        then: Box<Expression>,
        /// If it does not; without it null.
        otherwise: Option<Box<Expression>>,
    },
    /// An object of the row without some keys; without a path the row itself.
    Rest {
        /// Where the object is.
        path: Option<Path>,
        /// The keys left out.
        without: Vec<String>,
    },
    /// The 1-based number of the row.
    Row,
    /// The 1-based number of the item of `each`.
    Each,
    /// The instant at which the row is received.
    Received,
    /// The hash of the row, 32 hexadecimal digits.
    ContentHash,
}

/// Which arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// The sum.
    Add,
    /// The first less the others.
    Sub,
    /// The product.
    Mul,
}

/// A field of the row, and what is done to it in this order: trim, strip_prefix, extract, split, map, as; a null (found or
/// made) becomes the default.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldExpression {
    /// Where it is.
    pub path: Path,
    /// Whether white space around it is cut.
    pub trim: bool,
    /// What is cut from its front.
    pub strip_prefix: Option<String>,
    /// The first group of this pattern (or the whole match) is taken; null without a match.
    pub extract: Option<Pattern>,
    /// What stands between the items of a list.
    pub split: Option<String>,
    /// Other values for some texts.
    pub map: Option<BTreeMap<String, Value>>,
    /// What becomes of a value that the map does not name.
    pub otherwise: Otherwise,
    /// The type it is converted to.
    pub convert: Option<Conversion>,
    /// What stands for null.
    pub default: Option<Value>,
}

/// What becomes of a value that a `map` does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// It stays as it is (the default).
    Keep,
    /// The message is left out and counted as ignored.
    Ignore,
    /// The row is a reject.
    Reject,
}

/// The type a value is converted to.
#[derive(Clone, Debug, PartialEq)]
pub enum Conversion {
    /// Text.
    Text,
    /// A number that must have no fraction.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// An instant, as RFC 3339 text.
    Timestamp(TimeFormat),
    /// The JSON value that the text holds.
    Json,
}

/// How a time is written.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeFormat {
    /// Its form.
    pub form: TimeForm,
    /// The time zone of a time without offset.
    pub tz: Tz,
}

impl Default for TimeFormat {
    fn default() -> TimeFormat {
        TimeFormat { form: TimeForm::Any, tz: Tz::UTC }
    }
}

/// The form of a time.
#[derive(Clone, Debug, PartialEq)]
pub enum TimeForm {
    /// Any form that [`crate::records::Timestamp::parse`] knows; a number counts milliseconds.
    Any,
    /// RFC 3339 with its offset.
    Rfc3339,
    /// Seconds since 1970, with a fraction or without.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// A strptime format, taken apart.
    Strptime(Vec<Item<'static>>),
}

/// A test of one field of the row.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The field.
    pub path: Path,
    /// The test.
    pub op: ConditionOp,
}

/// A test of a value. Order operators read decimal text as a number; `eq` and `in` never do. `ne` and `not_in` hold for
/// null.
#[derive(Clone, Debug, PartialEq)]
pub enum ConditionOp {
    /// Equal.
    Eq(Value),
    /// Not equal.
    Ne(Value),
    /// One of these.
    In(Vec<Value>),
    /// None of these.
    NotIn(Vec<Value>),
    /// Text that starts with this.
    StartsWith(String),
    /// Text that ends with this.
    EndsWith(String),
    /// Text with this inside, or a list with this text as an item.
    Contains(String),
    /// Not null.
    Exists,
    /// Null.
    NotExists,
    /// Greater.
    Gt(Number),
    /// Greater or equal.
    Gte(Number),
    /// Less.
    Lt(Number),
    /// Less or equal.
    Lte(Number),
    /// Text with a match inside.
    Regex(Pattern),
}

impl Expression {
    pub(super) fn reads_row_number(&self) -> bool {
        match self {
            Expression::Row => true,
            Expression::First(items) | Expression::Concat(items) | Expression::Arithmetic(_, items) => {
                items.iter().any(Expression::reads_row_number)
            }
            Expression::If { then, otherwise, .. } => {
                then.reads_row_number() || otherwise.as_ref().is_some_and(|otherwise| otherwise.reads_row_number())
            }
            _ => false,
        }
    }

    /// Whether the value can be the instant of receipt, unchanged.
    pub(crate) fn may_be_the_receipt(&self) -> bool {
        match self {
            Expression::Received => true,
            Expression::First(items) => items.iter().any(Expression::may_be_the_receipt),
            Expression::If { then, otherwise, .. } => {
                then.may_be_the_receipt() || otherwise.as_ref().is_some_and(|otherwise| otherwise.may_be_the_receipt())
            }
            Expression::Path(_)
            | Expression::Constant(_)
            | Expression::Field(_)
            | Expression::Concat(_)
            | Expression::Arithmetic(..)
            | Expression::Rest { .. }
            | Expression::Row
            | Expression::Each
            | Expression::ContentHash => false,
        }
    }

    pub(super) fn collect_fields(&self, names: &mut BTreeSet<String>) {
        let mut add = |path: &Path| {
            names.insert(path.as_str().to_owned());
        };
        match self {
            Expression::Path(path) => add(path),
            Expression::Field(field) => add(&field.path),
            Expression::First(items) | Expression::Concat(items) | Expression::Arithmetic(_, items) => {
                items.iter().for_each(|item| item.collect_fields(names));
            }
            Expression::If { condition, then, otherwise } => {
                add(&condition.path);
                then.collect_fields(names);
                if let Some(otherwise) = otherwise {
                    otherwise.collect_fields(names);
                }
            }
            Expression::Rest { path, .. } => {
                names.insert(path.as_ref().map_or_else(String::new, |path| path.as_str().to_owned()));
            }
            Expression::Row => {
                names.insert("row".to_owned());
            }
            Expression::ContentHash => {
                names.insert(String::new());
            }
            Expression::Constant(_) | Expression::Each | Expression::Received => {}
        }
    }
}

/// The forms of an expression; the name of a form is the field that makes an object this form.
pub(in crate::definitions) const FORMS: [&Shape; 13] = [
    &forms::CONST,
    &forms::FIELD,
    &forms::FIRST,
    &forms::CONCAT,
    &forms::ADD,
    &forms::SUB,
    &forms::MUL,
    &forms::IF,
    &forms::REST,
    &forms::ROW,
    &forms::EACH,
    &forms::RECEIVED,
    &forms::CONTENT_HASH,
];

fn form_names() -> impl Iterator<Item = &'static str> {
    FORMS.into_iter().map(|form| form.name)
}

// Recursion is bounded: a definition is at most 32 levels deep.
pub(super) fn read_expression(node: Node<'_>) -> Option<Expression> {
    if node.value.as_text().is_some() {
        return node.path().map(Expression::Path);
    }
    let Some(object) = node.value.as_object() else {
        node.expected("a path or an expression such as {\"const\": ...}");
        return None;
    };
    let mut found = form_names().filter(|form| object.contains_key(*form));
    let Some(form) = found.next() else {
        let near = object.keys().find_map(|key| nearest(key, form_names()));
        let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        node.fault(format!("expected an expression with one of {}{hint}", form_names().collect::<Vec<_>>().join(", ")));
        return None;
    };
    if let Some(second) = found.next() {
        node.fault(format!("`{form}` and `{second}` are two expressions; give one"));
        return None;
    }
    let mut fields = node.fields()?;
    let items = |fields: &mut Fields<'_>, form: &'static Field, least: usize| {
        fields.required(form, |node| {
            let items = node.list(read_expression)?;
            if items.len() < least {
                node.fault(format!("expected at least {least} expressions"));
            }
            Some(items)
        })
    };
    let flag = |fields: &mut Fields<'_>, form: &'static Field, expression: Expression| {
        fields.required(form, |node| {
            if node.value.as_bool() != Some(true) {
                node.fault("expected true");
                return None;
            }
            Some(expression)
        })
    };
    let expression = match form {
        "const" => {
            fields.optional(&forms::constant::CONST, |_| Some(()));
            object.get("const").cloned().map(Expression::Constant)
        }
        "field" => read_field(&mut fields).map(|field| Expression::Field(Box::new(field))),
        "first" => items(&mut fields, &forms::first::FIRST, 1).map(Expression::First),
        "concat" => items(&mut fields, &forms::concat::CONCAT, 1).map(Expression::Concat),
        "add" => {
            items(&mut fields, &forms::add::ADD, 2).map(|operands| Expression::Arithmetic(Arithmetic::Add, operands))
        }
        "sub" => {
            items(&mut fields, &forms::sub::SUB, 2).map(|operands| Expression::Arithmetic(Arithmetic::Sub, operands))
        }
        "mul" => {
            items(&mut fields, &forms::mul::MUL, 2).map(|operands| Expression::Arithmetic(Arithmetic::Mul, operands))
        }
        "if" => {
            let condition = fields.required(&forms::if_::IF, read_condition);
            let then = fields.required(&forms::if_::THEN, read_expression);
            let otherwise = fields.optional(&forms::if_::ELSE, read_expression).map(Box::new);
            condition.zip(then).map(|(condition, then)| Expression::If { condition, then: Box::new(then), otherwise })
        }
        "*" => {
            fields.optional(&forms::rest::OBJECT, |_| Some(()));
            fields.optional(&forms::rest::WITHOUT, |_| Some(()));
            read_rest(node)
        }
        "row" => flag(&mut fields, &forms::row::ROW, Expression::Row),
        "each" => flag(&mut fields, &forms::each::EACH, Expression::Each),
        "received" => flag(&mut fields, &forms::received::RECEIVED, Expression::Received),
        _ => flag(&mut fields, &forms::content_hash::CONTENT_HASH, Expression::ContentHash),
    };
    fields.finish();
    expression
}

/// The `*` and `-` of an object; other fields are left to the caller.
pub(super) fn read_rest(node: Node<'_>) -> Option<Expression> {
    let mut fields = node.fields()?;
    let path = fields.required(&forms::rest::OBJECT, |node| match node.value {
        Value::Text(text) if text.is_empty() => Some(None),
        _ => node.path().map(Some),
    });
    let without = fields.optional(&forms::rest::WITHOUT, |node| node.list(|key| key.text()));
    Some(Expression::Rest { path: path?, without: without.unwrap_or_default() })
}

/// An expression for an instant: a field in it is read as a time.
pub(super) fn read_time_expression(node: Node<'_>) -> Option<Expression> {
    let expression = read_expression(node)?;
    Some(match expression {
        Expression::Field(mut field) => {
            if field.convert.is_none() && field.split.is_none() {
                field.convert = Some(Conversion::Timestamp(TimeFormat::default()));
            }
            Expression::Field(field)
        }
        other => other,
    })
}

/// The numbers are matched in `read_field`.
pub(in crate::definitions) static CONVERSIONS: Words<u8> = Words {
    name: "conversion",
    rows: &[
        ("text", 0, "Text."),
        ("integer", 1, "A number that must have no fraction."),
        ("number", 2, "A number."),
        ("boolean", 3, "True or false."),
        ("timestamp", 4, "An instant, as RFC 3339 text."),
        ("json", 5, "The JSON value that the text holds."),
    ],
};

pub(in crate::definitions) static OTHERWISE: Words<Otherwise> = Words {
    name: "otherwise",
    rows: &[
        ("keep", Otherwise::Keep, "The value stays as it is."),
        ("ignore", Otherwise::Ignore, "The message is left out and counted as ignored."),
        ("reject", Otherwise::Reject, "The row is a reject."),
    ],
};

fn read_field(fields: &mut Fields<'_>) -> Option<FieldExpression> {
    let path = fields.required(&forms::field::FIELD, |node| node.path());
    let convert = fields.optional(&forms::field::AS, |node| node.word(&CONVERSIONS));
    let form = fields.optional(&forms::field::FORMAT, read_time_form);
    let tz = fields.optional(&forms::field::TZ, read_tz);
    let is_time = fields.has("format") || fields.has("tz");
    if is_time && convert.is_some_and(|word| word != 4) {
        fields.fault("`format` and `tz` belong to \"as\": \"timestamp\"");
    }
    let convert = match convert {
        Some(0) => Some(Conversion::Text),
        Some(1) => Some(Conversion::Integer),
        Some(2) => Some(Conversion::Number),
        Some(3) => Some(Conversion::Boolean),
        Some(5) => Some(Conversion::Json),
        None if !is_time => None,
        _ => Some(Conversion::Timestamp(TimeFormat { form: form.unwrap_or(TimeForm::Any), tz: tz.unwrap_or(Tz::UTC) })),
    };
    let split = fields.optional(&forms::field::SPLIT, |node| node.text());
    let trim = fields.optional(&forms::field::TRIM, |node| node.boolean());
    let strip_prefix = fields.optional(&forms::field::STRIP_PREFIX, |node| node.text());
    let extract = fields.optional(&forms::field::EXTRACT, read_pattern);
    let map = fields.optional(&forms::field::MAP, |node| node.entries(|_, value| Some(value.value.clone())));
    let otherwise = fields.optional(&forms::field::ELSE, |node| node.word(&OTHERWISE));
    if otherwise.is_some() && !fields.has("map") {
        fields.fault("`else` says what happens to a value that `map` does not name; there is no `map`");
    }
    let default = fields.optional(&forms::field::DEFAULT, |node| Some(node.value.clone()));
    Some(FieldExpression {
        path: path?,
        trim: trim.unwrap_or(false),
        strip_prefix,
        extract,
        split,
        map: map.map(|entries| entries.into_iter().collect()),
        otherwise: otherwise.unwrap_or(Otherwise::Keep),
        convert,
        default,
    })
}

pub(super) fn read_pattern(node: Node<'_>) -> Option<Pattern> {
    let text = node.text()?;
    match Regex::new(&text) {
        Ok(regex) => Some(Pattern(regex)),
        Err(error) => {
            let reason = error.to_string();
            let last = reason.lines().last().unwrap_or("it does not compile").trim_start_matches("error: ");
            node.fault(format!("not a regular expression: {last}"));
            None
        }
    }
}

fn read_tz(node: Node<'_>) -> Option<Tz> {
    let name = node.text()?;
    let tz = name.parse::<Tz>().ok();
    if tz.is_none() {
        let near = nearest(&name, chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name()));
        let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        node.fault(format!("unknown time zone; give a name such as UTC or Europe/Berlin{hint}"));
    }
    tz
}

fn read_time_form(node: Node<'_>) -> Option<TimeForm> {
    match node.text()?.as_str() {
        "rfc3339" => Some(TimeForm::Rfc3339),
        "epoch_s" => Some(TimeForm::EpochSeconds),
        "epoch_ms" => Some(TimeForm::EpochMillis),
        strptime => {
            let items = StrftimeItems::new(strptime).parse_to_owned().ok().filter(|items| names_a_day(items));
            if items.is_none() {
                node.fault(
                    "expected rfc3339, epoch_s, epoch_ms or a strptime format that names a day, such as %Y-%m-%d",
                );
            }
            items.map(TimeForm::Strptime)
        }
    }
}

/// Whether a time written in this format reads back as a day.
fn names_a_day(items: &[Item<'static>]) -> bool {
    // 2001-02-03 04:05:06: no two numbers of it are alike.
    let sample = DateTime::from_timestamp(981_173_106, 0).unwrap_or_default();
    let text = sample.format_with_items(items.iter()).to_string();
    let mut parsed = Parsed::new();
    let read = chrono::format::parse(&mut parsed, &text, items.iter());
    read.is_ok() && (parsed.to_naive_date().is_ok() || parsed.timestamp().is_some())
}

pub(in crate::definitions) static CONDITION_OPERATORS: Words<&str> = Words {
    name: "condition_operator",
    rows: &[
        ("eq", "eq", "Equal, without conversion."),
        ("ne", "ne", "Not equal; true for null."),
        ("in", "in", "One of a list."),
        ("not_in", "not_in", "None of a list; true for null."),
        ("starts_with", "starts_with", "Text with this beginning."),
        ("ends_with", "ends_with", "Text with this end."),
        ("contains", "contains", "Text with this part, or a list with this text as an item."),
        ("exists", "exists", "Not null."),
        ("not_exists", "not_exists", "Null."),
        ("gt", "gt", "A greater number; decimal text is a number."),
        ("gte", "gte", "A greater or equal number."),
        ("lt", "lt", "A smaller number."),
        ("lte", "lte", "A smaller or equal number."),
        ("regex", "regex", "Text with a match of a pattern."),
    ],
};

pub(super) fn read_condition(node: Node<'_>) -> Option<Condition> {
    let mut fields = node.fields()?;
    let path = fields.required(&forms::condition::FIELD, |node| node.path());
    let word = fields.required(&forms::condition::OP, |node| node.word(&CONDITION_OPERATORS));
    let op = match word {
        Some("exists") => Some(ConditionOp::Exists),
        Some("not_exists") => Some(ConditionOp::NotExists),
        Some(word) => fields.required(&forms::condition::VALUE, |node| read_operand(word, node)),
        None => {
            fields.optional(&forms::condition::VALUE, |_| Some(()));
            None
        }
    };
    fields.finish();
    Some(Condition { path: path?, op: op? })
}

fn read_operand(word: &str, node: Node<'_>) -> Option<ConditionOp> {
    let scalar = |node: Node<'_>| {
        let is_scalar = !matches!(node.value, Value::List(_) | Value::Object(_));
        if !is_scalar {
            node.expected("text, a number or true or false");
        }
        is_scalar.then(|| node.value.clone())
    };
    let order = |node: Node<'_>| {
        let number = match node.value {
            Value::Text(text) => Number::parse(text).ok(),
            other => other.as_number(),
        };
        if number.is_none() {
            node.expected("a number");
        }
        number
    };
    match word {
        "eq" => scalar(node).map(ConditionOp::Eq),
        "ne" => scalar(node).map(ConditionOp::Ne),
        "in" => node.list(scalar).map(ConditionOp::In),
        "not_in" => node.list(scalar).map(ConditionOp::NotIn),
        "starts_with" => node.text().map(ConditionOp::StartsWith),
        "ends_with" => node.text().map(ConditionOp::EndsWith),
        "contains" => node.text().map(ConditionOp::Contains),
        "gt" => order(node).map(ConditionOp::Gt),
        "gte" => order(node).map(ConditionOp::Gte),
        "lt" => order(node).map(ConditionOp::Lt),
        "lte" => order(node).map(ConditionOp::Lte),
        _ => read_pattern(node).map(ConditionOp::Regex),
    }
}
