//! The arguments of one call, read by name and type against the row of its verb.
//!
//! Every argument is checked before the verb runs: an unknown name, a missing argument or a value of another type is an
//! `invalid` error that names the verb and the argument, never the value.

use crate::definitions::near_or_all;
use crate::engine::people::query::{PageOptions, Query};
use crate::error::{Error, Result};
use crate::records::{AsOf, Number, Object, Timestamp, Value, base64, timestamp_from};
use crate::verbs::parameter::{Parameter, ParameterType, takes_message};

/// The arguments of a call.
pub(crate) struct Request<'r> {
    verb: &'static str,
    parameters: &'static [Parameter],
    object: &'r Object,
    whole: &'r Value,
}

impl<'r> Request<'r> {
    /// The arguments of a call, if each is known to the verb and of its type, and none is missing.
    pub(crate) fn checked(
        verb: &'static str,
        parameters: &'static [Parameter],
        request: &'r Value,
    ) -> Result<Request<'r>> {
        static EMPTY: Object = Object::new();
        let object = match request {
            Value::Null => &EMPTY,
            Value::Object(object) => object,
            other => return Err(Error::invalid(format!("{verb} takes an object of arguments, not {}", other.kind()))),
        };
        let request = Request { verb, parameters, object, whole: request };
        if !takes_message(parameters) {
            request.check_names()?;
            for parameter in parameters {
                request.check(parameter)?;
            }
        }
        Ok(request)
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.parameters.iter().map(|parameter| parameter.name)
    }

    fn check_names(&self) -> Result<()> {
        let is_unknown = |name: &&String| self.names().all(|known| known != name.as_str());
        let Some(unknown) = self.object.keys().find(is_unknown) else { return Ok(()) };
        let hint = match self.names().collect::<Vec<_>>().as_slice() {
            [] => "it takes no arguments".to_owned(),
            names => near_or_all(unknown, "arguments", names),
        };
        Err(Error::invalid(format!("{}: unknown argument `{unknown}`", self.verb)).with_hint(hint))
    }

    fn check(&self, parameter: &Parameter) -> Result<()> {
        let Some(value) = self.get(parameter.name) else {
            if !parameter.is_required {
                return Ok(());
            }
            return Err(Error::invalid(format!("{}: the argument `{}` is missing", self.verb, parameter.name))
                .with_hint(parameter.doc));
        };
        let is_list_of = |is: fn(&Value) -> bool| value.as_list().is_some_and(|items| items.iter().all(is));
        let (fits, expected) = match parameter.parameter_type {
            ParameterType::Text => (value.as_text().is_some(), "text"),
            ParameterType::Bytes => (value.as_text().is_some(), "base64 text"),
            ParameterType::Boolean => (value.as_bool().is_some(), "true or false"),
            ParameterType::Count => (count_of(value).is_some(), "an integer of at least 0"),
            ParameterType::Cursor => {
                (value.as_text().is_some() || count_of(value).is_some(), "the `next` of the page before")
            }
            ParameterType::Texts => (is_list_of(|item| item.as_text().is_some()), "a list of texts"),
            ParameterType::Identifiers | ParameterType::Objects => {
                (is_list_of(|item| item.as_object().is_some()), "a list of objects")
            }
            // Their own readers say what is wrong with them.
            ParameterType::Time
            | ParameterType::AsOf
            | ParameterType::Identifier
            | ParameterType::Rule
            | ParameterType::Definitions
            | ParameterType::Message
            | ParameterType::Event
            | ParameterType::Data => (true, ""),
        };
        if fits {
            return Ok(());
        }
        let found = match parameter.parameter_type {
            ParameterType::Count => String::new(),
            _ => format!(", not {}", value.kind()),
        };
        Err(Error::invalid(format!("{}: `{}` must be {expected}{found}", self.verb, parameter.name)))
    }

    /// The request as it came; for a verb that takes a message, the message.
    pub(crate) fn whole(&self) -> &'r Value {
        self.whole
    }

    /// The arguments by name.
    pub(crate) fn object(&self) -> &'r Object {
        self.object
    }

    /// An argument of any type.
    pub(crate) fn get(&self, name: &str) -> Option<&'r Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A required argument of any type.
    pub(crate) fn need(&self, name: &str) -> Result<&'r Value> {
        self.get(name).ok_or_else(|| self.undeclared(name))
    }

    // The row of the verb declares another type than its function reads: an error of this library, not of the caller.
    fn undeclared(&self, name: &str) -> Error {
        Error::internal(format!("{}: the row of the verb does not declare `{name}` as it is read", self.verb))
    }

    fn read<T>(&self, name: &str, read: impl FnOnce(&'r Value) -> Option<T>) -> Result<Option<T>> {
        self.get(name).map(|value| read(value).ok_or_else(|| self.undeclared(name))).transpose()
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'r str>> {
        self.read(name, Value::as_text)
    }

    /// A text of its own.
    pub(crate) fn owned_text(&self, name: &str) -> Result<Option<String>> {
        Ok(self.text(name)?.map(str::to_owned))
    }

    /// A required text.
    pub(crate) fn need_text(&self, name: &str) -> Result<&'r str> {
        self.text(name)?.ok_or_else(|| self.undeclared(name))
    }

    /// A truth value; false if it was left out.
    pub(crate) fn truth(&self, name: &str) -> Result<bool> {
        Ok(self.read(name, Value::as_bool)?.unwrap_or(false))
    }

    /// A count. A cursor that is a count may be text.
    pub(crate) fn count(&self, name: &str) -> Result<Option<u64>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let count = count_of(value)
            .ok_or_else(|| Error::invalid(format!("{}: `{name}` must be an integer of at least 0", self.verb)))?;
        Ok(Some(count))
    }

    /// A count in memory; one beyond the address space is the largest.
    pub(crate) fn size(&self, name: &str) -> Result<Option<usize>> {
        Ok(self.count(name)?.map(|count| usize::try_from(count).unwrap_or(usize::MAX)))
    }

    /// A cursor that is a row number.
    pub(crate) fn row(&self, name: &str) -> Result<Option<i64>> {
        Ok(self.count(name)?.map(|count| i64::try_from(count).unwrap_or(i64::MAX)))
    }

    /// A version or another small count.
    pub(crate) fn small(&self, name: &str) -> Result<Option<u32>> {
        Ok(self.count(name)?.map(|count| u32::try_from(count).unwrap_or(u32::MAX)))
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        let text = |item: &Value| item.as_text().map(str::to_owned);
        self.read(name, |value| value.as_list()?.iter().map(text).collect())
    }

    /// A required list.
    pub(crate) fn need_list(&self, name: &str) -> Result<&'r [Value]> {
        self.read(name, Value::as_list)?.ok_or_else(|| self.undeclared(name))
    }

    /// An instant.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>> {
        self.get(name).map(timestamp_from).transpose()
    }

    /// The instant of a read; now if it was left out.
    pub(crate) fn as_of(&self) -> Result<Option<AsOf>> {
        self.get("as_of").map(|value| AsOf::from_value(Some(value))).transpose()
    }

    /// Required binary data.
    pub(crate) fn need_bytes(&self, name: &str, hint: &str) -> Result<Vec<u8>> {
        base64::decode(self.need_text(name)?)
            .ok_or_else(|| Error::invalid(format!("{}: `{name}` is not base64", self.verb)).with_hint(hint))
    }

    /// The parameters of one page.
    pub(crate) fn page(&self) -> Result<PageOptions> {
        Ok(PageOptions { limit: self.size("limit")?, after: self.owned_text("after")? })
    }

    /// The parameters that every table of people has.
    pub(crate) fn query(&self) -> Result<Query> {
        Ok(Query {
            columns: self.texts("columns")?,
            filter: self.get("where").cloned(),
            order_by: self.owned_text("order_by")?,
            limit: self.size("limit")?,
            after: self.owned_text("after")?,
            as_of: self.as_of()?,
        })
    }
}

fn count_of(value: &Value) -> Option<u64> {
    match value {
        Value::Text(text) => text.parse().ok(),
        other => other.as_number().and_then(Number::as_i64).and_then(|n| u64::try_from(n).ok()),
    }
}
