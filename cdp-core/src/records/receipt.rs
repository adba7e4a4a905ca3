//! What a caller gets back for data: counts that always add up, and the first few things that were wrong.

use super::answer::{Field, answer_by_hand};
use super::{Object, Value};

/// Why a row or message was not accepted; the words of SEMANTICS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectReason {
    /// A gate of the source quarantined the row.
    Gate,
    /// Not JSON, not CSV, or not UTF-8.
    Unreadable,
    /// Nested deeper than 64 levels.
    TooDeep,
    /// Larger than the limit for a message.
    TooLarge,
    /// No identifier that is not blocked.
    NoIdentifier,
    /// A field that the message type needs is absent.
    MissingField,
    /// A field holds a value of the wrong kind.
    BadValue,
    /// A number that does not parse or lies beyond 1e20.
    BadNumber,
    /// A time that does not parse or lies outside 1900 to 2200.
    BadTimestamp,
}

impl RejectReason {
    /// Every reason.
    pub const ALL: [RejectReason; 9] = [
        RejectReason::Gate,
        RejectReason::Unreadable,
        RejectReason::TooDeep,
        RejectReason::TooLarge,
        RejectReason::NoIdentifier,
        RejectReason::MissingField,
        RejectReason::BadValue,
        RejectReason::BadNumber,
        RejectReason::BadTimestamp,
    ];

    /// The word for this reason.
    pub fn as_str(self) -> &'static str {
        match self {
            RejectReason::Gate => "gate",
            RejectReason::Unreadable => "unreadable",
            RejectReason::TooDeep => "too_deep",
            RejectReason::TooLarge => "too_large",
            RejectReason::NoIdentifier => "no_identifier",
            RejectReason::MissingField => "missing_field",
            RejectReason::BadValue => "bad_value",
            RejectReason::BadNumber => "bad_number",
            RejectReason::BadTimestamp => "bad_timestamp",
        }
    }
}

/// A row or message that was not accepted. It is kept, so that nothing is lost and it can be driven again.
#[derive(Clone, Debug, PartialEq)]
pub struct Reject {
    /// Why.
    pub reason: RejectReason,
    /// The field or column it is about.
    pub field: Option<String>,
    /// What was wrong and what was allowed; never a value.
    pub detail: String,
}

impl Reject {
    /// A reject about the whole row.
    pub fn new(reason: RejectReason, detail: impl Into<String>) -> Reject {
        Reject { reason, field: None, detail: detail.into() }
    }

    /// A reject about one field.
    pub fn at(reason: RejectReason, field: impl Into<String>, detail: impl Into<String>) -> Reject {
        Reject { reason, field: Some(field.into()), detail: detail.into() }
    }
}

/// One of the first rejects of a call, for a person to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct RejectSample {
    /// The 1-based data row, where the input has rows.
    pub row: Option<u64>,
    /// Why.
    pub reject: Reject,
}

/// What became of the data of one call. `accepted + duplicates + suppressed + rejected + ignored = messages`, always.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Receipt {
    /// Rows read.
    pub rows: u64,
    /// Messages they made; a rejected row counts as one.
    pub messages: u64,
    /// New facts.
    pub accepted: u64,
    /// Messages the store already had, by (source, message id).
    pub duplicates: u64,
    /// Duplicates whose content differs from the recorded fact.
    pub conflicting: u64,
    /// Messages about people who were erased with suppression.
    pub suppressed: u64,
    /// Messages kept in quarantine with their reason.
    pub rejected: u64,
    /// Messages that the source definition says to leave out.
    pub ignored: u64,
    /// Profiles that existed before and were joined into another.
    pub merges: u64,
    /// Profiles that did not exist before.
    pub new_profiles: u64,
    /// The first few rejects.
    pub first_rejects: Vec<RejectSample>,
    /// What a person should know although nothing was lost.
    pub warnings: Vec<String>,
    /// The id of the message, for the verbs that take one.
    pub message_id: Option<String>,
    /// The profile that the message belongs to, for the verbs that take one.
    pub profile_id: Option<String>,
}

impl Field for Receipt {
    fn into_value(self) -> Value {
        self.to_value()
    }

    fn write_shape(&self, out: &mut String) {
        out.push_str("Receipt");
    }
}

answer_by_hand!(Receipt);

/// How many rejects a receipt shows.
pub const FIRST_REJECTS: usize = 10;

impl Receipt {
    /// Adds the counts of a later part of the same call.
    pub fn add(&mut self, other: Receipt) {
        self.rows += other.rows;
        self.messages += other.messages;
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.conflicting += other.conflicting;
        self.suppressed += other.suppressed;
        self.rejected += other.rejected;
        self.ignored += other.ignored;
        self.merges += other.merges;
        self.new_profiles += other.new_profiles;
        let room = FIRST_REJECTS.saturating_sub(self.first_rejects.len());
        self.first_rejects.extend(other.first_rejects.into_iter().take(room));
        for warning in other.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        self.message_id = other.message_id.or_else(|| self.message_id.take());
        self.profile_id = other.profile_id.or_else(|| self.profile_id.take());
    }

    /// The receipt as a JSON object, its keys as in the documentation.
    pub fn to_value(&self) -> Value {
        let count = |n: u64| Value::integer(i64::try_from(n).unwrap_or(i64::MAX));
        let rejects = self.first_rejects.iter().map(|sample| {
            Value::object([
                ("row", sample.row.map_or(Value::Null, count)),
                ("reason", Value::from(sample.reject.reason.as_str())),
                ("field", sample.reject.field.clone().map_or(Value::Null, Value::from)),
                ("detail", Value::from(sample.reject.detail.as_str())),
            ])
        });
        let mut object: Object = [
            ("rows", self.rows),
            ("messages", self.messages),
            ("accepted", self.accepted),
            ("duplicates", self.duplicates),
            ("conflicting", self.conflicting),
            ("suppressed", self.suppressed),
            ("rejected", self.rejected),
            ("ignored", self.ignored),
            ("merges", self.merges),
            ("new_profiles", self.new_profiles),
        ]
        .into_iter()
        .map(|(name, n)| (name.to_owned(), count(n)))
        .collect();
        object.insert("first_rejects".to_owned(), Value::List(rejects.collect()));
        object.insert(
            "warnings".to_owned(),
            Value::List(self.warnings.iter().map(|w| Value::from(w.as_str())).collect()),
        );
        object.insert("message_id".to_owned(), self.message_id.clone().map_or(Value::Null, Value::from));
        object.insert("profile_id".to_owned(), self.profile_id.clone().map_or(Value::Null, Value::from));
        Value::Object(object)
    }
}
