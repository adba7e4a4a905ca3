//! Evaluates the expressions of a source on one row.
//!
//! A value comes out, or the row is a reject that names its column, or the message is to be left out. Identifiers are
//! never converted unasked: what is text in the row stays text. Operands of arithmetic and conditions are read in place,
//! without copying them.

use crate::definitions::{
    Arithmetic, Condition, ConditionOp, Conversion, Expression, FieldExpression, NullTrait, Otherwise,
    SourceDefinition, TimeFormat,
};
use crate::records::{Number, Object, Path, Reject, RejectReason, Timestamp, Value};

use super::row::text_of;
use super::times::{read_time, rfc3339};
use super::{Found, Row, RowValues, find_in, hash};

/// Why there is no value.
pub(super) enum Stop {
    /// The row is a reject.
    Reject(Reject),
    /// The message is to be left out.
    Ignore,
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Stop {
        Stop::Reject(reject)
    }
}

pub(super) type Evaluated<T> = Result<T, Stop>;

/// An item of the list of `each`.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) number: u64,
    pub(super) value: &'a Value,
    pub(super) each: &'a Path,
    /// The paths of the definition that lead into an item, by their full text, sorted.
    pub(super) inner: &'a [(String, Path)],
}

/// All that an expression can look at.
pub(super) struct Scope<'a> {
    pub(super) source: &'a SourceDefinition,
    pub(super) row: &'a Row,
    pub(super) values: &'a RowValues,
    pub(super) received_at: Timestamp,
    pub(super) item: Option<Item<'a>>,
}

pub(super) fn bad_time(field: &str, fault: crate::records::TimestampFault) -> Reject {
    Reject::at(RejectReason::BadTimestamp, field, fault.to_string())
}

impl<'a> Scope<'a> {
    pub(super) fn find(&self, path: &Path) -> Found<'a> {
        if let Some(item) = self.item {
            if path == item.each {
                return match item.value {
                    Value::Null => Found::Null,
                    Value::Text(text) => Found::Text(text),
                    value => Found::Value(value),
                };
            }
            if let Ok(at) = item.inner.binary_search_by(|(full, _)| full.as_str().cmp(path.as_str()))
                && let Some((_, inner)) = item.inner.get(at)
            {
                return find_in(item.value, inner);
            }
        }
        self.values.find(path)
    }

    // Recursion is bounded: a definition is at most 32 levels deep.
    pub(super) fn evaluate(&self, expression: &Expression) -> Evaluated<Value> {
        match expression {
            Expression::Path(path) => Ok(self.find(path).into_value()),
            Expression::Constant(value) => Ok(value.clone()),
            Expression::Field(field) => self.field(field),
            Expression::First(items) => {
                for item in items {
                    let value = self.evaluate(item)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Value::Null)
            }
            Expression::Concat(items) => {
                let mut joined: Option<String> = None;
                for item in items {
                    if let Some(text) = text_of(self.evaluate(item)?) {
                        joined.get_or_insert_with(String::new).push_str(&text);
                    }
                }
                Ok(joined.map_or(Value::Null, Value::Text))
            }
            Expression::Arithmetic(..) => Ok(self.number(expression)?.map_or(Value::Null, Value::Number)),
            Expression::If { condition, then, otherwise } => {
                if self.holds(condition) {
                    self.evaluate(then)
                } else {
                    otherwise.as_ref().map_or(Ok(Value::Null), |otherwise| self.evaluate(otherwise))
                }
            }
            Expression::Rest { path, without } => self.rest(path.as_ref(), without),
            Expression::Row => Ok(Value::integer(i64::try_from(self.row.number).unwrap_or(i64::MAX))),
            Expression::Each => {
                let number = self.item.map(|item| i64::try_from(item.number).unwrap_or(i64::MAX));
                Ok(number.map_or(Value::Null, Value::integer))
            }
            Expression::Received => Ok(Value::Text(rfc3339(self.received_at))),
            Expression::ContentHash => Ok(Value::Text(hash::row_hash(None, self.values))),
        }
    }

    /// The expression as a number; text is read, and what does not read rejects the row.
    fn number(&self, expression: &Expression) -> Evaluated<Option<Number>> {
        match expression {
            Expression::Path(path) => self.as_number(&self.find(path), path.as_str()),
            Expression::Constant(value) => self.as_number(&found(value), "const"),
            Expression::Arithmetic(arithmetic, operands) => {
                let mut total: Option<Number> = None;
                for operand in operands {
                    let Some(number) = self.number(operand)? else { return Ok(None) };
                    let combined = match (total, arithmetic) {
                        (None, _) => Some(number),
                        (Some(total), Arithmetic::Add) => total.checked_add(number),
                        (Some(total), Arithmetic::Sub) => total.checked_sub(number),
                        (Some(total), Arithmetic::Mul) => total.multiply(number).ok(),
                    };
                    let within = combined.filter(|number| number.is_within_limit());
                    total = Some(within.ok_or_else(|| {
                        Reject::at(
                            RejectReason::BadNumber,
                            name_of(operand),
                            "the result is further from zero than 1e20",
                        )
                    })?);
                }
                Ok(total)
            }
            other => {
                let value = self.evaluate(other)?;
                self.as_number(&found(&value), name_of(other))
            }
        }
    }

    fn as_number(&self, found: &Found<'_>, field: &str) -> Evaluated<Option<Number>> {
        if found.is_null() {
            return Ok(None);
        }
        if let Some(number) = found.as_value().and_then(Value::as_number) {
            return Ok(Some(number));
        }
        let Some(text) = found.as_text() else {
            return Err(Reject::at(RejectReason::BadNumber, field, "expected a number").into());
        };
        let parsed = if self.source.csv.decimal_comma {
            // With a comma as the decimal mark a point has no meaning here.
            let pointed = if text.contains('.') { String::new() } else { text.replacen(',', ".", 1) };
            Number::parse(&pointed)
        } else {
            Number::parse(text)
        };
        parsed.map(Some).map_err(|fault| Reject::at(RejectReason::BadNumber, field, fault.to_string()).into())
    }

    fn rest(&self, path: Option<&Path>, without: &[String]) -> Evaluated<Value> {
        let value = match path {
            None => self.values.to_value(),
            Some(path) => self.find(path).into_value(),
        };
        match value {
            Value::Object(mut object) => {
                object.retain(|key, _| !without.contains(key));
                Ok(Value::Object(object))
            }
            Value::Null => Ok(Value::Null),
            other => {
                let field = path.map_or("", Path::as_str);
                Err(Reject::at(RejectReason::BadValue, field, format!("expected an object, found {}", other.kind()))
                    .into())
            }
        }
    }

    fn field(&self, field: &FieldExpression) -> Evaluated<Value> {
        let found = self.prepare(field)?;
        let value = match (&field.convert, found) {
            (_, found) if found.is_null() => Value::Null,
            (None, found) => found.into_value(),
            (Some(conversion), Found::Owned(Value::List(items))) if field.split.is_some() => {
                let converted: Result<Vec<Value>, Stop> =
                    items.iter().map(|item| self.convert(&self::found(item), conversion, field)).collect();
                Value::List(converted?)
            }
            (Some(conversion), found) => self.convert(&found, conversion, field)?,
        };
        match (&field.default, value) {
            (Some(default), Value::Null) => Ok(default.clone()),
            (_, value) => Ok(value),
        }
    }

    /// What is done to a field before it is converted.
    fn prepare(&self, field: &FieldExpression) -> Evaluated<Found<'a>> {
        let found = self.find(&field.path);
        if !field.trim
            && field.strip_prefix.is_none()
            && field.extract.is_none()
            && field.split.is_none()
            && field.map.is_none()
        {
            return Ok(found);
        }
        let found = match found {
            Found::Text(text) => match self.edit(text, field) {
                None => Found::Null,
                Some(text) => match &field.split {
                    None => Found::Text(text),
                    Some(between) => {
                        let items =
                            text.split(between.as_str()).map(|item| if field.trim { item.trim() } else { item });
                        Found::Owned(Value::List(items.filter(|item| !item.is_empty()).map(Value::from).collect()))
                    }
                },
            },
            other => other,
        };
        match (field.map.is_some(), found) {
            (false, found) => Ok(found),
            (true, Found::Owned(Value::List(items))) if field.split.is_some() => {
                let mapped: Result<Vec<Value>, Stop> =
                    items.into_iter().map(|item| self.translate(item, field)).collect();
                Ok(Found::Owned(Value::List(mapped?)))
            }
            (true, Found::Null) => Ok(Found::Null),
            (true, found) => match self.translate(found.into_value(), field)? {
                Value::Null => Ok(Found::Null),
                value => Ok(Found::Owned(value)),
            },
        }
    }

    fn edit<'t>(&self, text: &'t str, field: &FieldExpression) -> Option<&'t str> {
        let text = if field.trim { text.trim() } else { text };
        let text = field.strip_prefix.as_deref().and_then(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
        match &field.extract {
            None => Some(text),
            Some(pattern) => {
                let captures = pattern.regex().captures(text)?;
                // A pattern with a group takes the first group that took part, else the whole match.
                let group = captures.iter().skip(1).flatten().next();
                let whole = if captures.len() > 1 { None } else { captures.get(0) };
                group.or(whole).map(|found| found.as_str())
            }
        }
    }

    fn translate(&self, value: Value, field: &FieldExpression) -> Evaluated<Value> {
        let Some(map) = &field.map else { return Ok(value) };
        let key = text_of(value.clone());
        match (key.and_then(|key| map.get(&key)), field.otherwise) {
            (Some(mapped), _) => Ok(mapped.clone()),
            (None, Otherwise::Keep) => Ok(value),
            (None, Otherwise::Ignore) => Err(Stop::Ignore),
            (None, Otherwise::Reject) => {
                let detail = "the value is not one that `map` names";
                Err(Reject::at(RejectReason::BadValue, field.path.as_str(), detail).into())
            }
        }
    }

    fn convert(&self, found: &Found<'_>, conversion: &Conversion, field: &FieldExpression) -> Evaluated<Value> {
        let name = field.path.as_str();
        match conversion {
            Conversion::Text => Ok(text_of(found.clone().into_value()).map_or(Value::Null, Value::Text)),
            Conversion::Number => Ok(self.as_number(found, name)?.map_or(Value::Null, Value::Number)),
            Conversion::Integer => match self.as_number(found, name)? {
                None => Ok(Value::Null),
                Some(number) if number.nanos() % 1_000_000_000 == 0 => Ok(Value::Number(number)),
                Some(_) => Err(Reject::at(RejectReason::BadNumber, name, "expected an integer").into()),
            },
            Conversion::Boolean => match as_boolean(found) {
                Some(truth) => Ok(Value::Bool(truth)),
                None => {
                    Err(Reject::at(RejectReason::BadValue, name, "expected true or false, yes or no, 1 or 0").into())
                }
            },
            Conversion::Timestamp(format) => {
                let time = read_time(found, format).map_err(|fault| bad_time(name, fault))?;
                Ok(Value::Text(rfc3339(time)))
            }
            Conversion::Json => match found.as_text() {
                None => Ok(found.clone().into_value()),
                Some(text) => Value::parse(text.as_bytes()).map_err(|fault| {
                    Reject::at(RejectReason::BadValue, name, format!("expected JSON text: {fault}")).into()
                }),
            },
        }
    }

    /// The expression as an instant; `field` is the message field it fills.
    pub(super) fn time(&self, expression: &Expression, field: &str) -> Evaluated<Option<Timestamp>> {
        if let Expression::Field(field) = expression
            && let Some(Conversion::Timestamp(format)) = &field.convert
            && field.split.is_none()
        {
            let found = self.prepare(field)?;
            let found = match (&found, &field.default) {
                (Found::Null, Some(default)) => self::found(default),
                _ => found,
            };
            if found.is_null() {
                return Ok(None);
            }
            let time = read_time(&found, format).map_err(|fault| bad_time(field.path.as_str(), fault))?;
            return Ok(Some(time));
        }
        if matches!(expression, Expression::Received) {
            return Ok(Some(self.received_at));
        }
        let value = self.evaluate(expression)?;
        if value.is_null() {
            return Ok(None);
        }
        let name = match name_of(expression) {
            "" => field,
            name => name,
        };
        let time = read_time(&found(&value), &TimeFormat::default()).map_err(|fault| bad_time(name, fault))?;
        Ok(Some(time))
    }

    pub(super) fn holds(&self, condition: &Condition) -> bool {
        let found = self.find(&condition.path);
        let equals = |value: &Value| match (&found, value) {
            (Found::Null, value) => value.is_null(),
            (found, Value::Text(text)) => found.as_text() == Some(text.as_str()),
            (found, value) => found.as_value() == Some(value),
        };
        let text = |test: &dyn Fn(&str) -> bool| found.as_text().is_some_and(test);
        let order = |test: &dyn Fn(&Number) -> bool| {
            let number = found.as_value().and_then(Value::as_number);
            number.or_else(|| found.as_text().and_then(|text| Number::parse(text).ok())).as_ref().is_some_and(test)
        };
        match &condition.op {
            ConditionOp::Eq(value) => equals(value),
            ConditionOp::Ne(value) => !equals(value),
            ConditionOp::In(values) => values.iter().any(equals),
            ConditionOp::NotIn(values) => !values.iter().any(equals),
            ConditionOp::StartsWith(start) => text(&|text| text.starts_with(start.as_str())),
            ConditionOp::EndsWith(end) => text(&|text| text.ends_with(end.as_str())),
            ConditionOp::Contains(part) => match found.as_value().and_then(Value::as_list) {
                Some(items) => items.iter().any(|item| item.as_text() == Some(part.as_str())),
                None => text(&|text| text.contains(part.as_str())),
            },
            ConditionOp::Exists => !found.is_null(),
            ConditionOp::NotExists => found.is_null(),
            ConditionOp::Gt(bound) => order(&|number| number > bound),
            ConditionOp::Gte(bound) => order(&|number| number >= bound),
            ConditionOp::Lt(bound) => order(&|number| number < bound),
            ConditionOp::Lte(bound) => order(&|number| number <= bound),
            ConditionOp::Regex(pattern) => text(&|text| pattern.regex().is_match(text)),
        }
    }

    /// Whether a null of traits deletes them.
    pub(super) fn null_deletes(&self) -> bool {
        self.source.null == NullTrait::Delete
    }
}

pub(super) fn found(value: &Value) -> Found<'_> {
    match value {
        Value::Null => Found::Null,
        Value::Text(text) => Found::Text(text),
        other => Found::Value(other),
    }
}

pub(super) fn as_boolean(found: &Found<'_>) -> Option<bool> {
    if let Some(value) = found.as_value() {
        let of_number = |number: Number| match number.as_i64() {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        };
        return value.as_bool().or_else(|| value.as_number().and_then(of_number));
    }
    match found.as_text()?.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
        "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
        _ => None,
    }
}

/// The column an expression is about, for a reject; empty if it is about several.
pub(super) fn name_of(expression: &Expression) -> &str {
    match expression {
        Expression::Path(path) => path.as_str(),
        Expression::Field(field) => field.path.as_str(),
        Expression::Row => "row",
        Expression::First(items) | Expression::Concat(items) | Expression::Arithmetic(_, items) => {
            items.iter().map(name_of).find(|name| !name.is_empty()).unwrap_or("")
        }
        Expression::If { condition, .. } => condition.path.as_str(),
        _ => "",
    }
}

/// Puts a value at a place inside nested objects; what is no object on the way is replaced.
pub(super) fn insert_at(object: &mut Object, steps: &[String], value: Value) {
    match steps {
        [] => {}
        [last] => {
            object.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = object.entry(first.clone()).or_insert_with(|| Value::Object(Object::new()));
            if !matches!(inner, Value::Object(_)) {
                *inner = Value::Object(Object::new());
            }
            if let Value::Object(inner) = inner {
                insert_at(inner, rest, value);
            }
        }
    }
}
