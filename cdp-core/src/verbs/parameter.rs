//! Parameters of verbs: their names, types and meaning, and the ones that many verbs share.
//!
//! The table of verbs is made of them; the bindings and the check of arguments read it.

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// Text.
    Text,
    /// True or false.
    Boolean,
    /// An integer of at least 0.
    Count,
    /// A cursor: the `next` of the page before.
    Cursor,
    /// RFC 3339 text or milliseconds since 1970.
    Time,
    /// A time, or `{"valid": time, "known": time}`.
    AsOf,
    /// `{type: value}` with one key.
    Identifier,
    /// A list of identifiers.
    Identifiers,
    /// A list of texts.
    Texts,
    /// A list of objects.
    Objects,
    /// A rule.
    Rule,
    /// One definition, a list of them, or the path of a file or folder.
    Definitions,
    /// A whole Segment message; the request itself is the message.
    Message,
    /// An event that has not happened, as a track message.
    Event,
    /// A path, one message, or a list of messages or rows.
    Data,
    /// Binary data as base64 text.
    Bytes,
}

impl ParameterType {
    /// The word for this type in the table that the bindings read.
    pub fn as_str(self) -> &'static str {
        match self {
            ParameterType::Text => "text",
            ParameterType::Boolean => "boolean",
            ParameterType::Count => "count",
            ParameterType::Cursor => "cursor",
            ParameterType::Time => "time",
            ParameterType::AsOf => "as_of",
            ParameterType::Identifier => "identifier",
            ParameterType::Identifiers => "identifiers",
            ParameterType::Texts => "texts",
            ParameterType::Objects => "objects",
            ParameterType::Rule => "rule",
            ParameterType::Definitions => "definitions",
            ParameterType::Message => "message",
            ParameterType::Event => "event",
            ParameterType::Data => "data",
            ParameterType::Bytes => "bytes",
        }
    }
}

/// A parameter of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in snake_case.
    pub name: &'static str,
    /// What its argument may be.
    pub parameter_type: ParameterType,
    /// Whether a call without it is an error.
    pub is_required: bool,
    /// Whether bindings take it by position, in the order of the table; the others are named.
    pub is_positional: bool,
    /// One sentence about it.
    pub doc: &'static str,
}

impl Parameter {
    /// A parameter that every call must give.
    pub(in crate::verbs) const fn required(
        name: &'static str,
        parameter_type: ParameterType,
        doc: &'static str,
    ) -> Parameter {
        Parameter { name, parameter_type, is_required: true, is_positional: false, doc }
    }

    /// A parameter that may be left out.
    pub(in crate::verbs) const fn optional(
        name: &'static str,
        parameter_type: ParameterType,
        doc: &'static str,
    ) -> Parameter {
        Parameter { name, parameter_type, is_required: false, is_positional: false, doc }
    }

    /// The parameter, taken by position.
    pub(in crate::verbs) const fn by_position(mut self) -> Parameter {
        self.is_positional = true;
        self
    }
}

/// The instant of a read.
pub(in crate::verbs) const AS_OF: Parameter =
    Parameter::optional("as_of", ParameterType::AsOf, "The instant asked about; now by default.");
/// The largest number of rows.
pub(in crate::verbs) const LIMIT: Parameter =
    Parameter::optional("limit", ParameterType::Count, "The largest number of rows; all by default.");
/// The cursor of a page.
pub(in crate::verbs) const AFTER: Parameter =
    Parameter::optional("after", ParameterType::Cursor, "The `next` of the page before.");
/// Whether to change nothing.
pub(in crate::verbs) const DRY_RUN: Parameter =
    Parameter::optional("dry_run", ParameterType::Boolean, "Report what would change, and change nothing.");
/// The identifier of one person.
pub(in crate::verbs) const IDENTIFIER: Parameter =
    Parameter::required("identifier", ParameterType::Identifier, "One identifier of the person.").by_position();
/// A rule that restricts a table.
pub(in crate::verbs) const WHERE: Parameter =
    Parameter::optional("where", ParameterType::Rule, "A rule that profiles must match.");
/// The columns of a table.
pub(in crate::verbs) const COLUMNS: Parameter = Parameter::optional(
    "columns",
    ParameterType::Texts,
    "Column names; `profile_id`, `user_id` and `email` by default.",
);
/// The order of a table.
pub(in crate::verbs) const ORDER_BY: Parameter = Parameter::optional(
    "order_by",
    ParameterType::Text,
    "A column, or `-column` for descending order; missing values come last.",
);
/// The name of a predictor.
pub(in crate::verbs) const PREDICTOR: Parameter =
    Parameter::required("predictor", ParameterType::Text, "The name of the predictor.").by_position();
/// The name of an audience.
pub(in crate::verbs) const AUDIENCE: Parameter =
    Parameter::required("audience", ParameterType::Text, "The name of the audience.").by_position();

/// Whether the request of a verb with these parameters is a Segment message as a whole.
pub(in crate::verbs) fn takes_message(parameters: &[Parameter]) -> bool {
    matches!(parameters, [Parameter { parameter_type: ParameterType::Message, .. }])
}
