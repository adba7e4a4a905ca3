//! The ways out: consent, decisions and exports. Each names a purpose and passes the consent policy.

use std::path::Path as FilePath;

use super::population::Whom;
use super::segment::{Query, people_table};
use super::snapshot::Person;
use super::{Cdp, Identifier};
use crate::activate::{ExportFormat, choose, write_file};
use crate::definitions::{Catalog, PolicyDefinition};
use crate::error::{Error, Result};
use crate::intake;
use crate::records::{Object, Receipt, Timestamp, Value};
use crate::rules::{ConsentStatus, ProfileView};

/// What leaves, and what for.
#[derive(Clone, Debug, Default)]
pub struct ExportRequest {
    /// The audience whose members leave; or give a destination.
    pub audience: Option<String>,
    /// A defined destination: audience, purpose, channel and columns.
    pub destination: Option<String>,
    /// The file to write; it is replaced at once when it is complete.
    pub path: String,
    /// `csv` or `ndjson`; by the file's name without it.
    pub format: Option<String>,
    /// What the data will be used for.
    pub purpose: Option<String>,
    /// Over which channel the people will be reached.
    pub channel: Option<String>,
    /// Columns, as in `members`.
    pub columns: Option<Vec<String>>,
}

/// The identifier type without which a channel reaches nobody.
fn channel_identifier(channel: &str) -> Option<&'static str> {
    match channel {
        "email" => Some("email"),
        "sms" | "whatsapp" | "call" | "phone" => Some("phone"),
        _ => None,
    }
}

/// The message that records a choice.
pub(crate) fn consent_message(
    identifier: &Value,
    purpose: &str,
    channel: Option<&str>,
    status: &str,
    timestamp: Option<&Value>,
    message_id: Option<&str>,
) -> Result<Value> {
    let identifier = Identifier::from_value(identifier)?;
    if !matches!(status, "granted" | "denied") {
        return Err(Error::invalid("consent: `status` must be \"granted\" or \"denied\""));
    }
    if purpose.is_empty() {
        return Err(Error::invalid("consent: `purpose` must not be empty")
            .with_hint("purposes: marketing, advertising, personalization, analytics, ... or your own"));
    }
    let mut message = Object::from([
        ("type".to_owned(), Value::from("consent")),
        (
            "ids".to_owned(),
            Value::object([(identifier.identifier_type.as_str(), Value::from(identifier.value.as_str()))]),
        ),
        ("purpose".to_owned(), Value::from(purpose)),
        ("status".to_owned(), Value::from(status)),
    ]);
    let optional = [
        ("channel", channel.map(Value::from)),
        ("timestamp", timestamp.cloned()),
        ("messageId", message_id.map(Value::from)),
    ];
    message.extend(optional.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))));
    Ok(Value::Object(message))
}

impl Cdp {
    /// Records a choice about the use of a person's data: `purpose`, perhaps a `channel`, `status` `granted` or `denied`.
    pub fn consent(
        &self,
        identifier: &Value,
        purpose: &str,
        channel: Option<&str>,
        status: &str,
        timestamp: Option<&Value>,
        message_id: Option<&str>,
    ) -> Result<Receipt> {
        self.send(&consent_message(identifier, purpose, channel, status, timestamp, message_id)?)
    }

    /// Decides for a person: `{choice, matched, known, reasons[], evaluated[]}`.
    ///
    /// `event` is a track message `{event, properties, context}`, taken as if it had happened now and not stored. An
    /// unknown person is an empty profile: nothing is created, nothing raised. Without consent for the policy's purpose
    /// the answer is `otherwise`, with the state of consent as reason.
    pub fn decide(
        &self,
        policy: &str,
        identifier: &Value,
        event: Option<&Value>,
        at: Option<Timestamp>,
    ) -> Result<Value> {
        let identifier = Identifier::from_value(identifier)?;
        let at = at.unwrap_or_else(|| self.now());
        let event = event.map(read_event).transpose()?;
        self.read_person(&identifier, None, at, |snapshot, person| {
            let policy = snapshot.catalog.policy(policy)?;
            let known = person.is_some();
            let refusal = match &person {
                Some(person) => self.refusal(policy, person, at)?,
                None => self.refusal_of(ConsentStatus::Unknown, policy, snapshot.catalog.consent_policy()),
            };
            let person = match person {
                Some(person) => person,
                None => Person::new(snapshot, Vec::new(), at)?,
            };
            let person = match &event {
                Some((name, message)) => person.with_hypothetical(message, name, at),
                None => person,
            };
            Ok(choose(policy, &person, known, at, refusal)?.to_value())
        })
    }

    fn refusal(&self, policy: &PolicyDefinition, person: &Person<'_>, at: Timestamp) -> Result<Option<&'static str>> {
        let status = person.consent_state(&policy.purpose, None, at)?.status;
        Ok(self.refusal_of(status, policy, person.snapshot.catalog.consent_policy()))
    }

    fn refusal_of(
        &self,
        status: ConsentStatus,
        policy: &PolicyDefinition,
        consent_policy: Option<&crate::definitions::ConsentPolicyDefinition>,
    ) -> Option<&'static str> {
        if self.allows(status, consent_policy, &policy.purpose) {
            return None;
        }
        Some(match status {
            ConsentStatus::Conflict => "consent_conflict",
            ConsentStatus::Denied => "consent_denied",
            ConsentStatus::Granted | ConsentStatus::Unknown => "consent_unknown",
        })
    }

    /// Writes the members of an audience who allow the purpose to a file. Gives `{rows, withheld: {consent_unknown,
    /// consent_denied, no_identifier}, purpose, channel, hint}`.
    ///
    /// Text that a spreadsheet would run as a formula gets a quote before it; the file is private and replaced at once.
    /// Fails with `invalid` where the path leads to a store, another database of SQLite, a file of either, a folder or a device.
    pub fn export(&self, request: &ExportRequest) -> Result<Value> {
        let at = self.now();
        let mut withheld = WithheldCounts::default();
        let (plan, format, mut frame) = self.read_at_length(|snapshot| {
            let plan = export_plan(request, snapshot.catalog)?;
            let format = ExportFormat::parse(request.format.as_deref(), FilePath::new(&request.path))?;
            let query = Query {
                columns: Some(plan.columns.iter().map(|(_, column)| column.clone()).collect()),
                ..Query::default()
            };
            let mut keep = |person: &Person<'_>| {
                let reason = self.reason_to_withhold(&plan, person, at)?;
                withheld.count(reason.as_ref());
                Ok(reason.is_none())
            };
            let members = Whom::Members(snapshot.catalog.audience(&plan.audience)?);
            let frame = people_table(snapshot, members, &query, at, Some(&mut keep))?;
            Ok((plan, format, frame))
        })?;
        for (column, (header, _)) in frame.columns.iter_mut().zip(&plan.columns) {
            column.name.clone_from(header);
        }
        write_file(&frame, FilePath::new(&request.path), format)?;
        let unknown = withheld.consent_unknown;
        let purpose = &plan.purpose;
        let hint = (unknown > 0).then(|| {
            format!("{unknown} member(s) have not chosen about `{purpose}`: record choices with consent(..., purpose=\"{purpose}\", status=\"granted\")")
        });
        Ok(Value::object([
            ("rows", Value::count(frame.n_rows())),
            (
                "withheld",
                Value::object([
                    ("consent_unknown", Value::integer(withheld.consent_unknown)),
                    ("consent_denied", Value::integer(withheld.consent_denied)),
                    ("no_identifier", Value::integer(withheld.no_identifier)),
                ]),
            ),
            ("purpose", Value::from(purpose.as_str())),
            ("channel", plan.channel.map_or(Value::Null, Value::Text)),
            ("hint", hint.map_or(Value::Null, Value::Text)),
        ]))
    }

    /// Why a member stays out of a file, if so.
    fn reason_to_withhold(&self, plan: &ExportPlan, person: &Person<'_>, at: Timestamp) -> Result<Option<Withheld>> {
        let status = person.consent_state(&plan.purpose, plan.channel.as_deref(), at)?.status;
        if !self.allows(status, person.snapshot.catalog.consent_policy(), &plan.purpose) {
            let is_unknown = status == ConsentStatus::Unknown;
            return Ok(Some(if is_unknown { Withheld::ConsentUnknown } else { Withheld::ConsentDenied }));
        }
        let needs = plan.channel.as_deref().and_then(channel_identifier);
        let lacks = needs.filter(|identifier_type| !person.has_identifier(identifier_type, at));
        Ok(lacks.map(|_| Withheld::NoIdentifier))
    }
}

/// What leaves, as the definitions have it.
fn export_plan(request: &ExportRequest, catalog: &Catalog) -> Result<ExportPlan> {
    let named = |columns: &[String]| columns.iter().map(|column| (column.clone(), column.clone())).collect::<Vec<_>>();
    let default_columns = ["profile_id", "user_id", "email"].map(str::to_owned);
    match (&request.destination, &request.audience) {
        (Some(destination), None) => {
            if request.purpose.is_some() || request.channel.is_some() || request.columns.is_some() {
                return Err(Error::invalid("export: a destination brings its own purpose, channel and columns")
                    .with_hint("leave them out, or export an audience"));
            }
            let destination = catalog.destination(destination)?;
            catalog.audience(&destination.audience)?;
            let columns =
                if destination.columns.is_empty() { named(&default_columns) } else { destination.columns.clone() };
            Ok(ExportPlan {
                audience: destination.audience.clone(),
                purpose: destination.purpose.clone(),
                channel: destination.channel.clone(),
                columns,
            })
        }
        (None, Some(audience)) => {
            catalog.audience(audience)?;
            let purpose = request.purpose.clone().ok_or_else(|| {
                Error::invalid("export: name the `purpose` the data will be used for")
                    .with_hint("such as purpose=\"marketing\"; without a purpose no personal data leaves")
            })?;
            let columns = named(request.columns.as_deref().unwrap_or(&default_columns));
            Ok(ExportPlan { audience: audience.clone(), purpose, channel: request.channel.clone(), columns })
        }
        _ => Err(Error::invalid("export: give either an `audience` or a `destination`")),
    }
}

/// Why a member is not in the file.
enum Withheld {
    ConsentUnknown,
    ConsentDenied,
    NoIdentifier,
}

#[derive(Default)]
struct WithheldCounts {
    consent_unknown: i64,
    consent_denied: i64,
    no_identifier: i64,
}

impl WithheldCounts {
    fn count(&mut self, reason: Option<&Withheld>) {
        match reason {
            Some(Withheld::ConsentUnknown) => self.consent_unknown += 1,
            Some(Withheld::ConsentDenied) => self.consent_denied += 1,
            Some(Withheld::NoIdentifier) => self.no_identifier += 1,
            None => {}
        }
    }
}

struct ExportPlan {
    audience: String,
    purpose: String,
    channel: Option<String>,
    // header, column
    columns: Vec<(String, String)>,
}

/// The event of a decision: its name and the whole message.
fn read_event(event: &Value) -> Result<(String, Value)> {
    let Value::Object(fields) = event else {
        return Err(Error::invalid(format!("decide: `event` must be a track message, not {}", event.kind()))
            .with_hint("such as {\"event\": \"Order Completed\", \"properties\": {\"amount\": 120}}"));
    };
    let mut fields = fields.clone();
    fields.insert("type".to_owned(), Value::from("track"));
    let read = intake::read_message(fields, intake::MAX_MESSAGE_BYTES)
        .map_err(|reject| Error::invalid(format!("decide: the event is not a track message: {}", reject.detail)))?;
    let name = read.message.event.unwrap_or_default();
    Ok((name, Value::Object(read.message.fields.to_object())))
}
